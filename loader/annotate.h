/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux's checker of object code wants to be told of returns and jumps that are
 * not made by way of its thunks. The trampoline page cannot call out of itself.
 */
#ifndef _LATCH_ANNOTATE_H
#define _LATCH_ANNOTATE_H

#ifdef __KERNEL__
#include <asm/nospec-branch.h>
#else
#define ANNOTATE_RETPOLINE_SAFE
#define ANNOTATE_UNRET_SAFE
#endif

#endif
