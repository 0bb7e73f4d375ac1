// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kick: an INIT. In VMX non-root operation it always exits, in root mode it
 * stays pending until the next VM entry, and it is never mistaken for an NMI of
 * the guest (SDM vol. 3, 26.2).
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "kick.h"
#include "log.h"
#include "x86.h"

/* Physical destination, assert, edge */
#define ICR_INIT		0x4500u
#define ICR_NMI			0x4400u
#define ICR_BUSY		BIT(12)
#define WAIT_LOOPS		20000000u	/* far more than any kick takes */

/* Bounded: an APIC that the guest has switched off reads as all ones for ever. */
static void wait_delivered(const volatile u32 *icr_low)
{
	u32 i;

	for (i = 0; i < WAIT_LOOPS && *icr_low & ICR_BUSY; i++)
		cpu_relax();
}

static void send_ipi_xapic(const struct percpu *cpu, u64 base, u32 apic_id, u32 icr)
{
	volatile u32 *apic = apic_map(cpu, base);
	volatile u32 *low = &apic[APIC_ICR_LOW / 4];
	volatile u32 *high = &apic[APIC_ICR_HIGH / 4];
	u32 saved;

	/* The guest may be between its writes of the two halves. */
	wait_delivered(low);
	saved = *high;
	*high = apic_id << 24;
	*low = icr;
	wait_delivered(low);
	*high = saved;
}

static void send_ipi(const struct percpu *cpu, u32 apic_id, u32 icr)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_X2APIC)
		wrmsr(MSR_X2APIC_ICR, (u64)apic_id << 32 | icr);
	else
		send_ipi_xapic(cpu, base, apic_id, icr);
}

static bool runs_guest(const struct percpu *target)
{
	return __atomic_load_n(&target->mode, __ATOMIC_SEQ_CST) == LATCH_CPU_GUEST;
}

/**
 * kick_one - make one CPU exit
 * @cpu: this CPU
 * @target: another CPU; nothing happens if it is not in VMX non-root operation
 *
 * At most one kick is under way to a CPU, so an INIT exit with @kicked set is
 * one, and the next is sent only after that. Between the exchange and INIT the
 * target may have left: it sets its mode before it looks at @kicked, so one of
 * the two sees the other.
 */
void kick_one(const struct percpu *cpu, struct percpu *target)
{
	do {
		if (__atomic_exchange_n(&target->kicked, 1, __ATOMIC_SEQ_CST))
			return;
		if (runs_guest(target)) {
			send_ipi(cpu, target->apic_id, ICR_INIT);
			return;
		}
		__atomic_store_n(&target->kicked, 0, __ATOMIC_SEQ_CST);
		/* Somebody else may have relied on this kick, and the target started. */
	} while (runs_guest(target));
}

/**
 * kick_hold - have nobody send this CPU a kick
 *
 * For the moments in which an INIT would be lost. Return: false if one is on its
 * way, which has to come first: the guest's instruction is to be executed again.
 */
bool kick_hold(struct percpu *cpu)
{
	return !__atomic_exchange_n(&cpu->kicked, 1, __ATOMIC_SEQ_CST);
}

/**
 * kick_release - kicks can come again
 *
 * Who waits for this CPU kicks it again anyway. Who has asked for an INIT of the
 * guest's does not, and relies on a kick that has never been sent.
 */
void kick_release(struct percpu *cpu)
{
	__atomic_store_n(&cpu->kicked, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&cpu->init_wanted, __ATOMIC_SEQ_CST))
		kick_one(cpu, cpu);
}

/**
 * kick_self_nmi - have an NMI latched for the guest
 *
 * Context: NMIs are blocked; it comes when the guest's handler has returned.
 */
void kick_self_nmi(const struct percpu *cpu)
{
	send_ipi(cpu, cpu->apic_id, ICR_NMI);
}

static bool must_follow(const struct percpu *target, u64 generation)
{
	return __atomic_load_n(&target->mode, __ATOMIC_ACQUIRE) == LATCH_CPU_GUEST &&
	       __atomic_load_n(&target->ept_seen, __ATOMIC_ACQUIRE) < generation;
}

/*
 * A CPU whose APIC the guest has switched off gets no INIT: it is given up, and
 * keeps what its TLB has until it exits for another reason.
 */
static void wait_for_target(struct percpu *cpu, struct percpu *target, u64 generation)
{
	u32 i;

	for (i = 0; i < WAIT_LOOPS && must_follow(target, generation); i++) {
		/*
		 * Again: it may have joined since, while another CPU's kick
		 * that found it off was on its way.
		 */
		kick_one(cpu, target);
		ept_guest_sync(cpu);
		cpu_relax();
	}
	if (i == WAIT_LOOPS)
		log_err(cpu, "CPU %u does not follow a change of the EPT", target->index);
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
	for (i = 0; i < boot.nr_cpus; i++)
		if (i != cpu->index)
			wait_for_target(cpu, percpu_of(i), generation);
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
