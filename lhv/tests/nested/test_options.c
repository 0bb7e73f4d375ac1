// SPDX-License-Identifier: GPL-2.0-only
/*
 * One and the same guest under many options, on all CPUs at once. It faults, goes to
 * CPL 3, and makes exits; what it finds, and how often it exits, must not depend on the
 * options. After each exit the hypervisor may do what the option says.
 */
#include "nested.h"

#define ROUNDS		10
#define ANSWER		0x5eed0000u
#define PORT		0x80
#define REASONS		64
#define TIMER_TICKS	5000

enum {
	OPT_EPT = 1, OPT_EPT_4K = 2, OPT_EPT_SWITCH = 4, OPT_INVEPT = 8, OPT_LISTS = 0x10,
	OPT_ROUND_TRIP = 0x20, OPT_CLEAR = 0x40, OPT_INTERRUPTS = 0x80, OPT_VPID = 0x100,
	OPT_INVVPID = 0x200, OPT_NO_BITMAP = 0x400, OPT_AD = 0x800, OPT_UNRESTRICTED = 0x1000,
};

struct option {
	const char *name;
	u32 flags;
	u32 secondary;
	u64 ept;
	u32 invvpid;		/* type */
};

static const struct option options[] = {
	{ "plain", 0, 0, 0, 0 },
	{ "MSR lists", OPT_LISTS, 0, 0, 0 },
	{ "no MSR bitmap", OPT_NO_BITMAP, 0, 0, 0 },
	{ "interrupts", OPT_INTERRUPTS, 0, 0, 0 },
	{ "VMCLEAR after each exit", OPT_CLEAR, 0, 0, 0 },
	{ "VMXOFF after each exit", OPT_ROUND_TRIP, 0, 0, 0 },
	{ "EPT", OPT_EPT, SECONDARY_EPT, 0, 0 },
	{ "EPT, 4 KiB", OPT_EPT | OPT_EPT_4K, SECONDARY_EPT, 0, 0 },
	{ "EPT, accessed and dirty", OPT_EPT | OPT_AD, SECONDARY_EPT, EPT_CAP_AD, 0 },
	{ "EPT and INVEPT", OPT_EPT | OPT_INVEPT, SECONDARY_EPT, 0, 0 },
	{ "EPT switched after each exit", OPT_EPT | OPT_EPT_SWITCH, SECONDARY_EPT, 0, 0 },
	{ "unrestricted guest", OPT_EPT | OPT_UNRESTRICTED,
	  SECONDARY_EPT | SECONDARY_UNRESTRICTED, 0, 0 },
	{ "VPID", OPT_VPID, SECONDARY_VPID, 0, 0 },
	{ "VPID and EPT", OPT_VPID | OPT_EPT, SECONDARY_VPID | SECONDARY_EPT, 0, 0 },
	{ "INVVPID of an address", OPT_VPID | OPT_INVVPID, SECONDARY_VPID,
	  VPID_CAP_TYPE(INVVPID_ADDRESS), INVVPID_ADDRESS },
	{ "INVVPID of a context", OPT_VPID | OPT_INVVPID, SECONDARY_VPID,
	  VPID_CAP_TYPE(INVVPID_SINGLE), INVVPID_SINGLE },
	{ "INVVPID of all", OPT_VPID | OPT_INVVPID, SECONDARY_VPID,
	  VPID_CAP_TYPE(INVVPID_ALL), INVVPID_ALL },
	{ "INVVPID but for globals", OPT_VPID | OPT_INVVPID, SECONDARY_VPID,
	  VPID_CAP_TYPE(INVVPID_KEEP_GLOBAL), INVVPID_KEEP_GLOBAL },
	{ "all of it", OPT_VPID | OPT_EPT | OPT_EPT_SWITCH | OPT_LISTS | OPT_ROUND_TRIP |
	  OPT_INTERRUPTS, SECONDARY_VPID | SECONDARY_EPT, 0, 0 },
};

struct msr_entry {
	u32 msr, reserved;
	u64 value;
};

/**
 * struct work - a CPU's part
 * @lists: MSR-load and -store lists
 * @eptp: two EPTs
 * @found: digest of what the guest has found
 * @exits: by reason
 * @interrupts: that the guest has taken
 * @wrong: what the hypervisor has not expected
 */
struct work {
	const struct option *option;
	struct msr_entry *lists;
	u64 eptp[2];
	u64 data[16];
	u32 found;
	u32 exits[REASONS];
	u32 interrupts;
	u32 wrong;
	bool ended;
};

