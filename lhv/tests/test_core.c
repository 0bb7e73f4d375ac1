// SPDX-License-Identifier: GPL-2.0-only
/* What only core can answer: its calls, its hidden memory, its counters. */
#include "tests.h"
#include <linux/latch.h>
#include <latch/launch.h>

#define COOKIE		0x1122334455667788ull
#define RACE_STORES	200
#define RACE_MTRRS	10
/* Load all registers, VMCALL, store them all. */
INSN(insn_hypercall, "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\t"
	"pushq %r14\n\tpushq %r15\n\tpushq %rdi\n\tmovq 32(%rdi), %rbx\n\t"
	"movq 40(%rdi), %rcx\n\tmovq 48(%rdi), %rbp\n\tmovq 56(%rdi), %r8\n\t"
	"movq 64(%rdi), %r9\n\tmovq 72(%rdi), %r10\n\tmovq 80(%rdi), %r11\n\t"
	"movq 88(%rdi), %r12\n\tmovq 96(%rdi), %r13\n\tmovq 104(%rdi), %r14\n\t"
	"movq 112(%rdi), %r15\n\tmovq (%rdi), %rax\n\tmovq 16(%rdi), %rsi\n\t"
	"movq 24(%rdi), %rdx\n\tmovq 8(%rdi), %rdi\n\t"
	"vmcall\n\t"
	"xchgq %rdi, (%rsp)\n\tmovq %rax, (%rdi)\n\tpopq 8(%rdi)\n\tmovq %rsi, 16(%rdi)\n\t"
	"movq %rdx, 24(%rdi)\n\tmovq %rbx, 32(%rdi)\n\tmovq %rcx, 40(%rdi)\n\t"
	"movq %rbp, 48(%rdi)\n\tmovq %r8, 56(%rdi)\n\tmovq %r9, 64(%rdi)\n\t"
	"movq %r10, 72(%rdi)\n\tmovq %r11, 80(%rdi)\n\tmovq %r12, 88(%rdi)\n\t"
	"movq %r13, 96(%rdi)\n\tmovq %r14, 104(%rdi)\n\tmovq %r15, 112(%rdi)\n\t"
	"popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbp\n\tpopq %rbx");
USER_INSN(user_vmcall, "vmcall");
USER_INSN(user_vmcall32, ".code32\n\tvmcall\n\tint $0x80\n\t.code64");

bool hypercall(struct hypercall *call, u64 rax, u64 rdi, u64 rsi, u64 rdx)
{
	bool kept = true;
	u32 i;

	call->rax = rax;
	call->rdi = rdi;
	call->rsi = rsi;
	call->rdx = rdx;
	for (i = 0; i < ARRAY_SIZE(call->others); i++)
		call->others[i] = KEPT + i;
	if (try_insn(insn_hypercall, ADDR(call)) != TRAP_NONE)
		return false;
	for (i = 0; i < ARRAY_SIZE(call->others); i++)
		kept = kept && call->others[i] == KEPT + i;
	return kept;
}

static u64 stat(u32 cpu, u32 which)
{
	struct hypercall call;

	if (!hypercall(&call, LATCH_HC_STAT, cpu, which, 0) || call.rax)
		lhv_panic("LATCH_HC_STAT fails");
	return call.rdi;
}

static u64 stat_sum(u32 which)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < nr_cpus; i++)
		sum += stat(i, which);
	return sum;
}

/* --- calls */

static void ping_cpu(void *arg)
{
	struct hypercall call;

	*(bool *)arg = hypercall(&call, LATCH_HC_PING, COOKIE, 1, 2) && !call.rax &&
		       call.rdi == COOKIE && call.rsi == this_cpu()->index && call.rdx == 2;
}

