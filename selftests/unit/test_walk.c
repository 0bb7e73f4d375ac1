// SPDX-License-Identifier: GPL-2.0-only
/* core/walk.c: one rule after another, then random tables against walk_ref.c. */
#include <string.h>
#include "unit.h"
#include "walk_ref.h"
#include "x86.h"

#define P	1ull
#define W	2ull
#define U	4ull
#define A	0x20ull
#define D	0x40ull
#define PS	0x80ull
#define NX	(1ull << 63)
#define FRAME(i)	(GUEST_BASE + (i) * 4096ull)
#define LINEAR	0x7fc0201000ull		/* entry 0xff, 0x100, 1, 1 */
#define ROOM	(1ull << 36)
#define CODE	PF_FETCH

/* A guest in 4-level paging whose one page is reached through four frames. */
static struct guest_paging p;
static u64 at[4];

static void setup(u64 rights)
{
	u64 index[4] = { LINEAR >> 39 & 511, LINEAR >> 30 & 511, LINEAR >> 21 & 511, LINEAR >> 12 & 511 };
	u32 i;

	memset(&guest_memory, 0, sizeof(guest_memory));
	p = (struct guest_paging) {
		.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = FRAME(0), .cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA | EFER_NXE, .phys_mask = ROOM - 4096, .has_1g = true,
	};
	for (i = 0; i < 4; i++) {
		at[i] = FRAME(i) + 8 * index[i];
		guest_memory_write(at[i], 8, FRAME(i + 1) | P | W | U);
	}
	guest_memory_write(at[3], 8, FRAME(4) | rights);
}

static void change(u32 level, u64 set, u64 clear)
{
	guest_memory_write(at[level], 8, (guest_memory_read(at[level], 8) | set) & ~clear);
}

static void gives(u32 access, u64 want)
{
	u32 error = 0;
	u64 gpa = 0;

	require(walk(&p, LINEAR + 0x123, access, &gpa, &error), "access %#x: error %#x", access, error);
	require(gpa == want + 0x123, "access %#x: %#llx, must be %#llx", access, gpa, want);
}

static void faults(u32 access, u32 want)
{
	u64 gpa, before[4];
	u32 error = 0, i;

	for (i = 0; i < 4; i++)
		before[i] = guest_memory_read(at[i], 8);
	require(!walk(&p, LINEAR, access, &gpa, &error), "access %#x: no fault", access);
	require(error == want, "access %#x: error %#x, must be %#x", access, error, want);
	for (i = 0; i < 4; i++)
		require(guest_memory_read(at[i], 8) == before[i], "level %u has changed", i);
}

static void test_present(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		setup(P | W | U);
		gives(0, FRAME(4));
		change(i, 0, P);
		faults(PF_WRITE | PF_USER, PF_WRITE | PF_USER);
		faults(CODE, PF_FETCH);
	}
	p.cr0 &= ~CR0_PG;
	p.efer &= ~(u64)EFER_LMA;
	gives(0, (u32)LINEAR);
}

static void test_write(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		setup(P | W | U);
		gives(PF_WRITE | PF_USER, FRAME(4));
		change(i, 0, W);
		faults(PF_WRITE | PF_USER, PF_PRESENT | PF_WRITE | PF_USER);
		faults(PF_WRITE, PF_PRESENT | PF_WRITE);
		p.cr0 &= ~CR0_WP;
		faults(PF_WRITE | PF_USER, PF_PRESENT | PF_WRITE | PF_USER);
		gives(PF_WRITE, FRAME(4));
	}
}

static void test_user(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		setup(P | W | U);
		change(i, 0, U);
		gives(PF_WRITE, FRAME(4));
		gives(CODE, FRAME(4));
		faults(PF_USER, PF_PRESENT | PF_USER);
		p.cr4 |= CR4_SMEP | CR4_SMAP;
		gives(0, FRAME(4));
	}
	setup(P | W | U);
	p.cr4 |= CR4_SMEP | CR4_SMAP;
	faults(0, PF_PRESENT);
	faults(CODE, PF_PRESENT | PF_FETCH);
	gives(CODE | PF_USER, FRAME(4));
	p.ac = true;
	gives(PF_WRITE, FRAME(4));
	faults(CODE, PF_PRESENT | PF_FETCH);
}

static void test_execute(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		setup(P | W | U);
		change(i, NX, 0);
		gives(PF_WRITE, FRAME(4));
		faults(CODE, PF_PRESENT | PF_FETCH);
		p.efer &= ~(u64)EFER_NXE;
		faults(0, PF_PRESENT | PF_RESERVED);
		/* A fetch is told only where it can be forbidden. */
		faults(CODE, PF_PRESENT | PF_RESERVED);
	}
}