static struct work works[MAX_CPUS];

/* --- the guest */

INSN(work_ud, "ud2");
INSN(work_sum, "xorl %eax, %eax\n\tmovl $100, %ecx\n1:\tadd RCX, (RDI)\n\tloop 1b");
USER_INSN(work_user, "movl $3, %eax\n\tcpuid\n\tmovl %eax, %esi");
USER_INSN(work_user_hlt, "hlt");

static u32 guest_vmcall(u32 number)
{
	asm volatile("vmcall" : "+a" (number) : : "memory");
	return number;
}

static void guest_round(struct work *work, u32 round)
{
	u32 found[10];

	found[0] = cpuid(round, 1).eax;
	found[1] = guest_vmcall(round);
	found[2] = inb(PORT);
	found[3] = (u32)rdmsr(MSR_FEATURE_CONTROL);
	found[4] = try_insn(work_ud, 0);
	found[5] = try_insn((const char *)WINDOW_BASE, 0);
	found[6] = user_call(work_user, 0);
	found[7] = (u32)trap_last()->regs.rsi;
	found[8] = user_call(work_user_hlt, 0);
	try_insn(work_sum, ADDR(&work->data[round]));
	found[9] = (u32)work->data[round];
	work->found = digest(work->found, found, sizeof(found));
}

static void guest_work(void *arg)
{
	struct work *work = arg;
	u32 round;

	work->found = DIGEST_START;
	for (round = 0; round < ROUNDS; round++)
		guest_round(work, round);
}

/* What a guest has to find */
static u32 work_expected(void)
{
	u32 hash = DIGEST_START, round;

	for (round = 0; round < ROUNDS; round++) {
		u32 found[] = {
			ANSWER + round, 2 * ANSWER + round, 0x3c, 0x55, VECTOR_UD, VECTOR_PF,
			IRQ_EXIT, ANSWER + 3, VECTOR_GP, 5050,
		};

		hash = digest(hash, found, sizeof(found));
	}
	return hash;
}

/* --- the hypervisor */

static void work_interrupt(struct regs *regs)
{
	(void)regs;
	works[this_cpu()->index].interrupts += this_cpu() == hv_this()->guest;
	lapic_eoi();
}

static void work_timer(bool on)
{
	irq_set_handler(IRQ_TIMER, work_interrupt);
	lapic_write(LAPIC_DIVIDE, 0xb);
	lapic_write(LAPIC_TIMER, on ? TIMER_PERIODIC | IRQ_TIMER : TIMER_MASKED);
	lapic_write(LAPIC_INITIAL, on ? TIMER_TICKS : 0);
}

static void work_setup(struct hv *hv, struct work *work)
{
	u32 flags = work->option->flags;

	hv_set(F_SECONDARY_CONTROLS, work->option->secondary);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_IO_BITMAPS);
	hv->io_bitmaps[PORT / 8] |= 1 << PORT % 8;
	hv->msr_bitmap[MSR_FEATURE_CONTROL / 8] |= 1 << MSR_FEATURE_CONTROL % 8;
	vmwrite(F_EPTP, work->eptp[0] | (flags & OPT_AD ? EPTP_AD : 0));
	vmwrite(F_VPID, 0x30 + hv->host->index);
	if (flags & OPT_NO_BITMAP)
		hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
	if (flags & OPT_INTERRUPTS) {
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		work_timer(true);
	}
	if (!(flags & OPT_LISTS))
		return;
	work->lists[0] = (struct msr_entry) { MSR_LSTAR, 0, 0x1234 };
	work->lists[32] = (struct msr_entry) { MSR_LSTAR, 0, 0 };
	work->lists[64] = (struct msr_entry) { MSR_LSTAR, 0, rdmsr(MSR_LSTAR) };
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(work->lists));
	vmwrite(F_EXIT_MSR_STORE, ADDR(work->lists + 32));
	vmwrite(F_EXIT_MSR_LOAD, ADDR(work->lists + 64));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	vmwrite(F_EXIT_MSR_STORE_COUNT, 1);
	vmwrite(F_EXIT_MSR_LOAD_COUNT, 1);
}

/* Return: false if the exit is not one that the guest's code makes */
static bool work_handle(struct hv *hv, struct work *work)
{
	u32 reason = hv->exit.reason;

	if (reason >= REASONS)
		return false;
	work->exits[reason]++;
	switch (reason) {
	case REASON_CPUID:
		hv->regs.rax = ANSWER + (u32)hv->regs.rax;
		break;
	case REASON_VMCALL:
		hv->regs.rax = 2 * ANSWER + (u32)hv->regs.rax;
		break;
	case REASON_IO:
		hv->regs.rax = 0x3c;
		break;
	case REASON_RDMSR:
		hv->regs.rax = 0x55;
		hv->regs.rdx = 0;
		break;
	default:
		return false;
	}
	hv_skip(hv);
	return true;
}

