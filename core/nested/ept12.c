// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT12: L1's own EPT, in its memory (SDM vol. 3, 29.3). Walked entry by entry, as its
 * other CPUs may change it meanwhile.
 */
#include "core.h"
#include "guest.h"
#include "nested/ept_l2.h"
#include "vmx.h"

#define MAX_TRIES		100
#define TABLE_RESERVED		0xf8ull		/* of an entry that refers to a table, but bit 7 */

/* Reserved bits of an address: above what the CPU has, and inside of a large page. */
static u64 reserved_address(u32 level)
{
	return EPT_ADDRESS & (~core.phys_mask | ((ept_level_size(level) - 1) & PAGE_MASK));
}

static bool leaf_is_wrong(u64 entry, u32 level)
{
	u64 type = entry >> EPT_TYPE_SHIFT & 7;

	return type == 2 || type == 3 || type == 7 || entry & reserved_address(level);
}

/** ept12_is_wrong - is a present entry a misconfiguration (SDM vol. 3, 29.3.3.1) */
bool ept12_is_wrong(u64 entry, u32 level, bool is_leaf)
{
	u64 rights = entry & EPT_RWX;

	if (rights == EPT_WRITE || rights == (EPT_WRITE | EPT_EXEC))
		return true;
	if (rights == EPT_EXEC && !nested_offers_ept(EPT_CAP_XONLY))
		return true;
	if (is_leaf)
		return leaf_is_wrong(entry, level);
	return entry & (TABLE_RESERVED & ~(u64)EPT_LARGE) || entry & reserved_address(0) ||
	       entry & EPT_LARGE;
}

/** ept12_is_leaf - of an entry that is present */
bool ept12_is_leaf(u64 entry, u32 level)
{
	if (!level)
		return true;
	if (!(entry & EPT_LARGE))
		return false;
	return level == 1 || (level == 2 && nested_offers_ept(EPT_CAP_1G));
}

/* Accessed and dirty flags, if L1 has them on; false: the entry has changed meanwhile. */
static bool set_flags(u64 eptp, u64 at, u64 entry, bool dirty)
{
	u64 wanted = entry | EPT12_ACCESSED | (dirty ? EPT12_DIRTY : 0);

	if (!(eptp & EPTP_AD) || wanted == entry)
		return true;
	return walk_exchange_entry(at, sizeof(entry), entry, wanted);
}

/*
 * A dirty flag is about to be set: L1 has it in its log (SDM vol. 3, 29.3.6). Return:
 * false if the log is full, then L1 has its exit first.
 */
static bool log_dirty(struct percpu *cpu, u64 address)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 index = vmread(VMCS_GUEST_PML_INDEX);

	if (!(nested_secondary(v) & SECONDARY_PML))
		return true;
	if (index >= EPT_ENTRIES)
		return false;
	address &= PAGE_MASK;
	guest_write_physical(vmcs12_get(v, VMCS_PML_ADDRESS) + 8 * index, &address,
			     sizeof(address));
	vmwrite(VMCS_GUEST_PML_INDEX, (index - 1) & 0xffff);
	return true;
}

/**
 * struct path - entries that a walk has read
 * @top: level of the first
 * @table: the last table
 * @above: what the levels above it allow
 * @at, @entry: where each was, and what, by level
 */
struct path {
	u64 table, above, at[EPT_LEVELS], entry[EPT_LEVELS];
	u32 top;
};

/*
 * Tables that are referred to by entries which are present and accessed may be remembered
 * until INVEPT (SDM vol. 3, 29.4.3): but not by the walk behind an EPT violation, which
 * would have made the CPU forget.
 */
static void begin(const struct nested_ept_root *root, u64 address, u64 access, struct path *path,
		  struct ept12_walk *walk)
{
	*walk = (struct ept12_walk){ .rights = EPT_RWX };
	path->table = root->eptp & EPT_ADDRESS;
	path->top = EPT_LEVELS - 1;
	if (access && root->near_table && root->near == address / SIZE_2M) {
		path->table = root->near_table;
		path->top = 0;
		walk->rights = root->near_rights;
	}
}

