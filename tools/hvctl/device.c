// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/latch: the only way from hvctl to Latch. hvctl never executes VMCALL
 * itself, which would be an invalid opcode wherever Latch is not loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hvctl.h"

#define DEVICE_PATH "/dev/latch"

/* In a VM the module may be there for programs' PALs alone. */
static bool device_is_guest(void)
{
	char text[8];

	return file_read("/sys/module/latch/parameters/guest", text, sizeof(text)) > 0 &&
	       text[0] == 'Y';
}

static enum device_state device_absent(struct device *dev)
{
	if (device_is_guest()) {
		snprintf(dev->error, sizeof(dev->error),
			 "the latch module is there for PALs only (guest=1): Latch is below this "
			 "VM; ask hvctl on the machine that the VM is on");
		return DEVICE_ERROR;
	}
	if (file_exists("/sys/module/latch")) {
		snprintf(dev->error, sizeof(dev->error),
			 "the latch module is there, but %s is not; is the module just being "
			 "loaded or unloaded, or is there no devtmpfs at /dev?", DEVICE_PATH);
		return DEVICE_ERROR;
	}
	snprintf(dev->error, sizeof(dev->error),
		 "Latch is not loaded: no %s; load it with `modprobe latch` or see `hvctl check`",
		 DEVICE_PATH);
	return DEVICE_ABSENT;
}

static enum device_state device_failed(struct device *dev, const char *what, int err)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return device_absent(dev);
	case EACCES:
	case EPERM:
		snprintf(dev->error, sizeof(dev->error),
			 "no permission to use %s; run hvctl as root", DEVICE_PATH);
		return DEVICE_DENIED;
	case ENOTTY:
		/* The number of an ioctl contains the size of its struct. */
		snprintf(dev->error, sizeof(dev->error),
			 "the latch module does not speak ABI version %d of this hvctl; "
			 "install the hvctl that belongs to the module", LATCH_ABI_VERSION);
		return DEVICE_MISMATCH;
	default:
		snprintf(dev->error, sizeof(dev->error), "%s: %s: %s", DEVICE_PATH, what,
			 strerror(err));
		return DEVICE_ERROR;
	}
}

static enum device_state device_check_info(struct device *dev)
{
	dev->abi = dev->info.abi_version;
	if (dev->abi != LATCH_ABI_VERSION) {
		snprintf(dev->error, sizeof(dev->error),
			 "the latch module speaks ABI version %u, this hvctl version %d; "
			 "install the hvctl that belongs to the module", dev->abi,
			 LATCH_ABI_VERSION);
		return DEVICE_MISMATCH;
	}
	if (dev->info.nr_cpus > LATCH_MAX_CPUS) {
		snprintf(dev->error, sizeof(dev->error),
			 "the latch module tells of %u CPUs; hvctl knows at most %d",
			 dev->info.nr_cpus, LATCH_MAX_CPUS);
		return DEVICE_ERROR;
	}
	/* The signature may fill its field. */
	dev->info.hypervisor[sizeof(dev->info.hypervisor) - 1] = '\0';
	text_make_printable(dev->info.hypervisor);
	return DEVICE_OK;
}

/**
 * device_probe() - open the device and ask what is loaded; says nothing
 */
enum device_state device_probe(struct device *dev)
{
	enum device_state state;

	memset(dev, 0, sizeof(*dev));
	dev->fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return device_failed(dev, "open", errno);
	if (ioctl(dev->fd, LATCH_IOC_INFO, &dev->info))
		state = device_failed(dev, "LATCH_IOC_INFO", errno);
	else
		state = device_check_info(dev);
	if (state != DEVICE_OK)
		device_close(dev);
	return state;
}

/**
 * device_open() - device_probe() that says what is wrong
 *
 * Return: 0 or -1.
 */
int device_open(struct device *dev)
{
	if (device_probe(dev) == DEVICE_OK)
		return 0;
	msg_error("%s", dev->error);
	return -1;
}

/**
 * device_close() - done with the device
 */
void device_close(struct device *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

/**
 * device_refresh() - ask again what is loaded: CPUs come and go
 *
 * Return: 0, or -1 after a message.
 */
int device_refresh(struct device *dev)
{
	enum device_state state;

	if (ioctl(dev->fd, LATCH_IOC_INFO, &dev->info))
		state = device_failed(dev, "LATCH_IOC_INFO", errno);
	else
		state = device_check_info(dev);
	if (state == DEVICE_OK)
		return 0;
	msg_error("%s", dev->error);
	return -1;
}

/**
 * device_ioctl() - ioctl() on the device
 *
 * Return: 0 or a negative errno.
 */
int device_ioctl(const struct device *dev, unsigned long request, void *arg)
{
	return ioctl(dev->fd, request, arg) ? -errno : 0;
}

/**
 * device_cpus() - the CPUs that are in a state
 */
void device_cpus(const struct device *dev, enum latch_cpu_mode mode, struct cpumask *mask)
{
	memset(mask, 0, sizeof(*mask));
	for (unsigned int cpu = 0; cpu < dev->info.nr_cpus; cpu++)
		mask->on[cpu] = dev->info.cpu_state[cpu] == mode;
}

/**
 * device_check_cpus() - there may be all of the CPUs that the user named
 *
 * Return: 0, or -1 after a message.
 */
int device_check_cpus(const struct device *dev, const struct cpumask *mask)
{
	for (unsigned int cpu = dev->info.nr_cpus; cpu < LATCH_MAX_CPUS; cpu++) {
		if (!mask->on[cpu])
			continue;
		msg_error("there is no CPU %u; this system has at most %u CPUs", cpu,
			  dev->info.nr_cpus);
		return -1;
	}
	return 0;
}

/**
 * device_hypervisor() - the outer hypervisor's name, or NULL where there is none
 */
const char *device_hypervisor(const struct device *dev)
{
	if (dev->info.hypervisor[0])
		return dev->info.hypervisor;
	return (dev->info.flags & LATCH_INFO_NESTED) ? "unnamed" : NULL;
}

/**
 * device_version() - text of a LATCH_VERSION()
 */
void device_version(uint32_t version, char text[16])
{
	snprintf(text, 16, "%u.%u.%u", LATCH_VERSION_MAJOR(version),
		 LATCH_VERSION_MINOR(version), LATCH_VERSION_PATCH(version));
}
