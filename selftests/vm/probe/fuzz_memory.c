// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses that a hostile kernel would give core, of which none leads core to memory
 * of anybody else: to write there would be the caller's right.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "fuzz.h"

#define ENTRIES		512
#define GOOD_ENTRY	1	/* of the root; some behind it are bad */
#define BAD_ENTRIES	8
#define BAD_PER_LEVEL	(BAD_TABLES / 3)
#define BAD_LIFE	64	/* calls */
#define ENTRY_FLAGS	0x80000000000001ffull
#define ENTRY_GOOD	0x67ull	/* present, writable, user, accessed, dirty */
#define ENTRY_LARGE	0x80ull
#define CR3_FRAME	0x000ffffffffff000ul

/** fuzz_below - a number below another one */
u32 fuzz_below(struct fuzz_memory *memory, u32 end)
{
	return (u32)(probe_random(&memory->seed) >> 32) % end;
}

/** fuzz_number - anything; small ones and powers of two are the interesting ones */
u64 fuzz_number(struct fuzz_memory *memory)
{
	u64 value = probe_random(&memory->seed);

	switch (value >> 61) {
	case 0:
	case 1:
		return value & 7;
	case 2:
		return value & 0x1ff;
	case 3:
		return ~0ull << (value & 63);
	case 4:
		return 1ull << (value & 63);
	case 5:
		return (1ull << (value & 63)) - 1;
	default:
		return value;
	}
}

/* No memory, and no device either; perhaps more than a physical address has. */
static u64 hole(struct fuzz_memory *memory)
{
	u64 start = round_up(memory->latch->boot.ram_top, 1ull << 30) + (64ull << 30);
	u64 value = probe_random(&memory->seed);
	u32 bits = value & 1 ? 51 : boot_cpu_data.x86_phys_bits - 1;

	return start + (value & (BIT_ULL(bits) - 1) & PAGE_MASK);
}

static u64 chunk(struct fuzz_memory *memory)
{
	struct latch_boot *boot = &memory->latch->boot;

	return boot->chunk[fuzz_below(memory, boot->nr_chunks)] +
	       fuzz_below(memory, LATCH_CHUNK_SIZE / PAGE_SIZE) * PAGE_SIZE;
}

/** fuzz_frame - guest-physical address of a page to watch or to guard: any there is */
u64 fuzz_frame(struct fuzz_memory *memory)
{
	switch (fuzz_below(memory, 12)) {
	case 0:
		return fuzz_number(memory);
	case 1:
		return hole(memory);
	case 2:
		return chunk(memory);
	case 3:
		return virt_to_phys(memory->pal[fuzz_below(memory, PAL_PAGES)]);
	case 4:
		/* The APIC's, and others of devices */
		return 0xfe000000ull + fuzz_below(memory, 0x2000) * PAGE_SIZE;
	case 5:
		return (u64)fuzz_below(memory, memory->latch->boot.ram_top >> PAGE_SHIFT) << PAGE_SHIFT;
	default:
		return virt_to_phys(memory->plain) +
		       fuzz_below(memory, 1 << PLAIN_ORDER) * PAGE_SIZE;
	}
}

/*
 * Above the last level an entry leads to tables of the next one only: in anything else
 * core would find entries that nobody has made, and note that it has used them.
 */
static u64 bad_entry(struct fuzz_memory *memory, u32 level)
{
	u64 flags = probe_random(&memory->seed) & ENTRY_FLAGS;
	u32 next = BAD_TABLES - BAD_PER_LEVEL * level + fuzz_below(memory, BAD_PER_LEVEL);

	if (fuzz_below(memory, 4))
		flags |= ENTRY_GOOD;
	/* A large page has what is beside its frame, too. */
	if (flags & ENTRY_LARGE && fuzz_below(memory, 4))
		flags &= ~ENTRY_LARGE;
	if (flags & ENTRY_LARGE)
		return hole(memory) | flags;
	switch (fuzz_below(memory, 8)) {
	case 0:
		return hole(memory) | flags;
	case 1:
		return chunk(memory) | flags;
	default:
		return virt_to_phys(level ? (void *)memory->bad[next] :
				    memory->pal[fuzz_below(memory, PAL_PAGES)]) | flags;
	}
}

