// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's IDT. NMI, #DF and #MC have stacks of their own. An NMI is the guest's:
 * entry.S notes it and goes on (see there); so only exceptions come to C.
 */
#include "crash.h"
#include "idt.h"
#include "percpu.h"
#include "x86.h"

#define GATE_INTERRUPT	0x8e00ull
#define NR_VECTORS	32

extern const char idt_stubs[];	/* NR_VECTORS stubs of 16 bytes each */
extern const u64 extable_start[][2], extable_end[][2];

static u64 idt[NR_VECTORS][2] __attribute__((aligned(16)));

static u64 vector_ist(u32 vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DF:
		return IST_DF;
	case VECTOR_MC:
		return IST_MC;
	default:
		return 0;
	}
}

/** idt_init - fill in the gates; once, at LATCH_OP_INIT */
void idt_init(void)
{
	u32 vector;
	u64 addr;

	for (vector = 0; vector < NR_VECTORS; vector++) {
		addr = (u64)idt_stubs + vector * 16;
		idt[vector][0] = (addr & 0xffff) | SEL_CODE << 16 |
				 (GATE_INTERRUPT | vector_ist(vector)) << 32 |
				 (addr >> 16 & 0xffff) << 48;
		idt[vector][1] = addr >> 32;
	}
}

/** idt_load - use core's IDT on this CPU */
void idt_load(void)
{
	struct descriptor_table idtr = { sizeof(idt) - 1, (u64)idt };

	lidt(&idtr);
}

static bool fixup(struct idt_frame *frame)
{
	const u64 (*entry)[2];

	for (entry = extable_start; entry < extable_end; entry++)
		if ((*entry)[0] == frame->rip) {
			frame->rip = (*entry)[1];
			return true;
		}
	return false;
}

/**
 * idt_handle - an exception in root mode
 *
 * Expected ones are in the table of fixups; a data breakpoint of the guest's
 * that hits an address of core during launch or leave means nothing. All else
 * is a defect of core, or of the hardware.
 */
void idt_handle(struct idt_frame *frame)
{
	if (frame->vector == VECTOR_DB) {
		write_dr6(DR6_RESET);
		return;
	}
	if ((frame->vector == VECTOR_GP || frame->vector == VECTOR_UD) && fixup(frame))
		return;
	crash_exception(frame);
}
