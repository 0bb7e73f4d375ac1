// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/latch with arguments that no honest program would pass: each gives an
 * errno, changes nothing, and the next honest call works; and memory that is granted to
 * PALs of guests. Needs Latch loaded; "ioctl" is run by root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/latch.h>
#include <linux/latch_pal.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"

#define NR_IOCTL_32	54	/* number of ioctl() for int $0x80 */
#define BAD_KERNEL	((void *)0xffffffff81000000ul)
#define BAD_HOLE	((void *)0x0000800000000000ul)

FIXTURE(latch) {
	int fd;
	struct latch_info info;
	uint8_t *low;		/* a page below 4 GiB, the next one is not there */
};

FIXTURE_SETUP(latch)
{
	self->fd = open("/dev/latch", O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, LATCH_IOC_INFO, &self->info));
	self->low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	ASSERT_EQ(0, munmap(self->low + 4096, 4096));
}

FIXTURE_TEARDOWN(latch)
{
	struct latch_ping_req ping = { .cpu = sched_getcpu(), .count = 1, .cookie = 77 };

	/* The honest call. */
	EXPECT_EQ(0, ioctl(self->fd, LATCH_IOC_PING, &ping));
	EXPECT_EQ(77, ping.cookie);
	EXPECT_EQ(ping.cpu, ping.core_cpu);
	close(self->fd);
}

/* errno of an ioctl, 0 when it works */
static int try_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? errno : 0;
}

static int try_ioctl32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a" (ret)
			 : "0" (NR_IOCTL_32), "b" (fd), "c" (cmd), "d" (arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret < 0 ? -(int)ret : 0;
}

static const unsigned int commands[] = {
	LATCH_IOC_INFO, LATCH_IOC_STATS, LATCH_IOC_LOG, LATCH_IOC_PING, LATCH_IOC_CAPS,
	LATCH_IOC_APP
};

TEST_F(latch, info_is_plausible)
{
	EXPECT_EQ(LATCH_ABI_VERSION, self->info.abi_version);
	EXPECT_LE(sysconf(_SC_NPROCESSORS_ONLN), self->info.nr_cpus);
	EXPECT_GE(LATCH_MAX_CPUS, self->info.nr_cpus);
	EXPECT_EQ(0, self->info.hidden_bytes % 0x200000);
	EXPECT_NE(0, self->info.hidden_bytes);
	EXPECT_LT(self->info.pool_free, self->info.pool_pages);
	EXPECT_EQ(0, self->info.flags & LATCH_INFO_FAILED);
	for (unsigned int cpu = self->info.nr_cpus; cpu < LATCH_MAX_CPUS; cpu++) {
		EXPECT_EQ(LATCH_CPU_OFF, self->info.cpu_state[cpu]);
	}
}

TEST_F(latch, bad_pointers_are_efault)
{
	void *const bad[] = { NULL, (void *)1, (void *)~0ul, BAD_KERNEL, BAD_HOLE, self->low + 4096 };

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		for (unsigned int j = 0; j < sizeof(bad) / sizeof(*bad); j++) {
			EXPECT_EQ(EFAULT, try_ioctl(self->fd, commands[i], bad[j]))
				TH_LOG("command %u, pointer %p", i, bad[j]);
		}
	}
}

/* The argument ends in the page that is not there. */
TEST_F(latch, half_a_struct_is_efault)
{
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		for (unsigned int size = 8; size < _IOC_SIZE(commands[i]); size += 4) {
			memset(self->low, 0, 4096);
			/* CPU 0, and 1 as the count where there is one */
			*(uint32_t *)(self->low + 4096 - size + 4) = commands[i] == LATCH_IOC_PING;
			EXPECT_EQ(EFAULT, try_ioctl(self->fd, commands[i], self->low + 4096 - size))
				TH_LOG("command %u, %u bytes", i, size);
		}
	}
}

TEST_F(latch, read_only_results_are_efault)
{
	struct latch_ping_req *ping = (void *)self->low;

	*ping = (struct latch_ping_req) { .cpu = sched_getcpu(), .count = 1 };
	ASSERT_EQ(0, mprotect(self->low, 4096, PROT_READ));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_INFO, self->low));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_CAPS, self->low));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_PING, self->low));
}

