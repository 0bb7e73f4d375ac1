/* SPDX-License-Identifier: GPL-2.0-only */
/* kvm-boot: a virtual machine monitor that is just enough to boot Linux, or a Multiboot image. */
#ifndef KVM_BOOT_H
#define KVM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "init.h"
#include "kvm.h"

#define PAGE_SIZE	4096ul
#define LARGE_PAGE	(2ul << 20)
#define MAX_FILES	64

/* The guest's physical addresses. */
#define GDT		0x1000ul
#define ZERO_PAGE	0x2000ul	/* or Multiboot's information */
#define TABLES		0x3000ul	/* PML4, PDPT, PD: the first GiB */
#define COMMAND_LINE	0x8000ul
#define LOW_END		0x9fc00ul
#define ACPI		0xe0000ul
#define HIGH		0x100000ul

struct machine {
	int vm;
	int cpus;
	bool verbose, small_pages;
	bool has_vmx;
	bool is_long, is_multiboot;
	/* its init, if not this program */
	const char *init;
	/* with SRC[:DST] of each file that it needs */
	const char *command;
	const char *files[MAX_FILES];
	int nr_files;
	uint8_t *ram;
	size_t ram_size;
	/* what the first CPU starts with */
	struct kvm_regs regs;
};

/* The kernel, its arguments and a file system with this program as /init. */
void load_linux(struct machine *machine, const char *image, const char *command_line);

/* Whether IMAGE is to be loaded as the next function does it. */
bool is_multiboot(const char *image);

/* A 32-bit ELF file with a Multiboot header, and its arguments. */
void load_multiboot(struct machine *machine, const char *image, const char *command_line);

const uint8_t *map_file(const char *path, size_t *size);
void unmap_file(const uint8_t *data, size_t size);

/* An archive with /init, device nodes and the command's files: its size and address. */
size_t write_initramfs(struct machine *machine, uint32_t *address);

/* Just tables that tell of CPUs and an IOAPIC. */
void write_acpi(struct machine *machine);

/* Text that comes byte by byte, printed in whole lines with a prefix. */
#define LINE_LENGTH	1024
struct lines {
	const char *prefix;
	int length;
	char line[LINE_LENGTH];
};

void put(struct lines *lines, char byte);

/* The serial port; says what it sends. */
#define SERIAL		0x3f8
void serial_out(int reg, uint8_t value);
uint8_t serial_in(int reg);

/* Where lhv ends the machine: with 0 if all is well. */
#define PORT_LHV_END	0x8901

/* CPUs that run until the guest ends the machine: what it says then. */
int run_machine(struct machine *machine);

#endif
