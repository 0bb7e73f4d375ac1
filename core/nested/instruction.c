// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX instructions of L1 (SDM vol. 3, chapter 31). The order of the checks is that of
 * the SDM's pseudocode; #UD for a wrong mode comes before the exit.
 */
#include "core.h"
#include "event.h"
#include "gpr.h"
#include "guest.h"
#include "nested/nested.h"
#include "operand.h"
#include "pool.h"
#include "vmx.h"

#define RFLAGS_STATUS	0x8d5ull	/* CF PF AF ZF SF OF */

/* VM-instruction error numbers (SDM vol. 3, 31.4) */
enum {
	ERROR_VMCALL			= 1,
	ERROR_VMCLEAR_ADDRESS		= 2,
	ERROR_VMCLEAR_VMXON		= 3,
	ERROR_VMLAUNCH_LAUNCHED		= 4,
	ERROR_VMRESUME_CLEAR		= 5,
	ERROR_VMPTRLD_ADDRESS		= 9,
	ERROR_VMPTRLD_VMXON		= 10,
	ERROR_VMPTRLD_REVISION		= 11,
	ERROR_FIELD			= 12,
	ERROR_READ_ONLY			= 13,
	ERROR_VMXON_ROOT		= 15,
	ERROR_MOV_SS			= 26,
	ERROR_INVALIDATION		= 28,
};

static void set_flags(u64 flags)
{
	vmwrite(VMCS_GUEST_RFLAGS, (vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_STATUS) | flags);
	event_skip_instruction();
}

static void succeed(void)
{
	set_flags(0);
}

/** nested_fail - VMfail with an error number: valid if there is a current VMCS */
void nested_fail(struct percpu *cpu, u32 error)
{
	struct nested *nested = cpu->nested;

	if (nested->pointer == NESTED_NO_POINTER) {
		set_flags(RFLAGS_CF);
		return;
	}
	vmcs12_set(nested->vmcs12, VMCS_INSTRUCTION_ERROR, error);
	set_flags(RFLAGS_ZF);
}

static bool has_current(struct nested *nested)
{
	if (nested->pointer != NESTED_NO_POINTER)
		return true;
	set_flags(RFLAGS_CF);
	return false;
}

/* --- VMXON, VMXOFF */

static u64 guest_cr0(void)
{
	u64 mask = vmread(VMCS_CR0_MASK);

	return (vmread(VMCS_GUEST_CR0) & ~mask) | (vmread(VMCS_CR0_SHADOW) & mask);
}

static u64 guest_cr4(void)
{
	u64 mask = vmread(VMCS_CR4_MASK);

	return (vmread(VMCS_GUEST_CR4) & ~mask) | (vmread(VMCS_CR4_SHADOW) & mask);
}

static bool can_vmxon(void)
{
	return nested_cap_fixed(MSR_VMX_CR0_FIXED0, MSR_VMX_CR0_FIXED1, guest_cr0()) &&
	       nested_cap_fixed(MSR_VMX_CR4_FIXED0, MSR_VMX_CR4_FIXED1, guest_cr4());
}

static void vmxon_run(struct percpu *cpu)
{
	u32 revision = 0;
	u64 gpa;

	if (!operand_read(cpu, &gpa, sizeof(gpa)))
		return;
	if (nested_is_page(gpa))
		guest_read_physical(gpa, &revision, sizeof(revision));
	if (!nested_is_page(gpa) || revision != nested_revision()) {
		set_flags(RFLAGS_CF);
		return;
	}
	nested_start(cpu, gpa);
	succeed();
}

static void handle_vmxon(struct percpu *cpu)
{
	if (!(vmread(VMCS_CR4_SHADOW) & CR4_VMXE))
		event_inject_exception(cpu, VECTOR_UD);
	else if (guest_cpl() || (cpu->nested->mode == NESTED_OFF && !can_vmxon()))
		event_inject_fault(cpu, VECTOR_GP, 0);
	else if (cpu->nested->mode != NESTED_OFF)
		nested_fail(cpu, ERROR_VMXON_ROOT);
	else
		vmxon_run(cpu);
}

static void handle_vmxoff(struct percpu *cpu)
{
	nested_stop(cpu);
	succeed();
}

