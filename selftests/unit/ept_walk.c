// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "ept_walk.h"
#include "machine.h"

#define E_READ		0x1u
#define E_WRITE		0x2u
#define E_EXEC		0x4u
#define E_RIGHTS	0x7u
#define E_LARGE		0x80u
#define E_ADDRESS	0x000ffffffffff000ull
#define E_PRIVATE	0x0010000000000000ull	/* bit 52: core's mark, for the CPU it is nothing */
/* An entry without any of these leads nowhere. */
#define E_MAPPED	(E_RIGHTS | EPT_WALK_DENIED)
/* Bits 11:8 and 63:52 are ignored or belong to features that are not in use. */
#define E_UNUSED	0xfff0000000000f00ull
#define E_TABLE_MBZ	0xf8u	/* bits 7:3 of an entry that refers to a table */

/* By number of the bit; there is no write without read. */
static const struct {
	u32 bit, rights;
} denials[] = {
	{ 53, E_WRITE }, { 54, E_WRITE }, { 55, E_WRITE }, { 56, E_RIGHTS }, { 57, E_WRITE },
	{ 59, E_WRITE }, { 62, E_EXEC }
};

u32 ept_walk_rights(u64 denied)
{
	u32 rights = E_RIGHTS, i;

	for (i = 0; i < sizeof(denials) / sizeof(denials[0]); i++)
		if (denied >> denials[i].bit & 1)
			rights &= ~denials[i].rights;
	return rights;
}

static u64 entry_load(const u64 *table, u64 gpa, u32 level)
{
	return __atomic_load_n(&table[gpa >> (12 + 9 * level) & 0x1ff], __ATOMIC_ACQUIRE);
}

struct ept_page ept_walk_page(const u64 *root, u64 gpa)
{
	struct ept_page page = { 0 };
	const u64 *table = root;
	u64 entry, offset_mask;
	u32 level;

	for (level = 3; ; level--) {
		entry = entry_load(table, gpa, level);
		page.private = entry & E_PRIVATE;
		page.level = level;
		if (!(entry & E_MAPPED))
			return page;
		if (!level || (entry & E_LARGE && level < 3))
			break;
		table = machine_va(entry & E_ADDRESS);
		require(table, "entry %#llx for %#llx leads to no table", entry, gpa);
	}
	offset_mask = (1ull << (12 + 9 * level)) - 1;
	page.mapped = true;
	page.rights = entry & E_RIGHTS;
	page.denied = entry & EPT_WALK_DENIED;
	page.pa = (entry & E_ADDRESS & ~offset_mask) | (gpa & offset_mask & ~0xfffull);
	page.type = entry >> 3 & 7;
	return page;
}

static u64 leaf_bits(const u64 *table, u64 base, u32 level, u64 start, u64 end)
{
	u64 size = 1ull << (12 + 9 * level), bits = 0, gpa, entry;
	u32 i;

	for (i = 0; i < 512; i++) {
		gpa = base + i * size;
		entry = table[i];
		if (gpa + size <= start || gpa >= end)
			continue;
		if (!(entry & E_MAPPED) || !level || (entry & E_LARGE && level < 3))
			bits |= entry;
		else
			bits |= leaf_bits(machine_va(entry & E_ADDRESS), gpa, level - 1, start, end);
	}
	return bits;
}

u64 ept_walk_denied(const u64 *root, u64 start, u64 end)
{
	return leaf_bits(root, 0, 3, start, end) & EPT_WALK_DENIED;
}

bool ept_walk_private(const u64 *root, u64 start, u64 end)
{
	return leaf_bits(root, 0, 3, start, end) & E_PRIVATE;
}

