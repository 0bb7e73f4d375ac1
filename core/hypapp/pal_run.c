// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into a PAL and out of it.
 *
 * In: an entry point is called, or Linux comes back to an interrupted PAL; both are
 * violations of the common EPT by a fetch. Out: a violation of the PAL's own EPT. If an
 * event is being delivered (an interrupt, an NMI, a fault), the PAL's registers are put
 * aside and the kernel gets the event with those of the caller, at an address from
 * which it comes back here. If RIP is the return address, the call is done. (That is no
 * address of the PAL's own; and a fetch that fails in the page walk is a read to the
 * CPU.) All else it must not do, and that is the end of the PAL.
 */
#include "core.h"
#include "event.h"
#include "guest.h"
#include "hypapp/pal.h"
#include "log.h"
#include "vmx.h"

static struct pal *pal_of(struct percpu *cpu)
{
	return (struct pal *)cpu->view;
}

static void read_context(struct percpu *cpu, struct pal_context *context)
{
	context->gpr = *cpu->gpr;
	context->rip = vmread(VMCS_GUEST_RIP);
	context->rsp = vmread(VMCS_GUEST_RSP);
	context->rflags = vmread(VMCS_GUEST_RFLAGS);
	context->fs_base = vmread(VMCS_GUEST_FS_BASE);
	context->gs_base = vmread(VMCS_GUEST_GS_BASE);
	context->pkru = core.has_pku ? fpu_read_pkru() : 0;
}

static void write_context(struct percpu *cpu, const struct pal_context *context)
{
	*cpu->gpr = context->gpr;
	vmwrite(VMCS_GUEST_RIP, context->rip);
	vmwrite(VMCS_GUEST_RSP, context->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, context->rflags);
	vmwrite(VMCS_GUEST_FS_BASE, context->fs_base);
	vmwrite(VMCS_GUEST_GS_BASE, context->gs_base);
	if (core.has_pku)
		fpu_write_pkru(context->pkru);
}

/* None is left from the way here, which would not go with other flags. */
static void clear_pending(void)
{
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS));
}

/*
 * Out of the view, with the caller's registers but for those that a call may change,
 * which are zeros. RIP is where an interrupted PAL goes on.
 */
static void hide(struct percpu *cpu, struct pal *pal)
{
	struct pal_context *at = &pal->caller.at;
	struct latch_gpr callee_saved = {
		.rbx = at->gpr.rbx, .rbp = at->gpr.rbp, .r12 = at->gpr.r12,
		.r13 = at->gpr.r13, .r14 = at->gpr.r14, .r15 = at->gpr.r15,
	};

	if (pal_is_32(pal)) {
		callee_saved.rsi = at->gpr.rsi;
		callee_saved.rdi = at->gpr.rdi;
	}
	*cpu->gpr = callee_saved;
	vmwrite(VMCS_GUEST_RIP, pal_desc_resume(&pal->desc));
	vmwrite(VMCS_GUEST_RSP, at->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, at->rflags & ~RFLAGS_RF);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	clear_pending();
	pal_world_bring_back(cpu, pal);
	fpu_load(pal->zeros);
	fpu_write_control(&pal->caller.fpu);
	ept_view_leave(cpu);
}

/* The PAL has ended: it cannot be called any more. */
static void end(struct percpu *cpu, struct pal *pal, const char *why, u64 where)
{
	if (pal_may_log(pal))
		log_warn(cpu, "pal %u: %s %llx: it is dead, #GP for its process",
			 pal->handle, why, where & PAGE_MASK);
	hide(cpu, pal);
	pal_release(cpu, pal, LATCH_PAL_DEAD);
	event_inject_fault(cpu, VECTOR_GP, 0);
}

/* Its registers are put aside; it is still this CPU's. */
static void suspend(struct percpu *cpu, struct pal *pal)
{
	read_context(cpu, &pal->inside);
	fpu_save(pal->fpu);
	hide(cpu, pal);
}

static void interrupt(struct percpu *cpu)
{
	struct pal *pal = pal_of(cpu);

	suspend(cpu, pal);
	pal_release(cpu, pal, LATCH_PAL_PREEMPTED);
}

/* An event is on its way through the IDT, which the PAL's EPT does not have. */
static void deliver(struct percpu *cpu, struct pal *pal, u32 info)
{
	u32 type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;

	if (type != EVENT_TYPE_EXTERNAL && type != EVENT_TYPE_NMI && type != EVENT_TYPE_HARD) {
		end(cpu, pal, "INT in it, at", vmread(VMCS_GUEST_RIP));
		return;
	}
	interrupt(cpu);
	/* The page is what the kernel needs to know. */
	if (type == EVENT_TYPE_HARD && vector == VECTOR_PF)
		write_cr2(read_cr2() & PAGE_MASK);
	event_reinject(cpu);
}

