// SPDX-License-Identifier: GPL-2.0-only
/*
 * All hypercalls at CPL 0 with hostile arguments, on all CPUs at once. Not made are
 * those that do what nobody could stand: to leave, and to have guard enforce.
 */
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/latch_guard.h>
#include <linux/latch_pal.h>
#include <linux/latch_watch.h>
#include "fuzz.h"

#define HANDLES		4	/* of PALs of one CPU, and of its watchpoints */
#define TIDY		16	/* calls */
#define GREETING	"hello from core\n"

static ulong fuzz_seed = 1;
module_param_named(seed, fuzz_seed, ulong, 0644);
MODULE_PARM_DESC(seed, "of fuzz");

static bool fuzz_apps = true;
module_param_named(apps, fuzz_apps, bool, 0644);
MODULE_PARM_DESC(apps, "fuzz may switch hypapps on");

#define E(number)	BIT_ULL(number)

enum { OUT_RDI = 1, OUT_RSI = 2, OUT_RDX = 4, OUT_ALL = 7 };

/**
 * struct call - what the ABI says of a call at CPL 0
 * @number: its number
 * @weight: how often it is made, compared with others
 * @errors: errnos that it may return
 * @results: registers that it may change if it returns 0
 * @never: it never returns 0
 * @written: bytes that it then has written
 * @at: register with their address
 */
static const struct call {
	u32 number;
	u32 weight;
	u64 errors;
	u32 results;
	bool never;
	u32 written;
	u32 at;
} calls[] = {
	{ LATCH_HC_VERSION, 2, 0, OUT_ALL },
	{ LATCH_HC_PING, 2, 0, OUT_RSI },
	{ LATCH_HC_STAT, 4, E(EINVAL), OUT_RDI },
	{ LATCH_HC_LOG, 2, 0, OUT_RDI | OUT_RSI },
	{ LATCH_HC_QUIESCE, 1, 0, OUT_RDI | OUT_RSI },
	{ LATCH_HC_APP_INFO, 4, E(ENOENT), OUT_ALL },
	{ LATCH_HC_APP_SET, 2, E(ENOENT) | E(EINVAL) | E(EBUSY) | E(ENOMEM) | E(ENODEV), 0 },
	{ LATCH_HC_LINUX, 2, E(EFAULT) | E(EBUSY) | E(ENOMEM), 0, true },
	{ LATCH_HC_HELLO, 8, E(ENOSYS) | E(EFAULT) | E(EINVAL), OUT_RDI | OUT_RSI, false,
	  sizeof(GREETING), RDI },
	{ LATCH_HC_PAL_REGISTER, 4, E(ENOSYS) | E(EINVAL) | E(EFAULT) | E(EBUSY) | E(ENOMEM) |
	  E(ENOSPC) | E(ENODEV), OUT_RDI },
	{ LATCH_HC_PAL_UNREGISTER, 4, E(ENOSYS) | E(ENOENT), 0 },
	{ LATCH_HC_PAL_STAT, 2, E(ENOSYS) | E(ENOENT), OUT_ALL },
	{ LATCH_HC_PAL_RANDOM, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_PCR_READ, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_PCR_EXTEND, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_SEAL, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_UNSEAL, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_QUOTE, 1, E(ENOSYS) | E(EPERM), 0, true },
	{ LATCH_HC_PAL_PUBLIC_KEY, 4, E(ENOSYS) | E(EFAULT) | E(ENODEV), 0, false,
	  LATCH_PAL_PUBLIC_SIZE, RDI },
	{ LATCH_HC_PAL_NEXT, 2, E(ENOSYS) | E(ENOENT), OUT_RDI },
	{ LATCH_HC_PAL_GRANT, 4, E(ENOSYS) | E(EINVAL) | E(EFAULT) | E(EBUSY) | E(ENOMEM), 0 },
	{ LATCH_HC_PAL_REVOKE, 4, E(ENOSYS) | E(EINVAL) | E(EFAULT) | E(ENOMEM) | E(EIO), 0 },
	{ LATCH_HC_GUARD_SET, 6, E(ENOSYS) | E(EINVAL) | E(EBUSY), 0 },
	{ LATCH_HC_GUARD_ADD, 4, E(ENOSYS) | E(EINVAL) | E(EBUSY) | E(ENOMEM), 0 },
	{ LATCH_HC_GUARD_REMOVE, 2, E(ENOSYS) | E(EINVAL) | E(EBUSY), 0 },
	{ LATCH_HC_GUARD_POKE, 1, E(ENOSYS) | E(EBUSY), 0 },
	{ LATCH_HC_GUARD_STAT, 4, E(ENOSYS) | E(EFAULT), 0, false,
	  sizeof(struct latch_guard_stat), RDI },
	{ LATCH_HC_GUARD_PIN, 1, E(ENOSYS) | E(EPERM), 0 },
	{ LATCH_HC_WATCH_ADD, 8, E(ENOSYS) | E(EFAULT) | E(EINVAL) | E(EBUSY) | E(ENOSPC) |
	  E(ENOMEM), OUT_RDI },
	{ LATCH_HC_WATCH_DEL, 8, E(ENOSYS) | E(ENOENT) | E(EBUSY), 0 },
	{ LATCH_HC_WATCH_NEXT, 8, E(ENOSYS) | E(ENOENT) | E(EFAULT), 0, false,
	  sizeof(struct latch_watch), RSI },
};

