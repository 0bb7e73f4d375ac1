// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCALL: Latch's own calls, see include/uapi/linux/latch.h, and the way on to
 * the outer hypervisor for those of others.
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "hypercall.h"
#include "linux.h"
#include "log.h"
#include "nested/nested.h"
#include "quiesce.h"
#include "vcpu.h"
#include "vmx.h"

#define KVM_EPERM	1

static long hypercall_version(struct percpu *cpu)
{
	cpu->gpr->rdi = LATCH_ABI_VERSION;
	cpu->gpr->rsi = CORE_VERSION;
	cpu->gpr->rdx = core.nested ? LATCH_VERSION_NESTED : 0;
	if (nested_in_guest(cpu))
		cpu->gpr->rdx |= LATCH_VERSION_GUEST;
	return 0;
}

/* RDI comes back as it was. */
static long hypercall_ping(struct percpu *cpu)
{
	cpu->gpr->rsi = cpu->index;
	return 0;
}

static long hypercall_stat(struct percpu *cpu)
{
	u64 index = cpu->gpr->rdi, stat = cpu->gpr->rsi;

	if (index >= boot.nr_cpus || stat >= LATCH_STAT_LAST)
		return -EINVAL;
	cpu->gpr->rdi = percpu_stat(percpu_of((u32)index), (u32)stat);
	return 0;
}

static long hypercall_log(struct percpu *cpu)
{
	cpu->gpr->rdi = log_next();
	cpu->gpr->rsi = log_records();
	return 0;
}

static long hypercall_quiesce(struct percpu *cpu)
{
	u64 start = rdtsc();
	int held = quiesce_begin(cpu);

	if (held < 0)
		return held;
	quiesce_end(cpu);
	cpu->gpr->rdi = (u64)held;
	cpu->gpr->rsi = rdtsc() - start;
	return 0;
}

/* From now on this CPU is kicked when the EPT changes; so be up to date. */
static __attribute__((noinline)) long hypercall_join(struct percpu *cpu)
{
	if (cpu->mode != LATCH_CPU_OFF)
		return -EINVAL;
	/* Counterpart in step_vmlaunch(); an NMI that was noted comes right after this. */
	event_release(false);
	percpu_set_mode(cpu, LATCH_CPU_GUEST);
	quiesce_stand(cpu);
	apic_join(cpu);
	ept_guest_sync(cpu);
	/* They may have changed while nobody was here to follow. */
	ept_guest_follow_mtrrs(cpu);
	ept_switch_sync(cpu);
	hypapp_join(cpu);
	return 0;
}

/*
 * Only the loader leaves, and only from its trampoline. A kick that is on its
 * way must be taken first, since an INIT that is pending at VMXOFF resets the
 * CPU: the guest then executes its VMCALL again until there is none. It does so
 * too with NMIs blocked, as exits leave that as it is: then no NMI comes before
 * the IRETQ at the end of the trampoline, which unblocks them.
 */
static __attribute__((noinline)) bool hypercall_leave(struct percpu *cpu)
{
	u64 next = vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (next != boot.leave_rip || !vcpu_can_load_tr((u16)vmread(VMCS_GUEST_TR_SELECTOR)))
		return false;
	if (hypapp_stays(cpu) || nested_is_on(cpu))
		return false;
	hypapp_shutdown(cpu);
	percpu_set_mode(cpu, LATCH_CPU_OFF);
	/* Behind it nobody waits for this CPU to follow; it may be in the guest once more. */
	ept_guest_sync(cpu);
	if (__atomic_load_n(&cpu->kicked, __ATOMIC_SEQ_CST))
		return true;
	if (!cpu->leaving && !(blocking & BLOCKING_NMI)) {
		/* Once: an outer hypervisor may not keep it over the exit. */
		cpu->leaving = true;
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking | BLOCKING_NMI);
		return true;
	}
	cpu->gpr->rax = 0;
	vcpu_leave(cpu, cpu->gpr, next);
}

