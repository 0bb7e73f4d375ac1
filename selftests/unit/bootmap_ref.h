/* SPDX-License-Identifier: GPL-2.0-only */
/* latch_bootmap_build() against a walk of what it built. */
#ifndef UNIT_BOOTMAP_REF_H
#define UNIT_BOOTMAP_REF_H

#include "check.h"
#include "loader.h"

/**
 * bootmap_ref_check - build page tables and look at all of them
 * @boot: what is to be mapped
 * @tramp_phys: the trampoline's frame
 * @levels: 4 or 5
 * @pages: pages for the tables
 *
 * Return: what latch_bootmap_build() returned, which is right.
 */
int bootmap_ref_check(const struct latch_boot *boot, u64 tramp_phys, u32 levels, u32 pages);
/** bootmap_ref_pages - pages that the tables need */
u32 bootmap_ref_pages(const struct latch_boot *boot, u32 levels);
void bootmap_ref_run(struct source *source);

#endif
