// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include "check.h"

static char context[256];

void unit_context(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
}

const char *unit_context_text(void)
{
	return context;
}

/* SplitMix64: any seed, 0 too, gives a good sequence. */
static u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u64 source_take(struct source *source, u32 bytes)
{
	u64 value = 0;
	u32 i;

	if (!source->data)
		return random_next(&source->state) & (~0ull >> (64 - 8 * bytes));
	for (i = 0; i < bytes && source->len; i++, source->len--)
		value |= (u64)*source->data++ << 8 * i;
	return value;
}

u64 source_below(struct source *source, u64 limit)
{
	u32 bytes = 1;

	while (bytes < 8 && limit > 1ull << 8 * bytes)
		bytes++;
	return source_take(source, bytes) % limit;
}

bool source_chance(struct source *source, u32 percent)
{
	return source_below(source, 100) < percent;
}

bool source_at_end(const struct source *source)
{
	return source->data && !source->len;
}
