// SPDX-License-Identifier: GPL-2.0-only
/* How a guest's function of 32 bits gets its argument: in EAX for C, in EDI for INSN(). */
#include "../hv/hv.h"

void hv_argument(struct hv_regs *regs, u64 arg)
{
	regs->rax = (u32)arg;
	regs->rdi = (u32)arg;
}
