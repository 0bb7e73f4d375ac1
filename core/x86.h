/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers, MSRs and instructions of the CPU, as the SDM names them. */
#ifndef CORE_X86_H
#define CORE_X86_H

#include "types.h"

#define CR0_PE		BIT(0)
#define CR0_TS		BIT(3)
#define CR0_ET		BIT(4)
#define CR0_NE		BIT(5)
#define CR0_WP		BIT(16)
#define CR0_PG		BIT(31)
#define CR0_RESET	0x60000010ull

#define CR4_PSE		BIT(4)
#define CR4_PAE		BIT(5)
#define CR4_MCE		BIT(6)
#define CR4_OSFXSR	BIT(9)
#define CR4_UMIP	BIT(11)
#define CR4_LA57	BIT(12)
#define CR4_VMXE	BIT(13)
#define CR4_SMXE	BIT(14)
#define CR4_PCIDE	BIT(17)
#define CR4_OSXSAVE	BIT(18)
#define CR4_SMEP	BIT(20)
#define CR4_SMAP	BIT(21)
#define CR4_PKE		BIT(22)
#define CR4_CET		BIT(23)
#define CR4_PKS		BIT(24)
/*
 * VME to UMIP (0-11), LA57, FSGSBASE, PCIDE, OSXSAVE, SMEP, SMAP, PKE, CET, PKS,
 * LASS, LAM_SUP. Not there: SMXE, Key Locker, user interrupts, FRED.
 */
#define CR4_KNOWN	(0xfffull | CR4_LA57 | BIT(16) | BIT(17) | CR4_OSXSAVE | CR4_SMEP | \
			 CR4_SMAP | CR4_PKE | CR4_CET | CR4_PKS | BIT(27) | BIT(28))

#define CPUID_DS	BIT(21)	/* leaf 1, EDX */
#define CPUID_SHADOW_STACK BIT(7)	/* leaf 7, ECX */
#define CPUID_ENDBRANCH	BIT(20)	/* leaf 7, EDX */

#define RFLAGS_CF	BIT(0)
#define RFLAGS_FIXED	BIT(1)
#define RFLAGS_ZF	BIT(6)
#define RFLAGS_TF	BIT(8)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_NT	BIT(14)
#define RFLAGS_RF	BIT(16)
#define RFLAGS_VM	BIT(17)
#define RFLAGS_AC	BIT(18)

#define EFER_SCE	BIT(0)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NXE	BIT(11)

#define DEBUGCTL_BTF	BIT(1)
/* LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS and _USR, freezes, SMM, RTM */
#define DEBUGCTL_KNOWN	0xdfc3ull
#define DR6_RESET	0xffff0ff0ull
#define DR7_RESET	0x400ull

#define MSR_APIC_BASE		0x01b
#define MSR_BIOS_UPDT_TRIG	0x079
#define MSR_SMM_MONITOR_CTL	0x09b
#define MSR_SMBASE		0x09e
#define MSR_FEATURE_CONTROL	0x03a
#define MSR_MTRRCAP		0x0fe
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_DEBUGCTL		0x1d9
#define MSR_PERF_GLOBAL_CTRL	0x38f
#define MSR_MTRR_PHYSBASE0	0x200
#define MSR_MTRR_FIX64K		0x250
#define MSR_MTRR_FIX16K		0x258
#define MSR_MTRR_FIX4K		0x268
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_VMX_BASE		0x480
#define MSR_VMX_BASIC		0x480
#define MSR_VMX_PIN		0x481
#define MSR_VMX_PROC		0x482
#define MSR_VMX_EXIT		0x483
#define MSR_VMX_ENTRY		0x484
#define MSR_VMX_MISC		0x485
#define MSR_VMX_CR0_FIXED0	0x486
#define MSR_VMX_CR0_FIXED1	0x487
#define MSR_VMX_CR4_FIXED0	0x488
#define MSR_VMX_CR4_FIXED1	0x489
#define MSR_VMX_VMCS_ENUM	0x48a
#define MSR_VMX_PROCBASED_CTLS2	0x48b
#define MSR_VMX_EPT_VPID_CAP	0x48c
#define MSR_VMX_TRUE_PIN	0x48d
#define MSR_VMX_TRUE_PROC	0x48e
#define MSR_VMX_TRUE_EXIT	0x48f
#define MSR_VMX_TRUE_ENTRY	0x490
#define MSR_VMX_VMFUNC		0x491
#define MSR_VMX_PROCBASED_CTLS3	0x492
#define MSR_VMX_LAST		0x493
#define MSR_DS_AREA		0x600
#define MSR_U_CET		0x6a0
#define MSR_S_CET		0x6a2
#define MSR_PL0_SSP		0x6a4
#define MSR_SSP_TABLE		0x6a8
#define MSR_PKRS		0x6e1
#define MSR_X2APIC_FIRST	0x800
#define MSR_X2APIC_ICR		0x830
#define MSR_X2APIC_LAST		0x8ff
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_FMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101

