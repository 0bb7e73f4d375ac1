/* SPDX-License-Identifier: GPL-2.0-only */
/* Walk of the guest's own page tables, in all paging modes (SDM vol. 3, chapter 5). */
#ifndef CORE_WALK_H
#define CORE_WALK_H

#include "types.h"

/* Error code of a page fault (SDM vol. 3, 5.7); the kind of an access is told by it. */
#define PF_PRESENT	BIT(0)
#define PF_WRITE	BIT(1)
#define PF_USER		BIT(2)
#define PF_RESERVED	BIT(3)
#define PF_FETCH	BIT(4)
#define PF_KEY		BIT(5)
/* No page fault of the guest's: its hypervisor has nothing there, see @translate below. */
#define PF_BEYOND	BIT(31)
/*
 * What @translate below is asked for, as the exit qualification of an EPT violation has it:
 * the page, and not an entry on the way; what the page tables allow there.
 */
#define WALK_FINAL	BIT(8)
#define WALK_USER	BIT(9)
#define WALK_WRITE	BIT(10)
#define WALK_NX		BIT(11)

/**
 * struct guest_paging - what decides about a guest's translations
 * @cr0: CR0
 * @cr3: CR3
 * @cr4: CR4
 * @efer: IA32_EFER
 * @pdpte: PDPTEs, in PAE paging
 * @phys_mask: the bits that a physical address can have
 * @pkru: rights of user pages by protection key; counts if CR4.PKE is set
 * @pkrs: rights of supervisor pages; counts if CR4.PKS is set
 * @has_1g: the CPU has pages of 1 GiB
 * @has_shadow_stacks: the CPU has them: then it sets no dirty flag in an entry without the
 *	right to write (SDM vol. 3, 4.8)
 * @ac: RFLAGS.AC, for explicit accesses: user pages may be touched in spite of SMAP
 * @translate: of a nested guest: from its physical address to that of its hypervisor, for
 *	PF_WRITE, PF_FETCH or a read (0), and WALK_FINAL and so on; false: not possible.
 *	NULL: they are the same
 */
struct guest_paging {
	u64 cr0, cr3, cr4, efer;
	u64 pdpte[4];
	u64 phys_mask;
	u32 pkru, pkrs;
	bool has_1g;
	bool has_shadow_stacks;
	bool ac;
	bool (*translate)(u64 *gpa, u32 access);
};

/**
 * struct walk_path - the entries that a walk went through
 * @depth: how many
 * @size: bytes of each
 * @gpa: their addresses
 * @entry: their values
 */
struct walk_path {
	u32 depth, size;
	u64 gpa[5], entry[5];
};

bool walk_address(const struct guest_paging *paging, u64 linear, u64 *gpa,
		  struct walk_path *path);
bool walk(const struct guest_paging *paging, u64 linear, u32 access, u64 *gpa, u32 *error);

/*
 * What a walk needs of the guest's memory; the unit tests bring their own. An
 * entry has 4 or 8 bytes. The exchange may fail, then the walk starts again.
 */
u64 walk_read_entry(u64 gpa, u32 size);
bool walk_exchange_entry(u64 gpa, u32 size, u64 from, u64 to);

#endif
