// SPDX-License-Identifier: GPL-2.0-only
/* VMCALL at CPL 0, with arguments that nobody would use. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include "vmcall.h"

#define XFER(op) \
	op(0, rax) op(8, rbx) op(16, rcx) op(24, rdx) op(32, rsi) op(48, rbp) op(56, r8) \
	op(64, r9) op(72, r10) op(80, r11) op(88, r12) op(96, r13) op(104, r14) op(112, r15)
#define LOAD(off, reg)	"movq " #off "(%%rdi), %%" #reg "\n\t"
#define STORE(off, reg)	"movq %%" #reg ", " #off "(%%rdi)\n\t"

/**
 * probe_vmcall - execute VMCALL
 * @gpr: in and out: all registers but RSP
 *
 * Return: false for #UD.
 */
bool probe_vmcall(struct gpr *gpr)
{
	u64 done;

	/* On the stack: the result, then the pointer while its register is in use. */
	asm volatile("pushq %%rbp\n\t"
		     "pushq $0\n\t"
		     "pushq %%rdi\n\t"
		     XFER(LOAD)
		     "pushq 120(%%rdi)\n\t"
		     "movq 40(%%rdi), %%rdi\n\t"
		     "popfq\n"
		     "1:\tvmcall\n\t"
		     "movq $1, 8(%%rsp)\n"
		     "2:\tpushfq\n\t"
		     "xchgq %%rdi, 8(%%rsp)\n\t"
		     XFER(STORE)
		     "popq 120(%%rdi)\n\t"
		     "popq 40(%%rdi)\n\t"
		     "popq %%rax\n\t"
		     "popq %%rbp\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : "+D" (gpr), "=a" (done)
		     : : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			 "r15", "memory", "cc");
	return done;
}

struct state {
	struct latch *latch;
	atomic_t arrived;
	atomic_t bad;
	u32 cpus;
	char why[160];
};

static void complain(struct state *state, unsigned int cpu, const struct gpr *in,
		     const struct gpr *out, const char *what)
{
	if (atomic_inc_return(&state->bad) == 1)
		snprintf(state->why, sizeof(state->why),
			 "CPU %u: %s: rax %llx rdi %llx rsi %llx rdx %llx -> %llx %llx %llx %llx",
			 cpu, what, in->r[RAX], in->r[RDI], in->r[RSI], in->r[RDX], out->r[RAX],
			 out->r[RDI], out->r[RSI], out->r[RDX]);
}

static bool is_app(u64 id)
{
	return id >= LATCH_APP_HELLO && id <= LATCH_APP_WATCH;
}

/* What the ABI says of a call; results that cannot be known are taken from @out. */
static long expect(struct state *state, unsigned int cpu, const struct gpr *in,
		   const struct gpr *out, struct gpr *want)
{
	*want = *in;
	switch ((u32)in->r[RAX]) {
	case LATCH_HC_VERSION:
		want->r[RDI] = LATCH_ABI_VERSION;
		want->r[RSI] = state->latch->boot.version;
		want->r[RDX] = state->latch->boot.outer ? LATCH_VERSION_NESTED : 0;
		return 0;
	case LATCH_HC_PING:
		want->r[RSI] = cpu;
		return 0;
	case LATCH_HC_STAT:
		if (in->r[RDI] >= nr_cpu_ids || in->r[RSI] >= LATCH_STAT_LAST)
			return -EINVAL;
		want->r[RDI] = out->r[RDI];
		return 0;
	case LATCH_HC_LOG:
		want->r[RDI] = out->r[RDI];
		want->r[RSI] = ((struct latch_log *)state->latch->public)->count;
		return 0;
	case LATCH_HC_QUIESCE:
		want->r[RDI] = num_online_cpus() - 1;
		want->r[RSI] = out->r[RSI];
		return 0;
	case LATCH_HC_APP_INFO:
		if (!is_app(in->r[RDI]))
			return -ENOENT;
		want->r[RDI] = 0;
		want->r[RSI] = out->r[RSI];
		want->r[RDX] = 0;
		return 0;
	case LATCH_HC_APP_SET:
		if (in->r[RSI] > 1)
			return -EINVAL;
		return is_app(in->r[RDI]) ? 0 : -ENOENT;
	case LATCH_HC_LINUX:
		/* It has learnt that; or there is nothing at that address. */
		return (long)out->r[RAX] == -EBUSY ? -EBUSY : -EFAULT;
	case LATCH_HC_JOIN:
		return -EINVAL;
	case LATCH_HC_LEAVE:
		return -EPERM;
	default:
		return -ENOSYS;
	}
}

