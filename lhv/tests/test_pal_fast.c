// SPDX-License-Identifier: GPL-2.0-only
/* Fast PALs: called by VMFUNC. Their gate is where the attacks begin. */
#include "tests.h"
#include "pal.h"
#include "../../core/hypapp/pal_gate.h"

#define KERNEL_HALF	0xffff800000000000ull	/* sees what low addresses do */
#define FAST_CALLS	1000
#define STORM_LOOPS	20
#define STORM_PERIOD	20011
#define PLACES		300
#define PLACES_BEGIN	2000
#define PAIRS		8
#define DR7_INIT	0x400ull
#define LIST_SIZE	512
#define COMMON		0x2e
#define GATE		0x40	/* of the first pair */
#define FULL		0x41

/* RBX calls of the function at RAX; what they return is added up in R12. */
USER_INSN(fast_user_loop, "movq %rax, %r13\n\txorl %r12d, %r12d\n"
	  "1:\tmovl $40, %edi\n\tmovl $2, %esi\n\txorl %edx, %edx\n\tmovl $5, %ecx\n\t"
	  "call *%r13\n\taddq %rax, %r12\n\tdecq %rbx\n\tjnz 1b\n\t");
USER_INSN(fast_user_end, "nop\n\t");
/* VMFUNC with ECX */
USER_INSN(fast_user_vmfunc, "xorl %eax, %eax\n\tvmfunc\n\t");
/* To RAX, with RDI in all registers but those that VMFUNC takes */
USER_INSN(fast_user_probe, "movq %rdi, %rbx\n\tmovq %rdi, %rdx\n\tmovq %rdi, %rsi\n\t"
	  "movq %rdi, %rbp\n\tmovq %rdi, %r8\n\tmovq %rdi, %r9\n\tmovq %rdi, %r10\n\t"
	  "movq %rdi, %r11\n\tmovq %rdi, %r12\n\tmovq %rdi, %r13\n\tmovq %rdi, %r14\n\t"
	  "movq %rax, %r15\n\txorl %eax, %eax\n\tjmp *%r15\n\t");
/* A value in MXCSR and FCW that is to be kept, and one in XMM5 that is not to be seen */
USER_INSN(fast_user_fpu, "pushq $0x1f00\n\tldmxcsr (%rsp)\n\tmovw $0x27f, (%rsp)\n\t"
	  "fldcw (%rsp)\n\tpopq %rcx\n\tcall *%rax\n\tpushq $0\n\tstmxcsr (%rsp)\n\t"
	  "popq %rsi\n\tpushq $0\n\tfnstcw (%rsp)\n\tpopq %rdi\n\tmovq %xmm5, %rdx\n\t");

static u64 fast_gate_page(void)
{
	return pal_high + PAL_GATE;
}

static u64 fast_stat(u32 which)
{
	struct hypercall call;

	hypercall(&call, LATCH_HC_STAT, this_cpu()->index, which, 0);
	return call.rdi;
}

/* Where a kernel has its tables, so that no PAL's page tables lead there. */
static void fast_set_tables(void *arg)
{
	u64 half = *(bool *)arg ? KERNEL_HALF : 0;
	struct table_register gdtr = read_gdtr(), idtr = read_idtr();
	struct cpu *cpu = PTR(gdtr.base & ~KERNEL_HALF);

	gdtr.base = (gdtr.base & ~KERNEL_HALF) | half;
	idtr.base = (idtr.base & ~KERNEL_HALF) | half;
	cpu->gdt[SEL_TSS / 8] &= ~(0x200ull << 32);
	cpu->gdt[SEL_TSS / 8 + 1] = half >> 32;
	cpu->gdt[SEL_LDT / 8 + 1] = half >> 32;
	write_gdtr(&gdtr);
	write_idtr(&idtr);
	asm volatile("lldt %w0\n\tltr %w1" : : "r" (SEL_LDT), "r" (SEL_TSS) : "memory");
}

