/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels that Latch supports: 5.10 to 7.x. */
#ifndef _MODULE_COMPAT_H
#define _MODULE_COMPAT_H

#include <asm/current.h>
#include <asm/processor.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
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

static inline unsigned long latch_compat_cr4(void)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	return cr4;
}

/* Read from CR4: pgtable_l5_enabled() is not the same in all versions. */
static inline unsigned int latch_compat_levels(void)
{
	return latch_compat_cr4() & X86_CR4_LA57 ? 5 : 4;
}

/* Where the pointer to a CPU's current task is. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define latch_compat_current(cpu)	((void *)&per_cpu(pcpu_hot.current_task, cpu))
#else
#define latch_compat_current(cpu)	((void *)&per_cpu(current_task, cpu))
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define latch_compat_pin_remote(mm, start, nr, flags, pages) \
	pin_user_pages_remote(mm, start, nr, flags, pages, NULL)
#else
#define latch_compat_pin_remote(mm, start, nr, flags, pages) \
	pin_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL)
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
#define latch_compat_pud_leaf	pud_leaf
#define latch_compat_pmd_leaf	pmd_leaf
#else
#define latch_compat_pud_leaf	pud_large
#define latch_compat_pmd_leaf	pmd_large
#endif

static inline u64 latch_compat_read_cr3(void)
{
	unsigned long cr3;

	asm volatile("mov %%cr3, %0" : "=r" (cr3));
	return cr3 & 0x000ffffffffff000ull;
}

/* The part of a module that is executed for as long as it is there. */
static inline void latch_compat_module_text(const struct module *mod, unsigned long *start,
					    unsigned long *size)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	*start = (unsigned long)mod->mem[MOD_TEXT].base;
	*size = mod->mem[MOD_TEXT].size;
#else
	*start = (unsigned long)mod->core_layout.base;
	*size = mod->core_layout.text_size;
#endif
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
