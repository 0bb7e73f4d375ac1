// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the CPU says of itself to anybody.
 */
#include <cpuid.h>
#include <string.h>

#include "hvctl.h"

#define CPUID_1_ECX_VMX		(1u << 5)
#define CPUID_1_ECX_HYPERVISOR	(1u << 31)
#define CPUID_EXT1_EDX_LM	(1u << 29)
#define CPUID_HYPERVISOR	0x40000000u

/**
 * cpu_read_facts() - ask CPUID
 */
void cpu_read_facts(struct cpu_facts *facts)
{
	unsigned int eax, ebx, ecx, edx;

	memset(facts, 0, sizeof(*facts));
	if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx))
		return;
	memcpy(facts->vendor, &ebx, 4);
	memcpy(facts->vendor + 4, &edx, 4);
	memcpy(facts->vendor + 8, &ecx, 4);
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
		facts->vmx = ecx & CPUID_1_ECX_VMX;
		facts->virtual = ecx & CPUID_1_ECX_HYPERVISOR;
	}
	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx))
		facts->long_mode = edx & CPUID_EXT1_EDX_LM;
	if (facts->virtual) {
		/* outside of the range that __get_cpuid() knows the end of */
		__cpuid(CPUID_HYPERVISOR, eax, ebx, ecx, edx);
		memcpy(facts->hypervisor, &ebx, 4);
		memcpy(facts->hypervisor + 4, &ecx, 4);
		memcpy(facts->hypervisor + 8, &edx, 4);
		text_make_printable(facts->hypervisor);
	}
}
