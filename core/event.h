/* SPDX-License-Identifier: GPL-2.0-only */
/* Events for the guest: exceptions, re-injection, NMIs, the end of an instruction. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "percpu.h"

void event_inject_exception(struct percpu *cpu, u8 vector);
void event_inject_fault(struct percpu *cpu, u8 vector, u32 error);
void event_inject_page_fault(struct percpu *cpu, u64 linear, u32 error);
void event_inject_ve(struct percpu *cpu, bool iret);
void event_block_nmis(void);
void event_redo_iret(u64 qualification);
void event_reinject(struct percpu *cpu);
void event_inject_nmi(struct percpu *cpu);
void event_retry_nmi(struct percpu *cpu);
void event_take_nmi(struct percpu *cpu);
void event_collect_nmis(struct percpu *cpu);
void event_hold_interrupts(void);
bool event_hold(void);
void event_release(bool nmi_blocked);
void event_skip_bytes(u64 length);
void event_skip_instruction(void);
void event_set_mtf(struct percpu *cpu, u8 reason);
void event_clear_mtf(struct percpu *cpu, u8 reason);

#endif
