// SPDX-License-Identifier: GPL-2.0-only
/*
 * step: debug exceptions around instructions that exit, as a list of traps on
 * standard output. The list must be the same natively and under Latch.
 *
 * step --vmcall: steps over a VMCALL, which only Latch answers.
 * step --breakpoints: also breakpoints on instructions. Where there are several
 * CPUs Bochs loops for ever at one, with or without Latch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/latch.h>

#define RFLAGS_TF	0x100
#define RFLAGS_RF	0x10000
#define DR6_OF_INTEREST	0xe00f

/* Each piece of code ends with int3. The labels are where breakpoints go. */
extern char code_plain[], code_loop[], code_tf[], code_bp[], code_bp_1[], code_bp_2[];
extern char code_mov_ss[], code_rep[], code_vmcall[], code_syscall[], code_block[], code_block_1[];
extern uint16_t watched_ss;
static volatile uint64_t watched;

__asm__(".pushsection .data\n"
	"watched_ss: .word 0x2b\n"
	".popsection\n"
	".pushsection .text\n"
	"code_plain:\n\t"
	"xorl %eax, %eax\n\t"
	"cpuid\n\t"
	"movl $1, %eax\n\t"
	"cpuid\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"int3\n"

	"code_loop:\n\t"
	"movl $3, %r8d\n"
	"1:\txorl %eax, %eax\n\t"
	"cpuid\n\t"
	"decl %r8d\n\t"
	"jnz 1b\n\t"
	"int3\n"

	"code_tf:\n\t"
	"pushfq\n\t"
	"orl $0x100, (%rsp)\n\t"
	"popfq\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"cpuid\n\t"
	"pushfq\n\t"
	"andl $~0x100, (%rsp)\n\t"
	"popfq\n\t"
	"cpuid\n\t"
	"int3\n"

	"code_bp:\n\t"
	"xorl %eax, %eax\n\t"
	"cpuid\n"
	"code_bp_1:\n\t"
	"cpuid\n"
	"code_bp_2:\n\t"
	"movq $1, watched\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"int3\n"

	/* The watchpoint hits in MOV SS; its #DB waits for the CPUID to end. */
	"code_mov_ss:\n\t"
	"xorl %eax, %eax\n\t"
	"movw watched_ss, %ss\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"int3\n"

	"code_rep:\n\t"
	"movl $3, %ecx\n\t"
	"leaq -64(%rsp), %rdi\n\t"
	"rep stosb\n\t"
	"xorl %eax, %eax\n\t"
	"cpuid\n\t"
	"xorl %ecx, %ecx\n\t"
	"xgetbv\n\t"
	"rdtsc\n\t"
	"int3\n"

	/* Not SYSCALL: Bochs traps behind it although FMASK has cleared TF. */
	"code_syscall:\n\t"
	"xorl %eax, %eax\n\t"
	"cpuid\n\t"
	"movl $20, %eax\n\t"	/* getpid() */
	"int $0x80\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"int3\n"

	/* With block-step only branches trap. */
	"code_block:\n\t"
	"xorl %eax, %eax\n\t"
	"cpuid\n\t"
	"jmp code_block_1\n\t"
	"nop\n"
	"code_block_1:\n\t"
	"cpuid\n\t"
	"nop\n\t"
	"int3\n"

	"code_vmcall:\n\t"
	"movl $0x4c544801, %eax\n\t"
	"vmcall\n\t"
	"movl $0x4c5448aa, %eax\n\t"
	"vmcall\n\t"
	"nop\n\t"
	"int3\n\t"
	".popsection");

static void die(const char *what)
{
	fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
	exit(1);
}

static pid_t child;
static unsigned long base;

static long debug_register(int n)
{
	return ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[n]), NULL);
}

static void set_debug_register(int n, unsigned long value)
{
	if (ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[n]), value))
		die("debug register");
}

/* Let the child go on by @request; false when it has reached the int3 at the end. */
static int next_trap(int request)
{
	struct user_regs_struct regs;
	siginfo_t info;
	int status;

	if (ptrace(request, child, NULL, NULL) || waitpid(child, &status, 0) != child)
		die("ptrace");
	if (!WIFSTOPPED(status)) {
		printf("  ended with %x\n", status);
		return 0;
	}
	ptrace(PTRACE_GETREGS, child, NULL, &regs);
	ptrace(PTRACE_GETSIGINFO, child, NULL, &info);
	printf("  +%lu signal %d code %d dr6 %lx%s%s\n", (unsigned long)regs.rip - base,
	       WSTOPSIG(status), info.si_code, debug_register(6) & DR6_OF_INTEREST,
	       regs.eflags & RFLAGS_TF ? " TF" : "", regs.eflags & RFLAGS_RF ? " RF" : "");
	set_debug_register(6, 0);
	return WSTOPSIG(status) == SIGTRAP && info.si_code != SI_KERNEL;
}

