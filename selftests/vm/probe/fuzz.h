/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls with hostile arguments: what fuzz.c and fuzz_memory.c offer each other. */
#ifndef _PROBE_FUZZ_H
#define _PROBE_FUZZ_H

#include "vmcall.h"

#define BUFFER_PAGES	2
#define BUFFER_SIZE	(BUFFER_PAGES * PAGE_SIZE)
#define PAL_PAGES	16
#define PLAIN_ORDER	3
#define PLAIN_SIZE	(PAGE_SIZE << PLAIN_ORDER)
#define BAD_TABLES	6

/**
 * struct fuzz_memory - what the calls of one CPU may name
 * @seed: state of its random numbers
 * @latch: for the addresses of core's memory
 * @buffer: may be written; behind it nothing is mapped
 * @shadow: what is in it, if nobody has written there
 * @alias: the first page of @buffer, read-only
 * @pal: pages that PALs are made of, from @good_linear on in @root
 * @plain: memory that is watched and guarded
 * @root: page tables whose lower half is made up, two pages
 * @good: tables that map @pal
 * @bad: tables that lead anywhere, but for memory of others
 * @bad_age: calls since they were made
 */
struct fuzz_memory {
	u64 seed;
	struct latch *latch;
	u8 *buffer, *shadow, *alias;
	void *pal[PAL_PAGES];
	u8 *plain;
	u64 *root;
	u64 *good[3];
	u64 *bad[BAD_TABLES];
	u32 bad_age;
};

int fuzz_memory_init(struct fuzz_memory *memory);
void fuzz_memory_free(struct fuzz_memory *memory);
u32 fuzz_below(struct fuzz_memory *memory, u32 end);
u64 fuzz_number(struct fuzz_memory *memory);
u64 fuzz_pointer(struct fuzz_memory *memory);
u64 fuzz_frame(struct fuzz_memory *memory);
u64 fuzz_root(struct fuzz_memory *memory);
u64 fuzz_bad_pointer(struct fuzz_memory *memory);
u64 fuzz_pal_address(u32 page);
bool fuzz_is_own(struct fuzz_memory *memory, u64 gpa, u64 pages);
bool fuzz_may_write(struct fuzz_memory *memory, u64 address, u64 size);
unsigned long fuzz_enter(struct fuzz_memory *memory);
void fuzz_leave(unsigned long cr3);

#endif
