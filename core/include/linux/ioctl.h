/* SPDX-License-Identifier: GPL-2.0-only */
/* Core makes no ioctls: only the names in <linux/latch.h> need to parse. */
#ifndef _CORE_LINUX_IOCTL_H
#define _CORE_LINUX_IOCTL_H

#define _IOR(type, nr, arg) 0
#define _IOWR(type, nr, arg) 0

#endif
