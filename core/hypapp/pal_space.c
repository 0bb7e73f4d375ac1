// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space of a PAL: its frames, page tables of its own, and the EPT in
 * which they are all that there is.
 *
 * The guest's page tables are not believed: whoever writes them could put one page
 * of the PAL in the place of another. So the PAL has a copy that maps its sections as
 * they were when it was registered. CR3 stays as it is; in the PAL's EPT the root's
 * address leads to the copy. Every entry of the copy that is not the PAL's leads to
 * a guest-physical address that is not mapped there: whatever else it touches, and
 * whatever is delivered through the kernel's IDT, is an EPT violation and not a page
 * fault, with nothing of the CPU's state changed yet.
 *
 * Of a program of L2 the sections' frames are at L1's addresses, as in all EPTs of core's. The
 * root would be at L2's, where one of them may be: so CR3 is changed for the PAL.
 */
#include "core.h"
#include "ept_guest.h"
#include "guest.h"
#include "hypapp/pal.h"
#include "nested/nested.h"
#include "paging.h"
#include "pool.h"
#include "vmx.h"

#define ENTRY_WRITE	BIT(1)
#define ENTRY_USER	BIT(2)
#define ENTRY_ACCESSED	BIT(5)
#define ENTRY_DIRTY	BIT(6)
#define ENTRY_TABLE	(PTE_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_ACCESSED)

/* Core's first frame: never mapped in the EPT of a PAL. */
static u64 nowhere(void)
{
	return pool_chunk(0) | ENTRY_TABLE | ENTRY_DIRTY;
}

static u64 *table_alloc(struct pal *pal, u64 gpa)
{
	u64 *table;
	u32 i;

	if (pal->nr_tables == PAL_TABLES)
		return NULL;
	table = pool_alloc();
	if (!table)
		return NULL;
	pal->table[pal->nr_tables++] = table;
	for (i = 0; i < EPT_ENTRIES; i++)
		table[i] = nowhere();
	return ept_map_page(&pal->view.ept, gpa ? gpa : pool_pa(table), pool_pa(table),
			    EPT_READ) ? NULL : table;
}

static u64 leaf_flags(u32 type)
{
	u64 flags = PTE_PRESENT | ENTRY_USER | ENTRY_ACCESSED;

	/* Dirty, but not writable, would be a shadow stack. */
	if (type == LATCH_PAL_CODE)
		return flags;
	flags |= ENTRY_WRITE | ENTRY_DIRTY;
	return vmread(VMCS_GUEST_EFER) & EFER_NXE ? flags | PTE_NX : flags;
}

static u64 ept_rights(u32 type)
{
	return type == LATCH_PAL_CODE ? EPT_READ | EPT_EXEC : EPT_READ | EPT_WRITE;
}

/**
 * pal_space_map - map a page in a PAL's own page tables
 * @pal: the PAL
 * @linear: where
 * @gpa: its guest-physical address in the PAL's view
 * @type: the rights are those of a section of that type
 *
 * Return: 0 or -ENOMEM.
 */
int pal_space_map(struct pal *pal, u64 linear, u64 gpa, u32 type)
{
	u32 level = vmread(VMCS_GUEST_CR4) & CR4_LA57 ? 4 : 3;
	u64 *table = pal->table[0], *entry;

	for (; ; level--) {
		entry = &table[linear >> (PAGE_SHIFT + 9 * level) & (EPT_ENTRIES - 1)];
		if (!level)
			break;
		if (*entry == nowhere()) {
			table = table_alloc(pal, 0);
			if (!table)
				return -ENOMEM;
			*entry = pool_pa(table) | ENTRY_TABLE;
		} else {
			table = pool_va(*entry & PTE_ADDRESS);
		}
	}
	*entry = gpa | leaf_flags(type);
	return 0;
}

/* As the program itself would reach it, at CPL 3. */
static int find_frame(const struct pal *pal, u64 linear, u32 type, u64 *gpa)
{
	bool can_be_code = type == LATCH_PAL_CODE || type == LATCH_PAL_GATE;
	u32 access = PF_USER | (can_be_code ? 0 : PF_WRITE), error;
	struct guest_paging paging;

	guest_read_paging(&paging);
	paging.cr3 = pal->root;
	if (!walk(&paging, linear, access, gpa, &error))
		return -EFAULT;
	*gpa &= PAGE_MASK;
	if (pal->nested && !pal_grant_has(*gpa))
		return -EACCES;
	return *gpa >= boot.ram_top || pool_owns(*gpa) ? -EINVAL : 0;
}

/*
 * In @gpa are the frames that the kernel has pinned. If it means well, another thread
 * may have mapped something else there since: that is not pinned.
 */
static int add_page(struct pal *pal, u64 linear, u32 type, bool first)
{
	bool stub = type == LATCH_PAL_GATE && first;
	u64 gpa;
	int ret = find_frame(pal, linear, type, &gpa);

	if (!ret && gpa != pal->pages->gpa[pal->nr_pages])
		ret = -EFAULT;
	/* One that is private in another PAL is found later. */
	if (!ret && !ept_view_is_hidden(gpa) && !ept_view_is_ordinary(gpa))
		ret = -EINVAL;
	/* The PAL has no use for it: pal_fast.c. */
	if (!ret && !stub)
		ret = ept_map_page(&pal->view.ept, gpa, gpa, ept_rights(type));
	if (!ret && !stub)
		ret = pal_space_map(pal, linear, gpa, type);
	if (ret)
		return ret;
	pal->nr_pages++;
	if (type != LATCH_PAL_SHARED && !stub)
		pal->pages->hidden[pal->nr_hidden++] = gpa;
	return 0;
}

