// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "pal_desc_ref.h"

#define PAGE	4096ull

/* In 128 bits no sum is too large, so nothing here wraps around. */
typedef unsigned __int128 wide;

static wide section_end(const struct latch_pal_section *section)
{
	return (wide)section->start + section->size;
}

static u64 user_end(const struct latch_pal_desc *desc)
{
	return desc->flags & LATCH_PAL_32 ? 1ull << 32 : 1ull << 47;
}

static bool contains(const struct latch_pal_section *section, u64 address)
{
	return address >= section->start && address < section_end(section);
}

static bool section_right(const struct latch_pal_desc *desc, u32 index)
{
	const struct latch_pal_section *section = &desc->section[index], *other;

	for (other = desc->section; other < section; other++)
		if (section_end(section) > other->start && section_end(other) > section->start)
			return false;
	return section->type >= 1 && section->type <= 6 && section->reserved == 0 &&
	       section->start % PAGE == 0 && section->size % PAGE == 0 && section->size > 0 &&
	       section_end(section) <= user_end(desc);
}

static bool sections_right(const struct latch_pal_desc *desc)
{
	u32 count[7] = { 0 }, i;
	wide size = 0;

	if (desc->nr_sections < 1 || desc->nr_sections > 8)
		return false;
	for (i = 0; i < desc->nr_sections; i++) {
		if (!section_right(desc, i))
			return false;
		count[desc->section[i].type]++;
		size += desc->section[i].size;
	}
	return size <= LATCH_PAL_PAGES * PAGE && count[LATCH_PAL_CODE] >= 1 &&
	       count[LATCH_PAL_PARAM] <= 1 && count[LATCH_PAL_STACK] == 1 &&
	       count[LATCH_PAL_GATE] == (desc->flags == LATCH_PAL_FAST ? 1 : 0);
}

/* Two pages of core's own are in a fast PAL too: by their distance from the gate. */
static bool gate_right(const struct latch_pal_desc *desc)
{
	const struct latch_pal_section *gate = NULL, *section = desc->section;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (section[i].type == LATCH_PAL_GATE)
			gate = &section[i];
	if (!gate)
		return true;
	for (i = 0; i < desc->nr_sections; i++)
		if (section[i].start < 0x100000000ull ||
		    contains(&section[i], gate->start - 0x6f6f7000) ||
		    contains(&section[i], gate->start - 0x6f6d7000))
			return false;
	return gate->size == 2 * PAGE && gate->start >= 0x170000000ull;
}

static u64 param_size(const struct latch_pal_desc *desc)
{
	u64 size = 0;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].type == LATCH_PAL_PARAM)
			size += desc->section[i].size;
	return size;
}

static bool args_right(const struct latch_pal_desc *desc, const struct latch_pal_entry *entry)
{
	u64 size = 0;
	u32 i;

	if (entry->nr_args > 6)
		return false;
	for (i = 0; i < entry->nr_args; i++) {
		if (entry->arg[i].size > 65536 || entry->arg[i].flags > 3)
			return false;
		/* What is copied has a size, and what has a size is copied. */
		if (!entry->arg[i].size != !entry->arg[i].flags)
			return false;
		if (desc->flags == LATCH_PAL_FAST && entry->arg[i].size)
			return false;
		size += (entry->arg[i].size + 15ull) / 16 * 16;
	}
	return size <= param_size(desc);
}

/* The last byte of the first code, where an interrupted PAL seems to be. */
static u64 last_of_code(const struct latch_pal_desc *desc)
{
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].type == LATCH_PAL_CODE)
			return (u64)section_end(&desc->section[i]) - 1;
	return 0;
}

static bool entry_right(const struct latch_pal_desc *desc, const struct latch_pal_entry *entry)
{
	bool in_code = false;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].type == LATCH_PAL_CODE)
			in_code |= contains(&desc->section[i], entry->address);
	return in_code && entry->address != last_of_code(desc) && entry->flags <= 1 &&
	       args_right(desc, entry);
}

static bool desc_right(const struct latch_pal_desc *desc)
{
	u32 i;

	if (desc->flags > 2 || desc->reserved || !sections_right(desc) || !gate_right(desc))
		return false;
	if (desc->nr_entries < 1 || desc->nr_entries > 16)
		return false;
	for (i = 0; i < desc->nr_entries; i++)
		if (!entry_right(desc, &desc->entry[i]))
			return false;
	return true;
}

static void check_find(const struct latch_pal_desc *desc, u64 address)
{
	const struct latch_pal_section *found = NULL;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (contains(&desc->section[i], address)) {
			require(!found, "%#llx is in two sections", address);
			found = &desc->section[i];
		}
	require(pal_desc_find(desc, address) == found, "%#llx is not found where it is", address);
}

static void check_find_type(const struct latch_pal_desc *desc, u32 type)
{
	const struct latch_pal_section *found = pal_desc_find_type(desc, type);
	u32 i;

	for (i = 0; i < desc->nr_sections && desc->section[i].type != type; i++)
		;
	require(found == (i < desc->nr_sections ? &desc->section[i] : NULL),
		"type %u is not found where it is", type);
}

