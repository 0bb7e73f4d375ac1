// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of what the hypervisor does between two entries: VMX instructions, right and
 * wrong, of which the flags and the error are recorded. Left out, as the emulator differs
 * from the SDM: VMCALL in root operation (vol. 3, 31.4, error 1); bits 63:32 of the type
 * of INVEPT and INVVPID; high halves of fields that are not of 64 bits (25.11.2).
 */
#include "random.h"

#define FIELD_ENTRY(name, encoding) encoding,
static const u16 all_fields[] = { HV_FIELDS(FIELD_ENTRY) };

/*
 * Which hold what was written to them, whatever the CPU did in between; so not those of
 * segments, which may be unusable, and none that leads lhv or the CPU to memory.
 */
static const u16 plain_fields[] = {
	F_EXCEPTION_BITMAP, F_PF_MASK, F_PF_MATCH, F_CR0_MASK, F_CR0_SHADOW, F_CR4_MASK,
	F_CR4_SHADOW, F_CR3_TARGET0, F_CR3_TARGET3, F_CR3_TARGET_COUNT, F_ENTRY_ERROR_CODE,
	F_ENTRY_LENGTH, F_TPR_THRESHOLD, F_TSC_OFFSET, F_GUEST_SYSENTER_CS,
	F_GUEST_SYSENTER_ESP, F_GUEST_SYSENTER_EIP, F_GUEST_CR0, F_GUEST_CR4, F_GUEST_RSP,
	F_GUEST_RIP, F_GUEST_RFLAGS, F_GUEST_GDTR_LIMIT, F_GUEST_IDTR_BASE, F_GUEST_PAT,
	F_GUEST_EFER, F_GUEST_DR7, F_LINK_POINTER, F_GUEST_INTERRUPTIBILITY,
	F_GUEST_ES, F_GUEST_FS, F_PLE_GAP, F_XSS_BITMAP, F_EOI_EXIT0, F_VPID, F_ENTRY_EVENT,
	F_INSTRUCTION_ERROR, F_EXIT_REASON, F_GUEST_PENDING_DEBUG,
};

static void result(struct rnd *r, const char *name, u32 flags, u64 value)
{
	record_begin(r, name, r->exits);
	record_value(r, "flags", flags);
	if (flags & VMFAIL_VALID)
		record_value(r, "error", vmread(F_INSTRUCTION_ERROR));
	else if (!flags)
		record_value(r, "value", value);
	record_end(r);
}

/** random_result - record what a VMX instruction has left */
void random_result(struct rnd *r, const char *name, u32 flags, u64 value)
{
	result(r, name, flags, value);
}

static bool is_known(u64 field)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(all_fields); i++)
		if ((all_fields[i] | 1u) == (field | 1))
			return true;
	return false;
}

static u64 some_field(const u64 *v)
{
	u64 field = plain_fields[v[0] % ARRAY_SIZE(plain_fields)];

	if (FIELD_WIDTH(field) == WIDTH_64 && v[1] % 3 == 0)
		field |= FIELD_HIGH;
	return field;
}

/* An encoding that names nothing on any CPU, or has reserved bits */
static u64 no_field(const u64 *v)
{
	u64 field = all_fields[v[0] % ARRAY_SIZE(all_fields)];

	if (v[1] & 1)
		return field | BIT(15 + v[2] % 17);
	field = (v[2] & 0x6c00) | 0x80 | (v[2] & 0x7e);
	return is_known(field) ? 0x6fff : field;
}

static void apply_vmread(struct rnd *r, const struct choice *choice)
{
	u64 field = some_field(choice->v), value = 0;

	say(r, "field %llx", field);
	result(r, "VMREAD", vmread_flags(field, &value), value);
}

static void apply_vmwrite(struct rnd *r, const struct choice *choice)
{
	u64 field = some_field(choice->v), value = choice->v[2];

	if (choice->v[1] & 8)
		value = vmread(field) ^ BIT(choice->v[3] % 64);
	/* The exit information is the CPU's, where it may be written. */
	if (FIELD_TYPE(field) == FIELD_READ_ONLY && hv_cap(MSR_VMX_MISC) & MISC_WRITES_ALL)
		return;
	say(r, "field %llx = %llx", field, value);
	result(r, "VMWRITE", vmwrite_flags(field, value), 0);
}

