// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl watch: watchpoints.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

static const char watch_letters[] = "rwx";	/* by bit of LATCH_WATCH_* */

/**
 * struct watch - what the user wants
 * @dev: the device
 * @symbols: the kernel's
 * @action: list, add, del or follow
 * @json: --json
 * @all: of follow: --all; of del: all watchpoints
 * @pid: of add: --pid, or 0
 * @wanted: of add: the watchpoint
 * @symbol: of add: name of a symbol, or NULL: @base is known
 * @base: of add: address
 * @offset: of add: behind that address, or the symbol's
 * @ids: of del: numbers, as the user has typed them
 * @count: how many
 */
struct watch {
	struct device dev;
	struct symbols symbols;
	const char *action;
	bool json, all;
	uint32_t pid;
	struct latch_watch wanted;
	const char *symbol;
	uint64_t base, offset;
	char **ids;
	int count;
};

static void watch_format_access(unsigned int access, char text[4])
{
	size_t n = 0;

	for (unsigned int i = 0; i < 3; i++) {
		if (access & 1u << i)
			text[n++] = watch_letters[i];
	}
	text[n] = '\0';
}

static struct json_object *watch_json(const struct watch *watch, const struct latch_watch *is)
{
	struct json_object *obj = json_new_object();
	char access[4], symbol[SYMBOL_TEXT];
	bool known = symbols_describe(&watch->symbols, is->address, symbol);

	watch_format_access(is->access, access);
	json_put_u64(obj, "watch", is->id);
	json_put_hex(obj, "address", is->address);
	json_put_string(obj, "symbol", known ? symbol : NULL);
	json_put_u64(obj, "length", is->size);
	json_put_string(obj, "access", access);
	json_put_u64(obj, "hits", is->hits);
	return obj;
}

static void watch_print(const struct watch *watch, const struct latch_watch *is, bool first)
{
	char access[4], symbol[SYMBOL_TEXT];
	bool known = symbols_describe(&watch->symbols, is->address, symbol);

	watch_format_access(is->access, access);
	if (first)
		printf("%3s  %-18s  %8s  %-6s  %10s  %s\n", "ID", "ADDRESS", "LENGTH", "ACCESS",
		       "HITS", "SYMBOL");
	printf("%3u  0x%016llx  %8llu  %-6s  %10llu%s%s\n", is->id,
	       (unsigned long long)is->address, (unsigned long long)is->size, access,
	       (unsigned long long)is->hits, known ? "  " : "", symbol);
}

/* --- what the user types */

static uint32_t watch_parse_id(const char *text)
{
	return (uint32_t)opt_number(&cmd_watch, "del", text, 1, UINT32_MAX);
}

static uint32_t watch_parse_access(const char *text)
{
	uint32_t access = 0;

	for (const char *at = text; *at; at++) {
		const char *letter = strchr(watch_letters, *at);
		uint32_t bit = letter ? 1u << (letter - watch_letters) : 0;

		if (!bit || access & bit)
			opt_usage_error(&cmd_watch, "'%s' is no access: r, w, x, or several", text);
		access |= bit;
	}
	if (!access)
		opt_usage_error(&cmd_watch, "which access: r, w, x, or several?");
	return access;
}

static uint64_t watch_parse_length(const char *text)
{
	uint64_t length;

	if (!number_parse(text, &length) || !length || length > LATCH_WATCH_SIZE)
		opt_usage_error(&cmd_watch, "'%s' is not a length from 1 to %u", text,
				LATCH_WATCH_SIZE);
	return length;
}

/* With 0x in front, or 16 digits, as /proc/kallsyms has them. */
static bool watch_parse_address(const char *text, uint64_t *address)
{
	if (strspn(text, "0123456789abcdefABCDEF") == 16 && !text[16]) {
		*address = strtoull(text, NULL, 16);
		return true;
	}
	return text[0] == '0' && tolower((unsigned char)text[1]) == 'x' &&
	       number_parse(text, address);
}

