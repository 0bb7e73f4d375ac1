// SPDX-License-Identifier: GPL-2.0-only
/* The MTRRs of this CPU, as MSRs. */
#include "mtrr.h"
#include "x86.h"

#define LEAF1_EDX_MTRR	BIT(12)
#define MTRRCAP_COUNT	0xffull
#define MTRRCAP_FIX	BIT(8)

u32 mtrr_fixed_msr(u32 index)
{
	if (index == 0)
		return MSR_MTRR_FIX64K;
	return index < 3 ? MSR_MTRR_FIX16K + index - 1 : MSR_MTRR_FIX4K + index - 3;
}

/* A pair that is not in use is 0, so that a write to one makes no difference. */
static void read_variable(struct mtrr_state *mtrr, u32 i)
{
	u64 mask = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1);

	if (!(mask & MTRR_MASK_VALID))
		return;
	mtrr->base[i] = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i);
	mtrr->mask[i] = mask;
}

void mtrr_read(struct mtrr_state *mtrr, u64 phys_mask)
{
	u64 cap;
	u32 i;

	memset(mtrr, 0, sizeof(*mtrr));
	mtrr->phys_mask = phys_mask;
	mtrr->def_type = MTRR_DEF_ENABLE | MTRR_TYPE_WB;
	if (!(cpuid(1, 0).edx & LEAF1_EDX_MTRR))
		return;
	cap = rdmsr(MSR_MTRRCAP);
	mtrr->def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	mtrr->has_fixed = !!(cap & MTRRCAP_FIX);
	mtrr->nr_variable = cap & MTRRCAP_COUNT;
	if (mtrr->nr_variable > MTRR_MAX_VARIABLE)
		mtrr->nr_variable = MTRR_MAX_VARIABLE;
	for (i = 0; mtrr->has_fixed && i < MTRR_FIXED_REGS; i++)
		mtrr->fixed[i] = rdmsr(mtrr_fixed_msr(i));
	for (i = 0; i < mtrr->nr_variable; i++)
		read_variable(mtrr, i);
}

bool mtrr_is_msr(const struct mtrr_state *mtrr, u32 msr)
{
	u32 i;

	if (msr == MSR_MTRR_DEF_TYPE)
		return true;
	if (msr >= MSR_MTRR_PHYSBASE0 && msr < MSR_MTRR_PHYSBASE0 + 2 * mtrr->nr_variable)
		return true;
	for (i = 0; mtrr->has_fixed && i < MTRR_FIXED_REGS; i++)
		if (msr == mtrr_fixed_msr(i))
			return true;
	return false;
}
