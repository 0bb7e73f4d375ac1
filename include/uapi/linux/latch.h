/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Latch: the interface that programs see.
 *
 * Two ways lead to the hypervisor. Management goes through ioctls of
 * /dev/latch (root only); the module turns them into hypercalls at CPL 0.
 * Programs may also execute VMCALL themselves, and reach those calls that are
 * marked "any CPL" below. Documentation/hypercalls.md has the whole ABI.
 */
#ifndef _UAPI_LINUX_LATCH_H
#define _UAPI_LINUX_LATCH_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Version of everything in this file. */
#define LATCH_ABI_VERSION	1

/*
 * VMCALL ABI v1
 *
 *   in:  EAX = LATCH_HC_BASE + number, RDI, RSI, RDX = arguments
 *   out: RAX = 0 or a negative errno, RDI, RSI, RDX = results
 *
 * All other registers are preserved. RAX, RDI, RSI and RDX are written whole
 * for a 64-bit caller; a 32-bit caller sees the low halves. A number in
 * [LATCH_HC_BASE, LATCH_HC_LAST] that is not assigned gives -ENOSYS, one that
 * the caller's CPL may not use gives -EPERM, and neither changes any register
 * but RAX. A VMCALL with EAX outside of that range is not Latch's: it behaves
 * as it did before Latch was loaded (the outer hypervisor's, if there is one,
 * otherwise #UD).
 */
#define LATCH_HC_BASE		0x4c544800u	/* "LTH" */
#define LATCH_HC_LAST		0x4c5448ffu

/* any CPL: -> RDI = LATCH_ABI_VERSION, RSI = core version (8 bits each of
 * major, minor, patch), RDX = LATCH_VERSION_* flags
 */
#define LATCH_HC_VERSION	(LATCH_HC_BASE + 0)
/* any CPL: RDI = cookie -> RDI = cookie, RSI = index of the CPU */
#define LATCH_HC_PING		(LATCH_HC_BASE + 1)
/* CPL 0: RDI = CPU index, RSI = exit reason or LATCH_STAT_* -> RDI = value */
#define LATCH_HC_STAT		(LATCH_HC_BASE + 2)
/* CPL 0: -> RDI = sequence number of the next log record, RSI = records that
 * the ring holds
 */
#define LATCH_HC_LOG		(LATCH_HC_BASE + 3)
/* CPL 0: hold all other CPUs for a moment -> RDI = CPUs that stood still, RSI =
 * TSC ticks until all did
 */
#define LATCH_HC_QUIESCE	(LATCH_HC_BASE + 4)

/* CPL 0: RDI = enum latch_app -> RDI = LATCH_APP_* flags, RSI and RDX = its name,
 * 16 characters with a NUL; -ENOENT if core has none with that id
 */
#define LATCH_HC_APP_INFO	(LATCH_HC_BASE + 5)
/* CPL 0: RDI = enum latch_app, RSI = 1 to switch it on, 0 off; -ENOENT, -EBUSY, or
 * why it cannot be switched on
 */
#define LATCH_HC_APP_SET	(LATCH_HC_BASE + 6)

/* CPL 0: RDI = address of a struct latch_linux: what hypapps may know of Linux, to tell
 * which task has done something
 */
#define LATCH_HC_LINUX		(LATCH_HC_BASE + 7)

/**
 * struct latch_linux - where Linux keeps what (LATCH_HC_LINUX)
 * @direct_map: linear address of physical address 0, where all memory is mapped
 * @image_map: the same, where the kernel's image is, from -2 GiB on: the idle task of the
 *	first CPU is part of it
 * @pid: offset of the process's number in struct task_struct, 32 bits
 * @comm: offset of the command's name, 16 characters
 * @nr_cpus: entries of @current_task that count
 * @current_task: by CPU: guest-physical address of the pointer to the current task
 *
 * Core reads all of that as the guest's, and believes none of it.
 */
struct latch_linux {
	__u64 direct_map;
	__u64 image_map;
	__u32 pid;
	__u32 comm;
	__u32 nr_cpus;
	__u32 reserved;
	__u64 current_task[256];
};

/* LATCH_HC_APP_INFO, RDI */
#define LATCH_APP_ON		(1u << 0)

/* Hypapps: each has hypercalls of its own, -ENOSYS while it is off. */
enum latch_app {
	LATCH_APP_HELLO = 1,
	LATCH_APP_PAL = 2,	/* <linux/latch_pal.h> */
	LATCH_APP_GUARD = 3,	/* <linux/latch_guard.h> */
	LATCH_APP_WATCH = 4,	/* <linux/latch_watch.h> */
	LATCH_APP_LAST = 14,
};
#define LATCH_APP_CALLS		16
#define LATCH_APP_NAME		16
#define LATCH_HC_APP(app, n)	(LATCH_HC_BASE + LATCH_APP_CALLS * (app) + (n))

