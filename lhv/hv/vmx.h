/* SPDX-License-Identifier: GPL-2.0-only */
/* VMX as a hypervisor sees it: controls, exit reasons, instructions. */
#ifndef LHV_HV_VMX_H
#define LHV_HV_VMX_H

#include "../types.h"
#include "fields.h"

#define PIN_EXTERNAL		BIT(0)
#define PIN_NMI			BIT(3)
#define PIN_VIRTUAL_NMIS	BIT(5)
#define PIN_PREEMPTION_TIMER	BIT(6)
#define PIN_POSTED		BIT(7)

#define PRIMARY_INTERRUPT_WINDOW BIT(2)
#define PRIMARY_TSC_OFFSET	BIT(3)
#define PRIMARY_HLT		BIT(7)
#define PRIMARY_INVLPG		BIT(9)
#define PRIMARY_MWAIT		BIT(10)
#define PRIMARY_RDPMC		BIT(11)
#define PRIMARY_RDTSC		BIT(12)
#define PRIMARY_CR3_LOAD	BIT(15)
#define PRIMARY_CR3_STORE	BIT(16)
#define PRIMARY_TERTIARY	BIT(17)
#define PRIMARY_CR8_LOAD	BIT(19)
#define PRIMARY_CR8_STORE	BIT(20)
#define PRIMARY_TPR_SHADOW	BIT(21)
#define PRIMARY_NMI_WINDOW	BIT(22)
#define PRIMARY_MOV_DR		BIT(23)
#define PRIMARY_IO		BIT(24)
#define PRIMARY_IO_BITMAPS	BIT(25)
#define PRIMARY_MTF		BIT(27)
#define PRIMARY_MSR_BITMAPS	BIT(28)
#define PRIMARY_MONITOR		BIT(29)
#define PRIMARY_PAUSE		BIT(30)
#define PRIMARY_SECONDARY	BIT(31)

#define SECONDARY_APIC_ACCESS	BIT(0)
#define SECONDARY_EPT		BIT(1)
#define SECONDARY_DESCRIPTORS	BIT(2)
#define SECONDARY_RDTSCP	BIT(3)
#define SECONDARY_X2APIC	BIT(4)
#define SECONDARY_VPID		BIT(5)
#define SECONDARY_WBINVD	BIT(6)
#define SECONDARY_UNRESTRICTED	BIT(7)
#define SECONDARY_APIC_REGISTERS BIT(8)
#define SECONDARY_VIRTUAL_INTERRUPTS BIT(9)
#define SECONDARY_PLE		BIT(10)
#define SECONDARY_RDRAND	BIT(11)
#define SECONDARY_INVPCID	BIT(12)
#define SECONDARY_VMFUNC	BIT(13)
#define SECONDARY_SHADOWING	BIT(14)
#define SECONDARY_RDSEED	BIT(16)
#define SECONDARY_PML		BIT(17)
#define SECONDARY_VE		BIT(18)
#define SECONDARY_XSAVES	BIT(20)
#define SECONDARY_TSC_SCALING	BIT(25)

#define EXIT_SAVE_DEBUG		BIT(2)
#define EXIT_HOST64		BIT(9)
#define EXIT_LOAD_PERF		BIT(12)
#define EXIT_ACKNOWLEDGE	BIT(15)
#define EXIT_SAVE_PAT		BIT(18)
#define EXIT_LOAD_PAT		BIT(19)
#define EXIT_SAVE_EFER		BIT(20)
#define EXIT_LOAD_EFER		BIT(21)
#define EXIT_SAVE_TIMER		BIT(22)
#define EXIT_LOAD_CET		BIT(28)
#define EXIT_LOAD_PKRS		BIT(29)

#define ENTRY_LOAD_DEBUG	BIT(2)
#define ENTRY_IA32E		BIT(9)
#define ENTRY_SMM		BIT(10)
#define ENTRY_DUAL_MONITOR	BIT(11)
#define ENTRY_LOAD_PERF		BIT(13)
#define ENTRY_LOAD_PAT		BIT(14)
#define ENTRY_LOAD_EFER		BIT(15)
#define ENTRY_LOAD_CET		BIT(20)
#define ENTRY_LOAD_PKRS		BIT(22)