static void work_between(struct hv *hv, struct work *work)
{
	const struct option *option = work->option;
	u64 pa = ADDR(hv->vmcs);

	if (option->flags & OPT_LISTS)
		work->wrong += work->lists[32].value != 0x1234 ||
			       rdmsr(MSR_LSTAR) != work->lists[64].value;
	if (option->flags & OPT_EPT_SWITCH)
		vmwrite(F_EPTP, vmread(F_EPTP) == work->eptp[0] ? work->eptp[1] : work->eptp[0]);
	if (option->flags & OPT_INVEPT)
		work->wrong += invept(INVEPT_ALL, 0, 0) != 0;
	if (option->flags & OPT_INVVPID)
		work->wrong += invvpid(option->invvpid, vmread(F_VPID), hv->exit.rip) != 0;
	if (option->flags & OPT_CLEAR)
		work->wrong += vmclear(pa) || vmptrld(pa);
	if (option->flags & OPT_ROUND_TRIP)
		work->wrong += vmclear(pa) || vmxoff() || vmxon(ADDR(hv->vmxon)) || vmptrld(pa);
	if (option->flags & (OPT_CLEAR | OPT_ROUND_TRIP))
		hv->launched = false;
}

static void work_cpu(void *arg)
{
	struct hv *hv = hv_this();
	struct work *work = &works[hv->host->index];

	(void)arg;
	irq_disable();
	if (!hv_begin(hv)) {
		irq_enable();
		return;
	}
	hv_vmcs_reset(hv);
	work_setup(hv, work);
	hv_guest(hv, guest_work, ADDR(work));
	for (;;) {
		hv_run(hv);
		work->ended = hv_ended(hv);
		if (work->ended || !work_handle(hv, work))
			break;
		work_between(hv, work);
	}
	if (!work->ended)
		hv_record(hv, "unexpected");
	work_timer(false);
	hv_end(hv);
	irq_enable();
}

/* An EPT of pages of 4 KiB where the image is */
static void work_split(u64 eptp)
{
	u64 pa;

	for (pa = 0; pa < LOW_MAP; pa += SIZE_2M)
		ept_entry(eptp, pa, 1);
}

static void work_prepare(struct work *work, const struct option *option)
{
	memset(work, 0, sizeof(*work));
	work->option = option;
	work->lists = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	if (!(option->flags & OPT_EPT))
		return;
	work->eptp[0] = ept_new();
	work->eptp[1] = ept_new();
	if (option->flags & OPT_EPT_4K)
		work_split(work->eptp[0]);
}

static void option_run(const struct option *option)
{
	u64 mark = mem_mark();
	bool same = true, ended = true;
	u32 i, wrong = 0;

	for (i = 0; i < nr_cpus; i++)
		work_prepare(&works[i], option);
	cpu_call_all(work_cpu, NULL);
	for (i = 0; i < nr_cpus; i++) {
		same = same && works[i].found == work_expected();
		ended = ended && works[i].ended;
		wrong += works[i].wrong;
		same = same && works[i].exits[REASON_CPUID] == 2 * ROUNDS &&
		       works[i].exits[REASON_VMCALL] == ROUNDS &&
		       works[i].exits[REASON_IO] == ROUNDS &&
		       works[i].exits[REASON_RDMSR] == ROUNDS;
	}
	ktap_check(ended, "%s: all guests end", option->name);
	for (i = 0; i < nr_cpus && option->flags & OPT_INTERRUPTS; i++)
		wrong += !works[i].interrupts;
	ktap_check(same && !wrong, "%s: the same results and exits, %u wrong, digest %x",
		   option->name, wrong, works[0].found);
	mem_release(mark);
}

void test_nested_options(void)
{
	const char *missing = hv_missing();
	u32 i;

	if (missing) {
		ktap_skip("%s", missing);
		return;
	}
	hv_alloc_all();
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!hv_can(F_SECONDARY_CONTROLS, options[i].secondary) ||
		    (options[i].ept && !(rdmsr(MSR_VMX_EPT_VPID) & options[i].ept))) {
			ktap_skip("%s: not on this CPU", options[i].name);
			continue;
		}
		option_run(&options[i]);
	}
}
