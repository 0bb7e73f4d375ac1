/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PALs for test_pal.c, which copies them to PAL_CODE: entry point n is at 64 * n.
 */
#include "pal.h"

/* An error if the one before is too long. */
.macro entry number
	.org	pal_code64 + 64 * \number, 0xcc
.endm

	.section .text
	.balign	64
	.globl	pal_code64, pal_code64_end
pal_code64:
	/* ADD: the sum of four integers */
	leaq	(%rdi, %rsi), %rax
	addq	%rdx, %rax
	addq	%rcx, %rax
	ret
	entry	PAL_DOUBLE	/* an array of RSI numbers: each doubled, their old sum */
	xorl	%eax, %eax
1:	addq	(%rdi), %rax
	shlq	(%rdi)
	addq	$8, %rdi
	decq	%rsi
	jnz	1b
	ret
	entry	PAL_STORE	/* keep a number, leave it in many registers */
	movq	%rdi, pal_code64 + PAL_DATA - PAL_CODE(%rip)
	movq	%rdi, %rcx
	movq	%rdi, %rdx
	movq	%rdi, %rsi
	movq	%rdi, %r8
	movq	%rdi, %r11
	movq	%rdi, %rbx
	movq	%rdi, %r15
	movq	%rdi, %xmm5
	xorl	%eax, %eax
	ret
	entry	PAL_LOAD
	movq	pal_code64 + PAL_DATA - PAL_CODE(%rip), %rax
	ret
	entry	PAL_SPIN	/* RDI rounds with RSI in all kinds of registers */
	movq	%rsi, %xmm5
	movq	%rsi, %rcx
	movq	%rsi, %r8
	movq	%rsi, %r14
1:	decq	%rdi
	jnz	1b
	movq	%xmm5, %rax
	addq	%rcx, %rax
	addq	%r8, %rax
	addq	%r14, %rax
	ret
	entry	PAL_READ
	movq	(%rdi), %rax
	ret
	entry	PAL_WRITE
	movq	%rdi, (%rdi)
	ret
	entry	PAL_JUMP
	jmp	*%rdi
	entry	PAL_SYSCALL	/* RDI = 1: SYSENTER, which leaves TF as it is */
	testl	%edi, %edi
	jnz	1f
	syscall
	ret
1:	pushq	$0x102
	popfq
	sysenter
	entry	PAL_INT
	int	$0x80
	ret
	entry	PAL_UD
	ud2
	entry	PAL_WIDE
	movl	$7, %eax
	movl	$9, %edx
	ret
	entry	PAL_FOREVER
	leaq	pal_code64 + PAL_SHARED - PAL_CODE(%rip), %r10
1:	lock incq (%r10)
	jmp	1b
	entry	PAL_COUNT	/* a number that the program has too */
	movl	$1, %eax
	lock xaddq %rax, pal_code64 + PAL_SHARED - PAL_CODE(%rip)
	ret
	entry	PAL_VMCALL	/* RDI = number, RSI and RDX = its arguments */
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	vmcall
	ret
	entry	PAL_OVERFLOW	/* of its stack */
1:	pushq	%rax
	jmp	1b
	entry	PAL_VMFUNC	/* to view RDI */
	movl	%edi, %ecx
	xorl	%eax, %eax
	vmfunc
	ret
	entry	PAL_UNLOCK	/* let others in, and stay */
	movl	$0, pal_code64 + PAL_GATE + 0x1000 - PAL_CODE(%rip)
	leaq	pal_code64 + PAL_SHARED - PAL_CODE(%rip), %r10
1:	lock incq (%r10)
	jmp	1b
pal_code64_end:

	.code32
	.balign	64
	.globl	pal_code32, pal_code32_end
pal_code32:
	/* ADD */
	movl	4(%esp), %eax
	addl	8(%esp), %eax
	ret
	.balign	64
	/* DOUBLE: 32-bit numbers */
	pushl	%ebx
	movl	8(%esp), %ebx
	movl	12(%esp), %ecx
	xorl	%eax, %eax
1:	addl	(%ebx), %eax
	shll	(%ebx)
	addl	$4, %ebx
	decl	%ecx
	jnz	1b
	popl	%ebx
	ret
pal_code32_end:
	.code64

	.section .note.GNU-stack, "", @progbits
