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

void bench_run(void)
{
	irq_disable();
	bench_one("cpuid", bench_cpuid, bench_nothing);
	bench_one("rdmsr", bench_rdmsr, bench_nothing);
	bench_one("rdmsr_intercepted", bench_rdmsr_intercepted, bench_nothing);
	if (launch_active)
		bench_one("vmcall_ping", bench_ping, bench_ping_empty);
	irq_enable();
}
