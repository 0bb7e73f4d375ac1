// SPDX-License-Identifier: GPL-2.0-only
/* The same on each CPU, in a kernel thread of it. */
#include <linux/cpu.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/workqueue.h>
#include "probe.h"

struct cpu_work {
	struct work_struct work;
	probe_cpu_function *function;
	void *data;
};

static void cpu_work_run(struct work_struct *work)
{
	struct cpu_work *item = container_of(work, struct cpu_work, work);

	item->function(raw_smp_processor_id(), item->data);
}

/**
 * probe_on_each_cpu - run @function on all online CPUs at once, and wait
 *
 * A worker is a kernel thread that is bound to its CPU: the registers that
 * belong to a task are the same in each one, at any time.
 */
int probe_on_each_cpu(probe_cpu_function *function, void *data)
{
	struct cpu_work *items = kcalloc(nr_cpu_ids, sizeof(*items), GFP_KERNEL);
	unsigned int cpu;

	if (!items)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		INIT_WORK(&items[cpu].work, cpu_work_run);
		items[cpu].function = function;
		items[cpu].data = data;
		schedule_work_on(cpu, &items[cpu].work);
	}
	for_each_online_cpu(cpu)
		flush_work(&items[cpu].work);
	cpus_read_unlock();
	kfree(items);
	return 0;
}

/** probe_meet - wait until @count CPUs are here, so that they go on at once */
void probe_meet(atomic_t *arrived, unsigned int count)
{
	atomic_inc(arrived);
	while (atomic_read(arrived) < count)
		cpu_relax();
}
