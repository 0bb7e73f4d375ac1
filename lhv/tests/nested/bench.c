// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measurements of a hypervisor's own: what its guest's exits cost, and INVEPT. On the bare
 * CPU, and with core underneath.
 */
#include "nested.h"

#define ROUNDS		1000
#define MAX_PAGES	8192u
#define WARM_UP		40
/* RAM that nothing uses, behind what is allocated in between */
#define REGION		(32ull << 20)

INSN(bench_cpuid, "1:\tcpuid\n\tjmp 1b");
INSN(bench_rdmsr, "movl $0xc0000081, %ecx\n1:\trdmsr\n\tjmp 1b");
INSN(bench_vmcall, "1:\tvmcall\n\tjmp 1b");
INSN(bench_touch, "1:\tmovb (%rdi), %al\n\taddq $4096, %rdi\n\tjmp 1b");
INSN(bench_sweep, "1:\tmovb (%rdi), %al\n\taddq $4096, %rdi\n\tdec %rsi\n\tjnz 1b\n"
	"2:\tvmcall\n\tjmp 2b");

static void go_on(struct hv *hv, u32 reason)
{
	if (hv_enter(&hv->regs, hv->launched))
		lhv_panic("bench: VM entry fails");
	hv->launched = true;
	if (vmread(F_EXIT_REASON) != reason)
		lhv_panic("bench: exit %llu instead of %u", vmread(F_EXIT_REASON), reason);
}

/* As short as a hypervisor can be. */
static void skip(void)
{
	vmwrite(F_GUEST_RIP, vmread(F_GUEST_RIP) + vmread(F_EXIT_LENGTH));
}

static void bench_exits(struct hv *hv, const char *name, const char *code, u32 reason)
{
	u64 start;
	u32 i;

	hv_guest(hv, code, 0);
	go_on(hv, reason);
	start = rdtsc();
	for (i = 0; i < ROUNDS; i++) {
		skip();
		go_on(hv, reason);
	}
	print("bench l2_%s %llu\n", name, (rdtsc() - start) / ROUNDS);
}

/* Pages that the guest has never used: the hypervisor maps each when it is asked for. */
static void bench_violations(struct hv *hv, u64 eptp)
{
	u64 start;
	u32 i;

	for (i = 0; i <= ROUNDS; i++)
		*ept_entry(eptp, REGION + i * PAGE_SIZE, 1) &= ~EPT_RWX;
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, bench_touch, REGION);
	go_on(hv, REASON_EPT_VIOLATION);
	start = rdtsc();
	for (i = 0; i < ROUNDS; i++) {
		*ept_entry(eptp, REGION + i * PAGE_SIZE, 1) |= EPT_RWX;
		go_on(hv, REASON_EPT_VIOLATION);
	}
	print("bench l2_ept_violation %llu\n", (rdtsc() - start) / ROUNDS);
}

/*
 * From a change, if @entry is to have one, and INVEPT to the next exit; the guest does
 * nothing else.
 */
static u64 invept_ticks(struct hv *hv, bool flush, u64 *entry)
{
	u64 start = rdtsc();

	if (entry)
		*entry ^= EPT_W;
	if (flush)
		invept(INVEPT_ALL, 0, 0);
	skip();
	go_on(hv, REASON_VMCALL);
	return rdtsc() - start;
}

/* @pages: how many the guest has used, each mapped by an entry of its own */
static void bench_invept(struct hv *hv, u64 eptp, u32 pages)
{
	u64 *entry = ept_entry(eptp, REGION, 1), none, same, changed;
	u32 i;

	for (i = 0; i < pages; i++)
		*ept_entry(eptp, REGION + i * PAGE_SIZE, 1) |= EPT_RWX;
	hv_guest(hv, bench_sweep, REGION);
	hv->regs.rsi = pages;
	go_on(hv, REASON_VMCALL);
	print("bench invept_first_%u %llu\n", pages, invept_ticks(hv, true, NULL));
	/* Whoever caches translations has learnt by then what changes, and what does not. */
	for (i = 0; i < WARM_UP; i++)
		invept_ticks(hv, true, NULL);
	none = invept_ticks(hv, false, NULL);
	same = invept_ticks(hv, true, NULL);
	changed = invept_ticks(hv, true, entry);
	print("bench invept_same_%u %llu\n", pages, same - none);
	print("bench invept_changed_%u %llu\n", pages, changed - none);
}

static void bench_on_this(void *arg)
{
	struct hv *hv = hv_this();
	u64 eptp;
	u32 pages;

	(void)arg;
	if (!hv_begin(hv))
		lhv_panic("bench: VMXON fails");
	hv_vmcs_reset(hv);
	eptp = hv_ept_enable();
	bench_exits(hv, "cpuid", bench_cpuid, REASON_CPUID);
	memset(hv->msr_bitmap, 0xff, PAGE_SIZE);
	bench_exits(hv, "rdmsr", bench_rdmsr, REASON_RDMSR);
	bench_exits(hv, "vmcall", bench_vmcall, REASON_VMCALL);
	for (pages = 16; pages <= MAX_PAGES; pages *= 8)
		bench_invept(hv, eptp, pages);
	bench_violations(hv, eptp);
	hv_end(hv);
}

/** nested_bench - measure, if this CPU has VMX with EPT */
void nested_bench(void)
{
	u64 mark = mem_mark();

	if (hv_missing() || !hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT))
		return;
	hv_alloc_all();
	cpu_call(0, bench_on_this, NULL);
	mem_release(mark);
}
