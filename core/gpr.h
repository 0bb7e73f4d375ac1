/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's general-purpose registers, by their number in the encoding. */
#ifndef CORE_GPR_H
#define CORE_GPR_H

#include "percpu.h"

u64 gpr_read(const struct latch_gpr *gpr, u32 number);
void gpr_write(struct latch_gpr *gpr, u32 number, u64 value);

#endif
