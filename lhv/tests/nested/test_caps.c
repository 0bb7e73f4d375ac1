// SPDX-License-Identifier: GPL-2.0-only
/* What the VMX capability MSRs say must fit together (SDM vol. 3, appendix A). */
#include "nested.h"

static void caps_basic(struct hv *hv)
{
	u64 basic = rdmsr(MSR_VMX_BASIC);

	(void)hv;
	ktap_check(!(basic & BIT(31)), "bit 31 is 0");
	ktap_check(BASIC_SIZE(basic) > 0 && BASIC_SIZE(basic) <= PAGE_SIZE, "size of a VMCS");
	ktap_check(!(basic & BASIC_32BIT), "physical addresses are not limited to 32 bits");
	ktap_check(BASIC_TYPE(basic) == 6 || BASIC_TYPE(basic) == 0, "memory type of a VMCS");
	ktap_check(rdmsr(MSR_VMX_VMCS_ENUM) >= 0x2c && !(rdmsr(MSR_VMX_VMCS_ENUM) & ~0x3feull),
		   "highest index of a field");
}

static const struct {
	u32 msr, exact;
	u32 default1;
	const char *name;
} controls[] = {
	{ MSR_VMX_PIN, MSR_VMX_TRUE_PIN, 0x16, "pin-based" },
	{ MSR_VMX_PRIMARY, MSR_VMX_TRUE_PRIMARY, 0x0401e172, "primary" },
	{ MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT, 0x36dff, "VM-exit" },
	{ MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY, 0x11ff, "VM-entry" },
};

static void caps_controls(struct hv *hv)
{
	bool exact = rdmsr(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS;
	u32 i;

	(void)hv;
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		u64 value = rdmsr(controls[i].msr);
		u32 fixed0 = (u32)value, fixed1 = value >> 32;

		ktap_check(!(fixed0 & ~fixed1), "%s: what must be 1 can be 1", controls[i].name);
		ktap_check((fixed0 & controls[i].default1) == controls[i].default1,
			   "%s: the default1 class must be 1", controls[i].name);
		if (!exact)
			continue;
		value = rdmsr(controls[i].exact);
		ktap_check(value >> 32 == fixed1, "%s: TRUE MSR allows the same",
			   controls[i].name);
		ktap_check(!((u32)value & ~fixed0), "%s: TRUE MSR demands no more",
			   controls[i].name);
		ktap_check(!((u32)value & ~controls[i].default1),
			   "%s: only the default1 class can be fixed", controls[i].name);
	}
}

static void caps_secondary(struct hv *hv)
{
	u32 fixed1 = hv_controls_fixed1(F_SECONDARY_CONTROLS);

	(void)hv;
	ktap_check(!hv_controls_fixed0(F_SECONDARY_CONTROLS), "nothing must be 1");
	ktap_check(!(fixed1 & SECONDARY_UNRESTRICTED) || fixed1 & SECONDARY_EPT,
		   "unrestricted guest needs EPT");
	ktap_check(!(fixed1 & SECONDARY_PML) || fixed1 & SECONDARY_EPT, "PML needs EPT");
	ktap_check(!(fixed1 & SECONDARY_UNRESTRICTED) || rdmsr(MSR_VMX_MISC) & MISC_SAVES_LMA,
		   "with unrestricted guest, exits save EFER.LMA");
	ktap_check(!(fixed1 & SECONDARY_VIRTUAL_INTERRUPTS) ||
		   hv_can(F_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW),
		   "virtual interrupts need the TPR shadow");
	ktap_check(!(fixed1 & SECONDARY_RDTSCP) || cpuid(0x80000001, 0).edx & BIT(27),
		   "RDTSCP is there if its control is");
	ktap_check(!(fixed1 & SECONDARY_INVPCID) || cpuid(7, 0).ebx & BIT(10),
		   "INVPCID is there if its control is");
	ktap_check(!(fixed1 & SECONDARY_RDRAND) || cpuid(1, 0).ecx & BIT(30),
		   "RDRAND is there if its control is");
	ktap_check(!(fixed1 & SECONDARY_RDSEED) || cpuid(7, 0).ebx & BIT(18),
		   "RDSEED is there if its control is");
	ktap_check(!(fixed1 & SECONDARY_XSAVES) || cpuid(13, 1).eax & BIT(3),
		   "XSAVES is there if its control is");
}