TEST_F(latch, unknown_commands_are_enotty)
{
	uint8_t buffer[8192];

	for (unsigned int nr = 0; nr < 256; nr++) {
		unsigned int cmd = _IOC(_IOC_READ | _IOC_WRITE, LATCH_IOC_MAGIC, nr, 28);

		EXPECT_EQ(ENOTTY, try_ioctl(self->fd, cmd, buffer)) TH_LOG("number %u", nr);
	}
	/* of the right number but with another size or direction, or another magic */
	EXPECT_EQ(ENOTTY, try_ioctl(self->fd, LATCH_IOC_INFO + (1 << _IOC_SIZESHIFT), buffer));
	EXPECT_EQ(ENOTTY, try_ioctl(self->fd, LATCH_IOC_INFO ^ 1u << _IOC_DIRSHIFT, buffer));
	EXPECT_EQ(ENOTTY, try_ioctl(self->fd, LATCH_IOC_PING ^ 1u << _IOC_TYPESHIFT, buffer));
	EXPECT_EQ(ENOTTY, try_ioctl(self->fd, 0, buffer));
}

TEST_F(latch, stats_check_their_input)
{
	struct latch_stats_req req = { .cpu = 0 };
	const uint32_t cpus[] = { self->info.nr_cpus, LATCH_MAX_CPUS, 0x7fffffff, 0x80000000, ~0u };

	EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_STATS, &req));
	EXPECT_NE(0, req.stats.count[LATCH_STAT_EXITS]);
	for (unsigned int i = 0; i < 5; i++) {
		req.cpu = cpus[i];
		EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_STATS, &req)) TH_LOG("CPU %x", req.cpu);
	}
	req.cpu = 0;
	req.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_STATS, &req));
}

TEST_F(latch, stats_only_grow)
{
	struct latch_stats_req a = { .cpu = sched_getcpu() }, b = a;

	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_STATS, &a));
	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_STATS, &b));
	for (unsigned int i = 0; i < LATCH_NR_STATS; i++) {
		EXPECT_LE(a.stats.count[i], b.stats.count[i]);
	}
}

TEST_F(latch, ping_checks_its_input)
{
	struct latch_ping_req good = { .cpu = 0, .count = 1 }, req;
	const uint32_t cpus[] = { self->info.nr_cpus, LATCH_MAX_CPUS, 0x80000000, ~0u };
	const uint32_t counts[] = { 0, 1000001, 0x80000000, ~0u };

	for (unsigned int i = 0; i < 4; i++) {
		req = good;
		req.cpu = cpus[i];
		EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_PING, &req)) TH_LOG("CPU %x", req.cpu);
		req = good;
		req.count = counts[i];
		EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_PING, &req)) TH_LOG("count %x", req.count);
	}
	req = good;
	req.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_PING, &req));
}

TEST_F(latch, ping_returns_what_was_sent)
{
	for (unsigned int cpu = 0; cpu < self->info.nr_cpus; cpu++) {
		struct latch_ping_req req = { .cpu = cpu, .count = 100, .cookie = 0xfeedfacecafe0000 + cpu };

		if (self->info.cpu_state[cpu] != LATCH_CPU_GUEST)
			continue;
		ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_PING, &req));
		EXPECT_EQ(0xfeedfacecafe0000 + cpu, req.cookie);
		EXPECT_EQ(cpu, req.core_cpu);
		EXPECT_LE(req.tsc_min * 100, req.tsc_total);
		EXPECT_NE(0, req.tsc_min);
	}
}

