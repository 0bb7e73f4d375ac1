/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Core's address space; also for the assembler. Documentation/memory-map.md has
 * the picture. All of it is below 0xffffffffa0000000, where no loader's
 * trampoline page is.
 */
#ifndef CORE_LAYOUT_H
#define CORE_LAYOUT_H

#include <latch/launch.h>

/* LATCH_CORE_BASE: image, then the pool. LATCH_PUBLIC_BASE: public memory. */

/* One slot a CPU: stacks with guard pages between them, then struct percpu. */
#define PERCPU_BASE		0xffffffff98000000
#define PERCPU_SLOT_SHIFT	16
#define PERCPU_SLOT_SIZE	(1 << PERCPU_SLOT_SHIFT)
#define PERCPU_STACK_TOP	0x5000	/* below it; 0x0000 is a guard page */
#define PERCPU_STACK_PAGES	4
#define PERCPU_NMI_TOP		0x7000	/* one page; 0x5000 is a guard page */
#define PERCPU_DF_TOP		0x9000
#define PERCPU_MC_TOP		0xb000
#define PERCPU_DATA		0xc000	/* two pages; 0xb000 and 0xe000 are guard pages */
#define PERCPU_DATA_PAGES	2

/* One page a CPU to look at any frame through. */
#define WINDOW_BASE		0xffffffff9c000000

/* Segments of core's GDT; code and data as in the GDT of the change-over. */
#define SEL_CODE		0x10
#define SEL_DATA		0x18
#define SEL_TSS			0x20

/* Offsets in struct percpu that entry.S uses. */
#define PERCPU_SELF		0
#define PERCPU_NMI_PENDING	8
#define PERCPU_VMLAUNCH		12
#define PERCPU_CANARY		0x28	/* where GCC's stack protector looks, in FS */

#endif
