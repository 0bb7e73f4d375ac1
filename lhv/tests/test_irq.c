// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts: the PIC, the local APIC and its timer, IPIs, HLT. */
#include "tests.h"

#define IRQ_LOW		0x61
#define IRQ_HIGH	0x91
#define TIMER_DIVIDE_1	0xb
#define WAIT_MS		1000ull

static u64 order[8];
static u32 arrived;

static void irq_record(struct regs *regs)
{
	if (arrived < ARRAY_SIZE(order))
		order[arrived] = regs->vector;
	arrived++;
	lapic_eoi();
}

static void irq_pit(struct regs *regs)
{
	(void)regs;
	arrived++;
	pic_eoi(0);
}

static void irq_count(struct regs *regs)
{
	(void)regs;
	lapic_eoi();
}

/* Wait with interrupts on; false after WAIT_MS. */
static bool irq_wait_for(u32 count)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	while (READ_ONCE(arrived) < count)
		if (rdtsc() > end)
			return false;
	return true;
}

static void irq_pic(void)
{
	arrived = 0;
	irq_set_handler(IRQ_PIC, irq_pit);
	pit_periodic(1000);
	pic_unmask(0);
	irq_disable();
	while (arrived < 5)
		irq_wait();
	irq_enable();
	ktap_check(arrived == 5, "5 interrupts of the PIT, each out of HLT");
	ktap_check(irq_wait_for(10), "5 interrupts of the PIT in a loop");
	pic_mask(0);
	pit_stop();
}

static void timer_start(u32 mode, u32 count)
{
	arrived = 0;
	lapic_write(LAPIC_DIVIDE, TIMER_DIVIDE_1);
	lapic_write(LAPIC_TIMER, mode | IRQ_TIMER);
	if (mode == TIMER_DEADLINE)
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + count);
	else
		lapic_write(LAPIC_INITIAL, count);
}

static void timer_stop(void)
{
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	lapic_write(LAPIC_INITIAL, 0);
}

static void irq_timer(void)
{
	irq_set_handler(IRQ_TIMER, irq_record);
	timer_start(0, 100000);
	ktap_check(irq_wait_for(1), "the local APIC's timer, one-shot");
	delay_us(5000);
	ktap_check(arrived == 1 && !lapic_read(LAPIC_CURRENT), "it comes once");
	timer_start(TIMER_PERIODIC, 100000);
	ktap_check(irq_wait_for(5), "periodic");
	timer_stop();
	timer_start(0, 100000);
	irq_disable();
	while (!arrived)
		irq_wait();
	irq_enable();
	ktap_check(arrived == 1, "one-shot, out of HLT");
	if (cpuid(1, 0).ecx & BIT(24)) {
		timer_start(TIMER_DEADLINE, 200000);
		ktap_check(irq_wait_for(1), "TSC deadline");
		timer_start(TIMER_DEADLINE, 200000);
		irq_disable();
		while (!arrived)
			irq_wait();
		irq_enable();
		ktap_check(arrived == 1, "TSC deadline, out of HLT");
	} else {
		ktap_skip("no TSC deadline");
	}
	timer_stop();
}

static void irq_self(void)
{
	u32 self = this_cpu()->apic_id;
	u64 tpr_held;

	arrived = 0;
	irq_set_handler(IRQ_LOW, irq_record);
	irq_set_handler(IRQ_HIGH, irq_record);
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_LOW);
	ktap_check(irq_wait_for(1) && order[0] == IRQ_LOW, "IPI to itself, by shorthand");
	lapic_ipi(self, ICR_ASSERT | IRQ_LOW);
	ktap_check(irq_wait_for(2), "IPI to itself, by APIC ID");
	if (lapic_x2apic) {
		wrmsr(MSR_X2APIC + 0x3f, IRQ_LOW);
		ktap_check(irq_wait_for(3), "SELF IPI register");
	}
	arrived = 0;
	irq_disable();
	lapic_ipi(self, ICR_ASSERT | IRQ_LOW);
	lapic_ipi(self, ICR_ASSERT | IRQ_HIGH);
	cpuid(0, 0);
	ktap_check(lapic_read(LAPIC_IRR + IRQ_LOW / 32) & BIT(IRQ_LOW % 32) && !arrived,
		   "two wait while RFLAGS.IF is off");
	irq_enable();
	irq_wait_for(2);
	ktap_check(arrived == 2 && order[0] == IRQ_HIGH && order[1] == IRQ_LOW,
		   "the higher vector comes first");
	arrived = 0;
	write_cr8(7);
	lapic_ipi(self, ICR_ASSERT | IRQ_LOW);
	lapic_ipi(self, ICR_ASSERT | IRQ_HIGH);
	irq_wait_for(1);
	cpuid(0, 0);
	tpr_held = arrived == 1 && order[0] == IRQ_HIGH;
	write_cr8(0);
	irq_wait_for(2);
	ktap_check(tpr_held && arrived == 2, "CR8 holds the lower class back");
}

