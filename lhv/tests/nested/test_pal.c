// SPDX-License-Identifier: GPL-2.0-only
/*
 * PALs of programs in the guest. Only core has them, so there is nothing to compare: the
 * group's checks are among those of "core". The guest's CPL 3 is a program, its CPL 0 the
 * kernel that must not see its PAL, and neither must the hypervisor.
 */
#include "nested.h"
#include "../pal.h"

#define SECRET		PAL_SECRET
#define RESUME		(PAL_CODE + PAGE_SIZE - 1)	/* where an interrupted PAL seems to be */
#define NUMBERS		600
#define ROUNDS		20000
#define MAX_EXITS	4000
#define NMI_CALLS	50
/* Enough for a few VM entries */
#define TIMER_TICKS	20000

USER_INSN(npal_vmcall, "vmcall");
USER_INSN(npal_store, "movq %rsi, (%rdi)");

static u64 npal_numbers[1024] __attribute__((aligned(4096)));

/* What the guest has found, and what it is to do */
static struct {
	u64 number, argument, rsi;
	u64 result, handle, vector, rip;
	struct cpu *nmis_by;	/* who counts them */
	bool good[8];
} npal;

/* --- the guest */

/* Its physical address of the PAL's first page */
static u64 npal_first(void)
{
	return *mem_pte(PAL_CODE) & PTE_ADDR;
}

static u64 npal_hypercall(u64 number, u64 rdi, u64 rsi)
{
	struct user user = {
		.rip = ADDR(npal_vmcall) + USER_OFFSET, .cs = SEL_UCODE, .ss = SEL_UDATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF, .rax = number, .rdi = rdi, .rsi = rsi,
	};

	return user_run(&user) == IRQ_EXIT ? trap_last()->regs.rax : PAL_NO_RESULT;
}

static void guest_register(void *arg)
{
	(void)arg;
	npal.result = (u64)pal_register();
	npal.handle = pal_handle;
}

/* As the program itself, which has not been asked for its pages. */
static void guest_user_register(void *arg)
{
	(void)arg;
	npal.result = npal_hypercall(LATCH_HC_PAL_REGISTER, ADDR(&pal_desc) + USER_OFFSET, mem_cr3);
}

/* @rsi: added to the address of its first page */
static void guest_unregister(void *arg)
{
	struct hypercall call;

	(void)arg;
	npal.result = PAL_NO_RESULT;
	if (hypercall(&call, LATCH_HC_PAL_UNREGISTER, npal.handle, npal_first() + npal.rsi, 0))
		npal.result = call.rax;
}

static void guest_user_unregister(void *arg)
{
	(void)arg;
	npal.result = npal_hypercall(LATCH_HC_PAL_UNREGISTER, npal.handle, npal_first());
}

/* @rsi: of its pages one that the kernel has not pinned */
static void guest_register_other(void *arg)
{
	struct hypercall call;

	(void)arg;
	pal_expect_frames();
	pal_expected[npal.rsi] += PAGE_SIZE;
	npal.result = PAL_NO_RESULT;
	if (hypercall(&call, LATCH_HC_PAL_REGISTER, ADDR(&pal_desc), mem_cr3, ADDR(pal_expected)))
		npal.result = call.rax;
}

static void guest_version(void *arg)
{
	(void)arg;
	npal.result = npal_hypercall(LATCH_HC_VERSION, 0, 0);
	npal.handle = trap_last()->regs.rdi;
	npal.number = trap_last()->regs.rdx;
}

/* One call of entry point @number */
static void guest_call(void *arg)
{
	struct user user = pal_user((u32)npal.number, npal.argument, npal.rsi);

	(void)arg;
	npal.vector = user_run(&user);
	npal.result = trap_last()->regs.rax;
	npal.rip = trap_last()->regs.rip;
}

static void guest_calls(void *arg)
{
	bool *good = npal.good;

	(void)arg;
	guest_register(NULL);
	good[0] = !npal.result && npal.handle;
	good[1] = pal_call(PAL_ADD, 40, 2) == 42;
	good[2] = !pal_call(PAL_STORE, SECRET, 0) && pal_registers_clear();
	good[3] = pal_call(PAL_LOAD, 0, 0) == SECRET;
	good[4] = pal_call(PAL_WIDE, 0, 0) == 7 && trap_last()->regs.rdx == 9;
	*(u64 *)PTR(PAL_SHARED) = 5;
	good[5] = pal_call(PAL_COUNT, 0, 0) == 5 && *(u64 *)PTR(PAL_SHARED) == 6;
}

