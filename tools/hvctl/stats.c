// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl stats: VM exits by CPU and reason, and core's other counters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

#define STATS_WIDTH	80
#define STATS_CELL	24
#define STATS_TOTAL	LATCH_MAX_CPUS	/* the column behind all CPUs */

/**
 * struct stats_sample - the counters at one time
 * @time: of pause_clock()
 * @cpus: those that @cpu is valid of
 * @cpu: counters; at STATS_TOTAL the sums
 */
struct stats_sample {
	double time;
	struct cpumask cpus;
	struct latch_cpu_stats cpu[LATCH_MAX_CPUS + 1];
};

struct stats {
	struct device dev;
	struct cpumask cpus;
	bool cpus_given, all, json, watch;
	double seconds;
	uint64_t blocks;		/* to print, 0: without end */
	struct stats_sample *now, *before;	/* @before: NULL unless rates are shown */
};

/*
 * CPUs to show: those that the user named, else those that have ever run under
 * Latch and still do. CPUs come and go, so this is asked for each sample.
 */
static int stats_select_cpus(struct stats *st, struct cpumask *mask)
{
	if (device_refresh(&st->dev))
		return -1;
	if (st->cpus_given) {
		*mask = st->cpus;
		return device_check_cpus(&st->dev, mask);
	}
	memset(mask, 0, sizeof(*mask));
	for (unsigned int cpu = 0; cpu < st->dev.info.nr_cpus; cpu++)
		mask->on[cpu] = st->dev.info.cpu_state[cpu] != LATCH_CPU_OFF;
	return 0;
}

static int stats_read(struct stats *st, struct stats_sample *sample)
{
	struct latch_cpu_stats *total = &sample->cpu[STATS_TOTAL];

	if (stats_select_cpus(st, &sample->cpus))
		return -1;
	memset(total, 0, sizeof(*total));
	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++) {
		struct latch_stats_req req = { .cpu = cpu };
		int err;

		if (!sample->cpus.on[cpu])
			continue;
		err = device_ioctl(&st->dev, LATCH_IOC_STATS, &req);
		if (err) {
			msg_error("CPU %u: LATCH_IOC_STATS: %s", cpu, strerror(-err));
			return -1;
		}
		sample->cpu[cpu] = req.stats;
		for (unsigned int i = 0; i < LATCH_STAT_LAST; i++)
			total->count[i] += req.stats.count[i];
	}
	sample->time = pause_clock();
	return 0;
}

/* What a counter gained since the last sample; 0 when its CPU started anew. */
static uint64_t stats_gain(const struct stats *st, unsigned int cpu, unsigned int index)
{
	uint64_t now = st->now->cpu[cpu].count[index], before;

	if (cpu == STATS_TOTAL) {
		uint64_t sum = 0;

		for (unsigned int i = 0; i < LATCH_MAX_CPUS; i++)
			sum += st->now->cpus.on[i] ? stats_gain(st, i, index) : 0;
		return sum;
	}
	if (!st->before->cpus.on[cpu])
		return 0;
	before = st->before->cpu[cpu].count[index];
	return now > before ? now - before : 0;
}

static double stats_rate(const struct stats *st, unsigned int cpu, unsigned int index)
{
	return (double)stats_gain(st, cpu, index) / (st->now->time - st->before->time);
}

static bool stats_is_zero(const struct stats *st, unsigned int index)
{
	if (st->before)
		return !stats_gain(st, STATS_TOTAL, index);
	return !st->now->cpu[STATS_TOTAL].count[index];
}

static bool stats_shows(const struct stats *st, unsigned int index)
{
	if (st->all)
		return index >= LATCH_NR_REASONS || name_reason(index) ||
		       !stats_is_zero(st, index);
	return index == LATCH_STAT_EXITS || !stats_is_zero(st, index);
}

static void stats_name(unsigned int index, char text[40])
{
	if (index >= LATCH_NR_REASONS)
		snprintf(text, 40, "%s", name_stat(index));
	else if (name_reason(index))
		snprintf(text, 40, "%s", name_reason(index));
	else
		snprintf(text, 40, "Reserved reason %u", index);
}

