// SPDX-License-Identifier: GPL-2.0-only
/* Hypapps: on and off, who may call, and what core writes for whom. */
#include "tests.h"
#include <linux/latch.h>

#define HELLO_TEXT	"hello from core\n"
#define HELLO_SIZE	sizeof(HELLO_TEXT)
#define NO_APP		13
#define ROUNDS		100
#define NOT_CANONICAL	0x0000800000000000ull

static long app_set(u32 app, u64 on)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_APP_SET, app, on, 0) ? (long)call.rax : -1000;
}

static bool app_is(u32 app, u64 flags)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_APP_INFO, app, 0, 0) && !call.rax && call.rdi == flags &&
	       !memcmp(&call.rsi, "hello\0\0", 8) && !call.rdx;
}

static void hypapp_management(void)
{
	ktap_check(app_is(LATCH_APP_HELLO, 0), "hypapps: hello is there, and off");
	core_refused(LATCH_HC_APP_INFO, NO_APP, 0, ENOENT, "APP_INFO of none");
	core_refused(LATCH_HC_APP_INFO, BIT(32) + LATCH_APP_HELLO, 0, ENOENT,
		     "APP_INFO of 0x100000001");
	core_refused(LATCH_HC_APP_SET, NO_APP, 1, ENOENT, "APP_SET of none");
	core_refused(LATCH_HC_APP_SET, LATCH_APP_HELLO, 2, EINVAL, "APP_SET to 2");
	core_refused(LATCH_HC_HELLO, 0, 0, ENOSYS, "a hypapp that is off");
	core_user_refused(LATCH_HC_APP_INFO, "APP_INFO");
	core_user_refused(LATCH_HC_APP_SET, "APP_SET");
	ktap_check(!app_set(LATCH_APP_HELLO, 1) && app_is(LATCH_APP_HELLO, LATCH_APP_ON) &&
		   !app_set(LATCH_APP_HELLO, 1), "hello is switched on, also twice");
	core_refused(LATCH_HC_HELLO + 1, 0, 0, ENOSYS, "a call behind its last one");
}

static bool greets(u64 address, const void *seen)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_HELLO, address, HELLO_SIZE, 0) && !call.rax &&
	       call.rdi == HELLO_SIZE && call.rsi && !memcmp(seen, HELLO_TEXT, HELLO_SIZE);
}

static u64 hypapp_window(u32 page, u64 flags)
{
	u64 frame = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));

	memset(PTR(frame), 0, PAGE_SIZE);
	mem_map(WINDOW_BASE + page * PAGE_SIZE, frame, flags | PTE_NX);
	invlpg(WINDOW_BASE + page * PAGE_SIZE);
	return frame;
}

/* Two pages, so that the buffer lies over the end of the first. */
static void hypapp_memory(void)
{
	u64 first = hypapp_window(0, PTE_P | PTE_W), edge = WINDOW_BASE + PAGE_SIZE - 4, second;
	char text[HELLO_SIZE];

	ktap_check(greets(WINDOW_BASE, PTR(first)), "it writes to a buffer");
	core_refused(LATCH_HC_HELLO, WINDOW_BASE, HELLO_SIZE - 1, EINVAL, "a buffer too small");
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
	memset(PTR(first), 0, PAGE_SIZE);
	core_refused(LATCH_HC_HELLO, edge, HELLO_SIZE, EFAULT, "a buffer that is not all there");
	ktap_check(!*(u32 *)PTR(first + PAGE_SIZE - 4), "nothing of it is written");
	second = hypapp_window(1, PTE_P | PTE_W);
	memset(text, 0, sizeof(text));
	ktap_check(greets(edge, HELLO_TEXT), "over the end of a page");
	memcpy(text, PTR(first + PAGE_SIZE - 4), 4);
	memcpy(text + 4, PTR(second), HELLO_SIZE - 4);
	ktap_check(!memcmp(text, HELLO_TEXT, HELLO_SIZE), "both parts are right");
	hypapp_window(1, PTE_P);
	core_refused(LATCH_HC_HELLO, WINDOW_BASE + PAGE_SIZE, HELLO_SIZE, EFAULT, "a page to read");
	core_refused(LATCH_HC_HELLO, NOT_CANONICAL, HELLO_SIZE, EFAULT, "no canonical address");
	core_refused(LATCH_HC_HELLO, NOT_CANONICAL - 1, HELLO_SIZE, EFAULT, "into the hole");
	core_refused(LATCH_HC_HELLO, ~0ull, HELLO_SIZE, EFAULT, "a range around the end");
	core_refused(LATCH_HC_HELLO, WINDOW_BASE, ~0ull, EFAULT, "a range of all");
}

