// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate of a fast PAL: see pal_gate.h. Pure: the unit tests decode what it makes.
 *
 * Whoever writes the page tables of the common view can have a VMFUNC at any address, and
 * so begin at any byte of the gate, with any registers, while this CPU's list of EPTPs can
 * be written. So no instruction there may write what is in a register, or to where a
 * register says, wherever in the code the CPU begins to decode: there is no PUSH, no CALL,
 * and no byte 00, which is an ADD to memory. The bytes that differ from one PAL to the
 * other, the numbers in the list, are REX prefixes.
 */
#include "ept_switch.h"
#include "hypapp/pal_gate.h"

#define INT3		0xcc

extern const u8 pal_stub[], pal_inner[];
extern const u8 pal_inner_try[], pal_inner_inside[], pal_inner_restored[], pal_inner_after[];

_Static_assert(PAL_STUB_ENTRY == LATCH_PAL_GATE_ENTRY && PAL_STUB_STEP == LATCH_PAL_GATE_STEP &&
	       BIT(32) + PAL_GATE_ROOM == LATCH_PAL_GATE_MIN, "ABI");
_Static_assert(LATCH_PAL_ENTRIES == PAL_STUB_ENTRIES, "S");
_Static_assert(offsetof(struct pal_inner_data, table) == PAL_INNER_TABLE - PAL_INNER_DATA, "S");
_Static_assert(offsetof(struct pal_inner_data, wide) == PAL_INNER_WIDE - PAL_INNER_DATA, "S");
_Static_assert(offsetof(struct pal_inner_data, slot) == PAL_INNER_SLOT - PAL_INNER_DATA, "S");
_Static_assert(offsetof(struct pal_save, calls) == PAL_SAVE_CALLS - PAL_SAVE, "S");
_Static_assert(offsetof(struct pal_save, r15) == PAL_SAVE_R15 - PAL_SAVE, "S");
_Static_assert(offsetof(struct pal_save, fcw) == PAL_SAVE_FCW - PAL_SAVE, "S");
_Static_assert(offsetof(struct pal_save, entry) == PAL_SAVE_ENTRY - PAL_SAVE, "S");

/**
 * pal_gate_make - the gate's code, as it is in the views
 * @page: where to
 * @pair: number of the pair of views
 */
void pal_gate_make(u8 *page, u32 pair)
{
	const u8 in[] = {
		/* orb $0x1e, the full view in LIST */
		0x80, 0x0d, 0x90, 0x91, 0x90, 0x90, EPT_SWITCH_VALID,
		0xb1, EPT_SWITCH_FULL(pair),		/* mov $full, %cl */
		0x0f, 0x01, 0xd4,			/* vmfunc */
		/* PAL_GATE_IN_FULL: jmp INNER + PAL_INNER_IN */
		0xe9, 0x90, 0x91, 0x92, 0x90,
	};
	const u8 out[] = {
		0x0f, 0x01, 0xd4,			/* vmfunc */
		/* PAL_GATE_OUT_GATE: andb $0x40, the full view in LIST: is 0 then */
		0x80, 0x25, 0x90, 0x90, 0x90, 0x90, 0x40,
		0xb1, EPT_SWITCH_COMMON,		/* mov $common, %cl */
		0x0f, 0x01, 0xd4,			/* vmfunc */
		/* PAL_GATE_OUT_END */
	};

	memset(page, INT3, PAGE_SIZE);
	memcpy(page + pal_gate_in(pair), in, sizeof(in));
	memcpy(page + pal_gate_out(pair), out, sizeof(out));
}

/**
 * pal_gate_make_stub - what the program calls
 * @page: the program's page
 * @pair: number of the pair of views
 * @desc: its entry points
 */
void pal_gate_make_stub(u8 *page, u32 pair, const struct latch_pal_desc *desc)
{
	u64 address;
	u32 i;

	memcpy(page, pal_stub, PAGE_SIZE);
	page[PAL_STUB_PAIR] = (u8)(PAL_GATE_STEP * pair);
	for (i = 0; i < desc->nr_entries; i++) {
		address = desc->entry[i].address;
		memcpy(page + PAL_STUB_TABLE + 8 * i, &address, sizeof(address));
	}
}

/** pal_gate_make_inner - INNER */
void pal_gate_make_inner(u8 *page, const struct pal_inner_data *data)
{
	memcpy(page, pal_inner, PAGE_SIZE);
	memcpy(page + PAL_INNER_DATA, data, sizeof(*data));
}

/**
 * pal_gate_where - what has been done when the full view was interrupted
 * @gate: linear address of the gate
 * @pair: number of the pair of views
 * @rip: the next instruction
 * @carry: RFLAGS.CF
 */
enum pal_where pal_gate_where(u64 gate, u32 pair, u64 rip, bool carry)
{
	u64 offset = rip - (gate - PAL_GATE_INNER);

	if (rip == gate + pal_gate_in(pair) + PAL_GATE_IN_FULL)
		return PAL_BEFORE;
	if (rip == gate + pal_gate_out(pair))
		return PAL_AFTER;
	if (offset >= PAL_INNER_DATA)
		return PAL_INSIDE;
	if (offset >= (u64)(pal_inner_after - pal_inner))
		return PAL_AFTER;
	if (offset >= (u64)(pal_inner_restored - pal_inner))
		return PAL_RESTORED;
	if (offset >= (u64)(pal_inner_inside - pal_inner))
		return PAL_INSIDE;
	if (offset < (u64)(pal_inner_try - pal_inner) ||
	    (offset == (u64)(pal_inner_try - pal_inner) && carry))
		return PAL_BEFORE;
	return PAL_LOCKED;
}
