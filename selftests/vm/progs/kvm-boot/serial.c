// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: an 8250 without interrupts, as the kernel's console polls it. */
#include <stdio.h>

#include "boot.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define LCR_DLAB	0x80
#define IIR_NONE	0x01
#define LSR_EMPTY	0x60
#define MSR_READY	0xb0

static uint8_t registers[8], divisor[2];
static struct lines log = { .prefix = "# guest: " };

void put(struct lines *lines, char byte)
{
	if (byte == '\r')
		return;
	if (byte != '\n')
		lines->line[lines->length++] = byte;
	if (byte == '\n' || lines->length == LINE_LENGTH) {
		printf("%s%.*s\n", lines->prefix, lines->length, lines->line);
		lines->length = 0;
	}
}

void serial_out(int reg, uint8_t value)
{
	if (reg <= IER && registers[LCR] & LCR_DLAB)
		divisor[reg] = value;
	else if (reg == DATA)
		put(&log, value);
	else
		registers[reg] = value;
}

uint8_t serial_in(int reg)
{
	if (reg <= IER && registers[LCR] & LCR_DLAB)
		return divisor[reg];
	switch (reg) {
	case DATA:
		return 0;
	case IIR:
		return IIR_NONE;
	case LSR:
		return LSR_EMPTY;
	case MSR:
		return MSR_READY;
	}
	return registers[reg];
}
