// SPDX-License-Identifier: GPL-2.0-only
/* Runs the cases of a suite one after the other, each from the same state. */
#include "nested.h"

/* The suite's name, then the case's */
static void set_name(char *name, const char *suite, const char *test)
{
	size_t len = strlen(suite);

	memcpy(name, suite, len);
	memcpy(name + len, ": ", 2);
	memcpy(name + len + 2, test, strlen(test) + 1);
}

static const char *case_missing(const struct nested_case *test)
{
	if (!hv_can(F_PIN_CONTROLS, test->pin | test->later_pin))
		return "no such pin-based control";
	if (!hv_can(F_PRIMARY_CONTROLS, test->primary | test->later_primary))
		return "no such primary control";
	if (!hv_can(F_SECONDARY_CONTROLS, test->secondary | test->later))
		return "no such secondary control";
	if (!hv_can(F_EXIT_CONTROLS, test->exit | test->later_exit))
		return "no such VM-exit control";
	if (!hv_can(F_ENTRY_CONTROLS, test->entry | test->later_entry))
		return "no such VM-entry control";
	if (test->ept && (rdmsr(MSR_VMX_EPT_VPID) & test->ept) != test->ept)
		return "no such feature of EPT or VPID";
	return NULL;
}

static void case_run(struct hv *hv, const struct nested_case *test)
{
	const char *missing = case_missing(test);
	u64 mark = mem_mark();

	if (missing) {
		ktap_skip("%s", missing);
		return;
	}
	irq_disable();
	hv_vmcs_reset(hv);
	hv_set(F_PIN_CONTROLS, test->pin);
	hv_set(F_PRIMARY_CONTROLS, test->primary);
	hv_set(F_SECONDARY_CONTROLS, test->secondary);
	hv_set(F_EXIT_CONTROLS, test->exit);
	hv_set(F_ENTRY_CONTROLS, test->entry);
	test->run(hv);
	/* The guest has the same debug registers, and DR6 keeps what it met. */
	write_dr6(0xffff0ff0);
	irq_enable();
	mem_release(mark);
}

struct suite {
	const struct nested_case *cases;
	u32 count;
};

static void suite_run(void *arg)
{
	const struct suite *suite = arg;
	const char *title = ktap_suite;
	struct hv *hv = hv_this();
	static char name[128];
	u32 i;

	if (!hv_begin(hv)) {
		ktap_check(false, "VMXON");
		return;
	}
	for (i = 0; i < suite->count; i++) {
		set_name(name, title, suite->cases[i].name);
		ktap_suite = name;
		case_run(hv, &suite->cases[i]);
	}
	ktap_suite = title;
	hv_end(hv);
}

/**
 * nested_run_on - run the cases of a suite
 * @cpu: on which CPU; the others wait
 */
void nested_run_on(u32 cpu, const struct nested_case *cases, u32 count)
{
	struct suite suite = { cases, count };
	const char *missing = hv_missing();

	if (missing) {
		ktap_skip("%s", missing);
		return;
	}
	hv_alloc_all();
	cpu_call(cpu, suite_run, &suite);
}

/** nested_run - run the cases of a suite, on the CPU that the command line names */
void nested_run(const struct nested_case *cases, u32 count)
{
	char text[8];
	u32 cpu = option_get("hv", text, sizeof(text)) ? (u32)(text[0] - '0') : 0;

	if (cpu >= nr_cpus)
		lhv_panic("hv=: there is no CPU %u", cpu);
	nested_run_on(cpu, cases, count);
}

/**
 * nested_exit - run the guest; it has to exit for this reason
 * @length: of the instruction; 0 if it is not defined
 * @what: a word for it
 */
bool nested_exit(struct hv *hv, u32 reason, u64 qualification, u32 length, const char *what)
{
	const struct hv_exit *exit = &hv->exit;

	hv_run(hv);
	hv_record(hv, what);
	return ktap_check(exit->reason == reason && exit->qualification == qualification &&
			  (!length || exit->length == length),
			  "%s: exit %x, qualification %llx", what, exit->reason,
			  exit->qualification);
}

/** nested_exit_at - the same, with RIP @offset bytes behind the start of the code */
bool nested_exit_at(struct hv *hv, u32 reason, u64 qualification, u64 offset, const char *what)
{
	return nested_exit(hv, reason, qualification, 0, what) &
	       ktap_check(hv->exit.rip - hv->code == offset, "%s: RIP", what);
}

/** nested_end - run the guest; its code has to return without an exit before */
bool nested_end(struct hv *hv, const char *what)
{
	hv_run(hv);
	hv_record(hv, what);
	return ktap_check(hv_ended(hv), "%s: ends with exit %x", what, hv->exit.reason);
}

/** nested_fails - VMLAUNCH or VMRESUME has to fail; error 0 is VMfailInvalid */
bool nested_fails(struct hv *hv, u32 error, const char *what)
{
	const struct hv_exit *exit = &hv->exit;

	hv_run(hv);
	return ktap_check(exit->flags == (error ? VMFAIL_VALID : VMFAIL_INVALID) &&
			  exit->error == error, "%s: flags %x, error %u", what, exit->flags,
			  exit->error);
}

/* In the guest's memory: hv->page */
struct guest_try {
	const char *code;
	u64 arg;
	u64 vector;
};

static void guest_try(void *arg)
{
	struct guest_try *try = arg;

	try->vector = try_insn(try->code, try->arg);
}

/**
 * nested_try - have the guest execute code that may fault; see nested_vector()
 *
 * Uses the first bytes of @hv->page. Records show RIP from @code.
 */
void nested_try(struct hv *hv, const char *code, u64 arg)
{
	struct guest_try *try = (struct guest_try *)hv->page;

	*try = (struct guest_try) { .code = code, .arg = arg, .vector = ~0ull };
	hv_guest(hv, guest_try, ADDR(try));
	hv->code = ADDR(code);
}

/** nested_vector - exception that the code has got, or TRAP_NONE */
u64 nested_vector(const struct hv *hv)
{
	return ((const struct guest_try *)hv->page)->vector;
}
