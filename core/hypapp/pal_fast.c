// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast PALs: called without an exit, by VMFUNC. See ept_switch.h and pal_gate.h for how,
 * Documentation/pal.md for why it is so.
 *
 * Up to an exit core knows nothing of a call. In the gate, or in INNER while nothing has
 * been done that counts, it then begins again, or is at its end. If the PAL itself was
 * executing it becomes a call like any other (convert()): what the code in INNER has saved
 * is the caller. From then on VMFUNC exits, and that is how it ends: pal_fast_end().
 */
#include "core.h"
#include "ept_switch.h"
#include "event.h"
#include "guest.h"
#include "hypapp/pal.h"
#include "hypapp/pal_gate.h"
#include "log.h"
#include "paging.h"
#include "pool.h"
#include "vmx.h"

#define NOT_CANONICAL	BIT(62)		/* an RIP that there is not */
#define MXCSR_VALID	0xffffu
#define LOCKED		1u

/**
 * struct pal_fast - of a fast PAL; a page
 * @gate: its view in which there is only the gate. Comes first
 * @full: its full view, while core is not involved
 * @views: both
 * @pal: whose it is
 * @pair: number of the pair
 * @code: the gate, as it is in the views
 * @inner: INNER
 * @published: CPUs can enter the views
 */
struct pal_fast {
	struct ept_view gate, full;
	struct ept_switch views;
	struct pal *pal;
	u32 pair;
	u8 *code, *inner;
	bool published;
};

_Static_assert(sizeof(struct pal_fast) <= PAGE_SIZE, "a page");
_Static_assert(PAL_GATE_LIST < PAL_GATE_ROOM && PAL_GATE_INNER < PAL_GATE_ROOM, "room");

/* The gate's frame comes first in the description, what is saved behind it. */
static u64 gate_of(const struct pal *pal)
{
	return pal_desc_find_type(&pal->desc, LATCH_PAL_GATE)->start;
}

static struct pal_save *saved(struct percpu *cpu, const struct pal *pal)
{
	u64 page = pal_space_gpa(pal, gate_of(pal) + PAGE_SIZE);

	return (struct pal_save *)paging_window(cpu, page, PTE_RW);
}

/* --- the lock, which code in the view takes too */

/** pal_fast_lock - a call by an exit, of a PAL that can be called without */
bool pal_fast_lock(struct percpu *cpu, const struct pal *pal)
{
	return !pal->fast || !(__atomic_fetch_or(&saved(cpu, pal)->lock, LOCKED, __ATOMIC_ACQUIRE) &
			       LOCKED);
}

/** pal_fast_unlock - and its end; the PAL is idle for everybody else */
void pal_fast_unlock(struct percpu *cpu, const struct pal *pal)
{
	if (pal->fast)
		__atomic_store_n(&saved(cpu, pal)->lock, 0, __ATOMIC_RELEASE);
}

/** pal_fast_calls - calls that core has not seen */
u64 pal_fast_calls(struct percpu *cpu, const struct pal *pal)
{
	return pal->fast ? READ_ONCE(saved(cpu, pal)->calls) : 0;
}

/* --- out of the views */

static struct pal_fast *fast_of_gate(struct percpu *cpu)
{
	return (struct pal_fast *)cpu->view;
}

static struct pal_fast *fast_of_full(struct percpu *cpu)
{
	return (struct pal_fast *)((u8 *)cpu->view - offsetof(struct pal_fast, full));
}

/* The program's next instruction is behind the gate. */
static void forward(const struct pal_fast *fast)
{
	vmwrite(VMCS_GUEST_RIP,
		gate_of(fast->pal) + pal_gate_out(fast->pair) + PAL_GATE_OUT_END);
}

static void go_by_exit(struct percpu *cpu, const struct pal_fast *fast)
{
	cpu->gpr->r11 |= BIT(PAL_REFUSED);
	forward(fast);
}

/*
 * It is in front of it, again. With TF set it would be for ever: each step is interrupted.
 * So then it calls by an exit.
 */
static void restart(struct percpu *cpu, const struct pal_fast *fast)
{
	if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF) {
		go_by_exit(cpu, fast);
		return;
	}
	cpu->gpr->rax = 0;
	cpu->gpr->rcx = EPT_SWITCH_GATE(fast->pair);
	vmwrite(VMCS_GUEST_RIP, gate_of(fast->pal) + pal_gate_in(fast->pair) - 3);
}

/* None is left that would not go with another RIP. */
static void leave(struct percpu *cpu, const struct pal_fast *fast)
{
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	ept_switch_leave(cpu, fast->pair);
}

