// SPDX-License-Identifier: GPL-2.0-only
/* core/ept.c: single operations, each compared with the reference. */
#include <pthread.h>
#include "unit.h"
#include "ept_test.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

static void test_empty(void **state)
{
	struct ept_model model;
	u32 level;

	(void)state;
	start(&model, true);
	expect_leaves(&model, 0, 0, 0);
	assert_int_equal(model.walk.tables, 1);
	assert_int_equal(ept_lookup(&model.ept, 0, &level), 0);
	assert_int_equal(level, 3);
	model_end(&model);
}

static void test_map_4k(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0x5000, 0x9000), 0);
	expect_leaves(&model, 4, 0, 0);
	assert_int_equal(model.walk.tables, 4);
	assert_int_equal(model_map(&model, 0x9000, 0x9000), 0);
	expect_leaves(&model, 4, 0, 0);
	model_end(&model);
}

static void test_map_2m(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, false);
	assert_int_equal(model_map(&model, 0, 4 * G), 0);
	expect_leaves(&model, 0, 2048, 0);
	assert_int_equal(model.walk.tables, 6);
	model_end(&model);
}

static void test_map_1g(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 4 * G), 0);
	expect_leaves(&model, 0, 0, 4);
	assert_int_equal(model.walk.tables, 2);
	/* Over the end of a PML4 entry. */
	assert_int_equal(model_map(&model, 511 * G, 513 * G), 0);
	expect_leaves(&model, 0, 0, 6);
	assert_int_equal(model.walk.tables, 3);
	model_end(&model);
}

static void test_map_unaligned_ends(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, G - M2 - 0x3000, 2 * G + M2 + 0x2000), 0);
	expect_leaves(&model, 5, 2, 1);
	model_end(&model);
}

static void test_map_again_changes_nothing(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_protect(&model, M(4), M(4) + 0x1000, EPT_READ), 0);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	/* A range that begins inside of a leaf. */
	assert_int_equal(model_map(&model, G + 0x5000, 3 * G), 0);
	expect_leaves(&model, 512, 511, 2);
	model_end(&model);
}

/* What is mapped in a table already stays, when the rest of its GiB is mapped. */
static void test_map_around_small_pages(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, G + 0x3000, G + 0x5000), 0);
	assert_int_equal(model_protect(&model, G + 0x3000, G + 0x4000, EPT_READ), 0);
	assert_int_equal(model_map(&model, G, 2 * G), 0);
	expect_leaves(&model, 512, 511, 0);
	model_end(&model);
}

/* Leaves end where types do. */
static void test_map_types(void **state)
{
	struct mtrr_state mtrr;
	struct ept_model model;

	(void)state;
	mtrr_set_none(&mtrr, 40, MTRR_TYPE_WB);
	mtrr_set_fixed(&mtrr, 2, 0);
	mtrr_add(&mtrr, G + M(256), M(256), MTRR_TYPE_WC);
	mtrr_add(&mtrr, 3 * G, G, MTRR_TYPE_UC);
	mtrr_add(&mtrr, 4 * G + 0x3000, 0x1000, MTRR_TYPE_WT);
	start_at(&model, far_chunk, 4, true, &mtrr);
	assert_int_equal(model_map(&model, 0, 5 * G), 0);
	/* Small ones for the fixed ranges and for WT; 1 GiB where all is alike. */
	expect_leaves(&model, 1024, 511 + 512 + 511, 2);
	model_end(&model);
}

static void test_map_bad_range(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0x800, 0x3000), -EINVAL);
	assert_int_equal(model_map(&model, 0x1000, 0x3001), -EINVAL);
	assert_int_equal(model_map(&model, BIT(48), BIT(48) + 0x1000), -EINVAL);
	assert_int_equal(model_map(&model, BIT(48) - 0x1000, BIT(48)), 0);
	expect_leaves(&model, 1, 0, 0);
	model_end(&model);
}

/* Behind the last address of 4 levels is not the first one again. */
static void test_lookup_beyond_the_end(void **state)
{
	struct ept_model model;
	u32 level;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	assert_true(ept_lookup(&model.ept, 0x1000, &level) & EPT_RWX);
	assert_false(ept_lookup(&model.ept, BIT(48) + 0x1000, &level) & EPT_RWX);
	assert_false(ept_lookup(&model.ept, BIT(51), &level) & EPT_RWX);
	model_end(&model);
}