/* --- VMCLEAR, VMPTRLD, VMPTRST */

static void handle_vmclear(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u32 launched = 0;
	u64 gpa;

	if (!operand_read(cpu, &gpa, sizeof(gpa)))
		return;
	if (!nested_is_page(gpa)) {
		nested_fail(cpu, ERROR_VMCLEAR_ADDRESS);
		return;
	}
	if (gpa == nested->vmxon) {
		nested_fail(cpu, ERROR_VMCLEAR_VMXON);
		return;
	}
	if (gpa == nested->pointer)
		nested_put_current(cpu);
	guest_write_physical(gpa + offsetof(struct vmcs12, launched), &launched, sizeof(launched));
	succeed();
}

static void handle_vmptrld(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u32 revision = 0;
	u64 gpa;

	if (!operand_read(cpu, &gpa, sizeof(gpa)))
		return;
	if (!nested_is_page(gpa)) {
		nested_fail(cpu, ERROR_VMPTRLD_ADDRESS);
		return;
	}
	if (gpa == nested->vmxon) {
		nested_fail(cpu, ERROR_VMPTRLD_VMXON);
		return;
	}
	guest_read_physical(gpa, &revision, sizeof(revision));
	if (revision != nested_revision() &&
	    !(nested_offers_shadow() && revision == (nested_revision() | (u32)VMCS12_SHADOW))) {
		nested_fail(cpu, ERROR_VMPTRLD_REVISION);
		return;
	}
	if (gpa != nested->pointer) {
		nested_put_current(cpu);
		nested_get_current(cpu, gpa);
	}
	succeed();
}

static void handle_vmptrst(struct percpu *cpu)
{
	if (operand_write(cpu, cpu->nested->pointer, sizeof(u64)))
		succeed();
}

/* --- VMREAD, VMWRITE */

static bool is_in_vmcs02(const struct nested *nested, u64 field)
{
	return nested->cold && vmcs12_class(field) == VMCS12_COLD;
}

static u64 vmcs02_read(struct percpu *cpu, u64 field)
{
	u64 value;

	vmptrld(pool_pa(cpu->nested->vmcs02));
	value = vmread(field);
	vmptrld(pool_pa(cpu->vmcs));
	return value;
}

/* Only an interrupt window is opened or closed: it needs no check, and is always written. */
static bool is_window(u64 field, u64 changed)
{
	return field == VMCS_PRIMARY_CONTROLS && !(changed & ~PRIMARY_INTERRUPT_WINDOW);
}

/* What the shadow VMCS has comes here if L1 writes a read-only field, or half of one. */
static void write_field(struct percpu *cpu, u64 field, u64 value)
{
	struct nested *nested = cpu->nested;
	enum vmcs12_class class = vmcs12_class(field);
	u64 old = vmcs12_get(nested->vmcs12, (u32)field);

	if (class == VMCS12_HOT || class == VMCS12_EXIT)
		nested_shadow_read(cpu);
	vmcs12_write(nested->vmcs12, field, value, operand_size() == 8);
	if (is_in_vmcs02(nested, field)) {
		value = vmcs12_get(nested->vmcs12, (u32)field);
		vmptrld(pool_pa(nested->vmcs02));
		vmwrite(field, value);
		vmptrld(pool_pa(cpu->vmcs));
	}
	old ^= vmcs12_get(nested->vmcs12, (u32)field);
	if (class == VMCS12_OTHER && !is_window(field, old))
		nested->dirty = true;
	if (class == VMCS12_HOT || class == VMCS12_EXIT)
		nested_shadow_write(cpu);
}

static void handle_vmread(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u64 field = operand_register(cpu), value;

	if (!has_current(nested))
		return;
	if (!vmcs12_has(field)) {
		nested_fail(cpu, ERROR_FIELD);
		return;
	}
	value = is_in_vmcs02(nested, field) ? vmcs02_read(cpu, field) :
					      vmcs12_read(nested->vmcs12, field);
	if (operand_write(cpu, value, operand_size()))
		succeed();
}

