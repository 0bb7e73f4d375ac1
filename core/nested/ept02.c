// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT02: tables that the CPU uses for L2.
 *
 * They are filled on demand, each CPU has its own, and a few of them, by EPTP. INVEPT
 * does not drop anything: each entry is compared with EPT12's when the tables are used
 * next, and only what has changed goes; so it is when core's EPT has changed. All of them
 * go when no page is left for them.
 *
 * Tables of EPT12 that map pages of 4 KiB, which there may be very many of, are not
 * compared again as long as L1 has not written to them (track.c). L1's first write to such
 * a table exits, so only those are tracked that have been the same for a while.
 */
#include "ept_guest.h"
#include "guest.h"
#include "nested/ept_l2.h"
#include "pool.h"
#include "vmx.h"

/* In an entry that refers to a table, where the CPU ignores them */
#define SLOT_SHIFT		52	/* 1 and more: compared with the table of that slot */
#define SLOT			(0x7ffull << SLOT_SHIFT)
#define SAME			BIT(11)	/* was as before when it was compared last */

#define TRACK_INTERVAL		8	/* INVEPTs */
#define TRACK_PAGES		64	/* fewer are compared at once */

_Static_assert(SLOT >> SLOT_SHIFT > NESTED_TRACKED, "slots");

static bool is_table(u64 entry, u32 level)
{
	return level && entry & EPT_RWX && !(entry & EPT_LARGE);
}

static bool is_empty(const u64 *line)
{
	return !((line[0] | line[1] | line[2] | line[3] | line[4] | line[5] | line[6] | line[7]) &
		 EPT_RWX);
}

/* The last one of the entries from @i on that are not present: most of the high tables. */
static u32 skip_absent(const u64 *table, u32 i)
{
	while (i < EPT_ENTRIES && !(table[i] & EPT_RWX))
		i += i % 8 || !is_empty(&table[i]) ? 1 : 8;
	return i - 1;
}

static void free_table(u64 *table, u32 level)
{
	u32 i;

	for (i = 0; level && i < EPT_ENTRIES; i++)
		if (is_table(table[i], level))
			free_table(ept_entry_table(table[i]), level - 1);
	pool_free(table);
}

static void *alloc_table(void)
{
	return pool_free_pages() > POOL_RESERVE ? pool_alloc() : NULL;
}

static void free_root(struct nested_ept_root *root)
{
	if (root->root)
		free_table(root->root, EPT_LEVELS - 1);
	nested_track_forget(root);
	*root = (struct nested_ept_root){ 0 };
}

/* The CPU may still have them cached, and by the address of a root that is used again. */
static void free_all(struct nested *nested)
{
	u32 i;

	for (i = 0; i < NESTED_EPT_ROOTS; i++)
		free_root(&nested->root[i]);
	nested->current_root = NULL;
	invept_all();
}

/*
 * A leaf at @level, or lower where there is a table already. It need not be from the table
 * of EPT12 that the others have been compared with. False: no page is left.
 */
static bool set_leaf(u64 *table, u64 address, u64 leaf, u32 level)
{
	u32 at = EPT_LEVELS - 1;
	u64 *entry, *next;

	for (;; at--) {
		entry = &table[ept_level_index(address, at)];
		if (at == level && !is_table(*entry, at))
			break;
		if (!is_table(*entry, at)) {
			next = alloc_table();
			if (!next)
				return false;
			*entry = pool_pa(next) | EPT_RWX;
		}
		*entry &= ~SLOT;
		if (at == level) {
			level--;
			leaf |= address & (ept_level_size(level + 1) - 1) &
				~(ept_level_size(level) - 1);
		}
		table = ept_entry_table(*entry);
	}
	*entry = leaf | (level ? EPT_LARGE : 0);
	return true;
}

static void clear_leaf(u64 *table, u64 address)
{
	u32 at = EPT_LEVELS - 1;
	u64 *entry;

	for (;; at--) {
		entry = &table[ept_level_index(address, at)];
		if (!is_table(*entry, at))
			break;
		table = ept_entry_table(*entry);
	}
	*entry = 0;
}

