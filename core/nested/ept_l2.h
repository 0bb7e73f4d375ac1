/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EPT of L2, inside of core/nested: EPT12 is L1's (ept12.c), EPT02 what the CPU uses
 * (ept02.c); exits that lead from one to the other are in ept.c.
 */
#ifndef CORE_NESTED_EPT_L2_H
#define CORE_NESTED_EPT_L2_H

#include "ept.h"
#include "nested/nested.h"

#define EPT12_IGNORE_PAT	BIT(6)
#define EPT12_ACCESSED		BIT(8)
#define EPT12_DIRTY		BIT(9)
#define EPT12_SUPPRESS_VE	BIT(63)

/**
 * struct ept12_walk - how L1's EPT translates an address
 * @gpa: L1's physical address
 * @entry: the last entry that was read
 * @rights: what all levels allow
 * @level: of the leaf
 * @is_leaf: there is one; else @entry is not present, or wrong
 * @is_wrong: @entry is a misconfiguration
 * @is_full: L1's log of dirty pages is
 */
struct ept12_walk {
	u64 gpa, entry, rights;
	u32 level;
	bool is_leaf, is_wrong, is_full;
};

/* ept12.c */
void ept12_walk(struct percpu *cpu, u64 address, u64 access, struct ept12_walk *walk);
bool ept12_is_leaf(u64 entry, u32 level);
bool ept12_is_wrong(u64 entry, u32 level, bool is_leaf);

/* ept02.c */
bool ept02_fill(struct percpu *cpu, u64 address, u64 leaf, u32 level);
void ept02_clear(struct percpu *cpu, u64 address);

#endif
