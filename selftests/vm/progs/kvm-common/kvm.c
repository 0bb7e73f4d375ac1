// SPDX-License-Identifier: GPL-2.0-only
/* What the programs that use KVM share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"

void die(const char *format, ...)
{
	va_list arguments;

	printf("# died: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	_exit(3);
}

int xioctl(int fd, unsigned long request, unsigned long argument)
{
	int result = ioctl(fd, request, argument);

	if (result < 0)
		die("ioctl %#lx: %s", request, strerror(errno));
	return result;
}

void set_segment(struct kvm_segment *segment, uint16_t selector, uint8_t type, bool is_long)
{
	memset(segment, 0, sizeof(*segment));
	segment->selector = selector;
	segment->limit = 0xffffffff;
	segment->type = type;
	segment->present = 1;
	segment->s = 1;
	segment->g = 1;
	segment->l = is_long;
	segment->db = !is_long;
}

static void one_msr(int cpu_fd, unsigned long request, uint32_t index, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { { .nmsrs = 1 }, { .index = index, .data = *value } };

	if (XIOCTL(cpu_fd, request, &msr) != 1)
		die("MSR %#x cannot be accessed", index);
	*value = msr.entry.data;
}

uint64_t get_msr(int cpu_fd, uint32_t index)
{
	uint64_t value = 0;

	one_msr(cpu_fd, KVM_GET_MSRS, index, &value);
	return value;
}

void set_msr(int cpu_fd, uint32_t index, uint64_t value)
{
	one_msr(cpu_fd, KVM_SET_MSRS, index, &value);
}
