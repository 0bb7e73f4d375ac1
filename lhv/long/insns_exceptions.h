/* SPDX-License-Identifier: GPL-2.0-only */
/* #GP and #SS of 64-bit mode: addresses that are not canonical */
INSN(exc_gp, "movl $0x38, %eax\n\tshlq $56, %rax\n\tmovq (%rax), %rax");
INSN(exc_ss, "movl $0x38, %ebp\n\tshlq $56, %rbp\n\tmovq (%rbp), %rax");
#define EXC_GP_INSN	9	/* where the instruction is that faults */
#define EXC_SS_INSN	9
#define EXC_SS_ERROR	0
