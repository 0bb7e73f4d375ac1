// SPDX-License-Identifier: GPL-2.0-only
/* core/hypapp/pal_desc.c: each rule for itself, each compared with the reference. */
#include <string.h>
#include "unit.h"
#include "pal_desc_ref.h"

#define FLAGS		"unknown flags"
#define SECTIONS	"too many sections, or none"
#define ENTRIES		"too many entry points, or none"
#define TYPE		"a section has an unknown type"
#define WHOLE		"a section is not of whole pages, or too large"
#define HALF		"a section is not in the program's half of the address space"
#define OVERLAP		"two sections overlap"
#define PAGES		"too many pages"
#define NEEDS		"it needs code, one stack, and at most one section for parameters"
#define ADDRESS		"an entry point is not in its code, or the last byte of it"
#define ARGS		"an entry point has too many arguments, or unknown flags"
#define ARG		"an argument has a wrong size or unknown flags"
#define GATES		"a fast PAL needs one gate, others have none"
#define FAST_32		"a PAL of 32-bit code cannot be fast"
#define LOW		"a section of a fast PAL is below 4 GiB"
#define GATE		"the gate is not two pages, or too low"
#define TAKEN		"a section is where the gate has something"
#define POINTER		"an argument of a fast PAL is a pointer"
#define ROOM		"the section for parameters is too small"

#define CODE	0x400000ull	/* of the description that tests start with */
#define DATA	0x402000ull	/* behind the code at once */
#define PARAM	0x500000ull
#define STACK	0x7fff0000ull

static void start(struct latch_pal_desc *desc)
{
	static const struct latch_pal_desc right = {
		.nr_sections = 5,
		.nr_entries = 2,
		.section = {
			{ CODE, 2 * PAGE_SIZE, LATCH_PAL_CODE, 0 },
			{ DATA, PAGE_SIZE, LATCH_PAL_DATA, 0 },
			{ PARAM, PAGE_SIZE, LATCH_PAL_PARAM, 0 },
			{ STACK, PAGE_SIZE, LATCH_PAL_STACK, 0 },
			{ 0x600000, PAGE_SIZE, LATCH_PAL_SHARED, 0 },
		},
		.entry = {
			{ CODE, 3, 0, { { 16, LATCH_PAL_IN }, { 0, 0 }, { 100, LATCH_PAL_OUT } } },
			{ CODE + 0x1234, 1, LATCH_PAL_WIDE,
			  { { 8, LATCH_PAL_IN | LATCH_PAL_OUT } } },
		},
	};

	*desc = right;
}

/* @message: what core must say, NULL: it is right */
static void expect(const struct latch_pal_desc *desc, const char *message)
{
	const char *wrong = pal_desc_check(desc);

	require(!wrong == !message && (!wrong || !strcmp(wrong, message)),
		"core says: %s; it should say: %s", wrong ? wrong : "right",
		message ? message : "right");
	pal_desc_ref_check(desc);
}

static void test_right(void **state)
{
	struct latch_pal_desc desc;

	(void)state;
	start(&desc);
	expect(&desc, NULL);
	desc.flags = LATCH_PAL_32;
	expect(&desc, NULL);
}

#define FIELD(field, value, message) \
	{ #field, offsetof(struct latch_pal_desc, field), \
	  sizeof(((struct latch_pal_desc *)0)->field), value, message }

