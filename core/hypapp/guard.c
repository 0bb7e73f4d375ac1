// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard: the kernel's text, its read-only data, their page tables, the IDT and the text of
 * modules are not written, and the registers of guard_regs.c are not changed.
 * Documentation/guard.md tells against whom that helps.
 *
 * Linux says which pages; once it is enforced, it can only add. The way by which the
 * kernel patches its own text stays open: text_poke() writes through an address space and
 * an address that nothing else uses.
 */
#include "core.h"
#include "ept_guest.h"
#include "ept_open.h"
#include "ept_view.h"
#include "event.h"
#include "guest.h"
#include "hypapp/guard.h"
#include "hypapp/hypapp.h"
#include "linux.h"
#include "log.h"
#include "pool.h"
#include "vmx.h"

#define MAX_PAGES	(SIZE_1G / PAGE_SIZE)	/* at once: others may wait for this CPU */
#define POKE_PAGES	2
#define CR3_ADDRESS	0x000ffffffffff000ull
#define BITS		(EPT_DENY_GUARD | EPT_DENY_MODULE)

/* @busy: one CPU at a time changes what is kept. */
static struct {
	u32 busy;
	u32 mode;
	u64 poke_cr3, poke_address;
	struct latch_guard_stat stat;
} guard;

/** guard_mode - enum latch_guard_mode */
u32 guard_mode(void)
{
	return READ_ONCE(guard.mode);
}

/** guard_count_register - somebody has tried to change one */
void guard_count_register(void)
{
	__atomic_add_fetch(&guard.stat.registers, 1, __ATOMIC_RELAXED);
}

static u64 bit_of(u64 kind)
{
	return kind == LATCH_GUARD_MODULE ? EPT_DENY_MODULE : EPT_DENY_GUARD;
}

static bool begin(void)
{
	return !__atomic_exchange_n(&guard.busy, 1, __ATOMIC_ACQUIRE);
}

static void finish(void)
{
	__atomic_store_n(&guard.busy, 0, __ATOMIC_RELEASE);
}

/* --- what is kept */

static int check_range(u64 gpa, u64 pages)
{
	u64 i;

	if (gpa % PAGE_SIZE || !pages || pages > MAX_PAGES || gpa >= boot.ram_top ||
	    gpa + pages * PAGE_SIZE > boot.ram_top)
		return -EINVAL;
	for (i = 0; i < pages; i++)
		if (!ept_view_is_ram(gpa + i * PAGE_SIZE))
			return ept_view_is_hidden(gpa + i * PAGE_SIZE) ? -EBUSY : -EINVAL;
	return 0;
}

static u64 count_denied(u64 gpa, u64 pages, u64 bit)
{
	u64 i, count = 0;

	for (i = 0; i < pages; i++)
		count += !!(ept_view_denied(gpa + i * PAGE_SIZE) & bit);
	return count;
}

static long add(struct percpu *cpu)
{
	u64 gpa = cpu->gpr->rdi, pages = cpu->gpr->rsi, there;
	u64 kind = cpu->gpr->rdx & ~(u64)LATCH_GUARD_MORE;
	int ret;

	if (guard.mode == LATCH_GUARD_OFF || kind >= LATCH_GUARD_KINDS)
		return -EINVAL;
	ret = check_range(gpa, pages);
	if (ret)
		return ret;
	if (pool_free_pages() < POOL_RESERVE)
		return -ENOMEM;
	there = count_denied(gpa, pages, bit_of(kind));
	ret = ept_guest_deny(cpu, gpa, pages, bit_of(kind), bit_of(kind));
	guard.stat.pages[kind] += count_denied(gpa, pages, bit_of(kind)) - there;
	if (ret)
		return ret;
	if (!(cpu->gpr->rdx & LATCH_GUARD_MORE))
		ept_guest_shoot_down(cpu);
	return 0;
}

