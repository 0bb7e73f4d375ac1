/* SPDX-License-Identifier: GPL-2.0-only */
/* Holding all other CPUs in root mode for a moment. */
#ifndef CORE_QUIESCE_H
#define CORE_QUIESCE_H

#include "percpu.h"

int quiesce_begin(struct percpu *cpu);
void quiesce_end(struct percpu *cpu);
void quiesce_stand(struct percpu *cpu);

#endif
