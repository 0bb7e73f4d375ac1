// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every loader does to bring core in; see loader.h.
 */
#include "loader.h"

#define PTE_PRESENT	(1ull << 0)
#define PTE_WRITE	(1ull << 1)
#define PTE_LARGE	(1ull << 7)
#define PTE_ADDRESS	0x000ffffffffff000ull
#define PAGE_BYTES	4096u

#define CR4_PGE		(1ull << 7)
#define CR4_PCIDE	(1ull << 17)
#define CR4_SMEP	(1ull << 20)
#define CR4_SMAP	(1ull << 21)
#define CR4_CET		(1ull << 23)
#define CR4_LASS	(1ull << 27)
#define DR7_RESET	0x400ul

#define MSR_DEBUGCTL	0x1d9
#define MSR_FS_BASE	0xc0000100
#define MSR_GS_BASE	0xc0000101

#define GATE_INTERRUPT	0x8e00ull
#define DESC_CODE64	0x00af9b000000ffffull
#define DESC_DATA	0x00cf93000000ffffull
#define VECTOR_NMI	2
#define SELECTOR_CODE	0x10

static __u64 *bootmap_table(struct latch_bootmap *map, __u64 entry)
{
	return map->va + ((entry & PTE_ADDRESS) - map->pa) / sizeof(__u64);
}

/*
 * Map one page at @va; @leaf is the level of the entry: 0 for 4K, 1 for 2M. An
 * address for two things would have the table walk end in one of the pages.
 */
static int bootmap_add(struct latch_bootmap *map, __u64 va, __u64 pa, __u32 leaf)
{
	__u64 *table = map->va;
	__u64 *entry, value;
	__u32 level;

	for (level = map->levels - 1; ; level--) {
		entry = &table[va >> (12 + 9 * level) & 511];
		if (level == leaf)
			break;
		if (!(*entry & PTE_PRESENT)) {
			if (map->used == map->pages)
				return -12;
			*entry = (map->pa + (__u64)map->used * PAGE_BYTES) |
				 PTE_PRESENT | PTE_WRITE;
			map->used++;
		}
		if (*entry & PTE_LARGE)
			return -22;
		table = bootmap_table(map, *entry);
	}
	value = pa | PTE_PRESENT | PTE_WRITE | (leaf ? PTE_LARGE : 0);
	if (*entry & PTE_PRESENT && *entry != value)
		return -22;
	*entry = value;
	return 0;
}

static int bootmap_range(struct latch_bootmap *map, __u64 va, __u64 pa, __u64 size)
{
	__u64 off;
	int ret = 0;

	for (off = 0; off < size && !ret; off += PAGE_BYTES)
		ret = bootmap_add(map, va + off, pa + off, 0);
	return ret;
}

/**
 * latch_bootmap_build - make the page tables that LATCH_OP_INIT runs on
 * @map: pages to make them in
 * @boot: what is mapped: the chunks, the public memory (at both addresses)
 * @tramp_phys: frame of the trampoline page
 *
 * Everything is writable and executable here: core makes its own tables, with
 * proper rights, as the first thing it does.
 *
 * Return: 0, -ENOMEM when @map has too few pages, -EINVAL when an address is
 * wanted for two things.
 */
int latch_bootmap_build(struct latch_bootmap *map, const struct latch_boot *boot,
			__u64 tramp_phys)
{
	__u32 i;
	int ret;

	map->used = 1;
	for (i = 0; i < boot->nr_chunks; i++) {
		ret = bootmap_add(map, LATCH_CORE_BASE + (__u64)i * LATCH_CHUNK_SIZE,
				  boot->chunk[i], 1);
		if (ret)
			return ret;
	}
	ret = bootmap_range(map, LATCH_PUBLIC_BASE, boot->public_phys, boot->public_size);
	if (!ret)
		ret = bootmap_range(map, boot->public_va, boot->public_phys, boot->public_size);
	if (!ret)
		ret = bootmap_add(map, boot->tramp_va, tramp_phys, 0);
	return ret;
}

/**
 * latch_chunks_needed - chunks of memory that core needs
 * @image: header of the image
 * @nr_cpus: CPUs that there may be
 * @ram_top: end of RAM, physical
 */
__u64 latch_chunks_needed(const struct latch_image *image, __u32 nr_cpus, __u64 ram_top)
{
	__u64 gib = (ram_top >> 30) + 1;
	__u64 pages = (image->mem_size + PAGE_BYTES - 1) / PAGE_BYTES + image->pool_base +
		      (__u64)image->pool_per_cpu * nr_cpus + image->pool_per_gib * gib;

	return (pages * PAGE_BYTES + LATCH_CHUNK_SIZE - 1) / LATCH_CHUNK_SIZE;
}

static void cpu_page_set_gate(struct latch_cpu_page *page, __u32 vector, const char *handler)
{
	__u64 addr = (__u64)(unsigned long)handler;

	page->idt[2 * vector] = (addr & 0xffff) | (__u64)SELECTOR_CODE << 16 |
				GATE_INTERRUPT << 32 | (addr >> 16 & 0xffff) << 48;
	page->idt[2 * vector + 1] = addr >> 32;
}

/**
 * latch_cpu_page_init - fill in the tables of the change-over
 * @page: cleared page, at the address where it is used
 */
