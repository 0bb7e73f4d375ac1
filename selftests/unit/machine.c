// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/mman.h>
#include "check.h"
#include "machine.h"
#include "pool.h"

#define MEMORY_SIZE	((size_t)LATCH_MAX_CHUNKS * LATCH_CHUNK_SIZE)
#define GUARD_SIZE	((size_t)LATCH_CHUNK_SIZE)

static u8 *memory;
static struct latch_boot machine_boot_data;

static void memory_map(void)
{
	u8 *all = mmap(NULL, MEMORY_SIZE + 2 * GUARD_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	require(all != MAP_FAILED, "no memory");
	memory = all + GUARD_SIZE;
}

void machine_init(const u64 *chunk, u32 nr_chunks, u32 free_pages)
{
	size_t size = (size_t)nr_chunks * LATCH_CHUNK_SIZE;
	size_t image_size = size - (size_t)free_pages * PAGE_SIZE;

	if (!memory)
		memory_map();
	require(!mprotect(memory, MEMORY_SIZE, PROT_NONE) &&
		!mprotect(memory + image_size, size - image_size, PROT_READ | PROT_WRITE),
		"mprotect failed");
	memset(memory + image_size, 0xa5, size - image_size);
	memset(&machine_boot_data, 0, sizeof(machine_boot_data));
	machine_boot_data.nr_chunks = nr_chunks;
	memcpy(machine_boot_data.chunk, chunk, nr_chunks * sizeof(*chunk));
	require(!pool_init(&machine_boot_data, memory, image_size), "pool_init failed");
	require(pool_free_pages() == free_pages && pool_pages() == free_pages,
		"%u pages instead of %u", pool_free_pages(), free_pages);
}

static bool find(u64 pa, u64 *offset)
{
	u64 chunk;
	u32 i;

	for (i = 0; i < machine_boot_data.nr_chunks; i++) {
		chunk = machine_boot_data.chunk[i];
		if (pa >= chunk && pa <= chunk + (LATCH_CHUNK_SIZE - 1)) {
			*offset = (u64)i * LATCH_CHUNK_SIZE + (pa - chunk);
			return true;
		}
	}
	return false;
}

void *machine_va(u64 pa)
{
	u64 offset;

	return find(pa, &offset) ? memory + offset : NULL;
}

u32 machine_page(u64 pa)
{
	u64 offset;

	require(find(pa, &offset), "%#llx is no frame of core", pa);
	return (u32)(offset / PAGE_SIZE);
}

bool machine_owns(u64 start, u64 end)
{
	u32 i;

	for (i = 0; i < machine_boot_data.nr_chunks; i++)
		if (start < machine_boot_data.chunk[i] + LATCH_CHUNK_SIZE &&
		    machine_boot_data.chunk[i] < end)
			return true;
	return false;
}

u8 *machine_memory(void)
{
	return memory;
}

const struct latch_boot *machine_boot(void)
{
	return &machine_boot_data;
}
