// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory types from the MTRRs, with the rules for ranges that overlap
 * (SDM vol. 3, 12.11.4.1).
 */
#include "mtrr.h"

#define TYPE_MASK	0xffull

/* Where types can change inside of a range; so a range is cut at these. */
static u64 fixed_end(u64 addr)
{
	if (addr < 0x80000)
		return (addr & ~0xffffull) + 0x10000;
	if (addr < 0xc0000)
		return (addr & ~0x3fffull) + 0x4000;
	return (addr & ~0xfffull) + 0x1000;
}

static u8 fixed_type(const struct mtrr_state *mtrr, u64 addr)
{
	u64 index;

	if (addr < 0x80000)
		index = addr / 0x10000;
	else if (addr < 0xc0000)
		index = 8 + (addr - 0x80000) / 0x4000;
	else
		index = 24 + (addr - 0xc0000) / 0x1000;
	return mtrr->fixed[index / 8] >> (index % 8 * 8) & TYPE_MASK;
}

static bool valid_type(u8 type)
{
	return type == MTRR_TYPE_UC || type == MTRR_TYPE_WC || type == MTRR_TYPE_WT ||
	       type == MTRR_TYPE_WP || type == MTRR_TYPE_WB;
}

/* UC wins, WT beats WB; what the SDM leaves undefined becomes UC, which is safe. */
static u8 combine_types(u8 a, u8 b)
{
	if (a == b)
		return a;
	if ((a == MTRR_TYPE_WT && b == MTRR_TYPE_WB) || (a == MTRR_TYPE_WB && b == MTRR_TYPE_WT))
		return MTRR_TYPE_WT;
	return MTRR_TYPE_UC;
}

static u64 variable_mask(const struct mtrr_state *mtrr, u32 i)
{
	return mtrr->mask[i] & mtrr->phys_mask & PAGE_MASK;
}

static u8 variable_type(const struct mtrr_state *mtrr, u64 addr)
{
	bool match = false;
	u8 type = 0;
	u64 mask;
	u32 i;

	for (i = 0; i < mtrr->nr_variable; i++) {
		if (!(mtrr->mask[i] & MTRR_MASK_VALID))
			continue;
		mask = variable_mask(mtrr, i);
		if ((addr & mask) != (mtrr->base[i] & mask))
			continue;
		type = match ? combine_types(type, mtrr->base[i] & TYPE_MASK) :
			       (u8)(mtrr->base[i] & TYPE_MASK);
		match = true;
	}
	return match ? type : (u8)(mtrr->def_type & TYPE_MASK);
}

static u8 type_at(const struct mtrr_state *mtrr, u64 addr)
{
	u8 type;

	if (!(mtrr->def_type & MTRR_DEF_ENABLE))
		return MTRR_TYPE_UC;
	if (addr < MTRR_FIXED_END && mtrr->has_fixed && mtrr->def_type & MTRR_DEF_FIXED_ENABLE)
		type = fixed_type(mtrr, addr);
	else
		type = variable_type(mtrr, addr);
	return valid_type(type) ? type : MTRR_TYPE_UC;
}

/*
 * First address above @addr where register @i begins or ends to match; one that
 * is not above @addr if there is none. A mask may have holes (the SDM calls that
 * non-contiguous), so a range is not simply base to base + size.
 */
static u64 variable_boundary(const struct mtrr_state *mtrr, u32 i, u64 addr)
{
	u64 mask = variable_mask(mtrr, i), base = mtrr->base[i] & mask;
	u64 differ = (addr ^ base) & mask, below;

	/* A match goes on as long as the lowest bit of the mask is the same. */
	if (!differ)
		return mask ? (addr | ((mask & -mask) - 1)) + 1 : 0;
	/* All bits up to the highest one that differs. */
	below = ~0ull >> __builtin_clzll(differ);
	if (base & (below ^ below >> 1))
		return (addr & ~below) | (base & below);
	/* addr is behind: carry into the next bit above that the mask leaves free. */
	return (((addr | mask | below) + 1) & ~mask) | base;
}

/* First address above @addr where another type may begin. */
static u64 next_boundary(const struct mtrr_state *mtrr, u64 addr)
{
	u64 next = ~0ull, boundary;
	u32 i;

	if (!(mtrr->def_type & MTRR_DEF_ENABLE))
		return next;
	if (addr < MTRR_FIXED_END && mtrr->has_fixed && mtrr->def_type & MTRR_DEF_FIXED_ENABLE)
		return fixed_end(addr);
	for (i = 0; i < mtrr->nr_variable; i++) {
		if (!(mtrr->mask[i] & MTRR_MASK_VALID))
			continue;
		boundary = variable_boundary(mtrr, i, addr);
		if (boundary > addr && boundary < next)
			next = boundary;
	}
	return next;
}

bool mtrr_range_type(const struct mtrr_state *mtrr, u64 start, u64 size, u8 *type)
{
	u64 addr;

	*type = type_at(mtrr, start);
	for (addr = next_boundary(mtrr, start); addr < start + size;
	     addr = next_boundary(mtrr, addr))
		if (type_at(mtrr, addr) != *type)
			return false;
	return true;
}
