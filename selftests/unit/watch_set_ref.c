// SPDX-License-Identifier: GPL-2.0-only
/* It knows of core's memory only how many ranges are in a page. */
#include <string.h>
#include "machine.h"
#include "pool.h"
#include "watch_set_ref.h"

#define OPS	60

static const u64 chunk = 0x40000000;

static bool same_page(u64 a, u64 b)
{
	return a / PAGE_SIZE == b / PAGE_SIZE;
}

static bool same_range(const struct watch_range *a, const struct watch_range *b)
{
	return a->gpa == b->gpa && a->linear == b->linear && a->size == b->size &&
	       a->watch == b->watch;
}

void set_model_init(struct set_model *model, u32 pages)
{
	memset(model, 0, sizeof(*model));
	memset(&model->set, 0xa5, sizeof(model->set));
	machine_init(&chunk, 1, pages);
	require(!watch_set_init(&model->set), "there is no memory for watchpoints");
	model->free_pages = pages - 1;
	set_model_check_all(model);
}

/* The model's ranges in a page; returns how many there are. */
static u32 ranges_of_page(const struct set_model *model, u64 gpa, const struct watch_range **range)
{
	u32 count = 0, i;

	for (i = 0; i < model->nr_ranges; i++)
		if (same_page(model->range[i].gpa, gpa))
			range[count++] = &model->range[i];
	return count;
}

static u32 count_same(const struct watch_range *const *ranges, u32 count,
		      const struct watch_range *range)
{
	u32 same = 0, i;

	for (i = 0; i < count; i++)
		same += same_range(ranges[i], range);
	return same;
}

/* Core's ranges in a page; a list without an end fails. */
static u32 core_ranges_of_page(struct set_model *model, u64 gpa, const struct watch_range **ranges)
{
	struct watch_range *range;
	u32 count = 0;

	for (range = watch_set_first(&model->set, gpa & PAGE_MASK); range;
	     range = watch_set_next(&model->set, range)) {
		require(same_page(range->gpa, gpa), "%#llx is not in the page of %#llx", range->gpa,
			gpa);
		require(count <= model->nr_ranges, "more ranges at %#llx than there are", gpa);
		ranges[count++] = range;
	}
	return count;
}

/* In any order. */
static bool page_is_same(struct set_model *model, u64 gpa)
{
	static const struct watch_range *want[MODEL_RANGES + 1], *got[MODEL_RANGES + 1];
	u32 count = ranges_of_page(model, gpa, want), i;

	if (core_ranges_of_page(model, gpa, got) != count)
		return false;
	for (i = 0; i < count; i++)
		if (count_same(want, count, want[i]) != count_same(got, count, want[i]))
			return false;
	return true;
}

void set_model_check_page(struct set_model *model, u64 gpa)
{
	u32 access = 0, got = watch_set_access(&model->set, gpa & PAGE_MASK), i;

	require(page_is_same(model, gpa), "other ranges in the page of %#llx", gpa);
	for (i = 0; i < model->nr_ranges; i++)
		if (same_page(model->range[i].gpa, gpa))
			access |= model->watch[model->range[i].watch - 1].access;
	require(got == access, "access %u to %#llx, not %u", got, gpa, access);
}

static bool same_watch(const struct latch_watch *a, const struct latch_watch *b)
{
	return a->id == b->id && a->access == b->access && a->address == b->address &&
	       a->size == b->size && a->hits == b->hits;
}

static void require_watch(const struct latch_watch *got, const struct latch_watch *want, u64 id,
			  const char *how)
{
	require(!got == !want, "watchpoint %s %llu: there is %s", how, id, got ? "one" : "none");
	require(!got || same_watch(got, want), "watchpoint %s %llu: number %u, not %u", how, id,
		got ? got->id : 0, want ? want->id : 0);
}

void set_model_check_watch(struct set_model *model, u64 id)
{
	const struct latch_watch *this = NULL, *behind = NULL;
	u32 i;

	for (i = SET_WATCHES; i; i--) {
		if (!model->watch[i - 1].id)
			continue;
		if (i > id)
			behind = &model->watch[i - 1];
		if (i == id)
			this = &model->watch[i - 1];
	}
	require_watch(watch_set_find(&model->set, id), this, id, "of number");
	require_watch(watch_set_behind(&model->set, id), behind, id, "behind number");
}