/* What its kernel can try */
static void guest_attacks(void *arg)
{
	struct user beside = pal_user(PAL_ADD, 1, 2), store = pal_user(PAL_ADD, PAL_DATA, 1);
	bool *good = npal.good;

	(void)arg;
	good[0] = !*(u64 *)PTR(PAL_DATA) && !*(u64 *)PTR(PAL_CODE);
	*(u64 *)PTR(PAL_DATA) = 1;
	*(u64 *)PTR(pal_frame[2]) = 2;
	store.rip = ADDR(npal_store) + USER_OFFSET;
	good[1] = user_run(&store) == IRQ_EXIT && pal_call(PAL_LOAD, 0, 0) == SECRET;
	beside.rax++;
	good[2] = user_run(&beside) == VECTOR_GP && trap_last()->regs.rip == beside.rax;
	beside.rax = RESUME;
	good[3] = user_run(&beside) == VECTOR_GP;
	mem_map(PAL_SHARED + PAGE_SIZE, pal_frame[0], PTE_P | PTE_U);
	beside.rax = PAL_SHARED + PAGE_SIZE;
	good[4] = user_run(&beside) == VECTOR_GP;
	mem_map(PAL_DATA, pal_frame[10], PTE_P | PTE_W | PTE_NX | PTE_U);
	good[5] = pal_call(PAL_LOAD, 0, 0) == SECRET;
	mem_map(PAL_DATA, pal_frame[2], PTE_P | PTE_W | PTE_NX | PTE_U);
}

static void guest_sum(void *arg)
{
	(void)arg;
	npal.result = pal_call(PAL_DOUBLE, ADDR(npal_numbers) + USER_OFFSET, NUMBERS);
}

static void guest_spin(void *arg)
{
	(void)arg;
	npal.result = pal_call(PAL_SPIN, ROUNDS, SECRET);
}

static void guest_timer(void *arg)
{
	pal_timer_start(12000);
	guest_spin(arg);
	pal_timer_stop();
}

/* Calls while another CPU sends NMIs; the first comes here, and so does the last. */
static void guest_nmis(void *arg)
{
	u32 i;

	(void)arg;
	cpu_call_start(1, pal_send_nmis, npal.nmis_by);
	npal.good[0] = true;
	for (i = 0; i < NMI_CALLS; i++)
		npal.good[0] = npal.good[0] && pal_call(PAL_SPIN, 2000, SECRET) == 4 * SECRET;
	WRITE_ONCE(pal_stop, 1);
	while (!cpu_call_finished(1))
		cpu_relax();
}

/* --- the hypervisor */

static u64 npal_granted[LATCH_PAL_PAGES] __attribute__((aligned(4096)));
static u32 npal_pages;	/* of them */
static u64 npal_eptp;

static long npal_grants(u64 number, u32 first)
{
	struct hypercall call;

	if (!hypercall(&call, number, ADDR(&npal_granted[first]), npal_pages - first, 0))
		return -1000;
	return (long)call.rax;
}

/* To the guest's function, which comes back without an exit of L1's */
static bool npal_run(struct hv *hv, void (*code)(void *arg))
{
	memset(npal.good, 0, sizeof(npal.good));
	npal.result = PAL_NO_RESULT;
	hv_guest(hv, (const void *)code, 0);
	hv_run(hv);
	return hv_ended(hv);
}

/* An EPT, and memory for a PAL that the guest may register */
static u64 npal_begin(void)
{
	npal_eptp = hv_ept_enable();
	memset(&npal, 0, sizeof(npal));
	memset(pal_frame, 0, sizeof(pal_frame));
	pal_prepare(0);
	npal_pages = pal_expect_frames();
	memcpy(npal_granted, pal_expected, sizeof(npal_granted));
	if (npal_grants(LATCH_HC_PAL_GRANT, 0))
		lhv_panic("the frames are not granted");
	return npal_eptp;
}

static void npal_end(void)
{
	ktap_check(!npal_grants(LATCH_HC_PAL_REVOKE, 0), "revoked");
	memset(pal_frame, 0, sizeof(pal_frame));
}

