/* SPDX-License-Identifier: GPL-2.0-only */
/* Before any other header: how each message of the module begins. */
#define pr_fmt(fmt) "latch: " fmt
