// SPDX-License-Identifier: GPL-2.0-only
/*
 * One guest, on all CPUs at once, that runs with any of thirteen options, as a mask says.
 * In each round it does what each of its options has for it, and checks what it finds; the
 * hypervisor does its part when asked.
 *
 *	options=MASK		this mask only, as options=0xdfd
 */
#include "option_table.h"

#define ROUNDS		6
#define LARGE_SIZE	(2 * SIZE_2M)

static const struct table_option options[] = {
	{ OPT_MSR_LISTS, "MSR lists", 0, 0, 0, 0,
	  opt_lists_setup, opt_lists_guest, opt_lists_asked, NULL },
	{ OPT_NO_IF, "RFLAGS.IF = 0", 0, OPT_HOST_USER | OPT_GUEST_USER, 0, 0,
	  NULL, NULL, NULL, NULL },
	{ OPT_EPT, "EPT", 0, 0, SECONDARY_EPT, EPT_CAP_INVEPT,
	  opt_ept_setup, opt_ept_guest, NULL, NULL },
	{ OPT_EPT_SWITCH, "two EPTs in turn", OPT_EPT, 0, 0, 0,
	  NULL, opt_switch_guest, opt_switch_asked, NULL },
	{ OPT_VPID, "VPID, INVVPID", 0, 0, SECONDARY_VPID, VPID_CAP_INVVPID,
	  opt_vpid_setup, opt_vpid_guest, opt_vpid_asked, NULL },
	{ OPT_NO_PAGING, "paging off and on", OPT_EPT, 0, SECONDARY_UNRESTRICTED, 0,
	  NULL, opt_no_paging_guest, opt_no_paging_asked, NULL },
	{ OPT_HOST_USER, "CPL 3 in the host", 0, OPT_NO_IF, 0, 0,
	  NULL, opt_host_user_guest, opt_host_user_asked, NULL },
	{ OPT_VMXOFF, "VMCLEAR, VMXOFF", 0, 0, 0, 0,
	  NULL, opt_vmxoff_guest, opt_vmxoff_asked, NULL },
	{ OPT_LARGE_PAGE, "two pages of 2 MiB change places", OPT_EPT, 0, 0, EPT_CAP_2M,
	  NULL, opt_large_guest, opt_large_asked, NULL },
	{ OPT_NO_INTERRUPT, "no timer", 0, 0, 0, 0, NULL, NULL, NULL, NULL },
	{ OPT_MSR_BITMAP, "MSR bitmap", 0, 0, 0, 0,
	  opt_msr_setup, opt_msr_guest, opt_msr_asked, opt_msr_end },
	{ OPT_GUEST_USER, "CPL 3 in the guest", 0, OPT_NO_IF, 0, 0,
	  NULL, opt_guest_user_guest, NULL, NULL },
	{ OPT_DEVICE, "interrupts of the RTC", 0, 0, 0, 0, NULL, NULL, NULL, NULL },
};

/* Always: the timer and the device are options of it. */
static const struct table_option interrupts = {
	.bit = OPT_NO_INTERRUPT, .setup = opt_interrupts_setup, .guest = opt_interrupts_guest,
	.asked = opt_interrupts_asked, .end = opt_interrupts_end,
};

/* Each option alone, or with what it needs; then many at once */
static const u32 masks[] = {
	0x000, 0x001, 0x002, 0x004, 0x00c, 0x010, 0x024, 0x040, 0x080, 0x104, 0x200, 0x400, 0x800,
	0x1000, 0x1002, 0x0dfd, 0x0ffd, 0x15bf, 0x1dfd,
};

static struct work works[MAX_CPUS];
static u64 large_pages;

/** table_work - the part of a CPU, or of its guest */
struct work *table_work(u32 cpu)
{
	return &works[cpu];
}

/** table_ask - in the guest: have the hypervisor do its part of an option */
void table_ask(u32 bit)
{
	asm volatile("vmcall" : "+a" (bit) : : "memory");
}

/** table_found - note what the guest has found, the same in each run */
void table_found(struct work *work, u64 value)
{
	work->found = digest(work->found, &value, sizeof(value));
}

/** table_expect_at - count what is wrong */
void table_expect_at(struct work *work, bool good, const char *where, u32 line)
{
	if (good || work->wrong++)
		return;
	work->where = where;
	work->line = line;
}

/* --- the guest */

static void table_guest(void *arg)
{
	struct work *work = arg;
	u32 i;

	for (work->round = 0; work->round < ROUNDS; work->round++) {
		interrupts.guest(work);
		for (i = 0; i < ARRAY_SIZE(options); i++)
			if (work->mask & options[i].bit && options[i].guest)
				options[i].guest(work);
	}
}

/* --- the hypervisor */

static void table_vmcall(struct hv *hv, struct work *work)
{
	u32 bit = (u32)hv->regs.rax, i;

	hv_skip(hv);
	if (bit == interrupts.bit) {
		interrupts.asked(hv, work);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].bit == bit)
			options[i].asked(hv, work);
}

/* Return: false if nobody expects this exit */
static bool table_exit(struct hv *hv, struct work *work)
{
	u32 reason = hv->exit.reason;

	switch (reason) {
	case REASON_EXTERNAL:
		return opt_interrupts_exit(hv, work);
	case REASON_RDMSR:
	case REASON_WRMSR:
		return opt_msr_exit(hv, work);
	case REASON_CPUID:
		hv->regs.rax = TABLE_CPUID + (u32)hv->regs.rax;
		hv_skip(hv);
		return true;
	case REASON_VMCALL:
		work->exits[reason]++;
		table_vmcall(hv, work);
		return true;
	case REASON_VMREAD:
		work->exits[reason]++;
		hv_skip(hv);
		return true;
	case REASON_EPT_VIOLATION:
		work->exits[reason]++;
		return opt_ept_exit(hv, work);
	default:
		return false;
	}
}

