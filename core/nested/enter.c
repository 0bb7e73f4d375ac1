// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM entry of L1's: VMCS02 is made of VMCS12 (SDM vol. 3, chapter 27).
 *
 * Core checks the control fields and the host state; the guest state is checked by the
 * CPU when VMCS02 is entered, and what it says of it goes to L1 (exit.c).
 */
#include "core.h"
#include "cr.h"
#include "ept_guest.h"
#include "ept_view.h"
#include "event.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

#define ERROR_CONTROLS		7
#define ERROR_HOST		8
#define QUALIFICATION_LINK	4
#define TRACK_ROUNDS		4
#define MSR_AREA_BAD		2	/* words of the MSR area: behind what is used of it */
/* What core does itself for L2 */
#define SECONDARY_SOFTWARE	(SECONDARY_SHADOW | SECONDARY_PML | SECONDARY_VE)

/**
 * struct carried - what L2 has of L1's if VMCS12 does not say otherwise
 */
struct carried {
	u64 debugctl, dr7, efer, pat;
	u64 exit_controls, entry_controls;
};

static void read_carried(const struct percpu *cpu, struct carried *carried)
{
	carried->debugctl = vmread(VMCS_GUEST_DEBUGCTL);
	carried->dr7 = vmread(VMCS_GUEST_DR7);
	carried->efer = vmread(VMCS_GUEST_EFER) | cpu->efer_off;
	carried->pat = vmread(VMCS_GUEST_PAT);
	carried->exit_controls = vmread(VMCS_EXIT_CONTROLS);
	carried->entry_controls = vmread(VMCS_ENTRY_CONTROLS);
}

/*
 * All that core intercepts for itself in VMCS01 it intercepts here: some MSRs, by the
 * bitmap, and CR4.SMXE. What else exits is L1's.
 */
static void write_controls(const struct vmcs12 *v, const struct carried *carried)
{
	u64 pin = vmcs12_get(v, VMCS_PIN_CONTROLS), exit = carried->exit_controls;

	vmwrite(VMCS_PIN_CONTROLS, pin);
	/*
	 * L2's VMREAD and VMWRITE exit: its shadow VMCS is a region of core's format. With no
	 * function on, VMFUNC exits too.
	 */
	vmwrite(VMCS_SECONDARY_CONTROLS, (nested_secondary(v) & ~SECONDARY_SOFTWARE) |
					 SECONDARY_EPT | SECONDARY_VPID);
	if (nested_secondary(v) & SECONDARY_VMFUNC)
		vmwrite(VMCS_VM_FUNCTION_CONTROLS, 0);
	exit |= vmcs12_get(v, VMCS_EXIT_CONTROLS) & EXIT_ACK_INTERRUPT;
	vmwrite(VMCS_EXIT_CONTROLS, pin & PIN_TIMER ? exit | EXIT_SAVE_TIMER : exit);
	vmcs12_store(v, &vmcs12_controls);
}

/* These change between exits, by L1, core or the CPU. */
static void write_hot_controls(struct nested *nested, const struct carried *carried)
{
	const struct vmcs12 *v = nested->vmcs12;
	u64 entry = vmcs12_get(v, VMCS_ENTRY_CONTROLS) & (ENTRY_IA32E | NESTED_ENTRY_LIVE);

	nested->loading = entry & NESTED_ENTRY_LIVE;
	vmwrite(VMCS_PRIMARY_CONTROLS, vmcs12_get(v, VMCS_PRIMARY_CONTROLS) | PRIMARY_SECONDARY);
	vmwrite(VMCS_ENTRY_CONTROLS, (carried->entry_controls & ~ENTRY_IA32E) | entry);
	vmcs12_store(v, &vmcs12_hot_controls);
}

static void write_masks(const struct vmcs12 *v)
{
	u64 mask = vmcs12_get(v, VMCS_CR4_MASK);

	vmwrite(VMCS_CR0_MASK, vmcs12_get(v, VMCS_CR0_MASK));
	vmwrite(VMCS_CR0_SHADOW, vmcs12_get(v, VMCS_CR0_SHADOW));
	vmwrite(VMCS_CR4_MASK, mask | CR4_SMXE);
	vmwrite(VMCS_CR4_SHADOW, (vmcs12_get(v, VMCS_CR4_SHADOW) & mask) |
				 (vmcs12_get(v, VMCS_GUEST_CR4) & ~mask));
}

