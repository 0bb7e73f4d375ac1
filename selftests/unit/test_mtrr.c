// SPDX-License-Identifier: GPL-2.0-only
/* core/mtrr.c, and what is pure of core/mtrr_msr.c. */
#include <stdio.h>
#include <time.h>
#include "unit.h"
#include "mtrr_ref.h"

#define G	SIZE_1G
#define M(n)	((n) * 0x100000ull)
#define UC	MTRR_TYPE_UC
#define WC	MTRR_TYPE_WC
#define WT	MTRR_TYPE_WT
#define WP	MTRR_TYPE_WP
#define WB	MTRR_TYPE_WB
#define MIXED	255

static void expect(const struct mtrr_state *mtrr, u64 start, u64 size, u8 type)
{
	u8 got = 99, ref = 99;
	bool uniform = mtrr_range_type(mtrr, start, size, &got);

	require(uniform == (type != MIXED), "%#llx + %#llx: uniform is %d", start, size, uniform);
	require(type == MIXED || got == type, "%#llx + %#llx: type %u, should be %u", start, size,
		got, type);
	/* What a test expects must be what the reference says. */
	if (size <= G)
		require(mtrr_ref_range(mtrr, start, size, &ref) == uniform && ref == got,
			"%#llx + %#llx: reference has type %u", start, size, ref);
}

static void test_disabled(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 39, WB);
	mtrr_add(&mtrr, 0, G, WT);
	mtrr_set_fixed(&mtrr, 0, 0x0606060606060606ull);
	mtrr.def_type &= ~MTRR_DEF_ENABLE;
	expect(&mtrr, 0, 4 * G, UC);
}

static void test_default_types(void **state)
{
	static const u8 types[] = { UC, WC, WT, WP, WB };
	struct mtrr_state mtrr;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		mtrr_set_none(&mtrr, 52, types[i]);
		expect(&mtrr, 0, BIT(52), types[i]);
	}
	for (i = 0; i < 256; i++) {
		mtrr_set_none(&mtrr, 36, (u8)i);
		expect(&mtrr, 0, PAGE_SIZE, i == 2 || i == 3 || i > 6 ? UC : (u8)i);
	}
}

static void test_fixed_ranges(void **state)
{
	struct mtrr_state mtrr;
	u32 reg, byte;
	u64 start, step;

	(void)state;
	for (reg = 0; reg < MTRR_FIXED_REGS; reg++)
		for (byte = 0; byte < 8; byte++) {
			step = reg == 0 ? 0x10000 : reg < 3 ? 0x4000 : 0x1000;
			start = reg == 0 ? 0 : reg < 3 ? 0x80000 + (reg - 1) * 0x20000 :
				0xc0000 + (reg - 3) * 0x8000;
			start += byte * step;
			mtrr_set_none(&mtrr, 36, WB);
			mtrr_set_fixed(&mtrr, reg, (u64)WT << 8 * byte);
			expect(&mtrr, start, step, WT);
			if (start)
				expect(&mtrr, start - 0x1000, 0x1000, UC);
			expect(&mtrr, start + step, 0x1000, start + step == M(1) ? WB : UC);
			expect(&mtrr, start, step + 0x1000, MIXED);
			/* Not enabled, or not there: as if it were not written. */
			mtrr.def_type &= ~MTRR_DEF_FIXED_ENABLE;
			expect(&mtrr, 0, M(2), WB);
			mtrr.def_type |= MTRR_DEF_FIXED_ENABLE;
			mtrr.has_fixed = 0;
			expect(&mtrr, 0, M(2), WB);
		}
}

/* Fixed ranges go before variable ones, even before UC. */
static void test_fixed_first(void **state)
{
	struct mtrr_state mtrr;
	u32 reg;

	(void)state;
	mtrr_set_none(&mtrr, 36, WB);
	mtrr_add(&mtrr, 0, M(2), UC);
	for (reg = 0; reg < MTRR_FIXED_REGS; reg++)
		mtrr_set_fixed(&mtrr, reg, 0x0606060606060606ull);
	expect(&mtrr, 0, M(1), WB);
	expect(&mtrr, M(1), M(1), UC);
	expect(&mtrr, 0, M(2), MIXED);
	expect(&mtrr, M(2), G, WB);
	mtrr_set_fixed(&mtrr, 5, 0x0306060606060606ull);
	expect(&mtrr, 0xd7000, 0x1000, UC);
}

