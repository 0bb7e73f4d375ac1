// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of VM entry on control fields and the host-state area of VMCS12 (SDM vol. 3,
 * 27.2.1 and 27.2.2). The guest-state area goes to VMCS02 as it is, where the CPU
 * checks it.
 */
#include "core.h"
#include "ept.h"
#include "guest.h"
#include "nested/nested.h"
#include "vmx.h"

#define EPTP_TYPE(eptp)		((eptp) & 7)
#define EPTP_WALK(eptp)		((eptp) >> 3 & 7)
#define SELECTOR_RPL_TI		7u

/** nested_eptp_is_valid - as the SDM has it in 27.2.1.1 */
bool nested_eptp_is_valid(u64 eptp)
{
	u64 type = EPTP_TYPE(eptp);

	if (type != 0 && type != 6)
		return false;
	if (!nested_offers_ept(type ? EPT_CAP_WB : EPT_CAP_UC) || EPTP_WALK(eptp) != 3)
		return false;
	if (eptp & EPTP_AD && !nested_offers_ept(EPT_CAP_AD))
		return false;
	return !(eptp & ~core.phys_mask & ~0x7full);
}

/* Those that may be 1, and what one needs of another. */
static bool check_execution(const struct vmcs12 *v)
{
	u32 pin = (u32)vmcs12_get(v, VMCS_PIN_CONTROLS);
	u32 primary = (u32)vmcs12_get(v, VMCS_PRIMARY_CONTROLS), secondary = nested_secondary(v);
	u32 virtual_apic = SECONDARY_X2APIC | SECONDARY_APIC_REGISTER | SECONDARY_VID;

	if (!nested_cap_allows(MSR_VMX_TRUE_PIN, pin) ||
	    !nested_cap_allows(MSR_VMX_TRUE_PROC, primary) ||
	    !nested_cap_allows(MSR_VMX_PROCBASED_CTLS2, secondary))
		return false;
	if (!(pin & PIN_NMI) && pin & PIN_VIRTUAL_NMIS)
		return false;
	if (!(pin & PIN_VIRTUAL_NMIS) && primary & PRIMARY_NMI_WINDOW)
		return false;
	if (!(primary & PRIMARY_TPR_SHADOW) && secondary & virtual_apic)
		return false;
	if (secondary & SECONDARY_X2APIC && secondary & SECONDARY_APIC_ACCESS)
		return false;
	if (secondary & SECONDARY_VID && !(pin & PIN_EXTERNAL))
		return false;
	return !(secondary & (SECONDARY_UNRESTRICTED | SECONDARY_PML)) || secondary & SECONDARY_EPT;
}

static bool check_pml(const struct vmcs12 *v)
{
	return !(nested_secondary(v) & SECONDARY_PML) ||
	       nested_is_page(vmcs12_get(v, VMCS_PML_ADDRESS));
}

static bool check_functions(const struct vmcs12 *v)
{
	u64 functions = vmcs12_get(v, VMCS_VM_FUNCTION_CONTROLS), may = 0;

	if (!(nested_secondary(v) & SECONDARY_VMFUNC))
		return true;
	nested_cap_read(MSR_VMX_VMFUNC, &may);
	if (functions & ~may)
		return false;
	return !(functions & FUNCTION_EPTP_SWITCHING) ||
	       (nested_secondary(v) & SECONDARY_EPT &&
		nested_is_page(vmcs12_get(v, VMCS_EPTP_LIST_ADDRESS)));
}

static bool check_posted(const struct vmcs12 *v)
{
	u64 descriptor = vmcs12_get(v, VMCS_POSTED_INTERRUPT_ADDRESS);

	if (!(vmcs12_get(v, VMCS_PIN_CONTROLS) & PIN_POSTED))
		return true;
	return nested_secondary(v) & SECONDARY_VID &&
	       vmcs12_get(v, VMCS_EXIT_CONTROLS) & EXIT_ACK_INTERRUPT &&
	       vmcs12_get(v, VMCS_POSTED_INTERRUPT_VECTOR) < 256 &&
	       !(descriptor & 63) && nested_is_page(descriptor & PAGE_MASK);
}

