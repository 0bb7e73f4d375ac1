// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of exit reasons and counters.
 */
#include <ctype.h>
#include <stdio.h>

#include "hvctl.h"

/* SDM vol. 3, appendix C. What is not there is reserved. */
static const char *const reasons[LATCH_NR_REASONS] = {
	[0] = "Exception or NMI",
	[1] = "External interrupt",
	[2] = "Triple fault",
	[3] = "INIT signal",
	[4] = "Start-up IPI",
	[5] = "I/O SMI",
	[6] = "Other SMI",
	[7] = "Interrupt window",
	[8] = "NMI window",
	[9] = "Task switch",
	[10] = "CPUID",
	[11] = "GETSEC",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[17] = "RSM",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMXOFF",
	[27] = "VMXON",
	[28] = "Control-register access",
	[29] = "MOV DR",
	[30] = "I/O instruction",
	[31] = "RDMSR",
	[32] = "WRMSR",
	[33] = "Entry failure, guest state",
	[34] = "Entry failure, MSR loading",
	[36] = "MWAIT",
	[37] = "Monitor trap flag",
	[39] = "MONITOR",
	[40] = "PAUSE",
	[41] = "Entry failure, machine check",
	[43] = "TPR below threshold",
	[44] = "APIC access",
	[45] = "Virtualized EOI",
	[46] = "Access to GDTR or IDTR",
	[47] = "Access to LDTR or TR",
	[48] = "EPT violation",
	[49] = "EPT misconfiguration",
	[50] = "INVEPT",
	[51] = "RDTSCP",
	[52] = "VMX-preemption timer",
	[53] = "INVVPID",
	[54] = "WBINVD or WBNOINVD",
	[55] = "XSETBV",
	[56] = "APIC write",
	[57] = "RDRAND",
	[58] = "INVPCID",
	[59] = "VMFUNC",
	[60] = "ENCLS",
	[61] = "RDSEED",
	[62] = "Page-modification log full",
	[63] = "XSAVES",
	[64] = "XRSTORS",
	[65] = "PCONFIG",
	[66] = "SPP-related event",
	[67] = "UMWAIT",
	[68] = "TPAUSE",
	[69] = "LOADIWKEY",
	[70] = "ENCLV",
	[72] = "ENQCMD PASID failure",
	[73] = "ENQCMDS PASID failure",
	[74] = "Bus lock",
	[75] = "Instruction timeout",
	[76] = "SEAMCALL",
	[77] = "TDCALL",
	[78] = "RDMSRLIST",
	[79] = "WRMSRLIST",
};

static const struct {
	const char *key, *name;
} stats[] = {
	[LATCH_STAT_EXITS - LATCH_NR_REASONS] = { "exits", "All VM exits" },
	[LATCH_STAT_HYPERCALLS - LATCH_NR_REASONS] = { "hypercalls", "Hypercalls" },
	[LATCH_STAT_FORWARDED - LATCH_NR_REASONS] = { "forwarded", "VMCALLs forwarded" },
	[LATCH_STAT_INJECTED - LATCH_NR_REASONS] = { "injected", "Exceptions injected" },
	[LATCH_STAT_REINJECTED - LATCH_NR_REASONS] = { "reinjected", "Events re-injected" },
	[LATCH_STAT_NMI_ROOT - LATCH_NR_REASONS] = { "nmi_root", "NMIs in root mode" },
	[LATCH_STAT_HIDDEN_WRITES - LATCH_NR_REASONS] = { "hidden_writes",
							  "Writes to hidden memory" },
	[LATCH_STAT_EPT_SPLITS - LATCH_NR_REASONS] = { "ept_splits", "EPT leaves split" },
	[LATCH_STAT_EPT_FILLS - LATCH_NR_REASONS] = { "ept_fills", "EPT leaves filled" },
	[LATCH_STAT_SHOOTDOWNS - LATCH_NR_REASONS] = { "shootdowns", "EPT shootdowns" },
	[LATCH_STAT_KICKS - LATCH_NR_REASONS] = { "kicks", "Kicks" },
	[LATCH_STAT_MTRR_UPDATES - LATCH_NR_REASONS] = { "mtrr_updates", "MTRR updates" },
	[LATCH_STAT_ICR_WRITES - LATCH_NR_REASONS] = { "icr_writes", "ICR writes seen" },
	[LATCH_STAT_QUIESCES - LATCH_NR_REASONS] = { "quiesces", "Quiesces" },
	[LATCH_STAT_L2_EXITS - LATCH_NR_REASONS] = { "l2_exits", "Exits of nested guests" },
	[LATCH_STAT_L2_VIOLATIONS - LATCH_NR_REASONS] = { "l2_violations", "EPT, nested guests" },
};

_Static_assert(ARRAY_SIZE(stats) == LATCH_STAT_LAST - LATCH_NR_REASONS,
	       "each counter needs a name");

/**
 * name_reason() - name of a basic exit reason, NULL for a reserved one
 */
const char *name_reason(unsigned int reason)
{
	return reasons[reason];
}

/**
 * name_stat() - name of an enum latch_stat
 */
const char *name_stat(unsigned int stat)
{
	return stats[stat - LATCH_NR_REASONS].name;
}

/**
 * name_lower() - make a name a key: lower case, and an underscore for each run
 * of other characters than letters and digits
 */
void name_lower(const char *name, char *key, size_t size)
{
	size_t n = 0;

	for (; *name && n + 1 < size; name++) {
		if (isalnum((unsigned char)*name))
			key[n++] = (char)tolower((unsigned char)*name);
		else if (n && key[n - 1] != '_')
			key[n++] = '_';
	}
	key[n] = '\0';
}

/**
 * name_key() - key in JSON of an exit reason or enum latch_stat
 */
void name_key(unsigned int index, char *key, size_t size)
{
	if (index >= LATCH_NR_REASONS)
		snprintf(key, size, "%s", stats[index - LATCH_NR_REASONS].key);
	else if (reasons[index])
		name_lower(reasons[index], key, size);
	else
		snprintf(key, size, "reason_%u", index);
}
