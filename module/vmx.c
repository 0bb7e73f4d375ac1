// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX in use above Latch: as long as a hypervisor of the system is in VMX operation no
 * CPU can be given back, so the module must not go.
 *
 * Nobody tells a module that KVM has begun to use VMX. Core does it on the CPU pages,
 * which are looked at once a second; the moment up to then is what latch_vmx_wait() is
 * for.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/workqueue.h>
#include "latch.h"

static bool held;

static void look(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(look_work, look);

/** latch_vmx_in_use - is the system in VMX operation on any CPU */
bool latch_vmx_in_use(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &latch.cpus)
		if (READ_ONCE(latch_cpu_page(cpu)->vmx))
			return true;
	return false;
}

static void look(struct work_struct *work)
{
	bool used = latch_vmx_in_use();

	if (used && !held)
		__module_get(THIS_MODULE);
	if (!used && held)
		module_put(THIS_MODULE);
	held = used;
	schedule_delayed_work(&look_work, HZ);
}

/** latch_vmx_init - from now on the module stays while VMX is in use */
void latch_vmx_init(void)
{
	schedule_delayed_work(&look_work, HZ);
}

/**
 * latch_vmx_exit - the module goes
 *
 * VMX may be in use since the last look: wait for it, there is no way back.
 */
void latch_vmx_exit(void)
{
	cancel_delayed_work_sync(&look_work);
	if (latch_vmx_in_use())
		pr_warn("VMX is in use, by guests of kvm_intel perhaps: unload waits for their end\n");
	while (latch_vmx_in_use())
		msleep(100);
}
