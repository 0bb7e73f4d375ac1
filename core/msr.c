// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR. Intercepted are the VMX capabilities (there is no VMX for the
 * guest), IA32_FEATURE_CONTROL, IA32_APIC_BASE, which may not point at core's memory
 * and never really switches the APIC off, writes to the MTRRs, which the EPT follows,
 * to IA32_DS_AREA, on which depends what the guest may do by VMFUNC (ept_switch.c),
 * and, if the loader asks for it, writes to the x2APIC's ICR.
 * MSRs that the bitmap cannot name exit too; they are passed through.
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "msr.h"
#include "mtrr.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

static u8 *bitmap;

/**
 * msr_bitmap_init - make the bitmap that all CPUs share
 *
 * Context: LATCH_OP_INIT. Return: 0 or -ENOMEM.
 */
int msr_bitmap_init(void)
{
	struct mtrr_state mtrr;
	u32 msr;

	bitmap = pool_alloc();
	if (!bitmap)
		return -ENOMEM;
	for (msr = MSR_VMX_BASE; msr <= MSR_VMX_LAST; msr++) {
		msr_bitmap_set(bitmap, msr, MSR_READ);
		msr_bitmap_set(bitmap, msr, MSR_WRITE);
	}
	msr_bitmap_set(bitmap, MSR_FEATURE_CONTROL, MSR_READ);
	msr_bitmap_set(bitmap, MSR_FEATURE_CONTROL, MSR_WRITE);
	msr_bitmap_set(bitmap, MSR_APIC_BASE, MSR_READ);
	msr_bitmap_set(bitmap, MSR_APIC_BASE, MSR_WRITE);
	if (cpuid(1, 0).edx & CPUID_DS)
		msr_bitmap_set(bitmap, MSR_DS_AREA, MSR_WRITE);
	if (boot.flags & LATCH_BOOT_ICR)
		msr_bitmap_set(bitmap, MSR_X2APIC_ICR, MSR_WRITE);
	mtrr_read(&mtrr, core.phys_mask);
	for (msr = MSR_MTRR_PHYSBASE0; msr <= MSR_MTRR_DEF_TYPE; msr++)
		if (mtrr_is_msr(&mtrr, msr))
			msr_bitmap_set(bitmap, msr, MSR_WRITE);
	return 0;
}

/** msr_bitmap - the bitmap that this CPU uses while L1 runs */
const u8 *msr_bitmap(void)
{
	return bitmap;
}

/** msr_bitmap_pa - for the VMCS */
u64 msr_bitmap_pa(void)
{
	return pool_pa(bitmap);
}

static bool is_vmx_capability(u32 msr)
{
	return msr >= MSR_VMX_BASE && msr <= MSR_VMX_LAST;
}

/**
 * msr_read - RDMSR for the guest
 *
 * Of MSRs that are not in the VMCS. Return: false for a #GP.
 */
bool msr_read(const struct percpu *cpu, u32 msr, u64 *value)
{
	if (is_vmx_capability(msr))
		return cpu->nested && nested_cap_read(msr, value);
	if (!rdmsr_safe(msr, value))
		return false;
	if (msr == MSR_FEATURE_CONTROL && !cpu->nested)
		*value &= ~FEATURE_CONTROL_VMXON;
	if (msr == MSR_APIC_BASE)
		*value = apic_read_base(cpu);
	return true;
}

/** msr_write - WRMSR for the guest; as msr_read() */
bool msr_write(struct percpu *cpu, u32 msr, u64 value)
{
	/* Locked, so a write faults with or without Latch. */
	if (is_vmx_capability(msr) || msr == MSR_FEATURE_CONTROL)
		return false;
	if (msr == MSR_APIC_BASE)
		return apic_write_base(cpu, value);
	if (msr == MSR_X2APIC_ICR)
		return apic_write_icr(cpu, value);
	if (!wrmsr_safe(msr, value))
		return false;
	if (msr >= MSR_MTRR_PHYSBASE0 && msr <= MSR_MTRR_DEF_TYPE)
		ept_guest_follow_mtrrs(cpu);
	if (msr == MSR_DS_AREA)
		ept_switch_follow(cpu);
	return true;
}

/** msr_handle_read - RDMSR exit */
void msr_handle_read(struct percpu *cpu)
{
	struct latch_gpr *gpr = cpu->gpr;
	u64 value;

	if (!msr_read(cpu, (u32)gpr->rcx, &value)) {
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	gpr->rax = (u32)value;
	gpr->rdx = value >> 32;
	event_skip_instruction();
}

/* Is it intercepted by a hypapp's bitmap only. */
static bool is_kept(u32 msr)
{
	return vmread(VMCS_MSR_BITMAP) != msr_bitmap_pa() &&
	       !msr_bitmap_test(bitmap, msr, MSR_WRITE);
}

/** msr_bitmap_copy - a bitmap of this CPU's own may intercept more */
void msr_bitmap_copy(u8 *to)
{
	memcpy(to, bitmap, PAGE_SIZE);
}

/** msr_handle_write - WRMSR exit */
void msr_handle_write(struct percpu *cpu)
{
	struct latch_gpr *gpr = cpu->gpr;

	if (is_kept((u32)gpr->rcx)) {
		hypapp_registers_begin(cpu);
		return;
	}
	if ((u32)gpr->rcx == MSR_APIC_BASE && !kick_hold(cpu))
		return;
	if (!msr_write(cpu, (u32)gpr->rcx, (u32)gpr->rax | gpr->rdx << 32)) {
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	event_skip_instruction();
}
