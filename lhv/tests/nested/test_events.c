// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event injection, exits while an event is delivered (IDT-vectoring information),
 * pending debug exceptions, interruptibility and activity states.
 */
#include "nested.h"

INSN(event_nop, "nop\n\tnop");
INSN(event_int3, "int3\n\tnop");
INSN(event_int, "int $0x80\n\tnop");
INSN(event_hlt, "hlt\n\tnop");
INSN(event_ud, "ud2");

static const struct {
	const char *name;
	u32 event, error, length;
	const char *code;
	u64 rip;		/* that the handler finds */
} injections[] = {
	{ "#UD", EVENT(EVENT_HARD, VECTOR_UD), 0, 0, event_nop, 0 },
	{ "#GP", EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE, 0x1230, 0, event_nop, 0 },
	{ "#PF", EVENT(EVENT_HARD, VECTOR_PF) | EVENT_ERROR_CODE, 2, 0, event_nop, 0 },
	{ "#NP of the last selector", EVENT(EVENT_HARD, VECTOR_NP) | EVENT_ERROR_CODE, 0xfff8, 0,
	  event_nop, 0 },
	{ "#AC", EVENT(EVENT_HARD, VECTOR_AC) | EVENT_ERROR_CODE, 0, 0, event_nop, 0 },
	{ "#MC", EVENT(EVENT_HARD, VECTOR_MC), 0, 0, event_nop, 0 },
	{ "#DB", EVENT(EVENT_HARD, VECTOR_DB), 0, 0, event_nop, 0 },
	{ "INT3", EVENT(EVENT_SOFT, VECTOR_BP), 0, 1, event_int3, 1 },
	{ "INTO", EVENT(EVENT_SOFT, VECTOR_OF), 0, 1, event_int3, 1 },
	{ "INT1", EVENT(EVENT_PRIV_SOFT, VECTOR_DB), 0, 1, event_int3, 1 },
	{ "INT n", EVENT(EVENT_SOFT_INT, IRQ_EXIT), 0, 2, event_int, 2 },
	{ "INT n of 15 bytes", EVENT(EVENT_SOFT_INT, IRQ_EXIT), 0, 15, event_int, 15 },
};

/* Guest code under trap() of the guest, entered by hand: injected at its first byte */
static void guest_wait(void *arg)
{
	u64 *result = arg;

	result[0] = try_insn(PTR(result[4]), 0);
	result[1] = trap_last()->regs.rip - result[4];
	result[2] = trap_last()->regs.error;
	result[3] = trap_last()->regs.rflags;
}

INSN(event_ready, "vmcall");

/*
 * Bring the guest to the start of @code, under its trap(): event_ready exits there, and
 * goes on at @code.
 */
static u64 *guest_at(struct hv *hv, const char *code)
{
	u64 *result = (u64 *)hv->page;

	result[4] = ADDR(event_ready);
	hv_guest(hv, guest_wait, ADDR(result));
	hv_run(hv);
	if (hv->exit.reason != REASON_VMCALL || hv->exit.rip != ADDR(event_ready))
		ktap_check(false, "the guest is not ready: exit %x", hv->exit.reason);
	hv->code = ADDR(code);
	result[4] = hv->code;
	vmwrite(F_GUEST_RIP, hv->code);
	return result;
}

static void events_inject(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(injections); i++) {
		u64 *result = guest_at(hv, injections[i].code);
		u32 event = injections[i].event;

		vmwrite(F_ENTRY_EVENT, event);
		vmwrite(F_ENTRY_ERROR_CODE, injections[i].error);
		vmwrite(F_ENTRY_LENGTH, injections[i].length);
		nested_end(hv, injections[i].name);
		ktap_check(result[0] == EVENT_VECTOR(event) && result[1] == injections[i].rip,
			   "%s: exception %llu, RIP %llu", injections[i].name, result[0],
			   result[1]);
		ktap_check(result[2] == injections[i].error, "%s: error %llx",
			   injections[i].name, result[2]);
		ktap_check(!(vmread(F_ENTRY_EVENT) & EVENT_VALID), "%s: injected once",
			   injections[i].name);
	}
}

static void events_interrupt(struct hv *hv)
{
	u64 before = hv->guest->irqs[IRQ_CALL];

	/* lhv's handler of this vector sends an EOI, that no ISR bit waits for. */
	hv_guest(hv, event_nop, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, IRQ_CALL));
	nested_end(hv, "interrupt");
	ktap_check(hv->guest->irqs[IRQ_CALL] == before + 1, "the guest has handled it");
	before = hv->guest->nmis;
	hv_guest(hv, event_nop, 0);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
	nested_end(hv, "NMI");
	ktap_check(hv->guest->nmis == before + 1, "the guest has handled it");
}

