// SPDX-License-Identifier: GPL-2.0-only
/* core/format.c */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "unit.h"
#include "format_ref.h"
#include "log.h"

static void check(const char *format, u64 a, u64 b)
{
	u64 args[FORMAT_ARGS] = { a, b };
	size_t size;

	for (size = 0; size < 80; size++)
		format_ref_check(format, args, size);
}

static void test_conversions(void **state)
{
	(void)state;
	check("", 0, 0);
	check("plain", 0, 0);
	check("%s", (u64)"text", 0);
	check("[%s][%s]", (u64)"", (u64)"b");
	check("%c%c", 'x', 0);
	check("100%%", 0, 0);
	check("%u %x", 0, 0);
	check("%u %x", 0xffffffff, 0xdeadbeef);
	/* Without l only the low half counts. */
	check("%u %x", 0x1ffffffff, 0x1deadbeef);
	check("%d %d", 2147483647, (u64)-2147483648ll);
	check("%d %d", (u64)-1ll, 0x100000001);
	check("%lu %lx", ~0ull, ~0ull);
	check("%ld %lld", 0x7fffffffffffffff, 0x8000000000000000);
	check("%llu %llx", 10000000000000000000ull, 0x123456789abcdef0);
}

static void test_width(void **state)
{
	(void)state;
	check("[%5u][%5x]", 42, 0xabc);
	check("[%05u][%08x]", 42, 0xabc);
	check("%016llx %016lx", 0, 0xffffffff81000000);
	check("[%1u][%2u]", 100, 100);
	check("[%5d][%5d]", (u64)-42ll, 42);
	check("[%05d][%05d]", (u64)-42ll, 42);
	check("[%020lld][%30lld]", 0x8000000000000000, 0x8000000000000000);
	check("[%3d][%03d]", (u64)-100ll, (u64)-100ll);
}

static void test_ends_in_conversion(void **state)
{
	u64 args[FORMAT_ARGS] = { 0 };
	char buf[16];

	(void)state;
	assert_int_equal(format_ref_text(buf, sizeof(buf), "ab%", args), 2);
	assert_int_equal(format_ref_text(buf, sizeof(buf), "ab%0", args), 2);
	assert_int_equal(format_ref_text(buf, sizeof(buf), "ab%12l", args), 2);
	assert_memory_equal(buf, "ab", 2);
}

/* A width beyond the buffer costs no more than the buffer. */
static void test_huge_width(void **state)
{
	u64 args[FORMAT_ARGS] = { 7 };
	clock_t begin = clock();
	size_t size;
	char buf[8];

	(void)state;
	for (size = 0; size < 128; size++)
		format_ref_check("%2000x", args, size);
	format_ref_check("%1999d", args, 10);
	for (size = 0; size < 8; size++)
		assert_int_equal(format_ref_text(buf, size, "%04000000000x", args), size);
	require(clock() - begin < CLOCKS_PER_SEC, "took %.1f s",
		(double)(clock() - begin) / CLOCKS_PER_SEC);
}

static void test_random(void **state)
{
	(void)state;
	unit_for_seeds(30000, format_ref_run);
}

static void random_any(struct source *source)
{
	u8 bytes[128], chars[] = "%%%0123456789lsdux c";
	struct source input;
	u32 i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = source_chance(source, 10) ? (u8)source_take(source, 1) :
			   (u8)chars[source_below(source, sizeof(chars) - 1)];
	input = source_bytes(bytes, source_below(source, sizeof(bytes)));
	format_ref_run_any(&input);
}

static void test_random_any(void **state)
{
	(void)state;
	unit_for_seeds(20000, random_any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_ends_in_conversion),
		cmocka_unit_test(test_huge_width),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_any),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
