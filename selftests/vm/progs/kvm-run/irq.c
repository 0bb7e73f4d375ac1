// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts through KVM's own APICs, xAPIC and x2APIC: the timer in its three modes,
 * HLT and its wake-up, IOAPIC, MSI, priorities, self-IPI, NMI.
 */
#include <pthread.h>

#include "guest.h"
#include "vm.h"

#define IOAPIC		0xfec00000ul
#define VECTOR_TIMER	0x40
#define VECTOR_GSI	0x51
#define VECTOR_LEVEL	0x62
#define VECTOR_MSI	0x73
#define VECTOR_SELF	0x84
#define GSI		20
#define GSI_LEVEL	21
#define MSR_DEADLINE	0x6e0

enum { ASK_GSI = 1, ASK_LEVEL, ASK_LOWER, ASK_MSI, ASK_NMI, ASK_NMI_BLOCKED, ASK_HALT };

static volatile uint64_t count[256], order[8], nr_order;
static volatile bool in_nmi, nested_nmi;

static void handle(struct trap *trap)
{
	count[trap->vector]++;
	if (nr_order < ARRAY_SIZE(order))
		order[nr_order++] = trap->vector;
	apic_write(APIC_EOI, 0);
}

static void handle_level(struct trap *trap)
{
	count[trap->vector]++;
	/* the line stays up for one more interrupt */
	if (count[trap->vector] == 2)
		guest_sync(ASK_LOWER);
	apic_write(APIC_EOI, 0);
}

/* The second NMI comes while the first one is handled: it has to wait for IRET. */
static void handle_nmi(struct trap *trap)
{
	nested_nmi = nested_nmi || in_nmi;
	in_nmi = true;
	count[trap->vector]++;
	if (count[NMI] == 2)
		guest_sync(ASK_NMI_BLOCKED);
	in_nmi = false;
}

