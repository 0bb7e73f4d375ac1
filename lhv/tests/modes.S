/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Out of 64-bit mode and back: 32-bit paging, PAE paging, no paging, real mode.
 * The image is below 4 GiB and identity-mapped, so 32-bit code runs where it is;
 * only the part for real mode is copied to low memory.
 */
#include "../x86.h"
#include "modes.h"

	.section .text
/* void mode32_call(struct mode32 *mode); interrupts are off in between */
	.globl mode32_call
mode32_call:
	pushfq
	cli
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	sidt	saved_idtr
	movq	%rsp, saved_rsp
	movq	%cr3, %rax
	movq	%rax, saved_cr3
	movq	%cr4, %rax
	movq	%rax, saved_cr4
	movl	%edi, mode_ptr
	pushq	$SEL_KCODE32
	pushq	$mode32_leave_long
	lretq

	.code32
mode32_leave_long:
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	mode_ptr, %ebp
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	%cr0, %eax
	movl	%eax, MODE_NOPG_CR0(%ebp)
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, MODE_NOPG_EFER(%ebp)
	andl	$~EFER_LME, %eax
	wrmsr
	lidtl	mode32_idtr
	movl	MODE_CR4(%ebp), %eax
	movl	%eax, %cr4
	movl	$256, MODE_VECTOR(%ebp)
	movl	MODE_CR3(%ebp), %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	movl	%cr0, %eax
	movl	%eax, MODE_CR0(%ebp)
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, MODE_EFER(%ebp)
	movl	MODE_ARG(%ebp), %edi
	call	*MODE_FN(%ebp)
	movl	mode_ptr, %ebp
	movl	%eax, MODE_RESULT(%ebp)
	movl	%ebx, MODE_RESULT + 4(%ebp)
	movl	%ecx, MODE_RESULT + 8(%ebp)
	movl	%edx, MODE_RESULT + 12(%ebp)
	movl	%esi, MODE_RESULT + 16(%ebp)
mode32_return:
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	orl	$CR0_WP, %eax
	movl	%eax, %cr0
	movl	saved_cr4, %eax
	movl	%eax, %cr4
	movl	saved_cr3, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_KCODE, $mode32_back

	.code64
mode32_back:
	movq	saved_rsp, %rsp
	lidt	saved_idtr
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popfq
	ret

/* Exceptions there: note which, and go back. 16 bytes each, 32 of them. */
	.code32
	.balign 16
	.globl mode32_handlers
mode32_handlers:
	.set vector, 0
	.rept 32
	.balign 16
	movl	$vector, %eax
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17)
	popl	%ecx
	.else
	xorl	%ecx, %ecx
	.endif
	jmp	mode32_exception
	.set vector, vector + 1
	.endr
mode32_exception:
	/* After a task switch that failed there may be nothing in DS. */
	movl	$SEL_KDATA, %edx
	movw	%dx, %ds
	movw	%dx, %es
	movl	mode_ptr, %ebp
	movl	%eax, MODE_VECTOR(%ebp)
	movl	%ecx, MODE_ERROR(%ebp)
	movl	saved_rsp, %esp
	jmp	mode32_return

/*
 * void real_call(void): from 64-bit mode down to real mode and back, with the
 * results at REAL_RESULT. Runs in mode32_call()'s way, but without paging.
 */
	.code64
	.globl real_call
real_call:
	pushfq
	cli
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	sidt	saved_idtr
	movq	%rsp, saved_rsp
	movq	%cr3, %rax
	movq	%rax, saved_cr3
	movq	%cr4, %rax
	movq	%rax, saved_cr4
	pushq	$SEL_KCODE32
	pushq	$real_leave_long
	lretq

	.code32
real_leave_long:
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %ss
	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	movl	$MSR_EFER, %ecx
	rdmsr
	andl	$~EFER_LME, %eax
	wrmsr
	xorl	%eax, %eax
	movl	%eax, %cr4
	movl	%eax, %cr3
	movl	$SEL_DATA16, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	ljmp	$SEL_CODE16, $REAL_PAGE

/* Copied to REAL_PAGE, which is where CS of 0 makes it run too */
#define REAL(label)	(REAL_PAGE + label - real_start)
	.code16
	.globl real_start, real_end
real_start:
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$0, $REAL(real_mode)
real_mode:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x9ff0, %esp
	movl	%cr0, %eax
	movl	%eax, REAL_RESULT
	movl	$MSR_EFER, %ecx
	rdmsr
	movl	%eax, REAL_RESULT + 4
	movl	$1, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%eax, REAL_RESULT + 8
	movl	%ebx, REAL_RESULT + 12
	movl	%ecx, REAL_RESULT + 16
	movl	%edx, REAL_RESULT + 20
	pushfl
	popl	%eax
	movl	%eax, REAL_RESULT + 24
	movl	$0, REAL_RESULT + 28
	movw	%cs, REAL_RESULT + 28
	/* INT through the real-mode table, at a place of its own */
	movl	$0, REAL_RESULT + 32
	lidtl	REAL(real_idtr)
	movw	$REAL(real_handler), REAL_RESULT + 0x300 + 4 * 0x60
	movw	$0, REAL_RESULT + 0x302 + 4 * 0x60
	movw	$REAL(real_undefined), REAL_RESULT + 0x300 + 4 * 6
	movw	$0, REAL_RESULT + 0x302 + 4 * 6
	int	$0x60
	cpuid
	int	$0x60
	/* #UD of VMCALL comes through the same table. */
	vmcall
	smswl	%eax
	movl	%eax, REAL_RESULT + 36
	/* LMSW can set PE; with the jump not done, this is still 16-bit code. */
	movl	%cr0, %eax
	orb	$0x0a, %al
	lmsw	%ax
	smswl	%eax
	movl	%eax, REAL_RESULT + 40
	clts
	lgdtl	REAL(real_gdtr)
	movl	%cr0, %eax
	andb	$~8, %al
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$SEL_KCODE32, $real_return
real_handler:
	incl	REAL_RESULT + 32
	iretw
real_undefined:
	addl	$0x100, REAL_RESULT + 32
	movw	%sp, %bp
	addw	$3, (%bp)
	iretw
real_idtr:
	.word	0x3ff
	.long	REAL_RESULT + 0x300
	.globl real_gdtr
real_gdtr:
	.word	0
	.long	0
real_end:

	.code32
real_return:
	movl	$SEL_KDATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	jmp	mode32_return

	.section .data
	.balign 8
saved_rsp:	.quad 0
saved_cr3:	.quad 0
saved_cr4:	.quad 0
mode_ptr:	.quad 0
saved_idtr:	.skip 16
	.globl mode32_idt
mode32_idtr:
	.word	32 * 8 - 1
	.long	mode32_idt
	.balign 16
mode32_idt:	.skip 32 * 8

	.section .note.GNU-stack, "", @progbits
