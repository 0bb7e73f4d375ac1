// SPDX-License-Identifier: GPL-2.0-only
/* Guest code, one run of it until its next exit, and the record of the exit. */
#include "hv.h"

/**
 * hv_guest - what the guest will do next
 * @code: a function: C, or INSN()
 * @arg: its argument
 */
void hv_guest(struct hv *hv, const void *code, u64 arg)
{
	unsigned long *stack = (unsigned long *)(hv->guest->stack + STACK_SIZE) - 1;

	*stack = (unsigned long)ADDR(hv_guest_end);
	hv->code = ADDR(code);
	hv_argument(&hv->regs, arg);
	vmwrite(F_GUEST_RSP, ADDR(stack));
	vmwrite(F_GUEST_RIP, ADDR(code));
}

static void exit_read(struct hv_exit *exit)
{
	*exit = (struct hv_exit) {
		.reason = (u32)vmread(F_EXIT_REASON),
		.length = (u32)vmread(F_EXIT_LENGTH),
		.instruction = (u32)vmread(F_EXIT_INSTRUCTION),
		.event = (u32)vmread(F_EXIT_EVENT),
		.event_error = (u32)vmread(F_EXIT_ERROR_CODE),
		.vectoring = (u32)vmread(F_VECTORING),
		.vectoring_error = (u32)vmread(F_VECTORING_ERROR_CODE),
		.interruptibility = (u32)vmread(F_GUEST_INTERRUPTIBILITY),
		.activity = (u32)vmread(F_GUEST_ACTIVITY),
		.qualification = vmread(F_QUALIFICATION),
		.linear = vmread(F_GUEST_LINEAR),
		.physical = vmread(F_GUEST_PHYSICAL),
		.rip = vmread(F_GUEST_RIP),
		.rsp = vmread(F_GUEST_RSP),
		.rflags = vmread(F_GUEST_RFLAGS),
		.pending_debug = vmread(F_GUEST_PENDING_DEBUG),
	};
}

/*
 * For an instruction without a displacement the qualification is 0 (SDM vol. 3, 28.2.1);
 * in the emulator it is anything if the operand is a register.
 */
static void exit_mend(struct hv_exit *exit)
{
	if ((exit->reason == REASON_VMREAD || exit->reason == REASON_VMWRITE ||
	     exit->reason == REASON_LDTR_TR) && exit->instruction & BIT(10))
		exit->qualification = 0;
}

/**
 * hv_run - run the guest until it exits
 *
 * Interrupts are off afterwards if they were before.
 *
 * Return: exit reason; ~0 if the entry failed as an instruction. @hv->exit has more.
 */
u32 hv_run(struct hv *hv)
{
	struct hv_exit *exit = &hv->exit;
	u64 rflags = read_flags();
	u64 flags;

	irq_disable();
	flags = hv_enter(&hv->regs, hv->launched);
	if (flags) {
		*exit = (struct hv_exit) { .flags = (u32)flags & VMFAIL_FLAGS, .reason = ~0u };
		if (flags & VMFAIL_VALID)
			exit->error = (u32)vmread(F_INSTRUCTION_ERROR);
	} else {
		exit_read(exit);
		exit_mend(exit);
		if (!(exit->reason & REASON_ENTRY_FAILED))
			hv->launched = true;
	}
	if (rflags & RFLAGS_IF)
		irq_enable();
	return exit->reason;
}

/** hv_skip - have the guest go on behind the instruction that has exited */
void hv_skip(struct hv *hv)
{
	vmwrite(F_GUEST_RIP, hv->exit.rip + hv->exit.length);
	vmwrite(F_GUEST_INTERRUPTIBILITY,
		hv->exit.interruptibility & ~(BLOCKING_STI | BLOCKING_MOV_SS));
}

/** hv_ended - is the last exit the VMCALL that ends the guest's code */
bool hv_ended(const struct hv *hv)
{
	return hv->exit.reason == REASON_VMCALL && hv->exit.rip == ADDR(hv_guest_end);
}

/** hv_exit_has_length - is the instruction length defined for an exit reason */
bool hv_exit_has_length(u32 reason)
{
	switch (reason) {
	case REASON_TASK_SWITCH ... REASON_WRMSR:
	case REASON_MWAIT:
	case REASON_MONITOR:
	case REASON_PAUSE:
	case REASON_GDTR_IDTR:
	case REASON_LDTR_TR:
	case REASON_INVEPT:
	case REASON_RDTSCP:
	case REASON_INVVPID ... REASON_XSETBV:
	case REASON_RDRAND ... REASON_RDSEED:
	case REASON_XSAVES:
	case REASON_XRSTORS:
		return true;
	default:
		return false;
	}
}

static bool has_instruction(u32 reason)
{
	switch (reason) {
	case REASON_VMCLEAR:
	case REASON_VMPTRLD ... REASON_VMREAD:
	case REASON_VMWRITE:
	case REASON_VMXON:
	case REASON_GDTR_IDTR:
	case REASON_LDTR_TR:
	case REASON_INVEPT:
	case REASON_INVVPID:
	case REASON_RDRAND:
	case REASON_INVPCID:
	case REASON_RDSEED:
	case REASON_XSAVES:
	case REASON_XRSTORS:
		return true;
	default:
		return false;
	}
}

