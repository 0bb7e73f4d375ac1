// SPDX-License-Identifier: GPL-2.0-only
/* EPT: an identity map to start from, and changes of it. */
#include "hv.h"

static u64 *ept_table(u64 *entry)
{
	if (!(*entry & EPT_RWX))
		*entry = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)) | EPT_RWX;
	return PTR(*entry & PTE_ADDR);
}

/* A table in place of a large page, with the same meaning */
static void ept_split(u64 *entry, u32 level)
{
	u64 *table = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 old = *entry, step = level == 3 ? SIZE_2M : PAGE_SIZE;
	u32 i;

	if (level == 2)
		old &= ~EPT_PS;
	for (i = 0; i < 512; i++)
		table[i] = old + i * step;
	*entry = ADDR(table) | EPT_RWX;
}

/**
 * ept_entry - find an entry
 * @eptp: EPT pointer
 * @pa: guest-physical address
 * @level: 1 for a page of 4 KiB, 2 for 2 MiB, 3 for 1 GiB; larger pages are split
 */
u64 *ept_entry(u64 eptp, u64 pa, u32 level)
{
	u64 *table = PTR(eptp & PTE_ADDR);
	u32 at;

	for (at = 4; at > level; at--) {
		u64 *entry = &table[pa >> (12 + 9 * (at - 1)) & 511];

		if (at < 4 && *entry & EPT_PS)
			ept_split(entry, at);
		table = ept_table(entry);
	}
	return &table[pa >> (12 + 9 * (level - 1)) & 511];
}

/* Map one page of the level, over whatever was there. */
void ept_map(u64 eptp, u64 pa, u64 to, u32 level, u64 flags)
{
	*ept_entry(eptp, pa, level) = to | flags | (level > 1 ? EPT_PS : 0);
}

/**
 * ept_new - make an EPT: RAM and devices below 4 GiB, each where it is
 *
 * In between, from 1 GiB to 3 GiB, is nothing: tests map there what they like.
 *
 * Return: the EPT pointer
 */
u64 ept_new(void)
{
	u64 eptp = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)) | 6 | 3 << 3;
	u64 pa;

	for (pa = 0; pa < SIZE_1G; pa += SIZE_2M)
		ept_map(eptp, pa, pa, 2, EPT_RWX | EPT_MEM_WB);
	for (pa = 3 * SIZE_1G; pa < 4 * SIZE_1G; pa += SIZE_2M)
		ept_map(eptp, pa, pa, 2, EPT_RWX | EPT_MEM_UC);
	return eptp;
}

/**
 * hv_ept_enable - have the guest run with an EPT of its own
 *
 * Return: the EPT pointer
 */
u64 hv_ept_enable(void)
{
	u64 eptp = ept_new();

	/* There may have been another one, in the same pages. */
	invept(INVEPT_ALL, 0, 0);
	vmwrite(F_EPTP, eptp);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	return eptp;
}
