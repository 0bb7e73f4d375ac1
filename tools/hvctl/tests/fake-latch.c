// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test double of the ioctls of /dev/latch and of the msr driver, to be
 * preloaded. It refuses wrong requests as the module does.
 *
 * FAKE_ROOT	folder that stands for / in /proc, /sys and /dev/cpu
 * FAKE_LATCH	absent, denied, denied-ioctl, old, abi2, broken; else: all right
 * FAKE_CPUS	CPUs from this one on that are off have no counters
 * FAKE_STATES	a digit of enum latch_cpu_mode for each CPU
 * FAKE_STEP	CPUID exits that CPU n gets between two looks, times n + 1
 * FAKE_ZERO	no exits at all
 * FAKE_RESERVED	an exit with a reserved reason
 * FAKE_TSC_KHZ	frequency of the TSC, 0: unknown
 * FAKE_NESTED	there is an outer hypervisor
 * FAKE_FAILED	core has failed
 * FAKE_APP	errno: no hypapp can be asked for
 * FAKE_PAL	errno: the hypapp pal is off
 * FAKE_GRANT	errno of granting memory to PALs, from range number FAKE_GRANT_FROM on
 * FAKE_WATCH	errno of all that is asked about watchpoints
 * FAKE_WATCH_ADD, FAKE_WATCH_DEL	errno of that only
 * FAKE_WATCH_NEXT	"same": each watchpoint is its own successor; "none": there are none
 * FAKE_GUARD	errno of all that is asked of guard
 * FAKE_GUARD_SET	errno of setting it
 * FAKE_GUARD_MODE	mode that it is in
 * FAKE_SEEN	file for what is asked of watch, guard and grants
 * FAKE_PING	cookie, cpu or errno: what goes wrong on CPU 1
 * FAKE_LOG	number of log records that were written; the ring has 8
 * FAKE_EVENTS	file with "level text" a line, for the first log records; else: "record N"
 * FAKE_GROW	log records that come with each look at the end of the log
 * FAKE_MSRS	file with MSRs, "number value" a line, for the ioctl and the driver
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/latch.h>
#include <linux/latch_guard.h>
#include <linux/latch_pal.h>
#include <linux/latch_watch.h>

#define RING 8

int open(const char *path, int flags, ...);
int ioctl(int fd, unsigned long request, ...);
ssize_t pread(int fd, void *buf, size_t count, off_t offset);
int access(const char *path, int mode);

static int latch_fd = -1, msr_fd = -1;

static long env_number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 0) : otherwise;
}

static int env_is(const char *name, const char *value)
{
	const char *text = getenv(name);

	return text && !strcmp(text, value);
}

static const char *env_states(void)
{
	const char *text = getenv("FAKE_STATES");

	return text ? text : "1111";
}

static int fail(int err)
{
	errno = err;
	return -1;
}

static const char *redirect(const char *path, char *buf, size_t size)
{
	const char *root = getenv("FAKE_ROOT");

	if (!root || (strncmp(path, "/proc/", 6) && strncmp(path, "/sys/", 5) &&
		      strncmp(path, "/dev/cpu/", 9)))
		return path;
	snprintf(buf, size, "%s%s", root, path);
	return buf;
}

static int real_open(const char *path, int flags)
{
	int (*func)(const char *path, int flags, ...);

	*(void **)&func = dlsym(RTLD_NEXT, "open");
	return func(path, flags);
}

int open(const char *path, int flags, ...)
{
	char buf[512];
	int fd;

	if (strcmp(path, "/dev/latch")) {
		fd = real_open(redirect(path, buf, sizeof(buf)), flags);
		if (!strncmp(path, "/dev/cpu/", 9))
			msr_fd = fd;
		return fd;
	}
	if (env_is("FAKE_LATCH", "absent"))
		return fail(ENOENT);
	if (env_is("FAKE_LATCH", "denied"))
		return fail(EACCES);
	latch_fd = real_open("/dev/null", flags);
	return latch_fd;
}

int access(const char *path, int mode)
{
	int (*func)(const char *path, int mode);
	char buf[512];

	*(void **)&func = dlsym(RTLD_NEXT, "access");
	return func(redirect(path, buf, sizeof(buf)), mode);
}