void latch_cpu_page_init(struct latch_cpu_page *page)
{
	__u32 vector;

	page->gdt[SELECTOR_CODE / 8] = DESC_CODE64;
	page->gdt[SELECTOR_CODE / 8 + 1] = DESC_DATA;
	for (vector = 0; vector < sizeof(page->idt) / 16; vector++)
		cpu_page_set_gate(page, vector, latch_tramp_fault);
	cpu_page_set_gate(page, VECTOR_NMI, latch_tramp_nmi);
	page->gdtr_limit = sizeof(page->gdt) - 1;
	page->gdtr_base = (__u64)(unsigned long)page->gdt;
	page->idtr_limit = sizeof(page->idt) - 1;
	page->idtr_base = (__u64)(unsigned long)page->idt;
}

#define read_register(insn) ({ \
	unsigned long value_; \
	asm volatile(insn ", %0" : "=r" (value_)); \
	(__u64)value_; })

static __u64 read_msr(__u32 msr)
{
	__u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (__u64)high << 32;
}

static void write_msr(__u32 msr, __u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((__u32)value), "d" ((__u32)(value >> 32)));
}

/* Base of a system segment: a 16-byte descriptor in the GDT (SDM vol. 3, 8.2.3). */
static __u64 system_base(const struct latch_cpu_state *state, __u16 selector)
{
	const __u64 *desc = (const __u64 *)(unsigned long)(state->gdtr.base + (selector & ~7u));

	if (!(selector & ~7u) || (selector | 7u) + 8 > state->gdtr.limit)
		return 0;
	return (desc[0] >> 16 & 0xffffff) | (desc[0] >> 56 & 0xff) << 24 | desc[1] << 32;
}

/* LAR gives the descriptor's bytes; the VMCS wants them without the limit. */
static void capture_segment(struct latch_cpu_state *state, int seg, __u16 selector)
{
	__u32 access = 0, limit = 0;

	state->sel[seg] = selector;
	asm volatile("lar %2, %0\n\tjnz 1f\n\tlsl %2, %1\n1:"
		     : "+r" (access), "+r" (limit) : "r" ((__u32)selector) : "cc");
	if (selector & ~3u && access)
		state->access[seg] = access >> 8 & 0xf0ff;
	else
		state->access[seg] = 1u << 16;	/* unusable */
	state->limit[seg] = limit;
}

static void capture_segments(struct latch_cpu_state *state)
{
	__u16 sel;

	asm volatile("mov %%es, %0" : "=r" (sel));
	capture_segment(state, LATCH_ES, sel);
	asm volatile("mov %%cs, %0" : "=r" (sel));
	capture_segment(state, LATCH_CS, sel);
	state->cs = sel;
	asm volatile("mov %%ss, %0" : "=r" (sel));
	capture_segment(state, LATCH_SS, sel);
	state->ss = sel;
	asm volatile("mov %%ds, %0" : "=r" (sel));
	capture_segment(state, LATCH_DS, sel);
	asm volatile("mov %%fs, %0" : "=r" (sel));
	capture_segment(state, LATCH_FS, sel);
	asm volatile("mov %%gs, %0" : "=r" (sel));
	capture_segment(state, LATCH_GS, sel);
	asm volatile("sldt %0" : "=r" (sel));
	capture_segment(state, LATCH_LDTR, sel);
	state->ldtr_base = system_base(state, sel);
	asm volatile("str %0" : "=r" (sel));
	capture_segment(state, LATCH_TR, sel);
	state->tr_base = system_base(state, sel);
}

/**
 * latch_cpu_page_prepare - make a CPU page ready for latch_tramp_enter()
 * @page: the CPU's page
 * @op: LATCH_OP_INIT or LATCH_OP_LAUNCH
 * @cpu: the CPU's index
 * @cr3: page tables to enter core with
 * @entry: core's entry point
 *
 * Captures the state of the calling CPU. Interrupts must be off from here until
 * latch_tramp_enter() has returned.
 */
void latch_cpu_page_prepare(struct latch_cpu_page *page, __u32 op, __u32 cpu,
			    __u64 cr3, __u64 entry)
{
	struct latch_cpu_state *state = &page->state;

	asm volatile("sgdt %0" : "=m" (state->gdtr.limit), "=m" (state->gdtr.base));
	asm volatile("sidt %0" : "=m" (state->idtr.limit), "=m" (state->idtr.base));
	capture_segments(state);
	state->cr0 = read_register("mov %%cr0");
	state->cr3 = read_register("mov %%cr3");
	state->cr4 = read_register("mov %%cr4");
	state->dr7 = read_register("mov %%dr7");
	state->fs_base = read_msr(MSR_FS_BASE);
	state->gs_base = read_msr(MSR_GS_BASE);
	state->debugctl = read_msr(MSR_DEBUGCTL);
	/*
	 * Neither a breakpoint on an address that core has too, nor a branch record
	 * in memory that core does not map, may come from here on. The guest gets
	 * both from the VMCS, a CPU that comes back from the trampoline.
	 */
	asm volatile("mov %0, %%dr7" : : "r" (DR7_RESET));
	write_msr(MSR_DEBUGCTL, 0);

	page->error.reason = LATCH_REASON_NONE;
	page->nmis = 0;
	page->cr3 = cr3;
	page->cr4 = state->cr4 & ~(CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_CET |
				 CR4_LASS);
	page->entry = entry;
	page->arg = (__u64)op << 32 | cpu;
}
