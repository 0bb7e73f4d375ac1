// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test double of cpu.c: a CPU that has what the words in FAKE_CPU say. The real
 * one executes CPUID, which cannot be intercepted from outside.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hvctl.h"

void cpu_read_facts(struct cpu_facts *facts)
{
	const char *words = getenv("FAKE_CPU");

	memset(facts, 0, sizeof(*facts));
	if (!words)
		words = "lm vmx";
	snprintf(facts->vendor, sizeof(facts->vendor), "%s",
		 strstr(words, "amd") ? "AuthenticAMD" : "GenuineIntel");
	facts->long_mode = strstr(words, "lm");
	facts->vmx = strstr(words, "vmx");
	facts->virtual = strstr(words, "kvm");
	if (facts->virtual)
		snprintf(facts->hypervisor, sizeof(facts->hypervisor), "KVMKVMKVM");
}
