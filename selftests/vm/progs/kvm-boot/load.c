// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-boot: a bzImage by the 64-bit or, if it has no such entry, the 32-bit boot
 * protocol, Documentation/arch/x86/boot.rst.
 */
#define _GNU_SOURCE
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot.h"

#define HEADER		0x1f1
#define ENTRY_64	0x200
#define LOADER_OTHER	0xff
#define E820_RAM	1

const uint8_t *map_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat info;
	void *data;

	if (fd < 0 || fstat(fd, &info))
		die("%s: %s", path, strerror(errno));
	data = mmap(NULL, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	*size = info.st_size;
	return data;
}

void unmap_file(const uint8_t *data, size_t size)
{
	munmap((void *)data, size);
}

static void add_ram(struct boot_params *zero, uint64_t start, uint64_t end)
{
	zero->e820_table[zero->e820_entries].addr = start;
	zero->e820_table[zero->e820_entries].size = end - start;
	zero->e820_table[zero->e820_entries++].type = E820_RAM;
}

static void load_kernel(struct machine *machine, struct setup_header *header, const uint8_t *data, size_t size)
{
	size_t setup = ((header->setup_sects ? header->setup_sects : 4) + 1) * 512;

	if (header->header != 0x53726448 || header->version < 0x20c)
		die("the image is no bzImage, or too old");
	if (header->pref_address + header->init_size > machine->ram_size)
		die("the kernel needs %llu MB", (header->pref_address + header->init_size) >> 20);
	memcpy(machine->ram + header->pref_address, data + setup, size - setup);
	machine->is_long = header->xloadflags & XLF_KERNEL_64;
	machine->regs.rip = header->pref_address + (machine->is_long ? ENTRY_64 : 0);
	machine->regs.rsi = ZERO_PAGE;
}

static void make_tables(struct machine *machine)
{
	uint64_t *pml4 = (uint64_t *)(machine->ram + TABLES), *pdpt = pml4 + 512, *pd = pdpt + 512;
	uint64_t *gdt = (uint64_t *)(machine->ram + GDT);

	pml4[0] = (TABLES + PAGE_SIZE) | 3;
	pdpt[0] = (TABLES + 2 * PAGE_SIZE) | 3;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
	/* __BOOT_CS and __BOOT_DS */
	gdt[2] = machine->is_long ? 0x00af9b000000ffff : 0x00cf9b000000ffff;
	gdt[3] = 0x00cf93000000ffff;
}

void load_linux(struct machine *machine, const char *image, const char *command_line)
{
	struct boot_params *zero = (struct boot_params *)(machine->ram + ZERO_PAGE);
	const uint8_t *data;
	uint32_t initramfs;
	size_t size;

	data = map_file(image, &size);
	if (size < 0x1000)
		die("%s: too short", image);
	memcpy(&zero->hdr, data + HEADER, sizeof(zero->hdr));
	load_kernel(machine, &zero->hdr, data, size);
	zero->hdr.type_of_loader = LOADER_OTHER;
	zero->hdr.cmd_line_ptr = COMMAND_LINE;
	zero->hdr.ramdisk_size = write_initramfs(machine, &initramfs);
	zero->hdr.ramdisk_image = initramfs;
	zero->acpi_rsdp_addr = ACPI;
	add_ram(zero, 0, LOW_END);
	add_ram(zero, HIGH, machine->ram_size);
	snprintf((char *)machine->ram + COMMAND_LINE, PAGE_SIZE, "console=ttyS0 panic=-1 reboot=t %s%s",
		 machine->verbose ? "earlyprintk=ttyS0 ignore_loglevel " : "quiet ", command_line);
	make_tables(machine);
}
