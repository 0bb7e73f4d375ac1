// SPDX-License-Identifier: GPL-2.0-only
/* The part of printf() that the log needs. Pure. */
#include "log.h"

struct out {
	char *buf;
	size_t len, size;
};

static void put(struct out *out, char c)
{
	if (out->len < out->size)
		out->buf[out->len++] = c;
}

static void put_text(struct out *out, const char *text)
{
	while (*text)
		put(out, *text++);
}

static void put_number(struct out *out, u64 value, bool negative, u32 base, u32 width, char fill)
{
	char digits[20];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (negative && fill == '0')
		put(out, '-');
	for (; width > n + negative && out->len < out->size; width--)
		put(out, fill);
	if (negative && fill != '0')
		put(out, '-');
	while (n)
		put(out, digits[--n]);
}

static void put_signed(struct out *out, long long value, u32 width, char fill)
{
	put_number(out, value < 0 ? -(u64)value : (u64)value, value < 0, 10, width, fill);
}

/**
 * format_text - format into a buffer; not terminated
 *
 * Return: characters written, at most @size.
 */
size_t format_text(char *buf, size_t size, const char *format, va_list args)
{
	struct out out = { buf, 0, size };
	bool is_long;
	u32 width;
	char fill;

	for (; *format; format++) {
		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format++;
		fill = *format == '0' ? '0' : ' ';
		for (width = 0; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (u32)(*format - '0');
		for (is_long = false; *format == 'l'; format++)
			is_long = true;
		switch (*format) {
		case 's':
			put_text(&out, va_arg(args, const char *));
			break;
		case 'c':
			put(&out, (char)va_arg(args, int));
			break;
		case 'd':
			put_signed(&out, is_long ? va_arg(args, long long) : va_arg(args, int),
				   width, fill);
			break;
		case 'u':
		case 'x':
			put_number(&out, is_long ? va_arg(args, u64) : va_arg(args, u32), false,
				   *format == 'u' ? 10 : 16, width, fill);
			break;
		case '\0':
			return out.len;
		default:
			put(&out, *format);
		}
	}
	return out.len;
}
