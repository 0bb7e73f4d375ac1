// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include "ept_test.h"
#include "machine.h"
#include "mtrr_ref.h"
#include "pool.h"

const u64 far_chunk[] = { FAR, FAR + M2, FAR + 2 * M2, FAR + 3 * M2 };

void start_at(struct ept_model *model, const u64 *chunk, u32 nr_chunks, bool has_1g,
	      const struct mtrr_state *mtrr)
{
	struct mtrr_state all_wb;
	struct ept_setup setup = {
		.chunk = chunk, .nr_chunks = nr_chunks, .free_pages = nr_chunks * 512 - 8,
		.has_1g = has_1g, .mtrr = mtrr ? mtrr : &all_wb, .windows = model_windows_narrow,
	};

	mtrr_set_none(&all_wb, 46, MTRR_TYPE_WB);
	require(!model_init(model, &setup), "no memory for a root");
}

void start(struct ept_model *model, bool has_1g)
{
	start_at(model, far_chunk, ARRAY_SIZE(far_chunk), has_1g, NULL);
}

void expect_leaves(const struct ept_model *model, u64 small, u64 medium, u64 large)
{
	const u64 *leaves = model->walk.leaves;

	require(leaves[0] == small && leaves[1] == medium && leaves[2] == large,
		"%llu, %llu, %llu leaves, should be %llu, %llu, %llu", leaves[0], leaves[1], leaves[2],
		small, medium, large);
}

void expect_private(const struct ept_model *model, u32 hidden, u32 zeroed)
{
	require(model->walk.hidden == hidden && model->walk.zeroed == zeroed,
		"%u pages hidden, %u zeroed, should be %u, %u", model->walk.hidden, model->walk.zeroed,
		hidden, zeroed);
}

void drain(struct ept_model *model, u32 pages)
{
	while (pool_free_pages() > pages) {
		require(pool_alloc(), "%u pages are free, but there is none", pool_free_pages());
		model->other_pages++;
	}
}

void hide_two(struct ept_model *model)
{
	require(!model_hide_page(model, 0x3000) && !model_hide_page(model, 0x5000) &&
		!model_zero_page(model, 0x5000), "cannot be hidden");
}

void show_two(struct ept_model *model)
{
	expect_private(model, 1, 1);
	model_show_page(model, 0x3000);
	model_show_page(model, 0x5000);
	expect_private(model, 0, 0);
}

void expect_whole_pool(void)
{
	u32 pages = pool_pages(), i;
	u8 *seen = calloc(MACHINE_PAGES, 1);
	void *page;

	require(seen, "no memory");
	require(pool_free_pages() == pages, "%u of %u pages are free", pool_free_pages(), pages);
	for (i = 0; i < pages; i++) {
		page = pool_alloc();
		require(page, "only %u pages", i);
		require(!seen[machine_page(pool_pa(page))]++, "page %p is free twice", page);
	}
	require(!pool_alloc(), "more than %u pages", pages);
	free(seen);
}
