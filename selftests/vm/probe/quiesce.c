// SPDX-License-Identifier: GPL-2.0-only
/* Quiesces from CPL 0, one after the other, each with a look at what it says. */
#include <linux/module.h>
#include <linux/sched.h>
#include <asm/asm.h>
#include "probe.h"

/* Return: what the call returns, or -ENODEV for #UD. */
static long quiesce(u64 *held, u64 *ticks)
{
	u64 ret = LATCH_HC_QUIESCE;

	*held = 0;
	*ticks = 0;
	asm volatile("1:\tvmcall\n\t"
		     "jmp 3f\n"
		     "2:\tmovq %4, %%rax\n"
		     "3:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+a" (ret), "+D" (*held), "+S" (*ticks)
		     : "d" (0ul), "i" (-ENODEV) : "memory", "cc");
	return (long)ret;
}

/**
 * probe_quiesce_show - hold all other CPUs "count" times
 *
 * The caller stays where it is bound to. A CPU that is offline is held too, or waits
 * for its start-up, which is as good: so how many are held can only be bounded.
 */
int probe_quiesce_show(struct seq_file *out, void *unused)
{
	u64 held, ticks, most = 0, longest = 0;
	long ret = 0;
	u32 i;

	for (i = 0; i < probe_count && !ret; i++) {
		ret = quiesce(&held, &ticks);
		if (!ret && held >= num_possible_cpus())
			ret = -ERANGE;
		most = max(most, held);
		longest = max(longest, ticks);
		if (!(i & 15))
			cond_resched();
	}
	probe_result(out, !ret, "quiesces", "%u, error %ld, at most %llu held, longest %llu ticks", i,
		     ret, most, longest);
	return 0;
}