static void stats_cell(const struct stats *st, unsigned int cpu, unsigned int index,
		       char text[STATS_CELL])
{
	if (st->before)
		snprintf(text, STATS_CELL, "%.1f", stats_rate(st, cpu, index));
	else
		snprintf(text, STATS_CELL, "%llu",
			 (unsigned long long)st->now->cpu[cpu].count[index]);
}

static void stats_column_name(unsigned int cpu, char text[STATS_CELL])
{
	if (cpu == STATS_TOTAL)
		snprintf(text, STATS_CELL, "TOTAL");
	else
		snprintf(text, STATS_CELL, "CPU %u", cpu);
}

static int stats_column_width(const struct stats *st, unsigned int cpu)
{
	char text[STATS_CELL];
	size_t width;

	stats_column_name(cpu, text);
	width = strlen(text);
	for (unsigned int i = 0; i < LATCH_STAT_LAST; i++) {
		if (!stats_shows(st, i))
			continue;
		stats_cell(st, cpu, i, text);
		if (strlen(text) > width)
			width = strlen(text);
	}
	return (int)width + 2;
}

static int stats_name_width(const struct stats *st)
{
	size_t width = 12;
	char text[40];

	for (unsigned int i = 0; i < LATCH_STAT_LAST; i++) {
		stats_name(i, text);
		if (stats_shows(st, i) && strlen(text) > width)
			width = strlen(text);
	}
	return (int)width;
}

static void stats_print_rows(const struct stats *st, const unsigned int *columns,
			     const int *widths, unsigned int count, int name_width)
{
	char text[STATS_CELL], name[40];

	printf("%-*s", name_width, st->before ? "PER SECOND" : "VM EXITS");
	for (unsigned int i = 0; i < count; i++) {
		stats_column_name(columns[i], text);
		printf("%*s", widths[i], text);
	}
	putchar('\n');
	for (unsigned int index = 0; index < LATCH_STAT_LAST; index++) {
		if (!stats_shows(st, index))
			continue;
		stats_name(index, name);
		printf("%-*s", name_width, name);
		for (unsigned int i = 0; i < count; i++) {
			stats_cell(st, columns[i], index, text);
			printf("%*s", widths[i], text);
		}
		putchar('\n');
	}
}

/* As many columns as fit side by side, the rest below. */
static void stats_print_table(const struct stats *st)
{
	unsigned int columns[LATCH_MAX_CPUS + 1], count = 0, done, n;
	int widths[LATCH_MAX_CPUS + 1], name_width = stats_name_width(st);

	columns[count++] = STATS_TOTAL;
	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++) {
		if (st->now->cpus.on[cpu])
			columns[count++] = cpu;
	}
	for (unsigned int i = 0; i < count; i++)
		widths[i] = stats_column_width(st, columns[i]);
	for (done = 0; done < count; done += n) {
		int width = name_width;

		for (n = 0; done + n < count; n++) {
			width += widths[done + n];
			if (n && width > STATS_WIDTH)
				break;
		}
		if (done)
			putchar('\n');
		stats_print_rows(st, columns + done, widths + done, n, name_width);
	}
}

static void stats_put_value(const struct stats *st, struct json_object *obj, unsigned int cpu,
			    unsigned int index)
{
	char key[48];

	name_key(index, key, sizeof(key));
	if (st->before)
		json_put_fixed(obj, key, stats_rate(st, cpu, index), 3);
	else
		json_put_u64(obj, key, st->now->cpu[cpu].count[index]);
}

static struct json_object *stats_column_json(const struct stats *st, unsigned int cpu)
{
	struct json_object *obj = json_new_object(), *reasons = json_new_object();
	struct json_object *counters = json_new_object();

	if (cpu != STATS_TOTAL)
		json_put_u64(obj, "cpu", cpu);
	for (unsigned int i = 0; i < LATCH_STAT_LAST; i++) {
		if (i >= LATCH_NR_REASONS)
			stats_put_value(st, counters, cpu, i);
		else if (stats_shows(st, i))
			stats_put_value(st, reasons, cpu, i);
	}
	json_put(obj, "reasons", reasons);
	json_put(obj, "counters", counters);
	return obj;
}

