/* SPDX-License-Identifier: GPL-2.0-only */
/* A small Multiboot image that checks the machine that it is given. */
#ifndef SECOND_H
#define SECOND_H

#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_CODE64	0x18
#define VECTOR_UD	6
#define VECTOR_PIC	0x20
#define VECTOR_APIC	0x40
#define TRAP_NONE	256
#define AP_PAGE		0x7000
#define APIC_EOI	0xfee000b0

#define MSR_EFER	0xc0000080
#define EFER_LME	0x100
#define CR0_PE		0x00000001
#define CR0_ET		0x00000010
#define CR0_NE		0x00000020
#define CR0_CD_NW	0x60000000
#define CR0_PG		0x80000000
#define CR4_PSE		0x0010
#define CR4_PAE		0x0020
#define CR4_VMXE	0x2000

#ifndef __ASSEMBLER__
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define ALIAS		0x80000000u	/* linear address of ALIAS_PAGE, with paging */
#define ALIAS_PAGE	0x00c00000u

/**
 * struct entry_state - registers at the entry point, saved by entry.S
 */
struct entry_state {
	uint32_t eax, ebx, eflags, cr0, cr2, cr3, cr4, efer, dr6, dr7;
	uint32_t idt_limit, idt_base;
	uint32_t limit[6], access[6], flat[6];
};

/**
 * struct ap_state - another CPU, filled in by ap.S and smp.c
 */
struct ap_state {
	uint32_t cr0, cr4, efer, dr7, cs;
	uint32_t id, tpr, svr, lint0, lint1, timer, error;
	uint32_t pinged;
};

/* entry.S */
extern struct entry_state entry_state;
extern volatile uint32_t pit_ticks, apic_ticks, trap_vector;
void tables_load(void);
uint32_t trap(void (*fn)(void));
uint32_t long_mode(uint32_t cr3, uint32_t alias, uint64_t *value);

/* ap.S */
extern char ap_page[], ap_page_end[], ap_page_state[], ap_page_lock[];
void ap_main(const struct ap_state *state);

/* print.c */
void print(const char *format, ...);
bool check(bool ok, const char *format, ...);
void check_end(void) __attribute__((noreturn));

/* main.c */
extern bool on_core, aps_waiting;
extern uint32_t cpus_wanted;
bool hypercall_ping(void);
void *memcpy(void *to, const void *from, unsigned int size);
bool vmx_works(void);
void trap_unexpected(uint32_t vector, uint32_t eip) __attribute__((noreturn));

void test_memory(const uint32_t *info);
void test_interrupts(void);
void test_paging(void);
void test_smp(void);

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a" (value) : "Nd" (port));
	return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a" (value), "Nd" (port));
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	asm volatile("rdmsr" : "=A" (value) : "c" (msr));
	return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c" (msr), "A" (value) : "memory");
}

static inline uint32_t read_cr0(void)
{
	uint32_t value;

	asm volatile("mov %%cr0, %0" : "=r" (value));
	return value;
}

static inline void write_cr0(uint32_t value)
{
	asm volatile("mov %0, %%cr0" : : "r" (value) : "memory");
}

static inline uint32_t read_cr4(void)
{
	uint32_t value;

	asm volatile("mov %%cr4, %0" : "=r" (value));
	return value;
}

static inline void write_cr3(uint32_t value)
{
	asm volatile("mov %0, %%cr3" : : "r" (value) : "memory");
}

static inline void write_cr4(uint32_t value)
{
	asm volatile("mov %0, %%cr4" : : "r" (value) : "memory");
}

static inline uint32_t apic_read(uint32_t reg)
{
	return *(volatile uint32_t *)(0xfee00000u + reg);
}

static inline void apic_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(0xfee00000u + reg) = value;
}

#endif
#endif
