/* SPDX-License-Identifier: GPL-2.0-only */
/* What test_basic.c executes in 32-bit mode, and what an exit says of it */
#define GUEST_REGISTERS	7
INSN(guest_registers, "addl $1, %eax\n\taddl $2, %ecx\n\taddl $3, %edx\n\taddl $4, %ebx\n\t"
	"addl $5, %ebp\n\taddl $6, %esi\n\taddl $7, %edi");

INSN(guest_vmxon, "vmxon (%edi)");
INSN(guest_vmxoff, "vmxoff");
INSN(guest_vmclear, "vmclear 16(%edi, %ecx, 8)");
INSN(guest_vmptrld, "vmptrld (%edi)");
INSN(guest_vmptrst, "vmptrst -8(%edi)");
INSN(guest_vmread, "vmread %ecx, %edx");
INSN(guest_vmread_mem, "vmread %eax, 8(%edi)");
INSN(guest_vmwrite, "vmwrite %edx, %ebx");
INSN(guest_vmlaunch, "vmlaunch");
INSN(guest_vmresume, "vmresume");
INSN(guest_invept, "invept (%edi), %eax");
INSN(guest_invvpid, "invvpid 8(%edi), %ebx");

/* VM-exit instruction information (SDM vol. 3, 28.2.5): of (%edi), and its masks */
#define INFO_EDI	0x03c18080
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
	{ guest_vmxon, "VMXON", REASON_VMXON, 4, 0, INFO_EDI, INFO_MEMORY, 0 },
	{ guest_vmxoff, "VMXOFF", REASON_VMXOFF, 3, 0, 0, 0, 0 },
	{ guest_vmclear, "VMCLEAR", REASON_VMCLEAR, 6, 16, 0x03858083, INFO_INDEX, 0 },
	{ guest_vmptrld, "VMPTRLD", REASON_VMPTRLD, 3, 0, INFO_EDI, INFO_MEMORY, 0 },
	{ guest_vmptrst, "VMPTRST", REASON_VMPTRST, 4, ~7u, INFO_EDI, INFO_MEMORY, 0 },
	{ guest_vmread, "VMREAD", REASON_VMREAD, 3, 0, 0x10000410,
	  INFO_REG2 | INFO_REGISTER, 0 },
	{ guest_vmread_mem, "VMREAD to memory", REASON_VMREAD, 4, 8, INFO_EDI,
	  INFO_REG2 | INFO_MEMORY, 0 },
	{ guest_vmwrite, "VMWRITE", REASON_VMWRITE, 3, 0, 0x30000410,
	  INFO_REG2 | INFO_REGISTER, 0 },
	{ guest_vmlaunch, "VMLAUNCH", REASON_VMLAUNCH, 3, 0, 0, 0, 0 },
	{ guest_vmresume, "VMRESUME", REASON_VMRESUME, 3, 0, 0, 0, 0 },
	{ guest_invept, "INVEPT", REASON_INVEPT, 5, 0, INFO_EDI, INFO_REG2 | INFO_MEMORY,
	  SECONDARY_EPT },
	{ guest_invvpid, "INVVPID", REASON_INVVPID, 6, 8, 0x30000000 | INFO_EDI,
	  INFO_REG2 | INFO_MEMORY, SECONDARY_VPID },
};
