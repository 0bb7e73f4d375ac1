/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs that use KVM share. */
#ifndef KVM_COMMON_H
#define KVM_COMMON_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* KTAP: what cannot go on ends the program without a plan. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* An ioctl that must not fail. */
int xioctl(int fd, unsigned long request, unsigned long argument);
#define XIOCTL(fd, request, argument)	xioctl(fd, request, (unsigned long)(argument))

/* A flat segment. */
void set_segment(struct kvm_segment *segment, uint16_t selector, uint8_t type, bool is_long);

uint64_t get_msr(int cpu_fd, uint32_t index);
void set_msr(int cpu_fd, uint32_t index, uint64_t value);

#endif
