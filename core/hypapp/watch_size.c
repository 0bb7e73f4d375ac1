// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many bytes of memory an instruction touches, by its opcode (SDM vol. 2, appendix
 * A). An EPT violation tells where an access begins, not where it ends. Pure.
 *
 * Where the tables here are coarse they err on the large side: rather an event too many,
 * next to what is watched, than one too few.
 */
#include "hypapp/watch_size.h"

#define UNKNOWN		8u	/* the instruction cannot be read */
#define VECTOR		16u
#define DESC		8u	/* of a segment: larger than a selector */
#define FAR		40u	/* IRET, INT n, far CALL, JMP and RET, PUSHA */
#define LINE		64u	/* MOVDIR64B, handles of keys, a row of a tile */
#define STATE		4096u	/* XSAVE and its like */

/** struct prefixes - what stands in front of an opcode */
struct prefixes {
	bool operand, wide, repne, rep;
};

/* General registers and memory of their size. */
static u32 full_size(const struct prefixes *prefix, enum code_size code)
{
	if (prefix->wide)
		return 8;
	return (code == CODE_16) == prefix->operand ? 4 : 2;
}

static u32 push_size(const struct prefixes *prefix, enum code_size code)
{
	u32 full = full_size(prefix, code);

	return code == CODE_64 && full == 4 ? 8 : full;
}

/* CALL, JMP and RET: in 64-bit code no prefix matters. */
static u32 near_size(const struct prefixes *prefix, enum code_size code)
{
	return code == CODE_64 ? 8 : full_size(prefix, code);
}

static u32 group_of(const u8 *at, u32 left)
{
	return left > 1 ? at[1] >> 3 & 7 : 8;
}

/* The opcodes whose lowest bit says: a byte, or all of it. */
static bool has_width_bit(u8 op)
{
	return (op < 0x40 && (op & 7) < 4) || (op >= 0x80 && op <= 0x8b) ||
	       (op >= 0xa0 && op <= 0xaf) || op == 0xc0 || op == 0xc1 || op == 0xc6 ||
	       op == 0xc7 || (op >= 0xd0 && op <= 0xd3) || op == 0xf6 || op == 0xf7 ||
	       op == 0xfe || (op >= 0x6c && op <= 0x6f);
}

/* INC and DEC, then CALL and JMP, far ones too, PUSH */
static u32 group_ff_size(u32 group, const struct prefixes *prefix, enum code_size code)
{
	switch (group) {
	case 0: case 1:
		return full_size(prefix, code);
	case 2: case 4:
		return near_size(prefix, code);
	case 6:
		return push_size(prefix, code);
	default:
		return FAR;
	}
}

static u32 one_byte(const u8 *at, u32 left, const struct prefixes *prefix, enum code_size code)
{
	u32 full = full_size(prefix, code);

	if (has_width_bit(at[0]))
		return at[0] & 1 ? full : 1;
	switch (at[0]) {
	case 0x8c:
		return 2;
	case 0x8e:				/* a selector, then what it selects */
		return DESC;
	case 0x63:
		return 4;
	case 0x69: case 0x6b:
		return full;
	case 0xd8 ... 0xdf:			/* FNSAVE is the largest */
		return 108;
	/* PUSH, POP, ENTER, LEAVE */
	case 0x50 ... 0x5f: case 0x68: case 0x6a: case 0x8f: case 0x9c: case 0x9d: case 0xc8:
	case 0xc9:
		return push_size(prefix, code);
	case 0xc2: case 0xc3: case 0xe8:
		return near_size(prefix, code);
	case 0xff:
		return group_ff_size(group_of(at, left), prefix, code);
	default:
		return FAR;
	}
}

static u32 vector_size(const struct prefixes *prefix)
{
	if (prefix->rep)
		return 4;
	return prefix->repne ? 8 : VECTOR;
}