static void core_calls(void)
{
	struct hypercall call;
	bool good;
	u32 i;

	good = hypercall(&call, LATCH_HC_VERSION, 1, 2, 3);
	ktap_check(good && !call.rax && call.rdi == LATCH_ABI_VERSION && call.rsi,
		   "version: ABI %llu, core 0x%llx, flags %llu", call.rdi, call.rsi, call.rdx);
	good = hypercall(&call, LATCH_HC_PING | 0xffffffff00000000ull, COOKIE, 1, 2);
	ktap_check(good && !call.rax && call.rdi == COOKIE, "the number is in EAX");
	for (i = 0; i < nr_cpus; i++) {
		cpu_call(i, ping_cpu, &good);
		ktap_check(good, "ping on CPU %u", i);
	}
	good = hypercall(&call, LATCH_HC_LOG, 1, 2, 3);
	ktap_check(good && !call.rax && call.rdi && call.rsi && call.rdx == 3,
		   "log: next %llu of %llu", call.rdi, call.rsi);
}

void core_refused(u64 rax, u64 rdi, u64 rsi, u32 error, const char *name)
{
	struct hypercall call;
	bool good = hypercall(&call, rax, rdi, rsi, KEPT);

	ktap_check(good && call.rax == ERRNO(error) && call.rdi == rdi && call.rsi == rsi &&
		   call.rdx == KEPT, "-%u for %s", error, name);
}

static void core_unknown(void)
{
	struct hypercall call;
	u32 number, wrong = 0;
	bool good;

	for (number = LATCH_HC_LINUX + 1; number <= LATCH_HC_LAST; number++) {
		if (number == LATCH_HC_LEAVE || number == LATCH_HC_JOIN)
			continue;
		good = hypercall(&call, number, 1, 2, 3);
		wrong += !good || call.rax != ERRNO(ENOSYS) || call.rdi != 1 || call.rsi != 2 ||
			 call.rdx != 3;
	}
	ktap_check(!wrong, "-38 for all numbers that are not assigned");
}

static void core_bad_calls(void)
{
	core_refused(LATCH_HC_STAT, nr_cpus, 0, EINVAL, "STAT of a CPU that is not there");
	core_refused(LATCH_HC_STAT, ~0ull, 0, EINVAL, "STAT of CPU -1");
	core_refused(LATCH_HC_STAT, BIT(32), 0, EINVAL, "STAT of CPU 0x100000000");
	core_refused(LATCH_HC_STAT, 0, LATCH_STAT_LAST, EINVAL, "STAT behind the last counter");
	core_refused(LATCH_HC_STAT, 0, BIT(63), EINVAL, "STAT of a counter of 64 bits");
	core_refused(LATCH_HC_LEAVE, 0, 0, EPERM, "LEAVE from a wrong place");
	core_refused(LATCH_HC_JOIN, 0, 0, EINVAL, "JOIN of a CPU that has");
	core_unknown();
}

u32 user_hypercall(u64 number, u64 rdi, u64 rsi)
{
	struct user user = {
		.rip = ADDR(user_vmcall) + USER_OFFSET, .cs = SEL_UCODE, .ss = SEL_UDATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF, .rsp = 0,
		.rax = number, .rdi = rdi, .rsi = rsi, .rdx = KEPT, .rcx = KEPT, .rbx = KEPT,
	};

	return user_run(&user);
}

void core_user_refused(u64 number, const char *name)
{
	struct regs *regs = &trap_last()->regs;
	u32 vector = user_hypercall(number, 0, 0);

	ktap_check(vector == IRQ_EXIT && regs->rax == ERRNO(EPERM) && !regs->rdi && !regs->rsi &&
		   regs->rdx == KEPT && regs->rcx == KEPT && regs->rbx == KEPT,
		   "-1 for %s at CPL 3", name);
}

static void core_user_calls(void)
{
	struct regs *regs = &trap_last()->regs;
	struct user user = {
		.rip = ADDR(user_vmcall32) + USER_OFFSET, .cs = SEL_UCODE32, .ss = SEL_UDATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF, .rax = LATCH_HC_PING, .rdi = 0x12345678,
	};
	u32 vector = user_hypercall(LATCH_HC_PING, COOKIE, 7);

	ktap_check(vector == IRQ_EXIT && !regs->rax && regs->rdi == COOKIE && !regs->rsi &&
		   regs->rdx == KEPT, "ping at CPL 3");
	vector = user_hypercall(LATCH_HC_VERSION, 0, 0);
	ktap_check(vector == IRQ_EXIT && !regs->rax && regs->rdi == LATCH_ABI_VERSION,
		   "version at CPL 3");
	vector = user_run(&user);
	ktap_check(vector == IRQ_EXIT && !(u32)regs->rax && (u32)regs->rdi == 0x12345678,
		   "ping at CPL 3 in compatibility mode");
	core_user_refused(LATCH_HC_STAT, "STAT");
	core_user_refused(LATCH_HC_LOG, "LOG");
	core_user_refused(LATCH_HC_LEAVE, "LEAVE");
	core_user_refused(LATCH_HC_JOIN, "JOIN");
	vector = user_hypercall(LATCH_HC_LAST + 1, 0, 0);
	ktap_check(vector == VECTOR_UD, "#UD for a number that is not Latch's");
}

