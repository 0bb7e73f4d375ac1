// SPDX-License-Identifier: GPL-2.0-only
/*
 * When core itself fails it says so: the cause, the guest's registers, the VMCS
 * and the last exits go to the log, which Linux can read whatever comes next.
 * Then the CPU is given back to the guest natively, if the guest was in 64-bit
 * kernel code (from other code there is no way through the trampoline page);
 * otherwise it is parked.
 */
#include "core.h"
#include "crash.h"
#include "ept_view.h"
#include "log.h"
#include "nested/nested.h"
#include "vcpu.h"
#include "vmx.h"

static const struct {
	const char *name;
	u32 field;
} dump_fields[] = {
	{ "exit reason", VMCS_EXIT_REASON },
	{ "exit qualification", VMCS_EXIT_QUALIFICATION },
	{ "exit interruption", VMCS_EXIT_INTERRUPTION_INFO },
	{ "IDT-vectoring", VMCS_IDT_VECTORING_INFO },
	{ "entry interruption", VMCS_ENTRY_INTERRUPTION_INFO },
	{ "instruction error", VMCS_INSTRUCTION_ERROR },
	{ "guest-physical", VMCS_GUEST_PHYSICAL_ADDRESS },
	{ "guest-linear", VMCS_GUEST_LINEAR_ADDRESS },
	{ "RIP", VMCS_GUEST_RIP },
	{ "RSP", VMCS_GUEST_RSP },
	{ "RFLAGS", VMCS_GUEST_RFLAGS },
	{ "CR0", VMCS_GUEST_CR0 },
	{ "CR3", VMCS_GUEST_CR3 },
	{ "CR4", VMCS_GUEST_CR4 },
	{ "EFER", VMCS_GUEST_EFER },
	{ "CS access", VMCS_GUEST_CS_ACCESS },
	{ "SS access", VMCS_GUEST_SS_ACCESS },
	{ "interruptibility", VMCS_GUEST_INTERRUPTIBILITY },
	{ "activity", VMCS_GUEST_ACTIVITY },
	{ "pending debug", VMCS_GUEST_PENDING_DEBUG },
	{ "primary controls", VMCS_PRIMARY_CONTROLS },
	{ "entry controls", VMCS_ENTRY_CONTROLS },
};

static void dump_vmcs(struct percpu *cpu)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(dump_fields); i++)
		log_err(cpu, "  %s %016llx", dump_fields[i].name, vmread(dump_fields[i].field));
}

static void dump_gpr(struct percpu *cpu, const struct latch_gpr *gpr)
{
	log_err(cpu, "  rax %016llx rbx %016llx rcx %016llx", gpr->rax, gpr->rbx, gpr->rcx);
	log_err(cpu, "  rdx %016llx rsi %016llx rdi %016llx", gpr->rdx, gpr->rsi, gpr->rdi);
	log_err(cpu, "  rbp %016llx r8  %016llx r9  %016llx", gpr->rbp, gpr->r8, gpr->r9);
	log_err(cpu, "  r10 %016llx r11 %016llx r12 %016llx", gpr->r10, gpr->r11, gpr->r12);
	log_err(cpu, "  r13 %016llx r14 %016llx r15 %016llx", gpr->r13, gpr->r14, gpr->r15);
}

static void dump_history(struct percpu *cpu)
{
	u32 n = cpu->history_next < HISTORY_SIZE ? cpu->history_next : HISTORY_SIZE, i;
	struct exit_record *entry;

	for (i = 0; i < n; i++) {
		entry = &cpu->history[(cpu->history_next - 1 - i) % HISTORY_SIZE];
		log_err(cpu, "  exit -%u: reason %u at %016llx", i, entry->reason, entry->rip);
	}
}

static bool can_give_back(void)
{
	u64 efer = vmread(VMCS_GUEST_EFER), need = EFER_LMA | EFER_NXE;

	if (!vcpu_can_load_tr((u16)vmread(VMCS_GUEST_TR_SELECTOR)))
		return false;
	return (efer & need) == need && vmread(VMCS_GUEST_CR0) & CR0_PG &&
	       !SEGMENT_DPL((u32)vmread(VMCS_GUEST_SS_ACCESS)) &&
	       vmread(VMCS_GUEST_CS_ACCESS) & BIT(13) &&
	       vmread(VMCS_GUEST_ACTIVITY) == ACTIVITY_ACTIVE;
}

static void park(void) __attribute__((noreturn));
static void park(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

static void crash_end(struct percpu *cpu) __attribute__((noreturn));
static void crash_end(struct percpu *cpu)
{
	const struct latch_gpr *gpr = cpu->gpr;
	bool give_back;

	/* A fault in what follows must not come here again with guest_exits set. */
	if (!cpu->guest_exits || !gpr)
		park();
	cpu->guest_exits = false;
	if (!cpu->view)
		dump_gpr(cpu, gpr);
	dump_vmcs(cpu);
	dump_history(cpu);
	/* A CPU without Latch would see what a hypapp hides, and is not in VMX operation. */
	give_back = !nested_is_on(cpu) && can_give_back() && !ept_view_hides();
	log_err(cpu, give_back ? "the CPU goes on without Latch" : "the CPU is parked");
	percpu_set_mode(cpu, LATCH_CPU_FAILED);
	if (!give_back)
		park();
	vcpu_leave(cpu, gpr, vmread(VMCS_GUEST_RIP));
}

/** crash_exception - an exception in root mode that nobody expected */
void crash_exception(const struct idt_frame *frame)
{
	struct percpu *cpu = this_cpu();

	log_err(cpu, "core: exception %llu, error %llx, at %016llx, CR2 %016llx",
		frame->vector, frame->error, frame->rip, read_cr2());
	log_err(cpu, "core: rsp %016llx rax %016llx rdi %016llx rsi %016llx",
		frame->rsp, frame->gpr.rax, frame->gpr.rdi, frame->gpr.rsi);
	crash_end(cpu);
}

/*
 * The first VM entry of a launch failed: the CPU goes back to the loader, which
 * unwinds and says why. In front of where it goes on is the VMCALL to join with.
 */
static void fail_launch(struct percpu *cpu, u32 reason) __attribute__((noreturn));
static void fail_launch(struct percpu *cpu, u32 reason)
{
	cpu->page->error.reason = LATCH_REASON_ENTRY;
	cpu->page->error.value = reason;
	dump_vmcs(cpu);
	cpu->gpr->rax = (u64)-EIO;
	vcpu_leave(cpu, cpu->gpr, vmread(VMCS_GUEST_RIP) + LATCH_VMCALL_BYTES);
}

/** crash_exit - an exit for which there is no handler, or a failed VM entry */
void crash_exit(struct percpu *cpu, u32 reason)
{
	if (reason & EXIT_REASON_ENTRY_FAIL && cpu->mode == LATCH_CPU_OFF)
		fail_launch(cpu, reason);
	if (reason & EXIT_REASON_ENTRY_FAIL)
		log_err(cpu, "core: VM entry failed, reason %u", reason & EXIT_REASON_BASIC);
	else
		log_err(cpu, "core: exit reason %u is not expected", reason);
	crash_end(cpu);
}

/** crash_entry - VMRESUME failed: called by entry.S */
void crash_entry(u64 rflags)
{
	struct percpu *cpu = this_cpu();

	log_err(cpu, "core: VMRESUME failed, RFLAGS %llx, error %llu", rflags,
		rflags & RFLAGS_ZF ? vmread(VMCS_INSTRUCTION_ERROR) : 0);
	crash_end(cpu);
}
