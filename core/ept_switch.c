// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views that the guest enters by itself; see ept_switch.h.
 *
 * Without such views nothing is on, and VMFUNC is #UD. With them each CPU has a list of
 * its own, which is up to date behind ept_switch_sync(). A view is only left to itself,
 * with no exit between core and what runs in it, on a CPU that is set up so that nothing
 * of the kernel's can happen there: see is_right(). What could change that exits.
 */
#include "core.h"
#include "cr.h"
#include "crash.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "exit.h"
#include "fpu.h"
#include "kick.h"
#include "log.h"
#include "pool.h"
#include "vmx.h"

#define LOW_BYTE	0xffull
#define ARCH_PERFMON	BIT(8)			/* CPUID.7.1:EAX: leaf 23H */
#define ARCH_PEBS	(BIT(4) | BIT(5))	/* CPUID.23.0:EAX */

/* @views: changed by one CPU at a time. @components, @cr4: what all CPUs must have. */
static struct {
	u64 generation;
	struct ept_switch *views[EPT_SWITCHES];
	u64 components, cr4;
} switches;

static bool has_arch_pebs(void)
{
	return cpuid(0, 0).eax >= 0x23 && cpuid(7, 1).eax & ARCH_PERFMON &&
	       cpuid(0x23, 0).eax & ARCH_PEBS;
}

/**
 * ept_switch_possible - has the CPU what it takes
 *
 * Where PEBS does without IA32_DS_AREA nothing would keep its records out of the views.
 */
bool ept_switch_possible(void)
{
	u64 need = SECONDARY_VMFUNC | SECONDARY_DESCRIPTORS, functions = 0;

	return (rdmsr(MSR_VMX_PROCBASED_CTLS2) >> 32 & need) == need &&
	       rdmsr_safe(MSR_VMX_VMFUNC, &functions) && functions & FUNCTION_EPTP_SWITCHING &&
	       core.has_xsave && !has_arch_pebs();
}

static bool any_views(void)
{
	u32 i;

	for (i = 0; i < EPT_SWITCHES; i++)
		if (switches.views[i])
			return true;
	return false;
}

/**
 * ept_switch_prepare - views like this CPU's world are about to be made
 *
 * Context: one CPU at a time. Return: 0; -ENOMEM; -EBUSY if there are views that belong to
 * another mode of paging, or other vector registers.
 */
int ept_switch_prepare(struct percpu *cpu)
{
	u64 cr4 = vmread(VMCS_GUEST_CR4) & CR4_LA57, components = fpu_components();
	u32 i;

	(void)cpu;
	if (any_views())
		return switches.cr4 == cr4 && switches.components == components ? 0 : -EBUSY;
	switches.cr4 = cr4;
	switches.components = components;
	for (i = 0; i < boot.nr_cpus; i++) {
		if (!percpu_of(i)->eptp_list)
			percpu_of(i)->eptp_list = pool_alloc();
		if (!percpu_of(i)->eptp_list)
			return -ENOMEM;
	}
	return 0;
}

/**
 * ept_switch_release - give the lists back
 *
 * Context: there are no views, and all other CPUs stand still.
 */
void ept_switch_release(void)
{
	struct percpu *cpu;
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++) {
		cpu = percpu_of(i);
		/* One that has not followed could still use it. */
		if (!cpu->eptp_list || cpu->switching != SWITCHING_OFF)
			continue;
		pool_free(cpu->eptp_list);
		cpu->eptp_list = NULL;
	}
}

/** ept_switch_find_free - a pair that nobody has, or -ENOSPC */
int ept_switch_find_free(void)
{
	u32 i;

	for (i = 0; i < EPT_SWITCHES; i++)
		if (!switches.views[i])
			return (int)i;
	return -ENOSPC;
}

static bool all_follow(u32 pair)
{
	const struct percpu *cpu;
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++) {
		cpu = percpu_of(i);
		if (READ_ONCE(cpu->mode) == LATCH_CPU_GUEST && READ_ONCE(cpu->switches[pair]))
			return false;
	}
	return true;
}

/**
 * ept_switch_set - let the guest enter a pair of views, or not any more
 * @cpu: this CPU
 * @pair: its number
 * @views: the views; NULL: none
 *
 * On return all CPUs have it so, and none is in a view that is no more. Context: as for
 * ept_guest_shoot_down(), one CPU at a time. Return: false if a CPU does not follow: then
 * the views are to stay in memory for ever.
 */
