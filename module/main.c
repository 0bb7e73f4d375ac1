// SPDX-License-Identifier: GPL-2.0-only
/*
 * latch.ko: put the running system under the hypervisor at insmod, and give it
 * back at rmmod.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include "compat.h"
#include "hypercall.h"
#include "latch.h"

struct latch latch;

static char *fail_at = "";
module_param(fail_at, charp, 0444);
MODULE_PARM_DESC(fail_at, "make a step of the launch fail, for tests: STEP[,CPU]");

static bool icr;
module_param(icr, bool, 0444);
MODULE_PARM_DESC(icr, "see all writes of the local APIC's interrupt command register, at the cost of an exit each");

static bool nested = true;
module_param(nested, bool, 0444);
MODULE_PARM_DESC(nested, "show VMX to the system, for KVM and other hypervisors (default: yes)");

static char *apps = "";
module_param(apps, charp, 0444);
MODULE_PARM_DESC(apps, "hypapps to switch on at once: NAME[,NAME...]");

static unsigned int pool_mib;
module_param(pool_mib, uint, 0444);
MODULE_PARM_DESC(pool_mib, "MiB of memory for hypapps, besides what core needs itself (at most 128 in all)");

static int note_end(struct resource *res, void *data)
{
	u64 *end = data;

	*end = max_t(u64, *end, res->end + 1);
	return 0;
}

static u64 find_ram_top(void)
{
	u64 end = 0;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
			    0, U64_MAX, &end, note_end);
	return end;
}

/*
 * In VMX operation of its own the CPU would not exit for VMCALL; Latch is refused then
 * anyway. With interrupts off nobody begins that here. In a nested guest there is a Latch
 * for PALs, and another one can be loaded all the same.
 */
static bool is_under_latch(void)
{
	unsigned long irq;
	u64 abi, flags;
	bool under;

	local_irq_save(irq);
	under = !(latch_compat_cr4() & X86_CR4_VMXE) &&
		latch_hypercall_is_answered(&abi, &flags) && abi == LATCH_ABI_VERSION &&
		!(flags & LATCH_VERSION_GUEST);
	local_irq_restore(irq);
	return under;
}

/* Core checks this too, but without VMX there is no need to get that far. */
static int check_vmx(void)
{
	struct latch_error error = {
		.reason = LATCH_REASON_NO_VMX, .step = LATCH_STEP_FEATURES
	};

	if (is_under_latch())
		error.reason = LATCH_REASON_UNDER_LATCH;
	else if (latch_compat_cpuid(1).ecx & BIT(5))
		return 0;
	return latch_failure_report(raw_smp_processor_id(), &error, 0);
}

static void fill_boot(void)
{
	latch.boot.tramp_va = (unsigned long)latch_tramp_page;
	latch.boot.tramp_exit = (unsigned long)latch_tramp_exit;
	latch.boot.leave_rip = (unsigned long)latch_tramp_left;
	latch.boot.ram_top = find_ram_top();
	latch.boot.levels = latch_compat_levels();
	latch.boot.flags = (icr ? LATCH_BOOT_ICR : 0) | (nested ? LATCH_BOOT_NESTED : 0);
}

/* Nothing is launched, so no other parameter has a meaning. */
static int init_guest(void)
{
	if (!*fail_at && !icr && nested && !*apps && !pool_mib)
		return latch_guest_init();
	pr_err("not loaded: guest=1 goes with no other parameter\n");
	return -EINVAL;
}

static int init_host(void)
{
	int ret = latch_failure_parse(fail_at, &latch.boot.fail_step, &latch.boot.fail_cpu);

	if (!ret)
		ret = check_vmx();
	if (ret)
		return ret;
	fill_boot();
	ret = latch_memory_alloc(latch.boot.ram_top, pool_mib);
	if (!ret)
		ret = latch_core_init();
	if (ret)
		goto err_memory;
	/* Hotplug is followed first, but only the rendezvous launches. */
	latch.hold = true;
	ret = latch_lifecycle_init();
	if (ret)
		goto err_memory;
	latch.hold = false;
	ret = latch_launch_all();
	if (!ret) {
		latch_linux_tell();
		ret = latch_hypapp_enable_list(apps);
	}
	if (ret)
		goto err_lifecycle;
	ret = latch_guard_init();
	if (ret)
		goto err_lifecycle;
	ret = latch_device_init();
	if (ret)
		goto err_guard;
	latch_vmx_init();
	pr_info("%*pbl: under Latch %u.%u.%u, %llu KiB hidden\n", cpumask_pr_args(&latch.cpus),
		LATCH_VERSION_MAJOR(latch.boot.version), LATCH_VERSION_MINOR(latch.boot.version),
		LATCH_VERSION_PATCH(latch.boot.version),
		(u64)latch.boot.nr_chunks * LATCH_CHUNK_SIZE / 1024);
	return 0;

err_guard:
	latch_guard_exit();
err_lifecycle:
	latch_lifecycle_leave();
	latch_lifecycle_exit();
err_memory:
	latch_memory_free();
	return ret;
}

static void exit_host(void)
{
	int ret;

	latch_device_exit();
	latch_vmx_exit();
	latch_guard_exit();
	ret = latch_lifecycle_leave();
	latch_lifecycle_exit();
	latch_watch_exit();
	latch_memory_free();
	if (!ret)
		pr_info("all CPUs are native again\n");
}

static int __init latch_init(void)
{
	return latch_is_guest() ? init_guest() : init_host();
}

static void __exit latch_exit(void)
{
	if (latch_is_guest())
		latch_guest_exit();
	else
		exit_host();
}

module_init(latch_init);
module_exit(latch_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Latch, a late-launch hypervisor");
MODULE_VERSION("0.1.0");
