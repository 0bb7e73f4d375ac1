// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other modes than 64-bit: 32-bit and PAE paging, no paging, real mode, and
 * compatibility mode up to the last byte of 4 GiB.
 */
#include "modes.h"
#include "tests.h"

#define VA		0x80000000u	/* mapped in the 32-bit tables */
#define MARK_A		0xaaaa5555u
#define MARK_B		0xbbbb6666u

extern u64 mode32_idt[32];
extern const char real_gdtr[];

/* 32-bit code for mode32_call(): EDI is the argument, the registers the result */
#define CODE32(name, text) \
	extern const char name[]; \
	asm(".pushsection .text\n\t.balign 16\n\t.code32\n" #name ":\n\t" text \
	    "\n\tret\n\t.code64\n\t.popsection")

CODE32(code_load, "movl (%edi), %eax\n\tmovl 0x400000(%edi), %ebx");
CODE32(code_store, "movl %eax, (%edi)");
CODE32(code_cpuid, "movl $1, %eax\n\txorl %ecx, %ecx\n\tcpuid");
CODE32(code_rdmsr, "movl $0xc0000080, %ecx\n\trdmsr\n\tmovl $0x3a, %ecx\n\trdmsr\n\t"
	"movl $0xc0000080, %ecx\n\trdmsr");
CODE32(code_ud, "vmcall");
/*
 * PAE: EDI = address of a PDPTE, ESI is loaded from VA before and after it is
 * replaced; then CPUID, CR0.TS and CR3.
 */
CODE32(code_pdpte, "movl (0x80000000), %eax\n\t"
	"movl 8(%edi), %ecx\n\tmovl %ecx, (%edi)\n\t"
	"pushl %eax\n\tmovl $0, %eax\n\tcpuid\n\tpopl %eax\n\t"
	"invlpg (0x80000000)\n\tmovl (0x80000000), %ebx\n\t"
	"movl %cr3, %ecx\n\tmovl %ecx, %cr3\n\tmovl (0x80000000), %ecx");
/* The same, by CR0.CD (which does not flush the TLB) and by CR4.PGE */
CODE32(code_pdpte_cd, "movl (0x80000000), %eax\n\t"
	"movl 8(%edi), %ecx\n\tmovl %ecx, (%edi)\n\t"
	"movl %cr0, %edx\n\tmovl %edx, %ecx\n\torl $0x40000000, %ecx\n\tmovl %ecx, %cr0\n\t"
	"movl %edx, %cr0\n\tinvlpg (0x80000000)\n\tmovl (0x80000000), %ecx");
CODE32(code_pdpte_pge, "movl (0x80000000), %eax\n\t"
	"movl 8(%edi), %ecx\n\tmovl %ecx, (%edi)\n\t"
	"movl %cr4, %edx\n\tmovl %edx, %ecx\n\txorl $0x80, %ecx\n\tmovl %ecx, %cr4\n\t"
	"movl %edx, %cr4\n\tmovl (0x80000000), %ecx");
/* A bad PDPTE: #GP, and CR3 stays. */
CODE32(code_pdpte_bad, "movl 8(%edi), %ecx\n\tmovl %ecx, (%edi)\n\t"
	"movl %cr3, %ecx\n\tmovl %ecx, %cr3");
CODE32(code_pdpte_bad_cd, "movl 8(%edi), %ecx\n\tmovl %ecx, (%edi)\n\t"
	"movl %cr0, %ecx\n\txorl $0x40000000, %ecx\n\tmovl %ecx, %cr0");

static u64 page_a, page_b;

/* mode32_init - the IDT of mode32_call(): all exceptions end it */
void mode32_init(void)
{
	u32 vector;

	for (vector = 0; vector < 32; vector++) {
		u64 addr = ADDR(mode32_handlers) + 16 * vector;

		mode32_idt[vector] = (addr & 0xffff) | (u64)SEL_KCODE32 << 16 | 0x8eull << 40 |
				     (addr >> 16) << 48;
	}
}

static void mode_init(void)
{
	mode32_init();
	page_a = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	page_b = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	*(u32 *)PTR(page_a) = MARK_A;
	*(u32 *)PTR(page_b) = MARK_B;
}

static struct mode32 mode_run(u64 cr3, u32 cr4, const char *code, u64 arg)
{
	struct mode32 mode = {
		.cr3 = (u32)cr3, .cr4 = cr4, .fn = (u32)ADDR(code), .arg = (u32)arg,
	};

	mode32_call(&mode);
	return mode;
}

