/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory types by brute force, from the rules of SDM vol. 3, 12.11.4.1, for one
 * 4 KiB page at a time; and MTRR settings to try.
 */
#ifndef UNIT_MTRR_REF_H
#define UNIT_MTRR_REF_H

#include "check.h"
#include "mtrr.h"

u8 mtrr_ref_type(const struct mtrr_state *mtrr, u64 addr);
bool mtrr_ref_range(const struct mtrr_state *mtrr, u64 start, u64 size, u8 *type);

/** mtrr_set_none - MTRRs are on, all memory is @type */
void mtrr_set_none(struct mtrr_state *mtrr, u32 phys_bits, u8 type);
/** mtrr_add - one more variable range; @size is a power of two */
void mtrr_add(struct mtrr_state *mtrr, u64 base, u64 size, u8 type);
/** mtrr_set_fixed - one fixed-range register, the lowest range in the last byte */
void mtrr_set_fixed(struct mtrr_state *mtrr, u32 index, u64 value);
/** mtrr_set_random - anything that software can write, mostly sensible */
void mtrr_set_random(struct mtrr_state *mtrr, u32 phys_bits, struct source *source);

#endif
