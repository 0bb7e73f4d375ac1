// SPDX-License-Identifier: GPL-2.0-only
/* A guest that runs code of the image, and the exits that are there without controls. */
#include "nested.h"
#include <insns_basic.h>

INSN(guest_nothing, "nop");
INSN(guest_cpuid, "movl $1, %eax\n\txorl %ecx, %ecx\n\tcpuid\n\tmov RAX, (RDI)");
INSN(guest_vmcall, "vmcall\n\tvmcall");
INSN(guest_invd, "invd");
INSN(guest_xsetbv, "xorl %ecx, %ecx\n\txgetbv\n\txsetbv");

static void basic_return(struct hv *hv)
{
	hv_guest(hv, guest_nothing, 0);
	nested_end(hv, "return");
	ktap_check(hv->exit.rsp == ADDR(hv->guest->stack + STACK_SIZE), "RSP");
}

static void basic_cpuid(struct hv *hv)
{
	u64 *result = (u64 *)hv->page;

	hv_guest(hv, guest_cpuid, ADDR(result));
	nested_exit(hv, REASON_CPUID, 0, 2, "CPUID");
	ktap_check(hv->regs.rax == 1 && !hv->regs.rcx && hv->exit.rip - hv->code == 7,
		   "RAX, RCX, RIP");
	hv->regs.rax = 0x12345678;
	hv_skip(hv);
	nested_end(hv, "CPUID behind");
	ktap_check(*result == 0x12345678, "the guest finds what the host has answered");
}

static void basic_vmcall(struct hv *hv)
{
	hv_guest(hv, guest_vmcall, 0);
	nested_exit_at(hv, REASON_VMCALL, 0, 0, "first");
	hv_skip(hv);
	nested_exit_at(hv, REASON_VMCALL, 0, 3, "second");
	nested_exit_at(hv, REASON_VMCALL, 0, 3, "again, as RIP is the same");
}

static void basic_invd(struct hv *hv)
{
	hv_guest(hv, guest_invd, 0);
	nested_exit(hv, REASON_INVD, 0, 2, "INVD");
}

static void basic_xsetbv(struct hv *hv)
{
	if (!(read_cr4() & CR4_OSXSAVE)) {
		ktap_skip("no XSAVE");
		return;
	}
	hv_guest(hv, guest_xsetbv, 0);
	nested_exit(hv, REASON_XSETBV, 0, 3, "XSETBV");
	ktap_check(hv->exit.rip - hv->code == 5 && !hv->regs.rcx && hv->regs.rax & 1,
		   "RIP, RCX, RAX");
}

/* --- registers */

static void basic_registers(struct hv *hv)
{
	u64 *regs = (u64 *)&hv->regs;
	bool good = true;
	u32 i;

	hv_guest(hv, guest_registers, 0);
	for (i = 0; i < GUEST_REGISTERS; i++)
		regs[i] = 0x1111222233330000ull * (i + 1);
	nested_end(hv, "registers");
	for (i = 0; i < GUEST_REGISTERS; i++)
		good = good && regs[i] == 0x1111222233330000ull * (i + 1) + i + 1;
	ktap_check(good, "go to the guest and come back");
}

INSN(guest_cr2, "mov %cr2, RAX\n\tmov RDI, %cr2\n\tmov %dr0, RCX\n\tmov RDI, %dr0");

/* As wide as the register */
#define GUEST_CR2	NATURAL(0x123456789abcull)

/* Registers that are in neither the VMCS nor the host's hands: they are one for both. */
static void basic_shared(struct hv *hv)
{
	write_cr2(GUEST_CR2);
	write_dr0(0x55aa55aa);
	hv_guest(hv, guest_cr2, 0xfedcba98);
	nested_end(hv, "CR2 and DR0");
	ktap_check(hv->regs.rax == GUEST_CR2 && read_cr2() == 0xfedcba98, "CR2");
	ktap_check(hv->regs.rcx == 0x55aa55aa && read_dr0() == 0xfedcba98, "DR0");
	write_dr0(0);
}

/* --- the state of the guest is saved, and that of the host is loaded */

INSN(guest_state, "mov %cr0, RAX\n\txor $8, RAX\n\tmov RAX, %cr0\n\t"	/* TS */
	"mov %cr4, RAX\n\txor $4, RAX\n\tmov RAX, %cr4\n\t"			/* TSD */
	"movw $0x10, %ax\n\tmovw %ax, %fs\n\t"
	"movl $0xc0000101, %ecx\n\tmovl $0x89abcdef, %eax\n\tmovl $0x1234, %edx\n\twrmsr\n\t"
	"movl $0x175, %ecx\n\twrmsr\n\t"
	"sub $16, RSP\n\tmovw $0x7f, (RSP)\n\tmov RDI, 2(RSP)\n\tlgdt (RSP)\n\t"
	"movw $0x6f, (RSP)\n\tlidt (RSP)\n\tadd $16, RSP\n\txorl %eax, %eax\n\tlldt %ax\n\t"
	"push $0xed7\n\tpopf");

