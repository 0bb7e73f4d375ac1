/* SPDX-License-Identifier: GPL-2.0-only */
/* kvm-boot: a virtual machine monitor that is just enough to boot Linux. */
#ifndef KVM_BOOT_H
#define KVM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm.h"

#define PAGE_SIZE	4096ul
#define MAX_CPUS	4

/* The guest's physical addresses. */
#define GDT		0x1000ul
#define ZERO_PAGE	0x2000ul
#define TABLES		0x3000ul	/* PML4, PDPT, PD: the first GiB */
#define COMMAND_LINE	0x8000ul
#define LOW_END		0x9fc00ul
#define ACPI		0xe0000ul
#define HIGH		0x100000ul

/* What the guest's init says by this port: the number of CPUs that have worked. */
#define PORT_END	0x510

struct machine {
	int vm;
	int cpus;
	bool verbose;
	uint8_t *ram;
	size_t ram_size;
	uint64_t entry;
};

/* The kernel, its arguments and a file system with this program as /init. */
void load_linux(struct machine *machine, const char *image, const char *command_line);

/* An archive with /init and two device nodes at the end of RAM: its size. */
size_t write_initramfs(uint8_t *ram_end, uint8_t **start);

/* Just tables that tell of CPUs and an IOAPIC. */
void write_acpi(struct machine *machine);

/* The serial port; says what it sends. */
#define SERIAL		0x3f8
void serial_out(int reg, uint8_t value);
uint8_t serial_in(int reg);

/* CPUs that run until the guest ends the machine: what it says then. */
int run_machine(struct machine *machine);

/* In the guest. */
void be_init(void) __attribute__((noreturn));

#endif