static void test_pointer(void **state)
{
	struct ept_model model;
	u64 eptp;

	(void)state;
	start(&model, true);
	eptp = ept_pointer(model.ept.root);
	/* SDM vol. 3, table 25-9: write-back, 4 levels, no accessed flags. */
	assert_int_equal(eptp & 0xfff, 6 | 3 << 3);
	assert_ptr_equal(machine_va(eptp & ~0xfffull), model.ept.root);
	model_end(&model);
}

/* Chunks at places where they can do the most harm. */
static void test_chunks(void **state)
{
	static const struct {
		u64 chunk[4];
		u32 nr_chunks;
		u64 medium_1g, large;	/* leaves of the first 4 GiB, with 1G leaves */
	} places[] = {
		{ { G, FAR }, 2, 511, 3 },			/* first of its GiB */
		{ { 2 * G - M2, FAR }, 2, 511, 3 },		/* last of its GiB */
		{ { 2 * G - M2, 2 * G }, 2, 1022, 2 },		/* adjacent, over the edge */
		{ { M(64), M(66), M(68), M(70) }, 4, 508, 3 },
		{ { M(70), M(64), M(68), M(66) }, 4, 508, 3 },	/* in no order */
		{ { 0, 4 * G - M2 }, 2, 1022, 2 },		/* first and last */
		{ { 0, M(4), M(8), M(12) }, 4, 508, 3 },	/* every other one */
		{ { G, 2 * G, 3 * G, 0 }, 4, 2044, 0 },
	};
	struct ept_model model;
	u32 i, has_1g, c;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		for (has_1g = 0; has_1g < 2; has_1g++) {
			unit_context("place %u, 1G %u", i, has_1g);
			start_at(&model, places[i].chunk, places[i].nr_chunks, has_1g, NULL);
			assert_int_equal(model_map(&model, 0, 4 * G), 0);
			c = places[i].chunk[1] == FAR ? 1 : places[i].nr_chunks;
			if (has_1g)
				expect_leaves(&model, 0, places[i].medium_1g, places[i].large);
			else
				expect_leaves(&model, 0, 2048 - c, 0);
			for (c = 0; c < places[i].nr_chunks; c++)
				assert_int_equal(model_hide(&model, c), 0);
			/* Hidden once more, mapped once more: no difference. */
			assert_int_equal(model_hide(&model, 0), 0);
			assert_int_equal(model_map(&model, 0, 4 * G), 0);
			model_end(&model);
		}
	}
}

