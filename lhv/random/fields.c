// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of fields: the guest's state, masks, the host's state. A value is the one before
 * with a bit changed, one at a boundary, or one out of a table for what the field means.
 *
 * Left out: IA32_DEBUGCTL and IA32_PERF_GLOBAL_CTRL, which the emulator neither checks
 * nor loads (SDM vol. 3, 27.3.1.1, 27.3.2.1).
 */
#include "random.h"

static const u64 boundaries[] = {
	0, 1, 2, 0x7f, 0x80, 0xff, 0x1000, 0x7fff, 0x8000, 0xffff, 0x10000, 0xfffff,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffff, 0x800000000000,
	0xffff7fffffffffff, 0xffff800000000000, 0x7fffffffffffffff, 0x8000000000000000,
	0xfffffffffffffff0, ~0ull,
};

/* Segments that the SDM allows, in some mode, and a few that it does not */
static const u32 accesses[] = {
	0xa09b, 0xc09b, 0x009b, 0xc093, 0x0093, 0xc0f3, 0xa0fb, 0x00f3, 0x008b, 0x0082, 0x0083,
	0x10000, 0x1c093, 0xc097, 0xc091, 0xc09f, 0xa09d, 0xa099, 0x4093, 0x8093, 0x1008b, 0x0013,
};

static const u32 selectors[] = {
	0, 0x08, 0x10, 0x13, 0x1b, 0x23, 0x2b, 0x38, 0x40, 0x50, 0x60, 0x54, 0x64, 0xfff8, 0xffff,
};

static const u64 efers[] = { 0, 1, 0x100, 0x400, 0x500, 0x501, 0xd00, 0xd01, 0x800, 0xd03, 0x1d01 };
static const u64 pats[] = { 0x0007040600070406, 0, 0x0606060606060606, 2, 0x0300, 8ull << 56 };
static const u64 flags[] = {
	2, 0x202, 0x102, 0x302, 0x10002, 0x40002, 0x3002, 0x4002, 0x200002, 0, 0xd7,
};
static const u64 activities[] = { 0, 0, 1, 1, 2, 4 };
static const u64 blockings[] = { 0, 1, 2, 8, 3, 4, 0xa, 0x10, 0x20, 9 };
static const u64 pendings[] = {
	0, 1, 0x1000, 0x1001, 0x4000, 0x5000, 0x1002, 0x2000, 0x8000, 0x10000, 0x400f,
};
static const u64 cr4s[] = {
	0x2020, 0x2000, 0x20a0, 0x426a0, 0x422a0, 0x1226a0, 0x3626a0, 0x18426a0,
};
static const u64 dr7s[] = { 0x400, 0x401, 0x700, 0x2400, 0x10401, 0x400 | 1ull << 32, 0xffff07ff };

static const u64 s_cets[] = { 0, 1, 3, 4, 5, 0x14, 0x24, 0x404, 0x804, 0xc04, 0x40, 1ull << 47 };

#define NONE		NULL, 0
#define OF(table)	table, sizeof((table)[0]) == 4 ? -(int)ARRAY_SIZE(table) : \
			(int)ARRAY_SIZE(table)

/**
 * struct target - a field that may be changed
 * @bits: those that a flip may be of
 * @table, @count: values; @count is negative if they have 32 bits
 */
struct target {
	const char *name;
	u32 field, bits;
	const void *table;
	int count;
};

