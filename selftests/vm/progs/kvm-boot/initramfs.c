// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: the guest's file system, and its init, which is this very program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"

#define RANGE		(4ul << 20)
#define PAGES		64

/* --- outside: an archive in cpio's "newc" format */

struct archive {
	uint8_t *start;
	size_t size;
	int inode;
};

static void align(struct archive *archive)
{
	while (archive->size & 3)
		archive->start[archive->size++] = 0;
}

static void add(struct archive *archive, const char *name, mode_t mode, dev_t device,
		const void *data, size_t size)
{
	char *head = (char *)archive->start + archive->size;

	archive->size += sprintf(head, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
				 ++archive->inode, mode, 0, 0, 1, 0, size, 0, 0, major(device), minor(device),
				 strlen(name) + 1, 0, name) + 1;
	align(archive);
	memcpy(archive->start + archive->size, data, size);
	archive->size += size;
	align(archive);
}

static size_t read_self(uint8_t *buffer, size_t space)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t got;

	while (fd >= 0 && size < space && (got = read(fd, buffer + size, space - size)) > 0)
		size += got;
	if (!size || size == space)
		die("/proc/self/exe: %s", strerror(errno));
	close(fd);
	return size;
}

size_t write_initramfs(uint8_t *ram_end, uint8_t **start)
{
	struct archive archive = { .start = ram_end - RANGE };
	static uint8_t self[RANGE / 2];
	size_t size = read_self(self, sizeof(self));

	add(&archive, "dev", S_IFDIR | 0755, 0, "", 0);
	add(&archive, "dev/console", S_IFCHR | 0600, makedev(5, 1), "", 0);
	add(&archive, "dev/kmsg", S_IFCHR | 0600, makedev(1, 11), "", 0);
	add(&archive, "init", S_IFREG | 0755, 0, self, size);
	add(&archive, "TRAILER!!!", 0, 0, "", 0);
	*start = archive.start;
	return archive.size;
}

/* --- inside */

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

void be_init(void)
{
	char text[64];
	int cpus = 0;

	say("is there");
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		cpus += works_on(cpu);
	snprintf(text, sizeof(text), "%d CPUs have worked", cpus);
	say(text);
	if (!iopl(3))
		outl(cpus, PORT_END);
	/* the kernel panics */
	_exit(1);
}
