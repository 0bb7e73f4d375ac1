// SPDX-License-Identifier: GPL-2.0-only
/*
 * pal: pieces of programs that run isolated from all the rest (XMHF's TrustVisor did
 * that). The registered PALs, and who may reach them; Documentation/pal.md.
 *
 * A PAL belongs to the CPU that has taken it: from IDLE or PREEMPTED to RUNNING, under
 * the lock. Only that CPU uses what is in it until it gives it back.
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "hypapp/pal.h"
#include "kick.h"
#include "log.h"
#include "nested/nested.h"
#include "paging.h"
#include "pool.h"
#include "quiesce.h"
#include "spinlock.h"
#include "vmx.h"

#define MAX_PALS		64
#define MAX_LOGGED		32
#define STOP_LOOPS		20000000u	/* far more than any CPU takes */

/* @on: not being switched off. @making: one CPU at a time makes or ends a PAL. */
static struct {
	struct spinlock lock;
	u32 making;
	bool on;
	u32 handles;
	u32 logged;
	struct pal *pal[MAX_PALS];
} pals;

/* Whoever waits follows the EPT's changes and stands still, as others wait for that. */
static void wait_a_bit(struct percpu *cpu)
{
	ept_guest_sync(cpu);
	quiesce_stand(cpu);
	cpu_relax();
}

static void begin_making(struct percpu *cpu)
{
	while (__atomic_exchange_n(&pals.making, 1, __ATOMIC_ACQUIRE))
		wait_a_bit(cpu);
}

static void end_making(void)
{
	__atomic_store_n(&pals.making, 0, __ATOMIC_RELEASE);
}

/* With the lock held. False if it is not in the state @from, IDLE or PREEMPTED. */
static bool take(struct percpu *cpu, struct pal *pal, u32 from)
{
	if (pal->state != from || pal->closing)
		return false;
	/* An interrupted call has it still. */
	if (from == LATCH_PAL_IDLE && !pal_fast_lock(cpu, pal))
		return false;
	pal->state = LATCH_PAL_RUNNING;
	pal->cpu = cpu->index;
	return true;
}

/** pal_claim - a call that has begun without core is now core's; false: it is not one */
bool pal_claim(struct percpu *cpu, struct pal *pal)
{
	bool idle;

	spin_lock(&pals.lock);
	idle = pal->state == LATCH_PAL_IDLE;
	if (idle) {
		pal->state = LATCH_PAL_RUNNING;
		pal->cpu = cpu->index;
	}
	spin_unlock(&pals.lock);
	return idle;
}

/** pal_release - give a PAL back; nothing of it is used on this CPU from here on */
void pal_release(struct percpu *cpu, struct pal *pal, u32 state)
{
	__atomic_store_n(&pal->state, state, __ATOMIC_RELEASE);
	if (state == LATCH_PAL_IDLE)
		pal_fast_unlock(cpu, pal);
}

/** pal_may_log - a few lines for each PAL, so that nobody floods the log */
bool pal_may_log(struct pal *pal)
{
	return pal->logged < MAX_LOGGED && ++pal->logged;
}

static struct pal *find_handle(u64 handle)
{
	u32 i;

	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i] && pals.pal[i]->handle == handle)
			return pals.pal[i];
	return NULL;
}

static bool owns_hidden(const struct pal *pal, u64 gpa)
{
	u32 i;

	for (i = 0; i < pal->nr_hidden; i++)
		if (pal->pages->hidden[i] == gpa)
			return true;
	return false;
}

static struct pal *find_hidden(u64 gpa)
{
	u32 i;

	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i] && owns_hidden(pals.pal[i], gpa & PAGE_MASK))
			return pals.pal[i];
	return NULL;
}

/* A frame that is private in one and mapped in another would be private no more. */
static bool frames_collide(const struct pal *new)
{
	u32 i, j;

	for (j = 0; j < new->nr_pages; j++)
		if (ept_view_is_hidden(new->pages->gpa[j]))
			return true;
	for (i = 0; i < MAX_PALS; i++)
		for (j = 0; pals.pal[i] && j < pals.pal[i]->nr_pages; j++)
			if (owns_hidden(new, pals.pal[i]->pages->gpa[j]))
				return true;
	return false;
}

