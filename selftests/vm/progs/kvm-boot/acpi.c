// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-boot: the least of ACPI that tells Linux of CPUs, as Debian's kernel knows no MP
 * table. "Hardware reduced": no PM registers, no legacy devices, an empty DSDT.
 */
#include <string.h>

#include "boot.h"

#define LAPIC_BASE	0xfee00000
#define IOAPIC_BASE	0xfec00000
#define FADT_REDUCED	(1u << 20)
#define FADT_SIZE	276
#define NO_VGA_NO_RTC	0x24

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct lapic {
	uint8_t type, length, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

struct madt {
	struct header head;
	uint32_t address, flags;
	struct ioapic ioapic;
	struct lapic lapics[MAX_CPUS];
} __attribute__((packed));

struct xsdt {
	struct header head;
	uint64_t tables[2];
} __attribute__((packed));

/* Where each of them is, behind the RSDP. */
struct tables {
	struct rsdp rsdp;
	uint8_t padding[64 - sizeof(struct rsdp)];
	struct xsdt xsdt;
	struct header dsdt;
	uint8_t fadt[FADT_SIZE];
	struct madt madt;
} __attribute__((packed));

static uint8_t checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum -= bytes[i];
	return sum;
}

static void finish(void *table, const char *signature, uint32_t length, uint8_t revision)
{
	struct header *head = table;

	memcpy(head->signature, signature, 4);
	memcpy(head->oem, "LATCH ", 6);
	memcpy(head->oem_table, "KVMBOOT ", 8);
	memcpy(head->creator, "TEST", 4);
	head->length = length;
	head->revision = revision;
	head->checksum = checksum(table, length);
}

static void write_fadt(uint8_t *fadt, uint32_t dsdt)
{
	uint64_t wide = dsdt;
	uint32_t flags = FADT_REDUCED;

	memcpy(fadt + 40, &dsdt, 4);
	fadt[109] = NO_VGA_NO_RTC;
	memcpy(fadt + 112, &flags, 4);
	memcpy(fadt + 140, &wide, 8);
	finish(fadt, "FACP", FADT_SIZE, 6);
}

static void write_madt(struct madt *madt, int cpus)
{
	madt->address = LAPIC_BASE;
	madt->ioapic = (struct ioapic){ .type = 1, .length = sizeof(madt->ioapic), .address = IOAPIC_BASE };
	for (int i = 0; i < cpus; i++)
		madt->lapics[i] = (struct lapic){ 0, sizeof(struct lapic), i, i, 1 };
	finish(madt, "APIC", sizeof(*madt) - (MAX_CPUS - cpus) * sizeof(*madt->lapics), 5);
}

void write_acpi(struct machine *machine)
{
	struct tables *tables = (struct tables *)(machine->ram + ACPI);

	finish(&tables->dsdt, "DSDT", sizeof(tables->dsdt), 2);
	write_fadt(tables->fadt, ACPI + offsetof(struct tables, dsdt));
	write_madt(&tables->madt, machine->cpus);
	tables->xsdt.tables[0] = ACPI + offsetof(struct tables, fadt);
	tables->xsdt.tables[1] = ACPI + offsetof(struct tables, madt);
	finish(&tables->xsdt, "XSDT", sizeof(tables->xsdt), 1);
	memcpy(tables->rsdp.signature, "RSD PTR ", 8);
	memcpy(tables->rsdp.oem, "LATCH ", 6);
	tables->rsdp.revision = 2;
	tables->rsdp.length = sizeof(tables->rsdp);
	tables->rsdp.xsdt = ACPI + offsetof(struct tables, xsdt);
	tables->rsdp.checksum = checksum(&tables->rsdp, 20);
	tables->rsdp.extended_checksum = checksum(&tables->rsdp, sizeof(tables->rsdp));
}
