/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers, MSRs and instructions, under the SDM's names. */
#ifndef LHV_X86_H
#define LHV_X86_H

#define CR0_PE		0x00000001
#define CR0_MP		0x00000002
#define CR0_EM		0x00000004
#define CR0_TS		0x00000008
#define CR0_ET		0x00000010
#define CR0_NE		0x00000020
#define CR0_WP		0x00010000
#define CR0_AM		0x00040000
#define CR0_NW		0x20000000
#define CR0_CD		0x40000000
#define CR0_PG		0x80000000

#define CR4_VME		0x00000001
#define CR4_PVI		0x00000002
#define CR4_TSD		0x00000004
#define CR4_DE		0x00000008
#define CR4_PSE		0x00000010
#define CR4_PAE		0x00000020
#define CR4_MCE		0x00000040
#define CR4_PGE		0x00000080
#define CR4_PCE		0x00000100
#define CR4_OSFXSR	0x00000200
#define CR4_OSXMMEXCPT	0x00000400
#define CR4_UMIP	0x00000800
#define CR4_LA57	0x00001000
#define CR4_VMXE	0x00002000
#define CR4_SMXE	0x00004000
#define CR4_FSGSBASE	0x00010000
#define CR4_PCIDE	0x00020000
#define CR4_OSXSAVE	0x00040000
#define CR4_SMEP	0x00100000
#define CR4_SMAP	0x00200000
#define CR4_PKE		0x00400000
#define CR4_CET		0x00800000
#define CR4_PKS		0x01000000
#define CR4_LASS	0x08000000

#define EFER_SCE	0x001
#define EFER_LME	0x100
#define EFER_LMA	0x400
#define EFER_NXE	0x800

#define RFLAGS_CF	0x00000001
#define RFLAGS_FIXED	0x00000002
#define RFLAGS_TF	0x00000100
#define RFLAGS_IF	0x00000200
#define RFLAGS_RF	0x00010000
#define RFLAGS_AC	0x00040000

#define MSR_TSC			0x010
#define MSR_APIC_BASE		0x01b
#define MSR_FEATURE_CONTROL	0x03a
#define MSR_TSC_ADJUST		0x03b
#define MSR_BIOS_SIGN_ID	0x08b
#define MSR_MTRRCAP		0x0fe
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_DEBUGCTL		0x1d9
#define MSR_MTRR_PHYSBASE0	0x200
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_VMX_BASIC		0x480
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_FMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103

/* Selectors; the order is what SYSCALL, SYSRET, SYSENTER and SYSEXIT need. */
#define SEL_KCODE	0x08
#define SEL_KDATA	0x10
#define SEL_UCODE32	0x1b
#define SEL_UDATA	0x23
#define SEL_UCODE	0x2b
#define SEL_UDATA64	0x33
#define SEL_KCODE32	0x38
#define SEL_CODE16	0x40
#define SEL_DATA16	0x48
#define SEL_TSS		0x50
#define SEL_LDT		0x60
#define SEL_TEST	0x70	/* and up: for tests */
#define GDT_ENTRIES	24

#define VECTOR_DE	0
#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_BP	3
#define VECTOR_OF	4
#define VECTOR_UD	6
#define VECTOR_NM	7
#define VECTOR_DF	8
#define VECTOR_NP	11
#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_AC	17
#define VECTOR_MC	18

#ifndef __ASSEMBLER__
#include "types.h"

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

#define REGISTER_ACCESSORS(name) \
static inline u64 read_##name(void) \
{ \
	unsigned long value; \
	asm volatile("mov %%" #name ", %0" : "=r" (value)); \
	return value; \
} \
static inline void write_##name(u64 value) \
{ \
	asm volatile("mov %0, %%" #name : : "r" ((unsigned long)value) : "memory"); \
}

REGISTER_ACCESSORS(cr0)
REGISTER_ACCESSORS(cr2)
REGISTER_ACCESSORS(cr3)
REGISTER_ACCESSORS(cr4)
REGISTER_ACCESSORS(cr8)
REGISTER_ACCESSORS(dr0)
REGISTER_ACCESSORS(dr6)
REGISTER_ACCESSORS(dr7)

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return low | (u64)high << 32;
}

static inline u64 read_flags(void)
{
	unsigned long value;

	asm volatile("pushf\n\tpop %0" : "=r" (value));
	return value;
}

static inline void write_flags(u64 value)
{
	asm volatile("push %0\n\tpopf" : : "r" ((unsigned long)value) : "memory", "cc");
}

static inline void cpu_relax(void) { asm volatile("pause" ::: "memory"); }
static inline void irq_enable(void) { asm volatile("sti" ::: "memory"); }
static inline void irq_disable(void) { asm volatile("cli" ::: "memory"); }
static inline void irq_wait(void) { asm volatile("sti\n\thlt\n\tcli" ::: "memory"); }

static inline void invlpg(u64 addr)
{
	asm volatile("invlpg (%0)" : : "r" ((unsigned long)addr) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
	return value;
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a" (value), "Nd" (port));
}

static inline void outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a" (value), "Nd" (port));
}

static inline void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a" (value), "Nd" (port));
}

/**
 * struct table_register - operand of LGDT, SGDT, LIDT, SIDT
 */
struct table_register {
	u16 limit;
	unsigned long base;
} __attribute__((packed));

static inline struct table_register read_gdtr(void)
{
	struct table_register r;

	asm volatile("sgdt %0" : "=m" (r));
	return r;
}

static inline struct table_register read_idtr(void)
{
	struct table_register r;

	asm volatile("sidt %0" : "=m" (r));
	return r;
}

static inline void write_gdtr(const struct table_register *r)
{
	asm volatile("lgdt %0" : : "m" (*r) : "memory");
}

static inline void write_idtr(const struct table_register *r)
{
	asm volatile("lidt %0" : : "m" (*r) : "memory");
}

#endif /* !__ASSEMBLER__ */
#endif
