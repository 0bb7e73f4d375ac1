// SPDX-License-Identifier: GPL-2.0-only
/* The other CPUs: each starts by INIT and start-up IPI, in reset state */
#include "second.h"

#define MAX_APS		16
#define ICR_OTHERS	0xc4000u
#define ICR_INIT	0x500u
#define ICR_STARTUP	0x600u

static struct ap_state aps[MAX_APS];
static volatile uint32_t started;

/** ap_main - of another CPU, one at a time, on a stack for all of them */
void ap_main(const struct ap_state *state)
{
	struct ap_state *ap = &aps[started];

	*ap = *state;
	ap->id = apic_read(0x20) >> 24;
	ap->tpr = apic_read(0x80);
	ap->svr = apic_read(0xf0);
	ap->lint0 = apic_read(0x350);
	ap->lint1 = apic_read(0x360);
	ap->timer = apic_read(0x320);
	ap->error = apic_read(0x370);
	ap->pinged = !on_core || hypercall_ping();
	if (started + 1 < MAX_APS)
		started++;
}

static void delay(uint32_t loops)
{
	while (loops--)
		asm volatile("pause");
}

static void start_all(bool init)
{
	uint32_t tries;

	started = 0;
	memcpy((void *)AP_PAGE, ap_page, (uint32_t)(ap_page_end - ap_page));
	if (init)
		apic_write(0x300, ICR_OTHERS | ICR_INIT);
	delay(20000);
	for (tries = 0; tries < 2; tries++) {
		apic_write(0x300, ICR_OTHERS | ICR_STARTUP | AP_PAGE >> 12);
		delay(20000);
	}
	for (tries = 0; tries < 1000 && started < cpus_wanted - 1; tries++)
		delay(10000);
	/* One that is started twice would come now. */
	delay(20000);
}

static void test_ap(uint32_t i, bool first)
{
	const struct ap_state *s = &aps[i];
	uint32_t other;

	check(s->id && (s->cr0 & ~CR0_CD_NW) == CR0_ET && !s->cr4 && !s->efer && s->dr7 == 0x400 &&
	      s->cs == AP_PAGE >> 4, "smp: CPU %u is in reset state, EFER 0x%x", i + 1, s->efer);
	if (first)
		check(!s->tpr && s->svr == 0xff && s->lint0 == 0x10000 && s->lint1 == 0x10000 &&
		      s->timer == 0x10000 && s->error == 0x10000,
		      "smp: its APIC too: SVR 0x%x, LINT0 0x%x, timer 0x%x", s->svr, s->lint0,
		      s->timer);
	if (on_core)
		check(s->pinged, "core: it answers CPU %u", i + 1);
	for (other = 0; other < i; other++)
		check(aps[other].id != s->id, "smp: CPU %u is not CPU %u", i + 1, other + 1);
}

void test_smp(void)
{
	uint32_t round, i;

	for (round = 0; round < 2; round++) {
		start_all(round || !aps_waiting);
		check(started == cpus_wanted - 1, "smp: %u other CPUs start", started);
		for (i = 0; i < started; i++)
			test_ap(i, !round);
	}
}
