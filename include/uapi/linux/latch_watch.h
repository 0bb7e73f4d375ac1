/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Watchpoints: who reads, writes or executes what. Documentation/watch.md has the text
 * of the events, which come through the log.
 */
#ifndef _UAPI_LINUX_LATCH_WATCH_H
#define _UAPI_LINUX_LATCH_WATCH_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/latch.h>

#define LATCH_WATCH_READ	(1u << 0)
#define LATCH_WATCH_WRITE	(1u << 1)
#define LATCH_WATCH_EXEC	(1u << 2)

#define LATCH_WATCH_SIZE	(16u << 20)	/* bytes of one watchpoint, at most */

/**
 * struct latch_watch - a watchpoint
 * @id: its number, from 1
 * @access: LATCH_WATCH_*
 * @address: linear address of the first byte
 * @size: bytes
 * @hits: events so far
 */
struct latch_watch {
	__u32 id;
	__u32 access;
	__u64 address;
	__u64 size;
	__u64 hits;
};

/* CPL 0: RDI = address of a struct latch_watch, of which @access, @address and @size
 * count; RSI = address of an array of guest-physical page addresses (__u64), or 0 to take
 * those that the caller's page tables have now -> RDI = id. -EFAULT if something is not
 * mapped, -EINVAL for what is not RAM and other nonsense, -EBUSY for a page of a PAL,
 * -ENOSPC if there are too many, -ENOMEM
 */
#define LATCH_HC_WATCH_ADD	LATCH_HC_APP(LATCH_APP_WATCH, 0)
/* CPL 0: RDI = id; -ENOENT */
#define LATCH_HC_WATCH_DEL	LATCH_HC_APP(LATCH_APP_WATCH, 1)
/* CPL 0: RDI = id, RSI = address of a struct latch_watch -> the first one behind that id;
 * -ENOENT behind the last
 */
#define LATCH_HC_WATCH_NEXT	LATCH_HC_APP(LATCH_APP_WATCH, 2)

enum latch_watch_action { LATCH_WATCH_ADD, LATCH_WATCH_DEL, LATCH_WATCH_NEXT };

/**
 * struct latch_watch_req - do something with watchpoints (LATCH_IOC_WATCH)
 * @action: in, enum latch_watch_action
 * @pid: in, for LATCH_WATCH_ADD: the process whose memory it is, or 0 for the kernel's
 * @watch: in and out; ADD: @access, @address, @size in, @id out. DEL: @id in. NEXT: @id
 *	in, all out, of the first one behind it
 */
struct latch_watch_req {
	__u32 action;
	__u32 pid;
	struct latch_watch watch;
};

#define LATCH_IOC_WATCH		_IOWR(LATCH_IOC_MAGIC, 0x90, struct latch_watch_req)

#endif
