/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trampoline page: the code that runs while CR3 changes between the
 * loader's page tables and core's.
 *
 * The page is mapped at the same address in both. In the loader it is what the
 * linker put there; in core it is a private copy that core made when it was
 * initialized, so that root mode never executes the loader's frame. All code
 * here is position-independent and fits in one page. GDT, IDT and stack of the
 * change-over are in the CPU page (struct latch_cpu_page), which is mapped in
 * the same way: an NMI at any instruction below finds an IDT, a code segment
 * and a stack. ENDBR64 is where kernels with IBT look for it: at what is entered
 * through a gate, and at what has its address taken.
 */
#include <latch/launch.h>
#include "annotate.h"

#define MSR_DEBUGCTL	0x1d9
#define MSR_FS_BASE	0xc0000100
#define MSR_GS_BASE	0xc0000101

	.section .text
	.balign 4096
	.globl latch_tramp_page
	.type latch_tramp_page, @object
latch_tramp_page:

/*
 * long latch_tramp_enter(struct latch_cpu_page *page)
 *
 * Calls core with page->arg. Returns 0, or a negative errno in which case
 * page->error says more. Interrupts must be off. After a successful
 * LATCH_OP_LAUNCH the CPU returns from here in VMX non-root operation.
 */
	.globl latch_tramp_enter
latch_tramp_enter:
	endbr64
	pushfq
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, LATCH_CPU_STATE + LATCH_STATE_RSP(%rdi)
	leaq	.Lresume(%rip), %rax
	movq	%rax, LATCH_CPU_STATE + LATCH_STATE_RIP(%rdi)
	pushfq
	popq	LATCH_CPU_STATE + LATCH_STATE_RFLAGS(%rdi)
	/* Off the loader's stack before its IDT goes: see latch_tramp_nmi. */
	leaq	LATCH_CPU_STACK_TOP(%rdi), %rsp
	/* IDT first: Linux's NMI entry relies on its own GDT (LSL of a CPU number). */
	lidt	LATCH_CPU_IDTR(%rdi)
	lgdt	LATCH_CPU_GDTR(%rdi)
	movq	LATCH_CPU_CR4(%rdi), %rax
	movq	LATCH_CPU_CR3(%rdi), %rdx
	movq	LATCH_CPU_ENTRY(%rdi), %rcx
	movq	LATCH_CPU_ARG(%rdi), %rsi
	/* Without PGE first: no global translation may survive MOV CR3. */
	movq	%rax, %cr4
	movq	%rdx, %cr3
	ANNOTATE_RETPOLINE_SAFE
	jmp	*%rcx

/*
 * The loader's world again: native behind latch_tramp_exit at .Lresume, or a
 * guest after VMLAUNCH, which begins with the VMCALL that makes the CPU join
 * (core has put LATCH_HC_JOIN into RAX; it comes back as 0).
 */
	vmcall
.Lresume:
	endbr64
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popfq
	ANNOTATE_UNRET_SAFE
	ret
	int3

/*
 * Core comes here to leave: rdi = CR3, rsi = CR4 of the loader, rdx = CPU page.
 * Change-over GDT, IDT and stack are loaded, TR is the loader's already.
 */
	.globl latch_tramp_exit
latch_tramp_exit:
	endbr64
	/* CR4.PCIDE can be set only while the PCID in CR3 is 0. */
	movq	%rdi, %rax
	andq	$~0xfff, %rax
	movq	%rax, %cr3
	movq	%rsi, %cr4
	movq	%rdi, %cr3
	movq	%rdx, %rbx
	addq	$LATCH_CPU_STATE, %rbx
	lgdt	LATCH_STATE_GDTR(%rbx)
	lldt	LATCH_STATE_SEL + 12(%rbx)
	movw	LATCH_STATE_SEL + 0(%rbx), %ax
	movw	%ax, %es
	movw	LATCH_STATE_SEL + 6(%rbx), %ax
	movw	%ax, %ds
	movw	LATCH_STATE_SEL + 8(%rbx), %ax
	movw	%ax, %fs
	movw	LATCH_STATE_SEL + 10(%rbx), %ax
	movw	%ax, %gs
	movl	$MSR_FS_BASE, %ecx
	movl	LATCH_STATE_FS_BASE(%rbx), %eax
	movl	LATCH_STATE_FS_BASE + 4(%rbx), %edx
	wrmsr
	movl	$MSR_GS_BASE, %ecx
	movl	LATCH_STATE_GS_BASE(%rbx), %eax
	movl	LATCH_STATE_GS_BASE + 4(%rbx), %edx
	wrmsr
	/* From here on an NMI is the loader's own business. */
	lidt	LATCH_STATE_IDTR(%rbx)
	movl	$MSR_DEBUGCTL, %ecx
	movl	LATCH_STATE_DEBUGCTL(%rbx), %eax
	movl	LATCH_STATE_DEBUGCTL + 4(%rbx), %edx
	wrmsr
	movq	LATCH_STATE_DR7(%rbx), %rax
	movq	%rax, %dr7
	/*
	 * An NMI was noted on the way: now the loader's handler gets it. NMIs are
	 * blocked, as that handler expects, and its IRET ends that.
	 */
	cmpq	$0, LATCH_CPU_NMIS - LATCH_CPU_STATE(%rbx)
	je	1f
	movq	$0, LATCH_CPU_NMIS - LATCH_CPU_STATE(%rbx)
	int	$2
1:	movq	%rbx, %rsp
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
	iretq

/*
 * NMI during the change-over. Its gate has no IST, as TR may be the loader's;
 * it runs on the stack that it finds. The IDT that led here is in the CPU page:
 * so SIDT tells where to count. The count finds the way to the guest later.
 *
 * It goes on without an IRET, so NMIs stay blocked: until VM entry injects this
 * one, or until the handler that latch_tramp_exit calls returns. RIP and RFLAGS go
 * where RSP and SS were, or into the gap above them.
 */
	.globl latch_tramp_nmi
latch_tramp_nmi:
	endbr64
	pushq	%rax
	pushq	%rcx
	subq	$16, %rsp
	sidt	6(%rsp)
	movq	8(%rsp), %rax
	incq	LATCH_CPU_NMIS - LATCH_CPU_IDT(%rax)
	addq	$16, %rsp
	movq	40(%rsp), %rcx			/* RSP */
	subq	$16, %rcx
	movq	16(%rsp), %rax			/* RIP */
	movq	%rax, 8(%rcx)
	movq	32(%rsp), %rax			/* RFLAGS */
	movq	%rax, (%rcx)
	movq	%rcx, 16(%rsp)
	popq	%rcx
	popq	%rax
	movq	(%rsp), %rsp
	popfq
	ANNOTATE_UNRET_SAFE
	ret
	int3

/* Any other exception there is a defect of Latch: stop in a visible place. */
	.globl latch_tramp_fault
latch_tramp_fault:
	endbr64
	cli
	hlt
	jmp	latch_tramp_fault

/*
 * long latch_tramp_leave(void): take this CPU out of VMX operation.
 * latch_tramp_left is the only address from which core accepts the call.
 */
	.globl latch_tramp_leave
latch_tramp_leave:
	movl	$LATCH_HC_LEAVE, %eax
	vmcall
	.globl latch_tramp_left
latch_tramp_left:
	endbr64
	ANNOTATE_UNRET_SAFE
	ret
	int3

	.balign 4096, 0xcc
	.globl latch_tramp_end
latch_tramp_end:

	.section .note.GNU-stack, "", @progbits
