/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID exits. */
#ifndef CORE_CPUID_H
#define CORE_CPUID_H

#include "percpu.h"

void cpuid_handle(struct percpu *cpu);

#endif
