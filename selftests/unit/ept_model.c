// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include "ept_model.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

#define GUEST_END	(1ull << 48)	/* 4 levels reach that far */

const u64 model_windows_narrow[][2] = {
	{ 0, 0x400000 },
	{ SIZE_1G - 0x300000, SIZE_1G + 0x300000 },
	{ 4 * SIZE_1G - 0x200000, 4 * SIZE_1G + 0x200000 },
	{ 512 * SIZE_1G - 0x80000, 512 * SIZE_1G + 0x80000 },
	{ GUEST_END - 0x80000, GUEST_END },
	{ 0, 0 }
};

const u64 model_windows_wide[][2] = {
	{ 0, SIZE_1G + SIZE_1G / 2 },
	{ 4 * SIZE_1G - 0x400000, 4 * SIZE_1G + 0x400000 },
	{ 512 * SIZE_1G - 0x200000, 512 * SIZE_1G + 0x200000 },
	{ GUEST_END - 0x200000, GUEST_END },
	{ 0, 0 }
};

/** struct change - what an operation does to a page that is not core's */
struct change {
	enum { MAP, DENY, RETYPE, HIDE, ZERO, SHOW } what;
	u64 start, end;
	u64 mask, bits;
};

/* @now: the type by the MTRRs. To a private page only SHOW and ZERO do anything. */
static void page_change(const struct change *change, struct model_page *page, u8 now)
{
	switch (change->what) {
	case MAP:
		if (page->state == MODEL_NOTHING)
			*page = (struct model_page) { 0, MODEL_MAPPED, now };
		break;
	case DENY:
		if (page->state == MODEL_MAPPED)
			page->denied = (page->denied & ~change->mask) | change->bits;
		break;
	case RETYPE:
		if (page->state == MODEL_MAPPED)
			page->type = now;
		break;
	case HIDE:
		*page = (struct model_page) { 0, MODEL_HIDDEN, 0 };
		break;
	case ZERO:
		*page = (struct model_page) { 0, MODEL_ZEROED, MTRR_TYPE_WB };
		break;
	case SHOW:
		*page = (struct model_page) { 0, MODEL_MAPPED, now };
		break;
	}
}

static u32 page_rights(const struct model_page *page)
{
	if (page->state == MODEL_MAPPED)
		return ept_walk_rights(page->denied);
	return page->state == MODEL_ZEROED ? EPT_READ : 0;
}

static u8 page_state(const struct ept_page *page)
{
	if (page->private)
		return page->mapped ? MODEL_ZEROED : MODEL_HIDDEN;
	return page->mapped ? MODEL_MAPPED : MODEL_NOTHING;
}

static bool page_is(const struct ept_page *page, const struct model_page *other)
{
	return page_state(page) == other->state && page->rights == page_rights(other) &&
	       page->denied == other->denied && (!page->mapped || page->type == other->type);
}

static void check_frame(struct ept_model *model, u64 gpa, const struct ept_page *page)
{
	if (page->mapped && page->private)
		require(machine_va(page->pa) == model->zeros, "private %#llx maps %#llx", gpa,
			page->pa);
	else if (page->mapped)
		require(page->pa == gpa, "%#llx maps %#llx", gpa, page->pa);
}

/* core's own walk must agree with ours. */
static void check_lookup(struct ept_model *model, u64 gpa, const struct ept_page *page)
{
	u32 level = ~0u;
	u64 entry = ept_lookup(&model->ept, gpa, &level);

	require((entry & EPT_RWX) == page->rights && (entry & EPT_DENIED) == page->denied &&
		!(entry & EPT_PRIVATE) == !page->private &&
		!(entry & EPT_USED) == (page_state(page) == MODEL_NOTHING),
		"ept_lookup(%#llx) is %#llx, level %u", gpa, entry, level);
	require(level == page->level, "ept_lookup(%#llx): level %u instead of %u", gpa, level,
		page->level);
}

static void check_page(u64 gpa, const struct ept_page *page, const struct model_page *due,
		       const struct model_page *old)
{
	require(page_is(page, due),
		"%#llx: state %u, denied %#llx, rights %u, type %u; should be %u, %#llx, %u, %u (was %u, %#llx)",
		gpa, page_state(page), page->denied, page->rights, page->type, due->state, due->denied,
		page_rights(due), due->type, old->state, old->denied);
}

/*
 * Compare one window, with @change done. Out of memory, an operation may have
 * changed a first part only: then *@stopped is where, and the rest is as it was.
 */