static u64 npal_state(u64 handle)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_PAL_STAT, handle, 0, 0) && !call.rax ? call.rdi : ~0ull;
}

static bool npal_is_zero(u64 frame)
{
	const u64 *word = PTR(frame);
	u32 i;

	for (i = 0; i < PAGE_SIZE / 8; i++)
		if (word[i])
			return false;
	return true;
}

static void npal_look(void *arg)
{
	if (!npal_is_zero(pal_frame[2]) || !npal_is_zero(pal_frame[0]))
		*(u32 *)arg += 1;
}

static void npal_calls(struct hv *hv)
{
	static const char *const name[] = {
		"registered", "it adds", "it keeps a secret, also in registers", "and has it still",
		"a wide result", "shared memory",
	};
	u32 i, seen = 0;

	npal_begin();
	ktap_check(npal_run(hv, guest_calls), "no exit");
	for (i = 0; i < ARRAY_SIZE(name); i++)
		ktap_check(npal.good[i], "%s", name[i]);
	for (i = 0; i < nr_cpus; i++)
		cpu_call(i, npal_look, &seen);
	ktap_check(!seen, "its hypervisor sees zeros, on all CPUs");
	*(u64 *)PTR(pal_frame[2]) = 1;
	npal.number = PAL_LOAD;
	ktap_check(npal_run(hv, guest_call) && npal.result == SECRET && !*(u64 *)PTR(pal_frame[2]),
		   "and does not write to it");
	ktap_check(npal_run(hv, guest_unregister) && !npal.result, "unregistered");
	ktap_check(npal_state(npal.handle) == ~0ull && npal_is_zero(pal_frame[2]),
		   "nothing is left of it");
	ktap_check(*(u8 *)PTR(pal_frame[0]) && npal_run(hv, guest_unregister) &&
		   npal.result == ERRNO(ENOENT), "but its code");
	npal_end();
}

/* The entry for the page table that PAL_CODE is in */
static u64 *npal_pde(void)
{
	u64 *pdpt = PTR(*(u64 *)PTR(mem_cr3) & PTE_ADDR);
	u64 *directory = PTR(pdpt[PAL_CODE >> 30] & PTE_ADDR);

	return &directory[PAL_CODE >> 21 & 511];
}

/* The guest's physical addresses, of its page table too, are not those of the hypervisor. */
static void npal_addresses(struct hv *hv)
{
	u64 eptp = npal_begin(), *table = mem_pte(PAL_CODE), *pde = npal_pde(), old = *pde, gpa;
	u32 i, good = 0;

	for (i = 0; i < ARRAY_SIZE(pal_frame); i++) {
		gpa = TEST_GPA + i * PAGE_SIZE;
		if (!pal_frame[i])
			continue;
		table[i] = gpa | (table[i] & ~PTE_ADDR);
		ept_map(eptp, gpa, pal_frame[i], 1, EPT_RWX | EPT_MEM_WB);
	}
	gpa = TEST_GPA + ARRAY_SIZE(pal_frame) * PAGE_SIZE;
	ept_map(eptp, gpa, ADDR(table) & PTE_ADDR, 1, EPT_RWX | EPT_MEM_WB);
	*pde = gpa | (old & ~PTE_ADDR);
	/* For mem_pte(), in the guest */
	mem_map(gpa, gpa, PTE_P);
	pal_desc.entry[PAL_DOUBLE].arg[0].size = 8;
	ktap_check(npal_run(hv, guest_calls), "no exit");
	for (i = 0; i < 6; i++)
		good += npal.good[i];
	ktap_check(good == 6, "%u of 6 calls are right", good);
	npal.number = PAL_DOUBLE;
	npal.argument = PAL_SHARED;
	npal.rsi = 1;
	ktap_check(npal_run(hv, guest_call) && npal.result == 6 && *(u64 *)PTR(pal_frame[10]) == 12,
		   "an argument");
	npal.rsi = 0;
	ktap_check(npal_is_zero(pal_frame[2]) && npal_run(hv, guest_unregister) && !npal.result,
		   "unregistered");
	*pde = old;
	mem_map(gpa, 0, 0);
	npal_end();
}

