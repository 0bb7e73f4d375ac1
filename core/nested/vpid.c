// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPID02: which VPIDs of the CPU the guests of L1 have. VPID 1 is L1's own. Each CPU
 * has a few for those that it ran last.
 */
#include "nested/nested.h"
#include "vmx.h"

static void forget(u32 slot)
{
	invvpid_single(NESTED_VPID_FIRST + slot);
}

/**
 * nested_vpid_use - L2 is about to run
 * @cpu: this CPU
 * @vpid: VPID12; 0 if L1 uses none: then nothing stays cached from entry to entry
 *
 * Return: VPID for VMCS02.
 */
u16 nested_vpid_use(struct percpu *cpu, u16 vpid)
{
	struct nested *nested = cpu->nested;
	u32 i;

	for (i = 0; vpid && i < NESTED_VPIDS; i++)
		if (nested->vpid[i] == vpid)
			return (u16)(NESTED_VPID_FIRST + i);
	i = nested->vpid_next++ % NESTED_VPIDS;
	nested->vpid[i] = vpid;
	forget(i);
	return (u16)(NESTED_VPID_FIRST + i);
}

/**
 * nested_vpid_invalidate - INVVPID by L1
 * @vpid: for this VPID12; 0: for all
 *
 * Of all types as much as of a whole VPID, which is what the SDM allows.
 */
void nested_vpid_invalidate(struct percpu *cpu, u16 vpid)
{
	struct nested *nested = cpu->nested;
	u32 i;

	for (i = 0; i < NESTED_VPIDS; i++)
		if (nested->vpid[i] && (!vpid || nested->vpid[i] == vpid))
			forget(i);
}
