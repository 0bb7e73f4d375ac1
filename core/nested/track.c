// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of L1's that core has read and made something of: L1 loses the right to write
 * there, and gets it back with the first write, which is noted. So a bitmap that does
 * not change need not be read at each entry.
 *
 * A page that is written again and again is given up: it is then read each time.
 */
#include "ept_guest.h"
#include "nested/nested.h"
#include "spinlock.h"

#define TRACKED		64
#define MAX_WRITES	16

/**
 * struct tracked - a page
 * @gpa: its address; 0: a free slot
 * @generation: counts writes, and changes of @gpa
 * @writes: of this page so far
 * @is_protected: no CPU can write to it unnoticed
 */
struct tracked {
	u64 gpa;
	u32 generation;
	u32 writes;
	bool is_protected;
};

static struct {
	struct spinlock lock;
	struct tracked page[TRACKED];
} track;

static struct tracked *find(u64 gpa)
{
	u32 i;

	for (i = 0; i < TRACKED; i++)
		if (track.page[i].gpa == gpa)
			return &track.page[i];
	return NULL;
}

/* @old: out: the page that had its slot, or 0 */
static struct tracked *find_or_take(u64 gpa, u64 *old)
{
	struct tracked *page = find(gpa);
	u32 i;

	*old = 0;
	for (i = 0; i < TRACKED && !page; i++)
		if (!track.page[i].is_protected)
			page = &track.page[i];
	if (page && page->gpa != gpa) {
		*old = page->gpa;
		*page = (struct tracked){ .gpa = gpa, .generation = page->generation + 1 };
	}
	return page;
}

/* A page that is not tracked any more need not be split off. */
static void merge(struct percpu *cpu, u64 gpa)
{
	struct ept_merge merge = { };

	if (!gpa)
		return;
	ept_guest_merge(cpu, &merge, gpa);
	ept_guest_merge_end(cpu, &merge);
}

static bool protect(struct percpu *cpu, u64 gpa)
{
	if (ept_guest_deny(cpu, gpa, 1, EPT_DENY_NESTED, EPT_DENY_NESTED))
		return false;
	ept_guest_shoot_down(cpu);
	return true;
}

/**
 * nested_track_begin - from now on writes to a page are noted
 * @cpu: this CPU
 * @gpa: the page
 * @at: out: for nested_track_is_same()
 *
 * What is read of it behind this call is good as long as it is the same. Context: root
 * mode, no lock held.
 */
void nested_track_begin(struct percpu *cpu, u64 gpa, struct nested_track *at)
{
	struct tracked *page;
	bool wanted;
	u64 old;

	*at = (struct nested_track){ 0 };
	spin_lock(&track.lock);
	page = find_or_take(gpa, &old);
	if (page)
		*at = (struct nested_track){ gpa, (u32)(page - track.page), page->generation };
	wanted = page && !page->is_protected && page->writes < MAX_WRITES;
	spin_unlock(&track.lock);
	merge(cpu, old);
	if (!wanted)
		return;
	wanted = protect(cpu, gpa);
	spin_lock(&track.lock);
	/* Written meanwhile: then it has the right again. */
	if (page->generation == at->generation) {
		page->is_protected = wanted;
		page->writes = wanted ? page->writes : MAX_WRITES;
	}
	spin_unlock(&track.lock);
}

/** nested_track_is_same - has nobody written to a page since nested_track_begin() */
bool nested_track_is_same(const struct nested_track *at)
{
	const struct tracked *page = &track.page[at->slot];

	return at->gpa && READ_ONCE(page->is_protected) &&
	       READ_ONCE(page->generation) == at->generation;
}

/**
 * nested_track_handle_write - a write to a page with EPT_DENY_NESTED
 *
 * The guest is to execute its instruction again. Others whose TLB has the old right come
 * here too, and find that they have it by now.
 */
void nested_track_handle_write(struct percpu *cpu, u64 gpa)
{
	struct tracked *page;

	gpa &= PAGE_MASK;
	spin_lock(&track.lock);
	page = find(gpa);
	if (page) {
		page->generation++;
		page->writes++;
		page->is_protected = false;
	}
	spin_unlock(&track.lock);
	ept_guest_deny(cpu, gpa, 1, EPT_DENY_NESTED, 0);
}

/** nested_track_end - L1 has left VMX operation on a CPU: forget what nobody may need */
void nested_track_end(struct percpu *cpu)
{
	u64 gpa;
	u32 i;

	for (i = 0; i < TRACKED; i++) {
		gpa = 0;
		spin_lock(&track.lock);
		if (!track.page[i].is_protected) {
			gpa = track.page[i].gpa;
			track.page[i].gpa = 0;
			track.page[i].generation++;
		}
		spin_unlock(&track.lock);
		merge(cpu, gpa);
	}
}
