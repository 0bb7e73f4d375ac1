// SPDX-License-Identifier: GPL-2.0-only
/* Results in KTAP: one line a check. The plan comes last, as TAP allows. */
#include "lhv.h"

/* Name of the group of checks that runs, in front of each description */
const char *ktap_suite = "";

static u32 checks, failures;

static void ktap_line(bool ok, const char *format, va_list args, const char *directive)
{
	if (!checks)
		print("KTAP version 1\n");
	print("%s %u %s: ", ok ? "ok" : "not ok", ++checks, ktap_suite);
	vprint(format, args);
	print("%s\n", directive);
}

/**
 * ktap_check - print the result of a check
 * @ok: did it pass
 * @format: what was checked, with the values that a run with core must repeat
 *
 * Return: @ok
 */
bool ktap_check(bool ok, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ktap_line(ok, format, args, "");
	va_end(args);
	failures += !ok;
	return ok;
}

/* A check that the CPU or the set-up has nothing for */
void ktap_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ktap_line(true, format, args, " # SKIP");
	va_end(args);
}

/* Print the plan. Return: number of failures. */
u32 ktap_end(void)
{
	print("1..%u\n# %u checks, %u failed\n", checks, checks, failures);
	return failures;
}
