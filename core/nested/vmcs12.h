/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMCS12: the VMCS that the guest hypervisor writes and reads.
 *
 * A region of the guest's is one page: a header, and a slot of 8 bytes for each field
 * that an encoding can name (SDM vol. 3, 25.11.2). While it is current on a CPU a copy
 * of core's is used, as it is written back by VMCLEAR: so there may be any number of
 * them, and one may go to another CPU.
 */
#ifndef CORE_NESTED_VMCS12_H
#define CORE_NESTED_VMCS12_H

#include "types.h"
#include "vmcs_fields.h"

#define VMCS12_SHADOW		BIT(31)	/* in the revision identifier */
#define VMCS12_INDEXES		32u	/* of each width and type */
#define VMCS12_GROUPS		16u
#define VMCS12_GROUP_READ_ONLY	1u	/* type, of each width */

/**
 * struct vmcs12 - a region
 * @revision: nested_revision(), perhaps VMCS12_SHADOW
 * @abort: VMX-abort indicator
 * @launched: its launch state is "launched"
 * @slot: where 16-bit read-only fields would be, of which there are none, is the header:
 *	use vmcs12_get() and vmcs12_set()
 */
struct vmcs12 {
	union {
		struct {
			u32 revision;
			u32 abort;
			u32 launched;
		};
		u64 slot[VMCS12_GROUPS * VMCS12_INDEXES];
	};
};

_Static_assert(sizeof(struct vmcs12) == PAGE_SIZE, "a region is one page");

static inline u32 vmcs12_group(u32 encoding)
{
	return (encoding >> 13 & 3) << 2 | (encoding >> 10 & 3);
}

/* The first group, 16-bit controls, changes places with the header. */
static inline u32 vmcs12_slot(u32 encoding)
{
	u32 group = vmcs12_group(encoding);

	return (group ? group : 1) * VMCS12_INDEXES + (encoding >> 1 & (VMCS12_INDEXES - 1));
}

static inline u64 vmcs12_get(const struct vmcs12 *vmcs12, u32 encoding)
{
	return vmcs12->slot[vmcs12_slot(encoding)];
}

static inline void vmcs12_set(struct vmcs12 *vmcs12, u32 encoding, u64 value)
{
	vmcs12->slot[vmcs12_slot(encoding)] = value;
}

/**
 * struct vmcs12_fields - some fields that both the CPU and VMCS12 have
 */
struct vmcs12_fields {
	u32 count;
	struct {
		u16 encoding, slot;
	} field[64];
};

extern struct vmcs12_fields vmcs12_hot, vmcs12_hot_controls, vmcs12_hot_host, vmcs12_cold,
			    vmcs12_controls, vmcs12_exit;

/**
 * enum vmcs12_class - how a field is kept while its VMCS is current
 * @VMCS12_OTHER: in the copy; a write changes what VMCS02 is made of
 * @VMCS12_HOT: in the copy, or in the shadow VMCS
 * @VMCS12_COLD: in VMCS02, once L2 has run
 * @VMCS12_EXIT: as VMCS12_HOT, but read-only
 */
enum vmcs12_class { VMCS12_OTHER, VMCS12_HOT, VMCS12_COLD, VMCS12_EXIT };

void vmcs12_load(struct vmcs12 *vmcs12, const struct vmcs12_fields *list);
void vmcs12_store(const struct vmcs12 *vmcs12, const struct vmcs12_fields *list);
void vmcs12_init(void);
bool vmcs12_has(u64 encoding);
enum vmcs12_class vmcs12_class(u64 encoding);
u64 vmcs12_last_index(void);
u64 vmcs12_read(const struct vmcs12 *vmcs12, u64 encoding);
void vmcs12_write(struct vmcs12 *vmcs12, u64 encoding, u64 value, bool is_64);

#endif
