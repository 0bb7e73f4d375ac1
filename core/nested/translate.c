// SPDX-License-Identifier: GPL-2.0-only
/*
 * What core does for a program of L2, by linear address: L2's page tables lead to L2's
 * physical addresses, and L1's EPT from there on. Where that has no page L1 is asked for
 * it as the CPU would ask: by an EPT violation.
 */
#include "nested/ept_l2.h"
#include "walk.h"

static u64 rights_for(u32 access)
{
	if (access & PF_WRITE)
		return EPT_READ | EPT_WRITE;
	return access & PF_FETCH ? EPT_EXEC : EPT_READ;
}

static bool is_allowed(const struct ept12_walk *walk, u64 rights)
{
	return walk->is_leaf && !walk->is_full && !(rights & ~walk->rights);
}

/**
 * nested_translate - from L2's physical address to L1's, see struct guest_paging
 *
 * Context: root mode, VMCS02 is current, L1 uses EPT, and L2 is in no view.
 */
bool nested_translate(u64 *gpa, u32 access)
{
	struct percpu *cpu = this_cpu();
	struct nested_missed *missed = &cpu->nested->missed;
	u64 rights = rights_for(access);
	struct ept12_walk walk;

	/* Core's EPT has changed since L2 has exited. */
	if (!cpu->nested->current_root)
		nested_ept_load(cpu);
	ept12_walk(cpu, *gpa, rights, &walk);
	if (is_allowed(&walk, rights)) {
		*gpa = walk.gpa;
		return true;
	}
	missed->address = *gpa;
	missed->reason = EXIT_EPT_VIOLATION;
	if (walk.is_wrong)
		missed->reason = EXIT_EPT_MISCONFIG;
	else if (walk.is_full)
		missed->reason = EXIT_PML_FULL;
	missed->qualification = 0;
	if (missed->reason == EXIT_EPT_VIOLATION)
		missed->qualification = rights | (walk.is_leaf ? walk.rights : 0) <<
						 EPT_VIOLATION_RIGHTS;
	return false;
}

/** nested_has_missed - has nested_translate() found no page, in this VMCALL of L2's */
bool nested_has_missed(const struct percpu *cpu)
{
	return nested_in_guest(cpu) && cpu->nested->missed.reason;
}

/**
 * nested_exit_missed - L1 gets the exit for what nested_translate() has not found
 * @cpu: this CPU, VMCS02 current, L2's state as before its instruction
 *
 * Nothing is said of a linear address.
 */
void nested_exit_missed(struct percpu *cpu)
{
	const struct nested_missed missed = cpu->nested->missed;
	struct vmcs12 *v = cpu->nested->vmcs12;

	cpu->nested->faulted = missed.address;
	nested_exit(cpu, missed.reason, missed.qualification);
	vmcs12_set(v, VMCS_GUEST_PHYSICAL_ADDRESS, missed.address);
	vmcs12_set(v, VMCS_GUEST_LINEAR_ADDRESS, 0);
	vmcs12_set(v, VMCS_EXIT_INTERRUPTION_INFO, 0);
	vmcs12_set(v, VMCS_IDT_VECTORING_INFO, 0);
	nested_shadow_write(cpu);
}