static void check_one(struct state *state, unsigned int cpu, struct gpr *in)
{
	struct gpr out, want;
	long ret;
	u32 i;

	/* Not this one: hello would then write to any address that comes along. */
	if ((u32)in->r[RAX] == LATCH_HC_APP_SET && in->r[RSI] == 1)
		in->r[RSI] = 0;
	out = *in;
	in->flags = (in->flags & ARITHMETIC_FLAGS) | 0x202;
	out.flags = in->flags;
	if (!probe_vmcall(&out)) {
		complain(state, cpu, in, &out, "#UD");
		return;
	}
	ret = expect(state, cpu, in, &out, &want);
	want.r[RAX] = (u64)ret;
	for (i = 0; i < NR_GPR; i++)
		if (out.r[i] != want.r[i])
			complain(state, cpu, in, &out, "a register is not what it should be");
	if ((out.flags ^ in->flags) & ARITHMETIC_FLAGS)
		complain(state, cpu, in, &out, "flags have changed");
}

/** probe_random - the next number of a stream: one for each CPU, the same in each run */
u64 probe_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Small numbers are the interesting ones, but for a few. */
static u64 pick_argument(u64 *seed)
{
	u64 value = probe_random(seed);

	switch (value >> 61) {
	case 0:
	case 1:
		return value & 3;
	case 2:
		return value & 127;
	case 3:
		return ~0ull << (value & 63);
	case 4:
		return 1ull << (value & 63);
	default:
		return value;
	}
}

static void run_random(unsigned int cpu, void *data)
{
	struct state *state = data;
	u64 seed = cpu + 1;
	struct gpr gpr;
	u32 i, r;

	probe_meet(&state->arrived, state->cpus);
	for (i = 0; i < probe_count; i++) {
		for (r = 0; r < NR_GPR; r++)
			gpr.r[r] = pick_argument(&seed);
		gpr.flags = probe_random(&seed);
		/* EAX is the number, whatever is above; half of them are assigned. */
		gpr.r[RAX] = (gpr.r[RAX] & ~0xffffffffull) | LATCH_HC_BASE;
		switch (probe_random(&seed) & 7) {
		case 0:
			gpr.r[RAX] |= 0xf0 + (probe_random(&seed) & 1);
			break;
		case 1:
		case 2:
		case 3:
			gpr.r[RAX] |= probe_random(&seed) & 3;
			break;
		default:
			gpr.r[RAX] |= probe_random(&seed) & 0xff;
		}
		check_one(state, cpu, &gpr);
		if (!(i & 255))
			cond_resched();
	}
}

static void run_all_numbers(unsigned int cpu, void *data)
{
	struct state *state = data;
	u64 seed = 1000 + cpu;
	struct gpr gpr;
	u32 number, r;

	for (number = LATCH_HC_BASE; number <= LATCH_HC_LAST; number++) {
		for (r = 0; r < NR_GPR; r++)
			gpr.r[r] = probe_random(&seed);
		gpr.r[RAX] = number;
		gpr.flags = probe_random(&seed);
		check_one(state, cpu, &gpr);
	}
}

static void run_strangers(unsigned int cpu, void *data)
{
	static const u32 numbers[] = { 0, 1, 0x4c5447ff, 0x4c544900, 0xffffffff };
	struct state *state = data;
	struct gpr gpr;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		memset(&gpr, 0, sizeof(gpr));
		gpr.r[RAX] = numbers[i];
		gpr.flags = 0x202;
		if (probe_vmcall(&gpr))
			complain(state, cpu, &gpr, &gpr, "no #UD");
	}
}

static void run_part(struct seq_file *out, struct latch *latch, const char *name,
		     probe_cpu_function *function)
{
	struct state *state = kzalloc(sizeof(*state), GFP_KERNEL);

	if (!state)
		return;
	state->latch = latch;
	state->cpus = num_online_cpus();
	probe_on_each_cpu(function, state);
	if (atomic_read(&state->bad))
		probe_result(out, false, name, "%d calls; %s", atomic_read(&state->bad), state->why);
	else
		probe_result(out, true, name, NULL);
	kfree(state);
}

/** probe_vmcall_show - hypercalls at CPL 0: all numbers, then "count" random ones */
int probe_vmcall_show(struct seq_file *out, void *unused)
{
	struct latch *latch = probe_latch_get();

	if (!latch)
		return -ENODEV;
	run_part(out, latch, "CPL 0: all numbers answer as the ABI says", run_all_numbers);
	run_part(out, latch, "CPL 0: random arguments on all CPUs", run_random);
	/* Others go to the outer hypervisor, where there is one. */
	if (!latch->boot.outer)
		run_part(out, latch, "CPL 0: numbers of others are #UD", run_strangers);
	probe_latch_put();
	return 0;
}
