/* SPDX-License-Identifier: GPL-2.0-only */
/* struct latch_image: what the loader reads first. */
#include "layout.h"

/* Tables of core's address space and the first ones of the EPT. */
#define POOL_BASE_PAGES		96
/*
 * Stacks 7, struct percpu 2, VMXON region, VMCS, step view 5, MSR area, copy, tables, nested
 * VMX 10. The rest is for EPTs: of nested guests, and what fast PALs have for each CPU.
 */
#define POOL_PER_CPU		100
/* One EPT table of 2 MiB leaves. */
#define POOL_PER_GIB		1

	.section .header, "a"
	.quad	LATCH_IMAGE_SIGNATURE
	.long	LATCH_LAUNCH_VERSION
	.long	header_end - header_start
header_start = . - 16
	.quad	LATCH_CORE_BASE
	.quad	core_entry
	.quad	image_file_size
	.quad	image_mem_size
	.quad	boot_offset
	.long	LATCH_MAX_CPUS_ASM
	.long	POOL_BASE_PAGES
	.long	POOL_PER_CPU
	.long	POOL_PER_GIB
header_end:

	.section .note.GNU-stack, "", @progbits
