/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last steps to the second image, copied to SECOND_PAGE: the image may belong
 * where lhv is. Out of 64-bit mode, the segments to their places, and there.
 */
#include "x86.h"

#define SECOND_PAGE	0x8000
#define SECOND_INFO	0x9000
#define LINEAR(label)	(SECOND_PAGE + label - second_page)
#define SEL_CODE	0x08
#define SEL_DATA	0x10

	.section .rodata
	.balign 16
	.globl second_page, second_page_end, second_page_entry
	.globl second_page_count, second_page_segments
	.code64
second_page:
	lgdt	LINEAR(second_gdtr)
	movq	$SECOND_PAGE + 0x1000, %rsp
	pushq	$SEL_CODE
	pushq	$LINEAR(second_32)
	lretq

	.code32
second_32:
	movl	$SEL_DATA, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	$(CR0_PE | CR0_ET), %eax
	movl	%eax, %cr0
	movl	$MSR_EFER, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	movl	%eax, %cr4
	movl	%eax, %cr3
	movl	%eax, %cr2
	lldt	%ax
	lidtl	LINEAR(second_idtr)
	cld

	movl	LINEAR(second_page_count), %ebx
	movl	$LINEAR(second_page_segments), %edx
1:	movl	(%edx), %edi
	movl	4(%edx), %esi
	movl	8(%edx), %ecx
	rep movsb
	movl	12(%edx), %ecx
	xorl	%eax, %eax
	rep stosb
	addl	$16, %edx
	decl	%ebx
	jnz	1b

	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	movl	$SECOND_INFO, %ebx
	movl	$0x2badb002, %eax
	jmp	*LINEAR(second_page_entry)

	.balign 8
second_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
second_gdtr:
	.word	. - second_gdt - 1
	.quad	LINEAR(second_gdt)
second_idtr:
	.word	0xffff
	.long	0
	.balign 8
second_page_entry:	.long 0
second_page_count:	.long 0
	/* struct second_segment, up to SECOND_SEGMENTS */
second_page_segments:	.skip 16 * 16
second_page_end:

	.section .note.GNU-stack, "", @progbits
