// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers. Masked are only bits that VMX operation fixes: CR0.NE,
 * CR4.VMXE, and CR4.SMXE, whose instruction would exit. With unrestricted guest
 * CR0.PE and CR0.PG are the guest's own: the CPU itself loads PDPTEs, switches
 * EFER.LMA and keeps the "IA-32e mode guest" control in step (SDM vol. 3, 27.2).
 */
#include "cr.h"
#include "ept_switch.h"
#include "event.h"
#include "gpr.h"
#include "hypapp/hypapp.h"
#include "nested/nested.h"
#include "vmx.h"

#define QUALIFICATION_CR(q)	((q) & 15)
#define QUALIFICATION_TYPE(q)	((q) >> 4 & 3)
#define QUALIFICATION_GPR(q)	((q) >> 8 & 15)
#define TYPE_MOV_TO_CR		0

/*
 * The exit means that the guest changes a bit that is fixed while VMX is on. Only
 * the shadow is changed here; then the instruction is executed again, and as its
 * masked bits now agree with the shadow, the CPU does all the rest: faults,
 * PDPTEs, LMA.
 */
static void change_shadow(u64 field, u64 bit, u64 value)
{
	vmwrite(field, (vmread(field) & ~bit) | (value & bit));
}

static void keep_tables(bool on)
{
	u64 secondary = vmread(VMCS_SECONDARY_CONTROLS) & ~SECONDARY_DESCRIPTORS;

	vmwrite(VMCS_SECONDARY_CONTROLS, secondary | (on ? SECONDARY_DESCRIPTORS : 0));
}

/**
 * cr_keep - have this CPU's guest exit when it changes a bit, or a descriptor table
 * @cpu: this CPU
 * @who: who wants that; what others want stays
 * @what: what is to exit
 *
 * The guest owns all bits but those that somebody keeps, and those that VMX fixes.
 */
void cr_keep(struct percpu *cpu, enum keeper who, const struct keep *what)
{
	struct keep all = { };
	u32 i;

	cpu->keep[who] = *what;
	for (i = 0; i < KEEPERS; i++) {
		all.cr0 |= cpu->keep[i].cr0;
		all.cr4 |= cpu->keep[i].cr4;
		all.tables |= cpu->keep[i].tables;
	}
	vmwrite(VMCS_CR0_MASK, CR0_FIXED | all.cr0);
	vmwrite(VMCS_CR4_MASK, CR4_FIXED | all.cr4);
	change_shadow(VMCS_CR0_SHADOW, all.cr0, vmread(VMCS_GUEST_CR0));
	change_shadow(VMCS_CR4_SHADOW, all.cr4, vmread(VMCS_GUEST_CR4));
	keep_tables(all.tables);
}

/* Is it for a bit that cr_keep() has named. */
static bool is_kept(u32 cr, u64 value)
{
	if (cr == 0)
		return (value ^ vmread(VMCS_CR0_SHADOW)) & vmread(VMCS_CR0_MASK) & ~CR0_FIXED;
	return (value ^ vmread(VMCS_CR4_SHADOW)) & vmread(VMCS_CR4_MASK) & ~CR4_FIXED;
}

/* In VMX operation some bits are fixed for L1 too (SDM vol. 3, 24.8). */
static bool breaks_vmx(const struct percpu *cpu, u32 cr, u64 value)
{
	u64 need = cr ? CR4_VMXE : CR0_VMX | CR0_NE;

	return nested_is_on(cpu) && (value & need) != need;
}

/**
 * cr_handle_access - control-register access exit
 *
 * A kernel that saw VMX before Latch was loaded may still set CR4.VMXE, and would
 * not expect a fault (kvm_intel does not); its VMXON then gives #UD, which it does
 * expect. SMXE is reserved: nobody has SMX.
 */
void cr_handle_access(struct percpu *cpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	u64 value = gpr_read(cpu->gpr, QUALIFICATION_GPR(qualification));
	bool is_mov = QUALIFICATION_TYPE(qualification) == TYPE_MOV_TO_CR;
	u32 cr = QUALIFICATION_CR(qualification);

	if (is_mov && breaks_vmx(cpu, cr, value)) {
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	if (is_mov && is_kept(cr, value)) {
		hypapp_registers_begin(cpu);
		return;
	}
	if (is_mov && cr == 0)
		change_shadow(VMCS_CR0_SHADOW, CR0_NE, value);
	else if (is_mov && cr == 4 && !(value & CR4_SMXE))
		change_shadow(VMCS_CR4_SHADOW, CR4_VMXE, value);
	else
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * cr_handle_xsetbv - XSETBV exit
 *
 * CPL and CR4.OSXSAVE have been checked before the exit. The rest is checked by
 * the CPU: what it refuses here it would have refused in the guest.
 */
void cr_handle_xsetbv(struct percpu *cpu)
{
	struct latch_gpr *gpr = cpu->gpr;

	if (xsetbv_safe((u32)gpr->rcx, (u32)gpr->rax | gpr->rdx << 32)) {
		event_skip_instruction();
		ept_switch_follow(cpu);
	} else {
		event_inject_fault(cpu, VECTOR_GP, 0);
	}
}
