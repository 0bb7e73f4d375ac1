/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory for core's pool, with the physical addresses that a test wants. */
#ifndef UNIT_MACHINE_H
#define UNIT_MACHINE_H

#include <latch/launch.h>
#include "types.h"

/**
 * machine_init - give core new memory
 * @chunk: physical addresses of its chunks
 * @nr_chunks: how many
 * @free_pages: pages that the pool gets; the rest is the image's
 *
 * Only the pool's pages can be accessed, and they are full of garbage.
 */
void machine_init(const u64 *chunk, u32 nr_chunks, u32 free_pages);
/** machine_va - address of a core's frame, NULL if it is not; not core's code */
void *machine_va(u64 pa);
/** machine_owns - is a byte of [@start, @end) in a chunk */
bool machine_owns(u64 start, u64 end);
/** machine_page - number of a core's frame among all, for arrays */
u32 machine_page(u64 pa);
u8 *machine_memory(void);
const struct latch_boot *machine_boot(void);

#define MACHINE_PAGES	(LATCH_MAX_CHUNKS * (LATCH_CHUNK_SIZE / PAGE_SIZE))

#endif