static int find_msr(unsigned long msr, unsigned long long *val)
{
	const char *path = getenv("FAKE_MSRS");
	FILE *file = path ? fopen(path, "r") : NULL;
	unsigned long number;
	int found = 0;

	while (file && !found && fscanf(file, "%lx %llx", &number, val) == 2)
		found = number == msr;
	if (file)
		fclose(file);
	return found;
}

ssize_t pread(int fd, void *buf, size_t count, off_t offset)
{
	unsigned long long val;

	/* the driver answers a #GP with EIO */
	if (fd != msr_fd || count != sizeof(val) || !find_msr((unsigned long)offset, &val))
		return fail(EIO);
	memcpy(buf, &val, sizeof(val));
	return sizeof(val);
}

static int fake_info(struct latch_info *info)
{
	const char *states = env_states();

	if (env_is("FAKE_LATCH", "denied-ioctl"))
		return fail(EPERM);
	if (env_is("FAKE_LATCH", "old"))
		return fail(ENOTTY);
	if (env_is("FAKE_LATCH", "broken"))
		return fail(EIO);
	memset(info, 0, sizeof(*info));
	info->abi_version = env_is("FAKE_LATCH", "abi2") ? 2 : LATCH_ABI_VERSION;
	info->version = LATCH_VERSION(1, 2, 3);
	info->nr_cpus = (__u32)strlen(states);
	info->hidden_bytes = 6 << 20;
	info->public_bytes = 72 << 10;
	info->image_bytes = 100 << 10;
	info->pool_pages = 1000;
	info->pool_free = 900;
	info->tsc_khz = (unsigned long long)env_number("FAKE_TSC_KHZ", 1000000);
	if (getenv("FAKE_NESTED")) {
		info->flags |= LATCH_INFO_NESTED;
		strcpy(info->hypervisor, "KVMKVMKVM");
	}
	if (getenv("FAKE_FAILED"))
		info->flags |= LATCH_INFO_FAILED;
	for (unsigned int i = 0; states[i]; i++)
		info->cpu_state[i] = (__u8)(states[i] - '0');
	return 0;
}

static int fake_stats(struct latch_stats_req *req)
{
	static unsigned long long looks[LATCH_MAX_CPUS];
	const char *states = env_states();
	__u64 *count = req->stats.count, step = (__u64)env_number("FAKE_STEP", 0);

	if (req->cpu >= strlen(states) || req->reserved)
		return fail(EINVAL);
	if (states[req->cpu] == '0' && req->cpu >= (unsigned long)env_number("FAKE_CPUS", 256))
		return fail(EINVAL);
	memset(count, 0, sizeof(req->stats));
	if (getenv("FAKE_ZERO"))
		return 0;
	count[10] = 1000 * (req->cpu + 1) + step * (req->cpu + 1) * looks[req->cpu]++;
	count[18] = 7;
	count[35] = getenv("FAKE_RESERVED") ? 1 : 0;
	count[LATCH_STAT_EXITS] = count[10] + count[18] + count[35];
	count[LATCH_STAT_HYPERCALLS] = 7;
	return 0;
}

/* Line @seq of a file, if it has so many */
static int fake_event(__u64 seq, struct latch_log_record *rec)
{
	const char *path = getenv("FAKE_EVENTS");
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[256] = "";

	while (file && seq && fgets(line, sizeof(line), file))
		seq--;
	if (file)
		fclose(file);
	if (!file || seq)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	rec->level = (__u8)(line[0] - '0');
	rec->len = (__u8)strlen(line + 2);
	memcpy(rec->text, line + 2, rec->len < sizeof(rec->text) ? rec->len : sizeof(rec->text));
	return 1;
}

static void fake_record(__u64 seq, struct latch_log_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	rec->seq = seq;
	rec->tsc = seq * 1500000000;
	rec->cpu = (__u16)(seq % 4);
	if (fake_event(seq, rec))
		return;
	rec->level = (__u8)(seq % 4);
	rec->len = (__u8)snprintf(rec->text, sizeof(rec->text), "record %llu", seq);
	if (seq == 2) {
		rec->len = 255;		/* longer than it can be */
		memset(rec->text, 'x', sizeof(rec->text));
		memcpy(rec->text, "\033[2J\"\377", 6);
	}
}

