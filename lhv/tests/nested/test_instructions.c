// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMX instructions in root operation: faults, and how each fails (SDM vol. 3,
 * chapter 31). Left out, as the emulator differs: VMCALL in root operation; bits 63:32
 * of the type of INVEPT and INVVPID; high halves of fields that are not of 64 bits.
 */
#include "nested.h"

INSN(root_vmxon, "vmxon (RDI)");
INSN(root_vmxoff, "vmxoff");
INSN(root_vmclear, "vmclear (RDI)");
INSN(root_vmptrld, "vmptrld (RDI)");
INSN(root_vmptrst, "vmptrst (RDI)");
INSN(root_vmread, "vmread RAX, RCX");
INSN(root_vmread_mem, "movl $0x4402, %eax\n\tvmread RAX, (RDI)");
INSN(root_vmwrite, "vmwrite RCX, RAX");
INSN(root_vmwrite_mem, "movl $0x6800, %eax\n\tvmwrite (RDI), RAX");
INSN(root_vmlaunch, "vmlaunch");
INSN(root_vmresume, "vmresume");
INSN(root_invept, "movl $2, %eax\n\tinvept (RDI), RAX");
INSN(root_invvpid, "movl $2, %eax\n\tinvvpid (RDI), RAX");
INSN(root_vmfunc, "xorl %eax, %eax\n\tvmfunc");

static u64 operand[2];

/* --- outside of VMX operation, but with CR4.VMXE */

static const struct {
	const char *code;
	const char *name;
} outside[] = {
	{ root_vmxoff, "VMXOFF" }, { root_vmclear, "VMCLEAR" }, { root_vmptrld, "VMPTRLD" },
	{ root_vmptrst, "VMPTRST" }, { root_vmread, "VMREAD" }, { root_vmwrite, "VMWRITE" },
	{ root_vmlaunch, "VMLAUNCH" }, { root_vmresume, "VMRESUME" }, { root_vmfunc, "VMFUNC" },
};

static void leave_vmx(struct hv *hv)
{
	ktap_check(!vmclear(ADDR(hv->vmcs)) && !vmxoff(), "VMXOFF");
}

static void enter_vmx(struct hv *hv)
{
	ktap_check(!vmxon(ADDR(hv->vmxon)), "VMXON");
}

static void insn_outside(struct hv *hv)
{
	u32 i;

	leave_vmx(hv);
	for (i = 0; i < ARRAY_SIZE(outside); i++)
		ktap_check(try_insn(outside[i].code, ADDR(operand)) == VECTOR_UD, "#UD for %s",
			   outside[i].name);
	enter_vmx(hv);
}

USER_INSN(user_vmxon, "vmxon (RDI)");

static void do_vmxon(void *arg)
{
	*(u32 *)arg = vmxon(*(u64 *)(arg + 8));
}

/* Return: flags of VMXON with this pointer, or 0x100 + vector */
static u32 try_vmxon(u64 pa)
{
	u64 argument[2] = { 0, pa };
	u32 vector = trap(do_vmxon, argument);

	return vector == TRAP_NONE ? (u32)argument[0] : 0x100 + vector;
}

static void vmxon_faults(struct hv *hv)
{
	u64 cr0 = read_cr0();

	operand[0] = ADDR(hv->vmxon);
	ktap_check(user_call(user_vmxon, ADDR(operand) + USER_OFFSET) == VECTOR_GP &&
		   !trap_last()->regs.error, "#GP at CPL 3");
	ktap_check(try_insn(root_vmxon, TEST_VA) == VECTOR_PF &&
		   trap_last()->cr2 == TEST_VA && !trap_last()->regs.error,
		   "#PF for an operand that is not mapped");
	write_cr0(cr0 & ~(u64)CR0_NE);
	ktap_check(try_insn(root_vmxon, ADDR(operand)) == VECTOR_GP, "#GP with CR0.NE = 0");
	write_cr0(cr0);
	write_cr4(read_cr4() & ~(u64)CR4_VMXE);
	ktap_check(try_insn(root_vmxon, ADDR(operand)) == VECTOR_UD, "#UD with CR4.VMXE = 0");
	write_cr4(read_cr4() | CR4_VMXE);
}

