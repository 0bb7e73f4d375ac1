// SPDX-License-Identifier: GPL-2.0-only
/*
 * L2 in a view: a hypapp has put it into an EPT of its own, where it has registers that
 * are not for L1. An exit of L1's leaves the view first, see nested_exit(). What L1 then
 * sees is L2 as the view's owner leaves it: at an address from where it comes back.
 *
 * That is right for exits that come from outside, and for faults. An instruction that
 * L1 intercepts it would have to see, or to skip: the view's owner deals with that.
 */
#include "ept_view.h"
#include "hypapp/hypapp.h"
#include "nested/nested.h"

/** nested_in_view - does L2 run, in a view that L1 must not see */
bool nested_in_view(const struct percpu *cpu)
{
	return nested_in_guest(cpu) && cpu->view && !cpu->view->common;
}

/** nested_view_leave - L2's state is about to be L1's, or its EPT is */
void nested_view_leave(struct percpu *cpu)
{
	if (nested_in_view(cpu))
		cpu->view->interrupt(cpu);
}

static bool is_fault_or_nmi(void)
{
	u32 type = (u32)vmread(VMCS_EXIT_INTERRUPTION_INFO) & EVENT_TYPE;

	return type == EVENT_TYPE_NMI || type == EVENT_TYPE_HARD;
}

/* Is it one that L1 may have, or that is core's; not an instruction of L2's. */
static bool can_go_on(struct percpu *cpu, u32 reason)
{
	switch (reason) {
	case EXIT_EXCEPTION:
		return is_fault_or_nmi();
	case EXIT_EXTERNAL:
	case EXIT_INIT:
	case EXIT_INTERRUPT_WINDOW:
	case EXIT_NMI_WINDOW:
	case EXIT_MTF:
	case EXIT_TIMER:
	case EXIT_EPT_VIOLATION:
	case EXIT_EPT_MISCONFIG:
		return true;
	case EXIT_VMCALL:
		return hypapp_takes_nested(cpu, cpu->gpr->rax);
	default:
		return false;
	}
}

/**
 * nested_view_handle_exit - an exit while L2 is in a view
 *
 * Return: false if it is like any other.
 */
bool nested_view_handle_exit(struct percpu *cpu, u32 reason)
{
	if (can_go_on(cpu, reason))
		return false;
	cpu->view->intercepted(cpu);
	return true;
}
