// SPDX-License-Identifier: GPL-2.0-only
/* Output as KTAP, on port 0xE9 or else COM1; the end. */
#include "second.h"

#define PORT_E9		0xe9
#define COM1		0x3f8
#define PORT_BOCHS_EXIT	0x8901
#define PORT_QEMU_EXIT	0xf4

static uint32_t checks, failures;

static void print_char(char c)
{
	uint32_t tries = 1000000;

	if (inb(PORT_E9) == PORT_E9) {
		outb(PORT_E9, (uint8_t)c);
		return;
	}
	while (!(inb(COM1 + 5) & 0x20) && --tries)
		;
	outb(COM1, (uint8_t)c);
}

static void print_number(uint32_t value, uint32_t base)
{
	if (value >= base)
		print_number(value / base, base);
	print_char("0123456789abcdef"[value % base]);
}

/* %s, %u and %x */
static void print_list(const char *format, va_list args)
{
	const char *s;

	for (; *format; format++) {
		if (*format != '%') {
			print_char(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				print_char(*s);
			break;
		case 'x':
			print_number(va_arg(args, uint32_t), 16);
			break;
		default:
			print_number(va_arg(args, uint32_t), 10);
		}
	}
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_list(format, args);
	va_end(args);
}

/**
 * check - one line of the result
 * @ok: it is as it should be
 * @format: what, the same on core and on the bare CPU but for "core: "
 *
 * Return: @ok
 */
bool check(bool ok, const char *format, ...)
{
	va_list args;

	failures += !ok;
	print("%s %u ", ok ? "ok" : "not ok", ++checks);
	va_start(args, format);
	print_list(format, args);
	va_end(args);
	print("\n");
	return ok;
}

/** check_end - the plan, and the end of the machine */
void check_end(void)
{
	print("1..%u\n", checks);
	outb(PORT_BOCHS_EXIT, !!failures);
	asm volatile("outl %0, %1" : : "a" (!!failures), "Nd" ((uint16_t)PORT_QEMU_EXIT));
	for (;;)
		asm volatile("cli\n\thlt");
}
