// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl log: core's log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

#define LOG_BATCH	256
#define LOG_POLL	0.25

struct log {
	struct device dev;
	unsigned int max_level;
	bool follow, json;
	uint64_t next;			/* sequence number to read next */
	uint64_t lost;
	struct json_object *records;	/* JSON, without --follow */
	struct latch_log_record batch[LOG_BATCH];
};

static const char *const log_levels[] = {
	[LATCH_LOG_ERR] = "err", [LATCH_LOG_WARN] = "warn", [LATCH_LOG_INFO] = "info",
	[LATCH_LOG_DEBUG] = "debug",
};

static const char *log_level_name(unsigned int level)
{
	return level < ARRAY_SIZE(log_levels) ? log_levels[level] : "?";
}

/* The TSC starts with the machine; so this is the time of dmesg, or near it. */
static double log_seconds(const struct log *log, const struct latch_log_record *rec)
{
	return (double)rec->tsc / (double)log->dev.info.tsc_khz / 1000;
}

static void log_text(const struct latch_log_record *rec, char text[4 * LATCH_LOG_TEXT + 1])
{
	size_t len = rec->len < LATCH_LOG_TEXT ? rec->len : LATCH_LOG_TEXT;

	text_sanitize(text, 4 * LATCH_LOG_TEXT + 1, rec->text, len);
}

static struct json_object *log_record_json(const struct log *log,
					   const struct latch_log_record *rec)
{
	struct json_object *obj = json_new_object();
	char text[4 * LATCH_LOG_TEXT + 1];

	log_text(rec, text);
	json_put_u64(obj, "seq", rec->seq);
	json_put_u64(obj, "tsc", rec->tsc);
	if (log->dev.info.tsc_khz)
		json_put_fixed(obj, "time", log_seconds(log, rec), 6);
	else
		json_put(obj, "time", NULL);
	json_put_u64(obj, "cpu", rec->cpu);
	json_put_string(obj, "level", log_level_name(rec->level));
	json_put_string(obj, "text", text);
	return obj;
}

static void log_print_record(const struct log *log, const struct latch_log_record *rec)
{
	char text[4 * LATCH_LOG_TEXT + 1];

	log_text(rec, text);
	if (log->dev.info.tsc_khz)
		printf("[%12.6f]", log_seconds(log, rec));
	else
		printf("[%llu]", (unsigned long long)rec->tsc);
	printf(" cpu %-3u %-5s %s\n", rec->cpu, log_level_name(rec->level), text);
}

static void log_put_record(struct log *log, const struct latch_log_record *rec)
{
	/* seq is 0 while core writes the record */
	if (!rec->seq || rec->level > log->max_level)
		return;
	if (!log->json)
		log_print_record(log, rec);
	else if (log->follow)
		output_json(log_record_json(log, rec), true);
	else
		json_append(log->records, log_record_json(log, rec));
}

static void log_put_lost(struct log *log, uint32_t lost)
{
	if (!lost)
		return;
	log->lost += lost;
	if (!log->json) {
		printf("-- %u record%s lost --\n", lost, lost == 1 ? "" : "s");
	} else if (log->follow) {
		struct json_object *obj = json_new_object();

		json_put_u64(obj, "lost", lost);
		output_json(obj, true);
	}
}

/* All that is there now. Return: 0, or -1 after a message */
static int log_read(struct log *log)
{
	struct latch_log_req req;

	do {
		int err;

		memset(&req, 0, sizeof(req));
		req.seq = log->next;
		req.records = (uintptr_t)log->batch;
		req.count = LOG_BATCH;
		err = device_ioctl(&log->dev, LATCH_IOC_LOG, &req);
		if (err) {
			msg_error("LATCH_IOC_LOG: %s", strerror(-err));
			return -1;
		}
		if (req.count > LOG_BATCH || req.seq < log->next) {
			msg_error("LATCH_IOC_LOG: the module's answer makes no sense");
			return -1;
		}
		log_put_lost(log, req.lost);
		for (uint32_t i = 0; i < req.count; i++)
			log_put_record(log, &log->batch[i]);
		log->next = req.seq;
	} while (req.count && !pause_interrupted());
	return 0;
}

static int log_follow(struct log *log)
{
	pause_catch_signals();
	do {
		if (log_read(log) || output_flush())
			return HVCTL_FAIL;
	} while (!pause_seconds(LOG_POLL));
	return HVCTL_OK;
}

static int log_print(struct log *log)
{
	struct json_object *obj;

	log->records = json_new_array();
	if (log_read(log)) {
		json_object_put(log->records);
		return HVCTL_FAIL;
	}
	obj = json_new_object();
	json_put_u64(obj, "lost", log->lost);
	json_put_u64(obj, "next", log->next);
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
	/* Records start with 1; asked for 0, the module could not tell what is lost. */
	static struct log log = { .max_level = LATCH_LOG_DEBUG, .next = 1 };
	int status;

	log_read_options(&log, argc, argv);
	if (device_open(&log.dev))
		return HVCTL_FAIL;
	status = log.follow ? log_follow(&log) : log_print(&log);
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
