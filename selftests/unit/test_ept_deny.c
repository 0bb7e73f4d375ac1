// SPDX-License-Identifier: GPL-2.0-only
/* core/ept.c: rights that several owners take away, and leaves that become large again. */
#include <stdlib.h>
#include <string.h>
#include "unit.h"
#include "ept_test.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

static const u64 owner[] = {
	EPT_DENY_APIC, EPT_DENY_GUARD, EPT_DENY_MODULE, EPT_DENY_NESTED, EPT_WATCH_READ,
	EPT_WATCH_WRITE, EPT_WATCH_EXEC
};

#define NR_SETS	(1u << ARRAY_SIZE(owner))

/* One of the sets of owners, by number. */
static u64 owners(u32 number)
{
	u64 bits = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(owner); i++)
		if (number >> i & 1)
			bits |= owner[i];
	return bits;
}

/* What each takes away, said in full; the reference must not be wrong either. */
static void test_rights(void **state)
{
	static const struct {
		u64 bits;
		u32 rights;
	} sets[] = {
		{ 0, EPT_RWX },
		{ EPT_DENY_APIC, EPT_READ | EPT_EXEC },
		{ EPT_DENY_GUARD, EPT_READ | EPT_EXEC },
		{ EPT_DENY_MODULE, EPT_READ | EPT_EXEC },
		{ EPT_DENY_NESTED, EPT_READ | EPT_EXEC },
		{ EPT_WATCH_WRITE, EPT_READ | EPT_EXEC },
		{ EPT_DENY_WRITE, EPT_READ | EPT_EXEC },
		{ EPT_WATCH_EXEC, EPT_READ | EPT_WRITE },
		{ EPT_WATCH_EXEC | EPT_DENY_APIC, EPT_READ },
		{ EPT_WATCH_EXEC | EPT_WATCH_WRITE, EPT_READ },
		{ EPT_WATCH_READ, 0 },
		{ EPT_WATCH_READ | EPT_DENY_MODULE, 0 },
		{ EPT_WATCH_READ | EPT_WATCH_EXEC, 0 },
		{ EPT_WATCH, 0 },
		{ EPT_DENIED, 0 },
	};
	struct ept_model model;
	struct ept_page page;
	u32 i;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		unit_context("set %u", i);
		assert_int_equal(model_deny(&model, G, 2 * G, EPT_DENIED, sets[i].bits), 0);
		page = ept_walk_page(model.ept.root, G + 0x5000);
		assert_int_equal(page.rights, sets[i].rights);
		assert_int_equal(page.denied, sets[i].bits);
		assert_int_equal(page.level, 2);
	}
	unit_context("%s", "");
	model_end(&model);
}

/* From each set of owners, with each mask, to each set. */
static void test_all_sets(void **state)
{
	u32 old, mask, bits, due;
	struct ept_model model;
	struct ept_page page;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 0x10000), 0);
	for (old = 0; old < NR_SETS; old++) {
		for (mask = 0; mask < NR_SETS; mask++) {
			for (bits = 0; bits < NR_SETS; bits++) {
				if (bits & ~mask)
					continue;
				ept_deny(&model.ept, 0x3000, 0x4000, EPT_DENIED, owners(old));
				ept_deny(&model.ept, 0x3000, 0x4000, owners(mask), owners(bits));
				page = ept_walk_page(model.ept.root, 0x3000);
				due = (old & ~mask) | bits;
				require(page.denied == owners(due) &&
					page.rights == ept_walk_rights(owners(due)) && page.pa == 0x3000 &&
					page.type == MTRR_TYPE_WB, "%#x, mask %#x, bits %#x: %#llx, rights %u",
					old, mask, bits, page.denied, page.rights);
			}
		}
	}
	ept_deny(&model.ept, 0x3000, 0x4000, EPT_DENIED, 0);
	model_end(&model);
}

