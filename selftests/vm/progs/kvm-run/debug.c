// SPDX-License-Identifier: GPL-2.0-only
/* KVM_SET_GUEST_DEBUG: the VMM steps its guest, and sets breakpoints. */
#include "guest.h"
#include "vm.h"

extern char step_begin[], step_end[], break_here[], soft_break[];
static volatile uint64_t watched;

static void guest_debug(void)
{
	guest_sync(1);
	__asm__ volatile("step_begin:\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "cpuid\n\t"
			 "movl $0x10, %%ecx\n\t"
			 "rdmsr\n\t"
			 "movl $1, %%eax\n\t"
			 "cpuid\n\t"
			 "nop\n"
			 "step_end:" : : : "rax", "rbx", "rcx", "rdx");
	guest_sync(2);
	__asm__ volatile("nop\nbreak_here:\n\tnop" : : : "memory");
	watched = 1;
	guest_sync(3);
	__asm__ volatile("soft_break:\n\tint3" : : : "memory");
	guest_sync(4);
}

static void set_debug(struct vcpu *vcpu, uint32_t control, uint64_t dr0, uint64_t dr7)
{
	struct kvm_guest_debug debug = { .control = control };

	debug.arch.debugreg[0] = dr0;
	debug.arch.debugreg[7] = dr7;
	XIOCTL(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
}

/* Each instruction from the OUT on, among them those that exit. */
static void single_step(struct vcpu *vcpu)
{
	static const int lengths[] = { 2, 2, 5, 2, 5, 2, 1 };
	uint64_t pc = (uintptr_t)step_begin;
	unsigned int steps = 0;

	set_debug(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0, 0);
	while (vcpu_run(vcpu) == KVM_EXIT_DEBUG && vcpu->run->debug.arch.pc != (uintptr_t)step_begin)
		;
	while (steps < ARRAY_SIZE(lengths) && vcpu->run->exit_reason == KVM_EXIT_DEBUG &&
	       vcpu->run->debug.arch.pc == pc && vcpu->run->debug.arch.exception == DB) {
		pc += lengths[steps++];
		vcpu_run(vcpu);
	}
	check(steps == ARRAY_SIZE(lengths) && vcpu->run->debug.arch.pc == (uintptr_t)step_end,
	      "single steps over CPUID and RDMSR");
	set_debug(vcpu, 0, 0, 0);
}

static void breakpoints(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	set_debug(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (uintptr_t)break_here, 0x402);
	check(vcpu_run(vcpu) == KVM_EXIT_DEBUG && run->debug.arch.pc == (uintptr_t)break_here &&
	      run->debug.arch.dr6 & 1, "a breakpoint on an instruction");
	/* 8 bytes, writes */
	set_debug(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, (uintptr_t)&watched, 0x90402);
	check(vcpu_run(vcpu) == KVM_EXIT_DEBUG && run->debug.arch.dr6 & 1 && GUEST(vcpu->vm, watched) == 1,
	      "a breakpoint on a write");
	set_debug(vcpu, 0, 0, 0);
}

static void software(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	set_debug(vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0, 0);
	check(vcpu_run(vcpu) == KVM_EXIT_DEBUG && vcpu->run->debug.arch.exception == BP &&
	      vcpu->run->debug.arch.pc == (uintptr_t)soft_break, "INT3 is the VMM's");
	XIOCTL(vcpu->fd, KVM_GET_REGS, &regs);
	regs.rip++;
	XIOCTL(vcpu->fd, KVM_SET_REGS, &regs);
	set_debug(vcpu, 0, 0, 0);
}

void subject_debug(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_debug);
	check(vcpu_sync(&vcpu) == 1, "the guest runs");
	single_step(&vcpu);
	check(vcpu_sync(&vcpu) == 2, "and goes on after the steps");
	breakpoints(&vcpu);
	check(vcpu_sync(&vcpu) == 3, "and after the breakpoints");
	software(&vcpu);
	check(vcpu_sync(&vcpu) == 4, "and after INT3");
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}
