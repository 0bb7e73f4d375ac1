// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walk of the guest's page tables: 32-bit, PAE, 4-level and 5-level paging, with
 * rights, reserved bits, protection keys, accessed and dirty bits (SDM vol. 3,
 * 5.3 to 5.8). Pure: memory is reached through two functions of the caller.
 */
#include "walk.h"
#include "x86.h"

#define ENTRY_PRESENT	BIT(0)
#define ENTRY_WRITE	BIT(1)
#define ENTRY_USER	BIT(2)
#define ENTRY_ACCESSED	BIT(5)
#define ENTRY_DIRTY	BIT(6)
#define ENTRY_LARGE	BIT(7)
#define ENTRY_NX	BIT(63)
#define ENTRY_ADDRESS	0x000ffffffffff000ull
#define ENTRY_KEY(e)	((e) >> 59 & 15)

#define PSE36_BITS	0x1fe000ull	/* of a 4 MiB entry: bits 32 to 39 of the address */
#define PSE36_RESERVED	0x200000ull
#define MAX_TRIES	16

enum paging_mode { PAGING_32BIT, PAGING_PAE, PAGING_LONG };

/**
 * struct path - where a walk is
 * @entry_gpa: address of the entry
 * @entry: its value
 * @level: 0 for a page table's entry
 * @rights: ENTRY_WRITE and ENTRY_USER where all entries so far allow it
 * @nx: an entry so far forbids execution
 */
struct path {
	u64 entry_gpa, entry;
	u32 level;
	u64 rights;
	bool nx;
};

static enum paging_mode mode_of(const struct guest_paging *p)
{
	if (p->efer & EFER_LMA)
		return PAGING_LONG;
	return p->cr4 & CR4_PAE ? PAGING_PAE : PAGING_32BIT;
}

static u32 entry_size(enum paging_mode mode)
{
	return mode == PAGING_32BIT ? 4 : 8;
}

static u32 level_shift(enum paging_mode mode, u32 level)
{
	return PAGE_SHIFT + level * (mode == PAGING_32BIT ? 10 : 9);
}

static u32 top_level(const struct guest_paging *p, enum paging_mode mode)
{
	if (mode == PAGING_LONG)
		return p->cr4 & CR4_LA57 ? 4 : 3;
	return 1;
}

/* An entry of level 1 or 2 that maps a page. */
static bool is_large(const struct guest_paging *p, enum paging_mode mode, const struct path *at)
{
	if (!(at->entry & ENTRY_LARGE))
		return false;
	if (mode == PAGING_32BIT)
		return at->level == 1 && p->cr4 & CR4_PSE;
	return at->level == 1 || (at->level == 2 && p->has_1g);
}

static u64 reserved_32bit(const struct guest_paging *p, bool large)
{
	u64 address = (p->phys_mask >> 32 & 0xff) << 13;

	return large ? PSE36_RESERVED | (PSE36_BITS & ~address) : 0;
}

static u64 reserved_bits(const struct guest_paging *p, enum paging_mode mode,
			 const struct path *at)
{
	bool large = at->level && is_large(p, mode, at);
	u64 reserved = ENTRY_ADDRESS & ~p->phys_mask;

	if (mode == PAGING_32BIT)
		return reserved_32bit(p, large);
	if (mode == PAGING_PAE)
		reserved |= 0x7ff0000000000000ull;
	if (!(p->efer & EFER_NXE))
		reserved |= ENTRY_NX;
	if (large)
		reserved |= (BIT(level_shift(mode, at->level)) - 1) & 0x3fffe000;
	else if (at->level >= 2)
		reserved |= ENTRY_LARGE;
	return reserved;
}

static u64 first_table(const struct guest_paging *p, enum paging_mode mode, u64 linear)
{
	if (mode == PAGING_PAE)
		return p->pdpte[linear >> 30 & 3];
	return (p->cr3 & (mode == PAGING_32BIT ? 0xfffff000 : ENTRY_ADDRESS)) | ENTRY_PRESENT;
}

/* Where an address of the guest's physical memory is. */
static bool reach(const struct guest_paging *p, u64 *gpa, u32 access, u32 *error)
{
	if (!p->translate || p->translate(gpa, access & ~(u32)PF_USER))
		return true;
	*error |= PF_BEYOND;
	return false;
}

