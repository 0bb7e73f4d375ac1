// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of real devices while the guest works: the RTC, the keyboard and the mouse of
 * the keyboard controller, by way of the 8259s or the I/O APIC. The guest takes them, or
 * they exit, with and without acknowledging them.
 */
#include "nested.h"

#define RTC_INDEX	0x70
#define RTC_DATA	0x71
#define RTC_A		0x0a
#define RTC_B		0x0b
#define RTC_C		0x0c
#define RTC_RATE_256HZ	0x28
#define RTC_PERIODIC	0x40
#define RTC_24H		0x02

#define PS2_DATA	0x60
#define PS2_COMMAND	0x64
#define PS2_OUTPUT	0x01	/* status: there is something to read */
#define PS2_INPUT	0x02	/* status: it has not been read yet */
#define PS2_READ_MODE	0x20
#define PS2_WRITE_MODE	0x60
#define PS2_TO_MOUSE	0xd4
#define MODE_IRQ1	0x01
#define MODE_IRQ12	0x02
#define MODE_NO_KEYS	0x10
#define MODE_NO_MOUSE	0x20
#define MOUSE_SCALING	0xe6	/* harmless; answered by an acknowledgment */
#define KEYS_ECHO	0xee	/* answered by itself */

#define PIC_SLAVE	0xa0
#define PIC_MASTER	0x20
#define PIC_READ_IRR	0x0a
#define PIC_READ_ISR	0x0b
#define IOAPIC_INDEX	(*(volatile u32 *)0xfec00000ul)
#define IOAPIC_DATA	(*(volatile u32 *)0xfec00010ul)
#define IOAPIC_PIN(pin)	(0x10 + 2 * (pin))
#define IOAPIC_MASKED	0x10000u
#define IRQ_IOAPIC	0x92

#define WAIT_MS		200ull
#define WAIT_LOOPS	1000000

/**
 * struct device - a device, and its way to the CPU
 * @irq: line of the 8259s, or pin of the I/O APIC
 * @start: false if there is no such device
 * @fire: have it give one interrupt; @quiet: take that back from it
 */
struct device {
	const char *name;
	u32 irq, vector;
	bool ioapic;
	bool (*start)(void);
	void (*fire)(void);
	void (*quiet)(void);
};

static const struct device *device;
static u32 taken_host, taken_guest;

/* --- the RTC */

static u8 rtc_read(u8 index)
{
	outb(RTC_INDEX, index);
	return inb(RTC_DATA);
}

static void rtc_write(u8 index, u8 value)
{
	outb(RTC_INDEX, index);
	outb(RTC_DATA, value);
}

static void rtc_quiet(void)
{
	rtc_write(RTC_B, RTC_24H);
	rtc_read(RTC_C);
}

static bool rtc_start(void)
{
	rtc_quiet();
	rtc_write(RTC_A, RTC_RATE_256HZ);
	return rtc_read(RTC_A) == RTC_RATE_256HZ;
}

static void rtc_fire(void)
{
	rtc_write(RTC_B, RTC_24H | RTC_PERIODIC);
}

/* --- the keyboard controller */

static bool ps2_wait(u8 mask, u8 value)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	while ((inb(PS2_COMMAND) & mask) != value)
		if (rdtsc() > end)
			return false;
	return true;
}

static void ps2_write(u16 port, u8 value)
{
	ps2_wait(PS2_INPUT, 0);
	outb(port, value);
}

static void ps2_quiet(void)
{
	inb(PS2_DATA);
}

static void mouse_fire(void)
{
	ps2_write(PS2_COMMAND, PS2_TO_MOUSE);
	ps2_write(PS2_DATA, MOUSE_SCALING);
}

static void keys_fire(void)
{
	ps2_write(PS2_DATA, KEYS_ECHO);
}

/* Its interrupts are masked so far: does it answer? */
static bool ps2_answers(void (*fire)(void))
{
	if (inb(PS2_COMMAND) == 0xff)
		return false;
	while (inb(PS2_COMMAND) & PS2_OUTPUT)
		inb(PS2_DATA);
	ps2_write(PS2_COMMAND, PS2_WRITE_MODE);
	ps2_write(PS2_DATA, 0);
	fire();
	if (!ps2_wait(PS2_OUTPUT, PS2_OUTPUT))
		return false;
	ps2_quiet();
	return true;
}