bool ept_switch_set(struct percpu *cpu, u32 pair, struct ept_switch *views)
{
	__atomic_store_n(&switches.views[pair], views, __ATOMIC_RELEASE);
	__atomic_add_fetch(&switches.generation, 1, __ATOMIC_SEQ_CST);
	ept_guest_shoot_down(cpu);
	return views || all_follow(pair);
}

/* Where the page tables of a view lead nowhere. */
static bool in_kernel_half(u64 linear)
{
	return linear >> 63;
}

static bool tables_are_right(void)
{
	return in_kernel_half(vmread(VMCS_GUEST_IDTR_BASE)) &&
	       in_kernel_half(vmread(VMCS_GUEST_GDTR_BASE)) &&
	       in_kernel_half(vmread(VMCS_GUEST_TR_BASE)) &&
	       (vmread(VMCS_GUEST_LDTR_ACCESS) & SEGMENT_UNUSABLE ||
		in_kernel_half(vmread(VMCS_GUEST_LDTR_BASE)));
}

/* Branch and PEBS records go to linear addresses that are in this area. */
static bool records_are_right(void)
{
	u64 area = 0;

	return !(cpuid(1, 0).edx & CPUID_DS) || !rdmsr_safe(MSR_DS_AREA, &area) || !area ||
	       in_kernel_half(area);
}

/*
 * May the guest of this CPU be left alone in a view? Then events find no IDT and so come
 * to core, the page tables of the view mean what they should, and XRSTOR reaches all
 * registers. Bits of CR4 that are not known may be other ways to deliver events.
 */
static bool is_right(void)
{
	u64 paging = CR0_PG | CR0_PE, cr4 = vmread(VMCS_GUEST_CR4);

	return (vmread(VMCS_GUEST_CR0) & paging) == paging &&
	       vmread(VMCS_GUEST_EFER) & EFER_LMA && (cr4 & CR4_LA57) == switches.cr4 &&
	       !(cr4 & ~(CR4_KNOWN | CR4_FIXED)) && fpu_components() == switches.components &&
	       tables_are_right() && records_are_right();
}

static void keep(struct percpu *cpu, bool on)
{
	struct keep what = { };

	/* Out of long mode, where all this means something else, the way is by CR0.PG. */
	if (on)
		what = (struct keep) { CR0_PG, ~(CR4_KNOWN | CR4_FIXED), true };
	cr_keep(cpu, KEEPER_SWITCH, &what);
}

/* In a view that core itself has put this CPU into. */
static bool is_elsewhere(const struct percpu *cpu)
{
	return cpu->eptp != ept_guest_pointer();
}

static void set_functions(struct percpu *cpu, u8 switching)
{
	u64 secondary = vmread(VMCS_SECONDARY_CONTROLS) & ~SECONDARY_VMFUNC;

	cpu->switching = switching;
	vmwrite(VMCS_VM_FUNCTION_CONTROLS,
		switching == SWITCHING_ON && !is_elsewhere(cpu) ? FUNCTION_EPTP_SWITCHING : 0);
	vmwrite(VMCS_EPTP_LIST_ADDRESS, pool_pa(cpu->eptp_list));
	vmwrite(VMCS_SECONDARY_CONTROLS,
		secondary | (switching == SWITCHING_OFF ? 0 : SECONDARY_VMFUNC));
	keep(cpu, switching == SWITCHING_ON);
}

/** ept_switch_init - this CPU is about to be launched, with a new VMCS */
void ept_switch_init(struct percpu *cpu)
{
	cpu->eptp = ept_guest_pointer();
	cpu->switching = SWITCHING_OFF;
	cpu->switches_seen = 0;
	memset(cpu->switches, 0, sizeof(cpu->switches));
	memset(cpu->keep, 0, sizeof(cpu->keep));
}

static void write_list(struct percpu *cpu)
{
	struct ept_switch *views;
	u32 i;

	memset(cpu->eptp_list, 0, PAGE_SIZE);
	cpu->eptp_list[EPT_SWITCH_COMMON] = ept_guest_pointer();
	for (i = 0; i < EPT_SWITCHES; i++) {
		views = __atomic_load_n(&switches.views[i], __ATOMIC_ACQUIRE);
		WRITE_ONCE(cpu->switches[i], views);
		if (!views)
			continue;
		cpu->eptp_list[EPT_SWITCH_FULL(i)] = ept_pointer(views->full->ept.root) & ~LOW_BYTE;
		cpu->eptp_list[EPT_SWITCH_GATE(i)] = ept_pointer(views->gate_root[cpu->index]);
	}
}