/* What core relies on when a description has passed. */
static void check_passed(const struct latch_pal_desc *desc)
{
	u64 resume = pal_desc_resume(desc), pages = 0;
	const struct latch_pal_section *section, *in;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++) {
		section = &desc->section[i];
		pages += section->size / PAGE;
		check_find(desc, section->start);
		check_find(desc, section->start + section->size - 1);
		check_find(desc, section->start + section->size);
		check_find(desc, section->start - 1);
	}
	require(pal_desc_pages(desc) == pages && pages <= LATCH_PAL_PAGES, "%u pages, not %llu",
		pal_desc_pages(desc), pages);
	for (i = 0; i <= LATCH_PAL_GATE; i++)
		check_find_type(desc, i);
	in = pal_desc_find(desc, resume);
	require(resume == last_of_code(desc) && in && in->type == LATCH_PAL_CODE,
		"it resumes at %#llx", resume);
	for (i = 0; i < desc->nr_entries; i++) {
		check_find(desc, desc->entry[i].address);
		in = pal_desc_find(desc, desc->entry[i].address);
		require(in && in->type == LATCH_PAL_CODE && desc->entry[i].address != resume,
			"an entry at %#llx", desc->entry[i].address);
	}
}

bool pal_desc_ref_check(const struct latch_pal_desc *desc)
{
	const char *wrong = pal_desc_check(desc);
	bool right = desc_right(desc);

	require(right == !wrong, "it is %s, but core says: %s", right ? "right" : "wrong",
		wrong ? wrong : "right");
	if (right)
		check_passed(desc);
	return right;
}

/* Sizes and types of sections that are behind each other, some of them touching. */
static u64 make_sections(struct latch_pal_desc *desc, struct source *source)
{
	static const u32 others[] = { LATCH_PAL_CODE, LATCH_PAL_DATA, LATCH_PAL_SHARED };
	u32 left = LATCH_PAL_PAGES, i, n = 2 + (u32)source_below(source, 7), pages;
	struct latch_pal_section *section;
	u64 next = 0;

	/* The gate is the third. */
	if (desc->flags == LATCH_PAL_FAST && n < 3)
		n = 3;
	desc->nr_sections = n;
	for (i = 0; i < n; i++) {
		section = &desc->section[i];
		pages = left - 2 * (n - 1 - i);	/* two at least for each that follows */
		if (!source_chance(source, 10))
			pages = 1 + (u32)source_below(source, pages < 40 ? pages : 40);
		if (i == 2 && desc->flags == LATCH_PAL_FAST)
			pages = 2;
		left -= pages;
		if (source_chance(source, 40))
			next += source_below(source, 5) * PAGE;
		section->start = next;
		section->size = pages * PAGE;
		section->type = i == 0 ? LATCH_PAL_CODE : i == 1 ? LATCH_PAL_STACK :
				i == 2 && desc->flags == LATCH_PAL_FAST ? LATCH_PAL_GATE :
				i == 2 && source_chance(source, 80) ? LATCH_PAL_PARAM :
				others[source_below(source, ARRAY_SIZE(others))];
		next += section->size;
	}
	return next;
}

/* Put them at the beginning or the end of what there is, or anywhere; in any order. */
static void place_sections(struct latch_pal_desc *desc, u64 span, struct source *source)
{
	u64 room = user_end(desc) - span, base;
	struct latch_pal_section other;
	u32 i, with;

	base = source_chance(source, 30) ? room : source_below(source, room) / PAGE * PAGE;
	if (source_chance(source, 20))
		base = 0;
	if (desc->flags == LATCH_PAL_FAST && base < LATCH_PAL_GATE_MIN)
		base += LATCH_PAL_GATE_MIN;
	for (i = 0; i < desc->nr_sections; i++)
		desc->section[i].start += base;
	for (i = 1; i < desc->nr_sections; i++) {
		with = (u32)source_below(source, i + 1);
		other = desc->section[with];
		desc->section[with] = desc->section[i];
		desc->section[i] = other;
	}
}

static void make_args(struct latch_pal_entry *entry, u64 room, bool fast, struct source *source)
{
	static const u32 sizes[] = { 1, 8, 15, 16, 17, 4095, 4096, 65535, 65536 };
	u32 i, size;

	entry->nr_args = (u32)source_below(source, 7);
	for (i = 0; i < entry->nr_args; i++) {
		size = source_chance(source, 50) ? sizes[source_below(source, ARRAY_SIZE(sizes))] :
						   (u32)source_below(source, 65537);
		if (fast)
			size = 0;
		/* Often all that is left. */
		if (size > room)
			size = (u32)room;
		entry->arg[i].size = size;
		entry->arg[i].flags = size ? 1 + (u32)source_below(source, 3) : 0;
		room -= (size + 15ull) / 16 * 16;
	}
}

static void make_entry(const struct latch_pal_desc *desc, struct latch_pal_entry *entry,
		       struct source *source)
{
	u32 i = (u32)source_below(source, desc->nr_sections);