static void test_chunk_in_mtrr_boundary(void **state)
{
	static const u64 chunk[] = { 3 * G, 3 * G - M2, M2, 0 };
	struct mtrr_state mtrr;
	struct ept_model model;
	u32 i;

	(void)state;
	mtrr_set_none(&mtrr, 39, MTRR_TYPE_WB);
	mtrr_add(&mtrr, 3 * G, G, MTRR_TYPE_UC);
	mtrr_set_fixed(&mtrr, 0, 0x0606060606060606ull);
	start_at(&model, chunk, 4, true, &mtrr);
	assert_int_equal(model_map(&model, 0, 5 * G), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(model_hide(&model, i), 0);
	mtrr.base[0] = (3 * G - M2) | MTRR_TYPE_WC;
	mtrr.mask[0] = (BIT(39) - M2) | BIT(11);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	mtrr_set_none(&mtrr, 39, MTRR_TYPE_UC);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	model_end(&model);
}

static void test_hide_unmapped(void **state)
{
	static const u64 chunk[] = { 7 * G + M2 };
	struct ept_model model;

	(void)state;
	start_at(&model, chunk, 1, true, NULL);
	assert_int_equal(model_hide(&model, 0), 0);
	assert_int_equal(model_map(&model, 7 * G, 8 * G), 0);
	expect_leaves(&model, 0, 511, 0);
	model_end(&model);
}

/* Types follow the MTRRs; denials, of whatever size, holes and hidden chunks stay. */
static void test_retype(void **state)
{
	static const u64 chunk[] = { M(2), 4 * G - M2, FAR, FAR + M2 };
	struct mtrr_state mtrr;
	struct ept_model model;

	(void)state;
	start_at(&model, chunk, 4, true, NULL);
	assert_int_equal(model_map(&model, 0, 6 * G), 0);
	assert_int_equal(model_hide(&model, 0), 0);
	assert_int_equal(model_hide(&model, 1), 0);
	assert_int_equal(model_protect(&model, M(6), M(8) + 0x1000, EPT_READ | EPT_EXEC), 0);
	assert_int_equal(model_protect(&model, G + 0x1000, G + 0x2000, 0), 0);
	assert_int_equal(model_deny(&model, M(6), M(8), EPT_DENY_APIC, EPT_DENY_APIC), 0);
	assert_int_equal(model_deny(&model, 4 * G, 5 * G, EPT_WATCH, EPT_WATCH), 0);
	mtrr_set_none(&mtrr, 46, MTRR_TYPE_UC);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	mtrr_add(&mtrr, 0, 4 * G, MTRR_TYPE_WB);
	mtrr_add(&mtrr, G + M(1), M(1), MTRR_TYPE_WC);
	/* In the middle of a large leaf that the guest has no right to. */
	mtrr_add(&mtrr, 4 * G + M(1), 0x1000, MTRR_TYPE_WP);
	mtrr_set_fixed(&mtrr, 2, 0x0100010001000100ull);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	assert_int_equal(ept_walk_page(model.ept.root, 4 * G + M(1)).type, MTRR_TYPE_WP);
	assert_int_equal(ept_walk_page(model.ept.root, 4 * G + M(1)).denied, EPT_WATCH);
	mtrr.def_type = MTRR_TYPE_WB;	/* off */
	assert_int_equal(model_retype(&model, &mtrr), 0);
	/* All that was taken away can be given back. */
	assert_int_equal(model_deny(&model, M(6), 4 * G - M2, EPT_DENIED, 0), 0);
	assert_int_equal(model_deny(&model, 4 * G, 6 * G, EPT_DENIED, 0), 0);
	assert_int_equal(ept_walk_denied(model.ept.root, 0, BIT(48)), 0);
	model_end(&model);
}

/* After any changes of the MTRRs the types are those of an EPT made afresh. */
static void retype_like_fresh(struct source *source)
{
	static const u64 sample[] = { 0, G - M2, 2 * G - M2, 3 * G - M2, 4 * G - M2 };
	u32 phys_bits = 36 + (u32)source_below(source, 17), i, rounds;
	struct mtrr_state mtrr;
	struct ept old, fresh;
	struct ept_page a, b;
	u64 gpa;

	machine_init(far_chunk, 4, 2000);
	mtrr_set_random(&mtrr, phys_bits, source);
	assert_int_equal(ept_init(&old, &mtrr, source_chance(source, 50)), 0);
	assert_int_equal(ept_map_identity(&old, 0, 5 * G), 0);
	for (rounds = 1 + (u32)source_below(source, 3); rounds; rounds--) {
		mtrr_set_random(&mtrr, phys_bits, source);
		if (ept_retype(&old, &mtrr))
			return;	/* ranges with many holes: test_exhaustion has these */
	}
	if (ept_init(&fresh, &mtrr, source_chance(source, 50)) ||
	    ept_map_identity(&fresh, 0, 5 * G))
		return;
	for (i = 0; i < ARRAY_SIZE(sample); i++)
		for (gpa = sample[i]; gpa < sample[i] + 2 * M2; gpa += PAGE_SIZE) {
			a = ept_walk_page(old.root, gpa);
			b = ept_walk_page(fresh.root, gpa);
			require(a.rights == EPT_RWX && b.rights == EPT_RWX && a.pa == gpa &&
				a.type == b.type, "%#llx: type %u, afresh %u", gpa, a.type,
				b.type);
		}
	for (i = 0; i < 20000; i++) {
		gpa = source_below(source, 5 * G) & PAGE_MASK;
		a = ept_walk_page(old.root, gpa);
		b = ept_walk_page(fresh.root, gpa);
		require(a.type == b.type, "%#llx: type %u, afresh %u", gpa, a.type, b.type);
	}
}

static void test_retype_like_fresh(void **state)
{
	(void)state;
	unit_for_seeds(60, retype_like_fresh);
}

/*
 * With every number of pages too small: -ENOMEM, and the tables are still
 * right, for the part that was done and the part that was not.
 */
static void test_exhaustion(void **state)
{
	static const u64 chunk[] = { M(64), 4 * G - M2 };
	struct mtrr_state mtrr, other;
	struct ept_model model;
	struct ept_setup setup = {
		.chunk = chunk, .nr_chunks = 2, .mtrr = &mtrr, .windows = model_windows_narrow,
	};
	u32 pages, failures;
	bool enough = false;

	(void)state;
	mtrr_set_none(&mtrr, 40, MTRR_TYPE_WB);
	other = mtrr;
	mtrr_add(&other, 0x1000, 0x1000, MTRR_TYPE_UC);
	mtrr_add(&other, 4 * G, 0x1000, MTRR_TYPE_UC);
	for (pages = 3; pages < 60; pages++) {
		setup.free_pages = pages;
		setup.has_1g = pages & 1;
		unit_context("%u pages, 1G %u", pages, setup.has_1g);
		failures = 0;
		if (model_init(&model, &setup))
			fail_msg("three pages are enough");
		failures += !!model_map(&model, 0, 5 * G);
		failures += !!model_hide(&model, 1);
		failures += !!model_hide(&model, 0);
		failures += !!model_protect(&model, M(4) - 0x1000, M(8) + 0x3000, EPT_READ);
		failures += !!model_protect(&model, G - 0x1000, 2 * G + 0x1000, 0);
		failures += !!model_deny(&model, G - 0x3000, G + 0x2000, EPT_DENY_WRITE,
					 EPT_DENY_GUARD | EPT_WATCH_WRITE);
		failures += !!model_hide_page(&model, M(16) + 0x3000);
		failures += !!model_hide_page(&model, 4 * G + 0x3000);
		failures += !!model_retype(&model, &other);
		failures += !!model_zero_page(&model, 4 * G + 0x3000);
		failures += !!model_retype(&model, &mtrr);
		failures += !!model_deny(&model, M(70), 2 * G + 0x2000, EPT_DENIED, 0);
		model_show_page(&model, 4 * G + 0x3000);
		failures += !!model_map(&model, 511 * G, 513 * G);
		enough = !failures;
		model_end(&model);
		if (pages < 10 && !failures)
			fail_msg("%u pages are never enough", pages);
	}
	assert_true(enough);
}

static void test_no_root(void **state)
{
	struct mtrr_state mtrr;
	struct ept ept;

	(void)state;
	mtrr_set_none(&mtrr, 40, MTRR_TYPE_WB);
	machine_init(far_chunk, 1, 1);
	assert_non_null(pool_alloc());
	assert_int_equal(ept_init(&ept, &mtrr, true), -ENOMEM);
}

/* The page alone, in tables of its own. */
static void test_hide_page_splits(void **state)
{
	const u64 gpa = G + M(4) + 0x3000;
	struct ept_model model;
	u32 level;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_hide_page(&model, gpa), 0);
	assert_int_equal(model.ept.splits, 2);
	expect_leaves(&model, 511, 511, 1);
	expect_private(&model, 1, 0);
	assert_int_equal(ept_lookup(&model.ept, gpa, &level) & (EPT_RWX | EPT_PRIVATE),
			 EPT_PRIVATE);
	assert_int_equal(level, 0);
	assert_int_equal(model_hide_page(&model, gpa + 0x1000), 0);
	assert_int_equal(model.ept.splits, 2);
	assert_int_equal(model_hide_page(&model, gpa + M2), 0);
	assert_int_equal(model.ept.splits, 3);
	expect_private(&model, 3, 0);
	model_show_page(&model, gpa);
	expect_leaves(&model, 511 + 511, 510, 1);
	expect_private(&model, 2, 0);
	model_end(&model);
}