/* 0F 38: what is larger than a register. */
static u32 three_byte(const u8 *at, u32 left, const struct prefixes *prefix)
{
	if (left < 2)
		return LINE;
	switch (at[1]) {
	case 0xd8: case 0xdc ... 0xdf:		/* F3: AES with a handle instead of a key */
		return prefix->rep ? LINE : VECTOR;
	case 0xf8:				/* MOVDIR64B, ENQCMD */
		return LINE;
	default:
		return VECTOR;
	}
}

static u32 two_byte(const u8 *at, u32 left, const struct prefixes *prefix, enum code_size code)
{
	u32 full = full_size(prefix, code), wide = prefix->wide ? 8 : 4;

	switch (at[0]) {
	case 0x90 ... 0x9f:			/* SETcc */
	case 0xb0: case 0xb6: case 0xbe: case 0xc0:
		return 1;
	case 0xb7: case 0xbf:			/* MOVZX, MOVSX of 16 bits */
		return 2;
	case 0x40 ... 0x4f:			/* CMOVcc */
	case 0xa3 ... 0xa5: case 0xab ... 0xad: case 0xb3: case 0xbb: case 0xba:
	case 0xaf: case 0xb1: case 0xb8: case 0xbc: case 0xbd: case 0xc1:
		return full;
	case 0xa0: case 0xa8:
		return push_size(prefix, code);
	case 0xa1: case 0xa9:			/* POP FS, POP GS */
		return DESC;
	case 0xc7:				/* CMPXCHG8B, CMPXCHG16B; XSAVEC, XSAVES */
		return group_of(at, left) == 1 ? 2 * wide : STATE;
	case 0xae:				/* LDMXCSR, STMXCSR; FXSAVE, XSAVE */
		return (group_of(at, left) & ~1u) == 2 ? 4 : STATE;
	case 0x01:				/* LGDT; with a register: ENCLU, PCONFIG */
		return left > 1 && at[1] < 0xc0 ? 10 : STATE;
	case 0x38:
		return three_byte(at, left, prefix);
	case 0x6e: case 0xc3:			/* MOVD, MOVNTI: no matter in which code */
		return wide;
	case 0x7e:
		return prefix->rep ? 8 : wide;
	case 0x12: case 0x16:			/* F3: MOVSLDUP, MOVSHDUP */
		return prefix->rep ? VECTOR : 8;
	case 0xd6: case 0x13: case 0x17:
		return 8;
	case 0x2a:				/* of integers, or of two of them */
		return prefix->rep || prefix->repne ? wide : 8;
	case 0x2e: case 0x2f:			/* UCOMISS, UCOMISD */
		return prefix->operand ? 8 : 4;
	case 0x10: case 0x11: case 0x2c: case 0x2d: case 0x51 ... 0x5a: case 0x5c ... 0x5f:
	case 0xc2:
		return vector_size(prefix);
	default:
		return VECTOR;
	}
}

/* The length of the vector, or less; a few have no vector. */
static u32 vex_size(const u8 *at, u32 left)
{
	u32 last = at[0] == 0xc5 ? 1 : at[0] == 0xc4 ? 2 : 3;
	u32 map = last > 1 && left > 1 ? at[1] & 7 : 1;

	/* Map 4 is of integers, and MOVDIR64B; in map 2 are LDTILECFG and TILELOADD. */
	if (left < last + 2 || map == 4 || (map == 2 && (at[last + 1] & ~2) == 0x49))
		return LINE;
	return at[0] == 0x62 ? VECTOR << (at[3] >> 5 & 3) : at[last] & 4 ? 32 : VECTOR;
}

static u32 skip_prefixes(const u8 *bytes, u32 available, enum code_size code,
			 struct prefixes *prefix)
{
	u32 i;