#define FIELD(name, bits, ...)	{ #name, F_##name, bits, __VA_ARGS__ }
#define SEGMENT(name) \
	FIELD(GUEST_##name, 16, OF(selectors)), FIELD(GUEST_##name##_BASE, 64, NONE), \
	FIELD(GUEST_##name##_LIMIT, 32, NONE), FIELD(GUEST_##name##_ACCESS, 18, OF(accesses)), \
	FIELD(GUEST_##name##_ACCESS, 18, OF(accesses))

static const struct target guest_fields[] = {
	SEGMENT(ES), SEGMENT(CS), SEGMENT(SS), SEGMENT(DS), SEGMENT(FS), SEGMENT(GS),
	SEGMENT(LDTR), SEGMENT(TR),
	FIELD(GUEST_GDTR_BASE, 64, NONE), FIELD(GUEST_GDTR_LIMIT, 17, NONE),
	FIELD(GUEST_IDTR_BASE, 64, NONE), FIELD(GUEST_IDTR_LIMIT, 17, NONE),
	FIELD(GUEST_CR0, 32, NONE), FIELD(GUEST_CR0, 6, NONE),
	FIELD(GUEST_CR4, 23, OF(cr4s)), FIELD(GUEST_CR4, 32, OF(cr4s)),
	FIELD(GUEST_RSP, 64, NONE), FIELD(GUEST_RIP, 64, NONE),
	FIELD(GUEST_RFLAGS, 22, OF(flags)), FIELD(GUEST_RFLAGS, 64, OF(flags)),
	FIELD(GUEST_RFLAGS, 10, OF(flags)),
	FIELD(GUEST_DR7, 64, OF(dr7s)), FIELD(GUEST_SYSENTER_CS, 32, NONE),
	FIELD(GUEST_SYSENTER_ESP, 64, NONE), FIELD(GUEST_SYSENTER_EIP, 64, NONE),
	FIELD(GUEST_PAT, 64, OF(pats)), FIELD(GUEST_EFER, 14, OF(efers)),
	FIELD(GUEST_EFER, 64, OF(efers)),
	FIELD(GUEST_INTERRUPTIBILITY, 5, OF(blockings)),
	FIELD(GUEST_INTERRUPTIBILITY, 5, OF(blockings)),
	FIELD(GUEST_ACTIVITY, 3, OF(activities)), FIELD(GUEST_ACTIVITY, 3, OF(activities)),
	FIELD(GUEST_PENDING_DEBUG, 17, OF(pendings)), FIELD(GUEST_PENDING_DEBUG, 17, OF(pendings)),
	FIELD(LINK_POINTER, 64, NONE),
	FIELD(GUEST_INTERRUPT_STATUS, 16, NONE), FIELD(PML_INDEX, 16, NONE),
	FIELD(GUEST_S_CET, 12, OF(s_cets)), FIELD(GUEST_S_CET, 64, OF(s_cets)),
	FIELD(GUEST_SSP, 13, NONE), FIELD(GUEST_SSP, 64, NONE),
	FIELD(GUEST_SSP_TABLE, 64, NONE), FIELD(GUEST_PKRS, 33, NONE),
};

static const u64 addresses[] = { 0x1, 0x800, 1ull << 47, 1ull << 52, 1ull << 63 };
static const u64 small[] = { 0, 1, 2, 3, 4, 5, 15, 16, 255 };
static const u64 functions[] = { 0, 1, 1, 1, 2, 3 };

static const struct target control_fields[] = {
	FIELD(EXCEPTION_BITMAP, 32, NONE), FIELD(EXCEPTION_BITMAP, 20, NONE),
	FIELD(EXCEPTION_BITMAP, 20, NONE), FIELD(PF_MASK, 5, NONE), FIELD(PF_MATCH, 5, NONE),
	FIELD(CR0_MASK, 32, NONE), FIELD(CR0_MASK, 5, NONE), FIELD(CR0_SHADOW, 32, NONE),
	FIELD(CR0_SHADOW, 5, NONE), FIELD(CR4_MASK, 23, NONE), FIELD(CR4_MASK, 11, NONE),
	FIELD(CR4_SHADOW, 23, NONE), FIELD(CR4_SHADOW, 11, NONE),
	FIELD(CR3_TARGET_COUNT, 3, OF(small)), FIELD(TPR_THRESHOLD, 5, OF(small)),
	FIELD(VPID, 16, OF(small)), FIELD(POSTED_VECTOR, 16, OF(small)),
	FIELD(VMFUNC_CONTROLS, 3, OF(functions)), FIELD(VMFUNC_CONTROLS, 1, OF(functions)),
	FIELD(XSS_BITMAP, 64, NONE), FIELD(EOI_EXIT0, 64, NONE), FIELD(EOI_EXIT1, 64, NONE),
	FIELD(TSC_OFFSET, 64, NONE),
};

/* What is ored to an address that is right */
static const struct target address_fields[] = {
	FIELD(IO_BITMAP_A, 0, OF(addresses)), FIELD(IO_BITMAP_B, 0, OF(addresses)),
	FIELD(MSR_BITMAP, 0, OF(addresses)), FIELD(VIRTUAL_APIC, 0, OF(addresses)),
	FIELD(APIC_ACCESS, 0, OF(addresses)), FIELD(POSTED_DESCRIPTOR, 0, OF(addresses)),
	FIELD(EPTP_LIST, 0, OF(addresses)), FIELD(VE_INFO, 0, OF(addresses)),
	FIELD(PML_ADDRESS, 0, OF(addresses)), FIELD(VMREAD_BITMAP, 0, OF(addresses)),
	FIELD(VMWRITE_BITMAP, 0, OF(addresses)), FIELD(ENTRY_MSR_LOAD, 0, OF(addresses)),
	FIELD(EXIT_MSR_LOAD, 0, OF(addresses)), FIELD(EXIT_MSR_STORE, 0, OF(addresses)),
	FIELD(GUEST_CR3, 0, OF(addresses)), FIELD(HOST_CR3, 0, OF(addresses)),
};

static u64 table_value(const struct target *t, u64 v)
{
	if (t->count < 0)
		return ((const u32 *)t->table)[v % (u32)-t->count];
	return ((const u64 *)t->table)[v % (u32)t->count];
}

static u64 field_value(const struct target *t, u64 old, const u64 *v)
{
	u32 way = (u32)(v[1] % 8);

	if (t->table && way < 4)
		return table_value(t, v[2]);
	if (way < 6)
		return old ^ BIT(v[2] % t->bits);
	return way == 6 ? boundaries[v[2] % ARRAY_SIZE(boundaries)] : old ^ (v[2] & v[3]);
}

/* The width is the field's: VMWRITE cuts off what is more. */
static void apply_to(struct rnd *r, const struct target *t, const struct choice *choice)
{
	u64 value = field_value(t, vmread(t->field), choice->v);

	if (FIELD_WIDTH(t->field) == WIDTH_32)
		value &= 0xffffffff;
	say(r, "%s = %llx", t->name, value);
	vmwrite(t->field, value);
}

static void apply_guest(struct rnd *r, const struct choice *choice)
{
	apply_to(r, &guest_fields[choice->v[0] % ARRAY_SIZE(guest_fields)], choice);
}

static void apply_control(struct rnd *r, const struct choice *choice)
{
	apply_to(r, &control_fields[choice->v[0] % ARRAY_SIZE(control_fields)], choice);
}

static void apply_address(struct rnd *r, const struct choice *choice)
{
	const struct target *t = &address_fields[choice->v[0] % ARRAY_SIZE(address_fields)];
	u64 wrong = table_value(t, choice->v[1]), value = vmread(t->field) | wrong;
	bool is_exit = t->field == F_EXIT_MSR_LOAD || t->field == F_EXIT_MSR_STORE;

	/* Aligned, and so not refused: other tables for lhv; a list that ends in an abort */
	if ((t->field == F_HOST_CR3 && wrong < PAGE_SIZE) || (is_exit && wrong == 0x800))
		return;
	say(r, "%s = %llx", t->name, value);
	vmwrite(t->field, value);
}

static void apply_cr3(struct rnd *r, const struct choice *choice)
{
	static const u32 pages[] = { PG_PML4_OTHER, PG_PML4_OTHER, PG_ZERO, PG_PDPT, PG_PD32 };
	u64 value = ram_page(r, pages[choice->v[0] % ARRAY_SIZE(pages)]);

	if (choice->v[1] % 4 == 0)
		value += choice->v[2] % 64 * 8;
	say(r, "GUEST_CR3 = %llx", value);
	vmwrite(F_GUEST_CR3, value);
}

static void apply_targets(struct rnd *r, const struct choice *choice)
{
	u32 i = (u32)(choice->v[0] % 4);

	say(r, "%u: the other table, %u of them", i, (u32)(choice->v[1] % 6));
	vmwrite(F_CR3_TARGET0 + 2 * i, ram_page(r, choice->v[2] & 1 ? PG_PML4_OTHER : PG_PML4));
	vmwrite(F_CR3_TARGET_COUNT, choice->v[1] % 6);
}

/* --- the host's state */

/* Values with which lhv lives on: @bits may change. */
static const struct {
	const char *name;
	u32 field;
	u64 bits;
} host_right[] = {
	{ "HOST_CR0", F_HOST_CR0, CR0_TS | CR0_MP | CR0_AM | CR0_EM },
	{ "HOST_CR4", F_HOST_CR4, CR4_PCE | CR4_DE | CR4_MCE | CR4_TSD | CR4_PGE | CR4_VME },
	{ "HOST_FS_BASE", F_HOST_FS_BASE, 0x00007fffffffffff },
	{ "HOST_GS_BASE", F_HOST_GS_BASE, 0x00007fffffffffff },
	{ "HOST_SYSENTER_CS", F_HOST_SYSENTER_CS, 0xffff },
	{ "HOST_SYSENTER_ESP", F_HOST_SYSENTER_ESP, 0x00007fffffffffff },
	{ "HOST_SYSENTER_EIP", F_HOST_SYSENTER_EIP, 0x00007fffffffffff },
	{ "HOST_EFER", F_HOST_EFER, EFER_SCE }, { "HOST_SS", F_HOST_SS, 0xfff8 },
	{ "HOST_DS", F_HOST_DS, 0xfff8 }, { "HOST_ES", F_HOST_ES, 0xfff8 },
	{ "HOST_FS", F_HOST_FS, 0xfff8 }, { "HOST_GS", F_HOST_GS, 0xfff8 },
	{ "HOST_PAT", F_HOST_PAT, 0x0101010101010101 },
};

static void apply_host(struct rnd *r, const struct choice *choice)
{
	u32 i = (u32)(choice->v[0] % ARRAY_SIZE(host_right));
	u64 value = vmread(host_right[i].field) ^ (choice->v[1] & host_right[i].bits);

	say(r, "%s = %llx", host_right[i].name, value);
	vmwrite(host_right[i].field, value);
}

static void apply_host_cr3(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "HOST_CR3 = a copy");
	vmwrite(F_HOST_CR3, host_page(r, HP_CR3));
}

/* Each of these is refused: nothing of it is ever loaded. */
static const struct {
	const char *name;
	u32 field;
	u64 bits;
} host_wrong[] = {
	{ "HOST_CR0 without NE", F_HOST_CR0, CR0_NE },
	{ "HOST_CR0 without PG", F_HOST_CR0, CR0_PG },
	{ "HOST_CR0 without PE", F_HOST_CR0, CR0_PE },
	{ "HOST_CR4 without PAE", F_HOST_CR4, CR4_PAE },
	{ "HOST_CR4 without VMXE", F_HOST_CR4, CR4_VMXE },
	{ "HOST_CR4 with bit 31", F_HOST_CR4, BIT(31) },
	{ "HOST_CR4 with bit 63", F_HOST_CR4, BIT(63) },
	{ "HOST_FS_BASE", F_HOST_FS_BASE, BIT(62) }, { "HOST_GS_BASE", F_HOST_GS_BASE, BIT(47) },
	{ "HOST_TR_BASE", F_HOST_TR_BASE, BIT(63) },
	{ "HOST_GDTR_BASE", F_HOST_GDTR_BASE, BIT(50) },
	{ "HOST_IDTR_BASE", F_HOST_IDTR_BASE, BIT(47) }, { "HOST_RIP", F_HOST_RIP, BIT(48) },
	{ "HOST_SYSENTER_ESP", F_HOST_SYSENTER_ESP, BIT(47) },
	{ "HOST_SYSENTER_EIP", F_HOST_SYSENTER_EIP, BIT(63) },
	{ "HOST_CS with RPL", F_HOST_CS, 1 }, { "HOST_CS 0", F_HOST_CS, SEL_KCODE },
	{ "HOST_TR 0", F_HOST_TR, SEL_TSS }, { "HOST_TR with TI", F_HOST_TR, 4 },
	{ "HOST_SS with RPL", F_HOST_SS, 3 }, { "HOST_DS with TI", F_HOST_DS, 4 },
	{ "HOST_GS with RPL", F_HOST_GS, 2 }, { "EXIT_HOST64 off", F_EXIT_CONTROLS, EXIT_HOST64 },
};

static void apply_host_wrong(struct rnd *r, const struct choice *choice)
{
	u32 i = (u32)(choice->v[0] % ARRAY_SIZE(host_wrong));
	u64 old = vmread(host_wrong[i].field);

	say(r, "%s", host_wrong[i].name);
	vmwrite(host_wrong[i].field, old ^ host_wrong[i].bits);
}

/* Checked only if the control is on, and never loaded then */
static void apply_host_msr(struct rnd *r, const struct choice *choice)
{
	bool pat = choice->v[0] & 1;
	u32 control = pat ? EXIT_LOAD_PAT : EXIT_LOAD_EFER;

	if (!hv_can(F_EXIT_CONTROLS, control))
		return;
	say(r, "%s is wrong, bit %u", pat ? "HOST_PAT" : "HOST_EFER", pat ? 1 : 2);
	hv_set(F_EXIT_CONTROLS, control);
	if (pat)
		vmwrite(F_HOST_PAT, 0x0202020202020202);
	else
		vmwrite(F_HOST_EFER, vmread(F_HOST_EFER) | BIT(2));
}

const struct kind random_fields[] = {
	{ "guest", 60, apply_guest },
	{ "control field", 50, apply_control },
	{ "address", 4, apply_address },
	{ "CR3", 4, apply_cr3 },
	{ "CR3 target", 4, apply_targets },
	{ "host", 12, apply_host },
	{ "host", 2, apply_host_cr3 },
	{ "host, wrong", 3, apply_host_wrong },
	{ "host, wrong", 1, apply_host_msr },
	{ NULL, 0, NULL },
};
