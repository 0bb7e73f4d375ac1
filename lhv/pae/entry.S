/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupt entry, trap() and the way to CPL 3. C functions get arguments in registers. */
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
	pushl	$0
	.endif
	pushl	$vector
	jmp	isr_common
	.set vector, vector + 1
	.endr

/* struct frame from here on; isr_enter() returns where the one to go back by is */
	.balign 16
isr_common:
	pushal
	pushl	%ds
	pushl	%es
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	cld
	movl	%esp, %eax
	call	isr_enter
	movl	%eax, %esp
	popl	%es
	popl	%ds
	popal
	addl	$8, %esp
	iretl

/* void trap_enter(call_fn fn, void *arg, u64 *recover); INSN() has its argument in EDI */
	.globl trap_enter
trap_enter:
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	pushfl
	movl	%esp, (%ecx)
	movl	$0, 4(%ecx)
	movl	%eax, %ecx
	movl	%edx, %eax
	movl	%edx, %edi
	call	*%ecx
	.globl trap_resume
trap_resume:
	cld
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	popfl
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret

/* void user_enter(struct user *user); ends with an exception, see trap() */
	.globl user_enter
user_enter:
	movl	%eax, %ebp
	pushl	32(%ebp)
	pushl	24(%ebp)
	pushl	16(%ebp)
	pushl	8(%ebp)
	pushl	0(%ebp)
	movl	40(%ebp), %eax
	movl	48(%ebp), %ebx
	movl	56(%ebp), %ecx
	movl	64(%ebp), %edx
	movl	72(%ebp), %esi
	movl	80(%ebp), %edi
	movl	$SEL_UDATA, %ebp
	movw	%bp, %ds
	movw	%bp, %es
	iretl

	.section .note.GNU-stack, "", @progbits