static bool mouse_start(void)
{
	if (!ps2_answers(mouse_fire))
		return false;
	ps2_write(PS2_COMMAND, PS2_WRITE_MODE);
	ps2_write(PS2_DATA, MODE_IRQ12 | MODE_NO_KEYS);
	return true;
}

static bool keys_start(void)
{
	if (!ps2_answers(keys_fire))
		return false;
	ps2_write(PS2_COMMAND, PS2_WRITE_MODE);
	ps2_write(PS2_DATA, MODE_IRQ1 | MODE_NO_MOUSE);
	return true;
}

static const struct device devices[] = {
	{ "RTC, 8259", 8, IRQ_PIC + 8, false, rtc_start, rtc_fire, rtc_quiet },
	{ "keyboard, 8259", 1, IRQ_PIC + 1, false, keys_start, keys_fire, ps2_quiet },
	{ "mouse, 8259", 12, IRQ_PIC + 12, false, mouse_start, mouse_fire, ps2_quiet },
	{ "mouse, I/O APIC", 12, IRQ_IOAPIC, true, mouse_start, mouse_fire, ps2_quiet },
};

/* --- the way to the CPU */

static void ioapic_write(u32 index, u32 value)
{
	IOAPIC_INDEX = index;
	IOAPIC_DATA = value;
}

static void line_mask(bool masked)
{
	if (device->ioapic) {
		ioapic_write(IOAPIC_PIN(device->irq) + 1, this_cpu()->apic_id << 24);
		ioapic_write(IOAPIC_PIN(device->irq),
			     device->vector | (masked ? IOAPIC_MASKED : 0));
	} else if (masked) {
		pic_mask(device->irq);
		pic_mask(2);
	} else {
		pic_unmask(2);
		pic_unmask(device->irq);
	}
}

static bool line_state(u8 pic, u32 lapic)
{
	u16 port = device->irq < 8 ? PIC_MASTER : PIC_SLAVE;

	if (device->ioapic)
		return lapic_read(lapic + device->vector / 32) & BIT(device->vector % 32);
	outb(port, pic);
	return inb(port) & 1 << (device->irq & 7);
}

static bool line_pending(void)
{
	return line_state(PIC_READ_IRR, LAPIC_IRR);
}

static bool line_in_service(void)
{
	return line_state(PIC_READ_ISR, LAPIC_ISR);
}

static void device_handler(struct regs *regs)
{
	(void)regs;
	if (this_cpu() == hv_this()->guest)
		taken_guest++;
	else
		taken_host++;
	device->quiet();
	if (device->ioapic)
		lapic_eoi();
	else
		pic_eoi(device->irq);
}

/* One interrupt, which waits as the host has interrupts off */
static void device_pend(void)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	device->fire();
	while (!line_pending())
		if (rdtsc() > end)
			return;
}

static void host_takes(void)
{
	irq_enable();
	cpu_relax();
	irq_disable();
}

/* --- the guest: IF as it was set; it works until an interrupt has been taken */

INSN(device_nop, "nop\n\tnop");
INSN(device_sti, "sti\n\tnop\n\tnop");

static void device_work(void *arg)
{
	u32 i;

	device->fire();
	for (i = 0; i < WAIT_LOOPS && !READ_ONCE(taken_guest); i++)
		*(volatile u32 *)arg = i;
}

/* It cannot come between STI and HLT. */
static void device_sleep(void *arg)
{
	(void)arg;
	device->fire();
	irq_wait();
}

static void guest_start(struct hv *hv, const void *code, bool interrupts)
{
	taken_host = 0;
	taken_guest = 0;
	hv_guest(hv, code, ADDR(hv->page));
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | (interrupts ? RFLAGS_IF : 0));
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
}

static bool taken_by(u32 host, u32 guest)
{
	return taken_host == host && taken_guest == guest && !line_in_service() &&
	       !line_pending();
}

/* --- with each of them */

