// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that must fault: which exception, which error code, and where. */
#include "tests.h"

INSN(insn_vmcall, "vmcall");
INSN(insn_vmlaunch, "vmlaunch");
INSN(insn_vmresume, "vmresume");
INSN(insn_vmxoff, "vmxoff");
INSN(insn_vmxon, "vmxon (%rdi)");
INSN(insn_vmclear, "vmclear (%rdi)");
INSN(insn_vmptrld, "vmptrld (%rdi)");
INSN(insn_vmptrst, "vmptrst (%rdi)");
INSN(insn_vmread, "vmread %rax, %rcx");
INSN(insn_vmread_mem, "vmread %rax, (%rdi)");
INSN(insn_vmwrite, "vmwrite %rcx, %rax");
INSN(insn_invept, "invept (%rdi), %rax");
INSN(insn_invvpid, "invvpid (%rdi), %rax");
INSN(insn_vmfunc, "vmfunc");
INSN(insn_getsec, "getsec");
INSN(insn_rsm, "rsm");
INSN(insn_ud2, "ud2");
INSN(insn_ud1, ".byte 0x0f, 0xb9, 0xc0");
INSN(insn_lock_nop, ".byte 0xf0, 0x90");
INSN(insn_cr5, ".byte 0x0f, 0x20, 0xe8");
INSN(insn_push_es, ".byte 0x06");

static const struct {
	const char *code;
	const char *name;
} undefined[] = {
	{ insn_vmcall, "VMCALL" }, { insn_vmlaunch, "VMLAUNCH" }, { insn_vmresume, "VMRESUME" },
	{ insn_vmxoff, "VMXOFF" }, { insn_vmxon, "VMXON" }, { insn_vmclear, "VMCLEAR" },
	{ insn_vmptrld, "VMPTRLD" }, { insn_vmptrst, "VMPTRST" }, { insn_vmread, "VMREAD" },
	{ insn_vmread_mem, "VMREAD to memory" }, { insn_vmwrite, "VMWRITE" },
	{ insn_invept, "INVEPT" }, { insn_invvpid, "INVVPID" }, { insn_vmfunc, "VMFUNC" },
	{ insn_getsec, "GETSEC" }, { insn_rsm, "RSM" }, { insn_ud2, "UD2" },
	{ insn_ud1, "UD1" }, { insn_lock_nop, "LOCK NOP" }, { insn_cr5, "MOV from CR5" },
	{ insn_push_es, "PUSH ES" },
};

static void fault_undefined(void)
{
	static u64 operand[2];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(undefined); i++) {
		u32 vector = try_insn(undefined[i].code, ADDR(operand));

		/* A fault's image of RFLAGS has RF set (SDM vol. 3, 18.3.1.1). */
		ktap_check(vector == VECTOR_UD &&
			   trap_last()->regs.rip == ADDR(undefined[i].code) &&
			   trap_last()->regs.rflags & RFLAGS_RF, "#UD for %s", undefined[i].name);
	}
	/* An operand that would fault: #UD comes first. */
	ktap_check(try_insn(insn_vmclear, WINDOW_BASE) == VECTOR_UD, "#UD before #PF for VMCLEAR");
	ktap_check(try_insn(insn_vmxon, BIT(63)) == VECTOR_UD, "#UD before #GP for VMXON");
}

INSN(insn_load, "movq (%rdi), %rax");
INSN(insn_load_stack, "movq %rdi, %rbp\n\tmovq (%rbp), %rax");
INSN(insn_jump, "jmp *%rdi");
INSN(insn_movaps, "movaps 8(%rdi), %xmm0");
INSN(insn_div, "xorl %edx, %edx\n\txorl %ecx, %ecx\n\tdivl %ecx");
INSN(insn_int3, "int3");
INSN(insn_load_cs_null, "pushq $0\n\tpushq %rdi\n\tlretq");
INSN(insn_mov_ss_null3, "movl $3, %eax\n\tmovw %ax, %ss");

static void fault_check(const char *code, u64 arg, u32 vector, u64 error, u64 offset,
			const char *name)
{
	u32 found = try_insn(code, arg);
	struct regs *regs = &trap_last()->regs;

	ktap_check(found == vector && regs->error == error && regs->rip - ADDR(code) == offset,
		   "%s: exception %u, error 0x%llx", name, found, regs->error);
}

