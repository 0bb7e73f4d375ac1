// SPDX-License-Identifier: GPL-2.0-only
/*
 * watch, of memory that the guest has: its accesses are told, and are no exits. Only core has
 * it, so there is nothing to compare: the group's checks are among those of "core".
 */
#include "nested.h"
#include "../watch.h"

#define LEAF_HANDLER	1
#define ROUNDS		20

static u64 nwatch_page[512] __attribute__((aligned(4096)));

static void guest_stores(void *arg)
{
	volatile u64 *to = arg;
	u32 i;

	for (i = 0; i < ROUNDS; i++)
		*to = i;
}

static void nwatch_stores(struct hv *hv)
{
	ktap_check(!watch_add(ADDR(nwatch_page), 8, LATCH_WATCH_WRITE), "a watchpoint");
	hv_guest(hv, guest_stores, ADDR(nwatch_page));
	hv_run(hv);
	ktap_check(hv_ended(hv) && nwatch_page[0] == ROUNDS - 1, "no exit: %x", hv->exit.reason);
	ktap_check(watch_hits(watch_last()) == ROUNDS, "%llu are told", watch_hits(watch_last()));
	watch_del(watch_last());
}

static void nwatch_stores_ept(struct hv *hv)
{
	hv_ept_enable();
	nwatch_stores(hv);
}

static bool nwatch_handler(struct regs *regs)
{
	(void)regs;
	cpuid(LEAF_HANDLER, 0);
	return true;
}

/*
 * NMIs whose delivery pushes to what is watched: each is delivered once, and blocks the next
 * if they are virtual.
 */
static void nwatch_nmis_run(struct hv *hv, u32 pin)
{
	u64 blocking = pin & PIN_VIRTUAL_NMIS ? BLOCKING_NMI : 0;
	u32 i, wrong = 0;

	ktap_check(!watch_add(hv->guest->tss.ist[0] - 8, 8, LATCH_WATCH_WRITE), "a watchpoint");
	hv_clear(F_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMIS);
	hv_set(F_PIN_CONTROLS, pin);
	for (i = 0; i < ROUNDS; i++) {
		hv_guest(hv, guest_stores, ADDR(nwatch_page));
		vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
		vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
		hv_run(hv);
		wrong += hv->exit.reason != REASON_CPUID ||
			 hv->exit.interruptibility != blocking;
	}
	ktap_check(!wrong, "(%u,%u): %u NMIs, each in its handler: %u are not, exit %x",
		   !!(pin & PIN_NMI), !!(pin & PIN_VIRTUAL_NMIS), i, wrong, hv->exit.reason);
	ktap_check(watch_hits(watch_last()) == ROUNDS, "%llu are told", watch_hits(watch_last()));
	watch_del(watch_last());
}

static void nwatch_nmis(struct hv *hv)
{
	idt_set_hook(VECTOR_NMI, nwatch_handler);
	nwatch_nmis_run(hv, PIN_NMI);
	nwatch_nmis_run(hv, PIN_NMI | PIN_VIRTUAL_NMIS);
	idt_set_hook(VECTOR_NMI, NULL);
}

static void nwatch_nmis_ept(struct hv *hv)
{
	hv_ept_enable();
	nwatch_nmis(hv);
}

static const struct nested_case nwatch_cases[] = {
	CASE("stores", nwatch_stores),
	CASE("stores, EPT", nwatch_stores_ept, .later = SECONDARY_EPT),
	CASE("NMIs", nwatch_nmis, .later_pin = PIN_NMI | PIN_VIRTUAL_NMIS),
	CASE("NMIs, EPT", nwatch_nmis_ept, .later_pin = PIN_NMI | PIN_VIRTUAL_NMIS,
	     .later = SECONDARY_EPT),
};

void test_nested_watch(void)
{
	ktap_suite = "core: nested-watch";
	if (!launch_active || hv_missing()) {
		ktap_skip("no core, or no VMX");
		return;
	}
	ktap_check(watch_switch(1), "watch is on");
	nested_run(nwatch_cases, ARRAY_SIZE(nwatch_cases));
	ktap_check(watch_switch(0), "watch is off");
}
