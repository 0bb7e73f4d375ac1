/* SPDX-License-Identifier: GPL-2.0-only */
/* One instruction of the guest that hypapps let do what the common EPT denies. */
#ifndef CORE_EPT_OPEN_H
#define CORE_EPT_OPEN_H

#include "percpu.h"

int ept_open_prepare(void);
void ept_open_release(void);
void ept_open_step(struct percpu *cpu, u64 gpa, u64 qualification);
void ept_open_end(struct percpu *cpu);

#endif
