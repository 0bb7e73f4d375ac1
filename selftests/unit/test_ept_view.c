// SPDX-License-Identifier: GPL-2.0-only
/* core/ept.c: tables that are filled page by page, and with what others map. */
#include "unit.h"
#include "ept_test.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

static void view_start(struct ept *view, u32 free_pages)
{
	struct mtrr_state mtrr;

	/* Types come from no MTRR: these would make it all UC. */
	mtrr_set_none(&mtrr, 46, MTRR_TYPE_UC);
	machine_init(far_chunk, 1, free_pages);
	assert_int_equal(ept_init(view, &mtrr, true), 0);
}

static void expect_page(const struct ept *view, u64 gpa, u64 pa, u64 rights)
{
	struct ept_page page = ept_walk_page(view->root, gpa);

	require(page.rights == rights && !page.private, "%#llx has rights %u", gpa, page.rights);
	require(!rights || (page.pa == pa && page.type == MTRR_TYPE_WB && !page.level),
		"%#llx maps %#llx, type %u, level %u", gpa, page.pa, page.type, page.level);
}

/* All of one leaf, bit by bit: nothing that @leaf does not say. */
static void expect_leaf(const struct ept *view, u64 gpa, u32 level, u64 leaf)
{
	struct ept_page page = ept_walk_page(view->root, gpa);
	u64 entry;
	u32 at;

	entry = ept_lookup(view, gpa, &at);
	require(entry == leaf && at == level, "%#llx: leaf %#llx, level %u; should be %#llx, %u", gpa,
		entry, at, leaf, level);
	require(page.level == level && page.rights == (leaf & EPT_RWX) && !page.private && !page.denied,
		"%#llx: rights %u, level %u", gpa, page.rights, page.level);
}

static u64 leaf_of(u64 pa, u64 rights, u64 type, u32 level)
{
	return pa | rights | type << 3 | (level ? 1 << 7 : 0);
}

static void test_map_page(void **state)
{
	struct ept view;

	(void)state;
	view_start(&view, 20);
	assert_int_equal(ept_map_page(&view, 0x5000, 0x5000, EPT_READ), 0);
	assert_int_equal(pool_free_pages(), 20 - 4);
	assert_int_equal(ept_map_page(&view, 0x6000, 3 * G + 0x7000, EPT_READ | EPT_WRITE), 0);
	assert_int_equal(pool_free_pages(), 20 - 4);
	/* A frame of core's, as tables of a view's own are. */
	assert_int_equal(ept_map_page(&view, BIT(48) - 0x1000, FAR, EPT_READ | EPT_EXEC), 0);
	expect_page(&view, 0x5000, 0x5000, EPT_READ);
	expect_page(&view, 0x6000, 3 * G + 0x7000, EPT_READ | EPT_WRITE);
	expect_page(&view, BIT(48) - 0x1000, FAR, EPT_READ | EPT_EXEC);
	expect_page(&view, 0x4000, 0, 0);
	expect_page(&view, 0x7000, 0, 0);
	/* Once more: refused, and it stays as it was. */
	assert_int_equal(ept_map_page(&view, 0x5000, 0x5000, EPT_READ), -EBUSY);
	assert_int_equal(ept_map_page(&view, 0x5000, 0x9000, EPT_RWX), -EBUSY);
	expect_page(&view, 0x5000, 0x5000, EPT_READ);
	ept_destroy(&view);
	assert_null(view.root);
	expect_whole_pool();
}

/* Tables are missing at any level: -ENOMEM, nothing is mapped there, and it can all go. */
static void test_map_page_no_memory(void **state)
{
	struct ept view;
	u32 pages;

	(void)state;
	for (pages = 2; pages < 10; pages++) {
		unit_context("%u pages", pages);
		view_start(&view, pages);
		assert_int_equal(ept_map_page(&view, 0x5000, 0x5000, EPT_RWX),
				 pages < 4 ? -ENOMEM : 0);
		assert_int_equal(ept_map_page(&view, 600 * G, G, EPT_READ),
				 pages < 7 ? -ENOMEM : 0);
		expect_page(&view, 0x5000, 0x5000, pages < 4 ? 0 : EPT_RWX);
		expect_page(&view, 600 * G, G, pages < 7 ? 0 : EPT_READ);
		ept_destroy(&view);
		expect_whole_pool();
	}
	unit_context("%s", "");
}

