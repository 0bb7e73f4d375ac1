// SPDX-License-Identifier: GPL-2.0-only
/* guard: pages that are not written, registers that are not changed. lhv is the kernel. */
#include "../hv/hv.h"
#include "tests.h"
#include <linux/latch_guard.h>

#define VALUE		0x1122334455667788ull
#define POKE		(WINDOW_BASE + 0x10000)

INSN(guard_write, "movq %rdi, (%rdi)");
INSN(guard_cr0, "movq %rdi, %cr0");
INSN(guard_cr4, "movq %rdi, %cr4");
INSN(guard_lidt, "lidt (%rdi)");
INSN(guard_lgdt, "lgdt (%rdi)");
INSN(guard_tables, "subq $16, %rsp\n\tsgdt (%rsp)\n\tlgdt (%rsp)\n\tsidt (%rsp)\n\tlidt (%rsp)\n\t"
	"sldt %ax\n\tlldt %ax\n\tstr %ax\n\taddq $16, %rsp");

INSN(guard_efer, "movl $0xc0000080, %ecx\n\trdmsr");

static u64 frame;

static long call(u32 number, u64 a, u64 b, u64 c)
{
	struct hypercall call;

	return hypercall(&call, number, a, b, c) ? (long)call.rax : -1000;
}

static struct latch_guard_stat stat(void)
{
	struct latch_guard_stat stat = { .mode = ~0u };

	call(LATCH_HC_GUARD_STAT, ADDR(&stat), 0, 0);
	return stat;
}

/* A write through @linear: is it done, does it trap, is it counted? */
static void guard_try_write(u64 linear, bool done, u64 writes, const char *name)
{
	struct latch_guard_stat before = stat(), after;
	volatile u64 *value = PTR(WINDOW_BASE);
	u64 old = *value;
	u32 vector = try_insn(guard_write, linear);

	after = stat();
	ktap_check(vector == (done ? TRAP_NONE : VECTOR_GP) && *value == (done ? linear : old) &&
		   after.writes - before.writes == writes, "guard: %s: trap %u, %llu counted", name,
		   vector, after.writes - before.writes);
}

static void guard_try_register(const char *code, u64 arg, u32 vector, u64 count, const char *name)
{
	struct latch_guard_stat before = stat(), after;
	u32 found = try_insn(code, arg);

	after = stat();
	ktap_check(found == vector && after.registers - before.registers == count,
		   "guard: %s: trap %u, %llu counted", name, found,
		   after.registers - before.registers);
}

static void guard_try_msr(u32 msr, u64 value, u32 vector, u64 count, const char *name)
{
	struct latch_guard_stat before = stat(), after;
	u32 found = try_wrmsr(msr, value);

	after = stat();
	ktap_check(found == vector && after.registers - before.registers == count,
		   "guard: %s: trap %u, %llu counted", name, found,
		   after.registers - before.registers);
}

static void guard_prepare(void)
{
	frame = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
	memset(PTR(frame), 0, PAGE_SIZE);
	mem_map(WINDOW_BASE, frame, PTE_P | PTE_W);
	mem_map(POKE, frame, PTE_P | PTE_W);
	invlpg(WINDOW_BASE);
	invlpg(POKE);
}

static void guard_refusals(void)
{
	core_refused(LATCH_HC_GUARD_SET, 4, 0, EINVAL, "guard: an unknown mode");
	core_refused(LATCH_HC_GUARD_ADD, frame, 1, EINVAL, "guard: a page while it is off");
	core_refused(LATCH_HC_GUARD_STAT, 1ull << 63, 0, EFAULT, "guard: nowhere to tell");
	ktap_check(!call(LATCH_HC_GUARD_SET, LATCH_GUARD_AUDIT, 0, 0) &&
		   stat().mode == LATCH_GUARD_AUDIT && stat().cpus == nr_cpus,
		   "guard: audit, all CPUs");
	ktap_check(call(LATCH_HC_GUARD_ADD, frame + 8, 1, 0) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, frame, 0, 0) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, frame, 1ull << 52, 0) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, frame, 1, LATCH_GUARD_KINDS) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, launch_chunk(0), 1, 0) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, 0xfee00000, 1, 0) == -EINVAL &&
		   call(LATCH_HC_GUARD_ADD, ~0ull << 12, 2, 0) == -EINVAL,
		   "guard: what is no page of RAM");
	core_user_refused(LATCH_HC_GUARD_SET, "GUARD_SET");
	core_user_refused(LATCH_HC_GUARD_ADD, "GUARD_ADD");
	core_user_refused(LATCH_HC_GUARD_REMOVE, "GUARD_REMOVE");
	core_user_refused(LATCH_HC_GUARD_POKE, "GUARD_POKE");
	core_user_refused(LATCH_HC_GUARD_STAT, "GUARD_STAT");
	core_user_refused(LATCH_HC_GUARD_PIN, "GUARD_PIN");
}

