// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl guard: what keeps the kernel as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

struct guard {
	struct device dev;
	const char *action;
	bool yes, json;
};

static const struct {
	const char *action, *name;
} guard_modes[] = {
	[LATCH_GUARD_OFF] = { "off", "off" },
	[LATCH_GUARD_AUDIT] = { "audit", "audit" },
	[LATCH_GUARD_ENFORCE] = { "enforce", "enforce" },
	[LATCH_GUARD_LOCK] = { "lock", "locked" },
};

static const struct {
	const char *key, *name;
} guard_kinds[LATCH_GUARD_KINDS] = {
	[LATCH_GUARD_TEXT] = { "text", "kernel text" },
	[LATCH_GUARD_RODATA] = { "rodata", "read-only data" },
	[LATCH_GUARD_TABLES] = { "tables", "page tables" },
	[LATCH_GUARD_IDT] = { "idt", "IDT" },
	[LATCH_GUARD_MODULE] = { "module", "module text" },
};

static const char *guard_why(int err)
{
	switch (err) {
	case -ENOSYS: return "the hypapp guard is off; try `hvctl app enable guard'";
	case -EPERM: return "guard is locked, up to the next reset of the machine";
	case -ENOMEM: return "no memory is left for it; load Latch with a larger pool_mib=";
	case -EBUSY: return "a page of it is one of a PAL, or somebody else is just setting it";
	default: return strerror(-err);
	}
}

/* --- status */

static const char *guard_mode(unsigned int mode)
{
	return mode < ARRAY_SIZE(guard_modes) ? guard_modes[mode].name : "unknown";
}

static uint64_t guard_sum_pages(const struct latch_guard_stat *stat)
{
	uint64_t sum = 0;

	for (unsigned int kind = 0; kind < LATCH_GUARD_KINDS; kind++)
		sum += stat->pages[kind];
	return sum;
}

static void guard_print_number(const char *title, uint64_t val)
{
	printf("%-20s %llu\n", title, (unsigned long long)val);
}

static void guard_print(const struct latch_guard_req *req)
{
	const struct latch_guard_stat *stat = &req->stat;
	char title[32];

	printf("%-20s %s\n", "Mode", guard_mode(stat->mode));
	guard_print_number("CPUs pinned", stat->cpus);
	guard_print_number("Pages kept", guard_sum_pages(stat));
	for (unsigned int kind = 0; kind < LATCH_GUARD_KINDS; kind++) {
		snprintf(title, sizeof(title), "  %s", guard_kinds[kind].name);
		guard_print_number(title, stat->pages[kind]);
	}
	guard_print_number("Writes seen", stat->writes);
	guard_print_number("Register changes", stat->registers);
	guard_print_number("Pokes let go", stat->pokes);
	guard_print_number("Writable, executable", req->wx);
}

static struct json_object *guard_json(const struct latch_guard_req *req)
{
	struct json_object *obj = json_new_object(), *pages = json_new_object();
	const struct latch_guard_stat *stat = &req->stat;

	json_put_string(obj, "mode", guard_mode(stat->mode));
	json_put_u64(obj, "cpus", stat->cpus);
	for (unsigned int kind = 0; kind < LATCH_GUARD_KINDS; kind++)
		json_put_u64(pages, guard_kinds[kind].key, stat->pages[kind]);
	json_put(obj, "pages", pages);
	json_put_u64(obj, "writes", stat->writes);
	json_put_u64(obj, "registers", stat->registers);
	json_put_u64(obj, "pokes", stat->pokes);
	json_put_u64(obj, "wx", req->wx);
	return obj;
}

static int guard_ask(const struct guard *guard, struct latch_guard_req *req)
{
	int err;

	memset(req, 0, sizeof(*req));
	err = device_ioctl(&guard->dev, LATCH_IOC_GUARD, req);
	if (!err)
		return HVCTL_OK;
	msg_error("cannot ask guard: %s", guard_why(err));
	return HVCTL_FAIL;
}

static int guard_status(const struct guard *guard)
{
	struct latch_guard_req req;

	if (guard_ask(guard, &req))
		return HVCTL_FAIL;
	if (guard->json)
		output_json(guard_json(&req), false);
	else
		guard_print(&req);
	return HVCTL_OK;
}

/* --- setting it */

/* @other: the name that newer kernels have for it, or NULL */
static int guard_find(const struct symbols *symbols, const char *name, const char *other,
		      __u64 *address)
{
	uint64_t found;

	if (other && !symbols_have(symbols, name)) {
		if (!symbols_have(symbols, other)) {
			msg_error("there is neither a symbol '%s' nor '%s' in /proc/kallsyms",
				  name, other);
			return -1;
		}
		name = other;
	}
	if (symbols_find(symbols, name, true, &found))
		return -1;
	*address = found;
	return 0;
}

