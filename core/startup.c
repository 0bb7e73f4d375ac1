// SPDX-License-Identifier: GPL-2.0-only
/* The guest's CPU is reset: by INIT and start-up IPI, or by a triple fault. */
#include "apic.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "ept_view.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "log.h"
#include "nested/nested.h"
#include "pool.h"
#include "quiesce.h"
#include "startup.h"
#include "vcpu.h"
#include "vmx.h"

/*
 * What ends in a reset of the machine on bare hardware. Not from root mode, where
 * INIT is blocked, which some chipsets use to bring the reset about.
 */
static void reset_machine(struct percpu *cpu) __attribute__((noreturn));
static void reset_machine(struct percpu *cpu)
{
	struct descriptor_table none = { 0, 0 };

	vmclear(pool_pa(cpu->vmcs));
	vmxoff();
	lidt(&none);
	asm volatile("ud2");
	__builtin_unreachable();
}

/**
 * startup_request_init - the guest sends a CPU an INIT, which has been intercepted
 * @cpu: this CPU
 * @target: another CPU under Latch; one that waits for its start-up IPI takes none
 */
void startup_request_init(const struct percpu *cpu, struct percpu *target)
{
	if (__atomic_load_n(&target->mode, __ATOMIC_SEQ_CST) != LATCH_CPU_GUEST)
		return;
	/* Before the kick: if one is under way already, its exit finds this. */
	__atomic_store_n(&target->init_wanted, 1, __ATOMIC_SEQ_CST);
	kick_one(cpu, target);
}

static void leave_view(struct percpu *cpu)
{
	if (cpu->view)
		cpu->view->kicked(cpu);
}

/* What of this CPU's state INIT does not keep. */
static void begin_wait(struct percpu *cpu)
{
	if (cpu->step.active)
		ept_guest_end_step(cpu);
	if (cpu->view)
		cpu->view->reset(cpu);
	ept_switch_stop(cpu);
	hypapp_reset(cpu);
	event_clear_mtf(cpu, MTF_REGS);
	event_clear_mtf(cpu, MTF_NMI);
	/* Blocking is not part of what INIT keeps, and VM entry refuses it here. */
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	WRITE_ONCE(cpu->nmi_pending, 0);
	apic_reset(cpu);
	percpu_set_mode(cpu, LATCH_CPU_WAIT_SIPI);
	/* From here on nobody sends one: kick_one() looks at the mode behind @kicked. */
	__atomic_store_n(&cpu->kicked, 0, __ATOMIC_SEQ_CST);
}

/* The guest's, not in VMX operation. */
static void handle_guest_init(struct percpu *cpu)
{
	/*
	 * A kick that comes while the CPU waits for its start-up IPI may be lost, and
	 * @kicked would stay set. One is on its way: let it bring the CPU here again.
	 * Up to then not in a view that is older than what others take as seen.
	 */
	if (!kick_hold(cpu)) {
		__atomic_store_n(&cpu->init_wanted, 1, __ATOMIC_SEQ_CST);
		leave_view(cpu);
		return;
	}
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP) {
		log_err(cpu, "INIT of the bootstrap processor: machine reset");
		reset_machine(cpu);
	}
	begin_wait(cpu);
}

/**
 * startup_handle_init - INIT exit
 *
 * A kick of core's own, or the guest's INIT: then the CPU waits for a start-up
 * IPI, in VMX non-root operation. It never leaves Latch that way. The bootstrap
 * processor would start the firmware instead: the machine is reset.
 */
void startup_handle_init(struct percpu *cpu)
{
	bool kick = kick_take(cpu);
	bool wanted = __atomic_exchange_n(&cpu->init_wanted, 0, __ATOMIC_SEQ_CST) || !kick;

	quiesce_stand(cpu);
	if (wanted && !nested_is_on(cpu)) {
		handle_guest_init(cpu);
		return;
	}
	/* Others may have relied on a kick, also where it is the guest's INIT. */
	leave_view(cpu);
	if (wanted)
		nested_handle_init(cpu);
	/* An MTF exit at the same boundary is lost (SDM vol. 3, 26.5.2). */
	if (!nested_mtf_is_lost(cpu))
		event_retry_nmi(cpu);
}

/** startup_handle_sipi - start-up IPI exit */
void startup_handle_sipi(struct percpu *cpu)
{
	vcpu_reset(cpu->gpr, (u8)vmread(VMCS_EXIT_QUALIFICATION));
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	cpu->init_wanted = 0;
	percpu_set_mode(cpu, LATCH_CPU_GUEST);
	quiesce_stand(cpu);
	/* Nobody has told this CPU about changes of the EPT while it waited. */
	ept_guest_sync(cpu);
	ept_switch_sync(cpu);
	hypapp_sync(cpu);
	invvpid_all();
}

/**
 * startup_handle_triple_fault - the guest cannot deliver a fault
 *
 * On bare hardware the CPU shuts down and the chipset resets the machine. The
 * same is brought about by a triple fault of core itself.
 */
void startup_handle_triple_fault(struct percpu *cpu)
{
	log_err(cpu, "triple fault of the guest at %016llx, CR3 %016llx: machine reset",
		vmread(VMCS_GUEST_RIP), vmread(VMCS_GUEST_CR3));
	reset_machine(cpu);
}
