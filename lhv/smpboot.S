/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start-up code of the other CPUs, copied to SMP_PAGE. It first records the
 * registers that the start-up IPI left, as struct reset_state, and changes
 * none of them before.
 */
#include "x86.h"

#define SMP_PAGE	0x8000
#define AT(label)	(label - smp_page)
#define LINEAR(label)	(SMP_PAGE + label - smp_page)

	.section .rodata
	.balign 4096
	.globl smp_page, smp_page_end, smp_page_state, smp_page_cr3, smp_page_cpu
	.code16
smp_page:
	movl	%eax, %cs:AT(smp_page_state)
	movl	%ebx, %cs:AT(smp_page_state) + 4
	movl	%ecx, %cs:AT(smp_page_state) + 8
	movl	%edx, %cs:AT(smp_page_state) + 12
	movl	%esi, %cs:AT(smp_page_state) + 16
	movl	%edi, %cs:AT(smp_page_state) + 20
	movl	%ebp, %cs:AT(smp_page_state) + 24
	movl	%esp, %cs:AT(smp_page_state) + 28
	movw	%cs, %cs:AT(smp_page_state) + 60
	movw	%ds, %cs:AT(smp_page_state) + 62
	movw	%es, %cs:AT(smp_page_state) + 64
	movw	%fs, %cs:AT(smp_page_state) + 66
	movw	%gs, %cs:AT(smp_page_state) + 68
	movw	%ss, %cs:AT(smp_page_state) + 70
	movw	%cs, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movl	$0x1000, %esp
	pushfl
	popl	AT(smp_page_state) + 32
	movl	%cr0, %eax
	movl	%eax, AT(smp_page_state) + 36
	movl	%cr2, %eax
	movl	%eax, AT(smp_page_state) + 40
	movl	%cr3, %eax
	movl	%eax, AT(smp_page_state) + 44
	movl	%cr4, %eax
	movl	%eax, AT(smp_page_state) + 48
	movl	%dr6, %eax
	movl	%eax, AT(smp_page_state) + 52
	movl	%dr7, %eax
	movl	%eax, AT(smp_page_state) + 56
	sgdtl	AT(smp_tmp)
	movw	AT(smp_tmp), %ax
	movw	%ax, AT(smp_page_state) + 72
	movl	AT(smp_tmp) + 2, %eax
	movl	%eax, AT(smp_page_state) + 76
	sidtl	AT(smp_tmp)
	movw	AT(smp_tmp), %ax
	movw	%ax, AT(smp_page_state) + 74
	movl	AT(smp_tmp) + 2, %eax
	movl	%eax, AT(smp_page_state) + 80
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, AT(smp_page_state) + 84

	lgdtl	AT(smp_gdtr)
	movl	$(CR0_PE | CR0_ET | CR0_NE), %eax
	movl	%eax, %cr0
	ljmpl	$0x08, $LINEAR(smp_32)

	.code32
smp_32:
	movl	$0x10, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	LINEAR(smp_page_cr3), %eax
	movl	%eax, %cr3
#include <smp_enter.S>

	.balign 16
smp_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00af9b000000ffff
smp_gdtr:
	.word	. - smp_gdt - 1
	.long	LINEAR(smp_gdt)
	.balign 8
smp_tmp:	.skip 8
smp_page_cr3:	.quad 0
smp_page_cpu:	.quad 0
	.globl smp_page_stack
smp_page_stack:	.quad 0
smp_page_state:	.skip 88
smp_page_end:

	.section .note.GNU-stack, "", @progbits
