// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note
/* libhv; see hv.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include <linux/latch.h>

#include "hv.h"

#define DEVICE "/dev/latch-call"

/* Only where the CPU is known to be under Latch: else it is #UD. */
static long vmcall(uint32_t number, uint64_t *a, uint64_t *b, uint64_t *c)
{
	unsigned long ax = number, di = *a, si = *b, dx = *c;

	__asm__ volatile("vmcall" : "+a" (ax), "+D" (di), "+S" (si), "+d" (dx) : : "memory");
	*a = di;
	*b = si;
	*c = dx;
	return (long)ax;
}

static int check_version(int hv)
{
	struct hv_version version;
	int ret = hv_version(hv, &version);

	if (ret)
		return ret;
	return version.abi == LATCH_ABI_VERSION ? 0 : -EPROTO;
}

int hv_open(void)
{
	int hv = open(DEVICE, O_RDONLY | O_CLOEXEC), ret;

	if (hv < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	ret = check_version(hv);
	if (ret) {
		close(hv);
		return ret;
	}
	return hv;
}

void hv_close(int hv)
{
	if (hv >= 0)
		close(hv);
}

long hv_call(int hv, uint32_t number, uint64_t *a, uint64_t *b, uint64_t *c)
{
	if (hv < 0)
		return -EBADF;
	return vmcall(number, a, b, c);
}

int hv_version(int hv, struct hv_version *version)
{
	uint64_t abi = 0, core = 0, flags = 0;
	long ret = hv_call(hv, LATCH_HC_VERSION, &abi, &core, &flags);

	if (ret)
		return (int)ret;
	version->abi = (uint32_t)abi;
	version->core = (uint32_t)core;
	version->nested = !!(flags & LATCH_VERSION_NESTED);
	version->guest = !!(flags & LATCH_VERSION_GUEST);
	return 0;
}

int hv_ping(int hv, uint64_t cookie, unsigned int *cpu)
{
	uint64_t a = cookie, b = 0, c = 0;
	long ret = hv_call(hv, LATCH_HC_PING, &a, &b, &c);

	if (ret)
		return (int)ret;
	/* A 32-bit program has only half of it to pass. */
	if ((unsigned long)a != (unsigned long)cookie)
		return -EIO;
	if (cpu)
		*cpu = (unsigned int)b;
	return 0;
}

long hv_hello(int hv, char *buf, size_t size, uint64_t *count)
{
	uint64_t a = (uintptr_t)buf, b = size, c = 0;
	volatile char *touch = buf;
	long ret;
	size_t i;

	/* Core does not page in: so the pages must be there, and writable. */
	for (i = 0; i < size && i < 2 * 4096; i += 4096)
		touch[i] = 0;
	ret = hv_call(hv, LATCH_HC_HELLO, &a, &b, &c);
	if (ret)
		return ret;
	if (count)
		*count = b;
	return (long)a;
}
