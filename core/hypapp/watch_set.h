/* SPDX-License-Identifier: GPL-2.0-only */
/* The watchpoints, and which of them are in a page. Pure, but for the pool. */
#ifndef CORE_HYPAPP_WATCH_SET_H
#define CORE_HYPAPP_WATCH_SET_H

#include <linux/latch_watch.h>
#include "types.h"

#define WATCH_BUCKETS	512
#define WATCH_BLOCKS	256	/* pages of ranges, at most */

/**
 * struct watch_range - the part of a watchpoint that is in one page
 * @gpa: guest-physical address of its first byte
 * @linear: linear address of it
 * @size: bytes
 * @watch: number of the watchpoint
 * @next: the next range in the same bucket, or the next free one; 0: none
 */
struct watch_range {
	u64 gpa, linear;
	u32 size;
	u32 watch;
	u32 next;
	u32 reserved;
};

/**
 * struct watch_set - all watchpoints
 * @watch: a page of them, by number - 1; @id is 0 where there is none
 * @block: pages of ranges
 * @nr_blocks: how many of those there are
 * @free: first free range
 * @bucket: first range, by a hash of the page
 */
struct watch_set {
	struct latch_watch *watch;
	struct watch_range *block[WATCH_BLOCKS];
	u32 nr_blocks;
	u32 free;
	u32 bucket[WATCH_BUCKETS];
};

int watch_set_init(struct watch_set *set);
void watch_set_free(struct watch_set *set);
struct latch_watch *watch_set_new(struct watch_set *set);
struct latch_watch *watch_set_find(struct watch_set *set, u64 id);
struct latch_watch *watch_set_behind(struct watch_set *set, u64 id);
int watch_set_add(struct watch_set *set, u32 id, u64 gpa, u64 linear, u32 size);
bool watch_set_remove(struct watch_set *set, u32 id, u64 *page);
u32 watch_set_access(struct watch_set *set, u64 page);
struct watch_range *watch_set_first(struct watch_set *set, u64 page);
struct watch_range *watch_set_next(struct watch_set *set, const struct watch_range *range);

#endif