static int publish(struct pal *pal)
{
	int ret = -ENOSPC;
	u32 i;

	spin_lock(&pals.lock);
	for (i = 0; i < MAX_PALS && ret; i++) {
		if (pals.pal[i])
			continue;
		pals.pal[i] = pal;
		ret = 0;
	}
	spin_unlock(&pals.lock);
	return ret;
}

static void withdraw(struct pal *pal)
{
	u32 i;

	spin_lock(&pals.lock);
	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i] == pal)
			pals.pal[i] = NULL;
	spin_unlock(&pals.lock);
}

/* Tables that it may take to hide its frames: each 2 MiB that has some are split. */
static u32 tables_needed(const struct pal *pal)
{
	const u64 *gpa = pal->pages->hidden;
	u32 i, count = 0;

	for (i = 0; i < pal->nr_hidden; i++)
		count += !i || gpa[i] / SIZE_2M != gpa[i - 1] / SIZE_2M;
	return count;
}

/* A CPU that is about to leave follows no changes any more: it could see the pages. */
static bool any_cpu_leaves(void)
{
	const struct percpu *cpu;
	u32 i;

	for (i = 0; i < boot.nr_cpus; i++) {
		cpu = percpu_of(i);
		if (READ_ONCE(cpu->guest_exits) && READ_ONCE(cpu->mode) == LATCH_CPU_OFF)
			return true;
	}
	return false;
}

/* What it would write there, registers of the CPU would have, for anybody to read. */
static bool any_apic_at(const struct pal *pal)
{
	u32 i;

	for (i = 0; i < pal->nr_hidden; i++)
		if (apic_is_at(pal->pages->hidden[i]))
			return true;
	return false;
}

/* Its frames become hidden before anybody can call it. */
static int make(struct percpu *cpu, struct pal *pal, u64 frames)
{
	int ret = pal_space_make(pal, frames);

	if (!ret)
		ret = pal_fast_make(cpu, pal);
	if (!ret && frames_collide(pal))
		ret = -EBUSY;
	/* Core itself needs some: for addresses above RAM, and memory types. */
	if (!ret && pool_free_pages() < POOL_RESERVE + tables_needed(pal))
		ret = -ENOMEM;
	if (!ret)
		ret = ept_view_hide(cpu, pal->pages->hidden, pal->nr_hidden);
	if (ret)
		return ret;
	/* One that has begun to leave since was not waited for. No APIC comes from here on. */
	if (any_cpu_leaves() || any_apic_at(pal))
		ret = -EBUSY;
	/* Now that nobody can change it any more. */
	if (!ret)
		ret = pal_service_measure(cpu, pal);
	if (!ret)
		ret = publish(pal);
	if (ret)
		ept_view_show(cpu, pal->pages->hidden, pal->nr_hidden);
	else
		pal_fast_publish(cpu, pal);
	return ret;
}

static int read_desc(struct percpu *cpu, struct pal *pal)
{
	const char *wrong;

	if (!guest_read_argument(cpu->gpr->rdi, &pal->desc, sizeof(pal->desc)))
		return -EFAULT;
	wrong = pal_desc_check(&pal->desc);
	if (!wrong && pal->nested && pal->desc.flags & LATCH_PAL_FAST)
		wrong = "a fast one of a nested guest";
	if (!wrong)
		return 0;
	if (++pals.logged <= MAX_LOGGED)
		log_warn(cpu, "pal: not registered: %s", wrong);
	return -EINVAL;
}

static int can_register(const struct pal *pal)
{
	if (!(pal->efer & EFER_LMA) || !(pal->components & FPU_SSE))
		return -ENODEV;
	if (!pal->nested && (!pal->root || pal->root >= boot.ram_top || pool_owns(pal->root)))
		return -EINVAL;
	return any_cpu_leaves() ? -EBUSY : 0;
}

static int check_arguments(struct percpu *cpu)
{
	u64 linear = cpu->gpr->rdi, size = sizeof(struct latch_pal_desc);

	if (!guest_argument(&linear, &size) || cpu->gpr->rsi & ~PTE_ADDRESS)
		return -EINVAL;
	return nested_in_guest(cpu) && !nested_has_ept(cpu) ? -ENODEV : 0;
}

