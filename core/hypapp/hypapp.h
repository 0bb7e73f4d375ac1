/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypapps: services on top of core. A hypapp is one unit in this folder that core
 * knows by its table only; one that is off costs nothing.
 */
#ifndef CORE_HYPAPP_HYPAPP_H
#define CORE_HYPAPP_HYPAPP_H

#include <linux/latch.h>
#include "percpu.h"

/**
 * struct hypapp_call - a hypercall of a hypapp
 * @run: does it; the caller's registers are in cpu->gpr, RDI, RSI and RDX are
 *	arguments and results; returns 0 or a negative errno, with which only RAX changes
 * @max_cpl: who may use it: CPL 0, or any (3)
 * @quiesce: all other CPUs stand still meanwhile
 *
 * @run's context: root mode, no lock held.
 */
struct hypapp_call {
	long (*run)(struct percpu *cpu);
	u8 max_cpl;
	bool quiesce;
};

/**
 * struct hypapp - a hypapp
 * @name: at most 15 characters
 * @id: enum latch_app
 * @nr_calls: number of @calls, at most LATCH_APP_CALLS
 * @calls: hypercalls, LATCH_HC_APP(@id, 0) and so on
 * @enable: is switched on; may fail with a negative errno, and has changed nothing then
 * @disable: is switched off, and gives back what it has; may refuse with -EBUSY
 * @shutdown: Latch is about to leave a CPU: what must not be found without it is to be
 *	gone on return. More than one CPU may come here, at the same time too
 * @ept_violation: an access to @gpa is not allowed; true if it was this hypapp's, and has
 *	been dealt with
 *
 * All but @name and @id may be missing. @enable and @disable run while all other CPUs
 * stand still, the others at any time on any CPU, in root mode, with no lock held.
 */
struct hypapp {
	const char *name;
	u32 id;
	u32 nr_calls;
	const struct hypapp_call *calls;
	int (*enable)(struct percpu *cpu);
	int (*disable)(struct percpu *cpu);
	void (*shutdown)(struct percpu *cpu);
	bool (*ept_violation)(struct percpu *cpu, u64 gpa, u64 qualification);
};

/** HYPAPP - make a struct hypapp known; once in its unit */
#define HYPAPP(app) \
	static const struct hypapp *const app##_entry \
		__attribute__((used, section(".hypapps"))) = &(app)

long hypapp_call(struct percpu *cpu, u32 number, u32 cpl);
long hypapp_info(struct percpu *cpu);
long hypapp_set(struct percpu *cpu);
void hypapp_shutdown(struct percpu *cpu);
bool hypapp_ept_violation(struct percpu *cpu, u64 gpa, u64 qualification);

#endif
