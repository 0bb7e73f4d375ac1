// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "mtrr_ref.h"

/* SDM vol. 3, table 12-9: the ranges of the fixed-range registers. */
static const struct {
	u64 start, step;
} fixed_ranges[MTRR_FIXED_REGS] = {
	{ 0x00000, 0x10000 },
	{ 0x80000, 0x4000 }, { 0xa0000, 0x4000 },
	{ 0xc0000, 0x1000 }, { 0xc8000, 0x1000 }, { 0xd0000, 0x1000 }, { 0xd8000, 0x1000 },
	{ 0xe0000, 0x1000 }, { 0xe8000, 0x1000 }, { 0xf0000, 0x1000 }, { 0xf8000, 0x1000 },
};

static bool known(u8 type)
{
	return type <= 6 && type != 2 && type != 3;
}

static u8 fixed_ref(const struct mtrr_state *mtrr, u64 addr)
{
	u64 start;
	u32 reg, byte;

	for (reg = 0; reg < MTRR_FIXED_REGS; reg++)
		for (byte = 0; byte < 8; byte++) {
			start = fixed_ranges[reg].start + byte * fixed_ranges[reg].step;
			if (addr >= start && addr < start + fixed_ranges[reg].step)
				return (u8)(mtrr->fixed[reg] >> 8 * byte);
		}
	unit_fail(__FILE__, __LINE__, "%#llx is in no fixed range", addr);
}

/*
 * Which of the types that match wins is said there for one type, for UC with
 * others, and for WT with WB. All else is undefined; core's choice is UC, and so
 * is it for types that do not exist.
 */
static u8 combined_ref(const u8 *types, u32 count)
{
	bool all_same = true, all_wt_or_wb = true;
	u32 i;

	for (i = 0; i < count; i++) {
		all_same &= types[i] == types[0];
		all_wt_or_wb &= types[i] == MTRR_TYPE_WT || types[i] == MTRR_TYPE_WB;
	}
	if (all_same)
		return types[0];
	return all_wt_or_wb ? MTRR_TYPE_WT : MTRR_TYPE_UC;
}

u8 mtrr_ref_type(const struct mtrr_state *mtrr, u64 addr)
{
	u8 types[MTRR_MAX_VARIABLE], type;
	u32 count = 0, i;
	u64 mask;

	if (!(mtrr->def_type & 1 << 11))
		return MTRR_TYPE_UC;
	if (addr < 0x100000 && mtrr->has_fixed && mtrr->def_type & 1 << 10) {
		type = fixed_ref(mtrr, addr);
		return known(type) ? type : MTRR_TYPE_UC;
	}
	for (i = 0; i < mtrr->nr_variable; i++) {
		mask = mtrr->mask[i] >> 12 << 12 & mtrr->phys_mask;
		if (mtrr->mask[i] & 1 << 11 && (mask & mtrr->base[i]) == (mask & addr))
			types[count++] = (u8)mtrr->base[i];
	}
	type = count ? combined_ref(types, count) : (u8)mtrr->def_type;
	return known(type) ? type : MTRR_TYPE_UC;
}

bool mtrr_ref_range(const struct mtrr_state *mtrr, u64 start, u64 size, u8 *type)
{
	u64 addr;

	*type = mtrr_ref_type(mtrr, start);
	for (addr = (start | 0xfff) + 1; addr < start + size; addr += 0x1000)
		if (mtrr_ref_type(mtrr, addr) != *type)
			return false;
	return true;
}

void mtrr_set_none(struct mtrr_state *mtrr, u32 phys_bits, u8 type)
{
	memset(mtrr, 0, sizeof(*mtrr));
	mtrr->phys_mask = BIT(phys_bits) - 1;
	mtrr->def_type = MTRR_DEF_ENABLE | type;
}

void mtrr_add(struct mtrr_state *mtrr, u64 base, u64 size, u8 type)
{
	u32 i = mtrr->nr_variable++;

	require(i < MTRR_MAX_VARIABLE && !(size & (size - 1)) && !(base % size), "bad range");
	mtrr->base[i] = base | type;
	mtrr->mask[i] = (mtrr->phys_mask & ~(size - 1)) | 1 << 11;
}

void mtrr_set_fixed(struct mtrr_state *mtrr, u32 index, u64 value)
{
	mtrr->has_fixed = 1;
	mtrr->def_type |= MTRR_DEF_FIXED_ENABLE;
	mtrr->fixed[index] = value;
}

static u8 random_type(struct source *source)
{
	static const u8 types[] = { MTRR_TYPE_WB, MTRR_TYPE_UC, MTRR_TYPE_WB, MTRR_TYPE_WT,
				    MTRR_TYPE_WC, MTRR_TYPE_WP };

	if (source_chance(source, 3))
		return (u8)source_take(source, 1);
	return types[source_below(source, ARRAY_SIZE(types))];
}

/* Addresses where ranges meet are more interesting than others. */
static u64 random_base(struct source *source, u32 phys_bits)
{
	static const u64 places[] = { 0, 0x80000, 0xa0000, 0x100000, 0x200000, SIZE_1G,
				      3 * SIZE_1G, 0xfee00000, 4 * SIZE_1G, 512 * SIZE_1G };
	u64 place = places[source_below(source, ARRAY_SIZE(places))];

	switch (source_below(source, 4)) {
	case 0:
		return source_take(source, 8) & (BIT(phys_bits) - 1) & PAGE_MASK;
	case 1:
		return (place - source_below(source, 1024) * PAGE_SIZE) & (BIT(phys_bits) - 1);
	default:
		return (place + source_below(source, 1024) * PAGE_SIZE) & (BIT(phys_bits) - 1);
	}
}

static void random_variable(struct mtrr_state *mtrr, u32 i, u32 phys_bits, struct source *source)
{
	u32 bits = 12 + (u32)source_below(source, phys_bits - 11);
	u64 mask = (BIT(phys_bits) - 1) & ~(BIT(bits) - 1);

	if (source_chance(source, 10))
		mask &= ~(BIT(12 + source_below(source, phys_bits - 12)));
	if (source_chance(source, 2))
		mask = source_take(source, 8) & (BIT(phys_bits) - 1) & PAGE_MASK;
	mtrr->mask[i] = mask | (source_chance(source, 90) ? BIT(11) : 0);
	/* Base bits that the mask leaves out mean nothing, but may be there. */
	mtrr->base[i] = random_base(source, phys_bits);
	if (source_chance(source, 80))
		mtrr->base[i] &= mask;
	mtrr->base[i] |= random_type(source);
}

void mtrr_set_random(struct mtrr_state *mtrr, u32 phys_bits, struct source *source)
{
	u32 i, byte;

	mtrr_set_none(mtrr, phys_bits, random_type(source));
	if (source_chance(source, 5))
		mtrr->def_type &= ~MTRR_DEF_ENABLE;
	if (source_chance(source, 60))
		mtrr->def_type |= MTRR_DEF_FIXED_ENABLE;
	mtrr->has_fixed = source_chance(source, 85);
	for (i = 0; mtrr->has_fixed && i < MTRR_FIXED_REGS; i++) {
		mtrr->fixed[i] = random_type(source) * 0x0101010101010101ull;
		for (byte = 0; byte < 8 && source_chance(source, 30); byte++)
			mtrr->fixed[i] ^= (u64)random_type(source) << 8 * byte;
	}
	mtrr->nr_variable = (u32)source_below(source, source_chance(source, 5) ? 33 : 11);
	for (i = 0; i < mtrr->nr_variable; i++)
		random_variable(mtrr, i, phys_bits, source);
}