static void takes(struct hv *hv)
{
	guest_start(hv, device_work, true);
	hv_run(hv);
	ktap_check(hv_ended(hv) && taken_by(0, 1), "%s: the guest takes it at work",
		   device->name);
	guest_start(hv, device_nop, false);
	device_pend();
	nested_end(hv, device->name);
	ktap_check(line_pending() && !taken_guest && !taken_host, "%s: RFLAGS.IF = 0: it waits",
		   device->name);
	guest_start(hv, device_sti, false);
	nested_end(hv, device->name);
	ktap_check(taken_by(0, 1), "%s: behind STI it comes", device->name);
	guest_start(hv, device_sleep, false);
	hv_run(hv);
	ktap_check(hv_ended(hv) && taken_by(0, 1), "%s: it ends HLT", device->name);
}

static void exits(struct hv *hv)
{
	u32 i;

	guest_start(hv, device_work, true);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EXTERNAL && !(hv->exit.event & EVENT_VALID),
		   "%s: exit %x from work", device->name, hv->exit.reason);
	host_takes();
	ktap_check(taken_by(1, 0), "%s: the host takes it", device->name);
	for (i = 0; i < 2; i++) {
		guest_start(hv, device_nop, i);
		device_pend();
		nested_exit_at(hv, REASON_EXTERNAL, 0, 0, device->name);
		ktap_check(line_pending() && !line_in_service(), "%s: it still waits",
			   device->name);
		host_takes();
		ktap_check(taken_by(1, 0), "%s: the host takes it, RFLAGS.IF of the guest %u",
			   device->name, i);
	}
	guest_start(hv, device_nop, true);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	device->fire();
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, device->name);
	host_takes();
	ktap_check(hv->exit.activity == ACTIVITY_HLT && taken_by(1, 0), "%s: exit from HLT",
		   device->name);
}

static bool acknowledged(const struct hv *hv)
{
	return ktap_check(hv->exit.reason == REASON_EXTERNAL &&
			  hv->exit.event == EVENT(EVENT_EXTERNAL, device->vector) &&
			  line_in_service() && !line_pending() && !taken_host,
			  "%s: exit %x, event %x, it is in service", device->name,
			  hv->exit.reason, hv->exit.event);
}

/* The interrupt is the guest's; it says to the controller that it has had it. */
static void acknowledge(struct hv *hv)
{
	guest_start(hv, device_work, true);
	hv_run(hv);
	acknowledged(hv);
	vmwrite(F_ENTRY_EVENT, hv->exit.event);
	hv_run(hv);
	ktap_check(hv_ended(hv) && taken_by(0, 1), "%s: the guest goes on with it",
		   device->name);
	guest_start(hv, device_sti, false);
	device_pend();
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, device->name);
	acknowledged(hv);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	nested_exit_at(hv, REASON_INTERRUPT_WINDOW, 0, 2, device->name);
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_INTERRUPT_WINDOW);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, device->vector));
	nested_end(hv, device->name);
	ktap_check(taken_by(0, 1), "%s: the guest takes it in the window", device->name);
}

static void each_device(struct hv *hv, void (*test)(struct hv *hv))
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		device = &devices[i];
		if (!device->start()) {
			ktap_skip("%s: there is none", device->name);
			continue;
		}
		irq_set_handler(device->vector, device_handler);
		line_mask(false);
		test(hv);
		line_mask(true);
		irq_set_handler(device->vector, NULL);
	}
}

static void devices_take(struct hv *hv)
{
	each_device(hv, takes);
}

static void devices_exit(struct hv *hv)
{
	each_device(hv, exits);
}

static void devices_acknowledge(struct hv *hv)
{
	each_device(hv, acknowledge);
}

static const struct nested_case cases[] = {
	CASE("no exit", devices_take),
	CASE("exit", devices_exit, .pin = PIN_EXTERNAL),
	CASE("acknowledge", devices_acknowledge, .pin = PIN_EXTERNAL, .exit = EXIT_ACKNOWLEDGE),
};

void test_nested_devices(void)
{
	/* The 8259s interrupt the boot CPU. */
	nested_run_on(0, cases, ARRAY_SIZE(cases));
}
