// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: an 8250 without interrupts, as the kernel's console polls it. */
#include <stdio.h>

#include "boot.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define LCR_DLAB	0x80
#define IIR_NONE	0x01
#define LSR_EMPTY	0x60
#define MSR_READY	0xb0
#define LINE_LENGTH	160

static uint8_t registers[8], divisor[2];
static char line[LINE_LENGTH + 1];
static int length;

/* Whole lines, as comments. */
static void put(char byte)
{
	if (byte == '\r')
		return;
	if (byte != '\n')
		line[length++] = byte;
	if (byte == '\n' || length == LINE_LENGTH) {
		printf("# guest: %.*s\n", length, line);
		length = 0;
	}
}

void serial_out(int reg, uint8_t value)
{
	if (reg <= IER && registers[LCR] & LCR_DLAB)
		divisor[reg] = value;
	else if (reg == DATA)
		put(value);
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
