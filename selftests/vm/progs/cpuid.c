// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid CPU COUNT: execute CPUID exactly COUNT times, on one CPU. Static, and the
 * C library's own CPUIDs come before: it prints "ready" and waits for a line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long count;
	cpu_set_t set;
	char line[16];

	if (argc != 3) {
		fprintf(stderr, "usage: cpuid CPU COUNT\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "cpuid: CPU %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	count = strtoul(argv[2], NULL, 0);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6 || read(STDIN_FILENO, line, sizeof(line)) < 0)
		return 1;
	while (count--) {
		unsigned int a = 0, b, c = 0, d;

		__asm__ volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	}
	if (write(STDOUT_FILENO, "done\n", 5) != 5 || read(STDIN_FILENO, line, sizeof(line)) < 0)
		return 1;
	return 0;
}
