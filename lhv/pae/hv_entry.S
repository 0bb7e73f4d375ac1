/* SPDX-License-Identifier: GPL-2.0-only */
/* The way into the guest and back, from 32-bit mode. */
#include "x86.h"

#define F_HOST_RSP	0x6c14

	.section .text
/*
 * u64 hv_enter(struct hv_regs *regs, u64 resume): VMLAUNCH, or VMRESUME. Returns 0
 * after an exit and EFLAGS if the instruction failed. The registers' upper halves stay.
 */
	.globl hv_enter
hv_enter:
	pushl	%ebx
	pushl	%ebp
	pushl	%esi
	pushl	%edi
	pushl	%eax
	movl	$F_HOST_RSP, %ebx
	vmwrite	%esp, %ebx
	pushl	%edx
	movl	0x08(%eax), %ecx
	movl	0x10(%eax), %edx
	movl	0x18(%eax), %ebx
	movl	0x20(%eax), %ebp
	movl	0x28(%eax), %esi
	movl	0x30(%eax), %edi
	movl	0x00(%eax), %eax
	testl	$-1, (%esp)
	leal	4(%esp), %esp
	jnz	1f
	vmlaunch
	jmp	2f
1:	vmresume
2:	pushfl
	popl	%eax
	addl	$4, %esp
hv_enter_out:
	xorl	%edx, %edx
	popl	%edi
	popl	%esi
	popl	%ebp
	popl	%ebx
	ret

/* EIP of the host. ESP points to what hv_enter() pushed last: regs. */
	.globl hv_exit_entry
hv_exit_entry:
	pushl	%eax
	movl	4(%esp), %eax
	movl	%ecx, 0x08(%eax)
	movl	%edx, 0x10(%eax)
	movl	%ebx, 0x18(%eax)
	movl	%ebp, 0x20(%eax)
	movl	%esi, 0x28(%eax)
	movl	%edi, 0x30(%eax)
	popl	%ecx
	movl	%ecx, 0x00(%eax)
	addl	$4, %esp
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
	popl	%eax
	pushfl
	pushl	$SEL_KCODE
	pushl	%eax
	iretl

	.section .note.GNU-stack, "", @progbits
