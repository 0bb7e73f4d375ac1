/* SPDX-License-Identifier: GPL-2.0-only */
/* Between modes.S and test_mode.c */
#ifndef LHV_MODES_H
#define LHV_MODES_H

/* Offsets in struct mode32 */
#define MODE_CR3	0
#define MODE_CR4	4
#define MODE_FN		8
#define MODE_ARG	12
#define MODE_VECTOR	16
#define MODE_ERROR	20
#define MODE_CR0	24
#define MODE_EFER	28
#define MODE_NOPG_CR0	32
#define MODE_NOPG_EFER	36
#define MODE_RESULT	40

#define REAL_PAGE	0x9000
#define REAL_RESULT	0x9c00

#ifndef __ASSEMBLER__
#include "../types.h"

/**
 * struct mode32 - a visit to 32-bit paging
 * @cr3: page directory or PDPT
 * @cr4: CR4 there; PAE decides which paging it is
 * @fn: 32-bit code to call there, with EDI = @arg
 * @arg: its argument
 * @vector: out: exception that ended it, or 256
 * @error: out: its error code
 * @cr0: out: CR0 there
 * @efer: out: EFER there
 * @nopg_cr0: out: CR0 without paging
 * @nopg_efer: out: EFER without paging
 * @result: out: EAX, EBX, ECX, EDX, ESI as @fn left them
 */
struct mode32 {
	u32 cr3, cr4, fn, arg;
	u32 vector, error, cr0, efer, nopg_cr0, nopg_efer;
	u32 result[5];
};

/**
 * struct real_result - what was seen in real mode
 */
struct real_result {
	u32 cr0, efer, eax, ebx, ecx, edx, eflags, cs, interrupts, smsw, lmsw;
};

void mode32_init(void);
void mode32_call(struct mode32 *mode);
void real_call(void);
extern const char real_start[], real_end[], mode32_handlers[];
#endif
#endif