static bool read_entry(const struct guest_paging *p, struct path *at, u32 size, u32 *error)
{
	u64 gpa = at->entry_gpa;

	if (!reach(p, &gpa, 0, error))
		return false;
	at->entry = walk_read_entry(gpa, size);
	return true;
}

/* Down to the entry that maps the page. False: *error says what is wrong. */
static bool find_leaf(const struct guest_paging *p, enum paging_mode mode, u64 linear,
		      struct path *path, u32 *depth, u32 *error)
{
	u64 table = first_table(p, mode, linear);
	u32 size = entry_size(mode), level;
	struct path at = { .rights = ENTRY_WRITE | ENTRY_USER };

	*depth = 0;
	if (!(table & ENTRY_PRESENT))
		return false;
	for (level = top_level(p, mode); ; level--) {
		u32 index = (u32)(linear >> level_shift(mode, level)) & (PAGE_SIZE / size - 1);

		at.level = level;
		at.entry_gpa = (table & ENTRY_ADDRESS) + index * size;
		if (!read_entry(p, &at, size, error) || !(at.entry & ENTRY_PRESENT))
			return false;
		if (at.entry & reserved_bits(p, mode, &at)) {
			*error |= PF_PRESENT | PF_RESERVED;
			return false;
		}
		at.rights &= at.entry;
		at.nx |= mode != PAGING_32BIT && at.entry & ENTRY_NX;
		path[(*depth)++] = at;
		if (!level || is_large(p, mode, &at))
			return true;
		table = at.entry;
	}
}

static bool supervisor_may(const struct guest_paging *p, const struct path *leaf, u32 access)
{
	bool user_page = leaf->rights & ENTRY_USER;

	if (access & PF_FETCH)
		return !leaf->nx && !(user_page && p->cr4 & CR4_SMEP);
	if (user_page && p->cr4 & CR4_SMAP && !p->ac)
		return false;
	return !(access & PF_WRITE) || leaf->rights & ENTRY_WRITE || !(p->cr0 & CR0_WP);
}

static bool user_may(const struct path *leaf, u32 access)
{
	if (!(leaf->rights & ENTRY_USER))
		return false;
	if (access & PF_FETCH)
		return !leaf->nx;
	return !(access & PF_WRITE) || leaf->rights & ENTRY_WRITE;
}

/* Protection keys say nothing of instruction fetches. */
static bool key_allows(const struct guest_paging *p, const struct path *leaf, u32 access)
{
	bool user_page = leaf->rights & ENTRY_USER;
	u32 rights = user_page ? p->pkru : p->pkrs;

	if (access & PF_FETCH || !(p->cr4 & (user_page ? CR4_PKE : CR4_PKS)))
		return true;
	rights >>= 2 * ENTRY_KEY(leaf->entry);
	if (rights & 1)
		return false;
	return !(access & PF_WRITE) || !(rights & 2) ||
	       (!(access & PF_USER) && !(p->cr0 & CR0_WP));
}

static bool is_allowed(const struct guest_paging *p, enum paging_mode mode,
		       const struct path *leaf, u32 access, u32 *error)
{
	if (!(access & PF_USER ? user_may(leaf, access) : supervisor_may(p, leaf, access))) {
		*error |= PF_PRESENT;
		return false;
	}
	if (mode == PAGING_LONG && !key_allows(p, leaf, access)) {
		*error |= PF_PRESENT | PF_KEY;
		return false;
	}
	return true;
}

/* Of a page, for reach(). */
static u32 final(const struct path *leaf)
{
	return WALK_FINAL | (leaf->rights & ENTRY_USER ? WALK_USER : 0) |
	       (leaf->rights & ENTRY_WRITE ? WALK_WRITE : 0) | (leaf->nx ? WALK_NX : 0);
}

/* False if an entry has changed since it was read, or with PF_BEYOND. */
static bool set_accessed(const struct guest_paging *p, struct path *path, u32 depth, u32 access,
			 u32 *error)
{
	u32 i, size = entry_size(mode_of(p));
	u64 want, gpa;

	for (i = 0; i < depth; i++) {
		want = path[i].entry | ENTRY_ACCESSED;
		if (i == depth - 1 && access & PF_WRITE &&
		    (path[i].entry & ENTRY_WRITE || !p->has_shadow_stacks))
			want |= ENTRY_DIRTY;
		if (want == path[i].entry)
			continue;
		gpa = path[i].entry_gpa;
		if (!reach(p, &gpa, PF_WRITE, error) ||
		    !walk_exchange_entry(gpa, size, path[i].entry, want))
			return false;
	}
	return true;
}

