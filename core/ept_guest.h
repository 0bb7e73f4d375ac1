/* SPDX-License-Identifier: GPL-2.0-only */
/* The one EPT that all CPUs use: its lock, its changes, its violations. */
#ifndef CORE_EPT_GUEST_H
#define CORE_EPT_GUEST_H

#include "percpu.h"

int ept_guest_init(const struct latch_boot *boot);
u64 ept_guest_pointer(void);
u64 ept_guest_generation(void);
void ept_guest_follow_mtrrs(struct percpu *cpu);
void ept_guest_sync(struct percpu *cpu);
void ept_guest_handle_violation(struct percpu *cpu);
int ept_guest_protect(struct percpu *cpu, u64 page, u64 rights);
void ept_guest_step(struct percpu *cpu, u64 gpa);
void ept_guest_end_step(struct percpu *cpu);

#endif
