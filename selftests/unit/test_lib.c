// SPDX-License-Identifier: GPL-2.0-only
/* core/lib.c: built with other names, see the Makefile. */
#include <stdlib.h>
#include <string.h>
#include "unit.h"

void *core_memcpy(void *dst, const void *src, size_t len);
void *core_memset(void *dst, int value, size_t len);
int core_memcmp(const void *a, const void *b, size_t len);

#define SIZE	64

static void fill(struct source *source, u8 *buf)
{
	u32 i;

	for (i = 0; i < SIZE; i++)
		buf[i] = (u8)source_take(source, 1);
}

static void copy_and_set(struct source *source)
{
	u8 src[SIZE], got[SIZE], want[SIZE];
	size_t at = source_below(source, SIZE), from = source_below(source, SIZE), len;

	fill(source, src);
	fill(source, got);
	memcpy(want, got, SIZE);
	len = source_below(source, SIZE - (at > from ? at : from) + 1);
	memcpy(want + at, src + from, len);
	require(core_memcpy(got + at, src + from, len) == got + at, "memcpy's result");
	require(!memcmp(got, want, SIZE), "memcpy at %zu, %zu bytes", at, len);
	memset(want + at, (int)at - 300, len);
	require(core_memset(got + at, (int)at - 300, len) == got + at, "memset's result");
	require(!memcmp(got, want, SIZE), "memset at %zu, %zu bytes", at, len);
}

static void test_copy_and_set(void **state)
{
	(void)state;
	unit_for_seeds(5000, copy_and_set);
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void compare(struct source *source)
{
	u8 a[SIZE], b[SIZE];
	size_t len = source_below(source, SIZE + 1);

	fill(source, a);
	memcpy(b, a, SIZE);
	if (source_chance(source, 80))
		b[source_below(source, SIZE)] = (u8)source_take(source, 1);
	require(sign(core_memcmp(a, b, len)) == sign(memcmp(a, b, len)), "%zu bytes", len);
}

static void test_compare(void **state)
{
	(void)state;
	unit_for_seeds(5000, compare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_and_set),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests_name("lib", tests, NULL, NULL);
}
