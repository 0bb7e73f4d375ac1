// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCALL from CPL 3: what is marked for any CPL answers, management does not,
 * strangers get what they got before Latch, and no register but the results
 * changes. Needs Latch loaded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/latch.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kselftest_harness.h"
#include "vmcall.h"

#define CODE32_SELECTOR		0x23

static sigjmp_buf back;
static volatile int signal_code;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	signal_code = info->si_code;
	siglongjmp(back, sig);
}

/* Return: 0, or the signal that it ended with. */
static int try_vmcall(struct gpr *gpr)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO }, old[2];
	int sig;

	sigaction(SIGILL, &action, &old[0]);
	sigaction(SIGSEGV, &action, &old[1]);
	sig = sigsetjmp(back, 1);
	if (!sig)
		run_vmcall(gpr);
	sigaction(SIGILL, &old[0], NULL);
	sigaction(SIGSEGV, &old[1], NULL);
	return sig;
}

static void fill(struct gpr *gpr, uint32_t number)
{
	for (int i = 0; i < NR_GPR; i++)
		gpr->r[i] = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 20 ^ rand();
	gpr->r[RAX] = (gpr->r[RAX] & ~0xffffffffull) | number;
	gpr->flags = (gpr->r[R8] & ARITHMETIC_FLAGS) | 0x202;
}

/* All but RAX, and what is in @results, are as they were. */
static bool same_but(const struct gpr *a, const struct gpr *b, unsigned int results)
{
	for (int i = 1; i < NR_GPR; i++)
		if (!(results & 1u << i) && a->r[i] != b->r[i])
			return false;
	return !((a->flags ^ b->flags) & ARITHMETIC_FLAGS);
}

TEST(version_answers)
{
	struct gpr in, out;

	fill(&in, LATCH_HC_VERSION);
	out = in;
	ASSERT_EQ(0, try_vmcall(&out));
	EXPECT_EQ(0, out.r[RAX]);
	EXPECT_EQ(LATCH_ABI_VERSION, out.r[RDI]);
	EXPECT_NE(0, out.r[RSI]);
	EXPECT_EQ(0, out.r[RDX] & ~(uint64_t)LATCH_VERSION_NESTED);
	EXPECT_TRUE(same_but(&in, &out, 1u << RDI | 1u << RSI | 1u << RDX));
}

TEST(ping_answers_on_each_cpu)
{
	int cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct gpr in, out;
	cpu_set_t set;

	for (int cpu = 0; cpu < cpus; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			continue;
		fill(&in, LATCH_HC_PING);
		out = in;
		ASSERT_EQ(0, try_vmcall(&out));
		EXPECT_EQ(0, out.r[RAX]);
		EXPECT_EQ(in.r[RDI], out.r[RDI]);
		EXPECT_EQ((uint64_t)cpu, out.r[RSI]);
		EXPECT_TRUE(same_but(&in, &out, 1u << RSI));
	}
}

TEST(management_is_refused)
{
	static const uint32_t numbers[] = {
		LATCH_HC_STAT, LATCH_HC_LOG, LATCH_HC_QUIESCE, LATCH_HC_APP_INFO,
		LATCH_HC_APP_SET, LATCH_HC_LINUX, HC_JOIN, HC_LEAVE
	};
	struct gpr in, out;

	for (unsigned int i = 0; i < 4; i++) {
		fill(&in, numbers[i]);
		in.r[RDI] = 0;
		in.r[RSI] = LATCH_STAT_EXITS;
		out = in;
		ASSERT_EQ(0, try_vmcall(&out));
		EXPECT_EQ((uint64_t)-EPERM, out.r[RAX]) TH_LOG("number %x", numbers[i]);
		EXPECT_TRUE(same_but(&in, &out, 0)) TH_LOG("number %x", numbers[i]);
	}
}

TEST(unassigned_numbers_are_enosys)
{
	struct gpr in, out;

	for (uint32_t n = LATCH_HC_LINUX + 1; n <= LATCH_HC_LAST; n++) {
		if (n == HC_LEAVE || n == HC_JOIN)
			continue;
		fill(&in, n);
		out = in;
		ASSERT_EQ(0, try_vmcall(&out));
		EXPECT_EQ((uint64_t)-ENOSYS, out.r[RAX]) TH_LOG("number %x", n);
		EXPECT_TRUE(same_but(&in, &out, 0)) TH_LOG("number %x", n);
	}
}