static void compare_window(struct ept_model *model, struct model_window *window,
			   const struct change *change, int ret, bool *stopped)
{
	struct model_page old, due;
	struct ept_page page;
	u64 gpa, i;

	for (gpa = window->start, i = 0; gpa < window->end; gpa += PAGE_SIZE, i++) {
		page = ept_walk_page(model->ept.root, gpa);
		if (i % 61 == 0)
			check_lookup(model, gpa, &page);
		if (machine_owns(gpa, gpa + PAGE_SIZE))
			continue;
		check_frame(model, gpa, &page);
		old = due = window->page[i];
		if (change && ret != -EINVAL && gpa >= change->start && gpa < change->end)
			page_change(change, &due, window->now[i]);
		if (ret == -ENOMEM && !page_is(&page, &due) && page_is(&page, &old)) {
			*stopped = true;
			continue;
		}
		check_page(gpa, &page, &due, &old);
		if (*stopped && change->what != RETYPE)
			require(page_is(&page, &old), "%#llx has changed behind one that has not",
				gpa);
		window->page[i] = due;
	}
}

/* A chunk is not mapped, or all of it reads as zeros. */
static void compare_chunk(struct ept_model *model, u32 index)
{
	u64 chunk = machine_boot()->chunk[index], gpa;
	struct ept_page page;

	for (gpa = chunk; gpa < chunk + LATCH_CHUNK_SIZE; gpa += PAGE_SIZE) {
		page = ept_walk_page(model->ept.root, gpa);
		require(model->hidden[index] == !!page.rights, "core's %#llx has rights %u", gpa,
			page.rights);
		require(!page.mapped || (page.rights == (EPT_READ | EPT_EXEC) && !page.denied &&
					 machine_va(page.pa) == model->zeros &&
					 page.type == MTRR_TYPE_WB),
			"core's %#llx shows %#llx, rights %u, type %u", gpa, page.pa, page.rights,
			page.type);
	}
}

static void compare(struct ept_model *model, const struct change *change, int ret)
{
	bool stopped = false;
	u32 i;

	require(ret == 0 || ret == -EINVAL || ret == -ENOMEM, "returned %d", ret);
	require(ret != -ENOMEM || !pool_free_pages(), "-ENOMEM, but %u pages are free",
		pool_free_pages());
	for (i = 0; i < model->nr_windows; i++)
		compare_window(model, &model->window[i], change, ret, &stopped);
	for (i = 0; i < machine_boot()->nr_chunks; i++)
		compare_chunk(model, i);
	ept_walk_check(&model->walk);
	require(model->walk.tables + model->other_pages == pool_pages() - pool_free_pages(),
		"%u tables, but %u pages are in use", model->walk.tables,
		pool_pages() - pool_free_pages() - model->other_pages);
	/* These are all, also those that are in no window. */
	require(model->walk.hidden == model->nr_hidden && model->walk.zeroed == model->nr_zeroed,
		"%u pages hidden, %u zeroed, should be %u, %u", model->walk.hidden,
		model->walk.zeroed, model->nr_hidden, model->nr_zeroed);
}

static void compute_types(struct ept_model *model)
{
	struct model_window *window;
	u64 gpa;
	u32 i;

	for (i = 0; i < model->nr_windows; i++) {
		window = &model->window[i];
		for (gpa = window->start; gpa < window->end; gpa += PAGE_SIZE)
			window->now[(gpa - window->start) / PAGE_SIZE] =
				mtrr_ref_type(&model->mtrr, gpa);
	}
}

static void window_init(struct model_window *window, const u64 *range)
{
	u64 pages = (range[1] - range[0]) / PAGE_SIZE;

	window->start = range[0];
	window->end = range[1];
	window->page = calloc(pages, sizeof(*window->page));
	window->now = calloc(pages, 1);
	require(window->page && window->now, "no memory");
}

