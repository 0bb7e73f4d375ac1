// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs of another CPU at any moment: while L2 runs, while L1 does, in an entry or exit, and
 * with an event that is being injected. Each of them must be seen once, by L1's or L2's
 * handler or as an exit; each event that was injected must arrive, once.
 *
 *	nmis=N			N times as many
 *	seed=N			other pauses between them
 */
#include "nested.h"

#define NMIS		400
#define IRQ_KEY		(IRQ_PIC + 1)
#define LEAF_IDLE	0	/* of L2's CPUIDs */
#define LEAF_HANDLER	1
#define WAIT_MS		1000ull
#define VIRTUAL		(PIN_NMI | PIN_VIRTUAL_NMIS)
#define ENTRIES_LEFT	50	/* for what is under way when the last one has been seen */

/**
 * struct storm - what CPU 0 and the sender share
 * @seen: NMIs, in L1 or L2, or as an exit
 * @keys, @nmis: events that L2 has handled; @keys_sent, @nmis_sent: that L1 has injected
 * @wrong: exits that are not as they have to be
 * @exiting: NMI exiting; @idle: the last exit was not in a handler
 * @sent: NMIs that were sent; @lost: one was not seen
 */
static struct {
	u32 seen;
	u32 keys, nmis, keys_sent, nmis_sent;
	u32 wrong;
	u32 count, sent, seed, random;
	bool exiting, idle, lost, done;
} storm;

static u32 next_random(u32 *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 16;
}

static void storm_sender(void *arg)
{
	u32 random = storm.seed, seen, pause;
	u64 end;

	while (storm.sent < storm.count && !storm.lost) {
		for (pause = next_random(&random) & 0x1ff; pause; pause--)
			cpu_relax();
		seen = READ_ONCE(storm.seen);
		end = rdtsc() + WAIT_MS * tsc_khz;
		lapic_ipi((u32)ADDR(arg), ICR_NMI | ICR_ASSERT);
		storm.sent++;
		while (READ_ONCE(storm.seen) == seen && !storm.lost)
			storm.lost = rdtsc() > end;
	}
	WRITE_ONCE(storm.done, true);
}

/* --- L2 */

static void storm_guest(void *arg)
{
	u32 i;

	(void)arg;
	for (;;) {
		cpuid(LEAF_IDLE, 0);
		for (i = 0; i < 20; i++)
			cpu_relax();
	}
}

static void storm_key(struct regs *regs)
{
	(void)regs;
	cpuid(LEAF_HANDLER, 0);
	storm.keys++;
}

/* With NMI exiting, L2 has those only that were injected. */
static bool storm_hook(struct regs *regs)
{
	bool guest = this_cpu() == hv_this()->guest;

	(void)regs;
	this_cpu()->nmis++;
	if (guest)
		cpuid(LEAF_HANDLER, 0);
	if (guest && storm.exiting)
		storm.nmis++;
	else
		WRITE_ONCE(storm.seen, storm.seen + 1);
	return true;
}

/* --- L1 */

/*
 * NMIs only when L2 is in no handler: without virtual NMIs those do not block each other,
 * and the next one would take the stack. So none at all without NMI exiting.
 */
static void storm_inject(void)
{
	u32 what = next_random(&storm.random) & 3;

	if (what == 1 && vmread(F_GUEST_RFLAGS) & RFLAGS_IF) {
		vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, IRQ_KEY));
		storm.keys_sent++;
	} else if (what == 2 && storm.exiting && storm.idle) {
		vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
		storm.nmis_sent++;
	}
}

static void storm_entry(struct hv *hv)
{
	hv_run(hv);
	storm.idle = hv->exit.reason == REASON_CPUID && hv->regs.rax == LEAF_IDLE;
	if (hv->exit.reason == REASON_CPUID) {
		hv_skip(hv);
		return;
	}
	storm.wrong += hv->exit.reason != REASON_EXCEPTION || !storm.exiting ||
		       hv->exit.event != EVENT(EVENT_NMI, VECTOR_NMI) ||
		       hv->exit.vectoring & EVENT_VALID;
	WRITE_ONCE(storm.seen, storm.seen + 1);
	hv_unblock_nmis();
}

static void storm_begin(struct hv *hv, u32 pin)
{
	memset(&storm, 0, sizeof(storm));
	storm.exiting = pin & PIN_NMI;
	storm.count = NMIS * option_number("nmis", 1);
	storm.seed = option_number("seed", 1);
	storm.random = storm.seed + 1;
	hv_clear(F_PIN_CONTROLS, VIRTUAL);
	hv_set(F_PIN_CONTROLS, pin);
	hv_guest(hv, storm_guest, 0);
	idt_set_hook(VECTOR_NMI, storm_hook);
	cpu_call_start(1, storm_sender, PTR(this_cpu()->apic_id));
}

static void storm_wait(void)
{
	storm.lost |= storm.wrong;
	while (!cpu_call_finished(1))
		cpu_relax();
}

static void storm_run(struct hv *hv, u32 pin)
{
	u32 left;

	irq_set_handler(IRQ_KEY, storm_key);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	storm_begin(hv, pin);
	while (!READ_ONCE(storm.done) && storm.wrong < 10) {
		storm_inject();
		storm_entry(hv);
	}
	storm_wait();
	for (left = 0; left < ENTRIES_LEFT; left++)
		storm_entry(hv);
	idt_set_hook(VECTOR_NMI, NULL);
	irq_set_handler(IRQ_KEY, NULL);
	ktap_check(!storm.wrong, "(%u,%u): no exit is wrong", !!(pin & PIN_NMI),
		   !!(pin & PIN_VIRTUAL_NMIS));
	ktap_check(storm.seen == storm.sent && !storm.lost, "%u NMIs, and each is seen once",
		   storm.sent);
	ktap_check(storm.keys == storm.keys_sent && storm.nmis == storm.nmis_sent,
		   "each injected event arrives once");
	print("# interrupts %u of %u, NMIs %u of %u, seen %u\n", storm.keys, storm.keys_sent,
	      storm.nmis, storm.nmis_sent, storm.seen);
}

