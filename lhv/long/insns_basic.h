/* SPDX-License-Identifier: GPL-2.0-only */
/* What test_basic.c executes in 64-bit mode, and what an exit says of it */
#define GUEST_REGISTERS	15
INSN(guest_registers, "addq $1, %rax\n\taddq $2, %rcx\n\taddq $3, %rdx\n\taddq $4, %rbx\n\t"
	"addq $5, %rbp\n\taddq $6, %rsi\n\taddq $7, %rdi\n\taddq $8, %r8\n\taddq $9, %r9\n\t"
	"addq $10, %r10\n\taddq $11, %r11\n\taddq $12, %r12\n\taddq $13, %r13\n\t"
	"addq $14, %r14\n\taddq $15, %r15");

INSN(guest_vmxon, "vmxon (%rdi)");
INSN(guest_vmxoff, "vmxoff");
INSN(guest_vmclear, "vmclear 16(%rdi, %rcx, 8)");
INSN(guest_vmptrld, "vmptrld (%rdi)");
INSN(guest_vmptrst, "vmptrst -8(%rdi)");
INSN(guest_vmread, "vmread %r9, %r10");
INSN(guest_vmread_mem, "vmread %rax, 8(%rdi)");
INSN(guest_vmwrite, "vmwrite %rdx, %rbx");
INSN(guest_vmlaunch, "vmlaunch");
INSN(guest_vmresume, "vmresume");
INSN(guest_invept, "invept (%rdi), %rax");
INSN(guest_invvpid, "invvpid 8(%rdi), %r8");

/* VM-exit instruction information (SDM vol. 3, 28.2.5): of (%rdi), and its masks */
#define INFO_RDI	0x03c18100
#define INFO_MEMORY	0x0fc38780
#define INFO_INDEX	0x0fff8783
#define INFO_REGISTER	0x00000478
#define INFO_REG2	0xf0000000

static const struct {
	const char *code;
	const char *name;
	u32 reason, length;
	u64 qualification;
	u32 instruction, mask;	/* what is defined of the information */
	u32 secondary;
} vmx_insns[] = {
	{ guest_vmxon, "VMXON", REASON_VMXON, 4, 0, INFO_RDI, INFO_MEMORY, 0 },
	{ guest_vmxoff, "VMXOFF", REASON_VMXOFF, 3, 0, 0, 0, 0 },
	{ guest_vmclear, "VMCLEAR", REASON_VMCLEAR, 6, 16, 0x03858103, INFO_INDEX, 0 },
	{ guest_vmptrld, "VMPTRLD", REASON_VMPTRLD, 3, 0, INFO_RDI, INFO_MEMORY, 0 },
	{ guest_vmptrst, "VMPTRST", REASON_VMPTRST, 4, ~7ull, INFO_RDI, INFO_MEMORY, 0 },
	{ guest_vmread, "VMREAD", REASON_VMREAD, 4, 0, 0x90000450,
	  INFO_REG2 | INFO_REGISTER, 0 },
	{ guest_vmread_mem, "VMREAD to memory", REASON_VMREAD, 4, 8, INFO_RDI,
	  INFO_REG2 | INFO_MEMORY, 0 },
	{ guest_vmwrite, "VMWRITE", REASON_VMWRITE, 3, 0, 0x30000410,
	  INFO_REG2 | INFO_REGISTER, 0 },
	{ guest_vmlaunch, "VMLAUNCH", REASON_VMLAUNCH, 3, 0, 0, 0, 0 },
	{ guest_vmresume, "VMRESUME", REASON_VMRESUME, 3, 0, 0, 0, 0 },
	{ guest_invept, "INVEPT", REASON_INVEPT, 5, 0, INFO_RDI, INFO_REG2 | INFO_MEMORY,
	  SECONDARY_EPT },
	{ guest_invvpid, "INVVPID", REASON_INVVPID, 7, 8, 0x80000000 | INFO_RDI,
	  INFO_REG2 | INFO_MEMORY, SECONDARY_VPID },
};