static void guard_other_cpu(void *arg)
{
	guard_try_write(WINDOW_BASE, false, 1, arg);
}

static void guard_writes(void)
{
	guard_try_write(WINDOW_BASE, true, 0, "a page that nobody keeps");
	ktap_check(!call(LATCH_HC_GUARD_ADD, frame, 1, LATCH_GUARD_MODULE) &&
		   !call(LATCH_HC_GUARD_ADD, frame, 1, LATCH_GUARD_MODULE) &&
		   stat().pages[LATCH_GUARD_MODULE] == 1, "guard: a page is added, also twice");
	guard_try_write(WINDOW_BASE, true, 1, "audit: it is written, and told");
	ktap_check(!call(LATCH_HC_GUARD_POKE, mem_cr3, POKE, 0), "guard: where text is patched");
	guard_try_write(POKE, true, 0, "audit: through there it is not told");
	ktap_check(!call(LATCH_HC_GUARD_SET, LATCH_GUARD_ENFORCE, 0, 0), "guard: enforce");
	guard_try_write(WINDOW_BASE, false, 1, "it is not written");
	guard_try_write(WINDOW_BASE + PAGE_SIZE - 8, false, 1, "nor at its end");
	if (nr_cpus > 1)
		cpu_call(1, guard_other_cpu, "nor from another CPU");
	guard_try_write(POKE, true, 0, "through there it is");
	core_refused(LATCH_HC_GUARD_POKE, 0, 0, EPERM, "guard: another place to patch text");
	core_refused(LATCH_HC_GUARD_REMOVE, frame, 1, EPERM, "guard: to give a page back");
	ktap_check(!call(LATCH_HC_APP_SET, LATCH_APP_HELLO, 1, 0) &&
		   call(LATCH_HC_HELLO, WINDOW_BASE, 64, 0) == 0 &&
		   *(u64 *)PTR(WINDOW_BASE) == POKE &&
		   !call(LATCH_HC_APP_SET, LATCH_APP_HELLO, 0, 0),
		   "guard: core does not write it either");
}

static void guard_registers(u32 vector, u64 count, const char *mode)
{
	static u64 other_idt[512];
	struct table_register idtr = read_idtr(), gdtr = read_gdtr(), other = idtr;
	u64 lstar = rdmsr(MSR_LSTAR), efer = rdmsr(MSR_EFER);

	print("# %s\n", mode);
	memcpy(other_idt, idt, sizeof(other_idt));
	other.base = ADDR(other_idt);
	guard_try_register(guard_tables, 0, TRAP_NONE, 0, "descriptor tables as they are");
	guard_try_register(guard_lidt, ADDR(&other), vector, count, "another IDT");
	ktap_check((read_idtr().base == other.base) == (vector == TRAP_NONE),
		   "guard: IDTR afterwards");
	guard_try_register(guard_lidt, ADDR(&idtr), TRAP_NONE, vector == TRAP_NONE, "the IDT back");
	guard_try_register(guard_lgdt, ADDR(&gdtr), TRAP_NONE, 0, "the same GDT");
	guard_try_register(guard_cr0, read_cr0() & ~CR0_WP, vector, count, "CR0.WP off");
	ktap_check(!(read_cr0() & CR0_WP) == (vector == TRAP_NONE), "guard: CR0 afterwards");
	guard_try_register(guard_cr0, read_cr0() | CR0_WP, TRAP_NONE, 0, "CR0.WP on");
	guard_try_register(guard_cr0, read_cr0() ^ CR0_TS, TRAP_NONE, 0, "CR0.TS");
	guard_try_register(guard_cr0, read_cr0() ^ CR0_TS, TRAP_NONE, 0, "CR0.TS back");
	guard_try_register(guard_cr4, read_cr4() ^ CR4_PGE, TRAP_NONE, 0, "CR4.PGE");
	guard_try_register(guard_cr4, read_cr4() ^ CR4_PGE, TRAP_NONE, 0, "CR4.PGE back");
	guard_try_msr(MSR_LSTAR, lstar ^ 0x1000, vector, count, "LSTAR");
	ktap_check((rdmsr(MSR_LSTAR) == lstar) == (vector != TRAP_NONE), "guard: LSTAR afterwards");
	guard_try_msr(MSR_LSTAR, lstar, TRAP_NONE, vector == TRAP_NONE, "LSTAR back");
	guard_try_msr(MSR_LSTAR, 1ull << 63, VECTOR_GP, 0, "LSTAR not canonical");
	guard_try_msr(MSR_SYSENTER_EIP, 0x1234, vector, count, "SYSENTER_EIP");
	guard_try_msr(MSR_EFER, efer ^ EFER_SCE, vector, count, "EFER.SCE");
	ktap_check((rdmsr(MSR_EFER) == efer) == (vector != TRAP_NONE), "guard: EFER afterwards");
	guard_try_msr(MSR_EFER, efer, TRAP_NONE, vector == TRAP_NONE, "EFER back");
}

