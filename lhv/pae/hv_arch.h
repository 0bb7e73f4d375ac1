/* SPDX-License-Identifier: GPL-2.0-only */
/* The control bits that would say that host and guest are in 64-bit mode */
#define HV_EXIT_MODE	0
#define HV_ENTRY_MODE	0
/* An SS that a host may have, too; it is loaded without its descriptor, but not 0. */
#define HV_OTHER_SS	SEL_TEST
/* FS and GS of the host: with selector 0 their bases are undefined (SDM vol. 3, 28.5.2). */
#define HV_HOST_FS	SEL_KDATA
