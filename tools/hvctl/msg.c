// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the user, on standard error.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hvctl.h"

static void msg_print(const char *prefix, const char *fmt, va_list ap)
{
	fprintf(stderr, "hvctl: %s", prefix);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

/**
 * msg_error() - tell what went wrong
 */
void msg_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	msg_print("", fmt, ap);
	va_end(ap);
}

/**
 * msg_warn() - tell what the user should know
 */
void msg_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	msg_print("warning: ", fmt, ap);
	va_end(ap);
}

/**
 * msg_die() - tell what went wrong, and end
 */
void msg_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	msg_print("", fmt, ap);
	va_end(ap);
	exit(HVCTL_FAIL);
}