/* Length 0, where the CPU allows it: the handler returns to the instruction itself. */
static void events_length_0(struct hv *hv)
{
	u64 *result = guest_at(hv, event_int3);

	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_SOFT, VECTOR_BP));
	vmwrite(F_ENTRY_LENGTH, 0);
	if (!(rdmsr(MSR_VMX_MISC) & MISC_LENGTH_0)) {
		nested_fails(hv, VMERR_CONTROLS, "not allowed");
		return;
	}
	nested_end(hv, "allowed");
	ktap_check(result[0] == VECTOR_BP && !result[1], "exception %llu, RIP %llu", result[0],
		   result[1]);
}

/* The exception bitmap does not matter for an event that is injected. */
static void events_bitmap(struct hv *hv)
{
	u64 *result = guest_at(hv, event_nop);

	vmwrite(F_EXCEPTION_BITMAP, ~0u);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_HARD, VECTOR_UD));
	nested_end(hv, "#UD");
	ktap_check(result[0] == VECTOR_UD, "the guest has it");
}

/* --- exits during delivery */

static void short_idt(u32 vectors)
{
	vmwrite(F_GUEST_IDTR_LIMIT, GATE_SIZE * vectors - 1);
}

static const struct {
	const char *name;
	u32 event, error, length;
	u32 found, found_error;	/* what the delivery meets */
	u32 vectoring_error;
} vectorings[] = {
	/* Of the vector beyond the limit: IDT, and EXT for what is not INT n, INT3, INTO */
	{ "interrupt", EVENT(EVENT_EXTERNAL, 0x90), 0, 0, VECTOR_GP, 0x90 * 8 + 3, 0 },
	{ "INT n", EVENT(EVENT_SOFT_INT, 0x91), 0, 2, VECTOR_GP, 0x91 * 8 + 2, 0 },
	{ "#AC", EVENT(EVENT_HARD, VECTOR_AC) | EVENT_ERROR_CODE, 0, 0, VECTOR_GP,
	  VECTOR_AC * 8 + 3, 0 },
};

static void events_vectoring(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(vectorings); i++) {
		guest_at(hv, event_nop);
		short_idt(16);
		vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP));
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		vmwrite(F_ENTRY_EVENT, vectorings[i].event);
		vmwrite(F_ENTRY_ERROR_CODE, vectorings[i].error);
		vmwrite(F_ENTRY_LENGTH, vectorings[i].length);
		nested_exit(hv, REASON_EXCEPTION, 0, vectorings[i].length, vectorings[i].name);
		ktap_check(hv->exit.vectoring == vectorings[i].event &&
			   (!(hv->exit.vectoring & EVENT_ERROR_CODE) ||
			    hv->exit.vectoring_error == vectorings[i].error),
			   "%s: vectoring %x", vectorings[i].name, hv->exit.vectoring);
		ktap_check(hv->exit.event == (EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE) &&
			   hv->exit.event_error == vectorings[i].found_error,
			   "%s: event %x, error %x", vectorings[i].name, hv->exit.event,
			   hv->exit.event_error);
		ktap_check(hv->exit.rip == hv->code, "%s: RIP", vectorings[i].name);
		hv_vmcs_reset(hv);
	}
}

/* The guest's own event, not one that was injected */
static void events_vectoring_own(struct hv *hv)
{
	guest_at(hv, event_int);
	short_idt(16);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	nested_exit(hv, REASON_EXCEPTION, 0, 0, "INT n");
	/* A fault of INT n before its delivery has begun is no exit during delivery. */
	ktap_check(hv->exit.event_error == IRQ_EXIT * 8 + 2, "INT n: error %x",
		   hv->exit.event_error);
	hv_vmcs_reset(hv);
	guest_at(hv, event_ud);
	short_idt(2);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	nested_exit(hv, REASON_EXCEPTION, 0, 0, "#UD, then #GP");
	ktap_check(hv->exit.vectoring == EVENT(EVENT_HARD, VECTOR_UD) &&
		   hv->exit.event_error == VECTOR_UD * 8 + 3, "#UD: vectoring %x, error %x",
		   hv->exit.vectoring, hv->exit.event_error);
}