#define APIC_BASE_BSP		BIT(8)
#define APIC_BASE_X2APIC	BIT(10)
#define APIC_BASE_ENABLED	BIT(11)

#define FEATURE_CONTROL_LOCKED	BIT(0)
#define FEATURE_CONTROL_VMXON	(BIT(1) | BIT(2))	/* inside and outside of SMX */
#define FEATURE_CONTROL_OUTSIDE	BIT(2)

/* PAT after reset: WB WT UC- UC, twice. Core's page tables use entries 0 and 3. */
#define PAT_RESET		0x0007040600070406ull

#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_UD	6
#define VECTOR_DF	8
#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_MC	18
#define VECTOR_VE	20

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid" : "=a" (r.eax), "=b" (r.ebx), "=c" (r.ecx), "=d" (r.edx)
		     : "0" (leaf), "2" (subleaf));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

#define CR_ACCESSORS(name) \
static inline u64 read_##name(void) \
{ \
	u64 value; \
	asm volatile("mov %%" #name ", %0" : "=r" (value)); \
	return value; \
} \
static inline void write_##name(u64 value) \
{ \
	asm volatile("mov %0, %%" #name : : "r" (value) : "memory"); \
}

CR_ACCESSORS(cr0)
CR_ACCESSORS(cr2)
CR_ACCESSORS(cr3)
CR_ACCESSORS(cr4)
CR_ACCESSORS(dr0)
CR_ACCESSORS(dr1)
CR_ACCESSORS(dr2)
CR_ACCESSORS(dr3)
CR_ACCESSORS(dr6)

/**
 * struct descriptor_table - operand of LGDT, LIDT, SGDT and SIDT
 */
struct descriptor_table {
	u16 limit;
	u64 base;
} __attribute__((packed));

static inline void lgdt(const void *table)
{
	asm volatile("lgdt %0" : : "m" (*(const struct descriptor_table *)table));
}

static inline void lidt(const void *table)
{
	asm volatile("lidt %0" : : "m" (*(const struct descriptor_table *)table));
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return low | (u64)high << 32;
}

static inline void cpu_relax(void)
{
	asm volatile("pause");
}

/*
 * Instructions that may fault: the IDT's handler finds the faulting address in
 * .extable and goes on at the fixup. Each returns true when it did not fault.
 */
#define EXTABLE(from, to) \
	".pushsection .extable, \"a\"\n\t.quad " #from ", " #to "\n\t.popsection\n"

static inline bool rdmsr_safe(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	bool ok = false;

	asm volatile("1: rdmsr\n\tmovb $1, %0\n2:\n" EXTABLE(1b, 2b)
		     : "+q" (ok), "+a" (low), "+d" (high) : "c" (msr));
	*value = low | (u64)high << 32;
	return ok;
}

static inline bool wrmsr_safe(u32 msr, u64 value)
{
	bool ok = false;

	asm volatile("1: wrmsr\n\tmovb $1, %0\n2:\n" EXTABLE(1b, 2b)
		     : "+q" (ok) : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32))
		     : "memory");
	return ok;
}

static inline bool xsetbv_safe(u32 index, u64 value)
{
	bool ok = false;

	asm volatile("1: xsetbv\n\tmovb $1, %0\n2:\n" EXTABLE(1b, 2b)
		     : "+q" (ok) : "c" (index), "a" ((u32)value), "d" ((u32)(value >> 32))
		     : "memory");
	return ok;
}

#endif
