// SPDX-License-Identifier: GPL-2.0-only
/* pal: isolated pieces of a program. lhv is the kernel that must not get at them. */
#include "tests.h"
#include "pal.h"

#define SECRET		PAL_SECRET
#define ARRAY		600	/* numbers: more than a page */
#define SPIN_ROUNDS	200000
#define CALLS		200
#define NO_RESULT	PAL_NO_RESULT

extern const char pal_code64[], pal_code64_end[], pal_code32[], pal_code32_end[];
USER_INSN(pal_user_call, "call *%rax");
USER_INSN(pal_user_call32, ".code32\n\tcall *%eax\n\tint $0x80\n\t.code64");

/* RDX = a return address */
USER_INSN(pal_user_forge, "pushq %rdx\n\tjmp *%rax");

u64 pal_high;		/* added to all addresses of the PAL */
u64 pal_frame[16];	/* by page from PAL_CODE on */
u64 pal_handle;
struct latch_pal_desc pal_desc;
static u8 pal_stack[MAX_CPUS][4096] __attribute__((aligned(4096)));

static void *pal_memory(u64 linear)
{
	return PTR(pal_frame[((u32)linear - PAL_CODE) / PAGE_SIZE] + linear % PAGE_SIZE);
}

static u64 pal_moved;	/* a page that another thread has just mapped elsewhere */

static u64 pal_expect(u64 linear)
{
	if (linear == pal_moved)
		return mem_cr3;
	linear -= pal_high;
	return linear - PAL_CODE < 16 * PAGE_SIZE ? *mem_pte(linear) & PTE_ADDR : 0;
}

/* With @pal_high too, as mem_map() sees no more of the address than that. */
void pal_map(u64 linear, u64 flags)
{
	u64 *frame = &pal_frame[(linear - PAL_CODE) / PAGE_SIZE];

	if (!*frame)
		*frame = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	memset(PTR(*frame), 0, PAGE_SIZE);
	mem_map(linear, *frame, PTE_P | PTE_U | flags);
}

static void pal_add_section(u64 start, u64 pages, u32 type)
{
	pal_desc.section[pal_desc.nr_sections++] = (struct latch_pal_section) {
		.start = start + pal_high, .size = pages * PAGE_SIZE, .type = type,
	};
}

/* No argument has a size. */
static void pal_describe_fast(void)
{
	pal_add_section(PAL_GATE, 2, LATCH_PAL_GATE);
	pal_desc.entry[PAL_DOUBLE].address = pal_high + PAL_CODE + 64 * PAL_VMFUNC;
	pal_desc.entry[PAL_COUNT].address = pal_high + PAL_CODE + 64 * PAL_UNLOCK;
}

static void pal_describe(u32 flags)
{
	u32 i;

	memset(&pal_desc, 0, sizeof(pal_desc));
	pal_desc.flags = flags;
	pal_add_section(PAL_CODE, 1, LATCH_PAL_CODE);
	pal_add_section(PAL_DATA, 1, LATCH_PAL_DATA);
	pal_add_section(PAL_PARAM, 2, LATCH_PAL_PARAM);
	pal_add_section(PAL_STACK, 1, LATCH_PAL_STACK);
	pal_add_section(PAL_SHARED, 1, LATCH_PAL_SHARED);
	pal_desc.nr_entries = flags & LATCH_PAL_32 ? 2 : PAL_NR;
	for (i = 0; i < pal_desc.nr_entries; i++) {
		pal_desc.entry[i].address = pal_high + PAL_CODE + 64 * i;
		pal_desc.entry[i].nr_args = 4;
	}
	if (flags & LATCH_PAL_FAST)
		pal_describe_fast();
	else
		pal_desc.entry[PAL_DOUBLE].arg[0] = (struct latch_pal_arg) {
		.size = ARRAY * (flags & LATCH_PAL_32 ? 4 : 8),
		.flags = LATCH_PAL_IN | LATCH_PAL_OUT,
	};
	pal_desc.entry[PAL_WIDE].flags = LATCH_PAL_WIDE;
}

u64 pal_expected[LATCH_PAL_PAGES];

/* Return: how many pages there are, of which @pal_expected has the frames. */
u32 pal_expect_frames(void)
{
	const struct latch_pal_section *section;
	u32 i, page = 0;
	u64 at;

	for (i = 0; i < pal_desc.nr_sections; i++) {
		section = &pal_desc.section[i];
		for (at = 0; at < section->size && page < LATCH_PAL_PAGES; at += PAGE_SIZE)
			pal_expected[page++] = pal_expect(section->start + at);
	}
	return page;
}

long pal_register(void)
{
	struct hypercall call;

	pal_expect_frames();
	if (!hypercall(&call, LATCH_HC_PAL_REGISTER, ADDR(&pal_desc), mem_cr3,
		       ADDR(pal_expected)))
		return -1000;
	if (!call.rax)
		pal_handle = call.rdi;
	return (long)call.rax;
}

