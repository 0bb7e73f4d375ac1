// SPDX-License-Identifier: GPL-2.0-only
/* The 8254 timer: IRQ 0 from channel 0, delays by channel 2. */
#include "lhv.h"

#define PIT_HZ		1193182u
#define CHANNEL0	0x40
#define CHANNEL2	0x42
#define COMMAND		0x43
#define SPEAKER		0x61

u64 tsc_khz;

void pit_periodic(u32 hz)
{
	u32 count = PIT_HZ / hz;

	outb(COMMAND, 0x34);
	outb(CHANNEL0, count & 0xff);
	outb(CHANNEL0, count >> 8);
}

/* A one-shot mode without a count: the channel is silent. */
void pit_stop(void)
{
	outb(COMMAND, 0x30);
}

static void delay_once(u32 us)
{
	u32 count = (u32)((u64)us * PIT_HZ / 1000000) + 1;

	outb(SPEAKER, (inb(SPEAKER) & ~2) | 1);
	outb(COMMAND, 0xb0);
	outb(CHANNEL2, count & 0xff);
	outb(CHANNEL2, count >> 8);
	while (!(inb(SPEAKER) & 0x20))
		cpu_relax();
}

/* Channel 2 is one for all CPUs: only the boot CPU may call this. */
void delay_us(u32 us)
{
	for (; us > 50000; us -= 50000)
		delay_once(50000);
	delay_once(us);
}

void tsc_calibrate(void)
{
	u64 start = rdtsc();

	delay_us(5000);
	tsc_khz = (rdtsc() - start) / 5;
}
