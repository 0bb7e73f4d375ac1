// SPDX-License-Identifier: GPL-2.0-only
/* core/decode.c against SDM vol. 2, and against an encoder. */
#include "unit.h"
#include "decode.h"
#include "decode_ref.h"

struct sample {
	const char *name;
	enum code_size code;
	u8 bytes[16];
	u32 size;
	struct insn want;
};

#define BYTES(...) { __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ })

/* As an assembler makes them. */
static const struct sample known[] = {
	{ "mov %eax, 0x300(%rdi)", CODE_64, BYTES(0x89, 0x87, 0x00, 0x03, 0, 0),
	  { INSN_STORE, .length = 6, .size = 4, .reg_size = 4 } },
	{ "movl $0x20, (%rsp)", CODE_64, BYTES(0xc7, 0x04, 0x24, 0x20, 0, 0, 0),
	  { INSN_STORE, .length = 7, .size = 4, .immediate = true, .value = 0x20 } },
	{ "movq $-1, (%r12)", CODE_64, BYTES(0x49, 0xc7, 0x04, 0x24, 0xff, 0xff, 0xff, 0xff),
	  { INSN_STORE, .length = 8, .size = 8, .immediate = true, .value = ~0ull } },
	{ "mov %r15d, -0xa03d00(%rip)", CODE_64, BYTES(0x44, 0x89, 0x3d, 0, 0xc3, 0x5f, 0xff),
	  { INSN_STORE, .length = 7, .size = 4, .reg = 15, .reg_size = 4 } },
	{ "mov %eax, 0xffffffffff5fc0b0", CODE_64, BYTES(0x89, 0x04, 0x25, 0xb0, 0xc0, 0x5f, 0xff),
	  { INSN_STORE, .length = 7, .size = 4, .reg_size = 4 } },
	{ "mov (%r13), %rbp", CODE_64, BYTES(0x49, 0x8b, 0x6d, 0x00),
	  { INSN_LOAD, .length = 4, .size = 8, .reg = 5, .reg_size = 8 } },
	{ "mov %ah, (%rdi)", CODE_64, BYTES(0x88, 0x27),
	  { INSN_STORE, .length = 2, .size = 1, .reg_size = 1, .high_byte = true } },
	{ "mov %spl, (%rdi)", CODE_64, BYTES(0x40, 0x88, 0x27),
	  { INSN_STORE, .length = 3, .size = 1, .reg = 4, .reg_size = 1 } },
	{ "movabs %al, 0x1122334455667788", CODE_64,
	  BYTES(0xa2, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11),
	  { INSN_STORE, .length = 9, .size = 1, .reg_size = 1 } },
	{ "movslq (%rax), %rcx", CODE_64, BYTES(0x48, 0x63, 0x08),
	  { INSN_LOAD, .length = 3, .size = 4, .reg = 1, .reg_size = 8, .sign = true } },
	{ "lock xchg %edx, (%rax)", CODE_64, BYTES(0xf0, 0x87, 0x10),
	  { INSN_EXCHANGE, .length = 3, .size = 4, .reg = 2, .reg_size = 4 } },
	{ "mov %ax, 0x10(%bp,%si)", CODE_16, BYTES(0x89, 0x42, 0x10),
	  { INSN_STORE, .length = 3, .size = 2, .reg_size = 2 } },
	{ "mov %eax, 0xfee000b0", CODE_32, BYTES(0xa3, 0xb0, 0x00, 0xe0, 0xfe),
	  { INSN_STORE, .length = 5, .size = 4, .reg_size = 4 } },
	{ "movzwl (%ebx), %esi", CODE_32, BYTES(0x0f, 0xb7, 0x33),
	  { INSN_LOAD, .length = 3, .size = 2, .reg = 6, .reg_size = 4 } },
	{ "mov %cs:0x1234, %ecx in 16-bit code", CODE_16,
	  BYTES(0x2e, 0x66, 0x8b, 0x0e, 0x34, 0x12),
	  { INSN_LOAD, .length = 6, .size = 4, .reg = 1, .reg_size = 4 } },
};

/* Not moves, no memory, LOCK where there is none, REP, and a REX in 32-bit code. */
static const struct sample unknown[] = {
	{ "mov %eax, %ebx", CODE_64, BYTES(0x89, 0xc3), { 0 } },
	{ "add %eax, (%rdi)", CODE_64, BYTES(0x01, 0x07), { 0 } },
	{ "lock mov", CODE_64, BYTES(0xf0, 0x89, 0x07), { 0 } },
	{ "xrelease mov", CODE_64, BYTES(0xf3, 0x89, 0x07), { 0 } },
	{ "c7 /1", CODE_64, BYTES(0xc7, 0x0f, 0, 0, 0, 0), { 0 } },
	{ "movnti with 66", CODE_64, BYTES(0x66, 0x0f, 0xc3, 0x07), { 0 } },
	{ "stosl", CODE_64, BYTES(0xab), { 0 } },
	{ "arpl", CODE_32, BYTES(0x63, 0x07), { 0 } },
	{ "dec %eax; mov", CODE_32, BYTES(0x48, 0x89, 0x07), { 0 } },
	{ "vmovdqu", CODE_64, BYTES(0xc5, 0xfe, 0x7f, 0x07), { 0 } },
	{ "16 bytes", CODE_64, BYTES(0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
				     0x2e, 0x2e, 0x2e, 0x89, 0x07), { 0 } },
	{ "nothing but prefixes", CODE_64, BYTES(0x66, 0x66, 0x66), { 0 } },
};

static void test_known(void **state)
{
	struct insn insn;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct sample *s = &known[i];

		require(decode(&insn, s->bytes, s->size, s->code), "%s is not known", s->name);
		require(insn.length == s->want.length && insn.size == s->want.size &&
			insn.kind == s->want.kind && insn.reg == s->want.reg &&
			insn.reg_size == s->want.reg_size && insn.sign == s->want.sign &&
			insn.high_byte == s->want.high_byte && insn.immediate == s->want.immediate &&
			insn.value == s->want.value, "%s: length %u, size %u, register %u of %u",
			s->name, insn.length, insn.size, insn.reg, insn.reg_size);
	}
}

static void test_unknown(void **state)
{
	struct insn insn;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		require(!decode(&insn, unknown[i].bytes, unknown[i].size, unknown[i].code), "%s",
			unknown[i].name);
}

static void test_encoded(void **state)
{
	(void)state;
	unit_for_seeds(20000, decode_ref_run);
}

static void test_any(void **state)
{
	(void)state;
	unit_for_seeds(50000, decode_ref_run_any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
