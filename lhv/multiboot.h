/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of Multiboot that is used here (specification version 0.6.96) */
#ifndef LHV_MULTIBOOT_H
#define LHV_MULTIBOOT_H

#include "types.h"

#define MULTIBOOT_LOADER	0x2badb002
#define MULTIBOOT_MEMORY	BIT(0)
#define MULTIBOOT_CMDLINE	BIT(2)
#define MULTIBOOT_MODULES	BIT(3)
#define MULTIBOOT_MMAP		BIT(6)
#define MULTIBOOT_NAME		BIT(9)
#define MULTIBOOT_RAM		1
#define MULTIBOOT_RESERVED	2

struct multiboot {
	u32 flags;
	u32 mem_lower, mem_upper;	/* KiB */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 boot_loader_name;
};

struct multiboot_module {
	u32 start, end;
	u32 string;
	u32 reserved;
};

/* @size does not count itself. */
struct multiboot_range {
	u32 size;
	u64 base, length;
	u32 type;
} __attribute__((packed));

#define MULTIBOOT_HEADER	0x1badb002
#define MULTIBOOT_SEARCH	8192	/* bytes of the file that have the header */
#define MULTIBOOT_WANT_VIDEO	BIT(2)
#define MULTIBOOT_WANT_KNOWN	(BIT(0) | BIT(1))
#define MULTIBOOT_WANT_MUST	0xffffull	/* the other bits may be ignored */
#define MULTIBOOT_ADDRESSES	BIT(16)

struct multiboot_header {
	u32 magic, flags, checksum;
	/* with MULTIBOOT_ADDRESSES only */
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

#endif