long pal_unregister(void)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_PAL_UNREGISTER, pal_handle, 0, 0) ? (long)call.rax : -1000;
}

/* Fresh memory, the code in it, and a description. */
void pal_prepare(u32 flags)
{
	const char *code = flags & LATCH_PAL_32 ? pal_code32 : pal_code64;
	const char *end = flags & LATCH_PAL_32 ? pal_code32_end : pal_code64_end;

	pal_map(PAL_CODE, 0);
	memcpy(pal_memory(PAL_CODE), code, end - code);
	pal_map(PAL_DATA, PTE_W | PTE_NX);
	pal_map(PAL_PARAM, PTE_W | PTE_NX);
	pal_map(PAL_PARAM + PAGE_SIZE, PTE_W | PTE_NX);
	pal_map(PAL_STACK, PTE_W | PTE_NX);
	pal_map(PAL_SHARED, PTE_W | PTE_NX);
	pal_map(PAL_GATE, 0);
	pal_map(PAL_GATE + PAGE_SIZE, 0);
	pal_describe(flags);
}

/* And the PAL registered. */
long pal_make(u32 flags)
{
	pal_prepare(flags);
	return pal_register();
}

/* Of an entry point; if it can be called without an exit, then of the stub. */
u64 pal_address(u32 entry)
{
	if (pal_high && *(u8 *)pal_memory(PAL_GATE))
		return pal_high + PAL_GATE + LATCH_PAL_GATE_ENTRY + LATCH_PAL_GATE_STEP * entry;
	return pal_high + PAL_CODE + 64 * entry;
}

struct user pal_user(u32 entry, u64 rdi, u64 rsi)
{
	return (struct user) {
		.rip = ADDR(pal_user_call) + USER_OFFSET,
		.cs = SEL_UCODE,
		.ss = SEL_UDATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF,
		.rsp = ADDR(pal_stack[this_cpu()->index] + 4096 - 64) + USER_OFFSET,
		.rax = pal_address(entry),
		.rbx = KEPT,
		.rdi = rdi,
		.rsi = rsi,
	};
}

/* Return: RAX of a call that has come back, or NO_RESULT. */
u64 pal_call(u32 entry, u64 rdi, u64 rsi)
{
	struct user user = pal_user(entry, rdi, rsi);
	const struct regs *regs = &trap_last()->regs;
	u32 vector = user_run(&user);

	return vector == IRQ_EXIT && regs->rbx == KEPT && regs->rsp == user.rsp ? regs->rax :
										  NO_RESULT;
}

/* It ends by an exception, and is dead from then on. */
bool pal_dies(u32 entry, u64 rdi, u32 vector)
{
	struct user user = pal_user(entry, rdi, 0);
	const struct regs *regs = &trap_last()->regs;
	struct hypercall call;
	bool good;

	good = !pal_make(pal_high ? LATCH_PAL_FAST : 0);
	user.rax = pal_address(entry);
	good = good && user_run(&user) == vector && regs->rip != user.rax && !regs->rdi &&
	       regs->rbx == KEPT && regs->rsp == user.rsp - 8 && regs->cs == SEL_UCODE &&
	       regs->ss == SEL_UDATA && regs->rflags & RFLAGS_IF;
	good = good && hypercall(&call, LATCH_HC_PAL_STAT, pal_handle, 0, 0) && !call.rax &&
	       call.rdi == LATCH_PAL_DEAD && !call.rsi;
	good = good && user_run(&user) == VECTOR_GP && (pal_high || regs->rip == user.rax);
	return !pal_unregister() && good;
}

static void pal_refusals(void)
{
	pal_describe(0);
	ktap_check(pal_register() == -ENOSYS, "pal is off: -38");
}

static bool pal_refused(u32 error)
{
	bool good = pal_register() == -(long)error;

	pal_describe(0);
	return good;
}

static void pal_bad_descriptions(void)
{
	pal_describe(0);
	pal_desc.section[1].size = PAGE_SIZE / 2;
	ktap_check(pal_refused(EINVAL), "half a page");
	pal_desc.section[1].start = PAL_CODE;
	ktap_check(pal_refused(EINVAL), "sections that overlap");
	pal_desc.section[3].type = LATCH_PAL_DATA;
	ktap_check(pal_refused(EINVAL), "no stack");
	pal_desc.section[1].start = 0xffff800000000000ull;
	ktap_check(pal_refused(EINVAL), "kernel addresses");
	pal_desc.entry[1].address = PAL_DATA;
	ktap_check(pal_refused(EINVAL), "an entry point in data");
	pal_desc.entry[1].arg[1] = (struct latch_pal_arg) { .size = 8192, .flags = LATCH_PAL_IN };
	ktap_check(pal_refused(EINVAL), "more arguments than there is room for");
	pal_desc.section[1].start = PAL_DATA + PAGE_SIZE;
	ktap_check(pal_refused(EFAULT), "a page that is not there");
	mem_map(PAL_DATA, launch_chunk(0), PTE_P | PTE_U | PTE_W);
	ktap_check(pal_refused(EINVAL), "core's own memory");
	mem_map(PAL_DATA, pal_frame[0], PTE_P | PTE_U | PTE_W);
	ktap_check(pal_refused(EBUSY), "a frame twice");
	mem_map(PAL_DATA, 0xfee00000, PTE_P | PTE_U | PTE_W);
	ktap_check(pal_refused(EINVAL), "the APIC");
	pal_map(PAL_DATA, PTE_W | PTE_NX);
	pal_moved = PAL_SHARED;
	ktap_check(pal_refused(EFAULT), "a page that the kernel has not pinned");
	pal_moved = 0;
	core_refused(LATCH_HC_PAL_UNREGISTER, 1000, 0, ENOENT, "UNREGISTER of none");
	core_refused(LATCH_HC_PAL_REGISTER, 0x0000800000000000ull, mem_cr3, EINVAL,
		     "REGISTER of no canonical address");
	core_user_refused(LATCH_HC_PAL_REGISTER, "REGISTER");
	core_user_refused(LATCH_HC_PAL_UNREGISTER, "UNREGISTER");
}

