/* SPDX-License-Identifier: GPL-2.0-only */
/* What guard.c and guard_regs.c offer each other. */
#ifndef CORE_HYPAPP_GUARD_H
#define CORE_HYPAPP_GUARD_H

#include <linux/latch_guard.h>
#include "percpu.h"

/* guard.c */
u32 guard_mode(void);
void guard_count_register(void);

/* guard_regs.c */
int guard_regs_alloc(void);
void guard_regs_free(void);
u32 guard_regs_pinned(void);
int guard_regs_pin(struct percpu *cpu);
void guard_regs_sync(struct percpu *cpu);
void guard_regs_join(struct percpu *cpu);
void guard_regs_reset(struct percpu *cpu);
void guard_regs_begin(struct percpu *cpu);
void guard_regs_end(struct percpu *cpu);
void guard_regs_loaded(struct percpu *cpu);

#endif
