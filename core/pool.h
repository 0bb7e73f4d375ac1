/* SPDX-License-Identifier: GPL-2.0-only */
/* The page pool: every page that core uses at run time comes from here. */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include "types.h"

struct latch_boot;

/**
 * pool_init - hand the memory behind the image to the pool
 * @boot: chunks
 * @base: where all chunks are mapped, one behind the other
 * @image_size: bytes at the start of the first chunk that are not free
 *
 * Context: once, at LATCH_OP_INIT. Return: 0 or -EINVAL for chunks that are
 * not aligned or overlap.
 */
int pool_init(const struct latch_boot *boot, void *base, u64 image_size);

/**
 * pool_alloc - get a page
 *
 * Context: root mode, any lock may be held but the pool's own.
 * Return: a cleared page, or NULL when there is none left.
 */
void *pool_alloc(void);
void pool_free(void *page);
u32 pool_pages(void);
u32 pool_free_pages(void);

/* Pages that whoever can do without them leaves for those who cannot. */
#define POOL_RESERVE	32

/** pool_pa - physical address of something in a pool page or in the image */
u64 pool_pa(const void *va);
/** pool_va - address of a frame that core owns; NULL for any other frame */
void *pool_va(u64 pa);
/** pool_owns - does core own the frame at @pa, or any frame of a range */
bool pool_owns(u64 pa);
bool pool_owns_any(u64 start, u64 size);
u32 pool_nr_chunks(void);
u64 pool_chunk(u32 index);

#endif
