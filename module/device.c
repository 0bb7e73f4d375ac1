// SPDX-License-Identifier: GPL-2.0-only
/* /dev/latch: the ioctls of <linux/latch.h>; and /dev/latch-call, for programs. */
#include <linux/capability.h>
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "compat.h"
#include "hypercall.h"
#include "latch.h"

#define PING_BATCH	1000	/* hypercalls in one interrupt */
#define EXIT_REASON_VMCALL	18	/* SDM vol. 3, appendix C */
#define PING_MAX	1000000
#define LOG_MAX		4096

static void fill_hypervisor(char *name, size_t size)
{
	struct latch_cpuid regs;

	memset(name, 0, size);
	if (!latch.boot.outer)
		return;
	regs = latch_compat_cpuid(0x40000000);
	memcpy(name, &regs.ebx, 4);
	memcpy(name + 4, &regs.ecx, 4);
	memcpy(name + 8, &regs.edx, 4);
}

static long ioctl_info(void __user *arg)
{
	struct latch_log *log = latch.public;
	struct latch_info info = {
		.abi_version = LATCH_ABI_VERSION,
		.version = latch.boot.version,
		.nr_cpus = nr_cpu_ids,
		.hidden_bytes = (u64)latch.boot.nr_chunks * LATCH_CHUNK_SIZE,
		.public_bytes = latch.public_size,
		.pool_pages = latch.boot.pool_pages,
		.pool_free = READ_ONCE(log->pool_free),
		.image_bytes = latch.image_bytes,
		.tsc_khz = tsc_khz,
	};
	unsigned int cpu;

	if (latch.boot.outer)
		info.flags |= LATCH_INFO_NESTED;
	fill_hypervisor(info.hypervisor, sizeof(info.hypervisor));
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		info.cpu_state[cpu] = latch_cpu_page(cpu)->mode;
		if (info.cpu_state[cpu] == LATCH_CPU_GUEST && !cpu_online(cpu))
			info.cpu_state[cpu] = LATCH_CPU_OFFLINE;
		if (info.cpu_state[cpu] == LATCH_CPU_FAILED)
			info.flags |= LATCH_INFO_FAILED;
	}
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ioctl_stats(void __user *arg)
{
	struct latch_stats_req __user *req = arg;
	struct latch_cpu_stats stats;
	u32 head[2], reason;

	if (copy_from_user(head, req, sizeof(head)))
		return -EFAULT;
	if (head[0] >= nr_cpu_ids || head[1])
		return -EINVAL;
	stats = latch_cpu_page(array_index_nospec(head[0], nr_cpu_ids))->stats;
	/* Core does not count these two: it would cost each exit a bit. */
	stats.count[LATCH_STAT_HYPERCALLS] = stats.count[EXIT_REASON_VMCALL] -
					     stats.count[LATCH_STAT_FORWARDED];
	stats.count[LATCH_STAT_EXITS] = 0;
	for (reason = 0; reason < LATCH_NR_REASONS; reason++)
		stats.count[LATCH_STAT_EXITS] += stats.count[reason];
	return copy_to_user(&req->stats, &stats, sizeof(stats)) ? -EFAULT : 0;
}

/* Core may be writing the record: its number is 0 then, or another in the end. */
static bool log_read_record(u64 seq, struct latch_log_record *record)
{
	struct latch_log *log = latch.public;
	struct latch_log_record *from = &log->record[seq & (log->count - 1)];

	if (smp_load_acquire(&from->seq) != seq)
		return false;
	memcpy(record, from, sizeof(*record));
	smp_rmb();
	return READ_ONCE(from->seq) == seq;
}

static long ioctl_log(void __user *arg)
{
	struct latch_log *log = latch.public;
	u64 next = smp_load_acquire(&log->next), oldest, seq;
	struct latch_log_record record;
	struct latch_log_req req;
	u32 done = 0;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!req.count || req.count > LOG_MAX)
		return -EINVAL;
	oldest = next > log->count ? next - log->count : 1;
	seq = req.seq ? req.seq : oldest;
	req.lost = 0;
	if (seq < oldest) {
		req.lost = min_t(u64, oldest - seq, U32_MAX);
		seq = oldest;
	}
	for (; seq < next && done < req.count; seq++) {
		if (!log_read_record(seq, &record)) {
			/* The newest may still be on its way: come again for it. */
			if (seq + 8 >= next)
				break;
			req.lost++;
			continue;
		}
		if (copy_to_user(u64_to_user_ptr(req.records) + done * sizeof(record),
				 &record, sizeof(record)))
			return -EFAULT;
		done++;
	}
	req.seq = seq;
	req.count = done;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

struct ping {
	struct latch_ping_req req;
	u32 batch;
	long ret;
};

