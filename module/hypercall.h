/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL from the kernel; the CPU must be under Latch, or this is #UD. */
#ifndef _MODULE_HYPERCALL_H
#define _MODULE_HYPERCALL_H

#include <linux/latch.h>
#include <linux/types.h>
#include <asm/asm.h>

/**
 * latch_hypercall - make a hypercall on this CPU
 * @number: LATCH_HC_*
 * @a: RDI, in and out
 * @b: RSI, in and out
 * @c: RDX, in and out
 *
 * Return: 0 or a negative errno.
 */
static inline long latch_hypercall(u32 number, u64 *a, u64 *b, u64 *c)
{
	long ret = number;

	asm volatile("vmcall" : "+a" (ret), "+D" (*a), "+S" (*b), "+d" (*c) : : "memory");
	return ret;
}

/**
 * latch_hypercall_is_answered - is this CPU under Latch, perhaps of another kernel's
 *
 * VMCALL is #UD where nobody has it, and an error of their own with other hypervisors.
 */
static inline bool latch_hypercall_is_answered(void)
{
	unsigned long ret = LATCH_HC_VERSION, version = 0, b = 0, c = 0;

	asm volatile("1: vmcall\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+a" (ret), "+D" (version), "+S" (b), "+d" (c) : : "memory");
	return !ret && version == LATCH_ABI_VERSION;
}

#endif
