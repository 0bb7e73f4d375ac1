// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvctl app: hypapps, and switching them on and off.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "hvctl.h"

struct app {
	struct device dev;
	const char *action, *name;
	bool json;
};

/* Return: 0, -ENOENT where core has no such hypapp, or another negative errno */
static int app_query(const struct app *app, unsigned int id, struct latch_app_req *req)
{
	int err;

	memset(req, 0, sizeof(*req));
	req->app = id;
	req->action = LATCH_APP_QUERY;
	err = device_ioctl(&app->dev, LATCH_IOC_APP, req);
	req->name[sizeof(req->name) - 1] = '\0';
	text_make_printable(req->name);
	return err;
}

static struct json_object *app_json(const struct latch_app_req *req)
{
	struct json_object *obj = json_new_object();

	json_put_u64(obj, "id", req->app);
	json_put_string(obj, "name", req->name);
	json_put_bool(obj, "on", req->flags & LATCH_APP_ON);
	return obj;
}

static int app_list(const struct app *app)
{
	struct json_object *obj = json_new_object(), *arr = json_new_array();
	struct latch_app_req req;
	int status = HVCTL_OK;

	if (!app->json)
		printf("%-15s  %3s  %s\n", "HYPAPP", "ID", "STATE");
	for (unsigned int id = 1; id <= LATCH_APP_LAST; id++) {
		int err = app_query(app, id, &req);

		if (err == -ENOENT)
			continue;
		if (err) {
			msg_error("cannot ask for hypapp %u: %s", id, strerror(-err));
			status = HVCTL_FAIL;
			break;
		}
		json_append(arr, app_json(&req));
		if (!app->json)
			printf("%-15s  %3u  %s\n", req.name, id,
			       req.flags & LATCH_APP_ON ? "on" : "off");
	}
	json_put(obj, "apps", arr);
	if (app->json)
		output_json(obj, false);
	else
		json_object_put(obj);
	return status;
}

static int app_find(const struct app *app, struct latch_app_req *req)
{
	int err;

	for (unsigned int id = 1; id <= LATCH_APP_LAST; id++) {
		err = app_query(app, id, req);
		if (!err && !strcmp(req->name, app->name))
			return 0;
		if (err && err != -ENOENT) {
			msg_error("cannot ask for hypapp %u: %s", id, strerror(-err));
			return -1;
		}
	}
	msg_error("there is no hypapp '%s'; see `hvctl app list'", app->name);
	return -1;
}

static const char *app_why(int err)
{
	switch (err) {
	case -EBUSY: return "it is in use";
	case -ENOMEM: return "core has no memory left for it";
	case -ENODEV: return "the CPU lacks something that it needs; see `hvctl log'";
	case -EIO: return "a CPU does not stand still; see `hvctl log'";
	default: return strerror(-err);
	}
}

static int app_set(const struct app *app, enum latch_app_action action)
{
	struct latch_app_req req;
	int err;

	if (app_find(app, &req))
		return HVCTL_FAIL;
	req.action = action;
	err = device_ioctl(&app->dev, LATCH_IOC_APP, &req);
	if (err) {
		msg_error("cannot switch %s %s: %s", app->name,
			  action == LATCH_APP_ENABLE ? "on" : "off", app_why(err));
		return HVCTL_FAIL;
	}
	if (app->json)
		output_json(app_json(&req), false);
	return HVCTL_OK;
}

static void app_read_options(struct app *app, int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON, { 0 } };
	int wanted;

	while (opt_next(&cmd_app, argc, argv, OPT_COMMON_SHORT, longs) != -1)
		app->json = true;
	app->action = optind < argc ? argv[optind] : "list";
	app->name = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (strcmp(app->action, "list") && strcmp(app->action, "enable") &&
	    strcmp(app->action, "disable"))
		opt_usage_error(&cmd_app, "unexpected operand '%s': list, enable or disable?",
				app->action);
	wanted = strcmp(app->action, "list") ? 2 : 1;
	if (argc - optind > wanted)
		opt_usage_error(&cmd_app, "unexpected operand '%s'", argv[optind + wanted]);
	if (wanted == 2 && !app->name)
		opt_usage_error(&cmd_app, "%s: which hypapp?", app->action);
}

static int app_run(int argc, char **argv)
{
	struct app app = { .json = false };
	int status;

	app_read_options(&app, argc, argv);
	if (device_open(&app.dev))
		return HVCTL_FAIL;
	if (!strcmp(app.action, "list"))
		status = app_list(&app);
	else
		status = app_set(&app, strcmp(app.action, "enable") ? LATCH_APP_DISABLE :
				 LATCH_APP_ENABLE);
	device_close(&app.dev);
	return status;
}

const struct command cmd_app = {
	.name = "app",
	.summary = "list hypapps, switch them on and off",
	.synopsis = "[--json] [list | enable NAME | disable NAME]",
	.help =
	"Show the hypapps that core has, or switch one on or off.\n"
	"All CPUs stand still for a moment when a hypapp is switched on or off.\n"
	"\n"
	"  -j, --json   print JSON\n"
	"  -h, --help   print this text\n"
	"\n"
	"Exit status: 0 done, also when it was so already, 1 refused or an error, 2 wrong\n"
	"usage.",
	.run = app_run,
};
