// SPDX-License-Identifier: GPL-2.0-only
/* 4-level paging: rights, error codes, page sizes, and what flushes the TLB. */
#include "tests.h"

#define VA_1G	0x8000000000ull		/* the second entry of the root table */
#define MARK_A	0xaaaa0000aaaa0000ull
#define MARK_B	0xbbbb0000bbbb0000ull

INSN(insn_load, "movq (%rdi), %rax");
INSN(insn_store, "movq %rax, (%rdi)");
INSN(insn_jump, "jmp *%rdi");
INSN(insn_invpcid, "movq 16(%rdi), %rax\n\tinvpcid (%rdi), %rax");
USER_INSN(user_load, "movq (%rdi), %rax");
USER_INSN(user_store, "movq %rax, (%rdi)");
USER_INSN(user_jump, "jmp *%rdi");

static u64 page_a, page_b;

static u64 load(u64 va)
{
	return *(volatile u64 *)PTR(va);
}

enum access { LOAD, STORE, JUMP, USER_LOAD, USER_STORE, USER_JUMP };

static const struct {
	u64 flags;
	enum access access;
	u32 error;
	const char *name;
} faults[] = {
	{ 0, LOAD, 0, "load, not present" },
	{ 0, STORE, 2, "store, not present" },
	{ 0, USER_LOAD, 4, "load at CPL 3, not present" },
	{ 0, USER_STORE, 6, "store at CPL 3, not present" },
	{ PTE_P, STORE, 3, "store, read-only" },
	{ PTE_P | PTE_U, USER_STORE, 7, "store at CPL 3, read-only" },
	{ PTE_P | PTE_W, USER_LOAD, 5, "load at CPL 3, supervisor page" },
	{ PTE_P | PTE_W, USER_STORE, 7, "store at CPL 3, supervisor page" },
	{ PTE_P | PTE_W | PTE_NX, JUMP, 0x11, "jump, no execution" },
	{ PTE_P | PTE_U | PTE_NX, USER_JUMP, 0x15, "jump at CPL 3, no execution" },
	{ 0, JUMP, 0x10, "jump, not present" },
	{ PTE_P | PTE_W | BIT(51), LOAD, 9, "load, reserved bit" },
	{ PTE_P | PTE_W | BIT(51), STORE, 0xb, "store, reserved bit" },
};

static u32 access_run(enum access access, u64 va)
{
	switch (access) {
	case LOAD:
		return try_insn(insn_load, va);
	case STORE:
		return try_insn(insn_store, va);
	case JUMP:
		return try_insn(insn_jump, va);
	case USER_LOAD:
		return user_call(user_load, va);
	case USER_STORE:
		return user_call(user_store, va);
	default:
		return user_call(user_jump, va);
	}
}

static void paging_faults(void)
{
	u32 i, vector;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		mem_map(WINDOW_BASE, page_a, faults[i].flags);
		vector = access_run(faults[i].access, WINDOW_BASE + 8);
		ktap_check(vector == VECTOR_PF && trap_last()->regs.error == faults[i].error &&
			   trap_last()->cr2 == WINDOW_BASE + 8, "#PF 0x%x for %s",
			   faults[i].error, faults[i].name);
	}
	mem_unmap(WINDOW_BASE);
}

static void paging_accessed_dirty(void)
{
	mem_map(WINDOW_BASE, page_a, PTE_P | PTE_W | PTE_NX);
	ktap_check(!(*mem_pte(WINDOW_BASE) & (PTE_A | PTE_D)),
		   "a new page is neither accessed nor dirty");
	load(WINDOW_BASE);
	ktap_check((*mem_pte(WINDOW_BASE) & (PTE_A | PTE_D)) == PTE_A, "a load sets accessed");
	*(volatile u64 *)PTR(WINDOW_BASE) = MARK_A;
	ktap_check((*mem_pte(WINDOW_BASE) & (PTE_A | PTE_D)) == (PTE_A | PTE_D),
		   "a store sets dirty");
	mem_unmap(WINDOW_BASE);
}