/* Return: 0, or the VM-instruction error. */
static u32 check_field(u64 field, bool write)
{
	if (!vmcs12_has(field))
		return ERROR_FIELD;
	if (write && (vmcs12_group((u32)field) & 3) == VMCS12_GROUP_READ_ONLY &&
	    !(boot.caps.vmx[MSR_VMX_MISC - MSR_VMX_BASE] & VMX_MISC_WRITE_ALL))
		return ERROR_READ_ONLY;
	return 0;
}

static void handle_vmwrite(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u64 field = operand_register(cpu), value = 0;
	u32 error;

	if (!has_current(nested) || !operand_read(cpu, &value, operand_size()))
		return;
	error = check_field(field, true);
	if (error) {
		nested_fail(cpu, error);
		return;
	}
	write_field(cpu, field, value);
	succeed();
}

/* --- VMREAD, VMWRITE of L2 to its shadow VMCS (SDM vol. 3, 25.6.15 and 31.3) */

static bool is_shadowed(const struct vmcs12 *v, u64 field, bool write)
{
	u64 bitmap = vmcs12_get(v, write ? VMCS_VMWRITE_BITMAP : VMCS_VMREAD_BITMAP);
	u8 bits;

	if (!(vmcs12_get(v, VMCS_PRIMARY_CONTROLS) & PRIMARY_SECONDARY) ||
	    !(vmcs12_get(v, VMCS_SECONDARY_CONTROLS) & SECONDARY_SHADOW) || field >> 15)
		return false;
	guest_read_physical(bitmap + field / 8, &bits, 1);
	return !(bits >> field % 8 & 1);
}

static void shadow_fail(u64 link, u64 error)
{
	guest_write_physical(link + 8 * vmcs12_slot(VMCS_INSTRUCTION_ERROR), &error, sizeof(error));
	set_flags(RFLAGS_ZF);
}

static void shadow_access(struct percpu *cpu, u64 link, u64 field, bool write)
{
	u64 slot = link + 8 * vmcs12_slot((u32)field), value = 0;
	/* Of it only the slot is used. */
	struct vmcs12 *v = cpu->nested->scratch;
	u32 error;

	if (write && !operand_read(cpu, &value, operand_size()))
		return;
	error = check_field(field, write);
	if (error) {
		shadow_fail(link, error);
		return;
	}
	guest_read_physical(slot, &v->slot[vmcs12_slot((u32)field)], sizeof(u64));
	if (write) {
		vmcs12_write(v, field, value, operand_size() == 8);
		guest_write_physical(slot, &v->slot[vmcs12_slot((u32)field)], sizeof(u64));
	} else if (!operand_write(cpu, vmcs12_read(v, field), operand_size())) {
		return;
	}
	succeed();
}

/**
 * nested_handle_shadowed - VMREAD or VMWRITE of L2, for which L1 has VMCS shadowing
 * @cpu: this CPU, VMCS02 current
 * @write: it is VMWRITE
 *
 * Return: false if it is an exit of L1's by its controls.
 */
bool nested_handle_shadowed(struct percpu *cpu, bool write)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 field = operand_register(cpu), link = vmcs12_get(v, VMCS_LINK_POINTER);

	if (!is_shadowed(v, field, write))
		return false;
	nested_ept_end_step(cpu, true);
	if (guest_cpl())
		event_inject_fault(cpu, VECTOR_GP, 0);
	else if (link == NESTED_NO_POINTER)
		set_flags(RFLAGS_CF);
	else
		shadow_access(cpu, link, field, write);
	return true;
}

/* --- VMLAUNCH, VMRESUME */

