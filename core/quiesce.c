// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quiesce: one CPU holds all others in root mode.
 *
 * The owner takes @owner, kicks, and waits for each CPU to be held or not to run
 * the guest at all. A CPU looks at @owner where it could go (back) to the guest
 * after a kick: in its INIT exit, when it gets its start-up IPI, when it joins.
 * Nobody is asked to do anything in an NMI, so the guest's NMIs have no part in
 * this. Rules that keep it from blocking: whoever waits here holds no lock, and
 * follows changes of the EPT while it waits, as the CPU that it waits for may
 * wait for just that. selftests/model/quiesce.pml is this protocol, step by step.
 */
#include "core.h"
#include "ept_guest.h"
#include "kick.h"
#include "log.h"
#include "quiesce.h"
#include "x86.h"

#define NOBODY		0xffffffffu
#define WAIT_LOOPS	20000000u	/* far more than any CPU takes */

static u32 owner = NOBODY;

static u32 owner_now(void)
{
	return __atomic_load_n(&owner, __ATOMIC_SEQ_CST);
}

static bool try_own(const struct percpu *cpu)
{
	u32 nobody = NOBODY;

	return __atomic_compare_exchange_n(&owner, &nobody, cpu->index, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/**
 * quiesce_stand - stand still while another CPU wants it
 * @cpu: this CPU
 *
 * Context: root mode, no lock held, on the way to the guest.
 */
void quiesce_stand(struct percpu *cpu)
{
	while (owner_now() != NOBODY) {
		__atomic_store_n(&cpu->held, 1, __ATOMIC_SEQ_CST);
		while (owner_now() != NOBODY) {
			ept_guest_sync(cpu);
			cpu_relax();
		}
		/*
		 * Before the next look at @owner: the next owner takes it before
		 * it looks at @held, so one of the two sees the other.
		 */
		__atomic_store_n(&cpu->held, 0, __ATOMIC_SEQ_CST);
	}
}

/* Not in the guest, and not on its way there either: it would look at @owner. */
static bool is_held(const struct percpu *target)
{
	return __atomic_load_n(&target->mode, __ATOMIC_SEQ_CST) != LATCH_CPU_GUEST ||
	       __atomic_load_n(&target->held, __ATOMIC_SEQ_CST);
}

static bool wait_for_target(struct percpu *cpu, struct percpu *target)
{
	u32 i;

	for (i = 0; i < WAIT_LOOPS && !is_held(target); i++) {
		/* Again: it may have joined since the last one. */
		kick_one(cpu, target);
		ept_guest_sync(cpu);
		cpu_relax();
	}
	return is_held(target);
}

/**
 * quiesce_begin - hold all other CPUs
 * @cpu: this CPU
 *
 * Context: root mode, no lock held. If several CPUs want it at once each gets its
 * turn, and is held in the meantime. Return: CPUs that stand still now, or -EIO if
 * one does not come (its APIC is off): then none is held.
 */
int quiesce_begin(struct percpu *cpu)
{
	struct percpu *target;
	int held = 0;
	u32 i;

	while (!try_own(cpu))
		quiesce_stand(cpu);
	for (i = 0; i < boot.nr_cpus; i++)
		if (i != cpu->index && !is_held(percpu_of(i)))
			kick_one(cpu, percpu_of(i));
	for (i = 0; i < boot.nr_cpus; i++) {
		target = percpu_of(i);
		if (target != cpu && !wait_for_target(cpu, target)) {
			log_err(cpu, "CPU %u does not stand still", i);
			quiesce_end(cpu);
			return -EIO;
		}
		held += target != cpu && READ_ONCE(target->held);
	}
	percpu_count(cpu, LATCH_STAT_QUIESCES);
	return held;
}

/** quiesce_end - let all CPUs go on; only for the CPU that holds them */
void quiesce_end(struct percpu *cpu)
{
	(void)cpu;
	/* What was changed while they stood still is seen by those who go on. */
	__atomic_store_n(&owner, NOBODY, __ATOMIC_SEQ_CST);
}