static void test_hide_page_twice(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	assert_int_equal(model_hide_page(&model, 0x5000), 0);
	assert_int_equal(model_hide_page(&model, 0x5000), -EBUSY);
	assert_int_equal(model_zero_page(&model, 0x5000), 0);
	assert_int_equal(model_hide_page(&model, 0x5000), -EBUSY);
	model_show_page(&model, 0x5000);
	expect_private(&model, 0, 0);
	assert_int_equal(model_hide_page(&model, 0x5000), 0);
	expect_private(&model, 1, 0);
	model_end(&model);
}

/* First and last pages, of leaves and of all that there is, and next to core's. */
static void test_hide_page_at_edges(void **state)
{
	static const u64 chunk[] = { M(2), G - M2 };
	static const u64 page[] = {
		0, M(2) - 0x1000, M(4), G - M2 - 0x1000, G, G + M(2) - 0x1000, G + M(2),
		2 * G - 0x1000, 512 * G - 0x1000, 512 * G, BIT(48) - 0x1000
	};
	struct ept_model model;
	u32 i;

	(void)state;
	start_at(&model, chunk, 2, true, NULL);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_map(&model, 511 * G, 513 * G), 0);
	assert_int_equal(model_map(&model, BIT(48) - G, BIT(48)), 0);
	for (i = 0; i < ARRAY_SIZE(page); i++)
		assert_int_equal(model_hide_page(&model, page[i]), 0);
	expect_private(&model, ARRAY_SIZE(page), 0);
	for (i = 0; i < ARRAY_SIZE(page); i++)
		model_show_page(&model, page[i]);
	expect_private(&model, 0, 0);
	model_end(&model);
}

