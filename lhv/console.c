// SPDX-License-Identifier: GPL-2.0-only
/*
 * Console: port 0xE9 of an emulator when there is one, which has no baud rate,
 * otherwise COM1 and the VGA text screen. To scroll that takes longer in an emulator than
 * all else of a line.
 */
#include "lhv.h"

#define PORT_E9		0xe9
#define COM1		0x3f8
#define VGA_TEXT	0xb8000
#define VGA_COLUMNS	80
#define VGA_ROWS	25

static bool has_e9;
static bool use_serial, use_screen;
static u32 vga_column, vga_row;

static void serial_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);	/* 115200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 7);
	outb(COM1 + 4, 3);
}

/* A port without a UART reads as 0xff, so the wait needs an end. */
static void serial_putc(char c)
{
	u32 tries = 1000000;

	while (!(inb(COM1 + 5) & 0x20) && --tries)
		cpu_relax();
	outb(COM1, c);
}

static void vga_newline(void)
{
	u16 *screen = PTR(VGA_TEXT);
	u32 i;

	vga_column = 0;
	if (++vga_row < VGA_ROWS)
		return;
	vga_row = VGA_ROWS - 1;
	memcpy(screen, screen + VGA_COLUMNS, VGA_COLUMNS * (VGA_ROWS - 1) * 2);
	for (i = 0; i < VGA_COLUMNS; i++)
		screen[vga_row * VGA_COLUMNS + i] = 0x0720;
}

static void vga_putc(char c)
{
	u16 *screen = PTR(VGA_TEXT);

	if (c == '\n') {
		vga_newline();
		return;
	}
	if (vga_column == VGA_COLUMNS)
		vga_newline();
	screen[vga_row * VGA_COLUMNS + vga_column++] = 0x0700 | (u8)c;
}

static void console_putc(char c)
{
	if (has_e9)
		outb(PORT_E9, c);
	if (use_serial) {
		if (c == '\n')
			serial_putc('\r');
		serial_putc(c);
	}
	if (use_screen)
		vga_putc(c);
}

/**
 * console_init - find out where the console is
 *
 * Port 0xE9 reads as 0xE9 where an emulator has it. `serial` on the command
 * line asks for COM1 and the screen too.
 */
void console_init(void)
{
	u32 i;

	has_e9 = inb(PORT_E9) == PORT_E9;
	use_serial = !has_e9 || option_has("serial");
	use_screen = use_serial;
	if (use_serial)
		serial_init();
	for (i = 0; use_screen && i < VGA_COLUMNS * VGA_ROWS; i++)
		((u16 *)PTR(VGA_TEXT))[i] = 0x0720;
}

void console_write(const char *s)
{
	while (*s)
		console_putc(*s++);
}

static void print_number(u64 value, u32 base, u32 width, char fill)
{
	char text[24];
	u32 pos = sizeof(text);

	text[--pos] = 0;
	do {
		text[--pos] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (sizeof(text) - 1 - pos < width && pos)
		text[--pos] = fill;
	console_write(text + pos);
}

/* The part of printf() that is used here: %s %c %d %u %x, 0 and width, l and ll. */
static const char *print_one(const char *format, va_list *args)
{
	char fill = ' ';
	u32 width = 0, longs = 0;
	u64 value;

	if (*format == '0')
		fill = *format++;
	while (*format >= '0' && *format <= '9')
		width = width * 10 + (u32)(*format++ - '0');
	while (*format == 'l') {
		longs++;
		format++;
	}
	switch (*format) {
	case 's':
		console_write(va_arg(*args, const char *));
		break;
	case 'c':
		console_putc((char)va_arg(*args, int));
		break;
	case 'd':
		value = longs ? va_arg(*args, u64) : (u64)va_arg(*args, int);
		if ((long long)value < 0) {
			console_putc('-');
			value = -value;
		}
		print_number(value, 10, width, fill);
		break;
	case 'u':
	case 'x':
		value = longs ? va_arg(*args, u64) : va_arg(*args, u32);
		print_number(value, *format == 'x' ? 16 : 10, width, fill);
		break;
	default:
		console_putc(*format);
	}
	return format + 1;
}

void vprint(const char *format, va_list args)
{
	va_list copy;

	va_copy(copy, args);
	while (*format) {
		if (*format == '%')
			format = print_one(format + 1, &copy);
		else
			console_putc(*format++);
	}
	va_end(copy);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}