/* A right description with one other field. */
static const struct edit {
	const char *name;
	size_t offset, size;
	u64 value;
	const char *message;
} edits[] = {
	FIELD(flags, LATCH_PAL_FAST, GATES),
	FIELD(flags, 4, FLAGS),
	FIELD(flags, LATCH_PAL_32 | LATCH_PAL_FAST, FAST_32),
	FIELD(flags, 0x80000001, FLAGS),
	FIELD(reserved, 1, FLAGS),
	FIELD(nr_sections, 0, SECTIONS),
	FIELD(nr_sections, LATCH_PAL_SECTIONS + 1, SECTIONS),
	FIELD(nr_sections, 0xffffffff, SECTIONS),
	FIELD(nr_sections, 4, NULL),
	FIELD(nr_sections, 3, NEEDS),			/* no stack */
	FIELD(nr_sections, 6, TYPE),			/* one of zeros */
	FIELD(nr_entries, 0, ENTRIES),
	FIELD(nr_entries, LATCH_PAL_ENTRIES + 1, ENTRIES),
	FIELD(nr_entries, 0xffffffff, ENTRIES),
	FIELD(nr_entries, 1, NULL),
	FIELD(nr_entries, 3, ADDRESS),			/* one of zeros */
	FIELD(section[1].type, 0, TYPE),
	FIELD(section[4].type, LATCH_PAL_GATE, GATES),
	FIELD(section[4].type, LATCH_PAL_GATE + 1, TYPE),
	FIELD(section[4].type, 0xffffffff, TYPE),
	FIELD(section[0].reserved, 1, TYPE),
	FIELD(section[4].reserved, 0x80000000, TYPE),
	FIELD(section[0].type, LATCH_PAL_DATA, NEEDS),	/* no code */
	FIELD(section[3].type, LATCH_PAL_DATA, NEEDS),	/* no stack */
	FIELD(section[1].type, LATCH_PAL_STACK, NEEDS),	/* two */
	FIELD(section[1].type, LATCH_PAL_PARAM, NEEDS),	/* two */
	FIELD(section[1].type, LATCH_PAL_CODE, NULL),
	FIELD(section[1].type, LATCH_PAL_SHARED, NULL),
	FIELD(section[2].type, LATCH_PAL_DATA, ROOM),	/* none, but arguments */
	FIELD(section[2].start, PARAM + 1, WHOLE),
	FIELD(section[2].start, PARAM - 0x800, WHOLE),
	FIELD(section[2].size, 0, WHOLE),
	FIELD(section[2].size, 1, WHOLE),
	FIELD(section[2].size, PAGE_SIZE - 1, WHOLE),
	FIELD(section[2].size, PAGE_SIZE + 16, WHOLE),
	FIELD(section[2].start, 0, NULL),
	FIELD(entry[0].address, 0, ADDRESS),
	FIELD(entry[0].address, DATA, ADDRESS),
	FIELD(entry[1].address, STACK, ADDRESS),
	FIELD(entry[1].address, ~0ull, ADDRESS),
	FIELD(entry[0].nr_args, LATCH_PAL_ARGS + 1, ARGS),
	FIELD(entry[1].nr_args, 0xffffffff, ARGS),
	FIELD(entry[0].flags, 2, ARGS),
	FIELD(entry[1].flags, 0x80000001, ARGS),
	FIELD(entry[0].arg[0].flags, 0, ARG),		/* a size, but no copy */
	FIELD(entry[0].arg[0].size, 0, ARG),		/* a copy, but no size */
	FIELD(entry[0].arg[1].flags, LATCH_PAL_OUT, ARG),
	FIELD(entry[0].arg[2].flags, 4, ARG),
	FIELD(entry[0].arg[2].flags, 0x80000001, ARG),
	FIELD(entry[0].arg[2].size, 65537, ARG),
	FIELD(entry[0].arg[2].size, 0xffffffff, ARG),	/* rounded up it is 0 */
	FIELD(entry[0].arg[2].size, 65536, ROOM),
	/* What is not counted means nothing. */
	FIELD(entry[0].arg[3].flags, 0xff, NULL),
	FIELD(entry[2].nr_args, 0xff, NULL),
	FIELD(section[5].type, 0xff, NULL),
	FIELD(section[7].start, CODE, NULL),
};

static void test_each_rule(void **state)
{
	struct latch_pal_desc desc;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		unit_context("%s = %#llx", edits[i].name, edits[i].value);
		start(&desc);
		memcpy((u8 *)&desc + edits[i].offset, &edits[i].value, edits[i].size);
		expect(&desc, edits[i].message);
	}
	unit_context("%s", "");
}

