// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMX capability MSRs that L1 reads (SDM vol. 3, appendix A): what the CPU has and
 * core honours. Nothing else is offered.
 */
#include <latch/features.h>
#include "core.h"
#include "ept.h"
#include "nested/nested.h"
#include "vmx.h"

#define PIN_OFFERED	(PIN_EXTERNAL | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_TIMER | PIN_POSTED)
#define PRIMARY_OFFERED	(PRIMARY_INTERRUPT_WINDOW | PRIMARY_TSC_OFFSET | PRIMARY_HLT | \
			 PRIMARY_INVLPG | PRIMARY_MWAIT | PRIMARY_RDPMC | PRIMARY_RDTSC | \
			 PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE | PRIMARY_CR8_LOAD | \
			 PRIMARY_CR8_STORE | PRIMARY_TPR_SHADOW | PRIMARY_NMI_WINDOW | \
			 PRIMARY_MOV_DR | PRIMARY_IO | PRIMARY_IO_BITMAPS | PRIMARY_MTF | \
			 PRIMARY_MSR_BITMAPS | PRIMARY_MONITOR | PRIMARY_PAUSE | \
			 PRIMARY_SECONDARY)
#define SECONDARY_OFFERED \
			(SECONDARY_APIC_ACCESS | SECONDARY_EPT | SECONDARY_DESCRIPTORS | \
			 SECONDARY_RDTSCP | SECONDARY_X2APIC | SECONDARY_VPID | \
			 SECONDARY_WBINVD | SECONDARY_UNRESTRICTED | SECONDARY_APIC_REGISTER | \
			 SECONDARY_VID | SECONDARY_PLE | SECONDARY_RDRAND | \
			 SECONDARY_INVPCID | SECONDARY_VMFUNC | SECONDARY_SHADOW | \
			 SECONDARY_RDSEED | SECONDARY_PML | SECONDARY_VE | SECONDARY_XSAVES | \
			 SECONDARY_TSC_SCALING | SECONDARY_WAITPKG)
#define EXIT_OFFERED	(EXIT_SAVE_DEBUG | EXIT_HOST64 | EXIT_LOAD_PERF_CONTROL | \
			 EXIT_ACK_INTERRUPT | EXIT_SAVE_PAT | EXIT_LOAD_PAT | \
			 EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_SAVE_TIMER | \
			 EXIT_LOAD_CET | EXIT_LOAD_PKRS)
#define ENTRY_OFFERED	(ENTRY_LOAD_DEBUG | ENTRY_IA32E | ENTRY_LOAD_PERF_CONTROL | \
			 ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | NESTED_ENTRY_LIVE)
/*
 * Rate of the timer, LMA is stored, activity states, CR3 targets, MSR lists, VMWRITE to
 * read-only fields, injection with a length of 0.
 */
#define MISC_OFFERED	(0x1ffull | 0x01ff0000ull | 0x0e000000ull | BIT(29) | BIT(30))
/* Revision, size, memory type, INS and OUTS information, true controls, error codes. */
#define BASIC_OFFERED	(BIT(54) | BIT(55) | BIT(56))
#define BASIC_REGION	((u64)PAGE_SIZE << 32 | 6ull << 50)
#define EPT_VPID_OFFERED (EPT_CAP_XONLY | EPT_CAP_WALK4 | EPT_CAP_UC | EPT_CAP_WB | EPT_CAP_2M | \
			  EPT_CAP_1G | EPT_CAP_INVEPT | EPT_CAP_AD | EPT_CAP_ADVANCED | \
			  EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL | EPT_CAP_INVVPID)

/*
 * Low half: what must be 1; high half: what may be 1. What core does not know must not be
 * anything that the CPU insists on.
 */
static u64 offer_controls(u32 msr, u64 offered)
{
	u64 cap = boot.caps.vmx[msr - MSR_VMX_BASE], must = cap & 0xffffffff;

	return ((cap >> 32 & (offered | must)) << 32) | must;
}

/* What an exit of L2's loads for L1 core has VMCS01's next entry load. */
static u64 exit_offered(void)
{
	u64 entry = boot.caps.vmx[MSR_VMX_TRUE_ENTRY - MSR_VMX_BASE] >> 32;
	u64 offered = EXIT_OFFERED;

	if (!(entry & ENTRY_LOAD_CET))
		offered &= ~EXIT_LOAD_CET;
	if (!(entry & ENTRY_LOAD_PKRS))
		offered &= ~EXIT_LOAD_PKRS;
	return offered;
}