/* Of a page of 2^@shift bytes. */
static u64 page_address(enum paging_mode mode, u64 entry, u32 shift, u64 linear)
{
	u64 offset = BIT(shift) - 1;
	u64 address = entry & ENTRY_ADDRESS & ~offset;

	if (mode == PAGING_32BIT && shift > PAGE_SHIFT)
		address |= (entry & PSE36_BITS) << 19;
	return address | (linear & offset);
}

/**
 * walk_address - where a page is, without a look at rights, reserved or other bits
 * @p: the guest's paging; only CR0, CR3, CR4, EFER, PDPTEs and @has_1g count
 * @linear: as for walk()
 * @gpa: guest-physical address
 * @path: out: the entries on the way; as long as they stay the same @gpa does
 *
 * For an access that the CPU itself has made just now, with success. Return: false
 * if there is no page (any more).
 */
bool walk_address(const struct guest_paging *p, u64 linear, u64 *gpa, struct walk_path *path)
{
	enum paging_mode mode = mode_of(p);
	u32 size = entry_size(mode), bits = mode == PAGING_32BIT ? 10 : 9;
	u32 shift = level_shift(mode, top_level(p, mode));
	u64 entry, large = mode == PAGING_32BIT && !(p->cr4 & CR4_PSE) ? 0 : ENTRY_LARGE;

	if (mode != PAGING_LONG)
		linear &= 0xffffffff;
	*gpa = linear;
	path->depth = 0;
	path->size = size;
	if (!(p->cr0 & CR0_PG))
		return true;
	for (entry = first_table(p, mode, linear); entry & ENTRY_PRESENT; shift -= bits) {
		u64 at = (entry & ENTRY_ADDRESS) + (linear >> shift & (BIT(bits) - 1)) * size;

		entry = walk_read_entry(at, size);
		path->gpa[path->depth] = at;
		path->entry[path->depth++] = entry;
		/* No entry of 512 GiB or more maps a page. */
		if (shift == PAGE_SHIFT || (entry & large && shift <= 30)) {
			*gpa = page_address(mode, entry, shift, linear);
			return entry & ENTRY_PRESENT;
		}
	}
	return false;
}

/**
 * walk - translate a linear address as the guest's CPU would
 * @p: the guest's paging
 * @linear: canonical; 32 bits count outside of IA-32e mode
 * @access: PF_WRITE, PF_FETCH or neither, and PF_USER for an access of CPL 3
 * @gpa: guest-physical address; of a nested guest, its hypervisor's
 * @error: error code of the page fault, or PF_BEYOND is set
 *
 * Accessed and dirty bits are set as an access sets them. Return: false for a
 * page fault.
 */
bool walk(const struct guest_paging *p, u64 linear, u32 access, u64 *gpa, u32 *error)
{
	enum paging_mode mode = mode_of(p);
	struct path path[5];
	u32 depth, tries;

	if (mode != PAGING_LONG)
		linear &= 0xffffffff;
	if (!(p->cr0 & CR0_PG)) {
		*gpa = linear;
		*error = access;
		return reach(p, gpa, access | WALK_FINAL | WALK_USER | WALK_WRITE, error);
	}
	/* A guest that changes its tables all the time gets a fault in the end. */
	for (tries = 0; tries < MAX_TRIES; tries++) {
		*error = access;
		/* Fetches are told from reads only where they can be forbidden. */
		if (!(mode != PAGING_32BIT && p->efer & EFER_NXE) && !(p->cr4 & CR4_SMEP))
			*error &= ~(u32)PF_FETCH;
		if (!find_leaf(p, mode, linear, path, &depth, error) ||
		    !is_allowed(p, mode, &path[depth - 1], access, error))
			return false;
		if (set_accessed(p, path, depth, access, error)) {
			*gpa = page_address(mode, path[depth - 1].entry,
					    level_shift(mode, path[depth - 1].level), linear);
			return reach(p, gpa, access | final(&path[depth - 1]), error);
		}
		if (*error & PF_BEYOND)
			return false;
	}
	return false;
}