/* What guest_state writes to MSRs, as far as VMREAD can show it */
#define WRITTEN		NATURAL(0x123489abcdefull)

static void state_saved(struct hv *hv)
{
	ktap_check(vmread(F_GUEST_CR0) == (read_cr0() ^ CR0_TS), "CR0");
	ktap_check(vmread(F_GUEST_CR4) == (read_cr4() ^ CR4_TSD), "CR4");
	ktap_check(vmread(F_GUEST_CR3) == read_cr3(), "CR3");
	ktap_check(vmread(F_GUEST_FS) == SEL_KDATA && !vmread(F_GUEST_FS_BASE) &&
		   (vmread(F_GUEST_FS_ACCESS) & 0x1f0ff) == 0xc093 &&
		   vmread(F_GUEST_FS_LIMIT) == 0xffffffff, "FS");
	ktap_check(vmread(F_GUEST_GS_BASE) == WRITTEN, "base of GS");
	ktap_check(vmread(F_GUEST_SYSENTER_ESP) == WRITTEN, "IA32_SYSENTER_ESP");
	ktap_check(vmread(F_GUEST_GDTR_BASE) == ADDR(hv->guest->gdt) &&
		   vmread(F_GUEST_GDTR_LIMIT) == 0x7f, "GDTR");
	ktap_check(vmread(F_GUEST_IDTR_BASE) == ADDR(hv->guest->gdt) &&
		   vmread(F_GUEST_IDTR_LIMIT) == 0x6f, "IDTR");
	ktap_check(vmread(F_GUEST_LDTR) == 0 && vmread(F_GUEST_LDTR_ACCESS) & 0x10000, "LDTR");
	ktap_check(vmread(F_GUEST_TR) == SEL_TSS && vmread(F_GUEST_TR_ACCESS) == 0x8b &&
		   vmread(F_GUEST_TR_BASE) == ADDR(&hv->guest->tss), "TR");
	ktap_check(vmread(F_GUEST_CS) == SEL_KCODE &&
		   vmread(F_GUEST_CS_ACCESS) == ACCESS_KCODE, "CS");
	ktap_check(hv->exit.rflags == 0xed7, "RFLAGS");
}

static void state_loaded(struct hv *hv, u64 cr0, u64 cr4)
{
	struct table_register gdtr = read_gdtr(), idtr = read_idtr();
	u16 tr, fs, ldtr;

	asm volatile("str %0\n\tmovw %%fs, %1\n\tsldt %2" : "=r" (tr), "=r" (fs), "=r" (ldtr));
	ktap_check(read_cr0() == cr0 && read_cr4() == cr4, "the host's CR0 and CR4");
	ktap_check(gdtr.base == ADDR(hv->host->gdt) && gdtr.limit == 0xffff, "the host's GDTR");
	ktap_check(idtr.base == ADDR(idt) && idtr.limit == 0xffff, "the host's IDTR");
	ktap_check(tr == SEL_TSS && fs == HV_HOST_FS && !ldtr, "the host's TR, FS, LDTR");
	ktap_check(rdmsr(MSR_FS_BASE) == vmread(F_HOST_FS_BASE) &&
		   rdmsr(MSR_GS_BASE) == vmread(F_HOST_GS_BASE), "the host's bases");
	ktap_check(rdmsr(MSR_SYSENTER_ESP) == vmread(F_HOST_SYSENTER_ESP),
		   "the host's IA32_SYSENTER_ESP");
	ktap_check(read_dr7() == 0x400, "DR7");
	ktap_check(!(read_flags() & RFLAGS_IF), "RFLAGS.IF");
}

static void basic_state(struct hv *hv)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	hv_guest(hv, guest_state, ADDR(hv->guest->gdt));
	nested_end(hv, "state");
	state_saved(hv);
	state_loaded(hv, cr0, cr4);
}

/* --- VMX instructions of the guest */

static void basic_vmx(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(vmx_insns); i++) {
		if (vmx_insns[i].secondary &&
		    !hv_can(F_SECONDARY_CONTROLS, vmx_insns[i].secondary)) {
			ktap_skip("no %s", vmx_insns[i].name);
			continue;
		}
		hv_guest(hv, vmx_insns[i].code, ADDR(hv->page));
		nested_exit(hv, vmx_insns[i].reason, vmx_insns[i].qualification,
			    vmx_insns[i].length, vmx_insns[i].name);
		ktap_check((hv->exit.instruction & vmx_insns[i].mask) ==
			   (vmx_insns[i].instruction & vmx_insns[i].mask),
			   "%s: instruction information %x", vmx_insns[i].name,
			   hv->exit.instruction & vmx_insns[i].mask);
	}
}