static void check_leaf(struct ept_walk *walk, u64 entry, u64 gpa, u32 level)
{
	u64 size = 1ull << (12 + 9 * level), pa = entry & E_ADDRESS;
	u8 type = entry >> 3 & 7;

	require(!(entry & E_UNUSED & ~EPT_WALK_DENIED), "leaf %#llx for %#llx has bits of no use", entry,
		gpa);
	require(!(entry & 0x40), "leaf %#llx for %#llx ignores the PAT", entry, gpa);
	require(!level == !(entry & E_LARGE), "leaf %#llx at level %u", entry, level);
	require(level < 2 || walk->has_1g, "a leaf of 1 GiB for %#llx", gpa);
	require(pa % size == 0, "leaf %#llx at level %u is not aligned", entry, level);
	require(type != 2 && type != 3 && type != 7, "leaf %#llx has no memory type", entry);
	require((entry & (E_READ | E_WRITE)) != E_WRITE, "leaf %#llx: write without read", entry);
	require((entry & E_RIGHTS) == ept_walk_rights(entry),
		"leaf %#llx for %#llx: rights are not what is left", entry, gpa);
	require(pa == gpa, "%#llx maps %#llx", gpa, pa);
	require(!machine_owns(pa, pa + size), "%#llx maps core, level %u", gpa, level);
	walk->leaves[level]++;
}

/* Pages are private one by one, and the most that they show is zeros. */
static void check_private(struct ept_walk *walk, u64 entry, u64 gpa, u32 level)
{
	require(!level, "private entry %#llx for %#llx at level %u", entry, gpa, level);
	require(!machine_owns(gpa, gpa + PAGE_SIZE), "core's %#llx is private", gpa);
	if (!(entry & E_RIGHTS)) {
		require(entry == E_PRIVATE, "entry %#llx for hidden %#llx", entry, gpa);
		walk->hidden++;
		return;
	}
	require((entry & ~E_ADDRESS) == (E_PRIVATE | E_READ | 6 << 3),
		"leaf %#llx for private %#llx", entry, gpa);
	require(machine_va(entry & E_ADDRESS) == walk->zeros, "private %#llx maps %#llx", gpa,
		entry & E_ADDRESS);
	walk->zeroed++;
}

static void check_zero_table(struct ept_walk *walk, u64 gpa)
{
	u32 i;

	require(machine_owns(gpa, gpa + LATCH_CHUNK_SIZE) && !(gpa % LATCH_CHUNK_SIZE),
		"%#llx reads as zeros but is not core's", gpa);
	for (i = 0; i < 512; i++)
		require(machine_va(walk->zero_table[i] & E_ADDRESS) == walk->zeros &&
			!(walk->zero_table[i] & E_WRITE), "zeros are not zeros at %#llx", gpa);
}

static void check_table(struct ept_walk *walk, const u64 *table, u64 base, u32 level, u8 *seen)
{
	u64 gpa, entry;
	const u64 *child;
	u32 i, page;

	walk->tables++;
	for (i = 0; i < 512; i++) {
		entry = table[i];
		gpa = base + ((u64)i << (12 + 9 * level));
		if (entry & E_PRIVATE) {
			check_private(walk, entry, gpa, level);
			continue;
		}
		if (!(entry & E_MAPPED)) {
			require(!entry, "entry %#llx for %#llx, which is not mapped", entry, gpa);
			continue;
		}
		if (!level || entry & E_LARGE) {
			require(level < 3, "PML4 entry %#llx", entry);
			check_leaf(walk, entry, gpa, level);
			continue;
		}
		require((entry & E_RIGHTS) == E_RIGHTS && !(entry & (E_TABLE_MBZ | E_UNUSED)),
			"entry %#llx for a table, at %#llx", entry, gpa);
		child = machine_va(entry & E_ADDRESS);
		require(child, "entry %#llx leads to no table", entry);
		if (child == walk->zero_table && level == 1) {
			check_zero_table(walk, gpa);
			continue;
		}
		page = machine_page(entry & E_ADDRESS);
		require(!seen[page], "the table of %#llx is in use elsewhere", gpa);
		seen[page] = 1;
		check_table(walk, child, gpa, level - 1, seen);
	}
}

void ept_walk_check(struct ept_walk *walk)
{
	static u8 seen[MACHINE_PAGES];

	memset(seen, 0, sizeof(seen));
	memset(walk->leaves, 0, sizeof(walk->leaves));
	walk->tables = 0;
	walk->hidden = 0;
	walk->zeroed = 0;
	check_table(walk, walk->root, 0, 3, seen);
}
