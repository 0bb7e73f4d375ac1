/* SPDX-License-Identifier: GPL-2.0-only */
/* kvm-run, the guest's side. Nothing of the C library may be used there. */
#ifndef KVM_RUN_GUEST_H
#define KVM_RUN_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define PORT_SYNC	0x500
#define PORT_CHECK	0x504
#define PORT_DONE	0x508
#define PORT_TRAP	0x50c

#define KERNEL_CS	0x08
#define KERNEL_DS	0x10
#define USER_DS		0x1b
#define USER_CS		0x23
#define TSS_SELECTOR	0x28

enum { DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, UD = 6, NM = 7, NP = 11, GP = 13, PF = 14, NO_TRAP = 255 };

/* What the entry stubs push. */
struct trap {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct check {
	uint64_t ok;
	const char *text;
};

/* The last expected trap, of the first CPU. */
struct caught {
	uint64_t vector, error, rip, cr2, dr6;
};

extern volatile struct caught caught;
extern volatile uint64_t trap_resume;
extern void (*volatile trap_handlers[256])(struct trap *trap);

void guest_main(void (*entry)(void)) __attribute__((noreturn));
void guest_check(bool ok, const char *text);
void guest_sync(uint32_t number);
void guest_done(void) __attribute__((noreturn));

/* An instruction that may trap: the vector, or NO_TRAP. Its trap ends behind it. */
#define guest_try(insn, ...) ({							\
	caught.vector = NO_TRAP;						\
	__asm__ volatile("movq $9f, trap_resume\n\t" insn "\n9:\n\t"		\
			 "movq $0, trap_resume" : : __VA_ARGS__);		\
	caught.vector; })

/* The tables that the host makes, and the guest may change. */
static inline volatile uint64_t *window_entry(int page)
{
	return (volatile uint64_t *)0x7000 + page;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a" (value), "Nd" (port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a" (value) : "Nd" (port) : "memory");
	return value;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a" (value) : "Nd" (port) : "memory");
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a" (value) : "Nd" (port) : "memory");
	return value;
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (index) : "memory");
	return low | (uint64_t)high << 32;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c" (index), "a" ((uint32_t)value), "d" (value >> 32) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t *out)
{
	__asm__ volatile("cpuid" : "=a" (out[0]), "=b" (out[1]), "=c" (out[2]), "=d" (out[3])
			 : "a" (leaf), "c" (sub) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | (uint64_t)high << 32;
}

#define DEFINE_CONTROL_REGISTER(name)						\
	static inline uint64_t read_##name(void)				\
	{									\
		uint64_t value;							\
										\
		__asm__ volatile("mov %%" #name ", %0" : "=r" (value) : : "memory");	\
		return value;							\
	}									\
	static inline void write_##name(uint64_t value)			\
	{									\
		__asm__ volatile("mov %0, %%" #name : : "r" (value) : "memory");	\
	}

DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)
DEFINE_CONTROL_REGISTER(cr8)
DEFINE_CONTROL_REGISTER(dr0)
DEFINE_CONTROL_REGISTER(dr6)
DEFINE_CONTROL_REGISTER(dr7)

static inline void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r" (address) : "memory");
}

static inline void irq_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* STI's shadow: no interrupt comes in between. */
static inline void irq_on_and_halt(void)
{
	__asm__ volatile("sti\n\thlt" : : : "memory");
}

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* --- the local APIC, in both of its modes */

#define APIC_BASE		0xfee00000ul
#define MSR_APIC_BASE		0x1b
#define APIC_BASE_X2		(1u << 10)
#define APIC_BASE_ENABLE	(1u << 11)
#define APIC_ID			0x20
#define APIC_TPR		0x80
#define APIC_EOI		0xb0
#define APIC_SPIV		0xf0
#define APIC_ISR		0x100
#define APIC_IRR		0x200
#define APIC_ICR		0x300
#define APIC_LVTT		0x320
#define APIC_TIMER_COUNT	0x380
#define APIC_TIMER_NOW		0x390
#define APIC_TIMER_DIVIDE	0x3e0
#define LVTT_PERIODIC		(1u << 17)
#define LVTT_DEADLINE		(2u << 17)
#define LVT_MASKED		(1u << 16)
#define ICR_NMI			0x400u
#define ICR_INIT		0x500u
#define ICR_STARTUP		0x600u
#define ICR_ASSERT		0x4000u
#define ICR_SELF		0x40000u
#define ICR_OTHERS		0xc0000u

extern volatile bool guest_x2apic;

void apic_enable(void);
uint32_t apic_read(uint32_t offset);
void apic_write(uint32_t offset, uint32_t value);
void apic_icr(uint32_t target, uint32_t value);

#endif
