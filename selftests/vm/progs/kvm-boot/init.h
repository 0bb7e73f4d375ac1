/* SPDX-License-Identifier: GPL-2.0-only */
/* kvm-boot: what its two sides agree upon. */
#ifndef KVM_BOOT_INIT_H
#define KVM_BOOT_INIT_H

#define MAX_CPUS	4

/* What init ends with: the number of CPUs that have worked, or its command's status. */
#define PORT_END	0x510
/* What the command prints, four bytes at a time; zeros are none. */
#define PORT_TEXT	0x514

/* A file with a command for the shell, if there is one. */
#define COMMAND_FILE	"/command"
#define BUSYBOX		"/bin/busybox"

void be_init(void) __attribute__((noreturn));

#endif
