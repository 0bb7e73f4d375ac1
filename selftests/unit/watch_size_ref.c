// SPDX-License-Identifier: GPL-2.0-only
/*
 * A list of instructions with their memory operands (SDM vol. 2, chapters 3 to 6 and
 * appendix A), and an encoder for them. It knows nothing of how core takes them apart.
 */
#include <stdlib.h>
#include <string.h>
#include "hypapp/watch_size.h"
#include "watch_size_ref.h"

#define ROOM	40

/* Sizes that depend on prefixes and on the code; all others are numbers of bytes. */
enum {
	FULL = 0x10000,	/* operand size: 2, 4 or 8 */
	TWICE,		/* two of it */
	ALL,		/* eight of it: PUSHA */
	UP_TO_4,	/* operand size, but never 8 */
	PUSH,		/* operand size, by default 8 in 64-bit code, and then never 4 */
	NEAR,		/* the same, but in 64-bit code always 8 */
	POINTER,	/* a far pointer, or the 8 bytes of a descriptor */
	DESC,		/* the descriptor of an LDT or a TSS */
	TABLE,		/* limit and base of a descriptor table */
	WIDE,		/* 8 with REX.W, else 4 */
	PAIR,		/* 16 with REX.W, else 8 */
	LENGTH,		/* of the vector */
};

/* More flags: */
#define IMPLIED	4u	/* no ModRM: what it accesses the opcode says */
#define REG	8u	/* ModRM with two registers: the same */
#define OLD	16u	/* not in 64-bit code */
#define NEW	32u	/* only there */

/* Mandatory prefixes. ANY: 66 is for the operand size, others mean nothing. */
enum { NP, P66, PF3, PF2, ANY };
enum { LEGACY, VEX, EVEX };

/**
 * struct form - instructions that differ in nothing that counts here
 * @opcode: the first one
 * @count: of so many opcodes; 0: of this one
 * @step: from one to the next
 * @size: of the largest access
 * @flags: see above
 * @groups: bits, which values the reg field of ModRM may have; 0: any
 * @prefix: which mandatory prefix
 * @map: of opcodes: 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A, 4 and more: EVEX only
 * @encoding: how it is encoded
 * @length: VEX.L or EVEX.L'L; bit n: n is allowed; 0: any
 */
struct form {
	u8 opcode, count, step;
	u32 size, flags;
	u8 groups;
	u8 prefix, map, encoding, length;
};

#define ONE(op, sz, fl, ...) \
	{ .opcode = op, .size = sz, .flags = fl, .prefix = ANY, __VA_ARGS__ }
#define MAP(m, pre, first, last, sz, fl, ...) \
	{ .opcode = first, .count = (last) - (first) + 1, .step = 1, \
	  .size = sz, .flags = fl, .prefix = pre, .map = m, __VA_ARGS__ }
#define TWO(pre, op, sz, fl, ...)		MAP(1, pre, op, op, sz, fl, __VA_ARGS__)
#define RANGE(pre, first, last, sz, fl)		MAP(1, pre, first, last, sz, fl)
#define AVX(m, pre, op, sz, fl, ...) \
	MAP(m, pre, op, op, sz, fl, .encoding = VEX, __VA_ARGS__)
#define AVX512(m, pre, op, sz, fl, ...) \
	MAP(m, pre, op, op, sz, fl, .encoding = EVEX, __VA_ARGS__)

/* The four kinds of an SSE operation on floating-point numbers. */
#define PACKED(op) \
	TWO(NP, op, 16, EXACT), TWO(P66, op, 16, EXACT)
#define ALL_FOUR(op) \
	PACKED(op), TWO(PF3, op, 4, EXACT), TWO(PF2, op, 8, EXACT)

