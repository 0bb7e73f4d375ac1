// SPDX-License-Identifier: GPL-2.0-only
/* What there is in 64-bit mode only: of VMX instructions, and CR8. */
#include "nested.h"

INSN(long_vmxon, "vmxon (%rdi)");
INSN(long_vmclear, "vmclear (%rdi)");
USER_INSN(user32_vmxon, ".code32\n\tvmxon (%edi)\n\t.code64");
USER_INSN(user32_vmxoff, "vmxoff");
USER_INSN(user32_vmclear, ".code32\n\tvmclear (%edi)\n\t.code64");
USER_INSN(user32_vmptrld, ".code32\n\tvmptrld (%edi)\n\t.code64");
USER_INSN(user32_vmptrst, ".code32\n\tvmptrst (%edi)\n\t.code64");
USER_INSN(user32_vmread, ".code32\n\tvmread %eax, %ecx\n\t.code64");
USER_INSN(user32_vmwrite, ".code32\n\tvmwrite %ecx, %eax\n\t.code64");
USER_INSN(user32_vmlaunch, "vmlaunch");
USER_INSN(user32_vmresume, "vmresume");
USER_INSN(user32_vmcall, "vmcall");
USER_INSN(user32_invept, ".code32\n\tinvept (%edi), %eax\n\t.code64");
USER_INSN(user32_invvpid, ".code32\n\tinvvpid (%edi), %eax\n\t.code64");

static const struct {
	const char *code;
	const char *name;
	u32 secondary;
} compatibility[] = {
	{ user32_vmxon, "VMXON", 0 },
	{ user32_vmxoff, "VMXOFF", 0 },
	{ user32_vmclear, "VMCLEAR", 0 },
	{ user32_vmptrld, "VMPTRLD", 0 },
	{ user32_vmptrst, "VMPTRST", 0 },
	{ user32_vmread, "VMREAD", 0 },
	{ user32_vmwrite, "VMWRITE", 0 },
	{ user32_vmlaunch, "VMLAUNCH", 0 },
	{ user32_vmresume, "VMRESUME", 0 },
	{ user32_vmcall, "VMCALL", 0 },
	{ user32_invept, "INVEPT", SECONDARY_EPT },
	{ user32_invvpid, "INVVPID", SECONDARY_VPID },
};

static void long_compatibility(struct hv *hv)
{
	u64 operand = ADDR(hv->page) + USER_OFFSET;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(compatibility); i++) {
		if (!hv_can(F_SECONDARY_CONTROLS, compatibility[i].secondary)) {
			ktap_skip("no %s", compatibility[i].name);
			continue;
		}
		ktap_check(user_call32(compatibility[i].code, operand) == VECTOR_UD,
			   "%s: #UD", compatibility[i].name);
	}
	ktap_check(!vmclear(ADDR(hv->vmcs)) && !vmxoff(), "VMXOFF");
	ktap_check(user_call32(user32_vmxon, operand) == VECTOR_UD, "#UD outside of VMX operation");
	ktap_check(!vmxon(ADDR(hv->vmxon)), "VMXON");
}

static void long_canonical(struct hv *hv)
{
	ktap_check(try_insn(long_vmclear, BIT(47)) == VECTOR_GP, "VMCLEAR: #GP");
	ktap_check(!vmclear(ADDR(hv->vmcs)) && !vmxoff(), "VMXOFF");
	ktap_check(try_insn(long_vmxon, BIT(47)) == VECTOR_GP, "VMXON: #GP");
	ktap_check(!vmxon(ADDR(hv->vmxon)), "VMXON");
}

static void check_field(u32 flags, const char *what)
{
	u64 found = vmread(F_INSTRUCTION_ERROR);

	ktap_check(flags == VMFAIL_VALID && found == VMERR_FIELD, "%s: error %llu", what, found);
}

static void long_encodings(struct hv *hv)
{
	u64 value = 0x1234;

	(void)hv;
	check_field(vmread_flags(BIT(32) | F_GUEST_RIP, &value), "VMREAD with bit 32");
	ktap_check(value == 0x1234, "the destination is as before");
	check_field(vmwrite_flags(BIT(63) | F_GUEST_RIP, 0), "VMWRITE with bit 63");
}

INSN(long_cr8, "movq %cr8, %rax\n\tmovq %rdi, %cr8\n\tmovq %cr8, %rbx");

/* CR8 and the TPR shadow; what the virtual APIC does otherwise has a group of its own. */
static void long_tpr(struct hv *hv)
{
	u32 *vtpr = (u32 *)(hv->page + 0x80);

	vmwrite(F_VIRTUAL_APIC, ADDR(hv->page));
	*vtpr = 0x50;
	hv_guest(hv, long_cr8, 9);
	nested_end(hv, "CR8");
	ktap_check(hv->regs.rax == 5 && hv->regs.rbx == 9 && *vtpr == 0x90,
		   "CR8 is bits 7:4 of VTPR");
	ktap_check(read_cr8() == 0, "the host's CR8");
	vmwrite(F_TPR_THRESHOLD, 4);
	hv_guest(hv, long_cr8, 4);
	nested_end(hv, "CR8 at the threshold");
	hv_guest(hv, long_cr8, 3);
	nested_exit_at(hv, REASON_TPR_THRESHOLD, 0, 8, "CR8 below the threshold");
	ktap_check(*vtpr == 0x30, "it is written");
}

/* The guest's state is checked first, and is wrong though the list would replace it. */
static void long_replaced(struct hv *hv)
{
	static const struct {
		const char *name;
		u32 field, msr;
		u64 wrong;
	} states[] = {
		{ "SYSENTER_ESP", F_GUEST_SYSENTER_ESP, MSR_SYSENTER_ESP, BIT(47) },
		{ "SYSENTER_EIP", F_GUEST_SYSENTER_EIP, MSR_SYSENTER_EIP, BIT(47) },
		{ "EFER", F_GUEST_EFER, MSR_EFER, BIT(2) },
		{ "PAT", F_GUEST_PAT, MSR_PAT, 2 },
	};
	struct {
		u32 msr, reserved;
		u64 value;
	} *list = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 i;

	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_EFER | ENTRY_LOAD_PAT);
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(list));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		list->msr = states[i].msr;
		list->value = vmread(states[i].field);
		vmwrite(states[i].field, states[i].wrong);
		nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0,
			    states[i].name);
		ktap_check(vmread(states[i].field) == states[i].wrong, "%s is still wrong",
			   states[i].name);
		vmwrite(states[i].field, list->value);
	}
	nested_end(hv, "nothing is wrong");
}

static const struct nested_case cases[] = {
	CASE("TPR shadow", long_tpr, .primary = PRIMARY_TPR_SHADOW),
	CASE("compatibility mode", long_compatibility),
	CASE("operand that is not canonical", long_canonical),
	CASE("encodings above 32 bits", long_encodings),
	CASE("state that a list replaces", long_replaced,
	     .later_entry = ENTRY_LOAD_EFER | ENTRY_LOAD_PAT),
};

void test_nested_long(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
