// SPDX-License-Identifier: GPL-2.0-only
/* The two things that are needed from ACPI: the CPUs, and how to switch off. */
#include "lhv.h"

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	/* since revision 2 */
	u32 length, xsdt;
} __attribute__((packed));

static const struct acpi_rsdp *rsdp_scan(u64 start, u64 end)
{
	u64 addr;

	for (addr = start; addr < end; addr += 16)
		if (!memcmp(PTR(addr), "RSD PTR ", 8))
			return PTR(addr);
	return NULL;
}

static const struct acpi_rsdp *rsdp_find(void)
{
	/* volatile: GCC takes a constant address this low for a NULL dereference */
	volatile u64 bda = 0x40e;
	u64 ebda = (u64)*(u16 *)PTR(bda) << 4;
	const struct acpi_rsdp *rsdp = NULL;

	if (ebda)
		rsdp = rsdp_scan(ebda, ebda + 1024);
	return rsdp ? rsdp : rsdp_scan(0xe0000, 0x100000);
}

/* Tables are at the end of RAM: above the first GiB they are shown in the window. */
static const void *acpi_map(u32 pa)
{
	u64 va = WINDOW_BASE + (pa & (SIZE_1G - 1));
	u64 page = va & ~(SIZE_2M - 1);

	if (pa < SIZE_1G || pa >= 3 * SIZE_1G)
		return PTR(pa);
	mem_map_2m(page, pa & ~(SIZE_2M - 1), PTE_P | PTE_NX);
	if (page + SIZE_2M < WINDOW_BASE + SIZE_1G)
		mem_map_2m(page + SIZE_2M, (pa & ~(SIZE_2M - 1)) + SIZE_2M, PTE_P | PTE_NX);
	return PTR(va);
}

static const struct acpi_header *acpi_find(const char *signature)
{
	const struct acpi_rsdp *rsdp = rsdp_find();
	const struct acpi_header *root;
	u32 words, i;
	const u32 *entry;

	if (!rsdp)
		return NULL;
	/* An XSDT has addresses of 64 bits; tables are below 4 GiB. */
	words = rsdp->rsdt ? 1 : 2;
	root = acpi_map(rsdp->rsdt ? rsdp->rsdt : rsdp->xsdt);
	entry = PTR(ADDR(root) + sizeof(*root));
	for (i = 0; i < (root->length - sizeof(*root)) / 4; i += words)
		if (!memcmp(acpi_map(entry[i]), signature, 4))
			return acpi_map(entry[i]);
	return NULL;
}

/* APIC ID of an enabled CPU in an entry of the MADT; false for other entries */
static bool madt_cpu(const u8 *entry, u32 *id)
{
	if (entry[0] == 0 && (*(const u32 *)(entry + 4) & 1)) {
		*id = entry[3];
		return true;
	}
	if (entry[0] == 9 && (*(const u32 *)(entry + 8) & 1)) {
		*id = *(const u32 *)(entry + 4);
		return true;
	}
	return false;
}

/**
 * acpi_find_cpus - list the CPUs
 * @apic_ids: their APIC IDs, as the MADT has them
 * @max: elements of @apic_ids
 *
 * Return: number of CPUs, 0 without a MADT
 */
u32 acpi_find_cpus(u32 *apic_ids, u32 max)
{
	const struct acpi_header *madt = acpi_find("APIC");
	const u8 *entry, *end;
	u32 count = 0;

	if (!madt)
		return 0;
	entry = PTR(ADDR(madt) + sizeof(*madt) + 8);
	end = PTR(ADDR(madt) + madt->length);
	for (; entry < end && entry[1]; entry += entry[1])
		if (count < max && madt_cpu(entry, &apic_ids[count]))
			count++;
	return count;
}

/* Return: port of the PM1a control register, or 0 */
u16 acpi_pm1a_control(void)
{
	const struct acpi_header *fadt = acpi_find("FACP");

	return fadt ? *(u16 *)PTR(ADDR(fadt) + 64) : 0;
}
