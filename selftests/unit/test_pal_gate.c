// SPDX-License-Identifier: GPL-2.0-only
/*
 * core/hypapp/pal_gate.c: whatever byte of the gate a CPU begins to decode at, the only
 * stores are the two that open and close the full view of this pair.
 */
#include <string.h>
#include "unit.h"
#include "ept_switch.h"
#include "hypapp/pal_gate.h"

#define GATE	0x7f0000000000ull
#define VALID	0x1e	/* of an EPTP */

/* What one instruction does, as far as it matters. */
enum effect { OPENS, CLOSES, SWITCHES, NUMBER, REGISTERS, JUMPS, FAULTS };

struct gate_insn {
	enum effect effect;
	u32 length;
	u64 value;	/* NUMBER: what is in CL. JUMPS: where to */
};

static u32 read32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static u64 relative(u64 next, const u8 *displacement)
{
	return GATE + next + (u64)(int64_t)(int32_t)read32(displacement);
}

/* OR or AND of a byte with a constant: of the one entry, and so that it is valid or not. */
static struct gate_insn decode_store(const u8 *at, u64 offset, u32 pair)
{
	u64 entry = GATE - PAL_GATE_LIST + 8 * EPT_SWITCH_FULL(pair);
	bool opens = at[1] == 0x0d;

	require(at[1] == 0x0d || at[1] == 0x25, "%#llx: another instruction", offset);
	require(relative(offset + 7, at + 2) == entry, "%#llx: not to the list", offset);
	require(opens ? at[6] == VALID : !(at[6] & VALID), "%#llx: a wrong constant", offset);
	return (struct gate_insn) { opens ? OPENS : CLOSES, 7, 0 };
}

/* Instructions that are known to be harmless, and no others */
static struct gate_insn gate_decode(const u8 *page, u64 offset, u32 pair)
{
	const u8 *at = page + offset;
	struct gate_insn rest;

	switch (*at) {
	case 0x2e:
	case 0x40 ... 0x4f:	/* prefixes that change nothing of what may follow */
		rest = gate_decode(page, offset + 1, pair);
		require(rest.effect == SWITCHES || rest.effect == NUMBER ||
			rest.effect == REGISTERS, "%#llx: a prefix of something", offset);
		rest.length++;
		return rest;
	case 0x01:
		require(at[1] >= 0xc0, "%#llx: ADD to memory", offset);
		return (struct gate_insn) { REGISTERS, 2, 0 };
	case 0x0d:
	case 0x25:
		return (struct gate_insn) { REGISTERS, 5, 0 };
	case 0x0f:
		require(at[1] == 0x01 && at[2] == 0xd4, "%#llx: not VMFUNC", offset);
		return (struct gate_insn) { SWITCHES, 3, 0 };
	case 0x80:
		return decode_store(at, offset, pair);
	case 0x90 ... 0x97:
		return (struct gate_insn) { REGISTERS, 1, 0 };
	case 0xb1:
		return (struct gate_insn) { NUMBER, 2, at[1] };
	case 0xe9:
		return (struct gate_insn) { JUMPS, 5, relative(offset + 5, at + 1) };
	case 0x1e:
	case 0xd4:		/* #UD in 64-bit mode */
	case 0xcc:
		return (struct gate_insn) { FAULTS, 1, 0 };
	}
	unit_fail(__FILE__, __LINE__, "%#llx: %02x is not known", offset, *at);
}

/* Up to where it ends; opened, it goes to the full view and nowhere else. */
static void follow(const u8 *page, u64 offset, u32 pair)
{
	struct gate_insn insn;
	bool open = false;
	u64 number = 0;

	for (;; offset += insn.length) {
		insn = gate_decode(page, offset, pair);
		if (insn.effect == OPENS)
			open = true;
		else if (insn.effect == CLOSES)
			open = false;
		else if (insn.effect == NUMBER)
			number = insn.value;
		else if (insn.effect == SWITCHES && open)
			break;
		else if (insn.effect == JUMPS || insn.effect == FAULTS)
			break;
	}
	require(!open || number == EPT_SWITCH_FULL(pair), "it is left open at %#llx", offset);
	require(insn.effect != JUMPS || insn.value == GATE - PAL_GATE_INNER + PAL_INNER_IN +
						      PAL_GATE_STEP * pair,
		"it jumps to %#llx", insn.value);
}

