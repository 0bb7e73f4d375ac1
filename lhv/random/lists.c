// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of MSR lists, bitmaps and of what is in the pages that fields name. Lists of
 * exits are always right: a wrong one ends the CPU (SDM vol. 3, 28.7).
 */
#include "random.h"

static const u32 list_msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
	MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT,
};

/* Refused in the entry-load list, whatever the value */
static const u32 wrong_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_X2APIC + 8, MSR_X2APIC + 0x3f, MSR_BIOS_SIGN_ID - 0x12,
	MSR_VMX_BASIC, 0x12345678, 0xc0001234,
};

static const u64 list_values[] = { 0, 1, 0xdeadb000, 0x1000000000, 0xffff800000001000 };
static const u64 list_pats[] = { 0, 0x0007040600070406, 0x0006060606060606 };

static void add(struct rnd *r, u32 page, u32 field, u32 msr, u32 reserved, u64 value)
{
	struct msr_entry *list = PTR(host_page(r, page));
	u32 count = (u32)vmread(field);

	if (count >= 8)
		return;
	list[count] = (struct msr_entry) { msr, reserved, value };
	vmwrite(field, count + 1);
}

static u64 list_value(u32 msr, u64 v)
{
	if (msr == MSR_PAT)
		return list_pats[v % ARRAY_SIZE(list_pats)];
	return list_values[v % ARRAY_SIZE(list_values)];
}

static void apply_load(struct rnd *r, const struct choice *choice)
{
	u32 msr = list_msrs[choice->v[0] % ARRAY_SIZE(list_msrs)];
	u64 value = list_value(msr, choice->v[1]);

	say(r, "MSR %x = %llx", msr, value);
	add(r, HP_ENTRY_LOAD, F_ENTRY_MSR_LOAD_COUNT, msr, 0, value);
}

static void apply_wrong_load(struct rnd *r, const struct choice *choice)
{
	u32 msr = list_msrs[choice->v[0] % ARRAY_SIZE(list_msrs)];
	u32 reserved = choice->v[1] & 1;
	u64 value = choice->v[2];

	if (!reserved)
		msr = wrong_msrs[choice->v[0] % ARRAY_SIZE(wrong_msrs)];
	say(r, "MSR %x = %llx, reserved %x", msr, value, reserved);
	add(r, HP_ENTRY_LOAD, F_ENTRY_MSR_LOAD_COUNT, msr, reserved, value);
}

static void apply_store(struct rnd *r, const struct choice *choice)
{
	u32 msr = list_msrs[choice->v[0] % ARRAY_SIZE(list_msrs)];

	say(r, "MSR %x", msr);
	add(r, HP_EXIT_STORE, F_EXIT_MSR_STORE_COUNT, msr, 0, choice->v[1]);
}

static void apply_exit_load(struct rnd *r, const struct choice *choice)
{
	u32 msr = list_msrs[choice->v[0] % ARRAY_SIZE(list_msrs)];
	u64 value = list_value(msr, choice->v[1]);

	say(r, "MSR %x = %llx", msr, value);
	add(r, HP_EXIT_LOAD, F_EXIT_MSR_LOAD_COUNT, msr, 0, value);
}

/* --- bitmaps */

static void set_bit(struct rnd *r, u32 page, u32 bit)
{
	u8 *bitmap = PTR(host_page(r, page));

	bitmap[bit / 8] |= 1 << bit % 8;
}

static void apply_msr_bitmap(struct rnd *r, const struct choice *choice)
{
	static const u32 msrs[] = {
		MSR_STAR, MSR_LSTAR, MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_PAT, MSR_EFER,
		MSR_FS_BASE, MSR_KERNEL_GS_BASE, MSR_APIC_BASE, MSR_FEATURE_CONTROL,
		MSR_VMX_BASIC, MSR_X2APIC + 8,
	};
	u32 msr = msrs[choice->v[0] % ARRAY_SIZE(msrs)];
	u32 bit = (msr & 0x1fff) + (msr >> 31 ? 0x2000 : 0) + (choice->v[1] & 1 ? 0x4000 : 0);

	say(r, "%s of %x", choice->v[1] & 1 ? "WRMSR" : "RDMSR", msr);
	set_bit(r, HP_MSR_BITMAP, bit);
}

static void apply_all_msrs(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "all");
	memset(PTR(host_page(r, HP_MSR_BITMAP)), 0xff, PAGE_SIZE);
}

static void apply_io_bitmap(struct rnd *r, const struct choice *choice)
{
	static const u32 ports[] = { 0x2f0, 0x2f1, 0x2f2, 0x2f3, 0x2f4, 0x7fff, 0x8000, 0xf080 };
	u32 port = ports[choice->v[0] % ARRAY_SIZE(ports)];

	say(r, "port %x", port);
	set_bit(r, port < 0x8000 ? HP_IO_A : HP_IO_B, port & 0x7fff);
}

/* The TPR in the virtual-APIC page; and requests, where interrupts are virtual */
static void apply_virtual_apic(struct rnd *r, const struct choice *choice)
{
	static const u32 registers[] = { 0x80, 0x80, 0x80, 0xa0, 0x100, 0x110, 0x200, 0x230 };
	u32 offset = registers[choice->v[0] % ARRAY_SIZE(registers)];
	u32 value = offset < 0x100 ? choice->v[1] & 0xff : (u32)BIT(choice->v[1] % 32);

	say(r, "register %x = %x", offset, value);
	*(u32 *)PTR(host_page(r, HP_VIRTUAL_APIC) + offset) = value;
}

static void apply_shadow(struct rnd *r, const struct choice *choice)
{
	u32 page = choice->v[0] & 1 ? HP_VMREAD : HP_VMWRITE;

	say(r, "%s does not exit", page == HP_VMREAD ? "VMREAD" : "VMWRITE");
	memset(PTR(host_page(r, page)), 0, PAGE_SIZE);
}

const struct kind random_lists[] = {
	{ "entry-load list", 8, apply_load },
	{ "entry-load list, wrong", 1, apply_wrong_load },
	{ "exit-store list", 5, apply_store },
	{ "exit-load list", 5, apply_exit_load },
	{ "MSR bitmap", 12, apply_msr_bitmap },
	{ "MSR bitmap", 3, apply_all_msrs },
	{ "I/O bitmap", 6, apply_io_bitmap },
	{ "virtual APIC", 7, apply_virtual_apic },
	{ "shadow bitmap", 2, apply_shadow },
	{ NULL, 0, NULL },
};