static void fast_begin(bool tables)
{
	u64 *root = PTR(mem_cr3), *pdpt = PTR(root[0] & PTE_ADDR);
	u32 i;

	for (i = 0; i < 4; i++)
		pdpt[(PAL_HIGH >> 30) + i] = pdpt[i];
	root[256] = root[0];
	pal_high = PAL_HIGH;
	cpu_call_all(fast_set_tables, &tables);
}

static void fast_end(void)
{
	u64 *root = PTR(mem_cr3), *pdpt = PTR(root[0] & PTE_ADDR);
	bool tables = false;
	u32 i;

	cpu_call_all(fast_set_tables, &tables);
	pal_high = 0;
	for (i = 0; i < 4; i++)
		pdpt[(PAL_HIGH >> 30) + i] = 0;
	root[256] = 0;
}

static u32 fast_vmfunc(u32 index)
{
	struct user user = pal_user(0, 0, 0);

	user.rip = ADDR(fast_user_vmfunc) + USER_OFFSET;
	user.rcx = index;
	return user_run(&user);
}

/* Exits of a number of calls, and of what is around them. */
static u64 fast_exits(u32 calls, bool *right)
{
	struct user user = pal_user(PAL_ADD, 0, 0);
	const struct regs *regs = &trap_last()->regs;
	u64 before;

	user.rip = ADDR(fast_user_loop) + USER_OFFSET;
	user.rbx = calls;
	before = fast_stat(LATCH_STAT_EXITS);
	*right = user_run(&user) == IRQ_EXIT && regs->r12 == 47ull * calls && regs->rsp == user.rsp;
	return fast_stat(LATCH_STAT_EXITS) - before;
}

static bool fast_no_exits_in(u32 calls)
{
	bool right, again;
	u64 one = fast_exits(1, &right);

	return fast_exits(1 + calls, &again) == one && right && again;
}

static bool fast_no_exits(void)
{
	return fast_no_exits_in(FAST_CALLS);
}

/* --- what it does */

static void fast_registers(void)
{
	struct user user = pal_user(PAL_STORE, PAL_SECRET, 0);
	const struct regs *regs = &trap_last()->regs;

	ktap_check(!pal_call(PAL_STORE, PAL_SECRET, 0) && pal_registers_clear(),
		   "fast: it keeps a secret, also in registers");
	ktap_check(pal_call(PAL_LOAD, 0, 0) == PAL_SECRET, "fast: and has it still");
	ktap_check(pal_call(PAL_WIDE, 0, 0) == 7 && regs->rdx == 9, "fast: a wide result");
	user.rip = ADDR(fast_user_fpu) + USER_OFFSET;
	ktap_check(user_run(&user) == IRQ_EXIT && regs->rsi == 0x1f00 && regs->rdi == 0x27f &&
		   !regs->rdx, "fast: control words are kept, vector registers cleared");
}

static void fast_calls(void)
{
	struct hypercall call;

	ktap_check(fast_no_exits(), "fast: %u calls and no exit", FAST_CALLS);
	fast_registers();
	ktap_check(hypercall(&call, LATCH_HC_PAL_STAT, pal_handle, 0, 0) && !call.rax &&
		   call.rdi == LATCH_PAL_IDLE && call.rsi == FAST_CALLS + 6 &&
		   call.rdx == (LATCH_PAL_STAT_FAST | 8), "fast: it says so");
	ktap_check(!pal_call(PAL_VMCALL, LATCH_HC_PING, 1), "fast: a hypercall from inside");
	ktap_check(pal_call(PAL_VMCALL, LATCH_HC_PAL_RANDOM, pal_high + PAL_SHARED + 64) !=
		   PAL_NO_RESULT && fast_no_exits(), "fast: a service");
	ktap_check(fast_vmfunc(FULL) == VECTOR_UD && fast_vmfunc(0) == VECTOR_UD,
		   "fast: VMFUNC to its view");
}

/* Also where an exit is needed: with TF each instruction is interrupted. */
static u64 fast_steps;

static bool fast_step(struct regs *regs)
{
	u64 offset = regs->rip - pal_high - PAL_CODE;

	/* It goes by an exit: so it is seen in front of the entry point. */
	if (offset < PAGE_SIZE && offset != 64 * PAL_ADD)
		pal_wrong++;
	fast_steps++;
	return true;
}

