// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page pool. Core's memory is a few chunks of 2 MiB that are contiguous in
 * core's address space, not in physical memory. Chunks are small in number, so
 * a search is as good as a table.
 */
#include <latch/launch.h>
#include "pool.h"
#include "spinlock.h"

struct free_page {
	struct free_page *next;
};

static struct {
	struct spinlock lock;
	struct free_page *free;
	u64 next, end;		/* offsets from base, never used so far */
	u32 nr_pages, nr_free;
	u32 nr_chunks;
	u64 chunk[LATCH_MAX_CHUNKS];
	u64 low, high;		/* all chunks are in between */
	u8 *base;
} pool;

int pool_init(const struct latch_boot *boot, void *base, u64 image_size)
{
	u32 i, j;

	if (!boot->nr_chunks || boot->nr_chunks > LATCH_MAX_CHUNKS)
		return -EINVAL;
	for (i = 0; i < boot->nr_chunks; i++) {
		if (boot->chunk[i] % LATCH_CHUNK_SIZE)
			return -EINVAL;
		for (j = 0; j < i; j++)
			if (boot->chunk[i] == boot->chunk[j])
				return -EINVAL;
		pool.chunk[i] = boot->chunk[i];
		if (!i || pool.chunk[i] < pool.low)
			pool.low = pool.chunk[i];
		if (!i || pool.chunk[i] + LATCH_CHUNK_SIZE > pool.high)
			pool.high = pool.chunk[i] + LATCH_CHUNK_SIZE;
	}
	pool.nr_chunks = boot->nr_chunks;
	pool.base = base;
	pool.free = NULL;
	pool.next = (image_size + PAGE_SIZE - 1) & PAGE_MASK;
	pool.end = (u64)pool.nr_chunks * LATCH_CHUNK_SIZE;
	if (pool.next >= pool.end)
		return -EINVAL;
	pool.nr_pages = (u32)((pool.end - pool.next) / PAGE_SIZE);
	pool.nr_free = pool.nr_pages;
	return 0;
}

void *pool_alloc(void)
{
	void *page = NULL;

	spin_lock(&pool.lock);
	if (pool.free) {
		page = pool.free;
		pool.free = pool.free->next;
	} else if (pool.next < pool.end) {
		page = pool.base + pool.next;
		pool.next += PAGE_SIZE;
	}
	if (page)
		pool.nr_free--;
	spin_unlock(&pool.lock);
	if (page)
		memset(page, 0, PAGE_SIZE);
	return page;
}

void pool_free(void *page)
{
	struct free_page *entry = page;

	spin_lock(&pool.lock);
	entry->next = pool.free;
	pool.free = entry;
	pool.nr_free++;
	spin_unlock(&pool.lock);
}

u32 pool_pages(void)
{
	return pool.nr_pages;
}

u32 pool_free_pages(void)
{
	return READ_ONCE(pool.nr_free);
}

u64 pool_pa(const void *va)
{
	u64 offset = (u64)((const u8 *)va - pool.base);

	return pool.chunk[offset / LATCH_CHUNK_SIZE] + offset % LATCH_CHUNK_SIZE;
}

void *pool_va(u64 pa)
{
	u32 i;

	for (i = 0; i < pool.nr_chunks; i++)
		if (pa - pool.chunk[i] < LATCH_CHUNK_SIZE)
			return pool.base + (u64)i * LATCH_CHUNK_SIZE + (pa - pool.chunk[i]);
	return NULL;
}

bool pool_owns(u64 pa)
{
	return pa >= pool.low && pa < pool.high && pool_va(pa);
}

bool pool_owns_any(u64 start, u64 size)
{
	u32 i;

	for (i = 0; i < pool.nr_chunks; i++)
		if (pool.chunk[i] < start + size && start < pool.chunk[i] + LATCH_CHUNK_SIZE)
			return true;
	return false;
}

u32 pool_nr_chunks(void)
{
	return pool.nr_chunks;
}

u64 pool_chunk(u32 index)
{
	return pool.chunk[index];
}
