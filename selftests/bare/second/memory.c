// SPDX-License-Identifier: GPL-2.0-only
/* The memory map: all RAM in it is RAM, core's memory is not in it. */
#include "second.h"

#define MIB		0x100000u
#define CHUNK		0x200000u
#define DEVICES		0xc0000000u

/**
 * struct range - entry of Multiboot's memory map; @size does not count itself
 */
struct range {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

extern char image_end[];
static uint32_t pages, wrong;

static const struct range *range_next(const struct range *range)
{
	return (const void *)((const char *)range + range->size + sizeof(range->size));
}

static void page_write(volatile uint32_t *page)
{
	page[0] = (uint32_t)page ^ 0x5a5a5a5a;
	page[1023] = ~(uint32_t)page;
	pages++;
}

static void page_verify(volatile uint32_t *page)
{
	wrong += page[0] != ((uint32_t)page ^ 0x5a5a5a5a) || page[1023] != ~(uint32_t)page;
}

/* The first and last page of a range of RAM, and one of each MiB */
static void range_pages(const struct range *range, void (*fn)(volatile uint32_t *page))
{
	uint64_t end = range->base + range->length;
	uint32_t start, last, page;

	if (range->type != 1 || end <= (uint32_t)image_end || range->base >= DEVICES)
		return;
	start = range->base < (uint32_t)image_end ? (uint32_t)image_end :
	       ((uint32_t)range->base + 4095) & ~4095u;
	last = ((end > DEVICES ? DEVICES : (uint32_t)end) & ~4095u) - 4096;
	for (page = start; page < last; page += MIB)
		fn((volatile uint32_t *)page);
	fn((volatile uint32_t *)last);
}

/* Core's chunks read as 0 and cannot be written. Return: chunks */
static uint32_t range_hidden(const struct range *range)
{
	uint32_t chunk = ((uint32_t)range->base + CHUNK - 1) & ~(CHUNK - 1), chunks = 0, page;

	for (; chunk + CHUNK <= range->base + range->length; chunk += CHUNK) {
		for (page = chunk; page < chunk + CHUNK; page += CHUNK / 8) {
			*(volatile uint32_t *)page = 0xdeadbeef;
			wrong += *(volatile uint32_t *)page;
		}
		chunks++;
	}
	return chunks;
}

void test_memory(const uint32_t *info)
{
	const struct range *end = (const void *)(info[12] + info[11]);
	const struct range *range;
	uint32_t overlaps = 0, chunks = 0;
	uint64_t last = 0;

	if (!check(info[0] & 0x40 && info[11], "memory: there is a map"))
		return;
	for (range = (const void *)info[12]; range < end; range = range_next(range)) {
		overlaps += range->base < last;
		last = range->base + range->length;
		range_pages(range, page_write);
	}
	check(!overlaps, "memory: the map ascends and nothing overlaps");
	for (range = (const void *)info[12]; range < end; range = range_next(range))
		range_pages(range, page_verify);
	check(pages > 32 && !wrong, "memory: RAM keeps what is written");
	wrong = 0;
	for (range = (const void *)info[12]; range < end; range = range_next(range))
		if (range->type == 2 && range->base > MIB && range->base + range->length < DEVICES)
			chunks += range_hidden(range);
	if (on_core)
		check(chunks && !wrong, "core: its %u chunks are reserved and hidden", chunks);
	else
		check(!chunks, "bare: no chunk is reserved");
}
