// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page has been denied by a hypapp that wants to know of accesses, not to prevent
 * them: the instruction is executed once, in an EPT of this CPU's own, and the monitor
 * trap flag ends it.
 *
 * That EPT is filled on demand, by what the common one maps, with the rights that are
 * there, and is kept from step to step. Only for its step has a page more than that;
 * and each such page of an instruction is asked for, so that what one hypapp lets pass
 * does not get by another. Neither an interrupt nor an NMI comes before the instruction:
 * its event would be told twice.
 *
 * When the pool is nearly empty nothing is kept.
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "ept_open.h"
#include "ept_view.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "log.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

#define GRANTS		16	/* pages; an instruction does with fewer */
#define POOL_LOW	32	/* pages, which those who deny some leave in the pool */

/**
 * struct ept_open - a page a CPU
 * @view: its EPT
 * @generation: of the common EPT that it agrees with; 0: with none
 * @rip: of the instruction
 * @rcx: what is left of it, if it is repeated
 * @nmi_blocked: NMIs were blocked before
 * @sink: a hidden page has been let go to the sink
 * @again: there was no page left for it, and it has started again
 * @nr_grants: pages that have more rights than in the common EPT
 * @grant: their addresses
 */
struct ept_open {
	struct ept_view view;
	u64 generation;
	u64 rip, rcx;
	bool nmi_blocked;
	bool sink;
	bool again;
	u32 nr_grants;
	u64 grant[GRANTS];
};

_Static_assert(sizeof(struct ept_open) <= PAGE_SIZE, "a page");
_Static_assert(offsetof(struct ept_open, view) == 0, "the view is the step");

static u32 users;	/* hypapps; changed while all other CPUs stand still */

static void drop(struct ept_open *open)
{
	ept_destroy(&open->view.ept);
	open->nr_grants = 0;
	open->generation = 0;
}

static void end(struct percpu *cpu)
{
	struct ept_open *open = cpu->open;
	u32 i;

	for (i = 0; i < open->nr_grants; i++)
		ept_unmap_page(&open->view.ept, open->grant[i]);
	if (open->sink)
		memset(cpu->step.sink, 0, PAGE_SIZE);
	open->nr_grants = 0;
	open->sink = false;
	if (pool_free_pages() < POOL_LOW)
		drop(open);
	ept_view_leave(cpu);
	invept_all();
	event_release(open->nmi_blocked);
	event_clear_mtf(cpu, MTF_OPEN);
}

/** ept_open_end - the instruction has been executed */
void ept_open_end(struct percpu *cpu)
{
	end(cpu);
	hypapp_stepped(cpu);
}

/* The tables may be out of date from now on. Has the instruction been executed yet? */
static void kicked(struct percpu *cpu)
{
	if (vmread(VMCS_GUEST_RIP) == cpu->open->rip && cpu->gpr->rcx == cpu->open->rcx)
		end(cpu);
	else
		ept_open_end(cpu);
}

static int grant(struct ept_open *open, u64 gpa, u64 pa, u64 type, u64 rights)
{
	u32 i;
	int ret;

	for (i = 0; i < open->nr_grants && open->grant[i] != gpa; i++)
		;
	if (i == GRANTS)
		return -ENOMEM;
	ret = ept_copy_leaf(&open->view.ept, gpa, pa | type, 0, rights);
	if (!ret && i == open->nr_grants)
		open->grant[open->nr_grants++] = gpa;
	return ret;
}

static int renew(struct ept_open *open)
{
	u64 generation = ept_guest_generation();
	int ret;

	if (open->generation == generation)
		return 0;
	drop(open);
	ret = ept_init(&open->view.ept, &ept_guest.ept.mtrr, ept_guest.ept.has_1g);
	if (!ret)
		open->generation = generation;
	return ret;
}

/* All that it has so far can be found again, and hypapps are asked again: once. */
static bool start_over(struct percpu *cpu)
{
	struct ept_open *open = cpu->open;

	if (open->again)
		return false;
	open->again = true;
	drop(open);
	if (renew(open))
		return false;
	/* The root may be another page. */
	ept_view_enter(cpu, &open->view);
	invept_all();
	return true;
}

static void give_up(struct percpu *cpu, u64 gpa, int ret)
{
	end(cpu);
	log_err(cpu, "an instruction that reaches guest-physical %llx cannot be stepped: %d",
		gpa, ret);
	event_inject_fault(cpu, VECTOR_GP, 0);
}

