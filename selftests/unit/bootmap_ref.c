// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include "bootmap_ref.h"

#define MAX_PAGES	1200	/* mappings of 4 KiB */
#define MAX_TABLES	(LATCH_MAX_CHUNKS + 4 * MAX_PAGES)
#define ROOM		0x400000ull	/* for the largest range */
#define E_PRESENT	0x1u
#define E_WRITE		0x2u
#define E_LARGE		0x80u
#define E_ADDRESS	0x000ffffffffff000ull

/* What should be mapped, as a list of pages. */
static struct {
	u64 va[MAX_PAGES], pa[MAX_PAGES];
	u32 count;
	bool conflict;
} plan;

static void plan_page(const struct latch_boot *boot, u64 va, u64 pa)
{
	u32 i;

	if (va - LATCH_CORE_BASE < (u64)boot->nr_chunks * LATCH_CHUNK_SIZE)
		plan.conflict = true;
	for (i = 0; i < plan.count; i++)
		if (plan.va[i] == va) {
			plan.conflict |= plan.pa[i] != pa;
			return;
		}
	require(plan.count < MAX_PAGES, "too much for the test");
	plan.va[plan.count] = va;
	plan.pa[plan.count++] = pa;
}

static void plan_make(const struct latch_boot *boot, u64 tramp_phys)
{
	u64 off;

	plan.count = 0;
	plan.conflict = false;
	for (off = 0; off < boot->public_size; off += 4096) {
		plan_page(boot, LATCH_PUBLIC_BASE + off, boot->public_phys + off);
		plan_page(boot, boot->public_va + off, boot->public_phys + off);
	}
	plan_page(boot, boot->tramp_va, tramp_phys);
}

static void add_once(u64 *set, u32 *count, u64 value)
{
	u32 i;

	for (i = 0; i < *count; i++)
		if (set[i] == value)
			return;
	set[(*count)++] = value;
}

/* One table for each part of the address space that something is mapped in. */
static u32 count_tables(const struct latch_boot *boot, u32 levels)
{
	static u64 set[MAX_TABLES];
	u32 level, i, count, all = 1;

	for (level = 1; level < levels; level++) {
		count = 0;
		for (i = 0; level > 1 && i < boot->nr_chunks; i++)
			add_once(set, &count, (LATCH_CORE_BASE + (u64)i * LATCH_CHUNK_SIZE) >>
				 (12 + 9 * level));
		for (i = 0; i < plan.count; i++)
			add_once(set, &count, plan.va[i] >> (12 + 9 * level));
		all += count;
	}
	return all;
}

u32 bootmap_ref_pages(const struct latch_boot *boot, u32 levels)
{
	plan_make(boot, 0);
	return count_tables(boot, levels);
}

static const u64 *table_at(const struct latch_bootmap *map, u64 entry)
{
	u64 offset = (entry & E_ADDRESS) - map->pa;

	require(offset < (u64)map->used * 4096, "entry %#llx leads to no table", entry);
	return map->va + offset / 8;
}

/* Physical address of @va; the size of the page in @size. */
static u64 translate(const struct latch_bootmap *map, u64 va, u64 *size)
{
	const u64 *table = map->va;
	u32 level;
	u64 entry;

	for (level = map->levels - 1; ; level--) {
		entry = table[va >> (12 + 9 * level) & 511];
		require((entry & 0xfff0000000000fffull & ~(u64)E_LARGE) == (E_PRESENT | E_WRITE),
			"entry %#llx for %#llx at level %u", entry, va, level);
		if (!level || entry & E_LARGE)
			break;
		table = table_at(map, entry);
	}
	require(level < 2 && !level == !(entry & E_LARGE), "page of level %u at %#llx", level, va);
	*size = 4096ull << 9 * level;
	require(!((entry & E_ADDRESS) % *size), "entry %#llx is not aligned", entry);
	return (entry & E_ADDRESS) + va % *size;
}

static u32 count_leaves(const struct latch_bootmap *map, const u64 *table, u32 level)
{
	u32 i, count = 0;

	for (i = 0; i < 512; i++) {
		if (!(table[i] & E_PRESENT))
			require(!table[i], "entry %#llx is not present", table[i]);
		else if (!level || table[i] & E_LARGE)
			count++;
		else
			count += count_leaves(map, table_at(map, table[i]), level - 1);
	}
	return count;
}