static int fake_log(struct latch_log_req *req)
{
	static __u64 grown;
	struct latch_log_record *out = (struct latch_log_record *)(uintptr_t)req->records;
	__u64 next = (__u64)env_number("FAKE_LOG", 3) + 1 + grown;
	__u64 oldest = next > RING ? next - RING : 1;
	__u32 n = 0;

	if (!req->count || req->count > 4096 || req->lost)
		return fail(EINVAL);
	if (!req->seq)
		req->seq = oldest;
	if (req->seq < oldest) {
		req->lost = (__u32)(oldest - req->seq);
		req->seq = oldest;
	}
	while (req->seq < next && n < req->count)
		fake_record(req->seq++, &out[n++]);
	req->count = n;
	if (!n)
		grown += (__u64)env_number("FAKE_GROW", 0);
	return 0;
}

static int fake_ping(struct latch_ping_req *req)
{
	if (!req->count || req->count > 1000000 || req->reserved)
		return fail(EINVAL);
	if (req->cpu >= strlen(env_states()) || env_states()[req->cpu] != '1')
		return fail(ENXIO);
	req->core_cpu = req->cpu;
	req->tsc_min = 1000 + req->cpu;
	req->tsc_total = req->count * (1500ull + req->cpu);
	if (req->cpu != 1)
		return 0;
	if (env_is("FAKE_PING", "cookie"))
		req->cookie ^= 1;
	if (env_is("FAKE_PING", "cpu"))
		req->core_cpu = 0;
	return env_is("FAKE_PING", "errno") ? fail(EIO) : 0;
}

static int fake_caps(struct latch_caps *caps)
{
	unsigned long long val;

	if (env_is("FAKE_LATCH", "no-caps"))
		return fail(EIO);
	memset(caps, 0, sizeof(*caps));
	if (find_msr(0x3a, &val))
		caps->feature_control = val;
	for (unsigned int i = 0; i < LATCH_NR_CAPS; i++) {
		if (find_msr(0x480 + i, &val))
			caps->vmx[i] = val;
	}
	return 0;
}

/* Two hypapps: hello, and a second one that is busy */
static int fake_app(struct latch_app_req *req)
{
	static unsigned int on = 1u << 3;

	if (req->action > LATCH_APP_DISABLE || req->reserved)
		return fail(EINVAL);
	if (env_is("FAKE_APP", "errno"))
		return fail(ENXIO);
	if (req->app != 1 && req->app != 3)
		return fail(ENOENT);
	if (req->app == 3 && req->action == LATCH_APP_DISABLE)
		return fail(EBUSY);
	if (req->action != LATCH_APP_QUERY)
		on = (on & ~(1u << req->app)) |
		     (req->action == LATCH_APP_ENABLE) << req->app;
	req->flags = on >> req->app & 1;
	strcpy(req->name, req->app == 1 ? "hello" : "busy");
	return 0;
}

/* Two PALs */
static int fake_pal(struct latch_pal_stat *stat)
{
	if (env_is("FAKE_PAL", "errno"))
		return fail(ENOSYS);
	if (stat->flags)
		return fail(EINVAL);
	if (stat->handle >= 7)
		return fail(ENOENT);
	if (stat->handle < 3)
		*stat = (struct latch_pal_stat) {
			.handle = 3, .state = LATCH_PAL_IDLE, .pages = 6, .calls = 100,
			.flags = LATCH_PAL_FAST,
		};
	else
		*stat = (struct latch_pal_stat) {
			.handle = 7, .state = LATCH_PAL_DEAD, .pages = 8,
		};
	return 0;
}

static void note_seen(const char *format, ...)
{
	const char *path = getenv("FAKE_SEEN");
	FILE *file = path ? fopen(path, "a") : NULL;
	va_list ap;

	if (!file)
		return;
	va_start(ap, format);
	vfprintf(file, format, ap);
	va_end(ap);
	fclose(file);
}

static int fake_grant(const struct latch_pal_grant_req *req)
{
	static long requests;

	note_seen("grant pid %u 0x%llx size 0x%llx\n", req->pid, req->start, req->size);
	if (requests++ >= env_number("FAKE_GRANT_FROM", 0) && env_number("FAKE_GRANT", 0))
		return fail((int)env_number("FAKE_GRANT", 0));
	if (!req->pid || req->reserved || !req->size || (req->start | req->size) & 0xfff)
		return fail(EINVAL);
	return 0;
}

