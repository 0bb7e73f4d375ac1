/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL with any registers. */
#ifndef _PROBE_VMCALL_H
#define _PROBE_VMCALL_H

#include "probe.h"

/* In the order of probe_vmcall()'s assembler. */
enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, NR_GPR };

#define ARITHMETIC_FLAGS	0x8d5

struct gpr {
	u64 r[NR_GPR];
	u64 flags;
};

bool probe_vmcall(struct gpr *gpr);
u64 probe_random(u64 *state);

#endif
