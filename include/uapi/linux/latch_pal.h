/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * PALs: pieces of a program that run isolated from all the rest of the machine.
 *
 * A program describes a PAL by its sections and entry points and registers it with
 * an ioctl of /dev/latch-call. From then on its private pages read as zeros for
 * everybody else, and an entry point is called like any function.
 * Documentation/pal.md tells what that means in detail; libhv wraps it.
 */
#ifndef _UAPI_LINUX_LATCH_PAL_H
#define _UAPI_LINUX_LATCH_PAL_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/latch.h>

#define LATCH_PAL_SECTIONS	8
#define LATCH_PAL_ENTRIES	16
#define LATCH_PAL_ARGS		6
#define LATCH_PAL_PAGES		256	/* of all sections together */

/*
 * Sections: ranges of whole pages of anonymous memory.
 *
 * CODE: private, read and executed. DATA: private, read and written. PARAM, at most
 * one: private, core copies what pointer arguments point to there. STACK, exactly
 * one: private, the PAL's stack. Both are zeros when it is registered. SHARED: read and written by the PAL and by the
 * program; not private. GATE: of a PAL with LATCH_PAL_FAST, exactly one, two pages: what
 * the program calls it by, read and executed, not private; and a private page.
 */
enum latch_pal_type {
	LATCH_PAL_CODE = 1,
	LATCH_PAL_DATA,
	LATCH_PAL_PARAM,
	LATCH_PAL_STACK,
	LATCH_PAL_SHARED,
	LATCH_PAL_GATE,
};

/**
 * struct latch_pal_section - a section
 * @start: first address, page aligned
 * @size: bytes, whole pages
 * @type: enum latch_pal_type
 * @reserved: must be 0
 */
struct latch_pal_section {
	__u64 start;
	__u64 size;
	__u32 type;
	__u32 reserved;
};

/* struct latch_pal_arg.flags */
#define LATCH_PAL_IN		(1u << 0)	/* copied into PARAM before the call */
#define LATCH_PAL_OUT		(1u << 1)	/* copied back after it */

/**
 * struct latch_pal_arg - an argument of an entry point
 * @size: bytes that it points to, 1 to 65536; 0: it is passed as it is
 * @flags: LATCH_PAL_IN, LATCH_PAL_OUT or both, if @size is not 0
 */
struct latch_pal_arg {
	__u32 size;
	__u32 flags;
};

/* struct latch_pal_entry.flags */
#define LATCH_PAL_WIDE		(1u << 0)	/* RDX (EDX) is part of the result */

/**
 * struct latch_pal_entry - a function that can be called from outside
 * @address: its first instruction, in a CODE section
 * @nr_args: arguments: integers and pointers
 * @flags: LATCH_PAL_WIDE
 * @arg: the arguments
 */
struct latch_pal_entry {
	__u64 address;
	__u32 nr_args;
	__u32 flags;
	struct latch_pal_arg arg[LATCH_PAL_ARGS];
};

/* struct latch_pal_desc.flags */
#define LATCH_PAL_32		(1u << 0)	/* 32-bit code: cdecl instead of the AMD64 ABI */
#define LATCH_PAL_FAST		(1u << 1)	/* it can be called without an exit, see below */

/*
 * With LATCH_PAL_FAST, where CPU and Latch can do it: when it has been registered there is
 * code in the first page of GATE. Its first byte is not 0 then, and what is at
 * LATCH_PAL_GATE_ENTRY + n * LATCH_PAL_GATE_STEP is a function that does the same as entry
 * point n. No argument has a size; all sections are at 4 GiB or above, and GATE is at
 * LATCH_PAL_GATE_MIN or above.
 */
#define LATCH_PAL_GATE_ENTRY	0x400
#define LATCH_PAL_GATE_STEP	16
#define LATCH_PAL_GATE_MIN	0x170000000ull

/**
 * struct latch_pal_desc - a PAL
 * @flags: LATCH_PAL_32, LATCH_PAL_FAST
 * @nr_sections: of @section
 * @nr_entries: of @entry
 * @reserved: must be 0
 * @section: sections; none overlaps another
 * @entry: entry points
 */
struct latch_pal_desc {
	__u32 flags;
	__u32 nr_sections;
	__u32 nr_entries;
	__u32 reserved;
	struct latch_pal_section section[LATCH_PAL_SECTIONS];
	struct latch_pal_entry entry[LATCH_PAL_ENTRIES];
};

/**
 * struct latch_pal_req - register or unregister (LATCH_IOC_PAL_*)
 * @desc: in, address of a struct latch_pal_desc (to register)
 * @handle: out (to register), in (to unregister)
 * @reserved: must be 0
 */