static void ioapic_write(uint32_t index, uint32_t value)
{
	*(volatile uint32_t *)IOAPIC = index;
	*(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

static void route(int gsi, uint32_t entry)
{
	ioapic_write(0x10 + 2 * gsi + 1, 0);
	ioapic_write(0x10 + 2 * gsi, entry);
}

static void guest_timer(void)
{
	uint64_t before = rdtsc();

	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVTT, VECTOR_TIMER);
	apic_write(APIC_TIMER_COUNT, 1000000);
	while (!count[VECTOR_TIMER])
		irq_on_and_halt();
	irq_off();
	guest_check(count[VECTOR_TIMER] == 1, "timer: once, out of HLT");
	guest_check(rdtsc() > before, "timer: the TSC goes on in HLT");
	apic_write(APIC_TIMER_COUNT, 300000);
	irq_on();
	while (count[VECTOR_TIMER] < 2)
		relax();
	irq_off();
	guest_check(count[VECTOR_TIMER] == 2, "timer: once, into a loop");
	apic_write(APIC_LVTT, VECTOR_TIMER | LVTT_PERIODIC);
	/* Long enough for a CPU that has exits of its own for each access to a VMCS. */
	apic_write(APIC_TIMER_COUNT, 5000000);
	while (count[VECTOR_TIMER] < 12)
		irq_on_and_halt();
	irq_off();
	guest_check(1, "timer: ten times by itself");
	apic_write(APIC_LVTT, LVT_MASKED);
	apic_write(APIC_TIMER_COUNT, 0);
}

static void guest_deadline(void)
{
	uint32_t out[4];
	uint64_t deadline;

	/* by x2APIC or not, some models have none */
	cpuid(1, 0, out);
	if (!(out[2] >> 24 & 1))
		return;
	/* one that is still pending of the periodic timer */
	irq_on();
	relax();
	irq_off();
	count[VECTOR_TIMER] = 0;
	apic_write(APIC_LVTT, VECTOR_TIMER | LVTT_DEADLINE);
	deadline = rdtsc() + 200000;
	wrmsr(MSR_DEADLINE, deadline);
	while (!count[VECTOR_TIMER])
		irq_on_and_halt();
	irq_off();
	guest_check(rdtsc() >= deadline, "TSC deadline: not before its time, out of HLT");
	deadline = rdtsc() + 200000;
	wrmsr(MSR_DEADLINE, deadline);
	irq_on();
	while (count[VECTOR_TIMER] < 2)
		relax();
	irq_off();
	guest_check(rdtsc() >= deadline, "TSC deadline: not before its time, into a loop");
	apic_write(APIC_LVTT, LVT_MASKED);
}

static void guest_lines(void)
{
	route(GSI, VECTOR_GSI);
	route(GSI_LEVEL, VECTOR_LEVEL | 1 << 15);
	guest_sync(ASK_GSI);
	guest_check(!count[VECTOR_GSI], "IOAPIC: nothing comes with interrupts off");
	irq_on();
	relax();
	irq_off();
	guest_check(count[VECTOR_GSI] == 1, "IOAPIC: an edge");
	guest_sync(ASK_LEVEL);
	irq_on();
	while (count[VECTOR_LEVEL] < 2)
		relax();
	irq_off();
	guest_check(count[VECTOR_LEVEL] == 2, "IOAPIC: a level, until it is lowered");
	guest_sync(ASK_MSI);
	irq_on();
	relax();
	irq_off();
	guest_check(count[VECTOR_MSI] == 1, "an MSI");
	guest_sync(ASK_HALT);
	while (count[VECTOR_MSI] < 2)
		irq_on_and_halt();
	irq_off();
	guest_check(count[VECTOR_MSI] == 2, "an MSI of another thread, out of HLT");
}

/* Two that wait are taken by their priority, and none below the task's. */
static void guest_priority(void)
{
	nr_order = 0;
	apic_icr(0, ICR_SELF | ICR_ASSERT | VECTOR_TIMER);
	apic_icr(0, ICR_SELF | ICR_ASSERT | VECTOR_SELF);
	apic_icr(0, ICR_SELF | ICR_ASSERT | VECTOR_MSI);
	guest_check(apic_read(APIC_IRR + 0x10 * (VECTOR_SELF / 32)) >> VECTOR_SELF % 32 & 1, "self-IPI: waits");
	write_cr8(VECTOR_MSI >> 4);
	irq_on();
	relax();
	guest_check(nr_order == 1 && order[0] == VECTOR_SELF, "CR8: only what is above it");
	write_cr8(0);
	relax();
	irq_off();
	guest_check(nr_order == 3 && order[1] == VECTOR_MSI && order[2] == VECTOR_TIMER,
		    "CR8: the rest when it is lowered, by priority");
}

static void guest_nmi(void)
{
	guest_sync(ASK_NMI);
	guest_check(count[NMI] == 1, "NMI: with interrupts off");
	apic_icr(0, ICR_NMI | ICR_ASSERT);
	while (count[NMI] < 3)
		relax();
	guest_check(count[NMI] == 3 && !nested_nmi, "NMI: a second one waits for IRET");
}

static void guest_irq(void)
{
	apic_enable();
	trap_handlers[VECTOR_TIMER] = handle;
	trap_handlers[VECTOR_GSI] = handle;
	trap_handlers[VECTOR_LEVEL] = handle_level;
	trap_handlers[VECTOR_MSI] = handle;
	trap_handlers[VECTOR_SELF] = handle;
	trap_handlers[NMI] = handle_nmi;
	guest_timer();
	guest_deadline();
	guest_lines();
	guest_priority();
	guest_nmi();
}

static void set_line(struct vm *vm, int gsi, int level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	XIOCTL(vm->fd, KVM_IRQ_LINE, &line);
}

static void send_msi(struct vm *vm)
{
	struct kvm_msi msi = { .address_lo = APIC_BASE, .data = VECTOR_MSI };

	XIOCTL(vm->fd, KVM_SIGNAL_MSI, &msi);
}



static void *late_msi(void *vm)
{
	sleep_ms(20);
	send_msi(vm);
	return NULL;
}

static void answer(struct vcpu *vcpu, int asked)
{
	struct vm *vm = vcpu->vm;
	pthread_t thread;

	switch (asked) {
	case ASK_GSI:
		set_line(vm, GSI, 1);
		set_line(vm, GSI, 0);
		break;
	case ASK_LEVEL:
		set_line(vm, GSI_LEVEL, 1);
		break;
	case ASK_LOWER:
		set_line(vm, GSI_LEVEL, 0);
		break;
	case ASK_MSI:
		send_msi(vm);
		break;
	case ASK_HALT:
		if (pthread_create(&thread, NULL, late_msi, vm))
			die("no thread");
		pthread_detach(thread);
		break;
	case ASK_NMI:
	case ASK_NMI_BLOCKED:
		XIOCTL(vcpu->fd, KVM_NMI, 0);
		break;
	}
}

static void irqs(bool x2apic)
{
	struct vcpu vcpu;
	struct vm vm;

	note(x2apic ? "x2APIC" : "xAPIC");
	vm_create(&vm, VM_IRQCHIP);
	vcpu_create(&vcpu, &vm, guest_irq);
	GUEST(&vm, guest_x2apic) = x2apic;
	for (int i = 0; i < 7; i++)
		answer(&vcpu, vcpu_sync(&vcpu));
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

void subject_irq(void)
{
	irqs(false);
	irqs(true);
}
