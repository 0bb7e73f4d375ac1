// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation as SDM vol. 3, chapter 5 tells it, table by table: each paging mode
 * is a list of levels.
 */
#include <string.h>
#include "walk_ref.h"
#include "x86.h"

struct guest_memory guest_memory;

struct level {
	u32 shift, bits;
	bool large;	/* may map a page */
	bool always;	/* always does: the last one */
};

struct mode {
	struct level level[5];
	u32 levels, size;
	u64 table;
	bool present;
};

static u8 *memory_at(u64 gpa, u32 size)
{
	if (gpa < GUEST_BASE || gpa + size > GUEST_BASE + sizeof(guest_memory.word))
		return NULL;
	return (u8 *)guest_memory.word + (gpa - GUEST_BASE);
}

u64 guest_memory_read(u64 gpa, u32 size)
{
	const u8 *at = memory_at(gpa, size);
	u64 value = 0;

	if (at)
		memcpy(&value, at, size);
	return value;
}

void guest_memory_write(u64 gpa, u32 size, u64 value)
{
	u8 *at = memory_at(gpa, size);

	if (at)
		memcpy(at, &value, size);
}

u64 walk_read_entry(u64 gpa, u32 size)
{
	require(gpa % size == 0 && (size == 4 || size == 8), "entry at %#llx", gpa);
	guest_memory.reads++;
	return guest_memory_read(gpa, size);
}

bool walk_exchange_entry(u64 gpa, u32 size, u64 from, u64 to)
{
	u64 now = guest_memory_read(gpa, size);

	require((from ^ to) && !((from ^ to) & ~0x60ull), "exchange %#llx to %#llx", from, to);
	if (guest_memory.fail_exchanges) {
		guest_memory.fail_exchanges--;
		/* Bits 9 to 11 are for software, in all modes. */
		guest_memory_write(gpa, size, now ^ 0x200);
		return false;
	}
	if (now != from)
		return false;
	guest_memory_write(gpa, size, to);
	return true;
}

static void mode_32bit(const struct guest_paging *p, struct mode *m)
{
	m->level[0] = (struct level){ 22, 10, p->cr4 & CR4_PSE, false };
	m->level[1] = (struct level){ 12, 10, true, true };
	m->levels = 2;
	m->size = 4;
	m->table = p->cr3 & 0xfffff000;
	m->present = true;
}

static void mode_pae(const struct guest_paging *p, u64 linear, struct mode *m)
{
	u64 pdpte = p->pdpte[linear >> 30 & 3];

	m->level[0] = (struct level){ 21, 9, true, false };
	m->level[1] = (struct level){ 12, 9, true, true };
	m->levels = 2;
	m->size = 8;
	m->table = pdpte & 0xffffffffff000;
	m->present = pdpte & 1;
}

static void mode_long(const struct guest_paging *p, struct mode *m)
{
	u32 i = 0;

	if (p->cr4 & CR4_LA57)
		m->level[i++] = (struct level){ 48, 9, false, false };
	m->level[i++] = (struct level){ 39, 9, false, false };
	m->level[i++] = (struct level){ 30, 9, p->has_1g, false };
	m->level[i++] = (struct level){ 21, 9, true, false };
	m->level[i++] = (struct level){ 12, 9, true, true };
	m->levels = i;
	m->size = 8;
	m->table = p->cr3 & 0xffffffffff000;
	m->present = true;
}

static bool is_pae(const struct guest_paging *p)
{
	return !(p->efer & EFER_LMA) && p->cr4 & CR4_PAE;
}

/* Reserved bits that are set in an entry: tables 5-4 to 5-20. */
static bool has_reserved(const struct guest_paging *p, const struct mode *m,
			 const struct level *level, u64 e, bool page)
{
	u64 too_high = ~p->phys_mask & 0xffffffffff000;
	u32 bit;

	if (m->size == 4) {
		if (!page || level->always)
			return false;
		for (bit = 13; bit <= 20; bit++)
			if (e >> bit & 1 && too_high >> (bit + 19) & 1)
				return true;
		return e >> 21 & 1;
	}
	if (e & too_high || (e >> 63 && !(p->efer & EFER_NXE)))
		return true;
	if (is_pae(p) && e >> 52 & 0x7ff)
		return true;
	if (!page)
		return e & 0x80 && !level->always;
	if (level->always)
		return false;
	for (bit = 13; bit < level->shift; bit++)
		if (e >> bit & 1)
			return true;
	return false;
}