/* At the level of the leaf, where nothing smaller is in the way. */
static void test_copy_leaf(void **state)
{
	static const u64 gpa[] = { 0x7000, 5 * G + M(6) + 0x3000, 600 * G + M(8) + 0x1000 };
	struct ept view;
	u64 pa, base;
	u32 level;

	(void)state;
	view_start(&view, 20);
	for (level = 0; level < 3; level++) {
		/* Not to itself, so that it is seen what comes from where. */
		base = gpa[level] & ~(ept_level_size(level) - 1);
		pa = 3 * G + base;
		assert_int_equal(ept_copy_leaf(&view, gpa[level],
					       leaf_of(pa, EPT_RWX, MTRR_TYPE_WP, level), level,
					       EPT_READ | EPT_EXEC), 0);
		expect_leaf(&view, base, level,
			    leaf_of(pa, EPT_READ | EPT_EXEC, MTRR_TYPE_WP, level));
		expect_leaf(&view, base + ept_level_size(level) - PAGE_SIZE, level,
			    leaf_of(pa, EPT_READ | EPT_EXEC, MTRR_TYPE_WP, level));
		assert_false(ept_walk_page(view.root, base - PAGE_SIZE).mapped);
		assert_false(ept_walk_page(view.root, base + ept_level_size(level)).mapped);
	}
	/* The root; 3, 2 and 1 tables. */
	assert_int_equal(pool_free_pages(), 20 - 1 - 3 - 1 - 1);
	ept_destroy(&view);
	expect_whole_pool();
}

/* Whose page it is, and who takes rights away from it, is not this view's business. */
static void test_copy_leaf_of_owners(void **state)
{
	static const u64 rights[] = { EPT_READ, EPT_READ | EPT_WRITE, EPT_READ | EPT_EXEC, EPT_RWX };
	struct ept_model model;
	struct ept view;
	u64 entry;
	u32 level, i;

	(void)state;
	start(&model, true);
	assert_int_equal(model_map(&model, 0, 2 * G), 0);
	assert_int_equal(model_deny(&model, G, 2 * G, EPT_DENIED, EPT_DENIED), 0);
	assert_int_equal(model_deny(&model, M(4), M(6), EPT_DENIED, EPT_DENY_GUARD), 0);
	assert_int_equal(ept_init(&view, &model.mtrr, true), 0);
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		entry = ept_lookup(&model.ept, G + 0x5000, &level);
		assert_int_equal(ept_copy_leaf(&view, G + 0x5000, entry, level, rights[i]), 0);
		expect_leaf(&view, G, 2, leaf_of(G, rights[i], MTRR_TYPE_WB, 2));
		entry = ept_lookup(&model.ept, M(4) + 0x5000, &level);
		assert_int_equal(ept_copy_leaf(&view, M(4) + 0x5000, entry, level, rights[i]), 0);
		expect_leaf(&view, M(4), 1, leaf_of(M(4), rights[i], MTRR_TYPE_WB, 1));
	}
	ept_destroy(&view);
	model_end(&model);
}

