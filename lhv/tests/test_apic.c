// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC as a device: all ways to store to its page, its base and modes,
 * logical destinations.
 */
#include "tests.h"

#define BASE_X2APIC	BIT(10)
#define BASE_ENABLE	BIT(11)
#define ROUNDS		20
#define OTHER_PAGE	0xfee40000ull
#define LAPIC_LDR	0x0d
#define LAPIC_DFR	0x0e
#define ICR_LOGICAL	0x800
#define DFR_FLAT	0xffffffffu
#define DFR_CLUSTER	0x0fffffffu
#define WAIT_MS		100ull

/* RDI is the address of a register. Each leaves 0x20 in it, coming from 0x10. */
INSN(store_eax, "mov $0x20, %eax\n\tmov %eax, (%rdi)");
INSN(store_r15, "push %r15\n\tmov $0x20, %r15d\n\tmov %r15d, (%rdi)\n\tpop %r15");
INSN(store_imm, "movl $0x20, (%rdi)");
INSN(store_disp8, "mov $0x20, %ecx\n\tmov %ecx, 0x40(%rdi)");
INSN(store_sib, "mov $0x20, %edx\n\tmov $-2, %rax\n\tmov %edx, 0x100(%rdi,%rax,8)");
INSN(store_r12, "push %r12\n\tmov %rdi, %r12\n\tmov $0x20, %r8d\n\tmov %r8d, (%r12)\n\tpop %r12");
INSN(store_addr32, "mov $0x20, %eax\n\tmov %eax, (%edi)");
INSN(store_moffs, "mov $0x20, %eax\n\t.byte 0xa3\n\t.quad 0xfee00080");
INSN(store_nti, "mov $0x20, %eax\n\tmovnti %eax, (%rdi)");
INSN(store_xchg, "mov $0x20, %eax\n\txchg %eax, (%rdi)");
INSN(store_add, "mov $0x10, %eax\n\tadd %eax, (%rdi)");
INSN(store_shl, "shll (%rdi)");
INSN(store_stos, "cld\n\tmov $0x20, %eax\n\tstosl");
INSN(store_movs, "push $0x20\n\tmov %rsp, %rsi\n\tmovsl\n\tpop %rax");
INSN(store_push, "mov %rsp, %rax\n\tlea 4(%rdi), %rsp\n\tmov $0x20, %ecx\n\t"
	"mov %ecx, -4(%rsp)\n\tmov %rax, %rsp");

static const struct {
	const char *insn;
	const char *name;
	u32 offset;
} stores[] = {
	{ store_eax, "MOV EAX", 0 },
	{ store_r15, "MOV R15D", 0 },
	{ store_imm, "MOV immediate", 0 },
	{ store_disp8, "MOV with displacement", 0x40 },
	{ store_sib, "MOV with SIB", 0xf0 },
	{ store_r12, "MOV, base R12", 0 },
	{ store_addr32, "MOV, 32-bit address", 0 },
	{ store_moffs, "MOV moffs", 0 },
	{ store_nti, "MOVNTI", 0 },
	{ store_xchg, "XCHG", 0 },
	{ store_add, "ADD", 0 },
	{ store_shl, "SHL", 0 },
	{ store_stos, "STOS", 0 },
	{ store_movs, "MOVS", 0 },
	{ store_push, "MOV, base RSP", 0 },
};

static u64 apic_address(void)
{
	return rdmsr(MSR_APIC_BASE) & PTE_ADDR;
}

static void apic_stores(void)
{
	u64 tpr = apic_address() + LAPIC_TPR * 16;
	u32 i, vector, value;

	for (i = 0; i < ARRAY_SIZE(stores); i++) {
		lapic_write(LAPIC_TPR, 0x10);
		vector = try_insn(stores[i].insn, tpr - stores[i].offset);
		value = lapic_read(LAPIC_TPR);
		lapic_write(LAPIC_TPR, 0);
		ktap_check(vector == TRAP_NONE && value == 0x20,
			   "%s stores to the TPR (%u, 0x%x)", stores[i].name, vector, value);
	}
}

/* movl $value, (%rdi); ret */
static void put_store(void *code, u32 value)
{
	u8 bytes[] = { 0xc7, 0x07, (u8)value, 0, 0, 0, 0xc3 };

	memcpy(code, bytes, sizeof(bytes));
}

static bool store_gives(u64 code, u64 tpr, u32 value)
{
	try_insn(PTR(code), tpr);
	return lapic_read(LAPIC_TPR) == value;
}

