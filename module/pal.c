// SPDX-License-Identifier: GPL-2.0-only
/*
 * PALs, as far as Linux has a part in them: it pins their pages, so that they are not
 * swapped, moved or shared, and ends them with the process. Core relies on none of that.
 */
#include <asm/cpufeature.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/latch_pal.h>
#include "latch.h"

/**
 * struct pal_file - what an open /dev/latch-call has registered
 * @list: all of them
 * @lock: of @pals
 * @pals: list of struct pal
 */
struct pal_file {
	struct list_head list;
	struct mutex lock;	/* of the list of PALs */
	struct list_head pals;
};

struct pal {
	struct list_head list;
	u32 handle;
	u32 nr_pages;
	struct page *page[LATCH_PAL_PAGES];
};

static LIST_HEAD(files);
static DEFINE_MUTEX(files_lock);
static bool over;	/* there will be no more PALs */

/** latch_pal_open - a file that has no PAL yet */
int latch_pal_open(struct file *file)
{
	struct pal_file *pals = kzalloc(sizeof(*pals), GFP_KERNEL);

	if (!pals)
		return -ENOMEM;
	mutex_init(&pals->lock);
	INIT_LIST_HEAD(&pals->pals);
	mutex_lock(&files_lock);
	list_add(&pals->list, &files);
	mutex_unlock(&files_lock);
	file->private_data = pals;
	return 0;
}

static void pal_free(struct pal *pal)
{
	unpin_user_pages(pal->page, pal->nr_pages);
	kfree(pal);
}

/* Core has wiped them, so they can be anybody's again. */
static void pal_end(struct pal *pal)
{
	u64 a = pal->handle, b = page_to_phys(pal->page[0]), c = 0;
	long ret = latch_call_core(LATCH_HC_PAL_UNREGISTER, &a, &b, &c);

	list_del(&pal->list);
	if (latch_has_let_go(ret))
		pal_free(pal);
	else
		pr_warn("pages of PAL %u are lost: error %ld\n", pal->handle, -ret);
}

static void end_file(struct pal_file *pals)
{
	struct pal *pal, *next;

	mutex_lock(&pals->lock);
	list_for_each_entry_safe(pal, next, &pals->pals, list)
		pal_end(pal);
	mutex_unlock(&pals->lock);
}

/** latch_pal_release - the file is closed: its PALs end */
void latch_pal_release(struct file *file)
{
	struct pal_file *pals = file->private_data;

	mutex_lock(&files_lock);
	list_del(&pals->list);
	mutex_unlock(&files_lock);
	end_file(pals);
	kfree(pals);
}

/** latch_pal_end_all - all PALs end, and there will be no more */
void latch_pal_end_all(void)
{
	struct pal_file *pals;

	WRITE_ONCE(over, true);
	mutex_lock(&files_lock);
	list_for_each_entry(pals, &files, list)
		end_file(pals);
	mutex_unlock(&files_lock);
}

/*
 * Code may be mapped read-only: FOLL_FORCE makes the page the process's own all the
 * same. One of a file, or shared with others, would be hidden from them too.
 */
static int pin_section(struct pal *pal, const struct latch_pal_section *section)
{
	u64 nr = section->size / PAGE_SIZE;
	u32 i;
	int got;

	if (section->start % PAGE_SIZE || section->size % PAGE_SIZE || !nr ||
	    nr > LATCH_PAL_PAGES - pal->nr_pages)
		return -EINVAL;
	got = pin_user_pages_fast(section->start, (int)nr,
				  FOLL_WRITE | FOLL_FORCE | FOLL_LONGTERM,
				  pal->page + pal->nr_pages);
	if (got < 0)
		return got;
	pal->nr_pages += got;
	if (got != nr)
		return -EFAULT;
	for (i = pal->nr_pages - got; i < pal->nr_pages; i++)
		if (!PageAnon(pal->page[i]))
			return -EINVAL;
	return 0;
}

static int pin_all(struct pal *pal, const struct latch_pal_desc *desc)
{
	u32 i;
	int ret = 0;

	if (desc->nr_sections > LATCH_PAL_SECTIONS)
		return -EINVAL;
	for (i = 0; i < desc->nr_sections && !ret; i++)
		ret = pin_section(pal, &desc->section[i]);
	return ret;
}

