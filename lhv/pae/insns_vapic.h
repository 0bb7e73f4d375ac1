/* SPDX-License-Identifier: GPL-2.0-only */
/* Task priority in EDI; there is no CR8, but virtual x2APIC mode */
INSN(vapic_set_tpr, "movl $0x808, %ecx\n\tmovl %edi, %eax\n\tshll $4, %eax\n\t"
	"xorl %edx, %edx\n\twrmsr");
