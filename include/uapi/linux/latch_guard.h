/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * guard: a layer below the kernel that keeps the kernel's code and control registers
 * as they are. Documentation/guard.md tells what is kept, and what is not.
 */
#ifndef _UAPI_LINUX_LATCH_GUARD_H
#define _UAPI_LINUX_LATCH_GUARD_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/latch.h>

/**
 * enum latch_guard_mode - what happens to what is not allowed
 * @LATCH_GUARD_OFF: nothing is kept
 * @LATCH_GUARD_AUDIT: it happens, and is logged
 * @LATCH_GUARD_ENFORCE: it does not; the kernel gets a #GP, and it is logged
 * @LATCH_GUARD_LOCK: the same, up to the next reset of the machine: nobody can
 *	switch it off, unload Latch, sleep, or start another kernel
 */
enum latch_guard_mode {
	LATCH_GUARD_OFF, LATCH_GUARD_AUDIT, LATCH_GUARD_ENFORCE, LATCH_GUARD_LOCK
};

/* What a page that is not to be written is part of */
enum latch_guard_kind {
	LATCH_GUARD_TEXT,	/* the kernel's text */
	LATCH_GUARD_RODATA,	/* its read-only data */
	LATCH_GUARD_TABLES,	/* the page tables of both */
	LATCH_GUARD_IDT,	/* the interrupt descriptor table */
	LATCH_GUARD_MODULE,	/* text of modules: comes and goes */
	LATCH_GUARD_KINDS
};
/* Beside a kind: more pages follow at once, and only behind the last one is none of them
 * written any more
 */
#define LATCH_GUARD_MORE	(1u << 8)

/**
 * struct latch_guard_stat - what guard keeps, and what it has seen
 * @mode: enum latch_guard_mode
 * @cpus: CPUs whose registers are pinned
 * @pages: that are not to be written, by enum latch_guard_kind
 * @writes: attempts to write one of them
 * @registers: attempts to change a register that is pinned
 * @pokes: writes to them that the kernel made by its text_poke(), and that were let go
 */
struct latch_guard_stat {
	__u32 mode;
	__u32 cpus;
	__u64 pages[LATCH_GUARD_KINDS];
	__u64 writes;
	__u64 registers;
	__u64 pokes;
};

/* All at CPL 0.
 *
 * SET: RDI = enum latch_guard_mode; all that was added is forgotten when it is OFF.
 * -EPERM if it is locked
 */
#define LATCH_HC_GUARD_SET	LATCH_HC_APP(LATCH_APP_GUARD, 0)
/* RDI = guest-physical address, RSI = pages, 1 GiB at most, RDX = enum latch_guard_kind,
 * and perhaps LATCH_GUARD_MORE; -EBUSY for a page of a PAL, -EINVAL for what is not RAM,
 * -ENOMEM
 */
#define LATCH_HC_GUARD_ADD	LATCH_HC_APP(LATCH_APP_GUARD, 1)
/* RDI, RSI: as for ADD, of LATCH_GUARD_MODULE. -EPERM, once enforced, for a caller that is
 * not in text that is kept itself
 */
#define LATCH_HC_GUARD_REMOVE	LATCH_HC_APP(LATCH_APP_GUARD, 2)
/* RDI = CR3 of text_poke()'s address space, RSI = the address in it at which text is
 * mapped writable, two pages; -EPERM, once enforced
 */
#define LATCH_HC_GUARD_POKE	LATCH_HC_APP(LATCH_APP_GUARD, 3)
/* RDI = address of a struct latch_guard_stat */
#define LATCH_HC_GUARD_STAT	LATCH_HC_APP(LATCH_APP_GUARD, 4)
/* This CPU's registers are to stay as they are now: it has come online. -EPERM if they
 * are not what those of the others are
 */
#define LATCH_HC_GUARD_PIN	LATCH_HC_APP(LATCH_APP_GUARD, 5)

/**
 * struct latch_guard_req - ask guard, or set its mode (LATCH_IOC_GUARD)
 * @set: in, 1 to set @mode, 0 to ask only
 * @mode: in, enum latch_guard_mode, if @set
 * @text: in, if @mode goes on from OFF, addresses as /proc/kallsyms has them: _text, _etext
 * @rodata: __start_rodata, __end_rodata
 * @idt: idt_table
 * @poking_mm: poking_mm, or text_poke_mm
 * @poking_addr: poking_addr, or text_poke_mm_addr
 * @wx: out, pages of the kernel that its page tables have writable and executable
 * @stat: out
 */
struct latch_guard_req {
	__u32 set;
	__u32 mode;
	__u64 text[2];
	__u64 rodata[2];
	__u64 idt;
	__u64 poking_mm;
	__u64 poking_addr;
	__u64 wx;
	struct latch_guard_stat stat;
};

#define LATCH_IOC_GUARD		_IOWR(LATCH_IOC_MAGIC, 0x91, struct latch_guard_req)

#endif
