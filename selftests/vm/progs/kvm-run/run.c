// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN itself: signals end it, CPUs move from one processor to another (VMCLEAR,
 * VMPTRLD), several VMs share a processor, and each keeps its registers, the vector
 * registers too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "guest.h"
#include "vm.h"

#define SIGNALS		20
#define MOVES		40
#define TURNS		40
#define MSR_KERNEL_GS	0xc0000102
#define MSR_FS_BASE	0xc0000100

/* Assembler names it. */
volatile uint64_t counter_of_turns;

static volatile uint64_t counter, corrupt;
static volatile bool stop;

static void guest_count(void)
{
	while (!stop)
		counter++;
}

/*
 * All general and vector registers hold what follows from RDI, and are compared in
 * a loop. The first wrong one ends it.
 */
static void guest_hold(void)
{
	uint64_t mine;

	guest_sync(1);
	mine = counter;
	wrmsr(MSR_KERNEL_GS, mine);
	wrmsr(MSR_FS_BASE, mine + 1);
	write_dr0(mine + 2);
	__asm__ volatile("movq %0, %%xmm0\n\tmovq %0, %%xmm7\n\tmovq %0, %%xmm15\n\t"
			 "movq %0, %%r8\n\tmovq %0, %%r9\n\tmovq %0, %%r10\n\tmovq %0, %%r11\n\t"
			 "movq %0, %%r12\n\tmovq %0, %%r13\n\tmovq %0, %%r14\n\tmovq %0, %%r15\n"
			 "1:\tmovq %%xmm0, %%rax\n\tcmpq %0, %%rax\n\tjne 2f\n\t"
			 "movq %%xmm7, %%rax\n\tcmpq %0, %%rax\n\tjne 2f\n\t"
			 "movq %%xmm15, %%rax\n\tcmpq %0, %%rax\n\tjne 2f\n\t"
			 "cmpq %0, %%r8\n\tjne 2f\n\tcmpq %0, %%r9\n\tjne 2f\n\t"
			 "cmpq %0, %%r10\n\tjne 2f\n\tcmpq %0, %%r11\n\tjne 2f\n\t"
			 "cmpq %0, %%r12\n\tjne 2f\n\tcmpq %0, %%r13\n\tjne 2f\n\t"
			 "cmpq %0, %%r14\n\tjne 2f\n\tcmpq %0, %%r15\n\tjne 2f\n\t"
			 "incq counter_of_turns\n\t"
			 "cmpb $0, %1\n\tje 1b\n\tjmp 3f\n"
			 "2:\tmovq $1, %2\n"
			 "3:"
			 : : "r" (mine), "m" (stop), "m" (corrupt)
			 : "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
	guest_check(!corrupt, "registers and vector registers are kept");
	guest_check(rdmsr(MSR_KERNEL_GS) == mine && rdmsr(MSR_FS_BASE) == mine + 1, "MSRs are kept");
	guest_check(read_dr0() == mine + 2, "DR0 is kept");
}

static void on_signal(int number)
{
	(void)number;
}

static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGVTALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

/* Guests that never exit: a timer's signal is what ends KVM_RUN. */
static void set_timer(int us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

static void signals(void)
{
	uint64_t before = 0, now;
	struct vcpu vcpu;
	bool ended = true, counted = true;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_count);
	set_timer(3000);
	for (int i = 0; i < SIGNALS; i++) {
		ended = ended && vcpu_run(&vcpu) == -EINTR && vcpu.run->exit_reason == KVM_EXIT_INTR;
		now = GUEST(&vm, counter);
		counted = counted && now > before;
		before = now;
	}
	set_timer(0);
	check(ended, "%d signals end KVM_RUN", SIGNALS);
	check(counted, "and the guest goes on each time");
	vcpu.run->immediate_exit = 1;
	check(vcpu_run(&vcpu) == -EINTR && GUEST(&vm, counter) == before, "immediate_exit executes nothing");
	vcpu.run->immediate_exit = 0;
	GUEST(&vm, stop) = true;
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void moves(void)
{
	struct vcpu vcpu;
	bool ended = true;
	struct vm vm;

	if (online_cpus() < 2) {
		skip("there is one CPU", "a CPU that moves");
		return;
	}
	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_hold);
	vcpu_sync(&vcpu);
	GUEST(&vm, counter) = 0x123456789abcull;
	set_timer(3000);
	for (int i = 0; i < MOVES; i++) {
		pin(i & 1);
		ended = ended && vcpu_run(&vcpu) == -EINTR;
	}
	set_timer(0);
	check(ended && GUEST(&vm, counter_of_turns), "a CPU that moves %d times", MOVES);
	GUEST(&vm, stop) = true;
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* Turns of two VMs in one thread: another VMCS each time. */
static void turns(void)
{
	struct vcpu vcpus[2];
	bool ended = true;
	struct vm vms[2];

	pin(0);
	for (int i = 0; i < 2; i++) {
		vm_create(&vms[i], 0);
		vcpu_create(&vcpus[i], &vms[i], guest_hold);
		vcpu_sync(&vcpus[i]);
		GUEST(&vms[i], counter) = 0x1111111111ull * (i + 1);
	}
	set_timer(2000);
	for (int i = 0; i < TURNS; i++)
		ended = ended && vcpu_run(&vcpus[i & 1]) == -EINTR;
	set_timer(0);
	check(ended, "%d turns of two VMs", TURNS);
	for (int i = 0; i < 2; i++) {
		GUEST(&vms[i], stop) = true;
		vcpu_finish(&vcpus[i]);
		vcpu_destroy(&vcpus[i]);
		vm_destroy(&vms[i]);
	}
}

static void *run_one(void *vcpu)
{
	pin(0);
	vcpu_finish(vcpu);
	return NULL;
}

/* Three threads on one processor: the scheduler takes the guests from each other. */
static void shared(void)
{
	pthread_t threads[3];
	struct vcpu vcpus[3];
	struct vm vms[3];

	for (int i = 0; i < 3; i++) {
		vm_create(&vms[i], 0);
		vcpu_create(&vcpus[i], &vms[i], guest_hold);
		vcpu_sync(&vcpus[i]);
		GUEST(&vms[i], counter) = 0x2222222222ull * (i + 1);
	}
	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, run_one, &vcpus[i]))
			die("no thread");
	pin(online_cpus() > 1);
	sleep_ms(150);
	for (int i = 0; i < 3; i++) {
		GUEST(&vms[i], stop) = true;
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < 3; i++) {
		check(GUEST(&vms[i], counter_of_turns) > 0, "each of three on one processor has run");
		vcpu_destroy(&vcpus[i]);
		vm_destroy(&vms[i]);
	}
}

void subject_run(void)
{
	handle_signals();
	signals();
	moves();
	turns();
	shared();
}