/* any CPL: RDI = address, RSI = size of a buffer for a greeting -> RDI = bytes
 * written, RSI = greetings so far; -EFAULT, -EINVAL for a small buffer
 */
#define LATCH_HC_HELLO		LATCH_HC_APP(LATCH_APP_HELLO, 0)

/* LATCH_HC_VERSION, RDX */
#define LATCH_VERSION_NESTED	(1u << 0)	/* there is an outer hypervisor */
#define LATCH_VERSION_GUEST	(1u << 1)	/* a nested guest: only calls for PALs */

#define LATCH_VERSION(major, minor, patch) \
	((__u32)(major) << 16 | (__u32)(minor) << 8 | (__u32)(patch))
#define LATCH_VERSION_MAJOR(v)	((v) >> 16 & 0xff)
#define LATCH_VERSION_MINOR(v)	((v) >> 8 & 0xff)
#define LATCH_VERSION_PATCH(v)	((v) & 0xff)

/* Counters: 0 to LATCH_NR_REASONS - 1 count VM exits by basic exit reason. */
#define LATCH_NR_REASONS	80
enum latch_stat {
	LATCH_STAT_EXITS = LATCH_NR_REASONS,	/* VM exits, all reasons */
	LATCH_STAT_HYPERCALLS,		/* VMCALLs that were Latch's */
	LATCH_STAT_FORWARDED,		/* others: to the outer hypervisor, or #UD */
	LATCH_STAT_INJECTED,		/* exceptions injected */
	LATCH_STAT_REINJECTED,		/* events delivered again after an exit */
	LATCH_STAT_NMI_ROOT,		/* NMIs that came in root mode, replayed */
	LATCH_STAT_HIDDEN_WRITES,	/* writes to core's frames, dropped */
	LATCH_STAT_EPT_SPLITS,		/* EPT leaves split */
	LATCH_STAT_EPT_FILLS,		/* EPT leaves made on demand */
	LATCH_STAT_SHOOTDOWNS,		/* EPT invalidations asked by other CPUs */
	LATCH_STAT_KICKS,		/* INIT exits that were a kick */
	LATCH_STAT_MTRR_UPDATES,	/* EPT memory types recomputed */
	LATCH_STAT_ICR_WRITES,		/* writes of the APIC's ICR that exited */
	LATCH_STAT_QUIESCES,		/* times this CPU held all others */
	LATCH_STAT_L2_EXITS,		/* exits of a nested guest that were its hypervisor's */
	LATCH_STAT_L2_VIOLATIONS,	/* EPT violations of one that were not */
	LATCH_STAT_LAST
};
#define LATCH_NR_STATS		96

/**
 * struct latch_cpu_stats - counters of one CPU
 * @count: indexed by exit reason or enum latch_stat
 */
struct latch_cpu_stats {
	__u64 count[LATCH_NR_STATS];
};

#define LATCH_LOG_TEXT		104
enum latch_log_level { LATCH_LOG_ERR, LATCH_LOG_WARN, LATCH_LOG_INFO, LATCH_LOG_DEBUG };

/**
 * struct latch_log_record - one line of core's log
 * @seq: sequence number, from 1; 0 while the record is being written
 * @tsc: time-stamp counter when it was written
 * @cpu: index of the CPU that wrote it
 * @level: enum latch_log_level
 * @len: bytes of @text
 * @text: the line, not terminated by a newline or NUL
 */
struct latch_log_record {
	__u64 seq;
	__u64 tsc;
	__u16 cpu;
	__u8 level;
	__u8 len;
	__u32 reserved;
	char text[LATCH_LOG_TEXT];
};

/* struct latch_info.flags */
#define LATCH_INFO_NESTED	(1u << 0)	/* runs under another hypervisor */
#define LATCH_INFO_FAILED	(1u << 1)	/* core failed on some CPU: see the log */

/* struct latch_info.cpu_state[] */
enum latch_cpu_mode {
	LATCH_CPU_OFF = 0,		/* native, or not there */
	LATCH_CPU_GUEST,		/* runs under Latch */
	LATCH_CPU_WAIT_SIPI,		/* under Latch, waits for a start-up IPI */
	LATCH_CPU_FAILED,		/* core failed there */
	LATCH_CPU_OFFLINE,		/* offline in Linux, which has parked it, under Latch */
};