static void enter(struct percpu *cpu, bool launch)
{
	struct nested *nested = cpu->nested;

	if (!has_current(nested))
		return;
	if (nested->vmcs12->revision & VMCS12_SHADOW)
		set_flags(RFLAGS_CF);
	else if (vmread(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_MOV_SS)
		nested_fail(cpu, ERROR_MOV_SS);
	else if (launch && nested->vmcs12->launched)
		nested_fail(cpu, ERROR_VMLAUNCH_LAUNCHED);
	else if (!launch && !nested->vmcs12->launched)
		nested_fail(cpu, ERROR_VMRESUME_CLEAR);
	else
		nested_enter(cpu, launch);
}

static void handle_vmlaunch(struct percpu *cpu)
{
	enter(cpu, true);
}

static void handle_vmresume(struct percpu *cpu)
{
	enter(cpu, false);
}

/* --- INVEPT, INVVPID */

enum { INVEPT_SINGLE = 1, INVEPT_ALL };
enum { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_KEEP_GLOBAL };

#define CAP_INVVPID_TYPE(type)	BIT(40 + (type))

static void handle_invept(struct percpu *cpu)
{
	u64 descriptor[2], type;

	if (!nested_offers_ept(EPT_CAP_INVEPT)) {
		event_inject_exception(cpu, VECTOR_UD);
		return;
	}
	type = operand_register(cpu);
	if (type != INVEPT_SINGLE && type != INVEPT_ALL) {
		nested_fail(cpu, ERROR_INVALIDATION);
		return;
	}
	if (!operand_read(cpu, descriptor, sizeof(descriptor)))
		return;
	if (type == INVEPT_SINGLE && !nested_eptp_is_valid(descriptor[0])) {
		nested_fail(cpu, ERROR_INVALIDATION);
		return;
	}
	nested_ept_invalidate(cpu, type == INVEPT_SINGLE ? descriptor[0] : 0);
	succeed();
}

static bool invvpid_is_valid(u64 type, const u64 descriptor[2])
{
	if (descriptor[0] >> 16)
		return false;
	if (type != INVVPID_ALL && !descriptor[0])
		return false;
	return type != INVVPID_ADDRESS || guest_is_canonical(descriptor[1]);
}

static void handle_invvpid(struct percpu *cpu)
{
	u64 descriptor[2], type;

	if (!nested_offers_ept(BIT(32))) {
		event_inject_exception(cpu, VECTOR_UD);
		return;
	}
	type = operand_register(cpu);
	if (type > INVVPID_KEEP_GLOBAL || !nested_offers_ept(CAP_INVVPID_TYPE(type))) {
		nested_fail(cpu, ERROR_INVALIDATION);
		return;
	}
	if (!operand_read(cpu, descriptor, sizeof(descriptor)))
		return;
	if (!invvpid_is_valid(type, descriptor)) {
		nested_fail(cpu, ERROR_INVALIDATION);
		return;
	}
	nested_vpid_invalidate(cpu, type == INVVPID_ALL ? 0 : (u16)descriptor[0]);
	succeed();
}

/**
 * nested_vmcall - a VMCALL of L1's that is not for Latch: there is no SMM monitor
 *
 * Context: L1 is in VMX root operation.
 */
void nested_vmcall(struct percpu *cpu)
{
	if (vmread(VMCS_GUEST_EFER) & EFER_LMA && !operand_is_64())
		event_inject_exception(cpu, VECTOR_UD);
	else if (guest_cpl())
		event_inject_fault(cpu, VECTOR_GP, 0);
	else
		nested_fail(cpu, ERROR_VMCALL);
}

static void (*const handlers[LATCH_NR_REASONS])(struct percpu *cpu) = {
	[EXIT_VMCLEAR]	= handle_vmclear,
	[EXIT_VMLAUNCH]	= handle_vmlaunch,
	[EXIT_VMPTRLD]	= handle_vmptrld,
	[EXIT_VMPTRST]	= handle_vmptrst,
	[EXIT_VMREAD]	= handle_vmread,
	[EXIT_VMRESUME]	= handle_vmresume,
	[EXIT_VMWRITE]	= handle_vmwrite,
	[EXIT_VMXOFF]	= handle_vmxoff,
	[EXIT_INVEPT]	= handle_invept,
	[EXIT_INVVPID]	= handle_invvpid,
};

/**
 * nested_handle_instruction - L1 has executed a VMX instruction other than VMCALL
 *
 * Context: root mode, VMCS01 is current.
 */
void nested_handle_instruction(struct percpu *cpu)
{
	u32 reason = (u32)vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;

	if (!cpu->nested)
		event_inject_exception(cpu, VECTOR_UD);
	else if (reason == EXIT_VMXON)
		handle_vmxon(cpu);
	else if (cpu->nested->mode == NESTED_OFF)
		event_inject_exception(cpu, VECTOR_UD);
	else if (guest_cpl())
		event_inject_fault(cpu, VECTOR_GP, 0);
	else
		handlers[reason](cpu);
}