/* --- INVEPT */

/* Has it been used, as far as L1 knows: if not, that is to be seen again. */
static bool is_accessed(u64 eptp, u64 entry12)
{
	return !(eptp & EPTP_AD) || entry12 & EPT12_ACCESSED;
}

/*
 * Is what EPT02 has still so: as if it were asked for now. Nearly all are as they were; and
 * a page of 4 KiB that can be read, with the address and the type of one that was right, is.
 */
static bool leaf_agrees(u64 eptp, u64 leaf, u64 entry12, u64 rights12, u32 level)
{
	u64 address = EPT_ADDRESS & ~(ept_level_size(level) - 1);
	u64 need = leaf & EPT_RWX;

	if (eptp & EPTP_AD)
		need |= EPT12_ACCESSED | (leaf & EPT_WRITE ? EPT12_DIRTY : 0);
	if ((leaf ^ entry12) & (address | EPT_TYPE | EPT12_IGNORE_PAT) || need & ~entry12 ||
	    leaf & EPT_RWX & ~rights12)
		return false;
	return (!level && leaf & EPT_READ) || !ept12_is_wrong(entry12, level, true);
}

/**
 * struct found - tables of EPT12 that are to be tracked
 */
struct found {
	u64 gpa[NESTED_TRACK_BATCH];
	u32 count;
};

/**
 * struct compare - tables of both that are compared
 * @nested, @root: of this CPU
 * @found: NULL if none are looked for
 * @eptp: EPTP12
 * @table: EPT02's
 * @gpa12: address of EPT12's, or 0 if a large page of L1's is above
 * @leaf12: that large page, from where @table begins
 * @rights12: what is allowed above
 * @changed: out: something has gone
 */
struct compare {
	struct nested *nested;
	struct nested_ept_root *root;
	struct found *found;
	u64 eptp, *table, gpa12, leaf12, rights12;
	u32 level;
	bool changed;
};

static void compare_table(struct compare *c);

static void drop(struct compare *c, u32 i)
{
	u64 entry = c->table[i];

	c->table[i] = 0;
	c->changed = true;
	if (is_table(entry, c->level))
		free_table(ept_entry_table(entry), c->level - 1);
}

/* Return: how many pages are left. */
static u32 compare_pages(struct compare *c)
{
	const volatile u64 *table12 = guest_window(c->gpa12);
	u32 pages = 0, i;
	u64 entry12;

	for (i = 0; i < EPT_ENTRIES; i++) {
		if (!(c->table[i] & EPT_RWX)) {
			i = skip_absent(c->table, i);
			continue;
		}
		pages++;
		entry12 = table12 ? table12[i] : 0;
		if (!leaf_agrees(c->eptp, c->table[i], entry12, c->rights12, 0))
			drop(c, i);
	}
	return pages;
}

/*
 * A table of pages; @entry refers to it. What is above may have changed, too. While tables
 * are compared this CPU follows no shoot-down, so none of them that is written to meanwhile
 * is protected again before the end.
 */
static void compare_last_table(struct compare *c, u64 *entry)
{
	u32 slot = nested_track_look(c->nested, c->gpa12), pages;
	bool was_same = *entry & SAME;

	if ((*entry & SLOT) >> SLOT_SHIFT == slot + 1 && nested_track_agrees(c->root, slot) &&
	    (c->rights12 & EPT_RWX) == EPT_RWX)
		return;
	pages = compare_pages(c);
	*entry &= ~(SLOT | SAME);
	if (slot != NESTED_NO_SLOT)
		*entry |= (u64)(slot + 1) << SLOT_SHIFT;
	if (c->changed || slot != NESTED_NO_SLOT || pages < TRACK_PAGES)
		return;
	*entry |= SAME;
	if (was_same && c->found && c->found->count < NESTED_TRACK_BATCH)
		c->found->gpa[c->found->count++] = c->gpa12;
}

