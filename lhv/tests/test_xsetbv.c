// SPDX-License-Identifier: GPL-2.0-only
/* XSETBV exits: so all of its checks are core's to make. */
#include "tests.h"

INSN(insn_xsetbv, "movl (%rdi), %ecx\n\tmovl 4(%rdi), %eax\n\tmovl 8(%rdi), %edx\n\txsetbv");
INSN(insn_xgetbv, "movl %edi, %ecx\n\txgetbv");

static u32 try_xsetbv(u32 index, u64 value)
{
	u32 args[3] = { index, (u32)value, (u32)(value >> 32) };

	return try_insn(insn_xsetbv, ADDR(args));
}

static u64 xgetbv(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return low | (u64)high << 32;
}

static void xsetbv_refused(u32 index, u64 value, const char *name)
{
	u64 old = xgetbv();
	u32 vector = try_xsetbv(index, value);

	ktap_check(vector == VECTOR_GP && !trap_last()->regs.error && xgetbv() == old,
		   "#GP for %s", name);
}

/* Every subset of the low 10 bits: the rules about AVX, MPX and AVX-512 */
static void xsetbv_all(void)
{
	u64 old = xgetbv();
	u32 hash = DIGEST_START, accepted = 0;
	u32 value;

	for (value = 0; value < 0x400; value++) {
		bool ok = try_xsetbv(0, value) == TRAP_NONE && xgetbv() == value;

		accepted += ok;
		hash = digest(hash, &ok, 1);
	}
	try_xsetbv(0, old);
	ktap_check(xgetbv() == old, "%u of the values to 0x3ff are taken: %08x", accepted, hash);
}

void test_xsetbv(void)
{
	u64 cr4 = read_cr4(), old, supported;
	struct cpuid_regs r;

	if (!(cpuid(1, 0).ecx & BIT(26))) {
		ktap_check(try_xsetbv(0, 1) == VECTOR_UD, "#UD without XSAVE");
		return;
	}
	r = cpuid(0xd, 0);
	supported = r.eax | (u64)r.edx << 32;
	old = xgetbv();
	ktap_check(try_xsetbv(0, 3) == TRAP_NONE && xgetbv() == 3, "x87 and SSE");
	ktap_check(try_xsetbv(0, supported) == TRAP_NONE && xgetbv() == supported,
		   "all that CPUID has, 0x%llx", supported);
	ktap_check(try_xsetbv(0, 1) == TRAP_NONE && xgetbv() == 1, "x87 alone");
	ktap_check(cpuid(0xd, 0).ebx == 576, "CPUID leaf 0xd follows");
	xsetbv_refused(1, 1, "XCR1");
	xsetbv_refused(0xffffffff, 1, "XCR 0xffffffff");
	xsetbv_refused(0, 0, "0");
	xsetbv_refused(0, 2, "SSE without x87");
	xsetbv_refused(0, 5, "AVX without SSE");
	xsetbv_refused(0, BIT(63) | 1, "bit 63");
	xsetbv_refused(0, BIT(62) | 1, "bit 62");
	xsetbv_refused(0, ~supported | 1, "all bits that CPUID has not");
	xsetbv_all();
	ktap_check(try_insn(insn_xgetbv, 2) == VECTOR_GP, "#GP for XGETBV of XCR2");
	write_cr4(cr4 & ~(u64)CR4_OSXSAVE);
	ktap_check(try_xsetbv(0, 1) == VECTOR_UD, "#UD without CR4.OSXSAVE");
	ktap_check(try_xsetbv(1, 0) == VECTOR_UD, "#UD comes before #GP");
	ktap_check(try_insn(insn_xgetbv, 0) == VECTOR_UD, "#UD for XGETBV");
	write_cr4(cr4);
	try_xsetbv(0, old);
	ktap_check(xgetbv() == old, "the old value is back");
}