/* With a TPR shadow the threshold is not above the priority that is in the page. */
static bool check_tpr(const struct vmcs12 *v)
{
	u64 threshold = vmcs12_get(v, VMCS_TPR_THRESHOLD);
	u64 page = vmcs12_get(v, VMCS_VIRTUAL_APIC_ADDRESS);
	u32 tpr;

	if (!(vmcs12_get(v, VMCS_PRIMARY_CONTROLS) & PRIMARY_TPR_SHADOW))
		return true;
	if (!nested_is_page(page))
		return false;
	if (nested_secondary(v) & SECONDARY_VID)
		return true;
	if (threshold >> 4)
		return false;
	if (nested_secondary(v) & SECONDARY_APIC_ACCESS)
		return true;
	guest_read_physical(page + 0x80, &tpr, sizeof(tpr));
	return threshold <= (tpr >> 4 & 15);
}

static bool check_addresses(const struct vmcs12 *v)
{
	u32 primary = (u32)vmcs12_get(v, VMCS_PRIMARY_CONTROLS), secondary = nested_secondary(v);

	if (primary & PRIMARY_IO_BITMAPS &&
	    (!nested_is_page(vmcs12_get(v, VMCS_IO_BITMAP_A)) ||
	     !nested_is_page(vmcs12_get(v, VMCS_IO_BITMAP_B))))
		return false;
	if (primary & PRIMARY_MSR_BITMAPS && !nested_is_page(vmcs12_get(v, VMCS_MSR_BITMAP)))
		return false;
	if (secondary & SECONDARY_APIC_ACCESS &&
	    !nested_is_page(vmcs12_get(v, VMCS_APIC_ACCESS_ADDRESS)))
		return false;
	if (secondary & SECONDARY_SHADOW && (!nested_is_page(vmcs12_get(v, VMCS_VMREAD_BITMAP)) ||
					     !nested_is_page(vmcs12_get(v, VMCS_VMWRITE_BITMAP))))
		return false;
	if (secondary & SECONDARY_VE && !nested_is_page(vmcs12_get(v, VMCS_VE_ADDRESS)))
		return false;
	if (secondary & SECONDARY_VPID && !vmcs12_get(v, VMCS_VPID))
		return false;
	return !(secondary & SECONDARY_EPT) ||
	       nested_eptp_is_valid(vmcs12_get(v, VMCS_EPT_POINTER));
}

static bool is_msr_list(const struct vmcs12 *v, u32 address, u32 count)
{
	u64 first = vmcs12_get(v, address), entries = vmcs12_get(v, count);

	if (!entries)
		return true;
	return !(first & 15) && nested_is_page(first & PAGE_MASK) &&
	       nested_is_page((first + entries * 16 - 1) & PAGE_MASK);
}

static bool check_exit_entry(const struct vmcs12 *v)
{
	u64 exit = vmcs12_get(v, VMCS_EXIT_CONTROLS), entry = vmcs12_get(v, VMCS_ENTRY_CONTROLS);

	if (!nested_cap_allows(MSR_VMX_TRUE_EXIT, exit) ||
	    !nested_cap_allows(MSR_VMX_TRUE_ENTRY, entry))
		return false;
	if (exit & EXIT_SAVE_TIMER && !(vmcs12_get(v, VMCS_PIN_CONTROLS) & PIN_TIMER))
		return false;
	return is_msr_list(v, VMCS_EXIT_MSR_STORE_ADDRESS, VMCS_EXIT_MSR_STORE_COUNT) &&
	       is_msr_list(v, VMCS_EXIT_MSR_LOAD_ADDRESS, VMCS_EXIT_MSR_LOAD_COUNT) &&
	       is_msr_list(v, VMCS_ENTRY_MSR_LOAD_ADDRESS, VMCS_ENTRY_MSR_LOAD_COUNT);
}

/* Exceptions that push an error code in protected mode */
#define ERROR_CODE_VECTORS	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))
#define INFO_RESERVED		0x7ffff000u

