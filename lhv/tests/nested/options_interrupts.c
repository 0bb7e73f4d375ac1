// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts while the guest works, of the local APIC's timer and of a device: it takes
 * them itself, they exit and the host takes them, or the exit acknowledges them.
 */
#include "option_table.h"

/* Far more than an entry and an exit take, also with lists and with core underneath */
#define TIMER_TICKS	50000
#define TIMER_DIVIDE_1	0xb
#define WAIT_LOOPS	20000
#define IRQ_RTC		8
#define RTC_INDEX	0x70
#define RTC_DATA	0x71
#define RTC_A		0x0a
#define RTC_B		0x0b
#define RTC_C		0x0c
#define RTC_RATE_128HZ	0x29
#define RTC_PERIODIC	0x40
#define RTC_24H		0x02

enum { GUEST_TAKES, HOST_TAKES, ACKNOWLEDGED };

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

static void timer_interrupt(struct regs *regs)
{
	(void)regs;
	table_work(this_cpu()->index)->interrupts++;
	lapic_eoi();
}

/* It gives no more interrupts until register C has been read. */
static void rtc_interrupt(struct regs *regs)
{
	(void)regs;
	table_work(this_cpu()->index)->devices++;
	rtc_read(RTC_C);
	pic_eoi(IRQ_RTC);
}

static bool has_device(const struct work *work)
{
	return work->mask & OPT_DEVICE && !this_cpu()->index;
}

static bool has_timer(const struct work *work)
{
	return !(work->mask & OPT_NO_INTERRUPT);
}

static void timer_set(u32 mode, u32 count)
{
	irq_set_handler(IRQ_TIMER, timer_interrupt);
	lapic_write(LAPIC_DIVIDE, TIMER_DIVIDE_1);
	lapic_write(LAPIC_TIMER, mode | IRQ_TIMER);
	lapic_write(LAPIC_INITIAL, count);
}

static void rtc_start(void)
{
	irq_set_handler(IRQ_PIC + IRQ_RTC, rtc_interrupt);
	rtc_write(RTC_A, RTC_RATE_128HZ);
	rtc_write(RTC_B, RTC_24H | RTC_PERIODIC);
	rtc_read(RTC_C);
	pic_unmask(2);
	pic_unmask(IRQ_RTC);
}

static void rtc_stop(void)
{
	rtc_write(RTC_B, RTC_24H);
	rtc_read(RTC_C);
	pic_mask(IRQ_RTC);
	pic_mask(2);
}

/* Have the host take what is pending. */
static void host_takes(void)
{
	irq_enable();
	cpu_relax();
	irq_disable();
}

void opt_interrupts_setup(struct hv *hv, struct work *work)
{
	(void)hv;
	if (!(work->mask & OPT_NO_IF))
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	if (has_timer(work))
		timer_set(TIMER_PERIODIC, TIMER_TICKS);
	if (has_device(work))
		rtc_start();
}

void opt_interrupts_end(struct hv *hv, struct work *work)
{
	(void)hv;
	if (has_timer(work))
		timer_set(TIMER_MASKED, 0);
	host_takes();
	if (has_device(work))
		rtc_stop();
	host_takes();
}

void opt_interrupts_asked(struct hv *hv, struct work *work)
{
	u32 mode = work->round % TABLE_MODES;

	(void)hv;
	hv_clear(F_PIN_CONTROLS, PIN_EXTERNAL);
	hv_clear(F_EXIT_CONTROLS, EXIT_ACKNOWLEDGE);
	if (mode != GUEST_TAKES)
		hv_set(F_PIN_CONTROLS, PIN_EXTERNAL);
	if (mode == ACKNOWLEDGED)
		hv_set(F_EXIT_CONTROLS, EXIT_ACKNOWLEDGE);
}

/* Work goes on until one more has come. */
static bool wait_for(const u32 *count)
{
	u32 start = READ_ONCE(*count), i;

	for (i = 0; i < WAIT_LOOPS && READ_ONCE(*count) == start; i++)
		if (cpuid(i, 0).eax != TABLE_CPUID + i)
			return false;
	return i < WAIT_LOOPS;
}

void opt_interrupts_guest(struct work *work)
{
	bool on = read_flags() & RFLAGS_IF;

	table_ask(OPT_NO_INTERRUPT);
	table_expect(work, on == !(work->mask & OPT_NO_IF));
	if (!on && work->round % TABLE_MODES == GUEST_TAKES)
		return;
	if (has_timer(work))
		table_expect(work, wait_for(&work->interrupts));
	if (has_device(work))
		table_expect(work, wait_for(&work->devices));
}

bool opt_interrupts_exit(struct hv *hv, struct work *work)
{
	u32 event = hv->exit.event;

	if (!(vmread(F_EXIT_CONTROLS) & EXIT_ACKNOWLEDGE)) {
		table_expect(work, !(event & EVENT_VALID));
		host_takes();
	} else if (event == EVENT(EVENT_EXTERNAL, IRQ_TIMER)) {
		timer_interrupt(NULL);
	} else if (event == EVENT(EVENT_EXTERNAL, IRQ_PIC + IRQ_RTC)) {
		rtc_interrupt(NULL);
	} else {
		table_expect(work, false);
		return false;
	}
	return true;
}
