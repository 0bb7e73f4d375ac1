// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl pal grant: memory of a VM, for PALs of the programs in it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <json-c/json.h>

#include "hvctl.h"

#define GRANT_PAGE	4096
#define GRANT_MIN	(16ull << 20)	/* of what is chosen without being named */

struct grant_range {
	uint64_t start, end;
};

/**
 * struct grant - what the user wants
 * @dev: the device; with its end the grant ends
 * @pid: of the process that is the VM
 * @pidfd: stands for it, also when another one has got its number
 * @json: --json
 * @range: of the process's memory
 * @count: how many
 * @bytes: that have been granted so far
 */
struct grant {
	const struct device *dev;
	uint32_t pid;
	int pidfd;
	bool json;
	struct grant_range *range;
	size_t count;
	uint64_t bytes;
};

static unsigned long long grant_mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

static void grant_add(struct grant *grant, uint64_t start, uint64_t end)
{
	struct grant_range *range = realloc(grant->range, (grant->count + 1) * sizeof(*range));

	if (!range)
		msg_die("out of memory");
	range[grant->count++] = (struct grant_range) { start, end };
	grant->range = range;
}

/* --- what the user types */

/* As in /proc/PID/maps, or with 0x in front. */
static bool grant_parse_address(const char *text, size_t len, uint64_t *val)
{
	char hex[19];

	if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
		len -= 2;
	}
	if (!len || len > 16)
		return false;
	snprintf(hex, sizeof(hex), "0x%.*s", (int)len, text);
	return number_parse(hex, val) && !(*val % GRANT_PAGE);
}

static void grant_parse_range(struct grant *grant, const char *text)
{
	const char *dash = strchr(text, '-');
	uint64_t start, end;

	if (!dash || !grant_parse_address(text, (size_t)(dash - text), &start) ||
	    !grant_parse_address(dash + 1, strlen(dash + 1), &end) || start >= end)
		opt_usage_error(&cmd_pal, "'%s' is no range START-END of whole pages, as in "
				"/proc/PID/maps", text);
	grant_add(grant, start, end);
}

static void grant_parse(struct grant *grant, char **operands, int count)
{
	if (!count)
		opt_usage_error(&cmd_pal, "grant: of which process?");
	grant->pid = (uint32_t)opt_number(&cmd_pal, "grant", operands[0], 1, PID_LAST);
	for (int i = 1; i < count; i++)
		grant_parse_range(grant, operands[i]);
}

/* --- the process */

static int grant_find_process(struct grant *grant)
{
	grant->pidfd = (int)syscall(SYS_pidfd_open, grant->pid, 0);
	if (grant->pidfd >= 0)
		return 0;
	if (errno == ESRCH)
		msg_error("there is no process %u", grant->pid);
	else
		msg_error("cannot wait for process %u: %s", grant->pid,
			  errno == EINVAL ? "it is a thread of another one" : strerror(errno));
	return -1;
}

/* A line of /proc/PID/maps: memory of the process alone that it can write, of no file. */
static void grant_look_at(struct grant *grant, const char *line)
{
	unsigned long long start, end, inode;
	unsigned int major, minor;
	char access[5];

	if (sscanf(line, "%llx-%llx %4s %*x %x:%x %llu", &start, &end, access, &major, &minor,
		   &inode) != 6)
		return;
	if (access[1] == 'w' && access[3] == 'p' && !major && !minor && !inode &&
	    end - start >= GRANT_MIN)
		grant_add(grant, start, end);
}