static u64 npal_violations(void)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_STAT, this_cpu()->index, LATCH_STAT_L2_VIOLATIONS, 0) &&
	       !call.rax ? call.rdi : 0;
}

static void npal_attacks(struct hv *hv)
{
	static const char *const name[] = {
		"its kernel reads zeros", "nothing writes to it", "a jump beside an entry point",
		"to where interrupted PALs go on", "to its code at another address",
		"its own page tables do not change",
	};
	u64 violations;
	u32 i;

	npal_begin();
	npal_run(hv, guest_calls);
	violations = npal_violations();
	ktap_check(npal_run(hv, guest_attacks), "no exit");
	ktap_check(npal_violations() > violations, "counted as EPT violations of core's");
	for (i = 0; i < ARRAY_SIZE(name); i++)
		ktap_check(npal.good[i], "%s", name[i]);
	npal_end();
}

/* Has the hypervisor something of the PAL, at an exit from inside? */
static bool npal_leaks(const struct hv_regs *r)
{
	return r->rax | r->rcx | r->rdx | r->rsi | r->rdi | r->r8 | r->r9 | r->r10 | r->r11 ||
	       r->r14 == SECRET;
}

/* Exits of one reason until the guest's function has ended. Return: those in the PAL. */
static u32 npal_interrupted(struct hv *hv, u32 reason, const char *name)
{
	u32 inside = 0, leaks = 0, wrong = 0, i;
	u64 xmm5;

	for (i = 0; i < MAX_EXITS && !hv_ended(hv); i++) {
		if (hv->exit.reason != reason)
			wrong++;
		asm volatile("movq %%xmm5, %0" : "=r" (xmm5));
		if (hv->exit.rip == RESUME && ++inside)
			leaks += npal_leaks(&hv->regs) || xmm5 == SECRET ||
				 vmread(F_GUEST_CR3) != mem_cr3;
		else if (hv->exit.rip - PAL_CODE < PAGE_SIZE)
			leaks += hv->exit.rip % 64 != 0;
		irq_enable();
		cpu_relax();
		irq_disable();
		hv_run(hv);
	}
	ktap_check(hv_ended(hv) && !wrong, "%s: %u exits are others", name, wrong);
	ktap_check(inside && !leaks, "%s: nothing of it is seen", name);
	return inside;
}

static void npal_external(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_register);
	hv_set(F_PIN_CONTROLS, PIN_EXTERNAL);
	/* In an emulator all CPUs share the time: with less the guest gets nowhere. */
	pal_timer_start(20000 * nr_cpus);
	npal_run(hv, guest_spin);
	npal_interrupted(hv, REASON_EXTERNAL, "interrupts are the hypervisor's");
	pal_timer_stop();
	ktap_check(npal.result == 4 * SECRET, "it goes on");
	hv_clear(F_PIN_CONTROLS, PIN_EXTERNAL);
	ktap_check(npal_run(hv, guest_timer) && npal.result == 4 * SECRET && pal_irqs > 2 &&
		   !pal_seen, "interrupts are the guest's");
	npal_end();
}

static void npal_set_timer(void)
{
	hv_set(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	vmwrite(F_PREEMPTION_TIMER, TIMER_TICKS >> (rdmsr(MSR_VMX_MISC) & 31));
}

static void npal_timer(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_register);
	npal_set_timer();
	npal_run(hv, guest_spin);
	npal_interrupted(hv, REASON_TIMER, "the preemption timer");
	ktap_check(npal.result == 4 * SECRET, "it goes on");
	npal_end();
}

/* As many exits as it has instructions */
static void npal_trap_flag(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_register);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	npal.number = PAL_WIDE;
	npal_run(hv, guest_call);
	ktap_check(npal_interrupted(hv, REASON_MTF, "the monitor trap flag") == 3,
		   "3 instructions");
	ktap_check(npal.result == 7 && npal.vector == IRQ_EXIT, "it comes back");
	npal_end();
}

