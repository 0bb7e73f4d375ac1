/* SPDX-License-Identifier: GPL-2.0-only */
/* The control bits that would say that host and guest are in 64-bit mode */
#define HV_EXIT_MODE	0
#define HV_ENTRY_MODE	0