#define LATCH_MAX_CPUS		256

/**
 * struct latch_info - what is loaded (LATCH_IOC_INFO)
 * @abi_version: LATCH_ABI_VERSION of the module
 * @version: version of core, LATCH_VERSION()
 * @flags: LATCH_INFO_*
 * @nr_cpus: CPUs that there may be
 * @hidden_bytes: memory of core, hidden from Linux
 * @public_bytes: memory shared with Linux (counters, log)
 * @pool_pages: pages of core's pool
 * @pool_free: those that are free
 * @image_bytes: size of core's image, in memory
 * @tsc_khz: frequency of the TSC as Linux knows it
 * @hypervisor: signature of the outer hypervisor or ""
 * @cpu_state: enum latch_cpu_mode, by CPU
 */
struct latch_info {
	__u32 abi_version;
	__u32 version;
	__u32 flags;
	__u32 nr_cpus;
	__u64 hidden_bytes;
	__u64 public_bytes;
	__u32 pool_pages;
	__u32 pool_free;
	__u64 image_bytes;
	__u64 tsc_khz;
	char hypervisor[16];
	__u8 cpu_state[LATCH_MAX_CPUS];
};

/**
 * struct latch_stats_req - counters of one CPU (LATCH_IOC_STATS)
 * @cpu: in, index of the CPU
 * @reserved: must be 0
 * @stats: out
 */
struct latch_stats_req {
	__u32 cpu;
	__u32 reserved;
	struct latch_cpu_stats stats;
};

/**
 * struct latch_log_req - read the log (LATCH_IOC_LOG)
 * @seq: in, first sequence number wanted (0: the oldest); out, the next one
 * @records: in, user pointer to an array of struct latch_log_record
 * @count: in, elements of @records (1 to 4096); out, elements written
 * @lost: out, records from @seq on that the ring no longer holds
 */
struct latch_log_req {
	__u64 seq;
	__u64 records;
	__u32 count;
	__u32 lost;
};

/**
 * struct latch_ping_req - hypercall round trip on one CPU (LATCH_IOC_PING)
 * @cpu: in, CPU to ping
 * @count: in, number of round trips (1 to 1000000)
 * @cookie: in, any value; out, as core returned it
 * @core_cpu: out, CPU index that core answered with
 * @reserved: must be 0
 * @tsc_min: out, shortest round trip in TSC ticks
 * @tsc_total: out, sum of all
 */
struct latch_ping_req {
	__u32 cpu;
	__u32 count;
	__u64 cookie;
	__u32 core_cpu;
	__u32 reserved;
	__u64 tsc_min;
	__u64 tsc_total;
};

/* The VMX capability MSRs and friends as the CPU has them (not as the guest
 * sees them), for `hvctl check` while Latch is loaded.
 */
#define LATCH_NR_CAPS		32

/**
 * struct latch_caps - raw capability MSRs of the CPU (LATCH_IOC_CAPS)
 * @feature_control: IA32_FEATURE_CONTROL
 * @vmx: MSRs 0x480 + index; 0 where the CPU has none
 */
struct latch_caps {
	__u64 feature_control;
	__u64 vmx[LATCH_NR_CAPS];
};

/**
 * struct latch_app_req - a hypapp (LATCH_IOC_APP)
 * @app: in, enum latch_app
 * @action: in, enum latch_app_action
 * @flags: out, LATCH_APP_* flags, after the action
 * @reserved: must be 0
 * @name: out, terminated by NUL
 */
struct latch_app_req {
	__u32 app;
	__u32 action;
	__u32 flags;
	__u32 reserved;
	char name[LATCH_APP_NAME];
};

enum latch_app_action { LATCH_APP_QUERY, LATCH_APP_ENABLE, LATCH_APP_DISABLE };

#define LATCH_IOC_MAGIC		'L'
#define LATCH_IOC_INFO		_IOR(LATCH_IOC_MAGIC, 0x80, struct latch_info)
#define LATCH_IOC_STATS		_IOWR(LATCH_IOC_MAGIC, 0x81, struct latch_stats_req)
#define LATCH_IOC_LOG		_IOWR(LATCH_IOC_MAGIC, 0x82, struct latch_log_req)
#define LATCH_IOC_PING		_IOWR(LATCH_IOC_MAGIC, 0x83, struct latch_ping_req)
#define LATCH_IOC_CAPS		_IOR(LATCH_IOC_MAGIC, 0x84, struct latch_caps)
#define LATCH_IOC_APP		_IOWR(LATCH_IOC_MAGIC, 0x85, struct latch_app_req)

#endif /* _UAPI_LINUX_LATCH_H */