static const struct form forms[] = {
	/* ADD, OR, ADC, SBB, AND, SUB, XOR; CMP */
	ONE(0x00, 1, EXACT | CHANGES, .count = 7, .step = 8),
	ONE(0x01, FULL, EXACT | CHANGES, .count = 7, .step = 8),
	ONE(0x02, 1, EXACT, .count = 8, .step = 8),
	ONE(0x03, FULL, EXACT, .count = 8, .step = 8),
	ONE(0x38, 1, EXACT),
	ONE(0x39, FULL, EXACT),
	ONE(0x06, PUSH, IMPLIED | OLD, .count = 4, .step = 8),
	ONE(0x07, 8, IMPLIED | OLD),		/* POP ES: the descriptor */
	ONE(0x17, 8, IMPLIED | OLD, .count = 2, .step = 8),
	ONE(0x50, PUSH, EXACT | IMPLIED, .count = 16, .step = 1),
	ONE(0x60, ALL, IMPLIED | OLD, .count = 2, .step = 1),
	ONE(0x62, TWICE, OLD),			/* BOUND */
	ONE(0x63, 2, CHANGES | OLD),		/* ARPL */
	MAP(0, NP, 0x63, 0x63, 4, EXACT | NEW),	/* MOVSXD */
	MAP(0, P66, 0x63, 0x63, UP_TO_4, NEW),
	ONE(0x68, PUSH, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0x69, FULL, EXACT, .count = 2, .step = 2),
	ONE(0x6c, 1, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0x6d, UP_TO_4, IMPLIED, .count = 2, .step = 2),
	ONE(0x80, 1, EXACT | CHANGES, .groups = 0x7f),
	ONE(0x80, 1, EXACT, .groups = 0x80),
	ONE(0x81, FULL, EXACT | CHANGES, .count = 2, .step = 2, .groups = 0x7f),
	ONE(0x81, FULL, EXACT, .count = 2, .step = 2, .groups = 0x80),
	ONE(0x82, 1, EXACT | CHANGES | OLD, .groups = 0x7f),
	ONE(0x82, 1, EXACT | OLD, .groups = 0x80),
	ONE(0x84, 1, EXACT),
	ONE(0x85, FULL, EXACT),
	ONE(0x86, 1, EXACT | CHANGES),
	ONE(0x87, FULL, EXACT | CHANGES),
	ONE(0x88, 1, EXACT, .count = 2, .step = 2),
	ONE(0x89, FULL, EXACT, .count = 2, .step = 2),
	ONE(0x8c, 2, EXACT, .groups = 0x3f),
	ONE(0x8e, 8, 0, .groups = 0x3d),	/* the descriptor */
	ONE(0x8f, PUSH, EXACT, .groups = 0x01),
	ONE(0x9a, POINTER, IMPLIED | OLD),
	ONE(0x9c, PUSH, EXACT | IMPLIED, .count = 2, .step = 1),
	ONE(0xa0, 1, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0xa1, FULL, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0xa4, 1, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0xa5, FULL, EXACT | IMPLIED, .count = 2, .step = 2),
	ONE(0xaa, 1, EXACT | IMPLIED, .count = 3, .step = 2),
	ONE(0xab, FULL, EXACT | IMPLIED, .count = 3, .step = 2),
	ONE(0xc0, 1, EXACT | CHANGES),
	ONE(0xc1, FULL, EXACT | CHANGES),
	ONE(0xd0, 1, EXACT | CHANGES, .count = 2, .step = 2),
	ONE(0xd1, FULL, EXACT | CHANGES, .count = 2, .step = 2),
	ONE(0xc2, NEAR, EXACT | IMPLIED, .count = 2, .step = 1),
	ONE(0xc4, POINTER, OLD, .count = 2, .step = 1),
	ONE(0xc6, 1, EXACT, .groups = 0x01),
	ONE(0xc7, FULL, EXACT, .groups = 0x01),
	ONE(0xc8, PUSH, EXACT | IMPLIED, .count = 2, .step = 1),
	ONE(0xca, POINTER, IMPLIED, .count = 4, .step = 1),
	ONE(0xce, POINTER, IMPLIED | OLD),
	ONE(0xcf, POINTER, IMPLIED),
	ONE(0xd7, 1, IMPLIED),			/* XLAT */
	ONE(0xd8, 4, 0),
	ONE(0xd9, 4, 0, .groups = 0x0d),
	ONE(0xd9, 28, 0, .groups = 0x50),	/* FLDENV, FNSTENV */
	ONE(0xd9, 2, 0, .groups = 0xa0),
	ONE(0xda, 4, 0),
	ONE(0xdb, 4, 0, .groups = 0x0f),
	ONE(0xdb, 10, 0, .groups = 0xa0),
	ONE(0xdc, 8, 0),
	ONE(0xdd, 8, 0, .groups = 0x0f),
	ONE(0xdd, 108, 0, .groups = 0x50),	/* FRSTOR, FNSAVE */
	ONE(0xdd, 2, 0, .groups = 0x80),
	ONE(0xde, 2, 0),
	ONE(0xdf, 2, 0, .groups = 0x0f),
	ONE(0xdf, 10, 0, .groups = 0x50),	/* FBLD, FBSTP */
	ONE(0xdf, 8, 0, .groups = 0xa0),
	ONE(0xe8, NEAR, EXACT | IMPLIED),
	ONE(0xea, POINTER, IMPLIED | OLD),
	ONE(0xf6, 1, EXACT | CHANGES, .groups = 0x0c),
	ONE(0xf6, 1, EXACT, .groups = 0xf3),
	ONE(0xf7, FULL, EXACT | CHANGES, .groups = 0x0c),
	ONE(0xf7, FULL, EXACT, .groups = 0xf3),
	ONE(0xfe, 1, EXACT | CHANGES, .groups = 0x03),
	ONE(0xff, FULL, EXACT | CHANGES, .groups = 0x03),
	ONE(0xff, NEAR, EXACT, .groups = 0x14),
	ONE(0xff, POINTER, 0, .groups = 0x28),
	ONE(0xff, PUSH, EXACT, .groups = 0x40),

	/* 0F: of the system */
	TWO(NP, 0x00, 2, 0, .groups = 0x03),
	TWO(NP, 0x00, DESC, 0, .groups = 0x0c),		/* LLDT, LTR */
	TWO(NP, 0x00, 8, 0, .groups = 0x30),
	TWO(NP, 0x01, TABLE, 0, .groups = 0x0f),
	TWO(NP, 0x01, 2, 0, .groups = 0x50),
	TWO(PF3, 0x01, 8, NEW, .groups = 0x20),		/* RSTORSSP */
	RANGE(ANY, 0x02, 0x03, 8, 0),
	RANGE(NP, 0x78, 0x79, WIDE, 0),
	RANGE(ANY, 0xa0, 0xa0, PUSH, EXACT | IMPLIED),
	RANGE(ANY, 0xa8, 0xa8, PUSH, EXACT | IMPLIED),
	RANGE(ANY, 0xa1, 0xa1, 8, IMPLIED),		/* POP FS: the descriptor */
	RANGE(ANY, 0xa9, 0xa9, 8, IMPLIED),
	TWO(NP, 0xae, 512, 0, .groups = 0x03),
	TWO(NP, 0xae, 4, EXACT, .groups = 0x0c),	/* LDMXCSR, STMXCSR */
	TWO(NP, 0xae, 576, 0, .groups = 0x70),		/* XSAVE, XRSTOR, XSAVEOPT */
	TWO(NP, 0xae, 1, 0, .groups = 0x80),		/* CLFLUSH */
	TWO(P66, 0xae, 1, 0, .groups = 0xc0),
	TWO(PF3, 0xae, WIDE, 0, .groups = 0x10),	/* PTWRITE */
	TWO(PF3, 0xae, 8, 0, .groups = 0x40),		/* CLRSSBSY */
	TWO(ANY, 0xb2, POINTER, 0),
	RANGE(ANY, 0xb4, 0xb5, POINTER, 0),
	TWO(ANY, 0xc7, PAIR, EXACT | CHANGES, .groups = 0x02),
	TWO(NP, 0xc7, 576, 0, .groups = 0x38),		/* XRSTORS, XSAVEC, XSAVES */
	TWO(NP, 0xc7, 8, 0, .groups = 0xc0),

	/* 0F: of integers */
	RANGE(ANY, 0x40, 0x4f, FULL, EXACT),
	RANGE(ANY, 0x90, 0x9f, 1, EXACT),
	TWO(ANY, 0xa3, FULL, EXACT),
	RANGE(ANY, 0xa4, 0xa5, FULL, EXACT | CHANGES),
	TWO(ANY, 0xab, FULL, EXACT | CHANGES),
	RANGE(ANY, 0xac, 0xad, FULL, EXACT | CHANGES),
	TWO(ANY, 0xaf, FULL, EXACT),
	TWO(ANY, 0xb0, 1, EXACT | CHANGES),
	TWO(ANY, 0xb1, FULL, EXACT | CHANGES),
	TWO(ANY, 0xb3, FULL, EXACT | CHANGES),
	TWO(ANY, 0xb6, 1, EXACT),
	TWO(ANY, 0xb7, 2, EXACT),
	TWO(PF3, 0xb8, FULL, EXACT),
	TWO(ANY, 0xba, FULL, EXACT, .groups = 0x10),
	TWO(ANY, 0xba, FULL, EXACT | CHANGES, .groups = 0xe0),
	TWO(ANY, 0xbb, FULL, EXACT | CHANGES),
	RANGE(ANY, 0xbc, 0xbd, FULL, EXACT),
	RANGE(PF3, 0xbc, 0xbd, FULL, EXACT),
	TWO(ANY, 0xbe, 1, EXACT),
	TWO(ANY, 0xbf, 2, EXACT),
	TWO(ANY, 0xc0, 1, EXACT | CHANGES),
	TWO(ANY, 0xc1, FULL, EXACT | CHANGES),
	TWO(NP, 0xc3, WIDE, EXACT),

	/* 0F: MMX, SSE */
	ALL_FOUR(0x10),
	ALL_FOUR(0x11),
	TWO(NP, 0x12, 8, EXACT), TWO(P66, 0x12, 8, EXACT), TWO(PF2, 0x12, 8, EXACT),
	TWO(PF3, 0x12, 16, EXACT),			/* MOVSLDUP */
	TWO(NP, 0x13, 8, EXACT), TWO(P66, 0x13, 8, EXACT),
	PACKED(0x14),
	PACKED(0x15),
	TWO(NP, 0x16, 8, EXACT), TWO(P66, 0x16, 8, EXACT),
	TWO(PF3, 0x16, 16, EXACT),			/* MOVSHDUP */
	TWO(NP, 0x17, 8, EXACT), TWO(P66, 0x17, 8, EXACT),
	TWO(P66, 0x1a, 16, NEW), TWO(P66, 0x1b, 16, NEW),	/* BNDMOV */
	PACKED(0x28),
	PACKED(0x29),
	TWO(NP, 0x2a, 8, 0), TWO(P66, 0x2a, 8, 0),
	TWO(PF3, 0x2a, WIDE, EXACT), TWO(PF2, 0x2a, WIDE, EXACT),	/* of integers */
	PACKED(0x2b),
	RANGE(NP, 0x2c, 0x2d, 8, 0), RANGE(P66, 0x2c, 0x2d, 16, EXACT),
	RANGE(PF3, 0x2c, 0x2d, 4, EXACT), RANGE(PF2, 0x2c, 0x2d, 8, EXACT),
	RANGE(NP, 0x2e, 0x2f, 4, EXACT), RANGE(P66, 0x2e, 0x2f, 8, EXACT),
	ALL_FOUR(0x51),
	RANGE(NP, 0x52, 0x53, 16, EXACT), RANGE(PF3, 0x52, 0x53, 4, EXACT),
	RANGE(NP, 0x54, 0x57, 16, EXACT), RANGE(P66, 0x54, 0x57, 16, EXACT),
	ALL_FOUR(0x58),
	ALL_FOUR(0x59),
	TWO(NP, 0x5a, 8, 0), TWO(P66, 0x5a, 16, EXACT),
	TWO(PF3, 0x5a, 4, EXACT), TWO(PF2, 0x5a, 8, EXACT),
	PACKED(0x5b),
	TWO(PF3, 0x5b, 16, EXACT),			/* CVTTPS2DQ */
	ALL_FOUR(0x5c),
	ALL_FOUR(0x5d),
	ALL_FOUR(0x5e),
	ALL_FOUR(0x5f),
	RANGE(NP, 0x60, 0x62, 4, 0), RANGE(NP, 0x63, 0x6b, 8, 0),
	RANGE(P66, 0x60, 0x6d, 16, EXACT),
	TWO(NP, 0x6e, WIDE, EXACT), TWO(P66, 0x6e, WIDE, EXACT),
	TWO(NP, 0x6f, 8, 0), TWO(P66, 0x6f, 16, EXACT), TWO(PF3, 0x6f, 16, EXACT),
	TWO(NP, 0x70, 8, 0), TWO(P66, 0x70, 16, EXACT),
	TWO(PF3, 0x70, 16, EXACT), TWO(PF2, 0x70, 16, EXACT),
	RANGE(NP, 0x74, 0x76, 8, 0), RANGE(P66, 0x74, 0x76, 16, EXACT),
	RANGE(P66, 0x7c, 0x7d, 16, EXACT), RANGE(PF2, 0x7c, 0x7d, 16, EXACT),
	TWO(NP, 0x7e, WIDE, EXACT), TWO(P66, 0x7e, WIDE, EXACT), TWO(PF3, 0x7e, 8, EXACT),
	TWO(NP, 0x7f, 8, 0), TWO(P66, 0x7f, 16, EXACT), TWO(PF3, 0x7f, 16, EXACT),
	ALL_FOUR(0xc2),
	TWO(NP, 0xc4, 2, 0), TWO(P66, 0xc4, 2, 0),
	PACKED(0xc6),
	TWO(P66, 0xd0, 16, EXACT), TWO(PF2, 0xd0, 16, EXACT),
	RANGE(NP, 0xd1, 0xd5, 8, 0), RANGE(P66, 0xd1, 0xd5, 16, EXACT),
	TWO(P66, 0xd6, 8, EXACT),
	RANGE(NP, 0xd8, 0xe5, 8, 0), RANGE(P66, 0xd8, 0xe5, 16, EXACT),
	TWO(PF3, 0xe6, 8, 0), TWO(PF2, 0xe6, 16, EXACT), TWO(P66, 0xe6, 16, EXACT),
	RANGE(NP, 0xe7, 0xef, 8, 0), RANGE(P66, 0xe7, 0xef, 16, EXACT),
	TWO(PF2, 0xf0, 16, EXACT),
	RANGE(NP, 0xf1, 0xf6, 8, 0), RANGE(P66, 0xf1, 0xf6, 16, EXACT),
	TWO(NP, 0xf7, 8, REG), TWO(P66, 0xf7, 16, EXACT | REG),	/* MASKMOV: at [RDI] */
	RANGE(NP, 0xf8, 0xfe, 8, 0), RANGE(P66, 0xf8, 0xfe, 16, EXACT),

	/* 0F 38 */
	MAP(2, NP, 0x00, 0x0b, 8, 0),
	MAP(2, P66, 0x00, 0x0b, 16, EXACT),
	MAP(2, P66, 0x1c, 0x1e, 16, EXACT),
	MAP(2, P66, 0x20, 0x25, 8, 0),
	MAP(2, P66, 0x28, 0x2b, 16, EXACT),
	MAP(2, P66, 0x30, 0x35, 8, 0),
	MAP(2, P66, 0x37, 0x41, 16, EXACT),
	MAP(2, P66, 0x80, 0x82, 16, EXACT),		/* INVEPT, INVVPID, INVPCID */
	MAP(2, NP, 0xc8, 0xcd, 16, EXACT),
	MAP(2, P66, 0xcf, 0xcf, 16, EXACT),
	MAP(2, PF3, 0xd8, 0xd8, 48, 0, .groups = 0x05),	/* handles of keys, wide */
	MAP(2, PF3, 0xd8, 0xd8, 64, 0, .groups = 0x0a),
	MAP(2, P66, 0xdb, 0xdf, 16, EXACT),
	MAP(2, PF3, 0xdc, 0xdd, 48, 0),			/* handles of keys */
	MAP(2, PF3, 0xde, 0xdf, 64, 0),
	MAP(2, ANY, 0xf0, 0xf1, FULL, 0),
	MAP(2, PF2, 0xf0, 0xf0, 1, 0),
	MAP(2, PF2, 0xf1, 0xf1, FULL, 0),
	MAP(2, P66, 0xf5, 0xf5, WIDE, 0),
	MAP(2, NP, 0xf6, 0xf6, WIDE, 0),
	MAP(2, P66, 0xf6, 0xf6, WIDE, 0),
	MAP(2, PF3, 0xf6, 0xf6, WIDE, 0),
	MAP(2, P66, 0xf8, 0xf8, 64, EXACT),		/* MOVDIR64B */
	MAP(2, PF2, 0xf8, 0xf8, 64, EXACT),		/* ENQCMD */
	MAP(2, PF3, 0xf8, 0xf8, 64, EXACT),
	MAP(2, NP, 0xf9, 0xf9, WIDE, 0),
	MAP(2, NP, 0xfc, 0xfc, WIDE, CHANGES),		/* AADD, AAND, AOR, AXOR */
	MAP(2, P66, 0xfc, 0xfc, WIDE, CHANGES),
	MAP(2, PF2, 0xfc, 0xfc, WIDE, CHANGES),
	MAP(2, PF3, 0xfc, 0xfc, WIDE, CHANGES),

	/* 0F 3A */
	MAP(3, P66, 0x08, 0x09, 16, EXACT),
	MAP(3, P66, 0x0a, 0x0b, 8, 0),
	MAP(3, P66, 0x0c, 0x0f, 16, EXACT),
	MAP(3, NP, 0x0f, 0x0f, 8, 0),
	MAP(3, P66, 0x14, 0x17, WIDE, 0),
	MAP(3, P66, 0x20, 0x22, WIDE, 0),
	MAP(3, P66, 0x40, 0x42, 16, EXACT),
	MAP(3, P66, 0x44, 0x44, 16, EXACT),
	MAP(3, P66, 0x60, 0x63, 16, EXACT),
	MAP(3, NP, 0xcc, 0xcc, 16, EXACT),
	MAP(3, P66, 0xce, 0xcf, 16, EXACT),
	MAP(3, P66, 0xdf, 0xdf, 16, EXACT),

	/* VEX */
	AVX(1, NP, 0x10, LENGTH, EXACT),
	AVX(1, P66, 0x11, LENGTH, EXACT),
	AVX(1, PF3, 0x10, 4, 0),
	AVX(1, PF2, 0x11, 8, 0),
	AVX(1, NP, 0x28, LENGTH, EXACT),
	AVX(1, P66, 0x29, LENGTH, EXACT),
	AVX(1, NP, 0x58, LENGTH, EXACT),
	AVX(1, P66, 0x6f, LENGTH, EXACT),
	AVX(1, PF3, 0x6f, LENGTH, EXACT),
	AVX(1, P66, 0x7f, LENGTH, EXACT),
	AVX(1, PF3, 0x7f, LENGTH, EXACT),
	AVX(1, P66, 0x6e, WIDE, 0, .length = 1),
	AVX(1, PF3, 0x7e, 8, 0, .length = 1),
	AVX(1, NP, 0x90, WIDE, 0, .length = 1),		/* KMOV */
	AVX(1, NP, 0x91, WIDE, 0, .length = 1),
	AVX(1, NP, 0xae, 4, 0, .groups = 0x0c, .length = 1),
	AVX(1, P66, 0xe7, LENGTH, EXACT),
	AVX(1, P66, 0xef, LENGTH, EXACT),
	AVX(1, PF2, 0xf0, LENGTH, EXACT),
	AVX(2, P66, 0x00, LENGTH, EXACT),
	AVX(2, P66, 0x18, 4, 0),
	AVX(2, P66, 0x1a, 16, 0, .length = 2),
	AVX(2, P66, 0x40, LENGTH, EXACT),
	AVX(2, P66, 0x8c, LENGTH, EXACT),
	AVX(2, P66, 0x8e, LENGTH, EXACT),
	AVX(2, P66, 0x90, WIDE, 0),
	AVX(2, P66, 0x98, LENGTH, EXACT),
	AVX(2, NP, 0xf2, WIDE, 0, .length = 1),
	AVX(2, NP, 0x49, 64, NEW, .groups = 0x01, .length = 1),	/* LDTILECFG */
	AVX(2, P66, 0x49, 64, NEW, .groups = 0x01, .length = 1),
	AVX(2, PF2, 0x4b, 64, NEW, .length = 1),	/* TILELOADD: a row */
	AVX(2, P66, 0x4b, 64, NEW, .length = 1),
	AVX(2, PF3, 0x4b, 64, NEW, .length = 1),
	MAP(2, P66, 0xe0, 0xef, WIDE, CHANGES | NEW, .encoding = VEX, .length = 1),	/* CMPccXADD */
	AVX(3, P66, 0x06, LENGTH, EXACT, .length = 2),
	AVX(3, P66, 0x0f, LENGTH, EXACT),
	AVX(3, P66, 0x38, 16, 0, .length = 2),
	AVX(3, P66, 0x39, 16, 0, .length = 2),

	/* EVEX */
	AVX512(1, NP, 0x10, LENGTH, EXACT),
	AVX512(1, P66, 0x11, LENGTH, EXACT),
	AVX512(1, PF3, 0x10, 4, 0),
	AVX512(1, NP, 0x28, LENGTH, EXACT),
	AVX512(1, NP, 0x58, LENGTH, EXACT),
	AVX512(1, P66, 0x6f, LENGTH, EXACT),
	AVX512(1, PF3, 0x6f, LENGTH, EXACT),
	AVX512(1, PF2, 0x7f, LENGTH, EXACT),
	AVX512(1, P66, 0xe7, LENGTH, EXACT),
	AVX512(2, P66, 0x00, LENGTH, EXACT),
	AVX512(2, P66, 0x58, 4, 0),
	AVX512(2, P66, 0x8a, LENGTH, EXACT),
	AVX512(2, P66, 0x90, WIDE, 0),
	AVX512(2, P66, 0x98, LENGTH, EXACT),
	AVX512(3, P66, 0x0f, LENGTH, EXACT),
	AVX512(3, P66, 0x25, LENGTH, EXACT),
	AVX512(5, NP, 0x58, LENGTH, EXACT),
	AVX512(6, P66, 0x98, LENGTH, EXACT),
	AVX512(2, NP, 0x49, 64, NEW, .groups = 0x01, .length = 1),
	AVX512(2, PF2, 0x4b, 64, NEW, .length = 1),
	AVX512(4, P66, 0xf8, 64, NEW, .length = 1),	/* MOVDIR64B */
	AVX512(4, NP, 0xff, 16, NEW, .groups = 0x40, .length = 1),	/* PUSH2 */
};