/* What was on its way is for the program; if nothing was, it is where it must not be. */
static void deliver(struct percpu *cpu)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO), type = info & EVENT_TYPE;

	if (info & EVENT_VALID && (type == EVENT_TYPE_EXTERNAL || type == EVENT_TYPE_NMI ||
				   type == EVENT_TYPE_HARD))
		event_reinject(cpu);
	else
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/* --- the gate's view: nothing is in it that anybody must not see */

/* Who has come from elsewhere is anywhere in the gate: then that is where it is. */
static void leave_gate(struct percpu *cpu)
{
	const struct pal_fast *fast = fast_of_gate(cpu);
	u64 offset = vmread(VMCS_GUEST_RIP) - gate_of(fast->pal);

	if (offset - pal_gate_in(fast->pair) < PAL_GATE_IN_FULL)
		restart(cpu, fast);
	else if (offset - pal_gate_out(fast->pair) - PAL_GATE_OUT_GATE <
		 PAL_GATE_OUT_END - PAL_GATE_OUT_GATE)
		forward(fast);
	leave(cpu, fast);
}

static void gate_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	(void)gpa;
	(void)qualification;
	leave_gate(cpu);
	deliver(cpu);
}

static bool gate_vmfunc(struct percpu *cpu)
{
	leave(cpu, fast_of_gate(cpu));
	event_inject_exception(cpu, VECTOR_UD);
	return true;
}

static void gate_kicked(struct percpu *cpu)
{
	(void)cpu;
}

/* --- the full view */

static enum pal_where where(const struct pal_fast *fast)
{
	return pal_gate_where(gate_of(fast->pal), fast->pair, vmread(VMCS_GUEST_RIP),
			      vmread(VMCS_GUEST_RFLAGS) & RFLAGS_CF);
}

/*
 * The PAL itself can leave its view with VMFUNC, and so leave it open. It is of no use to
 * others: the root of their page tables is not mapped.
 */
static bool is_foreign(const struct pal_fast *fast)
{
	return (vmread(VMCS_GUEST_CR3) & PTE_ADDRESS) != fast->pal->root;
}

/* The stub has another way to go. */
static bool refuse(struct percpu *cpu, const struct ept_switch *views)
{
	const struct pal_fast *fast = (const struct pal_fast *)
		((const u8 *)views - offsetof(struct pal_fast, views));

	if (is_foreign(fast) ||
	    vmread(VMCS_GUEST_RIP) != gate_of(fast->pal) + pal_gate_in(fast->pair) - 3)
		return false;
	go_by_exit(cpu, fast);
	return true;
}

static void leave_full(struct percpu *cpu, enum pal_where at)
{
	const struct pal_fast *fast = fast_of_full(cpu);

	if (at == PAL_LOCKED || at == PAL_RESTORED)
		pal_fast_unlock(cpu, fast->pal);
	if (at == PAL_BEFORE || at == PAL_LOCKED)
		restart(cpu, fast);
	else if (at == PAL_RESTORED || at == PAL_AFTER)
		forward(fast);
	leave(cpu, fast);
}

static void read_caller(struct percpu *cpu, struct pal *pal)
{
	struct pal_save *save = saved(cpu, pal);

	save->slow = 1;
	pal->caller.at = (struct pal_context) {
		.gpr = {
			.rbx = save->rbx, .rbp = save->rbp, .r12 = save->r12, .r13 = save->r13,
			.r14 = save->r14, .r15 = save->r15,
		},
		.rsp = save->rsp,
		/* Of the rest the PAL may have made something. */
		.rflags = RFLAGS_FIXED | (vmread(VMCS_GUEST_RFLAGS) & (RFLAGS_IF | RFLAGS_IOPL)),
	};
	/* The PAL could have written there, and LDMXCSR is core's own. */
	pal->caller.fpu.mxcsr = save->mxcsr & MXCSR_VALID;
	pal->caller.fpu.fcw = save->fcw;
	pal->caller.back = NOT_CANONICAL;
}

/*
 * Make a call that core knows of what is executing here. It has the lock; if somebody else
 * has the PAL, then the PAL itself has written to its lock.
 */
static bool convert(struct percpu *cpu, const struct pal_fast *fast)
{
	struct pal *pal = fast->pal;

	if (guest_cpl() != 3)
		pal_world_undo_system_call();
	if (!pal_claim(cpu, pal))
		return false;
	read_caller(cpu, pal);
	pal->entry = &pal->desc.entry[0];
	pal->by_gate = true;
	ept_switch_close(cpu, fast->pair);
	ept_view_enter(cpu, &pal->view);
	return true;
}