static const struct call unassigned = { 0, 0, E(ENOSYS), 0, true };

struct state {
	struct latch *latch;
	atomic_t bad, made, done[ARRAY_SIZE(calls)], answers;
	char why[200];
};

/**
 * struct fuzz - one CPU
 * @memory: what its calls may name
 * @state: of all CPUs
 * @cpu: its number
 * @handle: its PALs
 * @watch: its watchpoints
 * @in_bad: this call is made in the made-up address space
 * @brief: what it does is to be undone before the next interrupt: a kernel that steps
 *	over its page tables, or its stack, gets nowhere
 */
struct fuzz {
	struct fuzz_memory memory;
	struct state *state;
	unsigned int cpu;
	u32 handle[HANDLES], watch[HANDLES];
	bool in_bad, brief;
};

static void complain(struct fuzz *fuzz, const struct gpr *in, const struct gpr *out,
		     const char *what)
{
	struct state *state = fuzz->state;

	if (atomic_inc_return(&state->bad) == 1)
		snprintf(state->why, sizeof(state->why),
			 "CPU %u: %s: rax %llx rdi %llx rsi %llx rdx %llx -> %llx %llx %llx %llx",
			 fuzz->cpu, what, in->r[RAX], in->r[RDI], in->r[RSI], in->r[RDX],
			 out->r[RAX], out->r[RDI], out->r[RSI], out->r[RDX]);
}

static const struct call *find_call(u32 number)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return &calls[i];
	return &unassigned;
}

/* --- arguments */

static u32 pick_number(struct fuzz_memory *memory)
{
	u32 total = 0, i, number;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		total += calls[i].weight;
	/* One in four is any number. */
	number = fuzz_below(memory, total + total / 3);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (number < calls[i].weight)
			return calls[i].number;
		number -= calls[i].weight;
	}
	do
		number = LATCH_HC_BASE + fuzz_below(memory, 256);
	while (number == LATCH_HC_LEAVE || number == LATCH_HC_JOIN);
	return number;
}

static u64 pick_any(struct fuzz_memory *memory)
{
	return fuzz_below(memory, 2) ? fuzz_number(memory) : fuzz_pointer(memory);
}

/* A struct is put to where it ends with the page, or over its end, too. */
static void *room(struct fuzz_memory *memory, u32 size)
{
	u32 at = fuzz_below(memory, BUFFER_SIZE - size + 1);

	if (!fuzz_below(memory, 4))
		at = fuzz_below(memory, 2) ? BUFFER_SIZE - size : PAGE_SIZE - size / 2;
	return memory->buffer + at;
}

static void mutate(struct fuzz_memory *memory, void *data, u32 size)
{
	u64 *words = data;
	u32 i;

	for (i = fuzz_below(memory, 4); i; i--)
		words[fuzz_below(memory, size / sizeof(*words))] = fuzz_number(memory);
	for (i = fuzz_below(memory, 4); i; i--)
		((u8 *)data)[fuzz_below(memory, size)] ^= BIT(fuzz_below(memory, 8));
}