/* What a hypapp hides, or core's own: reads zeros, and takes what is written. */
static int grant_sink(struct percpu *cpu, u64 gpa)
{
	cpu->open->sink = true;
	return grant(cpu->open, gpa & PAGE_MASK, pool_pa(cpu->step.sink),
		     (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT, EPT_READ | EPT_WRITE);
}

static bool has_xonly(void)
{
	return boot.caps.vmx[MSR_VMX_EPT_VPID_CAP - MSR_VMX_BASE] & EPT_CAP_XONLY;
}

static void grant_denied(struct percpu *cpu, u64 gpa, u64 entry, u32 level, u64 qualification)
{
	u64 size = ept_level_size(level), pa = (entry & EPT_ADDRESS & ~(size - 1)) | (gpa % size);
	u64 rights = (entry | qualification) & EPT_RWX;
	int ret;

	/* Else it is a misconfiguration. */
	if (rights & EPT_WRITE || !has_xonly())
		rights |= EPT_READ;
	ret = grant(cpu->open, gpa & PAGE_MASK, pa & PAGE_MASK, entry & EPT_TYPE, rights);
	if (ret && !start_over(cpu))
		give_up(cpu, gpa, ret);
}

/* An APIC's page is in the way too: that comes first, and without this. */
static void go_on_without(struct percpu *cpu, u64 gpa, bool delivery)
{
	end(cpu);
	if (!apic_handle_violation(cpu, gpa, delivery))
		ept_guest_step(cpu, gpa);
}

static void violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	bool delivery = vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID;
	u64 entry, wanted = qualification & EPT_RWX;
	u32 level;
	int ret = 0;

	if (delivery)
		event_reinject(cpu);
	entry = ept_guest_lookup(gpa, &level);
	if (!(entry & EPT_USED) && !pool_owns(gpa)) {
		if (!ept_guest_fill(cpu, gpa))
			return end(cpu);
		entry = ept_guest_lookup(gpa, &level);
	}
	if (entry & EPT_DENY_NESTED && qualification & EPT_VIOLATION_WRITE) {
		nested_track_handle_write(cpu, gpa);
		entry = ept_guest_lookup(gpa, &level);
	}
	if (entry & EPT_PRIVATE || pool_owns(gpa)) {
		/* A jump to there: the instruction starts again, and is not stepped. */
		if (qualification & EPT_VIOLATION_FETCH)
			return end(cpu);
		ret = grant_sink(cpu, gpa);
	} else if (!(wanted & ~entry)) {
		ret = ept_copy_leaf(&cpu->open->view.ept, gpa, entry, level, entry & EPT_RWX);
	} else if (entry & EPT_DENY_APIC && qualification & EPT_VIOLATION_WRITE) {
		return go_on_without(cpu, gpa, delivery);
	} else if (hypapp_ept_violation(cpu, gpa, qualification) == HYPAPP_STEP) {
		return grant_denied(cpu, gpa, entry, level, qualification);
	} else {
		return end(cpu);
	}
	if (ret && !start_over(cpu))
		give_up(cpu, gpa, ret);
}

static const struct ept_view callbacks = {
	.violation = violation, .kicked = kicked, .interrupt = end, .reset = end,
	.common = true,
};

/**
 * ept_open_step - let the guest's next instruction do what hypapps have denied
 * @cpu: this CPU, in the common EPT
 * @gpa: where it was stopped
 * @qualification: of that EPT violation; hypapps have been asked about it
 *
 * Behind it hypapp_stepped() is called. It is not if the instruction starts again: then
 * hypapps are asked again.
 */
void ept_open_step(struct percpu *cpu, u64 gpa, u64 qualification)
{
	struct ept_open *open = cpu->open;
	u64 entry;
	u32 level;

	if (renew(open)) {
		log_err(cpu, "no page left to step over guest-physical %llx: #GP", gpa);
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	open->again = false;
	open->rip = vmread(VMCS_GUEST_RIP);
	open->rcx = cpu->gpr->rcx;
	open->nmi_blocked = event_hold();
	ept_view_enter(cpu, &open->view);
	event_set_mtf(cpu, MTF_OPEN);
	entry = ept_guest_lookup(gpa, &level);
	if ((entry & (EPT_USED & ~EPT_RWX)) && !(entry & EPT_PRIVATE))
		grant_denied(cpu, gpa, entry, level, qualification);
}

/**
 * ept_open_prepare - a hypapp that denies pages is being switched on
 *
 * Context: all other CPUs stand still. Return: 0 or -ENOMEM.
 */
int ept_open_prepare(void)
{
	struct ept_open *open;
	u32 i;

	users++;
	for (i = 0; i < boot.nr_cpus; i++) {
		if (percpu_of(i)->open)
			continue;
		open = pool_alloc();
		if (!open) {
			ept_open_release();
			return -ENOMEM;
		}
		open->view = callbacks;
		percpu_of(i)->open = open;
	}
	return 0;
}

/**
 * ept_open_release - and switched off: it denies nothing any more
 *
 * Context: all other CPUs stand still. One may do so in the middle of a step, and keeps
 * its memory until the next time. The others have nothing cached of what is freed.
 */
void ept_open_release(void)
{
	struct ept_open *open;
	u32 i;

	users--;
	for (i = 0; i < boot.nr_cpus && !users; i++) {
		open = percpu_of(i)->open;
		if (!open || percpu_of(i)->view == &open->view)
			continue;
		percpu_of(i)->open = NULL;
		ept_destroy(&open->view.ept);
		pool_free(open);
	}
}
