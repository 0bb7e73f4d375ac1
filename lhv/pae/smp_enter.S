/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of smpboot.S, which includes it: PAE paging on, and to smp_entry() */
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_NXE, %eax
	wrmsr
	movl	$(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl	%eax, %cr0
	movl	LINEAR(smp_page_cpu), %eax
	movl	LINEAR(smp_page_stack), %esp
	movl	$smp_entry, %ecx
	call	*%ecx
	ud2