/* Any registers at all: an answer, and nothing else. */
static void core_random_calls(void)
{
	u64 seed = 0x9e3779b97f4a7c15ull, wrong = 0;
	struct hypercall call;
	u32 round;

	for (round = 0; round < 5000; round++) {
		u64 rdi, rsi, number;
		bool good;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		number = LATCH_HC_BASE + (seed >> 56) % (round & 1 ? 8 : 256);
		rdi = seed >> (seed & 63);
		rsi = seed << (seed >> 8 & 63);
		good = hypercall(&call, number, rdi, rsi, seed);
		wrong += !good || (call.rax && call.rax != ERRNO(EPERM) &&
				   call.rax != ERRNO(EINVAL) && call.rax != ERRNO(ENOSYS) &&
				   call.rax != ERRNO(ENOENT) && call.rax != ERRNO(EFAULT) &&
				   call.rax != ERRNO(EBUSY));
		wrong += call.rax && (call.rdi != rdi || call.rsi != rsi || call.rdx != seed);
	}
	ktap_check(!wrong, "5000 calls with any registers");
}

/* --- VMX is shown, SMX is not */

static void core_shows_vmx(void)
{
	u64 value;
	u32 msr, faults = 0;

	ktap_check((cpuid(1, 0).ecx & (BIT(5) | BIT(6))) == BIT(5), "CPUID shows VMX, not SMX");
	for (msr = MSR_VMX_BASIC; msr < MSR_VMX_BASIC + 0x14; msr++)
		faults += try_wrmsr(msr, 0) == VECTOR_GP;
	ktap_check(faults == 0x14, "#GP for writes of the VMX MSRs");
	value = rdmsr(MSR_FEATURE_CONTROL);
	ktap_check((value & 5) == 5, "FEATURE_CONTROL is locked with VMX: 0x%llx", value);
	ktap_check(try_wrmsr(MSR_FEATURE_CONTROL, value) == VECTOR_GP, "#GP for a write of it");
}

/* --- hidden memory */

INSN(insn_store8, "movb $0x55, (%rdi)");
INSN(insn_store64, "movq %rdi, (%rdi)");
INSN(insn_movsb, "leaq insn_movsb(%rip), %rsi\n\tmovl $16, %ecx\n\trep movsb");
INSN(insn_stosq, "movl $8, %ecx\n\tmovq %rdi, %rax\n\trep stosq");
INSN(insn_xchg, "movq $-1, %rax\n\txchgq %rax, (%rdi)");
INSN(insn_add, "lock addq $5, (%rdi)");
INSN(insn_bts, "btsq $3, (%rdi)");
INSN(insn_cmpxchg16b, "pushq %rbx\n\txorl %eax, %eax\n\txorl %edx, %edx\n\tmovl $1, %ebx\n\t"
	"movl $2, %ecx\n\tlock cmpxchg16b (%rdi)\n\tpopq %rbx");
INSN(insn_movaps, "pcmpeqd %xmm0, %xmm0\n\tmovaps %xmm0, (%rdi)");
INSN(insn_push, "movq %rsp, %rax\n\tleaq 8(%rdi), %rsp\n\tpushq $-1\n\tmovq %rax, %rsp");
INSN(insn_fxsave, "fxsave (%rdi)");
INSN(insn_sgdt, "sgdt (%rdi)");
INSN(insn_jump, "movq $0x80000000, %rax\n\tjmp *%rdi");
USER_INSN(user_store, "movq $-1, (%rdi)");

