// SPDX-License-Identifier: GPL-2.0-only
/*
 * watch: who touches what. The pages that watchpoints are in are denied in the EPT; an
 * access that exits is let go for one instruction, and told in the log behind it.
 * Documentation/watch.md has the text of the events.
 */
#include "core.h"
#include "ept_guest.h"
#include "ept_open.h"
#include "ept_view.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "hypapp/watch_set.h"
#include "hypapp/watch_size.h"
#include "linux.h"
#include "log.h"
#include "pool.h"
#include "vmx.h"

#define PENDING		4	/* events of one instruction */

/**
 * struct event - an access of the instruction that is being stepped
 * @watch: number of the watchpoint; 0: none
 * @access: LATCH_WATCH_*
 * @linear: where it is, in what is watched
 * @gpa: the same
 * @size: bytes of it that are watched, at most 8
 * @before: what was there
 */
struct event {
	u32 watch, access;
	u64 linear, gpa;
	u32 size;
	u64 before;
};

/**
 * struct pending - a page a CPU
 * @rip: of the instruction
 * @count: events of it
 * @event: these
 */
struct pending {
	u64 rip;
	u32 count;
	struct event event[PENDING];
};

/* @busy: one CPU at a time adds or removes. */
static struct {
	struct spinlock lock;
	u32 busy;
	struct watch_set set;
	struct pending *pending[LATCH_MAX_CPUS];
} watch;

static u64 bits_of(u32 access)
{
	return (access & LATCH_WATCH_READ ? EPT_WATCH_READ : 0) |
	       (access & LATCH_WATCH_WRITE ? EPT_WATCH_WRITE : 0) |
	       (access & LATCH_WATCH_EXEC ? EPT_WATCH_EXEC : 0);
}

static int deny(struct percpu *cpu, u64 page)
{
	return ept_guest_deny(cpu, page, 1, EPT_WATCH, bits_of(watch_set_access(&watch.set, page)));
}

/* --- adding and removing */

static int find_page(const struct guest_paging *paging, const struct latch_watch *req, u64 frames,
		     u64 linear, u64 *gpa)
{
	u64 index = (linear >> PAGE_SHIFT) - (req->address >> PAGE_SHIFT);
	struct walk_path path;

	if (!frames)
		return walk_address(paging, linear, gpa, &path) ? 0 : -EFAULT;
	if (!guest_read_argument(frames + index * sizeof(*gpa), gpa, sizeof(*gpa)))
		return -EFAULT;
	*gpa = (*gpa & PAGE_MASK) | linear % PAGE_SIZE;
	return 0;
}

/* With the lock. */
static int add_page(struct percpu *cpu, u32 id, u64 gpa, u64 linear, u32 size)
{
	int ret;

	if (ept_view_is_hidden(gpa))
		return -EBUSY;
	if (!ept_view_is_ram(gpa))
		return -EINVAL;
	if (pool_free_pages() < POOL_RESERVE)
		return -ENOMEM;
	ret = watch_set_add(&watch.set, id, gpa, linear, size);
	return ret ? ret : deny(cpu, gpa & PAGE_MASK);
}

static int add_pages(struct percpu *cpu, const struct latch_watch *to, u64 frames)
{
	struct guest_paging paging;
	u64 linear = to->address, left = to->size, part, gpa;
	int ret = 0;

	guest_read_mode(&paging);
	for (; left && !ret; linear += part, left -= part) {
		part = PAGE_SIZE - linear % PAGE_SIZE;
		if (part > left)
			part = left;
		ret = find_page(&paging, to, frames, linear, &gpa);
		if (ret)
			break;
		spin_lock(&watch.lock);
		ret = add_page(cpu, to->id, gpa, linear, (u32)part);
		spin_unlock(&watch.lock);
	}
	return ret;
}

static void remove(struct percpu *cpu, u32 id)
{
	struct ept_merge merge = { .count = 0 };
	bool more;
	u64 page;

	do {
		spin_lock(&watch.lock);
		more = watch_set_remove(&watch.set, id, &page);
		if (more)
			deny(cpu, page);
		spin_unlock(&watch.lock);
		if (more)
			ept_guest_merge(cpu, &merge, page);
	} while (more);
	ept_guest_merge_end(cpu, &merge);
	spin_lock(&watch.lock);
	watch.set.watch[id - 1] = (struct latch_watch) { .id = 0 };
	spin_unlock(&watch.lock);
}

