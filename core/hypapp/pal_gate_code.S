/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of code for a fast PAL, which core copies and does not execute: see pal_gate.h.
 * The gate itself is in pal_gate.c.
 *
 * On the way in the number of the entry point is in R11, the fourth argument in R10; on
 * the way back R10 is the result, RAX, and R11 is 0 if there was a call. VMFUNC itself
 * takes EAX = 0, its leaf, and ECX, the number of the view.
 */
#include "hypapp/pal_gate.h"

#define AT(distance)	(pal_inner + (distance))(%rip)

	.section .rodata
	.balign	64

/* --- the stub: in the common view, like any code of the program */
	.globl	pal_stub
pal_stub:
	nop				/* PAL_STUB_FAST: not 0 */
	pair = 0
	.rept	8
	.org	pal_stub + PAL_GATE_IN + PAL_GATE_STEP * pair - 3, 0xcc
	vmfunc				/* to the gate's view */
	pair = pair + 1
	.endr
	pair = 0
	.rept	8
	.org	pal_stub + PAL_GATE_OUT + PAL_GATE_STEP * pair + PAL_GATE_OUT_END, 0xcc
	jmp	.Lback
	pair = pair + 1
	.endr
	number = 0
	.rept	PAL_STUB_ENTRIES
	.org	pal_stub + PAL_STUB_ENTRY + PAL_STUB_STEP * number, 0xcc
	movl	$number, %r11d
	jmp	.Lcall
	number = number + 1
	.endr
	.org	pal_stub + PAL_STUB_PAIR - 1, 0xcc
.Lcall:	.byte	0xe9, 0, 0, 0, 0	/* jmp, as far as the pair is from the first */
	pair = 0
	.rept	8
	.org	pal_stub + PAL_STUB_PAIR + 4 + PAL_GATE_STEP * pair, 0xcc
	movq	%rcx, %r10
	xorl	%eax, %eax
	movl	$0x40 + 2 * pair, %ecx
	jmp	pal_stub + PAL_GATE_IN + PAL_GATE_STEP * pair - 3
	pair = pair + 1
	.endr
.Lback:	testl	%r11d, %r11d
	js	1f
	movq	%r10, %rax
	xorl	%ecx, %ecx
	xorl	%r10d, %r10d
	ret
	/* Not by the gate, just now: so by an exit, which can wait. */
1:	movq	%r10, %rcx
	andl	$PAL_STUB_ENTRIES - 1, %r11d
	leaq	pal_stub + PAL_STUB_TABLE(%rip), %r10
	jmp	*(%r10,%r11,8)
	.org	pal_stub + 4096, 0

/* --- in the full view */
	.globl	pal_inner, pal_inner_try, pal_inner_inside, pal_inner_restored, pal_inner_after
pal_inner:
	pair = 0
	.rept	8
	.org	pal_inner + PAL_INNER_IN + PAL_GATE_STEP * pair, 0xcc
	jmp	.Lenter
	pair = pair + 1
	.endr
	.balign	16, 0xcc
.Lrefuse:
	btsl	$PAL_REFUSED, %r11d
	xorl	%eax, %eax
	movl	AT(PAL_INNER_SLOT), %ecx
	jmp	*AT(PAL_INNER_OUT)

	/* Up to pal_inner_inside only RAX, RCX and RFLAGS change: it can begin again. */
.Lenter:
	movl	%cs, %eax
	notl	%eax
	testb	$3, %al
	jnz	.Lrefuse		/* not at CPL 3 */
	cmpl	AT(PAL_INNER_NR), %r11d
	jae	.Lrefuse
	lock btsl $0, AT(PAL_SAVE_LOCK)
pal_inner_try:
	jc	.Lrefuse
	movq	%rbx, AT(PAL_SAVE_RBX)
	movq	%rbp, AT(PAL_SAVE_RBP)
	movq	%rsp, AT(PAL_SAVE_RSP)
	movq	%r12, AT(PAL_SAVE_R12)
	movq	%r13, AT(PAL_SAVE_R13)
	movq	%r14, AT(PAL_SAVE_R14)
	movq	%r15, AT(PAL_SAVE_R15)
	stmxcsr	AT(PAL_SAVE_MXCSR)
	fnstcw	AT(PAL_SAVE_FCW)
	movl	%r11d, AT(PAL_SAVE_ENTRY)
	cld
	movq	AT(PAL_INNER_STACK), %rsp
pal_inner_inside:
	/* For a CPU that guesses the comparison above to be otherwise. */
	andl	$PAL_STUB_ENTRIES - 1, %r11d
	leaq	AT(PAL_INNER_TABLE), %rax
	movq	(%rax,%r11,8), %rax
	movq	%r10, %rcx
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	call	*%rax
	movq	%rax, %r10
	movq	%rdx, %r9
	movl	AT(PAL_INNER_WIDE), %eax
	movl	AT(PAL_SAVE_ENTRY), %ecx
	btl	%ecx, %eax
	jc	1f
	xorl	%r9d, %r9d
	/* All components but PKRU, which is the caller's. */
1:	movl	$~(1 << 9), %eax
	movl	$-1, %edx
	xrstor64 AT(PAL_INNER_ZEROS)
	ldmxcsr	AT(PAL_SAVE_MXCSR)
	fldcw	AT(PAL_SAVE_FCW)
	incq	AT(PAL_SAVE_CALLS)
	movq	AT(PAL_SAVE_RBX), %rbx
	movq	AT(PAL_SAVE_RBP), %rbp
	movq	AT(PAL_SAVE_R12), %r12
	movq	AT(PAL_SAVE_R13), %r13
	movq	AT(PAL_SAVE_R14), %r14
	movq	AT(PAL_SAVE_R15), %r15
	movq	%r9, %rdx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r11d, %r11d
	xorl	%eax, %eax
	movl	AT(PAL_INNER_SLOT), %ecx
	cld
	movq	AT(PAL_SAVE_RSP), %rsp
pal_inner_restored:
	cmpl	$0, AT(PAL_SAVE_SLOW)
	jne	pal_inner_after
	movl	$0, AT(PAL_SAVE_LOCK)
pal_inner_after:
	jmp	*AT(PAL_INNER_OUT)
	.org	pal_inner + 4096, 0

	.section .note.GNU-stack, "", @progbits
