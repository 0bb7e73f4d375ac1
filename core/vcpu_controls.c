// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controls and host state of the VMCS.
 *
 * The rule: nothing is intercepted that the architecture does not force, and
 * every control is on that a feature needs which the guest can see in CPUID.
 */
#include "cr.h"
#include "ept_guest.h"
#include "msr.h"
#include "paging.h"
#include "core.h"
#include "percpu.h"
#include "pool.h"
#include "vcpu.h"
#include "vmx.h"

#define VPID_GUEST	1

extern const char vmx_exit[];

/*
 * A capability MSR has the settings that must be 1 in its low half and those
 * that may be 1 in its high half (SDM vol. 3, appendix A.3).
 */
static int control_set(u64 field, u32 msr, u64 need, u64 want, struct latch_error *error)
{
	u64 cap = rdmsr(msr), may = cap >> 32, must = cap & 0xffffffff;

	if (need & ~may) {
		error->reason = LATCH_REASON_CONTROLS;
		error->value = msr;
		return -ENOSYS;
	}
	if (!vmwrite(field, ((need | want) & may) | must)) {
		error->reason = LATCH_REASON_VMWRITE;
		error->value = field;
		return -EIO;
	}
	return 0;
}

/* RDMSRLIST and WRMSRLIST are #UD in a guest without this (CPUID.7.1:EAX.27). */
static u64 tertiary_wanted(void)
{
	u64 cap = 0;

	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 1).eax & BIT(27)))
		return 0;
	if (!rdmsr_safe(MSR_VMX_PROCBASED_CTLS3, &cap))
		return 0;
	return cap & TERTIARY_MSR_LIST;
}

static int set_processor_controls(struct latch_error *error)
{
	u64 tertiary = tertiary_wanted();
	int ret;

	ret = control_set(VMCS_PIN_CONTROLS, MSR_VMX_TRUE_PIN, 0, 0, error);
	if (!ret)
		ret = control_set(VMCS_PRIMARY_CONTROLS, MSR_VMX_TRUE_PROC,
				  PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY,
				  tertiary ? PRIMARY_TERTIARY : 0, error);
	if (!ret)
		ret = control_set(VMCS_SECONDARY_CONTROLS, MSR_VMX_PROCBASED_CTLS2,
				  SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED,
				  SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_XSAVES |
				  SECONDARY_WAITPKG | SECONDARY_PCONFIG, error);
	if (ret)
		return ret;
	if (vmread(VMCS_SECONDARY_CONTROLS) & SECONDARY_XSAVES)
		vmwrite(VMCS_XSS_EXITING_BITMAP, 0);
	if (vmread(VMCS_SECONDARY_CONTROLS) & SECONDARY_PCONFIG)
		vmwrite(VMCS_PCONFIG_EXITING_BITMAP, 0);
	if (tertiary)
		vmwrite(VMCS_TERTIARY_CONTROLS, tertiary);
	return 0;
}

/**
 * vcpu_set_perf_control - the current VMCS's MSR lists
 *
 * Counters must not run in root mode: with PEBS, the CPU would write its records
 * to linear addresses of the guest. Exits clear IA32_PERF_GLOBAL_CTRL; one entry
 * of 16 bytes, in both lists, keeps the guest's. Return: false if a VMWRITE failed.
 */
bool vcpu_set_perf_control(const struct percpu *cpu)
{
	bool ok = true;

	ok &= vmwrite(VMCS_EXIT_MSR_STORE_ADDRESS, pool_pa(cpu->msr_area));
	ok &= vmwrite(VMCS_ENTRY_MSR_LOAD_ADDRESS, pool_pa(cpu->msr_area));
	ok &= vmwrite(VMCS_EXIT_MSR_STORE_COUNT, cpu->has_perf_control);
	ok &= vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, cpu->has_perf_control);
	ok &= vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	if (cpu->has_perf_control)
		ok &= vmwrite(VMCS_HOST_PERF_GLOBAL_CTRL, 0);
	return ok;
}

static bool set_addresses(void)
{
	bool ok = true;

	ok &= vmwrite(VMCS_MSR_BITMAP, msr_bitmap_pa());
	ok &= vmwrite(VMCS_EPT_POINTER, ept_guest_pointer());
	ok &= vmwrite(VMCS_VPID, VPID_GUEST);
	ok &= vmwrite(VMCS_EXCEPTION_BITMAP, 0);
	ok &= vmwrite(VMCS_PAGE_FAULT_MASK, 0);
	ok &= vmwrite(VMCS_PAGE_FAULT_MATCH, 0);
	ok &= vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	ok &= vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	/* PE and PG are the guest's own with unrestricted guest. */
	ok &= vmwrite(VMCS_CR0_MASK, CR0_FIXED);
	ok &= vmwrite(VMCS_CR4_MASK, CR4_FIXED);
	return ok;
}

