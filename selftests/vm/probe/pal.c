// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a process (parameters pid and address), as a hostile kernel would get at
 * it. What comes out is what has been seen, not whether that is good: the same is done
 * to a page that is not in a PAL.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include "probe.h"

static int pid;
module_param(pid, int, 0600);
static unsigned long address;
module_param(address, ulong, 0600);

struct target {
	struct page *page;
	u32 offset;
	atomic_t arrived, seen;
	u32 cpus;
	u32 value;
};

static struct page *get_page_of(struct task_struct *task)
{
	struct mm_struct *mm = get_task_mm(task);
	struct page *page = NULL;
	long got;

	if (!mm)
		return NULL;
	mmap_read_lock(mm);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	got = get_user_pages_remote(mm, address, 1, FOLL_FORCE, &page, NULL);
#else
	got = get_user_pages_remote(mm, address, 1, FOLL_FORCE, &page, NULL, NULL);
#endif
	mmap_read_unlock(mm);
	mmput(mm);
	return got == 1 ? page : NULL;
}

static struct page *find_page(void)
{
	struct pid *struct_pid = find_get_pid(pid);
	struct task_struct *task = get_pid_task(struct_pid, PIDTYPE_PID);
	struct page *page = task ? get_page_of(task) : NULL;

	if (task)
		put_task_struct(task);
	put_pid(struct_pid);
	return page;
}

static u32 *direct(struct target *target)
{
	return page_address(target->page) + target->offset;
}

static void read_on_cpu(unsigned int cpu, void *data)
{
	struct target *target = data;
	unsigned int i;

	probe_meet(&target->arrived, target->cpus);
	for (i = 0; i < probe_count; i++)
		if (READ_ONCE(*direct(target)) == target->value)
			atomic_inc(&target->seen);
}

static void write_on_cpu(unsigned int cpu, void *data)
{
	struct target *target = data;

	probe_meet(&target->arrived, target->cpus);
	WRITE_ONCE(*direct(target), 0x41410000 + cpu);
}

static void look(struct seq_file *out, struct target *target)
{
	u32 *mapped;

	seq_printf(out, "direct map: %x\n", READ_ONCE(*direct(target)));
	mapped = vmap(&target->page, 1, VM_MAP, PAGE_KERNEL);
	if (mapped) {
		seq_printf(out, "another mapping: %x\n",
			   READ_ONCE(mapped[target->offset / sizeof(u32)]));
		vunmap(mapped);
	}
	atomic_set(&target->arrived, 0);
	probe_on_each_cpu(read_on_cpu, target);
	seq_printf(out, "all CPUs at once: %d times\n", atomic_read(&target->seen));
	atomic_set(&target->arrived, 0);
	probe_on_each_cpu(write_on_cpu, target);
	seq_printf(out, "written by all CPUs: %x\n", READ_ONCE(*direct(target)));
}

/** probe_pal_show - look at the page, write to it */
int probe_pal_show(struct seq_file *out, void *unused)
{
	struct target target = {
		.page = find_page(), .offset = offset_in_page(address),
		.cpus = num_online_cpus(), .value = 0x5ec2e7,
	};

	if (!target.page)
		return -ESRCH;
	look(out, &target);
	put_page(target.page);
	return 0;
}