static void apply_no_field(struct rnd *r, const struct choice *choice)
{
	u64 field = no_field(choice->v), value = 0;

	say(r, "%s of %llx", choice->v[3] & 1 ? "VMREAD" : "VMWRITE", field);
	if (choice->v[3] & 1)
		result(r, "VMREAD", vmread_flags(field, &value), value);
	else
		result(r, "VMWRITE", vmwrite_flags(field, 0), 0);
}

/* --- pointers */

static u64 wrong_pointer(const struct rnd *r, u64 v)
{
	const u64 wrong[] = {
		ADDR(r->hv->vmxon), ADDR(r->hv->vmcs) + 8, BIT(48), ADDR(r->other) | 0x800,
		BIT(62) | ADDR(r->hv->vmcs),
	};

	return wrong[v % ARRAY_SIZE(wrong)];
}

static void apply_vmclear(struct rnd *r, const struct choice *choice)
{
	u64 pa = choice->v[0] & 1 ? wrong_pointer(r, choice->v[1]) : ADDR(r->other);

	say(r, "%s", choice->v[0] & 1 ? "a wrong address" : "the other VMCS");
	r->other_used = true;
	result(r, "VMCLEAR", vmclear(pa), 0);
}

/* Nothing is lost by it, but that the next entry is a VMLAUNCH. */
static void apply_clear_current(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "the current VMCS, and load it again");
	result(r, "VMCLEAR", vmclear(ADDR(r->hv->vmcs)), 0);
	result(r, "VMPTRLD", vmptrld(ADDR(r->hv->vmcs)), 0);
	r->hv->launched = false;
}

static void apply_vmptrld(struct rnd *r, const struct choice *choice)
{
	u64 pa = wrong_pointer(r, choice->v[0]);

	say(r, "a wrong address");
	if (choice->v[1] % 4 == 0) {
		pa = ram_page(r, PG_ZERO);
		say(r, "another revision");
	}
	result(r, "VMPTRLD", vmptrld(pa), 0);
}

static void apply_vmptrst(struct rnd *r, const struct choice *choice)
{
	u64 pa = 0;
	u32 flags = vmptrst(&pa);

	(void)choice;
	say(r, "the current VMCS");
	result(r, "VMPTRST", flags, pa);
}

/* A field of the one is not one of the other. */
static void apply_switch(struct rnd *r, const struct choice *choice)
{
	u64 field = plain_fields[choice->v[0] % 11], value = 0;

	say(r, "to the other VMCS and back, field %llx = %llx", field, choice->v[1]);
	r->other_used = true;
	result(r, "VMCLEAR", vmclear(ADDR(r->other)), 0);
	result(r, "VMPTRLD", vmptrld(ADDR(r->other)), 0);
	result(r, "VMWRITE", vmwrite_flags(field, choice->v[1]), 0);
	result(r, "VMRESUME", (u32)hv_enter(&r->hv->regs, true) & VMFAIL_FLAGS, 0);
	result(r, "VMREAD", vmread_flags(field, &value), value);
	result(r, "VMPTRLD", vmptrld(ADDR(r->hv->vmcs)), 0);
	result(r, "VMREAD", vmread_flags(field, &value), value);
}

/* --- VMX off and on */

static void apply_vmxon(struct rnd *r, const struct choice *choice)
{
	u64 pa = choice->v[0] & 1 ? wrong_pointer(r, choice->v[1]) : ADDR(r->hv->vmxon);

	say(r, "in root operation");
	result(r, "VMXON", vmxon(pa), 0);
}

static void apply_off_on(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "VMCLEAR, VMXOFF, VMXON, VMPTRLD");
	result(r, "VMCLEAR", vmclear(ADDR(r->hv->vmcs)), 0);
	result(r, "VMXOFF", vmxoff(), 0);
	result(r, "VMXON", vmxon(ADDR(r->hv->vmxon)), 0);
	result(r, "VMREAD", vmread_flags(F_GUEST_RIP, &(u64){ 0 }), 0);
	result(r, "VMPTRLD", vmptrld(ADDR(r->hv->vmcs)), 0);
	r->hv->launched = false;
}

/* --- the rest */

static void apply_wrong_state(struct rnd *r, const struct choice *choice)
{
	bool resume = !r->hv->launched;
	u64 flags;

	(void)choice;
	say(r, "%s in the wrong state", resume ? "VMRESUME" : "VMLAUNCH");
	flags = hv_enter(&r->hv->regs, resume);
	result(r, resume ? "VMRESUME" : "VMLAUNCH", (u32)flags & VMFAIL_FLAGS, 0);
}

