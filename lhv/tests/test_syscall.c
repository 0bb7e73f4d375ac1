// SPDX-License-Identifier: GPL-2.0-only
/* SYSCALL and SYSENTER, there and back */
#include "tests.h"

/*
 * The kernel side: it has no stack of its own, so it comes back at once, with
 * what it saw in registers that the way back leaves alone.
 */
extern const char syscall_entry[], sysenter_entry[];
asm(".pushsection .text\n\t.balign 16\n"
	"syscall_entry:\n\t"
	"movq %cs, %r8\n\tmovq %ss, %r9\n\tmovq %r11, %r10\n\tpushfq\n\tpopq %rbx\n\tsysretq\n"
	"sysenter_entry:\n\t"
	"movq %cs, %r8\n\tmovq %ss, %r9\n\tpushfq\n\tpopq %rbx\n\tsysexitq\n\t"
	".popsection");

USER_INSN(user_syscall, "syscall");
/* SYSEXIT goes to RDX with the stack RCX. */
USER_INSN(user_sysenter, "leaq 1f(%rip), %rdx\n\tmovq %rsp, %rcx\n\tsysenter\n1:");

static void syscall_check(void)
{
	u64 efer = rdmsr(MSR_EFER), fmask = rdmsr(MSR_FMASK);
	struct regs *regs = &trap_last()->regs;
	u32 vector;

	wrmsr(MSR_LSTAR, ADDR(syscall_entry));
	wrmsr(MSR_FMASK, RFLAGS_IF | RFLAGS_TF);
	vector = user_call(user_syscall, 0);
	ktap_check(vector == IRQ_EXIT && regs->r8 == SEL_KCODE && regs->r9 == SEL_KDATA,
		   "SYSCALL: CS 0x%llx, SS 0x%llx", regs->r8, regs->r9);
	ktap_check(!(regs->rbx & RFLAGS_IF) && regs->r10 & RFLAGS_IF && regs->rflags & RFLAGS_IF,
		   "SYSCALL: FMASK clears IF, SYSRET restores it");
	ktap_check(regs->cs == SEL_UCODE && regs->ss == SEL_UDATA, "SYSRET: CS 0x%llx, SS 0x%llx",
		   regs->cs, regs->ss);
	wrmsr(MSR_EFER, efer & ~(u64)EFER_SCE);
	ktap_check(user_call(user_syscall, 0) == VECTOR_UD, "#UD for SYSCALL without EFER.SCE");
	wrmsr(MSR_EFER, efer);
	wrmsr(MSR_LSTAR, 0);
	wrmsr(MSR_FMASK, fmask);
}

static void sysenter_check(void)
{
	struct regs *regs = &trap_last()->regs;
	u32 vector;

	wrmsr(MSR_SYSENTER_CS, SEL_KCODE);
	wrmsr(MSR_SYSENTER_ESP, ADDR(this_cpu()->stack_rsp0) + STACK_SIZE);
	wrmsr(MSR_SYSENTER_EIP, ADDR(sysenter_entry));
	vector = user_call(user_sysenter, 0);
	ktap_check(vector == IRQ_EXIT && regs->r8 == SEL_KCODE && regs->r9 == SEL_KDATA &&
		   !(regs->rbx & RFLAGS_IF), "SYSENTER: CS 0x%llx, SS 0x%llx", regs->r8, regs->r9);
	ktap_check(regs->cs == SEL_UCODE && regs->ss == SEL_UDATA64,
		   "SYSEXIT: CS 0x%llx, SS 0x%llx", regs->cs, regs->ss);
	wrmsr(MSR_SYSENTER_CS, 0);
	ktap_check(user_call(user_sysenter, 0) == VECTOR_GP, "#GP for SYSENTER without a CS");
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
}

void test_syscall(void)
{
	syscall_check();
	sysenter_check();
}
