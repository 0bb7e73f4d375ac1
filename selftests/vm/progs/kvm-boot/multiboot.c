// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: a 32-bit ELF file by the Multiboot specification, version 0.6.96. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"

#define HEADER		0x1badb002
#define HEADER_END	8192
#define LOADER		0x2badb002
#define HAS_COMMAND	(1u << 2)
#define HAS_MAP		(1u << 6)
#define TYPE_RAM	1

/* Its size does not count itself. */
struct range {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

struct info {
	uint32_t flags, memory[2], boot_device;
	uint32_t command_line;
	uint32_t modules[2], symbols[4];
	uint32_t map_length, map;
	struct range ranges[2];
} __attribute__((packed));

bool is_multiboot(const char *image)
{
	size_t size;
	const uint8_t *data = map_file(image, &size);
	bool is_elf = size > sizeof(Elf32_Ehdr) && !memcmp(data, ELFMAG, SELFMAG);

	unmap_file(data, size);
	return is_elf;
}

static bool has_header(const uint8_t *data, size_t size)
{
	uint32_t header[3];

	for (size_t i = 0; i < HEADER_END && i + sizeof(header) <= size; i += 4) {
		memcpy(header, data + i, sizeof(header));
		if (header[0] == HEADER && !(header[0] + header[1] + header[2]))
			return true;
	}
	return false;
}

static void load_segment(struct machine *machine, const Elf32_Phdr *segment, const uint8_t *data, size_t size)
{
	if (segment->p_type != PT_LOAD)
		return;
	if (segment->p_offset + (size_t)segment->p_filesz > size || segment->p_filesz > segment->p_memsz ||
	    segment->p_paddr < HIGH || segment->p_paddr + (size_t)segment->p_memsz > machine->ram_size)
		die("a segment is not in the file, or the guest has no such memory");
	memcpy(machine->ram + segment->p_paddr, data + segment->p_offset, segment->p_filesz);
}

static void write_info(struct machine *machine, const char *command_line)
{
	struct info *info = (struct info *)(machine->ram + ZERO_PAGE);
	const uint32_t size = sizeof(struct range) - sizeof(uint32_t);

	info->flags = HAS_COMMAND | HAS_MAP;
	info->command_line = COMMAND_LINE;
	info->map = ZERO_PAGE + offsetof(struct info, ranges);
	info->map_length = sizeof(info->ranges);
	info->ranges[0] = (struct range){ size, 0, LOW_END, TYPE_RAM };
	info->ranges[1] = (struct range){ size, HIGH, machine->ram_size - HIGH, TYPE_RAM };
	snprintf((char *)machine->ram + COMMAND_LINE, PAGE_SIZE, "%s", command_line);
}

void load_multiboot(struct machine *machine, const char *image, const char *command_line)
{
	size_t size;
	const uint8_t *data = map_file(image, &size);
	const Elf32_Ehdr *elf = (const Elf32_Ehdr *)data;
	const Elf32_Phdr *segments = (const Elf32_Phdr *)(data + elf->e_phoff);

	if (elf->e_ident[EI_CLASS] != ELFCLASS32 || !has_header(data, size))
		die("the image is no 32-bit ELF, or has no Multiboot header");
	if (elf->e_phoff + elf->e_phnum * sizeof(*segments) > size)
		die("%s: too short", image);
	for (int i = 0; i < elf->e_phnum; i++)
		load_segment(machine, &segments[i], data, size);
	machine->regs.rip = elf->e_entry;
	unmap_file(data, size);
	write_info(machine, command_line);
	machine->regs.rax = LOADER;
	machine->regs.rbx = ZERO_PAGE;
}
