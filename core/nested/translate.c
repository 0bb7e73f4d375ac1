// SPDX-License-Identifier: GPL-2.0-only
/*
 * What core does for L2 by linear address: L2's page tables lead to L2's physical addresses,
 * and L1's EPT from there on. Where that has no page L1 is asked for it as the CPU would
 * ask: by an EPT violation.
 */
#include "nested/ept_l2.h"
#include "vmx.h"
#include "walk.h"

#define WALK_ADVANCED		(WALK_USER | WALK_WRITE | WALK_NX)
/* Access types of an APIC-access exit (SDM vol. 3, table 28-6) */
#define APIC_READ		0ull
#define APIC_WRITE		1ull
#define APIC_PHYSICAL		15ull

static u64 rights_for(const struct nested_ept_root *root, u32 access)
{
	/* With EPT12's flags on, an access to L2's tables is a write (SDM vol. 3, 29.3.5). */
	if (!(access & WALK_FINAL) && root->eptp & EPTP_AD)
		return EPT_READ | EPT_WRITE;
	if (access & PF_WRITE)
		return EPT_WRITE;
	return access & PF_FETCH ? EPT_EXEC : EPT_READ;
}

static u64 qualify(u32 access)
{
	return EPT_VIOLATION_LINEAR | (access & WALK_FINAL) |
	       (nested_offers_ept(EPT_CAP_ADVANCED) ? access & WALK_ADVANCED : 0);
}

static void miss(struct nested_missed *missed, const struct ept12_walk *walk, u64 rights,
		 u32 access)
{
	missed->entry = walk->entry;
	missed->qualification = 0;
	if (walk->is_wrong) {
		missed->reason = EXIT_EPT_MISCONFIG;
	} else if (walk->is_full) {
		missed->reason = EXIT_PML_FULL;
	} else {
		missed->reason = EXIT_EPT_VIOLATION;
		missed->qualification = rights | qualify(access) |
					(walk->is_leaf ? walk->rights : 0) << EPT_VIOLATION_RIGHTS;
	}
}

static bool through_ept12(struct percpu *cpu, u64 *gpa, u32 access)
{
	struct ept12_walk walk;
	u64 rights;

	/* Core's EPT has changed since L2 has exited. */
	if (!cpu->nested->current_root)
		nested_ept_load(cpu);
	rights = rights_for(cpu->nested->current_root, access);
	ept12_walk(cpu, *gpa, rights, &walk);
	if (!walk.is_leaf || walk.is_full || rights & ~walk.rights) {
		miss(&cpu->nested->missed, &walk, rights, access);
		return false;
	}
	*gpa = walk.gpa;
	return true;
}

static bool is_apic(const struct vmcs12 *v, u64 gpa)
{
	return nested_secondary(v) & SECONDARY_APIC_ACCESS &&
	       (gpa & PAGE_MASK) == vmcs12_get(v, VMCS_APIC_ACCESS_ADDRESS);
}

/* Accesses of 4 bytes the CPU may have virtualized (SDM vol. 3, 30.4); core has not. */
static void miss_apic(struct nested_missed *missed, u64 gpa, u32 access)
{
	u64 type = access & PF_WRITE ? APIC_WRITE : APIC_READ;

	missed->reason = EXIT_APIC_ACCESS;
	missed->qualification = access & WALK_FINAL ? type << 12 | gpa % PAGE_SIZE :
						      APIC_PHYSICAL << 12;
}

/**
 * nested_translate - from L2's physical address to L1's, see struct guest_paging
 *
 * Context: root mode, VMCS02 is current, and L2 is in no view.
 */
bool nested_translate(u64 *gpa, u32 access)
{
	struct percpu *cpu = this_cpu();
	struct nested_missed *missed = &cpu->nested->missed;

	missed->address = *gpa;
	if (nested_has_ept(cpu) && !through_ept12(cpu, gpa, access))
		return false;
	if (!is_apic(cpu->nested->vmcs12, *gpa))
		return true;
	miss_apic(missed, *gpa, access);
	return false;
}

/**
 * nested_exit_missed - L1 gets the exit for what nested_translate() has not found
 * @cpu: this CPU, VMCS02 current, L2's state as before its instruction
 * @linear: the address that L2 has used
 *
 * Or L2 gets a virtualization exception, if L1 wants that.
 */
void nested_exit_missed(struct percpu *cpu, u64 linear)
{
	struct nested_missed *missed = &cpu->nested->missed;
	struct vmcs12 *v = cpu->nested->vmcs12;

	missed->linear = linear;
	if (missed->reason == EXIT_EPT_VIOLATION && nested_ept_convert(cpu, missed))
		return;
	vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	cpu->nested->faulted = missed->address;
	nested_exit(cpu, missed->reason, missed->qualification);
	vmcs12_set(v, VMCS_GUEST_PHYSICAL_ADDRESS, missed->address);
	vmcs12_set(v, VMCS_GUEST_LINEAR_ADDRESS, linear);
	vmcs12_set(v, VMCS_EXIT_INTERRUPTION_INFO, 0);
	vmcs12_set(v, VMCS_IDT_VECTORING_INFO, 0);
	nested_shadow_write(cpu);
}

/**
 * nested_repeat_vmcall - a hypercall has failed; would it not, if L1 had a page there?
 *
 * Return: true if L1 has got the exit for it; then L2 makes the call again.
 */
bool nested_repeat_vmcall(struct percpu *cpu)
{
	struct nested_missed *missed = &cpu->nested->missed;

	if (!nested_in_guest(cpu) || !missed->reason)
		return false;
	/* Which of its addresses has led there, and how, is not told. */
	if (missed->reason == EXIT_EPT_VIOLATION)
		missed->qualification &= ~(EPT_VIOLATION_LINEAR | WALK_FINAL | WALK_ADVANCED);
	nested_exit_missed(cpu, 0);
	return true;
}
