/* SPDX-License-Identifier: GPL-2.0-only */
/* A CPU's view of an EPT (SDM vol. 3, 29.3), written without core's code. */
#ifndef UNIT_EPT_WALK_H
#define UNIT_EPT_WALK_H

#include "check.h"

/* Who takes rights away has one of these bits in the leaf: 53 to 57, 59, 62. The CPU ignores them. */
#define EPT_WALK_DENIED	0x4be0000000000000ull

/**
 * struct ept_page - what a 4 KiB page of guest-physical memory is
 * @private: hidden, or (with rights) reads as zeros instead
 * @mapped: a leaf has a frame for it, be it one that the guest has no right to
 * @rights: as in the leaf
 * @level: level of the entry that ends the walk, 0 for 4K
 * @denied: those of EPT_WALK_DENIED that are set; like all below, only if @mapped
 * @pa: frame
 * @type: memory type
 */
struct ept_page {
	bool private, mapped;
	u32 rights;
	u32 level;
	u64 denied;
	u64 pa;
	u8 type;
};

/**
 * struct ept_walk - a whole hierarchy
 * @root: PML4 table
 * @zero_table: table that may be there many times, or NULL
 * @zeros: the only frame of core's that a leaf may map, read-only
 * @has_1g: leaves of 1 GiB may be there
 * @tables: out: table pages in use
 * @leaves: out: leaves by level, but for those of @zero_table and private ones
 * @hidden: out: private pages without rights
 * @zeroed: out: private pages that read as zeros
 */
struct ept_walk {
	const u64 *root;
	const u64 *zero_table;
	const void *zeros;
	bool has_1g;
	u32 tables;
	u64 leaves[3];
	u32 hidden, zeroed;
};

struct ept_page ept_walk_page(const u64 *root, u64 gpa);
/** ept_walk_rights - what is left to the guest when these bits are set */
u32 ept_walk_rights(u64 denied);
/** ept_walk_denied - all the bits that any page of a range has */
u64 ept_walk_denied(const u64 *root, u64 start, u64 end);
/** ept_walk_private - is any page of a range private? */
bool ept_walk_private(const u64 *root, u64 start, u64 end);

/**
 * ept_walk_check - check each entry of all tables
 *
 * Every leaf maps an address to itself, none maps a frame of core's (I1), no
 * reserved bit is set, no table is used twice or is outside of the pool. A leaf has
 * exactly the rights that its bits of EPT_WALK_DENIED leave, and no table has any of
 * these. Only a private page maps the frame of zeros instead, and no large leaf is
 * private.
 */
void ept_walk_check(struct ept_walk *walk);

#endif