/* ADDRESS|SYMBOL[+OFFSET] */
static void watch_parse_place(struct watch *watch, char *text)
{
	char *plus = strchr(text, '+');

	if (plus && !number_parse(plus + 1, &watch->offset))
		opt_usage_error(&cmd_watch, "'%s' is no offset", plus + 1);
	if (plus)
		*plus = '\0';
	if (watch_parse_address(text, &watch->base))
		return;
	if (!text[0] || isdigit((unsigned char)text[0]))
		opt_usage_error(&cmd_watch, "'%s' is no address: write it as 0x...", text);
	if (watch->pid)
		opt_usage_error(&cmd_watch, "--pid: an address is needed, not '%s'", text);
	watch->symbol = text;
}

/* --- what Latch answers */

static const char *watch_why(int err)
{
	switch (err) {
	case -ENOSYS: return "the hypapp watch is off; try `hvctl app enable watch'";
	case -ENOENT: return "there is no such watchpoint";
	case -EFAULT: return "not all of that memory is mapped, or can be kept where it is";
	case -EBUSY: return "it is a page of a PAL, or another one is just being added";
	case -ESRCH: return "there is no such process";
	case -ENOSPC: return "there are too many watchpoints, or pages in them; see `hvctl watch'";
	case -ENOMEM: return "no memory is left for it; load Latch with a larger pool_mib=";
	default: return strerror(-err);
	}
}

/* The one behind @is. Return: 0, -ENOENT behind the last, or another negative errno */
static int watch_next(const struct watch *watch, struct latch_watch *is)
{
	struct latch_watch_req req = { .action = LATCH_WATCH_NEXT, .watch = { .id = is->id } };
	int err = device_ioctl(&watch->dev, LATCH_IOC_WATCH, &req);

	if (err)
		return err;
	if (req.watch.id <= is->id)
		return -EPROTO;
	*is = req.watch;
	return 0;
}

static int watch_check(int err)
{
	if (err == -ENOENT)
		return HVCTL_OK;
	msg_error("cannot ask for watchpoints: %s", watch_why(err));
	return HVCTL_FAIL;
}

/* --- list */

/* Return: what ended it, -ENOENT if that was the last one */
static int watch_list_all(const struct watch *watch, struct json_object *arr)
{
	struct latch_watch is = { .id = 0 };
	bool first = true;
	int err;

	for (; !(err = watch_next(watch, &is)); first = false) {
		if (arr)
			json_append(arr, watch_json(watch, &is));
		else
			watch_print(watch, &is, first);
	}
	if (first && !arr && err == -ENOENT)
		puts("Nothing is watched; see `hvctl watch --help'.");
	return err;
}

static int watch_list(struct watch *watch)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();
	int status;

	/* Without symbols there are addresses. */
	symbols_load(&watch->symbols);
	status = watch_check(watch_list_all(watch, watch->json ? arr : NULL));
	json_put(obj, "watches", arr);
	if (status == HVCTL_OK && watch->json)
		output_json(obj, false);
	else
		json_object_put(obj);
	return status;
}

/* --- add */

static int watch_find_symbol(struct watch *watch)
{
	if (symbols_load(&watch->symbols)) {
		msg_error("cannot look up '%s': %s", watch->symbol, watch->symbols.error);
		return -1;
	}
	return symbols_find(&watch->symbols, watch->symbol, false, &watch->base);
}

static int watch_find_address(struct watch *watch)
{
	if (watch->symbol && watch_find_symbol(watch))
		return -1;
	watch->wanted.address = watch->base + watch->offset;
	if (watch->wanted.address >= watch->base)
		return 0;
	msg_error("there is no address 0x%llx + 0x%llx", (unsigned long long)watch->base,
		  (unsigned long long)watch->offset);
	return -1;
}

static const char *watch_why_invalid(const struct watch *watch)
{
	bool kernel = address_is_kernel(watch->wanted.address);

	if (!watch->pid && !kernel)
		return "it is not an address of the kernel; one of a process takes --pid";
	if (watch->pid && kernel)
		return "it is an address of the kernel, which takes no --pid";
	return "it is not RAM, or no address at all";
}