static void compare_entry(struct compare *c, u32 i)
{
	u64 entry = c->table[i];
	u64 entry12 = c->gpa12 ? walk_read_entry(c->gpa12 + 8 * i, sizeof(u64)) :
				 c->leaf12 + i * ept_level_size(c->level);
	bool leaf12 = !c->gpa12 || ept12_is_leaf(entry12, c->level);
	struct compare below = *c;

	below.rights12 &= entry12;
	below.level--;
	below.changed = false;
	if (!is_table(entry, c->level)) {
		if (!leaf12 || !leaf_agrees(c->eptp, entry, entry12, c->rights12, c->level))
			drop(c, i);
		return;
	}
	if (!(entry12 & EPT_RWX) || ept12_is_wrong(entry12, c->level, leaf12) ||
	    !is_accessed(c->eptp, entry12)) {
		drop(c, i);
		return;
	}
	below.table = ept_entry_table(entry);
	below.gpa12 = leaf12 ? 0 : entry12 & EPT_ADDRESS;
	below.leaf12 = entry12;
	if (below.gpa12 && !below.level)
		compare_last_table(&below, &c->table[i]);
	else
		compare_table(&below);
	c->changed |= below.changed;
}

static void compare_table(struct compare *c)
{
	u32 i;

	for (i = 0; i < EPT_ENTRIES; i++) {
		if (c->table[i] & EPT_RWX)
			compare_entry(c, i);
		else
			i = skip_absent(c->table, i);
	}
}

/* A shoot-down has each CPU compare EPT02 with core's EPT, so there is not one each time. */
static bool is_time_to_track(struct nested_ept_root *root)
{
	return !(++root->invepts % TRACK_INTERVAL) && pool_free_pages() > pool_pages() / 4;
}

static void revalidate(struct percpu *cpu, struct nested_ept_root *root)
{
	struct found found = { .count = 0 };
	struct compare c = { .nested = cpu->nested, .root = root,
			     .found = is_time_to_track(root) ? &found : NULL,
			     .eptp = root->eptp, .table = root->root,
			     .gpa12 = root->eptp & EPT_ADDRESS, .rights12 = EPT_RWX,
			     .level = EPT_LEVELS - 1 };

	root->stale = false;
	compare_table(&c);
	nested_track_agree(cpu->nested, root);
	if (c.changed)
		invept_all();
	if (found.count)
		nested_track_tables(cpu, found.gpa, found.count);
}

/* --- changes of core's EPT */

/**
 * struct known01 - the leaf of core's EPT that was looked up last
 */
struct known01 {
	u64 start, entry;
	u32 level;
};

/* Would make_leaf() make it again: hidden pages lead elsewhere, and do not agree. */
static bool agrees01(u64 leaf, u32 level, struct known01 *known)
{
	u64 gpa = leaf & EPT_ADDRESS;

	if (!known->entry || gpa - known->start >= ept_level_size(known->level)) {
		known->entry = ept_guest_lookup(gpa, &known->level);
		known->start = gpa & ~(ept_level_size(known->level) - 1);
	}
	return !pool_owns(gpa) && !(known->entry & EPT_PRIVATE) && known->level >= level &&
	       !(leaf & EPT_RWX & ~known->entry);
}

static void compare01(u64 *table, u32 level, struct known01 *known)
{
	u32 i;

	for (i = 0; i < EPT_ENTRIES; i++) {
		if (is_table(table[i], level))
			compare01(ept_entry_table(table[i]), level - 1, known);
		else if (!(table[i] & EPT_RWX))
			i = skip_absent(table, i);
		else if (!agrees01(table[i], level, known))
			table[i] = 0;
	}
}

/* The INVEPT that it takes has been executed: see ept_guest_sync(). */
static void catch_up(struct nested_ept_root *root)
{
	struct known01 known = { 0 };

	root->behind = false;
	compare01(root->root, EPT_LEVELS - 1, &known);
}

