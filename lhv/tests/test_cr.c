// SPDX-License-Identifier: GPL-2.0-only
/* Control registers: what is taken, what reads back, what it does. */
#include "tests.h"

#define CR4_HIDDEN	(CR4_VMXE | CR4_SMXE)

INSN(insn_cr0, "movq %rdi, %cr0");
INSN(insn_cr3, "movq %rdi, %cr3");
INSN(insn_cr4, "movq %rdi, %cr4");
INSN(insn_cr8, "movq %rdi, %cr8");
INSN(insn_lmsw, "lmsw %di");
INSN(insn_clts, "clts");
INSN(insn_sse, "xorps %xmm0, %xmm0");
INSN(insn_x87, "fnop");
INSN(insn_wait, "fwait");
INSN(insn_store, "movq %rdi, (%rdi)");
INSN(insn_load, "movq (%rdi), %rax");
INSN(insn_store_ac, "stac\n\tmovq %rdi, (%rdi)\n\tclac");
INSN(insn_call, "jmp *%rdi");
INSN(insn_dr4, "movq %dr4, %rax");
INSN(insn_rdfsbase, "rdfsbase %rax");
INSN(insn_ret, "");
USER_INSN(user_rdtsc, "rdtsc");
USER_INSN(user_sgdt, "sgdt -16(%rsp)");
USER_INSN(user_smsw, "smsw %eax");

/* A value that is taken and reads back as @expected */
static void cr0_taken(u64 value, u64 expected, const char *name)
{
	u64 old = read_cr0();
	u32 vector = try_insn(insn_cr0, value);
	u64 now = read_cr0();

	write_cr0(old);
	ktap_check(vector == TRAP_NONE && now == expected && read_cr0() == old,
		   "CR0: %s reads back as 0x%llx", name, now);
}

static void cr0_refused(u64 value, const char *name)
{
	u64 old = read_cr0();
	u32 vector = try_insn(insn_cr0, value);

	ktap_check(vector == VECTOR_GP && !trap_last()->regs.error && read_cr0() == old,
		   "CR0: #GP for %s", name);
}

static void cr0_values(void)
{
	u64 cr0 = read_cr0();

	cr0_taken(cr0 & ~(u64)CR0_NE, cr0 & ~(u64)CR0_NE, "NE off");
	cr0_taken(cr0 & ~(u64)CR0_WP, cr0 & ~(u64)CR0_WP, "WP off");
	cr0_taken(cr0 | CR0_AM, cr0 | CR0_AM, "AM on");
	cr0_taken(cr0 | CR0_TS, cr0 | CR0_TS, "TS on");
	cr0_taken(cr0 | CR0_EM, cr0 | CR0_EM, "EM on");
	cr0_taken(cr0 | CR0_CD, cr0 | CR0_CD, "CD on");
	cr0_taken(cr0 | CR0_CD | CR0_NW, cr0 | CR0_CD | CR0_NW, "CD and NW on");
	cr0_taken(cr0 & ~(u64)CR0_ET, cr0, "ET off");
	cr0_refused(cr0 | CR0_NW, "NW without CD");
	cr0_refused(cr0 & ~(u64)CR0_PE, "PG without PE");
	cr0_refused(cr0 & ~(u64)CR0_PG, "PG off in 64-bit code");
	cr0_refused(cr0 | BIT(32), "bit 32");
	cr0_refused(cr0 | BIT(63), "bit 63");
}

static void cr0_effects(void)
{
	u64 cr0 = read_cr0(), page = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	u32 vector;

	mem_map(WINDOW_BASE, page, PTE_P | PTE_NX);
	vector = try_insn(insn_store, WINDOW_BASE);
	ktap_check(vector == VECTOR_PF && trap_last()->regs.error == 3, "CR0.WP: #PF for a write");
	write_cr0(cr0 & ~(u64)CR0_WP);
	ktap_check(try_insn(insn_store, WINDOW_BASE) == TRAP_NONE &&
		   *(u64 *)PTR(page) == WINDOW_BASE, "without CR0.WP: no #PF");
	write_cr0(cr0 | CR0_TS);
	ktap_check(try_insn(insn_sse, 0) == VECTOR_NM, "CR0.TS: #NM for SSE");
	ktap_check(try_insn(insn_x87, 0) == VECTOR_NM, "CR0.TS: #NM for x87");
	ktap_check(try_insn(insn_wait, 0) == VECTOR_NM, "CR0.TS and MP: #NM for WAIT");
	ktap_check(try_insn(insn_clts, 0) == TRAP_NONE && read_cr0() == cr0, "CLTS");
	ktap_check(try_insn(insn_sse, 0) == TRAP_NONE, "no #NM after CLTS");
	write_cr0(cr0 | CR0_EM);
	ktap_check(try_insn(insn_sse, 0) == VECTOR_UD, "CR0.EM: #UD for SSE");
	ktap_check(try_insn(insn_x87, 0) == VECTOR_NM, "CR0.EM: #NM for x87");
	write_cr0(cr0);
	mem_unmap(WINDOW_BASE);
}