static bool is_software(u32 event)
{
	return event & EVENT_VALID && EVENT_TYPE(event) >= EVENT_SOFT_INT &&
	       EVENT_TYPE(event) <= EVENT_SOFT;
}

static void record_event(const struct hv_sink *sink, const char *name, const char *error_name,
			 u32 event, u32 error)
{
	if (!(event & EVENT_VALID))
		return;
	sink->put(sink->arg, name, event);
	if (event & EVENT_ERROR_CODE)
		sink->put(sink->arg, error_name, error);
}

/*
 * An entry that fails leaves these as they are (SDM vol. 3, 27.8); the emulator clears
 * one of them.
 */
static void record_events(const struct hv_exit *exit, const struct hv_sink *sink)
{
	if (exit->reason & REASON_ENTRY_FAILED)
		return;
	record_event(sink, "event", "event-error", exit->event, exit->event_error);
	record_event(sink, "vectoring", "vectoring-error", exit->vectoring,
		     exit->vectoring_error);
}

#define RFLAGS_NOISE	0x14ull	/* PF, AF */

static void record_address(const struct hv_exit *exit, const struct hv_sink *sink)
{
	u32 reason = exit->reason & REASON_BASIC;

	if (reason != REASON_EPT_VIOLATION && reason != REASON_EPT_MISCONFIG)
		return;
	/* With core underneath, memory of lhv's own is somewhere else. */
	if (exit->physical < SIZE_1G)
		sink->put(sink->arg, "physical-own", exit->physical % PAGE_SIZE);
	else
		sink->put(sink->arg, "physical", exit->physical);
	if (reason == REASON_EPT_VIOLATION && exit->qualification & BIT(7))
		sink->put(sink->arg, "linear", exit->linear);
}

static void record_instruction(const struct hv_exit *exit, const struct hv_sink *sink)
{
	u32 reason = exit->reason & REASON_BASIC;

	if (exit->reason & REASON_ENTRY_FAILED)
		return;
	if (hv_exit_has_length(reason) || is_software(exit->event) || is_software(exit->vectoring))
		sink->put(sink->arg, "length", exit->length);
	if (has_instruction(reason))
		sink->put(sink->arg, "instruction", exit->instruction);
}

static void record_state(const struct hv *hv, const struct hv_sink *sink)
{
	const struct hv_exit *exit = &hv->exit;
	u64 top = ADDR(hv->guest->stack + STACK_SIZE);

	if (exit->rip == ADDR(hv_guest_end))
		sink->put(sink->arg, "end", 1);
	else
		sink->put(sink->arg, "rip", exit->rip - hv->code);
	if (top - exit->rsp <= STACK_SIZE)
		sink->put(sink->arg, "below-top", top - exit->rsp);
	/* Parity and carry of what may be an address, or a time. */
	sink->put(sink->arg, "rflags", exit->rflags & ~RFLAGS_NOISE);
	sink->put(sink->arg, "blocking", exit->interruptibility);
	sink->put(sink->arg, "activity", exit->activity);
	if (exit->pending_debug)
		sink->put(sink->arg, "pending-debug", exit->pending_debug);
}

/* Bits 11:9 of an EPT violation are not defined on all CPUs. */
static u64 exit_qualification(const struct hv_exit *exit)
{
	if (exit->reason == REASON_EPT_VIOLATION &&
	    !(hv_cap(MSR_VMX_EPT_VPID) & EPT_CAP_EXIT_INFO))
		return exit->qualification & ~0xe00ull;
	return exit->qualification;
}

/**
 * hv_exit_fields - what a run with core underneath must repeat of the last exit
 * @sink: gets it, one by one
 *
 * What the SDM leaves undefined for this reason is left out, and addresses that change
 * when lhv is built anew: RIP is relative to the guest's code, RSP to the top of its stack.
 */
void hv_exit_fields(const struct hv *hv, const struct hv_sink *sink)
{
	const struct hv_exit *exit = &hv->exit;

	if (exit->flags) {
		sink->put(sink->arg, "flags", exit->flags);
		sink->put(sink->arg, "error", exit->error);
		return;
	}
	sink->put(sink->arg, "reason", exit->reason);
	if ((exit->reason & REASON_BASIC) != REASON_EPT_MISCONFIG)
		sink->put(sink->arg, "qualification", exit_qualification(exit));
	record_address(exit, sink);
	record_instruction(exit, sink);
	record_events(exit, sink);
	record_state(hv, sink);
}

static void print_field(void *arg, const char *name, u64 value)
{
	(void)arg;
	print(" %s=%llx", name, value);
}

/**
 * hv_record - print the last exit, see hv_exit_fields()
 * @name: which one of the test
 */
void hv_record(const struct hv *hv, const char *name)
{
	static const struct hv_sink sink = { print_field, NULL };

	print("# record %s: %s:", ktap_suite, name);
	hv_exit_fields(hv, &sink);
	print("\n");
}