static void fast_single_step(void)
{
	struct user user = pal_user(PAL_ADD, 40, 2);
	u64 dr6 = read_dr6();

	fast_steps = 0;
	pal_wrong = 0;
	user.rflags |= RFLAGS_TF;
	idt_set_hook(VECTOR_DB, fast_step);
	ktap_check(user_run(&user) == IRQ_EXIT && trap_last()->regs.rax == 42 && fast_steps > 8 &&
		   !pal_wrong, "fast: single steps, around it");
	idt_set_hook(VECTOR_DB, NULL);
	write_dr6(dr6);
}

/* --- attacks on the gate */

static u8 fast_attack[2 * 4096] __attribute__((aligned(4096)));

/* Which numbers lead anywhere: the common view, and the gate, which has no code here. */
static bool fast_list_is_right(void)
{
	const struct regs *regs = &trap_last()->regs;
	u32 i, wrong = 0;

	for (i = 0; i < LIST_SIZE + 4; i++) {
		u32 vector = fast_vmfunc(i);

		if (i == COMMON)
			wrong += vector != IRQ_EXIT;
		else if (i == GATE)
			wrong += vector != VECTOR_GP || regs->rcx != GATE;
		else
			wrong += vector != VECTOR_UD || regs->rcx != i;
	}
	return !wrong;
}

static void fast_map_attack(bool on)
{
	mem_map(PAL_GATE, on ? ADDR(fast_attack + PAGE_SIZE) : pal_frame[12], PTE_P | PTE_U);
	mem_map(PAL_GATE - PAGE_SIZE, ADDR(fast_attack), PTE_P | PTE_U);
	invlpg(pal_high + PAL_GATE);
	invlpg(pal_high + PAL_GATE - PAGE_SIZE);
}

/* INT $0x80, and a VMFUNC in front of @offset in the second page. */
static void fast_write_attack(u32 offset)
{
	u8 *at = fast_attack + PAGE_SIZE + offset - 3;
	u32 i;

	for (i = 0; i < sizeof(fast_attack); i++)
		fast_attack[i] = i & 1 ? 0x80 : 0xcd;
	memcpy(at, "\x0f\x01\xd4", 3);
}

/* From there into the gate, with registers that are addresses in the list. */
static bool fast_attack_at(u32 offset, u64 value)
{
	struct user user = pal_user(0, 0, 0);
	u32 vector;

	fast_write_attack(offset);
	user.rip = ADDR(fast_user_probe) + USER_OFFSET;
	user.rax = fast_gate_page() + offset - 3;
	user.rdi = value;
	user.rsp = value;
	user.rcx = GATE;
	vector = user_run(&user);
	return (vector == IRQ_EXIT || vector == VECTOR_UD || vector == VECTOR_GP ||
		vector == VECTOR_PF) && fast_vmfunc(FULL) == VECTOR_UD;
}

static void fast_every_offset(void)
{
	u64 list = fast_gate_page() - PAL_GATE_LIST;
	u32 offset, wrong = 0;

	fast_map_attack(true);
	for (offset = 0; offset < PAGE_SIZE; offset++)
		wrong += !fast_attack_at(offset, list + 8 * GATE + offset % 16);
	fast_map_attack(false);
	ktap_check(!wrong, "fast: into the gate at each offset");
	ktap_check(fast_list_is_right(), "fast: the list is what it was");
}

/* A VMFUNC anywhere in the range of the PAL */
static void fast_forged(void)
{
	struct user user = pal_user(0, 0, 0);
	bool good = true;
	u32 i;

	fast_write_attack(64);
	mem_map(PAL_CODE, ADDR(fast_attack + PAGE_SIZE), PTE_P | PTE_U);
	invlpg(pal_high + PAL_CODE);
	user.rip = pal_high + PAL_CODE + 61;
	for (i = 0; i < 2; i++) {
		user.rax = 0;
		user.rcx = GATE + i;
		good = good && user_run(&user) == (i ? VECTOR_UD : VECTOR_GP);
	}
	mem_map(PAL_CODE, pal_frame[0], PTE_P | PTE_U);
	invlpg(pal_high + PAL_CODE);
	ktap_check(good, "fast: from where the PAL has its code");
}