static void test_hide_page_of_core(void **state)
{
	static const u64 chunk[] = { M(2), M(64) };
	struct ept_model model;

	(void)state;
	start_at(&model, chunk, 2, true, NULL);
	assert_int_equal(model_map(&model, 0, G), 0);
	/* Reads as zeros already. */
	assert_int_equal(model_hide(&model, 0), 0);
	assert_int_equal(model_hide_page(&model, M(2)), -EINVAL);
	assert_int_equal(model_hide_page(&model, M(4) - 0x1000), -EINVAL);
	assert_int_equal(model_zero_page(&model, M(2)), -ENOENT);
	model_show_page(&model, M(2));
	/* Not mapped. */
	assert_int_equal(model_hide_page(&model, M(64)), -EINVAL);
	assert_int_equal(model_zero_page(&model, M(64)), -ENOENT);
	model_show_page(&model, M(64));
	expect_private(&model, 0, 0);
	model_end(&model);
}

static void test_hide_page_not_write_back(void **state)
{
	static const u8 types[] = { MTRR_TYPE_UC, MTRR_TYPE_WC, MTRR_TYPE_WT, MTRR_TYPE_WP };
	struct mtrr_state mtrr;
	struct ept_model model;
	u32 i;

	(void)state;
	mtrr_set_none(&mtrr, 40, MTRR_TYPE_WB);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		mtrr_add(&mtrr, M(2) + i * 0x2000, 0x1000, types[i]);
	mtrr_add(&mtrr, G, G, MTRR_TYPE_UC);
	start_at(&model, far_chunk, 4, true, &mtrr);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(model_hide_page(&model, M(2) + i * 0x2000), -EINVAL);
		/* Not to be hidden, whoever has taken rights away. */
		assert_int_equal(model_protect(&model, M(2) + i * 0x2000, M(2) + i * 0x2000 + 0x1000, 0),
				 0);
		assert_int_equal(model_hide_page(&model, M(2) + i * 0x2000), -EINVAL);
		assert_int_equal(model_hide_page(&model, M(2) + i * 0x2000 + 0x1000), 0);
	}
	assert_int_equal(model_hide_page(&model, G + 0x1000), -EINVAL);
	assert_int_equal(model.walk.leaves[2], 1);	/* not split for that */
	model_end(&model);
}

