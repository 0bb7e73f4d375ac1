/* SPDX-License-Identifier: GPL-2.0-only */
/* The one EPT that all CPUs use: its lock, its changes, its violations. */
#ifndef CORE_EPT_GUEST_H
#define CORE_EPT_GUEST_H

#include "ept.h"
#include "percpu.h"
#include "spinlock.h"

/**
 * struct ept_guest - the common EPT, for ept_*.c only
 * @lock: of the tables
 * @ept: the tables
 * @generation: number of the last change that needs an INVEPT
 * @zeros: a frame of zeros
 * @zero_table: a page table that leads to it, for core's chunks
 * @hidden: pages that are hidden
 * @guarded: EPT_DENY_GUARD and EPT_DENY_MODULE are for core's writes too
 */
struct ept_guest {
	struct spinlock lock;
	struct ept ept;
	u64 generation;
	void *zeros;
	u64 *zero_table;
	u32 hidden;
	bool guarded;
};

extern struct ept_guest ept_guest;

/**
 * struct ept_merge - tables that are no longer in use, but may be in some CPU's caches
 * @table: the tables
 * @count: how many
 */
struct ept_merge {
	void *table[16];
	u32 count;
};

/* ept_guest.c */
int ept_guest_init(const struct latch_boot *boot);
void ept_guest_fill_table(u64 *table, const void *frame, u64 rights);
u64 ept_guest_pointer(void);
u64 ept_guest_generation(void);
void ept_guest_follow_mtrrs(struct percpu *cpu);
void ept_guest_sync(struct percpu *cpu);
void ept_guest_shoot_down(struct percpu *cpu);
void ept_guest_handle_violation(struct percpu *cpu);
bool ept_guest_fill(struct percpu *cpu, u64 gpa);
u64 ept_guest_lookup(u64 gpa, u32 *level);
int ept_guest_deny(struct percpu *cpu, u64 gpa, u64 pages, u64 mask, u64 bits);
void ept_guest_merge(struct percpu *cpu, struct ept_merge *merge, u64 gpa);
void ept_guest_merge_end(struct percpu *cpu, struct ept_merge *merge);

/* ept_step.c */
void ept_guest_step(struct percpu *cpu, u64 gpa);
void ept_guest_end_step(struct percpu *cpu);

#endif
