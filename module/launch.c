// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch and leave, on one CPU and on all of them.
 *
 * All CPUs are held in stop_machine() while they are launched: each with
 * interrupts off, none in the middle of anything, hotplug locked out. If one of
 * them fails, those that were launched leave again before Linux goes on.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include "latch.h"

/* An int3 or a fault between the two worlds would end the machine. */
NOKPROBE_SYMBOL(latch_cpu_page_prepare);
NOKPROBE_SYMBOL(latch_tramp_enter);
NOKPROBE_SYMBOL(latch_tramp_leave);

/* Physical address of something in the module's text. */
static u64 text_phys(const void *addr)
{
	return page_to_phys(vmalloc_to_page(addr)) + offset_in_page(addr);
}

static int call_init(u64 bootstrap_cr3)
{
	unsigned int cpu = get_cpu();
	struct latch_cpu_page *page = latch_cpu_page(cpu);
	unsigned long flags;
	long ret;

	local_irq_save(flags);
	latch_cpu_page_prepare(page, LATCH_OP_INIT, cpu, bootstrap_cr3, latch.entry);
	ret = latch_tramp_enter(page);
	local_irq_restore(flags);
	put_cpu();
	return ret ? latch_failure_report(cpu, &page->error, 0) : 0;
}

/**
 * latch_core_init - run LATCH_OP_INIT
 *
 * Return: 0 or a negative errno, which has been reported.
 */
int latch_core_init(void)
{
	unsigned int order = get_order(LATCH_BOOTMAP_PAGES * PAGE_SIZE);
	struct latch_bootmap map = {
		.pages = LATCH_BOOTMAP_PAGES, .levels = latch.boot.levels
	};
	struct latch_error error = {
		.reason = LATCH_REASON_NO_MEMORY, .step = LATCH_STEP_BOOTMAP,
		.value = LATCH_BOOTMAP_PAGES
	};
	void *boot = latch.chunk[0] + ((struct latch_image *)latch_image_start)->boot;
	int ret = latch_failure_injected(LATCH_STEP_BOOTMAP);

	if (ret)
		return ret;
	map.va = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!map.va)
		return latch_failure_report(raw_smp_processor_id(), &error, 0);
	map.pa = virt_to_phys(map.va);
	if (latch_bootmap_build(&map, &latch.boot, text_phys(latch_tramp_page)))
		ret = latch_failure_report(raw_smp_processor_id(), &error, 0);
	else
		ret = call_init(map.pa);
	/* Now, since it reads as zeros once a CPU is launched. */
	memcpy(&latch.boot, boot, sizeof(latch.boot));
	free_pages((unsigned long)map.va, order);
	return ret;
}

/**
 * latch_launch_this_cpu - put the calling CPU under Latch
 *
 * Context: interrupts off. Return: 0, or non-zero and the CPU page says why.
 */
int latch_launch_this_cpu(void)
{
	unsigned int cpu = smp_processor_id();
	struct latch_cpu_page *page = latch_cpu_page(cpu);
	long ret;

	/* A CPU that came online a moment ago may have been launched then. */
	if (cpumask_test_cpu(cpu, &latch.cpus))
		return 0;
	latch_cpu_page_prepare(page, LATCH_OP_LAUNCH, cpu, latch.boot.cr3, latch.entry);
	ret = latch_tramp_enter(page);
	if (!ret)
		cpumask_set_cpu(cpu, &latch.cpus);
	return ret;
}

/**
 * latch_leave_this_cpu - take the calling CPU out again, if it is under Latch
 *
 * Context: interrupts off.
 */
void latch_leave_this_cpu(void)
{
	unsigned int cpu = smp_processor_id();

	if (!cpumask_test_cpu(cpu, &latch.cpus))
		return;
	cpumask_clear_cpu(cpu, &latch.cpus);
	/* Core has failed here before and has given the CPU back. */
	if (READ_ONCE(latch_cpu_page(cpu)->mode) == LATCH_CPU_FAILED)
		return;
	latch_tramp_leave();
}

struct rendezvous {
	atomic_t arrived;
	atomic_t failed;
};

static int launch_stopped(void *data)
{
	struct rendezvous *meet = data;

	if (latch_launch_this_cpu())
		atomic_inc(&meet->failed);
	/* Full barrier: what a CPU has failed with is seen by all that go on. */
	atomic_inc_return(&meet->arrived);
	while (atomic_read(&meet->arrived) < num_online_cpus())
		cpu_relax();
	if (atomic_read(&meet->failed))
		latch_leave_this_cpu();
	return 0;
}

static int leave_stopped(void *data)
{
	latch_leave_this_cpu();
	return 0;
}

static int report_failures(unsigned int failed)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (latch_cpu_page(cpu)->error.reason != LATCH_REASON_NONE)
			return latch_failure_report(cpu, &latch_cpu_page(cpu)->error, failed - 1);
	return -EIO;
}

/**
 * latch_launch_all - put all online CPUs under Latch, or none
 *
 * Context: process, may sleep. Return: 0 or a negative errno, reported.
 */
int latch_launch_all(void)
{
	struct rendezvous meet = { };
	unsigned int cpu;
	int ret;

	for_each_possible_cpu(cpu)
		latch_cpu_page(cpu)->error.reason = LATCH_REASON_NONE;
	ret = stop_machine(launch_stopped, &meet, cpu_online_mask);
	if (!ret && atomic_read(&meet.failed))
		ret = report_failures(atomic_read(&meet.failed));
	return ret;
}

/**
 * latch_leave_all - take all CPUs out
 *
 * Context: process, may sleep.
 */
void latch_leave_all(void)
{
	stop_machine(leave_stopped, NULL, cpu_online_mask);
}