static bool pal_array(u64 *numbers, bool is_32)
{
	u32 *halves = (u32 *)numbers, i;
	u64 sum = 0;

	for (i = 0; i < ARRAY; i++) {
		if (is_32)
			halves[i] = i * 3;
		else
			numbers[i] = i * 3;
		sum += i * 3;
	}
	if (is_32) {
		u32 *stack = PTR(ADDR(pal_stack[0]) + 4096 - 64);
		struct user user = pal_user(PAL_DOUBLE, 0, 0);

		user.rip = ADDR(pal_user_call32) + USER_OFFSET;
		user.cs = SEL_UCODE32;
		stack[0] = (u32)ADDR(numbers) + (u32)USER_OFFSET;
		stack[1] = ARRAY;
		if (user_run(&user) != IRQ_EXIT || trap_last()->regs.rax != sum)
			return false;
	} else if (pal_call(PAL_DOUBLE, ADDR(numbers) + USER_OFFSET, ARRAY) != sum) {
		return false;
	}
	for (i = 0; i < ARRAY; i++)
		if ((is_32 ? halves[i] : numbers[i]) != i * 6)
			return false;
	return true;
}

static u64 pal_numbers[ARRAY] __attribute__((aligned(4096)));

bool pal_registers_clear(void)
{
	const struct regs *regs = &trap_last()->regs;
	u64 xmm5;

	asm volatile("movq %%xmm5, %0" : "=r" (xmm5));
	return regs->r15 != SECRET && !(regs->rcx | regs->rdx | regs->rsi | regs->rdi | regs->r8 |
					regs->r9 | regs->r10 | regs->r11 | xmm5);
}

static void pal_calls(void)
{
	struct hypercall call;
	u32 i;

	ktap_check(!pal_make(0), "a PAL is registered");
	ktap_check(pal_call(PAL_ADD, 40, 2) == 42, "it adds");
	ktap_check(pal_array(pal_numbers, false), "it has an array, and gives it back");
	ktap_check(!pal_call(PAL_STORE, SECRET, 0) && pal_registers_clear(),
		   "it keeps a secret, also in registers");
	ktap_check(pal_call(PAL_LOAD, 0, 0) == SECRET, "and has it still");
	ktap_check(pal_call(PAL_WIDE, 0, 0) == 7 && trap_last()->regs.rdx == 9, "a wide result");
	*(u64 *)PTR(PAL_SHARED) = 5;
	ktap_check(pal_call(PAL_COUNT, 0, 0) == 5 && *(u64 *)PTR(PAL_SHARED) == 6, "shared memory");
	ktap_check(!pal_call(PAL_VMCALL, LATCH_HC_PING, 1), "a hypercall from inside");
	ktap_check(pal_call(PAL_VMCALL, LATCH_HC_PAL_UNREGISTER, pal_handle) == ERRNO(EPERM),
		   "not every one");
	for (i = 0; i < CALLS && pal_call(PAL_ADD, i, i) == 2 * i; i++)
		;
	ktap_check(i == CALLS, "%u calls", CALLS);
	ktap_check(hypercall(&call, LATCH_HC_PAL_STAT, pal_handle, 0, 0) && !call.rax &&
		   call.rdi == LATCH_PAL_IDLE && call.rsi == CALLS + 8 && call.rdx == 6,
		   "it says so: %llu calls, %llu pages", call.rsi, call.rdx);
}

/* What a page fault tells the kernel; then the page is there. */
static u64 pal_absent_page;

static bool pal_page_in(struct regs *regs)
{
	if ((read_cr2() & ~0xfffull) != pal_absent_page || regs->error & 1)
		return false;
	*mem_pte(pal_absent_page) |= PTE_P;
	return true;
}

static void pal_page_fault(u64 linear, const char *name)
{
	pal_absent_page = linear & ~0xfffull;
	*mem_pte(pal_absent_page) &= ~PTE_P;
	invlpg(pal_absent_page);
	idt_set_hook(VECTOR_PF, pal_page_in);
	ktap_check(pal_array(pal_numbers, false), "%s", name);
	idt_set_hook(VECTOR_PF, NULL);
}

