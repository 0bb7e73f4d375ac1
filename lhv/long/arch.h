/* SPDX-License-Identifier: GPL-2.0-only */
/* lhv in 64-bit mode; pae/arch.h is the other one. */
#ifndef LHV_ARCH_H
#define LHV_ARCH_H

#define GATE_SIZE	16	/* bytes in the IDT */
#define ACCESS_KCODE	0xa09b

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
} __attribute__((packed));

/* Registers of the mode's width, for assembler text that both modes share */
asm(".set RAX, %rax\n\t.set RCX, %rcx\n\t.set RDX, %rdx\n\t.set RBX, %rbx\n\t"
	".set RSP, %rsp\n\t.set RBP, %rbp\n\t.set RSI, %rsi\n\t.set RDI, %rdi");

/* MOVS of a long */
#define MOVS_LONG	"movsq"

/* Around code of 32 bits */
#define CODE32_BEGIN		".code32\n\t"
#define CODE32_END	"\n\t.code64"

/* The same for IRET to the instruction behind it */
#define IRET		"iretq"
#define IRET_HERE	"mov %rsp, %rax\n\tpush $0x10\n\tpush %rax\n\tpushf\n\tpush $0x8\n\t" \
			"push $1f\n\tiretq\n1:"

#endif
