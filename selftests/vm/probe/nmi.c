// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs, one after the other, to a CPU that executes CPUID in a loop: under Latch
 * most of them come while the CPU is in root mode or between the two. As many
 * must be handled as were sent.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/processor.h>
#include "probe.h"


#define XAPIC_ID		0x20
#define XAPIC_ICR_LOW		0x300
#define XAPIC_ICR_HIGH		0x310
#define X2APIC_ID		0x802
#define X2APIC_ICR		0x830
#define ICR_NMI			0x4400	/* NMI, physical destination, assert */
#define ICR_BUSY		BIT(12)
#define LOST_AFTER_LOOPS	1000000
#define ENOUGH_LOST		10

static struct {
	void __iomem *apic;
	bool x2apic;
	u32 apic_id[LATCH_MAX_CPUS];
	unsigned int target;
	bool stop;
	u64 loops;
	atomic_t handled;
	atomic_t elsewhere;
} nmi;

static int nmi_handler(unsigned int cmd, struct pt_regs *regs)
{
	if (raw_smp_processor_id() == nmi.target)
		atomic_inc(&nmi.handled);
	else
		atomic_inc(&nmi.elsewhere);
	return NMI_HANDLED;
}

static void read_apic_id(unsigned int cpu, void *data)
{
	nmi.apic_id[cpu] = nmi.x2apic ? (u32)probe_rdmsr(X2APIC_ID) : readl(nmi.apic + XAPIC_ID) >> 24;
}

static void send_nmi(u32 apic_id)
{
	unsigned long flags;

	if (nmi.x2apic) {
		probe_wrmsr(X2APIC_ICR, (u64)apic_id << 32 | ICR_NMI);
		return;
	}
	/* An interrupt in between would send an IPI of its own. */
	local_irq_save(flags);
	while (readl(nmi.apic + XAPIC_ICR_LOW) & ICR_BUSY)
		cpu_relax();
	writel(apic_id << 24, nmi.apic + XAPIC_ICR_HIGH);
	writel(ICR_NMI, nmi.apic + XAPIC_ICR_LOW);
	local_irq_restore(flags);
}

static int target_thread(void *data)
{
	u32 eax, ebx, ecx, edx;

	while (!READ_ONCE(nmi.stop)) {
		eax = 0;
		ecx = 0;
		asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
		nmi.loops++;
		if (!(nmi.loops & 1023))
			cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static bool wait_handled(u32 before)
{
	u32 i;

	for (i = 0; i < LOST_AFTER_LOOPS; i++) {
		if (atomic_read(&nmi.handled) != before)
			return true;
		cpu_relax();
	}
	return false;
}

/* The pause varies, so that the NMI finds the target in another place each time. */
static void storm(struct seq_file *out)
{
	u32 i, j, before, lost = 0, twice = 0;

	for (i = 0; i < probe_count && lost < ENOUGH_LOST; i++) {
		before = atomic_read(&nmi.handled);
		send_nmi(nmi.apic_id[nmi.target]);
		if (!wait_handled(before))
			lost++;
		for (j = 0; j < i * 7 % 61; j++)
			cpu_relax();
		if (atomic_read(&nmi.handled) > before + 1)
			twice++;
		if (!(i & 63))
			cond_resched();
	}
	udelay(100);
	probe_result(out, !lost && !twice && atomic_read(&nmi.handled) == i,
		     "as many NMIs handled as sent", "%u sent to CPU %u, %u handled, %u lost, %u twice",
		     i, nmi.target, atomic_read(&nmi.handled), lost, twice);
	probe_result(out, !atomic_read(&nmi.elsewhere), "no NMI on another CPU", "%u",
		     atomic_read(&nmi.elsewhere));
}

static int prepare(void)
{
	u64 base = probe_rdmsr(MSR_IA32_APICBASE);

	nmi.x2apic = base & X2APIC_ENABLE;
	nmi.apic = NULL;
	if (!nmi.x2apic)
		nmi.apic = ioremap(base & 0xffffff000ull, PAGE_SIZE);
	if (!nmi.x2apic && !nmi.apic)
		return -ENOMEM;
	atomic_set(&nmi.handled, 0);
	atomic_set(&nmi.elsewhere, 0);
	nmi.stop = false;
	nmi.loops = 0;
	return probe_on_each_cpu(read_apic_id, NULL);
}

static int run_storm(struct seq_file *out)
{
	struct task_struct *thread;
	unsigned int cpu;
	int ret;

	cpu = get_cpu();
	nmi.target = cpumask_any_but(cpu_online_mask, cpu);
	put_cpu();
	if (nmi.target >= nr_cpu_ids)
		return -ENODEV;
	thread = kthread_create(target_thread, NULL, "nmi-target");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, nmi.target);
	ret = register_nmi_handler(NMI_LOCAL, nmi_handler, NMI_FLAG_FIRST, "latch_probe");
	wake_up_process(thread);
	if (!ret) {
		while (!READ_ONCE(nmi.loops))
			cond_resched();
		storm(out);
		unregister_nmi_handler(NMI_LOCAL, "latch_probe");
	}
	WRITE_ONCE(nmi.stop, true);
	kthread_stop(thread);
	probe_result(out, nmi.loops > probe_count / 10, "the target executed CPUID all the while",
		     "%llu times, APIC %s", nmi.loops, nmi.x2apic ? "x2APIC" : "xAPIC");
	return ret;
}

/** probe_nmi_show - send "count" NMIs to a CPU in a CPUID loop */
int probe_nmi_show(struct seq_file *out, void *unused)
{
	int ret = prepare();

	if (!ret)
		ret = run_storm(out);
	if (nmi.apic)
		iounmap(nmi.apic);
	return ret;
}

/*
 * NMIs from outside, as from port 0x8904 of the emulator: nobody's, so Linux would
 * complain about each.
 */
static atomic_t claimed;
static bool claiming;

static int claim_handler(unsigned int cmd, struct pt_regs *regs)
{
	atomic_inc(&claimed);
	return NMI_HANDLED;
}

/** probe_nmi_claim - handle all NMIs from now on, whoever sends them */
int probe_nmi_claim(void)
{
	int ret;

	if (claiming)
		return -EBUSY;
	atomic_set(&claimed, 0);
	ret = register_nmi_handler(NMI_LOCAL, claim_handler, NMI_FLAG_FIRST, "latch_probe_claim");
	claiming = !ret;
	return ret;
}

/** probe_nmi_release - no longer; fails if none came */
int probe_nmi_release(void)
{
	if (!claiming)
		return -EINVAL;
	unregister_nmi_handler(NMI_LOCAL, "latch_probe_claim");
	claiming = false;
	return atomic_read(&claimed) ? 0 : -ENODATA;
}

/** probe_nmi_exit - the module goes away */
void probe_nmi_exit(void)
{
	if (claiming)
		probe_nmi_release();
}
