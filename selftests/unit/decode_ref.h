/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions for the decoder, made together with what they mean. */
#ifndef UNIT_DECODE_REF_H
#define UNIT_DECODE_REF_H

#include "check.h"

/** decode_ref_run - an instruction that the decoder knows, whole and cut short */
void decode_ref_run(struct source *source);
/** decode_ref_run_any - any bytes: no read behind them, and no contradiction */
void decode_ref_run_any(struct source *source);

#endif
