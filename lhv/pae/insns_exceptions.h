/* SPDX-License-Identifier: GPL-2.0-only */
/* #GP and #SS of 32-bit mode: a write to code, a stack segment that is not present */
INSN(exc_gp, "movl %eax, %cs:(%edi)");
INSN(exc_ss, "movl $0x70, %eax\n\tmovw %ax, %ss");
#define EXC_GP_INSN	0	/* where the instruction is that faults */
#define EXC_SS_INSN	5
#define EXC_SS_ERROR	SEL_TEST