/* Under KVM a call of a stranger at CPL 3 is refused by KVM: -KVM_EPERM, no signal. */
TEST(strangers_get_what_they_got_before)
{
	static const uint32_t numbers[] = { 0, 1, LATCH_HC_BASE - 1, LATCH_HC_LAST + 1, ~0u };
	struct gpr version, in, out;
	int sig;

	fill(&version, LATCH_HC_VERSION);
	ASSERT_EQ(0, try_vmcall(&version));
	for (unsigned int i = 0; i < 5; i++) {
		fill(&in, numbers[i]);
		out = in;
		sig = try_vmcall(&out);
		if (version.r[RDX] & LATCH_VERSION_NESTED) {
			EXPECT_EQ(0, sig);
			EXPECT_EQ((uint64_t)-EPERM, out.r[RAX]);
		} else {
			EXPECT_EQ(SIGILL, sig) TH_LOG("number %x", numbers[i]);
			EXPECT_EQ(ILL_ILLOPN, signal_code);
		}
	}
}

TEST(other_vmx_instructions_are_sigill)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	static uint64_t memory[2];
	int sig;

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
#define ILLEGAL(insn) do { \
	sig = sigsetjmp(back, 1); \
	if (!sig) { \
		__asm__ volatile(insn : "+m" (memory) : "r" (0ul), "r" (memory) : "memory", "cc"); \
		sig = -1; \
	} \
	EXPECT_EQ(SIGILL, sig) TH_LOG(insn); \
} while (0)
	ILLEGAL("vmlaunch");
	ILLEGAL("vmresume");
	ILLEGAL("vmxoff");
	ILLEGAL("vmread %1, %1");
	ILLEGAL("vmwrite %1, %1");
	ILLEGAL("vmptrld %0");
	ILLEGAL("vmptrst %0");
	ILLEGAL("vmclear %0");
	ILLEGAL("vmxon %0");
	ILLEGAL("invept %0, %1");
	ILLEGAL("invvpid %0, %1");
	ILLEGAL("getsec");
}

TEST(random_registers_100000_times)
{
	struct gpr in, out;

	srand(8);
	for (int i = 0; i < 100000; i++) {
		uint32_t number = LATCH_HC_BASE + (i & 3 ? rand() & 0xff : rand() & 3);

		fill(&in, number);
		out = in;
		run_vmcall(&out);
		switch (number) {
		case LATCH_HC_VERSION:
			ASSERT_TRUE(!out.r[RAX] && same_but(&in, &out, 1u << RDI | 1u << RSI | 1u << RDX));
			break;
		case LATCH_HC_PING:
			ASSERT_TRUE(!out.r[RAX] && same_but(&in, &out, 1u << RSI));
			break;
		case LATCH_HC_STAT:
		case LATCH_HC_LOG:
		case LATCH_HC_QUIESCE:
		case LATCH_HC_APP_INFO:
		case LATCH_HC_APP_SET:
		case LATCH_HC_LINUX:
		case HC_JOIN:
		case HC_LEAVE:
			ASSERT_TRUE(out.r[RAX] == (uint64_t)-EPERM && same_but(&in, &out, 0));
			break;
		default:
			ASSERT_TRUE(out.r[RAX] == (uint64_t)-ENOSYS && same_but(&in, &out, 0));
		}
	}
}

/* A 32-bit program: far jump to a 32-bit segment, VMCALL, and back. */
extern const char code32_start[], code32_end[];
__asm__(".pushsection .rodata\n"
	"code32_start:\n\t"
	".code32\n\t"
	/* 64-bit programs may have a null selector there */
	"movl $0x2b, %eax\n\t"
	"movl %eax, %ds\n\t"
	"movl 0(%edi), %eax\n\t"
	"movl 8(%edi), %esi\n\t"
	"movl %edi, %ebx\n\t"
	"movl 4(%edi), %edi\n\t"
	"vmcall\n\t"
	"movl %eax, 0(%ebx)\n\t"
	"movl %edi, 4(%ebx)\n\t"
	"movl %esi, 8(%ebx)\n\t"
	"lret\n\t"
	".code64\n"
	"code32_end:\n\t"
	".popsection");

TEST(compat_mode_sees_low_halves)
{
	/* code at 0, arguments at 2048, stack at the end */
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t *arg = (uint32_t *)(low + 2048), *at = arg;
	struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) far_call, *operand = &far_call;

	ASSERT_NE(MAP_FAILED, low);
	memcpy(low, code32_start, code32_end - code32_start);
	far_call.offset = (uint32_t)(uintptr_t)low;
	far_call.selector = CODE32_SELECTOR;
	arg[0] = LATCH_HC_PING;
	arg[1] = 0xdeadbeef;
	arg[2] = 0x12345678;
	__asm__ volatile("movq %%rsp, %%r12\n\t"
			 "movq %2, %%rsp\n\t"
			 "lcall *(%0)\n\t"
			 "movq %%r12, %%rsp"
			 : "+S" (operand), "+D" (at)
			 : "r" (low + 4096)
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
	EXPECT_EQ(0, arg[0]);
	EXPECT_EQ(0xdeadbeef, arg[1]);
	EXPECT_LT(arg[2], (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
}

TEST_HARNESS_MAIN
