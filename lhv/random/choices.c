// SPDX-License-Identifier: GPL-2.0-only
/* The generator, and the list of choices that it makes. */
#include "random.h"

static const struct {
	const struct kind *kinds;
	enum phase phase;
	u32 weight;
} tables[] = {
	{ random_controls, PHASE_SETUP, 26 },
	{ random_fields, PHASE_SETUP, 16 },
	{ random_events, PHASE_SETUP, 6 },
	{ random_lists, PHASE_SETUP, 7 },
	{ random_epts, PHASE_SETUP, 9 },
	{ random_code, PHASE_CODE, 50 },
	{ random_between, PHASE_BETWEEN, 18 },
	{ random_shadow, PHASE_SETUP, 7 },
	{ random_shadow_code, PHASE_CODE, 9 },
	{ random_shadow_between, PHASE_BETWEEN, 3 },
	{ random_nmis, PHASE_SETUP, 5 },
	{ random_nmi_code, PHASE_CODE, 9 },
	{ random_nmi_between, PHASE_BETWEEN, 5 },
};

/** random_mix - a number that looks like nothing that @value has to do with */
u64 random_mix(u64 value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	return value ^ value >> 31;
}

/* splitmix64: any state will do, and a next number is another one. */
static u64 next(struct rnd *r)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return random_mix(r->state);
}

static u32 below(u64 value, u32 limit)
{
	return (u32)((value >> 32) * limit >> 32);
}

static const struct kind *pick(const struct kind *kinds, u64 value)
{
	u32 sum = 0, i, at;

	for (i = 0; kinds[i].weight; i++)
		sum += kinds[i].weight;
	at = below(value, sum);
	for (i = 0; at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	return &kinds[i];
}

static void choose(struct rnd *r, struct choice *choice)
{
	u64 table = next(r), kind = next(r);
	u32 sum = 0, i, at;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		sum += tables[i].weight;
	at = below(table, sum);
	for (i = 0; at >= tables[i].weight; i++)
		at -= tables[i].weight;
	choice->kind = pick(tables[i].kinds, kind);
	choice->phase = tables[i].phase;
	for (i = 0; i < ARRAY_SIZE(choice->v); i++)
		choice->v[i] = next(r);
	choice->at = below(next(r), 6);
}

/**
 * random_choose - make the list of choices of @r's seed and number
 *
 * Most lists are short, and most end with what makes the controls fit together: of
 * controls at random nearly all are refused.
 */
void random_choose(struct rnd *r)
{
	u32 one, two, i;

	r->state = r->seed;
	r->state = next(r) + r->number * 0xd1342543de82ef95ull;
	one = below(next(r), MAX_CHOICES - 4);
	two = below(next(r), MAX_CHOICES - 4);
	r->count = 4 + (one < two ? one : two);
	for (i = 0; i < r->count; i++)
		choose(r, &r->choice[i]);
	if (next(r) % 8) {
		r->choice[0].kind = random_last;
		r->choice[0].phase = PHASE_LAST;
	}
}

/**
 * random_apply - apply the choices of a phase that the mask has
 * @now: the phase
 * @at: in PHASE_BETWEEN: after so many exits
 */
void random_apply(struct rnd *r, enum phase now, u32 at)
{
	const struct choice *choice;

	for (r->index = 0; r->index < r->count; r->index++) {
		choice = &r->choice[r->index];
		if (r->mask >> r->index & 1 && choice->phase == now &&
		    (now != PHASE_BETWEEN || choice->at == at))
			choice->kind->apply(r, choice);
	}
}

/** say - tell in words what the choice that is being applied does, if somebody wants to know */
void say(struct rnd *r, const char *format, ...)
{
	va_list args;

	if (!r->verbose)
		return;
	random_line(true);
	va_start(args, format);
	print("# choice %u: ", r->index);
	if (r->choice[r->index].phase == PHASE_BETWEEN)
		print("after %u exits: ", r->exits);
	print("%s: ", r->choice[r->index].kind->name);
	vprint(format, args);
	print("\n");
	va_end(args);
	random_line(false);
}