/* The same address, time and again: other bytes, another page, another table. */
static void apic_changing_code(void)
{
	u64 mark = mem_mark(), tpr = apic_address() + LAPIC_TPR * 16, page[2];
	u32 i;

	for (i = 0; i < 2; i++) {
		page[i] = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
		put_store(PTR(page[i]), 0x10 * (i + 1));
	}
	mem_map(WINDOW_BASE, page[0], PTE_P | PTE_W);
	invlpg(WINDOW_BASE);
	ktap_check(store_gives(WINDOW_BASE, tpr, 0x10) && store_gives(WINDOW_BASE, tpr, 0x10),
		   "a store in a page of its own");
	put_store(PTR(page[0]), 0x30);
	ktap_check(store_gives(WINDOW_BASE, tpr, 0x30), "after a change of the code");
	mem_map(WINDOW_BASE, page[1], PTE_P | PTE_W);
	invlpg(WINDOW_BASE);
	ktap_check(store_gives(WINDOW_BASE, tpr, 0x20), "after a change of the page");
	/* The instruction ends in another page, which changes. */
	memcpy(PTR(page[0] + PAGE_SIZE - 4), PTR(page[0]), 4);
	mem_map(WINDOW_BASE, page[0], PTE_P | PTE_W);
	mem_map(WINDOW_BASE + PAGE_SIZE, page[1], PTE_P | PTE_W);
	memcpy(PTR(page[1]), "\0\0\xc3", 3);
	invlpg(WINDOW_BASE);
	invlpg(WINDOW_BASE + PAGE_SIZE);
	ktap_check(store_gives(WINDOW_BASE + PAGE_SIZE - 4, tpr, 0x30), "over the end of a page");
	*(u8 *)PTR(page[0] + PAGE_SIZE - 2) = 0x40;
	ktap_check(store_gives(WINDOW_BASE + PAGE_SIZE - 4, tpr, 0x40),
		   "over the end of a page, after a change");
	lapic_write(LAPIC_TPR, 0);
	mem_release(mark);
}

static u32 arrived;

static void apic_irq(struct regs *regs)
{
	(void)regs;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	lapic_eoi();
}

/* Until @count have come, and then a moment more: none may be too many. */
static u32 apic_wait(u32 count)
{
	u64 end = rdtsc() + WAIT_MS * tsc_khz;

	while (READ_ONCE(arrived) < count && rdtsc() < end)
		cpu_relax();
	delay_us(500);
	return READ_ONCE(arrived);
}

static u32 apic_send(u32 dest, u32 icr, u32 expect)
{
	arrived = 0;
	lapic_ipi(dest, icr | ICR_ASSERT | IRQ_TEST);
	return apic_wait(expect);
}

static u32 write_base(u64 value)
{
	return try_wrmsr(MSR_APIC_BASE, value);
}

/* All but what the next test goes through (SDM vol. 3, figure 11-27). */
static void apic_modes(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	ktap_check(write_base((base & ~BASE_ENABLE) | BASE_X2APIC) == VECTOR_GP,
		   "x2APIC mode without the APIC: #GP");
	if (lapic_x2apic)
		ktap_check(write_base(base & ~BASE_X2APIC) == VECTOR_GP,
			   "from x2APIC to xAPIC mode: #GP");
	ktap_check(write_base(base | BIT(63)) == VECTOR_GP, "a reserved bit: #GP");
	ktap_check(write_base(base) == TRAP_NONE && rdmsr(MSR_APIC_BASE) == base,
		   "the same base again");
}

/* What a CPU made of each step; the values of all CPUs must be the same. */
struct transitions {
	u16 vector[8];
	u8 apic[8];	/* CPUID.1:EDX.APIC after it: clear while the APIC is disabled */
	u32 steps;
};

static void transition(struct transitions *t, u64 value)
{
	t->vector[t->steps] = (u16)write_base(value);
	t->apic[t->steps++] = cpuid(1, 0).edx >> 9 & 1;
}

/* Around all of the figure; what is forbidden in the disabled state too. */
static void apic_transitions(void *arg)
{
	struct transitions *t = (struct transitions *)arg + this_cpu()->index;
	u64 base = rdmsr(MSR_APIC_BASE) & ~(BASE_X2APIC | BASE_ENABLE);

	irq_disable();
	t->steps = 0;
	transition(t, base);
	transition(t, base | BASE_X2APIC);
	transition(t, base | BASE_X2APIC | BASE_ENABLE);
	transition(t, base | BASE_ENABLE);
	transition(t, base | BASE_ENABLE | BASE_X2APIC);
	transition(t, base | BASE_ENABLE);
	transition(t, base);
	lapic_init();
	irq_enable();
}

static void apic_all_modes(void)
{
	static struct transitions cpu[MAX_CPUS];
	bool has_x2apic = cpuid(1, 0).ecx & BIT(21), same = true;
	const u16 *v = cpu[0].vector;
	u32 i, round;

	for (round = 0; round < ROUNDS; round++) {
		cpu_call_all(apic_transitions, cpu);
		for (i = 1; i < nr_cpus; i++)
			same = same && !memcmp(&cpu[i], &cpu[0], sizeof(cpu[0]));
	}
	ktap_check(same, "%u CPUs take the same transitions of the APIC's mode", nr_cpus);
	ktap_check(v[0] == TRAP_NONE && !cpu[0].apic[0], "disabled: CPUID shows none");
	ktap_check(v[1] == VECTOR_GP && v[2] == VECTOR_GP, "from disabled to x2APIC: #GP");
	ktap_check(v[3] == TRAP_NONE && cpu[0].apic[3], "from disabled to xAPIC");
	ktap_check(v[4] == (has_x2apic ? TRAP_NONE : VECTOR_GP), "from xAPIC to x2APIC");
	ktap_check(v[5] == (has_x2apic ? VECTOR_GP : TRAP_NONE), "from x2APIC to xAPIC: #GP");
	ktap_check(v[6] == TRAP_NONE && !cpu[0].apic[6], "disabled from there");
	ktap_check(apic_send(lapic_x2apic ? ~0u : 0xff, 0, nr_cpus) == nr_cpus,
		   "each APIC works again");
}

