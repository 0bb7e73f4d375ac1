// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU slots: stacks between guard pages, descriptor tables, counters. */
#include "idt.h"
#include "nested/nested.h"
#include "paging.h"
#include "percpu.h"
#include "pool.h"
#include "vmx.h"

#define DESC_CODE64	0x00af9b000000ffffull
#define DESC_DATA	0x00cf93000000ffffull
#define DESC_TSS	0x0000890000000000ull

static int map_pages(u64 va, u32 pages)
{
	void *page;
	int ret = 0;

	for (; pages && !ret; pages--, va += PAGE_SIZE) {
		page = pool_alloc();
		ret = page ? paging_map(va, pool_pa(page), PTE_RW) : -ENOMEM;
	}
	return ret;
}

static int map_slot(u64 slot)
{
	int ret = map_pages(slot + PERCPU_STACK_TOP - PERCPU_STACK_PAGES * PAGE_SIZE,
			    PERCPU_STACK_PAGES);

	if (!ret)
		ret = map_pages(slot + PERCPU_NMI_TOP - PAGE_SIZE, 1);
	if (!ret)
		ret = map_pages(slot + PERCPU_DF_TOP - PAGE_SIZE, 1);
	if (!ret)
		ret = map_pages(slot + PERCPU_MC_TOP - PAGE_SIZE, 1);
	if (!ret)
		ret = map_pages(slot + PERCPU_DATA, PERCPU_DATA_PAGES);
	return ret;
}

/* System descriptors take two entries (SDM vol. 3, 8.2.3). */
static void set_tss_descriptor(u64 *desc, u64 base, u32 limit)
{
	desc[0] = DESC_TSS | (limit & 0xffff) | (base & 0xffffff) << 16 |
		  (u64)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
	desc[1] = base >> 32;
}

static void init_tables(struct percpu *cpu, u64 slot)
{
	cpu->gdt[SEL_CODE / 8] = DESC_CODE64;
	cpu->gdt[SEL_DATA / 8] = DESC_DATA;
	set_tss_descriptor(&cpu->gdt[SEL_TSS / 8], (u64)&cpu->tss, sizeof(cpu->tss) - 1);
	cpu->tss.ist[IST_NMI - 1] = slot + PERCPU_NMI_TOP;
	cpu->tss.ist[IST_DF - 1] = slot + PERCPU_DF_TOP;
	cpu->tss.ist[IST_MC - 1] = slot + PERCPU_MC_TOP;
	cpu->tss.iomap = sizeof(cpu->tss);
}

static int alloc_pages(struct percpu *cpu)
{
	struct step_view *step = &cpu->step;

	cpu->vmxon = pool_alloc();
	cpu->vmcs = pool_alloc();
	step->pml4 = pool_alloc();
	step->pdpt = pool_alloc();
	step->pd = pool_alloc();
	step->pt = pool_alloc();
	step->sink = pool_alloc();
	cpu->msr_area = pool_alloc();
	return cpu->msr_area ? 0 : -ENOMEM;
}

/**
 * percpu_init - make the slots of all CPUs
 *
 * Context: LATCH_OP_INIT, on core's own page tables. Return: 0 or -ENOMEM.
 */
int percpu_init(const struct latch_boot *boot)
{
	u64 log_size = boot->log_size, slot;
	struct percpu *cpu;
	int ret;
	u32 i;

	for (i = 0; i < boot->nr_cpus; i++) {
		slot = percpu_slot(i);
		ret = map_slot(slot);
		if (ret)
			return ret;
		cpu = percpu_of(i);
		cpu->self = cpu;
		cpu->index = i;
		cpu->canary = rdtsc() * 0x9e3779b97f4a7c15ull;
		cpu->window = paging_window_entry(i);
		cpu->page = (void *)(LATCH_PUBLIC_BASE + log_size + (u64)i * PAGE_SIZE);
		cpu->change_over = (void *)(boot->public_va + log_size + (u64)i * PAGE_SIZE);
		init_tables(cpu, slot);
		ret = alloc_pages(cpu);
		if (!ret && boot->flags & LATCH_BOOT_NESTED)
			ret = nested_init(cpu);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * percpu_load - make this CPU use core's GDT, IDT, TSS and GS
 *
 * After this an NMI or fault in core finds core's handlers.
 */
void percpu_load(struct percpu *cpu)
{
	struct descriptor_table gdtr = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };

	/* LTR marks the descriptor busy and takes only one that is not. */
	set_tss_descriptor(&cpu->gdt[SEL_TSS / 8], (u64)&cpu->tss, sizeof(cpu->tss) - 1);
	lgdt(&gdtr);
	asm volatile("ltr %w0" : : "r" (SEL_TSS));
	asm volatile("mov %0, %%ds\n\tmov %0, %%es\n\tmov %0, %%ss\n\t"
		     "mov %1, %%fs\n\tmov %1, %%gs" : : "r" (SEL_DATA), "r" (0));
	wrmsr(MSR_FS_BASE, (u64)cpu);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	/* Last: core's gates use core's TSS and GS. Until here the change-over's do. */
	idt_load();
}

/** percpu_set_mode - enum latch_cpu_mode of this CPU, for other CPUs and Linux */
void percpu_set_mode(struct percpu *cpu, u32 mode)
{
	/* Ordered before a look at @kicked: pairs with the exchange in kick_one(). */
	__atomic_store_n(&cpu->mode, mode, __ATOMIC_SEQ_CST);
	cpu->page->mode = mode;
}

/**
 * percpu_stat - a counter of any CPU
 * @cpu: the CPU
 * @stat: exit reason or enum latch_stat
 *
 * Sums and differences are made here, as the module makes them from the public
 * counters: to count them would cost each exit a bit.
 */
u64 percpu_stat(const struct percpu *cpu, u32 stat)
{
	u64 sum = 0;
	u32 reason;

	if (stat == LATCH_STAT_HYPERCALLS)
		return READ_ONCE(cpu->count[EXIT_VMCALL]) -
		       READ_ONCE(cpu->count[LATCH_STAT_FORWARDED]);
	if (stat != LATCH_STAT_EXITS)
		return READ_ONCE(cpu->count[stat]);
	for (reason = 0; reason < LATCH_NR_REASONS; reason++)
		sum += READ_ONCE(cpu->count[reason]);
	return sum;
}
