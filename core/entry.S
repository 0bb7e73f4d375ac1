/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways into core: from the loader, from the guest (VM exit), from the IDT.
 */
#include "layout.h"

#define INIT_STACK_SIZE	8192

/* struct idt_frame */
#define FRAME_ERROR	0x80
#define FRAME_RIP	0x88
#define FRAME_RFLAGS	0x98
#define FRAME_RSP	0xa0

/* struct latch_gpr, lowest address last */
.macro push_gpr
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
.endm

/* Loads without moving RSP, so that it can be done again: see .Lcommit. */
.macro load_gpr
	movq	0x00(%rsp), %r15
	movq	0x08(%rsp), %r14
	movq	0x10(%rsp), %r13
	movq	0x18(%rsp), %r12
	movq	0x20(%rsp), %r11
	movq	0x28(%rsp), %r10
	movq	0x30(%rsp), %r9
	movq	0x38(%rsp), %r8
	movq	0x40(%rsp), %rdi
	movq	0x48(%rsp), %rsi
	movq	0x50(%rsp), %rbp
	movq	0x58(%rsp), %rbx
	movq	0x60(%rsp), %rdx
	movq	0x68(%rsp), %rcx
	movq	0x70(%rsp), %rax
.endm

	.section .text
/*
 * From the trampoline: rdi = CPU page, rsi = operation << 32 | CPU index.
 * Interrupts are off, the GDT and IDT of the change-over are loaded.
 */
	.globl core_entry
core_entry:
	cld
	movl	%esi, %edx
	shrq	$32, %rsi
	leaq	init_stack_end(%rip), %rsp
	cmpl	$LATCH_OP_INIT, %esi
	je	1f
	movl	%edx, %eax
	shlq	$PERCPU_SLOT_SHIFT, %rax
	movq	$PERCPU_BASE + PERCPU_STACK_TOP, %rcx
	leaq	(%rax, %rcx), %rsp
1:	xorl	%ebp, %ebp
	call	core_main
	ud2

/*
 * u64 vmx_launch(u64 rax): VMLAUNCH; the guest begins with this RAX, and with
 * zeros in the other registers. Comes back only if it fails, with RFLAGS.
 */
	.globl vmx_launch
vmx_launch:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rdi, %rax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	vmlaunch
	pushfq
	popq	%rax
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

/*
 * VM exit. RSP is the top of the CPU's stack, GS its struct percpu.
 *
 * The commit section ends the exit. An NMI inside of it, after the test of
 * nmi_pending, would wait for the next exit: so the NMI handler sends it back
 * to .Lcommit, which can be run any number of times.
 */
	.globl vmx_exit
vmx_exit:
	push_gpr
	movq	%rsp, %rdi
	movq	%gs:PERCPU_SELF, %rsi
	call	exit_handle
.Lcommit:
	cmpl	$0, %gs:PERCPU_NMI_PENDING
	jne	2f
	load_gpr
	cmpl	$0, %gs:PERCPU_VMLAUNCH
	jne	1f
	vmresume
	jmp	3f
1:	vmlaunch
.Lcommit_end:
3:	pushfq
	popq	%rdi
	call	exit_entry_failed
	jmp	.Lcommit
2:	movq	%gs:PERCPU_SELF, %rdi
	call	event_take_nmi
	jmp	.Lcommit

/*
 * Exceptions: 16 bytes a stub.
 */
	.balign	16
	.globl	idt_stubs
idt_stubs:
	vector = 0
	.rept	32
	.balign	16
	.if	vector == 2
	jmp	root_nmi
	.else
	.if	vector != 8 && vector != 10 && vector != 11 && vector != 12 && \
		vector != 13 && vector != 14 && vector != 17 && vector != 21
	pushq	$0
	.endif
	pushq	$vector
	jmp	root_exception
	.endif
	vector = vector + 1
	.endr

/*
 * Goes on like root_nmi, without an IRET: that would unblock NMIs, which may be
 * blocked on behalf of the guest.
 */
root_exception:
	push_gpr
	cld
	movq	%rsp, %rdi
	call	idt_handle
	movq	FRAME_RSP(%rsp), %rax
	movq	FRAME_RIP(%rsp), %rcx
	movq	FRAME_RFLAGS(%rsp), %rdx
	subq	$16, %rax
	movq	%rcx, 8(%rax)
	movq	%rdx, (%rax)
	movq	%rax, FRAME_ERROR(%rsp)
	load_gpr
	movq	FRAME_ERROR(%rsp), %rsp
	popfq
	ret

/*
 * NMI in root mode. It is noted for the guest, and the CPU goes on WITHOUT an
 * IRET: so NMIs stay blocked until the next VM entry, which injects this one
 * with blocking by NMI. A second NMI is then latched by the CPU itself and
 * comes when the guest's handler returns, as on bare hardware; a third is lost,
 * as on bare hardware. GS is core's wherever core's IDT is in use, see
 * percpu_load() and load_loader_tr().
 *
 * At the interrupted code's stack there is no red zone, so its return address
 * and flags can be pushed there.
 */
root_nmi:
	pushq	%rax
	pushq	%rcx
	movl	$1, %gs:PERCPU_NMI_PENDING
	movq	16(%rsp), %rax			/* RIP */
	leaq	.Lcommit(%rip), %rcx
	cmpq	%rcx, %rax
	jb	1f
	leaq	.Lcommit_end(%rip), %rcx
	cmpq	%rcx, %rax
	jae	1f
	leaq	.Lcommit(%rip), %rax
1:	movq	40(%rsp), %rcx			/* RSP */
	subq	$16, %rcx
	movq	%rax, 8(%rcx)
	movq	32(%rsp), %rax			/* RFLAGS */
	movq	%rax, (%rcx)
	movq	%rcx, 40(%rsp)
	popq	%rcx
	popq	%rax
	movq	24(%rsp), %rsp
	popfq
	ret

	.section .bss
	.balign	4096
	.skip	INIT_STACK_SIZE
init_stack_end:

	.section .note.GNU-stack, "", @progbits
