/* SPDX-License-Identifier: GPL-2.0-only */
/* The Multiboot information that is used here (specification version 0.6.96) */
#ifndef LHV_MULTIBOOT_H
#define LHV_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_LOADER	0x2badb002
#define MULTIBOOT_CMDLINE	BIT(2)
#define MULTIBOOT_MMAP		BIT(6)
#define MULTIBOOT_RAM		1

struct multiboot {
	u32 flags;
	u32 mem_lower, mem_upper;
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
};

/* @size does not count itself. */
struct multiboot_range {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

#endif