static void compare(const struct latch_bootmap *map, const struct latch_boot *boot)
{
	u64 size, pa;
	u32 i;

	for (i = 0; i < boot->nr_chunks; i++) {
		pa = translate(map, LATCH_CORE_BASE + (u64)i * LATCH_CHUNK_SIZE, &size);
		require(pa == boot->chunk[i] && size == LATCH_CHUNK_SIZE, "chunk %u is %#llx", i,
			pa);
	}
	for (i = 0; i < plan.count; i++) {
		pa = translate(map, plan.va[i], &size);
		require(pa == plan.pa[i] && size == 4096, "%#llx is %#llx, should be %#llx",
			plan.va[i], pa, plan.pa[i]);
	}
	i = count_leaves(map, map->va, map->levels - 1);
	require(i == boot->nr_chunks + plan.count, "%u mappings instead of %u", i,
		boot->nr_chunks + plan.count);
}

int bootmap_ref_check(const struct latch_boot *boot, u64 tramp_phys, u32 levels, u32 pages)
{
	/* Exactly as many as core is told: what is written behind them is seen. */
	struct latch_bootmap map = {
		.va = calloc(pages, 4096), .pa = 0x7654321000ull, .pages = pages, .levels = levels,
	};
	u32 needed;
	int ret;

	require(map.va, "no memory");
	plan_make(boot, tramp_phys);
	needed = count_tables(boot, levels);
	ret = latch_bootmap_build(&map, boot, tramp_phys);
	require(map.used <= pages, "%u pages of %u are in use", map.used, pages);
	if (plan.conflict) {
		require(ret == -22 || (ret == -12 && pages < needed), "a conflict: %d", ret);
	} else {
		require(ret == (pages < needed ? -12 : 0), "%u pages, %u needed: %d", pages, needed,
			ret);
	}
	if (!ret) {
		require(map.used == needed, "%u pages instead of %u", map.used, needed);
		compare(&map, boot);
	}
	free(map.va);
	return ret;
}

static u64 canonical(u64 va, u32 levels)
{
	u32 shift = 64 - (12 + 9 * levels);

	return (u64)((long long)(va << shift) >> shift) & ~0xfffull;
}

/* Anywhere, or where tables are shared, or where one ends. */
static u64 pick_va(struct source *source, u32 levels)
{
	static const u64 places[] = {
		0x100000, 0x200000, 0x40000000, 0x7fffffff0000, 0xffff888000000000,
		0xffff888040000000, 0xffffffff80000000, 0xffffffff88000000, 0xffffffff90000000,
		0xffffffffa0000000, 0xffffffffc0000000, 0xfffffffffe000000, 0xffffff8000000000
	};
	u64 half = 1ull << (11 + 9 * levels), va;

	if (source_chance(source, 25))
		va = source_take(source, 8);
	else
		va = places[source_below(source, ARRAY_SIZE(places))] +
		     (source_below(source, 1024) << (source_chance(source, 80) ? 12 : 21)) -
		     (source_below(source, 512) << 12);
	va = canonical(va, levels);
	/* No range may end behind the last address, or where none is canonical. */
	if (va > 0 - ROOM)
		return 0 - ROOM;
	return va < half && va > half - ROOM ? half - ROOM : va;
}

void bootmap_ref_run(struct source *source)
{
	struct latch_boot boot;
	u32 levels = 4 + (u32)source_below(source, 2), i;

	memset(&boot, 0, sizeof(boot));
	boot.nr_chunks = 1 + (u32)source_below(source, LATCH_MAX_CHUNKS);
	for (i = 0; i < boot.nr_chunks; i++)
		boot.chunk[i] = source_take(source, 3) * LATCH_CHUNK_SIZE;
	boot.public_size = (1 + source_below(source, 300)) * 4096;
	boot.public_phys = source_take(source, 4) << 12;
	boot.public_va = pick_va(source, levels);
	boot.tramp_va = pick_va(source, levels);
	bootmap_ref_check(&boot, source_take(source, 4) << 12, levels,
			  source_chance(source, 50) ? LATCH_BOOTMAP_PAGES :
			  1 + (u32)source_below(source, LATCH_BOOTMAP_PAGES));
}
