// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a VM's process, granted to the PALs of programs in the VM: see "PALs in
 * nested guests" in Documentation/pal.md.
 *
 * What is a PAL's is hidden from this kernel too, which must not use it for anything
 * else. So all that is granted is pinned until core has taken it back.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/latch_pal.h>
#include "compat.h"
#include "latch.h"

/**
 * struct grant_file - what an open /dev/latch has granted
 * @lock: of @chunks
 * @chunks: list of struct grant
 */
struct grant_file {
	struct mutex lock;	/* of the list */
	struct list_head chunks;
};

/**
 * struct grant - pages that core gets in one call
 * @list: those of a file
 * @mm: whose pages they are, and are counted as
 * @nr_pages: how many
 * @page: which
 */
struct grant {
	struct list_head list;
	struct mm_struct *mm;
	u32 nr_pages;
	struct page *page[LATCH_PAL_GRANT_MAX];
};

/* For core. Not allocated for each call: what was granted must always be taken back. */
static u64 frames[LATCH_PAL_GRANT_MAX];
static DEFINE_MUTEX(frames_lock);

/** latch_grant_open - a file that has granted nothing yet */
int latch_grant_open(struct file *file)
{
	struct grant_file *grants = kzalloc(sizeof(*grants), GFP_KERNEL);

	if (!grants)
		return -ENOMEM;
	mutex_init(&grants->lock);
	INIT_LIST_HEAD(&grants->chunks);
	file->private_data = grants;
	return 0;
}

static long call(u32 number, const struct grant *grant)
{
	u64 a = (unsigned long)frames, b = grant->nr_pages, c = 0;
	long ret;
	u32 i;

	mutex_lock(&frames_lock);
	for (i = 0; i < grant->nr_pages; i++)
		frames[i] = page_to_phys(grant->page[i]);
	ret = latch_call_core(number, &a, &b, &c);
	mutex_unlock(&frames_lock);
	return ret;
}

/* --- pages */

static struct grant *grant_alloc(struct mm_struct *mm)
{
	struct grant *grant = kvzalloc(sizeof(*grant), GFP_KERNEL);

	if (!grant)
		return NULL;
	mmgrab(mm);
	grant->mm = mm;
	return grant;
}

static void grant_free(struct grant *grant)
{
	mmdrop(grant->mm);
	kvfree(grant);
}

static void unpin(struct grant *grant)
{
	atomic64_sub(grant->nr_pages, &grant->mm->pinned_vm);
	unpin_user_pages(grant->page, grant->nr_pages);
	grant->nr_pages = 0;
}

/* Fewer than @nr may come. One of a file, or of shared memory, would be hidden from others too. */
static int pin(struct grant *grant, u64 start, u64 nr)
{
	struct mm_struct *mm = grant->mm;
	long got, i;

	mmap_read_lock(mm);
	got = latch_compat_pin_remote(mm, start, min_t(u64, nr, LATCH_PAL_GRANT_MAX),
				      FOLL_WRITE | FOLL_LONGTERM, grant->page);
	mmap_read_unlock(mm);
	if (got <= 0)
		return got ? got : -EFAULT;
	grant->nr_pages = got;
	atomic64_add(got, &mm->pinned_vm);
	for (i = 0; i < got; i++)
		if (!PageAnon(grant->page[i]))
			return -EINVAL;
	return 0;
}

/* --- chunks */

static int make(struct grant *grant, u64 start, u64 nr)
{
	int ret = pin(grant, start, nr);

	if (!ret)
		ret = call(LATCH_HC_PAL_GRANT, grant);
	if (ret)
		unpin(grant);
	return ret;
}

/*
 * Core has wiped them, so they can be anybody's again. Else they may be hidden for ever.
 * Return: pages that are lost.
 */
static u32 end(struct grant *grant)
{
	long ret = call(LATCH_HC_PAL_REVOKE, grant);
	u32 lost = 0;

	if (latch_has_let_go(ret))
		unpin(grant);
	else
		lost = grant->nr_pages;
	list_del(&grant->list);
	grant_free(grant);
	return lost;
}

static void end_all(struct list_head *chunks)
{
	struct grant *grant, *next;
	u64 lost = 0;

	list_for_each_entry_safe(grant, next, chunks, list) {
		lost += end(grant);
		cond_resched();
	}
	if (lost)
		pr_warn("%llu pages that were granted to PALs of guests are lost: core does not give them back\n",
			lost);
}

/* On an error @chunks has what has been granted so far. */
static int grant_range(struct mm_struct *mm, u64 start, u64 nr, struct list_head *chunks)
{
	struct grant *grant;
	int ret;

	for (; nr; nr -= grant->nr_pages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		grant = grant_alloc(mm);
		if (!grant)
			return -ENOMEM;
		ret = make(grant, start, nr);
		if (ret) {
			grant_free(grant);
			return ret;
		}
		list_add(&grant->list, chunks);
		start += (u64)grant->nr_pages << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

static int grant_process(const struct latch_pal_grant_req *req, struct list_head *chunks)
{
	struct pid *pid = find_get_pid(req->pid);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;
	int ret = -ESRCH;

	if (mm) {
		ret = grant_range(mm, req->start, req->size >> PAGE_SHIFT, chunks);
		mmput(mm);
	}
	if (task)
		put_task_struct(task);
	put_pid(pid);
	return ret;
}

/**
 * latch_grant - LATCH_IOC_PAL_GRANT
 * @file: of /dev/latch; with its end the grant ends
 * @req: see <linux/latch_pal.h>
 *
 * Return: 0 or a negative errno, and then nothing is granted.
 */
long latch_grant(struct file *file, const struct latch_pal_grant_req *req)
{
	struct grant_file *grants = file->private_data;
	u64 top = req->start + req->size;
	LIST_HEAD(chunks);
	int ret;

	if (req->reserved || !req->size || (req->start | req->size) & ~PAGE_MASK ||
	    top > TASK_SIZE_MAX || top < req->start)
		return -EINVAL;
	ret = grant_process(req, &chunks);
	if (ret) {
		end_all(&chunks);
		return ret;
	}
	mutex_lock(&grants->lock);
	list_splice(&chunks, &grants->chunks);
	mutex_unlock(&grants->lock);
	return 0;
}

/** latch_grant_release - the file is closed: what it has granted is not any more */
void latch_grant_release(struct file *file)
{
	struct grant_file *grants = file->private_data;

	end_all(&grants->chunks);
	kfree(grants);
}