static void table_setup(struct hv *hv, struct work *work)
{
	u32 i;

	hv_vmcs_reset(hv);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!(work->mask & options[i].bit))
			continue;
		hv_set(F_SECONDARY_CONTROLS, options[i].secondary);
		if (options[i].setup)
			options[i].setup(hv, work);
	}
	interrupts.setup(hv, work);
	hv_guest(hv, table_guest, ADDR(work));
}

static void table_cpu(void *arg)
{
	struct hv *hv = hv_this();
	struct work *work = &works[hv->host->index];
	u32 i;

	(void)arg;
	irq_disable();
	if (!hv_begin(hv)) {
		irq_enable();
		return;
	}
	table_setup(hv, work);
	for (;;) {
		hv_run(hv);
		work->ended = hv_ended(hv);
		if (work->ended || !table_exit(hv, work))
			break;
	}
	if (!work->ended)
		hv_record(hv, "unexpected");
	for (i = 0; i < ARRAY_SIZE(options); i++)
		if (work->mask & options[i].bit && options[i].end)
			options[i].end(hv, work);
	interrupts.end(hv, work);
	hv_end(hv);
	irq_enable();
}

/* --- all CPUs */

static u64 numbered_page(u32 number)
{
	u32 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	*page = number;
	return ADDR(page);
}

/* The page tables are one set for all CPUs, so the window is mapped before they start. */
static void table_prepare(u32 cpu, u32 mask)
{
	struct work *work = &works[cpu];
	u32 i;

	memset(work, 0, sizeof(*work));
	work->mask = mask;
	work->found = DIGEST_START;
	work->lists = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	work->fields = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	work->large = large_pages;
	for (i = 0; i < 2; i++)
		work->page[i] = numbered_page(i);
	mem_map(VA_OWN(cpu), work->page[0], PTE_P | PTE_W);
	for (i = 0; i < 2 && mask & OPT_EPT; i++) {
		work->eptp[i] = ept_new();
		/* All tables are there before other CPUs run. */
		ept_entry(work->eptp[i], GPA_LARGE, 2);
	}
}

static void table_prepare_all(u32 mask)
{
	u32 i;

	large_pages = 0;
	if (mask & OPT_LARGE_PAGE) {
		large_pages = ADDR(mem_alloc(LARGE_SIZE, SIZE_2M));
		*(u32 *)(large_pages + SIZE_2M) = 1;
	}
	mem_map(VA_SWITCH, TEST_GPA, PTE_P | PTE_W);
	for (i = 0; i < 2; i++)
		mem_map_2m(VA_LARGE + i * SIZE_2M, GPA_LARGE + i * SIZE_2M, PTE_P | PTE_W);
	for (i = 0; i < nr_cpus; i++)
		table_prepare(i, mask);
}

/* Interrupts come when they like, and CPUIDs in between too. */
static void table_record(const struct work *work)
{
	print("# record %s: %x: vmcall=%u vmread=%u ept=%u rdmsr=%u wrmsr=%u found=%x\n",
	      ktap_suite, work->mask, work->exits[REASON_VMCALL], work->exits[REASON_VMREAD],
	      work->exits[REASON_EPT_VIOLATION], work->exits[REASON_RDMSR],
	      work->exits[REASON_WRMSR], work->found);
}

static void table_run(u32 mask)
{
	bool same = true, ended = true;
	u64 mark = mem_mark();
	u32 i;

	table_prepare_all(mask);
	cpu_call_all(table_cpu, NULL);
	for (i = 0; i < nr_cpus; i++) {
		ended = ended && works[i].ended;
		same = same && works[i].found == works[0].found && !works[i].wrong;
		if (works[i].wrong)
			print("# CPU %u: %u wrong, the first in %s(), line %u\n", i,
			      works[i].wrong, works[i].where, works[i].line);
	}
	table_record(&works[0]);
	ktap_check(ended, "0x%x: all guests end", mask);
	ktap_check(same, "0x%x: %u rounds, and all is as it has to be", mask, ROUNDS);
	mem_release(mark);
}

/* Return: NULL, or why not */
static const char *table_missing(u32 mask)
{
	u32 i;

	if (mask & ~OPT_ALL)
		return "no such option";
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!(mask & options[i].bit))
			continue;
		if ((mask & options[i].needs) != options[i].needs || mask & options[i].excludes)
			return "not together";
		if (!hv_can(F_SECONDARY_CONTROLS, options[i].secondary) ||
		    (options[i].ept && !(rdmsr(MSR_VMX_EPT_VPID) & options[i].ept)))
			return "not on this CPU";
	}
	/* One is used that the firmware has not used. */
	if (mask & OPT_MSR_LISTS && (rdmsr(MSR_MTRRCAP) & 0xff) < 7)
		return "too few MTRRs";
	return NULL;
}

static void table_one(u32 mask)
{
	const char *missing = table_missing(mask);

	if (missing)
		ktap_skip("0x%x: %s", mask, missing);
	else
		table_run(mask);
}

void test_nested_option_table(void)
{
	const char *missing = hv_missing();
	u32 i;

	if (missing) {
		ktap_skip("%s", missing);
		return;
	}
	hv_alloc_all();
	if (option_has("options")) {
		table_one(option_number("options", 0));
		return;
	}
	for (i = 0; i < ARRAY_SIZE(masks); i++)
		table_one(masks[i]);
}
