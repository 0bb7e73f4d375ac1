// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving a CPU back: after a launch that failed, at unload, and after a failure
 * of core where that is still possible.
 */
#include "apic.h"
#include "core.h"
#include "percpu.h"
#include "pool.h"
#include "vcpu.h"
#include "vmx.h"

#define DESC_TSS_TYPE	0x89ull		/* present, 64-bit TSS, available */

/**
 * vcpu_can_load_tr - is there room in percpu.leave_gdt for this TSS
 * @selector: what TR is to be
 */
bool vcpu_can_load_tr(u16 selector)
{
	return selector >= 8 && selector / 8 + 1u < LEAVE_GDT_ENTRIES;
}

/*
 * The loader's own TSS descriptor is marked busy, and its GDT may be read-only:
 * so TR is loaded from a GDT that has the same descriptor, available, at the
 * same selector.
 */
static void load_loader_tr(struct percpu *cpu, const struct latch_cpu_state *state)
{
	struct descriptor_table gdtr = { sizeof(cpu->leave_gdt) - 1, (u64)cpu->leave_gdt };
	u64 base = state->tr_base, limit = state->limit[LATCH_TR];
	u64 *desc = &cpu->leave_gdt[state->sel[LATCH_TR] / 8];

	/* The change-over's gates have no IST: TR is about to be the loader's. */
	lidt(&cpu->change_over->idtr_limit);
	cpu->leave_gdt[SEL_CODE / 8] = cpu->gdt[SEL_CODE / 8];
	cpu->leave_gdt[SEL_DATA / 8] = cpu->gdt[SEL_DATA / 8];
	desc[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | DESC_TSS_TYPE << 40 |
		  (limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
	desc[1] = base >> 32;
	lgdt(&gdtr);
	asm volatile("ltr %0" : : "m" (state->sel[LATCH_TR]));
}

static void load_guest_msrs(const struct percpu *cpu)
{
	wrmsr(MSR_SYSENTER_CS, vmread(VMCS_GUEST_SYSENTER_CS));
	wrmsr(MSR_SYSENTER_ESP, vmread(VMCS_GUEST_SYSENTER_ESP));
	wrmsr(MSR_SYSENTER_EIP, vmread(VMCS_GUEST_SYSENTER_EIP));
	wrmsr(MSR_PAT, vmread(VMCS_GUEST_PAT));
	wrmsr(MSR_EFER, vmread(VMCS_GUEST_EFER));
	if (cpu->has_perf_control)
		wrmsr(MSR_PERF_GLOBAL_CTRL, cpu->msr_area[1]);
}

/**
 * vcpu_return - back to the loader's world
 * @page: the CPU page's frame: @state goes there for the trampoline to load
 * @change_over: its private copy, at the loader's address
 * @state: what to go on with
 *
 * Context: VMX off, TR the loader's, the change-over's IDT in use. Does not
 * return.
 */
void vcpu_return(struct latch_cpu_page *page, struct latch_cpu_page *change_over,
		 const struct latch_cpu_state *state)
{
	u64 stack = (u64)change_over + LATCH_CPU_STACK_TOP;
	u64 nmis = change_over->nmis;

	if (&page->state != state)
		page->state = *state;
	/* In this order: until core's page tables are in use the two are one. */
	change_over->nmis = 0;
	page->nmis += nmis;
	lgdt(&change_over->gdtr_limit);
	asm volatile("mov %0, %%rsp\n\tjmp *%1"
		     : : "r" (stack), "r" (boot.tramp_exit),
		       "D" (state->cr3), "S" (state->cr4), "d" (change_over) : "memory");
	__builtin_unreachable();
}

/**
 * vcpu_unwind - undo what a failed launch has done on this CPU
 * @cpu: this CPU
 * @step: the step that failed
 * @error: what the loader gets, negative
 */
void vcpu_unwind(struct percpu *cpu, u32 step, int error)
{
	if (step > LATCH_STEP_VMCLEAR)
		vmclear(pool_pa(cpu->vmcs));
	if (step > LATCH_STEP_VMXON)
		vmxoff();
	cpu->loader.gpr.rax = (u64)error;
	load_loader_tr(cpu, &cpu->loader);
	cpu->page->nmis += __atomic_exchange_n(&cpu->nmi_pending, 0, __ATOMIC_RELAXED);
	vcpu_return(cpu->page, cpu->change_over, &cpu->loader);
}

/**
 * vcpu_leave - take this CPU out of VMX operation, where the guest is
 * @cpu: this CPU, its VMCS current
 * @gpr: the guest's registers
 * @rip: where it goes on
 *
 * Does not return: the guest's code goes on, natively.
 */
void vcpu_leave(struct percpu *cpu, const struct latch_gpr *gpr, u64 rip)
{
	/* Core's own copy: other CPUs could change what is in public memory. */
	struct latch_cpu_state *state = &cpu->loader;

	vcpu_read_state(state, gpr);
	state->rip = rip;
	cpu->guest_exits = false;
	load_guest_msrs(cpu);
	vmclear(pool_pa(cpu->vmcs));
	vmxoff();
	apic_leave(cpu);
	load_loader_tr(cpu, state);
	write_cr0(state->cr0);
	cpu->page->nmis += __atomic_exchange_n(&cpu->nmi_pending, 0, __ATOMIC_RELAXED);
	vcpu_return(cpu->page, cpu->change_over, state);
}