static void fast_other_root(void)
{
	u64 *root = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	struct user user = pal_user(PAL_ADD, 40, 2);
	u32 vector;

	memcpy(root, PTR(mem_cr3), PAGE_SIZE);
	write_cr3(ADDR(root));
	vector = user_run(&user);
	write_cr3(mem_cr3);
	ktap_check(vector == VECTOR_GP, "fast: from another process");
}

/* At CPL 0 the gate is no secret, but the PAL is not for it. */
INSN(fast_at_cpl0, "pushq %rbx\n\tmovq %rdi, %rax\n\tmovl $40, %edi\n\tmovl $2, %esi\n\t"
	"call *%rax\n\tpopq %rbx");

static void fast_kernel(void)
{
	u64 cr4 = read_cr4();
	u32 vector;

	write_cr4(cr4 & ~(CR4_SMEP | CR4_SMAP));
	vector = try_insn(fast_at_cpl0, pal_address(PAL_ADD));
	write_cr4(cr4);
	ktap_check(vector == VECTOR_GP, "fast: from CPL 0");
}

/* Tables where the PAL could have some: then it is called by an exit. */
static void fast_tables(void)
{
	struct table_register idtr = read_idtr(), low = idtr;
	bool right, kept;

	low.base &= ~KERNEL_HALF;
	write_idtr(&low);
	right = pal_call(PAL_ADD, 40, 2) == 42 && !fast_no_exits();
	write_idtr(&idtr);
	kept = read_idtr().base == idtr.base && pal_call(PAL_ADD, 40, 2) == 42;
	ktap_check(right && kept && fast_no_exits(), "fast: not with an IDT of its own");
}

/* A PAL that leaves its view open */
static void fast_left_open(void)
{
	struct user user = pal_user(PAL_DOUBLE, COMMON, 0);
	u64 *root = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 vector;

	memcpy(root, PTR(mem_cr3), PAGE_SIZE);
	/* Called by an exit it cannot: its world is put away. */
	user.rax = pal_high + PAL_CODE + 64 * PAL_VMFUNC;
	ktap_check(user_run(&user) == VECTOR_UD, "fast: by an exit it has no VMFUNC");
	pal_unregister();
	pal_make(LATCH_PAL_FAST);
	user.rax = pal_address(PAL_DOUBLE);
	vector = user_run(&user);
	write_cr3(ADDR(root));
	/* The registers are its own still. */
	ktap_check(vector == VECTOR_GP && fast_vmfunc(FULL) == VECTOR_GP &&
		   trap_last()->regs.rcx == FULL,
		   "fast: it leaves its view open, others cannot use it");
	write_cr3(mem_cr3);
	ktap_check(!pal_unregister() && fast_vmfunc(GATE) == VECTOR_UD,
		   "fast: without it VMFUNC is #UD");
	pal_make(LATCH_PAL_FAST);
}

/* --- events */

/* One interrupt in a few calls, each time a bit later. */
static void fast_each_place(void)
{
	bool good = true, right;
	u32 i;

	pal_irqs = 0;
	lapic_write(LAPIC_TIMER, IRQ_TIMER);
	for (i = 0; i < PLACES; i++) {
		lapic_write(LAPIC_INITIAL, PLACES_BEGIN + 7 * i);
		fast_exits(20, &right);
		good = good && right;
	}
	pal_timer_stop();
	ktap_check(good && pal_irqs >= PLACES - 1 && !pal_seen, "fast: an interrupt at each place");
}

/* A breakpoint is an event at one instruction, in whatever state the call is there. */
static u32 fast_hits;

static bool fast_break(struct regs *regs)
{
	(void)regs;
	write_dr7(DR7_INIT);
	fast_hits++;
	return true;
}

