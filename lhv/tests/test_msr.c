// SPDX-License-Identifier: GPL-2.0-only
/* MSRs: those that are there keep what they are told, the others give #GP. */
#include "tests.h"

#define NONCANONICAL	0x8000000000000000ull
#define HIGH_ADDRESS	0xffff812345678000ull

static const struct {
	u32 msr;
	const char *name;
	u64 value;
} round_trips[] = {
	{ MSR_STAR, "STAR", 0x0018000812345678ull },
	{ MSR_LSTAR, "LSTAR", HIGH_ADDRESS },
	{ MSR_CSTAR, "CSTAR", HIGH_ADDRESS },
	{ MSR_FMASK, "FMASK", 0x47700 },
	{ MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE", HIGH_ADDRESS },
	{ MSR_FS_BASE, "FS_BASE", HIGH_ADDRESS },
	{ MSR_GS_BASE, "GS_BASE", HIGH_ADDRESS },
	{ MSR_SYSENTER_CS, "SYSENTER_CS", 0x08 },
	{ MSR_SYSENTER_ESP, "SYSENTER_ESP", HIGH_ADDRESS },
	{ MSR_SYSENTER_EIP, "SYSENTER_EIP", HIGH_ADDRESS },
	{ MSR_PAT, "PAT", 0x0007040600070105ull },
};

static const struct {
	u32 msr;
	u64 value;
	const char *name;
} refused[] = {
	{ MSR_LSTAR, NONCANONICAL, "LSTAR, not canonical" },
	{ MSR_CSTAR, NONCANONICAL, "CSTAR, not canonical" },
	{ MSR_KERNEL_GS_BASE, NONCANONICAL, "KERNEL_GS_BASE, not canonical" },
	{ MSR_FS_BASE, NONCANONICAL, "FS_BASE, not canonical" },
	{ MSR_GS_BASE, NONCANONICAL, "GS_BASE, not canonical" },
	{ MSR_SYSENTER_ESP, NONCANONICAL, "SYSENTER_ESP, not canonical" },
	{ MSR_SYSENTER_EIP, NONCANONICAL, "SYSENTER_EIP, not canonical" },
	{ MSR_PAT, 0x0007040600070402ull, "PAT, type 2" },
	{ MSR_PAT, 0x0807040600070406ull, "PAT, type 8" },
	{ MSR_EFER, 0xf00000d01ull, "EFER, reserved bits" },
	{ MSR_EFER, EFER_NXE | EFER_SCE, "EFER, LME off while paging" },
	{ MSR_MTRRCAP, 0, "MTRRCAP, read-only" },
	{ MSR_APIC_BASE, 0xfee00001ull, "APIC_BASE, reserved bits" },
	{ MSR_APIC_BASE, 0xffffff00fee00900ull, "APIC_BASE, beyond MAXPHYADDR" },
};

static void msr_round_trips(void)
{
	u64 old, value;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(round_trips); i++) {
		old = rdmsr(round_trips[i].msr);
		wrmsr(round_trips[i].msr, round_trips[i].value);
		value = rdmsr(round_trips[i].msr);
		wrmsr(round_trips[i].msr, old);
		ktap_check(value == round_trips[i].value && rdmsr(round_trips[i].msr) == old,
			   "%s keeps its value", round_trips[i].name);
	}
}

static void msr_refused(void)
{
	u64 old, value;
	u32 i, vector;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		old = rdmsr(refused[i].msr);
		vector = try_wrmsr(refused[i].msr, refused[i].value);
		value = rdmsr(refused[i].msr);
		ktap_check(vector == VECTOR_GP && !trap_last()->regs.error && value == old,
			   "#GP for %s", refused[i].name);
	}
}

static void msr_efer(void)
{
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer & ~(u64)EFER_SCE);
	ktap_check(rdmsr(MSR_EFER) == (efer & ~(u64)EFER_SCE), "EFER.SCE off");
	wrmsr(MSR_EFER, efer | EFER_SCE);
	ktap_check(rdmsr(MSR_EFER) == (efer | EFER_SCE), "EFER.SCE on");
	wrmsr(MSR_EFER, efer & ~(u64)EFER_LMA);
	ktap_check(rdmsr(MSR_EFER) == efer, "EFER.LMA does not change by a write");
	wrmsr(MSR_EFER, efer);
}

static void msr_optional(u32 msr, const char *name, bool present, u64 value)
{
	u64 old;

	if (!present) {
		ktap_check(try_rdmsr(msr, &old) == VECTOR_GP, "%s is not there: #GP", name);
		return;
	}
	old = rdmsr(msr);
	wrmsr(msr, value);
	ktap_check(rdmsr(msr) == value, "%s keeps its value", name);
	wrmsr(msr, old);
}

/*
 * Which MSRs can be read, in blocks of 64; the VMX ones are core's own affair
 * and have their tests elsewhere.
 */
static void msr_map(u32 first, u32 last)
{
	u64 faults = 0, value;
	u32 msr;

	for (msr = first; msr < last; msr++) {
		if (msr < MSR_VMX_BASIC || msr >= MSR_VMX_BASIC + 0x20)
			if (try_rdmsr(msr, &value) == VECTOR_GP)
				faults |= BIT(msr & 63);
		if ((msr & 63) != 63)
			continue;
		if (~faults)
			ktap_check(true, "reads of 0x%08x to 0x%08x give #GP at %016llx",
				   msr - 63, msr, faults);
		faults = 0;
	}
}

static void msr_outside_bitmap(void)
{
	static const u32 msrs[] = { 0x2000, 0x40000000, 0x40000020, 0xbfffffff, 0xc0002000,
				    0xc0011029, 0xffffffff };
	u64 value;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		ktap_check(try_rdmsr(msrs[i], &value) == VECTOR_GP,
			   "#GP for a read of 0x%x", msrs[i]);
		ktap_check(try_wrmsr(msrs[i], 0) == VECTOR_GP, "#GP for a write of 0x%x", msrs[i]);
	}
}

/* RDMSR and WRMSR take ECX, not RCX; RDMSR clears the high halves. */
static void msr_registers(void)
{
	unsigned long a = -1ul, d = -1ul, c = 0xffffffff00000000ul | MSR_PAT;

	asm volatile("rdmsr" : "+a" (a), "+d" (d) : "c" (c));
	ktap_check((a | d << 32) == rdmsr(MSR_PAT) && !(a >> 32) && !(d >> 32),
		   "RDMSR takes ECX and clears the high halves");
	c = 0xffffffff00000000ul | MSR_FEATURE_CONTROL;
	a = -1ul;
	d = -1ul;
	if (!(cpuid(1, 0).ecx & BIT(5)) && !launch_active)
		return;
	asm volatile("rdmsr" : "+a" (a), "+d" (d) : "c" (c));
	ktap_check(!(a >> 32) && !(d >> 32), "the same for an MSR that core looks at");
}

void test_msr(void)
{
	struct cpuid_regs r7 = cpuid(7, 0), e1 = cpuid(0x80000001, 0);

	msr_round_trips();
	msr_refused();
	msr_efer();
	msr_optional(MSR_TSC_AUX, "TSC_AUX", e1.edx & BIT(27), 0x12345678);
	msr_optional(MSR_TSC_ADJUST, "TSC_ADJUST", r7.ebx & BIT(1), 0x100000);
	msr_registers();
	msr_outside_bitmap();
	msr_map(0, 0x1000);
	msr_map(0xc0000000, 0xc0000200);
}