/* With page-table isolation a process has two roots, side by side. */
static u64 user_root(void)
{
	return virt_to_phys(current->mm->pgd) + (boot_cpu_has(X86_FEATURE_PTI) ? PAGE_SIZE : 0);
}

/* What is pinned: another thread may map something else at any time. */
static long call_register(const struct pal *pal, const struct latch_pal_desc *desc, u32 *handle)
{
	u64 *frames = kcalloc(LATCH_PAL_PAGES, sizeof(*frames), GFP_KERNEL);
	u64 a = (unsigned long)desc, b = user_root(), c = (unsigned long)frames;
	long ret;
	u32 i;

	if (!frames)
		return -ENOMEM;
	for (i = 0; i < pal->nr_pages; i++)
		frames[i] = page_to_phys(pal->page[i]);
	ret = latch_call_core(LATCH_HC_PAL_REGISTER, &a, &b, &c);
	kfree(frames);
	*handle = a;
	return ret;
}

static int pal_register(struct pal_file *pals, const struct latch_pal_desc *desc, u32 *handle)
{
	struct pal *pal = kzalloc(sizeof(*pal), GFP_KERNEL);
	int ret;

	if (!pal)
		return -ENOMEM;
	ret = pin_all(pal, desc);
	if (!ret)
		ret = call_register(pal, desc, handle);
	if (ret) {
		pal_free(pal);
		return ret;
	}
	pal->handle = *handle;
	mutex_lock(&pals->lock);
	list_add(&pal->list, &pals->pals);
	if (READ_ONCE(over)) {
		pal_end(pal);
		ret = -ENODEV;
	}
	mutex_unlock(&pals->lock);
	return ret;
}

static int pal_unregister(struct pal_file *pals, u32 handle)
{
	struct pal *pal;
	int ret = -ENOENT;

	mutex_lock(&pals->lock);
	list_for_each_entry(pal, &pals->pals, list) {
		if (pal->handle != handle)
			continue;
		pal_end(pal);
		ret = 0;
		break;
	}
	mutex_unlock(&pals->lock);
	return ret;
}

/**
 * latch_pal_stat - the PAL behind a handle
 * @stat: see <linux/latch_pal.h>
 *
 * Return: 0, -ENOENT behind the last one, or another negative errno.
 */
int latch_pal_stat(struct latch_pal_stat *stat)
{
	u64 a = stat->handle, b = 0, c = 0;
	long ret;

	if (stat->flags)
		return -EINVAL;
	do {
		ret = latch_call_core(LATCH_HC_PAL_NEXT, &a, &b, &c);
		if (ret)
			return ret;
		stat->handle = a;
		/* -ENOENT: it has just ended, and @a is still its handle. */
		ret = latch_call_core(LATCH_HC_PAL_STAT, &a, &b, &c);
	} while (ret == -ENOENT);
	stat->state = a;
	stat->calls = b;
	stat->pages = (u32)c;
	stat->flags = c & LATCH_PAL_STAT_FAST ? LATCH_PAL_FAST : 0;
	return ret;
}

static long ioctl_register(struct pal_file *pals, struct latch_pal_req __user *user,
			   struct latch_pal_req *req)
{
	struct latch_pal_desc *desc = memdup_user(u64_to_user_ptr(req->desc), sizeof(*desc));
	long ret;

	if (IS_ERR(desc))
		return PTR_ERR(desc);
	ret = pal_register(pals, desc, &req->handle);
	kfree(desc);
	if (ret)
		return ret;
	if (!put_user(req->handle, &user->handle))
		return 0;
	pal_unregister(pals, req->handle);
	return -EFAULT;
}

/**
 * latch_pal_ioctl - LATCH_IOC_PAL_*
 * @file: of /dev/latch-call
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Return: 0 or a negative errno, see <linux/latch_pal.h>.
 */
long latch_pal_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct latch_pal_req __user *user = (struct latch_pal_req __user *)arg;
	struct latch_pal_req req;

	if (cmd != LATCH_IOC_PAL_REGISTER && cmd != LATCH_IOC_PAL_UNREGISTER)
		return -ENOTTY;
	if (copy_from_user(&req, user, sizeof(req)))
		return -EFAULT;
	if (req.reserved)
		return -EINVAL;
	if (cmd == LATCH_IOC_PAL_UNREGISTER)
		return pal_unregister(file->private_data, req.handle);
	return ioctl_register(file->private_data, user, &req);
}
