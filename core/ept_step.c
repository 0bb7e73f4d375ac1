// SPDX-License-Identifier: GPL-2.0-only
/*
 * One instruction of the guest with an EPT of its own, on one CPU: it may write
 * where that is not allowed.
 */
#include "ept.h"
#include "ept_guest.h"
#include "ept_view.h"
#include "event.h"
#include "pool.h"
#include "vmx.h"

/* Of the page table, and all chunks of core in reach. */
static void build_hidden_view(struct step_view *step)
{
	u32 i;

	ept_guest_fill_table(step->pt, step->sink, EPT_RWX);
	for (i = 0; i < EPT_ENTRIES; i++)
		if ((step->pd[i] & EPT_ADDRESS) == pool_pa(ept_guest.zero_table))
			step->pd[i] = pool_pa(step->pt) | EPT_RWX;
}

static u64 sink_entry(const struct step_view *step)
{
	return pool_pa(step->sink) | EPT_RWX | (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT;
}

/* Of what is hidden, an instruction may touch two pages: both are the sink. */
static void build_page_view(struct step_view *step, u64 gpa)
{
	u64 *pt = pool_va(step->pd[gpa >> 21 & 511] & EPT_ADDRESS);
	u32 i;

	for (i = 0; i < EPT_ENTRIES; i++)
		step->pt[i] = pt[i] & EPT_PRIVATE ? sink_entry(step) : pt[i];
	/* Hypapps have not been asked yet: without the right this comes to them. */
	if (!(step->pt[gpa >> 12 & 511] & (EPT_DENY_GUARD | EPT_DENY_MODULE)))
		step->pt[gpa >> 12 & 511] |= EPT_RWX;
	step->pd[gpa >> 21 & 511] = pool_pa(step->pt) | EPT_RWX;
}

/* Private copies of the tables on the way to @gpa, what is there writable. */
static void build_step_view(struct step_view *step, u64 gpa)
{
	u64 *pdpt = pool_va(ept_guest.ept.root[gpa >> 39 & 511] & EPT_ADDRESS);
	u64 *pd = pool_va(pdpt[gpa >> 30 & 511] & EPT_ADDRESS);

	memcpy(step->pml4, ept_guest.ept.root, PAGE_SIZE);
	memcpy(step->pdpt, pdpt, PAGE_SIZE);
	memcpy(step->pd, pd, PAGE_SIZE);
	step->pml4[gpa >> 39 & 511] = pool_pa(step->pdpt) | EPT_RWX;
	step->pdpt[gpa >> 30 & 511] = pool_pa(step->pd) | EPT_RWX;
	if (pool_owns(gpa))
		build_hidden_view(step);
	else
		build_page_view(step, gpa);
	step->hidden = pool_owns(gpa) || step->pt[gpa >> 12 & 511] == sink_entry(step);
}

/* It may have been shown, and merged, since the violation: then the guest tries again. */
static bool has_page_table(u64 gpa)
{
	u32 level;

	ept_lookup(&ept_guest.ept, gpa, &level);
	return pool_owns(gpa) || !level;
}

/**
 * ept_guest_step - let one instruction write where that is not allowed
 * @cpu: this CPU
 * @gpa: in core's memory, or in a page of 4 KiB that has been protected or hidden
 *
 * For this instruction the CPU has tables of its own. In core's memory, and in hidden
 * pages, it sees a frame there which takes the write and is cleared behind it.
 */
void ept_guest_step(struct percpu *cpu, u64 gpa)
{
	if (cpu->step.active) {
		/* Over the end of the tables that were copied: nobody does that. */
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	spin_lock(&ept_guest.lock);
	cpu->step.active = has_page_table(gpa);
	if (cpu->step.active)
		build_step_view(&cpu->step, gpa);
	spin_unlock(&ept_guest.lock);
	if (!cpu->step.active)
		return;
	ept_view_load(cpu, ept_pointer(cpu->step.pml4));
	/* The view had other contents when it was last used. */
	invept_all();
	event_hold_interrupts();
	event_set_mtf(cpu, MTF_STEP);
}

/** ept_guest_end_step - back to the common EPT, the write is gone */
void ept_guest_end_step(struct percpu *cpu)
{
	cpu->step.active = false;
	ept_view_load(cpu, ept_guest_pointer());
	memset(cpu->step.sink, 0, PAGE_SIZE);
	event_clear_mtf(cpu, MTF_STEP);
}
