// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM exits: a table indexed by the basic exit reason.
 */
#include "cpuid.h"
#include "cr.h"
#include "crash.h"
#include "ept_guest.h"
#include "ept_open.h"
#include "ept_switch.h"
#include "ept_view.h"
#include "event.h"
#include "exit.h"
#include "hypapp/hypapp.h"
#include "hypercall.h"
#include "log.h"
#include "msr.h"
#include "nested/nested.h"
#include "startup.h"
#include "task.h"
#include "vmx.h"

typedef void exit_handler(struct percpu *cpu);

/* SMX and TDX instructions, and VMFUNC: the guest's CPU has none of them. */
static void handle_ud(struct percpu *cpu)
{
	event_inject_exception(cpu, VECTOR_UD);
}

/*
 * No exception is intercepted, but an outer KVM that has a page to fetch tells its
 * guest so by an exit for #PF (asynchronous page faults): the guest wants it.
 */
static void handle_exception(struct percpu *cpu)
{
	u32 info = (u32)vmread(VMCS_EXIT_INTERRUPTION_INFO);

	if ((info & EVENT_VECTOR) != VECTOR_PF)
		crash_exit(cpu, EXIT_EXCEPTION);
	if (cpu->view)
		cpu->view->interrupt(cpu);
	event_inject_page_fault(cpu, vmread(VMCS_EXIT_QUALIFICATION),
				(u32)vmread(VMCS_EXIT_INTERRUPTION_ERROR_CODE));
}

/* A list that names an MSR which is intercepted. */
static void handle_msr_list(struct percpu *cpu)
{
	event_inject_fault(cpu, VECTOR_GP, 0);
}

/* INVD would throw away what core has written: write it back instead. */
static void handle_invd(struct percpu *cpu)
{
	(void)cpu;
	asm volatile("wbinvd" : : : "memory");
	event_skip_instruction();
}

static void handle_mtf(struct percpu *cpu)
{
	if (cpu->mtf & MTF_OPEN)
		ept_open_end(cpu);
	if (cpu->step.active) {
		if (cpu->step.hidden)
			percpu_count(cpu, LATCH_STAT_HIDDEN_WRITES);
		ept_guest_end_step(cpu);
	}
	if (cpu->mtf & MTF_REGS)
		hypapp_registers_end(cpu);
	nested_ept_end_step(cpu, true);
	if (nested_wants_mtf(cpu)) {
		/* That comes before an NMI, which L1 gets then. */
		nested_exit(cpu, EXIT_MTF, 0);
	} else {
		event_retry_nmi(cpu);
	}
}

static exit_handler *const handlers[LATCH_NR_REASONS] = {
	[EXIT_EXCEPTION]	= handle_exception,
	[EXIT_TRIPLE_FAULT]	= startup_handle_triple_fault,
	[EXIT_INIT]		= startup_handle_init,
	[EXIT_SIPI]		= startup_handle_sipi,
	[EXIT_TASK_SWITCH]	= task_handle_switch,
	[EXIT_CPUID]		= cpuid_handle,
	[EXIT_GETSEC]		= handle_ud,
	[EXIT_INVD]		= handle_invd,
	[EXIT_VMCALL]		= hypercall_handle,
	[EXIT_VMCLEAR]		= nested_handle_instruction,
	[EXIT_VMLAUNCH]		= nested_handle_instruction,
	[EXIT_VMPTRLD]		= nested_handle_instruction,
	[EXIT_VMPTRST]		= nested_handle_instruction,
	[EXIT_VMREAD]		= nested_handle_instruction,
	[EXIT_VMRESUME]		= nested_handle_instruction,
	[EXIT_VMWRITE]		= nested_handle_instruction,
	[EXIT_VMXOFF]		= nested_handle_instruction,
	[EXIT_VMXON]		= nested_handle_instruction,
	[EXIT_CR_ACCESS]	= cr_handle_access,
	[EXIT_RDMSR]		= msr_handle_read,
	[EXIT_WRMSR]		= msr_handle_write,
	[EXIT_MTF]		= handle_mtf,
	[EXIT_GDTR_IDTR]	= hypapp_registers_begin,
	[EXIT_LDTR_TR]		= hypapp_registers_begin,
	[EXIT_EPT_VIOLATION]	= ept_guest_handle_violation,
	[EXIT_INVEPT]		= nested_handle_instruction,
	[EXIT_INVVPID]		= nested_handle_instruction,
	[EXIT_XSETBV]		= cr_handle_xsetbv,
	[EXIT_VMFUNC]		= ept_switch_handle,
	[EXIT_SEAMCALL]		= handle_ud,
	[EXIT_TDCALL]		= handle_ud,
	[EXIT_RDMSRLIST]	= handle_msr_list,
	[EXIT_WRMSRLIST]	= handle_msr_list,
};

static void record(struct percpu *cpu, u32 reason)
{
	struct exit_record *entry = &cpu->history[cpu->history_next++ % HISTORY_SIZE];

	entry->reason = reason;
	entry->rip = vmread(VMCS_GUEST_RIP);
}

/* The instruction that is being stepped exits: it is executed here. */
static void end_step(struct percpu *cpu, u32 reason)
{
	if (reason != EXIT_MTF && reason != EXIT_EPT_VIOLATION && reason != EXIT_INIT &&
	    reason != EXIT_EXCEPTION)
		ept_open_end(cpu);
}

/* An exit of the guest, or one of its guests' that is core's own. */
static void handle(struct percpu *cpu, u32 full)
{
	u32 reason = full & EXIT_REASON_BASIC;

	/* Of the other bits, only a failed entry matters: not, say, "from an enclave". */
	if (full & EXIT_REASON_ENTRY_FAIL || !handlers[reason])
		crash_exit(cpu, full);
	if (cpu->switching && !nested_in_guest(cpu))
		ept_switch_look(cpu);
	if (cpu->mtf & MTF_OPEN)
		end_step(cpu, reason);
	handlers[reason](cpu);
}

/**
 * exit_handle - handle a VM exit
 * @gpr: the guest's registers, on the stack
 * @cpu: this CPU
 *
 * Context: root mode, called by entry.S, which then resumes the guest.
 */
void exit_handle(struct latch_gpr *gpr, struct percpu *cpu)
{
	u32 full = (u32)vmread(VMCS_EXIT_REASON), reason = full & EXIT_REASON_BASIC;
	bool of_l2 = nested_in_guest(cpu);

	cpu->gpr = gpr;
	record(cpu, reason);
	if (reason >= LATCH_NR_REASONS)
		crash_exit(cpu, full);
	percpu_count(cpu, reason);
	if (cpu->nested && cpu->nested->loading)
		nested_end_load(cpu);
	if (!of_l2 || !nested_handle_exit(cpu, full))
		handle(cpu, full);
	if (nested_in_guest(cpu))
		nested_resume(cpu, of_l2);
}

/**
 * exit_entry_failed - VMRESUME or VMLAUNCH has failed: called by entry.S
 * @rflags: as the instruction left them
 *
 * Of VMCS02 that may be L1's doing; then it returns, in L1. Else it is core's failure.
 */
void exit_entry_failed(u64 rflags)
{
	if (!nested_entry_failed(this_cpu(), rflags))
		crash_entry(rflags);
}