static long pal_register(struct percpu *cpu)
{
	struct pal *pal;
	int ret = check_arguments(cpu);

	if (ret)
		return ret;
	pal = pool_alloc();
	if (!pal)
		return -ENOMEM;
	begin_making(cpu);
	while (!++pals.handles || find_handle(pals.handles))
		;
	pal->handle = pals.handles;
	pal->nested = nested_in_guest(cpu);
	pal->root = cpu->gpr->rsi;
	pal_world_remember(pal);
	pal_run_init_view(pal);
	/* While it waited, all others stood still for somebody who has switched it off. */
	ret = pals.on ? can_register(pal) : -ENOSYS;
	if (!ret)
		ret = read_desc(cpu, pal);
	if (!ret)
		ret = make(cpu, pal, cpu->gpr->rdx);
	end_making();
	if (ret) {
		pal_space_free(pal);
		pool_free(pal);
		return ret;
	}
	log_publish_pool(pool_free_pages());
	cpu->gpr->rdi = pal->handle;
	return 0;
}

/* It may run on another CPU, which a kick takes out of it. */
static bool stop(struct percpu *cpu, struct pal *pal)
{
	u32 i;

	spin_lock(&pals.lock);
	pal->closing = true;
	spin_unlock(&pals.lock);
	if (!pal_fast_withdraw(cpu, pal))
		return false;
	for (i = 0; i < STOP_LOOPS; i++) {
		if (__atomic_load_n(&pal->state, __ATOMIC_ACQUIRE) != LATCH_PAL_RUNNING)
			return true;
		kick_one(cpu, percpu_of(pal->cpu));
		wait_a_bit(cpu);
	}
	log_err(cpu, "pal %u: CPU %u does not come out of it", pal->handle, pal->cpu);
	return false;
}

/* Wiped while still hidden; and nothing is freed that a CPU may have cached. */
static int finish(struct percpu *cpu, struct pal *pal)
{
	/* If core has failed on its CPU: what is hidden stays so for ever. */
	if (!stop(cpu, pal))
		return -EIO;
	pal_space_wipe(cpu, pal);
	ept_view_show(cpu, pal->pages->hidden, pal->nr_hidden);
	withdraw(pal);
	pal_space_free(pal);
	memset(pal, 0, sizeof(*pal));
	pool_free(pal);
	log_publish_pool(pool_free_pages());
	return 0;
}

/* L1's kernel may end each PAL, that of a nested guest those in its own memory. */
static int check_owner(struct percpu *cpu, const struct pal *pal)
{
	u64 gpa = cpu->gpr->rsi;

	if (!nested_in_guest(cpu))
		return 0;
	if (!pal->nested || !nested_has_ept(cpu))
		return -ENOENT;
	if (!nested_translate(&gpa, 0))
		return -EFAULT;
	return gpa == pal->pages->gpa[0] ? 0 : -ENOENT;
}

static long pal_unregister(struct percpu *cpu)
{
	int ret = -ENOENT;
	struct pal *pal;

	begin_making(cpu);
	pal = find_handle(cpu->gpr->rdi);
	if (pal)
		ret = check_owner(cpu, pal);
	if (pal && !ret)
		ret = finish(cpu, pal);
	end_making();
	return ret;
}

/* Is one of the frames a nested guest's PAL's, shared or not. */
static bool has_any(const struct pal *pal, const u64 *gpa, u32 count)
{
	u32 i, j;

	for (i = 0; pal->nested && i < pal->nr_pages; i++)
		for (j = 0; j < count; j++)
			if (pal->pages->gpa[i] == gpa[j])
				return true;
	return false;
}

static int revoke(struct percpu *cpu, const u64 *gpa, u32 count)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < MAX_PALS && !ret; i++)
		if (pals.pal[i] && has_any(pals.pal[i], gpa, count))
			ret = finish(cpu, pals.pal[i]);
	if (!ret)
		pal_grant_remove(gpa, count);
	return ret;
}

