/* SPDX-License-Identifier: GPL-2.0-only */
/* Entry, descriptor tables, interrupts, and the way into 64-bit mode and back. */
#include "second.h"

#define MULTIBOOT_MAGIC	0x1badb002
/* pages aligned, memory map wanted; addresses are in the program headers */
#define MULTIBOOT_FLAGS	0x00000003

	.section .multiboot, "a"
	.balign 4
	.long	MULTIBOOT_MAGIC
	.long	MULTIBOOT_FLAGS
	.long	-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	/* Limit, access rights and base of a segment register; \n is its number. */
	.macro segment name, n
	movw	%\name, %bx
	xorl	%eax, %eax
	lsll	%ebx, %eax
	movl	%eax, entry_state + 48 + 4 * \n
	xorl	%eax, %eax
	larl	%ebx, %eax
	movl	%eax, entry_state + 72 + 4 * \n
	movl	%\name:entry_magic, %eax
	movl	%eax, entry_state + 96 + 4 * \n
	.endm

	.text
	.globl entry
entry:
	movl	%eax, entry_state
	movl	%ebx, entry_state + 4
	/* The flags next: no instruction up to here changes them. */
	movl	$stack_top, %esp
	pushfl
	popl	entry_state + 8
	movl	%cr0, %eax
	movl	%eax, entry_state + 12
	movl	%cr2, %eax
	movl	%eax, entry_state + 16
	movl	%cr3, %eax
	movl	%eax, entry_state + 20
	movl	%cr4, %eax
	movl	%eax, entry_state + 24
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, entry_state + 28
	movl	%dr6, %eax
	movl	%eax, entry_state + 32
	movl	%dr7, %eax
	movl	%eax, entry_state + 36
	sidt	table_tmp
	movzwl	table_tmp, %eax
	movl	%eax, entry_state + 40
	movl	table_tmp + 2, %eax
	movl	%eax, entry_state + 44
	segment	cs, 0
	segment	ds, 1
	segment	es, 2
	segment	fs, 3
	segment	gs, 4
	segment	ss, 5
	cld
	call	tables_load
	call	main
1:	cli
	hlt
	jmp	1b

/* void tables_load(void): the image's GDT and IDT */
	.globl tables_load
tables_load:
	lgdt	gdtr
	ljmp	$SEL_CODE, $1f
1:	movl	$SEL_DATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	xorl	%ecx, %ecx
2:	movl	$vectors, %eax
	leal	(%eax, %ecx, 8), %eax
	movw	%ax, idt(, %ecx, 8)
	movw	$SEL_CODE, idt + 2(, %ecx, 8)
	movw	$0x8e00, idt + 4(, %ecx, 8)
	shrl	$16, %eax
	movw	%ax, idt + 6(, %ecx, 8)
	incl	%ecx
	cmpl	$256, %ecx
	jb	2b
	lidt	idtr
	ret

	.balign 8
vectors:
	.set	i, 0
	.rept	256
	pushl	$i
	jmp	interrupt
	.balign	8
	.set	i, i + 1
	.endr

interrupt:
	cmpl	$VECTOR_PIC, (%esp)
	je	1f
	cmpl	$VECTOR_APIC, (%esp)
	je	2f
	cmpl	$32, (%esp)
	jae	3f
	cmpl	$0, recover
	je	trap_nobody
	popl	trap_vector
	movl	recover, %esp
	jmp	trap_end
1:	incl	pit_ticks
	pushl	%eax
	movb	$0x20, %al
	outb	%al, $0x20
	popl	%eax
	jmp	3f
2:	incl	apic_ticks
	movl	$0, APIC_EOI
3:	addl	$4, %esp
	iretl

/* u32 trap(fn): call @fn, return the exception that it ended with, or TRAP_NONE */
	.globl trap
trap:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	movl	$TRAP_NONE, trap_vector
	movl	%esp, recover
	call	*20(%esp)
trap_end:
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	movl	$0, recover
	movl	trap_vector, %eax
	ret
/* The vector and what is behind it are the arguments. */
trap_nobody:
	pushl	$0
	jmp	trap_unexpected

/* u32 long_mode(cr3, alias, value): read 8 bytes at @alias in 64-bit mode; EFER there */
	.globl long_mode
long_mode:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	movl	20(%esp), %esi
	movl	24(%esp), %edi
	movl	16(%esp), %eax
	movl	%eax, %cr3
	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmp	$SEL_CODE64, $1f
	.code64
1:	rdmsr
	movl	%eax, %ebx
	movq	(%rsi), %rax
	movabsq	$0x0123456789abcdef, %r15
	addq	%r15, %rax
	movq	%rax, (%rdi)
	ljmp	*2f(%rip)
2:	.long	3f
	.word	SEL_CODE
	.code32
3:	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	movl	%eax, %cr4
	movl	%eax, %cr3
	movl	%ebx, %eax
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	.data
	.balign 8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00af9b000000ffff
gdtr:	.word	. - gdt - 1
	.long	gdt
idtr:	.word	256 * 8 - 1
	.long	idt
	.balign 4
entry_magic:	.long 0x5ec0d
	.globl entry_state, pit_ticks, apic_ticks, trap_vector

	.bss
	.balign 16
idt:		.skip 256 * 8
stack:		.skip 16384
stack_top:
entry_state:	.skip 120
table_tmp:	.skip 8
recover:	.skip 4
trap_vector:	.skip 4
pit_ticks:	.skip 4
apic_ticks:	.skip 4

	.section .note.GNU-stack, "", @progbits