/**
 * vcpu_set_controls - all control fields of the current VMCS
 * @cpu: this CPU
 * @error: out: why not
 *
 * Return: 0 or a negative errno.
 */
int vcpu_set_controls(struct percpu *cpu, struct latch_error *error)
{
	int ret = set_processor_controls(error);

	/* CPUID may announce it where an emulator or hypervisor has none. */
	cpu->msr_area[0] = MSR_PERF_GLOBAL_CTRL;
	cpu->has_perf_control = core.may_have_perf_control &&
				rdmsr_safe(MSR_PERF_GLOBAL_CTRL, &cpu->msr_area[1]);
	if (!ret)
		ret = control_set(VMCS_EXIT_CONTROLS, MSR_VMX_TRUE_EXIT,
				  EXIT_HOST64 | EXIT_SAVE_DEBUG | EXIT_SAVE_PAT |
				  EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
				  cpu->has_perf_control ? EXIT_LOAD_PERF_CONTROL : 0, error);
	if (!ret)
		ret = control_set(VMCS_ENTRY_CONTROLS, MSR_VMX_TRUE_ENTRY,
				  ENTRY_LOAD_DEBUG | ENTRY_IA32E | ENTRY_LOAD_PAT |
				  ENTRY_LOAD_EFER, 0, error);
	if (!ret && !(set_addresses() && vcpu_set_perf_control(cpu))) {
		error->reason = LATCH_REASON_VMWRITE;
		error->value = VMCS_MSR_BITMAP;
		ret = -EIO;
	}
	return ret;
}

/*
 * Of CR4, root mode has what it needs: CET and PKS stay off, so that guest state
 * which they would use (S_CET, SSP, PKRS) is neither used nor changed by exits. PKE
 * says nothing of core's own pages, and lets it read the guest's PKRU. OSXSAVE and
 * OSFXSR are for fpu.h.
 */
static u64 host_cr4(void)
{
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_VMXE | CR4_OSFXSR | (read_cr4() & CR4_LA57);

	if (core.has_xsave)
		cr4 |= CR4_OSXSAVE;
	if (core.has_pku)
		cr4 |= CR4_PKE;
	return cr4 | rdmsr(MSR_VMX_CR4_FIXED0);
}

/**
 * vcpu_set_host - host-state area of the current VMCS
 *
 * Return: false if a VMWRITE failed.
 */
bool vcpu_set_host(const struct percpu *cpu)
{
	struct descriptor_table idtr;
	bool ok = true;

	asm volatile("sidt %0" : "=m" (idtr));
	ok &= vmwrite(VMCS_HOST_CR0, read_cr0());
	ok &= vmwrite(VMCS_HOST_CR3, paging_root());
	ok &= vmwrite(VMCS_HOST_CR4, host_cr4());
	ok &= vmwrite(VMCS_HOST_CS_SELECTOR, SEL_CODE);
	ok &= vmwrite(VMCS_HOST_SS_SELECTOR, SEL_DATA);
	ok &= vmwrite(VMCS_HOST_DS_SELECTOR, SEL_DATA);
	ok &= vmwrite(VMCS_HOST_ES_SELECTOR, SEL_DATA);
	ok &= vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	ok &= vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	ok &= vmwrite(VMCS_HOST_TR_SELECTOR, SEL_TSS);
	ok &= vmwrite(VMCS_HOST_FS_BASE, (u64)cpu);
	ok &= vmwrite(VMCS_HOST_GS_BASE, (u64)cpu);
	ok &= vmwrite(VMCS_HOST_TR_BASE, (u64)&cpu->tss);
	ok &= vmwrite(VMCS_HOST_GDTR_BASE, (u64)cpu->gdt);
	ok &= vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
	ok &= vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	ok &= vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	ok &= vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	ok &= vmwrite(VMCS_HOST_PAT, PAT_RESET);
	ok &= vmwrite(VMCS_HOST_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	ok &= vmwrite(VMCS_HOST_RSP, percpu_slot(cpu->index) + PERCPU_STACK_TOP);
	ok &= vmwrite(VMCS_HOST_RIP, (u64)vmx_exit);
	return ok;
}
