// SPDX-License-Identifier: GPL-2.0-only
/*
 * What single operations of Linux cost, in ticks of the TSC, for `make bench`.
 *
 *	costs LABEL NAME...	measure: "bench cost_LABEL_NAME BEST" and
 *				"bench median_LABEL_NAME MEDIAN", for each NAME
 *	costs repeat NAME N	only do it, N times, so that exits can be counted
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES	1000
#define PAGE		4096
#define MAP_BYTES	(64 * 1024)
#define HOTPLUGS	8
#define JIFFY_US	4000	/* a timer tick, with Debian's HZ of 250 */
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | (uint64_t)high << 32;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Each sample_ function does its operation once and returns the ticks that it took. */

static uint64_t sample_nothing(void)
{
	uint64_t start = ticks();

	return ticks() - start;
}

static uint64_t sample_syscall(void)
{
	uint64_t start = ticks();

	syscall(SYS_getppid);
	return ticks() - start;
}

static int to_partner[2], from_partner[2];
static pid_t partner;

/* The partner sends each byte back, on the same CPU. */
static void setup_switch(void)
{
	char byte;

	if (pipe(to_partner) || pipe(from_partner))
		fail("pipe");
	partner = fork();
	if (partner < 0)
		fail("fork");
	if (partner) {
		close(to_partner[0]);
		close(from_partner[1]);
		return;
	}
	close(to_partner[1]);
	close(from_partner[0]);
	while (read(to_partner[0], &byte, 1) == 1 && write(from_partner[1], &byte, 1) == 1)
		;
	_exit(0);
}

/* There and back are two switches, each with a write and a read. */
static uint64_t sample_switch(void)
{
	uint64_t start = ticks();
	char byte = 0;

	if (write(to_partner[1], &byte, 1) != 1 || read(from_partner[0], &byte, 1) != 1)
		fail("pipe to the partner");
	return (ticks() - start) / 2;
}

static void end_switch(void)
{
	close(to_partner[1]);
	close(from_partner[0]);
	if (waitpid(partner, NULL, 0) < 0)
		fail("partner");
}

static volatile char *pages;
static size_t next_page;

static void setup_fault(void)
{
	char *map = mmap(NULL, MAX_SAMPLES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		fail("mmap");
	/* Fails in a kernel without huge pages, which is as good. */
	madvise(map, MAX_SAMPLES * PAGE, MADV_NOHUGEPAGE);
	pages = map;
	next_page = 0;
}

static uint64_t sample_fault(void)
{
	uint64_t start = ticks();

	pages[next_page] = 1;
	start = ticks() - start;
	next_page += PAGE;
	return start;
}

static void end_fault(void)
{
	munmap((void *)pages, MAX_SAMPLES * PAGE);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

static void setup_signal(void)
{
	signal(SIGUSR1, on_signal);
}

/* With the handler's return: the signal comes before kill() is back. */
static uint64_t sample_signal(void)
{
	sig_atomic_t before = signals;
	uint64_t start = ticks();

	kill(getpid(), SIGUSR1);
	start = ticks() - start;
	if (signals == before)
		fail("no signal");
	return start;
}

static uint64_t sample_mmap(void)
{
	uint64_t start = ticks();
	void *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || munmap(map, MAP_BYTES))
		fail("mmap");
	return ticks() - start;
}

static uint64_t sample_child(int exec)
{
	uint64_t start = ticks();
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		if (exec)
			execl("/proc/self/exe", "costs", "child", NULL);
		_exit(exec ? 127 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fail("child");
	return ticks() - start;
}

static uint64_t sample_fork(void)
{
	return sample_child(0);
}

static uint64_t sample_exec(void)
{
	return sample_child(1);
}

static uint64_t set_online(const char *value)
{
	int fd = open(ONLINE, O_WRONLY);
	uint64_t start = ticks();

	if (fd < 0 || write(fd, value, 1) != 1)
		fail(ONLINE);
	start = ticks() - start;
	close(fd);
	return start;
}

/* The number of the timer tick that we are in, were all of them @shift microseconds later. */
static long jiffy_now(long shift)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * 1000000 + now.tv_nsec / 1000 - shift) / JIFFY_US;
}