struct encoder {
	struct source *source;
	const struct form *form;
	enum code_size code;
	u8 bytes[ROOM];
	u32 at;
	bool p66, p67, wide;
	u32 length;	/* of vectors: 0, 1, 2 */
};

static void put(struct encoder *e, u8 byte)
{
	require(e->at < ROOM, "the encoder has no room");
	e->bytes[e->at++] = byte;
}

static void put_random(struct encoder *e, u32 count)
{
	for (; count; count--)
		put(e, (u8)source_take(e->source, 1));
}

/* A REX in front of another prefix counts for nothing. */
static void put_prefix(struct encoder *e, u8 byte)
{
	if (e->code == CODE_64 && e->form->encoding == LEGACY && source_chance(e->source, 10))
		put(e, 0x40 | (u8)source_below(e->source, 16));
	put(e, byte);
	e->p66 |= byte == 0x66;
	e->p67 |= byte == 0x67;
}

static bool has_free_66(const struct form *form)
{
	return form->prefix == ANY || (form->size == FULL && form->encoding == LEGACY);
}

/* Those that mean nothing to the size, in front of or behind the one that does. */
static void put_other_prefixes(struct encoder *e)
{
	static const u8 others[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67, 0x67 };
	u64 count = source_chance(e->source, 40) ? source_below(e->source, 4) : 0;
	const struct form *form = e->form;

	for (; count; count--)
		put_prefix(e, others[source_below(e->source, sizeof(others))]);
	if (has_free_66(form) && source_chance(e->source, 25))
		put_prefix(e, 0x66);
	if (form->encoding != LEGACY || form->map || form->prefix != ANY)
		return;
	if (form->flags & CHANGES && source_chance(e->source, 20))
		put_prefix(e, 0xf0);
	else if (source_chance(e->source, 10))
		put_prefix(e, 0xf2 | (u8)source_below(e->source, 2));
}