/* IA32_VMX_BASIC, IA32_VMX_MISC, IA32_VMX_EPT_VPID_CAP */
#define BASIC_REVISION(basic)	((u32)(basic) & 0x7fffffff)
#define BASIC_SIZE(basic)	((u32)((basic) >> 32) & 0x1fff)
#define BASIC_32BIT		BIT(48)
#define BASIC_TYPE(basic)	((u32)((basic) >> 50) & 15)
#define BASIC_INS_OUTS		BIT(54)
#define BASIC_TRUE_CONTROLS	BIT(55)
#define BASIC_ANY_ERROR_CODE	BIT(56)
#define MISC_TIMER_SHIFT(misc)	((u32)(misc) & 31)
#define MISC_SAVES_LMA		BIT(5)
#define MISC_HLT		BIT(6)
#define MISC_SHUTDOWN		BIT(7)
#define MISC_WAIT_SIPI		BIT(8)
#define MISC_CR3_TARGETS(misc)	((u32)((misc) >> 16) & 0x1ff)
#define MISC_MSR_LIST(misc)	(512u * (((u32)((misc) >> 25) & 7) + 1))
#define MISC_WRITES_ALL		BIT(29)
#define MISC_LENGTH_0		BIT(30)
#define EPT_CAP_EXECUTE_ONLY	BIT(0)
#define EPT_CAP_WALK4		BIT(6)
#define EPT_CAP_UC		BIT(8)
#define EPT_CAP_WB		BIT(14)
#define EPT_CAP_2M		BIT(16)
#define EPT_CAP_1G		BIT(17)
#define EPT_CAP_INVEPT		BIT(20)
#define EPT_CAP_AD		BIT(21)
#define EPT_CAP_EXIT_INFO	BIT(22)
#define EPT_CAP_INVEPT_SINGLE	BIT(25)
#define EPT_CAP_INVEPT_ALL	BIT(26)
#define VPID_CAP_INVVPID	BIT(32)
#define VPID_CAP_TYPE(type)	BIT(40 + (type))

/* Basic exit reasons (SDM vol. 3, appendix C) */
enum {
	REASON_EXCEPTION, REASON_EXTERNAL, REASON_TRIPLE_FAULT, REASON_INIT, REASON_SIPI,
	REASON_INTERRUPT_WINDOW = 7, REASON_NMI_WINDOW, REASON_TASK_SWITCH, REASON_CPUID,
	REASON_GETSEC, REASON_HLT, REASON_INVD, REASON_INVLPG, REASON_RDPMC, REASON_RDTSC,
	REASON_RSM, REASON_VMCALL, REASON_VMCLEAR, REASON_VMLAUNCH, REASON_VMPTRLD,
	REASON_VMPTRST, REASON_VMREAD, REASON_VMRESUME, REASON_VMWRITE, REASON_VMXOFF,
	REASON_VMXON, REASON_CR, REASON_DR, REASON_IO, REASON_RDMSR, REASON_WRMSR,
	REASON_ENTRY_GUEST_STATE, REASON_ENTRY_MSR, REASON_MWAIT = 36, REASON_MTF,
	REASON_MONITOR = 39, REASON_PAUSE, REASON_ENTRY_MCE, REASON_TPR_THRESHOLD = 43,
	REASON_APIC_ACCESS, REASON_EOI, REASON_GDTR_IDTR, REASON_LDTR_TR, REASON_EPT_VIOLATION,
	REASON_EPT_MISCONFIG, REASON_INVEPT, REASON_RDTSCP, REASON_TIMER, REASON_INVVPID,
	REASON_WBINVD, REASON_XSETBV, REASON_APIC_WRITE, REASON_RDRAND, REASON_INVPCID,
	REASON_VMFUNC, REASON_ENCLS, REASON_RDSEED, REASON_PML_FULL, REASON_XSAVES,
	REASON_XRSTORS,
};
#define REASON_BASIC		0xffffu
#define REASON_ENTRY_FAILED	BIT(31)