static int fake_watch_add(struct latch_watch_req *req)
{
	const struct latch_watch *watch = &req->watch;

	note_seen("add pid %u 0x%llx size %llu access %u\n", req->pid, watch->address,
		  watch->size, watch->access);
	if (env_number("FAKE_WATCH_ADD", 0))
		return fail((int)env_number("FAKE_WATCH_ADD", 0));
	if (!watch->access || watch->access > 7 || !watch->size ||
	    watch->size > LATCH_WATCH_SIZE || watch->hits || watch->id)
		return fail(EINVAL);
	if (req->pid ? watch->address >> 63 : !(watch->address >> 63))
		return fail(EINVAL);
	req->watch.id = 6;
	return 0;
}

/* Two watchpoints, that do not stay deleted from one run to the next */
static int fake_watch(struct latch_watch_req *req)
{
	static struct latch_watch watch[] = {
		{ 1, LATCH_WATCH_WRITE, 0xffffffff82000010, 4, 12 },
		{ 5, 7, 0x7f0000001000, 16 << 20, 1ull << 40 },
	};
	__u32 id = req->watch.id;

	if (env_number("FAKE_WATCH", 0))
		return fail((int)env_number("FAKE_WATCH", 0));
	if (req->action == LATCH_WATCH_ADD)
		return fake_watch_add(req);
	if (req->action == LATCH_WATCH_DEL)
		note_seen("del %u\n", id);
	if (req->action == LATCH_WATCH_DEL && env_number("FAKE_WATCH_DEL", 0))
		return fail((int)env_number("FAKE_WATCH_DEL", 0));
	if (req->action == LATCH_WATCH_NEXT && env_is("FAKE_WATCH_NEXT", "none"))
		return fail(ENOENT);
	for (unsigned int i = 0; i < 2; i++) {
		if (req->action == LATCH_WATCH_DEL && watch[i].id == id) {
			watch[i].id = 0;
			return 0;
		}
		if (req->action == LATCH_WATCH_NEXT &&
		    watch[i].id > id - (id && env_is("FAKE_WATCH_NEXT", "same"))) {
			req->watch = watch[i];
			return 0;
		}
	}
	return fail(ENOENT);
}

static int fake_guard(struct latch_guard_req *req)
{
	if (env_number("FAKE_GUARD", 0))
		return fail((int)env_number("FAKE_GUARD", 0));
	if (req->set)
		note_seen("guard %u text %llx %llx rodata %llx %llx idt %llx poking %llx %llx\n",
			  req->mode, req->text[0], req->text[1], req->rodata[0], req->rodata[1],
			  req->idt, req->poking_mm, req->poking_addr);
	if (req->set && env_number("FAKE_GUARD_SET", 0))
		return fail((int)env_number("FAKE_GUARD_SET", 0));
	req->stat = (struct latch_guard_stat) {
		.mode = req->set ? req->mode : (__u32)env_number("FAKE_GUARD_MODE", 1),
		.cpus = 4, .pages = { 3584, 1024, 20, 1, 300 },
		.writes = 7, .registers = 8, .pokes = 9000,
	};
	req->wx = 2;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*func)(int fd, unsigned long request, ...);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != latch_fd) {
		*(void **)&func = dlsym(RTLD_NEXT, "ioctl");
		return func(fd, request, arg);
	}
	switch (request) {
	case LATCH_IOC_INFO: return fake_info(arg);
	case LATCH_IOC_STATS: return fake_stats(arg);
	case LATCH_IOC_LOG: return fake_log(arg);
	case LATCH_IOC_PING: return fake_ping(arg);
	case LATCH_IOC_APP: return fake_app(arg);
	case LATCH_IOC_PAL_STAT: return fake_pal(arg);
	case LATCH_IOC_PAL_GRANT: return fake_grant(arg);
	case LATCH_IOC_WATCH: return fake_watch(arg);
	case LATCH_IOC_GUARD: return fake_guard(arg);
	case LATCH_IOC_CAPS: return fake_caps(arg);
	default: return fail(ENOTTY);
	}
}
