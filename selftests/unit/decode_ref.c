// SPDX-License-Identifier: GPL-2.0-only
/*
 * An encoder: from decisions to bytes, by SDM vol. 2, 2.1, 2.2 and appendix A. It
 * knows nothing of how core/decode.c takes them apart.
 */
#include <stdlib.h>
#include <string.h>
#include "decode.h"
#include "decode_ref.h"

#define ROOM	40

struct encoder {
	struct source *source;
	enum code_size code;
	u8 bytes[ROOM];
	u32 at;
	bool p66, p67, lock;
	u8 rex;
	struct insn want;
};

static void put(struct encoder *e, u8 byte)
{
	require(e->at < ROOM, "the encoder has no room");
	e->bytes[e->at++] = byte;
}

static u64 put_random(struct encoder *e, u32 size)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < size; i++) {
		u8 byte = (u8)source_below(e->source, 256);

		value |= (u64)byte << 8 * i;
		put(e, byte);
	}
	return value;
}

static void put_prefixes(struct encoder *e)
{
	static const u8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67 };
	u64 count = source_below(e->source, 4);
	u8 byte;

	for (; count; count--) {
		/* A REX in front of another prefix is none. */
		if (e->code == CODE_64 && source_chance(e->source, 20))
			put(e, 0x40 | (u8)source_below(e->source, 16));
		byte = prefixes[source_below(e->source, sizeof(prefixes))];
		e->p66 |= byte == 0x66;
		e->p67 |= byte == 0x67;
		put(e, byte);
	}
	if (e->lock)
		put(e, 0xf0);
	if (e->code == CODE_64 && source_chance(e->source, 60)) {
		e->rex = 0x40 | (u8)source_below(e->source, 16);
		put(e, e->rex);
	}
}

static u32 operand(const struct encoder *e)
{
	if (e->rex & 8)
		return 8;
	if (e->code == CODE_16)
		return e->p66 ? 4 : 2;
	return e->p66 ? 2 : 4;
}

static u32 address(const struct encoder *e)
{
	static const u8 sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };

	return sizes[e->code][e->p67];
}

/* ModRM with a memory operand, and what it asks for. */
static void put_modrm(struct encoder *e, u8 reg)
{
	u8 mod = (u8)source_below(e->source, 3), rm = (u8)source_below(e->source, 8), sib = 0;

	put(e, (u8)(mod << 6 | reg << 3 | rm));
	if (address(e) == 2) {
		if (mod == 1)
			put_random(e, 1);
		else if (mod == 2 || rm == 6)
			put_random(e, 2);
		return;
	}
	if (rm == 4) {
		sib = (u8)source_below(e->source, 256);
		put(e, sib);
	}
	if (mod == 1)
		put_random(e, 1);
	else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		put_random(e, 4);
}

static void put_register(struct encoder *e, enum insn_kind kind, u32 size, u32 reg_size)
{
	u8 reg = (u8)source_below(e->source, 8);

	put_modrm(e, reg);
	e->want.kind = kind;
	e->want.size = (u8)size;
	e->want.reg_size = (u8)reg_size;
	e->want.reg = reg | (e->rex & 4 ? 8 : 0);
	if (reg_size == 1 && !e->rex && reg > 3) {
		e->want.high_byte = true;
		e->want.reg = reg - 4;
	}
}

static u64 sign_extend(u64 value, u32 size)
{
	return size < 8 && value >> (8 * size - 1) & 1 ? value | ~0ull << 8 * size : value;
}

static void put_mov(struct encoder *e, u8 opcode)
{
	u32 size = opcode & 1 ? operand(e) : 1, i;

	put(e, opcode);
	switch (opcode & 0xfe) {
	case 0xa0: case 0xa2:
		for (i = 0; i < address(e); i++)
			put_random(e, 1);
		e->want.kind = opcode & 2 ? INSN_STORE : INSN_LOAD;
		e->want.size = e->want.reg_size = (u8)size;
		break;
	case 0xc6:
		put_modrm(e, 0);
		e->want.kind = INSN_STORE;
		e->want.size = (u8)size;
		e->want.immediate = true;
		if (size == 8)
			e->want.value = sign_extend(put_random(e, 4), 4);
		else
			e->want.value = sign_extend(put_random(e, size), size);
		break;
	case 0x86:
		put_register(e, INSN_EXCHANGE, size, size);
		break;
	default:
		put_register(e, opcode & 2 ? INSN_LOAD : INSN_STORE, size, size);
	}
}

