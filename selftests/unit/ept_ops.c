// SPDX-License-Identifier: GPL-2.0-only
/* Random or fuzzed sequences of operations on the EPT and its reference. */
#include "ept_model.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

/* Candidates for core's chunks; 2 MiB each, so each may be there once. */
static const u64 chunk_places[] = {
	0x200000, 0, SIZE_1G, SIZE_1G - SIZE_2M, SIZE_1G - 2 * SIZE_2M, SIZE_1G + SIZE_2M,
	4 * SIZE_1G - SIZE_2M, 4 * SIZE_1G, 512 * SIZE_1G - SIZE_2M, 512 * SIZE_1G,
	0x12600000, 3 * SIZE_1G + 0x5a00000
};

static const u64 landmarks[] = {
	0, 0, 0xa0000, 0x100000, 0x200000, 0x400000, SIZE_1G - SIZE_2M, SIZE_1G,
	SIZE_1G + SIZE_2M, 2 * SIZE_1G, 4 * SIZE_1G - SIZE_2M, 4 * SIZE_1G, 512 * SIZE_1G,
	BIT(48) - SIZE_2M, BIT(48), BIT(52)
};

static u64 pick_address(struct source *source)
{
	u64 addr;

	if (source_chance(source, 20))
		addr = machine_boot()->chunk[source_below(source, machine_boot()->nr_chunks)] +
		       (source_chance(source, 50) ? LATCH_CHUNK_SIZE : 0);
	else
		addr = landmarks[source_below(source, ARRAY_SIZE(landmarks))];
	switch (source_below(source, 4)) {
	case 0:
		addr += source_below(source, 3) * PAGE_SIZE;
		break;
	case 1:
		addr += source_below(source, 1100) * PAGE_SIZE;
		break;
	case 2:
		addr -= source_below(source, 600) * PAGE_SIZE;
		break;
	}
	if (source_chance(source, 2))
		addr += source_take(source, 2);
	return addr;
}

/* One of the pages that were hidden, and may still be; 0 before there is any. */
static u64 pick_recent(const struct ept_model *model, struct source *source)
{
	u32 count = model->nr_recent < MODEL_RECENT ? model->nr_recent : MODEL_RECENT;

	return count ? model->recent[source_below(source, count)] : 0;
}

static void pick_range(const struct ept_model *model, struct source *source, u64 *start, u64 *end)
{
	u64 other;

	if (model->nr_recent && source_chance(source, 25)) {
		*start = pick_recent(model, source) - source_below(source, 3) * PAGE_SIZE;
		*end = *start + (1 + source_below(source, 600)) * PAGE_SIZE;
		return;
	}
	*start = pick_address(source);
	if (source_chance(source, 40)) {
		*end = *start + source_below(source, 5000) * PAGE_SIZE;
		return;
	}
	*end = pick_address(source);
	if (*end < *start && source_chance(source, 95)) {
		other = *start;
		*start = *end;
		*end = other;
	}
}

static u64 pick_owners(struct source *source)
{
	static const u64 owner[] = {
		EPT_DENY_APIC, EPT_DENY_GUARD, EPT_DENY_MODULE, EPT_WATCH_READ, EPT_WATCH_WRITE,
		EPT_WATCH_EXEC
	};
	u64 which = source_take(source, 1), bits = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(owner); i++)
		if (which >> i & 1)
			bits |= owner[i];
	return bits;
}

/*
 * A few bytes of input, not hundreds: else a fuzzer gets to no operations. Few
 * ranges and masks without holes: what else there is, the tests of types have,
 * and here it only takes time.
 */
static void pick_mtrrs(struct source *source, u32 phys_bits, struct mtrr_state *mtrr)
{
	struct source any = source_seed(source_take(source, 2));
	u64 address;
	u32 i;

	mtrr_set_random(mtrr, phys_bits, &any);
	if (mtrr->nr_variable > 5)
		mtrr->nr_variable = 5;
	for (i = 0; i < mtrr->nr_variable; i++) {
		address = mtrr->mask[i] & PAGE_MASK;
		mtrr->mask[i] |= -(address & -address) & mtrr->phys_mask;
	}
}

/* Any page, but rather one that can be hidden: most that a few bytes lead to cannot. */
static u64 pick_page(const struct ept_model *model, struct source *source)
{
	struct ept_page page;
	u32 tries;
	u64 gpa;

	for (tries = 0; ; tries++) {
		gpa = pick_address(source) & PAGE_MASK;
		if (tries == 15 || gpa >= BIT(48))
			return gpa;
		page = ept_walk_page(model->ept.root, gpa);
		if (page.rights == EPT_RWX && page.type == MTRR_TYPE_WB)
			return gpa;
	}
}

static void page_op(struct ept_model *model, struct source *source)
{
	u32 op = (u32)source_below(source, model->nr_recent ? 8 : 5);
	u64 gpa;

	if (source_chance(source, op < 4 ? 15 : 85))
		gpa = pick_recent(model, source);
	else
		gpa = pick_page(model, source);
	if (op < 4)
		model_hide_page(model, gpa);
	else if (op < 6)
		model_zero_page(model, gpa);
	else
		model_show_page(model, gpa);
}