static void events_double_fault(struct hv *hv)
{
	guest_at(hv, event_nop);
	short_idt(2);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_DF));
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE);
	nested_exit(hv, REASON_EXCEPTION, 0, 0, "#GP, then #GP");
	ktap_check(hv->exit.event == (EVENT(EVENT_HARD, VECTOR_DF) | EVENT_ERROR_CODE) &&
		   !hv->exit.event_error, "#DF: event %x", hv->exit.event);
	/* That is the event itself, not an exit during delivery (SDM vol. 3, 28.2.4). */
	ktap_check(!(hv->exit.vectoring & EVENT_VALID), "#DF: vectoring %x",
		   hv->exit.vectoring);
	hv_vmcs_reset(hv);
	guest_at(hv, event_nop);
	short_idt(2);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_HARD, VECTOR_DF) | EVENT_ERROR_CODE);
	nested_exit(hv, REASON_TRIPLE_FAULT, 0, 0, "#DF, then #GP");
}

/* The IDT is in a page that EPT does not have. */
static void events_ept(struct hv *hv)
{
	u64 eptp, *entry;
	u32 before;

	guest_at(hv, event_nop);
	eptp = hv_ept_enable();
	entry = ept_entry(eptp, ADDR(idt), 1);
	*entry &= ~EPT_RWX;
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_SOFT_INT, IRQ_EXIT));
	vmwrite(F_ENTRY_LENGTH, 2);
	hv_run(hv);
	hv_record(hv, "INT n");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   (hv->exit.qualification & 0x1bf) == 0x181 &&
		   hv->exit.physical == ADDR(idt) + GATE_SIZE * IRQ_EXIT &&
		   hv->exit.linear == ADDR(idt) + GATE_SIZE * IRQ_EXIT,
		   "exit %x, qualification %llx", hv->exit.reason, hv->exit.qualification);
	ktap_check(hv->exit.vectoring == EVENT(EVENT_SOFT_INT, IRQ_EXIT) &&
		   hv->exit.length == 2, "vectoring %x, length %u", hv->exit.vectoring,
		   hv->exit.length);
	/* As a hypervisor does it: mend, inject again */
	*entry |= EPT_RWX;
	invept(INVEPT_ALL, 0, 0);
	before = (u32)hv->guest->irqs[IRQ_EXIT];
	vmwrite(F_ENTRY_EVENT, hv->exit.vectoring);
	vmwrite(F_ENTRY_LENGTH, hv->exit.length);
	nested_end(hv, "injected again");
	ktap_check(hv->guest->irqs[IRQ_EXIT] == before + 1, "it comes once");
}

/* --- pending debug exceptions, interruptibility */

static void events_pending_debug(struct hv *hv)
{
	u64 *result = guest_at(hv, event_nop);

	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	vmwrite(F_GUEST_PENDING_DEBUG, BIT(14));
	nested_end(hv, "a step is pending");
	ktap_check(result[0] == VECTOR_DB && !result[1],
		   "#DB before the first instruction: exception %llu, RIP %llu", result[0],
		   result[1]);
	result = guest_at(hv, event_nop);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	nested_end(hv, "none is pending");
	ktap_check(result[0] == VECTOR_DB && result[1] == 1,
		   "#DB behind the first instruction: exception %llu, RIP %llu", result[0],
		   result[1]);
	guest_at(hv, event_nop);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_DB));
	vmwrite(F_GUEST_PENDING_DEBUG, BIT(12) | BIT(0));
	nested_exit(hv, REASON_EXCEPTION, BIT(0), 0, "a breakpoint is pending");
	ktap_check(hv->exit.event == EVENT(EVENT_HARD, VECTOR_DB) &&
		   hv->exit.rip == hv->code, "event %x", hv->exit.event);
}

static void events_mov_ss(struct hv *hv)
{
	u64 *result = guest_at(hv, event_nop);

	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	vmwrite(F_GUEST_PENDING_DEBUG, BIT(14));
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	nested_end(hv, "blocking by MOV SS");
	ktap_check(result[0] == VECTOR_DB && result[1] == 1,
		   "#DB one instruction later: exception %llu, RIP %llu", result[0], result[1]);
}

INSN(event_sti, "sti\n\tvmcall");
INSN(event_mov_ss, "movw %ss, %ax\n\tmovw %ax, %ss\n\tvmcall");

static void events_blocking(struct hv *hv)
{
	hv_guest(hv, event_sti, 0);
	nested_exit_at(hv, REASON_VMCALL, 0, 1, "VMCALL behind STI");
	ktap_check(hv->exit.interruptibility == BLOCKING_STI, "blocking by STI");
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	hv_guest(hv, event_mov_ss, 0);
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
	nested_exit_at(hv, REASON_VMCALL, 0, 5, "VMCALL behind MOV SS");
	ktap_check(hv->exit.interruptibility == BLOCKING_MOV_SS, "blocking by MOV SS");
}