static void make_bad(struct fuzz_memory *memory)
{
	u32 table, i;

	for (i = 0; i < BAD_ENTRIES; i++)
		memory->root[GOOD_ENTRY + 1 + i] = bad_entry(memory, 3);
	for (table = 0; table < BAD_TABLES; table++)
		for (i = 0; i < ENTRIES; i++)
			memory->bad[table][i] = bad_entry(memory, 2 - table / BAD_PER_LEVEL);
}

static void make_good(struct fuzz_memory *memory)
{
	u32 i;

	memory->root[GOOD_ENTRY] = virt_to_phys(memory->good[0]) | ENTRY_GOOD;
	memory->good[0][0] = virt_to_phys(memory->good[1]) | ENTRY_GOOD;
	memory->good[1][0] = virt_to_phys(memory->good[2]) | ENTRY_GOOD;
	for (i = 0; i < PAL_PAGES; i++)
		memory->good[2][i] = virt_to_phys(memory->pal[i]) | ENTRY_GOOD;
}

/** fuzz_pal_address - linear address of a page that a PAL may have */
u64 fuzz_pal_address(u32 page)
{
	return ((u64)GOOD_ENTRY << PGDIR_SHIFT) + page * PAGE_SIZE;
}

/** fuzz_bad_pointer - an address in the lower half of the made-up page tables */
u64 fuzz_bad_pointer(struct fuzz_memory *memory)
{
	u64 index = GOOD_ENTRY + fuzz_below(memory, BAD_ENTRIES + 2);

	return index << PGDIR_SHIFT | (probe_random(&memory->seed) & (PGDIR_SIZE - 1));
}

/** fuzz_root - what a PAL may have as its page tables */
u64 fuzz_root(struct fuzz_memory *memory)
{
	u64 root = virt_to_phys(memory->root);

	switch (fuzz_below(memory, 8)) {
	case 0:
		return hole(memory);
	case 1:
		return chunk(memory);
	case 2:
		return root + 1 + fuzz_below(memory, PAGE_SIZE - 1);
	case 3:
		return root | ~0ull << (52 + fuzz_below(memory, 12));
	default:
		return root;
	}
}

/** fuzz_pointer - an address; where core may write, that is @buffer, or goes nowhere */
u64 fuzz_pointer(struct fuzz_memory *memory)
{
	u64 value = probe_random(&memory->seed), buffer = (u64)memory->buffer;

	switch (fuzz_below(memory, 12)) {
	case 0:
		return value;
	case 1:		/* nothing is mapped there */
		return value & 0xffff;
	case 2:
		return 0x7ffffffff000ull + (value & 0xfff);
	case 3:		/* not canonical, but for the ends */
		return 0x800000000000ull + (value & 0xff) - 0x80;
	case 4:
		return 0xffff800000000000ull + (value & 0xff) - 0x80;
	case 5:
		return ~0ull - (value & 0xfff);
	case 6:
		return buffer + BUFFER_SIZE + (value & 0xfff);
	case 7:
		return (u64)memory->alias + (value & 0xfff);
	case 8:
		return (u64)phys_to_virt(chunk(memory)) + (value & 0xfff);
	case 9:
		return buffer + (value & 1 ? BUFFER_SIZE : PAGE_SIZE) - (value >> 1 & 0x7f);
	default:
		return buffer + (value & (BUFFER_SIZE - 1));
	}
}

/** fuzz_is_own - are they pages that nobody else uses */
bool fuzz_is_own(struct fuzz_memory *memory, u64 gpa, u64 pages)
{
	u64 offset = gpa - virt_to_phys(memory->plain);
	u32 i;

	if (offset < PLAIN_SIZE && pages <= (PLAIN_SIZE - offset) / PAGE_SIZE)
		return true;
	for (i = 0; i < PAL_PAGES && pages == 1; i++)
		if (virt_to_phys(memory->pal[i]) == gpa)
			return true;
	return false;
}