static u64 above_memory(void)
{
	return BIT(cpuid(0x80000008, 0).eax & 0xff);
}

static void vmxon_pointers(struct hv *hv)
{
	u64 pa = ADDR(hv->vmxon);
	u32 *revision = hv->vmxon;

	ktap_check(try_vmxon(pa + 8) == VMFAIL_INVALID, "VMfailInvalid: not aligned");
	ktap_check(try_vmxon(pa | above_memory()) == VMFAIL_INVALID,
		   "VMfailInvalid: above what the CPU can address");
	ktap_check(try_vmxon(BIT(63) | pa) == VMFAIL_INVALID, "VMfailInvalid: bit 63");
	*revision ^= 1;
	ktap_check(try_vmxon(pa) == VMFAIL_INVALID, "VMfailInvalid: another revision");
	*revision ^= 1;
	*revision |= BIT(31);
	ktap_check(try_vmxon(pa) == VMFAIL_INVALID, "VMfailInvalid: bit 31 of the revision");
	*revision &= ~(u32)BIT(31);
}

static void insn_vmxon(struct hv *hv)
{
	leave_vmx(hv);
	vmxon_faults(hv);
	vmxon_pointers(hv);
	enter_vmx(hv);
}

static void insn_vmxon_in_root(struct hv *hv)
{
	u64 pointer = 0;

	ktap_check(vmxon(ADDR(hv->vmxon)) == VMFAIL_VALID &&
		   vmread(F_INSTRUCTION_ERROR) == VMERR_VMXON_IN_ROOT, "error 15");
	vmclear(ADDR(hv->vmcs));
	ktap_check(vmxon(ADDR(hv->vmxon)) == VMFAIL_INVALID,
		   "VMfailInvalid without a current VMCS");
	ktap_check(vmxon(ADDR(hv->vmxon) + 1) == VMFAIL_INVALID, "the pointer does not matter");
	vmptrld(ADDR(hv->vmcs));
	ktap_check(vmxon(3) == VMFAIL_VALID && vmread(F_INSTRUCTION_ERROR) == VMERR_VMXON_IN_ROOT,
		   "error 15 with a bad pointer");
	ktap_check(!vmptrst(&pointer) && pointer == ADDR(hv->vmcs), "the VMCS is still current");
}

static void insn_cycles(struct hv *hv)
{
	u64 pointer = 0;
	u32 i, good = 0;

	for (i = 0; i < 100; i++) {
		good += !vmclear(ADDR(hv->vmcs)) && !vmxoff() && !vmxon(ADDR(hv->vmxon)) &&
			!vmptrst(&pointer) && pointer == ~0ull && !vmptrld(ADDR(hv->vmcs)) &&
			!vmptrst(&pointer) && pointer == ADDR(hv->vmcs);
	}
	ktap_check(good == 100, "VMXOFF, VMXON, VMPTRLD: %u times", good);
	ktap_check(vmread(F_GUEST_RIP) == ADDR(hv_guest_end), "the VMCS has kept its fields");
	nested_end(hv, "the VMCS can be launched");
}

/* --- CPL 3 */

USER_INSN(user_vmxoff, "vmxoff");
USER_INSN(user_vmclear, "vmclear (RDI)");
USER_INSN(user_vmptrld, "vmptrld (RDI)");
USER_INSN(user_vmptrst, "vmptrst (RDI)");
USER_INSN(user_vmread, "movl $0x4402, %eax\n\tvmread RAX, RCX");
USER_INSN(user_vmwrite, "movl $0x6800, %eax\n\tvmwrite RCX, RAX");
USER_INSN(user_vmlaunch, "vmlaunch");
USER_INSN(user_vmresume, "vmresume");
USER_INSN(user_vmcall, "vmcall");
USER_INSN(user_invept, "movl $2, %eax\n\tinvept (RDI), RAX");
USER_INSN(user_invvpid, "movl $2, %eax\n\tinvvpid (RDI), RAX");