static u32 off_step;

static void apic_off_cpu(void *arg)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	(void)arg;
	irq_disable();
	wrmsr(MSR_APIC_BASE, base & ~(BASE_X2APIC | BASE_ENABLE));
	WRITE_ONCE(off_step, 1);
	while (READ_ONCE(off_step) == 1)
		cpu_relax();
	lapic_init();
	irq_enable();
}

void apic_off_begin(u32 index)
{
	off_step = 0;
	cpu_call_start(index, apic_off_cpu, NULL);
	while (!READ_ONCE(off_step))
		cpu_relax();
}

void apic_off_end(u32 index)
{
	WRITE_ONCE(off_step, 2);
	while (!cpu_call_finished(index))
		cpu_relax();
}

/* Not then and not later. */
static void apic_unreachable(void)
{
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	apic_off_begin(1);
	ktap_check(!apic_send(cpus[1].apic_id, 0, 1), "no IPI to a CPU without APIC");
	apic_off_end(1);
	ktap_check(!apic_wait(1), "nor when it has one again");
	ktap_check(apic_send(cpus[1].apic_id, 0, 1) == 1, "but the next one");
}

static void apic_move(u64 page)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, (base & ~PTE_ADDR) | page);
	lapic_moved();
}

static void apic_elsewhere(void)
{
	u64 home = apic_address();
	u32 id = lapic_id(), got, lvt;

	irq_disable();
	apic_move(OTHER_PAGE);
	lvt = lapic_read(LAPIC_VERSION);
	got = lapic_id();
	irq_enable();
	ktap_check(got == id && lvt, "the APIC's page can be moved");
	ktap_check(apic_send(0, ICR_SELF, 1) == 1, "IPI to itself from there");
	if (nr_cpus > 1)
		ktap_check(apic_send(cpus[1].apic_id, 0, 1) == 1, "IPI to CPU 1 from there");
	irq_disable();
	apic_move(home);
	irq_enable();
	ktap_check(apic_send(0, ICR_SELF, 1) == 1, "and back");
}

static void apic_set_logical(void *arg)
{
	u32 dfr = *(u32 *)arg, index = this_cpu()->index;

	lapic_write(LAPIC_DFR, dfr);
	lapic_write(LAPIC_LDR, (dfr == DFR_FLAT ? 1u << index :
				(index / 4) << 4 | 1u << index % 4) << 24);
}

static void apic_logical(u32 dfr, const char *name)
{
	u32 all = (1u << nr_cpus) - 1;

	cpu_call_all(apic_set_logical, &dfr);
	ktap_check(apic_send(1, ICR_LOGICAL, 1) == 1, "%s: IPI to CPU 0", name);
	if (nr_cpus > 4)
		return;
	ktap_check(apic_send(all, ICR_LOGICAL, nr_cpus) == nr_cpus, "%s: IPI to all", name);
	ktap_check(apic_send(all & ~1u, ICR_LOGICAL, nr_cpus - 1) == nr_cpus - 1,
		   "%s: IPI to all but CPU 0", name);
}

static void apic_logical_x2apic(void)
{
	u32 id = this_cpu()->apic_id, cluster = id >> 4 << 16, all = 0, i;

	for (i = 0; i < nr_cpus; i++)
		if (cpus[i].apic_id >> 4 == id >> 4)
			all |= 1u << (cpus[i].apic_id & 15);
	ktap_check(apic_send(cluster | 1u << (id & 15), ICR_LOGICAL, 1) == 1,
		   "cluster: IPI to CPU 0");
	ktap_check(apic_send(cluster | all, ICR_LOGICAL, nr_cpus) == nr_cpus,
		   "cluster: IPI to all");
}

static void apic_reserved(void)
{
	if (!lapic_x2apic)
		return;
	/* #GP on a CPU; Bochs 3.0 takes it. */
	ktap_check(true, "a reserved bit in the ICR: vector %u",
		   try_wrmsr(MSR_X2APIC + LAPIC_ICR, BIT(20) | ICR_ASSERT | IRQ_TEST));
}

void test_apic(void)
{
	irq_set_handler(IRQ_TEST, apic_irq);
	apic_modes();
	apic_all_modes();
	apic_unreachable();
	apic_reserved();
	if (lapic_x2apic) {
		apic_logical_x2apic();
	} else {
		apic_stores();
		apic_changing_code();
		apic_logical(DFR_FLAT, "flat");
		apic_logical(DFR_CLUSTER, "cluster");
		apic_elsewhere();
	}
	ktap_check(apic_send(lapic_x2apic ? ~0u : 0xff, 0, nr_cpus) == nr_cpus,
		   "IPI to the broadcast ID");
}
