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

/*
 * Tables that are referred to by entries which are present and accessed may be remembered
 * until INVEPT (SDM vol. 3, 29.4.3): but not by the walk behind an EPT violation, which
 * would have made the CPU forget. Return: level to begin with.
 */
static u32 begin(const struct nested_ept_root *root, u64 address, u64 access, u64 *table,
		 u64 *rights)
{
	if (access && root->near_table && root->near == address / SIZE_2M) {
		*table = root->near_table;
		*rights = root->near_rights;
		return 0;
	}
	*table = root->eptp & EPT_ADDRESS;
	*rights = EPT_RWX;
	return EPT_LEVELS - 1;
}

static void remember(struct nested_ept_root *root, u64 address, u64 table, u64 rights)
{
	root->near = address / SIZE_2M;
	root->near_table = table;
	root->near_rights = rights;
}

/* Return: false if it has to be done again. */
static bool walk_once(struct percpu *cpu, u64 address, u64 access, struct ept12_walk *walk)
{
	struct nested_ept_root *root = cpu->nested->current_root;
	u64 eptp = root->eptp, above, table, at[EPT_LEVELS], entry[EPT_LEVELS];
	u32 top, level, i;

	*walk = (struct ept12_walk){ 0 };
	top = begin(root, address, access, &table, &walk->rights);
	for (level = top;; level--) {
		above = walk->rights;
		at[level] = table + 8 * ept_level_index(address, level);
		entry[level] = walk_read_entry(at[level], sizeof(u64));
		walk->entry = entry[level];
		walk->level = level;
		walk->rights &= entry[level];
		if (!(entry[level] & EPT_RWX))
			return true;
		walk->is_leaf = ept12_is_leaf(entry[level], level);
		walk->is_wrong = ept12_is_wrong(entry[level], level, walk->is_leaf);
		if (walk->is_wrong || walk->is_leaf)
			break;
		table = entry[level] & EPT_ADDRESS;
	}
	if (walk->is_wrong) {
		walk->is_leaf = false;
		return true;
	}
	walk->gpa = (walk->entry & EPT_ADDRESS & ~(ept_level_size(level) - 1)) |
		    (address & (ept_level_size(level) - 1));
	if (access & ~walk->rights)
		return true;
	if (eptp & EPTP_AD && access & EPT_WRITE && !(entry[level] & EPT12_DIRTY) &&
	    !log_dirty(cpu, address)) {
		walk->is_full = true;
		return true;
	}
	for (i = top + 1; i-- > level;) {
		if (!access && eptp & EPTP_AD && !(entry[i] & EPT12_ACCESSED))
			walk->is_leaf = false;
		else if (!set_flags(eptp, at[i], entry[i], i == level && access & EPT_WRITE))
			return false;
	}
	if (!level && walk->is_leaf)
		remember(root, address, table, above);
	/* Without the dirty flag a later write has to come here. */
	if (eptp & EPTP_AD && !(access & EPT_WRITE) && !(entry[level] & EPT12_DIRTY))
		walk->rights &= ~EPT_WRITE;
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