static void fault_various(void)
{
	static u8 data[64] __attribute__((aligned(16)));

	fault_check(insn_load, 0x800000000000ull, VECTOR_GP, 0, 0, "load, not canonical");
	fault_check(insn_load_stack, 0x800000000000ull, VECTOR_SS, 0, 3,
		    "load by RBP, not canonical");
	fault_check(insn_jump, 0x800000000000ull, VECTOR_GP, 0, 0, "jump, not canonical");
	fault_check(insn_movaps, ADDR(data), VECTOR_GP, 0, 0, "MOVAPS, not aligned");
	fault_check(insn_div, 0, VECTOR_DE, 0, 4, "division by 0");
	fault_check(insn_int3, 0, VECTOR_BP, 0, 1, "INT3");
	fault_check(insn_load_cs_null, 0, VECTOR_GP, 0, 3, "far return to CS 0");
	fault_check(insn_mov_ss_null3, 0, VECTOR_GP, 0, 5, "SS with a null selector of RPL 3");
}

USER_INSN(user_hlt, "hlt");
USER_INSN(user_cli, "cli");
USER_INSN(user_sti, "sti");
USER_INSN(user_cr0_read, "movq %cr0, %rax");
USER_INSN(user_cr0_write, "movq %rax, %cr0");
USER_INSN(user_cr3_write, "movq %rax, %cr3");
USER_INSN(user_cr4_write, "movq %rax, %cr4");
USER_INSN(user_cr8_read, "movq %cr8, %rax");
USER_INSN(user_dr7_read, "movq %dr7, %rax");
USER_INSN(user_rdmsr, "movl $0x3a, %ecx\n\trdmsr");
USER_INSN(user_wrmsr, "movl $0x3a, %ecx\n\twrmsr");
USER_INSN(user_invd, "invd");
USER_INSN(user_wbinvd, "wbinvd");
USER_INSN(user_lgdt, "lgdt -16(%rsp)");
USER_INSN(user_lldt, "lldt %ax");
USER_INSN(user_ltr, "ltr %ax");
USER_INSN(user_lmsw, "lmsw %ax");
USER_INSN(user_clts, "clts");
USER_INSN(user_invlpg, "invlpg (%rsp)");
USER_INSN(user_in, "inb $0x80, %al");
USER_INSN(user_out, "outb %al, $0x80");
USER_INSN(user_swapgs, "swapgs");
USER_INSN(user_sysret, "sysretq");
USER_INSN(user_sysexit, "sysexitl");
USER_INSN(user_rdpmc, "xorl %ecx, %ecx\n\trdpmc");
USER_INSN(user_monitor, "monitor");
USER_INSN(user_vmcall, "xorl %eax, %eax\n\tvmcall");
USER_INSN(user_vmlaunch, "vmlaunch");
USER_INSN(user_vmxon, "vmxon (%rsp)");
USER_INSN(user_vmread, "vmread %rax, %rcx");
USER_INSN(user_invept, "invept (%rsp), %rax");
USER_INSN(user_vmfunc, "vmfunc");
USER_INSN(user_getsec, "getsec");
USER_INSN(user_rsm, "rsm");
USER_INSN(user_int_kernel, "int $0x90");
USER_INSN(user_rdtsc, "rdtsc");
USER_INSN(user_kernel_data, "movq 0x100000, %rax");
USER_INSN(user_sgdt, "sgdt -16(%rsp)");
USER_INSN(user_smsw, "smsw %eax");
USER_INSN(user_xsetbv, "xorl %ecx, %ecx\n\txsetbv");

