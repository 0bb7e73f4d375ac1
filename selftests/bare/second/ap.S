/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the other CPUs start, copied to AP_PAGE: one at a time, real to protected mode. */
#include "second.h"

#define AT(label)	(label - ap_page)
#define LINEAR(label)	(AP_PAGE + label - ap_page)

	.section .rodata
	.balign 16
	.globl ap_page, ap_page_end, ap_page_state, ap_page_lock
	.code16
ap_page:
	cli
1:	pause
	lock btsl $0, %cs:AT(ap_page_lock)
	jc	1b
	movl	%cr0, %eax
	movl	%eax, %cs:AT(ap_page_state)
	movl	%cr4, %eax
	movl	%eax, %cs:AT(ap_page_state) + 4
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, %cs:AT(ap_page_state) + 8
	movl	%dr7, %eax
	movl	%eax, %cs:AT(ap_page_state) + 12
	movw	%cs, %cs:AT(ap_page_state) + 16
	lgdtl	%cs:AT(ap_gdtr)
	movl	$(CR0_PE | CR0_ET), %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE, $LINEAR(ap_32)

	.code32
ap_32:
	movl	$SEL_DATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$ap_stack_top, %esp
	pushl	$LINEAR(ap_page_state)
	movl	$ap_main, %eax
	call	*%eax
	movl	$0, LINEAR(ap_page_lock)
2:	cli
	hlt
	jmp	2b

	.balign 8
ap_gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
ap_gdtr:
	.word	. - ap_gdt - 1
	.long	LINEAR(ap_gdt)
	.balign 4
ap_page_lock:	.long 0
ap_page_state:	.skip 64
ap_page_end:

	.bss
	.balign 16
ap_stack:	.skip 4096
ap_stack_top:

	.section .note.GNU-stack, "", @progbits
