/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's memory for the walk, and what the SDM says of an access to it. */
#ifndef UNIT_WALK_REF_H
#define UNIT_WALK_REF_H

#include "check.h"
#include "walk.h"

#define GUEST_FRAMES	12u
#define GUEST_BASE	0x100000u

/**
 * struct guest_memory - some frames, from GUEST_BASE on; elsewhere is nothing
 * @word: contents
 * @reads: entries read
 * @fail_exchanges: so many exchanges fail, and change the entry's ignored bits
 */
struct guest_memory {
	u64 word[GUEST_FRAMES * 512];
	u32 reads;
	u32 fail_exchanges;
};

extern struct guest_memory guest_memory;

u64 guest_memory_read(u64 gpa, u32 size);
void guest_memory_write(u64 gpa, u32 size, u64 value);
/** walk_ref - walk(), by SDM vol. 3, chapter 5; sets accessed and dirty bits too */
bool walk_ref(const struct guest_paging *p, u64 linear, u32 access, u64 *gpa, u32 *error);
/** walk_ref_run - random tables and accesses, against walk_ref() */
void walk_ref_run(struct source *source);

#endif
