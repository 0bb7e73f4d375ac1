// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading core's log, which is a ring: records are lost when nobody comes in time.
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

/* Return: 0, or -1 after a message */
static int reader_ask(struct log_reader *reader, struct latch_log_req *req)
{
	uint64_t from = req->seq;
	int err;

	req->records = (uintptr_t)reader->batch;
	req->count = READER_BATCH;
	err = device_ioctl(reader->dev, LATCH_IOC_LOG, req);
	if (err) {
		msg_error("LATCH_IOC_LOG: %s", strerror(-err));
		return -1;
	}
	if (req->count > READER_BATCH || req->seq < from) {
		msg_error("LATCH_IOC_LOG: the module's answer makes no sense");
		return -1;
	}
	return 0;
}

static void reader_put_lost(struct log_reader *reader, uint32_t lost)
{
	if (!lost)
		return;
	reader->lost += lost;
	if (!reader->json) {
		printf("-- %u record%s lost --\n", lost, lost == 1 ? "" : "s");
	} else if (reader->follow) {
		struct json_object *obj = json_new_object();

		json_put_u64(obj, "lost", lost);
		output_json(obj, true);
	}
}

/**
 * reader_read() - put all records that are there now
 *
 * Return: 0, or -1 after a message.
 */
int reader_read(struct log_reader *reader)
{
	struct latch_log_req req;

	/* Records start with 1; asked for 0, the module could not tell what is lost. */
	if (!reader->next)
		reader->next = 1;
	do {
		memset(&req, 0, sizeof(req));
		req.seq = reader->next;
		if (reader_ask(reader, &req))
			return -1;
		reader_put_lost(reader, req.lost);
		for (uint32_t i = 0; i < req.count; i++) {
			/* seq is 0 while core writes the record */
			if (reader->batch[i].seq)
				reader->put(reader->data, &reader->batch[i]);
		}
		reader->next = req.seq;
	} while (req.count && !pause_interrupted());
	return 0;
}

/**
 * reader_skip() - leave out what is there now
 *
 * Return: 0, or -1 after a message.
 */
int reader_skip(struct log_reader *reader)
{
	struct latch_log_req req;

	do {
		memset(&req, 0, sizeof(req));
		req.seq = reader->next;
		if (reader_ask(reader, &req))
			return -1;
		reader->next = req.seq;
	} while (req.count == READER_BATCH);
	return 0;
}

/**
 * reader_follow() - put records as they come, until the user ends it
 * @poll: seconds between two looks
 *
 * Return: HVCTL_OK, or HVCTL_FAIL after a message.
 */
int reader_follow(struct log_reader *reader, double poll)
{
	pause_catch_signals();
	do {
		if (reader_read(reader) || output_flush())
			return HVCTL_FAIL;
	} while (!pause_seconds(poll));
	return HVCTL_OK;
}

/**
 * reader_text() - the text of a record, fit for terminals
 */
void reader_text(const struct latch_log_record *rec, char text[READER_TEXT])
{
	size_t len = rec->len < LATCH_LOG_TEXT ? rec->len : LATCH_LOG_TEXT;

	text_sanitize(text, READER_TEXT, rec->text, len);
}

/* The TSC starts with the machine; so this is the time of dmesg, or near it. */
static double reader_seconds(const struct log_reader *reader, const struct latch_log_record *rec)
{
	return (double)rec->tsc / (double)reader->dev->info.tsc_khz / 1000;
}

/**
 * reader_print_time() - when and where: how a line begins
 */
void reader_print_time(const struct log_reader *reader, const struct latch_log_record *rec)
{
	if (reader->dev->info.tsc_khz)
		printf("[%12.6f]", reader_seconds(reader, rec));
	else
		printf("[%llu]", (unsigned long long)rec->tsc);
	printf(" cpu %-3u ", rec->cpu);
}

/**
 * reader_put_time() - add the time of a record to an object; null if it is not known
 */
void reader_put_time(const struct log_reader *reader, const struct latch_log_record *rec,
		     struct json_object *obj)
{
	if (reader->dev->info.tsc_khz)
		json_put_fixed(obj, "time", reader_seconds(reader, rec), 6);
	else
		json_put(obj, "time", NULL);
}