	while (desc->section[i].type != LATCH_PAL_CODE)
		i = (i + 1) % desc->nr_sections;
	entry->address = desc->section[i].start;
	if (source_chance(source, 30))
		entry->address += desc->section[i].size - 1;
	else
		entry->address += source_below(source, desc->section[i].size);
	if (entry->address == last_of_code(desc))
		entry->address--;
	entry->flags = (u32)source_below(source, 2);
	make_args(entry, param_size(desc), desc->flags == LATCH_PAL_FAST, source);
}

static void make(struct latch_pal_desc *desc, struct source *source)
{
	u64 span;
	u32 i;

	memset(desc, 0, sizeof(*desc));
	desc->flags = source_chance(source, 40) ? LATCH_PAL_32 :
		      source_chance(source, 50) ? LATCH_PAL_FAST : 0;
	span = make_sections(desc, source);
	place_sections(desc, span, source);
	desc->nr_entries = 1 + (u32)source_below(source, 16);
	for (i = 0; i < desc->nr_entries; i++)
		make_entry(desc, &desc->entry[i], source);
}

/* Another value for a field: near to the old one, where some rule has a limit, or any. */
static u64 other_value(const struct latch_pal_desc *desc, u64 old, struct source *source)
{
	static const u64 limits[] = {
		0, 8, 16, 6, 65536, LATCH_PAL_PAGES * PAGE, BIT(32), BIT(47), LATCH_PAL_GATE_MIN
	};
	const struct latch_pal_section *section = &desc->section[source_below(source, 8)];
	u64 step = source_chance(source, 50) ? 1 : PAGE;

	switch (source_below(source, 8)) {
	case 6:
		/* As far below it as the gate has its own. */
		return section->start - (source_chance(source, 50) ? 0x6f6f7000 : 0x6f6d7000);
	case 0:
		return old + step;
	case 1:
		return old - step;
	case 2:
		return limits[source_below(source, ARRAY_SIZE(limits))] +
		       (source_below(source, 3) - 1) * step;
	case 3:
		return section->start + (source_below(source, 3) - 1) * step;
	case 4:
		return section->start + section->size - source_below(source, 3) * step;
	case 5:
		return -source_below(source, 300) * step;
	default:
		return source_take(source, 8) >> source_below(source, 64);
	}
}

static void edit_section(struct latch_pal_desc *desc, struct source *source)
{
	struct latch_pal_section *section = &desc->section[source_below(source, 8)];

	switch (source_below(source, 8)) {
	case 0:
		section->type = (u32)source_below(source, 8);
		break;
	case 1:
		section->reserved = (u32)other_value(desc, 0, source);
		break;
	case 2:
	case 3:
	case 4:
		section->size = other_value(desc, section->size, source);
		break;
	default:
		section->start = other_value(desc, section->start, source);
		break;
	}
}

static void edit_entry(struct latch_pal_desc *desc, struct source *source)
{
	struct latch_pal_entry *entry = &desc->entry[source_below(source, 16)];
	struct latch_pal_arg *arg = &entry->arg[source_below(source, 6)];

	switch (source_below(source, 8)) {
	case 0:
		entry->nr_args = (u32)source_below(source, 9);
		break;
	case 1:
		entry->flags = (u32)other_value(desc, entry->flags, source);
		break;
	case 2:
		arg->flags = (u32)source_below(source, 5);
		break;
	case 3:
	case 4:
		arg->size = (u32)other_value(desc, arg->size, source);
		break;
	case 5:
		entry->address = last_of_code(desc);
		break;
	default:
		entry->address = other_value(desc, entry->address, source);
		break;
	}
}

static void edit_header(struct latch_pal_desc *desc, struct source *source)
{
	u32 *const fields[] = {
		&desc->flags, &desc->nr_sections, &desc->nr_entries, &desc->reserved
	};
	u32 *field = fields[source_below(source, ARRAY_SIZE(fields))];

	*field = source_chance(source, 60) ? (u32)source_below(source, 20) :
					     (u32)other_value(desc, *field, source);
}

void pal_desc_ref_run(struct source *source)
{
	struct latch_pal_desc desc;
	u32 edits;

	make(&desc, source);
	require(pal_desc_ref_check(&desc), "it was made right, but is wrong");
	for (edits = (u32)source_below(source, 6); edits; edits--) {
		switch (source_below(source, 8)) {
		case 0:
			edit_header(&desc, source);
			break;
		case 1:
		case 2:
		case 3:
			edit_section(&desc, source);
			break;
		default:
			edit_entry(&desc, source);
			break;
		}
		pal_desc_ref_check(&desc);
	}
}

void pal_desc_ref_run_any(struct source *source)
{
	struct latch_pal_desc desc;
	u8 *bytes = (u8 *)&desc;
	size_t i;

	for (i = 0; i < sizeof(desc); i++)
		bytes[i] = (u8)source_take(source, 1);
	pal_desc_ref_check(&desc);
}