/* As many of everything as there may be. */
static void test_full(void **state)
{
	struct latch_pal_desc desc;
	u32 i, j;

	(void)state;
	start(&desc);
	for (i = desc.nr_sections; i < LATCH_PAL_SECTIONS; i++)
		desc.section[i] = (struct latch_pal_section) {
			i * 0x1000000ull, PAGE_SIZE, LATCH_PAL_CODE, 0
		};
	desc.nr_sections = LATCH_PAL_SECTIONS;
	desc.nr_entries = LATCH_PAL_ENTRIES;
	for (i = 0; i < LATCH_PAL_ENTRIES; i++) {
		desc.entry[i] = desc.entry[0];
		desc.entry[i].address = desc.section[5 + i % 3].start + i;
		desc.entry[i].nr_args = LATCH_PAL_ARGS;
		for (j = 0; j < LATCH_PAL_ARGS; j++)
			desc.entry[i].arg[j] = (struct latch_pal_arg) { 600, LATCH_PAL_IN };
	}
	expect(&desc, NULL);
	/* The last of each counts. */
	desc.entry[15].arg[5].flags = 8;
	expect(&desc, ARG);
	desc.entry[15].address = 0;
	expect(&desc, ADDRESS);
	desc.section[7].start = desc.section[6].start;
	expect(&desc, OVERLAP);
}

static void test_section_sizes(void **state)
{
	struct latch_pal_desc desc;

	(void)state;
	start(&desc);
	/* The five sections have six pages; all together may have 256. */
	desc.section[4].size = (LATCH_PAL_PAGES - 5) * PAGE_SIZE;
	expect(&desc, NULL);
	assert_int_equal(pal_desc_pages(&desc), LATCH_PAL_PAGES);
	desc.section[4].size += PAGE_SIZE;
	expect(&desc, PAGES);
	desc.section[4].size = LATCH_PAL_PAGES * PAGE_SIZE;
	expect(&desc, PAGES);
	desc.section[4].size += PAGE_SIZE;
	expect(&desc, WHOLE);
	/* So many pages that a number of 32 bits has only their low part. */
	desc.section[4].size = BIT(32 + 12);
	expect(&desc, WHOLE);
	desc.section[4].size = -(u64)PAGE_SIZE;
	expect(&desc, WHOLE);
	desc.section[4].size = BIT(63);
	expect(&desc, WHOLE);
}

/* Next to each other, then one page too far, from both sides and in any order. */
static void test_overlap(void **state)
{
	static const struct {
		u64 start, size;
		bool overlaps;
	} shared[] = {
		{ PARAM - PAGE_SIZE, PAGE_SIZE, false },
		{ PARAM + PAGE_SIZE, PAGE_SIZE, false },
		{ PARAM, PAGE_SIZE, true },
		{ PARAM - PAGE_SIZE, 2 * PAGE_SIZE, true },
		{ PARAM, 2 * PAGE_SIZE, true },
		{ PARAM - PAGE_SIZE, 3 * PAGE_SIZE, true },
		{ CODE + PAGE_SIZE, PAGE_SIZE, true },		/* inside, at its end */
		{ CODE - 2 * PAGE_SIZE, 2 * PAGE_SIZE, false },
		{ CODE - PAGE_SIZE, 2 * PAGE_SIZE, true },
		{ DATA + PAGE_SIZE, 100 * PAGE_SIZE, false },
		{ STACK - PAGE_SIZE, 2 * PAGE_SIZE, true },
	};
	struct latch_pal_section other;
	struct latch_pal_desc desc;
	u32 i, at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shared); i++) {
		for (at = 0; at < 5; at++) {
			unit_context("sections %u, at %u", i, at);
			start(&desc);
			desc.section[4].start = shared[i].start;
			desc.section[4].size = shared[i].size;
			other = desc.section[at];
			desc.section[at] = desc.section[4];
			desc.section[4] = other;
			expect(&desc, shared[i].overlaps ? OVERLAP : NULL);
		}
	}
	unit_context("%s", "");
}