/* --- activity states */

/* SDM vol. 2, HLT: a debug exception ends it. */
static void events_hlt_debug(struct hv *hv)
{
	u64 *result;

	if (rdmsr(MSR_VMX_MISC) & MISC_HLT) {
		result = guest_at(hv, event_nop);
		vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
		vmwrite(F_GUEST_PENDING_DEBUG, BIT(12) | BIT(0));
		nested_end(hv, "a breakpoint is pending in HLT");
		ktap_check(result[0] == VECTOR_DB && !result[1] && !hv->exit.activity,
			   "#DB ends it: exception %llu, RIP %llu", result[0], result[1]);
	}
	result = guest_at(hv, event_hlt);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	nested_end(hv, "a step of HLT");
	ktap_check(result[0] == VECTOR_DB && result[1] == 1 && !hv->exit.activity,
		   "#DB behind it: exception %llu, RIP %llu", result[0], result[1]);
}

static void events_hlt(struct hv *hv)
{
	u64 before = hv->guest->irqs[IRQ_CALL];

	if (!(rdmsr(MSR_VMX_MISC) & MISC_HLT)) {
		ktap_skip("no entry into HLT");
		return;
	}
	hv_guest(hv, event_nop, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, IRQ_CALL));
	nested_end(hv, "an interrupt into HLT");
	ktap_check(hv->guest->irqs[IRQ_CALL] == before + 1 && !hv->exit.activity,
		   "it ends HLT");
	if (!hv_can(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER)) {
		ktap_skip("no preemption timer");
		return;
	}
	hv_set(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	hv_guest(hv, event_nop, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(F_PREEMPTION_TIMER, 100);
	nested_exit_at(hv, REASON_TIMER, 0, 0, "the timer in HLT");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "the guest is still in HLT");
	hv_guest(hv, event_hlt, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(F_PREEMPTION_TIMER, 50000);
	nested_exit_at(hv, REASON_TIMER, 0, 1, "the guest executes HLT");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "and is in HLT");
}

static void events_shutdown(struct hv *hv)
{
	u64 before = hv->guest->nmis;

	if (!(rdmsr(MSR_VMX_MISC) & MISC_SHUTDOWN)) {
		ktap_skip("no entry into shutdown");
		return;
	}
	hv_guest(hv, event_nop, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_SHUTDOWN);
	vmwrite(F_PREEMPTION_TIMER, 100);
	nested_exit_at(hv, REASON_TIMER, 0, 0, "the timer in shutdown");
	ktap_check(hv->exit.activity == ACTIVITY_SHUTDOWN, "the guest is still there");
	vmwrite(F_GUEST_PENDING_DEBUG, BIT(12) | BIT(0));
	nested_exit_at(hv, REASON_TIMER, 0, 0, "nor does a breakpoint end it");
	ktap_check(hv->exit.activity == ACTIVITY_SHUTDOWN, "the guest is still there");
	vmwrite(F_PREEMPTION_TIMER, ~0u);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
	nested_end(hv, "an NMI into shutdown");
	ktap_check(hv->guest->nmis == before + 1 && !hv->exit.activity, "it ends shutdown");
}

/* --- monitor trap flag */

static void events_mtf(struct hv *hv)
{
	u32 i;

	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	hv_guest(hv, event_nop, 0);
	for (i = 1; i < 3; i++)
		nested_exit_at(hv, REASON_MTF, 0, i, "step");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	nested_end(hv, "no more steps");
}

/* Where the guest's handler of a vector starts */
static u64 handler(u32 vector)
{
	u64 gate = idt[vector * GATE_SIZE / 8];

	return (gate & 0xffff) | (gate >> 32 & 0xffff0000);
}

/* The delivery of an event is a step of its own. */
static void events_mtf_event(struct hv *hv)
{
	guest_at(hv, event_ud);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	nested_exit_at(hv, REASON_MTF, 0, handler(VECTOR_UD) - ADDR(event_ud), "exception");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	guest_at(hv, event_nop);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_HARD, VECTOR_DE));
	nested_exit_at(hv, REASON_MTF, 0, handler(VECTOR_DE) - ADDR(event_nop),
		       "injected exception");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	guest_at(hv, event_nop);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_CALL);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	nested_exit_at(hv, REASON_MTF, 0, handler(IRQ_CALL) - ADDR(event_nop), "interrupt");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	nested_end(hv, "its handler");
}