void set_model_check_all(struct set_model *model)
{
	u32 i;

	for (i = 0; i <= SET_WATCHES + 1; i++)
		set_model_check_watch(model, i);
	for (i = 0; i < model->nr_ranges; i++)
		set_model_check_page(model, model->range[i].gpa);
	require(pool_free_pages() == model->free_pages, "%u pages are free, not %u",
		pool_free_pages(), model->free_pages);
}

u32 set_model_new(struct set_model *model, u32 access)
{
	struct latch_watch *watch = watch_set_new(&model->set), *want;
	u32 used = 0, i;

	for (i = 0; i < SET_WATCHES; i++)
		used += !!model->watch[i].id;
	require(!watch == (used == SET_WATCHES), "%u watchpoints, and %s more", used,
		watch ? "one" : "none");
	if (!watch)
		return 0;
	require(watch->id && watch->id <= SET_WATCHES && !model->watch[watch->id - 1].id,
		"a new watchpoint %u", watch->id);
	want = &model->watch[watch->id - 1];
	*want = (struct latch_watch) { .id = watch->id };
	require(same_watch(watch, want), "a new watchpoint has something of an old one");
	/* Core's user sets the rest. */
	want->access = watch->access = access;
	want->address = watch->address = 0x1234567800 + watch->id;
	want->size = watch->size = 1000 + watch->id;
	want->hits = watch->hits = 2000 + watch->id;
	return watch->id;
}

/* What core must answer: a new page is taken only when all others are full. */
static int add_result(const struct set_model *model, bool *page)
{
	*page = model->nr_ranges == model->most_ranges && model->nr_ranges % SET_RANGES == 0;
	return *page && !model->free_pages ? -ENOMEM : 0;
}

bool set_model_add(struct set_model *model, u32 id, u64 gpa, u64 linear, u32 size)
{
	int want, got;
	bool page;

	if (model->nr_ranges == MODEL_RANGES)
		return false;
	want = add_result(model, &page);
	got = watch_set_add(&model->set, id, gpa, linear, size);
	require(got == want, "to add %u of %#llx gives %d, not %d", size, gpa, got, want);
	if (!want) {
		model->range[model->nr_ranges++] = (struct watch_range) {
			.gpa = gpa, .linear = linear, .size = size, .watch = id,
		};
		if (model->nr_ranges > model->most_ranges)
			model->most_ranges = model->nr_ranges;
		model->free_pages -= page;
	}
	require(pool_free_pages() == model->free_pages, "%u pages are free, not %u",
		pool_free_pages(), model->free_pages);
	return !want;
}

/* Core may choose which one: then it is that without which both are the same. */
static void remove_from(struct set_model *model, u32 id, u64 page)
{
	struct watch_range *last = &model->range[model->nr_ranges - 1], removed;
	u32 i;

	for (i = 0; i < model->nr_ranges; i++) {
		if (model->range[i].watch != id || !same_page(model->range[i].gpa, page))
			continue;
		removed = model->range[i];
		model->range[i] = *last;
		model->nr_ranges--;
		if (page_is_same(model, page))
			return;
		model->nr_ranges++;
		model->range[i] = removed;
	}
	require(false, "of %u in the page %#llx something else was removed", id, page);
}

bool set_model_remove(struct set_model *model, u32 id)
{
	bool any = false, removed;
	u64 page = ~0ull;
	u32 i;

	for (i = 0; i < model->nr_ranges; i++)
		any |= model->range[i].watch == id;
	removed = watch_set_remove(&model->set, id, &page);
	require(removed == any, "watchpoint %u has %s range", id, any ? "a" : "no");
	if (removed) {
		require(page % PAGE_SIZE == 0, "%#llx is no page", page);
		remove_from(model, id, page);
	}
	return removed;
}

void set_model_drop(struct set_model *model, u32 id)
{
	struct latch_watch *watch = watch_set_find(&model->set, id);

	while (set_model_remove(model, id))
		;
	if (watch)
		watch->id = 0;
	model->watch[id - 1] = (struct latch_watch) { .id = 0 };
}

