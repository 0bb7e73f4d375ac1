/* SPDX-License-Identifier: GPL-2.0-only */
/* The instruction that the guest is at. */
#ifndef CORE_FETCH_H
#define CORE_FETCH_H

#include "decode.h"
#include "walk.h"

#define FETCH_SIZE	16	/* two words: the longest instruction has 15 bytes */
#define FETCH_SLOTS	8	/* a power of two */

struct percpu;

/**
 * struct fetch_slot - an instruction that has been decoded before
 * @linear: its address
 * @cr3: CR3 at that time
 * @code: code size
 * @path: the page table entries on the way to its page
 * @gpa: where it is
 * @bytes: what was there
 * @insn: what that means; length 0 in an unused slot
 */
struct fetch_slot {
	u64 linear, cr3;
	enum code_size code;
	struct walk_path path;
	u64 gpa;
	u64 bytes[FETCH_SIZE / 8];
	struct insn insn;
};

u32 fetch_bytes(const struct percpu *cpu, u8 bytes[FETCH_SIZE], enum code_size *code);
const struct insn *fetch_instruction(struct percpu *cpu);

#endif
