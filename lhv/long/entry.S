/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupt entry, trap() and the way to CPL 3. */
#include "x86.h"

	.section .text
	.balign 16
	.globl isr_stubs
isr_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	isr_common
	.set vector, vector + 1
	.endr

/* Gates are interrupt gates. SWAPGS is not needed: nothing here uses GS. */
	.balign 16
isr_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	idt_dispatch
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

/* void trap_enter(call_fn fn, void *arg, u64 *recover) */
	.globl trap_enter
trap_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	.globl trap_resume
trap_resume:
	cld
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	popfq
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* void user_enter(struct user *user); ends with an exception, see trap() */
	.globl user_enter
user_enter:
	pushq	32(%rdi)
	pushq	24(%rdi)
	pushq	16(%rdi)
	pushq	8(%rdi)
	pushq	0(%rdi)
	movl	$SEL_UDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movq	40(%rdi), %rax
	movq	48(%rdi), %rbx
	movq	56(%rdi), %rcx
	movq	64(%rdi), %rdx
	movq	72(%rdi), %rsi
	movq	80(%rdi), %rdi
	iretq

	.section .note.GNU-stack, "", @progbits
