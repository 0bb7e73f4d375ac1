// SPDX-License-Identifier: GPL-2.0-only
/* Segments: loads, hidden parts, and the instructions that look at descriptors. */
#include "tests.h"

#define SEL_A	(SEL_TEST + 0)
#define SEL_B	(SEL_TEST + 8)

INSN(insn_ds, "movw %di, %ds");
INSN(insn_es, "movw %di, %es");
INSN(insn_fs, "movw %di, %fs");
INSN(insn_gs, "movw %di, %gs");
INSN(insn_ss, "movw %di, %ss");
INSN(insn_lldt, "lldt %di");
INSN(insn_ltr, "ltr %di");
USER_INSN(user_ds, "movw %di, %ds");
USER_INSN(user_ss, "movw %di, %ss");
USER_INSN(user_load32, ".code32\n\tmovw %di, %fs\n\tmovl %fs:0xff, %eax\n\t"
	  "movl %fs:0x100, %eax\n\t.code64");

static u32 lar(u32 selector)
{
	u32 value = 0xffffffff;

	asm volatile("lar %1, %0" : "+r" (value) : "r" (selector) : "cc");
	return value;
}

static u32 lsl(u32 selector)
{
	u32 value = 0xffffffff;

	asm volatile("lsl %1, %0" : "+r" (value) : "r" (selector) : "cc");
	return value;
}

static bool verr(u16 selector)
{
	bool ok;

	asm volatile("verr %1" : "=@ccz" (ok) : "r" (selector));
	return ok;
}

static bool verw(u16 selector)
{
	bool ok;

	asm volatile("verw %1" : "=@ccz" (ok) : "r" (selector));
	return ok;
}

static void set(u32 selector, u64 descriptor)
{
	*(volatile u64 *)&this_cpu()->gdt[selector / 8] = descriptor;
}

static void seg_look(void)
{
	static const u32 selectors[] = { 0, 8, 0x10, 0x1b, 0x23, 0x2b, 0x38, 0x40, 0x48, 0x50, 0x58,
					 0x60, 0x68, 0x70, 0xb8, 0xc0, 0xfff8, 0x0c };
	u32 i, s;

	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		s = selectors[i];
		ktap_check(true, "selector 0x%x: LAR 0x%x, LSL 0x%x, VERR %d, VERW %d", s, lar(s),
			   lsl(s), verr((u16)s), verw((u16)s));
	}
}

static void seg_check(const char *code, u64 selector, u32 vector, u64 error, const char *name)
{
	u32 found = try_insn(code, selector);

	ktap_check(found == vector && (found == TRAP_NONE || trap_last()->regs.error == error),
		   "%s: exception %u", name, found);
}

static void seg_loads(void)
{
	u64 fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);

	set(SEL_A, gdt_descriptor(0x12345000, 0xfffff, 0xc092));
	seg_check(insn_fs, SEL_A, TRAP_NONE, 0, "load of FS");
	ktap_check(rdmsr(MSR_FS_BASE) == 0x12345000, "the base comes from the descriptor");
	ktap_check(this_cpu()->gdt[SEL_A / 8] & BIT(40), "the descriptor is marked accessed");
	seg_check(insn_gs, SEL_A, TRAP_NONE, 0, "load of GS");
	ktap_check(rdmsr(MSR_GS_BASE) == 0x12345000, "the base of GS too");
	set(SEL_A, gdt_descriptor(0, 0xfffff, 0xc013));
	seg_check(insn_fs, SEL_A, VECTOR_NP, SEL_A, "FS, not present");
	seg_check(insn_ss, SEL_A, VECTOR_SS, SEL_A, "SS, not present");
	set(SEL_A, gdt_descriptor(0, 0xfffff, 0xc099));
	seg_check(insn_ds, SEL_A, VECTOR_GP, SEL_A, "DS, execute-only");
	set(SEL_A, gdt_descriptor(0, 0xfffff, 0xc091));
	seg_check(insn_ss, SEL_A, VECTOR_GP, SEL_A, "SS, read-only");
	set(SEL_A, gdt_descriptor(0, 0xfffff, 0xc0f3));
	seg_check(insn_ss, SEL_A | 3, VECTOR_GP, SEL_A, "SS, DPL 3");
	seg_check(insn_ds, 0x1000, VECTOR_GP, 0x1000, "DS, beyond the limit");
	seg_check(insn_ds, 0x24, VECTOR_GP, 0x24, "DS, beyond the limit of the LDT");
	seg_check(insn_ds, SEL_TSS, VECTOR_GP, SEL_TSS, "DS, a system segment");
	seg_check(insn_es, 3, TRAP_NONE, 0, "ES, null");
	ktap_check(user_call(user_ds, SEL_KDATA) == VECTOR_GP &&
		   trap_last()->regs.error == SEL_KDATA, "DS of DPL 0 at CPL 3");
	ktap_check(user_call(user_ss, 0) == VECTOR_GP, "null SS at CPL 3");
	set(SEL_A, 0);
	wrmsr(MSR_FS_BASE, fs);
	wrmsr(MSR_GS_BASE, gs);
}

