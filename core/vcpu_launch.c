// SPDX-License-Identifier: GPL-2.0-only
/*
 * LATCH_OP_LAUNCH: put the calling CPU into VMX non-root operation.
 *
 * A list of steps. Each can fail, and fails when the loader asked for it
 * (fail_at=); then the CPU goes back to exactly the state it came with.
 */
#include <latch/features.h>
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "paging.h"
#include "percpu.h"
#include "pool.h"
#include "vcpu.h"
#include "vmx.h"

struct launch {
	struct percpu *cpu;
	const struct latch_cpu_state *state;
	struct latch_error *error;
};

static int fail(struct launch *launch, u32 reason, u64 value)
{
	launch->error->reason = reason;
	launch->error->value = value;
	return -EIO;
}

static u64 capability(u32 index)
{
	return rdmsr(MSR_VMX_BASE + index);
}

static int check_feature(struct launch *launch, u32 feature, u32 index, u32 bit)
{
	return capability(index) & BIT(bit) ? 0 : fail(launch, LATCH_REASON_FEATURE, feature);
}

/* In the order in which one capability MSR says that the next one exists. */
static int step_features(struct launch *launch)
{
	u64 control;
	int ret = 0;

	if (!(cpuid(1, 0).ecx & BIT(5)))
		return fail(launch, LATCH_REASON_NO_VMX, 0);
	control = rdmsr(MSR_FEATURE_CONTROL);
	if (!(control & FEATURE_CONTROL_LOCKED))
		return fail(launch, LATCH_REASON_FC_UNLOCKED, control);
	if (!(control & FEATURE_CONTROL_OUTSIDE))
		return fail(launch, LATCH_REASON_FC_LOCKED, control);
	if (!(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS))
		return fail(launch, LATCH_REASON_CONTROLS, MSR_VMX_BASIC);
#define CHECK_FEATURE(id, index, bit, need, name, what) \
	if (!ret && (need) == LATCH_NEED) \
		ret = check_feature(launch, LATCH_FEATURE_##id, index, bit);
	LATCH_FEATURES(CHECK_FEATURE)
	return ret;
}

static int step_state(struct launch *launch)
{
	const struct latch_cpu_state *state = launch->state;
	u64 need = EFER_LME | EFER_LMA | EFER_NXE, efer = rdmsr(MSR_EFER);
	u64 fixed0 = rdmsr(MSR_VMX_CR0_FIXED0), fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	u64 cr4;

	if ((efer & need) != need || state->access[LATCH_TR] & SEGMENT_UNUSABLE)
		return fail(launch, LATCH_REASON_MODE, efer);
	if (state->cr4 & CR4_VMXE)
		return fail(launch, LATCH_REASON_VMX_ACTIVE, state->cr4);
	/* An outer hypervisor may offer less to a guest than to its own VM. */
	cr4 = CR4_KNOWN & rdmsr(MSR_VMX_CR4_FIXED1);
	if (state->cr4 & ~cr4)
		return fail(launch, LATCH_REASON_CR4_BITS, state->cr4 & ~cr4);
	if ((state->cr0 & fixed0) != fixed0 || state->cr0 & ~fixed1)
		return fail(launch, LATCH_REASON_CR0_BITS, state->cr0);
	return 0;
}

static int step_vmxon(struct launch *launch)
{
	u64 flags;

	*(u32 *)launch->cpu->vmxon = (u32)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	write_cr4(read_cr4() | CR4_VMXE);
	flags = vmxon(pool_pa(launch->cpu->vmxon));
	return flags ? fail(launch, LATCH_REASON_VMXON, flags) : 0;
}

static int step_vmclear(struct launch *launch)
{
	u64 flags;

	*(u32 *)launch->cpu->vmcs = (u32)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	flags = vmclear(pool_pa(launch->cpu->vmcs));
	return flags ? fail(launch, LATCH_REASON_VMCLEAR, flags) : 0;
}

static int step_vmptrld(struct launch *launch)
{
	u64 flags = vmptrld(pool_pa(launch->cpu->vmcs));

	return flags ? fail(launch, LATCH_REASON_VMPTRLD, flags) : 0;
}

static int step_controls(struct launch *launch)
{
	return vcpu_set_controls(launch->cpu, launch->error);
}

static int step_host(struct launch *launch)
{
	return vcpu_set_host(launch->cpu) ? 0 :
	       fail(launch, LATCH_REASON_VMWRITE, VMCS_HOST_CR0);
}

static int step_guest(struct launch *launch)
{
	return vcpu_write_state(launch->state) ? 0 :
	       fail(launch, LATCH_REASON_VMWRITE, VMCS_GUEST_CR0);
}

/*
 * Does not return when it works: the guest goes on in the trampoline, with the
 * VMCALL by which it joins. Before that other CPUs do not kick this one, since
 * an INIT that is pending when the launch fails would reset it.
 */
static int step_vmlaunch(struct launch *launch)
{
	struct percpu *cpu = launch->cpu;
	u64 flags;

	invept_all();
	invvpid_all();
	cpu->mtf = 0;
	cpu->vmlaunch = 0;
	cpu->gpr = NULL;
	cpu->leaving = false;
	percpu_set_mode(cpu, LATCH_CPU_OFF);
	cpu->step.active = false;
	ept_switch_init(cpu);
	cpu->init_wanted = 0;
	cpu->held = 0;
	cpu->apic_base = 0;
	cpu->history_next = 0;
	cpu->ept_seen = ept_guest_generation();
	cpu->apic_id = cpuid(1, 0).ebx >> 24;
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		cpu->apic_id = cpuid(0xb, 0).edx;
	cpu->guest_exits = true;
	event_collect_nmis(cpu);
	if (READ_ONCE(cpu->nmi_pending))
		event_inject_nmi(cpu);
	/*
	 * NMIs stay blocked up to JOIN: one may be noted just now, behind the look,
	 * and a second must not come before it has been injected.
	 */
	event_block_nmis();
	flags = vmx_launch(LATCH_HC_JOIN);
	cpu->guest_exits = false;
	/* An NMI that was to be injected goes back with the CPU. */
	if (vmread(VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID)
		WRITE_ONCE(cpu->nmi_pending, 1);
	return fail(launch, LATCH_REASON_VMLAUNCH,
		    flags & RFLAGS_ZF ? vmread(VMCS_INSTRUCTION_ERROR) : 0);
}

static const struct {
	u32 id;
	int (*run)(struct launch *launch);
} steps[] = {
	{ LATCH_STEP_FEATURES, step_features },
	{ LATCH_STEP_STATE, step_state },
	{ LATCH_STEP_VMXON, step_vmxon },
	{ LATCH_STEP_VMCLEAR, step_vmclear },
	{ LATCH_STEP_VMPTRLD, step_vmptrld },
	{ LATCH_STEP_CONTROLS, step_controls },
	{ LATCH_STEP_HOST, step_host },
	{ LATCH_STEP_GUEST, step_guest },
	{ LATCH_STEP_VMLAUNCH, step_vmlaunch },
};

static bool fail_wanted(u32 step, u32 cpu)
{
	return boot.fail_step == step && (boot.fail_cpu == LATCH_CPU_ANY || boot.fail_cpu == cpu);
}

/**
 * vcpu_launch - launch the calling CPU
 * @cpu: this CPU; @cpu->loader is the state that it came with
 * @error: out: where and why it failed
 *
 * Context: on the CPU's own stack, with core's tables loaded, interrupts off.
 * Return: a negative errno. With success it does not return here.
 */
int vcpu_launch(struct percpu *cpu, struct latch_error *error)
{
	struct launch launch = { cpu, &cpu->loader, error };
	u32 i;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(steps) && !ret; i++) {
		error->step = steps[i].id;
		if (fail_wanted(steps[i].id, cpu->index))
			ret = fail(&launch, LATCH_REASON_INJECTED, cpu->index);
		else
			ret = steps[i].run(&launch);
	}
	return ret;
}