/* Its faults are those of any program: the hypervisor's, if it wants them. */
static void npal_faults(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_register);
	npal.number = PAL_UD;
	ktap_check(npal_run(hv, guest_call) && npal.vector == VECTOR_UD && npal.rip == RESUME,
		   "a fault in it");
	npal_run(hv, guest_unregister);
	npal_run(hv, guest_register);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_UD) | BIT(VECTOR_PF));
	npal_run(hv, guest_call);
	ktap_check(hv->exit.reason == REASON_EXCEPTION && hv->exit.rip == RESUME &&
		   hv->exit.event == EVENT(EVENT_HARD, VECTOR_UD) && !npal_leaks(&hv->regs),
		   "a fault that is the hypervisor's");
	vmwrite(F_ENTRY_EVENT, hv->exit.event);
	hv_run(hv);
	ktap_check(hv_ended(hv) && npal.vector == VECTOR_UD, "given back");
	npal_run(hv, guest_unregister);
	npal_run(hv, guest_register);
	npal.number = PAL_WRITE;
	npal.argument = PAL_CODE + 0x123;
	npal_run(hv, guest_call);
	ktap_check(hv->exit.reason == REASON_EXCEPTION && hv->exit.qualification == PAL_CODE,
		   "a page fault tells the page: %llx", hv->exit.qualification);
	npal_end();
}

static void npal_intercepted(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_register);
	npal.number = PAL_VMCALL;
	npal.argument = LATCH_HC_PAL_PUBLIC_KEY;
	npal.rsi = PAL_SHARED + 64;
	ktap_check(npal_run(hv, guest_call) && npal.vector == IRQ_EXIT &&
		   (npal.result == ERRNO(ENODEV) ||
		    (!npal.result && *(u8 *)PTR(PAL_SHARED + 64) == 4)), "it has services");
	npal.argument = LATCH_HC_PAL_UNREGISTER;
	npal.rsi = npal.handle;
	ktap_check(npal_run(hv, guest_call) && npal.result == ERRNO(EPERM),
		   "it does not unregister itself");
	npal.argument = 1;
	ktap_check(npal_run(hv, guest_call) && npal.vector == VECTOR_GP &&
		   npal_state(npal.handle) == LATCH_PAL_DEAD, "another VMCALL is its end");
	npal_end();
}

/* A write, of a linear address; what the guest's tables say of it is left out. */
static bool npal_violates(const struct hv *hv, u64 page, u64 rights)
{
	return hv->exit.reason == REASON_EPT_VIOLATION && hv->exit.physical == page &&
	       hv->exit.linear == page + USER_OFFSET &&
	       (hv->exit.qualification & ~0xe00ull) == (BIT(1) | rights << 3 | BIT(7) | BIT(8));
}

/* Pages of an argument that the hypervisor has taken away */
static void npal_arguments(struct hv *hv)
{
	u64 eptp = npal_begin(), page = ADDR(npal_numbers), *entry, old, sum = 0, i;
	bool good = true;

	npal_run(hv, guest_register);
	for (i = 0; i < NUMBERS; i++)
		sum += npal_numbers[i] = i * 3;
	entry = ept_entry(eptp, page, 1);
	old = *entry;
	*entry = 0;
	invept(INVEPT_ALL, 0, 0);
	npal_run(hv, guest_sum);
	ktap_check(npal_violates(hv, page, 0), "no page: %llx at %llx, %llx",
		   hv->exit.qualification, hv->exit.physical - page, hv->exit.linear - page);
	*entry = old & ~EPT_W;
	hv_run(hv);
	ktap_check(npal_violates(hv, page, EPT_R | EPT_X), "a page to read: %llx",
		   hv->exit.qualification);
	ktap_check(hv->exit.rip == PAL_CODE + 64 * PAL_DOUBLE, "the call has not begun");
	*entry = old;
	invept(INVEPT_ALL, 0, 0);
	hv_run(hv);
	for (i = 0; i < NUMBERS; i++)
		good = good && npal_numbers[i] == i * 6;
	ktap_check(hv_ended(hv) && npal.result == sum && good, "the array is doubled");
	npal_end();
}

/* Interrupted, and the hypervisor takes its memory back */
static void npal_revoked(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_calls);
	npal_set_timer();
	npal_run(hv, guest_spin);
	while (hv->exit.rip != RESUME && !hv_ended(hv))
		hv_run(hv);
	ktap_check(npal_state(npal.handle) == LATCH_PAL_PREEMPTED, "it is interrupted");
	ktap_check(!npal_grants(LATCH_HC_PAL_REVOKE, 5) && npal_state(npal.handle) == ~0ull,
		   "its shared page is revoked: it ends");
	ktap_check(npal_is_zero(pal_frame[2]) && npal_is_zero(pal_frame[8]), "and is wiped");
	*(u64 *)PTR(pal_frame[2]) = SECRET;
	ktap_check(*(u64 *)PTR(pal_frame[2]) == SECRET, "the memory is the hypervisor's again");
	hv_clear(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	hv_run(hv);
	ktap_check(hv_ended(hv) && npal.result == PAL_NO_RESULT, "the call does not come back");
	npal_end();
}