static void pal_paging(void)
{
	u64 user = ADDR(pal_numbers) + USER_OFFSET;

	pal_page_fault(user, "a page fault for an argument");
	pal_page_fault(user + PAGE_SIZE, "for its second page");
	pal_page_fault(ADDR(pal_stack[0]) + USER_OFFSET, "for the return address");
}

/* Everything that a kernel could try. */
static void pal_attacks(void)
{
	struct user beside = pal_user(PAL_ADD, 1, 2), code = pal_user(PAL_ADD, 1, 2);
	struct hypercall call;
	u64 frame = pal_frame[2];

	ktap_check(!*(u64 *)PTR(PAL_DATA), "its data reads as zeros");
	ktap_check(!*(u64 *)PTR(frame), "also by another address");
	ktap_check(!memcmp(PTR(PAL_CODE), PTR(frame), 64), "so does its code");
	*(u64 *)PTR(PAL_DATA) = 1;
	*(u64 *)PTR(frame) = 2;
	*(u32 *)PTR(PAL_DATA + PAGE_SIZE - 4) = 3;
	ktap_check(!*(u64 *)PTR(PAL_DATA) && pal_call(PAL_LOAD, 0, 0) == SECRET,
		   "it is not written to");
	hypercall(&call, LATCH_HC_APP_SET, LATCH_APP_HELLO, 1, 0);
	hypercall(&call, LATCH_HC_HELLO, PAL_DATA, 64, 0);
	ktap_check(!call.rax && pal_call(PAL_LOAD, 0, 0) == SECRET && !*(u64 *)PTR(PAL_DATA),
		   "nor by a hypercall");
	hypercall(&call, LATCH_HC_APP_SET, LATCH_APP_HELLO, 0, 0);
	beside.rax++;
	ktap_check(user_run(&beside) == VECTOR_GP && trap_last()->regs.rip == beside.rax,
		   "a jump beside an entry point");
	beside.rax = PAL_CODE + PAGE_SIZE - 1;
	ktap_check(user_run(&beside) == VECTOR_GP, "to where interrupted PALs go on");
	code.rip = ADDR(pal_user_forge) + USER_OFFSET;
	code.rdx = PAL_CODE + 64 * PAL_LOAD;
	ktap_check(user_run(&code) == VECTOR_GP && trap_last()->regs.rip == code.rax,
		   "a return address in it");
	code = pal_user(PAL_ADD, 1, 2);
	mem_map(PAL_SHARED + PAGE_SIZE, pal_frame[0], PTE_P | PTE_U);
	beside.rax = PAL_SHARED + PAGE_SIZE;
	ktap_check(user_run(&beside) == VECTOR_GP, "into its code at another address");
	mem_map(PAL_CODE, pal_frame[2], PTE_P | PTE_U);
	ktap_check(user_run(&code) == VECTOR_GP, "into another of its pages at that address");
	mem_map(PAL_CODE, pal_frame[0], PTE_P | PTE_U);
	mem_map(PAL_DATA, pal_frame[10], PTE_P | PTE_W | PTE_NX | PTE_U);
	ktap_check(pal_call(PAL_LOAD, 0, 0) == SECRET, "its own page tables do not change");
	mem_map(PAL_DATA, frame, PTE_P | PTE_W | PTE_NX | PTE_U);
	pal_describe(0);
	ktap_check(pal_register() == -(long)EBUSY, "its frames in another PAL");
}

USER_INSN(pal_user_step, "movl $0x81002000, %esi\n\tpushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\t"
	  "movq %rsi, (%rsi)\n\tnop");
USER_INSN(pal_user_shadow, "movl $0x81000000, %eax\n\tmovl %ss, %ecx\n\tpushfq\n\t"
	  "orl $0x100, (%rsp)\n\tpopfq\n\tmovl %ecx, %ss\n\tjmp *%rax");

/* What goes with TF set would be refused by a VM entry without it, or the other way around. */
static void pal_single_step(void)
{
	struct user user = pal_user(PAL_ADD, 1, 2);
	const struct regs *regs = &trap_last()->regs;
	u64 dr6 = read_dr6();

	user.rip = ADDR(pal_user_step) + USER_OFFSET;
	ktap_check(user_run(&user) == VECTOR_DB, "a write to it, with TF set");
	user = pal_user(PAL_ADD, 1, 2);
	user.rip = ADDR(pal_user_shadow) + USER_OFFSET;
	ktap_check(user_run(&user) != VECTOR_GP && regs->rip != user.rip, "MOV SS in front of it");
	write_dr6(dr6);
}