/* SDM vol. 3, 27.3.2.1: without "load IA32_EFER" the mode decides on LMA and LME. */
static u64 derive_efer(const struct vmcs12 *v, u64 efer)
{
	u64 entry = vmcs12_get(v, VMCS_ENTRY_CONTROLS);

	if (entry & ENTRY_LOAD_EFER)
		return vmcs12_get(v, VMCS_GUEST_EFER);
	if (entry & ENTRY_IA32E)
		return efer | EFER_LMA | EFER_LME;
	if (vmcs12_get(v, VMCS_GUEST_CR0) & CR0_PG)
		efer &= ~EFER_LME;
	return efer & ~EFER_LMA;
}

/* Without EPT of L1's the CPU would read them from memory; with core's it does not. */
static void write_pdptes(const struct vmcs12 *v)
{
	u64 pdpte[4];
	u32 i;

	if (vmcs12_get(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E ||
	    !(vmcs12_get(v, VMCS_GUEST_CR0) & CR0_PG) ||
	    !(vmcs12_get(v, VMCS_GUEST_CR4) & CR4_PAE))
		return;
	for (i = 0; i < ARRAY_SIZE(pdpte); i++)
		pdpte[i] = vmcs12_get(v, VMCS_GUEST_PDPTE0 + 2 * i);
	if (!(nested_secondary(v) & SECONDARY_EPT))
		guest_read_physical(vmcs12_get(v, VMCS_GUEST_CR3) & ~31ull & 0xffffffff, pdpte,
				    sizeof(pdpte));
	for (i = 0; i < ARRAY_SIZE(pdpte); i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
}

static void write_guest(struct percpu *cpu, const struct vmcs12 *v, const struct carried *carried)
{
	u64 entry = vmcs12_get(v, VMCS_ENTRY_CONTROLS);
	bool debug = entry & ENTRY_LOAD_DEBUG;

	vmcs12_store(v, &vmcs12_hot);
	if (!cpu->nested->cold) {
		vmcs12_store(v, &vmcs12_cold);
		cpu->nested->cold = true;
	}
	vmwrite(VMCS_GUEST_DEBUGCTL, debug ? vmcs12_get(v, VMCS_GUEST_DEBUGCTL) :
					     carried->debugctl);
	vmwrite(VMCS_GUEST_DR7, debug ? vmcs12_get(v, VMCS_GUEST_DR7) : carried->dr7);
	vmwrite(VMCS_GUEST_PAT, entry & ENTRY_LOAD_PAT ? vmcs12_get(v, VMCS_GUEST_PAT) :
							 carried->pat);
	vmwrite(VMCS_GUEST_EFER, derive_efer(v, carried->efer));
	if (entry & ENTRY_LOAD_PERF_CONTROL)
		cpu->msr_area[1] = vmcs12_get(v, VMCS_GUEST_PERF_GLOBAL_CTRL);
	write_pdptes(v);
}

/* It counts down with each tick of the TSC that changes this bit. */
static u32 timer_rate(void)
{
	return boot.caps.vmx[MSR_VMX_MISC - MSR_VMX_BASE] & 31;
}

/* The field itself is among those that each entry copies. */
static void start_timer(struct nested *nested)
{
	u64 value = vmcs12_get(nested->vmcs12, VMCS_PREEMPTION_TIMER);

	if (vmcs12_get(nested->vmcs12, VMCS_PIN_CONTROLS) & PIN_TIMER)
		nested->timer_end = rdtsc() + (value << timer_rate());
}

/* The time that core has spent counts too. */
static void go_on_timer(struct nested *nested)
{
	u64 now;

	if (!(vmcs12_get(nested->vmcs12, VMCS_PIN_CONTROLS) & PIN_TIMER))
		return;
	now = rdtsc();
	vmwrite(VMCS_PREEMPTION_TIMER, now < nested->timer_end ?
				       (nested->timer_end - now) >> timer_rate() : 0);
}

/*
 * A field that names memory of L1's. The CPU goes there without the EPT: for what L1 could
 * not reach itself it has @instead, a page of core's.
 */
static void write_address(const struct vmcs12 *v, u64 field, u64 right, const void *instead)
{
	u64 gpa = vmcs12_get(v, (u32)field), page;

	if (!ept_view_access(gpa & PAGE_MASK, right, &page))
		page = pool_pa(instead);
	vmwrite(field, page + gpa % PAGE_SIZE);
}

/* Core looks when L1 has written controls, and when it has followed a change of the EPT. */
static void write_addresses(struct percpu *cpu, const struct vmcs12 *v)
{
	struct nested *nested = cpu->nested;
	u64 primary = vmcs12_get(v, VMCS_PRIMARY_CONTROLS);

	nested->revalidate = false;
	if (primary & PRIMARY_IO_BITMAPS) {
		write_address(v, VMCS_IO_BITMAP_A, EPT_READ, nested->io_bitmap);
		write_address(v, VMCS_IO_BITMAP_B, EPT_READ, nested->io_bitmap);
	}
	if (primary & PRIMARY_TPR_SHADOW)
		write_address(v, VMCS_VIRTUAL_APIC_ADDRESS, EPT_WRITE, nested->sink);
	if (nested_secondary(v) & SECONDARY_APIC_ACCESS)
		write_address(v, VMCS_APIC_ACCESS_ADDRESS, EPT_WRITE, nested->sink);
	if (vmcs12_get(v, VMCS_PIN_CONTROLS) & PIN_POSTED)
		write_address(v, VMCS_POSTED_INTERRUPT_ADDRESS, EPT_WRITE, nested->sink);
}

static void write_msr_bitmap(struct percpu *cpu, const struct vmcs12 *v, bool track)
{
	const struct nested_track *at = &cpu->nested->msr_track;

	if (vmcs12_get(v, VMCS_PRIMARY_CONTROLS) & PRIMARY_MSR_BITMAPS &&
	    (at->gpa != vmcs12_get(v, VMCS_MSR_BITMAP) || !nested_track_is_same(at)))
		nested_msr_merge(cpu, track);
}

/**
 * nested_ept_load - have VMCS02 use the EPT that VMCS12 says
 * @cpu: this CPU, VMCS02 current
 */
void nested_ept_load(struct percpu *cpu)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;

	if (nested_secondary(v) & SECONDARY_EPT) {
		nested_ept_use(cpu, vmcs12_get(v, VMCS_EPT_POINTER));
	} else {
		cpu->nested->current_root = NULL;
		ept_view_load(cpu, ept_guest_pointer());
	}
}

static void write_vmcs02(struct percpu *cpu, const struct vmcs12 *v, const struct carried *carried)
{
	if (cpu->nested->dirty) {
		write_controls(v, carried);
		write_masks(v);
	}
	write_hot_controls(cpu->nested, carried);
	write_guest(cpu, v, carried);
	if (cpu->nested->dirty || cpu->nested->revalidate)
		write_addresses(cpu, v);
	write_msr_bitmap(cpu, v, true);
	nested_ept_load(cpu);
	nested_ept_foresee(cpu);
	vmwrite(VMCS_VPID, nested_vpid_use(cpu, nested_secondary(v) & SECONDARY_VPID ?
						(u16)vmcs12_get(v, VMCS_VPID) : 0));
}

/* SDM vol. 3, 27.3.1.5 */
static bool link_is_valid(const struct nested *nested)
{
	u64 link = vmcs12_get(nested->vmcs12, VMCS_LINK_POINTER);
	u64 want = nested_revision();
	u32 revision;

	if (link == NESTED_NO_POINTER)
		return true;
	if (!nested_is_page(link) || link == nested->pointer)
		return false;
	if (nested_secondary(nested->vmcs12) & SECONDARY_SHADOW)
		want |= VMCS12_SHADOW;
	guest_read_physical(link, &revision, sizeof(revision));
	return revision == want;
}

/* What waits for the end of an instruction does not wait for L2. Return: L1 goes on first. */
static bool end_waiting(struct percpu *cpu)
{
	if (cpu->step.active)
		ept_guest_end_step(cpu);
	if (cpu->mtf & MTF_REGS)
		hypapp_registers_end(cpu);
	if (!(cpu->mtf & MTF_NMI))
		return false;
	/* The instruction boundary that it has waited for is here: L1 takes it, and comes again. */
	event_clear_mtf(cpu, MTF_NMI);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	event_inject_nmi(cpu);
	return true;
}

/*
 * What was right at the last entry still is, if none of it has been written: but for the
 * event, and the TPR.
 */
static bool check(struct percpu *cpu, u64 efer)
{
	const struct nested *nested = cpu->nested;
	bool ok = nested->dirty ? nested_check_controls(nested->vmcs12) :
				  nested_check_hot_controls(nested->vmcs12);

	if (!ok)
		nested_fail(cpu, ERROR_CONTROLS);
	else if (!nested_check_host(nested->vmcs12, efer & EFER_LMA, nested->dirty))
		nested_fail(cpu, ERROR_HOST);
	else
		return true;
	return false;
}

/**
 * nested_set_bad_msr - L1's entry-load list has failed, or an exit comes behind the entry
 * @cpu: this CPU, VMCS02 current
 * @bad: number of the entry that has failed, NESTED_ASK, or 0
 *
 * The CPU checks the guest state before it loads any MSR, so it is asked: by an entry with
 * an MSR that no list may have.
 */
void nested_set_bad_msr(struct percpu *cpu, u32 bad)
{
	u64 *area = cpu->msr_area;

	if (!bad && !cpu->nested->bad_msr)
		return;
	cpu->nested->bad_msr = bad;
	area[MSR_AREA_BAD] = MSR_FS_BASE;
	vmwrite(VMCS_ENTRY_MSR_LOAD_ADDRESS, pool_pa(bad ? area + MSR_AREA_BAD : area));
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, bad ? 1 : cpu->has_perf_control);
}

