// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl ping: hypercall round trips, CPU by CPU.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <json-c/json.h>

#include "hvctl.h"

#define PING_COUNT	100
#define PING_MAX_COUNT	1000000

struct ping {
	struct device dev;
	struct cpumask cpus;
	uint32_t count;
	bool cpus_given, json;
};

/* One that no answer can hold by chance or from the last time. */
static uint64_t ping_new_cookie(void)
{
	uint64_t cookie = 0;
	struct timespec ts;

	/* early at boot there may be no random numbers yet */
	if (getrandom(&cookie, sizeof(cookie), GRND_NONBLOCK) != sizeof(cookie)) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		cookie = (uint64_t)ts.tv_nsec * 0x9e3779b97f4a7c15ull;
	}
	return cookie;
}

/* Return: NULL, or what is wrong */
static const char *ping_cpu(const struct ping *ping, unsigned int cpu,
			    struct latch_ping_req *req)
{
	uint64_t cookie = ping_new_cookie();
	int err;

	memset(req, 0, sizeof(*req));
	req->cpu = cpu;
	req->count = ping->count;
	req->cookie = cookie;
	/* other values than the right answers, for a module that writes none */
	req->core_cpu = ~cpu;
	err = device_ioctl(&ping->dev, LATCH_IOC_PING, req);
	if (err == -ENXIO)
		return "it does not run under Latch";
	if (err)
		return strerror(-err);
	if (req->cookie != cookie)
		return "core returned another cookie than it was given";
	if (req->core_cpu != cpu)
		return "another CPU of core answered";
	return NULL;
}

static double ping_average(const struct ping *ping, const struct latch_ping_req *req)
{
	return (double)req->tsc_total / ping->count;
}

static void ping_print_row(const struct ping *ping, unsigned int cpu,
			   const struct latch_ping_req *req)
{
	double avg = ping_average(ping, req);

	printf("%4u  %8u  %12llu  %14.1f", cpu, ping->count, (unsigned long long)req->tsc_min, avg);
	if (ping->dev.info.tsc_khz)
		printf("  %12.3f", avg * 1000 / (double)ping->dev.info.tsc_khz);
	putchar('\n');
}

static struct json_object *ping_row_json(const struct ping *ping, unsigned int cpu,
					 const struct latch_ping_req *req, const char *error)
{
	struct json_object *obj = json_new_object();

	json_put_u64(obj, "cpu", cpu);
	json_put_bool(obj, "ok", !error);
	json_put_string(obj, "error", error);
	if (error)
		return obj;
	json_put_u64(obj, "ticks_min", req->tsc_min);
	json_put_fixed(obj, "ticks_avg", ping_average(ping, req), 1);
	return obj;
}

static int ping_all(const struct ping *ping)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();
	struct latch_ping_req req;
	int status = HVCTL_OK;

	if (!ping->json)
		printf("%4s  %8s  %12s  %14s%s\n", "CPU", "PINGS", "MIN TICKS", "AVERAGE TICKS",
		       ping->dev.info.tsc_khz ? "    AVERAGE us" : "");
	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++) {
		const char *error;

		if (!ping->cpus.on[cpu])
			continue;
		error = ping_cpu(ping, cpu, &req);
		if (error) {
			msg_error("CPU %u: %s", cpu, error);
			status = HVCTL_FAIL;
		} else if (!ping->json) {
			ping_print_row(ping, cpu, &req);
		}
		json_append(arr, ping_row_json(ping, cpu, &req, error));
	}
	json_put_u64(obj, "count", ping->count);
	json_put_u64(obj, "tsc_khz", ping->dev.info.tsc_khz);
	json_put(obj, "cpus", arr);
	if (ping->json)
		output_json(obj, false);
	else
		json_object_put(obj);
	return status;
}

/* CPUs that should answer: also those where core has failed, as an error. */
static int ping_select_cpus(struct ping *ping)
{
	struct cpumask failed;

	if (ping->cpus_given)
		return device_check_cpus(&ping->dev, &ping->cpus);
	device_cpus(&ping->dev, LATCH_CPU_GUEST, &ping->cpus);
	device_cpus(&ping->dev, LATCH_CPU_FAILED, &failed);
	for (unsigned int cpu = 0; cpu < LATCH_MAX_CPUS; cpu++)
		ping->cpus.on[cpu] |= failed.on[cpu];
	if (cpumask_count(&ping->cpus))
		return 0;
	msg_error("no CPU runs under Latch");
	return -1;
}

static void ping_read_options(struct ping *ping, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cpu", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' },
		OPT_COMMON, { 0 }
	};
	int opt;

	while ((opt = opt_next(&cmd_ping, argc, argv, "c:n:" OPT_COMMON_SHORT, longs)) != -1) {
		switch (opt) {
		case 'c':
			if (cpumask_parse(&ping->cpus, optarg))
				opt_usage_error(&cmd_ping, "--cpu: '%s' is not a list of CPUs",
						optarg);
			ping->cpus_given = true;
			break;
		case 'n':
			ping->count = (uint32_t)opt_number(&cmd_ping, "--count", optarg, 1,
							   PING_MAX_COUNT);
			break;
		default:
			ping->json = true;
		}
	}
	opt_no_operands(&cmd_ping, argc, argv);
}

static int ping_run(int argc, char **argv)
{
	struct ping ping = { .count = PING_COUNT };
	int status;

	ping_read_options(&ping, argc, argv);
	if (device_open(&ping.dev))
		return HVCTL_FAIL;
	status = ping_select_cpus(&ping) ? HVCTL_FAIL : ping_all(&ping);
	device_close(&ping.dev);
	return status;
}

const struct command cmd_ping = {
	.name = "ping",
	.summary = "make hypercall round trips, CPU by CPU",
	.synopsis = "[--json] [--cpu LIST] [--count N]",
	.help =
	"Make hypercalls on each CPU, check core's answers, and show how long the round\n"
	"trips took, in ticks of the time-stamp counter.\n"
	"\n"
	"  -c, --cpu LIST   on these CPUs, such as 0-3,8 (default: all under Latch)\n"
	"  -n, --count N    round trips on each CPU, 1 to 1000000 (default: 100)\n"
	"  -j, --json       print JSON\n"
	"  -h, --help       print this text\n"
	"\n"
	"Exit status: 0 all answered rightly, 1 not so or an error, 2 wrong usage.",
	.run = ping_run,
};