/* --- the guest's own exceptions, and CPL 3 in it */

static void guest_faults(void *arg)
{
	u32 *vectors = arg;
	u64 value;

	vectors[0] = try_insn("\x0f\x0b", 0);
	vectors[1] = try_rdmsr(0x12345678, &value);
	vectors[2] = trap((call_fn)TEST_VA, NULL);
	vectors[3] = (u32)trap_last()->cr2;
	vectors[4] = trap_last()->regs.error;
	/* Back at CPL 0 for the last time */
	vectors[5] = this_cpu() == hv_this()->guest;
}

static void basic_faults(struct hv *hv)
{
	u32 *vectors = (u32 *)hv->page;

	hv_guest(hv, guest_faults, ADDR(vectors));
	hv_run(hv);
	/* RDMSR outside of the bitmaps' ranges exits, always. */
	hv_record(hv, "before");
	ktap_check(hv->exit.reason == REASON_RDMSR && hv->regs.rcx == 0x12345678,
		   "RDMSR of an MSR that the bitmap does not have: exit %x", hv->exit.reason);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE);
	nested_end(hv, "faults");
	ktap_check(vectors[0] == VECTOR_PF, "data is not executed: exception %u", vectors[0]);
	ktap_check(vectors[1] == VECTOR_GP, "#GP that the host injects");
	ktap_check(vectors[2] == VECTOR_PF && vectors[3] == (u32)TEST_VA && vectors[4] == 0x10,
		   "#PF of the guest");
	ktap_check(vectors[5], "the guest has a GDT of its own");
}

USER_INSN(l2_user_cpuid, "movl $7, %eax\n\txorl %ecx, %ecx\n\tcpuid");
USER_INSN(l2_user_vmcall, "vmcall");
USER_INSN(l2_user_hlt, "hlt");

static void guest_user(void *arg)
{
	u32 *vectors = arg;

	vectors[0] = user_call(l2_user_hlt, 0);
	vectors[1] = user_call(l2_user_cpuid, 0);
	vectors[2] = user_call(l2_user_vmcall, 0);
	vectors[3] = user_call32(l2_user_vmcall, 0);
}

static void basic_user(struct hv *hv)
{
	u32 *vectors = (u32 *)hv->page;

	hv_guest(hv, guest_user, ADDR(vectors));
	nested_exit(hv, REASON_CPUID, 0, 2, "CPUID at CPL 3");
	ktap_check((vmread(F_GUEST_CS) & 3) == 3 && (vmread(F_GUEST_SS_ACCESS) >> 5 & 3) == 3,
		   "CS and SS of CPL 3");
	hv_skip(hv);
	nested_exit(hv, REASON_VMCALL, 0, 3, "VMCALL at CPL 3");
	hv_skip(hv);
	nested_exit(hv, REASON_VMCALL, 0, 3, "VMCALL in compatibility mode");
	ktap_check(vmread(F_GUEST_CS) == SEL_UCODE32 && !(vmread(F_GUEST_CS_ACCESS) & 0x2000),
		   "CS of 32 bits");
	hv_skip(hv);
	nested_end(hv, "CPL 3");
	ktap_check(vectors[0] == VECTOR_GP && vectors[1] == IRQ_EXIT &&
		   vectors[2] == IRQ_EXIT && vectors[3] == IRQ_EXIT,
		   "exceptions at CPL 3: %u %u %u %u", vectors[0], vectors[1], vectors[2],
		   vectors[3]);
}

/* --- triple fault */

INSN(guest_triple, "push $0\n\tpush $0\n\tlidt (RSP)\n\tud2");

static void basic_triple(struct hv *hv)
{
	hv_guest(hv, guest_triple, 0);
	nested_exit(hv, REASON_TRIPLE_FAULT, 0, 0, "triple fault");
}

static const struct nested_case cases[] = {
	CASE("return", basic_return),
	CASE("CPUID", basic_cpuid),
	CASE("VMCALL", basic_vmcall),
	CASE("INVD", basic_invd),
	CASE("XSETBV", basic_xsetbv),
	CASE("registers", basic_registers),
	CASE("CR2 and DR0", basic_shared),
	CASE("state", basic_state),
	CASE("VMX instructions", basic_vmx),
	CASE("faults", basic_faults),
	CASE("CPL 3", basic_user),
	CASE("triple fault", basic_triple),
};

void test_nested_basic(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
