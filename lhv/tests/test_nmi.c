// SPDX-License-Identifier: GPL-2.0-only
/* NMIs: none is lost, none comes twice, and IRET ends their blocking. */
#include "tests.h"

#define ROUNDS	2000
#define WAIT_MS	1000ull

/* From the command line: "nmis=N" for N times as many, "seed=N" for pauses between them */
static u32 nmi_factor, nmi_seed;
static u32 nmi_depth, nmi_nested, nmi_seen;
static u64 nmi_rip;

static bool nmi_wait(struct cpu *cpu, u64 count)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	while (READ_ONCE(cpu->nmis) < count)
		if (rdtsc() > end)
			return false;
	return true;
}

static void loop_cpuid(void *arg)
{
	while (!READ_ONCE(*(u32 *)arg))
		cpuid(0, 0);
}

static void loop_plain(void *arg)
{
	while (!READ_ONCE(*(u32 *)arg))
		cpu_relax();
}

static void loop_rdmsr(void *arg)
{
	while (!READ_ONCE(*(u32 *)arg))
		rdmsr(MSR_FEATURE_CONTROL);
}

static void loop_hlt(void *arg)
{
	irq_disable();
	while (!READ_ONCE(*(u32 *)arg))
		asm volatile("hlt");
	irq_enable();
}

/* Up to some hundred instructions, so that NMIs meet all that the target does. */
static void nmi_pause(void)
{
	u32 count;

	if (!nmi_seed)
		return;
	nmi_seed = nmi_seed * 1664525 + 1013904223;
	for (count = nmi_seed >> 24; count; count--)
		cpu_relax();
}

/* One NMI at a time, each must arrive; none may come without being sent. */
static void nmi_send(u32 index, call_fn loop, u32 rounds, const char *name)
{
	struct cpu *cpu = &cpus[index];
	u64 start = cpu->nmis;
	u32 stop = 0, round;

	rounds *= nmi_factor;
	cpu_call_start(index, loop, &stop);
	for (round = 0; round < rounds; round++) {
		nmi_pause();
		lapic_ipi(cpu->apic_id, ICR_NMI | ICR_ASSERT);
		if (!nmi_wait(cpu, start + round + 1))
			break;
	}
	WRITE_ONCE(stop, 1);
	/* HLT with interrupts off ends by an NMI only. */
	if (loop == loop_hlt)
		lapic_ipi(cpu->apic_id, ICR_NMI | ICR_ASSERT);
	while (!cpu_call_finished(index))
		cpu_relax();
	ktap_check(cpu->nmis == start + rounds + (loop == loop_hlt),
		   "%u NMIs to CPU %u in %s", rounds, index, name);
}

static void nmi_others(void)
{
	u32 i;

	for (i = 1; i < nr_cpus; i++) {
		nmi_send(i, loop_cpuid, ROUNDS, "a CPUID loop");
		nmi_send(i, loop_rdmsr, ROUNDS / 4, "a loop of intercepted RDMSRs");
		nmi_send(i, loop_plain, ROUNDS / 4, "a loop without exits");
		nmi_send(i, loop_hlt, ROUNDS / 4, "HLT");
	}
	if (nr_cpus < 2)
		ktap_skip("one CPU");
}

static void nmi_to_self(void)
{
	struct cpu *cpu = this_cpu();
	u64 start = cpu->nmis;
	u32 round, rounds = 100 * nmi_factor;

	for (round = 0; round < rounds; round++) {
		lapic_ipi(cpu->apic_id, ICR_NMI | ICR_ASSERT);
		if (!nmi_wait(cpu, start + round + 1))
			break;
	}
	ktap_check(cpu->nmis == start + rounds, "%u NMIs to itself", rounds);
}

/*
 * In the handler: a second NMI must wait for IRET, whatever exits there are. It
 * comes behind the IRET, at the instruction that the first one interrupted.
 */
static bool nmi_hook(struct regs *regs)
{
	u32 i;

	nmi_seen++;
	if (nmi_depth++)
		nmi_nested++;
	if (nmi_seen == 1) {
		nmi_rip = regs->rip;
		lapic_ipi(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
		lapic_ipi(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
		for (i = 0; i < 100; i++)
			cpuid(0, 0);
		if (nmi_seen != 1)
			nmi_nested++;
	}
	nmi_depth--;
	return true;
}

static void nmi_blocking(void)
{
	u64 end = rdtsc() + tsc_khz;

	nmi_nested = 0;
	nmi_depth = 0;
	nmi_seen = 0;
	idt_set_hook(VECTOR_NMI, nmi_hook);
	lapic_ipi(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
	while (rdtsc() < end)
		cpuid(0, 0);
	idt_set_hook(VECTOR_NMI, NULL);
	ktap_check(nmi_seen == 2 && !nmi_nested,
		   "two NMIs in the handler, with CPUID: one more comes, after IRET "
		   "(%u, %u nested)",
		   nmi_seen, nmi_nested);
}

/* The same on all other CPUs at once, by shorthand */
static void nmi_shorthand(void)
{
	u64 before[MAX_CPUS];
	bool good = true;
	u32 i;

	for (i = 0; i < nr_cpus; i++)
		before[i] = cpus[i].nmis;
	lapic_ipi(0, ICR_OTHERS | ICR_NMI | ICR_ASSERT);
	for (i = 1; i < nr_cpus; i++)
		good = good && nmi_wait(&cpus[i], before[i] + 1) && cpus[i].nmis == before[i] + 1;
	ktap_check(good && cpus[0].nmis == before[0], "NMI to all others");
}

void test_nmi(void)
{
	nmi_factor = option_number("nmis", 1);
	nmi_seed = option_number("seed", 0);
	nmi_to_self();
	nmi_blocking();
	nmi_others();
	nmi_shorthand();
}
