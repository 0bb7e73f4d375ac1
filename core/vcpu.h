/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest of one CPU: launch, state, leaving. */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include <latch/launch.h>
#include "percpu.h"
#include "types.h"

bool vcpu_write_state(const struct latch_cpu_state *state);
void vcpu_read_state(struct latch_cpu_state *state, const struct latch_gpr *gpr);
void vcpu_reset(struct latch_gpr *gpr, u8 vector);

int vcpu_set_controls(struct percpu *cpu, struct latch_error *error);
bool vcpu_set_perf_control(const struct percpu *cpu);
bool vcpu_set_host(const struct percpu *cpu);

int vcpu_launch(struct percpu *cpu, struct latch_error *error);

void vcpu_return(struct latch_cpu_page *page, struct latch_cpu_page *change_over,
		 const struct latch_cpu_state *state) __attribute__((noreturn));
void vcpu_leave(struct percpu *cpu, const struct latch_gpr *gpr, u64 rip)
	__attribute__((noreturn));
void vcpu_unwind(struct percpu *cpu, u32 step, int error) __attribute__((noreturn));
bool vcpu_can_load_tr(u16 selector);

#endif
