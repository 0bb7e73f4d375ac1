/* SPDX-License-Identifier: GPL-2.0-only */
/* For the files that are tests: the harness, and loops over seeds. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "check.h"

/**
 * unit_for_seeds - run a property with one seed after another
 * @rounds: seeds to try; the environment's ROUNDS overrides it
 * @run: the property; has @source to decide with
 *
 * Starts with the environment's SEED, else with 1. A failure names its seed:
 * SEED=that ROUNDS=1 runs it again.
 */
void unit_for_seeds(u32 rounds, void (*run)(struct source *source));

#endif
