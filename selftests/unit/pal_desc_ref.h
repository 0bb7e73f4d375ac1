/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules for descriptions of PALs once more, written without core's code. */
#ifndef UNIT_PAL_DESC_REF_H
#define UNIT_PAL_DESC_REF_H

#include "check.h"
#include "hypapp/pal_desc.h"

/**
 * pal_desc_ref_check - compare core's verdict about a description with ours
 *
 * And for a right one, all that core relies on later. Return: is it right.
 */
bool pal_desc_ref_check(const struct latch_pal_desc *desc);

/** pal_desc_ref_run - a right description of any shape, and a few changes of it */
void pal_desc_ref_run(struct source *source);
/** pal_desc_ref_run_any - any bytes */
void pal_desc_ref_run_any(struct source *source);

#endif
