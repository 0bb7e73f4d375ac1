/* SPDX-License-Identifier: GPL-2.0-only */
/* Control registers: MOV to CR0 and CR4, XSETBV. */
#ifndef CORE_CR_H
#define CORE_CR_H

#include "percpu.h"
#include "x86.h"

/* What VMX operation fixes, or has no meaning for the guest: masked always */
#define CR0_FIXED	CR0_NE
#define CR4_FIXED	(CR4_VMXE | CR4_SMXE)

/* Fixed too in VMX operation of the guest; without it they are its own */
#define CR0_VMX		(CR0_PE | CR0_PG)

void cr_keep(struct percpu *cpu, enum keeper who, const struct keep *what);
void cr_handle_access(struct percpu *cpu);
void cr_handle_xsetbv(struct percpu *cpu);

#endif