static void test_ranges(void **state)
{
	static const u64 ranges[][2] = {
		{ 0, 0x1000 },				/* first page of a leaf */
		{ 0x5000, 0x6000 },
		{ G - 0x1000, G },			/* last page */
		{ G - 0x1000, G + 0x1000 },		/* over the edge of two leaves */
		{ M(2), M(4) },				/* a leaf of 2M */
		{ M(2) + 0x1000, M(4) - 0x1000 },
		{ M(2) - 0x1000, M(4) + 0x1000 },
		{ G, 2 * G },				/* a leaf of 1G */
		{ G - M2, 2 * G + M2 },
		{ G + 0x1000, 2 * G - 0x1000 },
		{ 0, 8 * G },				/* more than is mapped */
		{ G, 4 * G + 0x3000 },			/* over the hole */
		{ 3 * G, 4 * G },			/* only a hole */
		{ 3 * G - 0x1000, 4 * G + 0x3000 },	/* from inside of it */
		{ 0, BIT(48) - G },
	};
	static const u64 sets[] = {
		EPT_DENY_APIC, EPT_DENY_GUARD, EPT_DENY_MODULE, EPT_WATCH_READ, EPT_WATCH_WRITE,
		EPT_WATCH_EXEC, EPT_WATCH, EPT_WATCH_EXEC | EPT_DENY_GUARD
	};
	/* The hole is 2 GiB, and ends in the middle of where pages are compared. */
	static const u64 mapped[][2] = { { 0, 2 * G + 0x1000 }, { 4 * G + 0x1000, 5 * G } };
	static const u64 out_of_the_way[] = { BIT(48) - G, BIT(48) - G + M2 };
	struct ept_model model;
	u64 begin, end, bits;
	u32 i, set;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (set = 0; set < 2 * ARRAY_SIZE(sets); set++) {
			begin = ranges[i][0];
			end = ranges[i][1];
			bits = sets[set / 2];
			unit_context("range %u, set %u, 1G %u", i, set / 2, set % 2);
			start_at(&model, out_of_the_way, 2, set % 2, NULL);
			assert_int_equal(model_map(&model, mapped[0][0], mapped[0][1]), 0);
			assert_int_equal(model_map(&model, mapped[1][0], mapped[1][1]), 0);
			assert_int_equal(model_deny(&model, begin, end, bits, bits), 0);
			/* All others besides, and then this one gives back what is its own. */
			assert_int_equal(model_deny(&model, begin, end, EPT_DENIED & ~bits,
						    EPT_DENIED & ~bits), 0);
			assert_int_equal(model_deny(&model, begin, end, bits, 0), 0);
			assert_int_equal(model_deny(&model, begin, end, EPT_DENIED, 0), 0);
			assert_int_equal(ept_walk_denied(model.ept.root, 0, BIT(48)), 0);
			model_end(&model);
		}
	}
	unit_context("%s", "");
}

/* Ranges that overlap, given back in any order: nobody gives back what is another's. */
static void test_owners_overlap(void **state)
{
	static const struct {
		u64 start, end, bits;
	} range[] = {
		{ 0x3000, M(2) + 0x5000, EPT_DENY_GUARD },
		{ 0x4000, 0x9000, EPT_DENY_MODULE },
		{ M(2), G + M(2), EPT_WATCH_READ | EPT_WATCH_WRITE },
	};
	static const u8 orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
	};
	struct ept_model model;
	u64 left;
	u32 i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		unit_context("order %u", i);
		start(&model, true);
		assert_int_equal(model_map(&model, 0, 2 * G), 0);
		left = 0;
		for (j = 0; j < 3; j++) {
			assert_int_equal(model_deny(&model, range[j].start, range[j].end, range[j].bits,
						    range[j].bits), 0);
			left |= range[j].bits;
		}
		assert_int_equal(ept_walk_page(model.ept.root, 0x5000).denied,
				 EPT_DENY_GUARD | EPT_DENY_MODULE);
		assert_int_equal(ept_walk_page(model.ept.root, M(2)).denied,
				 EPT_DENY_GUARD | EPT_WATCH_READ | EPT_WATCH_WRITE);
		for (j = 0; j < 3; j++) {
			assert_int_equal(ept_walk_denied(model.ept.root, 0, 2 * G), left);
			assert_int_equal(model_deny(&model, 0, 2 * G, range[orders[i][j]].bits, 0), 0);
			left &= ~range[orders[i][j]].bits;
		}
		assert_int_equal(ept_walk_denied(model.ept.root, 0, 2 * G), 0);
		model_end(&model);
	}
	unit_context("%s", "");
}