static void remember(struct nested_ept_root *root, u64 address, const struct path *path)
{
	root->near = address / SIZE_2M;
	root->near_table = path->table;
	root->near_rights = path->above;
}

/* Down to a leaf, or to the entry that leads nowhere. */
static void descend(u64 address, struct path *path, struct ept12_walk *walk)
{
	u32 level = path->top;

	for (;; level--) {
		path->above = walk->rights;
		path->at[level] = path->table + 8 * ept_level_index(address, level);
		path->entry[level] = walk_read_entry(path->at[level], sizeof(u64));
		walk->entry = path->entry[level];
		walk->level = level;
		walk->rights &= walk->entry;
		if (!(walk->entry & EPT_RWX))
			return;
		walk->is_leaf = ept12_is_leaf(walk->entry, level);
		walk->is_wrong = ept12_is_wrong(walk->entry, level, walk->is_leaf);
		if (walk->is_wrong || walk->is_leaf)
			break;
		path->table = walk->entry & EPT_ADDRESS;
	}
	walk->is_leaf &= !walk->is_wrong;
	walk->gpa = (walk->entry & EPT_ADDRESS & ~(ept_level_size(level) - 1)) |
		    (address & (ept_level_size(level) - 1));
}

/*
 * The flags of all entries of a path. If nothing is to be done there are to be all those
 * that a read needs. Return: false if it has to be walked again.
 */
static bool set_path_flags(u64 eptp, u64 access, const struct path *path, struct ept12_walk *walk)
{
	u32 i;

	for (i = path->top + 1; i-- > walk->level;) {
		if (!access && eptp & EPTP_AD && !(path->entry[i] & EPT12_ACCESSED))
			walk->is_leaf = false;
		else if (!set_flags(eptp, path->at[i], path->entry[i],
				    i == walk->level && access & EPT_WRITE))
			return false;
	}
	/* Without the dirty flag a later write has to come here. */
	if (eptp & EPTP_AD && !(access & EPT_WRITE) && !(walk->entry & EPT12_DIRTY))
		walk->rights &= ~EPT_WRITE;
	return true;
}

/* Return: false if it has to be done again. */
static bool walk_once(struct percpu *cpu, u64 address, u64 access, struct ept12_walk *walk)
{
	struct nested_ept_root *root = cpu->nested->current_root;
	struct path path;

	begin(root, address, access, &path, walk);
	descend(address, &path, walk);
	if (!walk->is_leaf || access & ~walk->rights)
		return true;
	if (root->eptp & EPTP_AD && access & EPT_WRITE && !(walk->entry & EPT12_DIRTY) &&
	    !log_dirty(cpu, address)) {
		walk->is_full = true;
		return true;
	}
	if (!set_path_flags(root->eptp, access, &path, walk))
		return false;
	if (!walk->level && walk->is_leaf)
		remember(root, address, &path);
	return true;
}

/**
 * ept12_walk - how L1's EPT translates an address of L2's
 * @cpu: this CPU, in L2 with EPT of L1's, VMCS02 current
 * @address: L2's physical address
 * @access: EPT_READ and so on: what is to be done. Flags are set, and the log of dirty
 *	pages written, if it is allowed. 0: nothing; then there is no page where flags
 *	would have to be set
 * @walk: out: where the walk has ended
 *
 * Where L1's tables change all the time, or take no flags, there is no page in the end.
 */
void ept12_walk(struct percpu *cpu, u64 address, u64 access, struct ept12_walk *walk)
{
	u32 tries;

	for (tries = 0; tries < MAX_TRIES; tries++)
		if (walk_once(cpu, address, access, walk))
			return;
	walk->is_leaf = false;
}
