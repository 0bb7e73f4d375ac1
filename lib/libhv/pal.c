// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note
/* PALs; see hv.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hv.h"

void hv_pal_describe(struct latch_pal_desc *desc)
{
	memset(desc, 0, sizeof(*desc));
	if (sizeof(void *) == 4)
		desc->flags = LATCH_PAL_32;
}

int hv_pal_section(struct latch_pal_desc *desc, enum latch_pal_type type, void *start, size_t size)
{
	if (desc->nr_sections == LATCH_PAL_SECTIONS)
		return -ENOSPC;
	desc->section[desc->nr_sections++] = (struct latch_pal_section) {
		.start = (uintptr_t)start,
		.size = size,
		.type = type,
	};
	return 0;
}

int hv_pal_entry(struct latch_pal_desc *desc, void *function, unsigned int nr_args,
		 const struct latch_pal_arg *args, unsigned int flags)
{
	struct latch_pal_entry *entry = &desc->entry[desc->nr_entries];

	if (desc->nr_entries == LATCH_PAL_ENTRIES)
		return -ENOSPC;
	if (nr_args > LATCH_PAL_ARGS)
		return -EINVAL;
	entry->address = (uintptr_t)function;
	entry->nr_args = nr_args;
	entry->flags = flags;
	if (args)
		memcpy(entry->arg, args, nr_args * sizeof(*args));
	desc->nr_entries++;
	return 0;
}

int hv_pal_register(int hv, const struct latch_pal_desc *desc)
{
	struct latch_pal_req req = { .desc = (uintptr_t)desc };

	return ioctl(hv, LATCH_IOC_PAL_REGISTER, &req) ? -errno : (int)req.handle;
}

int hv_pal_unregister(int hv, int pal)
{
	struct latch_pal_req req = { .handle = (uint32_t)pal };

	return ioctl(hv, LATCH_IOC_PAL_UNREGISTER, &req) ? -errno : 0;
}

int hv_pal_public_key(int hv, uint8_t key[LATCH_PAL_PUBLIC_SIZE])
{
	volatile uint8_t *touch = key;
	uint64_t a = (uintptr_t)key, b = 0, c = 0;

	/* Core does not page in. */
	touch[0] = 0;
	touch[LATCH_PAL_PUBLIC_SIZE - 1] = 0;
	return (int)hv_call(hv, LATCH_HC_PAL_PUBLIC_KEY, &a, &b, &c);
}
