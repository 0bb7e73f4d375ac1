/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions and NMIs in root mode. */
#ifndef CORE_IDT_H
#define CORE_IDT_H

#include "types.h"

#include <latch/launch.h>

/**
 * struct idt_frame - what entry.S and the CPU push for an exception
 */
struct idt_frame {
	struct latch_gpr gpr;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

_Static_assert(offsetof(struct idt_frame, error) == 0x80, "FRAME_ERROR in entry.S");
_Static_assert(offsetof(struct idt_frame, rip) == 0x88, "FRAME_RIP in entry.S");
_Static_assert(offsetof(struct idt_frame, rflags) == 0x98, "FRAME_RFLAGS in entry.S");
_Static_assert(offsetof(struct idt_frame, rsp) == 0xa0, "FRAME_RSP in entry.S");

void idt_init(void);
void idt_load(void);
void idt_handle(struct idt_frame *frame);

#endif
