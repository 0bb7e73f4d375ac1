// SPDX-License-Identifier: GPL-2.0-only
/*
 * load-module FILE [PARAMETER...]: load a kernel module by one system call, which
 * insmod does not promise. The exit status is its errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char parameters[512] = "";
	size_t length = 0;
	int fd, err;

	if (argc < 2) {
		fprintf(stderr, "usage: load-module FILE [PARAMETER...]\n");
		return 2;
	}
	for (int i = 2; i < argc && length < sizeof(parameters); i++)
		length += snprintf(parameters + length, sizeof(parameters) - length, "%s ", argv[i]);
	if (length)
		parameters[length - 1] = '\0';
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !syscall(SYS_finit_module, fd, parameters, 0))
		return 0;
	err = errno;
	fprintf(stderr, "load-module: %s: %s\n", argv[1], strerror(err));
	return err;
}