static void put_prefixes(struct encoder *e)
{
	static const u8 mandatory[] = { [P66] = 0x66, [PF3] = 0xf3, [PF2] = 0xf2 };
	u8 prefix = e->form->prefix, rex;

	put_other_prefixes(e);
	if (e->form->encoding != LEGACY)
		return;
	if (prefix != NP && prefix != ANY) {
		/* Of F2 and F3 the last one counts, and both more than 66. */
		if (prefix != P66 && e->form->map == 1 && source_chance(e->source, 20))
			put_prefix(e, mandatory[P66 + source_below(e->source, 3)]);
		put_prefix(e, mandatory[prefix]);
		put_other_prefixes(e);
	}
	if (e->code == CODE_64 && source_chance(e->source, 50)) {
		rex = 0x40 | (u8)source_below(e->source, 16);
		e->wide = rex & 8;
		put(e, rex);
	}
}

/* VEX and EVEX: of R, X, B and V' there is no more to know than that all are inverted. */
static void put_vex(struct encoder *e, u8 opcode)
{
	u8 map = e->form->map, inverted = (u8)source_take(e->source, 1) & 0xe0, vvvv;
	u8 pp = e->form->prefix;

	vvvv = (u8)source_below(e->source, 16) << 3;
	/* Else it is another instruction in other code. */
	if (e->code != CODE_64) {
		inverted |= 0xc0;
		vvvv |= 0x40;
	}
	if (map == 1 && !e->wide && source_chance(e->source, 60)) {
		put(e, 0xc5);
		put(e, (inverted & 0x80) | vvvv | (u8)(e->length << 2) | pp);
	} else {
		put(e, 0xc4);
		put(e, inverted | map);
		put(e, (e->wide ? 0x80 : 0) | vvvv | (u8)(e->length << 2) | pp);
	}
	put(e, opcode);
}

