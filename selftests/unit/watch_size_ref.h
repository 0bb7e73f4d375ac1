/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions with memory operands, made together with how large these are. */
#ifndef UNIT_WATCH_SIZE_REF_H
#define UNIT_WATCH_SIZE_REF_H

#include "check.h"
#include "decode.h"

/* What is known of an instruction. */
#define EXACT	1u	/* core must say this very size: else at least as much */
#define CHANGES	2u	/* it reads what it writes */

/**
 * watch_size_ref_check - core's answers about an instruction, whole and cut short
 * @name: for messages
 * @bytes: the instruction
 * @length: its length
 * @code: of which kind the code is
 * @size: bytes of its largest access
 * @flags: see above
 */
void watch_size_ref_check(const char *name, const u8 *bytes, u32 length, enum code_size code,
			  u32 size, u32 flags);
/** watch_size_ref_nr - of how many forms of instructions there is knowledge */
u32 watch_size_ref_nr(void);
/** watch_size_ref_form - an instruction of this form, with any prefixes */
void watch_size_ref_form(u32 index, struct source *source);
/** watch_size_ref_run - the same for any form */
void watch_size_ref_run(struct source *source);
/** watch_size_ref_run_any - any bytes: no read behind them, no nonsense */
void watch_size_ref_run_any(struct source *source);

#endif
