// SPDX-License-Identifier: GPL-2.0-only
/* Layout of the MSR bitmap (SDM vol. 3, 25.6.9). Pure. */
#include "msr.h"

#define LOW_END		0x2000u
#define HIGH_START	0xc0000000u
#define HIGH_END	0xc0002000u
#define QUARTER		1024u

/** msr_bitmap_index - which bit; false for MSRs that are in no quarter: these always exit */
bool msr_bitmap_index(u32 msr, enum msr_access access, u32 *index)
{
	u32 base = access == MSR_WRITE ? 2 * QUARTER * 8 : 0;

	if (msr < LOW_END)
		*index = base + msr;
	else if (msr >= HIGH_START && msr < HIGH_END)
		*index = base + QUARTER * 8 + (msr - HIGH_START);
	else
		return false;
	return true;
}

/** msr_bitmap_set - have accesses to @msr exit */
void msr_bitmap_set(u8 *bitmap, u32 msr, enum msr_access access)
{
	u32 index;

	if (msr_bitmap_index(msr, access, &index))
		bitmap[index / 8] |= (u8)(1u << index % 8);
}

/** msr_bitmap_test - do accesses to @msr exit */
bool msr_bitmap_test(const u8 *bitmap, u32 msr, enum msr_access access)
{
	u32 index;

	return !msr_bitmap_index(msr, access, &index) || bitmap[index / 8] >> index % 8 & 1;
}