static void caps_ept_vpid(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID);

	(void)hv;
	ktap_check(!hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT) ||
		   (cap & EPT_CAP_WALK4 && cap & EPT_CAP_WB && cap & EPT_CAP_INVEPT &&
		    cap & EPT_CAP_INVEPT_ALL), "EPT has 4 levels, write-back and INVEPT");
	ktap_check(!hv_can(F_SECONDARY_CONTROLS, SECONDARY_VPID) ||
		   (cap & VPID_CAP_INVVPID && cap & VPID_CAP_TYPE(INVVPID_ALL)),
		   "VPID has INVVPID");
}

static void caps_misc(struct hv *hv)
{
	u64 misc = rdmsr(MSR_VMX_MISC);

	(void)hv;
	ktap_check(MISC_CR3_TARGETS(misc) <= 256, "number of CR3 targets");
	ktap_check(MISC_TIMER_SHIFT(misc) < 32 && MISC_MSR_LIST(misc) >= 512,
		   "rate of the timer, length of MSR lists");
}

static void caps_cr(struct hv *hv)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	(void)hv;
	ktap_check(!(rdmsr(MSR_VMX_CR0_FIXED0) & ~rdmsr(MSR_VMX_CR0_FIXED1)), "CR0: no conflict");
	ktap_check(!(rdmsr(MSR_VMX_CR4_FIXED0) & ~rdmsr(MSR_VMX_CR4_FIXED1)), "CR4: no conflict");
	ktap_check((cr0 & rdmsr(MSR_VMX_CR0_FIXED0)) == rdmsr(MSR_VMX_CR0_FIXED0) &&
		   !(cr0 & ~rdmsr(MSR_VMX_CR0_FIXED1)), "CR0 is as VMX wants it");
	ktap_check((cr4 & rdmsr(MSR_VMX_CR4_FIXED0)) == rdmsr(MSR_VMX_CR4_FIXED0) &&
		   !(cr4 & ~rdmsr(MSR_VMX_CR4_FIXED1)), "CR4 is as VMX wants it");
	ktap_check(rdmsr(MSR_VMX_CR0_FIXED0) == (CR0_PE | CR0_NE | CR0_PG), "CR0: PE, NE, PG");
	ktap_check(rdmsr(MSR_VMX_CR4_FIXED0) == CR4_VMXE, "CR4: VMXE");
}

static void do_write_cr0(void *arg)
{
	write_cr0(ADDR(arg));
}

static void do_write_cr4(void *arg)
{
	write_cr4(ADDR(arg));
}

static void caps_fixed_bits(struct hv *hv)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	(void)hv;
	ktap_check(trap(do_write_cr0, PTR(cr0 & ~(u64)CR0_NE)) == VECTOR_GP,
		   "#GP for CR0.NE = 0 in VMX operation");
	ktap_check(trap(do_write_cr4, PTR(cr4 & ~(u64)CR4_VMXE)) == VECTOR_GP,
		   "#GP for CR4.VMXE = 0 in VMX operation");
	ktap_check(read_cr0() == cr0 && read_cr4() == cr4, "nothing has changed");
}

static void caps_read_only(struct hv *hv)
{
	bool good = true;
	u64 value;
	u32 msr;

	(void)hv;
	for (msr = MSR_VMX_BASIC; msr <= MSR_VMX_VMFUNC; msr++)
		if (try_rdmsr(msr, &value) == TRAP_NONE)
			good = good && try_wrmsr(msr, value) == VECTOR_GP;
	ktap_check(good, "#GP for WRMSR to a capability MSR");
	ktap_check(try_wrmsr(MSR_FEATURE_CONTROL, rdmsr(MSR_FEATURE_CONTROL)) == VECTOR_GP,
		   "#GP for WRMSR to IA32_FEATURE_CONTROL, locked");
	ktap_check((try_rdmsr(MSR_VMX_VMFUNC, &value) == TRAP_NONE) ==
		   hv_can(F_SECONDARY_CONTROLS, SECONDARY_VMFUNC), "IA32_VMX_VMFUNC");
}

static const struct nested_case cases[] = {
	CASE("basic", caps_basic),
	CASE("controls", caps_controls),
	CASE("secondary", caps_secondary),
	CASE("EPT and VPID", caps_ept_vpid),
	CASE("misc", caps_misc),
	CASE("CR0 and CR4", caps_cr),
	CASE("fixed bits", caps_fixed_bits),
	CASE("read-only", caps_read_only),
};

void test_nested_caps(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