/* 32-bit paging: 4 MiB pages for the low part, one 4 KiB page and one 4 MiB page */
static void mode_32bit(void)
{
	u32 *directory = mem_alloc(PAGE_SIZE, PAGE_SIZE), *table = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 cr4 = CR4_PSE | CR4_OSFXSR;
	struct cpuid_regs r = cpuid(1, 0);
	struct mode32 m;
	u32 i;

	for (i = 0; i < 64; i++)
		directory[i] = i << 22 | PTE_P | PTE_W | PTE_PS;
	directory[VA >> 22] = (u32)ADDR(table) | PTE_P | PTE_W;
	directory[(VA >> 22) + 1] = (u32)(page_b & ~0x3fffffull) | PTE_P | PTE_W | PTE_PS;
	for (i = 0; i < 1024; i++)
		table[i] = (u32)page_a | PTE_P;

	m = mode_run(ADDR(directory), cr4, code_load, VA + (page_b & 0x3ff000));
	ktap_check(m.vector == TRAP_NONE && m.result[0] == MARK_A && m.result[1] == MARK_B,
		   "32-bit paging: loads from a 4 KiB and a 4 MiB page");
	ktap_check((m.cr0 & CR0_PG) && !(m.efer & (EFER_LMA | EFER_LME)) &&
		   !(m.nopg_cr0 & CR0_PG) &&
		   (m.nopg_efer & (EFER_LMA | EFER_LME)) == EFER_LME,
		   "EFER.LMA follows CR0.PG: EFER 0x%x, 0x%x", m.nopg_efer, m.efer);
	m = mode_run(ADDR(directory), cr4, code_store, VA);
	ktap_check(m.vector == VECTOR_PF && m.error == 3, "32-bit paging: #PF for a store");
	m = mode_run(ADDR(directory), cr4, code_cpuid, 0);
	ktap_check(m.result[0] == r.eax && m.result[3] == r.edx &&
		   m.result[2] == (r.ecx & ~(u32)BIT(27)), "32-bit paging: CPUID");
	m = mode_run(ADDR(directory), cr4, code_rdmsr, 0);
	ktap_check(m.vector == TRAP_NONE && m.result[0] == m.efer, "32-bit paging: RDMSR");
	m = mode_run(ADDR(directory), cr4, code_ud, 0);
	ktap_check(m.vector == VECTOR_UD, "32-bit paging: #UD for VMCALL");
}

/* PAE paging, with what code_pdpte*() want behind the PDPTE of VA */
static u64 *pae_build(u64 replacement)
{
	u64 *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE), *low = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 *dir[2], *table[2], *request;
	u32 i;

	for (i = 0; i < 128; i++)
		low[i] = (u64)i << 21 | PTE_P | PTE_W | PTE_PS;
	for (i = 0; i < 2; i++) {
		dir[i] = mem_alloc(PAGE_SIZE, PAGE_SIZE);
		table[i] = mem_alloc(PAGE_SIZE, PAGE_SIZE);
		dir[i][0] = ADDR(table[i]) | PTE_P | PTE_W;
		dir[i][2] = dir[i][0];
		table[i][0] = (i ? page_b : page_a) | PTE_P;
	}
	pdpt[0] = ADDR(low) | PTE_P;
	pdpt[2] = ADDR(dir[0]) | PTE_P;
	request = &pdpt[2];
	request[1] = replacement ? replacement : ADDR(dir[1]) | PTE_P;
	return pdpt;
}

static void mode_pae(void)
{
	u32 cr4 = CR4_PAE | CR4_OSFXSR;
	u64 *pdpt = pae_build(0);
	struct mode32 m;

	m = mode_run(ADDR(pdpt), cr4, code_load, VA);
	ktap_check(m.vector == TRAP_NONE && m.result[0] == MARK_A && m.result[1] == MARK_A,
		   "PAE paging: loads");
	m = mode_run(ADDR(pdpt), cr4, code_store, VA);
	ktap_check(m.vector == VECTOR_PF && m.error == 3, "PAE paging: #PF for a store");
	m = mode_run(ADDR(pdpt), cr4, code_pdpte, ADDR(&pdpt[2]));
	ktap_check(m.result[0] == MARK_A && m.result[1] == MARK_A && m.result[2] == MARK_B,
		   "PAE paging: a PDPTE counts from the next MOV to CR3 on, CPUID is none");
	pdpt = pae_build(0);
	m = mode_run(ADDR(pdpt), cr4, code_pdpte_cd, ADDR(&pdpt[2]));
	ktap_check(m.result[0] == MARK_A && m.result[2] == MARK_B,
		   "PAE paging: a change of CR0.CD loads the PDPTEs");
	pdpt = pae_build(0);
	m = mode_run(ADDR(pdpt), cr4, code_pdpte_pge, ADDR(&pdpt[2]));
	ktap_check(m.result[0] == MARK_A && m.result[2] == MARK_B,
		   "PAE paging: a change of CR4.PGE loads the PDPTEs");
	pdpt = pae_build(PTE_P | BIT(1));
	m = mode_run(ADDR(pdpt), cr4, code_pdpte_bad, ADDR(&pdpt[2]));
	ktap_check(m.vector == VECTOR_GP && !m.error,
		   "PAE paging: #GP for a reserved bit of a PDPTE");
	pdpt = pae_build(PTE_P | BIT(1));
	m = mode_run(ADDR(pdpt), cr4, code_pdpte_bad_cd, ADDR(&pdpt[2]));
	ktap_check(m.vector == VECTOR_GP && !m.error, "PAE paging: the same by CR0.CD");
	pdpt = pae_build(0);
	pdpt[2] |= BIT(1);
	m = mode_run(ADDR(pdpt), cr4, code_load, VA);
	ktap_check(m.vector == VECTOR_GP && !(m.cr0 & CR0_PG), "PAE paging: the same by CR0.PG");
}

