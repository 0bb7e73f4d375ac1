// SPDX-License-Identifier: GPL-2.0-only
/* MTRRs keep what they are told; core follows, but shows nothing of that. */
#include "tests.h"

#define MTRR_FIX64K	0x250
#define MTRR_FIX4K_C8	0x269
#define MTRR_VALID	BIT(11)

static u64 phys_mask(void)
{
	return (BIT(cpuid(0x80000008, 0).eax & 0xff) - 1) & ~(PAGE_SIZE - 1);
}

static void mtrr_keeps(u32 msr, u64 value, const char *name)
{
	u64 old = rdmsr(msr);
	u32 vector = try_wrmsr(msr, value);
	u64 now = rdmsr(msr);

	wrmsr(msr, old);
	ktap_check(vector == TRAP_NONE && now == value && rdmsr(msr) == old,
		   "%s keeps its value", name);
}

static void mtrr_refused(u32 msr, u64 value, const char *name)
{
	u64 old = rdmsr(msr);

	ktap_check(try_wrmsr(msr, value) == VECTOR_GP && rdmsr(msr) == old, "#GP for %s", name);
}

void test_mtrr(void)
{
	u64 cap = rdmsr(MSR_MTRRCAP);
	u32 base = MSR_MTRR_PHYSBASE0 + 2 * ((cap & 0xff) - 1);
	u64 def = rdmsr(MSR_MTRR_DEF_TYPE);
	u64 mask = phys_mask();

	ktap_check(true, "MTRRCAP is 0x%llx, default type 0x%llx", cap, def);
	mtrr_keeps(base, 0x80000000ull | 6, "the last PHYSBASE");
	mtrr_keeps(base + 1, (mask & ~0xfffffffull) | MTRR_VALID, "the last PHYSMASK");
	mtrr_keeps(MTRR_FIX64K, 0x0006060606060606ull, "FIX64K");
	mtrr_keeps(MTRR_FIX4K_C8, 0x0505050505050505ull, "FIX4K_C8000");
	mtrr_keeps(MSR_MTRR_DEF_TYPE, def ^ 0x400, "DEF_TYPE");
	mtrr_refused(base, 0x80000002ull, "PHYSBASE of type 2");
	mtrr_refused(base, 0x80000000ull | BIT(8), "PHYSBASE with a reserved bit");
	mtrr_refused(base, ~mask & 0xffff000000000000ull, "PHYSBASE beyond MAXPHYADDR");
	mtrr_refused(base + 1, ~mask & 0xffff000000000000ull, "PHYSMASK beyond MAXPHYADDR");
	mtrr_refused(MTRR_FIX64K, 0x0006060606060602ull, "FIX64K with type 2");
	mtrr_refused(MSR_MTRR_DEF_TYPE, def | 0x1000, "DEF_TYPE with a reserved bit");
	mtrr_refused(MSR_MTRR_DEF_TYPE, (def & ~0xffull) | 2, "DEF_TYPE of type 2");
}
