// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's life around Latch: CPUs come and go, the system sleeps, reboots.
 *
 * A CPU that goes offline stays under Latch: Linux parks it in HLT or MWAIT, and
 * brings it back by INIT and start-up IPI, which it takes there. Before suspend,
 * hibernation, reboot, power-off and kexec all CPUs leave: what comes then
 * (firmware, another kernel) must find the machine as it would be without Latch.
 * A panic is left alone: a crash kernel starts under Latch, so that core's memory
 * is hidden from the dump too.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/suspend.h>
#include "compat.h"
#include "latch.h"

static enum cpuhp_state cpuhp_slot;

/* Also called for each CPU that is online when the callback is registered. */
static int cpu_came_online(unsigned int cpu)
{
	unsigned long flags;
	int ret;

	if (cpumask_test_cpu(cpu, &latch.cpus))
		latch_guard_online();
	if (latch.hold || cpumask_test_cpu(cpu, &latch.cpus))
		return 0;
	local_irq_save(flags);
	ret = latch_launch_this_cpu();
	local_irq_restore(flags);
	if (ret)
		return latch_failure_report(cpu, &latch_cpu_page(cpu)->error, 0);
	return 0;
}

/* Only a CPU itself can leave, so those that are parked have to come back for it. */
static void bring_parked_online(struct cpumask *brought)
{
	unsigned int cpu;

	for_each_cpu(cpu, &latch.cpus)
		if (!cpu_online(cpu) && !add_cpu(cpu))
			cpumask_set_cpu(cpu, brought);
}

/**
 * latch_lifecycle_leave - take all CPUs out, also those that are offline
 *
 * From now on no CPU is launched until latch.hold is cleared. Context: process,
 * may sleep. Return: 0, or -EBUSY: the system is in VMX operation, or a CPU stays under
 * Latch, as it could not be brought online.
 */
int latch_lifecycle_leave(void)
{
	static struct cpumask brought;
	unsigned int cpu, tries;

	if (latch_vmx_in_use()) {
		pr_err("VMX is in use, by guests of kvm_intel perhaps: all CPUs stay under Latch\n");
		return -EBUSY;
	}
	latch.hold = true;
	cpumask_clear(&brought);
	/* Again: a CPU may have gone offline in between. */
	for (tries = 0; tries < 3; tries++) {
		bring_parked_online(&brought);
		latch_leave_all();
		if (cpumask_empty(&latch.cpus))
			break;
	}
	for_each_cpu(cpu, &brought)
		remove_cpu(cpu);
	if (cpumask_empty(&latch.cpus))
		return 0;
	pr_err("CPUs %*pbl are offline and do not come back: they stay under Latch\n",
	       cpumask_pr_args(&latch.cpus));
	return -EBUSY;
}

static void leave_for(const char *what)
{
	if (!latch_lifecycle_leave())
		pr_info("all CPUs are native for %s\n", what);
}

static int reboot_event(struct notifier_block *block, unsigned long event, void *data)
{
	if (latch_guard_locked()) {
		pr_info("guard is locked: all CPUs stay under Latch up to the reset\n");
		return NOTIFY_DONE;
	}
	leave_for(event == SYS_RESTART ? "the restart" : "power-off");
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = reboot_event };

static void join_again(void)
{
	latch.hold = false;
	if (!latch_launch_all())
		pr_info("all CPUs are under Latch again\n");
}

/* With an error the system does not sleep; then no other event comes here. */
static int leave_for_sleep(void)
{
	if (latch_guard_locked()) {
		pr_err("guard is locked: no suspend, since Latch would have to leave\n");
		return notifier_from_errno(-EBUSY);
	}
	if (!latch_lifecycle_leave()) {
		pr_info("all CPUs are native for suspend\n");
		return NOTIFY_DONE;
	}
	join_again();
	return notifier_from_errno(-EBUSY);
}

static int pm_event(struct notifier_block *block, unsigned long event, void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return leave_for_sleep();
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		join_again();
		break;
	}
	return NOTIFY_DONE;
}

/* Before the kernel's own, which forbids to bring the parked CPUs online. */
static struct notifier_block pm_notifier = { .notifier_call = pm_event, .priority = 1 };

/*
 * All other CPUs are offline: the last moment to refuse. Latch may have been loaded
 * after the notifiers were called, and what sleeps loses VMX operation unasked.
 */
static int refuse_sleep(void)
{
	if (cpumask_empty(&latch.cpus))
		return 0;
	pr_err("CPUs %*pbl are under Latch: no suspend\n", cpumask_pr_args(&latch.cpus));
	return -EBUSY;
}

LATCH_COMPAT_SYSCORE(last_chance, refuse_sleep);

/**
 * latch_lifecycle_init - follow the machine's life from now on
 *
 * Each online CPU is launched here if latch.hold is not set.
 * Return: 0 or a negative errno.
 */
int latch_lifecycle_init(void)
{
	int ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/latch:online",
				    cpu_came_online, NULL);

	if (ret < 0)
		return ret;
	cpuhp_slot = ret;
	ret = register_pm_notifier(&pm_notifier);
	if (ret)
		goto err_cpuhp;
	ret = register_reboot_notifier(&reboot_notifier);
	if (ret)
		goto err_pm;
	latch_compat_register_syscore(&last_chance);
	return 0;

err_pm:
	unregister_pm_notifier(&pm_notifier);
err_cpuhp:
	cpuhp_remove_state(cpuhp_slot);
	return ret;
}

/** latch_lifecycle_exit - stop following */
void latch_lifecycle_exit(void)
{
	latch_compat_unregister_syscore(&last_chance);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&pm_notifier);
	cpuhp_remove_state(cpuhp_slot);
}