/* The limit counts in compatibility mode. */
static void seg_limit(void)
{
	u64 fs = rdmsr(MSR_FS_BASE);
	u32 vector;

	set(SEL_A, gdt_descriptor(0x40100000, 0x102, 0x40f3));
	vector = user_call32(user_load32, SEL_A | 3);
	ktap_check(vector == VECTOR_GP && !trap_last()->regs.error &&
		   trap_last()->regs.rip == ADDR(user_load32) + USER_OFFSET + 8,
		   "#GP at the limit in compatibility mode");
	set(SEL_A, 0);
	asm volatile("movw %w0, %%fs" : : "r" (0));
	asm volatile("movw %w0, %%fs" : : "r" (SEL_UDATA));
	wrmsr(MSR_FS_BASE, fs);
}

static void seg_system(void)
{
	struct cpu *cpu = this_cpu();
	u64 fs = rdmsr(MSR_FS_BASE);
	u16 tr, ldtr;

	cpu->ldt[1] = gdt_descriptor(0x54321000, 0xfffff, 0xc093);
	seg_check(insn_fs, 0x0c, TRAP_NONE, 0, "FS from the LDT");
	ktap_check(rdmsr(MSR_FS_BASE) == 0x54321000, "the base comes from the LDT");
	seg_check(insn_lldt, 0, TRAP_NONE, 0, "LLDT, null");
	seg_check(insn_fs, 0x0c, VECTOR_GP, 0x0c, "FS without an LDT");
	seg_check(insn_lldt, SEL_TSS, VECTOR_GP, SEL_TSS, "LLDT of a TSS");
	seg_check(insn_lldt, SEL_LDT, TRAP_NONE, 0, "LLDT");
	seg_check(insn_ltr, SEL_TSS, VECTOR_GP, SEL_TSS, "LTR of a busy TSS");
	seg_check(insn_ltr, 0, VECTOR_GP, 0, "LTR, null");
	cpu->gdt[SEL_TSS / 8] &= ~BIT(41);
	seg_check(insn_ltr, SEL_TSS, TRAP_NONE, 0, "LTR");
	ktap_check(cpu->gdt[SEL_TSS / 8] & BIT(41), "LTR marks the TSS busy");
	asm volatile("str %0\n\tsldt %1" : "=m" (tr), "=m" (ldtr));
	ktap_check(tr == SEL_TSS && ldtr == SEL_LDT, "STR and SLDT");
	cpu->ldt[1] = 0;
	asm volatile("movw %w0, %%fs" : : "r" (SEL_UDATA));
	wrmsr(MSR_FS_BASE, fs);
}

static void seg_swapgs(void)
{
	u64 gs = rdmsr(MSR_GS_BASE), kernel = rdmsr(MSR_KERNEL_GS_BASE);
	bool swapped;

	asm volatile("swapgs" ::: "memory");
	swapped = rdmsr(MSR_GS_BASE) == kernel && rdmsr(MSR_KERNEL_GS_BASE) == gs;
	asm volatile("swapgs" ::: "memory");
	ktap_check(swapped && rdmsr(MSR_GS_BASE) == gs, "SWAPGS");
}

void test_seg(void)
{
	seg_look();
	seg_loads();
	seg_limit();
	seg_system();
	seg_swapgs();
	asm volatile("movw %w0, %%gs" : : "r" (SEL_UDATA));
	wrmsr(MSR_GS_BASE, 0xffff8aaa00000000ull | this_cpu()->index << 12);
}