static u32 fast_break_at(u64 start, u32 size)
{
	struct user user = pal_user(PAL_ADD, 40, 2);
	const struct regs *regs = &trap_last()->regs;
	u32 i, wrong = 0;
	bool right;

	user.rip = ADDR(fast_user_fpu) + USER_OFFSET;
	fast_exits(1, &right);
	for (i = 0; i < size; i++) {
		write_dr0(start + i);
		write_dr7(DR7_INIT | 2);
		wrong += user_run(&user) != IRQ_EXIT || regs->rsi != 0x1f00 ||
			 regs->rdi != 0x27f || regs->rbx != KEPT || regs->rsp != user.rsp;
		write_dr7(DR7_INIT);
		/* And it is left as it was: the next call is a fast one. */
		wrong += !fast_no_exits_in(2);
	}
	return wrong;
}

static void fast_each_instruction(void)
{
	u64 inner = fast_gate_page() - PAL_GATE_INNER, dr6 = read_dr6(), dr0 = read_dr0();
	u32 wrong;

	fast_hits = 0;
	idt_set_hook(VECTOR_DB, fast_break);
	wrong = fast_break_at(inner + PAL_INNER_IN, PAL_INNER_DATA / 2 - PAL_INNER_IN);
	wrong += fast_break_at(fast_gate_page() + PAL_GATE_IN - 3, 24);
	wrong += fast_break_at(fast_gate_page() + PAL_GATE_OUT, 24);
	idt_set_hook(VECTOR_DB, NULL);
	write_dr0(dr0);
	write_dr6(dr6);
	ktap_check(!wrong && fast_hits > 70, "fast: an event at each instruction");
}

static void fast_interrupts(void)
{
	bool good = true, right;
	u64 sum;
	u32 i;

	pal_timer_start(20000);
	sum = pal_call(PAL_SPIN, 200000, PAL_SECRET);
	ktap_check(sum == 4 * PAL_SECRET && pal_irqs > 2 && !pal_seen,
		   "fast: interrupted, it goes on, and nothing of it is seen");
	ktap_check(fast_vmfunc(FULL) == VECTOR_UD, "fast: its view is closed behind it");
	pal_timer_start(STORM_PERIOD);
	for (i = 0; i < STORM_LOOPS; i++) {
		fast_exits(FAST_CALLS, &right);
		good = good && right;
	}
	pal_timer_stop();
	ktap_check(good && pal_irqs > 100 && !pal_seen, "fast: interrupts all the time");
	fast_each_place();
	fast_each_instruction();
	ktap_check(fast_no_exits(), "fast: and no exits without them");
}

