// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <sanitizer/common_interface_defs.h>
#include "unit.h"

void unit_fail(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (*unit_context_text())
		print_error("%s\n", unit_context_text());
	print_error("%s\n", text);
	_fail(file, line);
	abort();
}

/* What a sanitizer found has a seed, too. */
static void print_context(void)
{
	if (*unit_context_text())
		fprintf(stderr, "%s\n", unit_context_text());
}

__attribute__((constructor)) static void context_at_death(void)
{
	__sanitizer_set_death_callback(print_context);
}

static u64 environment(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

void unit_for_seeds(u32 rounds, void (*run)(struct source *source))
{
	u64 seed = environment("SEED", 1), i;
	struct source source;

	rounds = (u32)environment("ROUNDS", rounds);
	printf("# seeds %llu to %llu\n", seed, seed + rounds - 1);
	for (i = 0; i < rounds; i++) {
		source = source_seed(seed + i);
		unit_context("seed %llu", seed + i);
		run(&source);
	}
	unit_context("%s", "");
}