static void storm_all(struct hv *hv)
{
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	storm_run(hv, 0);
	storm_run(hv, PIN_NMI);
	storm_run(hv, VIRTUAL);
}

/* --- entries with which L2 does not begin: all NMIs are L1's */

static void storm_same(struct hv *hv, u32 pin, u32 reason)
{
	u64 pending = vmread(F_GUEST_PENDING_DEBUG), event = vmread(F_ENTRY_EVENT);

	storm_begin(hv, pin);
	while (!READ_ONCE(storm.done) && storm.wrong < 10) {
		vmwrite(F_GUEST_PENDING_DEBUG, pending);
		vmwrite(F_ENTRY_EVENT, event);
		hv_run(hv);
		storm.wrong += hv->exit.reason != reason ||
			       (reason == REASON_EXCEPTION &&
				hv->exit.event != EVENT(EVENT_HARD, VECTOR_DB));
	}
	storm_wait();
	idt_set_hook(VECTOR_NMI, NULL);
	ktap_check(!storm.wrong, "(%u,%u): each exit has reason %x, the last %x",
		   !!(pin & PIN_NMI), !!(pin & PIN_VIRTUAL_NMIS), reason, hv->exit.reason);
	ktap_check(storm.seen == storm.sent && !storm.lost, "%u NMIs, and each is seen once",
		   storm.sent);
}

static void storm_fails(struct hv *hv)
{
	u32 *list = (u32 *)hv->page;

	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	*list = MSR_FS_BASE;
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(list));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	storm_same(hv, 0, REASON_ENTRY_FAILED | REASON_ENTRY_MSR);
	storm_same(hv, PIN_NMI, REASON_ENTRY_FAILED | REASON_ENTRY_MSR);
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(F_GUEST_RFLAGS, 0);
	storm_same(hv, 0, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE);
	storm_same(hv, PIN_NMI, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE);
	storm_same(hv, VIRTUAL, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE);
}

/* The TPR of an empty page is below any threshold. */
static void storm_threshold(struct hv *hv)
{
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW | PRIMARY_SECONDARY);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_APIC_ACCESS);
	memset(hv->page, 0, PAGE_SIZE);
	vmwrite(F_VIRTUAL_APIC, ADDR(hv->page));
	vmwrite(F_APIC_ACCESS, ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)));
	vmwrite(F_TPR_THRESHOLD, 1);
	storm_same(hv, 0, REASON_TPR_THRESHOLD);
	storm_same(hv, VIRTUAL, REASON_TPR_THRESHOLD);
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW);
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_APIC_ACCESS);
}

/* Other exits come before that of an NMI (SDM vol. 3, 26.2, 26.5.2, 27.7). */
static void storm_first(struct hv *hv)
{
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	if (hv_can(F_PRIMARY_CONTROLS, PRIMARY_MTF)) {
		vmwrite(F_ENTRY_EVENT, EVENT(EVENT_OTHER, 0));
		storm_same(hv, VIRTUAL, REASON_MTF);
		vmwrite(F_ENTRY_EVENT, 0);
	}
	if (hv_can(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER)) {
		vmwrite(F_PREEMPTION_TIMER, 0);
		storm_same(hv, VIRTUAL | PIN_PREEMPTION_TIMER, REASON_TIMER);
		storm_same(hv, PIN_PREEMPTION_TIMER, REASON_TIMER);
		hv_clear(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	}
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	storm_same(hv, VIRTUAL, REASON_NMI_WINDOW);
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	if (hv_can(F_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW) &&
	    hv_can(F_SECONDARY_CONTROLS, SECONDARY_APIC_ACCESS))
		storm_threshold(hv);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_DB));
	vmwrite(F_GUEST_PENDING_DEBUG, BIT(12) | BIT(0));
	storm_same(hv, VIRTUAL, REASON_EXCEPTION);
}

/* --- L2 begins with NMIs blocked, and never unblocks them: so they are L1's, too */

static void storm_blocked_run(struct hv *hv, u32 pin)
{
	u64 before = hv->guest->nmis;

	storm_begin(hv, pin);
	while (!READ_ONCE(storm.done) && storm.wrong < 10) {
		hv_guest(hv, storm_guest, 0);
		vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
		hv_run(hv);
		storm.wrong += hv->exit.reason != REASON_CPUID || hv->guest->nmis != before;
		hv_unblock_nmis();
	}
	storm_wait();
	idt_set_hook(VECTOR_NMI, NULL);
	ktap_check(!storm.wrong, "(%u,0): none in the guest, exit %x", !!pin, hv->exit.reason);
	ktap_check(storm.seen == storm.sent && !storm.lost, "%u NMIs, and each is seen once",
		   storm.sent);
}

static void storm_blocked(struct hv *hv)
{
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	storm_blocked_run(hv, 0);
	storm_blocked_run(hv, PIN_NMI);
}

static const struct nested_case cases[] = {
	CASE("any moment", storm_all, .later_pin = VIRTUAL),
	CASE("entries that fail", storm_fails, .later_pin = VIRTUAL),
	CASE("exits that come first", storm_first, .later_pin = VIRTUAL),
	CASE("blocked by the entry", storm_blocked, .later_pin = PIN_NMI),
};

void test_nested_nmi_storm(void)
{
	/* Only the boot CPU calls others. */
	nested_run_on(0, cases, ARRAY_SIZE(cases));
}
