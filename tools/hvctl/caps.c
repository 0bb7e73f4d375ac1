// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMX capabilities of the CPU, from the best source that there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <latch/features.h>

#include "hvctl.h"

#define MSR_FEATURE_CONTROL	0x3a
#define MSR_VMX			0x480
/* the basic ones, IA32_VMX_BASIC to IA32_VMX_VMCS_ENUM, that any VMX has */
#define VMX_BASIC_MSRS		0x0b
#define VMX_TRUE_FIRST		0x0d
#define VMX_TRUE_LAST		0x10

/**
 * caps_read_module() - the capabilities as Latch has read them
 *
 * The only source while Latch is loaded, as it hides VMX from its guest.
 *
 * Return: 0, or a negative errno, and then nothing is known.
 */
int caps_read_module(struct caps *caps, const struct device *dev)
{
	int err = device_ioctl(dev, LATCH_IOC_CAPS, &caps->raw);

	if (err)
		snprintf(caps->error, sizeof(caps->error), "LATCH_IOC_CAPS: %s", strerror(-err));
	else
		caps->source = CAPS_MODULE;
	return err;
}

static int caps_read_msr(int fd, uint32_t msr, __u64 *val)
{
	ssize_t n = pread(fd, val, sizeof(*val), msr);

	if (n == (ssize_t)sizeof(*val))
		return 0;
	*val = 0;
	return n < 0 ? -errno : -EIO;
}

static int caps_read_msrs(int fd, struct latch_caps *raw)
{
	const uint64_t ept_or_vpid = 1ull << 33 | 1ull << 37;
	__u64 *vmx = raw->vmx;
	int err, i;

	err = caps_read_msr(fd, MSR_FEATURE_CONTROL, &raw->feature_control);
	for (i = 0; !err && i < VMX_BASIC_MSRS; i++)
		err = caps_read_msr(fd, MSR_VMX + (uint32_t)i, &vmx[i]);
	/* The rest exists only where an earlier one says so (SDM vol. 3, appendix A). */
	if (!err && vmx[LATCH_CAP_PRIMARY] >> 63)
		err = caps_read_msr(fd, MSR_VMX + LATCH_CAP_SECONDARY, &vmx[LATCH_CAP_SECONDARY]);
	if (!err && vmx[LATCH_CAP_SECONDARY] & ept_or_vpid)
		err = caps_read_msr(fd, MSR_VMX + LATCH_CAP_EPT_VPID, &vmx[LATCH_CAP_EPT_VPID]);
	if (!err && vmx[0] >> 55 & 1) {
		for (i = VMX_TRUE_FIRST; !err && i <= VMX_TRUE_LAST; i++)
			err = caps_read_msr(fd, MSR_VMX + (uint32_t)i, &vmx[i]);
	}
	return err;
}

static const char *caps_msr_advice(int err)
{
	switch (err) {
	case ENOENT:
		return "run `modprobe msr` as root";
	case EACCES:
	case EPERM:
		return geteuid() ? "run hvctl as root" : "hvctl needs the capability CAP_SYS_RAWIO";
	default:
		return "is the CPU online and the msr driver all right?";
	}
}

static int caps_try_msr(struct caps *caps)
{
	char online[64], path[64];
	unsigned long cpu = 0;
	int fd, err;

	/* CPU 0 can be offline on some kernels. */
	if (file_read("/sys/devices/system/cpu/online", online, sizeof(online)) > 0)
		cpu = strtoul(online, NULL, 10);
	snprintf(path, sizeof(path), "/dev/cpu/%lu/msr", cpu);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = errno;
	} else {
		err = -caps_read_msrs(fd, &caps->raw);
		close(fd);
	}
	if (err) {
		snprintf(caps->error, sizeof(caps->error), "%s: %s; %s", path, strerror(err),
			 caps_msr_advice(err));
		return -1;
	}
	caps->source = CAPS_MSR;
	return 0;
}

/* Find "NAME<blanks>: TEXT" at the start of a line; its text, cut off there. */
static char *caps_cpuinfo_line(char *cpuinfo, const char *name)
{
	size_t len = strlen(name);

	for (char *line = cpuinfo; line; line = strchr(line, '\n')) {
		char *p;

		if (*line == '\n')
			line++;
		p = line + len;
		if (strncmp(line, name, len) != 0)
			continue;
		p += strspn(p, " \t");
		if (*p++ == ':')
			return p;
	}
	return NULL;
}

static bool caps_has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text && *text != '\n') {
		size_t n;

		text += strspn(text, " \t");
		n = strcspn(text, " \t\n");
		if (n == len && !strncmp(text, word, len))
			return true;
		text += n;
	}
	return false;
}

static void caps_try_cpuinfo(struct caps *caps)
{
	static char text[CPUINFO_TEXT];
	char *flags, *vmx;

	if (file_read("/proc/cpuinfo", text, sizeof(text)) <= 0)
		return;
	flags = caps_cpuinfo_line(text, "flags");
	vmx = caps_cpuinfo_line(text, "vmx flags");
	if (!flags)
		return;
	caps->cpuinfo_vmx = caps_has_word(flags, "vmx");
	/* Without that line it is a kernel that does not look at IA32_FEATURE_CONTROL. */
	if (caps->cpuinfo_vmx && !vmx)
		return;
	if (vmx)
		snprintf(caps->cpuinfo, sizeof(caps->cpuinfo), "%.*s", (int)strcspn(vmx, "\n"),
			 vmx);
	caps->source = CAPS_CPUINFO;
}

/**
 * caps_read_system() - the capabilities without Latch: what Linux lets us see
 */
void caps_read_system(struct caps *caps)
{
	if (caps_try_msr(caps))
		caps_try_cpuinfo(caps);
}

/**
 * caps_cpuinfo_has() - Linux lists a VMX feature
 */
bool caps_cpuinfo_has(const struct caps *caps, const char *word)
{
	return caps_has_word(caps->cpuinfo, word);
}