static void hypapp_user(void)
{
	struct regs *regs = &trap_last()->regs;
	u64 frame = hypapp_window(0, PTE_P | PTE_W | PTE_U);
	u32 vector = user_hypercall(LATCH_HC_HELLO, WINDOW_BASE, HELLO_SIZE);

	ktap_check(vector == IRQ_EXIT && !regs->rax && regs->rdi == HELLO_SIZE &&
		   !memcmp(PTR(frame), HELLO_TEXT, HELLO_SIZE), "hello at CPL 3");
	hypapp_window(0, PTE_P | PTE_W);
	vector = user_hypercall(LATCH_HC_HELLO, WINDOW_BASE, HELLO_SIZE);
	ktap_check(vector == IRQ_EXIT && regs->rax == ERRNO(EFAULT) && regs->rdi == WINDOW_BASE,
		   "-14 at CPL 3 for a page of CPL 0");
}

/* The only frames that core itself would reach. */
static void hypapp_hidden(void)
{
	u64 page = launch_chunk(0);

	mem_map(WINDOW_BASE, page, PTE_P | PTE_W | PTE_NX);
	invlpg(WINDOW_BASE);
	ktap_check(!greets(WINDOW_BASE, PTR(WINDOW_BASE)) && !*(u64 *)PTR(WINDOW_BASE),
		   "core's own memory is no buffer");
	mem_unmap(WINDOW_BASE);
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
}

static u32 hypapp_stop, hypapp_wrong, hypapp_greeted;

static void hypapp_call_loop(void *arg)
{
	static char text[MAX_CPUS][HELLO_SIZE];
	struct hypercall call;

	(void)arg;
	while (!READ_ONCE(hypapp_stop)) {
		bool good = hypercall(&call, LATCH_HC_HELLO, ADDR(text[this_cpu()->index]),
				      HELLO_SIZE, 0);

		if (!good || (call.rax && call.rax != ERRNO(ENOSYS)))
			__atomic_fetch_add(&hypapp_wrong, 1, __ATOMIC_SEQ_CST);
		if (good && !call.rax)
			__atomic_fetch_add(&hypapp_greeted, 1, __ATOMIC_SEQ_CST);
	}
}

/* Off means that nobody is inside any more. */
static void hypapp_race(void)
{
	bool good = true;
	u32 i, seen;

	hypapp_stop = 0;
	hypapp_wrong = 0;
	hypapp_greeted = 0;
	for (i = 1; i < nr_cpus; i++)
		cpu_call_start(i, hypapp_call_loop, NULL);
	for (i = 0; i < ROUNDS; i++) {
		good = good && !app_set(LATCH_APP_HELLO, 0);
		seen = READ_ONCE(hypapp_greeted);
		good = good && app_is(LATCH_APP_HELLO, 0);
		good = good && READ_ONCE(hypapp_greeted) - seen <= nr_cpus;
		good = good && !app_set(LATCH_APP_HELLO, 1);
	}
	WRITE_ONCE(hypapp_stop, 1);
	for (i = 1; i < nr_cpus; i++)
		while (!cpu_call_finished(i))
			cpu_relax();
	ktap_check(good && !hypapp_wrong, "%u times off and on while all others call", ROUNDS);
}

void core_hypapps(void)
{
	hypapp_management();
	hypapp_memory();
	hypapp_user();
	hypapp_hidden();
	hypapp_race();
	ktap_check(!app_set(LATCH_APP_HELLO, 0) && app_is(LATCH_APP_HELLO, 0), "hello is off");
	core_refused(LATCH_HC_HELLO, 0, 0, ENOSYS, "hello then");
}
