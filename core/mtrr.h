/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory types from the MTRRs (SDM vol. 3, 12.11). Pure but for mtrr_read(). */
#ifndef CORE_MTRR_H
#define CORE_MTRR_H

#include "types.h"

#define MTRR_MAX_VARIABLE	32
#define MTRR_FIXED_REGS		11
#define MTRR_FIXED_END		0x100000ull

#define MTRR_TYPE_UC	0
#define MTRR_TYPE_WC	1
#define MTRR_TYPE_WT	4
#define MTRR_TYPE_WP	5
#define MTRR_TYPE_WB	6

#define MTRR_DEF_FIXED_ENABLE	BIT(10)
#define MTRR_DEF_ENABLE		BIT(11)
#define MTRR_MASK_VALID		BIT(11)

/**
 * struct mtrr_state - all MTRRs of a CPU
 * @def_type: IA32_MTRR_DEF_TYPE
 * @fixed: 64K register, two 16K, eight 4K registers; 0 when there are none
 * @base: IA32_MTRR_PHYSBASEn; mtrr_read() makes it 0 if the pair is not in use
 * @mask: IA32_MTRR_PHYSMASKn, likewise
 * @nr_variable: pairs of them
 * @has_fixed: IA32_MTRRCAP.FIX
 * @phys_mask: valid physical address bits
 */
struct mtrr_state {
	u64 def_type;
	u64 fixed[MTRR_FIXED_REGS];
	u64 base[MTRR_MAX_VARIABLE];
	u64 mask[MTRR_MAX_VARIABLE];
	u32 nr_variable;
	u32 has_fixed;
	u64 phys_mask;
};

/** mtrr_fixed_msr - number of the MSR behind mtrr_state.fixed[@index] */
u32 mtrr_fixed_msr(u32 index);
/** mtrr_read - read the MTRRs of this CPU */
void mtrr_read(struct mtrr_state *mtrr, u64 phys_mask);
/** mtrr_is_msr - is @msr an MTRR that this CPU has */
bool mtrr_is_msr(const struct mtrr_state *mtrr, u32 msr);

/**
 * mtrr_range_type - memory type of a physical range
 * @mtrr: the MTRRs
 * @start: first address
 * @size: bytes
 * @type: out: the type at @start
 *
 * Return: true when the whole range has that type.
 */
bool mtrr_range_type(const struct mtrr_state *mtrr, u64 start, u64 size, u8 *type);

#endif