/* The last page, and all that goes beyond it, also around the end of 64 bits. */
static void test_user_half(void **state)
{
	struct latch_pal_desc desc;
	u64 end, size;
	u32 mode, pages;

	(void)state;
	for (mode = 0; mode < 2; mode++) {
		end = mode ? BIT(32) : BIT(47);
		for (pages = 1; pages <= 100; pages += 33) {
			unit_context("mode %u, %u pages", mode, pages);
			size = pages * PAGE_SIZE;
			start(&desc);
			desc.flags = mode ? LATCH_PAL_32 : 0;
			desc.section[4].size = size;
			desc.section[4].start = end - size;
			expect(&desc, NULL);
			desc.section[4].start = end - size + PAGE_SIZE;
			expect(&desc, HALF);
			desc.section[4].start = end;
			expect(&desc, HALF);
			desc.section[4].start = end - PAGE_SIZE;
			expect(&desc, pages == 1 ? NULL : HALF);
			/* start + size is 0, or a small address. */
			desc.section[4].start = -size;
			expect(&desc, HALF);
			desc.section[4].start = -(u64)PAGE_SIZE;
			expect(&desc, HALF);
			desc.section[4].start = BIT(63);
			expect(&desc, HALF);
		}
	}
	unit_context("%s", "");
}

/* What is right for a program of 64 bits only. */
static void test_user_half_32(void **state)
{
	struct latch_pal_desc desc;

	(void)state;
	start(&desc);
	desc.section[4].start = BIT(32);
	expect(&desc, NULL);
	desc.flags = LATCH_PAL_32;
	expect(&desc, HALF);
	desc.section[4].start = BIT(32) + CODE;
	expect(&desc, HALF);
	desc.section[4].start = BIT(32) - PAGE_SIZE;
	expect(&desc, NULL);
}

static void test_entry_address(void **state)
{
	static const struct {
		u64 address;
		const char *message;
	} places[] = {
		{ CODE, NULL },
		{ CODE - 1, ADDRESS },
		{ CODE + PAGE_SIZE - 1, NULL },
		{ CODE + 2 * PAGE_SIZE - 2, NULL },
		{ CODE + 2 * PAGE_SIZE - 1, ADDRESS },	/* where it resumes */
		{ CODE + 2 * PAGE_SIZE, ADDRESS },
		{ 0x600000, NULL },			/* more code: all of it */
		{ 0x600000 - 1, ADDRESS },
		{ 0x600000 + PAGE_SIZE - 1, NULL },
		{ 0x600000 + PAGE_SIZE, ADDRESS },
		{ CODE + BIT(32), ADDRESS },
		{ CODE + BIT(63), ADDRESS },
	};
	struct latch_pal_desc desc;
	u32 i;

	(void)state;
	start(&desc);
	desc.section[4].type = LATCH_PAL_CODE;
	assert_int_equal(pal_desc_resume(&desc), CODE + 2 * PAGE_SIZE - 1);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		unit_context("address %#llx", places[i].address);
		desc.entry[0].address = CODE;
		desc.entry[1].address = places[i].address;
		expect(&desc, places[i].message);
		desc.entry[0].address = places[i].address;
		expect(&desc, places[i].message);
	}
	unit_context("%s", "");
	/* At the end of all addresses. */
	start(&desc);
	desc.section[0].start = BIT(47) - 2 * PAGE_SIZE;
	desc.entry[0].address = BIT(47) - 2;
	desc.entry[1].address = BIT(47) - 2 * PAGE_SIZE;
	expect(&desc, NULL);
	desc.entry[0].address = BIT(47) - 1;
	expect(&desc, ADDRESS);
	desc.entry[0].address = BIT(47);
	expect(&desc, ADDRESS);
}

/* Arguments of one entry point, all to be copied. */
static void set_args(struct latch_pal_desc *desc, u32 count, const u32 *sizes)
{
	u32 i;

	memset(desc->entry[1].arg, 0, sizeof(desc->entry[1].arg));
	desc->entry[1].nr_args = count;
	for (i = 0; i < count; i++)
		desc->entry[1].arg[i] = (struct latch_pal_arg) {
			sizes[i], sizes[i] ? LATCH_PAL_IN : 0
		};
}

