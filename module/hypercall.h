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
 * latch_hypercall_safe - latch_hypercall() where VMCALL may be #UD, or another hypervisor's
 *
 * Return: as latch_hypercall(), or @number if VMCALL is #UD.
 */
static inline long latch_hypercall_safe(u32 number, u64 *a, u64 *b, u64 *c)
{
	long ret = number;

	asm volatile("1: vmcall\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+a" (ret), "+D" (*a), "+S" (*b), "+d" (*c) : : "memory");
	return ret;
}

/**
 * latch_hypercall_is_answered - does a VMCALL of this CPU reach some Latch
 * @abi: out: its ABI version
 * @flags: out: LATCH_VERSION_*; with LATCH_VERSION_GUEST this CPU is not under it, but a
 *	nested guest's
 *
 * Other hypervisors return errors of their own.
 */
static inline bool latch_hypercall_is_answered(u64 *abi, u64 *flags)
{
	u64 core = 0;

	*abi = 0;
	*flags = 0;
	return !latch_hypercall_safe(LATCH_HC_VERSION, abi, &core, flags);
}

#endif
