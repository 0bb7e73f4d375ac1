// SPDX-License-Identifier: GPL-2.0-only
/*
 * INIT and start-up IPIs restart a CPU that runs. What it finds is the SDM's
 * reset state, with core underneath too, and there it stays under core.
 */
#include "tests.h"

#define LSTAR_MARK	0xffff900012345004ull
/* IA32_U_CET, IA32_S_CET, two of IA32_PLx_SSP, and IA32_INTERRUPT_SSP_TABLE_ADDR */
#define MSR_CET_FIRST	0x6a0u
#define MSR_CET_LAST	0x6a8u
#define ROUNDS		10
#define RACE_ROUNDS	100

static bool has_cet(void)
{
	return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ecx & BIT(7) || cpuid(7, 0).edx & BIT(20));
}

static void init_mark(void *arg)
{
	u32 msr;

	for (msr = MSR_CET_FIRST; has_cet() && msr <= MSR_CET_LAST; msr += 2)
		wrmsr(msr, *(u64 *)arg & 4);
	wrmsr(MSR_LSTAR, *(u64 *)arg);
	wrmsr(MSR_KERNEL_GS_BASE, *(u64 *)arg);
	asm volatile("movq %0, %%dr0" : : "r" (*(u64 *)arg));
}

static void init_read(void *arg)
{
	u64 *values = arg;
	u32 msr;

	values[0] = rdmsr(MSR_LSTAR);
	values[1] = read_dr0();
	values[2] = rdmsr(MSR_PAT);
	values[3] = cpuid(1, 0).ecx;
	values[4] = 0;
	for (msr = MSR_CET_FIRST; has_cet() && msr <= MSR_CET_LAST; msr += 2)
		values[4] |= rdmsr(msr);
}

static void loop_cpuid(void *arg)
{
	(void)arg;
	for (;;)
		cpuid(0, 0);
}

static void loop_hlt(void *arg)
{
	(void)arg;
	irq_disable();
	for (;;)
		asm volatile("hlt");
}

static void init_registers(u32 index, bool started)
{
	const struct reset_state *s = smp_reset_state();

	ktap_check(started, "CPU %u restarts", index);
	ktap_check(!s->eax && !s->ebx && !s->ecx && !s->esi && !s->edi && !s->ebp && !s->esp,
		   "the general registers are 0");
	ktap_check(s->eflags == 2, "EFLAGS is 0x%x", s->eflags);
	ktap_check((s->cr0 & ~(CR0_CD | CR0_NW)) == CR0_ET && !s->cr2 && !s->cr3 &&
		   !s->cr4 && !s->efer,
		   "CR0 is 0x10 but for CD and NW, CR2, CR3, CR4 and EFER are 0");
	ktap_check(s->cs == 0x800 && !s->ds && !s->es && !s->fs && !s->gs && !s->ss,
		   "CS is 0x%x, the other selectors are 0", s->cs);
	ktap_check(s->gdt_limit == 0xffff && !s->gdt_base && s->idt_limit == 0xffff && !s->idt_base,
		   "GDTR and IDTR are 0, limit 0xffff");
	ktap_check(s->dr6 == 0xffff0ff0 && s->dr7 == 0x400, "DR6 0x%x, DR7 0x%x", s->dr6, s->dr7);
	if (!launch_active)
		return;
	/* Bochs 3.0 itself has EDX 0 and sets CD and NW, as after power-on. */
	ktap_suite = "core";
	ktap_check(s->edx == cpuid(1, 0).eax && s->cr0 == CR0_ET,
		   "CPU %u: EDX is the signature, CR0.CD and NW are kept", index);
	ktap_suite = "init";
}

static void init_kept(u32 index)
{
	u64 mark = LSTAR_MARK, values[5], zero = 0;
	bool started;

	cpu_call(index, init_mark, &mark);
	started = smp_start(&cpus[index]);
	init_registers(index, started);
	cpu_call(index, init_read, values);
	ktap_check(values[0] == mark, "MSRs are kept");
	ktap_check(!values[1], "DR0 is 0");
	ktap_check(values[2] == rdmsr(MSR_PAT), "PAT is kept");
	ktap_check(!values[4], "CET state is 0");
	cpu_call(index, init_mark, &zero);
}

static void init_from(u32 index, call_fn loop, const char *name)
{
	u32 round, started = 0;

	for (round = 0; round < ROUNDS; round++) {
		cpu_call_start(index, loop, NULL);
		delay_us(200);
		started += smp_start(&cpus[index]);
	}
	ktap_check(started == ROUNDS, "CPU %u restarts %u times out of %s", index, started, name);
}

static void init_ignored(u32 index)
{
	u64 values[5];

	lapic_ipi(cpus[index].apic_id, ICR_STARTUP | ICR_ASSERT | 9);
	delay_us(1000);
	cpu_call(index, init_read, values);
	ktap_check(true, "CPU %u ignores a start-up IPI without INIT", index);
}

static void loop_mtrr(void *arg)
{
	u32 base = MSR_MTRR_PHYSBASE0 + 2 * ((rdmsr(MSR_MTRRCAP) & 0xff) - 1);
	u64 value = 0;

	while (!READ_ONCE(*(u32 *)arg)) {
		value ^= SIZE_1G;
		wrmsr(base, value);
	}
	wrmsr(base, 0);
}

/*
 * An MTRR write makes core call the other CPUs together, by INIT too: the INIT
 * of the test must not be taken for that. If it comes in the same moment, and core does
 * not see ICR writes, it may be (Documentation/limits.md): then the next one is not.
 */
static void init_while_mtrrs_change(u32 index)
{
	u32 round, started = 0, stop = 0, again = 0, limit = 0;
	bool up;

	if (launch_active && !option_has("icr"))
		limit = RACE_ROUNDS / 50;
	cpu_call_start(1, loop_mtrr, &stop);
	for (round = 0; round < RACE_ROUNDS; round++) {
		cpu_call_start(index, loop_cpuid, NULL);
		delay_us(200 + 7 * round);
		up = smp_start(&cpus[index]);
		if (!up && again++ < limit)
			up = smp_start(&cpus[index]);
		started += up;
	}
	WRITE_ONCE(stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(started == RACE_ROUNDS,
		   "CPU %u restarts %u times while CPU 1 writes MTRRs", index, started);
}

void test_init(void)
{
	u32 i;

	for (i = 1; i < nr_cpus; i++) {
		init_kept(i);
		init_from(i, loop_cpuid, "a CPUID loop");
		init_from(i, loop_hlt, "HLT");
		init_ignored(i);
	}
	if (nr_cpus > 2)
		init_while_mtrrs_change(2);
	if (nr_cpus < 2)
		ktap_skip("one CPU");
}