static void start(const char *name, const char *code)
{
	struct user_regs_struct regs;
	int status;

	printf("%s\n", name);
	fflush(stdout);
	base = (unsigned long)code;
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		die("child");
	ptrace(PTRACE_GETREGS, child, NULL, &regs);
	regs.rip = base;
	regs.orig_rax = -1;
	ptrace(PTRACE_SETREGS, child, NULL, &regs);
}

static void end(void)
{
	int status;

	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

static void trace(const char *name, const char *code, int request)
{
	int traps = 0;

	start(name, code);
	while (next_trap(request) && ++traps < 200)
		;
	end();
}

/* DR7 for breakpoint 0: local, of the kind @rw (0: execute, 1: write, 3: access) */
static unsigned long dr7(unsigned int rw, unsigned int length)
{
	return 1 | (unsigned long)rw << 16 | (unsigned long)(length - 1) << 18;
}

static void trace_breakpoint(const char *name, const char *code, const void *at, unsigned long control,
			     int request)
{
	int traps = 0;

	start(name, code);
	set_debug_register(0, (unsigned long)at);
	set_debug_register(7, control);
	while (next_trap(request) && ++traps < 200)
		;
	end();
}

/* TF set by the program itself: it handles the traps, too. */
static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned long at = uc->uc_mcontext.gregs[REG_RIP] - (unsigned long)code_tf;

	printf("  +%lu signal %d code %d%s\n", at, sig, info->si_code,
	       uc->uc_mcontext.gregs[REG_EFL] & RFLAGS_TF ? " TF" : "");
	fflush(stdout);
	if (info->si_code == SI_KERNEL)
		_exit(0);
}

static void trace_self(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	int status;
	pid_t pid;

	printf("TF set by POPF\n");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		sigaction(SIGTRAP, &action, NULL);
		__asm__ volatile("jmp code_tf");
		__builtin_unreachable();
	}
	if (waitpid(pid, &status, 0) != pid || status)
		printf("  ended with %x\n", status);
}

static void trace_breakpoints(void)
{
	trace_breakpoint("breakpoint behind CPUID", code_bp, code_bp_1, dr7(0, 1), PTRACE_CONT);
	trace_breakpoint("breakpoint behind the second CPUID", code_bp, code_bp_2, dr7(0, 1), PTRACE_CONT);
	trace_breakpoint("breakpoint behind CPUID, stepping", code_bp, code_bp_1, dr7(0, 1),
			 PTRACE_SINGLESTEP);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--vmcall")) {
		trace("step over VMCALL", code_vmcall, PTRACE_SINGLESTEP);
		return 0;
	}
	trace("step over CPUID", code_plain, PTRACE_SINGLESTEP);
	trace("step through a loop", code_loop, PTRACE_SINGLESTEP);
	trace("step over REP, XGETBV, RDTSC", code_rep, PTRACE_SINGLESTEP);
	trace("step over system calls", code_syscall, PTRACE_SINGLESTEP);
	trace("block-step", code_block, PTRACE_SINGLEBLOCK);
	trace_self();
	if (argc > 1 && !strcmp(argv[1], "--breakpoints"))
		trace_breakpoints();
	trace_breakpoint("watchpoint in front of CPUID", code_bp, (void *)&watched, dr7(1, 8), PTRACE_CONT);
	trace_breakpoint("watchpoint in front of CPUID, stepping", code_bp, (void *)&watched, dr7(1, 8),
			 PTRACE_SINGLESTEP);
	trace_breakpoint("watchpoint in MOV SS before CPUID", code_mov_ss, &watched_ss, dr7(3, 2),
			 PTRACE_CONT);
	trace_breakpoint("watchpoint in MOV SS before CPUID, stepping", code_mov_ss, &watched_ss, dr7(3, 2),
			 PTRACE_SINGLESTEP);
	trace("step over MOV SS", code_mov_ss, PTRACE_SINGLESTEP);
	return 0;
}