static const struct {
	const char *code;
	const char *name;
	u32 secondary;
} cpl3[] = {
	{ user_vmxon, "VMXON", 0 },
	{ user_vmxoff, "VMXOFF", 0 },
	{ user_vmclear, "VMCLEAR", 0 },
	{ user_vmptrld, "VMPTRLD", 0 },
	{ user_vmptrst, "VMPTRST", 0 },
	{ user_vmread, "VMREAD", 0 },
	{ user_vmwrite, "VMWRITE", 0 },
	{ user_vmlaunch, "VMLAUNCH", 0 },
	{ user_vmresume, "VMRESUME", 0 },
	{ user_vmcall, "VMCALL", 0 },
	{ user_invept, "INVEPT", SECONDARY_EPT },
	{ user_invvpid, "INVVPID", SECONDARY_VPID },
};

static void insn_cpl3(struct hv *hv)
{
	u64 arg = ADDR(operand) + USER_OFFSET;
	u32 i;

	operand[0] = ADDR(hv->vmcs);
	for (i = 0; i < ARRAY_SIZE(cpl3); i++) {
		if (cpl3[i].secondary && !hv_can(F_SECONDARY_CONTROLS, cpl3[i].secondary)) {
			ktap_skip("no %s", cpl3[i].name);
			continue;
		}
		ktap_check(user_call(cpl3[i].code, arg) == VECTOR_GP &&
			   !trap_last()->regs.error, "%s: #GP at CPL 3", cpl3[i].name);
	}
	ktap_check(user_call(user_vmclear, TEST_VA) == VECTOR_GP, "#GP comes before #PF");
	ktap_check(vmread(F_GUEST_RIP) == ADDR(hv_guest_end), "the VMCS is still current");
}

/* --- VMCLEAR, VMPTRLD, VMPTRST */

static void check_error(u32 flags, u32 error, const char *what)
{
	u64 found = vmread(F_INSTRUCTION_ERROR);

	ktap_check(flags == VMFAIL_VALID && found == error, "%s: error %llu", what, found);
}

static void insn_vmclear(struct hv *hv)
{
	u64 pa = ADDR(hv->vmcs), pointer = 0;

	check_error(vmclear(pa + 1), VMERR_VMCLEAR_ADDRESS, "not aligned");
	check_error(vmclear(pa | above_memory()), VMERR_VMCLEAR_ADDRESS, "above memory");
	check_error(vmclear(ADDR(hv->vmxon)), VMERR_VMCLEAR_VMXON, "the VMXON pointer");
	ktap_check(!vmclear(ADDR(hv_vmcs_format(hv->page))), "another one");
	ktap_check(!vmptrst(&pointer) && pointer == pa, "the current one stays current");
	ktap_check(!vmclear(pa) && !vmptrst(&pointer) && pointer == ~0ull, "the current one");
	ktap_check(!vmclear(pa), "once more");
	ktap_check(vmclear(pa + 1) == VMFAIL_INVALID &&
		   vmclear(ADDR(hv->vmxon)) == VMFAIL_INVALID,
		   "VMfailInvalid without a current VMCS");
	ktap_check(try_insn(root_vmclear, TEST_VA) == VECTOR_PF, "#PF");
}

static void insn_vmptrld(struct hv *hv)
{
	u64 pa = ADDR(hv->vmcs), pointer = 0;
	u32 *revision = hv_vmcs_format(hv->page);

	check_error(vmptrld(pa + 8), VMERR_VMPTRLD_ADDRESS, "not aligned");
	check_error(vmptrld(pa | above_memory()), VMERR_VMPTRLD_ADDRESS, "above memory");
	check_error(vmptrld(ADDR(hv->vmxon)), VMERR_VMPTRLD_VMXON, "the VMXON pointer");
	*revision ^= 2;
	check_error(vmptrld(ADDR(hv->page)), VMERR_VMPTRLD_REVISION, "another revision");
	*revision ^= 2;
	if (!hv_can(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING)) {
		*revision |= BIT(31);
		check_error(vmptrld(ADDR(hv->page)), VMERR_VMPTRLD_REVISION, "shadow VMCS");
		*revision &= ~(u32)BIT(31);
	}
	ktap_check(!vmptrst(&pointer) && pointer == pa, "the current one stays current");
	vmclear(pa);
	ktap_check(vmptrld(pa + 8) == VMFAIL_INVALID &&
		   vmptrld(ADDR(hv->vmxon)) == VMFAIL_INVALID,
		   "VMfailInvalid without a current VMCS");
	ktap_check(!vmptrld(ADDR(hv->page)) && !vmptrst(&pointer) &&
		   pointer == ADDR(hv->page), "it becomes the current one");
	ktap_check(try_insn(root_vmptrld, TEST_VA) == VECTOR_PF, "#PF");
	ktap_check(try_insn(root_vmptrst, TEST_VA) == VECTOR_PF &&
		   trap_last()->regs.error == 2, "#PF of VMPTRST is one of a write");
	vmclear(ADDR(hv->page));
}

