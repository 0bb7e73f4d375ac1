// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot, in the guest: its init. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define PAGE_SIZE	4096ul
#define PAGES		64

static void say(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY), length;
	char line[80];

	/* an error, as "quiet" hides less; in one piece, as each is a line */
	length = snprintf(line, sizeof(line), "<3>init: %s\n", text);
	if (fd < 0 || write(fd, line, length) != length)
		_exit(1);
	close(fd);
}

/* Memory, a copy on write, a sleep and its clock. */
static int work(void)
{
	struct timespec nap = { 0, 2000000 }, before, after;
	volatile char *memory = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long ns;

	if (memory == MAP_FAILED)
		return 1;
	for (unsigned long i = 0; i < PAGES; i++)
		memory[i * PAGE_SIZE] = i + 1;
	clock_gettime(CLOCK_MONOTONIC, &before);
	nanosleep(&nap, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ns = (after.tv_sec - before.tv_sec) * 1000000000l + after.tv_nsec - before.tv_nsec;
	for (unsigned long i = 0; i < PAGES; i++)
		if (memory[i * PAGE_SIZE] != (char)(i + 1))
			return 2;
	return ns >= nap.tv_nsec ? 0 : 3;
}

static bool works_on(int cpu)
{
	cpu_set_t set;
	int status;
	pid_t pid;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return false;
	pid = fork();
	if (!pid)
		_exit(work());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status) &&
	       sched_getcpu() == cpu;
}

static void end(int value)
{
	if (!iopl(3))
		outl(value, PORT_END);
	/* the kernel panics */
	_exit(1);
}

static void work_on_each_cpu(void)
{
	char text[64];
	int cpus = 0;

	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		cpus += works_on(cpu);
	snprintf(text, sizeof(text), "%d CPUs have worked", cpus);
	say(text);
	end(cpus);
}

/* --- a command */

static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} all[] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "tmpfs", "/tmp" },
		{ "debugfs", "/sys/kernel/debug" },
	};

	char text[64];

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		mkdir(all[i].where, 0755);
		if (!mount(all[i].type, all[i].where, all[i].type, 0, NULL))
			continue;
		snprintf(text, sizeof(text), "%s cannot be mounted", all[i].where);
		say(text);
	}
}

static int run(char *const *words)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv(words[0], words);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Four bytes at a time: each is an exit, of a string too. */
static void send(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i += 4) {
		uint32_t piece = 0;

		memcpy(&piece, text + i, length - i < 4 ? length - i : 4);
		outl(piece, PORT_TEXT);
	}
}

/* A process that sends what the others print. */
static pid_t start_sender(void)
{
	char text[4096];
	int ends[2];
	ssize_t got;
	pid_t pid;

	if (pipe(ends) || iopl(3))
		return -1;
	pid = fork();
	if (!pid) {
		close(ends[1]);
		while ((got = read(ends[0], text, sizeof(text))) > 0)
			send(text, got);
		_exit(0);
	}
	dup2(ends[1], STDOUT_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void run_command(void)
{
	static char *const install[] = { BUSYBOX, "--install", "-s", NULL };
	static char *const shell[] = { BUSYBOX, "sh", COMMAND_FILE, NULL };
	pid_t sender;
	int status;

	mount_all();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/", 1);
	sender = start_sender();
	status = sender > 0 && !run(install) && !chdir("/t") ? run(shell) : 125;
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	/* what the command has left running may still print */
	if (sender > 0)
		waitpid(sender, NULL, 0);
	end(status);
}

void be_init(void)
{
	say("is there");
	if (!access(COMMAND_FILE, F_OK))
		run_command();
	else
		work_on_each_cpu();
	_exit(1);
}
