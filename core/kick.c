// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kick: an INIT. In VMX non-root operation it always exits, in root mode it
 * stays pending until the next VM entry, and it is never mistaken for an NMI of
 * the guest (SDM vol. 3, 26.2).
 */
#include "core.h"
#include "ept_guest.h"
#include "kick.h"
#include "paging.h"
#include "x86.h"

#define APIC_ICR_LOW		0x300
#define APIC_ICR_HIGH		0x310
#define ICR_INIT		0x4500u	/* INIT, physical destination, assert, edge */
#define ICR_BUSY		BIT(12)

static void send_init_xapic(const struct percpu *cpu, u64 base, u32 apic_id)
{
	volatile u8 *apic = paging_window(cpu->index, base & PAGE_MASK, PTE_RW | PTE_UNCACHED);
	volatile u32 *low = (volatile u32 *)(apic + APIC_ICR_LOW);
	volatile u32 *high = (volatile u32 *)(apic + APIC_ICR_HIGH);
	u32 saved;

	/* The guest may be between its writes of the two halves. */
	while (*low & ICR_BUSY)
		cpu_relax();
	saved = *high;
	*high = apic_id << 24;
	*low = ICR_INIT;
	while (*low & ICR_BUSY)
		cpu_relax();
	*high = saved;
}

static void send_init(const struct percpu *cpu, u32 apic_id)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_X2APIC)
		wrmsr(MSR_X2APIC_ICR, (u64)apic_id << 32 | ICR_INIT);
	else
		send_init_xapic(cpu, base & core.phys_mask, apic_id);
}

/*
 * At most one kick is under way to a CPU, so an INIT exit with @kicked set is
 * one, and the next is sent only after that. Between the exchange and INIT the
 * target may have left: it sets its mode before it looks at @kicked, so one of
 * the two sees the other.
 */
static void kick_one(const struct percpu *cpu, struct percpu *target)
{
	if (__atomic_exchange_n(&target->kicked, 1, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_load_n(&target->mode, __ATOMIC_SEQ_CST) == LATCH_CPU_GUEST)
		send_init(cpu, target->apic_id);
	else
		__atomic_store_n(&target->kicked, 0, __ATOMIC_SEQ_CST);
}

static bool must_follow(const struct percpu *target, u64 generation)
{
	return __atomic_load_n(&target->mode, __ATOMIC_ACQUIRE) == LATCH_CPU_GUEST &&
	       __atomic_load_n(&target->ept_seen, __ATOMIC_ACQUIRE) < generation;
}

/**
 * kick_all - wait until all CPUs have seen a generation of the EPT
 * @cpu: this CPU
 * @generation: the generation
 *
 * Context: root mode, no lock held. Two CPUs may do this at once: each goes on
 * to follow the other's change while it waits.
 */
void kick_all(struct percpu *cpu, u64 generation)
{
	struct percpu *target;
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++) {
		target = percpu_of(i);
		if (target != cpu && must_follow(target, generation))
			kick_one(cpu, target);
	}
	for (i = 0; i < boot.nr_cpus; i++) {
		target = percpu_of(i);
		while (target != cpu && must_follow(target, generation)) {
			/*
			 * Again: it may have joined since, while another CPU's kick
			 * that found it off was on its way.
			 */
			kick_one(cpu, target);
			ept_guest_sync(cpu);
			cpu_relax();
		}
	}
}

/**
 * kick_take - an INIT has come: was it a kick
 *
 * Return: false for an INIT that is the guest's.
 */
bool kick_take(struct percpu *cpu)
{
	if (!__atomic_exchange_n(&cpu->kicked, 0, __ATOMIC_SEQ_CST))
		return false;
	percpu_count(cpu, LATCH_STAT_KICKS);
	if (cpu->ept_seen != ept_guest_generation())
		percpu_count(cpu, LATCH_STAT_SHOOTDOWNS);
	ept_guest_sync(cpu);
	return true;
}