/* --- rights of the operand's page: those of a data access by the supervisor */

INSN(rights_clac, "clac\n\tvmptrst (RDI)");
INSN(rights_stac, "stac\n\tvmptrst (RDI)\n\tclac");

static void check_operand(const char *code, u32 vector, u64 error, const char *what)
{
	u32 found = try_insn(code, TEST_VA);

	ktap_check(found == vector && (found == TRAP_NONE || trap_last()->regs.error == error),
		   "%s: exception %u", what, found);
}

static void rights_smap(struct hv *hv)
{
	if (!(cpuid(7, 0).ebx & BIT(20))) {
		ktap_skip("no SMAP");
		return;
	}
	mem_map(TEST_VA, ADDR(hv->page), PTE_P | PTE_W | PTE_U);
	write_cr4(read_cr4() | CR4_SMAP);
	check_operand(rights_clac, VECTOR_PF, 3, "a user's page with SMAP");
	check_operand(rights_stac, TRAP_NONE, 0, "a user's page with SMAP and RFLAGS.AC");
	write_cr4(read_cr4() & ~(u64)CR4_SMAP);
	check_operand(root_vmptrst, TRAP_NONE, 0, "a user's page");
}

static void insn_rights(struct hv *hv)
{
	mem_map(TEST_VA, ADDR(hv->page), PTE_P);
	check_operand(root_vmptrst, VECTOR_PF, 3, "a read-only page");
	write_cr0(read_cr0() & ~(u64)CR0_WP);
	check_operand(root_vmptrst, TRAP_NONE, 0, "a read-only page with CR0.WP = 0");
	write_cr0(read_cr0() | CR0_WP);
	ktap_check(*(u64 *)hv->page == ADDR(hv->vmcs), "it is written");
	/* CPUs with shadow stacks set no dirty flag where W is 0 (SDM vol. 3, 4.8). */
	ktap_check((*mem_pte(TEST_VA) & (PTE_A | PTE_D)) ==
		   (cpuid(7, 0).ecx & BIT(7) ? PTE_A : PTE_A | PTE_D),
		   "the page is accessed, and dirty or not");
	mem_map(TEST_VA, ADDR(hv->page), PTE_P);
	check_operand(root_vmptrld, TRAP_NONE, 0, "a read");
	ktap_check((*mem_pte(TEST_VA) & (PTE_A | PTE_D)) == PTE_A, "the page is accessed");
	mem_map(TEST_VA, ADDR(hv->page) | BIT(51), PTE_P | PTE_W);
	check_operand(root_vmptrst, VECTOR_PF, 0xb, "a reserved bit");
	rights_smap(hv);
}

/* --- flags */

#define FLAGS_INSN(name, text) \
	INSN(name, "push $0x8d7\n\tpopf\n\t" text "\n\tpushf\n\tpop 8(RDI)")
FLAGS_INSN(flags_vmclear, "vmclear (RDI)");
FLAGS_INSN(flags_vmptrld, "vmptrld (RDI)");
FLAGS_INSN(flags_vmread, "vmread RSI, RAX");

/* Flags that the code leaves; all were set before */
static u64 flags_of(const char *code, u64 pa)
{
	operand[0] = pa;
	operand[1] = 0;
	try_insn(code, ADDR(operand));
	return operand[1] & VMFAIL_FLAGS;
}

static void insn_flags(struct hv *hv)
{
	u64 pa = ADDR(hv->vmcs);

	ktap_check(flags_of(flags_vmptrld, pa) == 0, "VMsucceed clears all");
	ktap_check(flags_of(flags_vmptrld, pa + 1) == VMFAIL_VALID, "VMfailValid leaves ZF");
	ktap_check(flags_of(flags_vmclear, pa) == 0, "VMsucceed of VMCLEAR");
	ktap_check(flags_of(flags_vmclear, pa + 1) == VMFAIL_INVALID,
		   "VMfailInvalid leaves CF");
	ktap_check(flags_of(flags_vmread, 0) == VMFAIL_INVALID, "VMREAD: VMfailInvalid");
}