static u64 irq_sum(u32 vector)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < nr_cpus; i++)
		sum += READ_ONCE(cpus[i].irqs[vector]);
	return sum;
}

static bool irq_wait_sum(u32 vector, u64 sum)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	while (irq_sum(vector) < sum)
		if (rdtsc() > end)
			return false;
	return true;
}

static void irq_others(void)
{
	u64 before, start;
	u32 i, round;

	irq_set_handler(IRQ_TEST, irq_count);
	for (i = 1; i < nr_cpus; i++) {
		before = cpus[i].irqs[IRQ_TEST];
		for (round = 0; round < 100; round++) {
			start = irq_sum(IRQ_TEST);
			lapic_ipi(cpus[i].apic_id, ICR_ASSERT | IRQ_TEST);
			if (!irq_wait_sum(IRQ_TEST, start + 1))
				break;
		}
		ktap_check(cpus[i].irqs[IRQ_TEST] == before + 100, "100 IPIs to CPU %u", i);
	}
	start = irq_sum(IRQ_TEST);
	before = cpus[0].irqs[IRQ_TEST];
	lapic_ipi(0, ICR_OTHERS | ICR_ASSERT | IRQ_TEST);
	ktap_check(irq_wait_sum(IRQ_TEST, start + nr_cpus - 1) && cpus[0].irqs[IRQ_TEST] == before,
		   "IPI to all others");
	start = irq_sum(IRQ_TEST);
	lapic_ipi(0, ICR_ALL | ICR_ASSERT | IRQ_TEST);
	ktap_check(irq_wait_sum(IRQ_TEST, start + nr_cpus), "IPI to all");
}

static void irq_cpuid_loop(void *arg)
{
	while (!READ_ONCE(*(u32 *)arg))
		cpuid(0, 0);
}

/* IPIs that come while the CPU goes in and out of core all the time */
static void irq_under_exits(void)
{
	u32 stop = 0, round;
	u64 start, sum;

	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	cpu_call_start(1, irq_cpuid_loop, &stop);
	start = cpus[1].irqs[IRQ_TEST];
	sum = irq_sum(IRQ_TEST);
	for (round = 0; round < 500; round++) {
		lapic_ipi(cpus[1].apic_id, ICR_ASSERT | IRQ_TEST);
		if (!irq_wait_sum(IRQ_TEST, sum + round + 1))
			break;
	}
	WRITE_ONCE(stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(cpus[1].irqs[IRQ_TEST] == start + 500, "500 IPIs to a CPU in a CPUID loop");
}

static void irq_apic_registers(void)
{
	ktap_check(lapic_id() == this_cpu()->apic_id, "APIC ID");
	ktap_check(true, "APIC version 0x%x, SVR 0x%x, APIC_BASE 0x%llx", lapic_read(LAPIC_VERSION),
		   lapic_read(LAPIC_SVR), rdmsr(MSR_APIC_BASE));
}

static void irq_tsc(void)
{
	u64 last = rdtsc(), now;
	u32 round;
	bool grows = true;

	for (round = 0; round < 10000; round++) {
		if (!(round & 63))
			cpuid(0, 0);
		now = rdtsc();
		grows = grows && now > last;
		last = now;
	}
	ktap_check(grows, "the TSC grows");
}

void test_irq(void)
{
	irq_apic_registers();
	irq_pic();
	irq_timer();
	irq_self();
	irq_others();
	irq_under_exits();
	irq_tsc();
}