static u64 offer_secondary(void)
{
	/* Not those which every CPU has to have on: there are none. */
	return (boot.caps.vmx[LATCH_CAP_SECONDARY] >> 32 & SECONDARY_OFFERED) << 32;
}

/**
 * nested_revision - revision identifier of VMCS12
 *
 * That of the CPU: a hypervisor may have learnt it before Latch was loaded.
 */
u32 nested_revision(void)
{
	return (u32)boot.caps.vmx[0] & 0x7fffffff;
}

/** nested_cap_read - RDMSR of a VMX capability by L1; false: there is no such MSR */
bool nested_cap_read(u32 msr, u64 *value)
{
	u64 cap = boot.caps.vmx[msr - MSR_VMX_BASE];

	switch (msr) {
	case MSR_VMX_BASIC:
		*value = nested_revision() | BASIC_REGION | (cap & BASIC_OFFERED);
		return true;
	case MSR_VMX_PIN:
	case MSR_VMX_TRUE_PIN:
		*value = offer_controls(msr, PIN_OFFERED);
		return true;
	case MSR_VMX_PROC:
	case MSR_VMX_TRUE_PROC:
		*value = offer_controls(msr, PRIMARY_OFFERED);
		return true;
	case MSR_VMX_EXIT:
	case MSR_VMX_TRUE_EXIT:
		*value = offer_controls(msr, exit_offered());
		return true;
	case MSR_VMX_ENTRY:
	case MSR_VMX_TRUE_ENTRY:
		*value = offer_controls(msr, ENTRY_OFFERED);
		return true;
	case MSR_VMX_MISC:
		*value = cap & MISC_OFFERED;
		return true;
	case MSR_VMX_CR4_FIXED1:
		*value = cap & (CR4_KNOWN | CR4_VMXE);
		return true;
	case MSR_VMX_CR0_FIXED0:
	case MSR_VMX_CR0_FIXED1:
	case MSR_VMX_CR4_FIXED0:
		*value = cap;
		return true;
	case MSR_VMX_VMCS_ENUM:
		*value = vmcs12_last_index() << 1;
		return true;
	case MSR_VMX_PROCBASED_CTLS2:
		*value = offer_secondary();
		return true;
	case MSR_VMX_EPT_VPID_CAP:
		*value = cap & EPT_VPID_OFFERED;
		return true;
	case MSR_VMX_VMFUNC:
		*value = cap & FUNCTION_EPTP_SWITCHING;
		return offer_secondary() >> 32 & SECONDARY_VMFUNC;
	default:
		return false;
	}
}

/** nested_msr_list_max - how long a list of MSRs may be (SDM vol. 3, appendix A.6) */
u32 nested_msr_list_max(void)
{
	return 512 * ((u32)(boot.caps.vmx[MSR_VMX_MISC - MSR_VMX_BASE] >> 25 & 7) + 1);
}

/** nested_offers_shadow - does L1 have VMCS shadowing */
bool nested_offers_shadow(void)
{
	return offer_secondary() >> 32 & SECONDARY_SHADOW;
}

/** nested_cap_offers - has a capability MSR as L1 reads it one of these bits */
bool nested_cap_offers(u32 msr, u64 bits)
{
	u64 cap = 0;

	nested_cap_read(msr, &cap);
	return cap & bits;
}

/** nested_offers_ept - has IA32_VMX_EPT_VPID_CAP */
bool nested_offers_ept(u64 bits)
{
	return nested_cap_offers(MSR_VMX_EPT_VPID_CAP, bits);
}

/** nested_is_page - can it be a page's address: aligned, no more bits than the CPU has */
bool nested_is_page(u64 gpa)
{
	return !(gpa & ~core.phys_mask);
}

/**
 * nested_cap_fixed - may CR0 or CR4 have this value in VMX operation
 * @fixed0: MSR with what must be 1
 * @fixed1: MSR with what may be 1
 */
bool nested_cap_fixed(u32 fixed0, u32 fixed1, u64 value)
{
	u64 must = 0, may = 0;

	nested_cap_read(fixed0, &must);
	nested_cap_read(fixed1, &may);
	return !(must & ~value) && !(value & ~may);
}

/** nested_cap_allows - may L1 have these controls, by the capability MSR @msr */
bool nested_cap_allows(u32 msr, u64 controls)
{
	u64 cap = 0;

	nested_cap_read(msr, &cap);
	return !(controls & ~(cap >> 32)) && !((cap & 0xffffffff) & ~controls);
}