static void insn_error_stays(struct hv *hv)
{
	vmclear(ADDR(hv->vmcs) + 1);
	ktap_check(vmread(F_GUEST_RIP) == ADDR(hv_guest_end) &&
		   vmread(F_INSTRUCTION_ERROR) == VMERR_VMCLEAR_ADDRESS,
		   "VMREAD leaves the error");
	ktap_check(vmwrite(F_GUEST_RIP, 0) &&
		   vmread(F_INSTRUCTION_ERROR) == VMERR_VMCLEAR_ADDRESS,
		   "VMWRITE leaves the error");
	check_error(vmread_flags(0x7ffe, &operand[0]), VMERR_FIELD, "the next failure");
}

/* --- VMREAD, VMWRITE */

static void insn_vmread(struct hv *hv)
{
	u64 value = 0x1234;

	check_error(vmread_flags(0x7ffe, &value), VMERR_FIELD, "VMREAD of no field");
	ktap_check(value == 0x1234, "the destination is as before");
	check_error(vmwrite_flags(0x7ffe, 0), VMERR_FIELD, "VMWRITE of no field");
	if (rdmsr(MSR_VMX_MISC) & MISC_WRITES_ALL)
		ktap_check(vmwrite(F_EXIT_REASON, 0x55) && vmread(F_EXIT_REASON) == 0x55,
			   "VMWRITE to a read-only field, allowed");
	else
		check_error(vmwrite_flags(F_EXIT_REASON, 0), VMERR_READ_ONLY,
			    "VMWRITE to a read-only field");
	ktap_check(try_insn(root_vmread_mem, TEST_VA) == VECTOR_PF &&
		   trap_last()->regs.error == 2, "#PF of VMREAD is one of a write");
	ktap_check(try_insn(root_vmwrite_mem, TEST_VA) == VECTOR_PF &&
		   trap_last()->regs.error == 0, "#PF of VMWRITE is one of a read");
	vmclear(ADDR(hv->vmcs));
	ktap_check(vmread_flags(F_GUEST_RIP, &value) == VMFAIL_INVALID &&
		   vmread_flags(0x7ffe, &value) == VMFAIL_INVALID,
		   "VMREAD: VMfailInvalid without a current VMCS");
	ktap_check(vmwrite_flags(F_GUEST_RIP, 0) == VMFAIL_INVALID &&
		   vmwrite_flags(0x7ffe, 0) == VMFAIL_INVALID,
		   "VMWRITE: VMfailInvalid without a current VMCS");
}

/* All bits of a field of that width; of access rights only those that are defined */
static u64 field_mask(u32 field)
{
	if (field >= F_GUEST_ES_ACCESS && field <= F_GUEST_TR_ACCESS)
		return 0x1f0ff;
	switch (FIELD_WIDTH(field)) {
	case WIDTH_16:
		return 0xffff;
	case WIDTH_32:
		return 0xffffffff;
	case WIDTH_NATURAL:
		return NATURAL(~0ull);
	default:
		return ~0ull;
	}
}

/* Write to all fields, then read: none is another's, each has its width. */
static bool fields_keep(const u16 *fields, u32 count, u64 seed)
{
	bool good = true;
	u32 i;

	for (i = 0; i < count; i++)
		vmwrite(fields[i], seed * (2 * i + 1));
	for (i = 0; i < count; i++) {
		u64 mask = field_mask(fields[i]);

		if (FIELD_TYPE(fields[i]) == FIELD_READ_ONLY)
			continue;
		if ((vmread(fields[i]) & mask) == (seed * (2 * i + 1) & mask))
			continue;
		print("# field %x is %llx\n", fields[i], vmread(fields[i]));
		good = false;
	}
	return good;
}