/* The range up to core's memory or from there on, as all that includes it is refused. */
static void avoid_core(u64 *start, u64 *end)
{
	const u64 *chunk = machine_boot()->chunk;
	u32 i;

	for (i = 0; i < machine_boot()->nr_chunks; i++) {
		if (chunk[i] >= *end || chunk[i] + LATCH_CHUNK_SIZE <= *start)
			continue;
		if (chunk[i] > *start)
			*end = chunk[i];
		else
			*start = chunk[i] + LATCH_CHUNK_SIZE;
	}
}

static void **take_pages(struct ept_model *model, u32 left)
{
	void **list = NULL, **page;

	while (pool_free_pages() > left) {
		page = pool_alloc();
		*page = list;
		list = page;
		model->other_pages++;
	}
	return list;
}

static void give_pages(struct ept_model *model, void **list)
{
	void **next;

	for (; list; list = next) {
		next = *list;
		pool_free(list);
		model->other_pages--;
	}
}

/* Of any number of owners; rarely of nobody that there is. */
static void deny_op(struct ept_model *model, struct source *source)
{
	void **taken = NULL;
	u64 start, end, mask, bits;

	pick_range(model, source, &start, &end);
	if (source_chance(source, 75))
		avoid_core(&start, &end);
	mask = pick_owners(source);
	bits = pick_owners(source) & mask;
	if (source_chance(source, 3))
		mask = source_take(source, 8);
	if (source_chance(source, 3))
		bits = source_take(source, 8);
	if (source_chance(source, 20))
		taken = take_pages(model, (u32)source_below(source, 3));
	model_deny(model, start, end, mask, bits);
	give_pages(model, taken);
}

/* Rather where there is something to merge. */
static void merge_op(struct ept_model *model, struct source *source)
{
	u64 gpa = (source_chance(source, 50) ? pick_recent(model, source) :
					       pick_address(source) & PAGE_MASK) & (BIT(48) - 1);
	u64 base = gpa & ~(SIZE_2M - 1);

	if (source_chance(source, 50))
		model_deny(model, base, base + SIZE_2M, EPT_DENIED, 0);
	if (source_chance(source, 25))
		model_map(model, base, base + SIZE_2M);
	model_merge(model, gpa);
}

static void one_op(struct ept_model *model, struct source *source, u32 phys_bits)
{
	struct mtrr_state mtrr;
	u64 start, end;
	u32 op = (u32)source_below(source, 26);

	if (op < 5) {
		pick_range(model, source, &start, &end);
		/* More needs more time than a test has. */
		if (end > start && end - start > 3 * SIZE_1G)
			end = start + 3 * SIZE_1G;
		model_map(model, start, end);
	} else if (op < 12) {
		deny_op(model, source);
	} else if (op < 14) {
		pick_mtrrs(source, phys_bits, &mtrr);
		model_retype(model, &mtrr);
	} else if (op < 16) {
		model_hide(model, (u32)source_below(source, machine_boot()->nr_chunks));
	} else if (op < 24) {
		page_op(model, source);
	} else {
		merge_op(model, source);
	}
}

/* A few chunks, each once, in any order. */
static u32 pick_chunks(struct source *source, u64 *chunk)
{
	u32 count = 1 + (u32)source_below(source, 4), used = 0, i, at;

	for (i = 0; i < count; i++) {
		at = (u32)source_below(source, ARRAY_SIZE(chunk_places));
		while (used & 1u << at)
			at = (at + 1) % ARRAY_SIZE(chunk_places);
		used |= 1u << at;
		chunk[i] = chunk_places[at];
	}
	return count;
}

void ept_ops_run(struct source *source, const u64 (*windows)[2], u32 max_ops)
{
	static const u32 widths[] = { 36, 39, 46, 48, 52 };
	u32 phys_bits = widths[source_below(source, ARRAY_SIZE(widths))], i;
	struct ept_model model;
	struct mtrr_state mtrr;
	u64 chunk[4];
	struct ept_setup setup = {
		.chunk = chunk, .has_1g = source_chance(source, 50), .windows = windows,
		.mtrr = &mtrr,
	};

	setup.nr_chunks = pick_chunks(source, chunk);
	setup.free_pages = source_chance(source, 30) ? 3 + (u32)source_below(source, 60) :
						       100 + (u32)source_below(source, 400);
	/* Half of them with a lot of memory whose pages can be hidden. */
	if (source_chance(source, 50))
		mtrr_set_none(&mtrr, phys_bits, MTRR_TYPE_WB);
	else
		pick_mtrrs(source, phys_bits, &mtrr);
	if (!model_init(&model, &setup))
		for (i = 0; i < max_ops && !source_at_end(source); i++)
			one_op(&model, source, phys_bits);
	model_end(&model);
}