/* Sections one behind the other, of a page or two each, stack and code among them. */
static void make_desc(struct fuzz_memory *memory, struct latch_pal_desc *desc)
{
	static const u32 types[] = { LATCH_PAL_CODE, LATCH_PAL_STACK, LATCH_PAL_PARAM,
				     LATCH_PAL_SHARED, LATCH_PAL_DATA, LATCH_PAL_DATA };
	u32 page = fuzz_below(memory, 4), i, pages;

	memset(desc, 0, sizeof(*desc));
	desc->nr_sections = 2 + fuzz_below(memory, ARRAY_SIZE(types) - 1);
	for (i = 0; i < desc->nr_sections; i++, page += pages) {
		pages = 1 + fuzz_below(memory, 2);
		desc->section[i] = (struct latch_pal_section) {
			.start = fuzz_pal_address(page), .size = pages * PAGE_SIZE,
			.type = types[i],
		};
	}
	desc->nr_entries = 1;
	desc->entry[0].address = desc->section[0].start;
}

static void make_frames(struct fuzz_memory *memory, const struct latch_pal_desc *desc, u64 *frames)
{
	u32 page = (desc->section[0].start - fuzz_pal_address(0)) / PAGE_SIZE, i;

	for (i = 0; i + page < PAL_PAGES; i++)
		frames[i] = virt_to_phys(memory->pal[page + i]);
	if (!fuzz_below(memory, 4))
		frames[fuzz_below(memory, PAL_PAGES)] = fuzz_frame(memory);
}

static void make_pal(struct fuzz_memory *memory, struct gpr *in)
{
	struct latch_pal_desc *desc = (void *)memory->buffer +
				      fuzz_below(memory, PAGE_SIZE - sizeof(*desc));
	u64 *frames = (u64 *)(memory->buffer + PAGE_SIZE) + fuzz_below(memory, 128);

	make_desc(memory, desc);
	make_frames(memory, desc, frames);
	if (!fuzz_below(memory, 2))
		mutate(memory, desc, sizeof(*desc));
	in->r[RDI] = fuzz_below(memory, 8) ? (u64)desc : fuzz_pointer(memory);
	in->r[RSI] = fuzz_root(memory);
	in->r[RDX] = fuzz_below(memory, 8) ? (u64)frames : fuzz_pointer(memory);
}

static void make_watch(struct fuzz *fuzz, struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;
	struct latch_watch *watch = room(memory, sizeof(*watch));
	u64 *frames = room(memory, 64 * sizeof(*frames));
	u32 offset = fuzz_below(memory, PLAIN_SIZE - 16), i;

	watch->access = fuzz_below(memory, 8);
	watch->address = (u64)memory->plain + offset;
	watch->size = 1 + fuzz_below(memory, fuzz_below(memory, 2) ? 16 : PLAIN_SIZE - offset);
	fuzz->brief = !fuzz_below(memory, 4);
	if (fuzz->brief)
		mutate(memory, watch, sizeof(*watch));
	if ((void *)(frames + 64) <= (void *)watch || (void *)frames >= (void *)(watch + 1))
		for (i = 0; i < 64; i++)
			frames[i] = fuzz_frame(memory);
	in->r[RDI] = fuzz_below(memory, 8) ? (u64)watch : fuzz_pointer(memory);
	in->r[RSI] = fuzz_below(memory, 2) ? 0 :
		     fuzz_below(memory, 8) ? (u64)frames : fuzz_pointer(memory);
	fuzz->brief |= in->r[RDI] != (u64)watch || in->r[RSI];
}

/* Few are there at a time; 0 if none is. */
static u32 own_watch(struct fuzz *fuzz)
{
	u32 slot = fuzz_below(&fuzz->memory, HANDLES), i;

	for (i = 0; i < HANDLES && !fuzz->watch[slot]; i++)
		slot = (slot + 1) % HANDLES;
	return fuzz->watch[slot];
}