static const struct {
	const char *code;
	const char *name;
	u32 vector;
	u32 error;
} cpl3[] = {
	{ user_hlt, "HLT", VECTOR_GP, 0 }, { user_cli, "CLI", VECTOR_GP, 0 },
	{ user_sti, "STI", VECTOR_GP, 0 }, { user_cr0_read, "MOV from CR0", VECTOR_GP, 0 },
	{ user_cr0_write, "MOV to CR0", VECTOR_GP, 0 },
	{ user_cr3_write, "MOV to CR3", VECTOR_GP, 0 },
	{ user_cr4_write, "MOV to CR4", VECTOR_GP, 0 },
	{ user_cr8_read, "MOV from CR8", VECTOR_GP, 0 },
	{ user_dr7_read, "MOV from DR7", VECTOR_GP, 0 }, { user_rdmsr, "RDMSR", VECTOR_GP, 0 },
	{ user_wrmsr, "WRMSR", VECTOR_GP, 0 }, { user_invd, "INVD", VECTOR_GP, 0 },
	{ user_wbinvd, "WBINVD", VECTOR_GP, 0 }, { user_lgdt, "LGDT", VECTOR_GP, 0 },
	{ user_lldt, "LLDT", VECTOR_GP, 0 }, { user_ltr, "LTR", VECTOR_GP, 0 },
	{ user_lmsw, "LMSW", VECTOR_GP, 0 }, { user_clts, "CLTS", VECTOR_GP, 0 },
	{ user_invlpg, "INVLPG", VECTOR_GP, 0 }, { user_in, "IN", VECTOR_GP, 0 },
	{ user_out, "OUT", VECTOR_GP, 0 }, { user_swapgs, "SWAPGS", VECTOR_GP, 0 },
	{ user_sysret, "SYSRET", VECTOR_GP, 0 }, { user_sysexit, "SYSEXIT", VECTOR_GP, 0 },
	{ user_rdpmc, "RDPMC", VECTOR_GP, 0 }, { user_monitor, "MONITOR", VECTOR_UD, 0 },
	{ user_vmcall, "VMCALL", VECTOR_UD, 0 }, { user_vmlaunch, "VMLAUNCH", VECTOR_UD, 0 },
	{ user_vmxon, "VMXON", VECTOR_UD, 0 }, { user_vmread, "VMREAD", VECTOR_UD, 0 },
	{ user_invept, "INVEPT", VECTOR_UD, 0 }, { user_vmfunc, "VMFUNC", VECTOR_UD, 0 },
	{ user_getsec, "GETSEC", VECTOR_UD, 0 }, { user_rsm, "RSM", VECTOR_UD, 0 },
	{ user_int_kernel, "INT to a gate of DPL 0", VECTOR_GP, 0x90 * 8 + 2 },
	{ user_rdtsc, "RDTSC", IRQ_EXIT, 0 },
	{ user_kernel_data, "load from a supervisor page", VECTOR_PF, 5 },
	{ user_sgdt, "SGDT", IRQ_EXIT, 0 }, { user_smsw, "SMSW", IRQ_EXIT, 0 },
	{ user_xsetbv, "XSETBV", VECTOR_GP, 0 },
};

static void fault_cpl3(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cpl3); i++) {
		u32 vector, expected = cpl3[i].vector;

		if (cpl3[i].code == user_xsetbv && !(read_cr4() & CR4_OSXSAVE))
			expected = VECTOR_UD;
		vector = user_call(cpl3[i].code, 0);
		ktap_check(vector == expected && trap_last()->regs.error == cpl3[i].error &&
			   trap_last()->regs.cs == SEL_UCODE,
			   "%s at CPL 3: exception %u", cpl3[i].name, vector);
	}
}

USER_INSN(user_unaligned, "pushfq\n\torq $0x40000, (%rsp)\n\tpopfq\n\tmovl -15(%rsp), %eax");
USER_INSN(user_into, ".code32\n\tmovb $127, %al\n\taddb $1, %al\n\tinto\n\t.code64");

static void fault_alignment(void)
{
	u64 cr0 = read_cr0();
	u32 vector;

	write_cr0(cr0 | CR0_AM);
	vector = user_call(user_unaligned, 0);
	ktap_check(vector == VECTOR_AC && !trap_last()->regs.error,
		   "#AC with CR0.AM and RFLAGS.AC");
	write_cr0(cr0 & ~(u64)CR0_AM);
	ktap_check(user_call(user_unaligned, 0) == IRQ_EXIT, "no #AC without CR0.AM");
	write_cr0(cr0);
	vector = user_call32(user_into, 0);
	ktap_check(vector == VECTOR_OF &&
		   trap_last()->regs.rip == ADDR(user_into) + USER_OFFSET + 5,
		   "INTO in compatibility mode");
}

INSN(insn_wbinvd, "wbinvd");
INSN(insn_invd, "wbinvd\n\tinvd");

void test_fault(void)
{
	fault_undefined();
	fault_various();
	fault_cpl3();
	fault_alignment();
	ktap_check(try_insn(insn_wbinvd, 0) == TRAP_NONE, "WBINVD");
	ktap_check(try_insn(insn_invd, 0) == TRAP_NONE, "INVD");
}
