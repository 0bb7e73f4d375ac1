// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz-call COUNT SEED off|on|any [THREADS]: COUNT hypercalls at CPL 3 with hostile
 * arguments, as nobody, in threads on all CPUs; PALs with hostile descriptions, and
 * hostile calls of them and out of them. Hypapps are off, on, or it is not known.
 *
 * Each call returns what the ABI says, changes no register but its results, and no
 * memory but what it is given. Exit status: 0, or 1 if one did not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/latch_guard.h>
#include <linux/latch_pal.h>
#include <linux/latch_watch.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "vmcall.h"

#define PAGE		4096ull
#define ARENA_PAGES	7
#define PAL_BASE	0x30000000ull	/* and 16 MiB for each thread */
#define PAL_STEP	0x01000000ull
#define PAL_PAGES	12
#define PAL_PERIOD	100	/* calls between two PALs */
/* CPU time for one call, in ns: QUOTE takes long */
#define PAL_LIMIT	999999999l
#define PAL_LIMIT_LEFT	20000000l
#define GREETING	"hello from core\n"
#define NOBODY		65534
#define MAX_THREADS	16
#define E(number)	(1ull << (number))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Of the arena; what is not here is not mapped. */
enum { ARENA_RW = 1, ARENA_RW_END = 3, ARENA_RO = 4, ARENA_OTHER = 5 };

/* Code of PALs: functions of 64 bytes. */
enum { PAL_ADD, PAL_CALL, PAL_CHANGE, PAL_READ, PAL_UD2, PAL_INT3, PAL_SYSCALL, PAL_FUNCTIONS };
#define PAL_FUNCTION	64

static enum { APPS_OFF, APPS_ON, APPS_ANY } apps;

/**
 * struct worker - one thread
 * @arena: memory for arguments, in the low 4 GiB
 * @shadow: what is in it
 * @low: a page for 32-bit code
 * @pal: memory for PALs
 * @desc: the PAL that is tried
 * @back: where a signal goes
 * @alarm: ends a call of a PAL that waits for ever
 * @pal_left: a signal has ended a call of the PAL, which may still be in the middle of it
 * @answers: by errno
 */
struct worker {
	pthread_t thread;
	unsigned int id, cpu, calls;
	uint64_t seed;
	int fd;
	uint8_t *arena, *shadow, *low, *pal;
	struct latch_pal_desc desc;
	sigjmp_buf back;
	timer_t alarm;
	bool pal_left;
	unsigned int answers[64];
	unsigned int pals, pal_calls, pal_deaths, pal_waits, compat;
};

static struct worker workers[MAX_THREADS];
static __thread struct worker *self;
static unsigned int wrong;

static __attribute__((format(printf, 1, 2))) void complain(const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED) < 20)
		fprintf(stderr, "CPU %u: %s\n", self->cpu, text);
}

/* --- random things */