static void apply_invept(struct rnd *r, const struct choice *choice)
{
	static const u64 flips[] = { 0, 0, 0, 1, 8, 0x10, 0x100, BIT(48), EPTP_AD };
	u64 type = choice->v[0] % 5, eptp = random_eptp(r);

	if (!(hv_cap(MSR_VMX_EPT_VPID) & EPT_CAP_INVEPT))
		return;
	eptp ^= flips[choice->v[1] % ARRAY_SIZE(flips)];
	/* See settle(). */
	if (random_has_cet())
		eptp &= ~BIT(7);
	say(r, "type %llu, EPTP %llx", type, eptp);
	result(r, "INVEPT", invept(type, eptp, choice->v[2] % 8 ? 0 : choice->v[3]), 0);
}

static void apply_invvpid(struct rnd *r, const struct choice *choice)
{
	static const u64 vpids[] = { 1, 1, 1, 2, 0, 0xffff, 0x10001, BIT(63) | 1 };
	static const u64 linear[] = { 0, 0x1000, BIT(47), ~0ull };
	u64 vpid = vpids[choice->v[1] % ARRAY_SIZE(vpids)], type = choice->v[0] % 6;
	u64 address = linear[choice->v[2] % ARRAY_SIZE(linear)];

	if (!(hv_cap(MSR_VMX_EPT_VPID) & VPID_CAP_INVVPID))
		return;
	say(r, "type %llu, VPID %llx, address %llx", type, vpid, address);
	result(r, "INVVPID", invvpid(type, vpid, address), 0);
}

/* Waits until the guest takes it, or it exits. */
static void apply_interrupt(struct rnd *r, const struct choice *choice)
{
	u32 vector = 0x60 + choice->v[0] % 16;

	say(r, "an IPI to itself, vector %x", vector);
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | vector);
}

static void apply_registers(struct rnd *r, const struct choice *choice)
{
	say(r, "rbx = %llx, rbp = %llx", choice->v[0], choice->v[1]);
	r->hv->regs.rbx = choice->v[0];
	r->hv->regs.rbp = choice->v[1];
}

/* What the guest has of the CPU if no control loads it, and what an exit has to put back */
static void apply_cpu(struct rnd *r, const struct choice *choice)
{
	static const u64 pats[] = { 0, 0x0007040600070406, 0x0006060606060606 };

	say(r, "register %u, %llx", (u32)(choice->v[0] % 8), choice->v[1]);
	switch (choice->v[0] % 8) {
	case 0:
	case 1:
		write_dr7(0x400 | (choice->v[1] & 0x300));
		break;
	case 2:
		wrmsr(MSR_PAT, pats[choice->v[1] % ARRAY_SIZE(pats)]);
		break;
	case 3:
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) ^ EFER_SCE);
		break;
	case 4:
		wrmsr(MSR_SYSENTER_EIP, (u32)choice->v[1]);
		break;
	case 5:
		write_cr2(choice->v[1]);
		write_dr0((u32)choice->v[1]);
		break;
	case 6:
		write_cr0(read_cr0() ^ CR0_TS);
		break;
	default:
		wrmsr(MSR_STAR, choice->v[1]);
		wrmsr(MSR_KERNEL_GS_BASE, (u32)choice->v[1]);
	}
}

static void apply_setup(struct rnd *r, const struct choice *choice)
{
	struct choice other = *choice;

	other.v[0] = choice->v[3];
	random_controls[0].apply(r, &other);
}

static void apply_field(struct rnd *r, const struct choice *choice)
{
	random_fields[1].apply(r, choice);
}

const struct kind random_between[] = {
	{ "VMREAD", 6, apply_vmread },
	{ "VMWRITE", 5, apply_vmwrite },
	{ "no such field", 3, apply_no_field },
	{ "VMCLEAR", 2, apply_vmclear },
	{ "VMCLEAR", 3, apply_clear_current },
	{ "VMPTRLD", 2, apply_vmptrld },
	{ "VMPTRST", 1, apply_vmptrst },
	{ "VMPTRLD", 3, apply_switch },
	{ "VMXON", 1, apply_vmxon },
	{ "VMXOFF", 2, apply_off_on },
	{ "VM entry", 2, apply_wrong_state },
	{ "INVEPT", 3, apply_invept },
	{ "INVVPID", 3, apply_invvpid },
	{ "interrupt", 4, apply_interrupt },
	{ "registers", 1, apply_registers },
	{ "CPU", 5, apply_cpu },
	{ "control", 6, apply_setup },
	{ "control field", 5, apply_field },
	{ NULL, 0, NULL },
};