/* The VMCALL of the guest's program: is it an exit? */
static bool npal_is_exit(struct hv *hv, void (*code)(void *arg))
{
	bool good;

	npal_run(hv, code);
	good = hv->exit.reason == REASON_VMCALL && hv->exit.rip == ADDR(npal_vmcall) + USER_OFFSET;
	hv_skip(hv);
	hv_run(hv);
	return good && hv_ended(hv);
}

static void guest_grant(void *arg)
{
	(void)arg;
	npal.result = npal_hypercall(LATCH_HC_PAL_GRANT, ADDR(npal_granted) + USER_OFFSET, 1);
}

static void npal_refusals(struct hv *hv)
{
	npal_begin();
	ktap_check(npal_grants(LATCH_HC_PAL_GRANT, 0) == -(long)EBUSY, "granted twice");
	core_refused(LATCH_HC_PAL_GRANT, ADDR(npal_granted), 0, EINVAL, "GRANT of nothing");
	core_refused(LATCH_HC_PAL_GRANT, ADDR(npal_granted), LATCH_PAL_GRANT_MAX + 1, EINVAL,
		     "GRANT of too much");
	core_refused(LATCH_HC_PAL_REVOKE, TEST_VA, 1, EFAULT, "REVOKE of an address");
	npal_granted[0] = launch_chunk(0);
	core_refused(LATCH_HC_PAL_GRANT, ADDR(npal_granted), 1, EINVAL, "GRANT of core's memory");
	npal_granted[0] = pal_frame[0];
	ktap_check(npal_is_exit(hv, guest_grant), "a guest grants nothing");
	ktap_check(npal_run(hv, guest_user_register) && npal.result == ERRNO(EPERM),
		   "its programs register nothing");
	npal.rsi = 1;
	ktap_check(npal_run(hv, guest_register_other) && npal.result == ERRNO(EFAULT),
		   "a page that its kernel has not pinned");
	npal.rsi = 0;
	pal_desc.flags = LATCH_PAL_FAST;
	ktap_check(npal_run(hv, guest_register) && npal.result == ERRNO(EINVAL), "a fast one");
	pal_desc.flags = 0;
	ktap_check(!npal_grants(LATCH_HC_PAL_REVOKE, 1), "the first page is left");
	ktap_check(npal_run(hv, guest_register) && npal.result == ERRNO(EACCES),
		   "a page that is not granted");
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	ktap_check(npal_run(hv, guest_register) && npal.result == ERRNO(ENODEV), "no EPT");
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	ktap_check(npal_run(hv, guest_version) && !npal.result &&
		   npal.handle == LATCH_ABI_VERSION && npal.number & LATCH_VERSION_GUEST,
		   "VERSION tells what there is");
	npal_end();
	ktap_check(npal_is_exit(hv, guest_user_register) && npal_is_exit(hv, guest_version),
		   "nothing is granted: exits");
}

/* Page tables of another process, with the same kernel in them */
static u64 npal_other_cr3(void)
{
	static u64 table[512] __attribute__((aligned(4096)));

	memcpy(table, PTR(mem_cr3), sizeof(table));
	return ADDR(table);
}

/* Only the guest that has its memory may end a PAL, and only its kernel. */
static void npal_owner(struct hv *hv)
{
	npal_begin();
	npal_run(hv, guest_calls);
	npal.rsi = PAGE_SIZE;
	ktap_check(npal_run(hv, guest_unregister) && npal.result == ERRNO(ENOENT),
		   "unregistered by another guest");
	npal.rsi = 0;
	ktap_check(npal_run(hv, guest_user_unregister) && npal.result == ERRNO(EPERM),
		   "by its program");
	vmwrite(F_GUEST_CR3, npal_other_cr3());
	ktap_check(npal_state(npal.handle) == LATCH_PAL_IDLE && npal_run(hv, guest_unregister) &&
		   !npal.result, "by its kernel, in another process");
	vmwrite(F_GUEST_CR3, mem_cr3);
	npal_end();
}

