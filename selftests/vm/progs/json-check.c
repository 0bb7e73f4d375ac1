// SPDX-License-Identifier: GPL-2.0-only
/* json-check: is standard input one JSON value (RFC 8259), or one a line with -l */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *at;

static void __attribute__((noreturn)) bad(const char *what)
{
	fprintf(stderr, "json-check: %s at: %.40s\n", what, at);
	exit(1);
}

static void skip_space(void)
{
	while (*at && strchr(" \t\r\n", *at))
		at++;
}

static void take(const char *text)
{
	if (strncmp(at, text, strlen(text)))
		bad("no value");
	at += strlen(text);
}

static void string(void)
{
	take("\"");
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < ' ')
			bad("bad string");
		if (*at != '\\')
			continue;
		at++;
		if (!*at || !strchr("\"\\/bfnrtu", *at))
			bad("bad escape");
	}
	at++;
}

static void digits(void)
{
	if (!isdigit((unsigned char)*at))
		bad("bad number");
	while (isdigit((unsigned char)*at))
		at++;
}

static void number(void)
{
	at += *at == '-';
	if (*at == '0' && isdigit((unsigned char)at[1]))
		bad("bad number");
	digits();
	if (*at == '.') {
		at++;
		digits();
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '+' || *at == '-';
		digits();
	}
}

static void value(int depth);

static void list(int depth, char end)
{
	at++;
	skip_space();
	if (*at == end) {
		at++;
		return;
	}
	for (;; at++) {
		skip_space();
		if (end == '}') {
			string();
			skip_space();
			take(":");
		}
		value(depth + 1);
		if (*at == end)
			break;
		if (*at != ',')
			bad("no comma");
	}
	at++;
}

static void value(int depth)
{
	if (depth > 64)
		bad("too deep");
	skip_space();
	switch (*at) {
	case '{':
		list(depth, '}');
		break;
	case '[':
		list(depth, ']');
		break;
	case '"':
		string();
		break;
	case 't':
		take("true");
		break;
	case 'f':
		take("false");
		break;
	case 'n':
		take("null");
		break;
	default:
		number();
	}
	skip_space();
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	size_t size = fread(text, 1, sizeof(text) - 1, stdin);
	int lines = argc > 1 && !strcmp(argv[1], "-l"), count = 0;

	at = text;
	if (strlen(text) != size)
		bad("a zero byte");
	do {
		value(0);
		count++;
	} while (lines && *at);
	if (*at)
		bad("something behind the value");
	return count ? 0 : 1;
}
