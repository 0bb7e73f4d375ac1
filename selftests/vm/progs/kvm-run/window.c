// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that the VMM injects by itself, without KVM's APICs: the interrupt window,
 * the shadow of STI and MOV SS, KVM_INTERRUPT.
 */
#include "guest.h"
#include "vm.h"

#define VECTOR	0x55

static volatile uint64_t count, rip;
extern char after_shadow[], after_ss[];

static void handle(struct trap *trap)
{
	rip = trap->rip;
	count++;
}

static void guest_window(void)
{
	trap_handlers[VECTOR] = handle;
	guest_sync(1);
	guest_check(!count, "nothing comes with interrupts off");
	/* the window opens behind the instruction that follows STI */
	__asm__ volatile("sti\n\tnop\nafter_shadow:\n\tnop\n\tnop\n\tcli" : : : "memory");
	guest_check(count == 1, "it comes when the window opens");
	guest_check(rip == (uint64_t)after_shadow, "behind the shadow of STI");
	guest_sync(2);
	__asm__ volatile("movl %%ss, %%eax\n\tsti\n\tmovl %%eax, %%ss\n\tnop\nafter_ss:\n\tnop\n\tcli"
			 : : : "rax", "memory");
	guest_check(count == 2, "it comes a second time");
	guest_check(rip == (uint64_t)after_ss, "behind the shadow of MOV SS");
	irq_on();
	guest_sync(3);
	relax();
	guest_check(count == 3, "at once with interrupts on");
	halt();
	guest_check(count == 4, "out of HLT");
}

static bool inject(struct vcpu *vcpu)
{
	struct kvm_interrupt interrupt = { .irq = VECTOR };

	if (!vcpu->run->ready_for_interrupt_injection)
		return false;
	XIOCTL(vcpu->fd, KVM_INTERRUPT, &interrupt);
	return true;
}

static void wait_for_window(struct vcpu *vcpu, const char *what)
{
	vcpu->run->request_interrupt_window = 1;
	check(vcpu_run(vcpu) == KVM_EXIT_IRQ_WINDOW_OPEN && vcpu->run->if_flag, "%s", what);
	vcpu->run->request_interrupt_window = 0;
	check(inject(vcpu), "and is ready");
}

void subject_window(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_window);
	vcpu_sync(&vcpu);
	check(!vcpu.run->ready_for_interrupt_injection, "not ready with interrupts off");
	wait_for_window(&vcpu, "the window exits");
	vcpu_sync(&vcpu);
	wait_for_window(&vcpu, "the window exits a second time");
	vcpu_sync(&vcpu);
	check(vcpu.run->ready_for_interrupt_injection && inject(&vcpu), "ready with interrupts on");
	check(vcpu_run(&vcpu) == KVM_EXIT_HLT, "HLT exits");
	check(inject(&vcpu), "ready in HLT");
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}
