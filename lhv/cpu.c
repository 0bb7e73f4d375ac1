// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU data: GDT, LDT, TSS, stacks. */
#include "lhv.h"

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1;

/* @access: access byte in bits 7:0, flags (G, D, L, AVL) in bits 15:12 */
u64 gdt_descriptor(u32 base, u32 limit, u32 access)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(access & 0xff) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(access >> 12 & 0xf) << 52 |
	       (u64)(base >> 24) << 56;
}

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