/* Where there are smaller leaves these stay, and as much of a large one comes as one of these. */
static void test_copy_leaf_beside_smaller(void **state)
{
	const u64 gib = leaf_of(8 * G, EPT_RWX, MTRR_TYPE_WT, 2);
	const u64 page = leaf_of(0x9000, EPT_READ, MTRR_TYPE_WB, 0);
	struct ept view;

	(void)state;
	view_start(&view, 20);
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x3000, page, 0, EPT_READ), 0);
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x6000, gib, 2, EPT_RWX), 0);
	expect_leaf(&view, G + M(4) + 0x3000, 0, page);
	expect_leaf(&view, G + M(4) + 0x6000, 0,
		    leaf_of(8 * G + M(4) + 0x6000, EPT_RWX, MTRR_TYPE_WT, 0));
	expect_leaf(&view, G + M(4) + 0x5000, 0, 0);
	expect_leaf(&view, G + M(4) + 0x7000, 0, 0);
	/* Other 2 MiB of that GiB, from an address that is not where they begin. */
	assert_int_equal(ept_copy_leaf(&view, G + M(9), gib, 2, EPT_READ), 0);
	expect_leaf(&view, G + M(8), 1, leaf_of(8 * G + M(8), EPT_READ, MTRR_TYPE_WT, 1));
	expect_leaf(&view, G + M(6), 1, 0);
	expect_leaf(&view, G + M(10), 1, 0);
	/* The page is replaced as well, alone. */
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x3000, gib, 2, EPT_RWX), 0);
	expect_leaf(&view, G + M(4) + 0x3000, 0,
		    leaf_of(8 * G + M(4) + 0x3000, EPT_RWX, MTRR_TYPE_WT, 0));
	/* A leaf of 2 MiB of which one page is there already. */
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x1ff000,
				       leaf_of(M(6), EPT_RWX, MTRR_TYPE_WB, 1), 1, EPT_READ), 0);
	expect_leaf(&view, G + M(4) + 0x1ff000, 0, leaf_of(M(8) - 0x1000, EPT_READ, MTRR_TYPE_WB, 0));
	assert_int_equal(pool_free_pages(), 20 - 4);
	ept_destroy(&view);
	expect_whole_pool();
}

/* One page of a larger leaf: that is split, and all else of it stays. */
static void test_copy_leaf_into_larger(void **state)
{
	const u64 gib = leaf_of(8 * G, EPT_READ | EPT_EXEC, MTRR_TYPE_WT, 2);
	const u64 page = leaf_of(0x9000, EPT_READ | EPT_WRITE, MTRR_TYPE_WB, 0);
	struct ept view;

	(void)state;
	view_start(&view, 20);
	assert_int_equal(ept_copy_leaf(&view, G, gib, 2, EPT_READ | EPT_EXEC), 0);
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x3000, page, 0, EPT_READ | EPT_WRITE), 0);
	assert_int_equal(view.splits, 2);
	expect_leaf(&view, G + M(4) + 0x3000, 0, page);
	expect_leaf(&view, G + M(4) + 0x2000, 0,
		    leaf_of(8 * G + M(4) + 0x2000, EPT_READ | EPT_EXEC, MTRR_TYPE_WT, 0));
	expect_leaf(&view, G + M(4) + 0x4000, 0,
		    leaf_of(8 * G + M(4) + 0x4000, EPT_READ | EPT_EXEC, MTRR_TYPE_WT, 0));
	expect_leaf(&view, G + M(6), 1, leaf_of(8 * G + M(6), EPT_READ | EPT_EXEC, MTRR_TYPE_WT, 1));
	/* Once more, and once more with other rights: in its place. */
	assert_int_equal(ept_copy_leaf(&view, G + M(4) + 0x3000, page, 0, EPT_RWX), 0);
	expect_leaf(&view, G + M(4) + 0x3000, 0, page | EPT_RWX);
	assert_int_equal(view.splits, 2);
	assert_int_equal(pool_free_pages(), 20 - 4);
	ept_destroy(&view);
	expect_whole_pool();
}

/* Tables are missing at any level: -ENOMEM, and what was mapped still is. */
static void test_copy_leaf_no_memory(void **state)
{
	const u64 gib = leaf_of(0, EPT_RWX, MTRR_TYPE_WB, 2);
	const u64 page = leaf_of(FAR, EPT_READ, MTRR_TYPE_WB, 0);
	struct ept_page one, other;
	struct ept view;
	u32 pages;

	(void)state;
	/* One for the root. */
	for (pages = 1; pages < 9; pages++) {
		unit_context("%u pages", pages);
		view_start(&view, pages);
		assert_int_equal(ept_copy_leaf(&view, 0x5000, gib, 2, EPT_RWX), pages < 2 ? -ENOMEM : 0);
		assert_int_equal(ept_copy_leaf(&view, 0x5000, page, 0, EPT_READ),
				 pages < 4 ? -ENOMEM : 0);
		assert_int_equal(pool_free_pages(), pages < 4 ? 0 : pages - 4);
		one = ept_walk_page(view.root, 0x5000);
		other = ept_walk_page(view.root, 0x6000);
		assert_int_equal(one.rights, pages < 2 ? 0 : pages < 4 ? EPT_RWX : EPT_READ);
		assert_int_equal(one.pa, pages < 2 ? 0 : pages < 4 ? 0x5000 : FAR);
		assert_int_equal(other.rights, pages < 2 ? 0 : EPT_RWX);
		assert_int_equal(other.pa, pages < 2 ? 0 : 0x6000);
		ept_destroy(&view);
		expect_whole_pool();
	}
	unit_context("%s", "");
}

