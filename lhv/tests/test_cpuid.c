// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: every leaf is the same with core underneath. What depends on the APIC
 * ID is masked, and VMX and SMX, which core hides.
 */
#include "tests.h"

#define FEATURE_VMX	BIT(5)
#define FEATURE_SMX	BIT(6)
#define FEATURE_OSXSAVE	BIT(27)
#define FEATURE_PKU	BIT(3)
#define FEATURE_OSPKE	BIT(4)

static const u32 subleaves[][2] = {
	{ 0x04, 5 }, { 0x07, 3 }, { 0x0b, 3 }, { 0x0d, 20 }, { 0x0f, 2 }, { 0x10, 4 },
	{ 0x12, 3 }, { 0x14, 2 }, { 0x17, 4 }, { 0x18, 2 }, { 0x1d, 2 }, { 0x1f, 3 },
};

static struct cpuid_regs cpuid_masked(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	if (leaf == 1) {
		r.ebx &= 0x00ffffff;
		r.ecx &= (u32)~(FEATURE_VMX | FEATURE_SMX);
	} else if (leaf == 0xb || leaf == 0x1f) {
		r.edx = 0;
	} else if (leaf == 0x8000001e) {
		r.eax = 0;
	}
	return r;
}

static u32 cpuid_subleaves(u32 leaf)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(subleaves); i++)
		if (subleaves[i][0] == leaf)
			return subleaves[i][1];
	return 1;
}

static u32 cpuid_leaf_digest(u32 leaf)
{
	u32 hash = DIGEST_START;
	u32 sub;

	for (sub = 0; sub < cpuid_subleaves(leaf); sub++) {
		struct cpuid_regs r = cpuid_masked(leaf, sub);

		hash = digest(hash, &r, sizeof(r));
	}
	return hash;
}

static void cpuid_range(u32 first)
{
	u32 last = cpuid(first, 0).eax;
	u32 leaf;

	if (last < first || last > first + 0x100)
		last = first;
	for (leaf = first; leaf <= last; leaf++)
		ktap_check(true, "leaf 0x%08x is %08x", leaf, cpuid_leaf_digest(leaf));
	ktap_check(true, "leaf 0x%08x, behind the last, is %08x", last + 1,
		   cpuid_leaf_digest(last + 1));
}

static void cpuid_all_digest(void *arg)
{
	u32 hash = DIGEST_START;
	u32 leaf, one;

	for (leaf = 0; leaf < 0x30; leaf++) {
		one = cpuid_leaf_digest(leaf);
		hash = digest(hash, &one, sizeof(one));
	}
	*(u32 *)arg = hash;
}

static void cpuid_cpus(void)
{
	u32 first, hash, i;

	cpuid_all_digest(&first);
	for (i = 0; i < nr_cpus; i++) {
		cpu_call(i, cpuid_all_digest, &hash);
		ktap_check(hash == first, "CPU %u has the leaves of CPU 0", i);
	}
}

/* CPUID writes the low halves, and clears the high ones. */
static void cpuid_registers(void)
{
	unsigned long a = -1ul, b = -1ul, c = ~0xffful << 32, d = -1ul;

	a = a << 32;
	asm volatile("cpuid" : "+a" (a), "+b" (b), "+c" (c), "+d" (d));
	ktap_check(!((a | b | c | d) >> 32), "the high halves are cleared");
}

static bool cpuid_bit(u32 leaf, u64 bit)
{
	return cpuid(leaf, 0).ecx & bit;
}

static void cpuid_follows_cr4(void)
{
	u64 cr4 = read_cr4();

	if (cpuid(1, 0).ecx & BIT(26)) {
		write_cr4(cr4 & ~(u64)CR4_OSXSAVE);
		ktap_check(!cpuid_bit(1, FEATURE_OSXSAVE), "OSXSAVE is clear with CR4.OSXSAVE");
		write_cr4(cr4 | CR4_OSXSAVE);
		ktap_check(cpuid_bit(1, FEATURE_OSXSAVE), "OSXSAVE is set with CR4.OSXSAVE");
		write_cr4(cr4);
	} else {
		ktap_skip("no XSAVE");
	}
	if (cpuid(0, 0).eax >= 7 && cpuid_bit(7, FEATURE_PKU)) {
		write_cr4(cr4 | CR4_PKE);
		ktap_check(cpuid_bit(7, FEATURE_OSPKE), "OSPKE is set with CR4.PKE");
		write_cr4(cr4);
		ktap_check(!cpuid_bit(7, FEATURE_OSPKE), "OSPKE is clear with CR4.PKE");
	} else {
		ktap_skip("no protection keys");
	}
}

USER_INSN(user_cpuid, "movl $1, %eax\n\txorl %ecx, %ecx\n\tcpuid");
USER_INSN(user_cpuid32, ".code32\n\tmovl $1, %eax\n\txorl %ecx, %ecx\n\tcpuid\n\t"
	  "int $0x80\n\t.code64");

static void cpuid_cpl3(void)
{
	struct cpuid_regs r = cpuid(1, 0);
	u32 vector = user_call(user_cpuid, 0);
	struct regs *regs = &trap_last()->regs;

	ktap_check(vector == IRQ_EXIT && regs->rax == r.eax && regs->rcx == r.ecx &&
		   regs->rdx == r.edx, "the same at CPL 3");
	vector = user_call32(user_cpuid32, 0);
	ktap_check(vector == IRQ_EXIT && (u32)regs->rax == r.eax && (u32)regs->rcx == r.ecx &&
		   (u32)regs->rdx == r.edx, "the same in compatibility mode");
}

void test_cpuid(void)
{
	cpuid_range(0);
	cpuid_range(0x40000000);
	cpuid_range(0x80000000);
	ktap_check(true, "leaf 0xffffffff is %08x", cpuid_leaf_digest(0xffffffff));
	cpuid_cpus();
	cpuid_registers();
	cpuid_follows_cr4();
	cpuid_cpl3();
}