static int watch_add(struct watch *watch)
{
	struct latch_watch_req req = { .action = LATCH_WATCH_ADD, .pid = watch->pid };
	int err;

	if (watch_find_address(watch))
		return HVCTL_FAIL;
	req.watch = watch->wanted;
	err = device_ioctl(&watch->dev, LATCH_IOC_WATCH, &req);
	if (err) {
		msg_error("cannot watch 0x%llx: %s", (unsigned long long)watch->wanted.address,
			  err == -EINVAL ? watch_why_invalid(watch) : watch_why(err));
		return HVCTL_FAIL;
	}
	if (!watch->json) {
		printf("%u\n", req.watch.id);
		return HVCTL_OK;
	}
	watch->wanted.id = req.watch.id;
	if (!watch->symbol)
		symbols_load(&watch->symbols);
	output_json(watch_json(watch, &watch->wanted), false);
	return HVCTL_OK;
}

/* --- del */

/* Of all: one that is not there has just been deleted by somebody else. */
static int watch_del_one(const struct watch *watch, uint32_t id, struct json_object *arr)
{
	struct latch_watch_req req = { .action = LATCH_WATCH_DEL, .watch = { .id = id } };
	int err = device_ioctl(&watch->dev, LATCH_IOC_WATCH, &req);

	if (err == -ENOENT && watch->all)
		return HVCTL_OK;
	if (err) {
		msg_error("cannot delete watchpoint %u: %s", id, watch_why(err));
		return HVCTL_FAIL;
	}
	json_append_u64(arr, id);
	return HVCTL_OK;
}

static int watch_del_all(const struct watch *watch, struct json_object *arr)
{
	struct latch_watch is = { .id = 0 };
	int status = HVCTL_OK, err;

	while (!(err = watch_next(watch, &is)))
		status |= watch_del_one(watch, is.id, arr);
	return status | watch_check(err);
}

static int watch_del_some(const struct watch *watch, struct json_object *arr)
{
	int status = HVCTL_OK;

	for (int i = 0; i < watch->count; i++)
		status |= watch_del_one(watch, watch_parse_id(watch->ids[i]), arr);
	return status;
}

static int watch_del(const struct watch *watch)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();
	int status;

	json_put(obj, "deleted", arr);
	status = watch->all ? watch_del_all(watch, arr) : watch_del_some(watch, arr);
	if (watch->json)
		output_json(obj, false);
	else
		json_object_put(obj);
	return status;
}

/* --- follow */

static int watch_follow(const struct watch *watch)
{
	struct latch_watch is = { .id = 0 };
	int err = watch_next(watch, &is);

	/* Nothing may be watched yet, but it must be possible. */
	if (err && watch_check(err) != HVCTL_OK)
		return HVCTL_FAIL;
	return follow_watches(&watch->dev, watch->all, watch->json);
}

/* --- the command line */

static void watch_read_options(struct watch *watch, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "follow", no_argument, NULL, 'f' },
		{ "pid", required_argument, NULL, 'p' },
		OPT_COMMON, { 0 }
	};
	int opt;

	while ((opt = opt_next(&cmd_watch, argc, argv, "afp:" OPT_COMMON_SHORT, longs)) != -1) {
		switch (opt) {
		case 'a':
			watch->all = true;
			break;
		case 'f':
			watch->action = "follow";
			break;
		case 'p':
			watch->pid = (uint32_t)opt_number(&cmd_watch, "--pid", optarg, 1,
							  PID_LAST);
			break;
		default:
			watch->json = true;
		}
	}
}

static void watch_read_add(struct watch *watch, char **operands, int count)
{
	if (count != 3)
		opt_usage_error(&cmd_watch, "add: ADDRESS, LENGTH and ACCESS, not %d operand%s",
				count, count == 1 ? "" : "s");
	watch_parse_place(watch, operands[0]);
	watch->wanted.size = watch_parse_length(operands[1]);
	watch->wanted.access = watch_parse_access(operands[2]);
}