static void stats_print_json(const struct stats *st)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();

	json_put_string(obj, "unit", st->before ? "per_second" : "count");
	if (st->before)
		json_put_fixed(obj, "interval", st->now->time - st->before->time, 3);
	json_put(obj, "total", stats_column_json(st, STATS_TOTAL));
	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++) {
		if (st->now->cpus.on[cpu])
			json_append(arr, stats_column_json(st, cpu));
	}
	json_put(obj, "cpus", arr);
	output_json(obj, st->watch);
}

static void stats_print_block(const struct stats *st, bool first)
{
	if (st->json) {
		stats_print_json(st);
		return;
	}
	if (st->watch && output_is_terminal()) {
		/* cursor home, erase to the end of the screen */
		printf("\033[H\033[J");
		printf("Every %g s; ^C ends.\n\n", st->seconds);
	} else if (!first) {
		putchar('\n');
	}
	stats_print_table(st);
}

static int stats_watch(struct stats *st, struct stats_sample samples[2])
{
	unsigned int i = 0;

	pause_catch_signals();
	st->before = &samples[0];
	st->now = &samples[1];
	if (stats_read(st, st->before))
		return HVCTL_FAIL;
	for (uint64_t block = 0; !st->blocks || block < st->blocks; block++) {
		if (pause_seconds(st->seconds))
			break;
		if (stats_read(st, st->now))
			return HVCTL_FAIL;
		stats_print_block(st, !block);
		if (output_flush())
			return HVCTL_FAIL;
		st->before = st->now;
		st->now = &samples[i];
		i = !i;
	}
	return HVCTL_OK;
}

static int stats_once(struct stats *st, struct stats_sample *sample)
{
	st->now = sample;
	if (stats_read(st, sample))
		return HVCTL_FAIL;
	stats_print_block(st, true);
	return HVCTL_OK;
}

static void stats_read_options(struct stats *st, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'n' },
		OPT_COMMON, { 0 }
	};
	int opt;

	while ((opt = opt_next(&cmd_stats, argc, argv, "ac:w::n:" OPT_COMMON_SHORT, longs)) != -1) {
		switch (opt) {
		case 'a':
			st->all = true;
			break;
		case 'c':
			if (cpumask_parse(&st->cpus, optarg))
				opt_usage_error(&cmd_stats, "--cpu: '%s' is not a list of CPUs",
						optarg);
			st->cpus_given = true;
			break;
		case 'w':
			st->watch = true;
			if (optarg)
				st->seconds = opt_seconds(&cmd_stats, "--watch", optarg);
			break;
		case 'n':
			st->blocks = opt_number(&cmd_stats, "--count", optarg, 1, UINT32_MAX);
			break;
		default:
			st->json = true;
		}
	}
	/* There are no operands: one behind --watch is its time. */
	if (st->watch && optind < argc)
		st->seconds = opt_seconds(&cmd_stats, "--watch", argv[optind++]);
	opt_no_operands(&cmd_stats, argc, argv);
	if (st->blocks && !st->watch)
		opt_usage_error(&cmd_stats, "--count goes with --watch");
}

static int stats_run(int argc, char **argv)
{
	static struct stats_sample samples[2];
	struct stats st = { .seconds = 1 };
	int status;

	stats_read_options(&st, argc, argv);
	if (device_open(&st.dev))
		return HVCTL_FAIL;
	status = st.watch ? stats_watch(&st, samples) : stats_once(&st, samples);
	device_close(&st.dev);
	return status;
}

const struct command cmd_stats = {
	.name = "stats",
	.summary = "show VM exits by CPU and reason",
	.synopsis = "[--json] [--all] [--cpu LIST] [--watch [SECONDS] [--count N]]",
	.help =
	"Show how many VM exits there were on each CPU for each reason, and core's other\n"
	"counters. Rows with nothing in them are left out.\n"
	"\n"
	"  -a, --all               all rows\n"
	"  -c, --cpu LIST          these CPUs, such as 0-3,8 (default: all under Latch)\n"
	"  -w, --watch [SECONDS]   show rates per second, again and again until ^C\n"
	"                          (default: every second)\n"
	"  -n, --count N           with --watch: end after N times\n"
	"  -j, --json              print JSON; with --watch one object a line\n"
	"  -h, --help              print this text\n"
	"\n"
	"Exit status: 0, or 1 on an error, 2 wrong usage.",
	.run = stats_run,
};