void set_model_free(struct set_model *model)
{
	u32 pages = (model->most_ranges + SET_RANGES - 1) / SET_RANGES;

	watch_set_free(&model->set);
	require(pool_free_pages() == model->free_pages + 1 + pages, "%u pages are free again, not %u",
		pool_free_pages(), model->free_pages + 1 + pages);
}

/* Pages that are near to each other, that share a bucket, or any. */
static u64 pick_page(struct source *source)
{
	u64 frame;

	switch (source_below(source, 4)) {
	case 0:
		return 0x12345000 + source_below(source, 4) * PAGE_SIZE;
	case 1:
		return 0x12345000 + source_below(source, 600) * PAGE_SIZE;
	case 2:
		frame = source_below(source, 30);
		return (frame << 9 | frame) * PAGE_SIZE;
	default:
		return source_take(source, 5) << 12;
	}
}

static void add_any(struct set_model *model, u32 id, struct source *source)
{
	u64 gpa = pick_page(source), linear = source_take(source, 4) << 12;
	u32 offset = source_chance(source, 50) ? 0 : (u32)source_below(source, PAGE_SIZE);
	u32 size = PAGE_SIZE - offset;

	if (source_chance(source, 50))
		size = 1 + (u32)source_below(source, size);
	set_model_add(model, id, gpa + offset, linear + offset, size);
	if (source_chance(source, 20))
		set_model_check_page(model, gpa);
}

/* One that there is, or 0. */
static u32 pick_watch(const struct set_model *model, struct source *source)
{
	u32 i, from = (u32)source_below(source, SET_WATCHES), id;

	for (i = 0; i < SET_WATCHES; i++) {
		id = model->watch[(from + i) % SET_WATCHES].id;
		if (id)
			return id;
	}
	return 0;
}

static u64 pick_number(struct source *source)
{
	u64 number = source_below(source, SET_WATCHES + 3);

	if (source_chance(source, 30))
		number = source_take(source, 8);
	return source_chance(source, 10) ? number + BIT(32) : number;
}

/* Others use the pool, too. */
static void use_pool(struct set_model *model, void **page)
{
	if (*page) {
		pool_free(*page);
		*page = NULL;
		model->free_pages++;
	} else if (model->free_pages) {
		*page = pool_alloc();
		model->free_pages--;
	}
}

static void watch_op(struct set_model *model, u32 op, u32 id, struct source *source)
{
	struct source any;
	u32 count;

	switch (op) {
	case 0: case 1: case 2:
		add_any(model, id, source);
		break;
	case 3: case 4:
		/* Many: a few bytes of input, not hundreds. */
		count = (u32)source_below(source, 300);
		any = source_seed(source_take(source, 2));
		for (; count; count--)
			add_any(model, id, &any);
		break;
	case 5: case 6:
		for (count = (u32)source_below(source, 100); count; count--)
			if (!set_model_remove(model, id))
				break;
		break;
	default:
		set_model_drop(model, id);
		break;
	}
}

static void one_op(struct set_model *model, void **taken, struct source *source)
{
	u32 op = (u32)source_below(source, 16), id = pick_watch(model, source), count;

	if (op < 8 && id) {
		watch_op(model, op, id, source);
		return;
	}
	switch (op) {
	case 8:
		for (count = (u32)source_below(source, 60); count; count--)
			set_model_new(model, 1 + (u32)source_below(source, 7));
		break;
	case 9: case 10: case 11:
		use_pool(model, &taken[source_below(source, 4)]);
		break;
	case 12: case 13:
		set_model_check_watch(model, pick_number(source));
		break;
	case 14:
		set_model_check_page(model, pick_page(source));
		break;
	default:
		set_model_new(model, 1 + (u32)source_below(source, 7));
		break;
	}
}

void watch_set_ref_run(struct source *source)
{
	static struct set_model model;
	void *taken[4] = { NULL };
	u32 i;

	set_model_init(&model, 1 + (u32)source_below(source, 9));
	for (i = 0; i < OPS && !source_at_end(source); i++)
		one_op(&model, taken, source);
	set_model_check_all(&model);
	if (source_chance(source, 30))
		for (i = 1; i <= SET_WATCHES; i++)
			if (model.watch[i - 1].id)
				set_model_drop(&model, i);
	set_model_free(&model);
}