static void watch_read_del(struct watch *watch, char **operands, int count)
{
	if (!count)
		opt_usage_error(&cmd_watch, "del: which? their numbers, or all");
	watch->all = count == 1 && !strcmp(operands[0], "all");
	watch->ids = operands;
	watch->count = count;
	for (int i = 0; i < count && !watch->all; i++)
		watch_parse_id(operands[i]);
}

static bool watch_is(const struct watch *watch, const char *action)
{
	return !strcmp(watch->action, action);
}

static void watch_check_action(const struct watch *watch)
{
	if (!watch_is(watch, "list") && !watch_is(watch, "add") && !watch_is(watch, "del") &&
	    !watch_is(watch, "follow"))
		opt_usage_error(&cmd_watch, "unexpected operand '%s': list, add, del or follow?",
				watch->action);
	if (watch->pid && !watch_is(watch, "add"))
		opt_usage_error(&cmd_watch, "--pid goes with add");
	if (watch->all && !watch_is(watch, "follow"))
		opt_usage_error(&cmd_watch, "--all goes with follow");
}

static void watch_read_operands(struct watch *watch, char **operands, int count)
{
	/* With --follow there need not be "follow", but nothing else may be there. */
	if (count && (!watch->action || !strcmp(operands[0], watch->action))) {
		watch->action = *operands++;
		count--;
	}
	if (!watch->action)
		watch->action = "list";
	watch_check_action(watch);
	if (watch_is(watch, "add"))
		watch_read_add(watch, operands, count);
	else if (watch_is(watch, "del"))
		watch_read_del(watch, operands, count);
	else if (count)
		opt_usage_error(&cmd_watch, "unexpected operand '%s'", operands[0]);
}

static int watch_do(struct watch *watch)
{
	if (watch_is(watch, "add"))
		return watch_add(watch);
	if (watch_is(watch, "del"))
		return watch_del(watch);
	if (watch_is(watch, "follow"))
		return watch_follow(watch);
	return watch_list(watch);
}

static int watch_run(int argc, char **argv)
{
	struct watch watch = { .action = NULL };
	int status;

	watch_read_options(&watch, argc, argv);
	watch_read_operands(&watch, argv + optind, argc - optind);
	if (device_open(&watch.dev))
		return HVCTL_FAIL;
	status = watch_do(&watch);
	symbols_free(&watch.symbols);
	device_close(&watch.dev);
	return status;
}

const struct command cmd_watch = {
	.name = "watch",
	.summary = "watchpoints: who reads, writes or executes what",
	.synopsis = "[--json] [list]\n"
	"       hvctl watch add [--pid PID] ADDRESS|SYMBOL[+OFFSET] LENGTH ACCESS\n"
	"       hvctl watch del ID...|all\n"
	"       hvctl watch follow|--follow [--all]",
	.help =
	"List the watchpoints, set and delete them, or follow what happens at them: which\n"
	"process, and which instruction, has read, written or executed the memory there.\n"
	"\n"
	"ADDRESS is hexadecimal, with 0x in front or of 16 digits. SYMBOL is one of\n"
	"/proc/kallsyms. OFFSET and LENGTH are decimal, or hexadecimal with 0x; at most\n"
	"16 MiB are watched. ACCESS is r, w, x, or several of them, such as rw. What is\n"
	"printed is the number of the new watchpoint.\n"
	"\n"
	"  -p, --pid PID   it is memory of this process, not of the kernel\n"
	"  -f, --follow    print events as they come, until ^C\n"
	"  -a, --all       begin with those that are still in the log\n"
	"  -j, --json      print JSON; with follow one object a line\n"
	"  -h, --help      print this text\n"
	"\n"
	"Exit status: 0 done, 1 the hypapp watch is off, refused, or an error, 2 wrong\n"
	"usage.",
	.run = watch_run,
};
