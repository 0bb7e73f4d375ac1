// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two CPUs, each in a thread: INIT and start-up IPI, IPIs there and back, out of HLT
 * and out of a loop, NMIs by the ICR, shoot-down of translations, locked counters.
 */
#include <pthread.h>

#include "guest.h"
#include "vm.h"

#define VECTOR_PING	0x50
#define VECTOR_PONG	0x51
#define VECTOR_FLUSH	0x52
#define PINGS		100
#define ADDS		5000
#define FLUSHES		50

enum { IN_HALT, IN_LOOP, IN_ADD, IN_READ };

static volatile int phase, online, nmis;
static volatile uint64_t pings, pongs, flushes, seen, seen_round, counter;

extern volatile uint64_t second_stack, second_entry;

static void handle_ping(struct trap *trap)
{
	(void)trap;
	pings++;
	apic_write(APIC_EOI, 0);
	apic_icr(0, ICR_ASSERT | VECTOR_PONG);
}

static void handle_pong(struct trap *trap)
{
	(void)trap;
	pongs++;
	apic_write(APIC_EOI, 0);
}

static void handle_flush(struct trap *trap)
{
	(void)trap;
	invlpg(WINDOW);
	apic_write(APIC_EOI, 0);
	flushes++;
}

static void handle_nmi(struct trap *trap)
{
	(void)trap;
	nmis++;
}

static void add(void)
{
	for (int i = 0; i < ADDS; i++)
		__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

/* What the second CPU does, as the first one says. */
static void second(void)
{
	int done = -1;

	apic_enable();
	online++;
	for (;;) {
		switch (phase) {
		case IN_HALT:
			irq_on_and_halt();
			break;
		case IN_ADD:
			if (done != IN_ADD)
				add();
			done = IN_ADD;
			break;
		case IN_READ:
			seen = *(volatile uint64_t *)WINDOW;
			seen_round++;
			break;
		}
		irq_on();
		relax();
		irq_off();
	}
}

static void second_again(void)
{
	online = 100;
}

static void start(void (*entry)(void), const char *text)
{
	int before = online;
	uint64_t limit = rdtsc() + 1000000000ull;

	second_stack = STACKS + 2 * STACK_SIZE;
	second_entry = (uint64_t)entry;
	apic_icr(1, ICR_INIT | ICR_ASSERT);
	for (int i = 0; i < 1000; i++)
		relax();
	apic_icr(1, ICR_STARTUP | ICR_ASSERT | TRAMPOLINE >> 12);
	while (online == before && rdtsc() < limit)
		relax();
	guest_check(online != before, text);
}

static void guest_pings(bool halts, const char *text)
{
	uint64_t before = pongs;

	phase = halts ? IN_HALT : IN_LOOP;
	for (int i = 0; i < PINGS; i++) {
		apic_icr(1, ICR_ASSERT | VECTOR_PING);
		while (pongs == before + i) {
			if (halts)
				irq_on_and_halt();
			else
				irq_on();
			relax();
			irq_off();
		}
	}
	guest_check(pongs == before + PINGS && pings == pongs, text);
}

static void guest_nmis(const char *text)
{
	int before = nmis;

	for (int i = 0; i < 50; i++) {
		apic_icr(1, ICR_ASSERT | ICR_NMI);
		while (nmis == before + i)
			relax();
	}
	guest_check(nmis == before + 50, text);
}

/* The other CPU may use the old entry until it has answered, and never after. */
static void guest_flushes(void)
{
	uint64_t round, before;
	bool same = true;

	for (int i = 0; i < 16; i++)
		*(volatile uint64_t *)(WINDOW_PAGES + i * PAGE_SIZE) = 0x100 + i;
	phase = IN_READ;
	for (int i = 0; i < FLUSHES; i++) {
		*window_entry(0) = (WINDOW_PAGES + i % 16 * PAGE_SIZE) | 3;
		before = flushes;
		apic_icr(1, ICR_ASSERT | VECTOR_FLUSH);
		while (flushes == before)
			relax();
		round = seen_round;
		while (seen_round < round + 2)
			relax();
		same = same && seen == 0x100u + i % 16;
	}
	guest_check(same, "shoot-down of translations");
}

static void guest_adds(void)
{
	phase = IN_ADD;
	/* out of whatever it waits in */
	apic_icr(1, ICR_ASSERT | VECTOR_FLUSH);
	add();
	while (counter < 2 * ADDS)
		relax();
	guest_check(counter == 2 * ADDS, "two CPUs count");
}

static void guest_smp(void)
{
	trap_handlers[VECTOR_PING] = handle_ping;
	trap_handlers[VECTOR_PONG] = handle_pong;
	trap_handlers[VECTOR_FLUSH] = handle_flush;
	trap_handlers[NMI] = handle_nmi;
	apic_enable();
	start(second, "INIT and start-up IPI");
	guest_pings(true, "IPIs there and back, both in HLT");
	guest_nmis("NMIs, out of HLT");
	guest_adds();
	guest_pings(false, "IPIs there and back, both in a loop");
	guest_nmis("NMIs, out of a loop");
	guest_flushes();
	start(second, "INIT and start-up IPI again, while it runs");
	phase = IN_HALT;
	start(second_again, "INIT and start-up IPI again, while it is in HLT");
}

static void *run_second(void *vcpu)
{
	pin(online_cpus() > 1);
	vcpu_finish(vcpu);
	return NULL;
}

static void smp(bool x2apic)
{
	struct vcpu vcpus[2];
	pthread_t thread;
	struct vm vm;

	note(x2apic ? "x2APIC" : "xAPIC");
	vm_create(&vm, VM_IRQCHIP);
	vcpu_create(&vcpus[0], &vm, guest_smp);
	vcpu_create(&vcpus[1], &vm, NULL);
	GUEST(&vm, guest_x2apic) = x2apic;
	pin(0);
	if (pthread_create(&thread, NULL, run_second, &vcpus[1]))
		die("no thread");
	vcpu_finish(&vcpus[0]);
	pthread_join(thread, NULL);
	vcpu_destroy(&vcpus[0]);
	vcpu_destroy(&vcpus[1]);
	vm_destroy(&vm);
}

void subject_smp(void)
{
	smp(false);
	smp(true);
}