static void cr0_lmsw(void)
{
	u64 cr0 = read_cr0(), smsw;
	u32 low = cr0 & 0xf;

	try_insn(insn_lmsw, low | CR0_TS);
	ktap_check(read_cr0() == (cr0 | CR0_TS), "LMSW sets TS");
	try_insn(insn_lmsw, low & ~CR0_PE);
	ktap_check(read_cr0() == cr0, "LMSW clears TS, not PE");
	try_insn(insn_lmsw, 0xfff0 | low);
	ktap_check(read_cr0() == cr0, "LMSW takes four bits");
	write_cr0(cr0 & ~(u64)CR0_NE);
	asm volatile("smsw %0" : "=r" (smsw));
	ktap_check(smsw == (cr0 & ~(u64)CR0_NE), "SMSW shows NE off");
	write_cr0(cr0);
}

/*
 * Which bits of CR4 can be toggled; VMXE and SMXE are core's. With LASS the CPU would not
 * go on: lhv is in the lower half, which is then only for CPL 3.
 */
static void cr4_bits(void)
{
	u64 cr4 = read_cr4(), taken = 0, kept = 0;
	u32 bit;

	for (bit = 0; bit < 64; bit++) {
		if (BIT(bit) & (CR4_HIDDEN | CR4_LASS))
			continue;
		if (try_insn(insn_cr4, cr4 ^ BIT(bit)) != TRAP_NONE)
			continue;
		taken |= BIT(bit);
		if (read_cr4() == (cr4 ^ BIT(bit)))
			kept |= BIT(bit);
		write_cr4(cr4);
	}
	ktap_check(taken == kept && read_cr4() == cr4,
		   "CR4 0x%llx: bits 0x%llx can be toggled", cr4, taken);
	ktap_check(try_insn(insn_cr4, cr4 & ~(u64)CR4_PAE) == VECTOR_GP, "CR4: #GP for PAE off");
	ktap_check(try_insn(insn_cr4, cr4 ^ CR4_LA57) == VECTOR_GP, "CR4: #GP for LA57");
	ktap_check(try_insn(insn_cr4, cr4 | BIT(63)) == VECTOR_GP, "CR4: #GP for bit 63");
	ktap_check(try_insn(insn_cr4, cr4 | BIT(15)) == VECTOR_GP && read_cr4() == cr4,
		   "CR4: #GP for bit 15");
}

static void cr4_basic_effects(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 | CR4_TSD);
	ktap_check(user_call(user_rdtsc, 0) == VECTOR_GP, "CR4.TSD: #GP for RDTSC at CPL 3");
	write_cr4(cr4 | CR4_DE);
	ktap_check(try_insn(insn_dr4, 0) == VECTOR_UD, "CR4.DE: #UD for DR4");
	write_cr4(cr4);
	ktap_check(try_insn(insn_dr4, 0) == TRAP_NONE, "without CR4.DE: DR4 is DR6");
	ktap_check(user_call(user_rdtsc, 0) == IRQ_EXIT, "without CR4.TSD: RDTSC at CPL 3");
	write_cr4(cr4 & ~(u64)CR4_OSFXSR);
	ktap_check(try_insn(insn_sse, 0) == VECTOR_UD, "without CR4.OSFXSR: #UD for SSE");
	write_cr4(cr4);
}