static const struct {
	const char *code;
	const char *name;
} stores[] = {
	{ insn_store8, "MOV of a byte" }, { insn_store64, "MOV of 8 bytes" },
	{ insn_movsb, "REP MOVSB" }, { insn_stosq, "REP STOSQ" }, { insn_xchg, "XCHG" },
	{ insn_add, "LOCK ADD" }, { insn_bts, "BTS" }, { insn_cmpxchg16b, "CMPXCHG16B" },
	{ insn_movaps, "MOVAPS" }, { insn_push, "PUSH" }, { insn_fxsave, "FXSAVE" },
	{ insn_sgdt, "SGDT" },
};

static bool all_zero(u64 addr, u64 size)
{
	const u64 *p = PTR(addr);
	u64 count = size / 8;
	bool zero;

	asm volatile("repe scasq" : "+D" (p), "+c" (count), "=@ccz" (zero) : "a" (0) : "memory");
	return zero;
}

static void core_reads(void)
{
	bool zero = true;
	u32 i;

	for (i = 0; i < launch_nr_chunks(); i++)
		zero = zero && all_zero(launch_chunk(i), LATCH_CHUNK_SIZE);
	ktap_check(zero, "all of core's %u MiB read as zeros", launch_nr_chunks() * 2);
}

static void core_writes(void)
{
	u64 page = launch_chunk(0) + 5 * PAGE_SIZE + 0x100, before;
	u32 i, vector;

	for (i = 0; i < ARRAY_SIZE(stores); i++) {
		before = stat(0, LATCH_STAT_HIDDEN_WRITES);
		vector = try_insn(stores[i].code, page);
		ktap_check(vector == TRAP_NONE && all_zero(page, 1024) &&
			   stat(0, LATCH_STAT_HIDDEN_WRITES) > before, "%s is dropped and counted",
			   stores[i].name);
	}
}

/* Stores to the pages that core owns; with several CPUs not to all, for time */
static void core_write_all(void)
{
	u64 before = stat_sum(LATCH_STAT_HIDDEN_WRITES), count = 0, off;
	u64 stride = nr_cpus == 1 ? PAGE_SIZE : 31 * PAGE_SIZE;
	bool zero = true;
	u32 i;

	for (i = 0; i < launch_nr_chunks(); i++)
		for (off = 0; off < LATCH_CHUNK_SIZE; off += stride) {
			try_insn(insn_store64, launch_chunk(i) + off);
			zero = zero && !*(volatile u64 *)PTR(launch_chunk(i) + off);
			count++;
		}
	ktap_check(zero && stat_sum(LATCH_STAT_HIDDEN_WRITES) - before == count,
		   "%llu stores to core's pages are dropped, each is counted once", count);
}

/* A page of lhv's own, then one of core's: the part of lhv is written. */
static void core_straddle(void)
{
	u64 own = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	u64 va = WINDOW_BASE + PAGE_SIZE - 4;
	bool zero;

	mem_map(WINDOW_BASE, own, PTE_P | PTE_W | PTE_NX);
	mem_map(WINDOW_BASE + PAGE_SIZE, launch_chunk(0), PTE_P | PTE_W | PTE_NX);
	try_insn(insn_store64, va);
	zero = all_zero(launch_chunk(0), 64);
	ktap_check(zero && *(u32 *)PTR(own + PAGE_SIZE - 4) == (u32)va,
		   "a store over both own and core's memory");
	mem_map(WINDOW_BASE, launch_chunk(0) + PAGE_SIZE, PTE_P | PTE_W | PTE_NX);
	try_insn(insn_store64, va);
	ktap_check(all_zero(launch_chunk(0), 2 * PAGE_SIZE), "a store over two of core's pages");
	mem_unmap(WINDOW_BASE);
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
}

static void core_other_accesses(void)
{
	u64 frame = launch_chunk(0) + 3 * PAGE_SIZE;
	u32 vector;

	mem_unmap(WINDOW_BASE);
	mem_map(WINDOW_BASE + PAGE_SIZE, frame, PTE_P | PTE_W | PTE_U);
	vector = try_insn(insn_jump, WINDOW_BASE + PAGE_SIZE);
	ktap_check(vector == VECTOR_PF && trap_last()->regs.rip == WINDOW_BASE + PAGE_SIZE,
		   "code in core's memory is zeros");
	vector = user_call(user_store, WINDOW_BASE + PAGE_SIZE);
	ktap_check(vector == IRQ_EXIT && all_zero(frame, PAGE_SIZE), "a store at CPL 3");
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
}

