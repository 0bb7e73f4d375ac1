/* SPDX-License-Identifier: GPL-2.0-only */
/* RDMSR and WRMSR exits, and the bitmap that keeps them few. */
#ifndef CORE_MSR_H
#define CORE_MSR_H

#include "percpu.h"

enum msr_access { MSR_READ, MSR_WRITE };

bool msr_bitmap_index(u32 msr, enum msr_access access, u32 *index);
void msr_bitmap_set(u8 *bitmap, u32 msr, enum msr_access access);
bool msr_bitmap_test(const u8 *bitmap, u32 msr, enum msr_access access);

int msr_bitmap_init(void);
u64 msr_bitmap_pa(void);
void msr_bitmap_copy(u8 *to);
void msr_handle_read(struct percpu *cpu);
void msr_handle_write(struct percpu *cpu);

const u8 *msr_bitmap(void);
bool msr_read(const struct percpu *cpu, u32 msr, u64 *value);
bool msr_write(struct percpu *cpu, u32 msr, u64 value);

#endif
