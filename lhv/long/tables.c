// SPDX-License-Identifier: GPL-2.0-only
/* The CPU's tables in 64-bit mode: GDT, LDT, TSS, IDT, the upper page tables. */
#include "lhv.h"

extern const char isr_stubs[];	/* 16 bytes each */

static void gdt_set(struct cpu *cpu, u32 selector, u32 access, u32 limit)
{
	cpu->gdt[selector / 8] = gdt_descriptor(0, limit, access);
}

static void gdt_set_system(struct cpu *cpu, u32 selector, const void *base, u32 limit, u32 access)
{
	cpu->gdt[selector / 8] = gdt_descriptor((u32)ADDR(base), limit, access);
	cpu->gdt[selector / 8 + 1] = ADDR(base) >> 32;
}

/* Prepare the tables of a CPU; it need not be the one that runs. */
void cpu_init_tables(struct cpu *cpu)
{
	memset(cpu->gdt, 0, sizeof(cpu->gdt));
	gdt_set(cpu, SEL_KCODE, 0xa09b, 0xfffff);
	gdt_set(cpu, SEL_KDATA, 0xc093, 0xfffff);
	gdt_set(cpu, SEL_UCODE32, 0xc0fb, 0xfffff);
	gdt_set(cpu, SEL_UDATA, 0xc0f3, 0xfffff);
	gdt_set(cpu, SEL_UCODE, 0xa0fb, 0xfffff);
	gdt_set(cpu, SEL_UDATA64, 0xc0f3, 0xfffff);
	gdt_set(cpu, SEL_KCODE32, 0xc09b, 0xfffff);
	gdt_set(cpu, SEL_CODE16, 0x009b, 0xffff);
	gdt_set(cpu, SEL_DATA16, 0x0093, 0xffff);
	gdt_set_system(cpu, SEL_TSS, &cpu->tss, sizeof(cpu->tss) - 1, 0x0089);
	gdt_set_system(cpu, SEL_LDT, cpu->ldt, sizeof(cpu->ldt) - 1, 0x0082);

	memset(&cpu->tss, 0, sizeof(cpu->tss));
	cpu->tss.rsp[0] = ADDR(cpu->stack_rsp0 + STACK_SIZE);
	cpu->tss.ist[0] = ADDR(cpu->stack_nmi + STACK_SIZE);
	cpu->tss.ist[1] = ADDR(cpu->stack_df + STACK_SIZE);
	cpu->tss.ist[2] = ADDR(cpu->stack_mc + STACK_SIZE);
	cpu->tss.iomap = sizeof(cpu->tss);
}

/* Load the tables and the segment registers on the running CPU. */
void cpu_load_tables(struct cpu *cpu)
{
	struct table_register gdtr = { sizeof(cpu->gdt) - 1, ADDR(cpu->gdt) };

	write_gdtr(&gdtr);
	asm volatile("pushq %0\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\n\t"
		     "movw %w1, %%ss\n\t"
		     "movw %w1, %%ds\n\t"
		     "movw %w1, %%es\n\t"
		     "movw %w2, %%fs\n\t"
		     "movw %w2, %%gs\n\t"
		     "lldt %w3\n\t"
		     "ltr %w4"
		     : : "i" (SEL_KCODE), "r" (SEL_KDATA), "r" (SEL_UDATA), "r" (SEL_LDT),
		     "r" (SEL_TSS) : "rax", "memory");
	/* Something to lose, for whoever saves and restores them */
	wrmsr(MSR_FS_BASE, 0x1122334455000000ull >> 20 | cpu->index);
	wrmsr(MSR_GS_BASE, 0xffff8aaa00000000ull | cpu->index << 12);
	wrmsr(MSR_KERNEL_GS_BASE, 0xffff8bbb00000000ull | cpu->index << 12);
}

/**
 * idt_set_gate - have a vector handled by its stub
 * @type: bits 47:32 of the gate, without the stack
 * @stack: number in the TSS, or 0
 */
void idt_set_gate(u32 vector, u64 type, u32 stack)
{
	u64 addr = ADDR(isr_stubs) + 16 * vector;

	idt[2 * vector] = (addr & 0xffff) | (u64)SEL_KCODE << 16 | (type | stack) << 32 |
			  (addr >> 16 & 0xffff) << 48;
	idt[2 * vector + 1] = addr >> 32;
}

/**
 * mem_root - what CR3 has to have
 * @directories: four page directories, of 1 GiB each, one behind the other
 */
u64 mem_root(const u64 *directories)
{
	static u64 pml4[512] __attribute__((aligned(4096)));
	static u64 pdpt[512] __attribute__((aligned(4096)));
	u32 i;

	pml4[0] = ADDR(pdpt) | PTE_P | PTE_W | PTE_U;
	for (i = 0; i < 4; i++)
		pdpt[i] = ADDR(directories + 512 * i) | PTE_P | PTE_W | PTE_U;
	return ADDR(pml4);
}

/**
 * mem_root_copy - another address space that differs in one GiB
 * @va: an address in it
 * @directory: its page directory
 *
 * Return: what CR3 has to have
 */
u64 mem_root_copy(u64 va, u64 *directory)
{
	u64 *pml4 = mem_alloc(PAGE_SIZE, PAGE_SIZE), *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	memcpy(pml4, PTR(mem_cr3), PAGE_SIZE);
	memcpy(pdpt, PTR(pml4[0] & PTE_ADDR), PAGE_SIZE);
	pml4[0] = ADDR(pdpt) | PTE_P | PTE_W | PTE_U;
	pdpt[va >> 30] = ADDR(directory) | PTE_P | PTE_W | PTE_U;
	return ADDR(pml4);
}
