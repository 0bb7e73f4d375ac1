// SPDX-License-Identifier: GPL-2.0-only
/*
 * work [-t SECONDS] [-n PROCESSES] NAME...: work that notices when something goes
 * wrong underneath it.
 *
 * Starts PROCESSES of each NAME and ends them after SECONDS or at SIGTERM. Prints
 * "NAME: N rounds" for each, and "CORRUPT NAME: WHY" when one has seen what must
 * not be. Exit status: 0 when none has, and all have done something.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static const char *self_path;
static const char *my_name;

static void __attribute__((format(printf, 1, 2), noreturn)) corrupt(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int n = snprintf(line, sizeof(line), "CORRUPT %s: ", my_name);

	va_start(args, fmt);
	n += vsnprintf(line + n, sizeof(line) - n - 1, fmt, args);
	va_end(args);
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) != n)
		_exit(98);
	_exit(99);
}

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

/* fork, exec of this very program, and its exit status */
static void work_fork(void)
{
	int want = rand() % 100, status;
	pid_t pid = fork();
	char text[8];

	if (!pid) {
		snprintf(text, sizeof(text), "%d", want);
		execl(self_path, self_path, "--exit", text, (char *)NULL);
		_exit(111);
	}
	if (pid < 0)
		corrupt("fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			corrupt("waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
		corrupt("status %x of a child that ends with %d", status, want);
}

/* Timers never fire early, and the clock never goes back. */
static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void work_timer(void)
{
	struct timespec nap = { 0, 1000000 + rand() % 2000000 };
	uint64_t before = now_ns(CLOCK_MONOTONIC), after;

	if (nanosleep(&nap, NULL))
		return;
	after = now_ns(CLOCK_MONOTONIC);
	if (after < before + nap.tv_nsec)
		corrupt("slept %llu ns of %ld", (unsigned long long)(after - before), nap.tv_nsec);
	if (after > before + 60000000000ull)
		corrupt("slept %llu ns instead of %ld", (unsigned long long)(after - before), nap.tv_nsec);
}

static struct shared {
	uint32_t futex;
	uint64_t a, b;
	uint64_t clock;
} *shared;

static long futex(uint32_t *word, int op, uint32_t value)
{
	struct timespec limit = { 2, 0 };

	return syscall(SYS_futex, word, op, value, &limit, NULL, 0);
}

/* A lock of three states on a futex, around two words that must stay equal. */
static void work_futex(void)
{
	uint32_t was = 0;

	if (!__atomic_compare_exchange_n(&shared->futex, &was, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (was != 2)
			was = __atomic_exchange_n(&shared->futex, 2, __ATOMIC_ACQUIRE);
		while (was) {
			futex(&shared->futex, FUTEX_WAIT, 2);
			was = __atomic_exchange_n(&shared->futex, 2, __ATOMIC_ACQUIRE);
		}
	}
	if (shared->a != shared->b)
		corrupt("%llu and %llu under the lock", (unsigned long long)shared->a,
			(unsigned long long)shared->b);
	shared->a++;
	for (volatile int i = 0; i < 200; i++)
		;
	shared->b++;
	if (__atomic_exchange_n(&shared->futex, 0, __ATOMIC_RELEASE) == 2)
		futex(&shared->futex, FUTEX_WAKE, 1);
}

/* The clock that all CPUs agree on: nobody reads less than another has seen. */
static void work_clock(void)
{
	uint64_t seen = __atomic_load_n(&shared->clock, __ATOMIC_SEQ_CST);
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < seen)
		corrupt("the clock is %llu ns back", (unsigned long long)(seen - now));
	while (seen < now && !__atomic_compare_exchange_n(&shared->clock, &seen, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void work_signal(void)
{
	int before = signals;

	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 50; i++)
		raise(SIGUSR1);
	if (signals - before != 50)
		corrupt("%d signals of 50", signals - before);
}

static void work_file(void)
{
	char path[64];
	uint32_t data[4096], back[4096];
	int fd;

	snprintf(path, sizeof(path), "/tmp/work.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (unsigned int i = 0; i < 4096; i++)
		data[i] = rand();
	if (fd < 0 || write(fd, data, sizeof(data)) != sizeof(data) ||
	    pread(fd, back, sizeof(back), 0) != sizeof(back))
		corrupt("%s: %s", path, strerror(errno));
	close(fd);
	unlink(path);
	if (memcmp(data, back, sizeof(data)))
		corrupt("a file reads as it was not written");
}

/* Pages come, go and change their rights. */
static void work_memory(void)
{
	size_t size = (1 + rand() % 32) * 4096;
	uint32_t seed = rand(), *map;

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		corrupt("mmap: %s", strerror(errno));
	for (size_t i = 0; i < size / 4; i++) {
		if (map[i])
			corrupt("a new page is not empty");
		map[i] = seed + i;
	}
	mprotect(map, size, PROT_READ);
	for (size_t i = 0; i < size / 4; i++)
		if (map[i] != seed + i)
			corrupt("memory has changed");
	munmap(map, size);
}

/* All vector registers hold a pattern while interrupts and switches go on. */
#define NR_VECTORS	32
static uint8_t vectors[NR_VECTORS][64] __attribute__((aligned(64)));
static uint8_t got[NR_VECTORS][64] __attribute__((aligned(64)));

#define ALL_16(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) \
	op(12) op(13) op(14) op(15)
#define HIGH_16(op) op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) \
	op(27) op(28) op(29) op(30) op(31)
#define SPIN	"movl %2, %%ecx\n1:\tpause\n\tdecl %%ecx\n\tjnz 1b\n\t"
#define XMM_IN(n)	"movaps 64*" #n "(%0), %%xmm" #n "\n\t"
#define XMM_OUT(n)	"movaps %%xmm" #n ", 64*" #n "(%1)\n\t"
#define YMM_IN(n)	"vmovaps 64*" #n "(%0), %%ymm" #n "\n\t"
#define YMM_OUT(n)	"vmovaps %%ymm" #n ", 64*" #n "(%1)\n\t"
#define ZMM_IN(n)	"vmovaps 64*" #n "(%0), %%zmm" #n "\n\t"
#define ZMM_OUT(n)	"vmovaps %%zmm" #n ", 64*" #n "(%1)\n\t"

static void hold_xmm(unsigned int spin)
{
	__asm__ volatile(ALL_16(XMM_IN) SPIN ALL_16(XMM_OUT)
			 : : "r" (vectors), "r" (got), "r" (spin) : "ecx", "memory");
}

static void hold_ymm(unsigned int spin)
{
	__asm__ volatile(ALL_16(YMM_IN) SPIN ALL_16(YMM_OUT) "vzeroupper"
			 : : "r" (vectors), "r" (got), "r" (spin) : "ecx", "memory");
}

static void hold_zmm(unsigned int spin)
{
	__asm__ volatile(ALL_16(ZMM_IN) HIGH_16(ZMM_IN) SPIN ALL_16(ZMM_OUT) HIGH_16(ZMM_OUT) "vzeroupper"
			 : : "r" (vectors), "r" (got), "r" (spin) : "ecx", "memory");
}

/* Which are there and switched on: the widest is taken. */
static unsigned int vector_bytes(void)
{
	unsigned int a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 16;
	__asm__ volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	if ((low & 6) != 6 || !(c & bit_AVX))
		return 16;
	if ((low & 0xe0) == 0xe0 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX512F)
		return 64;
	return 32;
}

static void work_vector(void)
{
	static unsigned int bytes;
	unsigned int count, spin = 1000 + rand() % 20000, mxcsr = 0x1f80 | (rand() & 3) << 13, mxcsr_got;
	long double value = rand(), x87;

	if (!bytes)
		bytes = vector_bytes();
	count = bytes == 64 ? 32 : 16;
	for (unsigned int i = 0; i < sizeof(vectors); i++)
		((uint8_t *)vectors)[i] = rand() >> 7;
	memset(got, 0, sizeof(got));
	__asm__ volatile("ldmxcsr %0" : : "m" (mxcsr));
	__asm__ volatile("fldt %0" : : "m" (value));
	if (bytes == 64)
		hold_zmm(spin);
	else if (bytes == 32)
		hold_ymm(spin);
	else
		hold_xmm(spin);
	__asm__ volatile("fstpt %0" : "=m" (x87));
	__asm__ volatile("stmxcsr %0" : "=m" (mxcsr_got));
	for (unsigned int i = 0; i < count; i++)
		if (memcmp(vectors[i], got[i], bytes))
			corrupt("vector register %u of %u bytes", i, bytes);
	if (x87 != value)
		corrupt("x87 register");
	if (mxcsr_got != mxcsr)
		corrupt("MXCSR %x instead of %x", mxcsr_got, mxcsr);
}

/* FS and GS bases, and all general-purpose registers over a spin. */
static void work_registers(void)
{
	uint64_t in[14], out[14], *from = in, *to = out, fs, gs;
	uint64_t base = 0x1000ull * (rand() & 0xffff) + 0x10000;

	for (int i = 0; i < 14; i++)
		in[i] = (uint64_t)rand() << 33 ^ rand();
	syscall(SYS_arch_prctl, 0x1001, base);
	syscall(SYS_arch_prctl, 0x1003, &fs);
	__asm__ volatile("pushq %%rbp\n\tpushq %1\n\t"
			 "movq 0(%0), %%rax\n\tmovq 8(%0), %%rbx\n\tmovq 16(%0), %%rdx\n\t"
			 "movq 24(%0), %%rsi\n\tmovq 32(%0), %%r8\n\tmovq 40(%0), %%r9\n\t"
			 "movq 48(%0), %%r10\n\tmovq 56(%0), %%r11\n\tmovq 64(%0), %%r12\n\t"
			 "movq 72(%0), %%r13\n\tmovq 80(%0), %%r14\n\tmovq 88(%0), %%r15\n\t"
			 "movq 96(%0), %%rbp\n\tmovq 104(%0), %%rdi\n\t"
			 "movl $5000, %%ecx\n1:\tpause\n\tdecl %%ecx\n\tjnz 1b\n\t"
			 "popq %%rcx\n\t"
			 "movq %%rax, 0(%%rcx)\n\tmovq %%rbx, 8(%%rcx)\n\tmovq %%rdx, 16(%%rcx)\n\t"
			 "movq %%rsi, 24(%%rcx)\n\tmovq %%r8, 32(%%rcx)\n\tmovq %%r9, 40(%%rcx)\n\t"
			 "movq %%r10, 48(%%rcx)\n\tmovq %%r11, 56(%%rcx)\n\tmovq %%r12, 64(%%rcx)\n\t"
			 "movq %%r13, 72(%%rcx)\n\tmovq %%r14, 80(%%rcx)\n\tmovq %%r15, 88(%%rcx)\n\t"
			 "movq %%rbp, 96(%%rcx)\n\tmovq %%rdi, 104(%%rcx)\n\tpopq %%rbp"
			 : "+D" (from), "+c" (to)
			 : : "rax", "rbx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			     "r15", "memory", "cc");
	if (memcmp(in, out, sizeof(in)))
		corrupt("a general-purpose register");
	syscall(SYS_arch_prctl, 0x1004, &gs);
	if (gs != base)
		corrupt("GS base %llx instead of %llx", (unsigned long long)gs, (unsigned long long)base);
	syscall(SYS_arch_prctl, 0x1003, &base);
	if (fs != base)
		corrupt("FS base");
}

static void work_cpuid(void)
{
	static unsigned int first[4];
	unsigned int r[4];

	for (int i = 0; i < 100; i++) {
		__cpuid(0, r[0], r[1], r[2], r[3]);
		if (!first[1])
			memcpy(first, r, sizeof(r));
		if (memcmp(first, r, sizeof(r)))
			corrupt("CPUID leaf 0 has changed");
	}
}

/* A child that counts, stepped one instruction at a time. */
static void work_step(void)
{
	struct user_regs_struct regs;
	int status, steps = 0;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		/* int3; 20 times: dec, cpuid, jnz; int3 */
		__asm__ volatile("movl $20, %%r8d\n\tint3\n1:\tnop\n\txorl %%eax, %%eax\n\tcpuid\n\t"
				 "decl %%r8d\n\tjnz 1b\n\tint3"
				 : : : "eax", "ebx", "ecx", "edx", "r8", "cc");
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		corrupt("no child to trace");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	waitpid(pid, &status, 0);
	do {
		steps++;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			corrupt("step %d: status %x", steps, status);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	} while (regs.r8 && steps < 200);
	if (steps != 99)	/* 20 times 5 instructions, up to the last decl */
		corrupt("%d steps instead of 99", steps);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* Software events: their counts agree with what was done. */
static void work_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS, .disabled = 1,
	};
	uint64_t faults = 0;
	char *map;
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), clock;

	if (fd < 0)
		corrupt("perf_event_open: %s", strerror(errno));
	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.sample_period = 100000;
	attr.disabled = 0;
	clock = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	map = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(map, 64 * 4096, MADV_NOHUGEPAGE);
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	for (int i = 0; i < 64; i++)
		map[i * 4096] = 1;
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	if (read(fd, &faults, sizeof(faults)) != sizeof(faults) || faults < 64 || faults > 80)
		corrupt("%llu page faults counted, of 64", (unsigned long long)faults);
	munmap(map, 64 * 4096);
	close(clock);
	close(fd);
}

static const struct work {
	const char *name;
	void (*round)(void);
} works[] = {
	{ "fork", work_fork }, { "timer", work_timer }, { "futex", work_futex },
	{ "clock", work_clock }, { "signal", work_signal }, { "file", work_file },
	{ "memory", work_memory }, { "vector", work_vector }, { "registers", work_registers },
	{ "cpuid", work_cpuid }, { "step", work_step }, { "perf", work_perf },
};
#define NR_WORKS (sizeof(works) / sizeof(works[0]))

static void run_work(const struct work *work, unsigned int number)
{
	struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	unsigned long rounds = 0;

	my_name = work->name;
	srand(number + 1);
	sigaction(SIGTERM, &action, NULL);
	while (!stop) {
		work->round();
		rounds++;
	}
	printf("%s: %lu rounds\n", work->name, rounds);
	fflush(stdout);
	_exit(rounds ? 0 : 97);
}

static const struct work *find_work(const char *name)
{
	for (unsigned int i = 0; i < NR_WORKS; i++)
		if (!strcmp(works[i].name, name))
			return &works[i];
	fprintf(stderr, "work: no work is called %s; there are", name);
	for (unsigned int i = 0; i < NR_WORKS; i++)
		fprintf(stderr, " %s", works[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

static pid_t children[256];
static unsigned int nr_children;

static void start(const char *name, unsigned int processes)
{
	const struct work *work = find_work(name);

	while (processes-- && nr_children < 256) {
		pid_t pid = fork();

		if (!pid)
			run_work(work, nr_children);
		if (pid < 0) {
			perror("work: fork");
			exit(1);
		}
		children[nr_children++] = pid;
	}
}

/* A failure ends all at once: what the machine looks like then is what counts. */
static int collect(void)
{
	unsigned int left = nr_children, bad = 0;
	int status;

	while (left) {
		pid_t pid = wait(&status);

		if (pid > 0) {
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status)) {
				printf("# process %d ended with status %x\n", pid, status);
				bad++;
			}
		} else if (errno != EINTR) {
			break;
		}
		if (stop) {
			stop = 0;
			for (unsigned int i = 0; i < nr_children; i++)
				kill(children[i], SIGTERM);
		}
	}
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_stop };
	unsigned int seconds = 0, processes = 1;
	int option;

	if (argc == 3 && !strcmp(argv[1], "--exit"))
		return atoi(argv[2]);
	self_path = argv[0];
	while ((option = getopt(argc, argv, "t:n:")) != -1) {
		if (option == 't')
			seconds = atoi(optarg);
		else if (option == 'n')
			processes = atoi(optarg);
		else
			return 2;
	}
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* no SA_RESTART: wait() must return */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (; optind < argc; optind++)
		start(argv[optind], processes);
	alarm(seconds);
	return collect();
}
