/* SPDX-License-Identifier: GPL-2.0-only */
/* VMCALL with any registers, from a program. */
#ifndef _PROGS_VMCALL_H
#define _PROGS_VMCALL_H

#include <stdint.h>

#define HC_LEAVE		0x4c5448f0u
#define HC_JOIN			0x4c5448f1u
#define ARITHMETIC_FLAGS	0x8d5ul

/* In the order of the assembler below; RSP stays. */
enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, NR_GPR };

struct gpr {
	uint64_t r[NR_GPR];
	uint64_t flags;
};

#define XFER(op) \
	op(0, rax) op(8, rbx) op(16, rcx) op(24, rdx) op(32, rsi) op(48, rbp) op(56, r8) \
	op(64, r9) op(72, r10) op(80, r11) op(88, r12) op(96, r13) op(104, r14) op(112, r15)
#define LOAD(off, reg)	"movq " #off "(%%rdi), %%" #reg "\n\t"
#define STORE(off, reg)	"movq %%" #reg ", " #off "(%%rdi)\n\t"

static __attribute__((noinline)) void run_vmcall(struct gpr *gpr)
{
	__asm__ volatile("subq $128, %%rsp\n\t"
			 "pushq %%rbp\n\t"
			 "pushq %%rdi\n\t"
			 XFER(LOAD)
			 "pushq 120(%%rdi)\n\t"
			 "movq 40(%%rdi), %%rdi\n\t"
			 "popfq\n\t"
			 "vmcall\n\t"
			 "pushfq\n\t"
			 "xchgq %%rdi, 8(%%rsp)\n\t"
			 XFER(STORE)
			 "popq 120(%%rdi)\n\t"
			 "popq 40(%%rdi)\n\t"
			 "popq %%rbp\n\t"
			 "addq $128, %%rsp"
			 : "+D" (gpr)
			 : : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12",
			     "r13", "r14", "r15", "memory", "cc");
}

#endif
