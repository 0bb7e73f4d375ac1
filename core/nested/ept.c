// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT of L2: what L1's EPT allows of what core's EPT allows.
 *
 * Core's EPT maps each address to itself, so a leaf of EPT02 is one of EPT12's with the
 * rights that core's leaf has, as large as both are.
 */
#include "apic.h"
#include "ept_guest.h"
#include "event.h"
#include "gpr.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "nested/ept_l2.h"
#include "pool.h"
#include "vmx.h"

/* What the CPU says of the access itself, and not of the tables (SDM vol. 3, table 28-7) */
#define VIOLATION_KEPT		0x13f87ull

/* --- one address */

/* L1's physical address, as core's EPT has it; what is not mapped yet is. */
static u64 lookup01(struct percpu *cpu, u64 gpa, u32 *level)
{
	u64 entry = ept_guest_lookup(gpa, level);

	if (entry & EPT_USED || pool_owns(gpa))
		return entry;
	return ept_guest_fill(cpu, gpa) ? ept_guest_lookup(gpa, level) : 0;
}

/* What is core's, or hidden, reads as zeros, and writes to it are lost. */
static u64 hidden_leaf(struct nested *nested, bool write)
{
	u64 pa = pool_pa(write ? nested->sink : ept_guest.zeros);
	u64 rights = write ? EPT_READ | EPT_WRITE : EPT_READ;

	return pa | rights | (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT;
}

/* What both allow, and as large as both have it: a leaf of core's EPT at @level01. */
static u64 allowed_leaf(const struct ept12_walk *walk, u64 entry01, u32 level01, u32 *level)
{
	*level = walk->level < level01 ? walk->level : level01;
	return (walk->gpa & ~(ept_level_size(*level) - 1)) | (walk->rights & entry01 & EPT_RWX) |
	       (walk->entry & (EPT_TYPE | EPT12_IGNORE_PAT));
}

/* Return: 0 if the access is not allowed by core's EPT, and hypapps are to be asked. */
static u64 make_leaf(struct percpu *cpu, const struct ept12_walk *walk, u64 access, u32 *level)
{
	u32 level01 = 0;
	u64 entry = lookup01(cpu, walk->gpa, &level01);

	*level = 0;
	if (pool_owns(walk->gpa))
		return hidden_leaf(cpu->nested, access & EPT_WRITE) | EPT_EXEC;
	/* To execute it may be a call: who hides it is asked. */
	if (entry & EPT_PRIVATE)
		return access & EPT_EXEC ? 0 : hidden_leaf(cpu->nested, access & EPT_WRITE);
	if (entry & EPT_DENY_NESTED && access & EPT_WRITE) {
		nested_track_handle_write(cpu, walk->gpa);
		entry = lookup01(cpu, walk->gpa, &level01);
	}
	if (access & ~(walk->rights & entry))
		return 0;
	return allowed_leaf(walk, entry, level01, level);
}

/* --- exits */

/**
 * struct ve_information - what L2 reads of a virtualization exception (SDM vol. 3, 25.5.7.2)
 */
struct ve_information {
	u32 reason, busy;
	u64 qualification, linear, physical;
	u16 eptp_index;
} __attribute__((packed));

/* "Suppress #VE" is in the last entry, as far as the walk came. */
static bool is_convertible(const struct vmcs12 *v, u64 entry)
{
	return nested_secondary(v) & SECONDARY_VE && !(entry & EPT12_SUPPRESS_VE) &&
	       vmread(VMCS_GUEST_CR0) & CR0_PE &&
	       !(vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID);
}

/**
 * nested_ept_convert - raise a virtualization exception in place of an EPT violation
 * @cpu: this CPU, VMCS02 current
 * @missed: the violation
 *
 * Return: false if it is an exit after all.
 */
bool nested_ept_convert(struct percpu *cpu, const struct nested_missed *missed)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 gpa = vmcs12_get(v, VMCS_VE_ADDRESS);
	struct ve_information ve = {
		.reason = EXIT_EPT_VIOLATION, .busy = 0xffffffff,
		.qualification = missed->qualification, .linear = missed->linear,
		.physical = missed->address,
		.eptp_index = (u16)vmcs12_get(v, VMCS_EPTP_INDEX),
	};
	u32 busy;

	if (!is_convertible(v, missed->entry))
		return false;
	guest_read_physical(gpa + offsetof(struct ve_information, busy), &busy, sizeof(busy));
	if (busy)
		return false;
	guest_write_physical(gpa, &ve, sizeof(ve));
	event_inject_ve(cpu, missed->qualification & EPT_VIOLATION_NMI_IRET);
	return true;
}

