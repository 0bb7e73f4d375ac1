// SPDX-License-Identifier: GPL-2.0-only
/* Interrupt controllers and timers, as they are found and in use */
#include "second.h"

#define WAIT	4000000u	/* loops, seconds of an emulator */

static void pic_init(uint8_t mask)
{
	static const uint8_t master[] = { 0x11, VECTOR_PIC, 4, 1 }, slave[] = { 0x11, 0x28, 2, 1 };
	uint32_t i;

	for (i = 0; i < 4; i++) {
		outb(i ? 0x21 : 0x20, master[i]);
		outb(i ? 0xa1 : 0xa0, slave[i]);
	}
	outb(0x21, mask);
	outb(0xa1, 0xff);
}

/* Return: it has counted up to @wanted before the end of @loops */
static bool wait_for(volatile uint32_t *ticks, uint32_t wanted, uint32_t loops)
{
	uint32_t i;

	asm volatile("sti");
	for (i = 0; i < loops && *ticks < wanted; i++)
		asm volatile("pause");
	asm volatile("cli");
	return *ticks >= wanted;
}

static void test_apic_state(void)
{
	uint32_t i, pending = 0;

	for (i = 0; i < 8; i++)
		pending |= apic_read(0x100 + 16 * i) | apic_read(0x200 + 16 * i);
	check(!pending, "apic: nothing is requested or in service");
	check((rdmsr(0x1b) & 0xd00) == 0x900, "apic: xAPIC mode, boot CPU");
	check(!apic_read(0x80), "apic: TPR is 0");
	check(apic_read(0x320) & 0x10000 && !apic_read(0x380) && !apic_read(0x390),
	      "apic: the timer is masked and stopped");
	/* These are the firmware's: the same with and without lhv */
	check(true, "apic: SVR 0x%x, LINT0 0x%x, LINT1 0x%x, error 0x%x, divide 0x%x",
	      apic_read(0xf0), apic_read(0x350), apic_read(0x360), apic_read(0x370),
	      apic_read(0x3e0));
	check(true, "apic: DFR 0x%x, LDR 0x%x", apic_read(0xe0), apic_read(0xd0));
}

static void pit_start(uint32_t count)
{
	outb(0x43, 0x34);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
}

void test_interrupts(void)
{
	check(true, "irq: masks 0x%x 0x%x, port 0x61 0x%x", inb(0x21), inb(0xa1), inb(0x61) & 3);
	test_apic_state();
	pic_init(0xfe);
	pit_start(11932);
	check(wait_for(&pit_ticks, 10, WAIT), "irq: the PIT interrupts 10 times");
	outb(0x21, 0xff);
	apic_write(0xf0, 0x1ff);
	apic_write(0x3e0, 0xb);
	apic_write(0x320, VECTOR_APIC);
	apic_write(0x380, 10000);
	check(wait_for(&apic_ticks, 1, WAIT), "apic: the timer interrupts");
	check(!wait_for(&apic_ticks, 2, WAIT / 50), "apic: once");
	check(apic_ticks == 1, "apic: and %u times in all", apic_ticks);
}
