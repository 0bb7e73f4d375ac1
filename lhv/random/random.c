// SPDX-License-Identifier: GPL-2.0-only
/*
 * The random mode:
 *
 *	random=SEED,FIRST,COUNT	run these cases; a line for each, with its digest
 *	mask=HEX,...		run the first one with these choices of it, for each mask
 *	verbose			print choices and records
 *
 * Numbers are in hexadecimal.
 */
#include "random.h"

static struct rnd random;

static u64 number(const char **text)
{
	u64 value = 0;
	char c;

	for (c = **text; c && c != ','; c = *++*text)
		value = value << 4 | (u64)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	if (c)
		++*text;
	return value;
}

static void case_run(struct rnd *r, u64 which, u64 mask)
{
	r->number = which;
	r->mask = mask;
	r->digest = 0xcbf29ce484222325ull;
	r->exits = 0;
	r->slots = 0;
	r->slot = 0;
	r->opened = 0;
	r->steps = 0;
	r->bad_list = false;
	r->entered = false;
	random_choose(r);
	random_reset(r);
	random_apply(r, PHASE_SETUP, 0);
	random_apply(r, PHASE_CODE, 0);
	random_apply(r, PHASE_LAST, 0);
	random_guest(r);
	record_final(r);
	random_mend(r);
}

static void case_line(struct rnd *r)
{
	print("case %llx %llx %llx\n", r->number, r->mask, r->digest);
}

static void masks_run(struct rnd *r, u64 which, const char *masks)
{
	while (*masks) {
		case_run(r, which, number(&masks));
		case_line(r);
	}
}

/** random_prepare - get memory, before core is launched */
void random_prepare(void)
{
	if (!option_has("random"))
		return;
	hv_alloc_all();
	random_alloc(&random);
}

/** random_run - the cases that the command line names */
void random_run(void)
{
	static char text[64], masks[512];
	const char *missing = hv_missing(), *p = text;
	u64 first, count, i;

	ktap_suite = "random";
	if (missing)
		lhv_panic("random: %s", missing);
	option_get("random", text, sizeof(text));
	random.seed = number(&p);
	first = number(&p);
	count = number(&p);
	random.verbose = option_has("verbose");
	irq_disable();
	if (!hv_begin(random.hv))
		lhv_panic("random: VMXON fails");
	random_begin(&random);
	if (option_get("mask", masks, sizeof(masks)))
		masks_run(&random, first, masks);
	for (i = first; i < first + count && !masks[0]; i++) {
		case_run(&random, i, ~0ull);
		case_line(&random);
	}
	hv_end(random.hv);
	irq_enable();
	ktap_check(true, "all cases have ended");
}