/**
 * nested_enter - VMLAUNCH or VMRESUME of a current VMCS in the right state
 * @cpu: this CPU, VMCS01 current
 * @launch: it is VMLAUNCH
 *
 * On return the CPU is in L2, or has told L1 why not.
 */
void nested_enter(struct percpu *cpu, bool launch)
{
	struct nested *nested = cpu->nested;
	struct vmcs12 *v = nested->vmcs12;
	struct carried carried;

	if (end_waiting(cpu))
		return;
	read_carried(cpu, &carried);
	nested->msr_own = pool_va(vmread(VMCS_MSR_BITMAP));
	nested_shadow_read(cpu);
	if (!check(cpu, carried.efer))
		return;
	nested->launching = launch;
	nested->listed = false;
	nested->mode = NESTED_GUEST;
	vmptrld(pool_pa(nested->vmcs02));
	cpu->vmlaunch = !nested->launched;
	if (!link_is_valid(nested)) {
		nested_exit_entry(cpu, EXIT_ENTRY_GUEST_STATE, QUALIFICATION_LINK);
		return;
	}
	/* The CPU does not check it: for VMCS02 it is in a list. */
	if (vmcs12_get(v, VMCS_ENTRY_CONTROLS) & ENTRY_LOAD_PERF_CONTROL &&
	    !nested_perf_control_is_valid(vmcs12_get(v, VMCS_GUEST_PERF_GLOBAL_CTRL))) {
		nested_exit_entry(cpu, EXIT_ENTRY_GUEST_STATE, 0);
		return;
	}
	write_vmcs02(cpu, v, &carried);
	nested->listed = vmcs12_get(v, VMCS_ENTRY_MSR_LOAD_COUNT);
	/* What only VMCS02 has: the list may change it, and the entry fail, which changes nothing. */
	if (nested->listed)
		vmcs12_load(v, &vmcs12_cold);
	nested_set_bad_msr(cpu, nested_msr_load(cpu, VMCS_ENTRY_MSR_LOAD_ADDRESS,
						VMCS_ENTRY_MSR_LOAD_COUNT));
	nested->dirty = false;
	nested->fresh = true;
	nested->entered_rip = vmcs12_get(v, VMCS_GUEST_RIP);
	nested->entered_event = (u32)vmcs12_get(v, VMCS_ENTRY_INTERRUPTION_INFO);
	nested->mtf_lost = false;
	v->launched = true;
	start_timer(nested);
	/* In wait-for-SIPI it goes on waiting, but an outer hypervisor may drop it. */
	if (nested->init_blocked && vmread(VMCS_GUEST_ACTIVITY) != ACTIVITY_WAIT_SIPI)
		nested_unblock_init(cpu);
}

