// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoder for what compilers and kernels use on device memory: MOV in all its
 * forms, MOVZX, MOVSX, MOVSXD, MOVNTI and XCHG (SDM vol. 2, 2.1, 2.2 and
 * appendix A). Pure. Anything else, also what would fault, is not known here:
 * the caller has the CPU execute it.
 */
#include "decode.h"

#define REX_R	4u
#define REX_W	8u

/**
 * struct cursor - how far the decoding has come
 * @bytes: the instruction
 * @end: bytes that may be looked at
 * @at: bytes looked at
 * @overrun: more were needed: all that was read after that is zeros
 * @code: code size
 * @rex: REX prefix, 0 if there is none
 * @operand_size: 66 was among the prefixes
 * @address_size: 67 was
 * @lock: F0 was
 */
struct cursor {
	const u8 *bytes;
	u32 end, at;
	bool overrun;
	enum code_size code;
	u8 rex;
	bool operand_size, address_size, lock;
};

/* Inline: an intercepted write has a few hundred instructions for all that it does. */
static inline __attribute__((always_inline)) u8 next(struct cursor *c)
{
	if (c->at < c->end)
		return c->bytes[c->at++];
	c->overrun = true;
	return 0;
}

/* Little-endian, the sign extended to 64 bits. */
static u64 next_value(struct cursor *c, u32 size)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < size; i++)
		value |= (u64)next(c) << 8 * i;
	if (size < 8 && value >> (8 * size - 1))
		value |= ~0ull << 8 * size;
	return value;
}

static void skip(struct cursor *c, u32 size)
{
	c->at += size;
	if (c->at > c->end) {
		c->at = c->end;
		c->overrun = true;
	}
}

/*
 * Prefixes in any order, REX behind them all: followed by another it counts for
 * nothing. Returns the opcode.
 */
static u8 next_opcode(struct cursor *c)
{
	u8 byte;

	for (;;) {
		byte = next(c);
		switch (byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
			break;
		case 0x66:
			c->operand_size = true;
			break;
		case 0x67:
			c->address_size = true;
			break;
		case 0xf0:
			c->lock = true;
			break;
		default:
			if (c->code != CODE_64 || (byte & 0xf0) != 0x40)
				return byte;
			c->rex = byte;
			continue;
		}
		c->rex = 0;
	}
}

static u8 operand_size(const struct cursor *c)
{
	if (c->rex & REX_W)
		return 8;
	return (c->code == CODE_16) != c->operand_size ? 2 : 4;
}

static u8 address_size(const struct cursor *c)
{
	if (c->code == CODE_64)
		return c->address_size ? 4 : 8;
	return (c->code == CODE_16) != c->address_size ? 2 : 4;
}

static void skip_displacement16(struct cursor *c, u8 mod, u8 rm)
{
	if (mod == 2 || (mod == 0 && rm == 6))
		skip(c, 2);
	else if (mod == 1)
		skip(c, 1);
}

static void skip_displacement32(struct cursor *c, u8 mod, u8 rm)
{
	u8 base = rm == 4 ? next(c) & 7 : rm;

	if (mod == 2 || (mod == 0 && base == 5))
		skip(c, 4);
	else if (mod == 1)
		skip(c, 1);
}

/* ModRM, SIB and displacement. Returns the reg field; false if there is no memory. */
static bool next_modrm(struct cursor *c, u8 *reg)
{
	u8 modrm = next(c), mod = modrm >> 6;

	*reg = modrm >> 3 & 7;
	if (mod == 3)
		return false;
	if (address_size(c) == 2)
		skip_displacement16(c, mod, modrm & 7);
	else
		skip_displacement32(c, mod, modrm & 7);
	return true;
}

/* A byte register without REX: 4 to 7 are the second bytes of 0 to 3. */
static void set_register(const struct cursor *c, struct insn *insn, u8 reg, u8 size)
{
	insn->reg_size = size;
	insn->high_byte = size == 1 && !c->rex && reg >= 4;
	insn->reg = insn->high_byte ? reg - 4 : (u8)(reg | (c->rex & REX_R ? 8 : 0));
}

static bool decode_register(struct cursor *c, struct insn *insn, enum insn_kind kind,
			    u8 size, u8 reg_size)
{
	u8 reg;

	if (!next_modrm(c, &reg))
		return false;
	insn->kind = kind;
	insn->size = size;
	set_register(c, insn, reg, reg_size);
	return true;
}

/* The address stands in the instruction, the register is AL, AX, EAX or RAX. */
static bool decode_moffs(struct cursor *c, struct insn *insn, enum insn_kind kind, u8 size)
{
	skip(c, address_size(c));
	insn->kind = kind;
	insn->size = size;
	insn->reg_size = size;
	return true;
}

static bool decode_immediate(struct cursor *c, struct insn *insn, u8 size)
{
	u8 extension;

	if (!next_modrm(c, &extension) || extension != 0)
		return false;
	insn->kind = INSN_STORE;
	insn->size = size;
	insn->immediate = true;
	insn->value = next_value(c, size == 8 ? 4 : size);
	return true;
}

static bool decode_extended(struct cursor *c, struct insn *insn)
{
	u8 opcode = next(c), size;

	switch (opcode) {
	case 0xb6: case 0xb7: case 0xbe: case 0xbf:
		insn->sign = opcode & 8;
		return decode_register(c, insn, INSN_LOAD, opcode & 1 ? 2 : 1, operand_size(c));
	case 0xc3:
		/* With 66 there is no MOVNTI, and none of 16 bits in 16-bit code. */
		size = operand_size(c) == 8 ? 8 : 4;
		return !c->operand_size && decode_register(c, insn, INSN_STORE, size, size);
	default:
		return false;
	}
}

static bool decode_opcode(struct cursor *c, struct insn *insn)
{
	u8 opcode = next_opcode(c);
	u8 size = opcode & 1 ? operand_size(c) : 1;

	/* Anything else with LOCK gives #UD. */
	if (c->lock && (opcode & 0xfe) != 0x86)
		return false;
	switch (opcode) {
	case 0x63:
		insn->sign = true;
		return c->code == CODE_64 && operand_size(c) != 2 &&
		       decode_register(c, insn, INSN_LOAD, 4, operand_size(c));
	case 0x86: case 0x87:
		return decode_register(c, insn, INSN_EXCHANGE, size, size);
	case 0x88: case 0x89:
		return decode_register(c, insn, INSN_STORE, size, size);
	case 0x8a: case 0x8b:
		return decode_register(c, insn, INSN_LOAD, size, size);
	case 0xa0: case 0xa1:
		return decode_moffs(c, insn, INSN_LOAD, size);
	case 0xa2: case 0xa3:
		return decode_moffs(c, insn, INSN_STORE, size);
	case 0xc6: case 0xc7:
		return decode_immediate(c, insn, size);
	case 0x0f:
		return decode_extended(c, insn);
	default:
		return false;
	}
}

/**
 * decode - decode one instruction
 * @insn: what it is
 * @bytes: its bytes, and what follows
 * @available: how many there are
 * @code: code size that it is executed with
 *
 * Return: false for an instruction that is not one of those above, that has no
 * memory operand, or that does not end in @available or 15 bytes.
 */
bool decode(struct insn *insn, const u8 *bytes, u32 available, enum code_size code)
{
	struct cursor c = {
		.bytes = bytes,
		.end = available < INSN_MAX_LENGTH ? available : INSN_MAX_LENGTH,
		.code = code,
	};

	*insn = (struct insn){ 0 };
	if (!decode_opcode(&c, insn) || c.overrun)
		return false;
	insn->length = (u8)c.at;
	return true;
}
