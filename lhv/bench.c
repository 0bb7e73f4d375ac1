// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measurements. Under Bochs with one CPU a TSC tick is an instruction, so these
 * are instructions, those of core included.
 */
#include "lhv.h"
#include <linux/latch.h>

#define ROUNDS	1000

static void bench_cpuid(void)
{
	cpuid(0, 0);
}

static void bench_rdmsr(void)
{
	rdmsr(MSR_STAR);
}

static void bench_rdmsr_intercepted(void)
{
	rdmsr(MSR_FEATURE_CONTROL);
}

static void bench_ping(void)
{
	unsigned long rax = LATCH_HC_PING, rdi = 0, rsi = 0, rdx = 0;

	asm volatile("vmcall" : "+a" (rax), "+D" (rdi), "+S" (rsi), "+d" (rdx) : : "memory");
}

static void bench_nothing(void)
{
	barrier();
}

/* What bench_ping() does around its VMCALL */
static void bench_ping_empty(void)
{
	unsigned long rax = LATCH_HC_PING, rdi = 0, rsi = 0, rdx = 0;

	asm volatile("" : "+a" (rax), "+D" (rdi), "+S" (rsi), "+d" (rdx) : : "memory");
}

/* --- the local APIC */

static volatile u32 bench_irqs;

static void bench_irq(struct regs *regs)
{
	(void)regs;
	bench_irqs++;
	lapic_eoi();
}

/* With interrupts off: the write alone, what it asks for stays pending. */
static void bench_icr(void)
{
	lapic_write(LAPIC_ICR, ICR_SELF | ICR_ASSERT | IRQ_TEST);
}

static void bench_eoi(void)
{
	lapic_eoi();
}

static void bench_timer(void)
{
	lapic_write(LAPIC_INITIAL, 1000000);
}

/* From the send to the handler's end */
static void bench_ipi(void)
{
	u32 before = bench_irqs;

	irq_enable();
	lapic_write(LAPIC_ICR, ICR_SELF | ICR_ASSERT | IRQ_TEST);
	while (bench_irqs == before)
		cpu_relax();
	irq_disable();
}

static void bench_nmi(void)
{
	struct cpu *cpu = this_cpu();
	u64 before = READ_ONCE(cpu->nmis);

	lapic_ipi(cpu->apic_id, ICR_NMI | ICR_ASSERT);
	while (READ_ONCE(cpu->nmis) == before)
		cpu_relax();
}

/* --- all CPUs */

static void bench_quiesce(void)
{
	unsigned long rax = LATCH_HC_QUIESCE, rdi = 0, rsi = 0, rdx = 0;

	asm volatile("vmcall" : "+a" (rax), "+D" (rdi), "+S" (rsi), "+d" (rdx) : : "memory");
}

static u64 bench_ticks(void (*fn)(void))
{
	u64 start, i;

	fn();
	start = rdtsc();
	for (i = 0; i < ROUNDS; i++)
		fn();
	return rdtsc() - start;
}

static void bench_one(const char *name, void (*fn)(void), void (*empty)(void))
{
	u64 overhead = bench_ticks(empty);

	print("bench %s %llu\n", name, (bench_ticks(fn) - overhead) / ROUNDS);
}

static void bench_apic(void)
{
	irq_set_handler(IRQ_TEST, bench_irq);
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	bench_one("icr_write", bench_icr, bench_nothing);
	irq_enable();
	irq_disable();
	bench_one("eoi", bench_eoi, bench_nothing);
	bench_one("timer_arm", bench_timer, bench_nothing);
	lapic_write(LAPIC_INITIAL, 0);
	bench_one("ipi", bench_ipi, bench_nothing);
	bench_one("nmi", bench_nmi, bench_nothing);
}

void bench_run(void)
{
	irq_disable();
	/* With several CPUs ticks are shared: only what all of them do is of interest. */
	if (nr_cpus > 1) {
		if (launch_active)
			bench_one("quiesce", bench_quiesce, bench_nothing);
		irq_enable();
		return;
	}
	bench_one("cpuid", bench_cpuid, bench_nothing);
	bench_one("rdmsr", bench_rdmsr, bench_nothing);
	bench_one("rdmsr_intercepted", bench_rdmsr_intercepted, bench_nothing);
	if (launch_active)
		bench_one("vmcall_ping", bench_ping, bench_ping_empty);
	bench_apic();
	nested_bench();
	irq_enable();
	if (launch_active) {
		pal_bench();
		watch_bench();
	}
}
