// SPDX-License-Identifier: GPL-2.0-only
/* core/msr_bitmap.c against the layout in SDM vol. 3, 25.6.9. */
#include <string.h>
#include "unit.h"
#include "msr.h"

#define READ_LOW	0
#define READ_HIGH	1024
#define WRITE_LOW	2048
#define WRITE_HIGH	3072

/* Byte of the page where the bit of an MSR is, or -1. */
static int byte_of(u32 msr, enum msr_access access)
{
	if (msr <= 0x1fff)
		return (access == MSR_READ ? READ_LOW : WRITE_LOW) + (int)(msr / 8);
	if (msr >= 0xc0000000 && msr <= 0xc0001fff)
		return (access == MSR_READ ? READ_HIGH : WRITE_HIGH) +
		       (int)((msr & 0x1fff) / 8);
	return -1;
}

/* Beyond the page is nothing that may be touched. */
static u8 *bitmap_new(int fill)
{
	return memset(test_malloc(4096), fill, 4096);
}

static void one_bit(u32 msr, enum msr_access access)
{
	u8 *bitmap = bitmap_new(0);
	int at = byte_of(msr, access), i;

	msr_bitmap_set(bitmap, msr, access);
	for (i = 0; i < 4096; i++)
		require(bitmap[i] == (i == at ? 1 << (msr & 7) : 0), "MSR %#x, access %d: byte %d",
			msr, access, i);
	require(msr_bitmap_test(bitmap, msr, access), "MSR %#x", msr);
	test_free(bitmap);
}

static void test_each_bit(void **state)
{
	static const u32 msrs[] = { 0, 1, 7, 8, 0x1a0, 0x1ffe, 0x1fff, 0xc0000000, 0xc0000001,
				    0xc0000080, 0xc0000103, 0xc0001fff };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		one_bit(msrs[i], MSR_READ);
		one_bit(msrs[i], MSR_WRITE);
	}
	for (i = 0; i < 0x2000; i += 37) {
		one_bit(i, MSR_READ);
		one_bit(0xc0000000 + i, MSR_READ);
		one_bit(i, MSR_WRITE);
		one_bit(0xc0000000 + i, MSR_WRITE);
	}
}

/* Setting all of one quarter fills that quarter and no other. */
static void quarter(u32 first, enum msr_access access, int offset)
{
	u8 *bitmap = bitmap_new(0);
	u32 msr;
	int i;

	for (msr = first; msr < first + 0x2000; msr++)
		msr_bitmap_set(bitmap, msr, access);
	for (i = 0; i < 4096; i++)
		require(bitmap[i] == (i >= offset && i < offset + 1024 ? 0xff : 0), "byte %d", i);
	test_free(bitmap);
}

static void test_quarters(void **state)
{
	(void)state;
	quarter(0, MSR_READ, READ_LOW);
	quarter(0xc0000000, MSR_READ, READ_HIGH);
	quarter(0, MSR_WRITE, WRITE_LOW);
	quarter(0xc0000000, MSR_WRITE, WRITE_HIGH);
}

static void test_outside_always_exits(void **state)
{
	static const u32 msrs[] = { 0x2000, 0x2001, 0x3fff, 0x4b564d00, 0x7fffffff, 0x80000000,
				    0xbfffffff, 0xc0002000, 0xc0010000, 0xc0010131, 0xffffffff };
	u8 *bitmap = bitmap_new(0), *zeros = bitmap_new(0);
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_true(msr_bitmap_test(bitmap, msrs[i], MSR_READ));
		assert_true(msr_bitmap_test(bitmap, msrs[i], MSR_WRITE));
		msr_bitmap_set(bitmap, msrs[i], MSR_READ);
		msr_bitmap_set(bitmap, msrs[i], MSR_WRITE);
		assert_memory_equal(bitmap, zeros, 4096);
	}
	test_free(bitmap);
	test_free(zeros);
}

/* Random bits, read back by the layout and by core. */
static void random_bits(struct source *source)
{
	u8 *bitmap = bitmap_new(0);
	enum msr_access access;
	u32 i, msr;
	int at;

	for (i = 0; i < 4096; i++)
		bitmap[i] = (u8)source_take(source, 1);
	for (i = 0; i < 2000; i++) {
		msr = (u32)source_below(source, 0x2100) +
		      (source_chance(source, 50) ? 0xc0000000 : 0);
		access = source_chance(source, 50) ? MSR_READ : MSR_WRITE;
		at = byte_of(msr, access);
		require(msr_bitmap_test(bitmap, msr, access) ==
			(at < 0 || bitmap[at] & 1 << (msr & 7)), "MSR %#x, access %d", msr, access);
	}
	test_free(bitmap);
}

static void test_random_bits(void **state)
{
	(void)state;
	unit_for_seeds(50, random_bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_quarters),
		cmocka_unit_test(test_outside_always_exits),
		cmocka_unit_test(test_random_bits),
	};

	return cmocka_run_group_tests_name("msr_bitmap", tests, NULL, NULL);
}