struct latch_pal_req {
	__u64 desc;
	__u32 handle;
	__u32 reserved;
};

/* Of /dev/latch-call. A PAL ends with the last descriptor of the file it is from. */
#define LATCH_IOC_PAL_REGISTER		_IOWR(LATCH_IOC_MAGIC, 0xa0, struct latch_pal_req)
#define LATCH_IOC_PAL_UNREGISTER	_IOW(LATCH_IOC_MAGIC, 0xa1, struct latch_pal_req)

/*
 * Hypercalls of the module, CPL 0. REGISTER: RDI = address of a struct latch_pal_desc,
 * RSI = root of the page tables that the program uses at CPL 3, RDX = address of an array
 * with the physical address of each page, in the order of the sections -> RDI = handle; -EINVAL
 * (and a line in the log), -EFAULT: a page is not there, -EBUSY: a page is private
 * already, -ENOMEM, -ENOSPC, -ENODEV: XCR0 has no SSE state. UNREGISTER: RDI = handle; -ENOENT, -EIO: a CPU has failed in it. STAT: RDI = handle ->
 * RDI = LATCH_PAL_STATE_*, RSI = calls so far, RDX = pages, and
 * LATCH_PAL_STAT_FAST if it can be called without an exit.
 */
#define LATCH_PAL_STAT_FAST	(1ull << 32)
#define LATCH_HC_PAL_REGISTER	LATCH_HC_APP(LATCH_APP_PAL, 0)
#define LATCH_HC_PAL_UNREGISTER	LATCH_HC_APP(LATCH_APP_PAL, 1)
#define LATCH_HC_PAL_STAT	LATCH_HC_APP(LATCH_APP_PAL, 2)

/*
 * Services, for the code of a PAL: any CPL, but -EPERM outside of a PAL (except
 * PUBLIC_KEY), -EFAULT for memory that is not the PAL's, -ENODEV if the CPU has no
 * RDRAND. A PAL has 8 PCRs of 32 bytes: 0 is core's image, 1 the PAL as it was
 * registered, the others are zeros and the PAL's to extend.
 *
 * RANDOM: RDI = address, RSI = bytes, at most 4096.
 * PCR_READ: RDI = PCR, RSI = address for its 32 bytes.
 * PCR_EXTEND: RDI = PCR (2 to 7), RSI = address of 32 bytes; the PCR becomes the SHA-256
 * of itself and these.
 * SEAL, UNSEAL: RDI = address of a struct latch_pal_seal -> RDI = bytes written. UNSEAL:
 * -EACCES if it was sealed for other PCRs, or changed, or in another launch.
 * QUOTE: RDI = address of a struct latch_pal_quote.
 * PUBLIC_KEY, from anywhere: RDI = address for 65 bytes.
 */
#define LATCH_HC_PAL_RANDOM	LATCH_HC_APP(LATCH_APP_PAL, 3)
#define LATCH_HC_PAL_PCR_READ	LATCH_HC_APP(LATCH_APP_PAL, 4)
#define LATCH_HC_PAL_PCR_EXTEND	LATCH_HC_APP(LATCH_APP_PAL, 5)
#define LATCH_HC_PAL_SEAL	LATCH_HC_APP(LATCH_APP_PAL, 6)
#define LATCH_HC_PAL_UNSEAL	LATCH_HC_APP(LATCH_APP_PAL, 7)
#define LATCH_HC_PAL_QUOTE	LATCH_HC_APP(LATCH_APP_PAL, 8)
#define LATCH_HC_PAL_PUBLIC_KEY	LATCH_HC_APP(LATCH_APP_PAL, 9)

#define LATCH_PAL_PCRS		8
#define LATCH_PAL_PCR_SIZE	32
#define LATCH_PAL_SEAL_MORE	36	/* bytes that sealing adds */
#define LATCH_PAL_SEAL_MAX	4096	/* bytes, sealed */
#define LATCH_PAL_PUBLIC_SIZE	65

/**
 * struct latch_pal_seal - LATCH_HC_PAL_SEAL and LATCH_HC_PAL_UNSEAL
 * @from: address of what is to be sealed or unsealed
 * @to: address for the result; may be the same
 * @size: bytes at @from
 * @room: bytes at @to
 * @pcrs: bit n: it is bound to PCR n. UNSEAL: not used
 * @reserved: must be 0
 */
struct latch_pal_seal {
	__u64 from;
	__u64 to;
	__u32 size;
	__u32 room;
	__u32 pcrs;
	__u32 reserved;
};