static void test_hide_page_not_mapped(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_hide_page(&model, 0), -EINVAL);
	assert_int_equal(model_map(&model, 0, 0x4000), 0);
	assert_int_equal(model_hide_page(&model, 0x4000), -EINVAL);
	assert_int_equal(model_hide_page(&model, M(2)), -EINVAL);
	/* Beyond the last address is not the first one. */
	assert_int_equal(model_hide_page(&model, BIT(48)), -EINVAL);
	assert_int_equal(model_hide_page(&model, BIT(51)), -EINVAL);
	assert_int_equal(model_hide_page(&model, 0), 0);
	assert_int_equal(model_zero_page(&model, BIT(48)), -ENOENT);
	model_show_page(&model, BIT(48));
	expect_private(&model, 1, 0);
	model_end(&model);
}

/* Two tables are needed. With less there is an error, and no page has changed. */
static void test_hide_page_no_memory(void **state)
{
	struct ept_model model;
	u32 pages;

	(void)state;
	for (pages = 0; pages < 4; pages++) {
		unit_context("%u pages", pages);
		start(&model, true);
		assert_int_equal(model_map(&model, 0, G), 0);
		drain(&model, pages);
		assert_int_equal(model_hide_page(&model, 0x3000), pages < 2 ? -ENOMEM : 0);
		assert_int_equal(model_hide_page(&model, 0x3000), pages < 2 ? -ENOMEM : -EBUSY);
		expect_private(&model, pages >= 2, 0);
		/* Nothing is needed in a table that is there, nor to zero and to show. */
		drain(&model, 0);
		assert_int_equal(model_hide_page(&model, 0x7000), pages < 2 ? -ENOMEM : 0);
		assert_int_equal(model_zero_page(&model, 0x3000), pages < 2 ? -ENOENT : 0);
		model_show_page(&model, 0x3000);
		model_show_page(&model, 0x7000);
		expect_private(&model, 0, 0);
		model_end(&model);
	}
	unit_context("%s", "");
}

static void test_zero_page(void **state)
{
	struct ept_model model;
	u64 entry;
	u32 level;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	assert_int_equal(model_hide_page(&model, 0x3000), 0);
	assert_int_equal(model_zero_page(&model, 0x3000), 0);
	expect_private(&model, 0, 1);
	entry = ept_lookup(&model.ept, 0x3000, &level);
	assert_int_equal(entry & (EPT_RWX | EPT_PRIVATE), EPT_READ | EPT_PRIVATE);
	assert_ptr_equal(machine_va(entry & EPT_ADDRESS), model.zeros);
	assert_int_equal(model_zero_page(&model, 0x3000), 0);
	expect_private(&model, 0, 1);
	model_show_page(&model, 0x3000);
	expect_private(&model, 0, 0);
	assert_int_equal(model_zero_page(&model, 0x3000), -ENOENT);
	model_end(&model);
}

/* Refused, whatever else the page is, and no leaf is split for it. */
static void test_zero_or_show_page_not_hidden(void **state)
{
	static const u64 page[] = { 0x2000, 0x3000, 0x4000, G + 0x3000, 3 * G, BIT(48), BIT(51) };
	struct ept_model model;
	u64 splits;
	u32 i;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_protect(&model, 0x3000, 0x4000, 0), 0);
	assert_int_equal(model_protect(&model, 0x4000, 0x5000, EPT_READ), 0);
	assert_int_equal(model_hide_page(&model, 0), 0);
	splits = model.ept.splits;
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		unit_context("page %u", i);
		assert_int_equal(model_zero_page(&model, page[i]), -ENOENT);
		model_show_page(&model, page[i]);
	}
	unit_context("%s", "");
	assert_int_equal(model.ept.splits, splits);
	expect_private(&model, 1, 0);
	model_end(&model);
}

static void test_map_over_hidden_pages(void **state)
{
	struct ept_model model;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 0x10000), 0);
	hide_two(&model);
	assert_int_equal(model_map(&model, 0x3000, 0x4000), 0);
	assert_int_equal(model_map(&model, 0x5000, 0x6000), 0);
	/* All around is mapped, without any right, and with all again. */
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	expect_leaves(&model, 510, 511, 1);
	assert_int_equal(model_protect(&model, 0, M(2), 0), -EBUSY);
	assert_int_equal(model_protect(&model, 0, 0x3000, 0), 0);
	assert_int_equal(model_protect(&model, 0x4000, 0x5000, 0), 0);
	assert_int_equal(model_protect(&model, 0x6000, M(2), 0), 0);
	assert_int_equal(model_map(&model, 0, M(2)), 0);
	expect_leaves(&model, 510, 511, 1);
	assert_int_equal(model_protect(&model, 0, M(2), EPT_RWX), 0);
	assert_int_equal(model_map(&model, 0, M(2)), 0);
	expect_leaves(&model, 510, 511, 1);
	show_two(&model);
	model_end(&model);
}