static void put_evex(struct encoder *e, u8 opcode)
{
	u8 any = (u8)source_take(e->source, 1);

	put(e, 0x62);
	put(e, (e->code == CODE_64 ? any & 0xf0 : (any & 0x30) | 0xc0) | e->form->map);
	put(e, (e->wide ? 0x80 : 0) | (any & 15) << 3 | 4 | e->form->prefix);
	/* Without broadcast. */
	put(e, (u8)(e->length << 5) | ((u8)source_take(e->source, 1) & 0x8f));
	put(e, opcode);
}

static u8 pick(struct encoder *e, u32 bits, u32 limit)
{
	u8 value = (u8)source_below(e->source, limit);

	while (!(bits >> value & 1))
		value = (u8)((value + 1) % limit);
	return value;
}

static void put_opcode(struct encoder *e)
{
	const struct form *form = e->form;
	u8 opcode = form->opcode;

	if (form->count)
		opcode += form->step * (u8)source_below(e->source, form->count);
	if (form->encoding != LEGACY) {
		e->wide = e->code == CODE_64 && source_chance(e->source, 50);
		e->length = pick(e, form->length ? form->length : 7, form->encoding == VEX ? 2 : 3);
		if (form->encoding == VEX)
			put_vex(e, opcode);
		else
			put_evex(e, opcode);
		return;
	}
	if (form->map)
		put(e, 0x0f);
	if (form->map > 1)
		put(e, form->map == 2 ? 0x38 : 0x3a);
	put(e, opcode);
}

