/* SPDX-License-Identifier: GPL-2.0-only */
/* VM exits. */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

#include "percpu.h"

void exit_handle(struct latch_gpr *gpr, struct percpu *cpu);
void exit_entry_failed(u64 rflags);

#endif
