/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reference for the EPT: an array with what each 4 KiB page should be. The
 * array covers a few windows of memory. Every operation is done on the tables
 * and on the array, and then the two are compared.
 */
#ifndef UNIT_EPT_MODEL_H
#define UNIT_EPT_MODEL_H

#include "check.h"
#include "ept.h"
#include "ept_walk.h"

#define MODEL_MAX_WINDOWS	6
#define MODEL_RECENT		8

enum model_state { MODEL_NOTHING, MODEL_MAPPED, MODEL_HIDDEN, MODEL_ZEROED };

/**
 * struct model_page - what a page should be
 * @denied: bits that are set, if it is mapped: the guest has the other rights
 * @state: enum model_state
 * @type: if a frame is there
 */
struct model_page {
	u64 denied;
	u8 state, type;
};

struct model_window {
	u64 start, end;
	struct model_page *page;
	u8 *now;		/* its type by the MTRRs as they are */
};

/**
 * struct ept_setup - what a test starts with
 * @chunk: core's chunks
 * @nr_chunks: how many
 * @free_pages: pages in the pool
 * @has_1g: CPU has 1 GiB leaves
 * @mtrr: memory types
 * @windows: pairs of start and end, in order, ended by 0, 0
 */
struct ept_setup {
	const u64 *chunk;
	u32 nr_chunks;
	u32 free_pages;
	bool has_1g;
	const struct mtrr_state *mtrr;
	const u64 (*windows)[2];
};

/**
 * struct ept_model - the tables and the reference
 * @zero_table: for chunks that are hidden
 * @zeros: the frame it maps
 * @nr_hidden: private pages without rights
 * @nr_zeroed: private pages that read as zeros
 * @recent: pages that were hidden, now or before; the last few of @nr_recent
 */
struct ept_model {
	struct ept ept;
	struct ept_walk walk;
	struct mtrr_state mtrr;
	u64 *zero_table;
	void *zeros;
	u32 other_pages;
	bool hidden[64];
	struct model_window window[MODEL_MAX_WINDOWS];
	u32 nr_windows;
	u32 nr_hidden, nr_zeroed;
	u64 recent[MODEL_RECENT];
	u32 nr_recent;
};

/* Small windows where sizes of leaves and kinds of ranges meet. */
extern const u64 model_windows_narrow[][2];
/* All of the first 1.5 GiB besides. */
extern const u64 model_windows_wide[][2];

/*
 * All of these return what the function of core's returned; that the value is
 * the right one, and that the tables are what they should be, is checked.
 */
int model_init(struct ept_model *model, const struct ept_setup *setup);
int model_map(struct ept_model *model, u64 start, u64 end);
int model_deny(struct ept_model *model, u64 start, u64 end, u64 mask, u64 bits);
/** model_protect - one owner, who leaves these rights: 0, or some that include EPT_READ */
int model_protect(struct ept_model *model, u64 start, u64 end, u64 rights);
int model_retype(struct ept_model *model, const struct mtrr_state *mtrr);
int model_hide(struct ept_model *model, u32 chunk);
int model_hide_page(struct ept_model *model, u64 gpa);
int model_zero_page(struct ept_model *model, u64 gpa);
void model_show_page(struct ept_model *model, u64 gpa);
/** model_merge - also gives the table back. Return: was there one */
bool model_merge(struct ept_model *model, u64 gpa);
/** model_end - also gives the tables back, if no chunk was hidden in them */
void model_end(struct ept_model *model);

/** ept_ops_run - any sequence of operations that @source decides on */
void ept_ops_run(struct source *source, const u64 (*windows)[2], u32 max_ops);

#endif
