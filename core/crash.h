/* SPDX-License-Identifier: GPL-2.0-only */
/* What must not happen: said in the log, and the CPU given back where possible. */
#ifndef CORE_CRASH_H
#define CORE_CRASH_H

#include "idt.h"
#include "percpu.h"

void crash_exception(const struct idt_frame *frame) __attribute__((noreturn));
void crash_exit(struct percpu *cpu, u32 reason) __attribute__((noreturn));
void crash_entry(u64 rflags) __attribute__((noreturn));

#endif