static void store_loop(void *arg)
{
	u32 round;

	(void)arg;
	for (round = 0; round < RACE_STORES; round++)
		try_insn(insn_store64, launch_chunk(0) + 7 * PAGE_SIZE + round * 8);
}

static void core_write_race(void)
{
	u64 before = stat_sum(LATCH_STAT_HIDDEN_WRITES);

	cpu_call_all(store_loop, NULL);
	ktap_check(stat_sum(LATCH_STAT_HIDDEN_WRITES) - before == RACE_STORES * nr_cpus &&
		   all_zero(launch_chunk(0) + 7 * PAGE_SIZE, PAGE_SIZE),
		   "%u stores on each CPU at once", RACE_STORES);
}

/*
 * An exception whose stack is core's memory: the frame is lost, so the handler
 * changes stacks and gives up. Core must not deliver it for ever.
 */
extern const char lost_frame[];
asm(".pushsection .text\nlost_frame:\n\tmovq lost_stack, %rsp\n\tjmp trap_resume\n\t.popsection");
extern u64 lost_stack;
u64 lost_stack;
INSN(insn_ud2, "ud2");

static void core_stack(void)
{
	u64 gate[2] = { idt[2 * VECTOR_UD], idt[2 * VECTOR_UD + 1] };
	u64 before = stat(0, LATCH_STAT_HIDDEN_WRITES), addr = ADDR(lost_frame);
	struct cpu *cpu = this_cpu();

	cpu->tss.ist[3] = launch_chunk(0) + 9 * PAGE_SIZE;
	idt[2 * VECTOR_UD] = (addr & 0xffff) | (u64)SEL_KCODE << 16 | 0x8e04ull << 32 |
			     (addr >> 16 & 0xffff) << 48;
	irq_disable();
	trap_enter((call_fn)(unsigned long)insn_ud2, NULL, &lost_stack);
	irq_enable();
	idt[2 * VECTOR_UD] = gate[0];
	idt[2 * VECTOR_UD + 1] = gate[1];
	ktap_check(stat(0, LATCH_STAT_HIDDEN_WRITES) > before &&
		   all_zero(launch_chunk(0) + 8 * PAGE_SIZE, PAGE_SIZE),
		   "#UD with its stack in core's memory");
}

/* --- counters */

static void core_mtrr(void)
{
	u64 cap = rdmsr(MSR_MTRRCAP), updates = stat_sum(LATCH_STAT_MTRR_UPDATES);
	u32 base = MSR_MTRR_PHYSBASE0 + 2 * ((cap & 0xff) - 1), i;
	u64 mask = (BIT(cpuid(0x80000008, 0).eax & 0xff) - 1) & ~(SIZE_1G - 1);
	u64 shoot[MAX_CPUS];
	bool good = true;

	for (i = 0; i < nr_cpus; i++)
		shoot[i] = stat(i, LATCH_STAT_SHOOTDOWNS);
	wrmsr(base, 2 * SIZE_1G);
	wrmsr(base + 1, mask | BIT(11));
	wrmsr(base + 1, 0);
	wrmsr(base, 0);
	ktap_check(stat_sum(LATCH_STAT_MTRR_UPDATES) > updates, "MTRR writes are followed");
	for (i = 1; i < nr_cpus; i++)
		good = good && stat(i, LATCH_STAT_SHOOTDOWNS) > shoot[i];
	ktap_check(good, "the other CPUs see them");
}

static void mtrr_loop(void *arg)
{
	u32 base = *(u32 *)arg - 2 * (this_cpu()->index & 1), round;

	for (round = 0; round < RACE_MTRRS; round++) {
		wrmsr(base, (u64)(round + 1) << 30);
		cpuid(0, 0);
	}
	wrmsr(base, 0);
}

