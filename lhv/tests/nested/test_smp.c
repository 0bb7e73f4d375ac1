// SPDX-License-Identifier: GPL-2.0-only
/* VMCSs that change CPUs, many of them, and what other CPUs send to one with a guest. */
#include "nested.h"

#define MSR_S_CET	0x6a2
#define S_CET_HOST	0x2ull
#define MANY		20
#define SIPI_VECTOR	0x9a

INSN(smp_count, "add $1, RBX\nsmp_count_cpuid:\tcpuid\n\tjmp smp_count");
extern const char smp_count_cpuid[];
INSN(smp_spin, "1:\tmovl $1, (RDI)\n\tpause\n\tjmp 1b");

/* --- many VMCSs on one CPU */

struct many {
	void *vmcs;
	struct hv_regs regs;
	bool launched;
};

/* One more step of a guest that counts its CPUIDs in RBX */
static bool many_step(struct hv *hv, struct many *one)
{
	bool good;

	if (vmptrld(ADDR(one->vmcs)))
		return false;
	hv->regs = one->regs;
	hv->regs.rax = 0;
	hv->launched = one->launched;
	good = hv_run(hv) == REASON_CPUID && hv->exit.rip == ADDR(smp_count_cpuid);
	hv_skip(hv);
	one->regs = hv->regs;
	one->launched = hv->launched;
	return good;
}

static void many_make(struct hv *hv, struct many *one, u32 number)
{
	one->vmcs = hv_vmcs_format(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	vmclear(ADDR(one->vmcs));
	vmptrld(ADDR(one->vmcs));
	hv_vmcs_fill(hv);
	hv_guest(hv, smp_count, 0);
	vmwrite(F_GUEST_DR7, 0x400);
	vmwrite(F_GUEST_SYSENTER_ESP, number);
	one->regs = (struct hv_regs) { .rbx = (u64)number << 32 };
	one->launched = false;
}

static void smp_many(struct hv *hv)
{
	struct many *many = mem_alloc(MANY * sizeof(*many), PAGE_SIZE);
	u32 i, round, steps = 0, right = 0;

	for (i = 0; i < MANY; i++)
		many_make(hv, &many[i], i);
	for (round = 0; round < 5; round++)
		for (i = 0; i < MANY; i++)
			steps += many_step(hv, &many[i * 7 % MANY]);
	ktap_check(steps == 5 * MANY, "%u steps of %u guests", steps, MANY);
	for (i = 0; i < MANY; i++) {
		vmptrld(ADDR(many[i].vmcs));
		right += many[i].regs.rbx == ((u64)i << 32 | 5) &&
			 vmread(F_GUEST_SYSENTER_ESP) == i;
		vmclear(ADDR(many[i].vmcs));
	}
	ktap_check(right == MANY, "%u have their own state", right);
}

/* --- one VMCS on all CPUs in turn */

static struct {
	struct many one;
	u32 steps;
} moved;

/* The host's state is the CPU's own. */
static void moved_host(struct hv *hv)
{
	vmwrite(F_HOST_TR_BASE, ADDR(&hv->host->tss));
	vmwrite(F_HOST_GDTR_BASE, ADDR(hv->host->gdt));
	vmwrite(F_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(F_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
}

static void moved_cpu(void *arg)
{
	struct hv *hv = hv_this();
	bool own = !arg;

	irq_disable();
	if (own && !hv_begin(hv)) {
		irq_enable();
		return;
	}
	if (own)
		hv_vmcs_reset(hv);
	if (!vmptrld(ADDR(moved.one.vmcs))) {
		moved_host(hv);
		moved.steps += many_step(hv, &moved.one);
	}
	vmclear(ADDR(moved.one.vmcs));
	moved.one.launched = false;
	if (own)
		hv_end(hv);
	irq_enable();
}

static void smp_moved(struct hv *hv)
{
	u32 round, cpu;

	many_make(hv, &moved.one, 0);
	vmclear(ADDR(moved.one.vmcs));
	moved.steps = 0;
	for (round = 0; round < 3; round++) {
		for (cpu = 0; cpu < nr_cpus; cpu++)
			cpu_call(cpu, moved_cpu, cpu ? NULL : PTR(1));
		irq_disable();
	}
	ktap_check(moved.steps == 3 * nr_cpus && moved.one.regs.rbx == 3 * nr_cpus,
		   "three steps on each CPU");
}

/* --- what comes from another CPU */

/**
 * struct target - a CPU with a guest
 * @running: the guest has started
 * @setup: what is special
 * @exit: how it ended
 * @sent: what setup_pending() waits for has been sent
 * @failed: exit reason of its entry that is to fail
 * @s_cet: IA32_S_CET of the guest
 */
struct target {
	u32 running;
	void (*setup)(void);
	struct hv_exit exit;
	u32 sent, failed;
	u64 s_cet;
};

static struct target target;

static void target_cpu(void *arg)
{
	struct hv *hv = hv_this();

	(void)arg;
	irq_disable();
	if (hv_begin(hv)) {
		hv_vmcs_reset(hv);
		hv_guest(hv, smp_spin, ADDR(&target.running));
		target.setup();
		hv_run(hv);
		target.exit = hv->exit;
		target.s_cet = vmread(F_GUEST_S_CET);
		if (hv_can(F_ENTRY_CONTROLS, ENTRY_LOAD_CET))
			wrmsr(MSR_S_CET, 0);
		hv_unblock_nmis();
		hv_end(hv);
	}
	irq_enable();
}

static bool target_start(void (*setup)(void))
{
	u64 end = rdtsc() + 1000 * tsc_khz;

	memset(&target, 0, sizeof(target));
	target.setup = setup;
	target.exit.reason = ~0u;
	cpu_call_start(1, target_cpu, NULL);
	while (!READ_ONCE(target.running))
		if (rdtsc() > end)
			return false;
	return true;
}

static void target_wait(void)
{
	while (!cpu_call_finished(1))
		cpu_relax();
}

static void setup_interrupts(void)
{
	hv_set(F_PIN_CONTROLS, PIN_EXTERNAL);
	hv_set(F_EXIT_CONTROLS, EXIT_ACKNOWLEDGE);
}

static void setup_nmis(void)
{
	hv_set(F_PIN_CONTROLS, PIN_NMI);
}

static void setup_nothing(void)
{
}

static void setup_wait_sipi(void)
{
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	/* The guest does not run, so it cannot say so. */
	target.running = 1;
}

/* In root operation INIT waits. The guest has IA32_S_CET of L1's. */
static void setup_pending(void)
{
	if (hv_can(F_ENTRY_CONTROLS, ENTRY_LOAD_CET)) {
		wrmsr(MSR_S_CET, S_CET_HOST);
		vmwrite(F_GUEST_S_CET, S_CET_HOST << 1);
	}
	target.running = 1;
	while (!READ_ONCE(target.sent))
		cpu_relax();
	delay_us(1000);
	/* It waits for an entry that does not fail. */
	vmwrite(F_GUEST_RFLAGS, 0);
	target.failed = hv_run(hv_this());
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
}

/* An event that is injected is delivered before. */
static void setup_pending_event(void)
{
	setup_pending();
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_EXTERNAL, IRQ_TEST));
}

static void smp_interrupt(struct hv *hv)
{
	(void)hv;
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	ktap_check(target_start(setup_interrupts), "the guest runs");
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | IRQ_TEST);
	target_wait();
	ktap_check(target.exit.reason == REASON_EXTERNAL &&
		   target.exit.event == EVENT(EVENT_EXTERNAL, IRQ_TEST), "exit %x, event %x",
		   target.exit.reason, target.exit.event);
}