/* One page, whichever way it came; neighbours stay, and no memory is needed. */
static void test_unmap_page(void **state)
{
	struct ept view;

	(void)state;
	view_start(&view, 4);
	assert_int_equal(ept_map_page(&view, 0x5000, 0x5000, EPT_READ), 0);
	assert_int_equal(ept_map_page(&view, 0x6000, FAR, EPT_RWX), 0);
	assert_int_equal(ept_copy_leaf(&view, 0x7000, leaf_of(0x7000, EPT_RWX, MTRR_TYPE_WB, 0), 0,
				       EPT_READ), 0);
	assert_int_equal(ept_copy_leaf(&view, 0x8000, leaf_of(0, EPT_RWX, MTRR_TYPE_WB, 2), 2,
				       EPT_READ), 0);
	assert_int_equal(pool_free_pages(), 0);
	ept_unmap_page(&view, 0x6000);
	expect_leaf(&view, 0x6000, 0, 0);
	ept_unmap_page(&view, 0x7000);
	expect_leaf(&view, 0x7000, 0, 0);
	expect_page(&view, 0x5000, 0x5000, EPT_READ);
	expect_page(&view, 0x8000, 0x8000, EPT_READ);
	/* What is not mapped stays so; and now there is room for something else. */
	ept_unmap_page(&view, 0x6000);
	expect_leaf(&view, 0x6000, 0, 0);
	assert_int_equal(ept_map_page(&view, 0x6000, 0x9000, EPT_READ), 0);
	expect_page(&view, 0x6000, 0x9000, EPT_READ);
	ept_destroy(&view);
	expect_whole_pool();
}

/* 512 pages in a row that are no 2 MiB: a frame does not begin where the first one does. */
static void test_merge_not_aligned(void **state)
{
	struct ept view;
	u64 gpa;

	(void)state;
	view_start(&view, 20);
	for (gpa = M(2); gpa < M(4); gpa += PAGE_SIZE)
		assert_int_equal(ept_map_page(&view, gpa, gpa + 0x1000, EPT_RWX), 0);
	assert_null(ept_merge(&view, M(2)));
	expect_page(&view, M(2), M(2) + 0x1000, EPT_RWX);
	for (gpa = M(2); gpa < M(4); gpa += PAGE_SIZE) {
		ept_unmap_page(&view, gpa);
		assert_int_equal(ept_map_page(&view, gpa, gpa + G, EPT_RWX), 0);
	}
	pool_free(ept_merge(&view, M(2)));
	expect_leaf(&view, M(4) - 0x1000, 1, leaf_of(G + M(2), EPT_RWX, MTRR_TYPE_WB, 1));
	ept_destroy(&view);
	expect_whole_pool();
}

