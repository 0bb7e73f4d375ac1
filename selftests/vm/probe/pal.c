// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a process (parameters pid and address), as a hostile kernel would get at
 * it. What comes out is what has been seen, not whether that is good: the same is done
 * to a page that is not in a PAL.
 */
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
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

struct get_work {
	struct work_struct work;
	struct mm_struct *mm;
	struct page *page;
	int got;
};

static void get_page_work(struct work_struct *work)
{
	struct get_work *get = container_of(work, struct get_work, work);

	kthread_use_mm(get->mm);
	get->got = get_user_pages_fast(address, 1, FOLL_FORCE, &get->page);
	kthread_unuse_mm(get->mm);
}

/* In a kernel thread, which can use any address space: the same in all kernels. */
static struct page *get_page_of(struct task_struct *task)
{
	struct get_work get = { .mm = get_task_mm(task) };

	if (!get.mm)
		return NULL;
	INIT_WORK_ONSTACK(&get.work, get_page_work);
	schedule_work(&get.work);
	flush_work(&get.work);
	destroy_work_on_stack(&get.work);
	mmput(get.mm);
	return get.got == 1 ? get.page : NULL;
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
