/* SPDX-License-Identifier: GPL-2.0-only */
/* How many bytes of memory an instruction touches at once. */
#ifndef CORE_HYPAPP_WATCH_SIZE_H
#define CORE_HYPAPP_WATCH_SIZE_H

#include "decode.h"

bool watch_changes(const u8 *bytes, u32 available, enum code_size code);
u32 watch_size(const u8 *bytes, u32 available, enum code_size code);

#endif