/* Only what must be split is, and it is counted. */
static void test_splits(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_protect(&model, 0, G, EPT_READ), 0);
	assert_int_equal(model.ept.splits, 0);
	expect_leaves(&model, 0, 0, 2);
	assert_int_equal(model_protect(&model, G + M(2), G + M(6), EPT_READ), 0);
	assert_int_equal(model.ept.splits, 1);
	expect_leaves(&model, 0, 512, 1);
	assert_int_equal(model_protect(&model, G + M(4), G + M(6) + 0x1000, 0), 0);
	assert_int_equal(model.ept.splits, 2);
	expect_leaves(&model, 512, 511, 1);
	assert_int_equal(model_protect(&model, 0x7000, 0x8000, EPT_RWX), 0);
	assert_int_equal(model.ept.splits, 4);
	expect_leaves(&model, 1024, 1022, 0);
	model_end(&model);
}

/* Nothing to change, wherever the range ends: nothing is split, and no page is needed. */
static void test_nothing_to_change(void **state)
{
	struct ept_model model;
	u32 set;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_map(&model, 4 * G, 5 * G), 0);
	assert_int_equal(model_deny(&model, G, 2 * G, EPT_DENIED, EPT_DENY_GUARD | EPT_WATCH_EXEC), 0);
	drain(&model, 0);
	for (set = 0; set < NR_SETS; set++)
		assert_int_equal(model_deny(&model, 0x7000, 0x9000, owners(set), 0), 0);
	assert_int_equal(model_deny(&model, 0x7000, 2 * G - 0x3000, 0, 0), 0);
	assert_int_equal(model_deny(&model, G + 0x7000, G + M(4) + 0x1000, EPT_DENY_GUARD,
				    EPT_DENY_GUARD), 0);
	assert_int_equal(model_deny(&model, G + 0x7000, G + M(4) + 0x1000,
				    EPT_WATCH_EXEC | EPT_DENY_APIC, EPT_WATCH_EXEC), 0);
	/* A hole, and from there to where there is nothing to change. */
	assert_int_equal(model_deny(&model, 3 * G + 0x1000, 3 * G + 0x5000, EPT_DENIED, EPT_DENIED), 0);
	assert_int_equal(model_deny(&model, 3 * G + 0x1000, 4 * G + 0x5000, EPT_DENIED, 0), 0);
	/* Where there is something, it needs a page. */
	assert_int_equal(model_deny(&model, 4 * G + 0x1000, 4 * G + 0x5000, EPT_WATCH, EPT_WATCH_EXEC),
			 -ENOMEM);
	assert_int_equal(model.ept.splits, 0);
	expect_leaves(&model, 0, 0, 3);
	model_end(&model);
}

static void test_refusals(void **state)
{
	static const u64 chunk[] = { M(64), M(66), G + M(10) };
	static const u64 w = EPT_WATCH_WRITE;
	static const struct {
		u64 start, end, mask, bits;
	} bad[] = {
		{ 0, 0, w, w },				/* empty */
		{ 0x2000, 0x1000, w, w },
		{ 0x1800, 0x3000, w, w },		/* not aligned */
		{ 0x1000, 0x3001, w, w },
		{ 0x1000, 0x2000, EPT_RWX, 0 },		/* nobody's: the rights as such */
		{ 0x1000, 0x2000, EPT_READ, EPT_READ },
		{ 0x1000, 0x2000, BIT(3), 0 },		/* a memory type */
		{ 0x1000, 0x2000, EPT_LARGE, EPT_LARGE },
		{ 0x1000, 0x2000, 0x1000, 0x1000 },	/* another frame */
		{ 0x1000, 0x2000, EPT_PRIVATE, EPT_PRIVATE },
		{ 0x1000, 0x2000, w | EPT_PRIVATE, w },
		{ 0x1000, 0x2000, w | BIT(58), w },	/* bits that some CPUs know */
		{ 0x1000, 0x2000, BIT(58), 0 },
		{ 0x1000, 0x2000, BIT(60), BIT(60) },
		{ 0x1000, 0x2000, w | BIT(61), w },
		{ 0x1000, 0x2000, BIT(63), BIT(63) },
		{ 0x1000, 0x2000, ~0ull, 0 },
		{ 0x1000, 0x2000, 0, w },		/* not in the mask */
		{ 0x1000, 0x2000, w, EPT_DENIED },
		{ 0x1000, 0x2000, w, w | EPT_READ },
		{ 0x1000, 0x2000, EPT_DENIED, BIT(63) },
		{ 0x1000, 0x2000, EPT_DENIED & ~w, w },
		{ M(64), M(66), w, w },			/* core's, exactly */
		{ M(64), M(64) + 0x1000, w, 0 },
		{ M(66) - 0x1000, M(66), w, 0 },
		{ M(68) - 0x1000, M(68), w, w },
		{ M(64) - 0x1000, M(64) + 0x1000, w, w },
		{ M(68) - 0x1000, M(68) + 0x1000, w, w },
		{ M(64), M(64) + 0x1000, 0, 0 },	/* even to change nothing */
		{ 0, 4 * G, w, w },			/* core's inside */
		{ BIT(48), BIT(48) + 0x1000, w, w },	/* beyond 4 levels */
		{ 0, BIT(48) + 0x1000, w, w },
		{ BIT(51), BIT(52), w, w },
		{ 0x1000, -0x1000ull, w, w },
	};
	u8 *before = malloc(3 * LATCH_CHUNK_SIZE), *used;
	struct ept_model model;
	size_t size;
	u32 i;

	(void)state;
	start_at(&model, chunk, 3, true, NULL);
	assert_int_equal(model_map(&model, 0, 3 * G), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(model_hide(&model, i), 0);
	size = pool_pages() * (size_t)PAGE_SIZE;
	used = machine_memory() + 3ull * LATCH_CHUNK_SIZE - size;
	memcpy(before, used, size);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		unit_context("refusal %u", i);
		assert_int_equal(model_deny(&model, bad[i].start, bad[i].end, bad[i].mask, bad[i].bits),
				 -EINVAL);
		assert_memory_equal(before, used, size);
	}
	unit_context("%s", "");
	/* Next to core's is nobody's business. */
	assert_int_equal(model_deny(&model, M(68), M(68) + 0x1000, w, w), 0);
	assert_int_equal(model_deny(&model, M(64) - 0x1000, M(64), w, w), 0);
	model_end(&model);
	free(before);
}