static void cr4_smep_smap(struct cpuid_regs r7)
{
	u64 cr4 = read_cr4(), code = ADDR(insn_ret) + USER_OFFSET;
	u64 data = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));

	mem_map(WINDOW_BASE, data, PTE_P | PTE_W | PTE_U | PTE_NX);
	if (r7.ebx & BIT(7)) {
		write_cr4(cr4 | CR4_SMEP);
		ktap_check(try_insn(insn_call, code) == VECTOR_PF &&
			   trap_last()->regs.error == 0x11, "CR4.SMEP: #PF for code of CPL 3");
		write_cr4(cr4);
		ktap_check(try_insn(insn_call, code) == TRAP_NONE, "without CR4.SMEP");
	} else {
		ktap_skip("no SMEP");
	}
	if (r7.ebx & BIT(20)) {
		write_cr4(cr4 | CR4_SMAP);
		ktap_check(try_insn(insn_load, WINDOW_BASE) == VECTOR_PF &&
			   trap_last()->regs.error == 1, "CR4.SMAP: #PF for a load");
		ktap_check(try_insn(insn_store, WINDOW_BASE) == VECTOR_PF &&
			   trap_last()->regs.error == 3, "CR4.SMAP: #PF for a store");
		ktap_check(try_insn(insn_store_ac, WINDOW_BASE) == TRAP_NONE, "CR4.SMAP and STAC");
		write_cr4(cr4);
		ktap_check(try_insn(insn_store, WINDOW_BASE) == TRAP_NONE, "without CR4.SMAP");
	} else {
		ktap_skip("no SMAP");
	}
	mem_unmap(WINDOW_BASE);
}

static void cr4_other_effects(struct cpuid_regs r7)
{
	u64 cr4 = read_cr4();

	if (r7.ebx & BIT(0)) {
		ktap_check(try_insn(insn_rdfsbase, 0) == VECTOR_UD, "#UD for RDFSBASE");
		write_cr4(cr4 | CR4_FSGSBASE);
		ktap_check(try_insn(insn_rdfsbase, 0) == TRAP_NONE, "CR4.FSGSBASE");
		write_cr4(cr4);
	} else {
		ktap_skip("no FSGSBASE");
	}
	if (r7.ecx & BIT(2)) {
		write_cr4(cr4 | CR4_UMIP);
		ktap_check(user_call(user_sgdt, 0) == VECTOR_GP, "CR4.UMIP: #GP for SGDT");
		ktap_check(user_call(user_smsw, 0) == VECTOR_GP, "CR4.UMIP: #GP for SMSW");
		write_cr4(cr4);
	} else {
		ktap_skip("no UMIP");
	}
}

static void cr3_cr8(void)
{
	u64 cr3 = read_cr3(), cr4 = read_cr4();
	u64 beyond = BIT(cpuid(0x80000008, 0).eax & 0xff);

	ktap_check(try_insn(insn_cr3, cr3 | beyond) == VECTOR_GP && read_cr3() == cr3,
		   "CR3: #GP beyond MAXPHYADDR");
	ktap_check(try_insn(insn_cr3, cr3 | BIT(63)) == VECTOR_GP,
		   "CR3: #GP for bit 63 without PCIDE");
	write_cr3(cr3 | 0x18);
	ktap_check(read_cr3() == (cr3 | 0x18), "CR3: PCD and PWT");
	if (cpuid(1, 0).ecx & BIT(17)) {
		ktap_check(try_insn(insn_cr4, cr4 | CR4_PCIDE) == VECTOR_GP,
			   "CR4: #GP for PCIDE while CR3 has low bits");
		write_cr3(cr3);
		write_cr4(cr4 | CR4_PCIDE);
		ktap_check(try_insn(insn_cr3, cr3 | BIT(63) | 5) == TRAP_NONE &&
			   read_cr3() == (cr3 | 5), "CR3: a PCID, without a flush");
		write_cr3(cr3);
		write_cr4(cr4);
	} else {
		ktap_skip("no PCID");
	}
	write_cr3(cr3);
	ktap_check(try_insn(insn_cr8, 16) == VECTOR_GP, "CR8: #GP for 16");
	write_cr8(9);
	ktap_check(read_cr8() == 9 && lapic_read(LAPIC_TPR) == 0x90, "CR8 is the TPR");
	write_cr8(0);
}

void test_cr(void)
{
	struct cpuid_regs r7 = cpuid(7, 0);
	u64 mark = mem_mark();

	if (cpuid(0, 0).eax < 7)
		memset(&r7, 0, sizeof(r7));
	cr0_values();
	cr0_effects();
	cr0_lmsw();
	cr4_bits();
	cr4_basic_effects();
	cr4_smep_smap(r7);
	cr4_other_effects(r7);
	cr3_cr8();
	mem_release(mark);
}
