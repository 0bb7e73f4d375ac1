// SPDX-License-Identifier: GPL-2.0-only
/* The CPU's tables in 32-bit mode with PAE: GDT, LDT, TSS, IDT, the upper page table. */
#include "lhv.h"

extern const char isr_stubs[];	/* 16 bytes each */

static void gdt_set(struct cpu *cpu, u32 selector, const void *base, u32 limit, u32 access)
{
	cpu->gdt[selector / 8] = gdt_descriptor((u32)ADDR(base), limit, access);
}

/* Selectors mean the same as in 64-bit mode, as far as there is such a segment. */
void cpu_init_tables(struct cpu *cpu)
{
	memset(cpu->gdt, 0, sizeof(cpu->gdt));
	gdt_set(cpu, SEL_KCODE, NULL, 0xfffff, 0xc09b);
	gdt_set(cpu, SEL_KDATA, NULL, 0xfffff, 0xc093);
	gdt_set(cpu, SEL_UCODE32, NULL, 0xfffff, 0xc0fb);
	gdt_set(cpu, SEL_UDATA, NULL, 0xfffff, 0xc0f3);
	gdt_set(cpu, SEL_UCODE, NULL, 0xfffff, 0xc0fb);
	gdt_set(cpu, SEL_KCODE32, NULL, 0xfffff, 0xc09b);
	gdt_set(cpu, SEL_CODE16, NULL, 0xffff, 0x009b);
	gdt_set(cpu, SEL_DATA16, NULL, 0xffff, 0x0093);
	gdt_set(cpu, SEL_TSS, &cpu->tss, sizeof(cpu->tss) - 1, 0x0089);
	gdt_set(cpu, SEL_LDT, cpu->ldt, sizeof(cpu->ldt) - 1, 0x0082);

	memset(&cpu->tss, 0, sizeof(cpu->tss));
	cpu->tss.esp0 = (u32)ADDR(cpu->stack_rsp0 + STACK_SIZE);
	cpu->tss.ss0 = SEL_KDATA;
	cpu->tss.iomap = sizeof(cpu->tss);
}

/* Load the tables and the segment registers on the running CPU. */
void cpu_load_tables(struct cpu *cpu)
{
	struct table_register gdtr = { sizeof(cpu->gdt) - 1, (u32)ADDR(cpu->gdt) };

	write_gdtr(&gdtr);
	asm volatile("ljmp %0, $1f\n"
		     "1:\n\t"
		     "movw %w1, %%ss\n\t"
		     "movw %w1, %%ds\n\t"
		     "movw %w1, %%es\n\t"
		     "movw %w2, %%fs\n\t"
		     "movw %w2, %%gs\n\t"
		     "lldt %w3\n\t"
		     "ltr %w4"
		     : : "i" (SEL_KCODE), "r" (SEL_KDATA), "r" (SEL_UDATA), "r" (SEL_LDT),
		     "r" (SEL_TSS) : "memory");
	/* Something to lose, for whoever saves and restores them */
	wrmsr(MSR_FS_BASE, 0x11223000 | cpu->index);
	wrmsr(MSR_GS_BASE, 0x8aa00000 | cpu->index << 12);
	wrmsr(MSR_KERNEL_GS_BASE, 0x8bb00000 | cpu->index << 12);
}

/* As in 64-bit mode, but there are no stacks to choose from. */
void idt_set_gate(u32 vector, u64 type, u32 stack)
{
	u64 addr = ADDR(isr_stubs) + 16 * vector;

	(void)stack;
	idt[vector] = (addr & 0xffff) | (u64)SEL_KCODE << 16 | type << 32 | (addr >> 16) << 48;
}

/* Four entries, which MOV to CR3 reads; only P, PCD and PWT are defined beside the address. */
u64 mem_root(const u64 *directories)
{
	static u64 pdpt[512] __attribute__((aligned(4096)));
	u32 i;

	for (i = 0; i < 4; i++)
		pdpt[i] = ADDR(directories + 512 * i) | PTE_P;
	return ADDR(pdpt);
}

u64 mem_root_copy(u64 va, u64 *directory)
{
	u64 *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	memcpy(pdpt, PTR(mem_cr3), 4 * sizeof(*pdpt));
	pdpt[va >> 30] = ADDR(directory) | PTE_P;
	return ADDR(pdpt);
}
