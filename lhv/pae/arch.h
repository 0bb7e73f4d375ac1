/* SPDX-License-Identifier: GPL-2.0-only */
/* lhv in 32-bit protected mode with PAE paging; long/arch.h is the other one. */
#ifndef LHV_ARCH_H
#define LHV_ARCH_H

#define GATE_SIZE	8	/* bytes in the IDT */
#define ACCESS_KCODE	0xc09b

/* Stacks of exceptions other than rsp0 would take task gates; there are none. */
struct tss {
	u32 link;
	u32 esp0, ss0;
	u32 reserved[22];
	u16 trap, iomap;
} __attribute__((packed));

/* Registers of the mode's width, for assembler text that both modes share */
asm(".set RAX, %eax\n\t.set RCX, %ecx\n\t.set RDX, %edx\n\t.set RBX, %ebx\n\t"
	".set RSP, %esp\n\t.set RBP, %ebp\n\t.set RSI, %esi\n\t.set RDI, %edi");

/* MOVS of a long */
#define MOVS_LONG	"movsl"

/* Around code of 32 bits */
#define CODE32_BEGIN		""
#define CODE32_END	""

/* The same for IRET to the instruction behind it */
#define IRET		"iretl"
#define IRET_HERE	"pushf\n\tpush $0x8\n\tpush $1f\n\tiretl\n1:"

#endif
