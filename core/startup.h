/* SPDX-License-Identifier: GPL-2.0-only */
/* INIT, start-up IPI, triple fault. */
#ifndef CORE_STARTUP_H
#define CORE_STARTUP_H

#include "percpu.h"

void startup_request_init(const struct percpu *cpu, struct percpu *target);
void startup_handle_init(struct percpu *cpu);
void startup_handle_sipi(struct percpu *cpu);
void startup_handle_triple_fault(struct percpu *cpu);

#endif