/* VM-instruction errors (SDM vol. 3, 31.4) */
enum {
	VMERR_VMCALL_IN_ROOT = 1, VMERR_VMCLEAR_ADDRESS, VMERR_VMCLEAR_VMXON,
	VMERR_LAUNCH_NOT_CLEAR, VMERR_RESUME_NOT_LAUNCHED, VMERR_RESUME_AFTER_VMXOFF,
	VMERR_CONTROLS, VMERR_HOST_STATE, VMERR_VMPTRLD_ADDRESS, VMERR_VMPTRLD_VMXON,
	VMERR_VMPTRLD_REVISION, VMERR_FIELD, VMERR_READ_ONLY, VMERR_VMXON_IN_ROOT = 15,
	VMERR_MOV_SS = 26, VMERR_INVALIDATE = 28,
};

/* Fields that describe an event (SDM vol. 3, 25.8.3, 25.9.2, 25.9.3) */
#define EVENT_VECTOR(event)	((u32)(event) & 0xff)
#define EVENT_TYPE(event)	((u32)(event) >> 8 & 7)
enum {
	EVENT_EXTERNAL, EVENT_NMI = 2, EVENT_HARD, EVENT_SOFT_INT, EVENT_PRIV_SOFT, EVENT_SOFT,
	EVENT_OTHER
};
#define EVENT_ERROR_CODE	0x800u
#define EVENT_NMI_IRET		0x1000u	/* exit event: IRET has unblocked NMIs */
#define EVENT_VALID		0x80000000u
#define EVENT(type, vector)	(EVENT_VALID | (u32)(type) << 8 | (vector))

#define BLOCKING_STI		1u
#define BLOCKING_MOV_SS		2u
#define BLOCKING_NMI		8u
enum { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

#define RFLAGS_ZF		0x40u
#define VMFAIL_INVALID		1u	/* RFLAGS.CF */
#define VMFAIL_VALID		0x40u	/* RFLAGS.ZF */
#define VMFAIL_FLAGS		0x8d5u	/* CF PF AF ZF SF OF */

/* Each instruction returns the arithmetic flags that it leaves; 0 is VMsucceed. */
#define VMX_POINTER_INSN(name) \
static inline u32 name(u64 pa) \
{ \
	unsigned long flags; \
	asm volatile(#name " %1\n\tpushf\n\tpop %0" \
		     : "=r" (flags) : "m" (pa) : "cc", "memory"); \
	return (u32)flags & VMFAIL_FLAGS; \
}

VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)

static inline u32 vmxoff(void)
{
	unsigned long flags;

	asm volatile("vmxoff\n\tpushf\n\tpop %0" : "=r" (flags) : : "cc", "memory");
	return (u32)flags & VMFAIL_FLAGS;
}

static inline u32 vmptrst(u64 *pa)
{
	unsigned long flags;

	asm volatile("vmptrst %1\n\tpushf\n\tpop %0"
		     : "=r" (flags), "=m" (*pa) : : "cc", "memory");
	return (u32)flags & VMFAIL_FLAGS;
}

#include <vmcs_access.h>

#define VMX_INVALIDATE_INSN(name) \
static inline u32 name(u64 type, u64 first, u64 second) \
{ \
	u64 descriptor[2] = { first, second }; \
	unsigned long flags; \
	asm volatile(#name " %1, %2\n\tpushf\n\tpop %0" \
		     : "=r" (flags) : "m" (descriptor), "r" (NATURAL(type)) \
		     : "cc", "memory"); \
	return (u32)flags & VMFAIL_FLAGS; \
}

enum { INVEPT_SINGLE = 1, INVEPT_ALL };
enum { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_KEEP_GLOBAL };
VMX_INVALIDATE_INSN(invept)
VMX_INVALIDATE_INSN(invvpid)

static inline u64 vmread(u64 field)
{
	u64 value = 0;

	vmread_flags(field, &value);
	return value;
}

/* Return: false if it failed */
static inline bool vmwrite(u64 field, u64 value)
{
	return !vmwrite_flags(field, value);
}

#endif
