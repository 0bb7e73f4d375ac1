// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command-line options: what all commands have in common.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hvctl.h"

/**
 * opt_print_help() - `hvctl COMMAND --help`
 */
void opt_print_help(const struct command *cmd)
{
	printf("Usage: hvctl %s %s\n\n%s\n", cmd->name, cmd->synopsis, cmd->help);
}

static void opt_usage_exit(const struct command *cmd)
{
	fprintf(stderr, "Try `hvctl %s --help'.\n", cmd->name);
	exit(HVCTL_USAGE);
}

/**
 * opt_usage_error() - tell what is wrong with the command line, and end
 */
void opt_usage_error(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "hvctl %s: ", cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	opt_usage_exit(cmd);
	abort();
}

/**
 * opt_next() - getopt_long() that does --help and wrong options itself
 */
int opt_next(const struct command *cmd, int argc, char **argv, const char *shorts,
	     const struct option *longs)
{
	int opt = getopt_long(argc, argv, shorts, longs, NULL);

	if (opt == 'h') {
		opt_print_help(cmd);
		exit(output_close());
	}
	/* getopt has said already what is wrong */
	if (opt == '?')
		opt_usage_exit(cmd);
	return opt;
}

/**
 * opt_no_operands() - end with an error if there are operands left
 */
void opt_no_operands(const struct command *cmd, int argc, char **argv)
{
	if (optind < argc)
		opt_usage_error(cmd, "unexpected operand '%s'", argv[optind]);
}

/**
 * opt_number() - decimal number of an option; ends with an error if it is none
 */
uint64_t opt_number(const struct command *cmd, const char *what, const char *text,
		    uint64_t min, uint64_t max)
{
	unsigned long long val;
	char *end;

	errno = 0;
	val = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || val < min || val > max)
		opt_usage_error(cmd, "%s: '%s' is not a number from %llu to %llu", what, text,
				(unsigned long long)min, (unsigned long long)max);
	return val;
}

/**
 * opt_seconds() - time span of an option; ends with an error if it is none
 */
double opt_seconds(const struct command *cmd, const char *what, const char *text)
{
	double val;
	char *end;

	val = strtod(text, &end);
	/* Written so that NaN is an error, too. */
	if (end == text || *end || !(val >= 0.1 && val <= 86400))
		opt_usage_error(cmd, "%s: '%s' is not a number of seconds from 0.1 to 86400",
				what, text);
	return val;
}

/**
 * number_parse() - read a number, decimal or with 0x in front hexadecimal
 *
 * Return: false where @text is no such number, or too large.
 */
bool number_parse(const char *text, uint64_t *val)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;

	if (hex)
		text += 2;
	/* strtoull() would take blanks, signs, and 0x again */
	if (!isxdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
		return false;
	errno = 0;
	*val = strtoull(text, &end, hex ? 16 : 10);
	return !*end && !errno;
}
