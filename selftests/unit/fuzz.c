// SPDX-License-Identifier: GPL-2.0-only
/* How a fuzzer fails: libFuzzer sees the abort and keeps the input. */
#include <stdio.h>
#include <stdlib.h>
#include "check.h"

void unit_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: %s: ", file, line, unit_context_text());
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