static void come_back(struct percpu *cpu, struct pal *pal)
{
	bool is_32 = pal_is_32(pal);
	u64 rax = cpu->gpr->rax, rdx = cpu->gpr->rdx;

	/* If a result meets a page fault, the call comes back a second time behind it. */
	suspend(cpu, pal);
	if (!pal_args_give(cpu, pal)) {
		pal_release(cpu, pal, LATCH_PAL_PREEMPTED);
		return;
	}
	cpu->gpr->rax = is_32 ? (u32)rax : rax;
	if (pal->entry->flags & LATCH_PAL_WIDE)
		cpu->gpr->rdx = is_32 ? (u32)rdx : rdx;
	vmwrite(VMCS_GUEST_RIP, pal->caller.back);
	vmwrite(VMCS_GUEST_RSP, pal->caller.at.rsp + (is_32 ? 4 : 8));
	pal->calls++;
	pal_release(cpu, pal, LATCH_PAL_IDLE);
}

static void violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO);
	struct pal *pal = pal_of(cpu);
	u64 rip = vmread(VMCS_GUEST_RIP);

	(void)gpa;
	if (guest_cpl() != 3)
		/* Nothing in its world leads there. */
		end(cpu, pal, "not at CPL 3, at", rip);
	else if (info & EVENT_VALID)
		deliver(cpu, pal, info);
	else if (rip == pal->caller.back)
		come_back(cpu, pal);
	else if (!pal_desc_find(&pal->desc, rip))
		end(cpu, pal, "it goes to", rip);
	else
		end(cpu, pal, "it reaches for", qualification & EPT_VIOLATION_LINEAR ?
						vmread(VMCS_GUEST_LINEAR_ADDRESS) : 0);
}

static void kicked(struct percpu *cpu)
{
	struct pal *pal = pal_of(cpu);

	if (READ_ONCE(pal->closing))
		end(cpu, pal, "unregistered in the middle of a call, at", vmread(VMCS_GUEST_RIP));
}

/* INIT: nothing of this CPU's state is left. */
static void reset(struct percpu *cpu)
{
	struct pal *pal = pal_of(cpu);

	hide(cpu, pal);
	pal_release(cpu, pal, LATCH_PAL_DEAD);
}

/* L1 would have to see its registers, or to skip it. */
static void intercepted(struct percpu *cpu)
{
	end(cpu, pal_of(cpu), "an instruction that its hypervisor intercepts, at",
	    vmread(VMCS_GUEST_RIP));
}

static bool vmfunc(struct percpu *cpu)
{
	return pal_fast_end(cpu, pal_of(cpu));
}

/** pal_run_current - the PAL that this CPU's guest is in, or NULL */
struct pal *pal_run_current(struct percpu *cpu)
{
	return cpu->view && cpu->view->violation == violation ? pal_of(cpu) : NULL;
}

/** pal_run_init_view - fill in the callbacks of a PAL's view */
void pal_run_init_view(struct pal *pal)
{
	pal->view.violation = violation;
	pal->view.kicked = kicked;
	pal->view.interrupt = interrupt;
	pal->view.reset = reset;
	pal->view.intercepted = intercepted;
	pal->view.vmfunc = vmfunc;
}

static void start(struct percpu *cpu, struct pal *pal, struct pal_context *to)
{
	/* No single-step inside, and IF is the caller's. */
	to->rflags &= ~(RFLAGS_TF | RFLAGS_RF | RFLAGS_IOPL);
	clear_pending();
	pal_world_put_away(cpu, pal);
	write_context(cpu, to);
	ept_view_enter(cpu, &pal->view);
}

static void refuse(struct percpu *cpu, struct pal *pal, u32 state)
{
	pal_release(cpu, pal, state);
	event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * pal_run_enter - an entry point is called
 * @cpu: this CPU, at CPL 3 in the PAL's process, RIP at the entry point
 * @pal: the PAL, RUNNING on this CPU. It is released if it is not entered
 * @entry: the entry point
 */
void pal_run_enter(struct percpu *cpu, struct pal *pal, const struct latch_pal_entry *entry)
{
	struct pal_caller *caller = &pal->caller;
	struct pal_context to = { };

	read_context(cpu, &caller->at);
	pal->entry = entry;
	if (!pal_world_is_right(cpu, pal)) {
		refuse(cpu, pal, LATCH_PAL_IDLE);
		return;
	}
	to.rip = entry->address;
	to.rflags = RFLAGS_FIXED | (caller->at.rflags & RFLAGS_IF);
	if (!pal_args_take(cpu, pal, &to)) {
		pal_release(cpu, pal, LATCH_PAL_IDLE);
		return;
	}
	/* Its RET would go where the caller likes. */
	if (pal_desc_find(&pal->desc, caller->back)) {
		refuse(cpu, pal, LATCH_PAL_IDLE);
		return;
	}
	fpu_read_control(&caller->fpu);
	fpu_load(pal->zeros);
	fpu_write_control(&caller->fpu);
	start(cpu, pal, &to);
}

/**
 * pal_run_resume - Linux has come back to an interrupted PAL
 *
 * As pal_run_enter().
 */
void pal_run_resume(struct percpu *cpu, struct pal *pal)
{
	if (!pal_world_is_right(cpu, pal)) {
		refuse(cpu, pal, LATCH_PAL_PREEMPTED);
		return;
	}
	fpu_load(pal->fpu);
	start(cpu, pal, &pal->inside);
}