static void insn_fields(struct hv *hv)
{
	static const u16 all[] = {
#define FIELD_LIST(name, encoding) encoding,
		HV_FIELDS(FIELD_LIST)
	};
	u16 fields[ARRAY_SIZE(all)];
	u32 i, count = 0;
	u64 value = 0;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (!vmread_flags(all[i], &value))
			fields[count++] = all[i];
	/* Which these are is up to the controls that the CPU has. */
	ktap_check(count > 100, "there are more than 100 fields");
	ktap_check(fields_keep(fields, count, 0x9e3779b97f4a7c15ull), "values stay");
	ktap_check(fields_keep(fields, count, ~0x9e3779b97f4a7c15ull), "other values stay");
	vmclear(ADDR(hv->vmcs));
	vmptrld(ADDR(hv->vmcs));
	ktap_check(vmread(F_GUEST_RIP) != ADDR(hv_guest_end), "they are in the VMCS");
}

static void insn_high_halves(struct hv *hv)
{
	(void)hv;
	ktap_check(vmwrite(F_LINK_POINTER, 0x1122334455667788ull) &&
		   vmread(F_LINK_POINTER | FIELD_HIGH) == 0x11223344, "VMREAD of a high half");
	ktap_check(vmwrite(F_LINK_POINTER | FIELD_HIGH, 0xaabbccdd99887766ull) &&
		   vmread(F_LINK_POINTER) == 0x9988776655667788ull, "VMWRITE of a high half");
	ktap_check(vmwrite(F_LINK_POINTER, ~0ull) && vmread(F_LINK_POINTER) == ~0ull,
		   "VMWRITE of both");
}

/* --- VMLAUNCH, VMRESUME */

INSN(launch_mov_ss, "movw %ss, %ax\n\tmovw %ax, %ss\n\tvmlaunch\n\tpushf\n\tpop (RDI)");
INSN(resume_mov_ss, "movw %ss, %ax\n\tmovw %ax, %ss\n\tvmresume\n\tpushf\n\tpop (RDI)");

static void check_mov_ss(const char *code, const char *what)
{
	operand[0] = 0;
	try_insn(code, ADDR(operand));
	check_error((u32)operand[0] & VMFAIL_FLAGS, VMERR_MOV_SS, what);
}

static void insn_launch(struct hv *hv)
{
	hv->launched = true;
	nested_fails(hv, VMERR_RESUME_NOT_LAUNCHED, "VMRESUME of a clear VMCS");
	check_mov_ss(launch_mov_ss, "VMLAUNCH behind MOV SS");
	check_mov_ss(resume_mov_ss, "VMRESUME of a clear VMCS behind MOV SS");
	vmwrite(F_PIN_CONTROLS, 0);
	nested_fails(hv, VMERR_RESUME_NOT_LAUNCHED, "this comes before the controls");
	vmwrite(F_PIN_CONTROLS, hv_controls_fixed0(F_PIN_CONTROLS));
	hv->launched = false;
	nested_end(hv, "VMLAUNCH");
	hv->launched = false;
	nested_fails(hv, VMERR_LAUNCH_NOT_CLEAR, "VMLAUNCH of a launched VMCS");
	check_mov_ss(launch_mov_ss, "VMLAUNCH of a launched VMCS behind MOV SS");
	vmwrite(F_HOST_CS, 0);
	nested_fails(hv, VMERR_LAUNCH_NOT_CLEAR, "this comes before the host's state");
	hv->launched = true;
	nested_fails(hv, VMERR_HOST_STATE, "VMRESUME with a bad host's state");
	vmwrite(F_HOST_CS, SEL_KCODE);
	nested_end(hv, "VMRESUME");
	vmclear(ADDR(hv->vmcs));
	nested_fails(hv, 0, "VMRESUME without a current VMCS");
	hv->launched = false;
	nested_fails(hv, 0, "VMLAUNCH without a current VMCS");
	vmptrld(ADDR(hv->vmcs));
	hv->launched = true;
	nested_fails(hv, VMERR_RESUME_NOT_LAUNCHED, "VMCLEAR makes it clear");
	hv->launched = false;
	nested_end(hv, "VMLAUNCH once more");
}