static u64 pick_mode(struct fuzz_memory *memory)
{
	u64 mode = fuzz_below(memory, 4) ? LATCH_GUARD_AUDIT : fuzz_number(memory);

	/* What happens then is the kernel's own fault. */
	if (mode == LATCH_GUARD_ENFORCE || mode == LATCH_GUARD_LOCK)
		return LATCH_GUARD_OFF;
	return mode;
}

static void make_range(struct fuzz *fuzz, struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;

	in->r[RDI] = fuzz_frame(memory);
	in->r[RSI] = fuzz_below(memory, 4) ? 1 + fuzz_below(memory, 16) : fuzz_number(memory);
	in->r[RDX] = fuzz_below(memory, 8) ? fuzz_below(memory, LATCH_GUARD_KINDS + 1) :
		     fuzz_number(memory);
	if (!fuzz_below(memory, 4))
		in->r[RDX] |= LATCH_GUARD_MORE;
	fuzz->brief = !fuzz_is_own(memory, in->r[RDI], in->r[RSI]);
}

/* Low memory, which no nested guest has: nothing comes of it. */
static void make_grant(struct fuzz_memory *memory, struct gpr *in)
{
	u32 count = 1 + fuzz_below(memory, 4), i;
	u64 *frame = room(memory, count * sizeof(*frame));

	for (i = 0; i < count; i++)
		frame[i] = (u64)fuzz_below(memory, 256) << PAGE_SHIFT;
	in->r[RDI] = (u64)frame;
	in->r[RSI] = fuzz_below(memory, 4) ? count : fuzz_number(memory);
}

static void make_arguments_of_app(struct fuzz *fuzz, struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;

	switch ((u32)in->r[RAX]) {
	case LATCH_HC_HELLO:
		in->r[RDI] = fuzz_pointer(memory);
		in->r[RSI] = fuzz_below(memory, 2) ? 16 + fuzz_below(memory, 64) : fuzz_number(memory);
		break;
	case LATCH_HC_PAL_REGISTER:
		make_pal(memory, in);
		break;
	case LATCH_HC_PAL_UNREGISTER:
	case LATCH_HC_PAL_STAT:
		in->r[RDI] = fuzz_below(memory, 4) ? fuzz->handle[fuzz_below(memory, HANDLES)] :
			     fuzz_number(memory);
		break;
	case LATCH_HC_PAL_GRANT:
	case LATCH_HC_PAL_REVOKE:
		make_grant(memory, in);
		break;
	case LATCH_HC_GUARD_SET:
		in->r[RDI] = pick_mode(memory);
		break;
	case LATCH_HC_GUARD_ADD:
	case LATCH_HC_GUARD_REMOVE:
		make_range(fuzz, in);
		break;
	case LATCH_HC_WATCH_ADD:
		make_watch(fuzz, in);
		break;
	case LATCH_HC_WATCH_DEL:
	case LATCH_HC_WATCH_NEXT:
		in->r[RDI] = fuzz_below(memory, 2) ? own_watch(fuzz) : fuzz_number(memory);
		in->r[RSI] = fuzz_below(memory, 2) ? fuzz_pointer(memory) :
			     (u64)room(memory, sizeof(struct latch_watch));
		break;
	}
}

static void make_arguments(struct fuzz *fuzz, struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;

	in->r[RDI] = pick_any(memory);
	in->r[RSI] = pick_any(memory);
	in->r[RDX] = pick_any(memory);
	fuzz->brief = false;
	switch ((u32)in->r[RAX]) {
	case LATCH_HC_STAT:
	case LATCH_HC_APP_INFO:
		in->r[RDI] = fuzz_number(memory);
		in->r[RSI] = fuzz_below(memory, 2) ? fuzz_below(memory, 128) : fuzz_number(memory);
		break;
	case LATCH_HC_APP_SET:
		in->r[RDI] = fuzz_below(memory, 8) ? fuzz_below(memory, 6) : fuzz_number(memory);
		in->r[RSI] = fuzz_below(memory, 4) ? !!fuzz_below(memory, 4) : fuzz_number(memory);
		if (in->r[RSI] == 1 && !fuzz_apps)
			in->r[RSI] = 0;
		break;
	default:
		make_arguments_of_app(fuzz, in);
	}
}

