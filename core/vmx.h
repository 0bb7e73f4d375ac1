/* SPDX-License-Identifier: GPL-2.0-only */
/* VMX: controls, exit reasons, instructions (SDM vol. 3, chapters 25 to 31). */
#ifndef CORE_VMX_H
#define CORE_VMX_H

#include "types.h"
#include "vmcs_fields.h"
#include "x86.h"

/* Pin-based, primary and secondary processor-based controls (SDM vol. 3, 25.6.1 and 25.6.2) */
#define PIN_EXTERNAL		BIT(0)
#define PIN_NMI			BIT(3)
#define PIN_VIRTUAL_NMIS	BIT(5)
#define PIN_TIMER		BIT(6)
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
#define SECONDARY_APIC_REGISTER	BIT(8)
#define SECONDARY_VID		BIT(9)
#define SECONDARY_PLE		BIT(10)
#define SECONDARY_RDRAND	BIT(11)
#define SECONDARY_INVPCID	BIT(12)
#define SECONDARY_VMFUNC	BIT(13)
#define SECONDARY_SHADOW	BIT(14)
#define SECONDARY_RDSEED	BIT(16)
#define SECONDARY_PML		BIT(17)
#define SECONDARY_VE		BIT(18)
#define SECONDARY_XSAVES	BIT(20)
#define SECONDARY_TSC_SCALING	BIT(25)
#define SECONDARY_WAITPKG	BIT(26)
#define SECONDARY_PCONFIG	BIT(27)

#define TERTIARY_MSR_LIST	BIT(6)

#define FUNCTION_EPTP_SWITCHING	BIT(0)

#define EXIT_SAVE_DEBUG		BIT(2)
#define EXIT_HOST64		BIT(9)
#define EXIT_LOAD_PERF_CONTROL	BIT(12)
#define EXIT_ACK_INTERRUPT	BIT(15)
#define EXIT_SAVE_PAT		BIT(18)
#define EXIT_LOAD_PAT		BIT(19)
#define EXIT_SAVE_EFER		BIT(20)
#define EXIT_LOAD_EFER		BIT(21)
#define EXIT_SAVE_TIMER		BIT(22)
#define EXIT_LOAD_CET		BIT(28)
#define EXIT_LOAD_PKRS		BIT(29)

#define ENTRY_LOAD_DEBUG	BIT(2)
#define ENTRY_IA32E		BIT(9)
#define ENTRY_LOAD_PERF_CONTROL	BIT(13)
#define ENTRY_LOAD_PAT		BIT(14)
#define ENTRY_LOAD_EFER		BIT(15)
#define ENTRY_LOAD_CET		BIT(20)
#define ENTRY_LOAD_PKRS		BIT(22)

#define VMX_BASIC_TRUE_CONTROLS	BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56)
#define VMX_MISC_WRITE_ALL	BIT(29)
#define VMX_MISC_LENGTH_0	BIT(30)
/* IA32_VMX_EPT_VPID_CAP (SDM vol. 3, appendix A.10) */
#define EPT_CAP_XONLY		BIT(0)
#define EPT_CAP_WALK4		BIT(6)
#define EPT_CAP_UC		BIT(8)
#define EPT_CAP_WB		BIT(14)
#define EPT_CAP_2M		BIT(16)
#define EPT_CAP_1G		BIT(17)
#define EPT_CAP_INVEPT		BIT(20)
#define EPT_CAP_AD		BIT(21)
#define EPT_CAP_ADVANCED	BIT(22)
#define EPT_CAP_INVEPT_SINGLE	BIT(25)
#define EPT_CAP_INVEPT_ALL	BIT(26)
#define EPT_CAP_INVVPID		(BIT(32) | BIT(40) | BIT(41) | BIT(42) | BIT(43))

/* Basic exit reasons (SDM vol. 3, appendix C) */
enum exit_reason {
	EXIT_EXCEPTION		= 0,
	EXIT_EXTERNAL		= 1,
	EXIT_TRIPLE_FAULT	= 2,
	EXIT_INIT		= 3,
	EXIT_SIPI		= 4,
	EXIT_INTERRUPT_WINDOW	= 7,
	EXIT_NMI_WINDOW		= 8,
	EXIT_TASK_SWITCH	= 9,
	EXIT_CPUID		= 10,
	EXIT_GETSEC		= 11,
	EXIT_INVD		= 13,
	EXIT_VMCALL		= 18,
	EXIT_VMCLEAR		= 19,
	EXIT_VMLAUNCH		= 20,
	EXIT_VMPTRLD		= 21,
	EXIT_VMPTRST		= 22,
	EXIT_VMREAD		= 23,
	EXIT_VMRESUME		= 24,
	EXIT_VMWRITE		= 25,
	EXIT_VMXOFF		= 26,
	EXIT_VMXON		= 27,
	EXIT_CR_ACCESS		= 28,
	EXIT_RDMSR		= 31,
	EXIT_WRMSR		= 32,
	EXIT_ENTRY_GUEST_STATE	= 33,
	EXIT_ENTRY_MSR_LOAD	= 34,
	EXIT_MTF		= 37,
	EXIT_ENTRY_MCE		= 41,
	EXIT_APIC_ACCESS	= 44,
	EXIT_GDTR_IDTR		= 46,
	EXIT_LDTR_TR		= 47,
	EXIT_EPT_VIOLATION	= 48,
	EXIT_EPT_MISCONFIG	= 49,
	EXIT_INVEPT		= 50,
	EXIT_TIMER		= 52,
	EXIT_INVVPID		= 53,
	EXIT_XSETBV		= 55,
	EXIT_VMFUNC		= 59,
	EXIT_PML_FULL		= 62,
	EXIT_SEAMCALL		= 76,
	EXIT_TDCALL		= 77,
	EXIT_RDMSRLIST		= 78,
	EXIT_WRMSRLIST		= 79,
};
#define EXIT_REASON_BASIC	0xffffu
#define EXIT_REASON_ENTRY_FAIL	BIT(31)

