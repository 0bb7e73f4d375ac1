// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl version: of hvctl and, when it is loaded, of Latch.
 */
#include <stdio.h>

#include <json-c/json.h>

#include "hvctl.h"

static void version_print_text(enum device_state state, const struct device *dev)
{
	printf("hvctl   %s, ABI %d\n", HVCTL_VERSION, LATCH_ABI_VERSION);
	if (state == DEVICE_ABSENT) {
		puts("module  not loaded");
		return;
	}
	if (dev->abi)
		printf("module  ABI %u\n", dev->abi);
	else
		puts("module  unknown");
	if (state == DEVICE_OK) {
		char core[16];

		device_version(dev->info.version, core);
		printf("core    %s\n", core);
	}
}

static void version_print_json(enum device_state state, const struct device *dev)
{
	struct json_object *obj = json_new_object();
	char core[16];

	json_put_string(obj, "hvctl", HVCTL_VERSION);
	json_put_u64(obj, "abi", LATCH_ABI_VERSION);
	json_put_bool(obj, "loaded", state != DEVICE_ABSENT);
	if (dev->abi)
		json_put_u64(obj, "module_abi", dev->abi);
	else
		json_put(obj, "module_abi", NULL);
	if (state == DEVICE_OK)
		device_version(dev->info.version, core);
	json_put_string(obj, "core", state == DEVICE_OK ? core : NULL);
	output_json(obj, false);
}

static int version_run(int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON, { 0 } };
	enum device_state state;
	struct device dev;
	bool json = false;

	while (opt_next(&cmd_version, argc, argv, OPT_COMMON_SHORT, longs) != -1)
		json = true;
	opt_no_operands(&cmd_version, argc, argv);
	state = device_probe(&dev);
	if (json)
		version_print_json(state, &dev);
	else
		version_print_text(state, &dev);
	device_close(&dev);
	if (state == DEVICE_OK || state == DEVICE_ABSENT)
		return HVCTL_OK;
	msg_error("%s", dev.error);
	return HVCTL_FAIL;
}

const struct command cmd_version = {
	.name = "version",
	.summary = "show the versions of hvctl and of Latch",
	.synopsis = "[--json]",
	.help =
	"Show the versions of hvctl and, when Latch is loaded, of its module and core.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 also when Latch is not loaded, 1 if it cannot be asked or does\n"
	"not speak the ABI version of this hvctl, 2 wrong usage.",
	.run = version_run,
};