TEST_F(latch, log_checks_its_input)
{
	static struct latch_log_record records[4096];
	struct latch_log_req good = { .records = (uintptr_t)records, .count = 4096 }, req;
	const uint32_t counts[] = { 0, 4097, 0x80000000, ~0u };
	const uint64_t far[] = { ~0ull, 1ull << 63, 1ull << 32, 1000000 };
	uint64_t next;

	req = good;
	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_LOG, &req));
	ASSERT_NE(0, req.count);
	for (unsigned int i = 0; i < req.count; i++) {
		EXPECT_LE(records[i].len, LATCH_LOG_TEXT);
		EXPECT_GT(self->info.nr_cpus, records[i].cpu);
	}
	next = req.seq;
	EXPECT_EQ(records[req.count - 1].seq + 1, next);
	for (unsigned int i = 0; i < 4; i++) {
		req = good;
		req.count = counts[i];
		EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_LOG, &req)) TH_LOG("count %x", req.count);
		/* beyond the end there is nothing, and that is no error */
		req = good;
		req.seq = far[i];
		EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_LOG, &req));
		EXPECT_EQ(0, req.count);
		EXPECT_EQ(0, req.lost);
	}
	req = good;
	req.records = (uintptr_t)(self->low + 4096 - 8);
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_LOG, &req));
	req.records = (uintptr_t)BAD_KERNEL;
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_LOG, &req));
	req.records = ~0ull;
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_LOG, &req));
}

TEST_F(latch, caps_are_those_of_the_cpu)
{
	struct latch_caps caps;

	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_CAPS, &caps));
	EXPECT_EQ(5, caps.feature_control & 5);
	EXPECT_NE(0, caps.vmx[0]);
	EXPECT_NE(0, caps.vmx[0x0b]);
}

TEST_F(latch, hypapps_go_on_and_off)
{
	struct latch_app_req req = { .app = LATCH_APP_HELLO, .action = LATCH_APP_ENABLE };

	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_APP, &req));
	EXPECT_EQ(LATCH_APP_ON, req.flags);
	EXPECT_EQ(0, strcmp(req.name, "hello"));
	req.action = LATCH_APP_DISABLE;
	ASSERT_EQ(0, try_ioctl(self->fd, LATCH_IOC_APP, &req));
	EXPECT_EQ(0, req.flags);
	req.action = LATCH_APP_DISABLE + 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_APP, &req));
	req.action = LATCH_APP_QUERY;
	req.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_APP, &req));
	req.reserved = 0;
	for (req.app = LATCH_APP_LAST + 1; req.app; req.app <<= 1) {
		EXPECT_EQ(ENOENT, try_ioctl(self->fd, LATCH_IOC_APP, &req));
	}
}

TEST_F(latch, a_program_of_32_bits)
{
	struct latch_ping_req *ping = (void *)self->low;

	memset(self->low, 0, 4096);
	EXPECT_EQ(0, try_ioctl32(self->fd, LATCH_IOC_INFO, self->low));
	EXPECT_EQ(0, memcmp(self->low, &self->info, offsetof(struct latch_info, cpu_state)));
	*ping = (struct latch_ping_req) { .cpu = 0, .count = 3, .cookie = ~0ull };
	EXPECT_EQ(0, try_ioctl32(self->fd, LATCH_IOC_PING, ping));
	EXPECT_EQ(~0ull, ping->cookie);
	EXPECT_EQ(0, ping->core_cpu);
	EXPECT_EQ(EFAULT, try_ioctl32(self->fd, LATCH_IOC_INFO, (void *)0xfffffff0));
	EXPECT_EQ(EFAULT, try_ioctl32(self->fd, LATCH_IOC_PING, NULL));
	EXPECT_EQ(ENOTTY, try_ioctl32(self->fd, 12345, self->low));
}