static void test_every_offset(void **state)
{
	u8 page[PAGE_SIZE + 16];
	u32 pair, offset;

	(void)state;
	for (pair = 0; pair < EPT_SWITCHES; pair++) {
		memset(page, 0xcc, sizeof(page));
		pal_gate_make(page, pair);
		for (offset = 0; offset < PAGE_SIZE; offset++)
			follow(page, offset, pair);
	}
}

static void check_path(const u8 *page, u32 pair, u64 offset, const enum effect *path, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct gate_insn insn = gate_decode(page, offset, pair);

		require(insn.effect == path[i], "%#llx: step %u", offset, i);
		offset += insn.length;
	}
}

/* What it is for: in, and out */
static void test_paths(void **state)
{
	static const enum effect in[] = { OPENS, NUMBER, SWITCHES, JUMPS };
	static const enum effect out[] = { SWITCHES, CLOSES, NUMBER, SWITCHES, FAULTS };
	u8 page[PAGE_SIZE];
	u32 pair;

	(void)state;
	for (pair = 0; pair < EPT_SWITCHES; pair++) {
		pal_gate_make(page, pair);
		check_path(page, pair, pal_gate_in(pair), in, ARRAY_SIZE(in));
		check_path(page, pair, pal_gate_out(pair), out, ARRAY_SIZE(out));
		require(page[pal_gate_out(pair) + PAL_GATE_OUT_END - 4] == EPT_SWITCH_COMMON,
			"it goes back to another view");
	}
}

/* The stub has its VMFUNCs where the gate goes on behind them. */
static void test_stub(void **state)
{
	struct latch_pal_desc desc = { .nr_entries = 2 };
	u8 page[PAGE_SIZE];
	u32 pair;
	u64 entry;

	(void)state;
	desc.entry[1].address = 0x123456789abcull;
	for (pair = 0; pair < EPT_SWITCHES; pair++) {
		pal_gate_make_stub(page, pair, &desc);
		memcpy(&entry, page + PAL_STUB_TABLE + 8, 8);
		require(page[PAL_STUB_FAST], "it looks as if there were none");
		require(!memcmp(page + pal_gate_in(pair) - 3, "\x0f\x01\xd4", 3), "no VMFUNC");
		require(page[pal_gate_out(pair) + PAL_GATE_OUT_END] == 0xe9, "no way back");
		require(entry == 0x123456789abcull, "another entry point");
		require(read32(page + PAL_STUB_PAIR) == PAL_GATE_STEP * pair, "another pair");
	}
}

static void test_where(void **state)
{
	u64 inner = GATE - PAL_GATE_INNER, rip;
	enum pal_where last = PAL_BEFORE, now;
	u32 pair, seen = 0;

	(void)state;
	for (pair = 0; pair < EPT_SWITCHES; pair++) {
		rip = GATE + pal_gate_in(pair) + PAL_GATE_IN_FULL;
		require(pal_gate_where(GATE, pair, rip, false) == PAL_BEFORE, "the gate, in");
		rip = GATE + pal_gate_out(pair);
		require(pal_gate_where(GATE, pair, rip, false) == PAL_AFTER, "the gate, out");
		require(pal_gate_where(GATE, pair, rip + 16, false) == PAL_INSIDE, "of another");
	}
	/* One after the other, as it is executed. */
	for (rip = inner; rip < inner + PAL_INNER_DATA; rip++) {
		now = pal_gate_where(GATE, 0, rip, false);
		require(now == last || now == last + 1, "%#llx: from %u to %u", rip, last, now);
		require(now == pal_gate_where(GATE, 0, rip, true) ||
			(now == PAL_LOCKED && last == PAL_BEFORE), "%#llx: by the carry", rip);
		seen |= 1u << now;
		last = now;
	}
	require(seen == 0x1f, "only %#x are there", seen);
	require(pal_gate_where(GATE, 0, inner - 1, false) == PAL_INSIDE &&
		pal_gate_where(GATE, 0, inner + PAGE_SIZE, false) == PAL_INSIDE, "the PAL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_offset),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_stub),
		cmocka_unit_test(test_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
