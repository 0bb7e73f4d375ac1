/* SPDX-License-Identifier: GPL-2.0-only */
/* Multiboot entry of the boot CPU, to PAE paging on provisional page tables. */
#include "x86.h"

#define MULTIBOOT_MAGIC	0x1badb002
/* pages aligned, memory map wanted, addresses are in this header */
#define MULTIBOOT_FLAGS	0x00010003

	.section .multiboot, "a"
	.balign 4
multiboot_header:
	.long	MULTIBOOT_MAGIC
	.long	MULTIBOOT_FLAGS
	.long	-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long	multiboot_header
	.long	image_start
	.long	image_load_end
	.long	image_end
	.long	multiboot_entry

	.section .text
	.globl multiboot_entry
multiboot_entry:
	cli
	cld
	movl	%eax, %ebp
	movl	%ebx, %esi
	/* 1 GiB, identity, in 2 MiB pages */
	movl	$boot_pd, %eax
	orl	$1, %eax
	movl	%eax, boot_pdpt
	movl	$boot_pd, %edi
	movl	$0x83, %eax
	movl	$512, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	lgdt	boot_gdtr
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$boot_pdpt, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_NXE, %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl	%eax, %cr0
	ljmp	$SEL_KCODE, $boot_paging
boot_paging:
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	xorl	%eax, %eax
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$boot_stack_top, %esp
	movl	%ebp, %eax
	movl	%esi, %edx
	call	lhv_main
1:	hlt
	jmp	1b

	.section .data
	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

	.section .bss
	.balign 4096
boot_pd:	.skip 4096
boot_pdpt:	.skip 32
boot_stack:	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