/* There is nothing to go back to. */
static void drop(struct percpu *cpu)
{
	const struct pal_fast *fast = fast_of_full(cpu);

	if (pal_may_log(fast->pal))
		log_warn(cpu, "pal %u: its lock has been changed", fast->pal->handle);
	*cpu->gpr = (struct latch_gpr) { };
	fpu_load(fast->pal->zeros);
	vmwrite(VMCS_GUEST_RIP, pal_desc_resume(&fast->pal->desc));
	leave(cpu, fast);
}

/* False: it is out of the view, and it was not the PAL. */
static bool take_over(struct percpu *cpu)
{
	const struct pal_fast *fast = fast_of_full(cpu);
	enum pal_where at = where(fast);

	if (!is_foreign(fast) && at == PAL_INSIDE && convert(cpu, fast))
		return true;
	if (is_foreign(fast))
		leave(cpu, fast);
	else if (at == PAL_INSIDE)
		drop(cpu);
	else
		leave_full(cpu, at);
	return false;
}

static void full_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	struct pal *pal = fast_of_full(cpu)->pal;

	if (!take_over(cpu))
		deliver(cpu);
	else if (qualification & EPT_VIOLATION_ASYNC)
		pal->view.interrupt(cpu);
	else
		pal->view.violation(cpu, gpa, qualification);
}

/* Also by ept_switch_sync(), if it is being unregistered: then it is not to go on. */
static void full_interrupt(struct percpu *cpu)
{
	struct pal *pal = fast_of_full(cpu)->pal;

	if (!take_over(cpu))
		return;
	if (READ_ONCE(pal->closing))
		pal->view.kicked(cpu);
	else
		pal->view.interrupt(cpu);
}

/* It has been taken out before, by full_interrupt(), if there is a reason. */
static void full_kicked(struct percpu *cpu)
{
	(void)cpu;
}

static void full_reset(struct percpu *cpu)
{
	struct pal *pal = fast_of_full(cpu)->pal;

	if (take_over(cpu))
		pal->view.reset(cpu);
}

/* Not the gate's own: its numbers are right. */
static bool full_vmfunc(struct percpu *cpu)
{
	if (!take_over(cpu))
		event_inject_exception(cpu, VECTOR_UD);
	return !cpu->view;
}

/** pal_fast_convert - if this CPU is in a fast PAL, have it be core's */
void pal_fast_convert(struct percpu *cpu)
{
	if (cpu->view && cpu->view->violation == full_violation)
		take_over(cpu);
}

/**
 * pal_fast_end - VMFUNC in a PAL that core has started
 *
 * Is it the end of a call by the gate? Then all registers are as they have to be already.
 */
bool pal_fast_end(struct percpu *cpu, struct pal *pal)
{
	if (!pal->by_gate || where(pal->fast) != PAL_AFTER)
		return false;
	saved(cpu, pal)->slow = 0;
	pal->by_gate = false;
	forward(pal->fast);
	pal_world_bring_back(cpu, pal);
	ept_view_leave(cpu);
	pal_release(cpu, pal, LATCH_PAL_IDLE);
	return true;
}

/* --- how they are made */

static u64 list_gpa(void)
{
	/* The same on all CPUs. What is there is another page on each. */
	return pool_pa(percpu_of(0)->eptp_list);
}

static int map_code(struct pal *pal, u64 linear, const void *code)
{
	int ret = ept_map_page(&pal->view.ept, pool_pa(code), pool_pa(code), EPT_READ | EPT_EXEC);

	return ret ? ret : pal_space_map(pal, linear, pool_pa(code), LATCH_PAL_CODE);
}

static int map_all(struct pal *pal, const struct pal_fast *fast)
{
	u64 gate = gate_of(pal);
	int ret = map_code(pal, gate, fast->code);

	if (!ret)
		ret = map_code(pal, gate - PAL_GATE_INNER, fast->inner);
	return ret ? ret : pal_space_map(pal, gate - PAL_GATE_LIST, list_gpa(), LATCH_PAL_DATA);
}

/* Page tables, gate, list: all that there is in the gate's view. */
static int make_gate_view(const struct pal *pal, struct pal_fast *fast, u32 index)
{
	struct ept ept = { .root = pool_alloc() };
	u64 pa;
	u32 i;
	int ret;

	if (!ept.root)
		return -ENOMEM;
	fast->views.gate_root[index] = ept.root;
	ret = ept_map_page(&ept, pal->root, pool_pa(pal->table[0]), EPT_READ);
	for (i = 1; i < pal->nr_tables && !ret; i++) {
		pa = pool_pa(pal->table[i]);
		ret = ept_map_page(&ept, pa, pa, EPT_READ);
	}
	pa = pool_pa(fast->code);
	if (!ret)
		ret = ept_map_page(&ept, pa, pa, EPT_READ | EPT_EXEC);
	return ret ? ret : ept_map_page(&ept, list_gpa(), pool_pa(percpu_of(index)->eptp_list),
					EPT_READ | EPT_WRITE);
}

