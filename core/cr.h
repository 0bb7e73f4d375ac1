/* SPDX-License-Identifier: GPL-2.0-only */
/* Control registers: MOV to CR0 and CR4, XSETBV. */
#ifndef CORE_CR_H
#define CORE_CR_H

#include "percpu.h"

void cr_handle_access(struct percpu *cpu);
void cr_handle_xsetbv(struct percpu *cpu);

#endif
