// SPDX-License-Identifier: GPL-2.0-only
/* Tells core where Linux keeps its current tasks, so that core's messages can name them. */
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include "compat.h"
#include "latch.h"

/* The first chunk of per-CPU memory is in the direct map, others are not. */
static u64 physical(void *address)
{
	if (virt_addr_valid(address))
		return virt_to_phys(address);
	return page_to_phys(vmalloc_to_page(address)) + offset_in_page(address);
}

/**
 * latch_linux_tell - tell core; without it, it does not name tasks
 */
void latch_linux_tell(void)
{
	struct latch_linux *is = kzalloc(sizeof(*is), GFP_KERNEL);
	u64 a = (unsigned long)is, b = 0, c = 0;
	unsigned int cpu;

	if (!is)
		return;
	is->direct_map = PAGE_OFFSET;
	is->image_map = (unsigned long)&init_task - virt_to_phys(&init_task);
	is->pid = offsetof(struct task_struct, tgid);
	is->comm = offsetof(struct task_struct, comm);
	is->nr_cpus = nr_cpu_ids;
	for_each_possible_cpu(cpu)
		is->current_task[cpu] = physical(latch_compat_current(cpu));
	if (latch_call_core(LATCH_HC_LINUX, &a, &b, &c))
		pr_warn("core has not taken where tasks are: its messages do not name them\n");
	kfree(is);
}
