/* SPDX-License-Identifier: GPL-2.0-only */
/* Watchpoints and their ranges as plain arrays, and sequences of operations on both. */
#ifndef UNIT_WATCH_SET_REF_H
#define UNIT_WATCH_SET_REF_H

#include "check.h"
#include "hypapp/watch_set.h"

#define SET_WATCHES	128u	/* watchpoints, at most */
#define SET_RANGES	128u	/* ranges in a page of core's memory */
#define MODEL_RANGES	700u	/* of the model */

/**
 * struct set_model - what core's set must be
 * @set: core's
 * @watch: all watchpoints, by number - 1; @id is 0 where there is none
 * @range: all ranges, in any order; @next is not used
 * @nr_ranges: how many
 * @most_ranges: how many there have been at once: so many core has memory for
 * @free_pages: pages that the pool still has
 */
struct set_model {
	struct watch_set set;
	struct latch_watch watch[SET_WATCHES];
	struct watch_range range[MODEL_RANGES];
	u32 nr_ranges, most_ranges;
	u32 free_pages;
};

/* Each does it to both, and requires that core does what the model says. */
void set_model_init(struct set_model *model, u32 pages);
/** set_model_new - Return: its number, 0 if there are too many */
u32 set_model_new(struct set_model *model, u32 access);
/** set_model_add - Return: false if core has no memory for it, or the model no room */
bool set_model_add(struct set_model *model, u32 id, u64 gpa, u64 linear, u32 size);
/** set_model_remove - Return: false if the watchpoint has no range left */
bool set_model_remove(struct set_model *model, u32 id);
/** set_model_drop - remove a watchpoint with all its ranges */
void set_model_drop(struct set_model *model, u32 id);
/** set_model_check_page - all that core says of the page that an address is in */
void set_model_check_page(struct set_model *model, u64 gpa);
/** set_model_check_watch - find and behind, for any number */
void set_model_check_watch(struct set_model *model, u64 id);
void set_model_check_all(struct set_model *model);
/** set_model_free - all of core's memory is free again */
void set_model_free(struct set_model *model);

/** watch_set_ref_run - a sequence of operations */
void watch_set_ref_run(struct source *source);

#endif
