// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of control bits. Left out is what core does not offer (the two runs would not
 * mean the same), and what the emulator does not do as the SDM has it:
 *
 *	"load IA32_PERF_GLOBAL_CTRL" (SDM vol. 3, 27.3.2.1): it loads nothing
 *	"entry to SMM", "deactivate dual-monitor treatment" (27.8): no SMM here
 */
#include "random.h"

static const struct controls {
	const char *name;
	u32 field;
	u32 not_offered;	/* by core */
	u32 fixed;		/* stays as it is */
} controls[] = {
	{ "pin", F_PIN_CONTROLS, 0, PIN_PREEMPTION_TIMER },
	{ "primary", F_PRIMARY_CONTROLS, PRIMARY_TERTIARY, (u32)PRIMARY_SECONDARY },
	{ "primary", F_PRIMARY_CONTROLS, PRIMARY_TERTIARY, (u32)PRIMARY_SECONDARY },
	{ "secondary", F_SECONDARY_CONTROLS, 0xf9c88000, 0 },
	{ "secondary", F_SECONDARY_CONTROLS, 0xf9c88000, 0 },
	{ "exit", F_EXIT_CONTROLS, 0xc5800000, EXIT_LOAD_PERF | EXIT_SAVE_TIMER },
	{ "entry", F_ENTRY_CONTROLS, 0x00230c00, ENTRY_LOAD_PERF },
};

/* Return: a bit of @bits, 0 if there is none */
static u32 bit_of(u32 bits, u64 value)
{
	u32 count = 0, i, at;

	for (i = 0; i < 32; i++)
		count += bits >> i & 1;
	if (!count)
		return 0;
	at = (u32)(value % count);
	for (i = 0; i < 32; i++)
		if (bits >> i & 1 && !at--)
			return (u32)BIT(i);
	return 0;
}

static void flip(struct rnd *r, const struct controls *c, u32 bit)
{
	u32 value = (u32)vmread(c->field);

	if (!bit)
		return;
	say(r, "%s: bit 0x%x %s", c->name, bit, value & bit ? "off" : "on");
	vmwrite(c->field, value ^ bit);
}

static void apply_allowed(struct rnd *r, const struct choice *choice)
{
	const struct controls *c = &controls[choice->v[0] % ARRAY_SIZE(controls)];
	u32 may = hv_controls_fixed1(c->field) & ~hv_controls_fixed0(c->field);

	flip(r, c, bit_of(may & ~c->not_offered & ~c->fixed, choice->v[1]));
}

static void apply_forbidden(struct rnd *r, const struct choice *choice)
{
	const struct controls *c = &controls[choice->v[0] % ARRAY_SIZE(controls)];
	u32 zeros = ~hv_controls_fixed1(c->field) & ~c->not_offered;

	if (c->field == F_SECONDARY_CONTROLS && !hv_can(F_PRIMARY_CONTROLS, PRIMARY_SECONDARY))
		return;
	flip(r, c, bit_of((zeros | hv_controls_fixed0(c->field)) & ~c->fixed, choice->v[1]));
}

static void apply_no_secondary(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "the field does not count");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_SECONDARY);
}

const struct kind random_controls[] = {
	{ "control", 40, apply_allowed },
	{ "control that is not allowed", 1, apply_forbidden },
	{ "no secondary controls", 1, apply_no_secondary },
	{ NULL, 0, NULL },
};

static void need(u32 field, u32 if_any, u32 other, u32 needs)
{
	if (vmread(field) & if_any && hv_can(other, needs))
		hv_set(other, needs);
}

/* SDM vol. 3, 27.2.1.1 */
static void apply_fit(struct rnd *r, const struct choice *choice)
{
	u32 apic = SECONDARY_X2APIC | SECONDARY_APIC_REGISTERS | SECONDARY_VIRTUAL_INTERRUPTS;
	u32 ept = SECONDARY_UNRESTRICTED | SECONDARY_PML | SECONDARY_VE | SECONDARY_VMFUNC;

	(void)choice;
	say(r, "what controls need of others");
	need(F_PIN_CONTROLS, PIN_POSTED, F_SECONDARY_CONTROLS, SECONDARY_VIRTUAL_INTERRUPTS);
	need(F_PIN_CONTROLS, PIN_POSTED, F_EXIT_CONTROLS, EXIT_ACKNOWLEDGE);
	need(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW, F_PIN_CONTROLS, PIN_VIRTUAL_NMIS);
	need(F_PIN_CONTROLS, PIN_VIRTUAL_NMIS, F_PIN_CONTROLS, PIN_NMI);
	need(F_SECONDARY_CONTROLS, apic, F_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW);
	need(F_SECONDARY_CONTROLS, SECONDARY_VIRTUAL_INTERRUPTS, F_PIN_CONTROLS, PIN_EXTERNAL);
	need(F_SECONDARY_CONTROLS, ept, F_SECONDARY_CONTROLS, SECONDARY_EPT);
	if (vmread(F_SECONDARY_CONTROLS) & SECONDARY_X2APIC)
		hv_clear(F_SECONDARY_CONTROLS, SECONDARY_APIC_ACCESS);
}

const struct kind random_last[] = {
	{ "fit", 1, apply_fit },
	{ NULL, 0, NULL },
};