/* A code segment of the program's own: EIP says nothing of what is executed. */
static void pal_segments(void)
{
	struct user user = pal_user(PAL_ADD, 1, 2);
	u64 *gdt = &this_cpu()->gdt[GDT_ENTRIES - 1], old = *gdt;

	*gdt = gdt_descriptor(0x10, 0xfffff, 0xc0fb);
	user.rip = ADDR(pal_user_call32) + USER_OFFSET - 0x10;
	user.cs = (GDT_ENTRIES - 1) * 8 + 3;
	ktap_check(user_run(&user) == VECTOR_GP, "a code segment with a base");
	*gdt = gdt_descriptor(0, 0xfffff, 0x80fb);
	user = pal_user(PAL_ADD, 1, 2);
	user.rip = ADDR(pal_user_call32) + USER_OFFSET;
	user.cs = (GDT_ENTRIES - 1) * 8 + 3;
	ktap_check(user_run(&user) != IRQ_EXIT, "one of 16 bits");
	*gdt = old;
}

u64 pal_irqs, pal_seen;

/* What the kernel sees of a PAL that it interrupts. */
void pal_timer(struct regs *regs)
{
	pal_irqs++;
	if (regs->rip == pal_high + PAL_CODE + PAGE_SIZE - 1 &&
	    ((regs->rax | regs->rcx | regs->rsi | regs->rdi | regs->r8) || regs->r14 == SECRET))
		pal_seen++;
	lapic_eoi();
}

void pal_timer_start(u32 period)
{
	pal_irqs = 0;
	pal_seen = 0;
	irq_set_handler(IRQ_TIMER, pal_timer);
	lapic_write(LAPIC_DIVIDE, 0xb);
	lapic_write(LAPIC_TIMER, TIMER_PERIODIC | IRQ_TIMER);
	lapic_write(LAPIC_INITIAL, period);
}

void pal_timer_stop(void)
{
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	lapic_write(LAPIC_INITIAL, 0);
}

static void pal_interrupts(void)
{
	u64 sum;

	pal_timer_start(20000);
	sum = pal_call(PAL_SPIN, SPIN_ROUNDS, SECRET);
	ktap_check(sum == 4 * SECRET && pal_irqs > 2 && !pal_seen,
		   "interrupted, it goes on, and nothing of it is seen");
	pal_timer_stop();
}

u32 pal_stop;
u64 pal_sent;

void pal_send_nmis(void *arg)
{
	const struct cpu *target = arg;
	u64 before;
	u32 i;

	while (!READ_ONCE(pal_stop)) {
		before = READ_ONCE(target->nmis);
		lapic_ipi(target->apic_id, ICR_NMI | ICR_ASSERT);
		pal_sent++;
		while (READ_ONCE(target->nmis) == before)
			cpu_relax();
		/* Each time at another place; and it has to get on. */
		for (i = 0; i < 2000 + 37 * (pal_sent % 64); i++)
			cpu_relax();
	}
}

