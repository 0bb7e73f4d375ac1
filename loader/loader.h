/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every loader does to bring core in, whatever it runs on: bootstrap page
 * tables, CPU pages, capture of the CPU's state. No allocation, no printing, no
 * locks; used by module/ (Linux) and lhv/ (bare metal).
 */
#ifndef _LATCH_LOADER_H
#define _LATCH_LOADER_H

#include <latch/launch.h>

extern const char latch_tramp_page[], latch_tramp_end[], latch_tramp_exit[];
extern const char latch_tramp_nmi[], latch_tramp_fault[], latch_tramp_left[];
long latch_tramp_enter(struct latch_cpu_page *page);
long latch_tramp_leave(void);

/**
 * struct latch_bootmap - bootstrap page tables
 * @va: pages for the tables, cleared; the first one is the root
 * @pa: physical address of @va, contiguous
 * @pages: pages that there are
 * @used: pages in use, 1 at the beginning
 * @levels: 4 or 5, as CR4.LA57 has it
 */
struct latch_bootmap {
	__u64 *va;
	__u64 pa;
	__u32 pages;
	__u32 used;
	__u32 levels;
};

#define LATCH_BOOTMAP_PAGES	32

/* The fields of struct latch_boot that latch_bootmap_build() reads must be set. */
int latch_bootmap_build(struct latch_bootmap *map, const struct latch_boot *boot,
			__u64 tramp_phys);
__u64 latch_chunks_needed(const struct latch_image *image, __u32 nr_cpus, __u64 ram_top);
void latch_cpu_page_init(struct latch_cpu_page *page);
void latch_cpu_page_prepare(struct latch_cpu_page *page, __u32 op, __u32 cpu,
			    __u64 cr3, __u64 entry);

#endif
