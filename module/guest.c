// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest=1: this kernel runs in a VM, and the Latch below is the one of the hypervisor's
 * machine. Nothing is launched; its programs have PALs in memory that was granted there.
 *
 * As long as there is such memory, VMCALLs for PALs reach Latch, and else the hypervisor,
 * which does not know them. So each of them may be #UD, or fail in a way of its own.
 */
#include <asm/cpufeature.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include "compat.h"
#include "hypercall.h"
#include "latch.h"

#define LAST_ERRNO	133	/* KVM's own errors are beyond */

static bool guest;
module_param(guest, bool, 0444);
MODULE_PARM_DESC(guest, "this is a VM whose programs may have PALs of the Latch below: launch nothing");

/** latch_is_guest - is it only PALs of a Latch below that this module is for */
bool latch_is_guest(void)
{
	return guest;
}

/**
 * latch_guest_call - latch_call_core() in a nested guest
 */
long latch_guest_call(u32 number, u64 *a, u64 *b, u64 *c)
{
	long ret = latch_hypercall_safe(number, a, b, c);

	return ret > 0 || ret < -LAST_ERRNO ? -ENXIO : ret;
}

/* On bare hardware, in VMX operation, VMCALL may be for a monitor in SMM. */
static bool is_answered(u64 *abi, u64 *flags)
{
	unsigned long irq;
	bool answered;

	local_irq_save(irq);
	answered = (boot_cpu_has(X86_FEATURE_HYPERVISOR) || !(latch_compat_cr4() & X86_CR4_VMXE)) &&
		   latch_hypercall_is_answered(abi, flags) && *flags & LATCH_VERSION_GUEST;
	local_irq_restore(irq);
	return answered;
}

/** latch_guest_is_answered - is there memory granted, so that calls can work */
bool latch_guest_is_answered(void)
{
	u64 abi, flags;

	return is_answered(&abi, &flags) && abi == LATCH_ABI_VERSION;
}

/*
 * What comes then, firmware or another kernel, knows of no PAL, and would find zeros in its
 * pages where it may not write either.
 */
static int reboot_event(struct notifier_block *block, unsigned long event, void *data)
{
	latch_pal_end_all();
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = reboot_event };

/**
 * latch_guest_init - guest=1
 *
 * Return: 0 or a negative errno, with a message.
 */
int latch_guest_init(void)
{
	u64 abi, flags;
	int ret;

	if (!is_answered(&abi, &flags)) {
		pr_err("not loaded: there is no Latch below that has memory of this machine granted, see hvctl pal grant\n");
		return -ENODEV;
	}
	if (abi != LATCH_ABI_VERSION) {
		pr_err("not loaded: the Latch below has ABI version %llu, this module %d\n", abi,
		       LATCH_ABI_VERSION);
		return -EPROTO;
	}
	ret = register_reboot_notifier(&reboot_notifier);
	if (ret)
		return ret;
	ret = latch_call_device_init();
	if (ret)
		unregister_reboot_notifier(&reboot_notifier);
	else
		pr_info("a nested guest: PALs are those of the Latch below\n");
	return ret;
}

/** latch_guest_exit - and no more; nobody has a PAL */
void latch_guest_exit(void)
{
	latch_call_device_exit();
	unregister_reboot_notifier(&reboot_notifier);
}
