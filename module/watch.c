// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watchpoints, as far as Linux has a part in them: a process's pages stay where they are
 * as long as they are watched. The kernel's own memory core finds itself.
 */
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/latch_watch.h>
#include "compat.h"
#include "latch.h"

/**
 * struct pinned - the pages of one watchpoint
 * @list: all of them
 * @id: the watchpoint
 * @nr_pages: how many
 * @page: which
 */
struct pinned {
	struct list_head list;
	u32 id;
	u32 nr_pages;
	struct page *page[];
};

static LIST_HEAD(all_pinned);
static DEFINE_MUTEX(lock);	/* of the list, and of adding and removing */

static void unpin(struct pinned *pinned)
{
	unpin_user_pages(pinned->page, pinned->nr_pages);
	kvfree(pinned);
}

/* FOLL_FORCE: read-only memory becomes the process's own, as for a debugger. */
static int pin(struct mm_struct *mm, u64 start, struct pinned *pinned, u32 nr)
{
	long got;

	mmap_read_lock(mm);
	got = latch_compat_pin_remote(mm, start, nr, FOLL_WRITE | FOLL_FORCE | FOLL_LONGTERM,
				      pinned->page);
	mmap_read_unlock(mm);
	if (got < 0)
		return got;
	pinned->nr_pages = got;
	return got == nr ? 0 : -EFAULT;
}

static int pin_process(pid_t nr, u64 start, struct pinned *pinned, u32 nr_pages)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;
	int ret = mm ? pin(mm, start, pinned, nr_pages) : -ESRCH;

	if (mm)
		mmput(mm);
	if (task)
		put_task_struct(task);
	put_pid(pid);
	return ret;
}

static int call_add(struct latch_watch *watch, const u64 *frames)
{
	u64 a = (unsigned long)watch, b = (unsigned long)frames, c = 0;
	long ret = latch_call_core(LATCH_HC_WATCH_ADD, &a, &b, &c);

	watch->id = a;
	return ret;
}

static int add_pinned(struct latch_watch *watch, struct pinned *pinned)
{
	u64 *frames = kvcalloc(pinned->nr_pages, sizeof(*frames), GFP_KERNEL);
	u32 i;
	int ret;

	if (!frames)
		return -ENOMEM;
	for (i = 0; i < pinned->nr_pages; i++)
		frames[i] = page_to_phys(pinned->page[i]);
	ret = call_add(watch, frames);
	kvfree(frames);
	return ret;
}

static int add_process(struct latch_watch_req *req)
{
	u64 start = req->watch.address & PAGE_MASK, end = req->watch.address + req->watch.size;
	struct pinned *pinned;
	u32 nr;
	int ret;

	if (!req->watch.size || req->watch.size > LATCH_WATCH_SIZE || end > TASK_SIZE_MAX ||
	    end < start)
		return -EINVAL;
	nr = (PAGE_ALIGN(end) - start) >> PAGE_SHIFT;
	pinned = kvzalloc(struct_size(pinned, page, nr), GFP_KERNEL);
	if (!pinned)
		return -ENOMEM;
	ret = pin_process(req->pid, start, pinned, nr);
	if (!ret)
		ret = add_pinned(&req->watch, pinned);
	if (ret) {
		unpin(pinned);
		return ret;
	}
	pinned->id = req->watch.id;
	list_add(&pinned->list, &all_pinned);
	return 0;
}

static int add(struct latch_watch_req *req)
{
	if (req->pid)
		return add_process(req);
	/* Whose memory would that be? */
	if (req->watch.address < TASK_SIZE_MAX)
		return -EINVAL;
	return call_add(&req->watch, NULL);
}

static int del(u32 id)
{
	u64 a = id, b = 0, c = 0;
	long ret = latch_call_core(LATCH_HC_WATCH_DEL, &a, &b, &c);
	struct pinned *pinned, *next;

	list_for_each_entry_safe(pinned, next, &all_pinned, list) {
		if (ret || pinned->id != id)
			continue;
		list_del(&pinned->list);
		unpin(pinned);
	}
	return ret;
}

static int next(struct latch_watch *watch)
{
	u64 a = watch->id, b = (unsigned long)watch, c = 0;

	return latch_call_core(LATCH_HC_WATCH_NEXT, &a, &b, &c);
}

/**
 * latch_watch_request - LATCH_IOC_WATCH
 * @req: see <linux/latch_watch.h>
 *
 * Return: 0, -ESRCH if there is no such process, -EINVAL, or what core returns.
 */
int latch_watch_request(struct latch_watch_req *req)
{
	int ret = -EINVAL;

	mutex_lock(&lock);
	if (req->action == LATCH_WATCH_ADD)
		ret = add(req);
	else if (req->action == LATCH_WATCH_DEL)
		ret = del(req->watch.id);
	else if (req->action == LATCH_WATCH_NEXT)
		ret = next(&req->watch);
	mutex_unlock(&lock);
	return ret;
}

/** latch_watch_exit - Latch is gone from all CPUs: nothing is watched any more */
void latch_watch_exit(void)
{
	struct pinned *pinned, *next;

	list_for_each_entry_safe(pinned, next, &all_pinned, list)
		unpin(pinned);
}