static void mode_real(void)
{
	struct real_result *result = PTR(REAL_RESULT);
	struct cpuid_regs r = cpuid(1, 0);
	struct table_register *gdtr;

	memcpy(PTR(REAL_PAGE), real_start, (size_t)(real_end - real_start));
	gdtr = PTR(REAL_PAGE + (u64)(real_gdtr - real_start));
	gdtr->limit = read_gdtr().limit;
	*(u32 *)((u8 *)gdtr + 2) = (u32)read_gdtr().base;
	memset(result, 0, sizeof(*result));
	real_call();
	ktap_check(!(result->cr0 & (CR0_PE | CR0_PG)) && !(result->efer & (EFER_LME | EFER_LMA)),
		   "real mode: CR0 0x%x, EFER 0x%x", result->cr0, result->efer);
	ktap_check(result->eax == r.eax && result->edx == r.edx &&
		   result->ecx == (r.ecx & ~(u32)BIT(27)), "real mode: CPUID");
	ktap_check(result->cs == 0 && !(result->eflags & RFLAGS_IF),
		   "real mode: CS 0x%x", result->cs);
	ktap_check(result->interrupts == 0x102, "real mode: INT twice, #UD for VMCALL once: 0x%x",
		   result->interrupts);
	ktap_check(result->smsw == result->cr0 && result->lmsw == (result->cr0 | CR0_TS | CR0_MP),
		   "real mode: SMSW 0x%x, after LMSW 0x%x", result->smsw, result->lmsw);
}

static void mode_compat_boundary(void)
{
	u64 mark = mem_mark(), top = 0xfffff000, low = *mem_pte(0), pde;
	u8 *high_page = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u8 *low_page = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 *directory = PTR(((u64 *)PTR(((u64 *)PTR(read_cr3()))[0] & PTE_ADDR))[3] & PTE_ADDR);
	struct cpuid_regs r = cpuid(0, 0);
	struct user user = { .rip = 0xfffffffc, .cs = SEL_UCODE32, .ss = SEL_UDATA,
			     .rflags = RFLAGS_FIXED };
	u32 vector;

	/* xorl %eax, %eax; cpuid | int $0x80, over the end of 4 GiB */
	memcpy(high_page + 4092, "\x31\xc0\x0f\xa2", 4);
	memcpy(low_page, "\xcd\x80", 2);
	pde = directory[511];
	irq_disable();
	mem_map(top, ADDR(high_page), PTE_P | PTE_U);
	mem_map(0, ADDR(low_page), PTE_P | PTE_U);
	vector = user_run(&user);
	*mem_pte(0) = low;
	directory[511] = pde;
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr4(read_cr4() ^ CR4_PGE);
	irq_enable();
	ktap_check(vector == IRQ_EXIT && trap_last()->regs.rip == 2 &&
		   (u32)trap_last()->regs.rbx == r.ebx,
		   "compatibility mode: CPUID at the end of 4 GiB, then at 0x%llx",
		   trap_last()->regs.rip);
	mem_release(mark);
}

/* CPL 0, 32-bit code segment and back, with an exit in it */
extern const char compat_kernel[];
asm(".pushsection .text\n"
	"compat_kernel:\n\t"
	"pushq %rbx\n\tpushq $0x38\n\tpushq $1f\n\tlretq\n\t"
	".code32\n1:\tmovl $0, %eax\n\tcpuid\n\tmovl %ebx, (%edi)\n\tljmpl $0x08, $2f\n\t"
	".code64\n2:\tpopq %rbx\n\tret\n\t.popsection");

void test_mode(void)
{
	u64 mark = mem_mark();
	u32 ebx = 0;

	mode_init();
	mode_32bit();
	mode_pae();
	mode_real();
	ktap_check(try_insn(compat_kernel, ADDR(&ebx)) == TRAP_NONE && ebx == cpuid(0, 0).ebx,
		   "compatibility mode at CPL 0");
	mode_compat_boundary();
	mem_release(mark);
}