static struct latch_watch *new(const struct latch_watch *req)
{
	struct latch_watch *to;

	spin_lock(&watch.lock);
	to = watch_set_new(&watch.set);
	if (to) {
		to->access = req->access;
		to->address = req->address;
		to->size = req->size;
	}
	spin_unlock(&watch.lock);
	return to;
}

static bool begin(void)
{
	return !__atomic_exchange_n(&watch.busy, 1, __ATOMIC_ACQUIRE);
}

static void finish(void)
{
	__atomic_store_n(&watch.busy, 0, __ATOMIC_RELEASE);
}

static long add(struct percpu *cpu)
{
	struct latch_watch req, *to;
	u64 linear, size;
	int ret;

	if (!guest_read_argument(cpu->gpr->rdi, &req, sizeof(req)))
		return -EFAULT;
	linear = req.address;
	size = req.size;
	if (!req.access || req.access & ~(u32)EPT_RWX || !size || size > LATCH_WATCH_SIZE ||
	    !guest_argument(&linear, &size))
		return -EINVAL;
	to = new(&req);
	if (!to)
		return -ENOSPC;
	ret = add_pages(cpu, to, cpu->gpr->rsi);
	if (ret) {
		remove(cpu, to->id);
		return ret;
	}
	ept_guest_shoot_down(cpu);
	cpu->gpr->rdi = to->id;
	return 0;
}

static long watch_add(struct percpu *cpu)
{
	long ret;

	if (!begin())
		return -EBUSY;
	ret = add(cpu);
	finish();
	return ret;
}

static long watch_del(struct percpu *cpu)
{
	struct latch_watch *to;

	if (!begin())
		return -EBUSY;
	to = watch_set_find(&watch.set, cpu->gpr->rdi);
	if (to)
		remove(cpu, to->id);
	finish();
	return to ? 0 : -ENOENT;
}

static long watch_next(struct percpu *cpu)
{
	struct latch_watch copy, *to;

	spin_lock(&watch.lock);
	to = watch_set_behind(&watch.set, cpu->gpr->rdi);
	if (to)
		copy = *to;
	spin_unlock(&watch.lock);
	if (!to)
		return -ENOENT;
	return guest_write_argument(cpu->gpr->rsi, &copy, sizeof(copy)) ? 0 : -EFAULT;
}

/* --- events */

static u64 read_value(const struct event *event)
{
	u64 value = 0;

	guest_read_physical(event->gpa, &value, event->size);
	return value;
}

static u32 access_size(struct percpu *cpu, u64 qualification, u32 *access)
{
	enum code_size code;
	u8 bytes[FETCH_SIZE];
	u32 size;

	/* Of page tables, or of a frame on the stack: entry by entry. */
	if (vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID ||
	    !(qualification & EPT_VIOLATION_TRANSLATED))
		return sizeof(u64);
	if (qualification & EPT_VIOLATION_FETCH)
		return 1;
	size = fetch_bytes(cpu, bytes, &code);
	if (*access & LATCH_WATCH_WRITE && watch_changes(bytes, size, code))
		*access |= LATCH_WATCH_READ;
	return watch_size(bytes, size, code);
}

static bool make_event(struct event *event, const struct watch_range *range, u32 access,
		       u64 gpa, u32 size)
{
	u64 start = gpa > range->gpa ? gpa : range->gpa, end = range->gpa + range->size;

	access &= watch.set.watch[range->watch - 1].access;
	if (gpa + size < end)
		end = gpa + size;
	if (!access || start >= end)
		return false;
	*event = (struct event) {
		.watch = range->watch, .access = access, .gpa = start,
		.linear = range->linear + (start - range->gpa),
		.size = end - start < 8 ? (u32)(end - start) : 8,
	};
	event->before = read_value(event);
	return true;
}

