// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of a case in words, kept until it has ended. To print takes longer than a
 * case: the other CPUs would come to theirs at other times, and what they do to it would
 * not be seen.
 */
#include "random.h"

#define MAX_MARKS	4096
#define MAX_WORDS	24		/* of a page */

/**
 * struct mark - a record begins, or one of its values
 * @name: of the record or the value; NULL: a word of a page
 * @value: of it; where a record begins: its number
 * @at: of a word: its offset
 */
struct mark {
	const char *name;
	u64 value;
	u32 at;
	bool begins;
};

void random_trail_alloc(struct rnd *r)
{
	r->marks = mem_alloc(MAX_MARKS * sizeof(struct mark), PAGE_SIZE);
}

static void add(struct rnd *r, struct mark mark)
{
	if (r->shown && r->nr_marks < MAX_MARKS)
		r->marks[r->nr_marks++] = mark;
}

void random_trail_begin(struct rnd *r, const char *name, u32 number)
{
	add(r, (struct mark){ name, number, 0, true });
	r->nr_words = 0;
}

void random_trail_value(struct rnd *r, const char *name, u64 value)
{
	add(r, (struct mark){ name, value, 0, false });
}

/** random_trail_word - a word of a page; there may be too many to print all */
void random_trail_word(struct rnd *r, u32 at, u64 value)
{
	if (r->nr_words++ < MAX_WORDS)
		add(r, (struct mark){ NULL, value, at, false });
}

/** random_trail_print - a line for each record */
void random_trail_print(struct rnd *r)
{
	const struct mark *mark = r->marks;

	for (; mark < r->marks + r->nr_marks; mark++) {
		if (mark->begins)
			print("%s# record %s %llu:", mark == r->marks ? "" : "\n", mark->name,
			      mark->value);
		else if (mark->name)
			print(" %s=%llx", mark->name, mark->value);
		else
			print(" at-%x=%llx", mark->at, mark->value);
	}
	if (r->nr_marks)
		print("\n");
	r->nr_marks = 0;
}
