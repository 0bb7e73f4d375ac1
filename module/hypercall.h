/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL from the kernel; the CPU must be under Latch, or this is #UD. */
#ifndef _MODULE_HYPERCALL_H
#define _MODULE_HYPERCALL_H

#include <linux/latch.h>
#include <linux/types.h>

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

#endif
