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
 * @nested: nested guests may use it too, while the hypapp @takes_nested
 *
 * @run's context: root mode, no lock held.
 */
struct hypapp_call {
	long (*run)(struct percpu *cpu);
	u8 max_cpl;
	bool quiesce;
	bool nested;
};

/**
 * enum hypapp_verdict - what a hypapp says of an access that the EPT denies
 * @HYPAPP_NOT_MINE: it is not by this hypapp's doing
 * @HYPAPP_STEP: the instruction may do it, once
 * @HYPAPP_DONE: it has been dealt with: the access is not to take place
 */
enum hypapp_verdict { HYPAPP_NOT_MINE, HYPAPP_STEP, HYPAPP_DONE };

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
 * @ept_violation: an access to @gpa is not allowed. All are asked until one has dealt
 *	with it, and again if the instruction starts again
 * @join: a CPU has been launched
 * @sync: called on each CPU after some CPU's hypapp_changed()
 * @reset: a CPU is reset by its guest
 * @stays: Latch may not leave a CPU
 * @takes_nested: may nested guests use those of its calls that are for them. If not, their
 *	VMCALLs are their hypervisor's
 * @registers_begin: the guest is about to change a register that a hypapp has had
 *	intercepted: a bit of CR0 or CR4, an MSR, or a descriptor table's. To let it, the
 *	hypapp intercepts nothing up to @registers_end, which is called behind the instruction
 * @registers_end: see there
 * @registers_loaded: an exit of a nested guest has loaded such registers, or VMX is off
 * @stepped: an instruction has been executed that was let go by @ept_violation
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
	enum hypapp_verdict (*ept_violation)(struct percpu *cpu, u64 gpa, u64 qualification);
	void (*stepped)(struct percpu *cpu);
	void (*join)(struct percpu *cpu);
	void (*sync)(struct percpu *cpu);
	void (*reset)(struct percpu *cpu);
	bool (*stays)(struct percpu *cpu);
	bool (*takes_nested)(struct percpu *cpu);
	void (*registers_begin)(struct percpu *cpu);
	void (*registers_end)(struct percpu *cpu);
	void (*registers_loaded)(struct percpu *cpu);
};

/** HYPAPP - make a struct hypapp known; once in its unit */
#define HYPAPP(app) \
	static const struct hypapp *const app##_entry \
		__attribute__((used, section(".hypapps"))) = &(app)

long hypapp_call(struct percpu *cpu, u32 number, u32 cpl);
long hypapp_info(struct percpu *cpu);
long hypapp_set(struct percpu *cpu);
void hypapp_shutdown(struct percpu *cpu);
enum hypapp_verdict hypapp_ept_violation(struct percpu *cpu, u64 gpa, u64 qualification);
void hypapp_stepped(struct percpu *cpu);
void hypapp_changed(struct percpu *cpu);
void hypapp_join(struct percpu *cpu);
void hypapp_sync(struct percpu *cpu);
void hypapp_reset(struct percpu *cpu);
bool hypapp_stays(struct percpu *cpu);
bool hypapp_takes_nested(struct percpu *cpu, u64 rax);
void hypapp_registers_begin(struct percpu *cpu);
void hypapp_registers_end(struct percpu *cpu);
void hypapp_registers_loaded(struct percpu *cpu);

#endif
