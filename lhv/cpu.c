// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU data, see also tables.c. */
#include "lhv.h"

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1;

/* @access: access byte in bits 7:0, flags (G, D, L, AVL) in bits 15:12 */
u64 gdt_descriptor(u32 base, u32 limit, u32 access)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(access & 0xff) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(access >> 12 & 0xf) << 52 |
	       (u64)(base >> 24) << 56;
}
