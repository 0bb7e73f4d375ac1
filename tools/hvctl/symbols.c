// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's symbols, from /proc/kallsyms.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hvctl.h"

#define SYMBOLS_PATH	"/proc/kallsyms"
#define SYMBOLS_LISTED	16

/* Farther behind a symbol there is something else, of which nothing is known. */
#define SYMBOL_REACH	(1u << 20)

/**
 * address_is_kernel() - it is in the kernel's half
 */
bool address_is_kernel(uint64_t address)
{
	return address >> 63;
}

static int symbols_failed(struct symbols *symbols, const char *why)
{
	symbols_free(symbols);
	snprintf(symbols->error, sizeof(symbols->error), "%s%s", SYMBOLS_PATH, why);
	return -1;
}

static size_t symbols_count_lines(const char *text)
{
	size_t lines = 1;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

/* "ADDRESS TYPE NAME", or "ADDRESS TYPE NAME\t[MODULE]" */
static bool symbol_parse(char *line, struct symbol *symbol)
{
	char *end, *module;

	symbol->address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3])
		return false;
	symbol->name = end + 3;
	symbol->module = NULL;
	module = strpbrk(end + 3, " \t");
	if (!module)
		return true;
	*module++ = '\0';
	module = strchr(module, '[');
	end = module ? strchr(module, ']') : NULL;
	if (end) {
		*end = '\0';
		symbol->module = module + 1;
	}
	return true;
}

static void symbols_parse(struct symbols *symbols)
{
	char *line, *next = symbols->text;

	while ((line = strsep(&next, "\n"))) {
		if (symbol_parse(line, &symbols->symbol[symbols->count]))
			symbols->count++;
	}
}

static bool symbols_are_hidden(const struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->count; i++) {
		if (symbols->symbol[i].address)
			return false;
	}
	return true;
}

/* Of one address: as they are in the file. */
static int symbol_compare(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

/**
 * symbols_load() - read the kernel's symbols; says nothing
 *
 * Return: 0; or -1 where there are none, and the reason is in @symbols->error.
 */
int symbols_load(struct symbols *symbols)
{
	memset(symbols, 0, sizeof(*symbols));
	symbols->text = file_read_all(SYMBOLS_PATH);
	if (!symbols->text) {
		snprintf(symbols->error, sizeof(symbols->error), "%s: %s", SYMBOLS_PATH,
			 strerror(errno));
		return -1;
	}
	symbols->symbol = calloc(symbols_count_lines(symbols->text), sizeof(*symbols->symbol));
	if (!symbols->symbol)
		msg_die("out of memory");
	symbols_parse(symbols);
	if (!symbols->count)
		return symbols_failed(symbols, " has no symbols");
	if (symbols_are_hidden(symbols))
		return symbols_failed(symbols, " has 0 for all addresses; try "
				      "`sysctl kernel.kptr_restrict=1' as root");
	qsort(symbols->symbol, symbols->count, sizeof(*symbols->symbol), symbol_compare);
	return 0;
}

/**
 * symbols_free() - done with the symbols
 */
void symbols_free(struct symbols *symbols)
{
	free(symbols->symbol);
	free(symbols->text);
	memset(symbols, 0, sizeof(*symbols));
}

/**
 * symbols_have() - there is such a symbol of the kernel's own
 */
bool symbols_have(const struct symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->count; i++) {
		if (!symbols->symbol[i].module && !strcmp(symbols->symbol[i].name, name))
			return true;
	}
	return false;
}

/* The next one that is not where the one before it is; NULL behind the last. */
static const struct symbol *symbols_next(const struct symbols *symbols, const char *name,
					 bool kernel_only, const struct symbol *last)
{
	const struct symbol *end = symbols->symbol + symbols->count;
	const struct symbol *at = last ? last : symbols->symbol;

	for (; at < end; at++) {
		if ((last && at->address == last->address) || (kernel_only && at->module))
			continue;
		if (!strcmp(at->name, name))
			return at;
	}
	return NULL;
}

static void symbols_say_ambiguous(const struct symbols *symbols, const char *name)
{
	const struct symbol *at = NULL;
	size_t n = 0;

	msg_error("there are several symbols '%s'; say by an address which one:", name);
	while ((at = symbols_next(symbols, name, false, at))) {
		if (n++ < SYMBOLS_LISTED)
			fprintf(stderr, "  0x%016llx%s%s%s\n", (unsigned long long)at->address,
				at->module ? " [" : "", at->module ? at->module : "",
				at->module ? "]" : "");
	}
	if (n > SYMBOLS_LISTED)
		fprintf(stderr, "  and %zu more\n", n - SYMBOLS_LISTED);
}

/**
 * symbols_find() - the address of a symbol
 * @kernel_only: modules' symbols do not count
 *
 * Return: 0, or -1 after a message: there is none, or more than one.
 */
int symbols_find(const struct symbols *symbols, const char *name, bool kernel_only,
		 uint64_t *address)
{
	const struct symbol *found = symbols_next(symbols, name, kernel_only, NULL);

	if (!found) {
		msg_error("there is no symbol '%s' in %s", name, SYMBOLS_PATH);
		return -1;
	}
	if (symbols_next(symbols, name, kernel_only, found)) {
		symbols_say_ambiguous(symbols, name);
		return -1;
	}
	if (!address_is_kernel(found->address)) {
		msg_error("symbol '%s' is no place in memory, but 0x%llx: of a variable that each "
			  "CPU has?", name, (unsigned long long)found->address);
		return -1;
	}
	*address = found->address;
	return 0;
}

/* The last symbol that is not behind @address; of several the first in the file. */
static const struct symbol *symbols_in_front(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	low--;
	while (low && symbols->symbol[low - 1].address == symbols->symbol[low].address)
		low--;
	return &symbols->symbol[low];
}

/**
 * symbols_describe() - write an address of the kernel's as "symbol+0xoffset [module]"
 *
 * Return: false where it is not near a symbol; @text is "" then.
 */
bool symbols_describe(const struct symbols *symbols, uint64_t address, char text[SYMBOL_TEXT])
{
	const struct symbol *symbol = symbols_in_front(symbols, address);
	char offset[32] = "";

	text[0] = '\0';
	if (!symbol || !address_is_kernel(symbol->address) ||
	    address - symbol->address >= SYMBOL_REACH)
		return false;
	if (address != symbol->address)
		snprintf(offset, sizeof(offset), "+0x%llx",
			 (unsigned long long)(address - symbol->address));
	snprintf(text, SYMBOL_TEXT, "%s%s%s%s%s", symbol->name, offset,
		 symbol->module ? " [" : "", symbol->module ? symbol->module : "",
		 symbol->module ? "]" : "");
	text_make_printable(text);
	return true;
}