/* Pages of a view at any addresses, against a list of them. */
static void random_view(struct source *source)
{
	struct { u64 gpa, pa, rights; } list[60];
	u32 i, j, count = 0, free_pages = 1 + (u32)source_below(source, 150);
	u64 gpa, pa, rights;
	struct ept view;
	int ret;

	view_start(&view, free_pages);
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		/* Near to each other, and far from it. */
		gpa = (source_below(source, 8) << 12 * (1 + source_below(source, 3)) &
		       (BIT(48) - 1)) + source_below(source, 4) * PAGE_SIZE;
		pa = source_below(source, BIT(52)) & PAGE_MASK;
		rights = 1 + 2 * source_below(source, 4);
		for (j = 0; j < count && list[j].gpa != gpa; j++)
			;
		ret = ept_map_page(&view, gpa, pa, rights);
		require(j < count ? ret == -EBUSY : !ret || (ret == -ENOMEM && !pool_free_pages()),
			"map_page(%#llx) returned %d", gpa, ret);
		if (!ret) {
			list[count].gpa = gpa;
			list[count].pa = pa;
			list[count++].rights = rights;
		}
	}
	for (j = 0; j < count; j++)
		expect_page(&view, list[j].gpa, list[j].pa, list[j].rights);
	ept_destroy(&view);
	expect_whole_pool();
}

static void test_random_view(void **state)
{
	(void)state;
	unit_for_seeds(300, random_view);
}

/*
 * Any pages and leaves that come, and pages that go, against an array of what each page
 * of a few windows should be: frame, type, rights, and the level of its entry.
 */
#define WINDOW_PAGES	1024

static const u64 window_start[] = { 0, G - M2, 512 * G - M2 };

static struct {
	struct ept view;
	struct ept_page page[ARRAY_SIZE(window_start)][WINDOW_PAGES];
} filled;

static void expect_windows(void)
{
	struct ept_page page, *due;
	u32 window, i;
	u64 gpa;

	for (window = 0; window < ARRAY_SIZE(window_start); window++) {
		for (i = 0; i < WINDOW_PAGES; i++) {
			gpa = window_start[window] + i * PAGE_SIZE;
			due = &filled.page[window][i];
			page = ept_walk_page(filled.view.root, gpa);
			require(page.mapped == due->mapped && page.rights == due->rights &&
				page.pa == due->pa && page.type == due->type && page.level == due->level &&
				!page.private && !page.denied,
				"%#llx: rights %u, frame %#llx, type %u, level %u; should be %u, %#llx, %u, %u",
				gpa, page.rights, page.pa, page.type, page.level, due->rights, due->pa,
				due->type, due->level);
		}
	}
}

/* Level of the entry for @other when there is a table for @gpa, but not down to below @level. */
static u32 level_beside(u64 gpa, u64 other, u32 level)
{
	while (gpa >> (12 + 9 * (level + 1)) != other >> (12 + 9 * (level + 1)))
		level++;
	return level;
}

/* The way to @gpa is made down to @level; there is now @leaf, or still nothing new if NULL. */
static void change_windows(u64 gpa, u32 level, const struct ept_page *leaf)
{
	u64 other, mask = (1ull << (12 + 9 * level)) - 1;
	struct ept_page *page;
	u32 window, i, beside;

	for (window = 0; window < ARRAY_SIZE(window_start); window++) {
		for (i = 0; i < WINDOW_PAGES; i++) {
			other = window_start[window] + i * PAGE_SIZE;
			page = &filled.page[window][i];
			beside = level_beside(gpa, other, level);
			if (page->level > beside)
				page->level = beside;
			if (!leaf || (gpa & ~mask) != (other & ~mask))
				continue;
			*page = *leaf;
			page->level = level;
			if (leaf->mapped)
				page->pa = leaf->pa + (other & mask);
		}
	}
}

static u64 pick_gpa(struct source *source)
{
	return window_start[source_below(source, ARRAY_SIZE(window_start))] +
	       source_below(source, WINDOW_PAGES) * PAGE_SIZE;
}

static u64 pick_view_rights(struct source *source)
{
	static const u64 rights[] = {
		EPT_READ, EPT_READ | EPT_WRITE, EPT_READ | EPT_EXEC, EPT_RWX, EPT_EXEC
	};

	return rights[source_below(source, ARRAY_SIZE(rights))];
}

/* A leaf as the guest's EPT may have it, @pa aligned; there it has other rights, and owners. */
static u64 pick_leaf(struct source *source, u32 level, u64 *pa, u8 *type)
{
	static const u8 types[] = {
		MTRR_TYPE_UC, MTRR_TYPE_WC, MTRR_TYPE_WT, MTRR_TYPE_WP, MTRR_TYPE_WB
	};

	*pa = source_below(source, BIT(52)) & ~(ept_level_size(level) - 1);
	*type = types[source_below(source, ARRAY_SIZE(types))];
	return leaf_of(*pa, source_below(source, 8), *type, level) |
	       (source_take(source, 8) & EPT_WALK_DENIED);
}

