/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's FPU and vector registers. VM exits leave them alone, and core itself
 * uses none. XCR0 is the guest's in root mode too (SDM vol. 1, chapter 13).
 */
#ifndef CORE_FPU_H
#define CORE_FPU_H

#include "types.h"

#define FPU_SSE		BIT(1)
#define FPU_PKRU	BIT(9)			/* not a register of data */
#define FPU_AMX		(BIT(17) | BIT(18))	/* 8 KiB: more than an area has */

/**
 * struct fpu_control - what a caller expects to find unchanged
 */
struct fpu_control {
	u32 mxcsr;
	u16 fcw;
};

static inline u64 fpu_components(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return (low | (u64)high << 32) & ~FPU_PKRU;
}

/** fpu_save - save all but AMX state; @area: a page, cleared before its first use */
static inline void fpu_save(void *area)
{
	u64 what = fpu_components() & ~FPU_AMX;

	asm volatile("xsave64 (%0)" : : "r" (area), "a" ((u32)what), "d" ((u32)(what >> 32))
		     : "memory");
}

/** fpu_reload - load what fpu_save() has saved just now; AMX state has not changed */
static inline void fpu_reload(const void *area)
{
	u64 what = fpu_components() & ~FPU_AMX;

	asm volatile("xrstor64 (%0)" : : "r" (area), "a" ((u32)what), "d" ((u32)(what >> 32))
		     : "memory");
}

/** fpu_load - the same later, or with a page of zeros: initial values, of AMX too */
static inline void fpu_load(const void *area)
{
	u64 what = fpu_components();

	asm volatile("xrstor64 (%0)" : : "r" (area), "a" ((u32)what), "d" ((u32)(what >> 32))
		     : "memory");
}

/** fpu_read_pkru - the guest's PKRU; CR4.PKE is core's own wherever the CPU has it */
static inline u32 fpu_read_pkru(void)
{
	u32 eax, edx;

	asm volatile("rdpkru" : "=a" (eax), "=d" (edx) : "c" (0));
	return eax;
}

static inline void fpu_write_pkru(u32 pkru)
{
	asm volatile("wrpkru" : : "a" (pkru), "c" (0), "d" (0));
}

static inline void fpu_read_control(struct fpu_control *control)
{
	asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m" (control->mxcsr), "=m" (control->fcw));
}

static inline void fpu_write_control(const struct fpu_control *control)
{
	asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m" (control->mxcsr), "m" (control->fcw));
}

#endif
