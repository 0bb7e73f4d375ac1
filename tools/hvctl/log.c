// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl log: core's log.
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

#define LOG_POLL	0.25

struct log {
	struct device dev;
	struct log_reader reader;
	unsigned int max_level;
	bool follow, json;
	struct json_object *records;	/* JSON, without --follow */
};

static const char *const log_levels[] = {
	[LATCH_LOG_ERR] = "err", [LATCH_LOG_WARN] = "warn", [LATCH_LOG_INFO] = "info",
	[LATCH_LOG_DEBUG] = "debug",
};

static const char *log_level_name(unsigned int level)
{
	return level < ARRAY_SIZE(log_levels) ? log_levels[level] : "?";
}

static struct json_object *log_record_json(const struct log *log,
					   const struct latch_log_record *rec)
{
	struct json_object *obj = json_new_object();
	char text[READER_TEXT];

	reader_text(rec, text);
	json_put_u64(obj, "seq", rec->seq);
	json_put_u64(obj, "tsc", rec->tsc);
	reader_put_time(&log->reader, rec, obj);
	json_put_u64(obj, "cpu", rec->cpu);
	json_put_string(obj, "level", log_level_name(rec->level));
	json_put_string(obj, "text", text);
	return obj;
}

static void log_print_record(const struct log *log, const struct latch_log_record *rec)
{
	char text[READER_TEXT];

	reader_text(rec, text);
	reader_print_time(&log->reader, rec);
	printf("%-5s %s\n", log_level_name(rec->level), text);
}

static void log_put_record(void *data, const struct latch_log_record *rec)
{
	struct log *log = data;

	if (rec->level > log->max_level)
		return;
	if (!log->json)
		log_print_record(log, rec);
	else if (log->follow)
		output_json(log_record_json(log, rec), true);
	else
		json_append(log->records, log_record_json(log, rec));
}

static int log_print(struct log *log)
{
	struct json_object *obj;

	log->records = json_new_array();
	if (reader_read(&log->reader)) {
		json_object_put(log->records);
		return HVCTL_FAIL;
	}
	obj = json_new_object();
	json_put_u64(obj, "lost", log->reader.lost);
	json_put_u64(obj, "next", log->reader.next);
	json_put(obj, "records", log->records);
	if (log->json)
		output_json(obj, false);
	else
		json_object_put(obj);
	return HVCTL_OK;
}

static unsigned int log_parse_level(const char *text)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(log_levels); i++) {
		if (!strcmp(text, log_levels[i]))
			return i;
	}
	opt_usage_error(&cmd_log, "--level: '%s' is none of err, warn, info, debug", text);
}

static void log_read_options(struct log *log, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "level", required_argument, NULL, 'l' },
		OPT_COMMON, { 0 }
	};
	int opt;

	while ((opt = opt_next(&cmd_log, argc, argv, "fl:" OPT_COMMON_SHORT, longs)) != -1) {
		switch (opt) {
		case 'f':
			log->follow = true;
			break;
		case 'l':
			log->max_level = log_parse_level(optarg);
			break;
		default:
			log->json = true;
		}
	}
	opt_no_operands(&cmd_log, argc, argv);
}

static int log_run(int argc, char **argv)
{
	static struct log log = { .max_level = LATCH_LOG_DEBUG };
	int status;

	log_read_options(&log, argc, argv);
	if (device_open(&log.dev))
		return HVCTL_FAIL;
	log.reader = (struct log_reader) {
		.dev = &log.dev, .put = log_put_record, .data = &log,
		.json = log.json, .follow = log.follow,
	};
	status = log.follow ? reader_follow(&log.reader, LOG_POLL) : log_print(&log);
	device_close(&log.dev);
	return status;
}

const struct command cmd_log = {
	.name = "log",
	.summary = "print core's log",
	.synopsis = "[--json] [--follow] [--level LEVEL]",
	.help =
	"Print the records of core's log: seconds since the machine started, CPU, level,\n"
	"text. Says where records were lost because the log is a ring.\n"
	"\n"
	"  -f, --follow         wait for more, until ^C\n"
	"  -l, --level LEVEL    only this level and graver ones: err, warn, info, debug\n"
	"                       (default: debug, which is all)\n"
	"  -j, --json           print JSON; with --follow one object a line\n"
	"  -h, --help           print this text\n"
	"\n"
	"Exit status: 0, or 1 on an error, 2 wrong usage.",
	.run = log_run,
};
