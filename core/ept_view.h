/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views: what a hypapp hides from the common EPT, and EPTs of its own in which
 * that can be reached.
 */
#ifndef CORE_EPT_VIEW_H
#define CORE_EPT_VIEW_H

#include "ept.h"
#include "percpu.h"

/**
 * struct ept_view - an EPT in which a CPU is for a while
 * @ept: its tables; maps little
 * @violation: what is to happen after an access that it does not allow. Also the
 *	delivery of an event: then IDT-vectoring information is valid, and the event
 *	has not been put back yet
 * @kicked: a kick has come, the guest's state is in the VMCS; may leave the view
 * @interrupt: core is about to inject an event of its own; must leave the view
 * @reset: the guest's CPU is reset by INIT; must leave the view
 * @intercepted: in a nested guest, an instruction that its hypervisor intercepts; must leave
 *	the view
 * @vmfunc: VMFUNC has exited; false: it is not for the view's owner. NULL: it never is
 * @common: it is the common EPT with a few more rights: core's own accesses for the guest
 *	go by the common one
 *
 * The callbacks run in root mode on the CPU that is in the view, no lock held.
 */
struct ept_view {
	struct ept ept;
	void (*violation)(struct percpu *cpu, u64 gpa, u64 qualification);
	void (*kicked)(struct percpu *cpu);
	void (*interrupt)(struct percpu *cpu);
	void (*reset)(struct percpu *cpu);
	void (*intercepted)(struct percpu *cpu);
	bool (*vmfunc)(struct percpu *cpu);
	bool common;
};

int ept_view_hide(struct percpu *cpu, u64 *gpa, u32 count);
void ept_view_show(struct percpu *cpu, u64 *gpa, u32 count);
void ept_view_zero(u64 gpa);
bool ept_view_is_hidden(u64 gpa);
bool ept_view_is_ordinary(u64 gpa);
bool ept_view_is_ram(u64 gpa);
u64 ept_view_denied(u64 gpa);
bool ept_view_hides(void);
bool ept_view_is_free(u64 gpa);
void ept_view_load(struct percpu *cpu, u64 pointer);
void ept_view_enter(struct percpu *cpu, struct ept_view *view);
void ept_view_leave(struct percpu *cpu);
bool ept_view_access(u64 gpa, u64 right, u64 *pa);

#endif
