// SPDX-License-Identifier: GPL-2.0-only
/* Paging switched on and off again: 32-bit, PAE, 64-bit mode */
#include "second.h"

#define LARGE		0x83u	/* present, writable, large page */
#define VALUE		0x1122334455667788ull

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t tables[4][512] __attribute__((aligned(4096)));
static uint64_t pointers[512] __attribute__((aligned(4096)));
static uint64_t pml4[512] __attribute__((aligned(4096)));

static bool alias_works(uint32_t cr3, uint32_t cr4)
{
	uint64_t value;

	write_cr3(cr3);
	write_cr4(cr4);
	write_cr0(read_cr0() | CR0_PG);
	if (cr4 & CR4_PAE)
		check(vmx_works(), "vmx: VMXON and VMXOFF");
	value = *(volatile uint64_t *)(ALIAS + 8);
	*(volatile uint64_t *)(ALIAS + 16) = value + cr4;
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(0);
	write_cr3(0);
	return value == VALUE && *(volatile uint64_t *)(ALIAS_PAGE + 16) == VALUE + cr4;
}

/* All is mapped to itself, but for ALIAS. */
static void tables_build(void)
{
	uint32_t i;

	for (i = 0; i < 1024; i++)
		directory[i] = i << 22 | LARGE;
	for (i = 0; i < 2048; i++)
		tables[i >> 9][i & 511] = (uint64_t)i << 21 | LARGE;
	directory[ALIAS >> 22] = ALIAS_PAGE | LARGE;
	tables[ALIAS >> 30][0] = ALIAS_PAGE | LARGE;
	for (i = 0; i < 4; i++)
		pointers[i] = (uint32_t)tables[i] | 1;
	pml4[0] = (uint32_t)pointers | 3;
}

void test_paging(void)
{
	uint64_t value = 0;
	uint32_t efer, cr0 = read_cr0();

	tables_build();
	*(volatile uint64_t *)(ALIAS_PAGE + 8) = VALUE;
	check(alias_works((uint32_t)directory, CR4_PSE), "paging: 32-bit");
	check(alias_works((uint32_t)pointers, CR4_PAE), "paging: PAE");
	/* In 64-bit mode the third level has another format. */
	pointers[0] |= 2;
	pointers[1] |= 2;
	pointers[2] |= 2;
	pointers[3] |= 2;
	efer = long_mode((uint32_t)pml4, ALIAS + 8, &value);
	check(efer == 0x500 && value == VALUE + 0x0123456789abcdefull,
	      "paging: 64-bit mode, EFER 0x%x", efer);
	check(read_cr0() == cr0, "paging: off, CR0 is 0x%x", read_cr0());
}
