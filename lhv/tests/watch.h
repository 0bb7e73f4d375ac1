/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of the hypapp watch share. */
#ifndef LHV_WATCH_H
#define LHV_WATCH_H

#include <linux/latch_watch.h>

#include "tests.h"

bool watch_switch(u64 on);
long watch_add(u64 address, u64 size, u32 access);
u32 watch_last(void);
long watch_del(u32 id);
u64 watch_hits(u32 id);

#endif
