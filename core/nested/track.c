// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of L1's that core has read and made something of: L1 loses the right to write
 * there, and gets it back with the first write, which is noted. So a bitmap that does
 * not change need not be read at each entry, nor a table of EPT12 at each INVEPT.
 *
 * A bitmap that is written again and again is given up: it is then read each time.
 * Tables are only tracked when they have not changed for a while, see ept02.c.
 */
#include "core.h"
#include "ept_guest.h"
#include "nested/nested.h"
#include "spinlock.h"

#define SETS		128
#define WAYS		(NESTED_TRACKED / SETS)
#define MAX_WRITES	16

/**
 * struct tracked - a page
 * @gpa: its address; 0: a free slot
 * @generation: counts writes, and changes of @gpa
 * @writes: of this page so far
 * @is_taken: a CPU is about to protect it
 * @is_protected: no CPU can write to it unnoticed
 */
struct tracked {
	u64 gpa;
	u32 generation;
	u16 writes;
	bool is_taken;
	bool is_protected;
};

/* A page may be in one of the slots of its set. */
static struct {
	struct spinlock lock;
	struct tracked page[NESTED_TRACKED];
} track;

static struct tracked *set_of(u64 gpa)
{
	return &track.page[gpa / PAGE_SIZE % SETS * WAYS];
}

static struct tracked *find(u64 gpa)
{
	struct tracked *set = set_of(gpa);
	u32 i;

	for (i = 0; i < WAYS; i++)
		if (gpa && set[i].gpa == gpa)
			return &set[i];
	return NULL;
}

/* A free slot of the set, or one that can be had. */
static struct tracked *find_slot(u64 gpa)
{
	struct tracked *set = set_of(gpa), *page = NULL;
	u32 i;

	for (i = 0; i < WAYS && gpa; i++) {
		if (!set[i].gpa)
			return &set[i];
		if (!set[i].is_taken && !set[i].is_protected)
			page = &set[i];
	}
	return page;
}

/* @old: out: the page that had its slot, or 0 */
static struct tracked *find_or_take(u64 gpa, u64 *old)
{
	struct tracked *page = find(gpa);

