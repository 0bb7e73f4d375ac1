/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels that Latch supports: 5.10 to 7.x. */
#ifndef _MODULE_COMPAT_H
#define _MODULE_COMPAT_H

#include <asm/processor.h>
#include <linux/types.h>

struct latch_cpuid {
	u32 eax, ebx, ecx, edx;
};

/* cpuid_count() and its friends have moved from header to header. */
static inline struct latch_cpuid latch_compat_cpuid(u32 leaf)
{
	struct latch_cpuid regs;

	asm volatile("cpuid" : "=a" (regs.eax), "=b" (regs.ebx), "=c" (regs.ecx), "=d" (regs.edx)
		     : "0" (leaf), "2" (0));
	return regs;
}

/* Read from CR4: pgtable_l5_enabled() is not the same in all versions. */
static inline unsigned int latch_compat_levels(void)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	return cr4 & X86_CR4_LA57 ? 5 : 4;
}

#endif
