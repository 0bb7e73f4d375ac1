/* SPDX-License-Identifier: GPL-2.0-only */
/* The way into the guest and back. */
#include "x86.h"

#define F_HOST_RSP	0x6c14

	.section .text
/*
 * u64 hv_enter(struct hv_regs *regs, u64 resume): VMLAUNCH, or VMRESUME. Returns 0
 * after an exit and RFLAGS if the instruction failed. RSP of the host is written
 * each time, as callers differ; without a current VMCS this fails, as the entry will.
 */
	.globl hv_enter
hv_enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi
	movl	$F_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	pushq	%rsi
	movq	0x00(%rdi), %rax
	movq	0x08(%rdi), %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x20(%rdi), %rbp
	movq	0x28(%rdi), %rsi
	movq	0x38(%rdi), %r8
	movq	0x40(%rdi), %r9
	movq	0x48(%rdi), %r10
	movq	0x50(%rdi), %r11
	movq	0x58(%rdi), %r12
	movq	0x60(%rdi), %r13
	movq	0x68(%rdi), %r14
	movq	0x70(%rdi), %r15
	movq	0x30(%rdi), %rdi
	testq	$-1, (%rsp)
	leaq	8(%rsp), %rsp
	jnz	1f
	vmlaunch
	jmp	2f
1:	vmresume
2:	pushfq
	popq	%rax
	addq	$8, %rsp
hv_enter_out:
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/* RIP of the host. RSP points to what hv_enter() pushed last: regs. */
	.globl hv_exit_entry
hv_exit_entry:
	pushq	%rdi
	movq	8(%rsp), %rdi
	movq	%rax, 0x00(%rdi)
	movq	%rcx, 0x08(%rdi)
	movq	%rdx, 0x10(%rdi)
	movq	%rbx, 0x18(%rdi)
	movq	%rbp, 0x20(%rdi)
	movq	%rsi, 0x28(%rdi)
	movq	%r8, 0x38(%rdi)
	movq	%r9, 0x40(%rdi)
	movq	%r10, 0x48(%rdi)
	movq	%r11, 0x50(%rdi)
	movq	%r12, 0x58(%rdi)
	movq	%r13, 0x60(%rdi)
	movq	%r14, 0x68(%rdi)
	movq	%r15, 0x70(%rdi)
	popq	%rax
	movq	%rax, 0x30(%rdi)
	addq	$8, %rsp
	xorl	%eax, %eax
	jmp	hv_enter_out

/* What a guest's function returns to */
	.balign	16
	.globl hv_guest_end
hv_guest_end:
	vmcall
	jmp	hv_guest_end

/* void hv_unblock_nmis(void): IRET to the caller */
	.globl hv_unblock_nmis
hv_unblock_nmis:
	popq	%rax
	movq	%rsp, %rcx
	pushq	$SEL_KDATA
	pushq	%rcx
	pushfq
	pushq	$SEL_KCODE
	pushq	%rax
	iretq

	.section .note.GNU-stack, "", @progbits
