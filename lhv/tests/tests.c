// SPDX-License-Identifier: GPL-2.0-only
/* The list of tests. Their order is part of the output that is compared. */
#include "tests.h"

static const struct {
	const char *name;
	void (*run)(void);
} suites[] = {
	{ "cpuid", test_cpuid },
	{ "msr", test_msr },
	{ "mtrr", test_mtrr },
	{ "fault", test_fault },
	{ "xsetbv", test_xsetbv },
	{ "cr", test_cr },
	{ "paging", test_paging },
	{ "step", test_step },
	{ "seg", test_seg },
	{ "syscall", test_syscall },
	{ "mode", test_mode },
	{ "task", test_task },
	{ "irq", test_irq },
	{ "apic", test_apic },
	{ "nmi", test_nmi },
	{ "delivery", test_delivery },
	{ "init", test_init },
	{ "nested-caps", test_nested_caps },
	{ "nested-instructions", test_nested_instructions },
	{ "nested-basic", test_nested_basic },
	{ "nested-controls", test_nested_controls },
	{ "nested-exceptions", test_nested_exceptions },
	{ "nested-events", test_nested_events },
	{ "nested-entry", test_nested_entry },
	{ "nested-interrupts", test_nested_interrupts },
	{ "nested-devices", test_nested_devices },
	{ "nested-nmi", test_nested_nmi },
	{ "nested-nmi-table", test_nested_nmi_table },
	{ "nested-nmi-storm", test_nested_nmi_storm },
	{ "nested-vpid", test_nested_vpid },
	{ "nested-state", test_nested_state },
	{ "nested-vapic", test_nested_vapic },
	{ "nested-shadow", test_nested_shadow },
	{ "nested-options", test_nested_options },
	{ "nested-option-table", test_nested_option_table },
	{ "nested-smp", test_nested_smp },
	{ "nested-modes", test_nested_modes },
	{ "nested-ept", test_nested_ept },
	{ "nested-ept-more", test_nested_ept_more },
	{ "core", test_core },
};

/* @only names a suite, or what it begins with before a dash */
static bool suite_matches(const char *suite, const char *only)
{
	size_t len = strlen(only);

	return strlen(suite) >= len && !memcmp(suite, only, len) &&
	       (!suite[len] || suite[len] == '-');
}

void tests_run(void)
{
	char only[32];
	bool all = !option_get("only", only, sizeof(only));
	u32 i;

	for (i = 0; i < ARRAY_SIZE(suites); i++) {
		ktap_suite = suites[i].name;
		if (all || suite_matches(ktap_suite, only))
			suites[i].run();
	}
}

/* FNV-1a, for values that are too many to print */
u32 digest(u32 hash, const void *data, size_t len)
{
	const u8 *p = data;

	while (len--)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

/* Instructions that may fault */
static void do_rdmsr(void *arg)
{
	struct msr_access *access = arg;

	access->value = rdmsr(access->msr);
}

static void do_wrmsr(void *arg)
{
	struct msr_access *access = arg;

	wrmsr(access->msr, access->value);
}

u32 try_rdmsr(u32 msr, u64 *value)
{
	struct msr_access access = { .msr = msr };
	u32 vector = trap(do_rdmsr, &access);

	*value = access.value;
	return vector;
}

u32 try_wrmsr(u32 msr, u64 value)
{
	struct msr_access access = { .msr = msr, .value = value };

	return trap(do_wrmsr, &access);
}

u32 try_insn(const char *code, u64 arg)
{
	return trap((call_fn)(unsigned long)code, PTR(arg));
}