/* A nested guest has pinned them too, at its own physical addresses. */
static int read_frames(struct pal *pal, u64 frames)
{
	u32 count = pal_desc_pages(&pal->desc), i;

	if (!guest_read_argument(frames, pal->pages->gpa, count * sizeof(u64)))
		return -EFAULT;
	for (i = 0; pal->nested && i < count; i++)
		if (!nested_translate(&pal->pages->gpa[i], 0))
			return -EFAULT;
	return 0;
}

/**
 * pal_space_make - make the address space of a PAL
 * @pal: @desc has been checked, @root is set
 * @frames: linear address of the guest-physical addresses that its pages should have
 *
 * Its frames are not hidden yet. Context: in the PAL's process, at CPL 0. Return: 0, or a negative errno; then too
 * pal_space_free() is to be called.
 */
int pal_space_make(struct pal *pal, u64 frames)
{
	const struct latch_pal_section *section;
	int ret;
	u64 at;

	pal->pages = pool_alloc();
	pal->fpu = pool_alloc();
	pal->zeros = pool_alloc();
	pal->view.ept.root = pool_alloc();
	if (!pal->pages || !pal->fpu || !pal->zeros || !pal->view.ept.root)
		return -ENOMEM;
	if (!table_alloc(pal, pal->nested ? 0 : pal->root))
		return -ENOMEM;
	ret = read_frames(pal, frames);
	for (section = pal->desc.section; section < pal->desc.section + pal->desc.nr_sections;
	     section++)
		for (at = 0; at < section->size && !ret; at += PAGE_SIZE)
			ret = add_page(pal, section->start + at, section->type, !at);
	return ret;
}

/** pal_space_free - give back what core has for it; no CPU has any of it cached */
void pal_space_free(struct pal *pal)
{
	void *page[] = { pal->pages, pal->fpu, pal->zeros };
	u32 i;

	pal_fast_free(pal);
	/* Registers are in there. */
	if (pal->fpu)
		memset(pal->fpu, 0, PAGE_SIZE);
	ept_destroy(&pal->view.ept);
	for (i = 0; i < pal->nr_tables; i++)
		pool_free(pal->table[i]);
	for (i = 0; i < ARRAY_SIZE(page); i++)
		if (page[i])
			pool_free(page[i]);
}

/** pal_space_gpa - frame of one of its pages; ~0 if the address is not in a section */
u64 pal_space_gpa(const struct pal *pal, u64 linear)
{
	const struct latch_pal_section *section = pal->desc.section;
	u64 page = 0;
	u32 i;

	for (i = 0; i < pal->desc.nr_sections; i++, section++) {
		if (linear - section->start < section->size)
			return pal->pages->gpa[page + (linear - section->start) / PAGE_SIZE];
		page += section->size / PAGE_SIZE;
	}
	return ~0ull;
}

/** pal_space_root - where its own page tables are, in its view */
u64 pal_space_root(const struct pal *pal)
{
	return pool_pa(pal->table[0]);
}

/**
 * pal_space_copy - copy to or from a PAL's pages, hidden or not
 * @cpu: this CPU
 * @pal: the PAL; all of the range is in a section of it
 * @linear: address in it
 * @buf: the other side
 * @size: bytes
 * @write: to the PAL
 */
void pal_space_copy(struct percpu *cpu, const struct pal *pal, u64 linear, void *buf, u32 size,
		    bool write)
{
	u32 part;
	void *at;

	for (; size; linear += part, buf = (char *)buf + part, size -= part) {
		part = PAGE_SIZE - linear % PAGE_SIZE;
		if (part > size)
			part = size;
		at = (char *)paging_window(cpu, pal_space_gpa(pal, linear), PTE_RW) +
		     linear % PAGE_SIZE;
		if (write)
			memcpy(at, buf, part);
		else
			memcpy(buf, at, part);
	}
}

/** pal_space_clear - fill a part of a PAL's pages with zeros */
void pal_space_clear(struct percpu *cpu, const struct pal *pal, u64 linear, u32 size)
{
	u32 part;

	for (; size; linear += part, size -= part) {
		part = PAGE_SIZE - linear % PAGE_SIZE;
		if (part > size)
			part = size;
		memset((char *)paging_window(cpu, pal_space_gpa(pal, linear), PTE_RW) +
		       linear % PAGE_SIZE, 0, part);
	}
}

/**
 * pal_space_wipe - fill its private pages with zeros
 *
 * But for code: it is what the program had there before, as nobody can write to it.
 */
void pal_space_wipe(struct percpu *cpu, const struct pal *pal)
{
	const struct latch_pal_section *section = pal->desc.section;
	u32 i;

	for (i = 0; i < pal->desc.nr_sections; i++, section++)
		if (section->type == LATCH_PAL_GATE)
			pal_space_clear(cpu, pal, section->start + PAGE_SIZE, PAGE_SIZE);
		else if (section->type != LATCH_PAL_CODE && section->type != LATCH_PAL_SHARED)
			pal_space_clear(cpu, pal, section->start, (u32)section->size);
}