static void test_overlaps(void **state)
{
	static const struct {
		u8 a, b, result;
	} pairs[] = {
		{ UC, UC, UC }, { UC, WC, UC }, { UC, WT, UC }, { UC, WP, UC }, { UC, WB, UC },
		{ WC, WC, WC }, { WT, WT, WT }, { WP, WP, WP }, { WB, WB, WB }, { WT, WB, WT },
		/* Undefined there; UC here. */
		{ WC, WT, UC }, { WC, WP, UC }, { WC, WB, UC }, { WT, WP, UC }, { WP, WB, UC },
		/* A reserved type. */
		{ 2, WB, UC }, { 3, 3, UC }, { 7, WT, UC }, { 0x86, WB, UC },
	};
	struct mtrr_state mtrr;
	u32 i, swap;

	(void)state;
	for (i = 0; i < 2 * ARRAY_SIZE(pairs); i++) {
		swap = i & 1;
		mtrr_set_none(&mtrr, 36, WB);
		mtrr_add(&mtrr, 0, 2 * G, swap ? pairs[i / 2].b : pairs[i / 2].a);
		mtrr_add(&mtrr, G, G, swap ? pairs[i / 2].a : pairs[i / 2].b);
		expect(&mtrr, G, G, pairs[i / 2].result);
		expect(&mtrr, 2 * G, G, WB);
	}
	/* Three at once, in each order that matters. */
	mtrr_set_none(&mtrr, 36, UC);
	mtrr_add(&mtrr, 0, G, WB);
	mtrr_add(&mtrr, 0, M(512), WT);
	mtrr_add(&mtrr, 0, M(256), WB);
	mtrr_add(&mtrr, 0, M(128), UC);
	expect(&mtrr, M(512), M(512), WB);
	expect(&mtrr, M(128), M(384), WT);
	expect(&mtrr, 0, M(128), UC);
	expect(&mtrr, G, G, UC);
}

static void test_invalid_register(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 36, WB);
	mtrr_add(&mtrr, G, G, UC);
	mtrr.mask[0] &= ~BIT(11);
	expect(&mtrr, 0, 4 * G, WB);
	expect(&mtrr, G, G, WB);
	/* Behind the last register that the CPU has. */
	mtrr.mask[0] |= BIT(11);
	mtrr.nr_variable = 0;
	expect(&mtrr, 0, 4 * G, WB);
	expect(&mtrr, G, G, WB);
}

/* Bits that are no address bits of this CPU match nothing and hinder nothing. */
static void test_bits_beyond_the_width(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 36, WB);
	mtrr_add(&mtrr, G, G, UC);
	mtrr.base[0] |= BIT(40);
	mtrr.mask[0] |= ~0ull << 36;
	expect(&mtrr, G, G, UC);
	expect(&mtrr, 2 * G, G, WB);
	expect(&mtrr, 0, 2 * G, MIXED);
}

static void test_mask_with_holes(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 36, WB);
	/* Bits 13 and 20 to 35 count: page 2 and 3 of 4, in the second MiB. */
	mtrr.nr_variable = 1;
	mtrr.base[0] = M(1) | 0x2000 | WC;
	mtrr.mask[0] = ((BIT(36) - M(1)) & ~0ull) | 0x2000 | BIT(11);
	expect(&mtrr, 0, M(1), WB);
	expect(&mtrr, M(1), 0x2000, WB);
	expect(&mtrr, M(1) + 0x2000, 0x2000, WC);
	expect(&mtrr, M(1), 0x4000, MIXED);
	expect(&mtrr, M(2) - 0x2000, 0x2000, WC);
	expect(&mtrr, M(2), G, WB);
	/* The highest bit left out: the range is there twice. */
	mtrr.base[0] = G | UC;
	mtrr.mask[0] = (BIT(35) - G) | BIT(11);
	expect(&mtrr, G, G, UC);
	expect(&mtrr, BIT(35) + G, G, UC);
	expect(&mtrr, BIT(35), G, WB);
	/* A mask of nothing is all of memory. */
	mtrr.mask[0] = BIT(11);
	expect(&mtrr, 0, BIT(36), UC);
}

static void test_top_of_memory(void **state)
{
	static const u32 widths[] = { 36, 39, 46, 52 };
	struct mtrr_state mtrr;
	u64 top;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(widths); i++) {
		top = BIT(widths[i]);
		mtrr_set_none(&mtrr, widths[i], WB);
		mtrr_add(&mtrr, top - M(2), M(2), UC);
		expect(&mtrr, top - M(2), M(2), UC);
		expect(&mtrr, top - 0x1000, 0x1000, UC);
		expect(&mtrr, top - M(4), M(2), WB);
		expect(&mtrr, top - M(4), M(4), MIXED);
		expect(&mtrr, 0, top, MIXED);
		expect(&mtrr, 0, top - M(2), WB);
	}
}