/*
 * Hotplug waits for the kernel's timer ticks, so its time depends on when it begins
 * between two of them: each time a bit later, the same moments natively and under Latch.
 */
static void wait_for_moment(void)
{
	static long moment;
	long shift = moment++ % HOTPLUGS * JIFFY_US / HOTPLUGS, jiffy = jiffy_now(shift);

	while (jiffy_now(shift) == jiffy)
		;
}

static uint64_t sample_offline(void)
{
	uint64_t cost;

	wait_for_moment();
	cost = set_online("0");
	set_online("1");
	return cost;
}

static uint64_t sample_online(void)
{
	set_online("0");
	wait_for_moment();
	return set_online("1");
}

static const struct cost {
	const char *name;
	int samples;
	uint64_t (*sample)(void);
	void (*setup)(void);
	void (*end)(void);
} costs[] = {
	{ "nothing", 100, sample_nothing, NULL, NULL },
	{ "syscall", 1000, sample_syscall, NULL, NULL },
	{ "switch", 500, sample_switch, setup_switch, end_switch },
	{ "fault", MAX_SAMPLES, sample_fault, setup_fault, end_fault },
	{ "signal", 500, sample_signal, setup_signal, NULL },
	{ "mmap", 500, sample_mmap, NULL, NULL },
	{ "fork", 100, sample_fork, NULL, NULL },
	{ "exec", 150, sample_exec, NULL, NULL },
	{ "offline", HOTPLUGS, sample_offline, NULL, NULL },
	{ "online", HOTPLUGS, sample_online, NULL, NULL },
};

static uint64_t samples[MAX_SAMPLES];

static void take_samples(const struct cost *cost, int count)
{
	int i;

	if (cost->setup)
		cost->setup();
	for (i = 0; i < count; i++)
		samples[i] = cost->sample();
	if (cost->end)
		cost->end();
}

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

/* Samples in order; reading the TSC twice is not part of the operation. */
static void measure(const char *label, const struct cost *cost)
{
	uint64_t nothing;

	take_samples(&costs[0], costs[0].samples);
	qsort(samples, costs[0].samples, sizeof(samples[0]), compare);
	nothing = samples[0];
	take_samples(cost, cost->samples);
	qsort(samples, cost->samples, sizeof(samples[0]), compare);
	printf("bench cost_%s_%s %lld\n", label, cost->name, (long long)(samples[0] - nothing));
	printf("bench median_%s_%s %lld\n", label, cost->name,
	       (long long)(samples[cost->samples / 2] - nothing));
}

static const struct cost *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		if (!strcmp(costs[i].name, name))
			return &costs[i];
	}
	fprintf(stderr, "costs: no operation %s\n", name);
	exit(2);
}

/*
 * One CPU, for the switch; and the same addresses each time, as the number of
 * page tables of a process is part of what fork and exec cost.
 */
static void be_the_same(char **argv)
{
	int old = personality(0xffffffff);
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		fail("sched_setaffinity");
	if (old & ADDR_NO_RANDOMIZE)
		return;
	personality(old | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	fail("/proc/self/exe");
}

int main(int argc, char **argv)
{
	int count, i;

	if (argc == 2 && !strcmp(argv[1], "child"))
		return 0;
	if (argc < 3) {
		fprintf(stderr, "usage: costs LABEL NAME... | costs repeat NAME N\n");
		return 2;
	}
	be_the_same(argv);
	if (strcmp(argv[1], "repeat")) {
		for (i = 2; i < argc; i++)
			measure(argv[1], find(argv[i]));
		return 0;
	}
	count = argc == 4 ? atoi(argv[3]) : -1;
	if (count < 0 || count > MAX_SAMPLES) {
		fprintf(stderr, "costs: repeat NAME N, with N up to %d\n", MAX_SAMPLES);
		return 2;
	}
	take_samples(find(argv[2]), count);
	return 0;
}