/* Has core executed an instruction for L2, with no event behind it? */
static bool has_moved(const struct percpu *cpu)
{
	u64 rip = cpu->history[(cpu->history_next - 1) % HISTORY_SIZE].rip;

	return vmread(VMCS_GUEST_RIP) != rip &&
	       !(vmread(VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID);
}

/**
 * nested_resume - L2 is what runs next
 * @again: it has exited, and core has handled that; else L1 has just entered it
 *
 * Context: root mode, VMCS02 is current; the last thing before VM entry.
 */
void nested_resume(struct percpu *cpu, bool again)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u32 rounds = 0;

	/*
	 * To track L1's bitmap may take a shoot-down, and this CPU follows others in it. That
	 * ends: without more tracking there is nothing left that follows.
	 */
	while (cpu->nested->revalidate) {
		nested_view_leave(cpu);
		write_addresses(cpu, v);
		write_msr_bitmap(cpu, v, rounds++ < TRACK_ROUNDS);
		nested_ept_load(cpu);
	}
	if (!again)
		return;
	/* Into a view, and out of it, is no instruction. */
	if (cpu->nested->mtf_lost ||
	    (nested_wants_mtf(cpu) && !nested_in_view(cpu) && has_moved(cpu))) {
		nested_exit(cpu, EXIT_MTF, 0);
		return;
	}
	go_on_timer(cpu->nested);
	cpu->nested->entered_event = 0;
	if (!nested_wants_mtf(cpu))
		return;
	cpu->nested->entered_rip = vmread(VMCS_GUEST_RIP);
	cpu->nested->entered_event = (u32)vmread(VMCS_ENTRY_INTERRUPTION_INFO);
}