static void put_extended(struct encoder *e, u8 opcode)
{
	put(e, 0x0f);
	put(e, opcode);
	if (opcode == 0xc3) {
		put_register(e, INSN_STORE, operand(e) == 8 ? 8 : 4, operand(e) == 8 ? 8 : 4);
		return;
	}
	put_register(e, INSN_LOAD, opcode & 1 ? 2 : 1, operand(e));
	e->want.sign = opcode & 8;
}

/* Return: false if these prefixes make something else of the opcode. */
static bool put_opcode(struct encoder *e)
{
	static const u8 movs[] = { 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3,
				   0xc6, 0xc7 };
	static const u8 extended[] = { 0xb6, 0xb7, 0xbe, 0xbf, 0xc3 };
	u64 choice = source_below(e->source, ARRAY_SIZE(movs) + ARRAY_SIZE(extended) + 1);
	u8 opcode;

	if (choice < ARRAY_SIZE(movs)) {
		opcode = movs[choice];
		e->lock = opcode < 0x88 && source_chance(e->source, 30);
		put_prefixes(e);
		put_mov(e, opcode);
		return true;
	}
	choice -= ARRAY_SIZE(movs);
	put_prefixes(e);
	if (choice < ARRAY_SIZE(extended)) {
		put_extended(e, extended[choice]);
		return !(extended[choice] == 0xc3 && e->p66);
	}
	put(e, 0x63);
	put_register(e, INSN_LOAD, 4, operand(e));
	e->want.sign = true;
	return e->code == CODE_64 && operand(e) != 2;
}

/* A copy that ends where it ends: AddressSanitizer watches what is behind. */
static bool decode_exactly(struct insn *insn, const u8 *bytes, u32 size, enum code_size code)
{
	u8 *copy = malloc(size ? size : 1);
	bool known;

	require(copy, "no memory");
	memcpy(copy, bytes, size);
	known = decode(insn, size ? copy : copy + 1, size, code);
	free(copy);
	return known;
}

static void require_same(const struct insn *a, const struct insn *b)
{
	require(a->kind == b->kind && a->length == b->length && a->size == b->size &&
		a->reg == b->reg && a->reg_size == b->reg_size && a->high_byte == b->high_byte &&
		a->sign == b->sign && a->immediate == b->immediate && a->value == b->value,
		"kind %d/%d length %u/%u size %u/%u reg %u/%u of %u/%u high %d/%d sign %d/%d "
		"immediate %d/%d %#llx/%#llx", a->kind, b->kind, a->length, b->length, a->size,
		b->size, a->reg, b->reg, a->reg_size, b->reg_size, a->high_byte, b->high_byte,
		a->sign, b->sign, a->immediate, b->immediate, a->value, b->value);
}

void decode_ref_run(struct source *source)
{
	struct encoder e = { .source = source, .code = (enum code_size)source_below(source, 3) };
	bool good = put_opcode(&e);
	u32 length = e.at, cut;
	struct insn insn;

	e.want.length = (u8)length;
	good = good && length <= INSN_MAX_LENGTH;
	put_random(&e, (u32)source_below(source, 4));
	require(decode_exactly(&insn, e.bytes, e.at, e.code) == good,
		"%u bytes, first %02x %02x %02x, code %d: known must be %d", length, e.bytes[0],
		e.bytes[1], e.bytes[2], e.code, good);
	if (!good)
		return;
	require_same(&insn, &e.want);
	for (cut = 0; cut < length; cut++)
		require(!decode_exactly(&insn, e.bytes, cut, e.code), "%u of %u bytes", cut, length);
}

void decode_ref_run_any(struct source *source)
{
	enum code_size code = (enum code_size)source_below(source, 3);
	u32 size = (u32)source_below(source, 20), i;
	struct insn insn, again;
	u8 bytes[20];

	for (i = 0; i < size; i++)
		bytes[i] = (u8)source_below(source, 256);
	if (!decode_exactly(&insn, bytes, size, code))
		return;
	require(insn.length && insn.length <= INSN_MAX_LENGTH && insn.length <= size, "length %u",
		insn.length);
	require(insn.size == 1 || insn.size == 2 || insn.size == 4 || insn.size == 8, "size %u",
		insn.size);
	require(insn.reg < 16 && (!insn.high_byte || insn.reg < 4), "register %u", insn.reg);
	require(decode_exactly(&again, bytes, insn.length, code), "only with what is behind it");
	require_same(&insn, &again);
	require(!decode_exactly(&again, bytes, insn.length - 1u, code), "without its last byte");
}