static void make_code(const struct pal *pal, const struct pal_fast *fast)
{
	const struct latch_pal_section *stack = pal_desc_find_type(&pal->desc, LATCH_PAL_STACK);
	struct pal_inner_data data = {
		.stack = stack->start + stack->size,
		.out = gate_of(pal) + pal_gate_out(fast->pair),
		.nr = pal->desc.nr_entries,
		.slot = EPT_SWITCH_GATE(fast->pair),
	};
	u32 i;

	for (i = 0; i < pal->desc.nr_entries; i++) {
		data.table[i] = pal->desc.entry[i].address;
		if (pal->desc.entry[i].flags & LATCH_PAL_WIDE)
			data.wide |= (u32)BIT(i);
	}
	pal_gate_make(fast->code, fast->pair);
	pal_gate_make_inner(fast->inner, &data);
}

static void make_callbacks(struct pal *pal, struct pal_fast *fast)
{
	fast->pal = pal;
	fast->gate.violation = gate_violation;
	fast->gate.kicked = gate_kicked;
	fast->gate.interrupt = leave_gate;
	fast->gate.reset = leave_gate;
	fast->gate.vmfunc = gate_vmfunc;
	fast->full.violation = full_violation;
	fast->full.kicked = full_kicked;
	fast->full.interrupt = full_interrupt;
	fast->full.reset = full_reset;
	fast->full.vmfunc = full_vmfunc;
	fast->full.ept = pal->view.ept;
	fast->views.gate = &fast->gate;
	fast->views.full = &fast->full;
	fast->views.refuse = refuse;
}

/**
 * pal_fast_make - what a PAL needs to be called without an exit, if it can be
 * @cpu: this CPU
 * @pal: its address space has been made
 *
 * It cannot if the CPU lacks something, all pairs of views are in use, or other fast PALs
 * have been registered in another mode. Then it is called by exits, and is the same PAL
 * (PCR 1). Return: 0 or -ENOMEM.
 */
int pal_fast_make(struct percpu *cpu, struct pal *pal)
{
	int pair = ept_switch_find_free(), ret;
	struct pal_fast *fast;
	u32 i;

	if (!(pal->desc.flags & LATCH_PAL_FAST) || !ept_switch_possible() || pair < 0)
		return 0;
	ret = ept_switch_prepare(cpu);
	if (ret)
		return ret == -EBUSY ? 0 : ret;
	fast = pool_alloc();
	if (!fast)
		return -ENOMEM;
	pal->fast = fast;
	fast->pair = (u32)pair;
	fast->code = pool_alloc();
	fast->inner = pool_alloc();
	/* In core's accesses for the guest nothing is in the gate's view. */
	fast->gate.ept.root = pool_alloc();
	if (!fast->code || !fast->inner || !fast->gate.ept.root)
		return -ENOMEM;
	make_callbacks(pal, fast);
	make_code(pal, fast);
	ret = map_all(pal, fast);
	for (i = 0; i < boot.nr_cpus && !ret; i++)
		ret = make_gate_view(pal, fast, i);
	return ret;
}

/** pal_fast_publish - from now on programs can use it; the stub tells them so */
void pal_fast_publish(struct percpu *cpu, struct pal *pal)
{
	struct pal_fast *fast = pal->fast;

	if (!fast)
		return;
	fast->published = true;
	ept_switch_set(cpu, fast->pair, &fast->views);
	pal_gate_make_stub((u8 *)paging_window(cpu, pal_space_gpa(pal, gate_of(pal)), PTE_RW),
			   fast->pair, &pal->desc);
}

/** pal_fast_withdraw - nobody is in its views on return; false: a CPU may be, for ever */
bool pal_fast_withdraw(struct percpu *cpu, struct pal *pal)
{
	if (!pal->fast || !pal->fast->published)
		return true;
	pal->fast->published = false;
	return ept_switch_set(cpu, pal->fast->pair, NULL);
}

/** pal_fast_free - give back what core has for it; see pal_space_free() */
void pal_fast_free(struct pal *pal)
{
	struct pal_fast *fast = pal->fast;
	struct ept ept = { };
	u32 i;

	if (!fast)
		return;
	for (i = 0; i < boot.nr_cpus; i++) {
		ept.root = fast->views.gate_root[i];
		ept_destroy(&ept);
	}
	ept_destroy(&fast->gate.ept);
	if (fast->code)
		pool_free(fast->code);
	if (fast->inner)
		pool_free(fast->inner);
	pool_free(fast);
	pal->fast = NULL;
}
