// SPDX-License-Identifier: GPL-2.0-only
/* Is the description of a PAL right? Pure: the unit tests and a fuzzer run it. */
#include "hypapp/pal_desc.h"
#include "hypapp/pal_gate.h"

#define USER_END_64	BIT(47)
#define USER_END_32	BIT(32)
#define LOW_END		BIT(32)	/* what 32-bit code reaches */
#define ARG_MAX		65536u

static u64 user_end(const struct latch_pal_desc *desc)
{
	return desc->flags & LATCH_PAL_32 ? USER_END_32 : USER_END_64;
}

static bool overlaps(const struct latch_pal_section *a, const struct latch_pal_section *b)
{
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

/** pal_desc_find - the section that an address is in, or NULL */
const struct latch_pal_section *pal_desc_find(const struct latch_pal_desc *desc, u64 address)
{
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (address - desc->section[i].start < desc->section[i].size)
			return &desc->section[i];
	return NULL;
}

/** pal_desc_find_type - the first section of a type, or NULL */
const struct latch_pal_section *pal_desc_find_type(const struct latch_pal_desc *desc, u32 type)
{
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].type == type)
			return &desc->section[i];
	return NULL;
}

/** pal_desc_pages - pages of all sections */
u32 pal_desc_pages(const struct latch_pal_desc *desc)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < desc->nr_sections; i++)
		pages += desc->section[i].size / PAGE_SIZE;
	return (u32)pages;
}

/**
 * pal_desc_resume - where an interrupted PAL seems to be
 *
 * The last byte of its code, which is no entry point: Linux comes back there.
 */
u64 pal_desc_resume(const struct latch_pal_desc *desc)
{
	const struct latch_pal_section *code = pal_desc_find_type(desc, LATCH_PAL_CODE);

	return code->start + code->size - 1;
}

static const char *check_section(const struct latch_pal_desc *desc, u32 index)
{
	const struct latch_pal_section *section = &desc->section[index];
	u32 i;

	if (section->type < LATCH_PAL_CODE || section->type > LATCH_PAL_GATE || section->reserved)
		return "a section has an unknown type";
	if ((section->start | section->size) % PAGE_SIZE || !section->size ||
	    section->size > (u64)LATCH_PAL_PAGES * PAGE_SIZE)
		return "a section is not of whole pages, or too large";
	if (section->start >= user_end(desc) || section->size > user_end(desc) - section->start)
		return "a section is not in the program's half of the address space";
	for (i = 0; i < index; i++)
		if (overlaps(section, &desc->section[i]))
			return "two sections overlap";
	return NULL;
}

static bool is_free(const struct latch_pal_desc *desc, u64 page)
{
	return !pal_desc_find(desc, page);
}

/* The gate needs addresses that 32-bit code does not reach, and two pages below it. */
static const char *check_gate(const struct latch_pal_desc *desc)
{
	const struct latch_pal_section *gate = pal_desc_find_type(desc, LATCH_PAL_GATE);
	u32 i;

	if (!gate)
		return NULL;
	if (gate->size != 2 * PAGE_SIZE || gate->start < LOW_END + PAL_GATE_ROOM)
		return "the gate is not two pages, or too low";
	for (i = 0; i < desc->nr_sections; i++)
		if (desc->section[i].start < LOW_END)
			return "a section of a fast PAL is below 4 GiB";
	if (!is_free(desc, gate->start - PAL_GATE_LIST) ||
	    !is_free(desc, gate->start - PAL_GATE_INNER))
		return "a section is where the gate has something";
	return NULL;
}

static u32 count_type(const struct latch_pal_desc *desc, u32 type)
{
	u32 i, n = 0;

	for (i = 0; i < desc->nr_sections; i++)
		n += desc->section[i].type == type;
	return n;
}

static const char *check_sections(const struct latch_pal_desc *desc)
{
	const char *wrong = NULL;
	u32 i;

	if (!desc->nr_sections || desc->nr_sections > LATCH_PAL_SECTIONS)
		return "too many sections, or none";
	for (i = 0; i < desc->nr_sections && !wrong; i++)
		wrong = check_section(desc, i);
	if (wrong)
		return wrong;
	if (pal_desc_pages(desc) > LATCH_PAL_PAGES)
		return "too many pages";
	if (!count_type(desc, LATCH_PAL_CODE) || count_type(desc, LATCH_PAL_STACK) != 1 ||
	    count_type(desc, LATCH_PAL_PARAM) > 1)
		return "it needs code, one stack, and at most one section for parameters";
	if (count_type(desc, LATCH_PAL_GATE) != !!(desc->flags & LATCH_PAL_FAST))
		return "a fast PAL needs one gate, others have none";
	return check_gate(desc);
}

/** pal_desc_arg_room - bytes that an argument takes in the section for parameters */
u32 pal_desc_arg_room(const struct latch_pal_arg *arg)
{
	return (arg->size + 15) & ~15u;
}

static const char *check_entry(const struct latch_pal_desc *desc, const struct latch_pal_entry *e)
{
	const struct latch_pal_section *in = pal_desc_find(desc, e->address);
	const struct latch_pal_section *param = pal_desc_find_type(desc, LATCH_PAL_PARAM);
	u64 room = param ? param->size : 0;
	u32 i;

	if (!in || in->type != LATCH_PAL_CODE || e->address == pal_desc_resume(desc))
		return "an entry point is not in its code, or the last byte of it";
	if (e->nr_args > LATCH_PAL_ARGS || e->flags & ~LATCH_PAL_WIDE)
		return "an entry point has too many arguments, or unknown flags";
	for (i = 0; i < e->nr_args; i++) {
		const struct latch_pal_arg *arg = &e->arg[i];

		if (arg->size > ARG_MAX || arg->flags & ~(LATCH_PAL_IN | LATCH_PAL_OUT) ||
		    !arg->size != !arg->flags)
			return "an argument has a wrong size or unknown flags";
		if (arg->size && desc->flags & LATCH_PAL_FAST)
			return "an argument of a fast PAL is a pointer";
		if (pal_desc_arg_room(arg) > room)
			return "the section for parameters is too small";
		room -= pal_desc_arg_room(arg);
	}
	return NULL;
}

/**
 * pal_desc_check - look at a description before it is used
 * @desc: a copy that nobody else can change
 *
 * Return: NULL if it is right, or else what is wrong.
 */
const char *pal_desc_check(const struct latch_pal_desc *desc)
{
	const char *wrong;
	u32 i;

	if (desc->flags & ~(LATCH_PAL_32 | LATCH_PAL_FAST) || desc->reserved)
		return "unknown flags";
	if (desc->flags == (LATCH_PAL_32 | LATCH_PAL_FAST))
		return "a PAL of 32-bit code cannot be fast";
	wrong = check_sections(desc);
	if (!wrong && (!desc->nr_entries || desc->nr_entries > LATCH_PAL_ENTRIES))
		wrong = "too many entry points, or none";
	for (i = 0; i < desc->nr_entries && !wrong; i++)
		wrong = check_entry(desc, &desc->entry[i]);
	return wrong;
}
