// SPDX-License-Identifier: GPL-2.0-only
/* VMX operation of L1: begin, end, the current VMCS; see nested.h. */
#include "core.h"
#include "cr.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "ept_view.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "nested/nested.h"
#include "pool.h"
#include "vcpu.h"
#include "vmx.h"

/**
 * nested_init - what a CPU needs for nested VMX
 *
 * Context: LATCH_OP_INIT. Return: 0 or -ENOMEM.
 */
int nested_init(struct percpu *cpu)
{
	struct nested *nested = pool_alloc();

	_Static_assert(sizeof(*nested) <= PAGE_SIZE, "one page");
	if (!nested)
		return -ENOMEM;
	nested->vmcs12 = pool_alloc();
	nested->no_table = pool_alloc();
	nested->scratch = pool_alloc();
	nested->vmcs02 = pool_alloc();
	nested->msr_bitmap = pool_alloc();
	nested->io_bitmap = pool_alloc();
	nested->sink = pool_alloc();
	if (!nested->sink)
		return -ENOMEM;
	memset(nested->io_bitmap, 0xff, PAGE_SIZE);
	nested->pointer = NESTED_NO_POINTER;
	nested->faulted = NESTED_NO_POINTER;
	cpu->nested = nested;
	return nested_shadow_init(nested);
}

/*
 * A value that the CPU does not take would be the end of the next entry, L1's too. CPUID tells
 * the bits in a way of its own for each kind of counter, so the CPU is asked; exits have
 * cleared the MSR. Without it nothing is loaded.
 */
static u64 find_perf_bits(const struct percpu *cpu)
{
	u64 bits = 0;
	u32 i;

	if (!cpu->has_perf_control)
		return ~0ull;
	for (i = 0; i < 64; i++)
		bits |= wrmsr_safe(MSR_PERF_GLOBAL_CTRL, BIT(i)) ? BIT(i) : 0;
	wrmsr(MSR_PERF_GLOBAL_CTRL, 0);
	return bits;
}

/** nested_perf_control_is_valid - does IA32_PERF_GLOBAL_CTRL of this CPU take these bits */
bool nested_perf_control_is_valid(u64 value)
{
	return !(value & ~this_cpu()->nested->perf_bits);
}

/* All of VMCS02 that no entry writes. */
static void init_vmcs02(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	u64 pa = pool_pa(nested->vmcs02);

	*(u32 *)nested->vmcs02 = nested_revision();
	vmclear(pa);
	nested->launched = false;
	vmptrld(pa);
	vcpu_set_host(cpu);
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	vmwrite(VMCS_MSR_BITMAP, pool_pa(nested->msr_bitmap));
	vcpu_set_perf_control(cpu);
	nested->bad_msr = 0;
	if (!nested->perf_bits)
		nested->perf_bits = find_perf_bits(cpu);
	vmptrld(pool_pa(cpu->vmcs));
}

/* In VMX operation these are fixed for L1, too. */
static void keep_registers(struct percpu *cpu, u64 cr0)
{
	struct keep what = { .cr0 = cr0 };

	cr_keep(cpu, KEEPER_NESTED, &what);
}

/**
 * nested_start - VMXON
 * @vmxon: VMXON pointer
 */
void nested_start(struct percpu *cpu, u64 vmxon)
{
	struct nested *nested = cpu->nested;

	vmcs12_init();
	init_vmcs02(cpu);
	keep_registers(cpu, CR0_VMX);
	nested->vmxon = vmxon;
	nested->msr_track.gpa = 0;
	nested->mode = NESTED_ROOT;
	cpu->page->vmx = 1;
	nested_shadow_start(cpu, true);
}

/**
 * nested_unblock_init - an INIT that came in VMX root operation is sent again
 *
 * L1 is about to leave that. The CPU puts it in order with what else there is at an entry.
 */
void nested_unblock_init(struct percpu *cpu)
{
	if (!cpu->nested->init_blocked)
		return;
	cpu->nested->init_blocked = false;
	__atomic_store_n(&cpu->init_wanted, 1, __ATOMIC_SEQ_CST);
	kick_one(cpu, cpu);
}

/** nested_stop - VMXOFF */
void nested_stop(struct percpu *cpu)
{
	nested_put_current(cpu);
	nested_shadow_start(cpu, false);
	nested_ept_drop(cpu);
	vmclear(pool_pa(cpu->nested->vmcs02));
	keep_registers(cpu, 0);
	/* Two CPUs that do this at once: one of them sees that it is the last. */
	__atomic_store_n(&cpu->nested->mode, NESTED_OFF, __ATOMIC_SEQ_CST);
	nested_track_end(cpu);
	cpu->page->vmx = 0;
	if (cpu->keep[KEEPER_GUARD].tables)
		hypapp_registers_loaded(cpu);
	nested_unblock_init(cpu);
}

/* The guest state that only VMCS02 has. */
static void put_cold(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;

	if (!nested->cold)
		return;
	vmptrld(pool_pa(nested->vmcs02));
	vmcs12_load(nested->vmcs12, &vmcs12_cold);
	vmptrld(pool_pa(cpu->vmcs));
	nested->cold = false;
}

/**
 * nested_get_current - VMPTRLD
 * @pointer: guest-physical address, which has been checked
 */
void nested_get_current(struct percpu *cpu, u64 pointer)
{
	struct nested *nested = cpu->nested;

	guest_read_physical(pointer, nested->vmcs12, sizeof(*nested->vmcs12));
	nested->pointer = pointer;
	nested->dirty = true;
	/* What another guest of L1's has written to where it may not. */
	memset(nested->sink, 0, PAGE_SIZE);
	nested_shadow_write(cpu);
}

/** nested_put_current - write the current VMCS back; there is none any more */
void nested_put_current(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;

	if (nested->pointer == NESTED_NO_POINTER)
		return;
	nested_shadow_read(cpu);
	put_cold(cpu);
	guest_write_physical(nested->pointer, nested->vmcs12, sizeof(*nested->vmcs12));
	nested->pointer = NESTED_NO_POINTER;
	nested_shadow_write(cpu);
}

/**
 * nested_sync - this CPU has followed a change of the common EPT
 *
 * Hypapps, and what the guest may enter by VMFUNC, follow here too. What EPT02 and VMCS02
 * have of it is older. Context: root mode, any VMCS is current; VMCS02 if L2 is in a view.
 */
void nested_sync(struct percpu *cpu)
{
	bool in_guest = nested_in_guest(cpu);

	/* What it would do with VMCS01 current is not for L2's. */
	nested_view_leave(cpu);
	if (nested_is_on(cpu)) {
		nested_ept_follow(cpu);
		cpu->nested->revalidate = true;
		cpu->nested->msr_track.gpa = 0;
	}
	/* Hypapps know of L1 only. */
	if (in_guest)
		vmptrld(pool_pa(cpu->vmcs));
	ept_switch_sync(cpu);
	hypapp_sync(cpu);
	if (in_guest) {
		cpu->nested->msr_own = pool_va(vmread(VMCS_MSR_BITMAP));
		vmptrld(pool_pa(cpu->nested->vmcs02));
	}
}

/**
 * nested_handle_init - an INIT that is the guest's, in VMX operation
 *
 * It is an exit of L2's, and blocked as long as L1 itself runs (SDM vol. 3, 24.8).
 */
void nested_handle_init(struct percpu *cpu)
{
	if (nested_in_guest(cpu))
		nested_exit(cpu, EXIT_INIT, 0);
	else
		cpu->nested->init_blocked = true;
}