static bool key_denies(const struct guest_paging *p, u64 leaf, bool user_page, u32 access)
{
	u32 key = leaf >> 59 & 15, bits;

	if (!(p->efer & EFER_LMA) || access & PF_FETCH)
		return false;
	if (user_page ? !(p->cr4 & CR4_PKE) : !(p->cr4 & CR4_PKS))
		return false;
	bits = (user_page ? p->pkru : p->pkrs) >> (2 * key);
	if (bits & 1)
		return true;
	if (!(access & PF_WRITE) || !(bits & 2))
		return false;
	return access & PF_USER && user_page ? true : p->cr0 & CR0_WP || access & PF_USER;
}

/* 5.6.1 */
static bool rights_deny(const struct guest_paging *p, bool user_page, bool write, bool nx,
			u32 access)
{
	if (access & PF_USER) {
		if (!user_page)
			return true;
		return access & PF_FETCH ? nx : access & PF_WRITE && !write;
	}
	if (access & PF_FETCH)
		return nx || (user_page && p->cr4 & CR4_SMEP);
	if (user_page && p->cr4 & CR4_SMAP && !p->ac)
		return true;
	return access & PF_WRITE && !write && p->cr0 & CR0_WP;
}

static u32 error_of(const struct guest_paging *p, u32 access)
{
	bool told = p->cr4 & CR4_SMEP ||
		    ((p->cr4 & CR4_PAE || p->efer & EFER_LMA) && p->efer & EFER_NXE);

	return (access & (PF_WRITE | PF_USER)) | (told ? access & PF_FETCH : 0);
}

static u64 page_start(const struct mode *m, const struct level *level, u64 e)
{
	u64 start = e & 0xffffffffff000 & ~((1ull << level->shift) - 1);

	if (m->size == 4) {
		start = e & 0xfffff000 & ~((1ull << level->shift) - 1);
		if (!level->always)
			start |= (e >> 13 & 0xff) << 32;
	}
	return start;
}

bool walk_ref(const struct guest_paging *p, u64 linear, u32 access, u64 *gpa, u32 *error)
{
	bool user = true, write = true, nx = false, page;
	u64 at[5], e = 0, table;
	struct mode m;
	u32 i, j;

	if (!(p->efer & EFER_LMA))
		linear = (u32)linear;
	*gpa = linear;
	if (!(p->cr0 & CR0_PG))
		return true;
	if (p->efer & EFER_LMA)
		mode_long(p, &m);
	else if (p->cr4 & CR4_PAE)
		mode_pae(p, linear, &m);
	else
		mode_32bit(p, &m);
	*error = error_of(p, access);
	if (!m.present)
		return false;
	for (i = 0, table = m.table; ; i++) {
		const struct level *level = &m.level[i];

		at[i] = table + (linear >> level->shift & ((1u << level->bits) - 1)) * m.size;
		e = guest_memory_read(at[i], m.size);
		if (!(e & 1))
			return false;
		page = level->always || (level->large && e & 0x80);
		if (has_reserved(p, &m, level, e, page)) {
			*error |= PF_PRESENT | PF_RESERVED;
			return false;
		}
		write &= e >> 1 & 1;
		user &= e >> 2 & 1;
		nx |= m.size == 8 && e >> 63;
		if (page)
			break;
		table = e & (m.size == 4 ? 0xfffff000 : 0xffffffffff000);
	}
	if (rights_deny(p, user, write, nx, access)) {
		*error |= PF_PRESENT;
		return false;
	}
	if (key_denies(p, e, user, access)) {
		*error |= PF_PRESENT | PF_KEY;
		return false;
	}
	for (j = 0; j <= i; j++)
		guest_memory_write(at[j], m.size, guest_memory_read(at[j], m.size) | 0x20 |
				   (j == i && access & PF_WRITE ? 0x40 : 0));
	*gpa = page_start(&m, &m.level[i], e) | (linear & ((1ull << m.level[i].shift) - 1));
	return true;
}

/* --- random ones */

