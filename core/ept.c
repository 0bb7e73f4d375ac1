// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended page tables; see ept.h.
 *
 * Tables are changed in place while other CPUs walk them. An entry is written
 * with one store, a table is complete before the entry that points to it is
 * written, and a split maps exactly what the large leaf did: so a CPU that has
 * not yet seen an INVEPT uses the old rights or the new ones, never others.
 */
#include "ept.h"
#include "pool.h"

static bool entry_is_leaf(u64 entry, u32 level)
{
	return level == 0 || entry & EPT_LARGE;
}

static u64 leaf_entry(u64 pa, u64 rights, u8 type, u32 level)
{
	return pa | rights | (u64)type << EPT_TYPE_SHIFT | (level ? EPT_LARGE : 0);
}

static void entry_set(u64 *entry, u64 value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/**
 * ept_pointer - value of the EPTP field for a root
 */
u64 ept_pointer(const u64 *root)
{
	return pool_pa(root) | EPTP_WB | EPTP_WALK4;
}

/**
 * ept_init - start with an EPT that maps nothing
 *
 * Return: 0 or -ENOMEM.
 */
int ept_init(struct ept *ept, const struct mtrr_state *mtrr, bool has_1g)
{
	ept->mtrr = *mtrr;
	ept->has_1g = has_1g;
	ept->splits = 0;
	ept->root = pool_alloc();
	return ept->root ? 0 : -ENOMEM;
}

static u64 *table_make(u64 *entry)
{
	u64 *table = pool_alloc();

	if (table)
		entry_set(entry, pool_pa(table) | EPT_RWX);
	return table;
}

/* Replace a large leaf by a table of smaller ones, with the same effect. */
static u64 *leaf_split(struct ept *ept, u64 *entry, u32 level)
{
	u64 size = ept_level_size(level - 1);
	u64 *table = pool_alloc();
	u64 leaf = *entry;
	u32 i;

	if (!table)
		return NULL;
	if (level == 1)
		leaf &= ~EPT_LARGE;
	for (i = 0; i < EPT_ENTRIES; i++)
		table[i] = leaf + i * size;
	entry_set(entry, pool_pa(table) | EPT_RWX);
	ept->splits++;
	return table;
}

/*
 * The entry that covers @gpa at @level, tables and splits made as needed;
 * NULL without memory.
 */
static u64 *entry_at(struct ept *ept, u64 gpa, u32 level)
{
	u64 *table = ept->root, *entry;
	u32 l;

	for (l = EPT_LEVELS - 1; ; l--) {
		entry = &table[ept_level_index(gpa, l)];
		if (l == level)
			return entry;
		if (!(*entry & EPT_USED))
			table = table_make(entry);
		else if (entry_is_leaf(*entry, l))
			table = leaf_split(ept, entry, l);
		else
			table = ept_entry_table(*entry);
		if (!table)
			return NULL;
	}
}

/*
 * The largest leaf for @gpa that stays below @end and has one memory type; not
 * above level @max, as there is a table that has other pages in it.
 */
static u32 identity_level(const struct ept *ept, u64 gpa, u64 end, u32 max, u8 *type)
{
	u32 level = ept->has_1g ? 2 : 1;
	u64 size;

	if (level > max)
		level = max;
	for (; level; level--) {
		size = ept_level_size(level);
		if (gpa % size == 0 && gpa + size <= end && !pool_owns_any(gpa, size) &&
		    mtrr_range_type(&ept->mtrr, gpa, size, type))
			return level;
	}
	mtrr_range_type(&ept->mtrr, gpa, PAGE_SIZE, type);
	return 0;
}

/**
 * ept_map_identity - map what is not mapped yet in a range, to itself
 * @ept: the tables
 * @start: first guest-physical address, page aligned
 * @end: last plus one
 *
 * Frames that core owns are left out (invariant I1). Return: 0, -EINVAL, or
 * -ENOMEM (then a first part is mapped).
 */
int ept_map_identity(struct ept *ept, u64 start, u64 end)
{
	u64 gpa, *entry;
	u32 level;
	u8 type;

	if ((start | end) % PAGE_SIZE || end > EPT_LIMIT)
		return -EINVAL;
	for (gpa = start; gpa < end; gpa += ept_level_size(level)) {
		if (ept_lookup(ept, gpa, &level) & EPT_USED) {
			/* A larger leaf may begin below @start. */
			gpa &= ~(ept_level_size(level) - 1);
			continue;
		}
		level = identity_level(ept, gpa, end, level, &type);
		if (pool_owns(gpa))
			continue;
		entry = entry_at(ept, gpa, level);
		if (!entry)
			return -ENOMEM;
		entry_set(entry, leaf_entry(gpa, EPT_RWX, type, level));
	}
	return 0;
}

/**
 * ept_hide_chunk - let a chunk of core's memory read as zeros
 * @ept: the tables
 * @chunk: guest-physical address of the chunk, 2 MiB aligned
 * @table: page table with 512 entries, each the same harmless frame
 *
 * Return: 0 or -ENOMEM.
 */
int ept_hide_chunk(struct ept *ept, u64 chunk, const u64 *table)
{
	u64 *entry = entry_at(ept, chunk, 1);

	if (!entry)
		return -ENOMEM;
	entry_set(entry, pool_pa(table) | EPT_RWX);
	return 0;
}

static u64 with_rights(u64 entry)
{
	u64 rights = EPT_RWX;

	if (entry & EPT_DENY_WRITE)
		rights &= ~EPT_WRITE;
	if (entry & EPT_WATCH_EXEC)
		rights &= ~EPT_EXEC;
	/* To write needs to read (SDM vol. 3, 29.3.3.1), to execute on some CPUs too. */
	if (entry & EPT_WATCH_READ)
		rights = 0;
	return (entry & ~EPT_RWX) | rights;
}

static bool any_hidden(struct ept *ept, u64 start, u64 end)
{
	u32 level;
	u64 gpa;

	for (gpa = start; gpa < end; gpa = (gpa | (ept_level_size(level) - 1)) + 1)
		if (ept_lookup(ept, gpa, &level) & EPT_PRIVATE)
			return true;
	return false;
}

/* Have a leaf begin at @gpa, where a range begins or ends. */
static int deny_split(struct ept *ept, u64 gpa, u64 mask, u64 bits)
{
	u32 level;
	u64 entry = ept_lookup(ept, gpa, &level);

	if (!(entry & EPT_USED) || entry & EPT_PRIVATE || (entry & mask) == bits)
		return 0;
	while (level && gpa % ept_level_size(level))
		level--;
	return entry_at(ept, gpa, level) ? 0 : -ENOMEM;
}

/**
 * ept_deny - take rights away from mapped pages, or give them back
 * @ept: the tables
 * @start: first guest-physical address, page aligned
 * @end: last plus one, page aligned
 * @mask: the EPT_DENY_* and EPT_WATCH* bits that are the caller's
 * @bits: those of them that are to be set; the guest has what nobody denies
 *
 * Leaves are split where the range ends inside of one and there is something to
 * change. Pages that are not mapped stay so, and hidden ones too: they get none of
 * @bits. Core's own frames are refused.
 *
 * Return: 0, -EINVAL, -EBUSY if @bits are to be set and a page is hidden, or -ENOMEM; with
 * each of these nothing has changed.
 */
int ept_deny(struct ept *ept, u64 start, u64 end, u64 mask, u64 bits)
{
	u64 gpa, entry, size;
	u32 level;

	if ((start | end) % PAGE_SIZE || start >= end || end > EPT_LIMIT || mask & ~EPT_DENIED ||
	    bits & ~mask || pool_owns_any(start, end - start))
		return -EINVAL;
	if (bits && any_hidden(ept, start, end))
		return -EBUSY;
	if (deny_split(ept, start, mask, bits) || deny_split(ept, end, mask, bits))
		return -ENOMEM;
	for (gpa = start; gpa < end; gpa += size) {
		entry = ept_lookup(ept, gpa, &level);
		size = ept_level_size(level);
		if (!(entry & EPT_USED) || entry & EPT_PRIVATE || (entry & mask) == bits) {
			size -= gpa % size;
			continue;
		}
		entry_set(entry_at(ept, gpa, level), with_rights((entry & ~mask) | bits));
	}
	return 0;
}

/**
 * ept_copy_leaf - map in other tables what a leaf maps
 * @to: the other tables
 * @gpa: guest-physical address
 * @entry: the leaf, from ept_lookup()
 * @level: its level
 * @rights: what is to be allowed there
 *
 * As much of it as @to does not map by smaller leaves already, @gpa at least. Return: 0
 * or -ENOMEM.
 */
int ept_copy_leaf(struct ept *to, u64 gpa, u64 entry, u32 level, u64 rights)
{
	u64 base = entry & EPT_ADDRESS & ~(ept_level_size(level) - 1);
	u64 offset = gpa & (ept_level_size(level) - 1), *slot;
	u8 type = (entry & EPT_TYPE) >> EPT_TYPE_SHIFT;

	for (;; level--) {
		slot = entry_at(to, gpa, level);
		if (!slot)
			return -ENOMEM;
		if (!(*slot & EPT_RWX) || entry_is_leaf(*slot, level))
			break;
	}
	offset &= ~(ept_level_size(level) - 1);
	entry_set(slot, leaf_entry(base + offset, rights, type, level));
	return 0;
}

/**
 * ept_map_page - map one page
 * @ept: the tables, of a view that maps little
 * @gpa: guest-physical address
 * @pa: the frame, in write-back memory
 * @rights: EPT_READ, EPT_WRITE, EPT_EXEC
 *
 * Return: 0, -EINVAL for an address that no EPT reaches, -EBUSY if something is mapped
 * there, or -ENOMEM.
 */
int ept_map_page(struct ept *ept, u64 gpa, u64 pa, u64 rights)
{
	u64 *entry;

	if (gpa >= EPT_LIMIT)
		return -EINVAL;
	entry = entry_at(ept, gpa, 0);
	if (!entry)
		return -ENOMEM;
	if (*entry & EPT_RWX)
		return -EBUSY;
	entry_set(entry, leaf_entry(pa, rights, MTRR_TYPE_WB, 0));
	return 0;
}

/** ept_unmap_page - undo ept_map_page(), or ept_copy_leaf() of one page */
void ept_unmap_page(struct ept *ept, u64 gpa)
{
	entry_set(entry_at(ept, gpa, 0), 0);
}

/**
 * ept_hide_page - take a page of RAM away from whoever uses these tables
 * @ept: the tables
 * @gpa: guest-physical address of the page, page aligned
 *
 * Only ept_show_page() gives it back: it is not mapped again on demand, and nobody
 * can change its rights. Return: 0, -EINVAL if it is not ordinary memory, -EBUSY if
 * it is hidden or protected already, or -ENOMEM.
 */
int ept_hide_page(struct ept *ept, u64 gpa)
{
	u64 entry, *slot;
	u32 level;

	entry = ept_lookup(ept, gpa, &level);
	if (entry & EPT_PRIVATE)
		return -EBUSY;
	if (pool_owns(gpa) || !(entry & EPT_USED) ||
	    (entry & EPT_TYPE) >> EPT_TYPE_SHIFT != MTRR_TYPE_WB)
		return -EINVAL;
	if ((entry & EPT_RWX) != EPT_RWX)
		return -EBUSY;
	slot = entry_at(ept, gpa, 0);
	if (!slot)
		return -ENOMEM;
	entry_set(slot, EPT_PRIVATE);
	return 0;
}

/**
 * ept_zero_page - from now on a hidden page reads as zeros
 * @ept: the tables
 * @gpa: guest-physical address of the page, page aligned
 * @zeros: a frame of zeros
 *
 * No INVEPT is needed: nothing of a page without rights is cached. Return: 0, or
 * -ENOENT if the page is not hidden.
 */
int ept_zero_page(struct ept *ept, u64 gpa, u64 zeros)
{
	u32 level;

	if (!(ept_lookup(ept, gpa, &level) & EPT_PRIVATE))
		return -ENOENT;
	entry_set(entry_at(ept, gpa, 0),
		  leaf_entry(zeros, EPT_READ | EPT_PRIVATE, MTRR_TYPE_WB, 0));
	return 0;
}

/** ept_show_page - undo ept_hide_page(); a page that is not hidden stays as it is */
void ept_show_page(struct ept *ept, u64 gpa)
{
	u32 level;
	u8 type;

	if (!(ept_lookup(ept, gpa, &level) & EPT_PRIVATE))
		return;
	mtrr_range_type(&ept->mtrr, gpa, PAGE_SIZE, &type);
	entry_set(entry_at(ept, gpa, 0), leaf_entry(gpa, EPT_RWX, type, 0));
}

/**
 * ept_merge - undo the split of a 2 MiB leaf, if all of it is as it was
 * @ept: the tables
 * @gpa: an address in it
 *
 * Return: NULL, or the page table that is no longer needed: CPUs may still use it, so
 * it is to be freed when all have done an INVEPT.
 */
void *ept_merge(struct ept *ept, u64 gpa)
{
	u64 *table = ept->root, *entry = NULL, leaf;
	u32 l, i;

	for (l = EPT_LEVELS - 1; l; l--) {
		entry = &table[ept_level_index(gpa, l)];
		if (!(*entry & EPT_USED) || entry_is_leaf(*entry, l))
			return NULL;
		table = ept_entry_table(*entry);
	}
	leaf = table[0];
	if ((leaf & (EPT_RWX | EPT_PRIVATE)) != EPT_RWX || (leaf & EPT_ADDRESS) % SIZE_2M)
		return NULL;
	for (i = 1; i < EPT_ENTRIES; i++)
		if (table[i] != leaf + i * PAGE_SIZE)
			return NULL;
	entry_set(entry, leaf | EPT_LARGE);
	return table;
}

static void table_free(u64 *table, u32 level)
{
	u32 i;

	for (i = 0; i < EPT_ENTRIES && level; i++)
		if (table[i] & EPT_USED && !entry_is_leaf(table[i], level))
			table_free(ept_entry_table(table[i]), level - 1);
	pool_free(table);
}

/** ept_destroy - give back all tables; no CPU uses them, nor has cached any of it */
void ept_destroy(struct ept *ept)
{
	if (ept->root)
		table_free(ept->root, EPT_LEVELS - 1);
	ept->root = NULL;
}

static int retype_table(struct ept *ept, u64 *table, u32 level, u64 base)
{
	u64 size = ept_level_size(level), gpa, *child;
	u32 i;
	u8 type;
	int ret;

	for (i = 0; i < EPT_ENTRIES; i++) {
		gpa = base + i * size;
		if (!(table[i] & EPT_USED) || table[i] & EPT_PRIVATE)
			continue;
		child = entry_is_leaf(table[i], level) ? NULL : ept_entry_table(table[i]);
		/* The table of zeros has no memory behind it to have a type. */
		if (level <= 1 && pool_owns(gpa))
			continue;
		if (!child && mtrr_range_type(&ept->mtrr, gpa, size, &type)) {
			entry_set(&table[i], (table[i] & ~EPT_TYPE) | (u64)type << EPT_TYPE_SHIFT);
			continue;
		}
		if (!child)
			child = leaf_split(ept, &table[i], level);
		ret = child ? retype_table(ept, child, level - 1, gpa) : -ENOMEM;
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * ept_retype - follow a change of the MTRRs
 * @ept: the tables
 * @mtrr: the new MTRRs
 *
 * Return: 0 or -ENOMEM (then some leaves have the old type).
 */
int ept_retype(struct ept *ept, const struct mtrr_state *mtrr)
{
	ept->mtrr = *mtrr;
	return retype_table(ept, ept->root, EPT_LEVELS - 1, 0);
}

/**
 * ept_lookup - find what maps a guest-physical address
 * @ept: the tables
 * @gpa: the address
 * @level: out: level of the entry that ends the walk
 *
 * Return: that entry; none of EPT_USED if nothing is there.
 */
u64 ept_lookup(const struct ept *ept, u64 gpa, u32 *level)
{
	const u64 *table = ept->root;
	u64 entry;
	u32 l;

	*level = EPT_LEVELS - 1;
	if (gpa >= EPT_LIMIT)
		return 0;
	for (l = EPT_LEVELS - 1; ; l--) {
		entry = table[ept_level_index(gpa, l)];
		*level = l;
		if (!(entry & EPT_USED) || entry_is_leaf(entry, l))
			return entry;
		table = ept_entry_table(entry);
	}
}