/*
 * Four leaves are to be split, two at each end. With fewer pages nothing is denied, though
 * some are split; what is denied can be given back when there is no page at all. What others
 * deny stays all the time.
 */
static void test_no_memory(void **state)
{
	const u64 mask = EPT_WATCH | EPT_DENY_MODULE, bits = EPT_WATCH_READ | EPT_DENY_MODULE;
	const u64 begin = G - 0x1000, end = 4 * G + 0x1000;
	struct ept_model model;
	u32 pages, splits;

	(void)state;
	for (pages = 0; pages < 6; pages++) {
		unit_context("%u pages", pages);
		start(&model, true);
		assert_int_equal(model_map(&model, 0, 8 * G), 0);
		assert_int_equal(model_deny(&model, 0, 8 * G, EPT_DENY_GUARD, EPT_DENY_GUARD), 0);
		drain(&model, pages);
		assert_int_equal(model_deny(&model, begin, end, mask, bits), pages < 4 ? -ENOMEM : 0);
		assert_int_equal(ept_walk_denied(model.ept.root, begin, end) & mask,
				 pages < 4 ? 0 : bits);
		drain(&model, 0);
		splits = (u32)model.ept.splits;
		assert_int_equal(splits, pages < 4 ? pages : 4);
		assert_int_equal(model_deny(&model, begin, end, mask, 0), 0);
		assert_int_equal(model.ept.splits, splits);
		assert_int_equal(ept_walk_denied(model.ept.root, 0, 8 * G), EPT_DENY_GUARD);
		assert_int_equal(model_deny(&model, 0, 8 * G, EPT_DENY_GUARD, 0), 0);
		assert_int_equal(ept_walk_denied(model.ept.root, 0, 8 * G), 0);
		model_end(&model);
	}
	unit_context("%s", "");
}

/* Whatever is left of a page's rights, it is mapped; and what is not mapped has no owner. */
static void test_map_over_denied(void **state)
{
	struct ept_model model;
	u64 bits;
	u32 set;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	for (set = 1; set < NR_SETS; set++) {
		bits = owners(set);
		/* A large leaf, a small one, and one page. */
		assert_int_equal(model_deny(&model, G, 2 * G, EPT_DENIED, bits), 0);
		assert_int_equal(model_deny(&model, M2, 2 * M2, EPT_DENIED, bits), 0);
		assert_int_equal(model_deny(&model, 0x5000, 0x6000, EPT_DENIED, bits), 0);
		assert_int_equal(model_map(&model, 0, 2 * G), 0);
		assert_int_equal(model_map(&model, 0x5000, 0x6000), 0);
		assert_int_equal(model_map(&model, G + 0x5000, G + 0x6000), 0);
		expect_leaves(&model, 512, 511, 1);
		assert_int_equal(ept_walk_page(model.ept.root, G + 0x5000).denied, bits);
	}
	assert_int_equal(model_deny(&model, 2 * G, 3 * G, EPT_DENIED, EPT_DENIED), 0);
	assert_int_equal(model_map(&model, 2 * G, 3 * G), 0);
	assert_int_equal(ept_walk_page(model.ept.root, 2 * G).rights, EPT_RWX);
	model_end(&model);
}

