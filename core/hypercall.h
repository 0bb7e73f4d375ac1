/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL. */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "percpu.h"

void hypercall_handle(struct percpu *cpu);

#endif
