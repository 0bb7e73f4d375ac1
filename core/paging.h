/* SPDX-License-Identifier: GPL-2.0-only */
/* Core's own page tables: W^X, guard pages, nothing of the guest. */
#ifndef CORE_PAGING_H
#define CORE_PAGING_H

#include "types.h"

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
volatile void *paging_window(u32 cpu, u64 pa, u64 flags);

#endif