/* An instruction that reads and then writes exits twice, for one event. */
static void add_event(struct pending *pending, const struct event *event)
{
	u32 i;

	for (i = 0; i < pending->count; i++) {
		if (pending->event[i].watch == event->watch &&
		    pending->event[i].gpa == event->gpa) {
			pending->event[i].access |= event->access;
			return;
		}
	}
	if (i < PENDING)
		pending->event[pending->count++] = *event;
	else
		/* Counted: then the list shows more than the log. */
		watch.set.watch[event->watch - 1].hits++;
}

static enum hypapp_verdict ept_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	struct pending *pending = watch.pending[cpu->index];
	u32 size = 0, access = qualification & EPT_RWX;
	struct watch_range *range;
	struct event event;

	/* The first access of an instruction: what is left is of one that started again. */
	if (!cpu->view)
		pending->count = 0;
	pending->rip = vmread(VMCS_GUEST_RIP);
	spin_lock(&watch.lock);
	range = watch_set_first(&watch.set, gpa & PAGE_MASK);
	if (!range) {
		spin_unlock(&watch.lock);
		return HYPAPP_NOT_MINE;
	}
	for (; range; range = watch_set_next(&watch.set, range)) {
		if (!size)
			size = access_size(cpu, qualification, &access);
		if (make_event(&event, range, access, gpa, size))
			add_event(pending, &event);
	}
	spin_unlock(&watch.lock);
	return HYPAPP_STEP;
}

static void tell(struct percpu *cpu, const struct event *event, u64 rip,
		 const struct linux_task *task)
{
	static const char *const letters[] = { "-", "r", "w", "rw", "x", "rx", "wx", "rwx" };
	u64 after = read_value(event);

	log_write(cpu->index, LATCH_LOG_INFO, "watch %u %s %llx %llx %u %llx %llx %s",
		  event->watch, letters[event->access & 7], event->linear, rip, task->pid,
		  event->before, after, task->comm);
}

static void stepped(struct percpu *cpu)
{
	struct pending *pending = watch.pending[cpu->index];
	struct linux_task task;
	struct latch_watch *to;
	u32 i;

	if (!pending->count)
		return;
	linux_current(cpu, &task);
	for (i = 0; i < pending->count; i++) {
		tell(cpu, &pending->event[i], pending->rip, &task);
		spin_lock(&watch.lock);
		to = watch_set_find(&watch.set, pending->event[i].watch);
		if (to)
			to->hits++;
		spin_unlock(&watch.lock);
	}
	pending->count = 0;
}

/* --- */

static void free_all(void)
{
	u32 i;

	for (i = 0; i < boot.nr_cpus; i += PAGE_SIZE / sizeof(struct pending))
		if (watch.pending[i])
			pool_free(watch.pending[i]);
	memset(watch.pending, 0, sizeof(watch.pending));
	if (watch.set.watch)
		watch_set_free(&watch.set);
}

static int alloc_all(void)
{
	u32 per_page = PAGE_SIZE / sizeof(struct pending), i;
	struct pending *page = NULL;
	int ret = watch_set_init(&watch.set);

	for (i = 0; i < boot.nr_cpus && !ret; i++) {
		if (i % per_page == 0)
			page = pool_alloc();
		if (!page)
			ret = -ENOMEM;
		else
			watch.pending[i] = page + i % per_page;
	}
	return ret;
}

static int watch_enable(struct percpu *cpu)
{
	int ret = alloc_all();

	(void)cpu;
	if (!ret)
		ret = ept_open_prepare();
	if (ret)
		free_all();
	return ret;
}

static int watch_disable(struct percpu *cpu)
{
	(void)cpu;
	/* A CPU that adds or removes may stand still in the middle of it. */
	if (READ_ONCE(watch.busy) || watch_set_behind(&watch.set, 0))
		return -EBUSY;
	ept_open_release();
	free_all();
	return 0;
}

static const struct hypapp_call watch_calls[] = {
	{ .run = watch_add },
	{ .run = watch_del },
	{ .run = watch_next },
};

static const struct hypapp watch_app = {
	.name = "watch",
	.id = LATCH_APP_WATCH,
	.calls = watch_calls,
	.nr_calls = ARRAY_SIZE(watch_calls),
	.enable = watch_enable,
	.disable = watch_disable,
	.ept_violation = ept_violation,
	.stepped = stepped,
};

HYPAPP(watch_app);
