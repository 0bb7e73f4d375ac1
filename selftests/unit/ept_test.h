/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the EPT share: where they start, and what they look at. */
#ifndef UNIT_EPT_TEST_H
#define UNIT_EPT_TEST_H

#include "ept_model.h"

#define G	SIZE_1G
#define M2	SIZE_2M
#define M(n)	((n) * 0x100000ull)
#define FAR	(200 * G)	/* for a chunk that shall be in nobody's way */

extern const u64 far_chunk[4];

/** start_at - an EPT that maps nothing; all memory is write-back if @mtrr is NULL */
void start_at(struct ept_model *model, const u64 *chunk, u32 nr_chunks, bool has_1g,
	      const struct mtrr_state *mtrr);
void start(struct ept_model *model, bool has_1g);
void expect_leaves(const struct ept_model *model, u64 small, u64 medium, u64 large);
void expect_private(const struct ept_model *model, u32 hidden, u32 zeroed);
/** drain - leave @pages in the pool */
void drain(struct ept_model *model, u32 pages);
/** hide_two - one page is hidden, another one reads as zeros */
void hide_two(struct ept_model *model);
void show_two(struct ept_model *model);
/** expect_whole_pool - all pages are free, each of them once; takes them all */
void expect_whole_pool(void);

#endif