/* Private pages have the type they had until they are shown, by the MTRRs as they are then. */
static void test_retype_with_hidden_pages(void **state)
{
	struct mtrr_state mtrr;
	struct ept_model model;
	struct ept_page page;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	hide_two(&model);
	assert_int_equal(model_hide_page(&model, G + 0x3000), 0);
	mtrr_set_none(&mtrr, 46, MTRR_TYPE_UC);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	expect_private(&model, 2, 1);
	model_show_page(&model, G + 0x3000);
	page = ept_walk_page(model.ept.root, G + 0x3000);
	assert_int_equal(page.type, MTRR_TYPE_UC);
	assert_int_equal(page.rights, EPT_RWX);
	assert_int_equal(model_hide_page(&model, G + 0x3000), -EINVAL);
	/* Zeros are core's memory, which is WB whatever the MTRRs say about the page. */
	assert_int_equal(model_zero_page(&model, 0x3000), 0);
	mtrr_add(&mtrr, 0x3000, 0x1000, MTRR_TYPE_WT);
	mtrr_add(&mtrr, 0x5000, 0x1000, MTRR_TYPE_WB);
	assert_int_equal(model_retype(&model, &mtrr), 0);
	expect_private(&model, 0, 2);
	model_show_page(&model, 0x3000);
	model_show_page(&model, 0x5000);
	assert_int_equal(ept_walk_page(model.ept.root, 0x3000).type, MTRR_TYPE_WT);
	assert_int_equal(ept_walk_page(model.ept.root, 0x5000).type, MTRR_TYPE_WB);
	assert_int_equal(model_hide_page(&model, 0x5000), 0);
	model_end(&model);
}

/* Large leaves, with rights or without, and private pages are not tables to be given back. */
static void test_destroy(void **state)
{
	struct mtrr_state mtrr;
	struct ept_model model;
	struct ept ept;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 5 * G + 0x5000), 0);
	assert_int_equal(model_protect(&model, 2 * G + M(4), 2 * G + M(6), EPT_READ), 0);
	assert_int_equal(model_protect(&model, 3 * G, 4 * G, 0), 0);
	hide_two(&model);
	pool_free(model.zero_table);
	pool_free(model.zeros);
	model.other_pages = 0;
	model_end(&model);
	expect_whole_pool();
	/* One that never came to be, and one that is gone. */
	mtrr_set_none(&mtrr, 40, MTRR_TYPE_WB);
	assert_int_equal(ept_init(&ept, &mtrr, true), -ENOMEM);
	ept_destroy(&ept);
	ept_destroy(&model.ept);
	assert_int_equal(pool_free_pages(), 0);
}

/*
 * Another CPU walks the tables while leaves are split, denied and hidden. It may see
 * the old rights or the new ones, and nothing else at any time.
 */
static struct {
	const u64 *root;
	u64 zeros;
	u32 stop;
	u64 walks, bad_gpa;
} reader;

#define DENIED_BY_BOTH	(EPT_DENY_GUARD | EPT_WATCH_READ)

static bool reader_may_see(u64 gpa, const struct ept_page *page)
{
	if (page->private)
		return gpa % M2 == 0x9000 &&
		       (!page->rights || (page->rights == EPT_READ && page->pa == reader.zeros));
	/* Nor the bits of some owners without what these take away. */
	return page->pa == gpa && page->type == MTRR_TYPE_WB &&
	       page->rights == ept_walk_rights(page->denied) &&
	       (!page->denied ||
		(gpa % M2 == 0x5000 && (page->denied == EPT_DENY_GUARD || page->denied == DENIED_BY_BOTH)));
}

