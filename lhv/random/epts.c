// SPDX-License-Identifier: GPL-2.0-only
/* Choices of the EPT. Each also has the guest run with one, where there is EPT. */
#include "random.h"

static const struct {
	const char *name;
	u32 page;
} pages[] = {
	{ "code", PG_CODE }, { "stubs", PG_STUBS }, { "IDT", PG_IDT }, { "GDT", PG_TABLES },
	{ "stack", PG_STACK }, { "data", PG_DATA }, { "data", PG_DATA }, { "data 2", PG_DATA2 },
	{ "APIC", PG_APIC }, { "PML4", PG_PML4 }, { "PDPT", PG_PDPT }, { "PD", PG_PD },
	{ "PT", PG_PT }, { "PT of CPL 3", PG_PT_USER }, { "hole", PG_HOLE },
};

static u64 *entry(struct rnd *r, u32 page)
{
	return (u64 *)PTR(host_page(r, HP_EPT_PT)) + page;
}

static bool enable(void)
{
	if (!hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT))
		return false;
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	return true;
}

static void apply_rights(struct rnd *r, const struct choice *choice)
{
	static const u64 rights[] = { 0, EPT_R, EPT_R | EPT_X, EPT_R | EPT_W, EPT_X };
	u32 i = (u32)(choice->v[0] % ARRAY_SIZE(pages));
	u64 right = rights[choice->v[1] % ARRAY_SIZE(rights)];
	u64 *at = entry(r, pages[i].page);

	if (!enable())
		return;
	say(r, "%s: rights %llx", pages[i].name, right);
	*at = (*at & ~EPT_RWX) | right;
}

static void apply_entry(struct rnd *r, const struct choice *choice)
{
	static const u64 flips[] = {
		EPT_R, EPT_W, EPT_W | EPT_R, BIT(3), BIT(4), BIT(5), BIT(6), EPT_PS, EPT_A, EPT_D,
		BIT(10), BIT(11), BIT(50), BIT(51), BIT(52), BIT(62), EPT_NO_VE,
	};
	u32 i = (u32)(choice->v[0] % ARRAY_SIZE(pages));
	u64 flip = flips[choice->v[1] % ARRAY_SIZE(flips)];

	if (!enable())
		return;
	say(r, "%s: entry ^ %llx", pages[i].name, flip);
	*entry(r, pages[i].page) ^= flip;
}

static void apply_directory(struct rnd *r, const struct choice *choice)
{
	static const u64 flips[] = {
		EPT_R, EPT_W, EPT_X, BIT(3), BIT(6), EPT_PS, EPT_A, BIT(51), BIT(8),
	};
	static const u32 levels[] = { HP_EPT_PML4, HP_EPT_PDPT, HP_EPT_PD };
	u32 level = (u32)(choice->v[0] % 3);
	u64 flip = flips[choice->v[1] % ARRAY_SIZE(flips)];
	u64 *table = PTR(host_page(r, levels[level]));

	if (!enable())
		return;
	/* As a large page the address of the table below it would lead anywhere. */
	if (flip == EPT_PS && level)
		flip = BIT(4);
	say(r, "level %u: entry ^ %llx", 4 - level, flip);
	if (level == 2)
		table += ADDR(r->ram) >> 21 & 511;
	*table ^= flip;
}

static void apply_large(struct rnd *r, const struct choice *choice)
{
	u64 *table = PTR(host_page(r, HP_EPT_PD));
	u64 rights = choice->v[0] % 4 ? EPT_RWX : choice->v[1] & EPT_RWX;

	if (!enable())
		return;
	say(r, "2 MiB, rights %llx", rights);
	table[ADDR(r->ram) >> 21 & 511] = ADDR(r->ram) | rights | EPT_MEM_WB | EPT_PS;
}

static void apply_pointer(struct rnd *r, const struct choice *choice)
{
	static const u64 flips[] = {
		EPTP_AD, EPTP_AD, EPTP_AD, EPTP_AD, 1, 2, 6, 8, 0x10, 0x100, 0x800,
		BIT(50),
	};
	u64 eptp = vmread(F_EPTP) ^ flips[choice->v[0] % ARRAY_SIZE(flips)];

	if (!enable())
		return;
	say(r, "EPTP = %llx", eptp);
	vmwrite(F_EPTP, eptp);
}

static void apply_swap(struct rnd *r, const struct choice *choice)
{
	u64 *data = entry(r, PG_DATA), *other = entry(r, choice->v[0] & 1 ? PG_DATA2 : PG_HOLE);
	u64 old = *data;

	if (!enable())
		return;
	say(r, "data is somewhere else");
	*data = *other;
	*other = old;
}

static void apply_list(struct rnd *r, const struct choice *choice)
{
	u64 *list = PTR(host_page(r, HP_EPTP_LIST));
	u32 at = (u32)(choice->v[0] % 4);

	if (!enable())
		return;
	say(r, "EPTP list, %u", at);
	list[at] = (choice->v[1] & 1 ? list[0] : list[1]) ^ (choice->v[2] & 0x7f);
}

const struct kind random_epts[] = {
	{ "EPT", 12, apply_rights },
	{ "EPT entry", 4, apply_entry },
	{ "EPT directory", 2, apply_directory },
	{ "EPT", 3, apply_large },
	{ "EPTP", 4, apply_pointer },
	{ "EPT", 2, apply_swap },
	{ "EPTP list", 1, apply_list },
	{ NULL, 0, NULL },
};