static int open_as_nobody(const char *path)
{
	int status, err = 0;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(99);
		err = open(path, O_RDWR) < 0 ? errno : 0;
		_exit(err);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(latch, only_root_opens_it)
{
	EXPECT_EQ(EACCES, open_as_nobody("/dev/latch"));
	/* the capability counts, whatever the mode is */
	ASSERT_EQ(0, chmod("/dev/latch", 0666));
	EXPECT_EQ(EPERM, open_as_nobody("/dev/latch"));
	EXPECT_EQ(0, chmod("/dev/latch", 0600));
}

struct hammer {
	int fd;
	unsigned int seed;
	volatile bool *stop;
	unsigned long calls;
	int bad;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	static const int allowed[] = { 0, EINVAL, EFAULT, ENXIO, ENOTTY, ENOENT };
	union {
		struct latch_info info;
		struct latch_stats_req stats;
		struct latch_log_req log;
		struct latch_ping_req ping;
		uint32_t word[sizeof(struct latch_stats_req) / 4];
	} u;

	for (; !*h->stop; h->calls++) {
		unsigned int pick = rand_r(&h->seed), i;
		int err;

		for (i = 0; i < 8; i++)
			u.word[i] = pick & 1u << i ? rand_r(&h->seed) % 5 : (unsigned int)rand_r(&h->seed);
		/* no pointer of ours by chance, and not a million pings */
		if (commands[pick / 256 % 6] == LATCH_IOC_LOG)
			u.log.records = pick & 1 ? 0 : (uint64_t)BAD_KERNEL;
		if (u.ping.count > 5 && u.ping.count <= 1000000)
			u.ping.count = 5;
		err = try_ioctl(h->fd, commands[pick / 256 % 6], &u);
		for (i = 0; i < 6 && allowed[i] != err; i++)
			;
		if (i == 6)
			h->bad = err;
	}
	return NULL;
}

static int set_online(unsigned int cpu, const char *value)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -1;
	ret = write(fd, value, 1) == 1 ? 0 : -1;
	close(fd);
	return ret;
}

/* Random calls while CPUs come and go. */
TEST_F(latch, many_threads_while_cpus_come_and_go)
{
	struct latch_app_req off = { .app = LATCH_APP_HELLO, .action = LATCH_APP_DISABLE };
	volatile bool stop = false;
	struct hammer hammers[8];
	pthread_t threads[8];
	unsigned long calls = 0;

	for (int i = 0; i < 8; i++) {
		hammers[i] = (struct hammer) { .fd = self->fd, .seed = i + 1, .stop = &stop };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, hammer, &hammers[i]));
	}
	for (int round = 0; round < 6; round++) {
		usleep(50000);
		for (unsigned int cpu = 1; cpu < self->info.nr_cpus; cpu++) {
			EXPECT_EQ(0, set_online(cpu, "0"));
			usleep(10000);
			EXPECT_EQ(0, set_online(cpu, "1"));
		}
	}
	stop = true;
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, hammers[i].bad);
		calls += hammers[i].calls;
	}
	EXPECT_LT(500, calls);
	EXPECT_EQ(0, ioctl(self->fd, LATCH_IOC_APP, &off));
	EXPECT_EQ(0, ioctl(self->fd, LATCH_IOC_INFO, &self->info));
	for (unsigned int cpu = 0; cpu < self->info.nr_cpus; cpu++) {
		EXPECT_EQ(LATCH_CPU_GUEST, self->info.cpu_state[cpu]);
	}
}

/* An offline CPU has nobody to answer, and that is said. */
TEST_F(latch, ping_of_an_offline_cpu)
{
	struct latch_ping_req ping = { .cpu = 1, .count = 1 };

	if (self->info.nr_cpus < 2)
		return;
	ASSERT_EQ(0, set_online(1, "0"));
	EXPECT_EQ(ENXIO, try_ioctl(self->fd, LATCH_IOC_PING, &ping));
	EXPECT_EQ(0, set_online(1, "1"));
	EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_PING, &ping));
}

/* --- memory granted to PALs of guests; here of this program, which is no VM */

#define GRANT_PAGES	1300	/* more than core takes in two calls */

FIXTURE(grant) {
	int fd;
	char *memory;
	struct latch_pal_grant_req all;
};

static int set_pal(int fd, uint32_t action)
{
	struct latch_app_req req = { .app = LATCH_APP_PAL, .action = action };

	return try_ioctl(fd, LATCH_IOC_APP, &req);
}

static int open_device(void)
{
	return open("/dev/latch", O_RDWR | O_CLOEXEC);
}

FIXTURE_SETUP(grant)
{
	self->fd = open_device();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, set_pal(self->fd, LATCH_APP_ENABLE));
	self->memory = mmap(NULL, GRANT_PAGES * 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	self->all = (struct latch_pal_grant_req) {
		.pid = getpid(), .start = (uintptr_t)self->memory, .size = GRANT_PAGES * 4096,
	};
}

