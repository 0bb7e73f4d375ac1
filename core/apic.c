// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC is the guest's own: no access to it exits. Only when the loader
 * asks for it (LATCH_BOOT_ICR) are writes of the interrupt command register seen:
 * in x2APIC mode by the MSR bitmap, in xAPIC mode by taking the right to write
 * from the APIC's page, on whichever page a CPU has it. What they are seen for is
 * INIT: the guest's becomes a request beside a kick, so that the two can never
 * merge into one signal (SDM vol. 3, 11.6 and 11.12).
 */
#include "apic.h"
#include "core.h"
#include "ept.h"
#include "ept_guest.h"
#include "ept_view.h"
#include "event.h"
#include "fetch.h"
#include "gpr.h"
#include "kick.h"
#include "paging.h"
#include "pool.h"
#include "startup.h"
#include "vmx.h"

#define APIC_TPR	0x080u
#define APIC_EOI	0x0b0u
#define APIC_LDR	0x0d0u
#define APIC_DFR	0x0e0u
#define APIC_SVR	0x0f0u
#define APIC_ISR	0x100u
#define APIC_LVT_TIMER	0x320u
#define APIC_LVT_LINT0	0x350u
#define APIC_LVT_LINT1	0x360u
#define APIC_LVT_ERROR	0x370u
#define APIC_TMICT	0x380u
#define APIC_TDCR	0x3e0u
#define SVR_RESET	0xffu
#define SVR_ENABLED	BIT(8)
#define TPR_ALL		0xffu
#define LVT_NMI		0x400u
#define LVT_EXTINT	0x700u
#define LVT_MASKED	BIT(16)
#define MAX_NESTED	240	/* interrupts that can be in service */

#define ICR_MODE	0x700u
#define ICR_MODE_INIT	0x500u
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_SHORTHAND	0xc0000u
enum { SHORT_NONE, SHORT_SELF = 0x40000, SHORT_ALL = 0x80000, SHORT_OTHERS = 0xc0000 };
#define DEST_ALL_XAPIC	0xffu
#define DEST_ALL_X2APIC	0xffffffffu
#define DFR_FLAT	0xf0000000u

/**
 * struct ipi - one write of the interrupt command register
 * @sender: the CPU that writes
 * @low: delivery mode, destination mode, shorthand, level
 * @dest: destination, 8 bits in xAPIC mode, else 32
 * @x2apic: mode of the sender's APIC
 */
struct ipi {
	const struct percpu *sender;
	u32 low, dest;
	bool x2apic;
};

/** apic_map - a CPU's own APIC registers, in xAPIC mode, by its APIC base */
volatile u32 *apic_map(const struct percpu *cpu, u64 base)
{
	return paging_window(cpu, base & core.phys_mask, PTE_RW | PTE_UNCACHED);
}

static bool is_xapic(u64 base)
{
	return (base & (APIC_BASE_ENABLED | APIC_BASE_X2APIC)) == APIC_BASE_ENABLED;
}

static u64 page_of(u64 base)
{
	return base & core.phys_mask;
}

static bool is_intercepted(void)
{
	return boot.flags & LATCH_BOOT_ICR;
}

/* Some CPU has its APIC there, and its writes are to be seen. */
static bool is_watched(u64 page)
{
	u32 i;

	for (i = 0; i < boot.nr_cpus && is_intercepted(); i++)
		if (is_xapic(READ_ONCE(percpu_of(i)->apic_base)) &&
		    page_of(percpu_of(i)->apic_base) == page)
			return true;
	return false;
}

/** apic_is_at - has some CPU its APIC there, so that the page shows it no memory */
bool apic_is_at(u64 page)
{
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++)
		if (page_of(READ_ONCE(percpu_of(i)->apic_base)) == page)
			return true;
	return false;
}

static void deny_writes(struct percpu *cpu, u64 page, u64 bits)
{
	if (!ept_guest_deny(cpu, page, 1, EPT_DENY_APIC, bits))
		ept_guest_shoot_down(cpu);
}

static void follow_base(struct percpu *cpu, u64 value)
{
	u64 old = cpu->apic_base;

	WRITE_ONCE(cpu->apic_base, value);
	if (!is_intercepted())
		return;
	if (is_xapic(value))
		deny_writes(cpu, page_of(value), EPT_DENY_APIC);
	if (is_xapic(old) && !is_watched(page_of(old)))
		deny_writes(cpu, page_of(old), 0);
}

/** apic_join - this CPU is under Latch from now on */
void apic_join(struct percpu *cpu)
{
	u64 base = rdmsr(MSR_APIC_BASE);
	volatile u32 *apic;

	follow_base(cpu, base);
	if (!is_intercepted() || !is_xapic(base))
		return;
	apic = apic_map(cpu, base);
	cpu->apic_ldr = apic[APIC_LDR / 4];
	cpu->apic_dfr = apic[APIC_DFR / 4];
}

