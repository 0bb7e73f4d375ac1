// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's own page tables.
 *
 * Made once, at LATCH_OP_INIT, and shared by all CPUs; after that only the
 * window pages change. Every mapping is of 4 KiB and supervisor-only.
 */
#include "layout.h"
#include "paging.h"
#include "pool.h"

extern const char image_start[], text_start[], text_end[], rodata_end[], image_end[];

static struct {
	u64 *root;
	u32 levels;
	u64 *window[LATCH_MAX_CPUS];
} paging;

static u64 *pte_find(u64 va, bool create)
{
	u64 *table = paging.root, *entry, *next;
	u32 level;

	for (level = paging.levels - 1; ; level--) {
		entry = &table[va >> (PAGE_SHIFT + 9 * level) & 511];
		if (!level)
			return entry;
		if (!(*entry & PTE_PRESENT)) {
			next = create ? pool_alloc() : NULL;
			if (!next)
				return NULL;
			*entry = pool_pa(next) | PTE_PRESENT | PTE_WRITE;
		}
		table = pool_va(*entry & PTE_ADDRESS);
	}
}

/**
 * paging_map - map one page that is not mapped yet
 *
 * Context: LATCH_OP_INIT. Return: 0 or -ENOMEM.
 */
int paging_map(u64 va, u64 pa, u64 flags)
{
	u64 *pte = pte_find(va, true);

	if (!pte)
		return -ENOMEM;
	*pte = pa | flags;
	return 0;
}

static u64 image_flags(const char *va)
{
	if (va >= text_start && va < text_end)
		return PTE_PRESENT;
	if (va >= image_start && va < rodata_end)
		return PTE_PRESENT | PTE_NX;
	return PTE_RW;
}

/* The image with the rights of its sections, the pool behind it writable. */
static int map_chunks(const struct latch_boot *boot)
{
	const char *va = (const char *)LATCH_CORE_BASE;
	const char *end = va + (u64)boot->nr_chunks * LATCH_CHUNK_SIZE;
	int ret = 0;

	for (; va < end && !ret; va += PAGE_SIZE)
		ret = paging_map((u64)va, pool_pa(va), image_flags(va));
	return ret;
}

static int map_public(const struct latch_boot *boot)
{
	u64 off;
	int ret = 0;

	for (off = 0; off < boot->public_size && !ret; off += PAGE_SIZE)
		ret = paging_map(LATCH_PUBLIC_BASE + off, boot->public_phys + off, PTE_RW);
	return ret;
}

/* A private copy of one of the loader's pages, at the loader's address. */
static int map_copy(u64 va, u64 flags)
{
	void *page = pool_alloc();

	if (!page)
		return -ENOMEM;
	memcpy(page, (const void *)va, PAGE_SIZE);
	return paging_map(va, pool_pa(page), flags);
}

static int map_change_over(const struct latch_boot *boot)
{
	int ret = map_copy(boot->tramp_va, PTE_PRESENT);
	u32 cpu;

	for (cpu = 0; cpu < boot->nr_cpus && !ret; cpu++)
		ret = map_copy(boot->public_va + boot->log_size + (u64)cpu * PAGE_SIZE, PTE_RW);
	return ret;
}

static int map_windows(u32 nr_cpus)
{
	u32 cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		paging.window[cpu] = pte_find(WINDOW_BASE + (u64)cpu * PAGE_SIZE, true);
		if (!paging.window[cpu])
			return -ENOMEM;
	}
	return 0;
}

/**
 * paging_init - make core's page tables
 *
 * Return: 0 or -ENOMEM.
 */
int paging_init(const struct latch_boot *boot)
{
	int ret;

	paging.levels = boot->levels;
	paging.root = pool_alloc();
	if (!paging.root)
		return -ENOMEM;
	ret = map_chunks(boot);
	if (!ret)
		ret = map_public(boot);
	if (!ret)
		ret = map_change_over(boot);
	if (!ret)
		ret = map_windows(boot->nr_cpus);
	return ret;
}

/** paging_root - CR3 of root mode */
u64 paging_root(void)
{
	return pool_pa(paging.root);
}

/** paging_window_entry - page table entry of a CPU's window */
u64 *paging_window_entry(u32 cpu)
{
	return paging.window[cpu];
}