/* An address that is translated by page tables which are as hostile. */
static void use_bad_pointer(struct fuzz *fuzz, struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;
	u64 pointer = fuzz_bad_pointer(memory);

	fuzz->in_bad = !fuzz_below(memory, 4);
	if (!fuzz->in_bad)
		return;
	switch ((u32)in->r[RAX]) {
	case LATCH_HC_LINUX:
	case LATCH_HC_HELLO:
	case LATCH_HC_PAL_PUBLIC_KEY:
	case LATCH_HC_GUARD_STAT:
		in->r[RDI] = pointer;
		break;
	case LATCH_HC_WATCH_NEXT:
		in->r[RSI] = pointer;
		break;
	case LATCH_HC_PAL_REGISTER:
		in->r[fuzz_below(memory, 2) ? RDI : RDX] = pointer;
		break;
	case LATCH_HC_WATCH_ADD:
		if (in->r[RDI] - (u64)memory->buffer < BUFFER_SIZE - sizeof(struct latch_watch))
			((struct latch_watch *)in->r[RDI])->address = pointer;
		if (fuzz_below(memory, 2))
			in->r[RSI] = fuzz_below(memory, 2) * fuzz_bad_pointer(memory);
		break;
	default:
		fuzz->in_bad = false;
	}
}

/* --- what comes back */

static bool results_are_right(struct fuzz *fuzz, const struct gpr *in, const struct gpr *out)
{
	switch ((u32)in->r[RAX]) {
	case LATCH_HC_VERSION:
		return out->r[RDI] == LATCH_ABI_VERSION &&
		       out->r[RSI] == fuzz->state->latch->boot.version;
	case LATCH_HC_PING:
		return out->r[RSI] == fuzz->cpu;
	case LATCH_HC_STAT:
		return in->r[RDI] < nr_cpu_ids && in->r[RSI] < LATCH_STAT_LAST;
	case LATCH_HC_QUIESCE:
		return out->r[RDI] < num_online_cpus();
	case LATCH_HC_APP_INFO:
		return out->r[RDI] <= LATCH_APP_ON;
	case LATCH_HC_HELLO:
		return in->r[RSI] >= sizeof(GREETING) && out->r[RDI] == sizeof(GREETING);
	case LATCH_HC_PAL_STAT:
		return out->r[RDI] <= LATCH_PAL_DEAD && out->r[RDX] <= LATCH_PAL_PAGES;
	default:
		return true;
	}
}

static void check_registers(struct fuzz *fuzz, const struct call *call, const struct gpr *in,
			    const struct gpr *out)
{
	static const u32 result[] = { RDI, RSI, RDX };
	u32 free = BIT(RAX), i;
	u64 error = -out->r[RAX];

	for (i = 0; i < ARRAY_SIZE(result) && !error; i++)
		if (call->results & BIT(i))
			free |= BIT(result[i]);
	if (error >= 64 || (error ? !(call->errors & BIT_ULL(error)) : call->never))
		complain(fuzz, in, out, "it should not return that");
	for (i = 0; i < NR_GPR; i++)
		if (!(free & BIT(i)) && in->r[i] != out->r[i])
			complain(fuzz, in, out, "a register has changed");
	if ((out->flags ^ in->flags) & ARITHMETIC_FLAGS)
		complain(fuzz, in, out, "flags have changed");
	if (!error && !results_are_right(fuzz, in, out))
		complain(fuzz, in, out, "a result is wrong");
}

