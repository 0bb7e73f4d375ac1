// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits of L2: core's own, or L1's. Then VMCS02 is written back to VMCS12, and the CPU
 * goes on as L1 behind its VM exit (SDM vol. 3, chapter 28).
 */
#include "ept_guest.h"
#include "ept_open.h"
#include "event.h"
#include "gpr.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "log.h"
#include "nested/nested.h"
#include "pool.h"
#include "startup.h"
#include "vmx.h"

#define ABORT_MSR_STORE		1
#define ABORT_MSR_LOAD		4
#define VPID_L1			1

/* --- back to L1 */

static void read_left(struct nested_left *left)
{
	left->cr0 = vmread(VMCS_GUEST_CR0);
	left->efer = vmread(VMCS_GUEST_EFER);
	left->pat = vmread(VMCS_GUEST_PAT);
}

static void save_msrs(struct vmcs12 *v, u32 reason, const struct nested_left *left)
{
	u64 exit = vmcs12_get(v, VMCS_EXIT_CONTROLS);

	if (exit & EXIT_SAVE_DEBUG) {
		vmcs12_set(v, VMCS_GUEST_DEBUGCTL, vmread(VMCS_GUEST_DEBUGCTL));
		vmcs12_set(v, VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7));
	}
	if (exit & EXIT_SAVE_PAT)
		vmcs12_set(v, VMCS_GUEST_PAT, left->pat);
	if (exit & EXIT_SAVE_EFER)
		vmcs12_set(v, VMCS_GUEST_EFER, left->efer);
	if (exit & EXIT_SAVE_TIMER)
		vmcs12_set(v, VMCS_PREEMPTION_TIMER,
			   reason == EXIT_TIMER ? 0 : vmread(VMCS_PREEMPTION_TIMER));
}

/*
 * Before L2's first instruction no exit has saved what it has of L1's. VMCS01 still says
 * what that is.
 */
static void save_live(struct percpu *cpu)
{
	static const struct {
		u64 control, field;
	} live[] = {
		{ ENTRY_LOAD_CET, VMCS_GUEST_S_CET }, { ENTRY_LOAD_CET, VMCS_GUEST_SSP },
		{ ENTRY_LOAD_CET, VMCS_GUEST_SSP_TABLE }, { ENTRY_LOAD_PKRS, VMCS_GUEST_PKRS },
	};
	u64 entry = vmcs12_get(cpu->nested->vmcs12, VMCS_ENTRY_CONTROLS);
	u64 value[ARRAY_SIZE(live)];
	u32 i;

	cpu->nested->fresh = false;
	vmptrld(pool_pa(cpu->vmcs));
	for (i = 0; i < ARRAY_SIZE(live); i++)
		value[i] = vmread(live[i].field);
	vmptrld(pool_pa(cpu->nested->vmcs02));
	for (i = 0; i < ARRAY_SIZE(live); i++)
		if (!(entry & live[i].control))
			vmwrite(live[i].field, value[i]);
}

