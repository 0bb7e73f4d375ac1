// SPDX-License-Identifier: GPL-2.0-only
/* The other CPUs: start-up, and calls of functions on them. */
#include "lhv.h"

#define SMP_PAGE	0x8000ull

extern const char smp_page[], smp_page_end[], smp_page_state[];
extern const char smp_page_cr3[], smp_page_cpu[], smp_page_stack[];
void smp_entry(struct cpu *cpu);

static void *smp_low(const char *label)
{
	return PTR(SMP_PAGE + (u64)(label - smp_page));
}

/* Return: what the last CPU that started has found. */
const struct reset_state *smp_reset_state(void)
{
	return smp_low(smp_page_state);
}

static void smp_wakeup(struct regs *regs)
{
	(void)regs;
	lapic_eoi();
}

/* First C code of another CPU */
void smp_entry(struct cpu *cpu)
{
	cpu_load_tables(cpu);
	idt_load();
	cpu_setup();
	lapic_init();
	__atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
	cpu_idle();
}

/* Wait for work and do it. */
void cpu_idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		irq_disable();
		if (!__atomic_load_n(&cpu->call, __ATOMIC_ACQUIRE)) {
			irq_wait();
			continue;
		}
		irq_enable();
		cpu->call(cpu->call_arg);
		__atomic_store_n(&cpu->call, NULL, __ATOMIC_RELEASE);
	}
}

void cpu_call_start(u32 index, call_fn fn, void *arg)
{
	cpus[index].call_arg = arg;
	__atomic_store_n(&cpus[index].call, fn, __ATOMIC_RELEASE);
	lapic_ipi(cpus[index].apic_id, ICR_ASSERT | IRQ_CALL);
}

bool cpu_call_finished(u32 index)
{
	return !__atomic_load_n(&cpus[index].call, __ATOMIC_ACQUIRE);
}

/* Run a function on a CPU and wait for its end. Only the boot CPU calls. */
void cpu_call(u32 index, call_fn fn, void *arg)
{
	if (index == this_cpu()->index) {
		fn(arg);
		return;
	}
	cpu_call_start(index, fn, arg);
	while (!cpu_call_finished(index))
		cpu_relax();
}

/* Run a function on all CPUs at the same time. Only the boot CPU calls. */
void cpu_call_all(call_fn fn, void *arg)
{
	u32 i;

	for (i = 1; i < nr_cpus; i++)
		cpu_call_start(i, fn, arg);
	fn(arg);
	for (i = 1; i < nr_cpus; i++)
		while (!cpu_call_finished(i))
			cpu_relax();
}

/**
 * smp_start - (re)start a CPU by INIT and start-up IPIs
 * @cpu: which one
 *
 * Return: false if it does not come
 */
bool smp_start(struct cpu *cpu)
{
	u32 tries, ms;

	cpu->online = 0;
	cpu->call = NULL;
	cpu->recover = 0;
	memcpy(PTR(SMP_PAGE), smp_page, (size_t)(smp_page_end - smp_page));
	*(u64 *)smp_low(smp_page_cr3) = mem_cr3;
	*(u64 *)smp_low(smp_page_cpu) = ADDR(cpu);
	*(u64 *)smp_low(smp_page_stack) = ADDR(cpu->stack + STACK_SIZE);
	lapic_ipi(cpu->apic_id, ICR_INIT | ICR_ASSERT);
	delay_us(1000);
	/* Not before INIT: a CPU that is restarted may just be using them. */
	cpu_init_tables(cpu);
	for (tries = 0; tries < 2; tries++) {
		lapic_ipi(cpu->apic_id, ICR_STARTUP | ICR_ASSERT | SMP_PAGE >> 12);
		for (ms = 0; ms < 100; ms++) {
			if (__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
				return true;
			delay_us(ms ? 1000 : 200);
		}
	}
	return false;
}

void smp_init(void)
{
	u32 ids[MAX_CPUS];
	u32 count = acpi_find_cpus(ids, MAX_CPUS);
	u32 self = lapic_id();
	u32 i;

	cpus[0].apic_id = self;
	irq_set_handler(IRQ_CALL, smp_wakeup);
	for (i = 0; i < count; i++) {
		struct cpu *cpu = &cpus[nr_cpus];

		if (ids[i] == self)
			continue;
		cpu->index = nr_cpus;
		cpu->apic_id = ids[i];
		if (!smp_start(cpu))
			lhv_panic("CPU with APIC ID %u does not start", ids[i]);
		nr_cpus++;
	}
}
