/* SPDX-License-Identifier: GPL-2.0-only */
/* Decoder for the instructions that move data to and from memory. */
#ifndef CORE_DECODE_H
#define CORE_DECODE_H

#include "types.h"

#define INSN_MAX_LENGTH	15

/** enum code_size - what CS.L and CS.D make of the code */
enum code_size { CODE_16, CODE_32, CODE_64 };

/** enum insn_kind - what the instruction does with its memory operand */
enum insn_kind { INSN_LOAD, INSN_STORE, INSN_EXCHANGE };

/**
 * struct insn - an instruction with one memory operand
 * @kind: load, store or exchange
 * @length: bytes, 1 to 15
 * @size: bytes of the memory operand: 1, 2, 4 or 8
 * @reg: number of the register, 0 to 15; nothing if @immediate
 * @reg_size: bytes of the register that a load changes; 4 clears the upper half
 * @high_byte: the register is AH, CH, DH or BH, @reg 0 to 3
 * @sign: a load extends the sign
 * @immediate: a store stores @value
 * @value: see @immediate; @size bytes of it count
 *
 * Where the operand is the decoder does not say: an EPT violation does.
 */
struct insn {
	enum insn_kind kind;
	u8 length;
	u8 size;
	u8 reg;
	u8 reg_size;
	bool high_byte;
	bool sign;
	bool immediate;
	u64 value;
};

bool decode(struct insn *insn, const u8 *bytes, u32 available, enum code_size code);

#endif
