/* SPDX-License-Identifier: GPL-2.0-only */
/* The control bits that say that host and guest are in 64-bit mode */
#define HV_EXIT_MODE	EXIT_HOST64
#define HV_ENTRY_MODE	ENTRY_IA32E
/* An SS that a host may have, too; it is loaded without its descriptor. */
#define HV_OTHER_SS	0
/* FS and GS of the host, which has bases in them */
#define HV_HOST_FS	0
