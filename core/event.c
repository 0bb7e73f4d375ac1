// SPDX-License-Identifier: GPL-2.0-only
/* Events for the guest; see event.h. */
#include "event.h"
#include "kick.h"
#include "nested/nested.h"
#include "vmx.h"

/*
 * An exception that the exiting instruction would have raised natively. A fault
 * pushes RFLAGS with RF set, so that the handler's IRET does not meet the same
 * instruction breakpoint again (SDM vol. 3, 18.3.1.1); VM entry pushes what the
 * VMCS has.
 */
static void inject(struct percpu *cpu, u32 info, u32 error, u64 linear)
{
	vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	percpu_count(cpu, LATCH_STAT_INJECTED);
	/* In real mode no fault has an error code, and VM entry refuses one. */
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE))
		info &= ~(u32)EVENT_ERROR_CODE;
	if (nested_in_guest(cpu) && nested_exit_fault(cpu, info, error, linear))
		return;
	if ((info & EVENT_VECTOR) == VECTOR_PF)
		write_cr2(linear);
	if (info & EVENT_ERROR_CODE)
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, error);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info & ~(u32)EVENT_NMI_IRET);
}

/** event_inject_exception - raise a fault without an error code */
void event_inject_exception(struct percpu *cpu, u8 vector)
{
	inject(cpu, vector | EVENT_TYPE_HARD | EVENT_VALID, 0, 0);
}

/** event_inject_fault - raise a fault with an error code */
void event_inject_fault(struct percpu *cpu, u8 vector, u32 error)
{
	inject(cpu, vector | EVENT_TYPE_HARD | EVENT_ERROR_CODE | EVENT_VALID, error, 0);
}

/** event_inject_page_fault - raise a #PF; CR2 is written if it is not an exit of L2's */
void event_inject_page_fault(struct percpu *cpu, u64 linear, u32 error)
{
	inject(cpu, VECTOR_PF | EVENT_TYPE_HARD | EVENT_ERROR_CODE | EVENT_VALID, error, linear);
}

/** event_inject_ve - raise a #VE; @iret: of an IRET that has unblocked NMIs, as an exit tells */
void event_inject_ve(struct percpu *cpu, bool iret)
{
	inject(cpu, VECTOR_VE | EVENT_TYPE_HARD | EVENT_VALID | (iret ? EVENT_NMI_IRET : 0), 0, 0);
}

/** event_block_nmis - no NMI comes before the guest's next IRET */
void event_block_nmis(void)
{
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
}

/**
 * event_redo_iret - an IRET that has unblocked NMIs exits, and will be executed again
 * @qualification: exit qualification that says so (SDM vol. 3, 28.2.3)
 *
 * Not for an exit in the delivery of an event.
 */
void event_redo_iret(u64 qualification)
{
	if (qualification & EPT_VIOLATION_NMI_IRET)
		event_block_nmis();
}

/* With virtual NMIs its injection blocks them by itself, and must not find them so. */
static bool is_virtual_nmi(u32 info)
{
	return (info & (EVENT_VALID | EVENT_TYPE)) == (EVENT_VALID | EVENT_TYPE_NMI) &&
	       vmread(VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMIS;
}

/**
 * event_reinject - let an event go on whose delivery was cut short by an exit
 *
 * With its error code and, for software interrupts and exceptions, with the
 * length of the instruction (SDM vol. 3, 25.9.3 and 27.6).
 */
void event_reinject(struct percpu *cpu)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO) & ~(u32)EVENT_UNDEFINED;
	u32 type = info & EVENT_TYPE;

	if (!(info & EVENT_VALID))
		return;
	if (info & EVENT_ERROR_CODE)
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	if (type == EVENT_TYPE_SOFT_INT || type == EVENT_TYPE_PRIV_SOFT || type == EVENT_TYPE_SOFT)
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	/*
	 * Without virtual NMIs the injection of an NMI does not set the blocking; but L2's
	 * NMI may be one that its hypervisor has injected, and blocks nothing: the exit has
	 * saved what is right.
	 */
	if (is_virtual_nmi(info))
		event_release(false);
	else if (type == EVENT_TYPE_NMI && !nested_in_guest(cpu))
		event_block_nmis();
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info);
	percpu_count(cpu, LATCH_STAT_REINJECTED);
}

/**
 * event_inject_nmi - give the guest an NMI that came in root mode
 *
 * Called at the end of an exit, where NMIs are blocked. If another event is
 * on its way, if an instruction is being stepped, if a debug exception is pending
 * (which the injection would drop), or if blocking by STI or MOV SS forbids it, the
 * guest executes up to the next instruction boundary first, still with NMIs blocked
 * so that no later one can overtake.
 */
void event_inject_nmi(struct percpu *cpu)
{
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	WRITE_ONCE(cpu->nmi_pending, 0);
	if (nested_in_guest(cpu) && vmread(VMCS_PIN_CONTROLS) & PIN_NMI) {
		nested_exit_nmi(cpu);
		return;
	}
	/* A CPU that waits for its start-up IPI takes no NMI. */
	if (vmread(VMCS_GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI)
		return;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking | BLOCKING_NMI);
	if (vmread(VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID || cpu->mtf ||
	    blocking & (BLOCKING_STI | BLOCKING_MOV_SS) || vmread(VMCS_GUEST_PENDING_DEBUG)) {
		event_set_mtf(cpu, MTF_NMI);
		return;
	}
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, VECTOR_NMI | EVENT_TYPE_NMI | EVENT_VALID);
	percpu_count(cpu, LATCH_STAT_NMI_ROOT);
}