/* The exit itself can be injected, with the flag and without it. */
static void events_mtf_inject(struct hv *hv)
{
	guest_at(hv, event_nop);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_OTHER, 0));
	nested_exit_at(hv, REASON_MTF, 0, 0, "injected MTF");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_OTHER, 0));
	nested_exit_at(hv, REASON_MTF, 0, 0, "injected MTF and the flag");
	nested_exit_at(hv, REASON_MTF, 0, 1, "step");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	nested_end(hv, "no more");
}

INSN(mtf_msr, "movl %edi, %ecx\n\trdmsr\n\tnop");
INSN(mtf_apic, "movl %ecx, (RDI)\n\tnop");

static void step_apic(struct hv *hv, const char *what)
{
	hv_guest(hv, mtf_apic, (rdmsr(MSR_APIC_BASE) & PTE_ADDR) + 16 * LAPIC_EOI);
	nested_exit_at(hv, REASON_MTF, 0, 2, what);
	nested_exit_at(hv, REASON_MTF, 0, 3, "NOP");
}

/* Instructions that a hypervisor below may execute itself, or have the CPU step. */
static void events_mtf_below(struct hv *hv)
{
	memset(hv->msr_bitmap, 0, PAGE_SIZE);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	hv_guest(hv, mtf_msr, MSR_VMX_BASIC);
	nested_exit_at(hv, REASON_MTF, 0, 2, "MOV");
	nested_exit_at(hv, REASON_MTF, 0, 4, "RDMSR of a VMX capability");
	nested_exit_at(hv, REASON_MTF, 0, 5, "NOP");
	if (lapic_x2apic)
		return;
	step_apic(hv, "write to the APIC");
	if (!hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT))
		return;
	hv_ept_enable();
	step_apic(hv, "write to the APIC, EPT");
	step_apic(hv, "write to the APIC, EPT, again");
}

/* --- preemption timer */

INSN(event_loop, "1:\tpause\n\tjmp 1b");
INSN(event_count, "movl $1000, %ecx\n1:\tloop 1b");

static void events_timer(struct hv *hv)
{
	vmwrite(F_PREEMPTION_TIMER, 0);
	hv_guest(hv, event_nop, 0);
	nested_exit_at(hv, REASON_TIMER, 0, 0, "0: before the first instruction");
	vmwrite(F_PREEMPTION_TIMER, 500);
	hv_guest(hv, event_loop, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_TIMER, "ends a loop: exit %x", hv->exit.reason);
	ktap_check(vmread(F_PREEMPTION_TIMER) == 500, "the field is as before");
	vmwrite(F_PREEMPTION_TIMER, ~0u);
	hv_guest(hv, event_count, 0);
	nested_end(hv, "long enough");
	if (!hv_can(F_EXIT_CONTROLS, EXIT_SAVE_TIMER)) {
		ktap_skip("the value is not saved");
		return;
	}
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_TIMER);
	hv_guest(hv, event_count, 0);
	nested_end(hv, "saved");
	ktap_check(vmread(F_PREEMPTION_TIMER) < ~0u && vmread(F_PREEMPTION_TIMER) > BIT(31),
		   "what is left is saved");
	vmwrite(F_PREEMPTION_TIMER, 20);
	hv_guest(hv, event_loop, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_TIMER && !vmread(F_PREEMPTION_TIMER),
		   "0 is saved: exit %x", hv->exit.reason);
}

static const struct nested_case cases[] = {
	CASE("injection", events_inject),
	CASE("length 0", events_length_0),
	CASE("interrupt and NMI", events_interrupt),
	CASE("exception bitmap", events_bitmap),
	CASE("exits during delivery", events_vectoring),
	CASE("the guest's own events", events_vectoring_own),
	CASE("double and triple fault", events_double_fault),
	CASE("EPT violation during delivery", events_ept, .later = SECONDARY_EPT),
	CASE("pending debug exceptions", events_pending_debug),
	CASE("blocking by MOV SS", events_mov_ss),
	CASE("blocking", events_blocking),
	CASE("HLT", events_hlt),
	CASE("HLT and debug exceptions", events_hlt_debug),
	CASE("shutdown", events_shutdown, .pin = PIN_PREEMPTION_TIMER),
	CASE("monitor trap flag", events_mtf, .later_primary = PRIMARY_MTF),
	CASE("monitor trap flag and events", events_mtf_event, .later_primary = PRIMARY_MTF),
	CASE("injected MTF", events_mtf_inject, .later_primary = PRIMARY_MTF),
	CASE("monitor trap flag and what is below", events_mtf_below,
	     .primary = PRIMARY_MSR_BITMAPS, .later_primary = PRIMARY_MTF),
	CASE("preemption timer", events_timer, .pin = PIN_PREEMPTION_TIMER),
};

void test_nested_events(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