static u32 address_size(const struct encoder *e)
{
	static const u8 sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };

	return sizes[e->code][e->p67];
}

/* ModRM, SIB, displacement. */
static void put_operand(struct encoder *e)
{
	u8 reg = pick(e, e->form->groups ? e->form->groups : 0xff, 8), sib = 0;
	u8 mod = (u8)source_below(e->source, 3), rm = (u8)source_below(e->source, 8);

	if (e->form->flags & REG)
		mod = 3;
	put(e, (u8)(mod << 6 | reg << 3 | rm));
	if (mod == 3)
		return;
	if (address_size(e) == 2) {
		put_random(e, mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0);
		return;
	}
	if (rm == 4) {
		sib = (u8)source_take(e->source, 1);
		put(e, sib);
	}
	if (mod == 1)
		put_random(e, 1);
	else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		put_random(e, 4);
}

static u32 operand_size(const struct encoder *e)
{
	static const u8 sizes[3][2] = { { 2, 4 }, { 4, 2 }, { 4, 2 } };

	return e->wide ? 8 : sizes[e->code][e->p66];
}

static u32 larger(u32 a, u32 b)
{
	return a > b ? a : b;
}

static u32 size_of_access(const struct encoder *e)
{
	u32 full = operand_size(e);
	bool new = e->code == CODE_64;

	switch (e->form->size) {
	case FULL:
		return full;
	case TWICE:
		return 2 * full;
	case ALL:
		return 8 * full;
	case UP_TO_4:
		return full < 4 ? full : 4;
	case PUSH:
		return new && full == 4 ? 8 : full;
	case NEAR:
		return new ? 8 : full;
	case POINTER:
		return larger(full + 2, 8);
	case DESC:
		return new ? 16 : 8;
	case TABLE:
		return new ? 10 : 6;
	case WIDE:
		return e->wide ? 8 : 4;
	case PAIR:
		return e->wide ? 16 : 8;
	case LENGTH:
		return 16u << e->length;
	default:
		return e->form->size;
	}
}