static u64 random_entry(struct source *s, u32 size)
{
	u64 e = GUEST_BASE + source_below(s, GUEST_FRAMES) * 4096;

	e |= source_chance(s, 95) | (u64)source_chance(s, 80) << 1 | (u64)source_chance(s, 60) << 2;
	e |= source_below(s, 16) << 3 | (u64)source_chance(s, 15) << 7;
	if (source_chance(s, 10))
		e ^= 1ull << source_below(s, size * 8);
	if (size == 8 && source_chance(s, 20))
		e |= 1ull << 63;
	if (size == 8 && source_chance(s, 40))
		e |= source_below(s, 16) << 59;
	/* A large page starts at a multiple of its size. */
	if (e & 0x80 && source_chance(s, 70))
		e &= ~0x1ff000ull;
	return e;
}

static struct guest_paging random_paging(struct source *s)
{
	static const u64 bits4[] = { CR4_PSE, CR4_PAE, CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_PKS, CR4_LA57 };
	struct guest_paging p = { .cr3 = GUEST_BASE + source_below(s, GUEST_FRAMES) * 4096 };
	u32 i;

	p.cr0 = CR0_PE | (source_chance(s, 95) ? CR0_PG : 0) | (source_chance(s, 50) ? CR0_WP : 0);
	for (i = 0; i < ARRAY_SIZE(bits4); i++)
		if (source_chance(s, 50))
			p.cr4 |= bits4[i];
	p.efer = (source_chance(s, 60) ? EFER_LMA | EFER_LME : 0) | (source_chance(s, 70) ? EFER_NXE : 0);
	if (p.efer & EFER_LMA)
		p.cr4 |= CR4_PAE;
	for (i = 0; i < 4; i++)
		p.pdpte[i] = (GUEST_BASE + source_below(s, GUEST_FRAMES) * 4096) | source_chance(s, 90);
	p.phys_mask = (1ull << (source_chance(s, 50) ? 36 : 46)) - 4096;
	p.pkru = (u32)source_take(s, 4);
	p.pkrs = (u32)source_take(s, 4);
	p.has_1g = source_chance(s, 50);
	p.ac = source_chance(s, 50);
	return p;
}

static void compare(struct source *s, const struct guest_paging *p)
{
	static struct guest_memory before, after;
	u32 access = (source_chance(s, 50) ? PF_USER : 0), error = 0, want_error = 0;
	u64 linear = source_take(s, 8) >> source_below(s, 40), gpa = 0, want_gpa = 0, address = 0;
	struct walk_path path;
	bool done, want;

	access |= source_chance(s, 33) ? PF_FETCH : source_chance(s, 50) ? PF_WRITE : 0;
	before = guest_memory;
	done = walk(p, linear, access, &gpa, &error);
	after = guest_memory;
	guest_memory = before;
	want = walk_ref(p, linear, access, &want_gpa, &want_error);
	require(done == want, "linear %#llx access %#x: %d, must be %d (error %#x, %#x)", linear,
		access, done, want, error, want_error);
	if (!done)
		require(error == want_error, "error %#x, must be %#x", error, want_error);
	if (done)
		require(gpa == want_gpa, "address %#llx, must be %#llx", gpa, want_gpa);
	require(!memcmp(after.word, guest_memory.word, sizeof(after.word)),
		"accessed and dirty bits");
	/* An entry that is its own table changes under the walk: once again, each time. */
	require(after.reads - before.reads <= 25, "%u reads", after.reads - before.reads);
	if (done)
		require(walk_address(p, linear, &address, &path) && address == gpa && path.depth <= 5,
			"walk_address(): %#llx, must be %#llx", address, gpa);
}

void walk_ref_run(struct source *source)
{
	struct guest_paging p = random_paging(source);
	u32 size = p.cr4 & CR4_PAE ? 8 : 4, i, seed = (u32)source_take(source, 4);
	struct source filler = source_seed(seed);

	guest_memory.fail_exchanges = 0;
	guest_memory.reads = 0;
	for (i = 0; i < GUEST_FRAMES * 4096; i += size)
		guest_memory_write(GUEST_BASE + i, size, random_entry(&filler, size));
	for (i = 0; i < 8; i++)
		compare(source, &p);
}
