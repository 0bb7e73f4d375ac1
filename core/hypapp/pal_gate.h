/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code of core's that a fast PAL is entered by. Also for the assembler, and for lhv's
 * tests of it.
 *
 * Three pages, by linear address:
 *
 *	G	the gate. In the program a page of the program's own, which core fills in
 *		(the stub); in the views one of core's that is the same for all that a
 *		CPU executes behind a VMFUNC
 *	INNER	the full view only: saves, calls, clears, restores
 *	LIST	the gate's view only: this CPU's list of EPTPs; read and written
 *
 * and G + 4096, in the full view only, a private page of the program's: what is saved.
 */
#ifndef CORE_HYPAPP_PAL_GATE_H
#define CORE_HYPAPP_PAL_GATE_H

/*
 * Distances from the gate, and offsets in it. They are so that the displacements in the
 * gate's code consist of harmless opcodes, NOP and XCHG of registers (pal_gate.c), and
 * the same ones for each pair of views.
 */
#define PAL_GATE_ROOM		0x70000000	/* how far below the gate all of that is */
#define PAL_GATE_LIST		0x6f6f7000
#define PAL_GATE_INNER		0x6f6d7000
#define PAL_GATE_STEP		16
#define PAL_GATE_IN		0x71		/* behind the first VMFUNC */
#define PAL_GATE_IN_FULL	12		/* bytes from there: in the full view */
#define PAL_GATE_OUT		0x16e		/* to the gate's view again */
#define PAL_GATE_OUT_GATE	3		/* bytes from there: in the gate's view */
#define PAL_GATE_OUT_END	15		/* in the common one */

/* The stub, in the program's page */
#define PAL_STUB_FAST		0		/* its first byte: it can be used */
#define PAL_STUB_ENTRY		0x400		/* a function for each entry point */
#define PAL_STUB_STEP		16
#define PAL_STUB_PAIR		0x5fc		/* a byte: PAL_GATE_STEP * number of the pair */
#define PAL_STUB_TABLE		0x700		/* addresses of the entry points */
#define PAL_STUB_ENTRIES	16

/* INNER */
#define PAL_INNER_IN		0x212
#define PAL_INNER_DATA		0x800		/* struct pal_inner_data */
#define PAL_INNER_STACK		(PAL_INNER_DATA + 0)
#define PAL_INNER_OUT		(PAL_INNER_DATA + 8)
#define PAL_INNER_NR		(PAL_INNER_DATA + 16)
#define PAL_INNER_WIDE		(PAL_INNER_DATA + 20)
#define PAL_INNER_SLOT		(PAL_INNER_DATA + 24)
#define PAL_INNER_TABLE		(PAL_INNER_DATA + 32)
#define PAL_INNER_ZEROS		0xc00		/* for XRSTOR: initial values */

/* What is saved: struct pal_save, from INNER */
#define PAL_SAVE		(PAL_GATE_INNER + 0x1000)
#define PAL_SAVE_LOCK		(PAL_SAVE + 0)
#define PAL_SAVE_SLOW		(PAL_SAVE + 4)
#define PAL_SAVE_CALLS		(PAL_SAVE + 8)
#define PAL_SAVE_RBX		(PAL_SAVE + 16)
#define PAL_SAVE_RBP		(PAL_SAVE + 24)
#define PAL_SAVE_RSP		(PAL_SAVE + 32)
#define PAL_SAVE_R12		(PAL_SAVE + 40)
#define PAL_SAVE_R13		(PAL_SAVE + 48)
#define PAL_SAVE_R14		(PAL_SAVE + 56)
#define PAL_SAVE_R15		(PAL_SAVE + 64)
#define PAL_SAVE_MXCSR		(PAL_SAVE + 72)
#define PAL_SAVE_FCW		(PAL_SAVE + 76)
#define PAL_SAVE_ENTRY		(PAL_SAVE + 80)

#define PAL_REFUSED		31		/* bit of R11: not called, by the gate */

#ifndef __ASSEMBLER__
#include <linux/latch_pal.h>
#include "types.h"

/**
 * struct pal_save - in a private page of the PAL: the PAL could write it too
 * @lock: bit 0: a call is under way
 * @slow: it was interrupted, and is core's to end
 * @calls: that have come back by the gate
 * @rbx: the caller's registers
 * @entry: number of the entry point
 */
struct pal_save {
	u32 lock, slow;
	u64 calls;
	u64 rbx, rbp, rsp, r12, r13, r14, r15;
	u32 mxcsr;
	u16 fcw, reserved;
	u32 entry;
};

/**
 * struct pal_inner_data - what the code in INNER has to know
 * @stack: top of the PAL's stack
 * @out: where it leaves the full view, in the gate
 * @nr: entry points
 * @wide: a bit for each: RDX is part of the result
 * @slot: of the gate's view
 * @table: the entry points
 */
struct pal_inner_data {
	u64 stack, out;
	u32 nr, wide, slot, reserved;
	u64 table[LATCH_PAL_ENTRIES];
};

/* Where the full view was interrupted; see pal_gate_where(). */
enum pal_where {
	PAL_BEFORE,		/* nothing has been done yet */
	PAL_LOCKED,		/* it has the lock; the caller's registers are as they were */
	PAL_INSIDE,
	PAL_RESTORED,		/* the caller's registers are, and it has the lock still */
	PAL_AFTER,
};

void pal_gate_make(u8 *page, u32 pair);
void pal_gate_make_stub(u8 *page, u32 pair, const struct latch_pal_desc *desc);
void pal_gate_make_inner(u8 *page, const struct pal_inner_data *data);
enum pal_where pal_gate_where(u64 gate, u32 pair, u64 rip, bool carry);

static inline u32 pal_gate_in(u32 pair)
{
	return PAL_GATE_IN + PAL_GATE_STEP * pair;
}

static inline u32 pal_gate_out(u32 pair)
{
	return PAL_GATE_OUT + PAL_GATE_STEP * pair;
}
#endif

#endif
