/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests and fuzzers share: a way to fail, and a source of input. */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <stdarg.h>
#include "types.h"

/**
 * unit_fail - end this test, or this fuzzer, as failed
 *
 * Prints the message and what unit_context() said last.
 */
void unit_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void unit_context(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *unit_context_text(void);

#define require(condition, ...) \
	do { \
		if (!(condition)) \
			unit_fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/**
 * struct source - decisions: either bytes that a fuzzer chose or random ones
 * @data: bytes, NULL for random ones; zeros when they are used up
 * @len: bytes left
 * @state: of the generator
 */
struct source {
	const u8 *data;
	size_t len;
	u64 state;
};

static inline struct source source_bytes(const u8 *data, size_t len)
{
	/* A fuzzer's empty input is NULL. */
	return (struct source) { .data = data ? data : (const u8 *)"", .len = len };
}

static inline struct source source_seed(u64 seed)
{
	return (struct source) { .state = seed };
}

u64 source_take(struct source *source, u32 bytes);
/** source_below - a number in [0, @limit) */
u64 source_below(struct source *source, u64 limit);
/** source_chance - true in @percent of 100 cases */
bool source_chance(struct source *source, u32 percent);
bool source_at_end(const struct source *source);

#endif