static void save_guest(struct vmcs12 *v, u32 reason, const struct nested_left *left)
{
	u64 entry = vmcs12_get(v, VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E;
	u32 i;

	vmcs12_load(v, &vmcs12_hot);
	vmcs12_set(v, VMCS_ENTRY_CONTROLS, entry | (vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E));
	save_msrs(v, reason, left);
	if (nested_secondary(v) & SECONDARY_EPT)
		for (i = 0; i < 4; i++)
			vmcs12_set(v, VMCS_GUEST_PDPTE0 + 2 * i, vmread(VMCS_GUEST_PDPTE0 + 2 * i));
}

static void save_exit(struct vmcs12 *v, u32 reason, u64 qualification)
{
	u64 info = vmcs12_get(v, VMCS_ENTRY_INTERRUPTION_INFO);

	vmcs12_load(v, &vmcs12_exit);
	vmcs12_set(v, VMCS_EXIT_REASON, reason);
	vmcs12_set(v, VMCS_EXIT_QUALIFICATION, qualification);
	vmcs12_set(v, VMCS_ENTRY_INTERRUPTION_INFO, info & ~EVENT_VALID);
}

/* What waited for L2's next instruction: L1 is asked again when it comes to run. */
static void end_waiting(struct percpu *cpu)
{
	if (cpu->mtf & MTF_OPEN)
		ept_open_end(cpu);
	if (cpu->step.active)
		ept_guest_end_step(cpu);
	nested_ept_end_step(cpu, false);
	if (!(cpu->mtf & MTF_NMI))
		return;
	event_clear_mtf(cpu, MTF_NMI);
	/* That blocking was for the one that waits (event_inject_nmi()). */
	if (!(vmread(VMCS_PIN_CONTROLS) & PIN_NMI))
		event_release(false);
	WRITE_ONCE(cpu->nmi_pending, 1);
}

/**
 * nested_abort - VMX abort (SDM vol. 3, 28.7): the CPU shuts down
 * @indicator: why
 */
void nested_abort(struct percpu *cpu, u32 indicator)
{
	struct nested *nested = cpu->nested;

	guest_write_physical(nested->pointer + offsetof(struct vmcs12, abort), &indicator,
			     sizeof(indicator));
	log_err(cpu, "VMX abort %u of the guest's hypervisor", indicator);
	vmptrld(pool_pa(cpu->vmcs));
	nested->mode = NESTED_ROOT;
	startup_handle_triple_fault(cpu);
	__builtin_unreachable();
}

static void return_to_l1(struct percpu *cpu, const struct nested_left *left)
{
	struct nested *nested = cpu->nested;

	percpu_count(cpu, LATCH_STAT_L2_EXITS);
	nested->mode = NESTED_ROOT;
	nested->current_root = NULL;
	cpu->eptp = ept_guest_pointer();
	cpu->vmlaunch = 0;
	nested_shadow_write(cpu);
	nested_host_load(cpu, left);
	if (nested_msr_load(cpu, VMCS_EXIT_MSR_LOAD_ADDRESS, VMCS_EXIT_MSR_LOAD_COUNT))
		nested_abort(cpu, ABORT_MSR_LOAD);
	/* Without VPIDs an exit flushes what L1 had cached too. */
	if (!(nested_secondary(nested->vmcs12) & SECONDARY_VPID))
		invvpid_single(VPID_L1);
}

/* Of L2's blocking by NMI, what is the CPU's own stays (SDM vol. 3, 28.5.5). */
static bool blocks_nmis(const struct vmcs12 *v)
{
	return !(vmcs12_get(v, VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMIS) &&
	       vmcs12_get(v, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI;
}

/**
 * nested_exit - an exit of L2 is L1's
 * @cpu: this CPU, VMCS02 current, its exit information that of this exit
 * @reason: exit reason
 * @qualification: exit qualification
 */
void nested_exit(struct percpu *cpu, u32 reason, u64 qualification)
{
	struct vmcs12 *v = cpu->nested->vmcs12;
	struct nested_left left;

	nested_view_leave(cpu);
	end_waiting(cpu);
	if (cpu->nested->fresh)
		save_live(cpu);
	read_left(&left);
	save_guest(v, reason, &left);
	save_exit(v, reason, qualification);
	if (!nested_msr_store(cpu))
		nested_abort(cpu, ABORT_MSR_STORE);
	return_to_l1(cpu, &left);
	if (blocks_nmis(v))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
}

/* An exit for an event that core has found. */
static void exit_event(struct percpu *cpu, u32 info, u32 error, u64 qualification)
{
	struct vmcs12 *v = cpu->nested->vmcs12;

	nested_exit(cpu, EXIT_EXCEPTION, qualification);
	vmcs12_set(v, VMCS_EXIT_INTERRUPTION_INFO, info);
	vmcs12_set(v, VMCS_EXIT_INTERRUPTION_ERROR_CODE, error);
	vmcs12_set(v, VMCS_IDT_VECTORING_INFO, 0);
	nested_shadow_write(cpu);
}

/* An entry with a TPR below the threshold exits (SDM vol. 3, 27.7.7); or may, that is enough. */
static bool may_exit_for_tpr(u64 primary)
{
	u64 controls = SECONDARY_APIC_ACCESS | SECONDARY_VID;

	return primary & PRIMARY_TPR_SHADOW && primary & PRIMARY_SECONDARY &&
	       (vmread(VMCS_SECONDARY_CONTROLS) & controls) == SECONDARY_APIC_ACCESS &&
	       vmread(VMCS_TPR_THRESHOLD);
}

/**
 * nested_comes_before_nmi - has L2 another exit, or a #DB, before an NMI is taken
 *
 * SDM vol. 3, 7.9, 26.2, 26.5.2, 27.7. While L2 waits for a start-up IPI it takes none.
 * Context: VMCS02 is current. Return: true if it may have.
 */
bool nested_comes_before_nmi(void)
{
	u64 primary = vmread(VMCS_PRIMARY_CONTROLS);
	u64 event = vmread(VMCS_ENTRY_INTERRUPTION_INFO);

	return primary & PRIMARY_NMI_WINDOW || may_exit_for_tpr(primary) ||
	       (vmread(VMCS_PIN_CONTROLS) & PIN_TIMER && !vmread(VMCS_PREEMPTION_TIMER)) ||
	       vmread(VMCS_GUEST_PENDING_DEBUG) ||
	       vmread(VMCS_GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI ||
	       (event & (EVENT_VALID | EVENT_TYPE)) == (EVENT_VALID | EVENT_TYPE_OTHER);
}

/**
 * nested_exit_nmi - an NMI came in root mode: it is an exit of L2's
 *
 * Context: the end of an exit, NMIs blocked; VMCS02 is current, and L1 has "NMI
 * exiting". If an event is on its way L2 gets that first, and an entry that fails has
 * another exit. What else may come first is put in order by the CPU, which latches it again.
 */
void nested_exit_nmi(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	bool event = vmread(VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID;

	if (nested_comes_before_nmi()) {
		kick_self_nmi(cpu);
		return;
	}
	if (nested->fresh && !event && !nested->bad_msr)
		nested_set_bad_msr(cpu, NESTED_ASK);
	if (event || nested->bad_msr) {
		event_set_mtf(cpu, MTF_NMI);
		return;
	}
	exit_event(cpu, VECTOR_NMI | EVENT_TYPE_NMI | EVENT_VALID, 0, 0);
	event_block_nmis();
}

/* SDM vol. 3, 26.2 */
static bool wants_fault(const struct vmcs12 *v, u32 vector, u32 error)
{
	bool wants = vmcs12_get(v, VMCS_EXCEPTION_BITMAP) >> vector & 1;

	if (vector != VECTOR_PF)
		return wants;
	return wants == ((error & vmcs12_get(v, VMCS_PAGE_FAULT_MASK)) ==
			 vmcs12_get(v, VMCS_PAGE_FAULT_MATCH));
}

/**
 * nested_exit_fault - core is about to raise a fault in L2
 * @info: as it would be injected, RFLAGS.RF is set already
 * @error: error code, if @info says so
 * @linear: of a #PF: what CR2 would be
 *
 * Return: true if it is an exit by L1's exception bitmap.
 */
bool nested_exit_fault(struct percpu *cpu, u32 info, u32 error, u64 linear)
{
	if (!wants_fault(cpu->nested->vmcs12, info & EVENT_VECTOR, error))
		return false;
	exit_event(cpu, info, error, linear);
	return true;
}

static void fail_entry(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;

	nested_view_leave(cpu);
	if (nested->launching)
		nested->vmcs12->launched = false;
	/* VMCS02 has not become what VMCS12 says, or not all of it; or a list has changed it. */
	nested->dirty = true;
	if (nested->listed)
		nested->cold = false;
	end_waiting(cpu);
}

/* The entry fails: an NMI that core has injected waits again. */
static void take_back_nmi(struct percpu *cpu)
{
	u64 info = vmread(VMCS_ENTRY_INTERRUPTION_INFO);
	u64 wanted = vmcs12_get(cpu->nested->vmcs12, VMCS_ENTRY_INTERRUPTION_INFO);

	if ((info & ~wanted) & EVENT_VALID && (info & EVENT_TYPE) == EVENT_TYPE_NMI)
		event_set_mtf(cpu, MTF_NMI);
}

/**
 * nested_exit_entry - VM entry of L2 has failed behind the checks of the controls
 * @cpu: this CPU, VMCS02 current
 * @reason: basic exit reason
 * @qualification: exit qualification
 *
 * No guest state is saved, no MSR stored, NMIs are blocked as before (SDM vol. 3, 27.8).
 */
void nested_exit_entry(struct percpu *cpu, u32 reason, u64 qualification)
{
	struct vmcs12 *v = cpu->nested->vmcs12;
	struct nested_left left;
	u64 blocked;

	fail_entry(cpu);
	/* The list comes behind L2's state, of which an exit does not replace all. */
	if (reason != EXIT_ENTRY_MSR_LOAD)
		vmptrld(pool_pa(cpu->vmcs));
	read_left(&left);
	vmptrld(pool_pa(cpu->vmcs));
	blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI;
	vmcs12_set(v, VMCS_EXIT_REASON, reason | EXIT_REASON_ENTRY_FAIL);
	vmcs12_set(v, VMCS_EXIT_QUALIFICATION, qualification);
	return_to_l1(cpu, &left);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocked);
}

/**
 * nested_entry_failed - VMLAUNCH or VMRESUME of VMCS02 has failed
 * @rflags: as the instruction left them
 *
 * The CPU refuses a control that core let pass: L1 gets what it would have got there.
 * Return: false if it was not VMCS02.
 */
bool nested_entry_failed(struct percpu *cpu, u64 rflags)
{
	struct nested *nested = cpu->nested;
	u64 error = vmread(VMCS_INSTRUCTION_ERROR);

	if (!nested_in_guest(cpu) || !(rflags & RFLAGS_ZF))
		return false;
	take_back_nmi(cpu);
	fail_entry(cpu);
	cpu->vmlaunch = 0;
	nested->mode = NESTED_ROOT;
	nested->current_root = NULL;
	vmptrld(pool_pa(cpu->vmcs));
	nested_fail(cpu, (u32)error);
	return true;
}

/* The entry is right, and the NMI that waits exits. */
static void end_asking(struct percpu *cpu)
{
	nested_set_bad_msr(cpu, 0);
	save_live(cpu);
	event_clear_mtf(cpu, MTF_NMI);
	nested_exit_nmi(cpu);
}

/* Core's list has failed in place of L1's, or where nothing else has, see enter.c. */
static void handle_entry_failed(struct percpu *cpu, u32 reason)
{
	u32 bad = reason == EXIT_ENTRY_MSR_LOAD ? cpu->nested->bad_msr : 0;

	take_back_nmi(cpu);
	if (bad == NESTED_ASK)
		end_asking(cpu);
	else
		nested_exit_entry(cpu, reason, bad ? bad : vmread(VMCS_EXIT_QUALIFICATION));
}

/* --- whose is it */

static bool handle_exception(struct percpu *cpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	u32 info = (u32)vmread(VMCS_EXIT_INTERRUPTION_INFO);

	/* Of a page fault in a view, the page is what L1 needs to know. */
	if (nested_in_view(cpu) && (info & EVENT_VECTOR) == VECTOR_PF)
		qualification &= PAGE_MASK;
	nested_exit(cpu, EXIT_EXCEPTION, qualification);
	if ((info & EVENT_TYPE) == EVENT_TYPE_NMI)
		event_block_nmis();
	return true;
}

#define CR_ACCESS_IS_MOV_TO_CR4(q)	(((q) & 0x3f) == 4)

/* CR4.SMXE is reserved for L2 as it is for L1. */
static bool handle_cr(struct percpu *cpu)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION), value;

	if (CR_ACCESS_IS_MOV_TO_CR4(qualification)) {
		value = gpr_read(cpu->gpr, qualification >> 8 & 15);
		if (!((value ^ vmcs12_get(v, VMCS_CR4_SHADOW)) & vmcs12_get(v, VMCS_CR4_MASK))) {
			event_inject_fault(cpu, VECTOR_GP, 0);
			return true;
		}
	}
	nested_exit(cpu, EXIT_CR_ACCESS, qualification);
	return true;
}

/* Return: false if core's own handler is to have it. */
/* An instruction that core does for L2: if it was let as a step, that ends with it. */
static bool leave_to_core(struct percpu *cpu)
{
	nested_ept_end_step(cpu, true);
	return false;
}

static bool handle_msr(struct percpu *cpu, u32 reason)
{
	if (!nested_msr_is_wanted(cpu, reason == EXIT_WRMSR)) {
		/* L1 has no right to have L2 do it, either. */
		if (reason != EXIT_WRMSR || !nested_msr_is_kept(cpu, (u32)cpu->gpr->rcx))
			return leave_to_core(cpu);
		event_inject_fault(cpu, VECTOR_GP, 0);
		return true;
	}
	nested_exit(cpu, reason, vmread(VMCS_EXIT_QUALIFICATION));
	return true;
}

static bool handle_ept(struct percpu *cpu, u32 reason)
{
	if (!cpu->nested->current_root || nested_in_view(cpu) || reason != EXIT_EPT_VIOLATION)
		return false;
	nested_ept_handle_violation(cpu);
	if (nested_in_guest(cpu))
		percpu_count(cpu, LATCH_STAT_L2_VIOLATIONS);
	return true;
}

/* Core's comes first, see there for L1's. */
static bool handle_mtf(struct percpu *cpu)
{
	if (cpu->mtf)
		return false;
	nested_exit(cpu, EXIT_MTF, 0);
	return true;
}

/* A hypapp may have calls for L2; else each VMCALL is L1's. */
static bool handle_vmcall(struct percpu *cpu)
{
	if (hypapp_takes_nested(cpu, cpu->gpr->rax)) {
		cpu->nested->missed.reason = 0;
		return leave_to_core(cpu);
	}
	nested_exit(cpu, EXIT_VMCALL, vmread(VMCS_EXIT_QUALIFICATION));
	return true;
}

/*
 * A kick is an INIT, and that comes before an MTF exit at the same instruction boundary,
 * which is lost (SDM vol. 3, 26.5.2). With the flag set L2 gets no further than to the
 * first boundary, so it has come there if anything has changed.
 */
static bool is_mtf_lost(const struct percpu *cpu)
{
	const struct nested *nested = cpu->nested;
	u32 event = nested->entered_event;

	if (!(event & EVENT_VALID))
		return nested_wants_mtf(cpu) && vmread(VMCS_GUEST_RIP) != nested->entered_rip;
	return nested_wants_mtf(cpu) || (event & EVENT_TYPE) == EVENT_TYPE_OTHER;
}

/* What L1 has the CPU do for L2, and core does. */
static bool handle_software(struct percpu *cpu, u32 reason)
{
	bool done = reason == EXIT_VMFUNC ? nested_ept_switch(cpu) :
					    nested_handle_shadowed(cpu, reason == EXIT_VMWRITE);

	if (!done)
		nested_exit(cpu, reason, vmread(VMCS_EXIT_QUALIFICATION));
	return true;
}

/**
 * nested_end_load - nested.loading: it is done
 *
 * From now on CET state and PKRS are in the CPU. To load them again would be to check them
 * again, and not all that they may become can be loaded, such as an SSP that 32-bit code
 * does not use. Context: the beginning of an exit.
 */
void nested_end_load(struct percpu *cpu)
{
	cpu->nested->loading = false;
	vmwrite(VMCS_ENTRY_CONTROLS, vmread(VMCS_ENTRY_CONTROLS) & ~NESTED_ENTRY_LIVE);
}

/**
 * nested_handle_exit - an exit while L2 runs
 * @cpu: this CPU
 * @full: exit reason
 *
 * Return: false if it is core's own, to be handled as one of L1's is.
 */
bool nested_handle_exit(struct percpu *cpu, u32 full)
{
	struct nested *nested = cpu->nested;
	u32 reason = full & EXIT_REASON_BASIC;

	if (full & EXIT_REASON_ENTRY_FAIL) {
		handle_entry_failed(cpu, reason);
		return true;
	}
	nested->launched = true;
	nested->launching = false;
	nested->fresh = false;
	cpu->vmlaunch = 0;
	if (nested_in_view(cpu) && nested_view_handle_exit(cpu, reason))
		return true;
	switch (reason) {
	case EXIT_EXCEPTION:
		return handle_exception(cpu);
	case EXIT_INIT:
		nested->mtf_lost = is_mtf_lost(cpu);
		nested_ept_kicked(cpu);
		return false;
	case EXIT_VMCALL:
		return handle_vmcall(cpu);
	case EXIT_CR_ACCESS:
		return handle_cr(cpu);
	case EXIT_RDMSR:
	case EXIT_WRMSR:
		return handle_msr(cpu, reason);
	case EXIT_VMREAD:
	case EXIT_VMWRITE:
	case EXIT_VMFUNC:
		return handle_software(cpu, reason);
	case EXIT_EPT_VIOLATION:
	case EXIT_EPT_MISCONFIG:
		return handle_ept(cpu, reason);
	case EXIT_MTF:
		return handle_mtf(cpu);
	default:
		nested_exit(cpu, full, vmread(VMCS_EXIT_QUALIFICATION));
		return true;
	}
}