static void reflect_violation(struct percpu *cpu, u64 qualification, const struct ept12_walk *walk)
{
	u64 rights = walk->is_leaf ? walk->rights : 0;
	const struct nested_missed missed = {
		.address = vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
		.linear = vmread(VMCS_GUEST_LINEAR_ADDRESS), .entry = walk->entry,
		.qualification = (qualification & VIOLATION_KEPT) | rights << EPT_VIOLATION_RIGHTS,
	};

	if (nested_ept_convert(cpu, &missed))
		return;
	cpu->nested->faulted = missed.address;
	nested_exit(cpu, EXIT_EPT_VIOLATION, missed.qualification);
}

/* An event that was being delivered is delivered when L2 goes on. */
static void go_on(struct percpu *cpu, u64 qualification)
{
	if (vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID)
		event_reinject(cpu);
	else
		event_redo_iret(qualification);
}

static bool step(struct percpu *cpu, u64 address, u64 leaf)
{
	/* Dropped meanwhile: the instruction starts again. */
	if (!cpu->nested->current_root)
		return true;
	if (!ept02_fill(cpu, address, leaf, 0))
		return false;
	cpu->nested->stepped = address;
	cpu->nested->stepped_rip = vmread(VMCS_GUEST_RIP);
	cpu->nested->stepped_rcx = cpu->gpr->rcx;
	event_hold_interrupts();
	event_set_mtf(cpu, MTF_L2);
	return true;
}

/*
 * A write to an APIC's page, of which core is to see those to the ICR: such a one goes to
 * the sink, and to the register when the instruction is over.
 */
static bool step_apic(struct percpu *cpu, u64 address, const struct ept12_walk *walk, u64 leaf)
{
	struct nested *nested = cpu->nested;

	nested->icr = apic_is_own(cpu, walk->gpa & PAGE_MASK) &&
		      walk->gpa % PAGE_SIZE == APIC_ICR_LOW;
	return step(cpu, address, nested->icr ? hidden_leaf(nested, true) : leaf);
}

/*
 * Core's EPT does not allow it. If a hypapp lets the instruction go, it may do with the
 * page what L1 lets it, and behind it that leaf of EPT02 goes.
 */