static void test_reserved(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		setup(P | W | U);
		change(i, ROOM, 0);
		faults(PF_USER, PF_PRESENT | PF_RESERVED | PF_USER);
		p.phys_mask = 2 * ROOM - 4096;
		if (i == 3)
			gives(PF_USER, FRAME(4) | ROOM);
	}
	setup(P | W | U);
	change(0, PS, 0);
	faults(0, PF_PRESENT | PF_RESERVED);
	setup(P | W | U);
	change(1, PS | BIT(13), 0);
	faults(0, PF_PRESENT | PF_RESERVED);
	p.has_1g = false;
	change(1, 0, BIT(13));
	faults(0, PF_PRESENT | PF_RESERVED);
}

static void test_large(void **state)
{
	(void)state;
	setup(P | W | U);
	guest_memory_write(at[2], 8, 0x12400000 | P | W | PS | BIT(12));
	gives(0, 0x12401000);
	guest_memory_write(at[1], 8, 0x80000000 | P | W | PS);
	gives(PF_WRITE, 0x80201000);
	require(guest_memory_read(at[1], 8) == (0x80000000 | P | W | PS | A | D), "A and D");
}

static void test_accessed_dirty(void **state)
{
	u32 i;

	(void)state;
	setup(P | W | U);
	gives(0, FRAME(4));
	for (i = 0; i < 4; i++)
		require((guest_memory_read(at[i], 8) & (A | D)) == A, "level %u of a read", i);
	gives(PF_WRITE, FRAME(4));
	for (i = 0; i < 4; i++)
		require((guest_memory_read(at[i], 8) & (A | D)) == (i == 3 ? A | D : A),
			"level %u of a write", i);
}

static void test_exchange_fails(void **state)
{
	u64 gpa;
	u32 error;

	(void)state;
	setup(P | W | U);
	guest_memory.fail_exchanges = 3;
	gives(PF_WRITE, FRAME(4));
	setup(P | W | U);
	guest_memory.fail_exchanges = ~0u;
	require(!walk(&p, LINEAR, PF_WRITE, &gpa, &error), "no end of changes");
	require(guest_memory.reads < 1000, "%u reads", guest_memory.reads);
}

static void test_keys(void **state)
{
	(void)state;
	setup(P | W | U | 5ull << 59);
	p.pkru = 1u << 10;
	gives(PF_USER, FRAME(4));
	p.cr4 |= CR4_PKE;
	faults(PF_USER, PF_PRESENT | PF_KEY | PF_USER);
	faults(0, PF_PRESENT | PF_KEY);
	gives(CODE | PF_USER, FRAME(4));
	p.pkru = 2u << 10;
	gives(PF_USER, FRAME(4));
	faults(PF_WRITE | PF_USER, PF_PRESENT | PF_KEY | PF_WRITE | PF_USER);
	faults(PF_WRITE, PF_PRESENT | PF_KEY | PF_WRITE);
	p.cr0 &= ~CR0_WP;
	gives(PF_WRITE, FRAME(4));
	setup(P | W | 7ull << 59);
	p.pkrs = 1u << 14;
	gives(0, FRAME(4));
	p.cr4 |= CR4_PKS;
	faults(0, PF_PRESENT | PF_KEY);
}

static void test_la57(void **state)
{
	(void)state;
	setup(P | W | U);
	p.cr4 |= CR4_LA57;
	p.cr3 = FRAME(6);
	faults(0, 0);
	guest_memory_write(FRAME(6), 8, FRAME(0) | P | W | U);
	gives(PF_USER, FRAME(4));
	guest_memory_write(FRAME(6), 8, FRAME(0) | P | W);
	faults(PF_USER, PF_PRESENT | PF_USER);
}

static void test_pae(void **state)
{
	u64 linear = LINEAR & 0xffffffff;

	(void)state;
	setup(P | W | U);
	p.efer = EFER_NXE;
	p.pdpte[linear >> 30] = FRAME(2) | P;
	gives(PF_WRITE, FRAME(4));
	change(3, BIT(52), 0);
	faults(0, PF_PRESENT | PF_RESERVED);
	change(3, NX, BIT(52));
	faults(CODE, PF_PRESENT | PF_FETCH);
	p.pdpte[linear >> 30] = 0;
	faults(0, 0);
}

