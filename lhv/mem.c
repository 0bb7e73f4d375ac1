// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory. One set of page tables for all CPUs:
 *
 *	0		RAM, identity; the first LOW_MAP bytes in 4K pages, so that
 *			only code can be executed
 *	USER_OFFSET	the same LOW_MAP bytes for CPL 3
 *	WINDOW_BASE	nothing: tests map there what they like
 *	3 GiB		devices, identity
 */
#include "lhv.h"
#include "multiboot.h"

#define SMP_LOW		0x8000ull	/* start-up and mode-switch code */
#define SMP_HIGH	0xa000ull

extern const char image_start[], text_end[], image_end[];

u64 mem_cr3, mem_ram_top;
static u64 free_start, free_end;
static u64 directories[4][512] __attribute__((aligned(4096)));

/**
 * mem_alloc - get cleared memory
 * @size: bytes
 * @align: a power of two
 *
 * Never freed, but see mem_mark().
 */
void *mem_alloc(u64 size, u64 align)
{
	u64 start = ALIGN_UP(free_start, align);

	if (start + size > free_end)
		lhv_panic("out of memory: %llu bytes wanted, %llu there", size,
			  free_end - free_start);
	free_start = start + size;
	return memset(PTR(start), 0, size);
}

/**
 * mem_alloc_top - get cleared memory from the end of the RAM that lhv is in
 * @size: bytes
 * @align: a power of two
 *
 * Never freed.
 */
void *mem_alloc_top(u64 size, u64 align)
{
	u64 start = (free_end - size) & ~(align - 1);

	if (size > free_end || start < free_start)
		lhv_panic("out of memory: %llu bytes wanted, %llu there", size,
			  free_end - free_start);
	free_end = start;
	return memset(PTR(start), 0, size);
}

/** mem_top - end of the memory that is free */
u64 mem_top(void)
{
	return free_end;
}

/*
 * mem_release(mem_mark()) gives all memory back that was allocated between, and
 * unmaps the window, whose page tables may be part of it.
 */
u64 mem_mark(void)
{
	return free_start;
}

void mem_release(u64 mark)
{
	memset(directories[WINDOW_BASE >> 30], 0, PAGE_SIZE);
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr4(read_cr4() ^ CR4_PGE);
	free_start = mark;
}

static u64 *mem_table(u64 *entry)
{
	if (!(*entry & PTE_P))
		*entry = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)) | PTE_P | PTE_W | PTE_U;
	return PTR(*entry & PTE_ADDR);
}

static u64 *mem_pde(u64 va)
{
	return &directories[va >> 30 & 3][va >> 21 & 511];
}

/* Map a 4K page below 4 GiB, over whatever was there. */
void mem_map(u64 va, u64 pa, u64 flags)
{
	u64 *pde = mem_pde(va);

	if (*pde & PTE_PS)
		*pde = 0;
	mem_table(pde)[va >> 12 & 511] = pa | flags;
	invlpg(va);
}

void mem_map_2m(u64 va, u64 pa, u64 flags)
{
	*mem_pde(va) = pa | flags | PTE_PS;
	invlpg(va);
}

void mem_unmap(u64 va)
{
	u64 *pde = mem_pde(va);

	if (*pde & PTE_PS)
		*pde = 0;
	else if (*pde)
		mem_table(pde)[va >> 12 & 511] = 0;
	invlpg(va);
}

/* Return: entry of a page that mem_map() mapped */
u64 *mem_pte(u64 va)
{
	return &mem_table(mem_pde(va))[va >> 12 & 511];
}

static u64 mem_low_flags(u64 pa)
{
	if (pa >= ADDR(image_start) && pa < ADDR(text_end))
		return PTE_P;
	if (pa >= SMP_LOW && pa < SMP_HIGH)
		return PTE_P | PTE_W;
	return PTE_P | PTE_W | PTE_NX;
}

static void mem_build_tables(void)
{
	u64 pa;

	for (pa = LOW_MAP; pa < SIZE_1G; pa += SIZE_2M)
		mem_map_2m(pa, pa, PTE_P | PTE_W | PTE_NX);
	for (pa = 3 * SIZE_1G; pa < 4 * SIZE_1G; pa += SIZE_2M)
		mem_map_2m(pa, pa, PTE_P | PTE_W | PTE_NX | PTE_PCD);
	for (pa = 0; pa < LOW_MAP; pa += PAGE_SIZE) {
		mem_map(pa, pa, mem_low_flags(pa));
		mem_map(USER_OFFSET + pa, pa, mem_low_flags(pa) | PTE_U);
	}
	mem_cr3 = mem_root(directories[0]);
}

static void mem_add_range(u64 base, u64 length)
{
	u64 end = base + length;
	u64 start = ALIGN_UP(ADDR(image_end), PAGE_SIZE);

	if (end > mem_ram_top)
		mem_ram_top = end;
	if (base <= start && start < end) {
		free_start = start;
		free_end = end < SIZE_1G ? end : SIZE_1G;
	}
}

/* Of the memory before and behind a boot module, use the larger part. */
static void mem_keep(u64 start, u64 end)
{
	if (end <= free_start || start >= free_end)
		return;
	if (start > free_start && start - free_start > free_end - end)
		free_end = start & ~(PAGE_SIZE - 1);
	else
		free_start = ALIGN_UP(end, PAGE_SIZE);
}

void mem_init(const struct multiboot *mb)
{
	const struct multiboot_module *modules = PTR(mb->mods_addr);
	u64 addr = mb->mmap_addr;
	u32 i;

	if (!(mb->flags & MULTIBOOT_MMAP))
		lhv_panic("the boot loader gave no memory map");
	if (ADDR(image_end) > LOW_MAP)
		lhv_panic("the image is too large");
	while (addr < (u64)mb->mmap_addr + mb->mmap_length) {
		const struct multiboot_range *range = PTR(addr);

		if (range->type == MULTIBOOT_RAM)
			mem_add_range(range->base, range->length);
		addr += range->size + sizeof(range->size);
	}
	for (i = 0; mb->flags & MULTIBOOT_MODULES && i < mb->mods_count; i++)
		mem_keep(modules[i].start, modules[i].end);
	if (!free_end)
		lhv_panic("the image is not in RAM");
	mem_build_tables();
	write_cr3(mem_cr3);
}
