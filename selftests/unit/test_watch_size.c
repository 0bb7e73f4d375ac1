// SPDX-License-Identifier: GPL-2.0-only
/* core/hypapp/watch_size.c against what an assembler makes, and against an encoder. */
#include "unit.h"
#include "hypapp/watch_size.h"
#include "watch_size_ref.h"

struct sample {
	const char *name;
	enum code_size code;
	u32 size, flags;
	u8 bytes[16];
	u32 length;
};

#define BYTES(...) { __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ })

static const struct sample known[] = {
	/* Moves */
	{ "movb %al, (%rdi)", CODE_64, 1, EXACT, BYTES(0x88, 0x07) },
	{ "movw %ax, (%rdi)", CODE_64, 2, EXACT, BYTES(0x66, 0x89, 0x07) },
	{ "movl %eax, 0x300(%rdi)", CODE_64, 4, EXACT, BYTES(0x89, 0x87, 0x00, 0x03, 0x00, 0x00) },
	{ "movq %r15, -8(%rbp,%rcx,8)", CODE_64, 8, EXACT, BYTES(0x4c, 0x89, 0x7c, 0xcd, 0xf8) },
	{ "movb $1, (%rdi)", CODE_64, 1, EXACT, BYTES(0xc6, 0x07, 0x01) },
	{ "movw $1, (%rdi)", CODE_64, 2, EXACT, BYTES(0x66, 0xc7, 0x07, 0x01, 0x00) },
	{ "movl $1, 0x10(%rip)", CODE_64, 4, EXACT,
	  BYTES(0xc7, 0x05, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00) },
	{ "movq $1, %gs:0x30", CODE_64, 8, EXACT,
	  BYTES(0x65, 0x48, 0xc7, 0x04, 0x25, 0x30, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00) },
	{ "movabs %al, 0x1122334455667788", CODE_64, 1, EXACT,
	  BYTES(0xa2, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11) },
	{ "movabs 0x1122334455667788, %rax", CODE_64, 8, EXACT,
	  BYTES(0x48, 0xa1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11) },
	{ "movzbl (%rsi), %eax", CODE_64, 1, EXACT, BYTES(0x0f, 0xb6, 0x06) },
	{ "movzwq (%rsi), %r9", CODE_64, 2, EXACT, BYTES(0x4c, 0x0f, 0xb7, 0x0e) },
	{ "movsbw (%rsi), %ax", CODE_64, 1, EXACT, BYTES(0x66, 0x0f, 0xbe, 0x06) },
	{ "movswl (%rsi), %eax", CODE_64, 2, EXACT, BYTES(0x0f, 0xbf, 0x06) },
	{ "movslq (%rsi), %rax", CODE_64, 4, EXACT, BYTES(0x48, 0x63, 0x06) },
	{ "movnti %rax, (%rdi)", CODE_64, 8, EXACT, BYTES(0x48, 0x0f, 0xc3, 0x07) },
	{ "cmovne (%rsi), %rax", CODE_64, 8, EXACT, BYTES(0x48, 0x0f, 0x45, 0x06) },
	{ "sete (%rdi)", CODE_64, 1, EXACT, BYTES(0x0f, 0x94, 0x07) },
	{ "mov %ds, (%rdi)", CODE_64, 2, EXACT, BYTES(0x8c, 0x1f) },
	{ "mov (%rdi), %ds", CODE_64, 8, 0, BYTES(0x8e, 0x1f) },
	{ "movb %al, (%bx)", CODE_16, 1, EXACT, BYTES(0x88, 0x07) },
	{ "movw %ax, 0x10(%bp,%si)", CODE_16, 2, EXACT, BYTES(0x89, 0x42, 0x10) },
	{ "movl %eax, (%bx)", CODE_16, 4, EXACT, BYTES(0x66, 0x89, 0x07) },
	{ "movzbl (%bx), %eax", CODE_16, 1, EXACT, BYTES(0x66, 0x0f, 0xb6, 0x07) },
	{ "movnti %eax, (%bx)", CODE_16, 4, EXACT, BYTES(0x0f, 0xc3, 0x07) },
	{ "movw %ax, (%edi)", CODE_32, 2, EXACT, BYTES(0x66, 0x89, 0x07) },
	{ "movl %eax, 0xfee000b0", CODE_32, 4, EXACT, BYTES(0xa3, 0xb0, 0x00, 0xe0, 0xfe) },
	{ "movzwl (%ebx), %esi", CODE_32, 2, EXACT, BYTES(0x0f, 0xb7, 0x33) },
	{ "movl $1, %fs:(%bx)", CODE_32, 4, EXACT, BYTES(0x64, 0x67, 0xc7, 0x07, 0x01, 0x00, 0x00, 0x00) },

	/* ALU */
	{ "addb $1, (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0x80, 0x07, 0x01) },
	{ "addl %eax, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0x01, 0x07) },
	{ "add (%rdi), %rax", CODE_64, 8, EXACT, BYTES(0x48, 0x03, 0x07) },
	{ "orw $0x1234, (%rdi)", CODE_64, 2, EXACT | CHANGES, BYTES(0x66, 0x81, 0x0f, 0x34, 0x12) },
	{ "adcl $1, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0x83, 0x17, 0x01) },
	{ "sbb %al, (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0x18, 0x07) },
	{ "lock andq $-8, (%r12)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x49, 0x83, 0x24, 0x24, 0xf8) },
	{ "subl %ecx, (%rdi,%rax,4)", CODE_64, 4, EXACT | CHANGES, BYTES(0x29, 0x0c, 0x87) },
	{ "xor %r8, (%r13)", CODE_64, 8, EXACT | CHANGES, BYTES(0x4d, 0x31, 0x45, 0x00) },
	{ "cmpl $7, (%rdi)", CODE_64, 4, EXACT, BYTES(0x83, 0x3f, 0x07) },
	{ "cmp %al, (%rdi)", CODE_64, 1, EXACT, BYTES(0x38, 0x07) },
	{ "test %rax, (%rdi)", CODE_64, 8, EXACT, BYTES(0x48, 0x85, 0x07) },
	{ "testb $1, (%rdi)", CODE_64, 1, EXACT, BYTES(0xf6, 0x07, 0x01) },
	{ "notl (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0xf7, 0x17) },
	{ "negq (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x48, 0xf7, 0x1f) },
	{ "mulq (%rdi)", CODE_64, 8, EXACT, BYTES(0x48, 0xf7, 0x27) },
	{ "idivl (%rdi)", CODE_64, 4, EXACT, BYTES(0xf7, 0x3f) },
	{ "imul $100, (%rdi), %eax", CODE_64, 4, EXACT, BYTES(0x6b, 0x07, 0x64) },
	{ "imul (%rdi), %rax", CODE_64, 8, EXACT, BYTES(0x48, 0x0f, 0xaf, 0x07) },
	{ "incb (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0xfe, 0x07) },
	{ "decw (%rdi)", CODE_64, 2, EXACT | CHANGES, BYTES(0x66, 0xff, 0x0f) },
	{ "lock incq (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x48, 0xff, 0x07) },
	{ "shll $3, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0xc1, 0x27, 0x03) },
	{ "sarq %cl, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x48, 0xd3, 0x3f) },
	{ "rorb (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0xd0, 0x0f) },
	{ "shld $3, %rax, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x48, 0x0f, 0xa4, 0x07, 0x03) },
	{ "shrd %cl, %ax, (%rdi)", CODE_64, 2, EXACT | CHANGES, BYTES(0x66, 0x0f, 0xad, 0x07) },
	{ "btl $3, (%rdi)", CODE_64, 4, EXACT, BYTES(0x0f, 0xba, 0x27, 0x03) },
	{ "bt %rax, (%rdi)", CODE_64, 8, EXACT, BYTES(0x48, 0x0f, 0xa3, 0x07) },
	{ "lock btsl $3, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xba, 0x2f, 0x03) },
	{ "lock btr %rax, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x48, 0x0f, 0xb3, 0x07) },
	{ "btcw $3, (%rdi)", CODE_64, 2, EXACT | CHANGES, BYTES(0x66, 0x0f, 0xba, 0x3f, 0x03) },
	{ "popcnt (%rdi), %rax", CODE_64, 8, EXACT, BYTES(0xf3, 0x48, 0x0f, 0xb8, 0x07) },
	{ "bsf (%rdi), %eax", CODE_64, 4, EXACT, BYTES(0x0f, 0xbc, 0x07) },
	{ "tzcnt (%rdi), %ax", CODE_64, 2, EXACT, BYTES(0x66, 0xf3, 0x0f, 0xbc, 0x07) },
	{ "addw %ax, (%bx)", CODE_16, 2, EXACT | CHANGES, BYTES(0x01, 0x07) },
	{ "addl %eax, (%bx)", CODE_16, 4, EXACT | CHANGES, BYTES(0x66, 0x01, 0x07) },
	{ "incw (%bx)", CODE_16, 2, EXACT | CHANGES, BYTES(0xff, 0x07) },
	{ "lock incl (%edi)", CODE_32, 4, EXACT | CHANGES, BYTES(0xf0, 0xff, 0x07) },
	{ "lock orw $1, (%edi)", CODE_32, 2, EXACT | CHANGES, BYTES(0x66, 0xf0, 0x83, 0x0f, 0x01) },
	{ "arpl %ax, (%edi)", CODE_32, 2, CHANGES, BYTES(0x63, 0x07) },
	{ "bound %eax, (%edi)", CODE_32, 8, EXACT, BYTES(0x62, 0x07) },
	{ "bound %eax, 0x12345678(%edi)", CODE_32, 8, EXACT, BYTES(0x62, 0x87, 0x78, 0x56, 0x34, 0x12) },
	{ "bound %ax, (%bx)", CODE_16, 4, 0, BYTES(0x62, 0x07) },

	/* Exchanges */
	{ "xchg %al, (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0x86, 0x07) },
	{ "xchg %rax, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x48, 0x87, 0x07) },
	{ "lock xadd %eax, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xc1, 0x07) },
	{ "lock xadd %rax, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x48, 0x0f, 0xc1, 0x07) },
	{ "lock cmpxchg %dl, (%rdi)", CODE_64, 1, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xb0, 0x17) },
	{ "lock cmpxchg %edx, (%rdi)", CODE_64, 4, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xb1, 0x17) },
	{ "lock cmpxchg %rdx, (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x48, 0x0f, 0xb1, 0x17) },
	{ "lock cmpxchg8b (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xc7, 0x0f) },
	{ "lock cmpxchg16b (%rdi)", CODE_64, 16, EXACT | CHANGES, BYTES(0xf0, 0x48, 0x0f, 0xc7, 0x0f) },
	{ "lock cmpxchg8b (%edi)", CODE_32, 8, EXACT | CHANGES, BYTES(0xf0, 0x0f, 0xc7, 0x0f) },
	{ "cmpxchg8b (%bx)", CODE_16, 8, EXACT | CHANGES, BYTES(0x0f, 0xc7, 0x0f) },
	{ "cmpxchg8b %gs:(%edi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x65, 0x67, 0x0f, 0xc7, 0x0f) },

	/* The stack */
	{ "push %rbp", CODE_64, 8, EXACT, BYTES(0x55) },
	{ "pushw %ax", CODE_64, 2, EXACT, BYTES(0x66, 0x50) },
	{ "push $0x1234", CODE_64, 8, EXACT, BYTES(0x68, 0x34, 0x12, 0x00, 0x00) },
	{ "push $1", CODE_64, 8, EXACT, BYTES(0x6a, 0x01) },
	{ "pop %r12", CODE_64, 8, EXACT, BYTES(0x41, 0x5c) },
	{ "pushq (%rdi)", CODE_64, 8, EXACT, BYTES(0xff, 0x37) },
	{ "popq (%rdi)", CODE_64, 8, EXACT, BYTES(0x8f, 0x07) },
	{ "pushfq", CODE_64, 8, EXACT, BYTES(0x9c) },
	{ "popfw", CODE_64, 2, EXACT, BYTES(0x66, 0x9d) },
	{ "push %fs", CODE_64, 8, EXACT, BYTES(0x0f, 0xa0) },
	{ "pop %fs", CODE_64, 8, 0, BYTES(0x0f, 0xa1) },
	{ "call .", CODE_64, 8, EXACT, BYTES(0xe8, 0xfb, 0xff, 0xff, 0xff) },
	{ "call *(%rdi)", CODE_64, 8, EXACT, BYTES(0xff, 0x17) },
	{ "jmp *0x10(%rip)", CODE_64, 8, EXACT, BYTES(0xff, 0x25, 0x10, 0x00, 0x00, 0x00) },
	{ "ret", CODE_64, 8, EXACT, BYTES(0xc3) },
	{ "ret $16", CODE_64, 8, EXACT, BYTES(0xc2, 0x10, 0x00) },
	{ "enter $16, $0", CODE_64, 8, EXACT, BYTES(0xc8, 0x10, 0x00, 0x00) },
	{ "leave", CODE_64, 8, EXACT, BYTES(0xc9) },
	{ "iretq", CODE_64, 40, 0, BYTES(0x48, 0xcf) },
	{ "lretq", CODE_64, 10, 0, BYTES(0x48, 0xcb) },
	{ "lcall *(%rdi)", CODE_64, 8, 0, BYTES(0xff, 0x1f) },
	{ "rex.w ljmp *(%rdi)", CODE_64, 10, 0, BYTES(0x48, 0xff, 0x2f) },
	{ "push %eax", CODE_32, 4, EXACT, BYTES(0x50) },
	{ "pushw %ax", CODE_32, 2, EXACT, BYTES(0x66, 0x50) },
	{ "call .", CODE_32, 4, EXACT, BYTES(0xe8, 0xfb, 0xff, 0xff, 0xff) },
	{ "call *(%edi)", CODE_32, 4, EXACT, BYTES(0xff, 0x17) },
	{ "ret", CODE_32, 4, EXACT, BYTES(0xc3) },
	{ "leave", CODE_32, 4, EXACT, BYTES(0xc9) },
	{ "pushf", CODE_32, 4, EXACT, BYTES(0x9c) },
	{ "pusha", CODE_32, 32, 0, BYTES(0x60) },
	{ "popaw", CODE_32, 16, 0, BYTES(0x66, 0x61) },
	{ "push %es", CODE_32, 4, 0, BYTES(0x06) },
	{ "pop %es", CODE_32, 8, 0, BYTES(0x07) },
	{ "ljmp *(%edi)", CODE_32, 6, 0, BYTES(0xff, 0x2f) },
	{ "lcall $8, $0x1234", CODE_32, 8, 0, BYTES(0x9a, 0x34, 0x12, 0x00, 0x00, 0x08, 0x00) },
	{ "les (%edi), %eax", CODE_32, 6, 0, BYTES(0xc4, 0x07) },
	{ "push %ax", CODE_16, 2, EXACT, BYTES(0x50) },
	{ "pushl %eax", CODE_16, 4, EXACT, BYTES(0x66, 0x50) },
	{ "pop %bx", CODE_16, 2, EXACT, BYTES(0x5b) },
	{ "call .", CODE_16, 2, EXACT, BYTES(0xe8, 0xfd, 0xff) },
	{ "ret", CODE_16, 2, EXACT, BYTES(0xc3) },
	{ "retl", CODE_16, 4, EXACT, BYTES(0x66, 0xc3) },
	{ "iret", CODE_16, 6, 0, BYTES(0xcf) },
	{ "popa", CODE_16, 16, 0, BYTES(0x61) },

	/* Strings */
	{ "movsb", CODE_64, 1, EXACT, BYTES(0xa4) },
	{ "rep movsb", CODE_64, 1, EXACT, BYTES(0xf3, 0xa4) },
	{ "movsl", CODE_64, 4, EXACT, BYTES(0xa5) },
	{ "rep movsq", CODE_64, 8, EXACT, BYTES(0xf3, 0x48, 0xa5) },
	{ "rep stosb", CODE_64, 1, EXACT, BYTES(0xf3, 0xaa) },
	{ "stosw", CODE_64, 2, EXACT, BYTES(0x66, 0xab) },
	{ "rep stosq", CODE_64, 8, EXACT, BYTES(0xf3, 0x48, 0xab) },
	{ "lodsb", CODE_64, 1, EXACT, BYTES(0xac) },
	{ "lodsq", CODE_64, 8, EXACT, BYTES(0x48, 0xad) },
	{ "repne scasb", CODE_64, 1, EXACT, BYTES(0xf2, 0xae) },
	{ "scasl", CODE_64, 4, EXACT, BYTES(0xaf) },
	{ "repe cmpsb", CODE_64, 1, EXACT, BYTES(0xf3, 0xa6) },
	{ "cmpsq", CODE_64, 8, EXACT, BYTES(0x48, 0xa7) },
	{ "insb", CODE_64, 1, EXACT, BYTES(0x6c) },
	{ "rep outsl", CODE_64, 4, EXACT, BYTES(0xf3, 0x6f) },
	{ "movsw", CODE_16, 2, EXACT, BYTES(0xa5) },
	{ "stosl", CODE_16, 4, EXACT, BYTES(0x66, 0xab) },
	{ "rep movsl", CODE_32, 4, EXACT, BYTES(0xf3, 0xa5) },

	/* X87, MMX */
	{ "fldl (%rdi)", CODE_64, 8, 0, BYTES(0xdd, 0x07) },
	{ "fldt (%rdi)", CODE_64, 10, 0, BYTES(0xdb, 0x2f) },
	{ "fbld (%rdi)", CODE_64, 10, 0, BYTES(0xdf, 0x27) },
	{ "fbstp (%rdi)", CODE_64, 10, 0, BYTES(0xdf, 0x37) },
	{ "fnstenv (%rdi)", CODE_64, 28, 0, BYTES(0xd9, 0x37) },
	{ "fnsave (%rdi)", CODE_64, 108, 0, BYTES(0xdd, 0x37) },
	{ "frstor (%rdi)", CODE_64, 108, 0, BYTES(0xdd, 0x27) },
	{ "fnstcw (%rdi)", CODE_64, 2, 0, BYTES(0xd9, 0x3f) },
	{ "movd %mm0, (%rdi)", CODE_64, 4, EXACT, BYTES(0x0f, 0x7e, 0x07) },
	{ "movq (%rdi), %mm0", CODE_64, 8, 0, BYTES(0x0f, 0x6f, 0x07) },
	{ "paddd (%rdi), %mm0", CODE_64, 8, 0, BYTES(0x0f, 0xfe, 0x07) },
	{ "cvtpi2ps (%rdi), %xmm0", CODE_64, 8, 0, BYTES(0x0f, 0x2a, 0x07) },

	/* SSE */
	{ "movss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x10, 0x07) },
	{ "movss %xmm0, (%rdi)", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x11, 0x07) },
	{ "movsd (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf2, 0x0f, 0x10, 0x07) },
	{ "movsd %xmm8, (%rdi)", CODE_64, 8, EXACT, BYTES(0xf2, 0x44, 0x0f, 0x11, 0x07) },
	{ "movups (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x0f, 0x10, 0x07) },
	{ "movapd %xmm0, (%rdi)", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0x29, 0x07) },
	{ "movdqu (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xf3, 0x0f, 0x6f, 0x07) },
	{ "movdqa %xmm9, (%rdi)", CODE_64, 16, EXACT, BYTES(0x66, 0x44, 0x0f, 0x7f, 0x0f) },
	{ "movntdq %xmm0, (%rdi)", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0xe7, 0x07) },
	{ "lddqu (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xf2, 0x0f, 0xf0, 0x07) },
	{ "movd (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0x66, 0x0f, 0x6e, 0x07) },
	{ "movd %xmm0, (%rdi)", CODE_64, 4, EXACT, BYTES(0x66, 0x0f, 0x7e, 0x07) },
	{ "movq (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf3, 0x0f, 0x7e, 0x07) },
	{ "movq %xmm0, (%rdi)", CODE_64, 8, EXACT, BYTES(0x66, 0x0f, 0xd6, 0x07) },
	{ "rex.w movd %xmm0, (%rdi)", CODE_64, 8, EXACT, BYTES(0x66, 0x48, 0x0f, 0x7e, 0x07) },
	{ "movlps (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0x0f, 0x12, 0x07) },
	{ "movhpd %xmm0, (%rdi)", CODE_64, 8, EXACT, BYTES(0x66, 0x0f, 0x17, 0x07) },
	{ "movddup (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf2, 0x0f, 0x12, 0x07) },
	{ "movsldup (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xf3, 0x0f, 0x12, 0x07) },
	{ "movshdup (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xf3, 0x0f, 0x16, 0x07) },
	{ "addss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x58, 0x07) },
	{ "mulsd (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf2, 0x0f, 0x59, 0x07) },
	{ "addps (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x0f, 0x58, 0x07) },
	{ "divpd (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0x5e, 0x07) },
	{ "sqrtss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x51, 0x07) },
	{ "andps (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x0f, 0x54, 0x07) },
	{ "cmpltss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0xc2, 0x07, 0x01) },
	{ "cmpltpd (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0xc2, 0x07, 0x01) },
	{ "ucomiss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0x0f, 0x2e, 0x07) },
	{ "comisd (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0x66, 0x0f, 0x2f, 0x07) },
	{ "cvtsi2ssl (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x2a, 0x07) },
	{ "cvtsi2ssq (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf3, 0x48, 0x0f, 0x2a, 0x07) },
	{ "cvtsi2sdl (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf2, 0x0f, 0x2a, 0x07) },
	{ "cvtsi2sdq (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf2, 0x48, 0x0f, 0x2a, 0x07) },
	{ "cvttss2si (%rdi), %eax", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x2c, 0x07) },
	{ "cvttsd2si (%rdi), %rax", CODE_64, 8, EXACT, BYTES(0xf2, 0x48, 0x0f, 0x2c, 0x07) },
	{ "cvtss2sd (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf3, 0x0f, 0x5a, 0x07) },
	{ "cvtsd2ss (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf2, 0x0f, 0x5a, 0x07) },
	{ "cvttps2dq (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xf3, 0x0f, 0x5b, 0x07) },
	{ "cvtdq2ps (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x0f, 0x5b, 0x07) },
	{ "cvtps2pd (%rdi), %xmm0", CODE_64, 8, 0, BYTES(0x0f, 0x5a, 0x07) },
	{ "pxor (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0xef, 0x07) },
	{ "pshufb (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0x38, 0x00, 0x07) },
	{ "pcmpistri $0, (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0x3a, 0x63, 0x07, 0x00) },
	{ "aesenc (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0x38, 0xdc, 0x07) },
	{ "maskmovdqu %xmm1, %xmm0", CODE_64, 16, EXACT, BYTES(0x66, 0x0f, 0xf7, 0xc1) },
	{ "pextrb $0, %xmm0, (%rdi)", CODE_64, 1, 0, BYTES(0x66, 0x0f, 0x3a, 0x14, 0x07, 0x00) },
	{ "ldmxcsr (%rdi)", CODE_64, 4, EXACT, BYTES(0x0f, 0xae, 0x17) },
	{ "stmxcsr (%rdi)", CODE_64, 4, EXACT, BYTES(0x0f, 0xae, 0x1f) },
	{ "movups (%edi), %xmm0", CODE_32, 16, EXACT, BYTES(0x0f, 0x10, 0x07) },
	{ "movdqu %xmm0, (%bx)", CODE_16, 16, EXACT, BYTES(0xf3, 0x0f, 0x7f, 0x07) },

	/* AVX */
	{ "vmovdqu (%rdi), %xmm0", CODE_64, 16, EXACT, BYTES(0xc5, 0xfa, 0x6f, 0x07) },
	{ "vmovdqu (%rdi), %ymm0", CODE_64, 32, EXACT, BYTES(0xc5, 0xfe, 0x6f, 0x07) },
	{ "vmovaps %xmm8, (%r9)", CODE_64, 16, EXACT, BYTES(0xc4, 0x41, 0x78, 0x29, 0x01) },
	{ "vmovaps %ymm8, (%r9)", CODE_64, 32, EXACT, BYTES(0xc4, 0x41, 0x7c, 0x29, 0x01) },
	{ "vaddpd (%r9), %ymm1, %ymm0", CODE_64, 32, EXACT, BYTES(0xc4, 0xc1, 0x75, 0x58, 0x01) },
	{ "vpshufb (%rdi), %xmm1, %xmm0", CODE_64, 16, EXACT, BYTES(0xc4, 0xe2, 0x71, 0x00, 0x07) },
	{ "vpshufb (%r9), %ymm1, %ymm0", CODE_64, 32, EXACT, BYTES(0xc4, 0xc2, 0x75, 0x00, 0x01) },
	{ "vpalignr $4, (%rdi), %ymm1, %ymm0", CODE_64, 32, EXACT,
	  BYTES(0xc4, 0xe3, 0x75, 0x0f, 0x07, 0x04) },
	{ "vmovss (%rdi), %xmm0", CODE_64, 4, 0, BYTES(0xc5, 0xfa, 0x10, 0x07) },
	{ "vbroadcastf128 (%rdi), %ymm0", CODE_64, 16, 0, BYTES(0xc4, 0xe2, 0x7d, 0x1a, 0x07) },
	{ "vpgatherdd %ymm2, (%rdi,%ymm1), %ymm0", CODE_64, 4, 0,
	  BYTES(0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x0f) },
	{ "kmovq (%rdi), %k1", CODE_64, 8, 0, BYTES(0xc4, 0xe1, 0xf8, 0x90, 0x0f) },
	{ "andn (%rdi), %rax, %rbx", CODE_64, 8, 0, BYTES(0xc4, 0xe2, 0xf8, 0xf2, 0x1f) },
	{ "ldtilecfg (%rdi)", CODE_64, 64, 0, BYTES(0xc4, 0xe2, 0x78, 0x49, 0x07) },
	{ "sttilecfg (%rdi)", CODE_64, 64, 0, BYTES(0xc4, 0xe2, 0x79, 0x49, 0x07) },
	{ "tileloadd (%rdi,%rax), %tmm0", CODE_64, 64, 0, BYTES(0xc4, 0xe2, 0x7b, 0x4b, 0x04, 0x07) },
	{ "vmovdqu (%edi), %ymm0", CODE_32, 32, EXACT, BYTES(0xc5, 0xfe, 0x6f, 0x07) },
	{ "vaddps (%edi), %xmm1, %xmm0", CODE_32, 16, EXACT, BYTES(0xc5, 0xf0, 0x58, 0x07) },

	/* EVEX */
	{ "vmovdqu64 (%rdi), %zmm0", CODE_64, 64, EXACT, BYTES(0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x07) },
	{ "vmovdqu8 (%rdi), %ymm16", CODE_64, 32, EXACT, BYTES(0x62, 0xe1, 0x7f, 0x28, 0x6f, 0x07) },
	{ "vmovaps %xmm16, 16(%rdi)", CODE_64, 16, EXACT, BYTES(0x62, 0xe1, 0x7c, 0x08, 0x29, 0x47, 0x01) },
	{ "vaddpd (%r9), %zmm1, %zmm0", CODE_64, 64, EXACT, BYTES(0x62, 0xd1, 0xf5, 0x48, 0x58, 0x01) },
	{ "vpternlogd $1, (%rdi), %zmm1, %zmm0", CODE_64, 64, EXACT,
	  BYTES(0x62, 0xf3, 0x75, 0x48, 0x25, 0x07, 0x01) },
	{ "vaddps (%rdi){1to16}, %zmm1, %zmm0", CODE_64, 4, 0, BYTES(0x62, 0xf1, 0x74, 0x58, 0x58, 0x07) },
	{ "vpcompressd %zmm0, (%rdi){%k1}", CODE_64, 64, EXACT, BYTES(0x62, 0xf2, 0x7d, 0x49, 0x8b, 0x07) },
	{ "vmovss (%rdi), %xmm16", CODE_64, 4, 0, BYTES(0x62, 0xe1, 0x7e, 0x08, 0x10, 0x07) },
	{ "vmovdqu32 (%edi), %zmm0", CODE_32, 64, EXACT, BYTES(0x62, 0xf1, 0x7e, 0x48, 0x6f, 0x07) },

	/* More than a register */
	{ "fxsave (%rdi)", CODE_64, 512, 0, BYTES(0x0f, 0xae, 0x07) },
	{ "xsave (%rdi)", CODE_64, 4096, EXACT, BYTES(0x0f, 0xae, 0x27) },
	{ "xrstor64 (%rdi)", CODE_64, 4096, EXACT, BYTES(0x48, 0x0f, 0xae, 0x2f) },
	{ "xsavec (%rdi)", CODE_64, 4096, EXACT, BYTES(0x0f, 0xc7, 0x27) },
	{ "xsaves64 (%rdi)", CODE_64, 4096, EXACT, BYTES(0x48, 0x0f, 0xc7, 0x2f) },
	{ "movdir64b (%rdi), %rax", CODE_64, 64, EXACT, BYTES(0x66, 0x0f, 0x38, 0xf8, 0x07) },
	{ "enqcmd (%rdi), %rax", CODE_64, 64, EXACT, BYTES(0xf2, 0x0f, 0x38, 0xf8, 0x07) },
	{ "aesenc128kl (%rdi), %xmm0", CODE_64, 48, 0, BYTES(0xf3, 0x0f, 0x38, 0xdc, 0x07) },
	{ "aesdec256kl (%rdi), %xmm0", CODE_64, 64, 0, BYTES(0xf3, 0x0f, 0x38, 0xdf, 0x07) },
	{ "aesencwide128kl (%rdi)", CODE_64, 48, 0, BYTES(0xf3, 0x0f, 0x38, 0xd8, 0x07) },
	{ "sgdt (%rdi)", CODE_64, 10, 0, BYTES(0x0f, 0x01, 0x07) },
	{ "lidt (%rdi)", CODE_64, 10, 0, BYTES(0x0f, 0x01, 0x1f) },
	{ "ltr (%rdi)", CODE_64, 16, 0, BYTES(0x0f, 0x00, 0x1f) },
	{ "lss (%rdi), %eax", CODE_64, 8, 0, BYTES(0x0f, 0xb2, 0x07) },
	{ "lar (%rdi), %eax", CODE_64, 8, 0, BYTES(0x0f, 0x02, 0x07) },
	{ "xlat", CODE_64, 1, 0, BYTES(0xd7) },
	{ "movbe (%rdi), %rax", CODE_64, 8, 0, BYTES(0x48, 0x0f, 0x38, 0xf0, 0x07) },
	{ "crc32q (%rdi), %rax", CODE_64, 8, 0, BYTES(0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x07) },

	/* As no assembler makes them. */
	{ "rex.w, then data16 incw (%rdi)", CODE_64, 2, EXACT | CHANGES, BYTES(0x48, 0x66, 0xff, 0x07) },
	{ "rex, then rex.w incq (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x40, 0x48, 0xff, 0x07) },
	{ "data16 incq (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x66, 0x48, 0xff, 0x07) },
	{ "dec %eax, not rex.w", CODE_32, 1, 0, BYTES(0x48, 0x01, 0x07) },
	{ "data16 cmpxchg8b (%rdi)", CODE_64, 8, EXACT | CHANGES, BYTES(0x66, 0x0f, 0xc7, 0x0f) },
	{ "repe, repne: movsd (%rdi), %xmm0", CODE_64, 8, EXACT, BYTES(0xf3, 0xf2, 0x0f, 0x10, 0x07) },
	{ "repne, repe: movss (%rdi), %xmm0", CODE_64, 4, EXACT, BYTES(0xf2, 0xf3, 0x0f, 0x10, 0x07) },
	{ "data16 call *(%rdi)", CODE_64, 8, EXACT, BYTES(0x66, 0xff, 0x17) },
};

static void test_known(void **state)
{
	const struct sample *s;

	(void)state;
	for (s = known; s < known + ARRAY_SIZE(known); s++)
		watch_size_ref_check(s->name, s->bytes, s->length, s->code, s->size, s->flags);
}

/* What can be said of an instruction of which the rest could not be read. */
static const struct sample cut_off[] = {
	{ "nothing", CODE_64, 8, EXACT, { 0 }, 0 },
	{ "prefixes", CODE_64, 8, EXACT, BYTES(0x66, 0xf0, 0x48) },
	{ "0f", CODE_64, 8, EXACT, BYTES(0x0f) },
	{ "mov", CODE_64, 4, EXACT, BYTES(0x89) },
	{ "add", CODE_64, 8, EXACT | CHANGES, BYTES(0x48, 0x01) },
	{ "add or cmp", CODE_64, 4, EXACT, BYTES(0x83) },
	{ "inc, call, push", CODE_64, 10, 0, BYTES(0xff) },
	{ "sldt or ltr", CODE_64, 16, 0, BYTES(0x0f, 0x00) },
	{ "fxsave or ldmxcsr", CODE_64, 4096, EXACT, BYTES(0x0f, 0xae) },
	{ "cmpxchg16b or xsavec", CODE_64, 4096, EXACT, BYTES(0x48, 0x0f, 0xc7) },
	{ "pshufb or movdir64b", CODE_64, 64, 0, BYTES(0x66, 0x0f, 0x38) },
	{ "vex", CODE_64, 64, 0, BYTES(0xc5, 0xfe) },
	{ "vex", CODE_64, 64, 0, BYTES(0xc4, 0xe2, 0x7b) },
	{ "evex", CODE_64, 64, 0, BYTES(0x62) },
	{ "evex", CODE_64, 64, 0, BYTES(0x62, 0xf1, 0xfe, 0x08) },
	{ "bound or evex", CODE_32, 8, 0, BYTES(0x62) },
};

static void test_cut_off(void **state)
{
	const struct sample *s;

	(void)state;
	for (s = cut_off; s < cut_off + ARRAY_SIZE(cut_off); s++)
		watch_size_ref_check(s->name, s->bytes, s->length, s->code, s->size, s->flags);
}

static void every_form(struct source *source)
{
	u32 i;

	for (i = 0; i < watch_size_ref_nr(); i++)
		watch_size_ref_form(i, source);
}

static void test_encoded(void **state)
{
	(void)state;
	unit_for_seeds(100, every_form);
}

static void test_any(void **state)
{
	(void)state;
	unit_for_seeds(20000, watch_size_ref_run_any);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests_name("watch_size", tests, NULL, NULL);
}
