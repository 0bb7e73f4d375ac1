/* SPDX-License-Identifier: GPL-2.0-only */
/* Hardware task switches of a guest in legacy protected mode. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "percpu.h"

void task_handle_switch(struct percpu *cpu);

#endif
