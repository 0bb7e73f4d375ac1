/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * latch_probe.ko: what the tests have to do in the kernel, beside Latch and not
 * through it. Files in /sys/kernel/debug/latch_probe/: reading one of them runs
 * a test; each line of its output is a result: "ok NAME | REMARK", "not ok NAME | WHY"
 * or "skip NAME | WHY".
 */
#ifndef _PROBE_H
#define _PROBE_H

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/types.h>
#include <module/latch.h>

typedef int probe_show(struct seq_file *out, void *unused);

extern unsigned int probe_count;	/* how often a test does what it does */

/**
 * probe_result - print one result
 * @out: where
 * @good: did it pass
 * @name: what it was
 * @fmt: why it failed, or a remark
 */
__printf(4, 5)
void probe_result(struct seq_file *out, bool good, const char *name, const char *fmt, ...);

/* cpus.c: the same on each CPU */
typedef void probe_cpu_function(unsigned int cpu, void *data);
int probe_on_each_cpu(probe_cpu_function *function, void *data);
void probe_meet(atomic_t *arrived, unsigned int count);

/* main.c: Latch as it is loaded now; held until probe_latch_put() */
struct latch *probe_latch_get(void);
void probe_latch_put(void);
u64 probe_stat(struct latch *latch, unsigned int cpu, unsigned int stat);

/* registers.c */
probe_show probe_registers_show, probe_changes_show;
int probe_registers_save(void);
int probe_registers_dirty(void);
int probe_registers_clean(void);
void probe_registers_exit(void);

/* hidden.c */
probe_show probe_hidden_show;
int probe_islands_init(unsigned int count);
void probe_islands_exit(void);
int probe_hidden_mmap_init(void);
void probe_hidden_mmap_exit(void);

/* vmcall.c */
probe_show probe_vmcall_show;

/* quiesce.c */
probe_show probe_quiesce_show;

/* pal.c */
probe_show probe_pal_show;

/* guard.c */
probe_show probe_guard_show;

/* fuzz.c */
probe_show probe_fuzz_show;

/* hypapps.c */
probe_show probe_hypapps_show;

/* nmi.c */
probe_show probe_nmi_show;
int probe_nmi_claim(void);
int probe_nmi_release(void);
void probe_nmi_exit(void);

static inline u64 probe_rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (u64)high << 32;
}

static inline void probe_wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

#endif