/* A failed entry leaves the VMCS clear. */
static void insn_launch_failed(struct hv *hv)
{
	vmwrite(F_GUEST_RFLAGS, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE),
		   "entry with a bad guest's state: exit %x", hv->exit.reason);
	hv->launched = true;
	nested_fails(hv, VMERR_RESUME_NOT_LAUNCHED, "the VMCS is still clear");
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	hv->launched = false;
	nested_end(hv, "and can be launched");
}

/* --- INVEPT, INVVPID */

static void insn_invept(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID), eptp = ept_new();

	ktap_check(!invept(INVEPT_ALL, 0, 0), "all contexts");
	if (cap & EPT_CAP_INVEPT_SINGLE) {
		ktap_check(!invept(INVEPT_SINGLE, eptp, 0), "single context");
		check_error(invept(INVEPT_SINGLE, eptp | 7, 0), VMERR_INVALIDATE,
			    "single context, bad memory type");
		check_error(invept(INVEPT_SINGLE, eptp ^ 0x10, 0), VMERR_INVALIDATE,
			    "single context, bad length of the walk");
		check_error(invept(INVEPT_SINGLE, eptp | above_memory(), 0), VMERR_INVALIDATE,
			    "single context, above memory");
	}
	check_error(invept(0, eptp, 0), VMERR_INVALIDATE, "type 0");
	check_error(invept(3, eptp, 0), VMERR_INVALIDATE, "type 3");
	ktap_check(try_insn(root_invept, TEST_VA) == VECTOR_PF, "#PF");
	vmclear(ADDR(hv->vmcs));
	ktap_check(invept(3, eptp, 0) == VMFAIL_INVALID, "VMfailInvalid without a current VMCS");
}

static void insn_invvpid(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID);
	u32 type;

	for (type = INVVPID_ADDRESS; type <= INVVPID_KEEP_GLOBAL; type++) {
		if (!(cap & VPID_CAP_TYPE(type))) {
			check_error(invvpid(type, 1, 0), VMERR_INVALIDATE, "no such type");
			continue;
		}
		ktap_check(!invvpid(type, 1, 0), "type %u", type);
		check_error(invvpid(type, BIT(16) | 1, 0), VMERR_INVALIDATE,
			    "reserved bits of the descriptor");
		if (type == INVVPID_ALL)
			ktap_check(!invvpid(type, 0, 0), "all contexts with VPID 0");
		else
			check_error(invvpid(type, 0, 0), VMERR_INVALIDATE, "VPID 0");
	}
	if (cap & VPID_CAP_TYPE(INVVPID_ADDRESS))
		check_error(invvpid(INVVPID_ADDRESS, 1, BIT(47)), VMERR_INVALIDATE,
			    "address that is not canonical");
	check_error(invvpid(4, 1, 0), VMERR_INVALIDATE, "type 4");
	ktap_check(try_insn(root_invvpid, TEST_VA) == VECTOR_PF, "#PF");
	vmclear(ADDR(hv->vmcs));
	ktap_check(invvpid(4, 1, 0) == VMFAIL_INVALID, "VMfailInvalid without a current VMCS");
}

static void insn_vmfunc(struct hv *hv)
{
	(void)hv;
	ktap_check(try_insn(root_vmfunc, 0) == VECTOR_UD, "#UD in root operation");
}

static const struct nested_case cases[] = {
	CASE("outside of VMX operation", insn_outside),
	CASE("VMXON", insn_vmxon),
	CASE("VMXON in root operation", insn_vmxon_in_root),
	CASE("VMXOFF and VMXON", insn_cycles),
	CASE("CPL 3", insn_cpl3),
	CASE("VMCLEAR", insn_vmclear),
	CASE("VMPTRLD", insn_vmptrld),
	CASE("operand's page", insn_rights),
	CASE("flags", insn_flags),
	CASE("VM-instruction error", insn_error_stays),
	CASE("VMREAD and VMWRITE", insn_vmread),
	CASE("fields", insn_fields),
	CASE("high halves", insn_high_halves),
	CASE("VMLAUNCH and VMRESUME", insn_launch),
	CASE("VMLAUNCH that fails", insn_launch_failed),
	CASE("INVEPT", insn_invept, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("INVVPID", insn_invvpid, .later = SECONDARY_VPID, .ept = VPID_CAP_INVVPID),
	CASE("VMFUNC", insn_vmfunc),
};

void test_nested_instructions(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