static void test_argument_sizes(void **state)
{
	struct latch_pal_desc desc;

	(void)state;
	start(&desc);
	desc.section[2].size = 40 * PAGE_SIZE;
	set_args(&desc, 2, (const u32[]) { 65536, 65535 });
	expect(&desc, NULL);
	set_args(&desc, 2, (const u32[]) { 65536, 65537 });
	expect(&desc, ARG);
	set_args(&desc, 3, (const u32[]) { 1, 0x80000000, 1 });
	expect(&desc, ARG);
	set_args(&desc, 3, (const u32[]) { 1, 0xfffffff1, 1 });
	expect(&desc, ARG);
	/* An entry without arguments needs no room, nor do numbers. */
	desc.section[2].type = LATCH_PAL_DATA;
	set_args(&desc, 0, NULL);
	desc.entry[0] = desc.entry[1];
	desc.entry[0].address = CODE;
	expect(&desc, NULL);
	set_args(&desc, 6, (const u32[]) { 0, 0, 0, 0, 0, 0 });
	expect(&desc, NULL);
	set_args(&desc, 6, (const u32[]) { 0, 0, 0, 0, 0, 1 });
	expect(&desc, ROOM);
}

/* Each argument begins at 16 bytes: the room of one page, to the byte. */
static void test_room_for_arguments(void **state)
{
	static const struct {
		u32 size[LATCH_PAL_ARGS];
		bool fits;
	} args[] = {
		{ { 4096 }, true },
		{ { 4095 }, true },
		{ { 4081 }, true },
		{ { 4097 }, false },
		{ { 4080, 16 }, true },
		{ { 4080, 15 }, true },
		{ { 4080, 1 }, true },
		{ { 4080, 17 }, false },
		{ { 4081, 1 }, false },
		{ { 4096, 0, 0, 0, 0, 1 }, false },
		{ { 1, 4080 }, true },
		{ { 1, 4081 }, false },
		{ { 1, 1, 1, 1, 1, 4096 - 5 * 16 }, true },
		{ { 1, 1, 1, 1, 1, 4096 - 5 * 16 + 1 }, false },
		{ { 17, 15, 16, 1, 0, 4096 - 5 * 16 }, true },
		{ { 17, 15, 16, 1, 1, 4096 - 5 * 16 }, false },
		{ { 65536, 65536, 65536, 65536, 65536, 65536 }, false },
	};
	struct latch_pal_desc desc;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(args); i++) {
		unit_context("arguments %u", i);
		start(&desc);
		set_args(&desc, LATCH_PAL_ARGS, args[i].size);
		expect(&desc, args[i].fits ? NULL : ROOM);
		/* Entry points share the room: calls come one after the other. */
		desc.entry[0] = desc.entry[1];
		expect(&desc, args[i].fits ? NULL : ROOM);
	}
	unit_context("%s", "");
}

static void test_arg_room(void **state)
{
	static const u32 rooms[][2] = {
		{ 0, 0 }, { 1, 16 }, { 15, 16 }, { 16, 16 }, { 17, 32 }, { 65535, 65536 },
		{ 65536, 65536 }
	};
	struct latch_pal_arg arg = { 0 };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		arg.size = rooms[i][0];
		assert_int_equal(pal_desc_arg_room(&arg), rooms[i][1]);
	}
}