/* A kernel that is no longer itself could ask for it too: but from where? */
static bool caller_is_kept(void)
{
	struct guest_paging paging;
	struct walk_path path;
	u64 gpa;

	guest_read_mode(&paging);
	return walk_address(&paging, vmread(VMCS_GUEST_RIP), &gpa, &path) &&
	       ept_view_denied(gpa) & BITS;
}

static void give_back(struct percpu *cpu, u64 gpa, u64 pages, u64 bits)
{
	struct ept_merge merge = { .count = 0 };
	u64 i;

	ept_guest_deny(cpu, gpa, pages, bits, 0);
	for (i = 0; i < pages; i++)
		if (i == 0 || (gpa + i * PAGE_SIZE) % SIZE_2M == 0)
			ept_guest_merge(cpu, &merge, gpa + i * PAGE_SIZE);
	ept_guest_merge_end(cpu, &merge);
}

static long remove(struct percpu *cpu)
{
	u64 gpa = cpu->gpr->rdi, pages = cpu->gpr->rsi;
	int ret = check_range(gpa, pages);

	if (ret)
		return ret;
	if (guard.mode >= LATCH_GUARD_ENFORCE && !caller_is_kept())
		return -EPERM;
	guard.stat.pages[LATCH_GUARD_MODULE] -= count_denied(gpa, pages, EPT_DENY_MODULE);
	give_back(cpu, gpa, pages, EPT_DENY_MODULE);
	return 0;
}

static void forget_all(struct percpu *cpu)
{
	struct ept_merge merge = { .count = 0 };
	u64 gpa;

	for (gpa = 0; gpa < boot.ram_top; gpa += SIZE_2M) {
		if (pool_owns(gpa))
			continue;
		ept_guest_deny(cpu, gpa, SIZE_2M / PAGE_SIZE, BITS, 0);
		ept_guest_merge(cpu, &merge, gpa);
	}
	ept_guest_merge_end(cpu, &merge);
	memset(guard.stat.pages, 0, sizeof(guard.stat.pages));
	guard.poke_cr3 = 0;
}

static long set(struct percpu *cpu)
{
	static const char *const names[] = { "off", "audit", "enforce", "locked" };
	u64 mode = cpu->gpr->rdi;

	if (mode > LATCH_GUARD_LOCK)
		return -EINVAL;
	if (guard.mode == LATCH_GUARD_LOCK)
		return mode == LATCH_GUARD_LOCK ? 0 : -EPERM;
	if (mode == guard.mode)
		return 0;
	WRITE_ONCE(guard.mode, (u32)mode);
	WRITE_ONCE(ept_guest.guarded, mode >= LATCH_GUARD_ENFORCE);
	if (mode == LATCH_GUARD_OFF)
		forget_all(cpu);
	hypapp_changed(cpu);
	log_info(cpu, "guard: %s", names[mode]);
	return 0;
}

static long poke(struct percpu *cpu)
{
	if (guard.mode >= LATCH_GUARD_ENFORCE)
		return -EPERM;
	guard.poke_cr3 = cpu->gpr->rdi & CR3_ADDRESS;
	guard.poke_address = cpu->gpr->rsi;
	return 0;
}

static long one_at_a_time(struct percpu *cpu, long (*run)(struct percpu *cpu))
{
	long ret = -EBUSY;

	if (begin()) {
		ret = run(cpu);
		finish();
	}
	return ret;
}

static long guard_set(struct percpu *cpu)
{
	return one_at_a_time(cpu, set);
}

static long guard_add(struct percpu *cpu)
{
	return one_at_a_time(cpu, add);
}

static long guard_remove(struct percpu *cpu)
{
	return one_at_a_time(cpu, remove);
}

static long guard_poke(struct percpu *cpu)
{
	return one_at_a_time(cpu, poke);
}

static long guard_stat(struct percpu *cpu)
{
	struct latch_guard_stat stat = guard.stat;

	stat.mode = guard.mode;
	stat.cpus = guard_regs_pinned();
	return guest_write_argument(cpu->gpr->rdi, &stat, sizeof(stat)) ? 0 : -EFAULT;
}