static void paging_sizes(void)
{
	u64 *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 *root = PTR(read_cr3());
	u64 base = page_a & ~(SIZE_2M - 1);

	mem_map_2m(WINDOW_BASE + SIZE_2M, base, PTE_P | PTE_W | PTE_NX);
	ktap_check(load(WINDOW_BASE + SIZE_2M + (page_a - base)) == load(page_a), "a 2 MiB page");
	mem_map_2m(WINDOW_BASE + SIZE_2M, base | BIT(13), PTE_P | PTE_W | PTE_NX);
	ktap_check(try_insn(insn_load, WINDOW_BASE + SIZE_2M) == VECTOR_PF &&
		   trap_last()->regs.error == 9, "#PF for a reserved bit of a 2 MiB page");
	mem_unmap(WINDOW_BASE + SIZE_2M);
	if (!(cpuid(0x80000001, 0).edx & BIT(26))) {
		root[1] = ADDR(pdpt) | PTE_P | PTE_W;
		pdpt[0] = PTE_P | PTE_W | PTE_PS | PTE_NX;
		ktap_check(try_insn(insn_load, VA_1G) == VECTOR_PF && trap_last()->regs.error == 9,
			   "#PF for a 1 GiB page, which the CPU has not");
	} else {
		root[1] = ADDR(pdpt) | PTE_P | PTE_W;
		pdpt[0] = PTE_P | PTE_W | PTE_PS | PTE_NX;
		ktap_check(load(VA_1G + page_a) == load(page_a), "a 1 GiB page");
	}
	root[1] = 0;
	write_cr3(read_cr3());
}

/* After each kind of flush the new translation must be seen. */
static bool flush_seen(u64 flags, void (*flush)(void))
{
	u64 va = WINDOW_BASE;
	bool first;

	mem_map(va, page_a, PTE_P | PTE_W | PTE_NX | flags);
	first = load(va) == MARK_A;
	*mem_pte(va) = page_b | PTE_P | PTE_W | PTE_NX | flags;
	flush();
	return first && load(va) == MARK_B;
}

static void flush_invlpg(void)
{
	invlpg(WINDOW_BASE + 0x123);
}

static void flush_cr3(void)
{
	write_cr3(read_cr3());
}

static void flush_pge(void)
{
	write_cr4(read_cr4() & ~(u64)CR4_PGE);
	write_cr4(read_cr4() | CR4_PGE);
}

static void flush_paging(void)
{
	/* A change of CR4.PSE flushes all. */
	write_cr4(read_cr4() ^ CR4_PSE);
	write_cr4(read_cr4() ^ CR4_PSE);
}

static void invpcid(u64 type, u64 pcid, u64 address)
{
	u64 args[3] = { pcid, address, type };

	try_insn(insn_invpcid, ADDR(args));
}

static void flush_invpcid_address(void)
{
	invpcid(0, 0, WINDOW_BASE);
}

static void flush_invpcid_context(void)
{
	invpcid(1, 0, 0);
}

static void flush_invpcid_all(void)
{
	invpcid(2, 0, 0);
}

static void flush_invpcid_nonglobal(void)
{
	invpcid(3, 0, 0);
}

static u32 try_invpcid(u64 type, u64 pcid, u64 address)
{
	u64 args[3] = { pcid, address, type };

	return try_insn(insn_invpcid, ADDR(args));
}

static void paging_flushes(void)
{
	ktap_check(flush_seen(0, flush_invlpg), "INVLPG");
	ktap_check(flush_seen(PTE_G, flush_invlpg), "INVLPG of a global page");
	ktap_check(flush_seen(0, flush_cr3), "MOV to CR3");
	ktap_check(flush_seen(PTE_G, flush_pge), "CR4.PGE and a global page");
	ktap_check(flush_seen(0, flush_paging), "CR4.PSE");
	if (!(cpuid(7, 0).ebx & BIT(10)) || cpuid(0, 0).eax < 7) {
		ktap_check(try_invpcid(2, 0, 0) == VECTOR_UD, "#UD for INVPCID");
		return;
	}
	ktap_check(flush_seen(0, flush_invpcid_address), "INVPCID, address");
	ktap_check(flush_seen(0, flush_invpcid_context), "INVPCID, context");
	ktap_check(flush_seen(PTE_G, flush_invpcid_all), "INVPCID, all with global pages");
	ktap_check(flush_seen(0, flush_invpcid_nonglobal), "INVPCID, all without global pages");
	ktap_check(try_invpcid(4, 0, 0) == VECTOR_GP, "INVPCID: #GP for type 4");
	ktap_check(try_invpcid(0, 1, 0) == VECTOR_GP, "INVPCID: #GP for a PCID without CR4.PCIDE");
	ktap_check(try_invpcid(0, BIT(12), 0) == VECTOR_GP, "INVPCID: #GP for a reserved bit");
	ktap_check(try_invpcid(0, 0, BIT(63)) == VECTOR_GP,
		   "INVPCID: #GP for no canonical address");
}

void test_paging(void)
{
	u64 mark = mem_mark();

	page_a = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	page_b = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	*(u64 *)PTR(page_a) = MARK_A;
	*(u64 *)PTR(page_b) = MARK_B;
	paging_faults();
	paging_accessed_dirty();
	paging_sizes();
	paging_flushes();
	mem_unmap(WINDOW_BASE);
	mem_release(mark);
}
