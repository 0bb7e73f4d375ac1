// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of CPUs, written as Linux writes them: 0-3,8.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hvctl.h"

static int cpumask_number(const char **text, unsigned long *val)
{
	char *end;

	if (**text < '0' || **text > '9')
		return -1;
	errno = 0;
	*val = strtoul(*text, &end, 10);
	if (errno || *val >= LATCH_MAX_CPUS)
		return -1;
	*text = end;
	return 0;
}

/**
 * cpumask_parse() - read a list of CPUs
 *
 * Return: 0, or -1 where @text is no such list.
 */
int cpumask_parse(struct cpumask *mask, const char *text)
{
	unsigned long first, last;

	memset(mask, 0, sizeof(*mask));
	for (;;) {
		if (cpumask_number(&text, &first))
			return -1;
		last = first;
		if (*text == '-') {
			text++;
			if (cpumask_number(&text, &last) || last < first)
				return -1;
		}
		for (; first <= last; first++)
			mask->on[first] = true;
		if (!*text)
			return 0;
		if (*text++ != ',')
			return -1;
	}
}

/**
 * cpumask_format() - write a list of CPUs, as short as it can be
 */
void cpumask_format(const struct cpumask *mask, char text[CPUMASK_TEXT])
{
	unsigned int first, last;
	size_t n = 0;

	text[0] = '\0';
	for (first = 0; first < LATCH_MAX_CPUS; first = last + 1) {
		last = first;
		if (!mask->on[first])
			continue;
		while (last + 1 < LATCH_MAX_CPUS && mask->on[last + 1])
			last++;
		if (n)
			text[n++] = ',';
		n += (size_t)snprintf(text + n, CPUMASK_TEXT - n, first == last ? "%u" : "%u-%u",
				      first, last);
	}
}

/**
 * cpumask_count() - number of CPUs in a set
 */
unsigned int cpumask_count(const struct cpumask *mask)
{
	unsigned int count = 0;

	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++)
		count += mask->on[cpu];
	return count;
}