/* One frame of zeros and a table of it, as the guest's EPT has them. */
static void make_zero_table(struct ept_model *model)
{
	u32 i;

	model->zeros = pool_alloc();
	model->zero_table = pool_alloc();
	model->other_pages = pool_pages() - pool_free_pages();
	for (i = 0; model->zero_table && i < EPT_ENTRIES; i++)
		model->zero_table[i] = pool_pa(model->zeros) | EPT_READ | EPT_EXEC |
				       (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT;
}

int model_init(struct ept_model *model, const struct ept_setup *setup)
{
	u32 i;
	int ret;

	memset(model, 0, sizeof(*model));
	machine_init(setup->chunk, setup->nr_chunks, setup->free_pages);
	model->mtrr = *setup->mtrr;
	make_zero_table(model);
	ret = ept_init(&model->ept, setup->mtrr, setup->has_1g);
	if (ret) {
		require(ret == -ENOMEM && !pool_free_pages(), "ept_init returned %d", ret);
		return ret;
	}
	for (i = 0; setup->windows[i][1]; i++)
		window_init(&model->window[i], setup->windows[i]);
	model->nr_windows = i;
	model->walk.root = model->ept.root;
	model->walk.zero_table = model->zero_table;
	model->walk.zeros = model->zeros;
	model->walk.has_1g = setup->has_1g;
	compute_types(model);
	compare(model, NULL, ret);
	return ret;
}

int model_map(struct ept_model *model, u64 start, u64 end)
{
	struct change change = { .what = MAP, .start = start, .end = end };
	bool bad = (start | end) % PAGE_SIZE || end > GUEST_END;
	int ret = ept_map_identity(&model->ept, start, end);

	require((ret == -EINVAL) == bad, "map(%#llx, %#llx) returned %d", start, end, ret);
	compare(model, &change, ret);
	return ret;
}

static struct ept_page page_at(const struct ept_model *model, u64 gpa)
{
	struct ept_page nothing = { 0 };

	return gpa < GUEST_END ? ept_walk_page(model->ept.root, gpa) : nothing;
}

/*
 * How many leaves have to be split: those with an end of the range inside, and then the
 * smaller one that it is inside of. None if there is nothing to change.
 */
static u32 deny_splits(const struct ept_model *model, const struct change *change)
{
	struct ept_page first = page_at(model, change->start);
	struct ept_page last = page_at(model, change->end - PAGE_SIZE);
	bool at_start, at_end;
	u32 level, count = 0;
	u64 size;

	for (level = 1; level < EPT_LEVELS; level++) {
		size = 1ull << (12 + 9 * level);
		at_start = page_state(&first) == MODEL_MAPPED && first.level >= level &&
			   (first.denied & change->mask) != change->bits && change->start % size;
		at_end = page_state(&last) == MODEL_MAPPED && last.level >= level &&
			 (last.denied & change->mask) != change->bits && change->end % size;
		count += at_start + at_end;
		/* Both inside of one. */
		count -= at_start && at_end && change->start / size == change->end / size;
	}
	return count;
}

static bool deny_refused(const struct change *change)
{
	return (change->start | change->end) % PAGE_SIZE || change->start >= change->end ||
	       change->end > GUEST_END || change->mask & ~EPT_WALK_DENIED ||
	       change->bits & ~change->mask || machine_owns(change->start, change->end);
}

/* All of the range, or nothing. */
int model_deny(struct ept_model *model, u64 start, u64 end, u64 mask, u64 bits)
{
	struct change change = { DENY, start, end, mask, bits };
	int due = deny_refused(&change) ? -EINVAL :
		  bits && ept_walk_private(model->ept.root, start, end) ? -EBUSY : 0;
	u32 free_pages = pool_free_pages(), splits = due ? 0 : deny_splits(model, &change);
	u64 before = model->ept.splits;
	int ret = ept_deny(&model->ept, start, end, mask, bits);

	if (splits > free_pages)
		due = -ENOMEM;
	require(ret == due, "deny(%#llx, %#llx, %#llx, %#llx) returned %d, not %d", start, end, mask,
		bits, ret, due);
	if (splits > free_pages)
		splits = free_pages;
	require(model->ept.splits - before == splits,
		"deny(%#llx, %#llx, %#llx, %#llx) has split %llu leaves, not %u", start, end, mask, bits,
		model->ept.splits - before, splits);
	compare(model, ret ? NULL : &change, ret == -ENOMEM ? ret : 0);
	return ret;
}

int model_protect(struct ept_model *model, u64 start, u64 end, u64 rights)
{
	static const u64 bits[] = {
		[0] = EPT_WATCH_READ,
		[EPT_READ] = EPT_WATCH_WRITE | EPT_WATCH_EXEC,
		[EPT_READ | EPT_WRITE] = EPT_WATCH_EXEC,
		[EPT_READ | EPT_EXEC] = EPT_WATCH_WRITE,
		[EPT_RWX] = 0,
	};

	require(!rights || (rights <= EPT_RWX && rights & EPT_READ), "nobody leaves rights %llu", rights);
	return model_deny(model, start, end, EPT_WATCH, bits[rights]);
}

int model_retype(struct ept_model *model, const struct mtrr_state *mtrr)
{
	struct change change = { .what = RETYPE, .end = GUEST_END };
	int ret = ept_retype(&model->ept, mtrr);

	require(ret != -EINVAL, "retype returned %d", ret);
	model->mtrr = *mtrr;
	compute_types(model);
	compare(model, &change, ret);
	return ret;
}

int model_hide(struct ept_model *model, u32 chunk)
{
	int ret = ept_hide_chunk(&model->ept, machine_boot()->chunk[chunk], model->zero_table);

	require(ret != -EINVAL, "hide_chunk returned %d", ret);
	if (!ret)
		model->hidden[chunk] = true;
	compare(model, NULL, ret);
	return ret;
}

/* A change of one page: all else is as before, and this page too if @ret is an error. */
static void compare_one(struct ept_model *model, const struct change *change,
			const struct ept_page *before, int ret)
{
	struct model_page old = { before->denied, page_state(before), before->type }, due = old;
	u64 gpa = change->start;
	struct ept_page page;

	compare(model, ret ? NULL : change, ret == -ENOMEM ? ret : 0);
	if (!ret)
		page_change(change, &due, mtrr_ref_type(&model->mtrr, gpa));
	/* It may be in no window. All that is core's has been compared. */
	if (machine_owns(gpa, gpa + PAGE_SIZE))
		return;
	page = page_at(model, gpa);
	check_page(gpa, &page, &due, &old);
	check_frame(model, gpa, &page);
}

/* What ept_hide_page() must return: each level of a large leaf needs a table. */
static int hide_result(const struct ept_page *page, u64 gpa, u32 free_pages)
{
	if (page->private)
		return -EBUSY;
	if (machine_owns(gpa, gpa + PAGE_SIZE) || !page->mapped || page->type != MTRR_TYPE_WB)
		return -EINVAL;
	if (page->denied)
		return -EBUSY;
	return free_pages < page->level ? -ENOMEM : 0;
}

int model_hide_page(struct ept_model *model, u64 gpa)
{
	struct change change = { .what = HIDE, .start = gpa, .end = gpa + PAGE_SIZE };
	struct ept_page before = page_at(model, gpa);
	int due = hide_result(&before, gpa, pool_free_pages());
	int ret = ept_hide_page(&model->ept, gpa);

	require(ret == due, "hide_page(%#llx) returned %d, not %d", gpa, ret, due);
	if (!ret) {
		model->nr_hidden++;
		model->recent[model->nr_recent++ % MODEL_RECENT] = gpa;
	}
	compare_one(model, &change, &before, ret);
	return ret;
}

int model_zero_page(struct ept_model *model, u64 gpa)
{
	struct change change = { .what = ZERO, .start = gpa, .end = gpa + PAGE_SIZE };
	struct ept_page before = page_at(model, gpa);
	int due = before.private ? 0 : -ENOENT;
	int ret = ept_zero_page(&model->ept, gpa, pool_pa(model->zeros));

	require(ret == due, "zero_page(%#llx) returned %d, not %d", gpa, ret, due);
	if (!ret && !before.rights) {
		model->nr_hidden--;
		model->nr_zeroed++;
	}
	compare_one(model, &change, &before, ret);
	return ret;
}

void model_show_page(struct ept_model *model, u64 gpa)
{
	struct change change = { .what = SHOW, .start = gpa, .end = gpa + PAGE_SIZE };
	struct ept_page before = page_at(model, gpa);

	ept_show_page(&model->ept, gpa);
	if (before.private)
		(*(before.rights ? &model->nr_zeroed : &model->nr_hidden))--;
	compare_one(model, &change, &before, before.private ? 0 : -ENOENT);
}

/* Are these 2 MiB small leaves that together are what a large one would be? */
static bool is_like_large(const struct ept_model *model, u64 gpa)
{
	struct ept_page first = page_at(model, gpa), page;
	u64 offset;

	for (offset = 0; offset < SIZE_2M; offset += PAGE_SIZE) {
		page = page_at(model, gpa + offset);
		if (page_state(&page) != MODEL_MAPPED || page.denied || page.level ||
		    page.pa != gpa + offset || page.type != first.type)
			return false;
	}
	return !machine_owns(gpa, gpa + SIZE_2M);
}

bool model_merge(struct ept_model *model, u64 gpa)
{
	u64 base = gpa & ~(SIZE_2M - 1);
	bool due = is_like_large(model, base);
	void *table = ept_merge(&model->ept, gpa);

	require(!table == !due, "merge(%#llx) returned %p", gpa, table);
	/* Were it still in use, or another one: compare() counts them. */
	if (table)
		pool_free(table);
	compare(model, NULL, 0);
	require(!table || page_at(model, base).level == 1, "%#llx has not been merged", gpa);
	return table;
}

/* The table of zeros is there once for each chunk, so such tables are never given back. */
static void give_tables_back(struct ept_model *model)
{
	u32 i;

	for (i = 0; i < machine_boot()->nr_chunks; i++)
		if (model->hidden[i])
			return;
	ept_destroy(&model->ept);
	require(!model->ept.root && pool_pages() - pool_free_pages() == model->other_pages,
		"%u pages are in use, should be %u", pool_pages() - pool_free_pages(),
		model->other_pages);
}

void model_end(struct ept_model *model)
{
	u32 i;

	give_tables_back(model);
	for (i = 0; i < model->nr_windows; i++) {
		free(model->window[i].page);
		free(model->window[i].now);
	}
	model->nr_windows = 0;
}
