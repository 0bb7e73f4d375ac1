/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spin locks of core. Root mode runs with interrupts off, and the NMI handler
 * takes no lock, so a lock is never taken twice on one CPU.
 */
#ifndef CORE_SPINLOCK_H
#define CORE_SPINLOCK_H

#include "types.h"

struct spinlock {
	u32 held;
};

static inline void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		while (READ_ONCE(lock->held))
			asm volatile("pause");
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
