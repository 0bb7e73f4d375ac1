// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "format_ref.h"
#include "log.h"

#define TEXT	2048

/*
 * Each integer and pointer argument takes one slot of 8 bytes (System V ABI for
 * x86-64), so the same call passes whatever the format wants.
 */
#define SLOTS(a) (a)[0], (a)[1], (a)[2], (a)[3], (a)[4], (a)[5], (a)[6], (a)[7]

static size_t format_core(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = format_text(buf, size, format, args);
	va_end(args);
	return len;
}

static size_t format_libc(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(buf, size, format, args);
	va_end(args);
	require(len >= 0 && (size_t)len < size, "\"%s\" is too long for the test", format);
	return (size_t)len;
}

size_t format_ref_text(char *buf, size_t size, const char *format, const u64 *args)
{
	return format_core(buf, size, format, SLOTS(args));
}

void format_ref_check(const char *format, const u64 *args, size_t size)
{
	/* Exactly as large as core is told: what is written behind it is seen. */
	char *got = malloc(size ? size : 1), want[TEXT];
	size_t got_len, want_len;

	require(got, "no memory");
	memset(got, '~', size ? size : 1);
	want_len = format_libc(want, sizeof(want), format, SLOTS(args));
	if (want_len > size)
		want_len = size;
	got_len = format_core(got, size, format, SLOTS(args));
	require(got_len == want_len && !memcmp(got, want, want_len),
		"\"%s\", size %zu: \"%.*s\" instead of \"%.*s\"", format, size, (int)got_len, got,
		(int)want_len, want);
	require(want_len == size || got[want_len] == '~', "\"%s\": writes on", format);
	free(got);
}

static u64 any_number(struct source *source)
{
	static const u64 numbers[] = { 0, 1, 9, 10, 0x7fffffff, 0x80000000, 0xffffffff,
				       0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~9ull };

	if (source_chance(source, 50))
		return numbers[source_below(source, ARRAY_SIZE(numbers))];
	return source_take(source, 8) >> source_below(source, 64);
}

/* %u %d %x with a width, zeros and l; returns the bytes written. */
static int add_number(struct source *source, char *at)
{
	char width[12] = "";

	if (source_chance(source, 60))
		sprintf(width, "%s%u", source_chance(source, 50) ? "0" : "",
			1 + (u32)source_below(source, 30));
	return sprintf(at, "%%%s%s%c", width, (const char *[]) { "", "l", "ll" }
		       [source_below(source, 3)], "udx"[source_below(source, 3)]);
}

static int add_literal(struct source *source, char *at)
{
	u32 len = (u32)source_below(source, 12), i;

	for (i = 0; i < len; i++) {
		at[i] = (char)source_take(source, 1);
		if (at[i] == '%' || !at[i])
			at[i] = ' ';
	}
	return (int)len;
}

void format_ref_run(struct source *source)
{
	static const char * const strings[] = { "", "a", "core", "100%d", "\xff\x01" };
	u64 args[FORMAT_ARGS] = { 0 };
	char format[256], *at = format;
	u32 arg = 0;

	while (arg < FORMAT_ARGS && !source_at_end(source) && !source_chance(source, 10)) {
		at += add_literal(source, at);
		switch (source_below(source, 5)) {
		case 0:
			at += sprintf(at, "%%s");
			args[arg++] = (u64)strings[source_below(source, ARRAY_SIZE(strings))];
			break;
		case 1:
			at += sprintf(at, "%%c");
			args[arg++] = source_take(source, 1);
			break;
		case 2:
			at += sprintf(at, "%%%%");
			break;
		default:
			at += add_number(source, at);
			args[arg++] = any_number(source);
		}
		if (at > format + sizeof(format) - 64)
			break;
	}
	*at = '\0';
	format_ref_check(format, args, source_below(source, 256));
}

void format_ref_run_any(struct source *source)
{
	u64 args[FORMAT_ARGS];
	char format[256], *got;
	size_t size = source_below(source, 120), len;
	u32 i, conversions = 0;

	for (i = 0; i < FORMAT_ARGS; i++)
		args[i] = (u64)"text";
	for (i = 0; i < sizeof(format) - 1 && !source_at_end(source); i++) {
		format[i] = (char)source_take(source, 1);
		/* More arguments than there are would not be the format's fault. */
		if (format[i] == '%' && ++conversions > FORMAT_ARGS)
			format[i] = ' ';
	}
	format[i] = '\0';
	got = malloc(size ? size : 1);
	require(got, "no memory");
	len = format_core(got, size, format, SLOTS(args));
	require(len <= size, "%zu bytes in a buffer of %zu", len, size);
	free(got);
}