/* A copy that ends where it ends: AddressSanitizer watches what is behind. */
static u32 ask(const u8 *bytes, u32 available, enum code_size code, bool *changes)
{
	u8 *copy = malloc(available ? available : 1);
	u32 size;

	require(copy, "no memory");
	memcpy(copy, bytes, available);
	size = watch_size(available ? copy : copy + 1, available, code);
	*changes = watch_changes(available ? copy : copy + 1, available, code);
	free(copy);
	require(size && size <= PAGE_SIZE, "%u of %02x %02x %02x..., code %d: size %u", available,
		bytes[0], bytes[1], bytes[2], code, size);
	return size;
}

static const char *text_of(const u8 *bytes, u32 length)
{
	static char text[3 * ROOM + 1];
	u32 i;

	for (i = 0; i < length && i < ROOM; i++) {
		text[3 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[3 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
		text[3 * i + 2] = ' ';
	}
	text[i ? 3 * i - 1 : 0] = 0;
	return text;
}

void watch_size_ref_check(const char *name, const u8 *bytes, u32 length, enum code_size code,
			  u32 size, u32 flags)
{
	bool changes, cut_changes;
	u32 got = ask(bytes, length, code, &changes), cut;

	require(flags & EXACT ? got == size : got >= size, "%s: %s, %u bits: %u bytes, not %u",
		name, text_of(bytes, length), 16u << code, got, size);
	require(changes == !!(flags & CHANGES), "%s: %s, %u bits: reads what it writes: %d", name,
		text_of(bytes, length), 16u << code, changes);
	for (cut = 0; cut < length; cut++)
		ask(bytes, cut, code, &cut_changes);
}

u32 watch_size_ref_nr(void)
{
	return ARRAY_SIZE(forms);
}

void watch_size_ref_form(u32 index, struct source *source)
{
	struct encoder e = { .source = source, .form = &forms[index] };
	u32 length;

	e.code = (enum code_size)source_below(source, 3);
	if (e.form->flags & NEW)
		e.code = CODE_64;
	else if (e.form->flags & OLD && e.code == CODE_64)
		e.code = CODE_32;
	put_prefixes(&e);
	put_opcode(&e);
	if (!(e.form->flags & IMPLIED))
		put_operand(&e);
	length = e.at;
	/* Immediate operands, and what follows. */
	put_random(&e, (u32)source_below(source, 5));
	watch_size_ref_check("encoded", e.bytes, e.at, e.code, size_of_access(&e), e.form->flags);
	/* Both are known without them. */
	watch_size_ref_check("encoded", e.bytes, length, e.code, size_of_access(&e), e.form->flags);
}

void watch_size_ref_run(struct source *source)
{
	watch_size_ref_form((u32)source_below(source, ARRAY_SIZE(forms)), source);
}

void watch_size_ref_run_any(struct source *source)
{
	enum code_size code = (enum code_size)source_below(source, 3);
	u32 size = (u32)source_below(source, 17), i;
	u8 bytes[17] = { 0 };
	bool changes;

	for (i = 0; i < size; i++)
		bytes[i] = (u8)source_take(source, 1);
	for (i = 0; i <= size; i++)
		ask(bytes, i, code, &changes);
}