/**
 * event_retry_nmi - here is an instruction boundary: an NMI may have waited for it
 *
 * Context: an exit of this CPU, before anything is injected.
 */
void event_retry_nmi(struct percpu *cpu)
{
	if (!(cpu->mtf & MTF_NMI))
		return;
	/*
	 * If the instruction was an IRET it has unblocked NMIs, and the one that the CPU had
	 * latched is noted by now: latch it again.
	 */
	if (READ_ONCE(cpu->nmi_pending))
		kick_self_nmi(cpu);
	event_clear_mtf(cpu, MTF_NMI);
	event_inject_nmi(cpu);
}

/**
 * event_take_nmi - an NMI came in root mode
 *
 * Called from the end of an exit, where NMIs are blocked. The guest may be about to have
 * them blocked, too: L1 has L2 entered so; or it executes an IRET again that had unblocked
 * them before it faulted (event_redo_iret()). The CPU latches it once more, until they are not;
 * and where L2 has something else first, which an INIT is, too.
 */
void event_take_nmi(struct percpu *cpu)
{
	bool nested = nested_in_guest(cpu);
	bool virtual = nested && vmread(VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMIS;
	bool blocked = !virtual && vmread(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI;

	if (!blocked && !(nested && (READ_ONCE(cpu->init_wanted) || nested_comes_before_nmi()))) {
		event_inject_nmi(cpu);
		return;
	}
	WRITE_ONCE(cpu->nmi_pending, 0);
	kick_self_nmi(cpu);
}

/**
 * event_hold_interrupts - no interrupt comes before the guest's next instruction
 *
 * One between VM entry and the instruction would end a step before it has done anything.
 * Blocking by STI holds it off for just that instruction.
 */
void event_hold_interrupts(void)
{
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	/* With TF set VM entry wants a pending #DB beside it, which would come first. */
	if ((vmread(VMCS_GUEST_RFLAGS) & (RFLAGS_IF | RFLAGS_TF)) == RFLAGS_IF &&
	    !(blocking & BLOCKING_MOV_SS) &&
	    !(vmread(VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking | BLOCKING_STI);
}

/**
 * event_hold - neither an interrupt nor an NMI does
 *
 * Return: for event_release(), which is to follow behind the instruction.
 */
bool event_hold(void)
{
	u64 blocking;

	if (is_virtual_nmi((u32)vmread(VMCS_ENTRY_INTERRUPTION_INFO)))
		return true;
	event_hold_interrupts();
	blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking | BLOCKING_NMI);
	return blocking & BLOCKING_NMI;
}

/** event_release - NMIs come again; if they were blocked, the instruction has decided */
void event_release(bool nmi_blocked)
{
	if (!nmi_blocked)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI);
}

/** event_collect_nmis - take over NMIs that came during the change-over */
void event_collect_nmis(struct percpu *cpu)
{
	if (cpu->change_over->nmis || cpu->page->nmis)
		WRITE_ONCE(cpu->nmi_pending, 1);
	cpu->change_over->nmis = 0;
	cpu->page->nmis = 0;
}

/*
 * With TF set, an instruction that was completed here is followed by a #DB, as
 * any other is: VM entry delivers it from the pending debug exceptions.
 */
static void skip_side_effects(u64 rflags)
{
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (blocking & (BLOCKING_STI | BLOCKING_MOV_SS))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	if (rflags & RFLAGS_RF)
		vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (rflags & RFLAGS_TF && !(vmread(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		vmwrite(VMCS_GUEST_PENDING_DEBUG,
			vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/**
 * event_skip_bytes - an instruction of @length bytes has been completed
 */
void event_skip_bytes(u64 length)
{
	u64 rip = vmread(VMCS_GUEST_RIP), next = rip + length;

	/* Outside of 64-bit code, EIP wraps at 4 GiB. */
	if ((rip ^ next) >> 32 && !(vmread(VMCS_GUEST_CS_ACCESS) & SEGMENT_L))
		next &= 0xffffffff;
	vmwrite(VMCS_GUEST_RIP, next);
	skip_side_effects(vmread(VMCS_GUEST_RFLAGS));
}

/** event_skip_instruction - the exiting instruction has been completed */
void event_skip_instruction(void)
{
	event_skip_bytes(vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
}

/** event_set_mtf - exit after the guest's next instruction */
void event_set_mtf(struct percpu *cpu, u8 reason)
{
	if (!cpu->mtf)
		vmwrite(VMCS_PRIMARY_CONTROLS, vmread(VMCS_PRIMARY_CONTROLS) | PRIMARY_MTF);
	cpu->mtf |= reason;
}

/** event_clear_mtf - one reason for it less */
void event_clear_mtf(struct percpu *cpu, u8 reason)
{
	if (cpu->mtf == reason && !nested_wants_mtf(cpu))
		vmwrite(VMCS_PRIMARY_CONTROLS, vmread(VMCS_PRIMARY_CONTROLS) & ~PRIMARY_MTF);
	cpu->mtf &= ~reason;
}