static void core_mtrr_race(void)
{
	u64 cap = rdmsr(MSR_MTRRCAP);
	u32 base = MSR_MTRR_PHYSBASE0 + 2 * ((cap & 0xff) - 1);
	bool good = false;

	cpu_call_all(mtrr_loop, &base);
	cpu_call(nr_cpus - 1, ping_cpu, &good);
	ktap_check(good, "MTRR writes on all CPUs at once");
}

static void irq_quiet(struct regs *regs)
{
	(void)regs;
	lapic_eoi();
}

static void workload(void)
{
	volatile u32 count;
	u32 round;

	lapic_write(LAPIC_DIVIDE, 0xb);
	lapic_write(LAPIC_TIMER, TIMER_PERIODIC | IRQ_TIMER);
	lapic_write(LAPIC_INITIAL, 20000);
	for (round = 0; round < 100; round++) {
		for (count = 0; count < 1000; count++)
			;
		write_cr3(read_cr3());
		invlpg(WINDOW_BASE);
		write_cr8(round & 7);
		write_cr8(0);
		rdtsc();
		rdmsr(MSR_STAR);
		wrmsr(MSR_KERNEL_GS_BASE, rdmsr(MSR_KERNEL_GS_BASE));
		try_insn(insn_ud2, 0);
		*(volatile u32 *)PTR(lapic_x2apic ? 0x5000 : 0xfee00020);
		if (nr_cpus > 1)
			lapic_ipi(cpus[1].apic_id, ICR_ASSERT | IRQ_TEST);
		lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_TEST);
	}
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	lapic_write(LAPIC_INITIAL, 0);
}

static void core_no_exits(void)
{
	u64 before[MAX_CPUS], other = 0, step;
	u32 i;

	irq_set_handler(IRQ_TIMER, irq_quiet);
	irq_set_handler(IRQ_TEST, irq_quiet);
	for (i = nr_cpus; i-- > 0; )
		before[i] = stat(i, LATCH_STAT_EXITS);
	step = stat(0, LATCH_STAT_EXITS) - before[0];
	before[0] += step;
	workload();
	step = stat(0, LATCH_STAT_EXITS) - before[0] - step;
	for (i = 1; i < nr_cpus; i++)
		other += stat(i, LATCH_STAT_EXITS) - before[i];
	ktap_check(!step && !other,
		   "no exits: loop, interrupts, IPIs, MOV to CR3, faults (%llu, %llu)",
		   step, other);
}

/* With "icr" each IPI exits once, and in xAPIC mode any write of the page. */
static void core_icr_exits(void)
{
	u64 icr = stat(0, LATCH_STAT_ICR_WRITES), ept = stat(0, 48), msr = stat(0, 32);
	u64 steps = stat(0, 37), ipis = nr_cpus > 1 ? 200 : 100;

	irq_set_handler(IRQ_TIMER, irq_quiet);
	irq_set_handler(IRQ_TEST, irq_quiet);
	workload();
	icr = stat(0, LATCH_STAT_ICR_WRITES) - icr;
	ept = stat(0, 48) - ept;
	msr = stat(0, 32) - msr;
	ktap_check(icr == ipis, "%llu IPIs, as many ICR writes are seen", icr);
	if (lapic_x2apic)
		ktap_check(msr == icr && !ept, "one exit each");
	else
		ktap_check(ept >= 2 * icr && !msr && stat(0, 37) == steps,
			   "one exit for each write of the page, no single steps");
}

static bool quiesce(u32 *held)
{
	struct hypercall call;

	if (!hypercall(&call, LATCH_HC_QUIESCE, 1, 2, 3) || call.rax)
		return false;
	*held = (u32)call.rdi;
	return true;
}

static u32 quiesce_failures;

static void quiesce_often(void *arg)
{
	u32 i, held;

	for (i = 0; i < *(u32 *)arg; i++)
		if (!quiesce(&held) || held != nr_cpus - 1)
			__atomic_fetch_add(&quiesce_failures, 1, __ATOMIC_SEQ_CST);
}

static void core_quiesce(void)
{
	u32 held = 0, rounds = 200;
	u64 before = stat_sum(LATCH_STAT_QUIESCES);

	ktap_check(quiesce(&held) && held == nr_cpus - 1, "quiesce: all others stand still");
	quiesce_failures = 0;
	cpu_call_all(quiesce_often, &rounds);
	ktap_check(!quiesce_failures &&
		   stat_sum(LATCH_STAT_QUIESCES) == before + 1 + (u64)rounds * nr_cpus,
		   "all CPUs quiesce, %u times each, at the same time", rounds);
}

