/* SPDX-License-Identifier: GPL-2.0-only */
/* Core's own page tables: W^X, guard pages, nothing of the guest. */
#ifndef CORE_PAGING_H
#define CORE_PAGING_H

#include "percpu.h"

struct latch_boot;

#define PTE_PRESENT	BIT(0)
#define PTE_WRITE	BIT(1)
#define PTE_PWT		BIT(3)
#define PTE_PCD		BIT(4)
#define PTE_NX		BIT(63)
#define PTE_ADDRESS	0x000ffffffffff000ull
#define PTE_RW		(PTE_PRESENT | PTE_WRITE | PTE_NX)
#define PTE_UNCACHED	(PTE_PCD | PTE_PWT)	/* PAT entry 3 */

int paging_init(const struct latch_boot *boot);
int paging_map(u64 va, u64 pa, u64 flags);
u64 paging_root(void);
u64 *paging_window_entry(u32 cpu);

/**
 * paging_window - look at a frame through this CPU's window
 * @cpu: the calling CPU
 * @pa: frame
 * @flags: as in a page table entry
 *
 * Context: root mode; the last window of this CPU is gone.
 */
static inline volatile void *paging_window(const struct percpu *cpu, u64 pa, u64 flags)
{
	u64 va = WINDOW_BASE + (u64)cpu->index * PAGE_SIZE;

	*cpu->window = (pa & PTE_ADDRESS) | flags;
	asm volatile("invlpg (%0)" : : "r" (va) : "memory");
	return (volatile void *)(va + pa % PAGE_SIZE);
}

#endif