static uint64_t any(void)
{
	uint64_t z = (self->seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static unsigned int below(unsigned int end)
{
	return (unsigned int)(any() >> 32) % end;
}

static uint64_t pick_number(void)
{
	uint64_t value = any();

	switch (value >> 61) {
	case 0:
	case 1:
		return value & 15;
	case 2:
		return value & 0x1ff;
	case 3:
		return ~0ull << (value & 63);
	case 4:
		return 1ull << (value & 63);
	case 5:
		return (1ull << (value & 63)) - 1;
	default:
		return value;
	}
}

static uint64_t in_arena(unsigned int page, uint64_t offset)
{
	return (uintptr_t)self->arena + page * PAGE + offset;
}

/* Whatever may be written there is in the arena. */
static uint64_t pick_pointer(void)
{
	uint64_t value = any();

	switch (below(14)) {
	case 0:		/* kernel: image, direct map */
		return 0xffffffff81000000ull + (value & 0xffffff);
	case 1:
		return 0xffff888000000000ull + (value & 0x1fffffff);
	case 2:
		return 0xffff800000000000ull + (value & 0xff) - 0x80;
	case 3:
		return 0x800000000000ull + (value & 0xff) - 0x80;
	case 4:
		return ~0ull - (value & 0xfff);
	case 5:
		return value & 0xffff;
	case 6:		/* not canonical */
		return value | 1ull << 62;
	case 7:
		return in_arena(value & 1 ? 0 : ARENA_RW_END, value >> 1 & 0xfff);
	case 8:
		return in_arena(ARENA_RO, value & 0xfff);
	case 9:
		return (uintptr_t)pick_pointer + (value & 0xff);
	case 10:	/* near an end */
		return in_arena(ARENA_RW + (unsigned int)(value & 1) + 1, 0) - (value >> 1 & 0x7f);
	case 11:
		return in_arena(ARENA_OTHER + (unsigned int)(value & 1), 0) - 0x40 + (value >> 1 & 0x7f);
	default:
		return in_arena(ARENA_RW, value & (2 * PAGE - 1));
	}
}

static bool in_own_half(uint64_t address)
{
	return address >= 0x10000 && address < 1ull << 47;
}

/* Else it could be any of this program's memory. */
static uint64_t harmless(uint64_t address)
{
	if (!in_own_half(address) || address - in_arena(0, 0) < ARENA_PAGES * PAGE)
		return address;
	return in_arena(below(ARENA_PAGES), below(PAGE));
}

static uint64_t pick_any(void)
{
	return below(2) ? harmless(pick_number()) : pick_pointer();
}

/* --- what is right */

static bool can_write(uint64_t address, uint64_t size)
{
	uint64_t page = (address - in_arena(0, 0)) / PAGE;
	uint64_t end = page == ARENA_OTHER ? in_arena(ARENA_OTHER + 1, 0) : in_arena(ARENA_RW_END, 0);

	return ((page >= ARENA_RW && page < ARENA_RW_END) || page == ARENA_OTHER) &&
	       size <= end - address;
}

/**
 * struct expected - what a call may do
 * @errors: errnos that it may return
 * @may: it may return 0
 * @must: it must, if its hypapp is on
 * @results: registers that it may then have changed
 * @written: bytes that it then has written at RDI
 */
struct expected {
	uint64_t errors;
	bool may, must;
	unsigned int results;
	uint64_t written;
};

static void expect_hello(struct expected *is, uint64_t address, uint64_t size, bool compat)
{
	bool good = compat ? address + size <= 1ull << 32 :
		    !((address + size - !!size) >> 47) && !(size >> 47);

	is->written = sizeof(GREETING);
	is->results = 1u << RDI | 1u << RSI;
	is->errors |= E(EFAULT) | E(EINVAL);
	is->must = good && size >= sizeof(GREETING) && can_write(address, sizeof(GREETING));
	is->may = is->must;
}

static void expect_app(struct expected *is, uint32_t number, const struct gpr *in, bool compat)
{
	uint64_t address = compat ? (uint32_t)in->r[RDI] : in->r[RDI];
	uint64_t size = compat ? (uint32_t)in->r[RSI] : in->r[RSI];

	if (apps != APPS_ON)
		is->errors |= E(ENOSYS);
	if (apps == APPS_OFF)
		return;
	switch (number) {
	case LATCH_HC_HELLO:
		expect_hello(is, address, size, compat);
		break;
	case LATCH_HC_PAL_REGISTER ... LATCH_HC_PAL_QUOTE:
	case LATCH_HC_PAL_NEXT ... LATCH_HC_PAL_REVOKE:
	case LATCH_HC_GUARD_SET ... LATCH_HC_GUARD_PIN:
	case LATCH_HC_WATCH_ADD ... LATCH_HC_WATCH_NEXT:
		is->errors |= E(EPERM);
		break;
	case LATCH_HC_PAL_PUBLIC_KEY:
		is->written = LATCH_PAL_PUBLIC_SIZE;
		is->errors |= E(EFAULT) | E(ENODEV);
		is->may = can_write(address, LATCH_PAL_PUBLIC_SIZE);
		break;
	default:
		is->errors |= E(ENOSYS);
	}
}

static struct expected expect(const struct gpr *in, bool compat)
{
	uint32_t number = (uint32_t)in->r[RAX];
	struct expected is = { 0 };

	switch (number) {
	case LATCH_HC_VERSION:
		is.may = true;
		is.results = 1u << RDI | 1u << RSI | 1u << RDX;
		break;
	case LATCH_HC_PING:
		is.may = true;
		is.results = 1u << RSI;
		break;
	case LATCH_HC_STAT ... LATCH_HC_LINUX:
	case HC_LEAVE:
	case HC_JOIN:
		is.errors = E(EPERM);
		break;
	default:
		expect_app(&is, number, in, compat);
		if (number < LATCH_HC_HELLO || number >= LATCH_HC_APP(LATCH_APP_WATCH + 1, 0))
			is.errors = E(ENOSYS);
	}
	return is;
}

static void complain_of(const struct gpr *in, const struct gpr *out, const char *what)
{
	complain("%s: rax %lx rdi %lx rsi %lx rdx %lx -> %lx %lx %lx %lx", what, in->r[RAX],
		 in->r[RDI], in->r[RSI], in->r[RDX], out->r[RAX], out->r[RDI], out->r[RSI],
		 out->r[RDX]);
}

static void check_registers(const struct gpr *in, const struct gpr *out, const struct expected *is)
{
	uint64_t error = -out->r[RAX];
	unsigned int i;

	if (error >= 64 || (error ? !(is->errors & E(error)) : !is->may) ||
	    (is->must && error && error != ENOSYS)) {
		complain_of(in, out, "it should not return that");
		return;
	}
	self->answers[error]++;
	for (i = 1; i < NR_GPR; i++)
		if (in->r[i] != out->r[i] && (error || !(is->results & 1u << i)))
			complain_of(in, out, "a register has changed");
	if ((in->flags ^ out->flags) & ARITHMETIC_FLAGS)
		complain_of(in, out, "flags have changed");
	if (!error && (uint32_t)in->r[RAX] == LATCH_HC_PING && out->r[RSI] != self->cpu)
		complain_of(in, out, "another CPU");
}

static void check_page(unsigned int page, const struct gpr *in, const struct gpr *out)
{
	if (!memcmp(self->arena + page * PAGE, self->shadow + page * PAGE, PAGE))
		return;
	complain_of(in, out, "memory beside the buffer has changed");
	memcpy(self->shadow + page * PAGE, self->arena + page * PAGE, PAGE);
}

/* What a call has written is taken as it is; all else is as it was. */
static void check_memory(const struct gpr *in, const struct gpr *out, const struct expected *is,
			 bool compat)
{
	uint64_t address = compat ? (uint32_t)in->r[RDI] : in->r[RDI];
	uint64_t offset = address - in_arena(0, 0);

	if (!out->r[RAX] && is->written && can_write(address, is->written)) {
		if ((uint32_t)in->r[RAX] == LATCH_HC_HELLO &&
		    memcmp(self->arena + offset, GREETING, sizeof(GREETING)))
			complain_of(in, out, "another greeting");
		memcpy(self->shadow + offset, self->arena + offset, is->written);
	}
	check_page(ARENA_RW, in, out);
	check_page(ARENA_RW + 1, in, out);
	check_page(ARENA_OTHER, in, out);
}

/* --- calls */

static void on_signal(int sig)
{
	siglongjmp(self->back, sig);
}

/* 32-bit code: VMCALL with what EDI points to, and the results there */
extern const char compat_start[], compat_end[];
__asm__(".pushsection .rodata\n"
	"compat_start:\n\t"
	".code32\n\t"
	"movl $0x2b, %eax\n\t"
	"movl %eax, %ds\n\t"
	"movl %edi, %ebx\n\t"
	"movl 0(%ebx), %eax\n\t"
	"movl 8(%ebx), %esi\n\t"
	"movl 12(%ebx), %edx\n\t"
	"movl 16(%ebx), %ecx\n\t"
	"movl 20(%ebx), %ebp\n\t"
	"movl 4(%ebx), %edi\n\t"
	"vmcall\n\t"
	"movl %eax, 0(%ebx)\n\t"
	"movl %edi, 4(%ebx)\n\t"
	"movl %esi, 8(%ebx)\n\t"
	"movl %edx, 12(%ebx)\n\t"
	"movl %ecx, 16(%ebx)\n\t"
	"movl %ebp, 20(%ebx)\n\t"
	"lret\n\t"
	".code64\n"
	"compat_end:\n\t"
	".popsection");

static void run_compat(struct gpr *gpr)
{
	static const int order[] = { RAX, RDI, RSI, RDX, RCX, RBP };
	uint32_t *args = (uint32_t *)(self->low + PAGE / 2), *at = args;
	struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) target = {
		(uint32_t)(uintptr_t)self->low, 0x23
	}, *operand = &target;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		args[i] = (uint32_t)gpr->r[order[i]];
	__asm__ volatile("movq %%rbp, %%r13\n\t"
			 "movq %%rsp, %%r12\n\t"
			 "movq %2, %%rsp\n\t"
			 "lcall *(%0)\n\t"
			 "movq %%r12, %%rsp\n\t"
			 "movq %%r13, %%rbp"
			 : "+S" (operand), "+D" (at)
			 : "r" (self->low + PAGE)
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",
			   "memory", "cc");
	for (i = 0; i < ARRAY_SIZE(order); i++)
		gpr->r[order[i]] = args[i];
	gpr->r[RAX] = (uint64_t)(int32_t)gpr->r[RAX];
}

static int try_vmcall(struct gpr *gpr, bool compat)
{
	int sig = sigsetjmp(self->back, 0);

	if (!sig && compat)
		run_compat(gpr);
	else if (!sig)
		run_vmcall(gpr);
	return sig;
}

/* One in four is any number; else it is an assigned one. */
static uint32_t pick_call(void)
{
	static const uint32_t last[] = {
		LATCH_HC_LINUX, LATCH_HC_HELLO, LATCH_HC_PAL_REVOKE, LATCH_HC_GUARD_PIN,
		LATCH_HC_WATCH_NEXT
	};
	uint32_t i = below(ARRAY_SIZE(last) + 3);

	if (i >= ARRAY_SIZE(last) + 1)
		return LATCH_HC_BASE + below(256);
	/* HELLO has the most to go wrong. */
	if (i >= ARRAY_SIZE(last))
		return below(2) ? LATCH_HC_HELLO : LATCH_HC_PAL_PUBLIC_KEY;
	return LATCH_HC_APP(i, below((last[i] & 15) + 1));
}

static void one_call(void)
{
	bool compat = !below(16);
	struct expected is;
	struct gpr in, out;
	unsigned int i;
	int sig;

	for (i = 0; i < NR_GPR; i++)
		in.r[i] = compat ? (uint32_t)pick_number() : pick_number();
	in.flags = (any() & ARITHMETIC_FLAGS) | 0x202;
	in.r[RAX] = (in.r[RAX] & ~0xffffffffull) | pick_call();
	in.r[RDI] = pick_any();
	in.r[RSI] = below(4) ? pick_any() : 16 + below(64);
	in.r[RDX] = pick_any();
	if (compat) {
		for (i = 0; i < NR_GPR; i++)
			in.r[i] &= 0xffffffff;
		in.r[RDI] = harmless(in.r[RDI]);
	}
	out = in;
	sig = try_vmcall(&out, compat);
	if (sig) {
		complain_of(&in, &in, strsignal(sig));
		return;
	}
	self->compat += compat;
	is = expect(&in, compat);
	check_registers(&in, &out, &is);
	check_memory(&in, &out, &is, compat);
}

/* --- PALs */

extern const uint8_t pal_functions[], pal_functions_end[];
__asm__(".pushsection .rodata\n"
	".balign 64\n"
	"pal_functions:\n\t"
	"leaq (%rdi,%rsi), %rax\n\t"
	"ret\n\t"
	".balign 64\n\t"		/* PAL_CALL: VMCALL with EDI as its number */
	"movl %edi, %eax\n\t"
	"movq %rsi, %rdi\n\t"
	"movq %rdx, %rsi\n\t"
	"movq %rcx, %rdx\n\t"
	"vmcall\n\t"
	"ret\n\t"
	".balign 64\n\t"		/* PAL_CHANGE */
	"incq (%rdi)\n\t"
	"xorl %eax, %eax\n\t"
	"ret\n\t"
	".balign 64\n\t"		/* PAL_READ */
	"movq (%rdi), %rax\n\t"
	"ret\n\t"
	".balign 64\n\t"
	"ud2\n\t"
	".balign 64\n\t"
	"int3\n\t"
	"ret\n\t"
	".balign 64\n\t"
	"movl $39, %eax\n\t"		/* getpid() */
	"syscall\n\t"
	"ret\n\t"
	".balign 64\n"
	"pal_functions_end:\n\t"
	".popsection");

static uint64_t pal_address(unsigned int page)
{
	return (uintptr_t)self->pal + page * PAGE;
}

static void describe(struct latch_pal_desc *desc)
{
	static const uint32_t types[] = { LATCH_PAL_CODE, LATCH_PAL_DATA, LATCH_PAL_PARAM,
					  LATCH_PAL_STACK, LATCH_PAL_SHARED };
	unsigned int i;

	memset(desc, 0, sizeof(*desc));
	desc->nr_sections = ARRAY_SIZE(types);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		desc->section[i] = (struct latch_pal_section) {
			.start = pal_address(2 * i), .size = 2 * PAGE, .type = types[i],
		};
	desc->nr_entries = PAL_FUNCTIONS;
	for (i = 0; i < PAL_FUNCTIONS; i++)
		desc->entry[i] = (struct latch_pal_entry) {
			.address = pal_address(0) + i * PAL_FUNCTION, .nr_args = 4,
		};
	desc->entry[PAL_CHANGE].arg[0] = (struct latch_pal_arg) {
		.size = 1 + below(4096), .flags = 1 + below(3),
	};
}

static uint64_t pick_section_address(void)
{
	static const uint64_t odd[] = { 0, 1ull << 47, (1ull << 47) - PAGE, ~0ull << 12,
					0xffff888000000000ull, 1ull << 32, 1ull << 63 };

	switch (below(4)) {
	case 0:
		return odd[below(ARRAY_SIZE(odd))];
	case 1:
		return pal_address(below(PAL_PAGES)) + below(PAGE);
	default:
		return pal_address(below(PAL_PAGES + 2));
	}
}

static void mutate_section(struct latch_pal_section *section)
{
	switch (below(4)) {
	case 0:
		section->start = pick_section_address();
		break;
	case 1:
		section->size = below(2) ? below(5) * PAGE : pick_number();
		break;
	case 2:
		section->type = below(2) ? below(7) : (uint32_t)pick_number();
		break;
	default:
		section->reserved = below(8) ? 0 : (uint32_t)pick_number();
	}
}

static void mutate_entry(struct latch_pal_entry *entry)
{
	struct latch_pal_arg *arg = &entry->arg[below(LATCH_PAL_ARGS)];

	switch (below(5)) {
	case 0:
		entry->address = pal_address(0) + below(2 * PAGE / 16) * 16;
		break;
	case 1:
		entry->address = pick_pointer();
		break;
	case 2:
		entry->nr_args = below(2) ? below(8) : (uint32_t)pick_number();
		break;
	case 3:
		entry->flags = below(2) ? below(3) : (uint32_t)pick_number();
		break;
	default:
		arg->size = below(2) ? below(9000) : (uint32_t)pick_number();
		arg->flags = below(8) ? below(4) : (uint32_t)pick_number();
	}
}

static void mutate(struct latch_pal_desc *desc)
{
	unsigned int i;

	for (i = below(4); i; i--) {
		switch (below(8)) {
		case 0:
			desc->nr_sections = below(2) ? below(10) : (uint32_t)pick_number();
			break;
		case 1:
			desc->nr_entries = below(2) ? below(18) : (uint32_t)pick_number();
			break;
		case 2:
			desc->flags = below(8) ? 0 : (uint32_t)pick_number();
			break;
		case 3:
		case 4:
			mutate_entry(&desc->entry[below(PAL_FUNCTIONS)]);
			break;
		default:
			mutate_section(&desc->section[below(5)]);
		}
	}
}

static int pal_ioctl(unsigned long cmd, void *arg)
{
	return ioctl(self->fd, cmd, arg) ? errno : 0;
}

static void check_ioctl(int error, uint64_t errors, const char *what)
{
	if (error && (error >= 64 || !(errors & E(error))))
		complain("%s: %s", what, strerror(error));
}

/* A function in PAL memory, with RAX 0: so that zeros there, as code, fault at once. */
static uint64_t jump(uint64_t address, const uint64_t arg[4])
{
	register uint64_t r11 __asm__("r11") = address;
	uint64_t a = arg[0], b = arg[1], d = arg[2], c = arg[3], rax = 0;

	__asm__ volatile("subq $128, %%rsp\n\t"
			 "call *%%r11\n\t"
			 "addq $128, %%rsp"
			 : "+a" (rax), "+D" (a), "+S" (b), "+d" (d), "+c" (c), "+r" (r11)
			 : : "r8", "r9", "r10", "memory", "cc");
	return rax;
}

static void set_alarm(long ns)
{
	struct itimerspec time = { .it_value.tv_nsec = ns };

	timer_settime(self->alarm, 0, &time, NULL);
}

static int try_jump(uint64_t address, const uint64_t arg[4], uint64_t *ret)
{
	int sig = sigsetjmp(self->back, 0);

	if (!sig) {
		set_alarm(self->pal_left ? PAL_LIMIT_LEFT : PAL_LIMIT);
		*ret = jump(address, arg);
	}
	set_alarm(0);
	return sig;
}

/* Not in the arena: results may be copied to there. */
static uint64_t pick_pal_pointer(void)
{
	uint64_t pointer = below(2) ? pick_pointer() : 0;

	if (!pointer || pointer - in_arena(0, 0) < ARENA_PAGES * PAGE)
		return pal_address(below(PAL_PAGES)) + below(PAGE);
	return pointer;
}

/* Pointers would be those of copies; arguments that are not described are zeros. */
static bool adds_numbers(void)
{
	const struct latch_pal_entry *entry = &self->desc.entry[PAL_ADD];

	return entry->nr_args >= 2 && !entry->arg[0].size && !entry->arg[1].size;
}

/*
 * A signal's handler that goes elsewhere leaves the PAL in the middle of a call, and then
 * the next one waits for ever.
 */
static bool pal_has_ended(int sig)
{
	if (sig == SIGALRM) {
		self->pal_waits++;
		if (!self->pal_left)
			complain("a call of a PAL does not end");
		return true;
	}
	self->pal_deaths++;
	self->pal_left = true;
	return false;
}

/*
 * Hostile arguments for a function, and a look at what it returns. It may well die; and
 * one that is not entered as a PAL does what it would do anywhere. Return: false if it
 * cannot be called any more.
 */
static bool one_pal_call(void)
{
	unsigned int function = below(8) ? below(PAL_CHANGE + 1) : below(PAL_FUNCTIONS);
	uint64_t arg[4], ret;
	int sig;

	arg[0] = pick_pal_pointer();
	arg[1] = pick_pal_pointer();
	arg[2] = below(2) ? harmless(pick_number()) : pick_pal_pointer();
	arg[3] = pick_pal_pointer();
	if (function == PAL_CALL)
		arg[0] = below(4) ? LATCH_HC_PAL_RANDOM + below(7) : LATCH_HC_BASE + below(256);
	/* What it writes to has to be harmless if it is not in a PAL. */
	if (function == PAL_CHANGE)
		arg[0] = pal_address(below(PAL_PAGES)) + below(PAGE - 8);
	if (function == PAL_CALL)
		arg[1] = pal_address(below(PAL_PAGES)) + below(PAGE);
	self->pal_calls++;
	sig = try_jump(pal_address(0) + function * PAL_FUNCTION, arg, &ret);
	if (sig)
		return !pal_has_ended(sig);
	if (function == PAL_ADD && adds_numbers() && ret != arg[0] + arg[1])
		complain("the PAL cannot add: %lx + %lx = %lx", arg[0], arg[1], ret);
	if (function == PAL_CALL && ret && -ret >= 64)
		complain("a service returns %lx", ret);
	return true;
}

static void one_pal(void)
{
	static const uint64_t errors = E(EINVAL) | E(EFAULT) | E(EBUSY) | E(ENOMEM) | E(ENOSPC) |
				       E(ENODEV) | E(ENOSYS);
	struct latch_pal_req req = { .desc = (uintptr_t)&self->desc };
	unsigned int i;
	int error;

	memcpy(self->pal, pal_functions, pal_functions_end - pal_functions);
	describe(&self->desc);
	if (below(2))
		mutate(&self->desc);
	if (!below(8))
		req.desc = pick_pointer();
	if (!below(16))
		req.reserved = (uint32_t)pick_number();
	error = pal_ioctl(LATCH_IOC_PAL_REGISTER, below(16) ? &req : (void *)pick_pointer());
	check_ioctl(error, errors, "LATCH_IOC_PAL_REGISTER");
	if (!error) {
		self->pals++;
		self->pal_left = false;
		for (i = below(12); i && one_pal_call(); i--)
			;
		/* Once more, over the same pages */
		if (!below(4))
			check_ioctl(pal_ioctl(LATCH_IOC_PAL_REGISTER, &req), errors, "again");
	}
	check_ioctl(pal_ioctl(LATCH_IOC_PAL_UNREGISTER, &(struct latch_pal_req) {
			.handle = (uint32_t)pick_number() }), E(ENOENT), "unregister");
	/* Some that all files have write. */
	check_ioctl(pal_ioctl(pick_number(), (void *)pick_pal_pointer()),
		    E(ENOTTY) | E(EFAULT), "ioctl");
	close(self->fd);
	self->fd = open("/dev/latch-call", O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		complain("/dev/latch-call: %s", strerror(errno));
}

/* --- */

static bool make_memory(struct worker *worker)
{
	static const unsigned int rw[] = { ARENA_RW, ARENA_RW + 1, ARENA_OTHER };
	unsigned int i;

	worker->arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	worker->shadow = calloc(ARENA_PAGES, PAGE);
	worker->low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	worker->pal = mmap((void *)(PAL_BASE + worker->id * PAL_STEP), PAL_PAGES * PAGE,
			   PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (worker->arena == MAP_FAILED || !worker->shadow || worker->low == MAP_FAILED ||
	    worker->pal == MAP_FAILED)
		return false;
	for (i = 0; i < ARRAY_SIZE(rw); i++) {
		mprotect(worker->arena + rw[i] * PAGE, PAGE, PROT_READ | PROT_WRITE);
		memset(worker->arena + rw[i] * PAGE, 0xa5 + i, PAGE);
	}
	memcpy(worker->low, compat_start, compat_end - compat_start);
	mprotect(worker->arena + ARENA_RO * PAGE, PAGE, PROT_READ);
	for (i = 0; i < ARRAY_SIZE(rw); i++)
		memcpy(worker->shadow + rw[i] * PAGE, worker->arena + rw[i] * PAGE, PAGE);
	return true;
}

static bool make_alarm(struct worker *worker)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };

	event._sigev_un._tid = gettid();
	return !timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &worker->alarm);
}