/* A table for pages of which the guest may use none is not made twice. */
static void test_table_without_rights(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	assert_int_equal(model_protect(&model, 0, G, 0), 0);
	assert_int_equal(model_protect(&model, 0x3000, 0x4000, EPT_READ), 0);
	assert_int_equal(model.walk.tables, 4);
	expect_leaves(&model, 512, 511, 0);
	assert_int_equal(model_protect(&model, 0x4000, 0x5000, EPT_RWX), 0);
	assert_int_equal(model.walk.tables, 4);
	assert_int_equal(ept_walk_page(model.ept.root, 0x5000).denied, EPT_WATCH_READ);
	model_end(&model);
}

static void test_hide_denied_page(void **state)
{
	struct ept_model model;
	u32 set;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	for (set = 1; set < NR_SETS; set++) {
		assert_int_equal(model_deny(&model, 0x3000, 0x4000, EPT_DENIED, owners(set)), 0);
		assert_int_equal(model_hide_page(&model, 0x3000), -EBUSY);
		/* A large leaf is not split to find that out. */
		assert_int_equal(model_deny(&model, G, 2 * G, EPT_DENIED, owners(set)), 0);
		assert_int_equal(model_hide_page(&model, G + 0x3000), -EBUSY);
		assert_int_equal(model_zero_page(&model, G + 0x3000), -ENOENT);
		model_show_page(&model, G + 0x3000);
		assert_int_equal(model.walk.leaves[2], 1);
	}
	assert_int_equal(model_deny(&model, 0x3000, 0x4000, EPT_DENIED, 0), 0);
	assert_int_equal(model_hide_page(&model, 0x3000), 0);
	model_end(&model);
}

/* Neighbours change, and a page that is shown again has all rights. */
static void test_deny_over_hidden_pages(void **state)
{
	static const u64 ranges[][2] = {
		{ 0x3000, 0x4000 }, { 0x5000, 0x6000 }, { 0x2000, 0x7000 }, { 0x4000, 0x5000 },
		{ 0, M(2) }, { 0, G }, { 0, 2 * G }, { 0x3000, G + 0x1000 }
	};
	static const u64 sets[] = {
		EPT_DENY_APIC, EPT_DENY_GUARD, EPT_DENY_MODULE, EPT_WATCH_READ, EPT_WATCH_WRITE,
		EPT_WATCH_EXEC, EPT_WATCH_EXEC | EPT_WATCH_WRITE, EPT_DENIED, 0
	};
	struct ept_model model;
	u32 i, set;
	bool busy;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		unit_context("range %u", i);
		start(&model, true);
		assert_int_equal(model_map(&model, 0, 2 * G), 0);
		hide_two(&model);
		for (set = 0; set < ARRAY_SIZE(sets); set++) {
			busy = sets[set] && ranges[i][0] != 0x4000;
			assert_int_equal(model_deny(&model, ranges[i][0], ranges[i][1], EPT_DENIED,
						    sets[set]), busy ? -EBUSY : 0);
			assert_int_equal(model_map(&model, 0, 2 * G), 0);
			expect_private(&model, 1, 1);
		}
		/* Shown among denied ones. */
		assert_int_equal(model_deny(&model, 0x2000, 0x3000, EPT_WATCH, EPT_WATCH), 0);
		assert_int_equal(model_deny(&model, 0x4000, 0x5000, EPT_WATCH, EPT_WATCH), 0);
		assert_int_equal(model_deny(&model, 0x6000, G, EPT_WATCH, EPT_WATCH), 0);
		show_two(&model);
		assert_int_equal(ept_walk_page(model.ept.root, 0x3000).rights, EPT_RWX);
		assert_int_equal(ept_walk_page(model.ept.root, 0x5000).rights, EPT_RWX);
		model_end(&model);
	}
	unit_context("%s", "");
}