static void random_copy(struct source *source)
{
	u64 gpa = pick_gpa(source), rights = pick_view_rights(source), leaf, pa;
	u32 level = (u32)source_below(source, 3), free_pages = pool_free_pages();
	u32 at = ept_walk_page(filled.view.root, gpa).level, due = at < level ? at : level;
	struct ept_page page = { .mapped = true, .rights = (u32)rights };
	int ret;

	leaf = pick_leaf(source, level, &pa, &page.type);
	ret = ept_copy_leaf(&filled.view, gpa, leaf, level, rights);
	require(ret == (free_pages < at - due ? -ENOMEM : 0), "copy_leaf(%#llx) returned %d", gpa, ret);
	/* The part of it that is as large as an entry is there. */
	page.pa = pa + (gpa & (ept_level_size(level) - 1) & ~(ept_level_size(due) - 1));
	if (ret)
		change_windows(gpa, at - free_pages, NULL);
	else
		change_windows(gpa, due, &page);
}

static void random_map(struct source *source)
{
	u64 gpa = pick_gpa(source), rights = pick_view_rights(source);
	struct ept_page page = {
		.mapped = true, .rights = (u32)rights, .type = MTRR_TYPE_WB,
		.pa = source_below(source, BIT(52)) & PAGE_MASK,
	};
	struct ept_page old = ept_walk_page(filled.view.root, gpa);
	u32 free_pages = pool_free_pages();
	int due = free_pages < old.level ? -ENOMEM : old.mapped ? -EBUSY : 0;
	int ret = ept_map_page(&filled.view, gpa, page.pa, rights);

	require(ret == due, "map_page(%#llx) returned %d, not %d", gpa, ret, due);
	change_windows(gpa, ret == -ENOMEM ? old.level - free_pages : 0, ret ? NULL : &page);
}

static void random_unmap(struct source *source)
{
	struct ept_page none = { 0 };
	u32 free_pages = pool_free_pages();
	u64 gpa = pick_gpa(source);

	/* Only what came as a page may go as one. */
	if (ept_walk_page(filled.view.root, gpa).level)
		return;
	ept_unmap_page(&filled.view, gpa);
	require(pool_free_pages() == free_pages, "unmap_page(%#llx) needs memory", gpa);
	change_windows(gpa, 0, &none);
}

static void random_leaves(struct source *source)
{
	u32 window, i, op;

	view_start(&filled.view, 1 + (u32)source_below(source, 25));
	for (window = 0; window < ARRAY_SIZE(window_start); window++)
		for (i = 0; i < WINDOW_PAGES; i++)
			filled.page[window][i] = (struct ept_page) { .level = 3 };
	for (i = 0; i < 40; i++) {
		op = (u32)source_below(source, 8);
		if (op < 5)
			random_copy(source);
		else if (op == 5)
			random_map(source);
		else
			random_unmap(source);
		expect_windows();
	}
	ept_destroy(&filled.view);
	expect_whole_pool();
}

static void test_random_leaves(void **state)
{
	(void)state;
	unit_for_seeds(150, random_leaves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_page),
		cmocka_unit_test(test_map_page_no_memory),
		cmocka_unit_test(test_copy_leaf),
		cmocka_unit_test(test_copy_leaf_of_owners),
		cmocka_unit_test(test_copy_leaf_beside_smaller),
		cmocka_unit_test(test_copy_leaf_into_larger),
		cmocka_unit_test(test_copy_leaf_no_memory),
		cmocka_unit_test(test_unmap_page),
		cmocka_unit_test(test_merge_not_aligned),
		cmocka_unit_test(test_random_view),
		cmocka_unit_test(test_random_leaves),
	};

	return cmocka_run_group_tests_name("ept_view", tests, NULL, NULL);
}