FIXTURE_TEARDOWN(grant)
{
	EXPECT_EQ(0, set_pal(self->fd, LATCH_APP_DISABLE));
	EXPECT_EQ(0, close(self->fd));
	munmap(self->memory, GRANT_PAGES * 4096);
}

/* Pages of a process that are pinned, as Linux tells it. */
static long pinned(pid_t pid)
{
	char path[64], line[256];
	long kb = -4;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "VmPin: %ld", &kb) != 1)
		;
	if (file)
		fclose(file);
	return kb / 4;
}

static int try_grant(int fd, uint32_t pid, uint64_t start, uint64_t size)
{
	struct latch_pal_grant_req req = { .pid = pid, .start = start, .size = size };

	return try_ioctl(fd, LATCH_IOC_PAL_GRANT, &req);
}

TEST_F(grant, bad_pointers_are_efault)
{
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, NULL));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, BAD_KERNEL));
}

TEST_F(grant, wrong_ranges_are_einval)
{
	uint64_t start = self->all.start, size = self->all.size;
	uint32_t pid = self->all.pid;

	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, start, 0));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, start + 1, 4096));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, start, size - 1));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, 0xffffffff81000000, 4096));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, 0x00007ffffffff000, 8192));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, -4096ull, 8192));
	EXPECT_EQ(EINVAL, try_grant(self->fd, pid, start, -4096ull));
	self->all.reserved = 1;
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(0, pinned(getpid()));
}

TEST_F(grant, processes_without_memory_are_esrch)
{
	const uint32_t pids[] = { 0, 2, 0x3fffffff, 0x80000000, ~0u };

	for (unsigned int i = 0; i < sizeof(pids) / sizeof(*pids); i++) {
		EXPECT_EQ(ESRCH, try_grant(self->fd, pids[i], self->all.start, 4096))
			TH_LOG("process %u", pids[i]);
	}
}

/* The wrong page is behind what one call of core takes. */
TEST_F(grant, other_memory_is_refused)
{
	char *page = self->memory + 600 * 4096;

	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	ASSERT_EQ(0, munmap(page, 4096));
	EXPECT_EQ(EFAULT, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	ASSERT_EQ(page, mmap(page, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(EINVAL, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(0, pinned(getpid()));
	/* And nothing of it was left with core. */
	EXPECT_EQ(0, try_grant(self->fd, getpid(), self->all.start, 600 * 4096));
	EXPECT_EQ(600, pinned(getpid()));
}

TEST_F(grant, once_and_up_to_the_end_of_the_file)
{
	int other = open_device();

	ASSERT_LE(0, other);
	EXPECT_EQ(0, try_grant(other, getpid(), self->all.start + 600 * 4096, 4096));
	EXPECT_EQ(EBUSY, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(1, pinned(getpid()));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, pinned(getpid()));
	EXPECT_EQ(0, try_grant(self->fd, getpid(), self->all.start, 4096));
	EXPECT_EQ(0, try_grant(self->fd, getpid(), self->all.start + 4096, self->all.size - 4096));
	EXPECT_EQ(GRANT_PAGES, pinned(getpid()));
	EXPECT_EQ(EBUSY, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(0, pinned(getpid()));
	self->fd = open_device();
	EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
}

TEST_F(grant, pal_is_switched_off)
{
	EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(0, set_pal(self->fd, LATCH_APP_DISABLE));
	EXPECT_EQ(ENOSYS, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(GRANT_PAGES, pinned(getpid()));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(0, pinned(getpid()));
	self->fd = open_device();
}

TEST_F(grant, the_process_is_killed)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		pause();
		_exit(1);
	}
	ASSERT_LT(0, pid);
	self->all.pid = pid;
	EXPECT_EQ(0, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(GRANT_PAGES, pinned(pid));
	EXPECT_EQ(0, pinned(getpid()));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(ESRCH, try_ioctl(self->fd, LATCH_IOC_PAL_GRANT, &self->all));
	EXPECT_EQ(0, close(self->fd));
	self->fd = open_device();
}

TEST_HARNESS_MAIN