static void *walk_all_the_time(void *arg)
{
	struct source source = source_seed(1);
	struct ept_page page;
	u64 gpa;

	(void)arg;
	while (!__atomic_load_n(&reader.stop, __ATOMIC_ACQUIRE)) {
		gpa = source_below(&source, 16 * M2) & PAGE_MASK;
		/* Those that change, as often as all the others. */
		if (source_chance(&source, 50))
			gpa = (gpa & ~(M2 - 1)) + (source_chance(&source, 50) ? 0x5000 : 0x9000);
		page = ept_walk_page(reader.root, gpa);
		if (!reader_may_see(gpa, &page))
			__atomic_store_n(&reader.bad_gpa, gpa | 1, __ATOMIC_RELEASE);
		__atomic_add_fetch(&reader.walks, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void deny_under_reader(void)
{
	struct ept_model model;
	pthread_t thread;
	u64 gpa;

	start(&model, true);
	assert_int_equal(model_map(&model, 0, G), 0);
	reader.root = model.ept.root;
	reader.zeros = pool_pa(model.zeros);
	reader.stop = 0;
	reader.walks = 0;
	assert_int_equal(pthread_create(&thread, NULL, walk_all_the_time, NULL), 0);
	while (__atomic_load_n(&reader.walks, __ATOMIC_RELAXED) < 1000)
		;
	for (gpa = 0; gpa < 16 * M2; gpa += M2) {
		ept_deny(&model.ept, gpa + 0x5000, gpa + 0x6000, EPT_DENY_GUARD, EPT_DENY_GUARD);
		ept_deny(&model.ept, gpa + 0x5000, gpa + 0x6000, EPT_WATCH, EPT_WATCH_READ);
		ept_deny(&model.ept, gpa + 0x5000, gpa + 0x6000, DENIED_BY_BOTH, 0);
		ept_hide_page(&model.ept, gpa + 0x9000);
		ept_zero_page(&model.ept, gpa + 0x9000, reader.zeros);
		ept_show_page(&model.ept, gpa + 0x9000);
	}
	__atomic_store_n(&reader.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	require(!reader.bad_gpa, "a CPU saw %#llx wrong", reader.bad_gpa & ~1ull);
	model_end(&model);
}

static void test_seen_by_other_cpu(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 150; i++)
		deny_under_reader();
}

static void random_narrow(struct source *source)
{
	ept_ops_run(source, model_windows_narrow, 40);
}

static void random_wide(struct source *source)
{
	ept_ops_run(source, model_windows_wide, 25);
}

static void test_random_operations(void **state)
{
	(void)state;
	unit_for_seeds(70, random_narrow);
}

static void test_random_operations_wide(void **state)
{
	(void)state;
	unit_for_seeds(3, random_wide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_map_4k),
		cmocka_unit_test(test_map_2m),
		cmocka_unit_test(test_map_1g),
		cmocka_unit_test(test_map_unaligned_ends),
		cmocka_unit_test(test_map_again_changes_nothing),
		cmocka_unit_test(test_map_around_small_pages),
		cmocka_unit_test(test_map_types),
		cmocka_unit_test(test_map_bad_range),
		cmocka_unit_test(test_lookup_beyond_the_end),
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_chunk_in_mtrr_boundary),
		cmocka_unit_test(test_hide_unmapped),
		cmocka_unit_test(test_retype),
		cmocka_unit_test(test_retype_like_fresh),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_no_root),
		cmocka_unit_test(test_hide_page_splits),
		cmocka_unit_test(test_hide_page_twice),
		cmocka_unit_test(test_hide_page_at_edges),
		cmocka_unit_test(test_hide_page_of_core),
		cmocka_unit_test(test_hide_page_not_write_back),
		cmocka_unit_test(test_hide_page_not_mapped),
		cmocka_unit_test(test_hide_page_no_memory),
		cmocka_unit_test(test_zero_page),
		cmocka_unit_test(test_zero_or_show_page_not_hidden),
		cmocka_unit_test(test_map_over_hidden_pages),
		cmocka_unit_test(test_retype_with_hidden_pages),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_seen_by_other_cpu),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_random_operations_wide),
	};

	return cmocka_run_group_tests_name("ept", tests, NULL, NULL);
}