/* Event fields: vector, type, error code valid, valid (SDM vol. 3, 25.8.3) */
#define EVENT_VECTOR		0xffu
#define EVENT_TYPE		0x700u
#define EVENT_TYPE_EXTERNAL	0x000u
#define EVENT_TYPE_RESERVED	0x100u
#define EVENT_TYPE_NMI		0x200u
#define EVENT_TYPE_HARD		0x300u
#define EVENT_TYPE_SOFT_INT	0x400u
#define EVENT_TYPE_PRIV_SOFT	0x500u
#define EVENT_TYPE_SOFT		0x600u
#define EVENT_TYPE_OTHER	0x700u
#define EVENT_ERROR_CODE	BIT(11)
#define EVENT_VALID		BIT(31)
#define EVENT_UNDEFINED		BIT(12)	/* in IDT-vectoring information */
#define EVENT_NMI_IRET		BIT(12)	/* in exit interruption information: IRET unblocked NMIs */

/* Exit qualification of an EPT violation (SDM vol. 3, table 28-7) */
#define EPT_VIOLATION_RIGHTS	3	/* shift of what the entries allow */
#define EPT_VIOLATION_WRITE	BIT(1)
#define EPT_VIOLATION_FETCH	BIT(2)
#define EPT_VIOLATION_LINEAR	BIT(7)	/* there is a linear address */
#define EPT_VIOLATION_TRANSLATED BIT(8)	/* the access is to what it leads to */
#define EPT_VIOLATION_ASYNC	BIT(16)	/* not by the instruction: a record of a counter */
#define EPT_VIOLATION_NMI_IRET	BIT(12)	/* IRET has unblocked NMIs already */

#define BLOCKING_STI		BIT(0)
#define BLOCKING_MOV_SS		BIT(1)
#define BLOCKING_NMI		BIT(3)

#define PENDING_DEBUG_BS	BIT(14)

enum { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

#define SEGMENT_UNUSABLE	BIT(16)
#define SEGMENT_L		BIT(13)
#define SEGMENT_DB		BIT(14)
#define SEGMENT_DPL(access)	((access) >> 5 & 3)

static inline u64 vmread(u64 field)
{
	u64 value;

	asm volatile("vmread %1, %0" : "=r" (value) : "r" (field) : "cc");
	return value;
}

/** vmwrite - write a field that exists on this CPU; true when that worked */
static inline bool vmwrite(u64 field, u64 value)
{
	bool fail;

	asm volatile("vmwrite %2, %1" : "=@ccbe" (fail) : "r" (field), "r" (value));
	return !fail;
}

#define VMX_POINTER_INSN(name) \
static inline u64 name(u64 pa) \
{ \
	u64 flags; \
	asm volatile(#name " %1\n\tpushfq\n\tpopq %0" : "=r" (flags) : "m" (pa) : "cc", "memory"); \
	return flags & (RFLAGS_CF | RFLAGS_ZF) ? flags : 0; \
}

/* Each returns 0, or RFLAGS as the instruction left them (SDM vol. 3, 31.2). */
VMX_POINTER_INSN(vmxon)
VMX_POINTER_INSN(vmclear)
VMX_POINTER_INSN(vmptrld)

static inline void vmxoff(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
}

static inline void invept_all(void)
{
	u64 descriptor[2] = { 0, 0 };

	asm volatile("invept %0, %1" : : "m" (descriptor), "r" (2ull) : "cc", "memory");
}

static inline void invvpid(u64 type, u64 vpid)
{
	u64 descriptor[2] = { vpid, 0 };

	asm volatile("invvpid %0, %1" : : "m" (descriptor), "r" (type) : "cc", "memory");
}

static inline void invvpid_single(u64 vpid)
{
	invvpid(1, vpid);
}

static inline void invvpid_all(void)
{
	invvpid(2, 0);
}

/** vmx_launch - VMLAUNCH with this RAX; returns RFLAGS, and only if it fails */
u64 vmx_launch(u64 rax);

#endif