static u32 register_read(const struct percpu *cpu, u64 base, u32 offset)
{
	if (base & APIC_BASE_X2APIC)
		return (u32)rdmsr(MSR_X2APIC_FIRST + offset / 16);
	return apic_map(cpu, base)[offset / 4];
}

static void register_write(const struct percpu *cpu, u64 base, u32 offset, u32 value)
{
	if (base & APIC_BASE_X2APIC)
		wrmsr_safe(MSR_X2APIC_FIRST + offset / 16, value);
	else
		apic_map(cpu, base)[offset / 4] = value;
}

/*
 * What a CPU without an APIC does: INTR and NMI are its own pins (SDM vol. 3,
 * 11.4.3), and nobody else interrupts it.
 */
static void wire_pins(const struct percpu *cpu, u64 base)
{
	register_write(cpu, base, APIC_TPR, TPR_ALL);
	register_write(cpu, base, APIC_SVR, SVR_RESET | SVR_ENABLED);
	register_write(cpu, base, APIC_LVT_LINT0, LVT_EXTINT);
	register_write(cpu, base, APIC_LVT_LINT1, LVT_NMI);
}

/** apic_read_base - IA32_APIC_BASE as the guest has written it */
u64 apic_read_base(const struct percpu *cpu)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	return cpu->apic_off ? base & ~APIC_BASE_ENABLED : base;
}

/*
 * Without its APIC a CPU could get no kick and send none. So "disabled" is xAPIC
 * mode, see wire_pins(), and only what the CPU cannot know is checked here: what
 * is forbidden from and in the disabled state (SDM vol. 3, 11.12.5).
 */
static bool change_mode(const struct percpu *cpu, u64 value)
{
	bool off = !(value & APIC_BASE_ENABLED), x2apic = value & APIC_BASE_X2APIC;

	if (x2apic && (off || cpu->apic_off))
		return false;
	/* Which resets it; and from x2APIC to xAPIC mode there is no other way. */
	if ((off || cpu->apic_off) && !wrmsr_safe(MSR_APIC_BASE, value & ~APIC_BASE_ENABLED))
		return false;
	return wrmsr_safe(MSR_APIC_BASE, value | APIC_BASE_ENABLED);
}

/**
 * apic_write_base - the guest writes IA32_APIC_BASE
 *
 * Over core's memory the APIC's page would lie for root mode too: refused.
 * Context: behind kick_hold(), as there may be no APIC for a moment; kicks are
 * released. Return: false for #GP.
 */
bool apic_write_base(struct percpu *cpu, u64 value)
{
	bool off = !(value & APIC_BASE_ENABLED), good;

	good = ept_view_is_free(page_of(value)) && change_mode(cpu, value);
	kick_release(cpu);
	if (!good)
		return false;
	follow_base(cpu, value);
	if (off || cpu->apic_off) {
		cpu->apic_ldr = 0;
		cpu->apic_dfr = ~0u;
	}
	cpu->apic_off = off;
	if (off)
		wire_pins(cpu, value);
	return true;
}

/** apic_leave - Latch leaves this CPU: what the guest has switched off is off */
void apic_leave(const struct percpu *cpu)
{
	if (cpu->apic_off)
		wrmsr(MSR_APIC_BASE, apic_read_base(cpu));
}

static bool is_in_service(const struct percpu *cpu, u64 base)
{
	u32 any = 0, i;

	for (i = 0; i < 8; i++)
		any |= register_read(cpu, base, APIC_ISR + 16 * i);
	return any;
}

/**
 * apic_reset - what INIT does to the local APIC, where it is an exit instead
 *
 * All but the ID and, in x2APIC mode, what is derived from it (SDM vol. 3,
 * 11.4.7.3). Interrupts that are requested but not in service stay: nobody can
 * take them back.
 */
