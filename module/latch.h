/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's own state and what its files offer each other. */
#ifndef _MODULE_LATCH_H
#define _MODULE_LATCH_H

#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <linux/latch.h>
#include <linux/latch_guard.h>
#include <linux/latch_pal.h>
#include <linux/latch_watch.h>
#include "../loader/loader.h"

#define LATCH_LOG_BYTES		(64 * 1024)

/**
 * struct latch - the loaded hypervisor
 * @boot: what core was told and answered, copied before core was hidden
 * @entry: core's entry point
 * @image_bytes: size of the image in memory
 * @chunk: memory of core, as the direct map has it
 * @public: public memory: the log, then the CPU pages
 * @public_size: bytes of it
 * @cpus: CPUs that run under Latch
 * @hold: do not launch CPUs that come online (suspend, reboot)
 */
struct latch {
	struct latch_boot boot;
	u64 entry;
	u64 image_bytes;
	void *chunk[LATCH_MAX_CHUNKS];
	void *public;
	size_t public_size;
	struct cpumask cpus;
	bool hold;
};

extern struct latch latch;

/* image.S: core's image, as it was linked */
extern const u8 latch_image_start[], latch_image_end[];

/* memory.c */
int latch_memory_alloc(u64 ram_top, u64 extra_mib);
void latch_memory_free(void);
struct latch_cpu_page *latch_cpu_page(unsigned int cpu);

/* failure.c */
int latch_failure_parse(const char *text, u32 *step, u32 *cpu);
int latch_failure_injected(u32 step);
int latch_failure_report(unsigned int cpu, const struct latch_error *error, unsigned int others);

/* launch.c */
int latch_core_init(void);
int latch_launch_all(void);
void latch_leave_all(void);
int latch_launch_this_cpu(void);
void latch_leave_this_cpu(void);

/* lifecycle.c */
int latch_lifecycle_init(void);
int latch_lifecycle_leave(void);
void latch_lifecycle_exit(void);

/* vmx.c */
bool latch_vmx_in_use(void);
void latch_vmx_init(void);
void latch_vmx_exit(void);

/* guest.c */
bool latch_is_guest(void);
bool latch_guest_is_answered(void);
long latch_guest_call(u32 number, u64 *a, u64 *b, u64 *c);
int latch_guest_init(void);
void latch_guest_exit(void);

/* hypapp.c */
long latch_call_core(u32 number, u64 *a, u64 *b, u64 *c);
bool latch_has_let_go(long ret);
int latch_hypapp_request(struct latch_app_req *req);
int latch_hypapp_enable_list(const char *list);

/* pal.c */
int latch_pal_open(struct file *file);
void latch_pal_release(struct file *file);
void latch_pal_end_all(void);
int latch_pal_stat(struct latch_pal_stat *stat);
long latch_pal_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* grant.c */
int latch_grant_open(struct file *file);
void latch_grant_release(struct file *file);
long latch_grant(struct file *file, const struct latch_pal_grant_req *req);

/* linux.c */
void latch_linux_tell(void);

/* guard.c */
int latch_guard_request(struct latch_guard_req *req);
void latch_guard_online(void);
bool latch_guard_locked(void);
int latch_guard_init(void);
void latch_guard_exit(void);

/* watch.c */
int latch_watch_request(struct latch_watch_req *req);
void latch_watch_exit(void);

/* device.c */
int latch_device_init(void);
void latch_device_exit(void);
int latch_call_device_init(void);
void latch_call_device_exit(void);

#endif
