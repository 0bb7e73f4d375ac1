// SPDX-License-Identifier: GPL-2.0-only
/* kvm-run, the guest's side: its tables, traps, results and APIC. */
#include "guest.h"
#include "vm.h"

#define RFLAGS_TF	0x100ul

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, zero;
} __attribute__((packed));

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern char trap_stubs[];

void guest_trap(struct trap *trap);

volatile struct caught caught;
volatile uint64_t trap_resume;
void (*volatile trap_handlers[256])(struct trap *trap);
volatile bool guest_x2apic;
/* for the trampoline */
volatile uint64_t second_stack, second_entry;

static struct gate idt[256];
static uint64_t tss[13];
static uint64_t gdt[7] = {
	0,
	0x00af9b000000ffff,	/* KERNEL_CS */
	0x00cf93000000ffff,
	0x00cff3000000ffff,	/* USER_DS */
	0x00affb000000ffff,
};

static void make_tables(void)
{
	uint64_t base = (uint64_t)tss, stub;

	for (int i = 0; i < 256; i++) {
		stub = (uint64_t)trap_stubs + 16 * i;
		/* all may be called by user mode */
		idt[i] = (struct gate){ stub, KERNEL_CS, 0, 0xee, stub >> 16, stub >> 32, 0 };
	}
	gdt[5] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[6] = base >> 32;
	/* RSP0 */
	*(uint64_t *)((char *)tss + 4) = STACKS + (MAX_VCPUS + 1) * STACK_SIZE;
	/* no bitmap of ports: user mode may use none */
	*(uint16_t *)((char *)tss + 102) = sizeof(tss);
}

static void load_tables(void)
{
	struct pointer gdtr = { sizeof(gdt) - 1, (uint64_t)gdt };
	struct pointer idtr = { sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lgdt %0\n\tlidt %1" : : "m" (gdtr), "m" (idtr) : "memory");
}

/* Each CPU comes here, by the host's choice of registers or by the trampoline. */
void guest_main(void (*entry)(void))
{
	static volatile bool is_second;

	if (!is_second) {
		is_second = true;
		make_tables();
		load_tables();
		__asm__ volatile("ltr %w0" : : "r" (TSS_SELECTOR));
	} else {
		load_tables();
	}
	entry();
	guest_done();
}

void guest_check(bool ok, const char *text)
{
	volatile struct check check = { ok, text };

	outl(PORT_CHECK, (uint32_t)(uint64_t)&check);
}

void guest_sync(uint32_t number)
{
	outl(PORT_SYNC, number);
}

void guest_done(void)
{
	for (;;)
		outl(PORT_DONE, 0);
}

static void catch(struct trap *trap)
{
	caught.cr2 = read_cr2();
	caught.dr6 = read_dr6();
	caught.error = trap->error;
	caught.rip = trap->rip;
	caught.vector = trap->vector;
	trap->rip = trap_resume;
	trap->rflags &= ~RFLAGS_TF;
	trap_resume = 0;
}

void guest_trap(struct trap *trap)
{
	if (trap_handlers[trap->vector])
		trap_handlers[trap->vector](trap);
	else if (trap_resume)
		catch(trap);
	else
		outl(PORT_TRAP, (uint32_t)(uint64_t)trap);
}

/* --- the local APIC */

void apic_enable(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, guest_x2apic ? base | APIC_BASE_X2 : base);
	apic_write(APIC_SPIV, 0x1ff);
	apic_write(APIC_TPR, 0);
}

uint32_t apic_read(uint32_t offset)
{
	if (guest_x2apic)
		return rdmsr(0x800 + offset / 16);
	return *(volatile uint32_t *)(APIC_BASE + offset);
}

void apic_write(uint32_t offset, uint32_t value)
{
	if (guest_x2apic)
		wrmsr(0x800 + offset / 16, value);
	else
		*(volatile uint32_t *)(APIC_BASE + offset) = value;
}

void apic_icr(uint32_t target, uint32_t value)
{
	if (guest_x2apic) {
		wrmsr(0x800 + APIC_ICR / 16, (uint64_t)target << 32 | value);
	} else {
		apic_write(APIC_ICR + 0x10, target << 24);
		apic_write(APIC_ICR, value);
	}
}
