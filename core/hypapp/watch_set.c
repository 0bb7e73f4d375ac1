// SPDX-License-Identifier: GPL-2.0-only
/* See watch_set.h. Ranges are known by numbers from 1 on; pages come as they are needed. */
#include "hypapp/watch_set.h"
#include "pool.h"

#define RANGES	(PAGE_SIZE / sizeof(struct watch_range))
#define WATCHES	(PAGE_SIZE / sizeof(struct latch_watch))

static struct watch_range *range_of(struct watch_set *set, u32 number)
{
	return number ? &set->block[(number - 1) / RANGES][(number - 1) % RANGES] : NULL;
}

static u32 *bucket_of(struct watch_set *set, u64 gpa)
{
	u64 frame = gpa >> PAGE_SHIFT;

	return &set->bucket[(frame ^ frame >> 9) % WATCH_BUCKETS];
}

/** watch_set_init - an empty set; 0 or -ENOMEM */
int watch_set_init(struct watch_set *set)
{
	memset(set, 0, sizeof(*set));
	set->watch = pool_alloc();
	return set->watch ? 0 : -ENOMEM;
}

/** watch_set_free - give its memory back */
void watch_set_free(struct watch_set *set)
{
	while (set->nr_blocks)
		pool_free(set->block[--set->nr_blocks]);
	pool_free(set->watch);
	set->watch = NULL;
}

/** watch_set_new - a watchpoint without ranges, @id set; NULL if there are too many */
struct latch_watch *watch_set_new(struct watch_set *set)
{
	u32 i;

	for (i = 0; i < WATCHES && set->watch[i].id; i++)
		;
	if (i == WATCHES)
		return NULL;
	set->watch[i] = (struct latch_watch) { .id = i + 1 };
	return &set->watch[i];
}

/** watch_set_find - the watchpoint with a number, or NULL */
struct latch_watch *watch_set_find(struct watch_set *set, u64 id)
{
	return id && id <= WATCHES && set->watch[id - 1].id ? &set->watch[id - 1] : NULL;
}

/** watch_set_behind - the first watchpoint whose number is larger, or NULL */
struct latch_watch *watch_set_behind(struct watch_set *set, u64 id)
{
	for (; id < WATCHES; id++)
		if (set->watch[id].id)
			return &set->watch[id];
	return NULL;
}

static int more_ranges(struct watch_set *set)
{
	struct watch_range *block;
	u32 i;

	if (set->nr_blocks == WATCH_BLOCKS)
		return -ENOSPC;
	block = pool_alloc();
	if (!block)
		return -ENOMEM;
	for (i = 0; i < RANGES; i++)
		block[i].next = i + 1 < RANGES ? set->nr_blocks * (u32)RANGES + i + 2 : 0;
	set->block[set->nr_blocks] = block;
	set->free = set->nr_blocks++ * (u32)RANGES + 1;
	return 0;
}

/**
 * watch_set_add - add a range, which is in one page, to a watchpoint
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int watch_set_add(struct watch_set *set, u32 id, u64 gpa, u64 linear, u32 size)
{
	u32 *bucket = bucket_of(set, gpa), number;
	struct watch_range *range;
	int ret = set->free ? 0 : more_ranges(set);

	if (ret)
		return ret;
	number = set->free;
	range = range_of(set, number);
	set->free = range->next;
	*range = (struct watch_range) {
		.gpa = gpa, .linear = linear, .size = size, .watch = id, .next = *bucket,
	};
	*bucket = number;
	return 0;
}

/**
 * watch_set_remove - remove one range of a watchpoint
 * @set: the set
 * @id: its number
 * @page: out: guest-physical address of the page
 *
 * Return: false if it has none left.
 */
bool watch_set_remove(struct watch_set *set, u32 id, u64 *page)
{
	struct watch_range *range;
	u32 i, *link, number;

	for (i = 0; i < WATCH_BUCKETS; i++) {
		for (link = &set->bucket[i]; *link; link = &range->next) {
			range = range_of(set, *link);
			if (range->watch != id)
				continue;
			number = *link;
			*page = range->gpa & PAGE_MASK;
			*link = range->next;
			range->next = set->free;
			set->free = number;
			return true;
		}
	}
	return false;
}

static struct watch_range *in_page(struct watch_set *set, u32 number, u64 page)
{
	struct watch_range *range;

	for (; number; number = range->next) {
		range = range_of(set, number);
		if ((range->gpa & PAGE_MASK) == page)
			return range;
	}
	return NULL;
}

/** watch_set_first - the first range in a page, or NULL */
struct watch_range *watch_set_first(struct watch_set *set, u64 page)
{
	return in_page(set, *bucket_of(set, page), page);
}

/** watch_set_next - the next one in the same page, or NULL */
struct watch_range *watch_set_next(struct watch_set *set, const struct watch_range *range)
{
	return in_page(set, range->next, range->gpa & PAGE_MASK);
}

/** watch_set_access - the accesses to a page that somebody wants to know of */
u32 watch_set_access(struct watch_set *set, u64 page)
{
	struct watch_range *range;
	u32 access = 0;

	for (range = watch_set_first(set, page); range; range = watch_set_next(set, range))
		access |= set->watch[range->watch - 1].access;
	return access;
}