/* What a call has written is taken as it is; all else is as it was. */
static void check_memory(struct fuzz *fuzz, const struct call *call, const struct gpr *in,
			 const struct gpr *out)
{
	struct fuzz_memory *memory = &fuzz->memory;
	u64 at = in->r[call->at], offset = at - (u64)memory->buffer;
	bool may = fuzz_may_write(memory, at, call->written), done = !out->r[RAX];

	if (call->written && !fuzz->in_bad) {
		if (done && !may)
			complain(fuzz, in, out, "written to where that is not possible");
		/* HELLO's whole range counts, and that may go around. */
		if ((long)out->r[RAX] == -EFAULT && may &&
		    (call->number != LATCH_HC_HELLO || in->r[RSI] <= -at))
			complain(fuzz, in, out, "not written");
		if (done && offset < BUFFER_SIZE) {
			if (call->number == LATCH_HC_HELLO &&
			    memcmp(memory->buffer + offset, GREETING, sizeof(GREETING)))
				complain(fuzz, in, out, "another greeting");
			memcpy(memory->shadow + offset, memory->buffer + offset, call->written);
		}
	}
	if (!memcmp(memory->buffer, memory->shadow, BUFFER_SIZE))
		return;
	complain(fuzz, in, out, "memory beside the buffer has changed");
	memcpy(memory->shadow, memory->buffer, BUFFER_SIZE);
}

static long call_simply(u32 number, u64 *rdi, u64 *rsi)
{
	struct gpr gpr = { .flags = irqs_disabled() ? 2 : 0x202 };

	gpr.r[RAX] = number;
	gpr.r[RDI] = *rdi;
	gpr.r[RSI] = *rsi;
	if (!probe_vmcall(&gpr))
		return -ENODEV;
	*rdi = gpr.r[RDI];
	*rsi = gpr.r[RSI];
	return gpr.r[RAX];
}

/* Another CPU may be at it just now. */
static long call_until_done(u32 number, u64 rdi, u64 rsi)
{
	long ret;

	do
		ret = call_simply(number, &rdi, &rsi);
	while (ret == -EBUSY);
	return ret;
}

static void tidy(struct fuzz *fuzz)
{
	u32 i;

	call_until_done(LATCH_HC_GUARD_SET, LATCH_GUARD_OFF, 0);
	for (i = 0; i < HANDLES; i++) {
		if (fuzz->watch[i])
			call_until_done(LATCH_HC_WATCH_DEL, fuzz->watch[i], 0);
		fuzz->watch[i] = 0;
	}
}

static void remember(struct fuzz *fuzz, const struct call *call, const struct gpr *out)
{
	u32 slot = fuzz_below(&fuzz->memory, HANDLES);

	if (out->r[RAX])
		return;
	atomic_inc(&fuzz->state->answers);
	if (call != &unassigned)
		atomic_inc(&fuzz->state->done[call - calls]);
	if (call->number == LATCH_HC_PAL_REGISTER) {
		call_until_done(LATCH_HC_PAL_UNREGISTER, fuzz->handle[slot], 0);
		fuzz->handle[slot] = out->r[RDI];
	}
	if (call->number == LATCH_HC_WATCH_ADD) {
		call_until_done(LATCH_HC_WATCH_DEL, fuzz->watch[slot], 0);
		fuzz->watch[slot] = out->r[RDI];
	}
}

/* Accesses to what is watched, guarded and private just now. */
static void touch(struct fuzz *fuzz, const struct gpr *in)
{
	struct fuzz_memory *memory = &fuzz->memory;
	u64 value = probe_random(&memory->seed);
	u64 *word = (u64 *)(memory->plain + (value & (PLAIN_SIZE - 8)));
	u64 *private = (u64 *)memory->pal[value >> 24 & (PAL_PAGES - 1)] + (value >> 32 & 511);

	WRITE_ONCE(*word, value);
	if (READ_ONCE(*word) != value)
		complain(fuzz, in, in, "what was written behind it is not there");
	if (value >> 63)
		WRITE_ONCE(*private, value);
	else
		READ_ONCE(*private);
}

static bool make_call(struct fuzz *fuzz, struct gpr *in, struct gpr *out)
{
	unsigned long flags = 0, cr3 = 0;
	bool irqs = !fuzz->in_bad && !fuzz->brief, done;

	if (!irqs) {
		local_irq_save(flags);
		in->flags &= ~(u64)X86_EFLAGS_IF;
	}
	*out = *in;
	if (fuzz->in_bad)
		cr3 = fuzz_enter(&fuzz->memory);
	done = probe_vmcall(out);
	if (fuzz->in_bad)
		fuzz_leave(cr3);
	if (fuzz->brief && done && !out->r[RAX]) {
		if ((u32)in->r[RAX] == LATCH_HC_WATCH_ADD)
			call_until_done(LATCH_HC_WATCH_DEL, out->r[RDI], 0);
		else
			call_until_done(LATCH_HC_GUARD_SET, LATCH_GUARD_OFF, 0);
	}
	if (!irqs)
		local_irq_restore(flags);
	return done;
}