static void *work(void *arg)
{
	unsigned int i;
	cpu_set_t set;

	self = arg;
	CPU_ZERO(&set);
	CPU_SET(self->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	self->fd = open("/dev/latch-call", O_RDWR | O_CLOEXEC);
	if (self->fd < 0 || !make_memory(self) || !make_alarm(self)) {
		complain("%s", strerror(errno));
		return NULL;
	}
	for (i = 0; i < self->calls; i++) {
		if (i % PAL_PERIOD == 0)
			one_pal();
		one_call();
	}
	close(self->fd);
	return NULL;
}

/* Or what root may do would be tried. */
static bool become_nobody(void)
{
	if (!geteuid() && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
		return false;
	return open("/dev/latch", O_RDWR) < 0;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGFPE, SIGALRM };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* Return: false if no PAL has answered though some should have. */
static bool print_sums(unsigned int threads)
{
	unsigned int answers[64] = { 0 }, calls = 0, compat = 0, pals = 0, pal_calls = 0, deaths = 0;
	unsigned int waits = 0, i, error;

	for (i = 0; i < threads; i++) {
		calls += workers[i].calls;
		compat += workers[i].compat;
		pals += workers[i].pals;
		pal_calls += workers[i].pal_calls;
		deaths += workers[i].pal_deaths;
		waits += workers[i].pal_waits;
		for (error = 0; error < 64; error++)
			answers[error] += workers[i].answers[error];
	}
	printf("%u calls, %u of 32-bit code:", calls, compat);
	for (error = 0; error < 64; error++)
		if (answers[error])
			printf(" %s %u", error ? strerrorname_np((int)error) : "0", answers[error]);
	printf("; %u PALs, %u calls of them, %u deaths, %u waits; %u wrong\n", pals, pal_calls,
	       deaths, waits, wrong);
	return apps != APPS_ON || pal_calls > deaths + waits;
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "off", "on", "any" };
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), threads, count, i;

	if (argc < 4)
		return 2;
	count = (unsigned int)atoi(argv[1]);
	for (apps = APPS_OFF; strcmp(argv[3], modes[apps]); apps++)
		if (apps == APPS_ANY)
			return 2;
	threads = argc > 4 ? (unsigned int)atoi(argv[4]) : 2 * cpus;
	if (!threads || threads > MAX_THREADS || !become_nobody())
		return 1;
	catch_signals();
	for (i = 0; i < threads; i++) {
		workers[i] = (struct worker) {
			.id = i, .cpu = i % cpus, .calls = count / threads + (i < count % threads),
			.seed = strtoull(argv[2], NULL, 0) * 1000 + i,
		};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	for (i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return !print_sums(threads) || wrong;
}