static long guard_pin(struct percpu *cpu)
{
	return guard_regs_pin(cpu);
}

/* --- writes */

static bool is_poke(u64 qualification)
{
	u64 linear = vmread(VMCS_GUEST_LINEAR_ADDRESS);

	return guard.poke_cr3 && qualification & EPT_VIOLATION_LINEAR && !guest_cpl() &&
	       (vmread(VMCS_GUEST_CR3) & CR3_ADDRESS) == guard.poke_cr3 &&
	       linear - guard.poke_address < POKE_PAGES * PAGE_SIZE;
}

static void report(struct percpu *cpu, u64 gpa, u64 qualification, bool refused)
{
	u64 linear = qualification & EPT_VIOLATION_LINEAR ? vmread(VMCS_GUEST_LINEAR_ADDRESS) : 0;
	struct linux_task task;

	linux_current(cpu, &task);
	log_warn(cpu, "guard: write to %llx at %llx by RIP %llx, %s[%u]%s", gpa, linear,
		 vmread(VMCS_GUEST_RIP), task.comm, task.pid, refused ? ": refused" : "");
}

static enum hypapp_verdict ept_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	u32 mode = guard_mode();

	if (!(qualification & EPT_VIOLATION_WRITE) || !(ept_view_denied(gpa) & BITS))
		return HYPAPP_NOT_MINE;
	/* The CPU notes in a page table that an entry has been used. */
	if (qualification & EPT_VIOLATION_LINEAR && !(qualification & EPT_VIOLATION_TRANSLATED))
		return HYPAPP_STEP;
	if (is_poke(qualification)) {
		__atomic_add_fetch(&guard.stat.pokes, 1, __ATOMIC_RELAXED);
		return HYPAPP_STEP;
	}
	if (mode == LATCH_GUARD_OFF)
		return HYPAPP_STEP;
	__atomic_add_fetch(&guard.stat.writes, 1, __ATOMIC_RELAXED);
	report(cpu, gpa, qualification, mode >= LATCH_GUARD_ENFORCE);
	if (mode == LATCH_GUARD_AUDIT)
		return HYPAPP_STEP;
	event_inject_fault(cpu, VECTOR_GP, 0);
	return HYPAPP_DONE;
}

/* --- */

static int guard_enable(struct percpu *cpu)
{
	int ret = guard_regs_alloc();

	if (ret == -ENODEV)
		log_warn(cpu, "guard: the CPU has no exits for descriptor tables");
	if (ret)
		return ret;
	ret = ept_open_prepare();
	if (ret)
		guard_regs_free();
	memset(&guard.stat, 0, sizeof(guard.stat));
	return ret;
}

static int guard_disable(struct percpu *cpu)
{
	(void)cpu;
	if (guard.mode != LATCH_GUARD_OFF || READ_ONCE(guard.busy) || guard_regs_pinned())
		return -EBUSY;
	ept_open_release();
	guard_regs_free();
	return 0;
}

static bool guard_stays(struct percpu *cpu)
{
	if (guard_mode() != LATCH_GUARD_LOCK)
		return false;
	log_warn(cpu, "guard is locked: Latch stays");
	return true;
}

static const struct hypapp_call guard_calls[] = {
	{ .run = guard_set },
	{ .run = guard_add },
	{ .run = guard_remove },
	{ .run = guard_poke },
	{ .run = guard_stat },
	{ .run = guard_pin },
};

static const struct hypapp guard_app = {
	.name = "guard",
	.id = LATCH_APP_GUARD,
	.calls = guard_calls,
	.nr_calls = ARRAY_SIZE(guard_calls),
	.enable = guard_enable,
	.disable = guard_disable,
	.ept_violation = ept_violation,
	.sync = guard_regs_sync,
	.join = guard_regs_join,
	.reset = guard_regs_reset,
	.stays = guard_stays,
	.registers_begin = guard_regs_begin,
	.registers_end = guard_regs_end,
	.registers_loaded = guard_regs_loaded,
};

HYPAPP(guard_app);
