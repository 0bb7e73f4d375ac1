// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl pal: the PALs that programs have registered; hvctl pal grant is in grant.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

static const char *pal_state(unsigned int state)
{
	static const char *const names[] = {
		[LATCH_PAL_IDLE] = "idle", [LATCH_PAL_RUNNING] = "running",
		[LATCH_PAL_PREEMPTED] = "preempted", [LATCH_PAL_DEAD] = "dead",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static const char *pal_entry(const struct latch_pal_stat *stat)
{
	return stat->flags & LATCH_PAL_FAST ? "vmfunc" : "exit";
}

static struct json_object *pal_json(const struct latch_pal_stat *stat)
{
	struct json_object *obj = json_new_object();

	json_put_u64(obj, "pal", stat->handle);
	json_put_string(obj, "state", pal_state(stat->state));
	json_put_u64(obj, "pages", stat->pages);
	json_put_u64(obj, "calls", stat->calls);
	json_put_string(obj, "entry", pal_entry(stat));
	return obj;
}

static void pal_print(const struct latch_pal_stat *stat, bool first)
{
	if (first)
		printf("%10s  %-9s  %-6s  %5s  %s\n", "PAL", "STATE", "ENTRY", "PAGES", "CALLS");
	printf("%10u  %-9s  %-6s  %5u  %llu\n", stat->handle, pal_state(stat->state),
	       pal_entry(stat), stat->pages, (unsigned long long)stat->calls);
}

/* Return: what ended it, -ENOENT if that was the last one */
static int pal_list(struct device *dev, struct json_object *arr)
{
	struct latch_pal_stat stat = { .handle = 0 };
	bool first = true;
	int err;

	for (;; stat.flags = 0) {
		err = device_ioctl(dev, LATCH_IOC_PAL_STAT, &stat);
		if (err)
			return err;
		if (arr)
			json_append(arr, pal_json(&stat));
		else
			pal_print(&stat, first);
		first = false;
	}
}

static int pal_report(struct device *dev, bool json)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();
	int err = pal_list(dev, json ? arr : NULL);

	json_put(obj, "pals", arr);
	json_put_string(obj, "keys", "launch");
	if (err != -ENOENT) {
		json_object_put(obj);
		if (err == -ENOSYS)
			msg_error("the hypapp pal is off; try `hvctl app enable pal'");
		else
			msg_error("cannot ask for PALs: %s", strerror(-err));
		return HVCTL_FAIL;
	}
	if (json) {
		output_json(obj, false);
		return HVCTL_OK;
	}
	json_object_put(obj);
	puts("Keys are of this launch: what PALs seal is lost when Latch is unloaded.");
	return HVCTL_OK;
}

static int pal_run(int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON, { 0 } };
	const char *action;
	struct device dev;
	bool json = false;
	int status;

	while (opt_next(&cmd_pal, argc, argv, OPT_COMMON_SHORT, longs) != -1)
		json = true;
	action = optind < argc ? argv[optind++] : "list";
	if (!strcmp(action, "grant"))
		return grant_parse_and_run(argv + optind, argc - optind, json);
	if (strcmp(action, "list"))
		opt_usage_error(&cmd_pal, "unexpected operand '%s': list or grant?", action);
	opt_no_operands(&cmd_pal, argc, argv);
	if (device_open(&dev))
		return HVCTL_FAIL;
	status = pal_report(&dev, json);
	device_close(&dev);
	return status;
}

const struct command cmd_pal = {
	.name = "pal",
	.summary = "list the PALs that programs have registered, or let a VM have some",
	.synopsis = "[--json] [list]\n"
	"       hvctl pal grant [--json] PID [START-END...]",
	.help =
	"Show each PAL: idle, running on a CPU, preempted in the middle of a call, or\n"
	"dead since it has done what it must not; how it is entered: by VMFUNC, which\n"
	"is without an exit, or by an exit; its pages; and the calls that have come\n"
	"back.\n"
	"\n"
	"With grant, let programs in a VM have PALs: the memory of process PID, which is\n"
	"the VM, is allocated, pinned and granted, up to when the process ends or this\n"
	"command does, by ^C. Then the PALs in it end. START-END are ranges as in\n"
	"/proc/PID/maps; by default it is all private anonymous memory that comes in\n"
	"pieces of 16 MiB or more.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 done, 1 the hypapp pal is off, or an error, 2 wrong usage.",
	.run = pal_run,
};
