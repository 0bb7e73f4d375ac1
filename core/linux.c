// SPDX-License-Identifier: GPL-2.0-only
/* What core knows of Linux; see linux.h. For messages only: it may be wrong. */
#include "core.h"
#include "guest.h"
#include "linux.h"
#include "pool.h"

#define IMAGE_START	0xffffffff80000000ull

_Static_assert(sizeof(struct latch_linux) <= PAGE_SIZE, "a page");
_Static_assert(ARRAY_SIZE(((struct latch_linux *)NULL)->current_task) == LATCH_MAX_CPUS, "ABI");

static struct latch_linux *known;	/* once it is set, it stays */

/** linux_learn - LATCH_HC_LINUX */
long linux_learn(struct percpu *cpu)
{
	struct latch_linux *page = pool_alloc(), *none = NULL;

	if (!page)
		return -ENOMEM;
	if (!guest_read_argument(cpu->gpr->rdi, page, sizeof(*page))) {
		pool_free(page);
		return -EFAULT;
	}
	if (__atomic_compare_exchange_n(&known, &none, page, false, __ATOMIC_RELEASE,
					__ATOMIC_RELAXED))
		return 0;
	pool_free(page);
	return -EBUSY;
}

static void make_printable(char comm[LINUX_COMM])
{
	u32 i;

	comm[LINUX_COMM - 1] = 0;
	for (i = 0; comm[i]; i++)
		if (comm[i] < ' ' || comm[i] > '~')
			comm[i] = '?';
}

static void read(u64 gpa, void *buf, u32 size)
{
	if (!((gpa | (gpa + size)) & ~(core.phys_mask | (PAGE_SIZE - 1))))
		guest_read_physical(gpa, buf, size);
}

/**
 * linux_current - the task that runs on a CPU
 * @cpu: this CPU
 * @task: out
 */
void linux_current(const struct percpu *cpu, struct linux_task *task)
{
	const struct latch_linux *linux_is = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
	u64 current = 0;

	*task = (struct linux_task) { .comm = "?" };
	if (!linux_is || cpu->index >= linux_is->nr_cpus || cpu->index >= LATCH_MAX_CPUS)
		return;
	read(linux_is->current_task[cpu->index], &current, sizeof(current));
	current -= current >= IMAGE_START ? linux_is->image_map : linux_is->direct_map;
	read(current + linux_is->pid, &task->pid, sizeof(task->pid));
	read(current + linux_is->comm, task->comm, sizeof(task->comm));
	make_printable(task->comm);
}