/* QEMU with 6 GiB: SeaBIOS has WB as default, one UC range for the PCI hole. */
static void test_layout_qemu(void **state)
{
	struct mtrr_state mtrr;
	u32 reg;

	(void)state;
	mtrr_set_none(&mtrr, 40, WB);
	for (reg = 0; reg < 3; reg++)
		mtrr_set_fixed(&mtrr, reg, reg < 2 ? 0x0606060606060606ull : 0);
	for (; reg < MTRR_FIXED_REGS; reg++)
		mtrr_set_fixed(&mtrr, reg, 0x0505050505050505ull);
	mtrr_add(&mtrr, 3 * G, G, UC);
	expect(&mtrr, 0, 0xa0000, WB);
	expect(&mtrr, 0xa0000, 0x20000, UC);
	expect(&mtrr, 0xc0000, 0x40000, WP);
	expect(&mtrr, M(1), M(1), WB);
	expect(&mtrr, 0, M(2), MIXED);
	expect(&mtrr, M(2), 3 * G - M(2), WB);
	expect(&mtrr, 3 * G, G, UC);
	expect(&mtrr, 4 * G, 3 * G, WB);
}

/* Bochs with 256 MiB: UC as default, WB for RAM. */
static void test_layout_bochs(void **state)
{
	struct mtrr_state mtrr;
	u32 reg;

	(void)state;
	mtrr_set_none(&mtrr, 40, UC);
	for (reg = 0; reg < MTRR_FIXED_REGS; reg++)
		mtrr_set_fixed(&mtrr, reg, reg == 2 ? 0 : 0x0606060606060606ull);
	mtrr_add(&mtrr, 0, M(256), WB);
	expect(&mtrr, 0, 0xa0000, WB);
	expect(&mtrr, 0xa0000, 0x20000, UC);
	expect(&mtrr, 0xc0000, M(256) - 0xc0000, WB);
	expect(&mtrr, M(256), 4 * G - M(256), UC);
	expect(&mtrr, 0, G, MIXED);
}

/* 8 GiB, the top of low memory pieced together, a framebuffer made WC by the OS. */
static void test_layout_laptop(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 36, UC);
	mtrr_add(&mtrr, 0, 2 * G, WB);
	mtrr_add(&mtrr, 2 * G, M(512), WB);
	mtrr_add(&mtrr, 0x9c000000, M(64), UC);	/* stolen memory */
	mtrr_add(&mtrr, 0x9b800000, M(8), UC);
	mtrr_add(&mtrr, 4 * G, 4 * G, WB);
	mtrr_add(&mtrr, 8 * G, M(512), WB);
	mtrr_add(&mtrr, 0xc0000000, M(256), WC);
	expect(&mtrr, 0, 0x9b800000, WB);
	expect(&mtrr, 0x9b800000, M(72), UC);
	expect(&mtrr, 0x9b800000, 0xc0000000 - 0x9b800000, UC);
	expect(&mtrr, 2 * G, M(512), MIXED);
	expect(&mtrr, 0xc0000000, M(256), WC);
	expect(&mtrr, 0xd0000000, M(512), UC);
	expect(&mtrr, 4 * G, 4 * G + M(512), WB);
	expect(&mtrr, 8 * G + M(512), G, UC);
}

/* 1.5 TiB: WB as default, UC from 2 GiB to 4 GiB and for 64-bit MMIO at the top. */
static void test_layout_server(void **state)
{
	struct mtrr_state mtrr;

	(void)state;
	mtrr_set_none(&mtrr, 46, WB);
	mtrr_add(&mtrr, 2 * G, 2 * G, UC);
	mtrr_add(&mtrr, BIT(45), BIT(45), UC);
	expect(&mtrr, 0, 2 * G, WB);
	expect(&mtrr, 2 * G, 2 * G, UC);
	expect(&mtrr, 4 * G, 1536 * G, WB);
	expect(&mtrr, BIT(45) - G, G, WB);
	expect(&mtrr, BIT(45), BIT(45), UC);
}

/*
 * The work is bound to the number of registers, not to how small their ranges
 * are: else one write of an MTRR by the guest keeps root mode busy for long.
 */
static void test_cost(void **state)
{
	struct mtrr_state mtrr;
	clock_t begin = clock();
	u32 i;
	u64 gpa;
	u8 type;

	(void)state;
	mtrr_set_none(&mtrr, 46, WB);
	for (i = 0; i < 32; i++)
		mtrr_add(&mtrr, 0x10000000 + i * 0x2000, 0x1000, UC);
	for (gpa = G; gpa < 4096 * G; gpa += G)
		assert_true(mtrr_range_type(&mtrr, gpa, G, &type));
	require(clock() - begin < CLOCKS_PER_SEC, "4 TiB took %.1f s",
		(double)(clock() - begin) / CLOCKS_PER_SEC);
}

