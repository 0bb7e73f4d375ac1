/* SPDX-License-Identifier: GPL-2.0-only */
/* What test_controls.c executes in 32-bit mode, and what an exit says of it */
#define INFO_ADDRESS_SIZE	0x80
INSN(ctl_rdrand, "rdrand %ecx");
INSN(ctl_cr3_load, "movl %cr3, %ebx\n\tmovl %ebx, %cr3");
INSN(ctl_cr3_store, "movl %cr3, %edx");
INSN(ctl_dr_load, "xorl %eax, %eax\n\tmovl %eax, %db3");
INSN(ctl_dr_store, "movl %db6, %esi");
INSN(ctl_str, "str %edi");
INSN(ctl_xsaves, "movl $1, %eax\n\txorl %edx, %edx\n\t.byte 0x0f, 0xc7, 0x2f");
INSN(ctl_xrstors, "movl $1, %eax\n\txorl %edx, %edx\n\t.byte 0x0f, 0xc7, 0x1f");

static const struct control controls[] = {
	PRIMARY("HLT", ctl_hlt, PRIMARY_HLT, REASON_HLT, 0, 1, 0, 0),
	PRIMARY("INVLPG", ctl_invlpg, PRIMARY_INVLPG, REASON_INVLPG, 0, 7, TEST_VA + 0x123,
		TRAP_NONE),
	PRIMARY("RDPMC", ctl_rdpmc, PRIMARY_RDPMC, REASON_RDPMC, 2, 2, 0, 0),
	PRIMARY("RDTSC", ctl_rdtsc, PRIMARY_RDTSC, REASON_RDTSC, 0, 2, 0, TRAP_NONE),
	PRIMARY("PAUSE", ctl_pause, PRIMARY_PAUSE, REASON_PAUSE, 0, 2, 0, TRAP_NONE),
	PRIMARY("MOV to CR3", ctl_cr3_load, PRIMARY_CR3_LOAD, REASON_CR, 3, 3, 0x303, TRAP_NONE),
	PRIMARY("MOV from CR3", ctl_cr3_store, PRIMARY_CR3_STORE, REASON_CR, 0, 3, 0x213,
		TRAP_NONE),
	PRIMARY("MOV to DR3", ctl_dr_load, PRIMARY_MOV_DR, REASON_DR, 2, 3, 0x003, TRAP_NONE),
	PRIMARY("MOV from DR6", ctl_dr_store, PRIMARY_MOV_DR, REASON_DR, 0, 3, 0x616, TRAP_NONE),
	PRIMARY("IN", ctl_in, PRIMARY_IO, REASON_IO, 0, 2, 0x800048, TRAP_NONE),
	PRIMARY("OUT", ctl_out, PRIMARY_IO, REASON_IO, 10, 1, 0x800003, TRAP_NONE),
	SECONDARY("WBINVD", ctl_wbinvd, SECONDARY_WBINVD, REASON_WBINVD, 0, 2, 0, 0),
	SECONDARY("RDRAND", ctl_rdrand, SECONDARY_RDRAND, REASON_RDRAND, 0, 3, 0x0808, 0x1878),
	SECONDARY("RDSEED", ctl_rdseed, SECONDARY_RDSEED, REASON_RDSEED, 0, 3, 0x0810, 0x1878),
	/* 15:0: address size, register or memory, segment; 29:28: which instruction */
	SECONDARY("SGDT", ctl_sgdt, SECONDARY_DESCRIPTORS, REASON_GDTR_IDTR, 0, 3, 0x03c18080,
		  0x3fc38780),
	SECONDARY("SIDT", ctl_sidt, SECONDARY_DESCRIPTORS, REASON_GDTR_IDTR, 0, 3, 0x13c18080,
		  0x3fc38780),
	SECONDARY("SLDT", ctl_sldt, SECONDARY_DESCRIPTORS, REASON_LDTR_TR, 0, 3, 0x00000400,
		  0x30000478),
	SECONDARY("STR", ctl_str, SECONDARY_DESCRIPTORS, REASON_LDTR_TR, 0, 3, 0x10000438,
		  0x30000478),
	SECONDARY("LLDT", ctl_lldt, SECONDARY_DESCRIPTORS, REASON_LDTR_TR, 5, 3, 0x20000400,
		  0x30000478),
};