static bool check_error_code(const struct vmcs12 *v, u32 type, u32 vector)
{
	bool delivers = vmcs12_get(v, VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_ERROR_CODE;
	bool real = nested_secondary(v) & SECONDARY_UNRESTRICTED &&
		    !(vmcs12_get(v, VMCS_GUEST_CR0) & CR0_PE);
	bool pushes = type == EVENT_TYPE_HARD && BIT(vector) & ERROR_CODE_VECTORS && !real;

	if (delivers && vmcs12_get(v, VMCS_ENTRY_EXCEPTION_ERROR_CODE) >> 16)
		return false;
	if (boot.caps.vmx[0] & VMX_BASIC_ANY_ERROR_CODE)
		return !delivers || (type == EVENT_TYPE_HARD && !real);
	return delivers == pushes;
}

static bool check_event(const struct vmcs12 *v)
{
	u32 info = (u32)vmcs12_get(v, VMCS_ENTRY_INTERRUPTION_INFO);
	u32 type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;
	u64 length = vmcs12_get(v, VMCS_ENTRY_INSTRUCTION_LENGTH);
	bool may_be_0 = boot.caps.vmx[MSR_VMX_MISC - MSR_VMX_BASE] & VMX_MISC_LENGTH_0;

	if (!(info & EVENT_VALID))
		return true;
	if (info & INFO_RESERVED || type == EVENT_TYPE_RESERVED)
		return false;
	if ((type == EVENT_TYPE_NMI && vector != VECTOR_NMI) ||
	    (type == EVENT_TYPE_HARD && vector > 31))
		return false;
	/* "Other event": the monitor trap flag, where there is one. */
	if (type == EVENT_TYPE_OTHER)
		return !vector && nested_cap_offers(MSR_VMX_TRUE_PROC, (u64)PRIMARY_MTF << 32) &&
		       !(info & EVENT_ERROR_CODE);
	if (type >= EVENT_TYPE_SOFT_INT && (length > 15 || (!length && !may_be_0)))
		return false;
	return check_error_code(v, type, vector);
}

/**
 * nested_check_controls - VMfail 7 if not
 *
 * Context: root mode, VMCS01 is current.
 */
bool nested_check_controls(const struct vmcs12 *v)
{
	return check_execution(v) && check_addresses(v) && check_pml(v) && check_functions(v) &&
	       check_posted(v) && check_exit_entry(v) && nested_check_hot_controls(v) &&
	       vmcs12_get(v, VMCS_CR3_TARGET_COUNT) <= 4;
}

/** nested_check_hot_controls - those which may have been written without core's notice */
bool nested_check_hot_controls(const struct vmcs12 *v)
{
	return check_tpr(v) && check_event(v);
}

/** nested_pat_is_valid - does IA32_PAT take this value */
bool nested_pat_is_valid(u64 pat)
{
	u32 i, type;

	for (i = 0; i < 8; i++) {
		type = pat >> 8 * i & 0xff;
		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/** nested_efer_is_valid - does IA32_EFER take these bits */
bool nested_efer_is_valid(u64 efer)
{
	return !(efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
}

static bool check_host_selectors(const struct vmcs12 *v, u64 exit)
{
	u32 field;

	for (field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_TR_SELECTOR; field += 2)
		if (vmcs12_get(v, field) & SELECTOR_RPL_TI)
			return false;
	return vmcs12_get(v, VMCS_HOST_CS_SELECTOR) && vmcs12_get(v, VMCS_HOST_TR_SELECTOR) &&
	       (exit & EXIT_HOST64 || vmcs12_get(v, VMCS_HOST_SS_SELECTOR));
}

static bool check_host_msrs(const struct vmcs12 *v, u64 exit)
{
	u64 efer = vmcs12_get(v, VMCS_HOST_EFER);
	u64 lma = exit & EXIT_HOST64 ? EFER_LMA | EFER_LME : 0;

	if (exit & EXIT_LOAD_PAT && !nested_pat_is_valid(vmcs12_get(v, VMCS_HOST_PAT)))
		return false;
	if (exit & EXIT_LOAD_PERF_CONTROL &&
	    !nested_perf_control_is_valid(vmcs12_get(v, VMCS_HOST_PERF_GLOBAL_CTRL)))
		return false;
	if (!(exit & EXIT_LOAD_EFER))
		return true;
	return nested_efer_is_valid(efer) && (efer & (EFER_LMA | EFER_LME)) == lma;
}

#define S_CET_SHADOW_STACK	3ull
#define S_CET_RESERVED		0x3c0ull
#define S_CET_SUPPRESS		BIT(10)
#define S_CET_TRACKER		BIT(11)

/* A CPU may have only half of CET. */
static bool is_s_cet(u64 s_cet)
{
	u64 reserved = S_CET_RESERVED;

	if (!core.has_shadow_stacks)
		reserved |= S_CET_SHADOW_STACK;
	if (!core.has_endbranch)
		reserved |= ~S_CET_SHADOW_STACK;
	return !(s_cet & reserved) && (~s_cet & (S_CET_SUPPRESS | S_CET_TRACKER));
}

/* In 64-bit code, or in 32-bit code. */
static bool is_linear(u64 address, bool is_64)
{
	return is_64 ? guest_is_canonical(address) : !(address >> 32);
}

static bool check_host_live(const struct vmcs12 *v, u64 exit, bool is_64)
{
	u64 s_cet = vmcs12_get(v, VMCS_HOST_S_CET), ssp = vmcs12_get(v, VMCS_HOST_SSP);

	if (vmcs12_get(v, VMCS_HOST_CR4) & CR4_CET && !(vmcs12_get(v, VMCS_HOST_CR0) & CR0_WP))
		return false;
	if (exit & EXIT_LOAD_PKRS && vmcs12_get(v, VMCS_HOST_PKRS) >> 32)
		return false;
	if (!(exit & EXIT_LOAD_CET))
		return true;
	return is_s_cet(s_cet) && is_linear(s_cet, is_64) &&
	       !(ssp & 3) && is_linear(ssp, is_64) &&
	       guest_is_canonical(vmcs12_get(v, VMCS_HOST_SSP_TABLE));
}

static bool check_host_bases(const struct vmcs12 *v)
{
	u32 field;

	for (field = VMCS_HOST_FS_BASE; field <= VMCS_HOST_SYSENTER_EIP; field += 2)
		if (!guest_is_canonical(vmcs12_get(v, field)))
			return false;
	return true;
}

/*
 * What changes without VMWRITE, too: L1's mode, and L2's, which exits save in the control.
 * @is_64: L1 is in IA-32e mode at this moment (SDM vol. 3, 27.2.4).
 */
static bool check_host_size(const struct vmcs12 *v, u64 exit, bool is_64)
{
	return is_64 == !!(exit & EXIT_HOST64) &&
	       (is_64 || !(vmcs12_get(v, VMCS_ENTRY_CONTROLS) & ENTRY_IA32E));
}

static bool check_host_mode(const struct vmcs12 *v, bool is_64)
{
	u64 cr4 = vmcs12_get(v, VMCS_HOST_CR4), rip = vmcs12_get(v, VMCS_HOST_RIP);

	if (!is_64)
		return !(cr4 & CR4_PCIDE) && !(rip >> 32);
	return cr4 & CR4_PAE && guest_is_canonical(rip);
}

/**
 * nested_check_host - VMfail 8 if not
 * @is_64: L1 is in IA-32e mode
 * @all: the fields have been written, not only the modes of L1 and L2 may have changed
 */
bool nested_check_host(const struct vmcs12 *v, bool is_64, bool all)
{
	u64 exit = vmcs12_get(v, VMCS_EXIT_CONTROLS);

	if (!check_host_size(v, exit, is_64))
		return false;
	return !all ||
	       (nested_cap_fixed(MSR_VMX_CR0_FIXED0, MSR_VMX_CR0_FIXED1,
				 vmcs12_get(v, VMCS_HOST_CR0)) &&
		nested_cap_fixed(MSR_VMX_CR4_FIXED0, MSR_VMX_CR4_FIXED1,
				 vmcs12_get(v, VMCS_HOST_CR4)) &&
		!(vmcs12_get(v, VMCS_HOST_CR3) & ~(core.phys_mask | (PAGE_SIZE - 1))) &&
		check_host_bases(v) && check_host_msrs(v, exit) &&
		check_host_selectors(v, exit) && check_host_live(v, exit, is_64) &&
		check_host_mode(v, is_64));
}