/* A page of the hypercall's that the hypervisor has taken away: it is asked for it. */
static void npal_missed(struct hv *hv, void (*code)(void *arg), u64 page, const char *name)
{
	u64 *entry = ept_entry(npal_eptp, page, 1), old = *entry;

	*entry = 0;
	invept(INVEPT_ALL, 0, 0);
	npal_run(hv, code);
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION && hv->exit.physical == page &&
		   hv->exit.qualification == 1, "%s: %llx at %llx", name, hv->exit.qualification,
		   hv->exit.physical - page);
	*entry = old;
	hv_run(hv);
	ktap_check(hv_ended(hv) && !npal.result, "%s: and then goes on", name);
}

static void npal_asked(struct hv *hv)
{
	npal_begin();
	npal_missed(hv, guest_register, pal_frame[0], "to register");
	npal_missed(hv, guest_unregister, pal_frame[0], "to unregister");
	npal_end();
}

/* A PAL of the hypervisor's world is not the guest's, with EPT or without. */
static void npal_other(struct hv *hv)
{
	npal_begin();
	ktap_check(!pal_register(), "a PAL of the hypervisor's");
	npal.number = PAL_WIDE;
	npal.handle = pal_handle;
	ktap_check(npal_run(hv, guest_call) && npal.vector == VECTOR_GP, "called by the guest");
	ktap_check(npal_run(hv, guest_unregister) && npal.result == ERRNO(ENOENT),
		   "unregistered by it");
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	ktap_check(npal_run(hv, guest_call) && npal.vector == VECTOR_GP, "called without EPT");
	ktap_check(pal_call(PAL_ADD, 1, 2) == 3 && !pal_unregister(), "it works");
	npal_end();
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_EPT);
	npal_begin();
	npal_run(hv, guest_calls);
	ktap_check(npal.good[1] && pal_call(PAL_WIDE, 0, 0) == PAL_NO_RESULT,
		   "the guest's is not the hypervisor's");
	npal_end();
}

/* --- more CPUs */

/**
 * struct npal_moved - a guest that goes from CPU to CPU
 * @hv: whose guest it is
 * @inside: exits from inside of the PAL
 */
struct npal_moved {
	struct hv *hv;
	u32 inside;
};

