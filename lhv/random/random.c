// SPDX-License-Identifier: GPL-2.0-only
/*
 * The random mode:
 *
 *	random=SEED,FIRST,COUNT	run these cases; a line for each, with its digest
 *	mask=HEX,...		run the first one with these choices of it, for each mask
 *	verbose			print choices and records
 *	show=NUMBER		print records of this one
 *	longer=NUMBER		this one gets much more time until the timer ends it
 *
 * Numbers are in hexadecimal. Each CPU is a hypervisor of its own: case number i runs on
 * CPU i modulo their number, with memory of its own, while the others run theirs.
 */
#include "random.h"

/*
 * What the command line says
 * @show: the one whose records are printed
 * @longer: the one with more time
 * @masks: text; empty if cases run with all their choices
 */
static struct {
	u64 seed, first, count, show, longer;
	char masks[512];
} wanted;

static struct rnd randoms[MAX_CPUS];
static struct spinlock printing;

/** random_line - begin a line of output, or end it: others do not come between */
void random_line(bool begin)
{
	if (begin)
		spin_lock(&printing);
	else
		spin_unlock(&printing);
}

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
	r->timed = 0;
	r->seen = 0;
	r->entered = false;
	r->sends_nmis = false;
	r->nmis = r->hv->host->nmis;
	random_choose(r);
	random_reset(r, which == wanted.longer);
	random_apply(r, PHASE_SETUP, 0);
	random_apply(r, PHASE_CODE, 0);
	random_apply(r, PHASE_LAST, 0);
	random_guest(r);
	random_nmi_end(r);
	record_final(r);
	random_mend(r);
}

static void case_line(struct rnd *r)
{
	random_line(true);
	random_trail_print(r);
	print("case %llx %llx %llx%s\n", r->number, r->mask, r->digest,
	      r->hv->exit.reason == REASON_TIMER ? " timer" : "");
	random_line(false);
}

static void masks_run(struct rnd *r)
{
	const char *masks = wanted.masks;

	while (*masks) {
		case_run(r, wanted.first, number(&masks));
		case_line(r);
	}
}

static void cases_run(struct rnd *r)
{
	u64 i;

	for (i = wanted.first; i < wanted.first + wanted.count; i++) {
		if (i % nr_cpus != this_cpu()->index)
			continue;
		r->shown = i == wanted.show || r->verbose;
		case_run(r, i, ~0ull);
		case_line(r);
	}
}

static void prepare(void *arg)
{
	(void)arg;
	random_alloc(&randoms[this_cpu()->index]);
}

/** random_prepare - get memory, before core is launched */
void random_prepare(void)
{
	u32 i;

	if (!option_has("random"))
		return;
	hv_alloc_all();
	for (i = 0; i < nr_cpus; i++)
		cpu_call(i, prepare, NULL);
	for (i = 0; i < nr_cpus; i++)
		random_trail_alloc(&randoms[i]);
}

/* All that one CPU does */
static void run(void *arg)
{
	struct rnd *r = &randoms[this_cpu()->index];

	(void)arg;
	r->seed = wanted.seed;
	r->verbose = option_has("verbose");
	r->shown = r->verbose;
	irq_disable();
	if (!hv_begin(r->hv))
		lhv_panic("random: VMXON fails");
	random_begin(r);
	if (wanted.masks[0])
		masks_run(r);
	else
		cases_run(r);
	hv_end(r->hv);
	irq_enable();
}

/* Return: the case that an option names, ~0 without it */
static u64 option_case(const char *name)
{
	char text[20];
	const char *p = text;

	return option_get(name, text, sizeof(text)) ? number(&p) : ~0ull;
}

/** random_run - the cases that the command line names */
void random_run(void)
{
	static char text[64];
	const char *missing = hv_missing(), *p = text;

	ktap_suite = "random";
	if (missing)
		lhv_panic("random: %s", missing);
	wanted.show = option_case("show");
	wanted.longer = option_case("longer");
	option_get("random", text, sizeof(text));
	wanted.seed = number(&p);
	wanted.first = number(&p);
	wanted.count = number(&p);
	if (option_get("mask", wanted.masks, sizeof(wanted.masks)))
		cpu_call((u32)(wanted.first % nr_cpus), run, NULL);
	else
		cpu_call_all(run, NULL);
	ktap_check(true, "all cases have ended");
}
