/* SPDX-License-Identifier: GPL-2.0-only */
/* What core knows of the Linux above it: enough to name a task. */
#ifndef CORE_LINUX_H
#define CORE_LINUX_H

#include "percpu.h"

#define LINUX_COMM	16

/**
 * struct linux_task - a task
 * @pid: its process, 0 if it is not known
 * @comm: its name, printable
 */
struct linux_task {
	u32 pid;
	char comm[LINUX_COMM];
};

long linux_learn(struct percpu *cpu);
void linux_current(const struct percpu *cpu, struct linux_task *task);

#endif
