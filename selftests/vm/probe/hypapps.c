// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is hard for hypapps: to be on or off on all CPUs at once, whatever these do just
 * then, and to work with few pages in the pool.
 */
#include <linux/io.h>
#include <linux/latch_guard.h>
#include <linux/latch_watch.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "vmcall.h"

#define BLOCK		(2ul << 20)	/* that a page which is denied splits */
#define LOWEST		(64ull << 20)	/* the kernel itself is below */
#define FRAMES		16		/* of a watchpoint */

struct state {
	struct latch *latch;
	atomic_t arrived, done, bad, copies;
	u32 cpus, pinned, pool_free;
	u64 *page[NR_CPUS];
};

static long call(u32 number, u64 rdi, u64 rsi, u64 rdx)
{
	struct gpr gpr = { .flags = X86_EFLAGS_FIXED | X86_EFLAGS_IF };

	gpr.r[RAX] = number;
	gpr.r[RDI] = rdi;
	gpr.r[RSI] = rsi;
	gpr.r[RDX] = rdx;
	return probe_vmcall(&gpr) ? gpr.r[RAX] : -ENODEV;
}

/* --- guard is on all CPUs, or on none */

static u32 pinned_cpus(void)
{
	struct latch_guard_stat *stat = kzalloc(sizeof(*stat), GFP_KERNEL);
	u32 cpus = ~0u;

	if (stat && !call(LATCH_HC_GUARD_STAT, (u64)stat, 0, 0))
		cpus = stat->cpus;
	kfree(stat);
	return cpus;
}

static void set_guard(struct state *state, u32 mode, u32 cpus)
{
	u32 pinned;

	if (call(LATCH_HC_GUARD_SET, mode, 0, 0))
		atomic_inc(&state->bad);
	pinned = pinned_cpus();
	if (pinned == cpus)
		return;
	state->pinned = pinned;
	atomic_inc(&state->bad);
}

/* One CPU changes the mode, the others wait in core for each other, and for it. */
static void follow_on_cpu(unsigned int cpu, void *data)
{
	struct state *state = data;
	bool first = atomic_inc_return(&state->arrived) == 1;
	u32 i;

	while (atomic_read(&state->arrived) < state->cpus)
		cpu_relax();
	for (i = 0; first && i < probe_count; i++) {
		set_guard(state, LATCH_GUARD_AUDIT, state->cpus);
		set_guard(state, LATCH_GUARD_OFF, 0);
		if (!(i & 63))
			schedule_timeout_uninterruptible(1);
	}
	if (first)
		atomic_set(&state->done, 1);
	for (i = 0; !atomic_read(&state->done); i++) {
		call(LATCH_HC_QUIESCE, 0, 0, 0);
		if (!(i & 63))
			schedule_timeout_uninterruptible(1);
	}
}

static void follow(struct seq_file *out, struct state *state)
{
	probe_on_each_cpu(follow_on_cpu, state);
	probe_result(out, !atomic_read(&state->bad), "guard is on all CPUs or on none",
		     "%u times on and off, %d wrong, the last %u CPUs of %u", probe_count,
		     atomic_read(&state->bad), state->pinned, state->cpus);
}

/* --- the pool is nearly empty */

static bool is_cores(struct state *state, u64 block)
{
	u32 i;

	for (i = 0; i < state->latch->boot.nr_chunks; i++)
		if (state->latch->boot.chunk[i] == block)
			return true;
	return false;
}

/* The last page of each 2 MiB, for execution, which will not take place. */
static u32 deny_many(struct state *state)
{
	struct latch_watch *watch = kzalloc(sizeof(*watch) + FRAMES * sizeof(u64), GFP_KERNEL);
	u64 *frames = (u64 *)(watch + 1), block;
	u32 count = 0, i = 0;

	if (!watch)
		return 0;
	watch->access = LATCH_WATCH_EXEC;
	watch->address = PAGE_OFFSET;
	watch->size = FRAMES * PAGE_SIZE;
	for (block = LOWEST; block + BLOCK <= state->latch->boot.ram_top; block += BLOCK) {
		if (is_cores(state, block))
			continue;
		frames[i++] = block + BLOCK - PAGE_SIZE;
		if (i < FRAMES)
			continue;
		if (call(LATCH_HC_WATCH_ADD, (u64)watch, (u64)frames, 0))
			break;
		count += i;
		i = 0;
	}
	kfree(watch);
	return count;
}

static void watch_page(struct state *state, u64 *page)
{
	struct latch_watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);

	if (watch) {
		watch->access = LATCH_WATCH_WRITE;
		watch->address = (u64)page;
		watch->size = 8;
	}
	if (!watch || call(LATCH_HC_WATCH_ADD, (u64)watch, 0, 0))
		atomic_inc(&state->bad);
	kfree(watch);
}

/* Each copy is stepped, and needs one more table. */
static void copy_on_cpu(unsigned int cpu, void *data)
{
	struct state *state = data;
	u64 *page = state->page[cpu], block, before, after;
	u64 *to, *from;

	for (block = LOWEST; page && block + BLOCK <= state->latch->boot.ram_top; block += BLOCK) {
		if (is_cores(state, block))
			continue;
		from = phys_to_virt(block + BLOCK - PAGE_SIZE);
		to = page;
		before = READ_ONCE(*from);
		asm volatile("movsq" : "+S" (from), "+D" (to) : : "memory");
		after = READ_ONCE(from[-1]);
		if ((page[0] != before && page[0] != after) || to != page + 1)
			atomic_inc(&state->bad);
		atomic_inc(&state->copies);
		cond_resched();
	}
}

static void scarce(struct seq_file *out, struct state *state)
{
	struct latch_log *log = state->latch->public;
	unsigned int cpu;
	u32 denied, id;

	for_each_online_cpu(cpu) {
		state->page[cpu] = (u64 *)get_zeroed_page(GFP_KERNEL);
		if (state->page[cpu])
			watch_page(state, state->page[cpu]);
	}
	denied = deny_many(state);
	state->pool_free = READ_ONCE(log->pool_free);
	probe_on_each_cpu(copy_on_cpu, state);
	for (id = 1; id <= 255; id++)
		call(LATCH_HC_WATCH_DEL, id, 0, 0);
	for_each_online_cpu(cpu)
		free_page((unsigned long)state->page[cpu]);
	probe_result(out, !atomic_read(&state->bad) && atomic_read(&state->copies),
		     "instructions are stepped with few pages in the pool",
		     "%u pages denied, %u left in the pool, %d copies, %d wrong", denied,
		     state->pool_free, atomic_read(&state->copies), atomic_read(&state->bad));
}

static void run(struct seq_file *out, struct latch *latch, u32 app,
		void (*test)(struct seq_file *out, struct state *state))
{
	struct state *state = kzalloc(sizeof(*state), GFP_KERNEL);
	long ret;

	if (!state)
		return;
	state->latch = latch;
	state->cpus = num_online_cpus();
	ret = call(LATCH_HC_APP_SET, app, 1, 0);
	if (!ret)
		test(out, state);
	if (!ret)
		ret = call(LATCH_HC_APP_SET, app, 0, 0);
	probe_result(out, !ret, "the hypapp is switched on and off", "%u: %ld", app, ret);
	kfree(state);
}

/** probe_hypapps_show - guard "count" times on and off, watch without memory */
int probe_hypapps_show(struct seq_file *out, void *unused)
{
	struct latch *latch = probe_latch_get();

	if (!latch)
		return -ENODEV;
	run(out, latch, LATCH_APP_GUARD, follow);
	run(out, latch, LATCH_APP_WATCH, scarce);
	probe_latch_put();
	return 0;
}