/* Places where the type changes, by any register. */
static u64 random_start(const struct mtrr_state *mtrr, struct source *source)
{
	u64 addr = source_take(source, 8);
	u32 i;

	if (mtrr->nr_variable && source_chance(source, 60)) {
		i = (u32)source_below(source, mtrr->nr_variable);
		addr = mtrr->base[i];
		if (source_chance(source, 50))
			addr += ~mtrr->mask[i] & mtrr->phys_mask;
		addr += (source_below(source, 64) - 32) * PAGE_SIZE;
	} else if (source_chance(source, 40)) {
		addr %= 0x110000;
	}
	return addr & mtrr->phys_mask & PAGE_MASK;
}

static void compare_range(const struct mtrr_state *mtrr, u64 start, u64 size)
{
	bool uniform, ref_uniform;
	u8 type = 99, ref = 99;

	if (start + size > mtrr->phys_mask + 1)
		size = mtrr->phys_mask + 1 - start;
	uniform = mtrr_range_type(mtrr, start, size, &type);
	ref_uniform = mtrr_ref_range(mtrr, start, size, &ref);
	require(uniform == ref_uniform && type == ref,
		"%#llx + %#llx: uniform %d, type %u; by brute force %d, %u", start, size, uniform,
		type, ref_uniform, ref);
}

static void random_small(struct source *source)
{
	static const u64 sizes[] = { 0x1000, 0x2000, 0x10000, 0x100000, SIZE_2M };
	struct mtrr_state mtrr;
	u64 start, size;
	u32 i;

	mtrr_set_random(&mtrr, 32 + (u32)source_below(source, 21), source);
	for (i = 0; i < 8; i++) {
		size = sizes[source_below(source, ARRAY_SIZE(sizes))];
		start = random_start(&mtrr, source);
		if (source_chance(source, 50))
			start &= -size;
		compare_range(&mtrr, start, size);
	}
}

static void random_large(struct source *source)
{
	struct mtrr_state mtrr;

	mtrr_set_random(&mtrr, 32 + (u32)source_below(source, 21), source);
	compare_range(&mtrr, random_start(&mtrr, source) & -G, G);
	compare_range(&mtrr, 0, M(32));
}

static void test_random_small(void **state)
{
	(void)state;
	unit_for_seeds(8000, random_small);
}

static void test_random_large(void **state)
{
	(void)state;
	unit_for_seeds(250, random_large);
}

static void test_fixed_msrs(void **state)
{
	static const u32 msrs[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d,
				    0x26e, 0x26f };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_int_equal(mtrr_fixed_msr(i), msrs[i]);
}

/* SDM vol. 3, 12.11.2: which MSRs there are, by IA32_MTRRCAP. */
static void test_is_msr(void **state)
{
	struct mtrr_state mtrr = { 0 };
	bool is_fixed, is_variable;
	u32 msr;

	(void)state;
	for (mtrr.nr_variable = 0; mtrr.nr_variable <= 32; mtrr.nr_variable++)
		for (mtrr.has_fixed = 0; mtrr.has_fixed < 2; mtrr.has_fixed++)
			for (msr = 0; msr < 0x1000; msr++) {
				is_fixed = msr == 0x250 || msr == 0x258 || msr == 0x259 ||
					   (msr >= 0x268 && msr <= 0x26f);
				is_variable = msr >= 0x200 && msr < 0x200 + 2 * mtrr.nr_variable;
				require(mtrr_is_msr(&mtrr, msr) ==
					((is_fixed && mtrr.has_fixed) || is_variable ||
					 msr == 0x2ff), "MSR %#x", msr);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disabled),
		cmocka_unit_test(test_default_types),
		cmocka_unit_test(test_fixed_ranges),
		cmocka_unit_test(test_fixed_first),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_invalid_register),
		cmocka_unit_test(test_bits_beyond_the_width),
		cmocka_unit_test(test_mask_with_holes),
		cmocka_unit_test(test_top_of_memory),
		cmocka_unit_test(test_layout_qemu),
		cmocka_unit_test(test_layout_bochs),
		cmocka_unit_test(test_layout_laptop),
		cmocka_unit_test(test_layout_server),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_random_small),
		cmocka_unit_test(test_random_large),
		cmocka_unit_test(test_fixed_msrs),
		cmocka_unit_test(test_is_msr),
	};

	return cmocka_run_group_tests_name("mtrr", tests, NULL, NULL);
}
