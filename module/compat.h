/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels that Latch supports: 5.10 to 7.x. */
#ifndef _MODULE_COMPAT_H
#define _MODULE_COMPAT_H

#include <asm/processor.h>
#include <linux/syscore_ops.h>
#include <linux/types.h>
#include <linux/version.h>

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

/* LATCH_COMPAT_SYSCORE(name, suspend): something for latch_compat_register_syscore() */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define LATCH_COMPAT_SYSCORE(name, function) \
	static int name##_suspend(void *data) \
	{ \
		return function(); \
	} \
	static const struct syscore_ops name##_ops = { .suspend = name##_suspend }; \
	static struct syscore name = { .ops = &name##_ops }
#define latch_compat_register_syscore	register_syscore
#define latch_compat_unregister_syscore	unregister_syscore
#else
#define LATCH_COMPAT_SYSCORE(name, function) \
	static struct syscore_ops name = { .suspend = function }
#define latch_compat_register_syscore	register_syscore_ops
#define latch_compat_unregister_syscore	unregister_syscore_ops
#endif

#endif