static void test_find(void **state)
{
	struct latch_pal_desc desc;

	(void)state;
	start(&desc);
	assert_null(pal_desc_find(&desc, CODE - 1));
	assert_ptr_equal(pal_desc_find(&desc, CODE), &desc.section[0]);
	assert_ptr_equal(pal_desc_find(&desc, DATA - 1), &desc.section[0]);
	assert_ptr_equal(pal_desc_find(&desc, DATA), &desc.section[1]);
	assert_null(pal_desc_find(&desc, DATA + PAGE_SIZE));
	assert_null(pal_desc_find(&desc, 0));
	assert_null(pal_desc_find(&desc, ~0ull));
	assert_null(pal_desc_find(&desc, CODE + BIT(32)));
	assert_ptr_equal(pal_desc_find_type(&desc, LATCH_PAL_STACK), &desc.section[3]);
	assert_null(pal_desc_find_type(&desc, 0));
	/* Not one that is not counted, and the first of many. */
	desc.nr_sections = 4;
	assert_null(pal_desc_find(&desc, 0x600000));
	assert_null(pal_desc_find_type(&desc, LATCH_PAL_SHARED));
	desc.section[2].type = LATCH_PAL_CODE;
	assert_ptr_equal(pal_desc_find_type(&desc, LATCH_PAL_CODE), &desc.section[0]);
	assert_int_equal(pal_desc_pages(&desc), 5);
}

/* A gate in the place of the parameters, everything high, only numbers */
static void start_fast(struct latch_pal_desc *desc)
{
	u32 i;

	start(desc);
	desc->flags = LATCH_PAL_FAST;
	for (i = 0; i < desc->nr_sections; i++)
		desc->section[i].start += LATCH_PAL_GATE_MIN;
	for (i = 0; i < desc->nr_entries; i++)
		desc->entry[i].address += LATCH_PAL_GATE_MIN;
	memset(desc->entry[0].arg, 0, sizeof(desc->entry[0].arg));
	memset(desc->entry[1].arg, 0, sizeof(desc->entry[1].arg));
	desc->section[2].type = LATCH_PAL_GATE;
	desc->section[2].size = 2 * PAGE_SIZE;
	expect(desc, NULL);
}

/* A fast one with another field, and what core says then */
static void expect_fast(u32 section, u64 begin, u64 size, const char *message)
{
	struct latch_pal_desc desc;

	start_fast(&desc);
	desc.section[section].start = begin;
	desc.section[section].size = size;
	expect(&desc, message);
}

static void test_fast(void **state)
{
	u64 min = LATCH_PAL_GATE_MIN, gate = min + PARAM, two = 2 * PAGE_SIZE;
	struct latch_pal_desc desc;

	(void)state;
	expect_fast(2, min, two, NULL);
	expect_fast(2, min - PAGE_SIZE, two, GATE);
	expect_fast(2, gate, PAGE_SIZE, GATE);
	expect_fast(2, gate, two + PAGE_SIZE, GATE);
	expect_fast(4, BIT(32), PAGE_SIZE, NULL);
	expect_fast(4, BIT(32) - PAGE_SIZE, PAGE_SIZE, LOW);
	expect_fast(4, gate - 0x6f6f7000, PAGE_SIZE, TAKEN);
	expect_fast(4, gate - 0x6f6f7000 - PAGE_SIZE, two, TAKEN);
	expect_fast(4, gate - 0x6f6f7000 + PAGE_SIZE, PAGE_SIZE, NULL);
	expect_fast(4, gate - 0x6f6d7000, PAGE_SIZE, TAKEN);
	expect_fast(4, gate - 0x6f6d7000 - PAGE_SIZE, PAGE_SIZE, NULL);
	start_fast(&desc);
	desc.entry[1].arg[0] = (struct latch_pal_arg) { 8, LATCH_PAL_IN };
	expect(&desc, POINTER);
}

static void test_random(void **state)
{
	(void)state;
	unit_for_seeds(30000, pal_desc_ref_run);
}

static void test_random_any(void **state)
{
	(void)state;
	unit_for_seeds(1000, pal_desc_ref_run_any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_each_rule),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_section_sizes),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_user_half),
		cmocka_unit_test(test_user_half_32),
		cmocka_unit_test(test_entry_address),
		cmocka_unit_test(test_argument_sizes),
		cmocka_unit_test(test_room_for_arguments),
		cmocka_unit_test(test_arg_room),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_fast),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_any),
	};

	return cmocka_run_group_tests_name("pal_desc", tests, NULL, NULL);
}
