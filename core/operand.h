/* SPDX-License-Identifier: GPL-2.0-only */
/* Operands of VMX instructions, from the VM-exit instruction information. */
#ifndef CORE_OPERAND_H
#define CORE_OPERAND_H

#include "percpu.h"

bool operand_is_64(void);
u32 operand_size(void);
u64 operand_register(struct percpu *cpu);
bool operand_read(struct percpu *cpu, void *value, u32 size);
bool operand_write(struct percpu *cpu, u64 value, u32 size);

#endif