static void pal_nmis(void)
{
	u64 before = cpus[0].nmis;
	bool good = true;
	u32 i;

	if (nr_cpus < 2) {
		ktap_skip("NMIs");
		return;
	}
	pal_stop = 0;
	pal_sent = 0;
	cpu_call_start(1, pal_send_nmis, &cpus[0]);
	for (i = 0; i < CALLS; i++)
		good = good && pal_call(PAL_SPIN, SPIN_ROUNDS / 100, SECRET) == 4 * SECRET;
	WRITE_ONCE(pal_stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(good && pal_sent > 10 && cpus[0].nmis - before == pal_sent,
		   "NMIs: none lost, none twice");
}

u32 pal_wrong;

void pal_call_often(void *arg)
{
	u32 i;

	(void)arg;
	for (i = 0; i < CALLS; i++)
		if (pal_call(PAL_ADD, i, this_cpu()->index) != i + this_cpu()->index)
			__atomic_fetch_add(&pal_wrong, 1, __ATOMIC_SEQ_CST);
}

static void pal_forever(void *arg)
{
	struct user user = pal_user(PAL_FOREVER, 0, 0);

	*(u32 *)arg = user_run(&user);
}

static void pal_cpus(void)
{
	u32 vector = 0;
	u64 *shared = PTR(PAL_SHARED);

	pal_wrong = 0;
	cpu_call_all(pal_call_often, NULL);
	ktap_check(!pal_wrong, "called by all CPUs at once");
	if (nr_cpus < 2)
		return;
	*shared = 0;
	cpu_call_start(1, pal_forever, &vector);
	while (READ_ONCE(*shared) < 100)
		cpu_relax();
	ktap_check(!pal_unregister(), "unregistered while another CPU executes it");
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(vector == VECTOR_GP, "which gets #GP");
	ktap_check(!pal_make(0), "registered again");
}

static bool pal_is_wiped(void)
{
	const u8 *page = PTR(pal_frame[2]);
	u32 i;

	for (i = 0; i < PAGE_SIZE; i++)
		if (page[i])
			return false;
	return true;
}

static void pal_end(void)
{
	pal_call(PAL_STORE, SECRET, 0);
	core_refused(LATCH_HC_APP_SET, LATCH_APP_PAL, 0, EBUSY, "APP_SET off with a PAL");
	ktap_check(!pal_unregister() && pal_is_wiped(), "unregistered: its data is wiped");
	*(u64 *)PTR(PAL_DATA) = SECRET;
	ktap_check(*(u64 *)PTR(pal_frame[2]) == SECRET, "and can be written again");
}

static void pal_misdeeds(void)
{
	ktap_check(pal_dies(PAL_READ, ADDR(pal_numbers) + USER_OFFSET, VECTOR_GP),
		   "it reads outside");
	ktap_check(pal_dies(PAL_WRITE, ADDR(pal_numbers) + USER_OFFSET, VECTOR_GP),
		   "it writes outside");
	ktap_check(pal_dies(PAL_JUMP, ADDR(pal_user_call) + USER_OFFSET, VECTOR_GP),
		   "it returns to another address");
	ktap_check(pal_dies(PAL_INT, 0, VECTOR_GP), "it executes INT");
	ktap_check(pal_dies(PAL_OVERFLOW, 0, VECTOR_GP), "its stack ends");
}

/* Faults go to the kernel: it may put them right. */
static void pal_faults(void)
{
	struct user user = pal_user(PAL_UD, 0, 0);
	const struct regs *regs = &trap_last()->regs;

	pal_make(0);
	ktap_check(user_run(&user) == VECTOR_UD && regs->rip == PAL_CODE + PAGE_SIZE - 1,
		   "a fault in it, at an address that says nothing");
	user = pal_user(PAL_SYSCALL, 0, 0);
	pal_unregister();
	pal_make(0);
	ktap_check(user_run(&user) == VECTOR_UD, "it has no system calls");
	pal_unregister();
	pal_make(0);
	user.rdi = 1;
	ktap_check(user_run(&user) == VECTOR_GP && regs->cs == SEL_UCODE,
		   "nor SYSENTER, with TF set");
	pal_unregister();
	pal_make(0);
	user = pal_user(PAL_WRITE, PAL_CODE + 0x123, 0);
	ktap_check(user_run(&user) == VECTOR_PF && regs->error == 7 &&
		   trap_last()->cr2 == PAL_CODE, "a page fault in it tells the page");
	pal_unregister();
}

static void pal_32(void)
{
	struct user user;

	ktap_check(!pal_make(LATCH_PAL_32), "a PAL of 32-bit code");
	ktap_check(pal_array(pal_numbers, true), "it has an array, and gives it back");
	user = pal_user(PAL_ADD, 1, 2);
	ktap_check(user_run(&user) == VECTOR_GP, "it cannot be called by 64-bit code");
	pal_segments();
	ktap_check(!pal_unregister(), "it is unregistered");
}

/* As kernels have it: all that the CPU has. */
void pal_set_xcr0(void *low)
{
	u32 unused_high = 0;

	asm volatile("xsetbv" : : "c" (0), "a" (*(u32 *)low), "d" (unused_high));
}

bool pal_switch(u64 on)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_APP_SET, LATCH_APP_PAL, on, 0) && !call.rax;
}

/* --- services. Their buffers are in the shared page. */

#define PAL_BUFFER(n)	(PAL_SHARED + 64 + 1024 * (n))

static u64 pal_service(u64 number, u64 rdi, u64 rsi)
{
	struct user user = pal_user(PAL_VMCALL, number, rdi);

	user.rdx = rsi;
	return user_run(&user) == IRQ_EXIT ? trap_last()->regs.rax : NO_RESULT;
}

static bool pal_is_zero(u64 address, u32 size)
{
	const u8 *p = PTR(address);

	while (size--)
		if (*p++)
			return false;
	return true;
}

static void pal_random(void)
{
	bool good = !pal_service(LATCH_HC_PAL_RANDOM, PAL_BUFFER(0), 64) &&
		    !pal_service(LATCH_HC_PAL_RANDOM, PAL_BUFFER(1), 64);

	ktap_check(good && memcmp(PTR(PAL_BUFFER(0)), PTR(PAL_BUFFER(1)), 64) &&
		   !pal_is_zero(PAL_BUFFER(0) + 56, 8) && pal_is_zero(PAL_BUFFER(0) + 64, 64),
		   "random numbers");
	ktap_check(pal_service(LATCH_HC_PAL_RANDOM, PAL_BUFFER(0), 5000) == ERRNO(EINVAL),
		   "too many of them");
	ktap_check(pal_service(LATCH_HC_PAL_RANDOM, ADDR(pal_numbers) + USER_OFFSET, 8) ==
		   ERRNO(EFAULT), "into memory that is not the PAL's");
	core_refused(LATCH_HC_PAL_RANDOM, ADDR(pal_numbers), 8, EPERM, "RANDOM outside of a PAL");
}

static bool pal_read_pcr(u32 index, u32 buffer)
{
	return !pal_service(LATCH_HC_PAL_PCR_READ, index, PAL_BUFFER(buffer));
}

