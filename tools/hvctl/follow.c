// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl watch follow: the events of watchpoints, out of core's log.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

#define FOLLOW_POLL	0.05

struct follow {
	struct log_reader reader;
	struct symbols symbols;
	uint64_t events;
};

/**
 * struct watch_event - an event, as the log tells it
 * @watch: number of the watchpoint
 * @pid: of the process
 * @address: where the access was
 * @rip: of the instruction
 * @before: what was there
 * @after: what is there now
 * @access: letters of r, w and x
 * @comm: name of the process
 */
struct watch_event {
	uint64_t watch, pid;
	uint64_t address, rip;
	uint64_t before, after;
	char access[4];
	char comm[READER_TEXT];
};

/* A number and the blank behind it. */
static bool event_number(const char **at, int base, uint64_t *val)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return false;
	errno = 0;
	*val = strtoull(*at, &end, base);
	if (end == *at || *end != ' ' || errno)
		return false;
	*at = end + 1;
	return true;
}

static bool event_access(const char **at, char access[4])
{
	size_t len = strspn(*at, "rwx");

	if (!len || len > 3 || (*at)[len] != ' ')
		return false;
	snprintf(access, 4, "%.*s", (int)len, *at);
	*at += len + 1;
	return true;
}

/* "watch ID ACCESS ADDRESS RIP PID BEFORE AFTER COMM"; COMM may have blanks, or be cut. */
static bool event_parse(const struct latch_log_record *rec, struct watch_event *event)
{
	static const char word[] = "watch ";
	char text[READER_TEXT];
	const char *at = text + strlen(word);

	reader_text(rec, text);
	if (rec->level != LATCH_LOG_INFO || strncmp(text, word, strlen(word)) ||
	    !event_number(&at, 10, &event->watch) || !event_access(&at, event->access) ||
	    !event_number(&at, 16, &event->address) || !event_number(&at, 16, &event->rip) ||
	    !event_number(&at, 10, &event->pid) || !event_number(&at, 16, &event->before) ||
	    !event_number(&at, 16, &event->after))
		return false;
	snprintf(event->comm, sizeof(event->comm), "%s", at);
	return true;
}

static void event_print_value(const struct watch_event *event)
{
	if (strchr(event->access, 'w'))
		printf(": 0x%llx -> 0x%llx", (unsigned long long)event->before,
		       (unsigned long long)event->after);
	else if (strchr(event->access, 'r'))
		printf(": 0x%llx", (unsigned long long)event->before);
}

static void event_print(const struct follow *follow, const struct latch_log_record *rec,
			const struct watch_event *event)
{
	char symbol[SYMBOL_TEXT];
	bool known = symbols_describe(&follow->symbols, event->rip, symbol);

	reader_print_time(&follow->reader, rec);
	printf("watch %llu %-3s 0x%llx pid %llu (%s) at 0x%llx%s%s",
	       (unsigned long long)event->watch, event->access,
	       (unsigned long long)event->address, (unsigned long long)event->pid, event->comm,
	       (unsigned long long)event->rip, known ? " " : "", symbol);
	event_print_value(event);
	putchar('\n');
}

static void event_print_json(const struct follow *follow, const struct latch_log_record *rec,
			     const struct watch_event *event)
{
	struct json_object *obj = json_new_object();
	char symbol[SYMBOL_TEXT];
	bool known = symbols_describe(&follow->symbols, event->rip, symbol);

	json_put_u64(obj, "seq", rec->seq);
	reader_put_time(&follow->reader, rec, obj);
	json_put_u64(obj, "cpu", rec->cpu);
	json_put_u64(obj, "watch", event->watch);
	json_put_string(obj, "access", event->access);
	json_put_hex(obj, "address", event->address);
	json_put_hex(obj, "rip", event->rip);
	json_put_string(obj, "symbol", known ? symbol : NULL);
	json_put_u64(obj, "pid", event->pid);
	json_put_string(obj, "comm", event->comm);
	json_put_hex(obj, "before", event->before);
	json_put_hex(obj, "after", event->after);
	output_json(obj, true);
}

static void follow_put(void *data, const struct latch_log_record *rec)
{
	struct follow *follow = data;
	struct watch_event event;

	if (!event_parse(rec, &event))
		return;
	follow->events++;
	if (follow->reader.json)
		event_print_json(follow, rec, &event);
	else
		event_print(follow, rec, &event);
}

static void follow_print_sum(const struct follow *follow)
{
	printf("-- %llu event%s, %llu record%s lost --\n", (unsigned long long)follow->events,
	       follow->events == 1 ? "" : "s", (unsigned long long)follow->reader.lost,
	       follow->reader.lost == 1 ? "" : "s");
}

/**
 * follow_watches() - print events as they come, until the user ends it
 * @all: begin with what the log has of the past
 *
 * Return: HVCTL_OK, or HVCTL_FAIL after a message.
 */
int follow_watches(const struct device *dev, bool all, bool json)
{
	static struct follow follow;
	int status;

	follow.reader = (struct log_reader) {
		.dev = dev, .put = follow_put, .data = &follow, .json = json, .follow = true,
	};
	if (!all && reader_skip(&follow.reader))
		return HVCTL_FAIL;
	/* Without symbols there are addresses. */
	symbols_load(&follow.symbols);
	status = reader_follow(&follow.reader, FOLLOW_POLL);
	if (status == HVCTL_OK && !json)
		follow_print_sum(&follow);
	symbols_free(&follow.symbols);
	return status;
}
