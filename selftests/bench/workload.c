// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fixed workload of `make bench`: processes, memory, files, timers, signals,
 * the same in each run. Prints the TSC ticks that it took. With one CPU in the
 * emulator a tick is an instruction.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES	20
#define FILES		40
#define FILE_BYTES	65536
#define MAPS		50
#define MAP_BYTES	(512 * 1024)
#define MIX_ROUNDS	30000000u

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

static void work_processes(void)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < PROCESSES; i++) {
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid) {
			execl("/proc/self/exe", "workload", "child", NULL);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) < 0 || status)
			fail("child");
	}
}

static void work_files(void)
{
	static char buf[FILE_BYTES];
	char name[32];
	int i, fd;

	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "/tmp/workload-%d", i);
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || write(fd, buf, sizeof(buf)) != sizeof(buf))
			fail(name);
		if (lseek(fd, 0, SEEK_SET) || read(fd, buf, sizeof(buf)) != sizeof(buf))
			fail(name);
		close(fd);
		unlink(name);
	}
}

static void work_memory(void)
{
	char *map;
	int i;

	for (i = 0; i < MAPS; i++) {
		map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED)
			fail("mmap");
		memset(map, i, MAP_BYTES);
		munmap(map, MAP_BYTES);
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* Timers and signals at 1 kHz while the CPU computes. */
static uint32_t work_cpu(void)
{
	struct itimerval on = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	uint32_t mix = 1, i;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &on, NULL);
	for (i = 0; i < MIX_ROUNDS; i++)
		mix = mix * 1664525u + 1013904223u + (mix >> 7);
	setitimer(ITIMER_REAL, &off, NULL);
	return mix;
}

int main(int argc, char **argv)
{
	uint64_t start;
	uint32_t mix;

	if (argc > 1 && !strcmp(argv[1], "child"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "ticks")) {
		printf("%llu\n", (unsigned long long)ticks());
		return 0;
	}
	start = ticks();
	work_processes();
	work_files();
	work_memory();
	mix = work_cpu();
	printf("workload %llu ticks, mix %08x\n", (unsigned long long)(ticks() - start), mix);
	return 0;
}
