/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC: where it is, and writes to its interrupt command register. */
#ifndef CORE_APIC_H
#define CORE_APIC_H

#include "percpu.h"

#define APIC_ICR_LOW	0x300u
#define APIC_ICR_HIGH	0x310u

volatile u32 *apic_map(const struct percpu *cpu, u64 base);
void apic_join(struct percpu *cpu);
void apic_leave(const struct percpu *cpu);
void apic_reset(struct percpu *cpu);
u64 apic_read_base(const struct percpu *cpu);
bool apic_is_at(u64 page);
bool apic_write_base(struct percpu *cpu, u64 value);
bool apic_write_icr(struct percpu *cpu, u64 value);
bool apic_is_own(const struct percpu *cpu, u64 page);
void apic_write_register(struct percpu *cpu, u32 offset, u32 value);
bool apic_handle_violation(struct percpu *cpu, u64 gpa, bool delivery);

#endif