static bool no_syscall(u64 efer)
{
	return rdmsr(MSR_EFER) == (efer & ~EFER_SCE);
}

/* A hypervisor may have the MSRs of SYSCALL for its guest; but then there is no SYSCALL. */
static void guard_hypervisor(struct hv *hv)
{
	u64 lstar = rdmsr(MSR_LSTAR), efer = rdmsr(MSR_EFER);
	struct latch_guard_stat before;

	guard_try_msr(MSR_LSTAR, lstar ^ 0x1000, TRAP_NONE, 0, "LSTAR with VMX on");
	ktap_check(rdmsr(MSR_LSTAR) == (lstar ^ 0x1000), "guard: LSTAR is another");
	ktap_check(no_syscall(efer), "guard: without SYSCALL");
	guard_try_msr(MSR_EFER, efer, TRAP_NONE, 0, "EFER.SCE with another LSTAR");
	ktap_check(no_syscall(efer), "guard: still without");
	guard_try_msr(MSR_SYSENTER_EIP, 0x1234, VECTOR_GP, 1, "SYSENTER_EIP with VMX on");
	hv_vmcs_reset(hv);
	hv_guest(hv, guard_efer, 0);
	hv_run(hv);
	ktap_check(hv_ended(hv) && hv->regs.rax & EFER_SCE, "guard: its guest has SYSCALL");
	ktap_check(no_syscall(efer), "guard: and without behind its exit");
	guard_try_msr(MSR_LSTAR, lstar, TRAP_NONE, 0, "LSTAR back");
	ktap_check(rdmsr(MSR_EFER) == efer, "guard: with SYSCALL again");
	before = stat();
	wrmsr(MSR_LSTAR, lstar ^ 0x1000);
	hv_end(hv);
	ktap_check(rdmsr(MSR_LSTAR) == lstar && rdmsr(MSR_EFER) == efer,
		   "guard: LSTAR and EFER behind VMXOFF");
	ktap_check(stat().registers == before.registers + 1, "guard: that is counted");
}

static void guard_vmx(void)
{
	if (hv_missing())
		return;
	hv_alloc_all();
	if (hv_begin(hv_this()))
		guard_hypervisor(hv_this());
	else
		ktap_check(false, "guard: VMXON");
}

static void guard_smep(void)
{
	u64 cr4 = read_cr4();

	if (!(cr4 & CR4_SMEP))
		return;
	guard_try_register(guard_cr4, cr4 & ~CR4_SMEP, VECTOR_GP, 1, "CR4.SMEP off");
	ktap_check(read_cr4() == cr4, "guard: CR4 afterwards");
}

/** core_guards - the hypapp guard */
void core_guards(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), eip = rdmsr(MSR_SYSENTER_EIP);
	bool smep = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & BIT(7);

	ktap_check(!call(LATCH_HC_APP_SET, LATCH_APP_GUARD, 1, 0), "guard is switched on");
	write_cr0(cr0 | CR0_WP);
	write_cr4(cr4 | (smep ? CR4_SMEP : 0));
	guard_prepare();
	guard_refusals();
	guard_registers(TRAP_NONE, 1, "audit");
	guard_try_msr(MSR_SYSENTER_EIP, eip, TRAP_NONE, 1, "SYSENTER_EIP back");
	guard_writes();
	guard_registers(VECTOR_GP, 1, "enforce");
	guard_smep();
	guard_vmx();
	ktap_check(call(LATCH_HC_APP_SET, LATCH_APP_GUARD, 0, 0) == -EBUSY, "guard is in use");
	ktap_check(!call(LATCH_HC_GUARD_SET, LATCH_GUARD_OFF, 0, 0) && !stat().cpus &&
		   !stat().pages[LATCH_GUARD_MODULE], "guard: off");
	guard_try_write(WINDOW_BASE, true, 0, "the page is written");
	guard_try_register(guard_cr0, cr0, TRAP_NONE, 0, "CR0.WP");
	guard_try_msr(MSR_LSTAR, rdmsr(MSR_LSTAR), TRAP_NONE, 0, "LSTAR");
	ktap_check(!call(LATCH_HC_APP_SET, LATCH_APP_GUARD, 0, 0), "guard is switched off");
	write_cr0(cr0);
	write_cr4(cr4);
}