static void refuse(struct percpu *cpu, u64 address, const struct ept12_walk *walk,
		   u64 qualification)
{
	enum hypapp_verdict verdict = hypapp_ept_violation(cpu, walk->gpa, qualification);
	u32 level;
	u64 leaf = allowed_leaf(walk, EPT_RWX, 0, &level);

	/* It was somebody's when the leaf was to be made: again. */
	if (verdict == HYPAPP_NOT_MINE &&
	    !(qualification & EPT_RWX & ~lookup01(cpu, walk->gpa, &level)))
		return;
	if (verdict == HYPAPP_NOT_MINE && lookup01(cpu, walk->gpa, &level) & EPT_DENY_APIC &&
	    step_apic(cpu, address, walk, leaf))
		return;
	if (verdict == HYPAPP_STEP && step(cpu, address, leaf))
		return;
	if (verdict != HYPAPP_DONE)
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * nested_ept_end_step - no longer does L2 have what one of its instructions was let, if any
 * @done: the instruction is over; else it begins again
 */
void nested_ept_end_step(struct percpu *cpu, bool done)
{
	struct nested *nested = cpu->nested;
	u32 *icr = (u32 *)nested->sink + APIC_ICR_LOW / sizeof(u32);

	if (!(cpu->mtf & MTF_L2))
		return;
	event_clear_mtf(cpu, MTF_L2);
	ept02_clear(cpu, nested->stepped);
	invept_all();
	if (nested->icr && done)
		apic_write_register(cpu, APIC_ICR_LOW, *icr);
	else if (done)
		hypapp_stepped(cpu);
	nested->icr = false;
}

/** nested_ept_kicked - a kick has come in place of the MTF exit of a step that is over */
void nested_ept_kicked(struct percpu *cpu)
{
	const struct nested *nested = cpu->nested;

	if (vmread(VMCS_GUEST_RIP) != nested->stepped_rip || cpu->gpr->rcx != nested->stepped_rcx)
		nested_ept_end_step(cpu, true);
}

/**
 * nested_ept_handle_violation - EPT violation of L2, whose L1 uses EPT
 * @cpu: this CPU, VMCS02 current
 *
 * On return L2 goes on, or L1 has its exit.
 */
void nested_ept_handle_violation(struct percpu *cpu)
{
	u64 address = vmread(VMCS_GUEST_PHYSICAL_ADDRESS), leaf;
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	u64 access = qualification & EPT_RWX;
	struct ept12_walk walk;
	u32 level;

	ept12_walk(cpu, address, access, &walk);
	if (walk.is_wrong) {
		nested_exit(cpu, EXIT_EPT_MISCONFIG, 0);
		return;
	}
	if (walk.is_full) {
		nested_exit(cpu, EXIT_PML_FULL, qualification & EPT_VIOLATION_NMI_IRET);
		return;
	}
	if (!walk.is_leaf || access & ~walk.rights) {
		reflect_violation(cpu, qualification, &walk);
		return;
	}
	go_on(cpu, qualification);
	leaf = make_leaf(cpu, &walk, access, &level);
	/* Core's EPT has changed, and with it this one: it is made again, see nested_resume(). */
	if (!cpu->nested->current_root)
		return;
	if (!leaf)
		refuse(cpu, address, &walk, qualification);
	else if (!ept02_fill(cpu, address, leaf, level))
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * nested_ept_foresee - L1 enters L2 again behind an EPT violation
 * @cpu: this CPU, VMCS02 current
 *
 * It has most likely mapped the page by now, and L2 is about to use it: that need not be
 * another exit. The CPU, too, may cache what EPT12 has at any time; but it sets no dirty
 * flags ahead, and core sets none at all.
 */
void nested_ept_foresee(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u64 address = nested->faulted, entry, leaf;
	struct ept12_walk walk;
	u32 level;

	nested->faulted = NESTED_NO_POINTER;
	if (address == NESTED_NO_POINTER || !nested->current_root)
		return;
	ept12_walk(cpu, address, 0, &walk);
	if (!walk.is_leaf)
		return;
	entry = ept_guest_lookup(walk.gpa, &level);
	leaf = allowed_leaf(&walk, entry, level, &level);
	if (leaf & EPT_RWX && !(entry & EPT_PRIVATE) && !pool_owns(walk.gpa))
		ept02_fill(cpu, address, leaf, level);
}

/**
 * nested_ept_switch - VMFUNC 0 of L2: another EPTP of L1's list (SDM vol. 3, 25.5.6.3)
 * @cpu: this CPU, VMCS02 current
 *
 * Return: false if it is an exit of L1's.
 */
bool nested_ept_switch(struct percpu *cpu)
{
	struct vmcs12 *v = cpu->nested->vmcs12;
	u32 function = (u32)cpu->gpr->rax, index = (u32)cpu->gpr->rcx;
	u64 eptp;

	if (function || index >= EPT_ENTRIES ||
	    !(vmcs12_get(v, VMCS_VM_FUNCTION_CONTROLS) & FUNCTION_EPTP_SWITCHING))
		return false;
	guest_read_physical(vmcs12_get(v, VMCS_EPTP_LIST_ADDRESS) + 8 * index, &eptp, sizeof(eptp));
	if (!nested_eptp_is_valid(eptp))
		return false;
	/* The step is in the table that is left. */
	nested_ept_end_step(cpu, true);
	vmcs12_set(v, VMCS_EPT_POINTER, eptp);
	if (nested_secondary(v) & SECONDARY_VE)
		vmcs12_set(v, VMCS_EPTP_INDEX, index);
	nested_ept_use(cpu, eptp);
	event_skip_instruction();
	return true;
}