static int guard_find_all(const struct symbols *symbols, struct latch_guard_req *req)
{
	return guard_find(symbols, "_text", NULL, &req->text[0]) ||
	       guard_find(symbols, "_etext", NULL, &req->text[1]) ||
	       guard_find(symbols, "__start_rodata", NULL, &req->rodata[0]) ||
	       guard_find(symbols, "__end_rodata", NULL, &req->rodata[1]) ||
	       guard_find(symbols, "idt_table", NULL, &req->idt) ||
	       guard_find(symbols, "poking_mm", "text_poke_mm", &req->poking_mm) ||
	       guard_find(symbols, "poking_addr", "text_poke_mm_addr", &req->poking_addr);
}

static int guard_find_kernel(struct latch_guard_req *req)
{
	struct symbols symbols;
	int err;

	if (symbols_load(&symbols)) {
		msg_error("cannot look up what is to be kept: %s", symbols.error);
		return -1;
	}
	err = guard_find_all(&symbols, req);
	symbols_free(&symbols);
	return err ? -1 : 0;
}

static int guard_set(const struct guard *guard, enum latch_guard_mode mode)
{
	struct latch_guard_req req;
	int err;

	/* That guard is off is to be said first. */
	if (guard_ask(guard, &req))
		return HVCTL_FAIL;
	memset(&req, 0, sizeof(req));
	req.set = 1;
	req.mode = mode;
	if (mode != LATCH_GUARD_OFF && guard_find_kernel(&req))
		return HVCTL_FAIL;
	err = device_ioctl(&guard->dev, LATCH_IOC_GUARD, &req);
	if (err) {
		msg_error("cannot set guard to %s: %s", guard->action, guard_why(err));
		return HVCTL_FAIL;
	}
	if (guard->json)
		output_json(guard_json(&req), false);
	return HVCTL_OK;
}

/* --- */

/* Return: a mode, or -1 for none: show what is */
static int guard_find_mode(const char *action)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(guard_modes); i++) {
		if (!strcmp(action, guard_modes[i].action))
			return (int)i;
	}
	return -1;
}

static void guard_read_options(struct guard *guard, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "yes", no_argument, NULL, 'y' },
		OPT_COMMON, { 0 }
	};
	int opt;

	while ((opt = opt_next(&cmd_guard, argc, argv, "y" OPT_COMMON_SHORT, longs)) != -1) {
		if (opt == 'y')
			guard->yes = true;
		else
			guard->json = true;
	}
	guard->action = optind < argc ? argv[optind++] : "status";
	opt_no_operands(&cmd_guard, argc, argv);
}

static void guard_check_options(const struct guard *guard)
{
	int mode = guard_find_mode(guard->action);

	if (mode < 0 && strcmp(guard->action, "status"))
		opt_usage_error(&cmd_guard, "unexpected operand '%s': status, off, audit, "
				"enforce or lock?", guard->action);
	if (guard->yes && mode != LATCH_GUARD_LOCK)
		opt_usage_error(&cmd_guard, "--yes goes with lock");
	if (mode == LATCH_GUARD_LOCK && !guard->yes)
		opt_usage_error(&cmd_guard, "lock cannot be undone before the machine is reset: "
				"from then on\nunloading Latch, suspend and kexec are refused. "
				"Say --yes if that is what you want.");
}

static int guard_run(int argc, char **argv)
{
	struct guard guard = { .json = false };
	int mode, status;

	guard_read_options(&guard, argc, argv);
	guard_check_options(&guard);
	if (device_open(&guard.dev))
		return HVCTL_FAIL;
	mode = guard_find_mode(guard.action);
	status = mode < 0 ? guard_status(&guard) : guard_set(&guard, mode);
	device_close(&guard.dev);
	return status;
}

const struct command cmd_guard = {
	.name = "guard",
	.summary = "keep the kernel's code and control registers as they are",
	.synopsis = "[--json] [status | off | audit | enforce | lock --yes]",
	.help =
	"Show what guard keeps and what it has seen, or set what it does with writes to\n"
	"the kernel's code, read-only data, page tables and IDT, and with changes of\n"
	"control registers that are not to change:\n"
	"\n"
	"  off      nothing is kept\n"
	"  audit    they happen, and are in the log\n"
	"  enforce  they do not happen: the kernel gets a fault\n"
	"  lock     as enforce, up to the next reset of the machine: until then nobody\n"
	"           can set another mode, unload Latch, suspend or use kexec\n"
	"\n"
	"  -y, --yes    yes, lock\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 done, 1 the hypapp guard is off, refused, or an error, 2 wrong\n"
	"usage.",
	.run = guard_run,
};
