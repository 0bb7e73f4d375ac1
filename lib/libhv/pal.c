// SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note
/* PALs; see hv.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

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

#define GATE_SIZE	8192

static const struct latch_pal_section *find_gate(const struct latch_pal_desc *desc)
{
	uint32_t i;

	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].type == LATCH_PAL_GATE)
			return &desc->section[i];
	return NULL;
}

/* Nobody but core ever writes there. */
int hv_pal_fast(struct latch_pal_desc *desc)
{
	void *gate;
	int ret;

	if (desc->flags & LATCH_PAL_32)
		return 0;
	if (find_gate(desc))
		return -EINVAL;
	gate = mmap(NULL, GATE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (gate == MAP_FAILED)
		return -errno;
	ret = hv_pal_section(desc, LATCH_PAL_GATE, gate, GATE_SIZE);
	if (ret) {
		munmap(gate, GATE_SIZE);
		return ret;
	}
	desc->flags |= LATCH_PAL_FAST;
	return 0;
}

void hv_pal_fast_end(struct latch_pal_desc *desc)
{
	const struct latch_pal_section *gate = find_gate(desc);

	if (gate)
		munmap((void *)(uintptr_t)gate->start, GATE_SIZE);
	desc->flags &= ~LATCH_PAL_FAST;
}

void *hv_pal_function(const struct latch_pal_desc *desc, void *function)
{
	const struct latch_pal_section *gate = find_gate(desc);
	volatile uint8_t *code;
	uint32_t i;

	if (!gate)
		return function;
	code = (uint8_t *)(uintptr_t)gate->start;
	for (i = 0; i < desc->nr_entries && *code; i++)
		if (desc->entry[i].address == (uintptr_t)function)
			return (void *)(uintptr_t)(code + LATCH_PAL_GATE_ENTRY +
						   i * LATCH_PAL_GATE_STEP);
	return function;
}

static int is_guest(int hv)
{
	struct hv_version version;

	return !hv_version(hv, &version) && version.guest;
}

/* The same as if hv_pal_fast() had not been called: PCR 1 tells of it, and of the order. */
static void copy_without_gate(struct latch_pal_desc *to, const struct latch_pal_desc *from)
{
	uint32_t i;

	*to = *from;
	to->flags &= ~LATCH_PAL_FAST;
	to->nr_sections = 0;
	for (i = 0; i < from->nr_sections && i < LATCH_PAL_SECTIONS; i++)
		if (from->section[i].type != LATCH_PAL_GATE)
			to->section[to->nr_sections++] = from->section[i];
}

int hv_pal_register(int hv, const struct latch_pal_desc *desc)
{
	struct latch_pal_desc slow;
	struct latch_pal_req req = { .desc = (uintptr_t)desc };

	/* The gate stays empty then, and hv_pal_function() gives the functions themselves. */
	if (desc->flags & LATCH_PAL_FAST && is_guest(hv)) {
		copy_without_gate(&slow, desc);
		req.desc = (uintptr_t)&slow;
	}
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