static void one_call(struct fuzz *fuzz)
{
	struct fuzz_memory *memory = &fuzz->memory;
	const struct call *call;
	struct gpr in, out;
	u32 i;

	for (i = 0; i < NR_GPR; i++)
		in.r[i] = fuzz_number(memory);
	in.flags = (fuzz_number(memory) & ARITHMETIC_FLAGS) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	in.r[RAX] = (in.r[RAX] & ~0xffffffffull) | pick_number(memory);
	call = find_call((u32)in.r[RAX]);
	make_arguments(fuzz, &in);
	use_bad_pointer(fuzz, &in);
	memcpy(memory->shadow, memory->buffer, BUFFER_SIZE);
	if (!make_call(fuzz, &in, &out)) {
		complain(fuzz, &in, &out, "#UD");
		return;
	}
	atomic_inc(&fuzz->state->made);
	check_registers(fuzz, call, &in, &out);
	check_memory(fuzz, call, &in, &out);
	remember(fuzz, call, &out);
	touch(fuzz, &in);
}

static void end_all(struct fuzz *fuzz)
{
	u64 watch = (u64)fuzz->memory.buffer, zero = 0;
	u32 i;

	for (i = 0; i < HANDLES; i++)
		call_until_done(LATCH_HC_PAL_UNREGISTER, fuzz->handle[i], 0);
	tidy(fuzz);
	while (!call_simply(LATCH_HC_WATCH_NEXT, &zero, &watch)) {
		call_until_done(LATCH_HC_WATCH_DEL, ((struct latch_watch *)watch)->id, 0);
		zero = 0;
	}
}

static void run(unsigned int cpu, void *data)
{
	struct fuzz *fuzz = kzalloc(sizeof(*fuzz), GFP_KERNEL);
	struct state *state = data;
	u32 i, count;

	if (!fuzz)
		return;
	fuzz->state = state;
	fuzz->cpu = cpu;
	fuzz->memory.latch = state->latch;
	fuzz->memory.seed = fuzz_seed * 1000 + cpu;
	count = fuzz_memory_init(&fuzz->memory) ? 0 : probe_count;
	for (i = 0; i < count; i++) {
		one_call(fuzz);
		if (i % TIDY == 0)
			tidy(fuzz);
		/* Others want to work on this CPU, too. */
		if (!(i & 511))
			schedule_timeout_uninterruptible(1);
	}
	end_all(fuzz);
	fuzz_memory_free(&fuzz->memory);
	kfree(fuzz);
}

static void print_answers(struct seq_file *out, struct state *state)
{
	u32 made = atomic_read(&state->made), wanted = probe_count * num_online_cpus(), i;
	u32 bad = atomic_read(&state->bad);

	probe_result(out, !bad && made == wanted, "CPL 0: hostile arguments on all CPUs",
		     "%u calls of %u, %d answered, %u wrong%s%s", made, wanted,
		     atomic_read(&state->answers), bad, bad ? "; " : "", state->why);
	if (!fuzz_apps)
		return;
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (!calls[i].never)
			probe_result(out, atomic_read(&state->done[i]), "CPL 0: it is answered",
				     "%x: %d times", calls[i].number, atomic_read(&state->done[i]));
}

/** probe_fuzz_show - "count" calls on each CPU */
int probe_fuzz_show(struct seq_file *out, void *unused)
{
	struct state *state = kzalloc(sizeof(*state), GFP_KERNEL);
	struct latch *latch = probe_latch_get();

	if (state && latch) {
		state->latch = latch;
		probe_on_each_cpu(run, state);
		print_answers(out, state);
	}
	if (latch)
		probe_latch_put();
	kfree(state);
	return state && latch ? 0 : -ENODEV;
}