/** fuzz_may_write - is it in @buffer, or where writes are dropped */
bool fuzz_may_write(struct fuzz_memory *memory, u64 address, u64 size)
{
	u64 start = (u64)memory->buffer, chunk_start;
	u32 i;

	if (address - start < BUFFER_SIZE && size <= start + BUFFER_SIZE - address)
		return true;
	for (i = 0; i < memory->latch->boot.nr_chunks; i++) {
		chunk_start = (u64)phys_to_virt(memory->latch->boot.chunk[i]);
		if (address - chunk_start < LATCH_CHUNK_SIZE)
			return true;
	}
	return false;
}

/**
 * fuzz_enter - use the made-up page tables on this CPU
 *
 * Their upper half is the kernel's. Context: interrupts off. Return: for fuzz_leave().
 */
unsigned long fuzz_enter(struct fuzz_memory *memory)
{
	unsigned long cr3;

	if (memory->bad_age++ % BAD_LIFE == 0)
		make_bad(memory);
	asm volatile("mov %%cr3, %0" : "=r" (cr3));
	memcpy(memory->root + ENTRIES / 2, (u64 *)phys_to_virt(cr3 & CR3_FRAME) + ENTRIES / 2,
	       PAGE_SIZE / 2);
	asm volatile("mov %0, %%cr3" : : "r" (virt_to_phys(memory->root)) : "memory");
	return cr3;
}

/** fuzz_leave - and no more */
void fuzz_leave(unsigned long cr3)
{
	asm volatile("mov %0, %%cr3" : : "r" (cr3) : "memory");
}

static bool make_page(u64 **page, unsigned int order)
{
	*page = (u64 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
	return *page;
}

static bool make_pages(struct fuzz_memory *memory)
{
	bool good = make_page(&memory->root, 1) && make_page((u64 **)&memory->plain, PLAIN_ORDER);
	u32 i;

	for (i = 0; i < PAL_PAGES; i++)
		good &= make_page((u64 **)&memory->pal[i], 0);
	for (i = 0; i < ARRAY_SIZE(memory->good); i++)
		good &= make_page(&memory->good[i], 0);
	for (i = 0; i < BAD_TABLES; i++)
		good &= make_page(&memory->bad[i], 0);
	return good;
}

/** fuzz_memory_init - @seed and @latch are set; 0 or -ENOMEM, then too it is to be freed */
int fuzz_memory_init(struct fuzz_memory *memory)
{
	struct page *first;

	memory->buffer = vzalloc(BUFFER_SIZE);
	memory->shadow = vzalloc(BUFFER_SIZE);
	if (!memory->buffer || !memory->shadow || !make_pages(memory))
		return -ENOMEM;
	first = vmalloc_to_page(memory->buffer);
	memory->alias = vmap(&first, 1, VM_MAP, PAGE_KERNEL_RO);
	if (!memory->alias)
		return -ENOMEM;
	make_good(memory);
	make_bad(memory);
	return 0;
}

/** fuzz_memory_free - no PAL has any of it */
void fuzz_memory_free(struct fuzz_memory *memory)
{
	u32 i;

	if (memory->alias)
		vunmap(memory->alias);
	vfree(memory->buffer);
	vfree(memory->shadow);
	free_pages((unsigned long)memory->root, 1);
	free_pages((unsigned long)memory->plain, PLAIN_ORDER);
	for (i = 0; i < PAL_PAGES; i++)
		free_page((unsigned long)memory->pal[i]);
	for (i = 0; i < ARRAY_SIZE(memory->good); i++)
		free_page((unsigned long)memory->good[i]);
	for (i = 0; i < BAD_TABLES; i++)
		free_page((unsigned long)memory->bad[i]);
}
