/* SPDX-License-Identifier: GPL-2.0-only */
/* format_text() against snprintf(). */
#ifndef UNIT_FORMAT_REF_H
#define UNIT_FORMAT_REF_H

#include "check.h"

#define FORMAT_ARGS	8

/** format_ref_text - call format_text() with FORMAT_ARGS integers or pointers */
size_t format_ref_text(char *buf, size_t size, const char *format, const u64 *args);
/** format_ref_check - compare, for one buffer size; @format may be any of core's */
void format_ref_check(const char *format, const u64 *args, size_t size);
/** format_ref_run - formats of the subset that core supports */
void format_ref_run(struct source *source);
/** format_ref_run_any - any bytes as a format: only the bounds are checked */
void format_ref_run_any(struct source *source);

#endif
