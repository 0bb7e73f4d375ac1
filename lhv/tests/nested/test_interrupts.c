// SPDX-License-Identifier: GPL-2.0-only
/* Physical interrupts while the guest runs, and the interrupt window. */
#include "nested.h"

/* Enough for a VM entry and some instructions, also with core underneath */
#define TIMER_TICKS	500000

INSN(irq_nop, "nop\n\tnop");
INSN(irq_spin, "1:\tpause\n\tjmp 1b");
INSN(irq_sti, "sti\n\tnop\n\tnop");
INSN(irq_popf, "push $0x202\n\tpopf\n\tnop\n\tnop");
INSN(irq_mov_ss, "movw %ss, %ax\n\tpush $0x202\n\tpopf\n\tmovw %ax, %ss\n\tnop\n\tnop");
INSN(irq_hlt, "hlt\n\tnop");
INSN(irq_sti_hlt, "sti\n\thlt\n\tnop");

static u32 irqs_host, irqs_guest;

static void irq_count(struct regs *regs)
{
	(void)regs;
	if (this_cpu() == hv_this()->guest)
		irqs_guest++;
	else
		irqs_host++;
	lapic_eoi();
}

static void irq_prepare(void)
{
	irqs_host = 0;
	irqs_guest = 0;
	irq_set_handler(IRQ_TEST, irq_count);
}

/* An interrupt that is pending, as interrupts are off */
static void irq_send(void)
{
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_TEST);
}

static bool irq_pending(void)
{
	return lapic_read(LAPIC_IRR + IRQ_TEST / 32) & BIT(IRQ_TEST % 32);
}

static bool irq_in_service(void)
{
	return lapic_read(LAPIC_ISR + IRQ_TEST / 32) & BIT(IRQ_TEST % 32);
}

/* Have the host take what is pending. */
static void irq_take(void)
{
	irq_enable();
	cpu_relax();
	irq_disable();
}

static void irqs_exit(struct hv *hv)
{
	u32 i;

	irq_prepare();
	for (i = 0; i < 2; i++) {
		hv_guest(hv, irq_spin, 0);
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | (i ? RFLAGS_IF : 0));
		irq_send();
		nested_exit_at(hv, REASON_EXTERNAL, 0, 0, i ? "RFLAGS.IF = 1" : "RFLAGS.IF = 0");
		ktap_check(!(hv->exit.event & EVENT_VALID), "no vector");
		ktap_check(irq_pending() && !irq_in_service(), "it is still pending");
		irq_take();
		ktap_check(irqs_host == i + 1 && !irqs_guest, "the host takes it");
	}
}

static void irqs_acknowledge(struct hv *hv)
{
	irq_prepare();
	hv_guest(hv, irq_spin, 0);
	irq_send();
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, "exit");
	ktap_check(hv->exit.event == EVENT(EVENT_EXTERNAL, IRQ_TEST), "event %x",
		   hv->exit.event);
	ktap_check(!irq_pending() && irq_in_service(), "it is in service");
	irq_take();
	ktap_check(!irqs_host, "the host's handler does not see it");
	lapic_eoi();
	ktap_check(!irq_in_service(), "EOI ends it");
	hv_guest(hv, irq_nop, 0);
	nested_end(hv, "no more interrupts");
}

/* As a hypervisor does it: the interrupt is the guest's. */
static void irqs_forward(struct hv *hv)
{
	irq_prepare();
	hv_guest(hv, irq_popf, 0);
	irq_send();
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, "interrupt");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 6, "window");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, IRQ_TEST));
	nested_end(hv, "end");
	ktap_check(irqs_guest == 1 && !irqs_host && !irq_in_service(),
		   "the guest has handled it, with EOI");
}

static void irqs_guest_takes(struct hv *hv)
{
	irq_prepare();
	irq_send();
	hv_guest(hv, irq_nop, 0);
	nested_end(hv, "RFLAGS.IF = 0");
	ktap_check(irq_pending() && !irqs_guest, "it waits");
	hv_guest(hv, irq_sti, 0);
	nested_end(hv, "STI");
	ktap_check(irqs_guest == 1 && !irqs_host && !irq_pending(), "the guest handles it");
	hv_guest(hv, irq_nop, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	irq_send();
	nested_end(hv, "RFLAGS.IF = 1");
	ktap_check(irqs_guest == 2 && !irqs_host, "the guest handles it at once");
}

/* The APIC's timer ends HLT. */
static void irq_timer(u32 count)
{
	lapic_write(LAPIC_DIVIDE, 0xb);
	lapic_write(LAPIC_TIMER, IRQ_TEST);
	lapic_write(LAPIC_INITIAL, count);
}

static void irqs_hlt(struct hv *hv)
{
	irq_prepare();
	hv_guest(hv, irq_hlt, 0);
	irq_timer(TIMER_TICKS);
	nested_exit_at(hv, REASON_EXTERNAL, 0, 1, "HLT, RFLAGS.IF = 0");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "the guest is in HLT");
	irq_take();
	hv_guest(hv, irq_sti_hlt, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	irq_timer(TIMER_TICKS);
	nested_exit_at(hv, REASON_EXTERNAL, 0, 2, "HLT, RFLAGS.IF = 1");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "the guest is in HLT");
	irq_take();
	ktap_check(irqs_host == 2, "the host takes them");
	/* Into HLT with an interrupt pending */
	irq_send();
	nested_exit_at(hv, REASON_EXTERNAL, 0, 2, "entry into HLT");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "the guest is still in HLT");
	irq_take();
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
}

static void irqs_window(struct hv *hv)
{
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	hv_guest(hv, irq_nop, 0);
	nested_end(hv, "RFLAGS.IF = 0");
	hv_guest(hv, irq_nop, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 0, "RFLAGS.IF = 1");
	hv_guest(hv, irq_sti, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 2, "STI");
	hv_guest(hv, irq_popf, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 6, "POPF");
	hv_guest(hv, irq_nop, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 1, "blocking by STI");
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	hv_guest(hv, irq_nop, 0);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 1, "blocking by MOV SS");
	hv_guest(hv, irq_nop, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 0, "HLT");
	ktap_check(hv->exit.activity == ACTIVITY_HLT, "the guest is still in HLT");
}

/* The window comes before an interrupt (SDM vol. 3, 26.2). */
static void irqs_window_first(struct hv *hv)
{
	irq_prepare();
	hv_guest(hv, irq_nop, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	irq_send();
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 0, "window");
	ktap_check(irq_pending(), "the interrupt is pending");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, "interrupt");
	irq_take();
	ktap_check(irqs_host == 1, "the host takes it");
}

static const struct nested_case cases[] = {
	CASE("exit", irqs_exit, .pin = PIN_EXTERNAL),
	CASE("acknowledge", irqs_acknowledge, .pin = PIN_EXTERNAL, .exit = EXIT_ACKNOWLEDGE),
	CASE("forward", irqs_forward, .pin = PIN_EXTERNAL, .exit = EXIT_ACKNOWLEDGE),
	CASE("no exit", irqs_guest_takes),
	CASE("HLT", irqs_hlt, .pin = PIN_EXTERNAL),
	CASE("window", irqs_window),
	CASE("window first", irqs_window_first, .pin = PIN_EXTERNAL,
	     .primary = PRIMARY_INTERRUPT_WINDOW),
};

void test_nested_interrupts(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