static void smp_eoi(void *arg)
{
	(void)arg;
	lapic_eoi();
}

static void smp_nmi(struct hv *hv)
{
	u64 before;

	(void)hv;
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	/* The interrupt of the test before is still in service. */
	cpu_call(1, smp_eoi, NULL);
	before = cpus[1].nmis;
	ktap_check(target_start(setup_nmis), "the guest runs");
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_NMI);
	target_wait();
	ktap_check(target.exit.reason == REASON_EXCEPTION &&
		   target.exit.event == EVENT(EVENT_NMI, VECTOR_NMI), "exit %x, event %x",
		   target.exit.reason, target.exit.event);
	ktap_check(cpus[1].nmis == before, "the host has not handled it");
}

static void smp_init_sipi(struct hv *hv)
{
	u64 before;

	(void)hv;
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	ktap_check(target_start(setup_nothing), "the guest runs");
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_INIT);
	target_wait();
	ktap_check(target.exit.reason == REASON_INIT && !target.exit.qualification,
		   "INIT: exit %x", target.exit.reason);
	if (!(rdmsr(MSR_VMX_MISC) & MISC_WAIT_SIPI)) {
		ktap_skip("no entry into wait-for-SIPI");
		return;
	}
	ktap_check(target_start(setup_wait_sipi), "the guest waits");
	delay_us(20000);
	before = cpus[1].nmis;
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_NMI);
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_STARTUP | SIPI_VECTOR);
	target_wait();
	ktap_check(cpus[1].nmis == before + 1, "an NMI waits, and is the host's");
	ktap_check(target.exit.reason == REASON_SIPI &&
		   target.exit.qualification == SIPI_VECTOR &&
		   target.exit.activity == ACTIVITY_WAIT_SIPI,
		   "start-up IPI: exit %x, qualification %llx, activity %u",
		   target.exit.reason, target.exit.qualification, target.exit.activity);
}

/* The guest exits before its first instruction, and what it has is saved all the same. */
static void smp_init_pending(struct hv *hv)
{
	(void)hv;
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	ktap_check(target_start(setup_pending), "the CPU waits");
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_INIT);
	WRITE_ONCE(target.sent, 1);
	target_wait();
	ktap_check(target.failed == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE),
		   "pending INIT, bad RFLAGS: exit %x", target.failed);
	ktap_check(target.exit.reason == REASON_INIT && target.exit.rip == ADDR(smp_spin),
		   "pending INIT: exit %x", target.exit.reason);
	if (hv_can(F_ENTRY_CONTROLS, ENTRY_LOAD_CET))
		ktap_check(target.s_cet == S_CET_HOST, "pending INIT: IA32_S_CET %llx",
			   target.s_cet);
	ktap_check(target_start(setup_pending_event), "the CPU waits");
	lapic_ipi(cpus[1].apic_id, ICR_ASSERT | ICR_INIT);
	WRITE_ONCE(target.sent, 1);
	target_wait();
	ktap_check(target.exit.reason == REASON_INIT && !(target.exit.vectoring & EVENT_VALID) &&
		   target.exit.rip != ADDR(smp_spin) && !(target.exit.rflags & RFLAGS_IF),
		   "pending INIT, an event: exit %x, in its handler", target.exit.reason);
}

static const struct nested_case cases[] = {
	CASE("many VMCSs", smp_many),
	CASE("moved VMCS", smp_moved),
	CASE("interrupt", smp_interrupt),
	CASE("NMI", smp_nmi),
	CASE("INIT and start-up IPI", smp_init_sipi),
	CASE("pending INIT", smp_init_pending),
};

void test_nested_smp(void)
{
	/* Only the boot CPU calls others. */
	nested_run_on(0, cases, ARRAY_SIZE(cases));
}