static void fast_nmis(void)
{
	u64 before = cpus[0].nmis;
	bool good = true, right;
	u32 i;

	if (nr_cpus < 2) {
		ktap_skip("fast: NMIs");
		return;
	}
	pal_stop = 0;
	pal_sent = 0;
	cpu_call_start(1, pal_send_nmis, &cpus[0]);
	for (i = 0; i < 200; i++)
		good = good && pal_call(PAL_SPIN, 2000, PAL_SECRET) == 4 * PAL_SECRET;
	for (i = 0; i < 10; i++) {
		fast_exits(FAST_CALLS, &right);
		good = good && right;
	}
	WRITE_ONCE(pal_stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(good && pal_sent > 10 && cpus[0].nmis - before == pal_sent,
		   "fast: NMIs: none lost, none twice");
}

/* Nothing of the kernel's is executed, and the program is not at CPL 0. */
static void fast_system_calls(void)
{
	u64 efer = rdmsr(MSR_EFER), star = rdmsr(MSR_STAR), lstar = rdmsr(MSR_LSTAR);
	u64 cs = rdmsr(MSR_SYSENTER_CS), eip = rdmsr(MSR_SYSENTER_EIP);
	u64 mask = rdmsr(MSR_FMASK), dr6 = read_dr6();
	const struct regs *regs = &trap_last()->regs;
	struct user user;

	wrmsr(MSR_STAR, (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32);
	wrmsr(MSR_LSTAR, KERNEL_HALF + 0x1000);
	wrmsr(MSR_FMASK, RFLAGS_IF);
	wrmsr(MSR_SYSENTER_CS, SEL_KCODE);
	wrmsr(MSR_SYSENTER_EIP, KERNEL_HALF + 0x1000);
	wrmsr(MSR_EFER, efer | EFER_SCE);
	ktap_check(pal_dies(PAL_SYSCALL, 0, VECTOR_GP), "fast: SYSCALL ends it");
	pal_make(LATCH_PAL_FAST);
	user = pal_user(PAL_SYSCALL, 1, 0);
	/* With TF set: so there is an event, at CPL 0. */
	ktap_check(user_run(&user) == VECTOR_DB && regs->cs == SEL_UCODE && regs->ss == SEL_UDATA &&
		   regs->rflags & RFLAGS_IF && regs->rip == pal_high + PAL_CODE + PAGE_SIZE - 1,
		   "fast: SYSENTER is not seen by the kernel");
	pal_unregister();
	write_dr6(dr6);
	wrmsr(MSR_EFER, efer);
	wrmsr(MSR_SYSENTER_CS, cs);
	wrmsr(MSR_SYSENTER_EIP, eip);
	wrmsr(MSR_FMASK, mask);
	wrmsr(MSR_LSTAR, lstar);
	wrmsr(MSR_STAR, star);
}

static void fast_faults(void)
{
	struct user user = pal_user(PAL_UD, 0, 0);
	const struct regs *regs = &trap_last()->regs;

	ktap_check(user_run(&user) == VECTOR_UD && regs->rbx == KEPT && regs->rsp == user.rsp - 8 &&
		   regs->rip == pal_high + PAL_CODE + PAGE_SIZE - 1,
		   "fast: a fault in it, at an address that says nothing");
	pal_unregister();
	ktap_check(pal_dies(PAL_READ, ADDR(fast_attack) + USER_OFFSET, VECTOR_GP),
		   "fast: it reads outside");
	ktap_check(pal_dies(PAL_JUMP, ADDR(fast_user_loop) + USER_OFFSET, VECTOR_GP),
		   "fast: it jumps outside");
	ktap_check(pal_dies(PAL_INT, 0, VECTOR_GP), "fast: it executes INT");
	ktap_check(pal_dies(PAL_OVERFLOW, 0, VECTOR_GP), "fast: its stack ends");
	fast_system_calls();
	pal_make(LATCH_PAL_FAST);
}

/* --- several CPUs */

static void fast_run_user(void *arg)
{
	struct user *user = arg;

	user->rdx = user_run(user);
}

/* It waits at the entry point for exits: enough of that. */
static void fast_give_up(struct regs *regs)
{
	if (regs->rip == pal_high + PAL_CODE + 64 * PAL_ADD) {
		regs->rip = ADDR(fast_user_end) + USER_OFFSET;
		pal_wrong++;
	}
	lapic_eoi();
}

static bool fast_waits(void)
{
	struct user user = pal_user(PAL_ADD, 40, 2);
	bool waits;

	pal_timer_start(20000);
	irq_set_handler(IRQ_TIMER, fast_give_up);
	pal_wrong = 0;
	waits = user_run(&user) == IRQ_EXIT && pal_wrong == 1;
	pal_timer_stop();
	return waits;
}

/* Start it on CPU 1, wait until it counts, and unregister. */
static bool fast_unregister_meanwhile(u32 entry)
{
	struct user user = pal_user(entry, 0, 0);
	u64 *shared = PTR(PAL_SHARED);
	bool good;

	*shared = 0;
	user.rsp = pal_user(0, 0, 0).rsp - 1024;
	cpu_call_start(1, fast_run_user, &user);
	while (READ_ONCE(*shared) < 100)
		cpu_relax();
	if (entry == PAL_COUNT) {
		pal_timer_start(20000);
		pal_call(PAL_SPIN, 20000, 1);
		pal_timer_stop();
	}
	if (entry == PAL_FOREVER)
		ktap_check(fast_waits(), "fast: a second call waits");
	good = !pal_unregister();
	while (!cpu_call_finished(1))
		cpu_relax();
	return good && (user.rdx == VECTOR_GP || user.rdx == VECTOR_UD);
}

/* With nothing but calls, so that they meet. */
static void fast_loop(void *arg)
{
	bool right;

	(void)arg;
	fast_exits(FAST_CALLS, &right);
	if (!right)
		__atomic_fetch_add(&pal_wrong, 1, __ATOMIC_SEQ_CST);
}

static void fast_cpus(void)
{
	pal_wrong = 0;
	cpu_call_all(pal_call_often, NULL);
	cpu_call_all(fast_loop, NULL);
	ktap_check(!pal_wrong && fast_no_exits(), "fast: called by all CPUs at once");
	if (nr_cpus < 2)
		return;
	ktap_check(fast_unregister_meanwhile(PAL_FOREVER),
		   "fast: unregistered while another CPU executes it");
	pal_make(LATCH_PAL_FAST);
	ktap_check(fast_unregister_meanwhile(PAL_COUNT), "fast: it lets two CPUs in");
	ktap_check(!pal_make(LATCH_PAL_FAST) && fast_no_exits(), "fast: registered again");
}

/* At the same addresses, with frames of their own: each has its own numbers in the list. */
static void fast_many(void)
{
	u64 handle[PAIRS + 1], frames[ARRAY_SIZE(pal_frame)];
	bool good = true;
	u32 i;

	memcpy(frames, pal_frame, sizeof(frames));
	for (i = 0; i <= PAIRS; i++) {
		memset(pal_frame, 0, sizeof(pal_frame));
		good = good && !pal_make(LATCH_PAL_FAST) && pal_call(PAL_ADD, 40, 2) == 42 &&
		       fast_no_exits() == (i < PAIRS);
		handle[i] = pal_handle;
	}
	for (i = 0; i <= PAIRS; i++) {
		pal_handle = handle[i];
		good = good && !pal_unregister();
	}
	memcpy(pal_frame, frames, sizeof(frames));
	ktap_check(good, "fast: %u of them, the next one by exits", PAIRS);
}

static bool fast_is_refused(u64 start)
{
	u64 high = pal_high;
	bool refused;

	pal_high = start;
	refused = pal_make(LATCH_PAL_FAST) == -(long)EINVAL;
	pal_high = high;
	return refused;
}

void pal_fast_tests(void)
{
	fast_begin(false);
	ktap_check(fast_is_refused(0), "fast: not below 4 GiB");
	ktap_check(!pal_make(LATCH_PAL_FAST), "fast: a PAL is registered");
	if (pal_address(0) == pal_high + PAL_CODE) {
		ktap_check(pal_call(PAL_ADD, 40, 2) == 42, "fast: without VMFUNC it is called too");
		pal_unregister();
		fast_end();
		return;
	}
	ktap_check(pal_call(PAL_ADD, 40, 2) == 42, "fast: by an exit, with tables in low memory");
	pal_unregister();
	fast_end();
	fast_begin(true);
	pal_make(LATCH_PAL_FAST);
	fast_calls();
	fast_single_step();
	fast_every_offset();
	fast_forged();
	fast_other_root();
	fast_kernel();
	fast_tables();
	fast_left_open();
	fast_interrupts();
	fast_nmis();
	fast_cpus();
	fast_faults();
	ktap_check(!pal_unregister(), "fast: it is unregistered");
	fast_many();
	fast_end();
}

/* A call and its return, without what is around them. */
static u64 fast_ticks(u64 function)
{
	struct user user = pal_user(PAL_ADD, 0, 0);
	u64 start, empty;

	user.rip = ADDR(fast_user_loop) + USER_OFFSET;
	user.rax = function;
	user.rbx = 1;
	user_run(&user);
	start = rdtsc();
	user_run(&user);
	empty = rdtsc() - start;
	user.rbx = 1 + FAST_CALLS;
	start = rdtsc();
	user_run(&user);
	return (rdtsc() - start - empty) / FAST_CALLS;
}

/** pal_fast_bench - the same PAL called by VMFUNC, and by exits */
void pal_fast_bench(void)
{
	fast_begin(true);
	if (!pal_make(LATCH_PAL_FAST) && pal_address(PAL_ADD) != pal_high + PAL_CODE)
		print("bench pal_call_vmfunc %llu\nbench pal_call_exit %llu\n",
		      fast_ticks(pal_address(PAL_ADD)),
		      fast_ticks(pal_high + PAL_CODE + 64 * PAL_ADD));
	pal_unregister();
	fast_end();
}
