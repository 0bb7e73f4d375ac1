// SPDX-License-Identifier: GPL-2.0-only
/* Hypapps, by the hypercalls that switch them on and off. */
#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "hypercall.h"
#include "latch.h"

/**
 * latch_call_core - make a hypercall on whatever CPU this is
 *
 * As latch_hypercall(). Context: process. Return: also -ENXIO if this CPU is not
 * under Latch, or, in a nested guest, there is none that answers.
 */
long latch_call_core(u32 number, u64 *a, u64 *b, u64 *c)
{
	long ret = -ENXIO;

	if (latch_is_guest())
		return latch_guest_call(number, a, b, c);
	/* A CPU that leaves is not running this: so VMCALL is not #UD. */
	preempt_disable();
	if (READ_ONCE(latch_cpu_page(smp_processor_id())->mode) == LATCH_CPU_GUEST)
		ret = latch_hypercall(number, a, b, c);
	preempt_enable();
	return ret;
}

/**
 * latch_has_let_go - has core nothing any more of what it was asked to give back
 * @ret: what latch_call_core() has returned
 *
 * -ENOENT and -ENOSYS: it has ended before. A nested guest's has when nothing answers, as
 * that is when no memory is granted any more; others have when all CPUs are native.
 */
bool latch_has_let_go(long ret)
{
	return !ret || ret == -ENOENT || ret == -ENOSYS ||
	       (latch_is_guest() ? ret == -ENXIO : cpumask_empty(&latch.cpus));
}

static int query(struct latch_app_req *req)
{
	u64 a = req->app, name[2] = { };
	long ret = latch_call_core(LATCH_HC_APP_INFO, &a, &name[0], &name[1]);

	if (ret)
		return ret;
	req->flags = a;
	memcpy(req->name, name, sizeof(req->name));
	req->name[sizeof(req->name) - 1] = 0;
	return 0;
}

static int set(const struct latch_app_req *req)
{
	u64 a = req->app, b = req->action == LATCH_APP_ENABLE, c = 0;

	return latch_call_core(LATCH_HC_APP_SET, &a, &b, &c);
}

/**
 * latch_hypapp_request - ask for a hypapp, or switch it on or off
 * @req: see <linux/latch.h>
 *
 * Return: 0, -EINVAL for another action, -ENXIO if this CPU is not under Latch, or
 * what core returns: -ENOENT if it has no such hypapp.
 */
int latch_hypapp_request(struct latch_app_req *req)
{
	int ret = 0;

	if (req->action > LATCH_APP_DISABLE || req->reserved)
		return -EINVAL;
	if (req->action != LATCH_APP_QUERY)
		ret = set(req);
	return ret ? ret : query(req);
}

static int enable_by_name(const char *name)
{
	struct latch_app_req req;
	u32 app;
	int ret;

	for (app = 1; app <= LATCH_APP_LAST; app++) {
		req = (struct latch_app_req) { .app = app };
		if (latch_hypapp_request(&req) || strcmp(req.name, name))
			continue;
		req.action = LATCH_APP_ENABLE;
		ret = latch_hypapp_request(&req);
		if (ret)
			pr_err("hypapp %s cannot be switched on: error %d\n", name, -ret);
		return ret;
	}
	pr_err("apps: there is no hypapp %s\n", name);
	return -EINVAL;
}

/**
 * latch_hypapp_enable_list - switch on what a module parameter names
 * @list: names with commas between them
 *
 * Return: 0, or -EINVAL, and a message, for a name that is none.
 */
int latch_hypapp_enable_list(const char *list)
{
	char name[LATCH_APP_NAME];
	size_t len;
	int ret;

	while (*list) {
		len = strcspn(list, ",");
		if (len >= sizeof(name)) {
			pr_err("apps: a name is too long\n");
			return -EINVAL;
		}
		memcpy(name, list, len);
		name[len] = 0;
		ret = enable_by_name(name);
		if (ret)
			return ret;
		list += len + (list[len] == ',');
	}
	return 0;
}
