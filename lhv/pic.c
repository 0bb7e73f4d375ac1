// SPDX-License-Identifier: GPL-2.0-only
/* The two 8259A interrupt controllers */
#include "lhv.h"

#define MASTER	0x20
#define SLAVE	0xa0

void pic_init(void)
{
	outb(MASTER, 0x11);
	outb(SLAVE, 0x11);
	outb(MASTER + 1, IRQ_PIC);
	outb(SLAVE + 1, IRQ_PIC + 8);
	outb(MASTER + 1, 4);
	outb(SLAVE + 1, 2);
	outb(MASTER + 1, 1);
	outb(SLAVE + 1, 1);
	outb(MASTER + 1, 0xff);
	outb(SLAVE + 1, 0xff);
}

void pic_unmask(u32 irq)
{
	u16 port = irq < 8 ? MASTER + 1 : SLAVE + 1;

	outb(port, inb(port) & ~(1 << (irq & 7)));
}

void pic_mask(u32 irq)
{
	u16 port = irq < 8 ? MASTER + 1 : SLAVE + 1;

	outb(port, inb(port) | 1 << (irq & 7));
}

void pic_eoi(u32 irq)
{
	if (irq >= 8)
		outb(SLAVE, 0x20);
	outb(MASTER, 0x20);
}
