/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of smpboot.S, which includes it: paging on, to 64-bit mode, and to smp_entry() */
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl	%eax, %cr0
	ljmpl	$0x18, $LINEAR(smp_64)

	.code64
smp_64:
	movq	LINEAR(smp_page_cpu), %rdi
	movq	LINEAR(smp_page_stack), %rsp
	movq	$smp_entry, %rax
	call	*%rax
	ud2
