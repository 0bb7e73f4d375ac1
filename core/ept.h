/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended page tables (SDM vol. 3, 29.3): building, splitting, looking up.
 * Pure: memory comes from the pool, types from a struct mtrr_state, and no
 * instruction here needs root mode. Callers do INVEPT and hold the lock.
 */
#ifndef CORE_EPT_H
#define CORE_EPT_H

#include "types.h"
#include "mtrr.h"
#include "pool.h"

#define EPT_READ	BIT(0)
#define EPT_WRITE	BIT(1)
#define EPT_EXEC	BIT(2)
#define EPT_RWX		(EPT_READ | EPT_WRITE | EPT_EXEC)
#define EPT_TYPE_SHIFT	3
#define EPT_TYPE	(7ull << EPT_TYPE_SHIFT)
#define EPT_LARGE	BIT(7)
#define EPT_ADDRESS	0x000ffffffffff000ull
/* Ignored by the CPU */
#define EPT_PRIVATE	BIT(52)	/* see ept_hide_page() */
#define EPT_DENY_APIC	BIT(53)	/* see ept_deny(): writes */
#define EPT_DENY_GUARD	BIT(54)
#define EPT_DENY_MODULE	BIT(55)
#define EPT_WATCH_READ	BIT(56)
#define EPT_DENY_NESTED	BIT(57)
#define EPT_WATCH_WRITE	BIT(59)
#define EPT_WATCH_EXEC	BIT(62)
#define EPT_WATCH	(EPT_WATCH_READ | EPT_WATCH_WRITE | EPT_WATCH_EXEC)
#define EPT_DENY_WRITE	(EPT_DENY_APIC | EPT_DENY_GUARD | EPT_DENY_MODULE | EPT_DENY_NESTED | \
			 EPT_WATCH_WRITE)
#define EPT_DENIED	(EPT_DENY_WRITE | EPT_WATCH)
/* What a leaf in use has one of: it may have no right at all */
#define EPT_USED	(EPT_RWX | EPT_PRIVATE | EPT_DENIED)
#define EPT_LEVELS	4
#define EPT_ENTRIES	512
#define EPT_LIMIT	BIT(48)	/* first address that the levels do not reach */

/* EPTP (SDM vol. 3, table 25-9): write-back walk of 4 levels */
#define EPTP_WB		6ull
#define EPTP_WALK4	(3ull << 3)
#define EPTP_AD		BIT(6)	/* accessed and dirty flags */

/**
 * struct ept - one hierarchy of tables
 * @root: the PML4 table
 * @mtrr: memory types of its leaves
 * @has_1g: 1 GiB leaves may be used
 * @splits: leaves split so far
 */
struct ept {
	u64 *root;
	struct mtrr_state mtrr;
	bool has_1g;
	u64 splits;
};

/** ept_level_size - bytes that an entry at @level (0: 4K page) maps */
static inline u64 ept_level_size(u32 level)
{
	return BIT(PAGE_SHIFT + 9 * level);
}

/** ept_level_index - which entry of a table at @level an address is in */
static inline u32 ept_level_index(u64 gpa, u32 level)
{
	return gpa >> (PAGE_SHIFT + 9 * level) & (EPT_ENTRIES - 1);
}

/** ept_entry_table - the table, a page of the pool, that an entry refers to */
static inline u64 *ept_entry_table(u64 entry)
{
	return pool_va(entry & EPT_ADDRESS);
}

int ept_init(struct ept *ept, const struct mtrr_state *mtrr, bool has_1g);
int ept_map_identity(struct ept *ept, u64 start, u64 end);
int ept_hide_chunk(struct ept *ept, u64 chunk, const u64 *table);
int ept_deny(struct ept *ept, u64 start, u64 end, u64 mask, u64 bits);
int ept_retype(struct ept *ept, const struct mtrr_state *mtrr);
int ept_map_page(struct ept *ept, u64 gpa, u64 pa, u64 rights);
void ept_unmap_page(struct ept *ept, u64 gpa);
int ept_hide_page(struct ept *ept, u64 gpa);
int ept_zero_page(struct ept *ept, u64 gpa, u64 zeros);
void ept_show_page(struct ept *ept, u64 gpa);
int ept_copy_leaf(struct ept *to, u64 gpa, u64 entry, u32 level, u64 rights);
void *ept_merge(struct ept *ept, u64 gpa);
void ept_destroy(struct ept *ept);
u64 ept_lookup(const struct ept *ept, u64 gpa, u32 *level);
u64 ept_pointer(const u64 *root);

#endif
