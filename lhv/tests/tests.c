// SPDX-License-Identifier: GPL-2.0-only
/* Runs the suites that the mode has, and what the tests share. */
#include "tests.h"

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

	for (i = 0; i < nr_suites; i++) {
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