static int grant_find_memory(struct grant *grant)
{
	char path[64], *text, *line, *rest;

	snprintf(path, sizeof(path), "/proc/%u/maps", grant->pid);
	text = file_read_all(path);
	if (!text) {
		msg_error("cannot read %s: %s", path, strerror(errno));
		return -1;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		grant_look_at(grant, line);
	free(text);
	if (grant->count)
		return 0;
	msg_error("process %u has no private anonymous memory of 16 MiB or more in one piece; "
		  "name ranges to grant less", grant->pid);
	return -1;
}

/* --- what Latch answers */

static const char *grant_why(int err)
{
	switch (err) {
	case -ENOSYS: return "the hypapp pal is off; try `hvctl app enable pal'";
	case -ESRCH: return "there is no such process any more";
	case -EINVAL: return "not all of it is private anonymous memory: none of a file, of "
			     "hugetlbfs or a memfd can be granted";
	case -EFAULT: return "not all of it is mapped, and writable";
	case -EBUSY: return "a part of it is granted already";
	case -ENOMEM: return "there is no memory for it: all of it is allocated, and stays; "
			     "or load Latch with a larger pool_mib=";
	default: return strerror(-err);
	}
}

static int grant_one(const struct grant *grant, const struct grant_range *range)
{
	struct latch_pal_grant_req req = {
		.pid = grant->pid, .start = range->start, .size = range->end - range->start,
	};
	int err = device_ioctl(grant->dev, LATCH_IOC_PAL_GRANT, &req);

	if (!err)
		return 0;
	msg_error("cannot grant 0x%llx-0x%llx of process %u: %s",
		  (unsigned long long)range->start, (unsigned long long)range->end, grant->pid,
		  grant_why(err));
	return -1;
}

static struct json_object *grant_json(const struct grant_range *range)
{
	struct json_object *obj = json_new_object();

	json_put_hex(obj, "start", range->start);
	json_put_hex(obj, "end", range->end);
	json_put_u64(obj, "bytes", range->end - range->start);
	return obj;
}

static void grant_print(const struct grant_range *range)
{
	printf("0x%012llx-0x%012llx  %8llu MiB\n", (unsigned long long)range->start,
	       (unsigned long long)range->end, grant_mib(range->end - range->start));
}

static void grant_print_total(const struct grant *grant)
{
	printf("%-29s  %8llu MiB\n", "total", grant_mib(grant->bytes));
	printf("granted until process %u ends or this command does\n", grant->pid);
}

static void grant_print_json(const struct grant *grant)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();

	for (size_t i = 0; i < grant->count; i++)
		json_append(arr, grant_json(&grant->range[i]));
	json_put_u64(obj, "pid", grant->pid);
	json_put(obj, "ranges", arr);
	json_put_u64(obj, "bytes", grant->bytes);
	output_json(obj, false);
}

/* It takes its time, as all of it gets allocated. */
static int grant_all(struct grant *grant)
{
	for (size_t i = 0; i < grant->count; i++) {
		if (grant_one(grant, &grant->range[i]))
			return HVCTL_FAIL;
		grant->bytes += grant->range[i].end - grant->range[i].start;
		if (!grant->json)
			grant_print(&grant->range[i]);
		if (output_flush() != HVCTL_OK)
			return HVCTL_FAIL;
	}
	return HVCTL_OK;
}

static int grant_wait(const struct grant *grant)
{
	/* Up to here ^C ends hvctl, and so what it has granted. */
	pause_catch_signals();
	if (grant->json)
		grant_print_json(grant);
	else
		grant_print_total(grant);
	if (output_flush() != HVCTL_OK)
		return HVCTL_FAIL;
	pause_until_readable(grant->pidfd);
	return HVCTL_OK;
}

/* To be said before all that may be wrong with the process. */
static int grant_check_pal(const struct grant *grant)
{
	struct latch_pal_stat stat = { .handle = 0 };

	if (device_ioctl(grant->dev, LATCH_IOC_PAL_STAT, &stat) != -ENOSYS)
		return 0;
	msg_error("cannot grant memory: %s", grant_why(-ENOSYS));
	return -1;
}

static int grant_do(struct grant *grant)
{
	if (!grant->count && grant_find_memory(grant))
		return HVCTL_FAIL;
	return grant_all(grant) == HVCTL_OK ? grant_wait(grant) : HVCTL_FAIL;
}

/**
 * grant_parse_and_run() - hvctl pal grant
 * @operands: behind "grant"
 * @count: how many
 *
 * Return: an enum hvctl_status.
 */
int grant_parse_and_run(char **operands, int count, bool json)
{
	struct grant grant = { .json = json };
	struct device dev;
	int status = HVCTL_FAIL;

	grant_parse(&grant, operands, count);
	if (!device_open(&dev)) {
		grant.dev = &dev;
		if (!grant_check_pal(&grant) && !grant_find_process(&grant)) {
			status = grant_do(&grant);
			close(grant.pidfd);
		}
		device_close(&dev);
	}
	free(grant.range);
	return status;
}