/* SHA-256 of 64 zeros */
static const u8 pal_zeros_extended[] = {
	0xf5, 0xa5, 0xfd, 0x42, 0xd1, 0x6a, 0x20, 0x30, 0x27, 0x98, 0xef, 0x6e, 0xd3, 0x09,
	0x97, 0x9b, 0x43, 0x00, 0x3d, 0x23, 0x20, 0xd9, 0xf0, 0xe8, 0xea, 0x98, 0x31, 0xa9,
	0x27, 0x59, 0xfb, 0x4b,
};

static void pal_pcrs(void)
{
	ktap_check(pal_read_pcr(0, 0) && !pal_is_zero(PAL_BUFFER(0), 32) &&
		   pal_read_pcr(1, 1) && !pal_is_zero(PAL_BUFFER(1), 32) &&
		   pal_read_pcr(7, 2) && pal_is_zero(PAL_BUFFER(2), 32), "its PCRs");
	ktap_check(!pal_service(LATCH_HC_PAL_PCR_EXTEND, 7, PAL_BUFFER(2)) && pal_read_pcr(7, 2) &&
		   !memcmp(PTR(PAL_BUFFER(2)), pal_zeros_extended, 32), "one is extended");
	ktap_check(pal_service(LATCH_HC_PAL_PCR_EXTEND, 1, PAL_BUFFER(2)) == ERRNO(EINVAL) &&
		   pal_service(LATCH_HC_PAL_PCR_EXTEND, 8, PAL_BUFFER(2)) == ERRNO(EINVAL) &&
		   pal_service(LATCH_HC_PAL_PCR_READ, 8, PAL_BUFFER(2)) == ERRNO(EINVAL),
		   "others are not");
}

static u64 pal_seal(u64 number, u64 from, u32 size, u64 to, u32 room)
{
	*(struct latch_pal_seal *)PTR(PAL_SHARED) = (struct latch_pal_seal) {
		.from = from, .to = to, .size = size, .room = room, .pcrs = 0x86,
	};
	return pal_service(number, PAL_SHARED, 0);
}

static void pal_sealing(void)
{
	u64 text = PAL_BUFFER(0), sealed = PAL_BUFFER(1), again = PAL_BUFFER(2);
	u32 size = 20, more = size + LATCH_PAL_SEAL_MORE;

	memset(PTR(text), 0x5a, size);
	memset(PTR(again), 0, 64);
	ktap_check(!pal_seal(LATCH_HC_PAL_SEAL, text, size, sealed, more) &&
		   memcmp(PTR(sealed + LATCH_PAL_SEAL_MORE), PTR(text), size),
		   "20 bytes are sealed");
	ktap_check(!pal_seal(LATCH_HC_PAL_UNSEAL, sealed, more, again, size) &&
		   !memcmp(PTR(again), PTR(text), size) && pal_is_zero(again + size, 8),
		   "and unsealed");
	ktap_check(pal_seal(LATCH_HC_PAL_SEAL, text, size, sealed, more - 1) == ERRNO(EINVAL),
		   "no room to seal");
	memset(PTR(again), 0, 64);
	*(u8 *)PTR(sealed + LATCH_PAL_SEAL_MORE) ^= 1;
	ktap_check(pal_seal(LATCH_HC_PAL_UNSEAL, sealed, more, again, size) == ERRNO(EACCES) &&
		   pal_is_zero(again, 64), "not after a bit has changed");
	*(u8 *)PTR(sealed + LATCH_PAL_SEAL_MORE) ^= 1;
	*(u8 *)PTR(sealed + 4) ^= 0x80;
	ktap_check(pal_seal(LATCH_HC_PAL_UNSEAL, sealed, more, again, size) == ERRNO(EACCES),
		   "nor with fewer PCRs");
	*(u8 *)PTR(sealed + 4) ^= 0x80;
	pal_service(LATCH_HC_PAL_PCR_EXTEND, 2, text);
	ktap_check(pal_seal(LATCH_HC_PAL_UNSEAL, sealed, more, again, size) == ERRNO(EACCES),
		   "nor when a PCR has changed");
}

/* That the signature is right a program of the VM tests checks. */
static void pal_quotes(void)
{
	struct latch_pal_quote *quote = PTR(PAL_BUFFER(0));
	struct hypercall call;
	u8 key[LATCH_PAL_PUBLIC_SIZE + 8] = { };

	memset(quote, 0x11, sizeof(*quote));
	quote->pcrs = 2;
	quote->reserved = 0;
	ktap_check(!pal_service(LATCH_HC_PAL_QUOTE, PAL_BUFFER(0), 0) && pal_read_pcr(1, 1) &&
		   !memcmp(quote->pcr[1], PTR(PAL_BUFFER(1)), 32) &&
		   pal_is_zero(ADDR(quote->pcr[0]), 32) && quote->nonce[31] == 0x11 &&
		   !pal_is_zero(ADDR(quote->signature), 64), "a quote");
	quote->pcrs = 0x100;
	ktap_check(pal_service(LATCH_HC_PAL_QUOTE, PAL_BUFFER(0), 0) == ERRNO(EINVAL),
		   "of PCRs that there are");
	ktap_check(hypercall(&call, LATCH_HC_PAL_PUBLIC_KEY, ADDR(key), 0, 0) && !call.rax &&
		   key[0] == 4 && !key[sizeof(key) - 8], "the key to check it with");
}