/* --- roots */

static struct nested_ept_root *find_root(struct nested *nested, u64 eptp)
{
	struct nested_ept_root *root = nested->root, *oldest = root;

	for (; root < nested->root + NESTED_EPT_ROOTS; root++) {
		if (root->root && root->eptp == eptp)
			return root;
		if (root->used < oldest->used)
			oldest = root;
	}
	if (oldest->root) {
		free_root(oldest);
		invept_all();
	}
	oldest->eptp = eptp;
	oldest->root = alloc_table();
	return oldest;
}

/**
 * nested_ept_use - have L2 run with an EPT of L1's
 * @cpu: this CPU, VMCS02 current
 * @eptp: EPTP12, valid
 */
void nested_ept_use(struct percpu *cpu, u64 eptp)
{
	struct nested *nested = cpu->nested;
	struct nested_ept_root *root = find_root(nested, eptp);
	u64 *table;

	if (!root->root) {
		free_all(nested);
		root = find_root(nested, eptp);
	}
	root->used = ++nested->tick;
	if (root->stale && root->root)
		revalidate(cpu, root);
	if (root->behind && root->root)
		catch_up(root);
	nested->current_root = root;
	/* Without a page for it nothing is mapped, and L2 gets a #GP at its first access. */
	table = root->root ? root->root : nested->no_table;
	/* With accessed and dirty flags, walks of L2's page tables count as writes. */
	vmwrite(VMCS_EPT_POINTER, ept_pointer(table) | (eptp & EPTP_AD));
}

/**
 * nested_ept_invalidate - INVEPT by L1
 * @eptp: for this EPTP12; 0: for all
 */
void nested_ept_invalidate(struct percpu *cpu, u64 eptp)
{
	struct nested *nested = cpu->nested;
	u32 i;

	for (i = 0; i < NESTED_EPT_ROOTS; i++)
		if (!eptp || !((nested->root[i].eptp ^ eptp) & EPT_ADDRESS)) {
			nested->root[i].stale = true;
			nested->root[i].near_table = 0;
		}
}

/**
 * nested_ept_follow - this CPU is following a change of core's EPT
 *
 * VMCS02's EPT pointer is to be written before it is used. Context: within
 * ept_guest_sync().
 */
void nested_ept_follow(struct percpu *cpu)
{
	u32 i;

	for (i = 0; i < NESTED_EPT_ROOTS; i++)
		cpu->nested->root[i].behind = true;
	cpu->nested->current_root = NULL;
}

/** nested_ept_drop - have none; VMCS02's EPT pointer is to be written before it is used */
void nested_ept_drop(struct percpu *cpu)
{
	free_all(cpu->nested);
}

/* --- leaves */

/**
 * ept02_fill - have a page of L2's mapped
 * @cpu: this CPU, VMCS02 current, and L1 uses EPT
 * @address: L2's physical address
 * @leaf: with the address that it leads to, rights and type, but no EPT_LARGE
 * @level: of @leaf; it is mapped by smaller ones where there is a table already
 *
 * If the pool is empty all else is dropped. Return: false if no page is left even then.
 */
bool ept02_fill(struct percpu *cpu, u64 address, u64 leaf, u32 level)
{
	struct nested *nested = cpu->nested;
	u64 eptp = nested->current_root->eptp;

	if (nested->current_root->root &&
	    set_leaf(nested->current_root->root, address, leaf, level))
		return true;
	/* Begin again with no more than this one. */
	free_all(nested);
	nested_ept_use(cpu, eptp);
	return nested->current_root->root &&
	       set_leaf(nested->current_root->root, address, leaf, level);
}

/** ept02_clear - have it asked for again; INVEPT is the caller's to do */
void ept02_clear(struct percpu *cpu, u64 address)
{
	struct nested_ept_root *root = cpu->nested->current_root;

	if (root && root->root)
		clear_leaf(root->root, address);
}
