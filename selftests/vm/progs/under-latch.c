// SPDX-License-Identifier: GPL-2.0-only
/*
 * under-latch: ask each online CPU by a hypercall whether it runs under Latch, as
 * a kernel without the module cannot tell, and by CPUID whether it has VMX. The
 * exit status is 0 if all are under Latch, 1 if all are native, and 3 if neither, or
 * one has no VMX.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <linux/latch.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static sigjmp_buf native;

/* #UD: VMCALL outside VMX operation, or Latch's answer to a call of another's. */
static void handle_sigill(int sig)
{
	siglongjmp(native, sig);
}

static int is_under_latch(void)
{
	unsigned long rax = LATCH_HC_VERSION, rdi = 0, rsi = 0, rdx = 0;

	if (sigsetjmp(native, 1))
		return 0;
	__asm__ volatile("vmcall" : "+a" (rax), "+D" (rdi), "+S" (rsi), "+d" (rdx) : : "memory");
	return !rax && rdi == LATCH_ABI_VERSION;
}

static int has_vmx(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	return c >> 5 & 1;
}

int main(void)
{
	int cpu, under, vmx, cpus = 0, guests = 0, natives = 0;
	cpu_set_t set;

	signal(SIGILL, handle_sigill);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			continue;
		under = is_under_latch();
		vmx = has_vmx();
		printf("CPU %d: %s, %s\n", cpu, under ? "under Latch" : "native",
		       vmx ? "VMX" : "no VMX");
		cpus++;
		guests += under && vmx;
		natives += !under && vmx;
	}
	return guests == cpus ? 0 : natives == cpus ? 1 : 3;
}