/* GRANT and REVOKE: RDI = address of the frames' addresses, RSI = how many */
static long change_grants(struct percpu *cpu, bool grant)
{
	/* Not of the pool: what is granted can always be revoked. */
	static u64 gpa[LATCH_PAL_GRANT_MAX];
	u64 count = cpu->gpr->rsi;
	long ret = -EFAULT;

	if (!count || count > LATCH_PAL_GRANT_MAX)
		return -EINVAL;
	begin_making(cpu);
	/* While it waited, all others stood still for somebody who has switched it off. */
	if (!pals.on)
		ret = -ENOSYS;
	else if (guest_read_argument(cpu->gpr->rdi, gpa, count * sizeof(*gpa)))
		ret = grant ? pal_grant_add(gpa, (u32)count) : revoke(cpu, gpa, (u32)count);
	end_making();
	log_publish_pool(pool_free_pages());
	return ret;
}

static long pal_grant(struct percpu *cpu)
{
	return change_grants(cpu, true);
}

static long pal_revoke(struct percpu *cpu)
{
	return change_grants(cpu, false);
}

static bool takes_nested(struct percpu *cpu)
{
	(void)cpu;
	return pal_grant_any();
}

static long pal_stat(struct percpu *cpu)
{
	long ret = -ENOENT;
	struct pal *pal;

	spin_lock(&pals.lock);
	pal = find_handle(cpu->gpr->rdi);
	if (pal) {
		cpu->gpr->rdi = pal->state;
		cpu->gpr->rsi = pal->calls + pal_fast_calls(cpu, pal);
		cpu->gpr->rdx = pal->nr_pages | (pal->fast ? LATCH_PAL_STAT_FAST : 0);
		ret = 0;
	}
	spin_unlock(&pals.lock);
	return ret;
}

static long pal_next(struct percpu *cpu)
{
	u64 last = cpu->gpr->rdi, next = ~0ull;
	u32 i;

	spin_lock(&pals.lock);
	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i] && pals.pal[i]->handle > last && pals.pal[i]->handle < next)
			next = pals.pal[i]->handle;
	spin_unlock(&pals.lock);
	if (next == ~0ull)
		return -ENOENT;
	cpu->gpr->rdi = next;
	return 0;
}

/* L1's PALs are for L1, and those of nested guests for such as they were registered by. */
static bool is_its_guest(struct percpu *cpu, const struct pal *pal)
{
	return pal->nested ? nested_has_ept(cpu) : !nested_in_guest(cpu);
}

/* The page tables of the process may say anything: the frame has to be the right one. */
static struct pal *find_called(struct percpu *cpu, u64 rip, u64 gpa)
{
	u64 root = vmread(VMCS_GUEST_CR3) & PTE_ADDRESS;
	u32 i;

	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i] && pals.pal[i]->root == root &&
		    is_its_guest(cpu, pals.pal[i]) &&
		    pal_space_gpa(pals.pal[i], rip) == (gpa & PAGE_MASK))
			return pals.pal[i];
	return NULL;
}

static const struct latch_pal_entry *find_entry(const struct pal *pal, u64 rip)
{
	u32 i;

	for (i = 0; i < pal->desc.nr_entries; i++)
		if (pal->desc.entry[i].address == rip)
			return &pal->desc.entry[i];
	return NULL;
}

enum way { WAY_NONE, WAY_ENTER, WAY_RESUME, WAY_WAIT };

static enum way find_way(struct percpu *cpu, struct pal *pal,
			 const struct latch_pal_entry *entry, u64 rip)
{
	if (pal->state == LATCH_PAL_DEAD || pal->closing)
		return WAY_NONE;
	if (rip == pal_desc_resume(&pal->desc))
		return take(cpu, pal, LATCH_PAL_PREEMPTED) ? WAY_RESUME : WAY_NONE;
	if (!entry)
		return WAY_NONE;
	return take(cpu, pal, LATCH_PAL_IDLE) ? WAY_ENTER : WAY_WAIT;
}

/*
 * A fetch from a private page. A PAL does one call at a time: a second caller fetches
 * again and again until it is its turn; in between it takes interrupts.
 */
static bool handle_fetch(struct percpu *cpu, u64 gpa)
{
	const struct latch_pal_entry *entry = NULL;
	u64 rip = vmread(VMCS_GUEST_RIP);
	enum way way = WAY_NONE;
	struct pal *pal = NULL;

	spin_lock(&pals.lock);
	if (guest_cpl() == 3)
		pal = find_called(cpu, rip, gpa);
	if (pal) {
		entry = find_entry(pal, rip);
		way = find_way(cpu, pal, entry, rip);
	}
	spin_unlock(&pals.lock);
	if (way == WAY_ENTER)
		pal_run_enter(cpu, pal, entry);
	else if (way == WAY_RESUME)
		pal_run_resume(cpu, pal);
	return way != WAY_NONE;
}

