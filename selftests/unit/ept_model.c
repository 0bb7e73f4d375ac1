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
	enum { MAP, PROTECT, RETYPE, HIDE, ZERO, SHOW } what;
	u64 start, end;
	u8 rights;
};

/* @now: the type by the MTRRs. To a private page only SHOW and ZERO do anything. */
static void page_change(const struct change *change, struct model_page *page, u8 now)
{
	switch (change->what) {
	case MAP:
		if (!page->rights && !page->private)
			*page = (struct model_page) { EPT_RWX, now, false };
		break;
	case PROTECT:
		if (page->rights && !page->private)
			page->rights = change->rights;
		break;
	case RETYPE:
		if (!page->private)
			page->type = now;
		break;
	case HIDE:
		*page = (struct model_page) { 0, 0, true };
		break;
	case ZERO:
		*page = (struct model_page) { EPT_READ, MTRR_TYPE_WB, true };
		break;
	case SHOW:
		*page = (struct model_page) { EPT_RWX, now, false };
		break;
	}
}

static bool page_is(const struct ept_page *page, const struct model_page *other)
{
	return page->rights == other->rights && page->private == other->private &&
	       (!other->rights || page->type == other->type);
}

static void check_frame(struct ept_model *model, u64 gpa, const struct ept_page *page)
{
	if (page->rights && page->private)
		require(machine_va(page->pa) == model->zeros, "private %#llx maps %#llx", gpa,
			page->pa);
	else if (page->rights)
		require(page->pa == gpa, "%#llx maps %#llx", gpa, page->pa);
}

/* core's own walk must agree with ours. */
static void check_lookup(struct ept_model *model, u64 gpa, const struct ept_page *page)
{
	u32 level = ~0u;
	u64 entry = ept_lookup(&model->ept, gpa, &level);

	require(level < EPT_LEVELS && (entry & EPT_RWX) == page->rights &&
		!(entry & EPT_PRIVATE) == !page->private, "ept_lookup(%#llx) is %#llx, level %u",
		gpa, entry, level);
	require((!page->rights && !page->private) || level == page->level,
		"ept_lookup(%#llx): level %u instead of %u", gpa, level, page->level);
}

static void check_page(u64 gpa, const struct ept_page *page, const struct model_page *due,
		       const struct model_page *old)
{
	require(page_is(page, due),
		"%#llx: rights %u, type %u, private %u; should be %u, %u, %u (was %u, %u, %u)",
		gpa, page->rights, page->type, page->private, due->rights, due->type, due->private,
		old->rights, old->type, old->private);
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
		require(!page.rights || (page.rights == (EPT_READ | EPT_EXEC) &&
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
	struct change change = { MAP, start, end, 0 };
	bool bad = (start | end) % PAGE_SIZE || end > GUEST_END;
	int ret = ept_map_identity(&model->ept, start, end);

	require((ret == -EINVAL) == bad, "map(%#llx, %#llx) returned %d", start, end, ret);
	compare(model, &change, ret);
	return ret;
}

int model_protect(struct ept_model *model, u64 start, u64 end, u64 rights)
{
	struct change change = { PROTECT, start, end, (u8)rights };
	bool bad = (start | end) % PAGE_SIZE || start >= end || end > GUEST_END || rights > 7 ||
		   (rights & 3) == 2 || machine_owns(start, end);
	int ret = ept_protect(&model->ept, start, end, rights);

	require((ret == -EINVAL) == bad, "protect(%#llx, %#llx, %#llx) returned %d", start, end,
		rights, ret);
	compare(model, &change, ret);
	return ret;
}

int model_retype(struct ept_model *model, const struct mtrr_state *mtrr)
{
	struct change change = { RETYPE, 0, GUEST_END, 0 };
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

static struct ept_page page_at(const struct ept_model *model, u64 gpa)
{
	struct ept_page nothing = { 0 };

	return gpa < GUEST_END ? ept_walk_page(model->ept.root, gpa) : nothing;
}

/* A change of one page: all else is as before, and this page too if @ret is an error. */
static void compare_one(struct ept_model *model, const struct change *change,
			const struct ept_page *before, int ret)
{
	struct model_page old = { (u8)before->rights, before->type, before->private }, due = old;
	u64 gpa = change->start;
	struct ept_page page;

	compare(model, ret ? NULL : change, ret == -ENOMEM ? ret : 0);
	if (!ret)
		page_change(change, &due, mtrr_ref_type(&model->mtrr, gpa));
	/* It may be in no window. */
	page = page_at(model, gpa);
	check_page(gpa, &page, &due, &old);
	if (!machine_owns(gpa, gpa + PAGE_SIZE))
		check_frame(model, gpa, &page);
}

/* What ept_hide_page() must return: each level of a large leaf needs a table. */
static int hide_result(const struct ept_page *page, u64 gpa, u32 free_pages)
{
	if (page->private)
		return -EBUSY;
	if (machine_owns(gpa, gpa + PAGE_SIZE) || !page->rights || page->type != MTRR_TYPE_WB)
		return -EINVAL;
	if (page->rights != EPT_RWX)
		return -EBUSY;
	return free_pages < page->level ? -ENOMEM : 0;
}

int model_hide_page(struct ept_model *model, u64 gpa)
{
	struct change change = { HIDE, gpa, gpa + PAGE_SIZE, 0 };
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
	struct change change = { ZERO, gpa, gpa + PAGE_SIZE, 0 };
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
	struct change change = { SHOW, gpa, gpa + PAGE_SIZE, 0 };
	struct ept_page before = page_at(model, gpa);

	ept_show_page(&model->ept, gpa);
	if (before.private)
		(*(before.rights ? &model->nr_zeroed : &model->nr_hidden))--;
	compare_one(model, &change, &before, before.private ? 0 : -ENOENT);
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