	*old = 0;
	if (!page)
		page = find_slot(gpa);
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

/* Return: true if it has a slot, and is to be protected now. */
static bool take(struct percpu *cpu, u64 gpa, u32 writes, struct nested_track *at)
{
	struct tracked *page;
	bool wanted = false;
	u64 old;

	*at = (struct nested_track){ 0 };
	spin_lock(&track.lock);
	page = find_or_take(gpa, &old);
	/* What another CPU is about to protect can be written to yet: it does not count as same. */
	if (page && !page->is_taken) {
		*at = (struct nested_track){ gpa, (u32)(page - track.page), page->generation };
		wanted = !page->is_protected && page->writes < writes;
		/* Nobody else may have the slot: two would take it from each other for ever. */
		page->is_taken = wanted;
	}
	spin_unlock(&track.lock);
	merge(cpu, old);
	return wanted;
}

/* @denied: all CPUs have lost the right; else there is no page to split a large leaf. */
static void settle(const struct nested_track *at, bool denied)
{
	struct tracked *page = &track.page[at->slot];

	spin_lock(&track.lock);
	page->is_taken = false;
	/* Written meanwhile: then it has the right again. */
	if (page->generation == at->generation) {
		page->is_protected = denied;
		page->writes = denied ? page->writes : MAX_WRITES;
	}
	spin_unlock(&track.lock);
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
	bool denied;

	if (!take(cpu, gpa, MAX_WRITES, at))
		return;
	denied = !ept_guest_deny(cpu, gpa, 1, EPT_DENY_NESTED, EPT_DENY_NESTED);
	if (denied)
		ept_guest_shoot_down(cpu);
	settle(at, denied);
}

/** nested_track_is_same - has nobody written to a page since nested_track_begin() */
bool nested_track_is_same(const struct nested_track *at)
{
	const struct tracked *page = &track.page[at->slot];

	return at->gpa && READ_ONCE(page->is_protected) &&
	       READ_ONCE(page->generation) == at->generation;
}

/**
 * nested_track_tables - from now on writes to some tables of EPT12 are noted
 * @cpu: this CPU
 * @gpa: the tables
 * @count: up to NESTED_TRACK_BATCH, for one shoot-down
 *
 * Some may find no slot. Context: root mode, no lock held.
 */
void nested_track_tables(struct percpu *cpu, const u64 *gpa, u32 count)
{
	struct nested_track at[NESTED_TRACK_BATCH];
	u32 i, taken = 0;

	for (i = 0; i < count; i++) {
		if (!take(cpu, gpa[i], ~0u, &at[taken]))
			continue;
		if (!ept_guest_deny(cpu, gpa[i], 1, EPT_DENY_NESTED, EPT_DENY_NESTED))
			taken++;
		else
			settle(&at[taken], false);
	}
	if (taken)
		ept_guest_shoot_down(cpu);
	for (i = 0; i < taken; i++)
		settle(&at[i], true);
}

/**
 * nested_track_look - a table of EPT12 is about to be compared
 * @nested: this CPU's; @looked notes it, until somebody writes to the table
 *
 * Return: its slot, or NESTED_NO_SLOT if writes are not noted.
 */
u32 nested_track_look(struct nested *nested, u64 gpa)
{
	const struct tracked *page;
	u32 slot = NESTED_NO_SLOT;

	spin_lock(&track.lock);
	page = find(gpa);
	if (page && page->is_protected) {
		slot = (u32)(page - track.page);
		nested->looked[slot / 64] |= BIT(slot % 64);
	}
	spin_unlock(&track.lock);
	return slot;
}

/** nested_track_agrees - has nobody written to a table since nested_track_agree() */
bool nested_track_agrees(const struct nested_ept_root *root, u32 slot)
{
	return READ_ONCE(root->agrees[slot / 64]) >> slot % 64 & 1;
}

/** nested_track_agree - EPT02 is as all tables that have been looked at */
void nested_track_agree(struct nested *nested, struct nested_ept_root *root)
{
	u32 i;

	spin_lock(&track.lock);
	for (i = 0; i < ARRAY_SIZE(root->agrees); i++) {
		root->agrees[i] |= nested->looked[i];
		nested->looked[i] = 0;
	}
	spin_unlock(&track.lock);
}

/** nested_track_forget - EPT02 is given up */
void nested_track_forget(struct nested_ept_root *root)
{
	spin_lock(&track.lock);
	memset(root->agrees, 0, sizeof(root->agrees));
	spin_unlock(&track.lock);
}

/* Nobody's EPT02 is known to be as this table. */
static void disagree(u32 slot)
{
	struct nested *nested;
	u32 i, root;

	for (i = 0; i < boot.nr_cpus; i++) {
		nested = percpu_of(i)->nested;
		nested->looked[slot / 64] &= ~BIT(slot % 64);
		for (root = 0; root < NESTED_EPT_ROOTS; root++)
			nested->root[root].agrees[slot / 64] &= ~BIT(slot % 64);
	}
}

/**
 * nested_track_handle_write - a write to a page with EPT_DENY_NESTED
 *
 * The guest is to execute its instruction again. Others whose TLB has the old right come
 * here too, and find that they have it by now. The right comes back under the lock: or it
 * would undo what another CPU that begins anew has taken meanwhile.
 */
void nested_track_handle_write(struct percpu *cpu, u64 gpa)
{
	struct tracked *page;

	gpa &= PAGE_MASK;
	spin_lock(&track.lock);
	page = find(gpa);
	if (page) {
		page->generation++;
		page->writes += page->writes < MAX_WRITES;
		page->is_protected = false;
		disagree((u32)(page - track.page));
	}
	ept_guest_deny(cpu, gpa, 1, EPT_DENY_NESTED, 0);
	spin_unlock(&track.lock);
}

/**
 * nested_track_note_write - core is about to write to a page for the guest
 *
 * Without a lock: a protection that is only under way waits for this CPU to follow.
 */
void nested_track_note_write(struct percpu *cpu, u64 gpa)
{
	const struct tracked *page = find(gpa & PAGE_MASK);

	if (page && READ_ONCE(page->is_protected))
		nested_track_handle_write(cpu, gpa);
}

/* Return: false if it stays, as it may be needed yet. */
static bool release(struct percpu *cpu, struct tracked *page, bool all)
{
	if (page->is_taken || (page->is_protected && !all))
		return false;
	if (page->is_protected) {
		disagree((u32)(page - track.page));
		ept_guest_deny(cpu, page->gpa, 1, EPT_DENY_NESTED, 0);
	}
	*page = (struct tracked){ .generation = page->generation + 1 };
	return true;
}

static bool is_used(void)
{
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++)
		if (nested_is_on(percpu_of(i)))
			return true;
	return false;
}

/**
 * nested_track_end - L1 has left VMX operation on a CPU: forget what nobody may need
 *
 * All of it if no CPU is in VMX operation. One that enters it meanwhile begins anew.
 */
void nested_track_end(struct percpu *cpu)
{
	struct ept_merge merge = { };
	struct tracked *page;
	bool all = !is_used();
	u64 gpa;

	for (page = track.page; page < track.page + NESTED_TRACKED; page++) {
		if (!READ_ONCE(page->gpa))
			continue;
		spin_lock(&track.lock);
		gpa = page->gpa;
		if (!gpa || !release(cpu, page, all))
			gpa = 0;
		spin_unlock(&track.lock);
		if (gpa)
			ept_guest_merge(cpu, &merge, gpa);
	}
	ept_guest_merge_end(cpu, &merge);
}