static const struct {
	long (*run)(struct percpu *cpu);
	u8 max_cpl;
} hypercalls[] = {
	{ hypercall_version, 3 },
	{ hypercall_ping, 3 },
	{ hypercall_stat, 0 },
	{ hypercall_log, 0 },
	{ hypercall_quiesce, 0 },
	{ hypapp_info, 0 },
	{ hypapp_set, 0 },
	{ linux_learn, 0 },
};

static long hypercall_run(struct percpu *cpu, u32 number, u32 cpl)
{
	if (number < ARRAY_SIZE(hypercalls)) {
		if (cpl > hypercalls[number].max_cpl)
			return -EPERM;
		return hypercalls[number].run(cpu);
	}
	if (number == LATCH_HC_JOIN - LATCH_HC_BASE)
		return cpl ? -EPERM : hypercall_join(cpu);
	if (number == LATCH_HC_LEAVE - LATCH_HC_BASE)
		return -EPERM;
	return hypapp_call(cpu, number, cpl);
}

/* All registers, as the outer hypervisor may use any; RBP and RSP it leaves. */
static void forward_registers(struct latch_gpr *gpr)
{
	register u64 r8 asm("r8") = gpr->r8;
	register u64 r9 asm("r9") = gpr->r9;
	register u64 r10 asm("r10") = gpr->r10;
	register u64 r11 asm("r11") = gpr->r11;
	register u64 r12 asm("r12") = gpr->r12;
	register u64 r13 asm("r13") = gpr->r13;
	register u64 r14 asm("r14") = gpr->r14;
	register u64 r15 asm("r15") = gpr->r15;

	asm volatile("vmcall"
		     : "+a" (gpr->rax), "+b" (gpr->rbx), "+c" (gpr->rcx), "+d" (gpr->rdx),
		       "+S" (gpr->rsi), "+D" (gpr->rdi), "+r" (r8), "+r" (r9), "+r" (r10),
		       "+r" (r11), "+r" (r12), "+r" (r13), "+r" (r14), "+r" (r15)
		     : : "memory", "cc");
	gpr->r8 = r8;
	gpr->r9 = r9;
	gpr->r10 = r10;
	gpr->r11 = r11;
	gpr->r12 = r12;
	gpr->r13 = r13;
	gpr->r14 = r14;
	gpr->r15 = r15;
}

/*
 * Somebody else's call; out of line, since it needs all registers and Latch's own
 * calls should not pay for saving them. The outer hypervisor would see CPL 0 whoever made it:
 * so KVM's refusal of other CPLs is made here, and to a hypervisor whose rule is
 * not known such a call is not passed on.
 */
static __attribute__((noinline)) void hypercall_forward(struct percpu *cpu, u32 cpl)
{
	percpu_count(cpu, LATCH_STAT_FORWARDED);
	if (nested_is_on(cpu)) {
		nested_vmcall(cpu);
		return;
	}
	if (!core.nested || (cpl && !core.outer_is_kvm)) {
		event_inject_exception(cpu, VECTOR_UD);
		return;
	}
	if (cpl)
		cpu->gpr->rax = (u64)-KVM_EPERM;
	else
		forward_registers(cpu->gpr);
	event_skip_instruction();
}

/** hypercall_handle - VMCALL exit */
void hypercall_handle(struct percpu *cpu)
{
	u32 number = (u32)cpu->gpr->rax - LATCH_HC_BASE;
	u32 cpl = SEGMENT_DPL((u32)vmread(VMCS_GUEST_SS_ACCESS));
	long ret;

	if (number > LATCH_HC_LAST - LATCH_HC_BASE) {
		hypercall_forward(cpu, cpl);
		return;
	}
	if (number == LATCH_HC_LEAVE - LATCH_HC_BASE && !cpl && hypercall_leave(cpu))
		return;
	ret = hypercall_run(cpu, number, cpl);
	/* L1 may have the page that its EPT has not: then L2 calls again. */
	if (ret == -EFAULT && nested_repeat_vmcall(cpu))
		return;
	cpu->gpr->rax = (u64)ret;
	event_skip_instruction();
}