static void test_merge(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	/* Not split. */
	assert_false(model_merge(&model, G + 0x5000));
	assert_int_equal(model_hide_page(&model, G + M(4) + 0x3000), 0);
	assert_false(model_merge(&model, G + M(4)));
	/* 2 MiB as they were, next to those with the page. */
	assert_false(model_merge(&model, G + M(6)));
	model_show_page(&model, G + M(4) + 0x3000);
	/* By any address in it. */
	assert_true(model_merge(&model, G + M(6) - 1));
	expect_leaves(&model, 0, 512, 1);
	assert_int_equal(model.walk.tables, 3);
	assert_false(model_merge(&model, G + M(4)));
	/* And split again. */
	assert_int_equal(model_hide_page(&model, G + M(4) + 0x3000), 0);
	expect_leaves(&model, 511, 511, 1);
	/* Not mapped, at each level. */
	assert_false(model_merge(&model, 600 * G));
	assert_false(model_merge(&model, 3 * G));
	assert_int_equal(model_map(&model, 3 * G, 3 * G + M2), 0);
	assert_false(model_merge(&model, 3 * G + M2));
	model_end(&model);
}

/* Not before all have given back all pages, the first and the last too. */
static void test_merge_denied(void **state)
{
	static const u64 page[] = { M(2), M(2) + 0x7000, M(4) - 0x1000 };
	struct ept_model model;
	u32 i, set;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		for (set = 1; set < NR_SETS; set++) {
			unit_context("page %u, set %u", i, set);
			assert_int_equal(model_deny(&model, page[i], page[i] + 0x1000, EPT_DENIED,
						    owners(set)), 0);
			assert_false(model_merge(&model, page[i]));
			/* All but one. */
			assert_int_equal(model_deny(&model, page[i], page[i] + 0x1000,
						    owners(set & (set - 1)), 0), 0);
			assert_false(model_merge(&model, page[i]));
			assert_int_equal(model_deny(&model, page[i], page[i] + 0x1000, owners(set), 0), 0);
			assert_true(model_merge(&model, page[i]));
		}
	}
	unit_context("%s", "");
	/* All of it denied alike: for as long as that is so. */
	assert_int_equal(model_protect(&model, M(2), M(2) + 0x1000, EPT_READ), 0);
	assert_int_equal(model_protect(&model, M(2), M(4), EPT_READ), 0);
	assert_false(model_merge(&model, M(2)));
	assert_int_equal(model_protect(&model, M(2), M(4), 0), 0);
	assert_false(model_merge(&model, M(2)));
	assert_int_equal(model_protect(&model, M(2), M(4), EPT_RWX), 0);
	assert_true(model_merge(&model, M(2)));
	model_end(&model);
}

/* Zeros, core's, other types, holes: not what a large leaf would map. */
static void test_merge_refusals(void **state)
{
	static const u64 chunk[] = { M(8), M(64) };
	struct mtrr_state mtrr;
	struct ept_model model;

	(void)state;
	start_at(&model, chunk, 2, true, NULL);
	assert_int_equal(model_map(&model, 0, G), 0);
	assert_int_equal(model_hide(&model, 0), 0);
	assert_false(model_merge(&model, M(8)));
	assert_false(model_merge(&model, M(64)));
	hide_two(&model);
	assert_false(model_merge(&model, 0));
	model_show_page(&model, 0x3000);
	assert_false(model_merge(&model, 0));
	model_show_page(&model, 0x5000);
	mtrr_set_none(&mtrr, 46, MTRR_TYPE_WB);
	mtrr_add(&mtrr, M(2) - 0x1000, 0x1000, MTRR_TYPE_UC);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	assert_false(model_merge(&model, 0));
	mtrr_set_none(&mtrr, 46, MTRR_TYPE_WT);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	assert_true(model_merge(&model, 0));
	assert_int_equal(ept_walk_page(model.ept.root, 0x3000).type, MTRR_TYPE_WT);
	/* A hole at the end, and then none. */
	assert_int_equal(model_map(&model, 2 * G, 2 * G + M(1)), 0);
	assert_false(model_merge(&model, 2 * G));
	assert_int_equal(model_map(&model, 2 * G, 2 * G + M(2)), 0);
	assert_true(model_merge(&model, 2 * G));
	model_end(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_all_sets),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_owners_overlap),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_nothing_to_change),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_map_over_denied),
		cmocka_unit_test(test_table_without_rights),
		cmocka_unit_test(test_hide_denied_page),
		cmocka_unit_test(test_deny_over_hidden_pages),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_denied),
		cmocka_unit_test(test_merge_refusals),
	};

	return cmocka_run_group_tests_name("ept_deny", tests, NULL, NULL);
}