/* Two exits of it, with this CPU's host state */
static void npal_step(struct npal_moved *moved, struct hv *here)
{
	struct hv *hv = moved->hv;
	u32 i;

	vmptrld(ADDR(hv->vmcs));
	vmwrite(F_HOST_TR_BASE, ADDR(&here->host->tss));
	vmwrite(F_HOST_GDTR_BASE, ADDR(here->host->gdt));
	vmwrite(F_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(F_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	hv->launched = false;
	for (i = 0; i < 2 && !hv_ended(hv); i++) {
		hv_run(hv);
		moved->inside += hv->exit.rip == RESUME && !npal_leaks(&hv->regs);
	}
	vmclear(ADDR(hv->vmcs));
}

static void npal_step_there(void *moved)
{
	struct hv *hv = hv_this();

	irq_disable();
	if (hv_begin(hv)) {
		npal_step(moved, hv);
		hv_end(hv);
	}
	irq_enable();
}

static void npal_moves(struct hv *hv)
{
	struct npal_moved moved = { .hv = hv };
	u32 rounds = 0;

	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	npal_begin();
	npal_run(hv, guest_register);
	npal_set_timer();
	npal_run(hv, guest_spin);
	vmclear(ADDR(hv->vmcs));
	for (; !hv_ended(hv) && rounds < MAX_EXITS; rounds++) {
		cpu_call(1, npal_step_there, &moved);
		irq_disable();
		npal_step(&moved, hv);
	}
	ktap_check(rounds > 1 && moved.inside > 2 && npal.result == 4 * SECRET,
		   "interrupted here, it goes on there");
	npal_end();
	vmptrld(ADDR(hv->vmcs));
}

/* Return: NMIs that were sent. @target is who counts them. */
static u64 npal_send_nmis(struct hv *hv, struct cpu *target, u32 *inside, u32 *leaks)
{
	pal_stop = 0;
	pal_sent = 0;
	npal.nmis_by = target;
	npal_run(hv, guest_nmis);
	while (hv->exit.reason == REASON_EXCEPTION && EVENT_TYPE(hv->exit.event) == EVENT_NMI) {
		if (hv->exit.rip == RESUME && ++*inside)
			*leaks += npal_leaks(&hv->regs);
		target->nmis++;
		hv_unblock_nmis();
		hv_run(hv);
	}
	return pal_sent;
}

static void npal_nmis(struct hv *hv)
{
	u32 inside = 0, leaks = 0;
	u64 before, sent;

	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	npal_begin();
	npal_run(hv, guest_register);
	before = hv->guest->nmis;
	sent = npal_send_nmis(hv, hv->guest, &inside, &leaks);
	ktap_check(hv_ended(hv) && npal.good[0] && sent > 10 &&
		   hv->guest->nmis - before == sent, "the guest's: none lost, none twice");
	hv_set(F_PIN_CONTROLS, PIN_NMI);
	before = hv->host->nmis;
	sent = npal_send_nmis(hv, hv->host, &inside, &leaks);
	ktap_check(hv_ended(hv) && npal.good[0] && sent > 10 && hv->host->nmis - before == sent,
		   "the hypervisor's: none lost, none twice");
	ktap_check(inside && !leaks, "nothing of the PAL is seen");
	npal_end();
}

static void npal_forever(void *arg)
{
	struct hv *hv = hv_this();

	irq_disable();
	if (hv_begin(hv)) {
		hv_vmcs_reset(hv);
		hv_ept_enable();
		npal_run(hv, guest_register);
		npal.number = PAL_FOREVER;
		*(bool *)arg = npal_run(hv, guest_call);
		hv_end(hv);
	}
	irq_enable();
}

static void npal_revoked_there(struct hv *hv)
{
	u64 *shared = PTR(PAL_SHARED);
	bool ended = false;

	(void)hv;
	if (nr_cpus < 2) {
		ktap_skip("one CPU");
		return;
	}
	npal_begin();
	cpu_call_start(1, npal_forever, &ended);
	while (READ_ONCE(*shared) < 100)
		cpu_relax();
	ktap_check(npal_state(npal.handle) == LATCH_PAL_RUNNING, "it runs on another CPU");
	npal_end();
	while (!cpu_call_finished(1))
		cpu_relax();
	ktap_check(ended && npal.vector == VECTOR_GP, "which gets #GP");
}

static const struct nested_case npal_cases[] = {
	CASE("calls", npal_calls),
	CASE("addresses", npal_addresses),
	CASE("attacks", npal_attacks),
	CASE("interrupts", npal_external),
	CASE("preemption timer", npal_timer, .later_pin = PIN_PREEMPTION_TIMER),
	CASE("monitor trap flag", npal_trap_flag, .later_primary = PRIMARY_MTF),
	CASE("faults", npal_faults),
	CASE("interceptions", npal_intercepted),
	CASE("arguments", npal_arguments),
	CASE("revoked", npal_revoked, .later_pin = PIN_PREEMPTION_TIMER),
	CASE("refusals", npal_refusals),
	CASE("owner", npal_owner),
	CASE("asked for a page", npal_asked),
	CASE("another world", npal_other),
	CASE("another CPU", npal_moves, .later_pin = PIN_PREEMPTION_TIMER),
	CASE("NMIs", npal_nmis),
	CASE("revoked there", npal_revoked_there),
};

void test_nested_pal(void)
{
	u32 x87 = 1, all = cpuid(0xd, 0).eax;

	ktap_suite = "core: nested-pal";
	if (!launch_active || !(read_cr4() & CR4_OSXSAVE) || hv_missing() ||
	    !(rdmsr(MSR_VMX_PRIMARY) >> 32 & PRIMARY_SECONDARY) ||
	    !hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT)) {
		ktap_skip("no core, or no XSAVE, or no EPT");
		return;
	}
	cpu_call_all(pal_set_xcr0, &all);
	ktap_check(pal_switch(1), "pal is on");
	nested_run(npal_cases, ARRAY_SIZE(npal_cases));
	ktap_check(pal_switch(0), "pal is off");
	cpu_call_all(pal_set_xcr0, &x87);
}
