// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl status: what is loaded, and is it well?
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

struct status {
	struct device dev;
	struct cpumask guest, offline, wait_sipi, failed;
	uint64_t exits;
};

/*
 * All VM exits so far, also those of CPUs that are offline now; of CPUs that
 * were never there the module knows nothing.
 */
static int status_sum_exits(struct status *st)
{
	struct latch_stats_req req;

	st->exits = 0;
	for (unsigned int cpu = 0; cpu < st->dev.info.nr_cpus; cpu++) {
		int err;

		memset(&req, 0, sizeof(req));
		req.cpu = cpu;
		err = device_ioctl(&st->dev, LATCH_IOC_STATS, &req);
		if (!err) {
			st->exits += req.stats.count[LATCH_STAT_EXITS];
		} else if (st->dev.info.cpu_state[cpu] != LATCH_CPU_OFF) {
			msg_error("CPU %u: LATCH_IOC_STATS: %s", cpu, strerror(-err));
			return -1;
		}
	}
	return 0;
}

static int status_collect(struct status *st)
{
	if (device_open(&st->dev))
		return -1;
	device_cpus(&st->dev, LATCH_CPU_GUEST, &st->guest);
	device_cpus(&st->dev, LATCH_CPU_OFFLINE, &st->offline);
	device_cpus(&st->dev, LATCH_CPU_WAIT_SIPI, &st->wait_sipi);
	device_cpus(&st->dev, LATCH_CPU_FAILED, &st->failed);
	return status_sum_exits(st);
}

static bool status_failed(const struct status *st)
{
	return st->dev.info.flags & LATCH_INFO_FAILED || cpumask_count(&st->failed);
}

static void status_format_size(uint64_t bytes, char text[32])
{
	if (bytes < 1024)
		snprintf(text, 32, "%u B", (unsigned int)bytes);
	else if (bytes < 1024 * 1024)
		snprintf(text, 32, "%.1f KiB", (double)bytes / 1024);
	else
		snprintf(text, 32, "%.1f MiB", (double)bytes / (1024 * 1024));
}

static void status_print_cpus(const char *title, const struct cpumask *mask)
{
	char list[CPUMASK_TEXT];
	unsigned int count = cpumask_count(mask);

	cpumask_format(mask, list);
	printf("%-14s %u%s%s%s\n", title, count, count ? " (" : "", list, count ? ")" : "");
}

static void status_print_failures(const struct status *st)
{
	char list[CPUMASK_TEXT];

	cpumask_format(&st->failed, list);
	if (!status_failed(st))
		printf("%-14s none\n", "Failures");
	else if (list[0])
		printf("%-14s core failed on CPU %s; see `hvctl log`\n", "Failures", list);
	else
		printf("%-14s core failed; see `hvctl log`\n", "Failures");
}

static void status_print_text(const struct status *st)
{
	const struct latch_info *info = &st->dev.info;
	const char *outer = device_hypervisor(&st->dev);
	char hidden[32], image[32], shared[32], version[16];

	device_version(info->version, version);
	status_format_size(info->hidden_bytes, hidden);
	status_format_size(info->image_bytes, image);
	status_format_size(info->public_bytes, shared);
	printf("%-14s loaded\n", "Latch");
	printf("%-14s module ABI %u, core %s\n", "Version", info->abi_version, version);
	status_print_cpus("CPUs under it", &st->guest);
	if (cpumask_count(&st->offline))
		status_print_cpus("CPUs offline", &st->offline);
	if (cpumask_count(&st->wait_sipi))
		status_print_cpus("CPUs waiting", &st->wait_sipi);
	printf("%-14s %s\n", "Runs on", outer ? outer : "hardware");
	printf("%-14s %s hidden (%s of it core's image), %s public\n", "Memory", hidden, image,
	       shared);
	printf("%-14s %u of %u pages free\n", "Pool", info->pool_free, info->pool_pages);
	printf("%-14s %llu\n", "VM exits", (unsigned long long)st->exits);
	status_print_failures(st);
}

static void status_put_cpus(struct json_object *obj, const char *key,
			    const struct cpumask *mask)
{
	char list[CPUMASK_TEXT];

	cpumask_format(mask, list);
	json_put_string(obj, key, list);
}

static struct json_object *status_cpus_json(const struct status *st)
{
	struct json_object *obj = json_new_object();

	json_put_u64(obj, "possible", st->dev.info.nr_cpus);
	json_put_u64(obj, "guest_count", cpumask_count(&st->guest));
	status_put_cpus(obj, "guest", &st->guest);
	status_put_cpus(obj, "offline", &st->offline);
	status_put_cpus(obj, "wait_sipi", &st->wait_sipi);
	status_put_cpus(obj, "failed", &st->failed);
	return obj;
}

static struct json_object *status_memory_json(const struct latch_info *info)
{
	struct json_object *obj = json_new_object();

	json_put_u64(obj, "hidden_bytes", info->hidden_bytes);
	json_put_u64(obj, "public_bytes", info->public_bytes);
	json_put_u64(obj, "image_bytes", info->image_bytes);
	json_put_u64(obj, "pool_pages", info->pool_pages);
	json_put_u64(obj, "pool_free", info->pool_free);
	return obj;
}

static void status_print_json(const struct status *st)
{
	const struct latch_info *info = &st->dev.info;
	struct json_object *obj = json_new_object();
	char version[16];

	device_version(info->version, version);
	json_put_bool(obj, "loaded", true);
	json_put_u64(obj, "abi", info->abi_version);
	json_put_string(obj, "core", version);
	json_put(obj, "cpus", status_cpus_json(st));
	json_put_bool(obj, "nested", device_hypervisor(&st->dev));
	json_put_string(obj, "hypervisor", info->hypervisor[0] ? info->hypervisor : NULL);
	json_put(obj, "memory", status_memory_json(info));
	json_put_u64(obj, "tsc_khz", info->tsc_khz);
	json_put_u64(obj, "exits", st->exits);
	json_put_bool(obj, "failed", status_failed(st));
	output_json(obj, false);
}

static int status_run(int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON, { 0 } };
	struct status st;
	bool json = false;

	while (opt_next(&cmd_status, argc, argv, OPT_COMMON_SHORT, longs) != -1)
		json = true;
	opt_no_operands(&cmd_status, argc, argv);
	if (status_collect(&st))
		return HVCTL_FAIL;
	if (json)
		status_print_json(&st);
	else
		status_print_text(&st);
	device_close(&st.dev);
	return status_failed(&st) ? HVCTL_FAIL : HVCTL_OK;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "show what is loaded, and whether it is well",
	.synopsis = "[--json]",
	.help =
	"Show versions, the CPUs that run under Latch, memory, VM exits so far and\n"
	"failures.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 loaded and well, 1 not loaded, failed on some CPU, or an error,\n"
	"2 wrong usage.",
	.run = status_run,
};