void apic_reset(struct percpu *cpu)
{
	u64 base = rdmsr(MSR_APIC_BASE);
	u32 lvt, i;

	if (!(base & APIC_BASE_ENABLED))
		return;
	for (lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		register_write(cpu, base, lvt, LVT_MASKED);
	register_write(cpu, base, APIC_TMICT, 0);
	register_write(cpu, base, APIC_TDCR, 0);
	register_write(cpu, base, APIC_TPR, 0);
	for (i = 0; i < MAX_NESTED && is_in_service(cpu, base); i++)
		register_write(cpu, base, APIC_EOI, 0);
	if (!(base & APIC_BASE_X2APIC)) {
		register_write(cpu, base, APIC_LDR, 0);
		register_write(cpu, base, APIC_DFR, ~0u);
		cpu->apic_ldr = 0;
		cpu->apic_dfr = ~0u;
	}
	register_write(cpu, base, APIC_SVR, SVR_RESET);
	if (cpu->apic_off)
		wire_pins(cpu, base);
}

static bool is_logical_dest(const struct ipi *ipi, const struct percpu *target)
{
	u32 id = target->apic_id, ldr = target->apic_ldr >> 24;

	if (ipi->x2apic)
		return ipi->dest >> 16 == id >> 4 && ipi->dest & BIT(id & 15);
	if ((target->apic_dfr & DFR_FLAT) == DFR_FLAT)
		return ldr & ipi->dest;
	return (ldr ^ ipi->dest) >> 4 == 0 && ldr & ipi->dest & 15;
}

static bool is_dest(const struct ipi *ipi, const struct percpu *target)
{
	switch (ipi->low & ICR_SHORTHAND) {
	case SHORT_SELF:
		return target == ipi->sender;
	case SHORT_ALL:
		return true;
	case SHORT_OTHERS:
		return target != ipi->sender;
	}
	if (ipi->dest == (ipi->x2apic ? DEST_ALL_X2APIC : DEST_ALL_XAPIC))
		return true;
	if (ipi->low & ICR_LOGICAL)
		return is_logical_dest(ipi, target);
	return ipi->dest == target->apic_id;
}

static bool is_init(u32 low)
{
	return (low & (ICR_MODE | ICR_ASSERT)) == (ICR_MODE_INIT | ICR_ASSERT);
}

/*
 * An INIT for CPUs that are all under Latch need not be sent: each is asked to
 * take one. Return: false if it must be sent, as it is for another CPU too.
 */
static bool take_init(struct percpu *cpu, const struct ipi *ipi)
{
	bool found = false;
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++) {
		if (!is_dest(ipi, percpu_of(i)))
			continue;
		if (READ_ONCE(percpu_of(i)->mode) == LATCH_CPU_OFF || percpu_of(i) == cpu)
			return false;
		found = true;
	}
	for (i = 0; i < boot.nr_cpus; i++)
		if (is_dest(ipi, percpu_of(i)))
			startup_request_init(cpu, percpu_of(i));
	return found;
}

/**
 * apic_write_icr - the guest writes the ICR in x2APIC mode
 *
 * Return: false for #GP.
 */
bool apic_write_icr(struct percpu *cpu, u64 value)
{
	struct ipi ipi = {
		.sender = cpu, .low = (u32)value, .dest = (u32)(value >> 32), .x2apic = true
	};

	percpu_count(cpu, LATCH_STAT_ICR_WRITES);
	return (is_init(ipi.low) && take_init(cpu, &ipi)) || wrmsr_safe(MSR_X2APIC_ICR, value);
}

/**
 * apic_write_register - the guest writes to a register of its APIC, in xAPIC mode
 * @offset: of the register
 * @value: what it writes
 */
void apic_write_register(struct percpu *cpu, u32 offset, u32 value)
{
	volatile u32 *apic = apic_map(cpu, cpu->apic_base);
	struct ipi ipi = { .sender = cpu, .low = value };

	if (offset == APIC_ICR_LOW)
		percpu_count(cpu, LATCH_STAT_ICR_WRITES);
	if (offset == APIC_ICR_LOW && is_init(value)) {
		ipi.dest = apic[APIC_ICR_HIGH / 4] >> 24;
		if (take_init(cpu, &ipi))
			return;
		/* The kicks above, if any, have used the window and restored the rest. */
		apic = apic_map(cpu, cpu->apic_base);
	}
	apic[offset / 4] = value;
	if (offset == APIC_LDR)
		cpu->apic_ldr = value;
	else if (offset == APIC_DFR)
		cpu->apic_dfr = value;
}

/* A store of 32 bits to a register, as all are made; anything else is left alone. */
static bool complete_write(struct percpu *cpu, u64 gpa)
{
	const struct insn *insn = fetch_instruction(cpu);
	u64 value;

	if (!insn || insn->kind != INSN_STORE || insn->size != 4 || gpa % 16)
		return false;
	value = insn->immediate ? insn->value : gpr_read(cpu->gpr, insn->reg);
	apic_write_register(cpu, gpa % PAGE_SIZE, (u32)value);
	event_skip_bytes(insn->length);
	return true;
}

/** apic_is_own - is a page the one where this CPU has its APIC */
bool apic_is_own(const struct percpu *cpu, u64 page)
{
	return is_xapic(cpu->apic_base) && page_of(cpu->apic_base) == page;
}

/**
 * apic_handle_violation - a write to a page from which the right is taken
 * @cpu: this CPU
 * @gpa: where
 * @delivery: an event was being delivered
 *
 * What is no plain store, or comes from a CPU whose APIC is elsewhere, the CPU
 * executes itself, in a single step. Return: false for a page that is not an APIC's.
 */
bool apic_handle_violation(struct percpu *cpu, u64 gpa, bool delivery)
{
	u64 page = gpa & PAGE_MASK;
	bool own = apic_is_own(cpu, page);

	if (!is_intercepted() || (!own && !is_watched(page)))
		return false;
	if (delivery || !own || !complete_write(cpu, gpa))
		ept_guest_step(cpu, gpa);
	return true;
}