/* Twice the same, then another one. */
static void pal_measurement(void)
{
	u8 first[32], second[32];

	pal_read_pcr(1, 0);
	memcpy(first, PTR(PAL_BUFFER(0)), 32);
	pal_unregister();
	pal_make(0);
	pal_read_pcr(1, 0);
	memcpy(second, PTR(PAL_BUFFER(0)), 32);
	pal_unregister();
	*(u8 *)pal_memory(PAL_CODE + 64 * PAL_NR) ^= 1;
	pal_register();
	pal_read_pcr(1, 0);
	ktap_check(!memcmp(first, second, 32) && memcmp(first, PTR(PAL_BUFFER(0)), 32),
		   "it is measured");
	pal_unregister();
}

static void pal_services(void)
{
	pal_make(0);
	if (!(cpuid(1, 0).ecx & BIT(30))) {
		ktap_check(pal_service(LATCH_HC_PAL_RANDOM, PAL_BUFFER(0), 8) == ERRNO(ENODEV),
			   "no services without RDRAND");
		pal_unregister();
		return;
	}
	pal_random();
	pal_pcrs();
	pal_sealing();
	pal_quotes();
	pal_measurement();
}

static bool pal_changed(struct regs *regs)
{
	u32 x87 = 1;

	(void)regs;
	pal_set_xcr0(&x87);
	return true;
}

/* A kernel that would have XSAVE leave registers out */
static void pal_components(void)
{
	struct user user = pal_user(PAL_UD, 0, 0);
	u32 all = cpuid(0xd, 0).eax, x87 = 1;

	pal_set_xcr0(&x87);
	ktap_check(pal_register() == -(long)ENODEV, "XCR0 without SSE: -19");
	pal_set_xcr0(&all);
	pal_make(0);
	idt_set_hook(VECTOR_UD, pal_changed);
	ktap_check(user_run(&user) == VECTOR_GP, "nor changed while it is interrupted");
	idt_set_hook(VECTOR_UD, NULL);
	pal_set_xcr0(&all);
	pal_unregister();
}

void core_pals(void)
{
	u32 x87 = 1, all = cpuid(0xd, 0).eax;

	pal_refusals();
	if (!(read_cr4() & CR4_OSXSAVE)) {
		ktap_check(!pal_switch(1), "pal needs XSAVE");
		return;
	}
	ktap_check(!pal_switch(1), "pal needs SSE in XCR0");
	cpu_call_all(pal_set_xcr0, &all);
	ktap_check(pal_switch(1), "pal is on");
	pal_calls();
	pal_paging();
	pal_attacks();
	pal_single_step();
	pal_interrupts();
	pal_nmis();
	pal_cpus();
	pal_end();
	pal_bad_descriptions();
	pal_misdeeds();
	pal_faults();
	pal_components();
	pal_32();
	pal_services();
	pal_fast_tests();
	cpu_call_all(pal_set_xcr0, &x87);
	ktap_check(pal_switch(0), "pal is off");
}

/* --- how much it costs */

#define BENCH_ROUNDS	200

INSN(pal_plain_add, "leaq (%rdi, %rsi), %rax");

static u64 pal_call_ticks(u64 function)
{
	struct user user = pal_user(PAL_ADD, 1, 2);
	u64 start;
	u32 i;

	user.rax = function;
	user_run(&user);
	start = rdtsc();
	for (i = 0; i < BENCH_ROUNDS; i++)
		user_run(&user);
	return (rdtsc() - start) / BENCH_ROUNDS;
}

/* Six pages, five of them private. */
static void pal_bench_register(void)
{
	u64 in = 0, out = 0, start;
	u32 i;

	for (i = 0; i < BENCH_ROUNDS / 10; i++) {
		start = rdtsc();
		pal_register();
		in += rdtsc() - start;
		start = rdtsc();
		pal_unregister();
		out += rdtsc() - start;
	}
	print("bench pal_register %llu\nbench pal_unregister %llu\n", in / (BENCH_ROUNDS / 10),
	      out / (BENCH_ROUNDS / 10));
}

/** pal_bench - PALs; ticks are instructions, with one CPU */
void pal_bench(void)
{
	u32 x87 = 1, all = cpuid(0xd, 0).eax;

	if (!(read_cr4() & CR4_OSXSAVE))
		return;
	pal_set_xcr0(&all);
	pal_switch(1);
	pal_make(0);
	print("bench pal_call %llu\n",
	      pal_call_ticks(PAL_CODE) - pal_call_ticks(ADDR(pal_plain_add) + USER_OFFSET));
	pal_unregister();
	pal_bench_register();
	pal_fast_bench();
	pal_switch(0);
	pal_set_xcr0(&x87);
}
