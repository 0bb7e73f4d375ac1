/* SPDX-License-Identifier: GPL-2.0-only */
/* Making other CPUs exit. */
#ifndef CORE_KICK_H
#define CORE_KICK_H

#include "percpu.h"

void kick_one(const struct percpu *cpu, struct percpu *target);
bool kick_hold(struct percpu *cpu);
void kick_release(struct percpu *cpu);
void kick_self_nmi(const struct percpu *cpu);
void kick_all(struct percpu *cpu, u64 generation);
bool kick_take(struct percpu *cpu);

#endif