static bool report(struct percpu *cpu, u64 gpa, const char *what)
{
	struct pal *pal;

	spin_lock(&pals.lock);
	pal = find_hidden(gpa);
	if (pal && pal_may_log(pal))
		log_warn(cpu, "pal %u: %s a private page at RIP %llx, CPL %u, CR3 %llx",
			 pal->handle, what, vmread(VMCS_GUEST_RIP), guest_cpl(),
			 vmread(VMCS_GUEST_CR3));
	spin_unlock(&pals.lock);
	return pal;
}

/*
 * Somebody touches a private page. Reads give zeros, and after the first one without
 * an exit; writes go nowhere; to execute it is a #GP.
 */
static void deal_with(struct percpu *cpu, u64 gpa, u64 qualification)
{
	if (qualification & EPT_VIOLATION_FETCH) {
		if (report(cpu, gpa, "jump to") || ept_view_is_hidden(gpa))
			event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	/* Hidden just now: L2 tries again, and finds what its EPT has for hidden pages. */
	if (nested_has_ept(cpu))
		return;
	/* Given back just now: again. Or not in the table yet: all the same. */
	if (!report(cpu, gpa, qualification & EPT_VIOLATION_WRITE ? "write to" : "read of") &&
	    !ept_view_is_hidden(gpa))
		return;
	if (qualification & EPT_VIOLATION_WRITE)
		ept_guest_step(cpu, gpa & PAGE_MASK);
	else
		ept_view_zero(gpa & PAGE_MASK);
}

static enum hypapp_verdict ept_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	/* Calls come first: they are to be fast. */
	if (qualification & EPT_VIOLATION_FETCH && handle_fetch(cpu, gpa))
		return HYPAPP_DONE;
	if (!ept_view_is_hidden(gpa))
		return HYPAPP_NOT_MINE;
	deal_with(cpu, gpa, qualification);
	return HYPAPP_DONE;
}

static int pal_enable(struct percpu *cpu)
{
	if (core.has_xsave && fpu_components() & FPU_SSE) {
		pals.on = true;
		return pal_service_enable();
	}
	log_warn(cpu, "pal: the CPU has no XSAVE, or its kernel does not use it");
	return -ENODEV;
}

static int pal_disable(struct percpu *cpu)
{
	u32 i;

	(void)cpu;
	/* A CPU that makes one may stand still in the middle of it. */
	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i])
			return -EBUSY;
	if (READ_ONCE(pals.making))
		return -EBUSY;
	pals.on = false;
	pal_grant_end();
	ept_switch_release();
	return 0;
}

/* Before the EPT goes: nobody may find what was hidden. */
static void pal_shutdown(struct percpu *cpu)
{
	u32 i;

	begin_making(cpu);
	for (i = 0; i < MAX_PALS; i++)
		if (pals.pal[i])
			finish(cpu, pals.pal[i]);
	end_making();
}

static const struct hypapp_call pal_calls[] = {
	{ .run = pal_register, .nested = true },
	{ .run = pal_unregister, .nested = true },
	{ .run = pal_stat },
	{ .run = pal_service, .max_cpl = 3, .nested = true },	/* RANDOM */
	{ .run = pal_service, .max_cpl = 3, .nested = true },
	{ .run = pal_service, .max_cpl = 3, .nested = true },
	{ .run = pal_service, .max_cpl = 3, .nested = true },
	{ .run = pal_service, .max_cpl = 3, .nested = true },
	{ .run = pal_service, .max_cpl = 3, .nested = true },	/* QUOTE */
	{ .run = pal_service_public_key, .max_cpl = 3, .nested = true },
	{ .run = pal_next },
	{ .run = pal_grant },
	{ .run = pal_revoke },
};

static const struct hypapp pal = {
	.name = "pal",
	.id = LATCH_APP_PAL,
	.calls = pal_calls,
	.nr_calls = ARRAY_SIZE(pal_calls),
	.enable = pal_enable,
	.disable = pal_disable,
	.shutdown = pal_shutdown,
	.ept_violation = ept_violation,
	.takes_nested = takes_nested,
};

HYPAPP(pal);
