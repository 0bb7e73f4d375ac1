// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec load KERNEL INITRD COMMAND-LINE: the kernel that "kexec exec" starts
 * kexec panic KERNEL INITRD COMMAND-LINE: the kernel that a panic starts
 * kexec exec: start the loaded kernel, through the kernel's reboot notifiers
 *
 * The exit status is the errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int complain(const char *what)
{
	int err = errno;

	fprintf(stderr, "kexec: %s: %s\n", what, strerror(err));
	return err;
}

static int load(char **argv, unsigned long flags)
{
	int kernel = open(argv[0], O_RDONLY | O_CLOEXEC), initrd;

	if (kernel < 0)
		return complain(argv[0]);
	initrd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (initrd < 0)
		return complain(argv[1]);
	/* The length counts the zero at the end. */
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[2]) + 1, argv[2], flags))
		return complain("kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(argv + 2, 0);
	if (argc == 5 && !strcmp(argv[1], "panic"))
		return load(argv + 2, KEXEC_FILE_ON_CRASH);
	if (argc == 2 && !strcmp(argv[1], "exec")) {
		reboot(LINUX_REBOOT_CMD_KEXEC);
		return complain("reboot");
	}
	fprintf(stderr, "usage: kexec load|panic KERNEL INITRD COMMAND-LINE, kexec exec\n");
	return 2;
}
