// SPDX-License-Identifier: GPL-2.0-only
/* Local APIC, xAPIC and x2APIC */
#include "lhv.h"

#define APIC_BASE_X2APIC	BIT(10)
#define APIC_BASE_ENABLE	BIT(11)
#define ICR_PENDING		0x1000

bool lapic_x2apic;
static u64 lapic_base[MAX_CPUS];

u32 lapic_read(u32 reg)
{
	if (lapic_x2apic)
		return (u32)rdmsr(MSR_X2APIC + reg);
	return *(volatile u32 *)PTR(lapic_base[this_cpu()->index] + reg * 16);
}

void lapic_write(u32 reg, u32 value)
{
	if (lapic_x2apic)
		wrmsr(MSR_X2APIC + reg, value);
	else
		*(volatile u32 *)PTR(lapic_base[this_cpu()->index] + reg * 16) = value;
}

u32 lapic_id(void)
{
	return lapic_x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

static void lapic_wait_icr(void)
{
	while (lapic_read(LAPIC_ICR) & ICR_PENDING)
		cpu_relax();
}

/**
 * lapic_ipi - send an interprocessor interrupt
 * @apic_id: destination; no matter with a shorthand in @icr
 * @icr: low half of the ICR
 */
void lapic_ipi(u32 apic_id, u32 icr)
{
	if (lapic_x2apic) {
		/* WRMSR to the ICR is not serializing: stores before it come first. */
		asm volatile("mfence" ::: "memory");
		wrmsr(MSR_X2APIC + LAPIC_ICR, (u64)apic_id << 32 | icr);
		return;
	}
	lapic_wait_icr();
	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR, icr);
	lapic_wait_icr();
}

/** lapic_moved - IA32_APIC_BASE of this CPU has changed */
void lapic_moved(void)
{
	lapic_base[this_cpu()->index] = rdmsr(MSR_APIC_BASE) & PTE_ADDR;
}

static void lapic_spurious(struct regs *regs)
{
	(void)regs;
}

/* Switch the local APIC of this CPU on; only the boot CPU takes PIC interrupts. */
void lapic_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
	bool first = this_cpu()->index == 0;

	lapic_base[this_cpu()->index] = base & PTE_ADDR;
	wrmsr(MSR_APIC_BASE, base);
	if (lapic_x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	irq_set_handler(IRQ_SPURIOUS, lapic_spurious);
	lapic_write(LAPIC_SVR, 0x100 | IRQ_SPURIOUS);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_LINT0, first ? 0x700 : TIMER_MASKED);
	lapic_write(LAPIC_LINT1, first ? 0x400 : TIMER_MASKED);
	lapic_write(LAPIC_ERROR, TIMER_MASKED);
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
}
