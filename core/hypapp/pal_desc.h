/* SPDX-License-Identifier: GPL-2.0-only */
/* The description of a PAL, as it comes from a program. */
#ifndef CORE_HYPAPP_PAL_DESC_H
#define CORE_HYPAPP_PAL_DESC_H

#include <linux/latch_pal.h>
#include "types.h"

const char *pal_desc_check(const struct latch_pal_desc *desc);
const struct latch_pal_section *pal_desc_find(const struct latch_pal_desc *desc, u64 address);
const struct latch_pal_section *pal_desc_find_type(const struct latch_pal_desc *desc, u32 type);
u32 pal_desc_pages(const struct latch_pal_desc *desc);
u64 pal_desc_resume(const struct latch_pal_desc *desc);
u32 pal_desc_arg_room(const struct latch_pal_arg *arg);

#endif