/**
 * struct latch_pal_quote - LATCH_HC_PAL_QUOTE
 * @nonce: in, from who wants to know
 * @pcrs: in, bit n: PCR n is part of it
 * @reserved: must be 0
 * @pcr: out, all PCRs; those that are not part of it are zeros
 * @signature: out, ECDSA on P-256, r and s, of SHA-256 of "latch-pal-quote", its NUL,
 *	@nonce, @pcrs (4 bytes, little-endian) and the 256 bytes of @pcr
 */
struct latch_pal_quote {
	__u8 nonce[32];
	__u32 pcrs;
	__u32 reserved;
	__u8 pcr[LATCH_PAL_PCRS][LATCH_PAL_PCR_SIZE];
	__u8 signature[64];
};

/* CPL 0: RDI = handle, or 0 -> RDI = the next larger one; -ENOENT if there is none */
#define LATCH_HC_PAL_NEXT	LATCH_HC_APP(LATCH_APP_PAL, 10)

/*
 * PALs of programs in nested guests. CPL 0 of the kernel whose guests they are: RDI =
 * address of an array of physical addresses of pages, RSI = how many, at most
 * LATCH_PAL_GRANT_MAX. GRANT: a nested guest's program may have a PAL in them; they must not be
 * used for anything else until they are revoked. -EINVAL, -EBUSY: one is granted already,
 * -ENOMEM; then none is. REVOKE ends all PALs that have any of them; -EIO: a CPU has failed
 * in one, and they stay as they are.
 *
 * As long as anything is granted, VMCALLs of nested guests with the numbers of VERSION,
 * REGISTER, UNREGISTER and the services are Latch's, and else their hypervisor's. REGISTER,
 * CPL 0 as above, since the nested guest's kernel must not use the pages for anything else
 * either: all addresses are the nested guest's, there is no LATCH_PAL_FAST; errors as above;
 * -EACCES: a page is not granted, -ENODEV: the hypervisor does not use EPT. UNREGISTER: RSI =
 * physical address of its first page; -ENOENT too if that is not it: it is another guest's.
 */
#define LATCH_HC_PAL_GRANT	LATCH_HC_APP(LATCH_APP_PAL, 11)
#define LATCH_HC_PAL_REVOKE	LATCH_HC_APP(LATCH_APP_PAL, 12)
#define LATCH_PAL_GRANT_MAX	512

/**
 * struct latch_pal_grant_req - let a nested guest's programs have PALs (LATCH_IOC_PAL_GRANT)
 * @pid: process whose memory is the guest's, as the caller sees its number
 * @reserved: must be 0
 * @start: where the memory is in the process, page aligned
 * @size: bytes, whole pages; private anonymous memory, all of it
 *
 * It is allocated, pinned, and granted up to when the file is closed: then the PALs in it
 * end, and it can be moved and freed again. One file can have many of them.
 */
struct latch_pal_grant_req {
	__u32 pid;
	__u32 reserved;
	__u64 start;
	__u64 size;
};

/*
 * Of /dev/latch. -ESRCH: no such process; -EINVAL: not whole pages, or other memory;
 * -EFAULT: not all of it is there, and writable; -EBUSY: a part is granted already;
 * -ENOMEM, -EINTR; -ENOSYS: pal is off. Then nothing of it is granted.
 */
#define LATCH_IOC_PAL_GRANT		_IOW(LATCH_IOC_MAGIC, 0xa3, struct latch_pal_grant_req)

/* LATCH_HC_PAL_STAT, RDI */
enum latch_pal_state {
	LATCH_PAL_IDLE,		/* registered, nobody calls it */
	LATCH_PAL_RUNNING,	/* a CPU executes it */
	LATCH_PAL_PREEMPTED,	/* it was interrupted, and will go on */
	LATCH_PAL_DEAD,		/* it has done what it must not, and cannot be called */
};

/**
 * struct latch_pal_stat - one PAL after the other (LATCH_IOC_PAL_STAT)
 * @handle: in, the last one's, or 0; out, the next one's
 * @state: out, enum latch_pal_state
 * @pages: out, of all its sections
 * @flags: in, 0; out, LATCH_PAL_FAST: it can be called without an exit
 * @calls: out, that have come back
 */
struct latch_pal_stat {
	__u32 handle;
	__u32 state;
	__u32 pages;
	__u32 flags;
	__u64 calls;
};

/* Of /dev/latch. -ENOENT behind the last PAL, -ENOSYS if pal is off. */
#define LATCH_IOC_PAL_STAT		_IOWR(LATCH_IOC_MAGIC, 0xa2, struct latch_pal_stat)

#endif /* _UAPI_LINUX_LATCH_PAL_H */