static void ping_here(void *data)
{
	struct ping *ping = data;
	u64 cookie, core_cpu, unused, start, ticks;
	u32 i;

	/* The CPU may have left since it was asked: VMCALL would be #UD. */
	ping->ret = -ENXIO;
	if (READ_ONCE(latch_cpu_page(smp_processor_id())->mode) != LATCH_CPU_GUEST)
		return;
	for (i = 0; i < ping->batch; i++) {
		cookie = ping->req.cookie;
		core_cpu = 0;
		unused = 0;
		start = rdtsc_ordered();
		ping->ret = latch_hypercall(LATCH_HC_PING, &cookie, &core_cpu, &unused);
		ticks = rdtsc_ordered() - start;
		if (ping->ret)
			return;
		ping->req.tsc_total += ticks;
		ping->req.tsc_min = min(ping->req.tsc_min, ticks);
	}
	ping->req.cookie = cookie;
	ping->req.core_cpu = core_cpu;
}

static long ioctl_ping(void __user *arg)
{
	struct ping ping = { };
	u32 left;
	int ret;

	if (copy_from_user(&ping.req, arg, sizeof(ping.req)))
		return -EFAULT;
	if (ping.req.cpu >= nr_cpu_ids || !ping.req.count || ping.req.count > PING_MAX ||
	    ping.req.reserved)
		return -EINVAL;
	ping.req.tsc_min = U64_MAX;
	ping.req.tsc_total = 0;
	for (left = ping.req.count; left; left -= ping.batch) {
		ping.batch = min_t(u32, left, PING_BATCH);
		ret = smp_call_function_single(ping.req.cpu, ping_here, &ping, 1);
		if (ret || ping.ret)
			return ret ? ret : ping.ret;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return copy_to_user(arg, &ping.req, sizeof(ping.req)) ? -EFAULT : 0;
}

static long ioctl_app(void __user *arg)
{
	struct latch_app_req req;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	ret = latch_hypapp_request(&req);
	if (ret)
		return ret;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static long ioctl_pal_stat(void __user *arg)
{
	struct latch_pal_stat stat;
	int ret;

	if (copy_from_user(&stat, arg, sizeof(stat)))
		return -EFAULT;
	ret = latch_pal_stat(&stat);
	if (ret)
		return ret;
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static long ioctl_pal_grant(struct file *file, void __user *arg)
{
	struct latch_pal_grant_req req;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	return latch_grant(file, &req);
}

static long ioctl_watch(void __user *arg)
{
	struct latch_watch_req req;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	ret = latch_watch_request(&req);
	if (ret)
		return ret;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static long ioctl_guard(void __user *arg)
{
	struct latch_guard_req req;
	int ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	ret = latch_guard_request(&req);
	if (ret)
		return ret;
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case LATCH_IOC_INFO:
		return ioctl_info(user);
	case LATCH_IOC_STATS:
		return ioctl_stats(user);
	case LATCH_IOC_LOG:
		return ioctl_log(user);
	case LATCH_IOC_PING:
		return ioctl_ping(user);
	case LATCH_IOC_CAPS:
		return copy_to_user(user, &latch.boot.caps, sizeof(latch.boot.caps)) ? -EFAULT : 0;
	case LATCH_IOC_APP:
		return ioctl_app(user);
	case LATCH_IOC_PAL_STAT:
		return ioctl_pal_stat(user);
	case LATCH_IOC_PAL_GRANT:
		return ioctl_pal_grant(file, user);
	case LATCH_IOC_GUARD:
		return ioctl_guard(user);
	case LATCH_IOC_WATCH:
		return ioctl_watch(user);
	default:
		return -ENOTTY;
	}
}

static int device_open(struct inode *inode, struct file *file)
{
	return capable(CAP_SYS_ADMIN) ? latch_grant_open(file) : -EPERM;
}

static int device_release(struct inode *inode, struct file *file)
{
	latch_grant_release(file);
	return 0;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "latch",
	.fops = &device_fops,
	.mode = 0600,
};

/*
 * What a program opens that makes hypercalls: while it is open the module stays, and
 * so VMCALL is never #UD; in a nested guest, while memory is granted. Its PALs are
 * registered with it.
 */
static int call_device_open(struct inode *inode, struct file *file)
{
	if (latch_is_guest() && !latch_guest_is_answered())
		return -ENXIO;
	return latch_pal_open(file);
}

static int call_device_release(struct inode *inode, struct file *file)
{
	latch_pal_release(file);
	return 0;
}

static const struct file_operations call_device_fops = {
	.owner = THIS_MODULE,
	.open = call_device_open,
	.release = call_device_release,
	.unlocked_ioctl = latch_pal_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice call_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "latch-call",
	.fops = &call_device_fops,
	.mode = 0666,
};

/** latch_call_device_init - make /dev/latch-call alone */
int latch_call_device_init(void)
{
	return misc_register(&call_device);
}

/** latch_call_device_exit - and take it away; nobody has it open */
void latch_call_device_exit(void)
{
	misc_deregister(&call_device);
}

/** latch_device_init - make /dev/latch and /dev/latch-call */
int latch_device_init(void)
{
	int ret = misc_register(&device);

	if (ret)
		return ret;
	ret = latch_call_device_init();
	if (ret)
		misc_deregister(&device);
	return ret;
}

/** latch_device_exit - and take them away; nobody has them open */
void latch_device_exit(void)
{
	latch_call_device_exit();
	misc_deregister(&device);
}