/**
 * ept_switch_sync - have this CPU agree with what views there are
 *
 * It is taken out of any view first: between the gate's view and the full one the list
 * must not change.
 */
void ept_switch_sync(struct percpu *cpu)
{
	u64 generation = __atomic_load_n(&switches.generation, __ATOMIC_ACQUIRE);

	if (cpu->switches_seen == generation || !cpu->eptp_list)
		return;
	if (cpu->view && !cpu->view->common)
		cpu->view->interrupt(cpu);
	cpu->switches_seen = generation;
	write_list(cpu);
	if (any_views())
		set_functions(cpu, is_right() ? SWITCHING_ON : SWITCHING_HELD);
	else if (cpu->switching != SWITCHING_OFF)
		set_functions(cpu, SWITCHING_OFF);
}

/**
 * ept_switch_follow - what the views depend on may have changed on this CPU
 *
 * In a view that is not common nothing can: and what is put away for it would not be right.
 */
void ept_switch_follow(struct percpu *cpu)
{
	if (cpu->switching == SWITCHING_OFF)
		return;
	if (cpu->view && !cpu->view->common)
		keep(cpu, cpu->switching == SWITCHING_ON);
	else
		set_functions(cpu, is_right() ? SWITCHING_ON : SWITCHING_HELD);
}

/** ept_switch_hold - nothing is kept as it is, for one instruction */
void ept_switch_hold(struct percpu *cpu)
{
	if (cpu->switching == SWITCHING_ON)
		keep(cpu, false);
}

/** ept_switch_stop - this CPU's guest begins anew, in real mode */
void ept_switch_stop(struct percpu *cpu)
{
	if (cpu->switching == SWITCHING_ON)
		set_functions(cpu, SWITCHING_HELD);
}

/* Core trusts no bit of what the guest could have put there: it finds it in the list. */
static struct ept_view *find(struct percpu *cpu, u64 eptp)
{
	u32 i;

	if (eptp == ept_guest_pointer())
		return NULL;
	for (i = 0; i < EPT_SWITCHES; i++) {
		if (!cpu->switches[i])
			continue;
		if (eptp == cpu->eptp_list[EPT_SWITCH_GATE(i)])
			return cpu->switches[i]->gate;
		if (eptp == ept_pointer(cpu->switches[i]->full->ept.root))
			return cpu->switches[i]->full;
	}
	crash_exit(cpu, EXIT_VMFUNC);
}

/** ept_switch_look - an exit: where has the guest gone since the last one */
void ept_switch_look(struct percpu *cpu)
{
	u64 eptp = vmread(VMCS_EPT_POINTER);

	if (eptp == cpu->eptp)
		return;
	cpu->eptp = eptp;
	cpu->view = find(cpu, eptp);
}

/** ept_switch_close - a full view cannot be entered on this CPU but by its gate */
void ept_switch_close(struct percpu *cpu, u32 pair)
{
	cpu->eptp_list[EPT_SWITCH_FULL(pair)] &= ~LOW_BYTE;
}

/**
 * ept_switch_leave - back to the common EPT, and the full view is closed
 * @cpu: this CPU
 * @pair: the pair of views that it is in one of
 */
void ept_switch_leave(struct percpu *cpu, u32 pair)
{
	ept_switch_close(cpu, pair);
	ept_view_leave(cpu);
}

static bool refuse(struct percpu *cpu)
{
	u32 i;

	for (i = 0; i < EPT_SWITCHES; i++)
		if (cpu->switches[i] && (u32)cpu->gpr->rcx == EPT_SWITCH_GATE(i))
			return cpu->switches[i]->refuse(cpu, cpu->switches[i]);
	return false;
}

/**
 * ept_switch_handle - VMFUNC exit
 *
 * There is nothing behind the number in the list, or VMFUNC is not allowed just now.
 */
void ept_switch_handle(struct percpu *cpu)
{
	if (cpu->view && cpu->view->vmfunc && cpu->view->vmfunc(cpu))
		return;
	if (!cpu->view && cpu->switching == SWITCHING_HELD) {
		ept_switch_follow(cpu);
		if (cpu->switching == SWITCHING_ON || refuse(cpu))
			return;
	}
	event_inject_exception(cpu, VECTOR_UD);
}