	for (i = 0; i < available; i++) {
		switch (bytes[i]) {
		case 0x66:
			prefix->operand = true;
			break;
		case 0xf2: case 0xf3:			/* the last one counts */
			prefix->repne = bytes[i] == 0xf2;
			prefix->rep = !prefix->repne;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x67:
		case 0xf0:
			break;
		default:
			if (code != CODE_64 || (bytes[i] & 0xf0) != 0x40)
				return i;
			prefix->wide = bytes[i] & 8;
			continue;
		}
		/* REX counts only right in front of the opcode. */
		prefix->wide = false;
	}
	return i;
}

static bool one_byte_changes(const u8 *at, u32 left, enum code_size code)
{
	u32 group = group_of(at, left);

	switch (at[0]) {
	case 0x00: case 0x01: case 0x08: case 0x09: case 0x10: case 0x11: case 0x18: case 0x19:
	case 0x20: case 0x21: case 0x28: case 0x29: case 0x30: case 0x31:
	case 0x86: case 0x87: case 0xc0: case 0xc1: case 0xd0: case 0xd1: case 0xd2: case 0xd3:
		return true;
	case 0x80: case 0x81: case 0x82: case 0x83:	/* but for CMP */
		return group < 7;
	case 0xf6: case 0xf7:				/* NOT, NEG */
		return group == 2 || group == 3;
	case 0xfe: case 0xff:				/* INC, DEC */
		return group < 2;
	case 0x63:					/* ARPL; MOVSXD */
		return code != CODE_64;
	case 0xc4:					/* VEX: CMPccXADD */
		return code == CODE_64 && left > 3 && (at[1] & 7) == 2 && at[3] >> 4 == 0xe;
	default:
		return false;
	}
}

static bool two_byte_changes(const u8 *at, u32 left)
{
	switch (at[0]) {
	case 0xa4: case 0xa5: case 0xac: case 0xad:	/* SHLD, SHRD */
	case 0xab: case 0xb3: case 0xbb:		/* BTS, BTR, BTC */
	case 0xb0: case 0xb1: case 0xc0: case 0xc1:	/* CMPXCHG, XADD */
		return true;
	case 0xba:					/* the same; BT */
		return left > 1 && group_of(at, left) > 4;
	case 0xc7:
		return group_of(at, left) == 1;
	case 0x38:					/* AADD, AAND, AOR, AXOR */
		return left > 1 && at[1] == 0xfc;
	default:
		return false;
	}
}

/**
 * watch_changes - does an instruction read what it writes
 * @bytes: as for watch_size()
 * @available: "
 * @code: "
 *
 * CPUs differ in whether such an access is told as a write, or as both.
 */
bool watch_changes(const u8 *bytes, u32 available, enum code_size code)
{
	struct prefixes prefix = { 0 };
	u32 at = skip_prefixes(bytes, available, code, &prefix);

	if (at < available && bytes[at] != 0x0f)
		return one_byte_changes(bytes + at, available - at, code);
	return at + 1 < available && two_byte_changes(bytes + at + 1, available - at - 1);
}

/**
 * watch_size - how many bytes an access of this instruction has
 * @bytes: the instruction
 * @available: bytes of it that could be read
 * @code: of which kind the code is
 *
 * Return: at least as many as it touches with one access that it makes by itself; of a
 * repeated string instruction, with one repetition.
 */
u32 watch_size(const u8 *bytes, u32 available, enum code_size code)
{
	struct prefixes prefix = { 0 };
	u32 at = skip_prefixes(bytes, available, code, &prefix);

	if (at >= available)
		return UNKNOWN;
	if (bytes[at] == 0x62 || bytes[at] == 0xc4 || bytes[at] == 0xc5) {
		/* Outside of 64-bit code they are VEX only with a register behind them. */
		if (code == CODE_64 || (at + 1 < available && bytes[at + 1] >= 0xc0))
			return vex_size(bytes + at, available - at);
		return 8;
	}
	if (bytes[at] != 0x0f)
		return one_byte(bytes + at, available - at, &prefix, code);
	if (at + 1 >= available)
		return UNKNOWN;
	return two_byte(bytes + at + 1, available - at - 1, &prefix, code);
}