/* The guest has switched it off; core reaches the CPU all the same. */
static void core_quiesce_without_apic(void)
{
	u32 held = 0, i;
	bool good = true;

	if (nr_cpus < 2)
		return;
	apic_off_begin(1);
	for (i = 0; i < 50; i++)
		good = good && quiesce(&held) && held == nr_cpus - 1;
	apic_off_end(1);
	ktap_check(good, "quiesce, 50 times, with a CPU whose APIC is off");
}

static void quiesce_loop(void *arg)
{
	u32 held;

	while (!READ_ONCE(*(u32 *)arg))
		if (!quiesce(&held))
			__atomic_fetch_add(&quiesce_failures, 1, __ATOMIC_SEQ_CST);
}

static bool wait_nmis(struct cpu *cpu, u64 count)
{
	u64 end = rdtsc() + 1000ull * tsc_khz;

	while (READ_ONCE(cpu->nmis) < count)
		if (rdtsc() > end)
			return false;
	return true;
}

/* One NMI at a time, to the CPU that quiesces and to one that is held. */
static void core_quiesce_nmis(void)
{
	u32 stop = 0, round, i, last = nr_cpus - 1;
	u64 start[2];

	if (nr_cpus < 3)
		return;
	quiesce_failures = 0;
	start[0] = cpus[1].nmis;
	start[1] = cpus[last].nmis;
	cpu_call_start(1, quiesce_loop, &stop);
	for (round = 0; round < 1000; round++) {
		i = round & 1;
		lapic_ipi(cpus[i ? last : 1].apic_id, ICR_NMI | ICR_ASSERT);
		if (!wait_nmis(&cpus[i ? last : 1], start[i] + round / 2 + 1))
			break;
	}
	WRITE_ONCE(stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(cpus[1].nmis == start[0] + 500 && cpus[last].nmis == start[1] + 500 &&
		   !quiesce_failures, "1000 NMIs while CPU 1 quiesces");
}

/* Only where INITs are seen when they are sent can none be taken for a kick. */
static void core_quiesce_inits(void)
{
	u32 stop = 0, round, started = 0;

	if (nr_cpus < 3)
		return;
	quiesce_failures = 0;
	cpu_call_start(1, quiesce_loop, &stop);
	for (round = 0; round < 100; round++) {
		delay_us(100 + 13 * round);
		started += smp_start(&cpus[2]);
	}
	WRITE_ONCE(stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(started == 100 && !quiesce_failures,
		   "CPU 2 restarts %u times while CPU 1 quiesces", started);
}

static void core_counts(void)
{
	u64 before = stat(0, 10);

	cpuid(0, 0);
	cpuid(0, 0);
	ktap_check(stat(0, 10) == before + 2, "CPUID exits are counted");
	before = stat(0, LATCH_STAT_HYPERCALLS);
	ktap_check(stat(0, LATCH_STAT_HYPERCALLS) == before + 1, "hypercalls are counted");
	before = stat(0, LATCH_STAT_INJECTED);
	try_wrmsr(MSR_VMX_BASIC, 0);
	ktap_check(stat(0, LATCH_STAT_INJECTED) == before + 1, "injected exceptions are counted");
}

void test_core(void)
{
	u64 mark = mem_mark();

	if (!launch_active) {
		ktap_skip("core does not run");
		return;
	}
	core_calls();
	core_bad_calls();
	core_user_calls();
	core_learn();
	core_random_calls();
	core_shows_vmx();
	core_reads();
	core_writes();
	core_write_all();
	core_straddle();
	core_other_accesses();
	core_write_race();
	core_stack();
	core_mtrr();
	core_mtrr_race();
	if (option_has("icr"))
		core_icr_exits();
	else
		core_no_exits();
	core_quiesce();
	core_quiesce_without_apic();
	core_quiesce_nmis();
	if (option_has("icr"))
		core_quiesce_inits();
	core_counts();
	core_hypapps();
	core_pals();
	core_watches();
	core_guards();
	mem_release(mark);
}