static void test_32bit(void **state)
{
	u32 linear = (u32)LINEAR;
	u64 directory = FRAME(5) + (linear >> 22) * 4, table = FRAME(6) + (linear >> 12 & 1023) * 4;

	(void)state;
	setup(P | W | U);
	p.cr4 = CR4_PSE;
	p.efer = 0;
	p.cr3 = FRAME(5);
	guest_memory_write(directory, 4, FRAME(6) | P | W | U);
	guest_memory_write(table, 4, FRAME(7) | P | U);
	gives(CODE | PF_USER, FRAME(7));
	faults(PF_WRITE, PF_PRESENT | PF_WRITE);
	/* PSE-36: bits 13 to 20 are bits 32 to 39 */
	guest_memory_write(directory, 4, 0x12400000 | P | W | PS | 3 << 13);
	gives(PF_WRITE, 0x312400000ull | (linear & 0x3ff000));
	guest_memory_write(directory, 4, 0x12400000 | P | W | PS | 0x10 << 13);
	faults(0, PF_PRESENT | PF_RESERVED);
	guest_memory_write(directory, 4, 0x12400000 | P | W | PS | BIT(21));
	faults(0, PF_PRESENT | PF_RESERVED);
	p.cr4 = 0;
	guest_memory_write(directory, 4, FRAME(6) | P | PS);
	gives(0, FRAME(7));
}

static void test_address(void **state)
{
	struct walk_path path;
	u64 gpa = 0;
	u32 i;

	(void)state;
	setup(P);
	require(walk_address(&p, LINEAR, &gpa, &path) && gpa == FRAME(4), "%#llx", gpa);
	require(path.depth == 4 && path.size == 8, "depth %u", path.depth);
	for (i = 0; i < 4; i++)
		require(path.gpa[i] == at[i] && path.entry[i] == guest_memory_read(at[i], 8),
			"level %u", i);
	change(2, 0, P);
	require(!walk_address(&p, LINEAR, &gpa, &path), "not present");
}

/* --- a nested guest: its frames are elsewhere for its hypervisor, which may have none */

#define ELSEWHERE	(1ull << 34)

static u64 refused;		/* a frame, and how it cannot be reached */
static u32 refused_access, last_access;

static bool translate(u64 *gpa, u32 access)
{
	*gpa -= ELSEWHERE;
	last_access = access;
	return (*gpa & ~4095ull) != refused || access != refused_access;
}

static void setup_nested(u64 rights)
{
	u32 i;

	setup(rights);
	for (i = 0; i < 4; i++)
		change(i, ELSEWHERE, 0);
	p.cr3 += ELSEWHERE;
	p.translate = translate;
	refused = 0;
}

/* Nothing is changed, and the guest has no page fault. */
static void is_beyond(u64 frame, u32 how, u32 access)
{
	u32 error = 0;
	u64 gpa;

	refused = frame;
	refused_access = how;
	require(!walk(&p, LINEAR, access, &gpa, &error) && error & PF_BEYOND,
		"%#llx, access %#x: error %#x", frame, access, error);
}

#define USER_PAGE	(WALK_FINAL | WALK_USER | WALK_WRITE)

static void asks(u64 frame, u32 access, u32 how)
{
	gives(access, frame);
	require(last_access == how, "the page is asked for with %#x", last_access);
}

/* It is told what the page is asked for, and what the tables allow there. */
static void test_told(void **state)
{
	(void)state;
	setup_nested(P | W | U);
	asks(FRAME(4), PF_WRITE, PF_WRITE | USER_PAGE);
	asks(FRAME(4), CODE | PF_USER, PF_FETCH | USER_PAGE);
	change(1, 0, U);
	asks(FRAME(4), 0, WALK_FINAL | WALK_WRITE);
	change(2, 0, W);
	asks(FRAME(4), 0, WALK_FINAL);
	change(3, NX, 0);
	asks(FRAME(4), 0, WALK_FINAL | WALK_NX);
	p.cr0 &= ~CR0_PG;
	asks(LINEAR - ELSEWHERE, PF_WRITE, PF_WRITE | USER_PAGE);
}

static void test_translate(void **state)
{
	u32 i;

	(void)state;
	setup_nested(P | W | U);
	for (i = 0; i < 4; i++)
		is_beyond(FRAME(i), 0, 0);
	is_beyond(FRAME(4), USER_PAGE, 0);
	is_beyond(FRAME(4), PF_WRITE | USER_PAGE, PF_WRITE | PF_USER);
	/* Its entries have A, and the last D: nothing is written to the tables. */
	refused = FRAME(2);
	refused_access = PF_WRITE;
	gives(PF_WRITE, FRAME(4));
	change(2, 0, A);
	is_beyond(FRAME(2), PF_WRITE, 0);
	require(!(guest_memory_read(at[2], 8) & A), "A is set");
	refused = 0;
	change(3, 0, P);
	faults(PF_WRITE, PF_WRITE);
	p.cr0 &= ~CR0_PG;
	is_beyond((LINEAR - ELSEWHERE) & ~4095ull, USER_PAGE, 0);
}

static void test_random(void **state)
{
	(void)state;
	unit_for_seeds(2000, walk_ref_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_execute),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_accessed_dirty),
		cmocka_unit_test(test_exchange_fails),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_la57),
		cmocka_unit_test(test_pae),
		cmocka_unit_test(test_32bit),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
