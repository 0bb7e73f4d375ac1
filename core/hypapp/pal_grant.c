// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of nested guests in which their programs may have PALs.
 *
 * A PAL's frames are hidden from all others, so from L1's kernel too, which must not use
 * them for anything else meanwhile. Of its own programs it pins them. L2's memory is a
 * program's of L1 as well: before there can be a PAL L1's kernel pins it, and grants it
 * here; it revokes it, which ends the PALs in it, and then unpins it. Without a grant
 * core takes no VMCALL of a nested guest.
 *
 * One bit for each frame, in tables of two levels of pages.
 */
#include "core.h"
#include "hypapp/pal.h"
#include "pool.h"

#define FRAMES_SHIFT	15		/* bits of a page */
#define TABLES		512u

/* Changed by one CPU at a time, see begin_making(); @frames is read by all. */
static struct {
	u64 frames;
	u64 **table[TABLES];
} grants;

/* The word that a frame's bit is in; NULL if no frame near it is granted. */
static u64 *find_word(u64 gpa)
{
	u64 frame = gpa >> PAGE_SHIFT, index = frame >> FRAMES_SHIFT;
	u64 **table = index / TABLES < TABLES ? grants.table[index / TABLES] : NULL;
	u64 *bits = table ? table[index % TABLES] : NULL;

	return bits ? &bits[(frame & (BIT(FRAMES_SHIFT) - 1)) / 64] : NULL;
}

static u64 bit_of(u64 gpa)
{
	return BIT(gpa >> PAGE_SHIFT & 63);
}

static void *alloc_if_none(void *old)
{
	return old || pool_free_pages() <= POOL_RESERVE ? old : pool_alloc();
}

static bool make_word(u64 gpa)
{
	u64 index = gpa >> (PAGE_SHIFT + FRAMES_SHIFT), **table;

	if (index / TABLES >= TABLES)
		return false;
	table = alloc_if_none(grants.table[index / TABLES]);
	grants.table[index / TABLES] = table;
	if (table)
		table[index % TABLES] = alloc_if_none(table[index % TABLES]);
	return table && table[index % TABLES];
}

static void free_tables(void)
{
	u32 i, j;

	for (i = 0; i < TABLES; i++) {
		for (j = 0; grants.table[i] && j < TABLES; j++)
			if (grants.table[i][j])
				pool_free(grants.table[i][j]);
		if (grants.table[i])
			pool_free(grants.table[i]);
		grants.table[i] = NULL;
	}
}

/** pal_grant_any - is there any */
bool pal_grant_any(void)
{
	return READ_ONCE(grants.frames);
}

/** pal_grant_has - may a frame be a nested guest's PAL's */
bool pal_grant_has(u64 gpa)
{
	const u64 *word = find_word(gpa);

	return word && *word & bit_of(gpa);
}

/**
 * pal_grant_add - grant frames
 * @gpa: their addresses
 * @count: how many
 *
 * Return: 0; -EINVAL: not pages of RAM; -EBUSY: one is granted already, or twice in the
 * list; -ENOMEM. Then none is.
 */
int pal_grant_add(const u64 *gpa, u32 count)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		if (gpa[i] % PAGE_SIZE || gpa[i] >= boot.ram_top || pool_owns(gpa[i]))
			ret = -EINVAL;
		else if (pal_grant_has(gpa[i]))
			ret = -EBUSY;
		else if (!make_word(gpa[i]))
			ret = -ENOMEM;
		if (ret)
			break;
		*find_word(gpa[i]) |= bit_of(gpa[i]);
		WRITE_ONCE(grants.frames, grants.frames + 1);
	}
	if (ret)
		pal_grant_remove(gpa, i);
	return ret;
}

/** pal_grant_remove - and not any more; one that is not granted stays so */
void pal_grant_remove(const u64 *gpa, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!pal_grant_has(gpa[i]))
			continue;
		*find_word(gpa[i]) &= ~bit_of(gpa[i]);
		WRITE_ONCE(grants.frames, grants.frames - 1);
	}
	if (!grants.frames)
		free_tables();
}

/** pal_grant_end - nothing is granted; there are no PALs in it any more */
void pal_grant_end(void)
{
	WRITE_ONCE(grants.frames, 0);
	free_tables();
}
