// SPDX-License-Identifier: GPL-2.0-only
/* How a guest's function in 64-bit mode gets its argument. */
#include "../hv/hv.h"

void hv_argument(struct hv_regs *regs, u64 arg)
{
	regs->rdi = arg;
}
