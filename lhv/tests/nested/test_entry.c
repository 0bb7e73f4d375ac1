// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of VM entry (SDM vol. 3, 27.2 and 27.3): one thing wrong at a time. Controls
 * and the host's state fail as an instruction, the guest's state and MSRs as an exit.
 */
#include "nested.h"
#include <entry_checks.h>

#define NOT_CANONICAL	0x0000800000000000ull

/* What is done to a field */
enum entry_op {
	NOTHING,
	ENABLE,		/* a control that is needed; the check is skipped without it */
	SET, CLEAR, WRITE,
	ABOVE,		/* a physical address that the CPU has not */
	FORBIDDEN,	/* a control that must be 0 */
	REQUIRED,	/* a control that must be 1 */
};

struct entry_change {
	u32 field;
	enum entry_op op;
	u64 value;
};

struct entry_check {
	const char *name;
	struct entry_change changes[4];
};

#define CHECK(name, ...)	{ name, { __VA_ARGS__ } }
#define C(field, op, value)	{ F_##field, op, value }
#define TPR_SHADOW		C(PRIMARY_CONTROLS, ENABLE, PRIMARY_TPR_SHADOW)
#define SECONDARY(bit)		C(SECONDARY_CONTROLS, ENABLE, SECONDARY_##bit)
#define HOST_CET		C(EXIT_CONTROLS, ENABLE, EXIT_LOAD_CET)
#define GUEST_CET		C(ENTRY_CONTROLS, ENABLE, ENTRY_LOAD_CET)
#define EVENT_CHECK(name, event) CHECK(name, C(ENTRY_EVENT, WRITE, event))

static const struct entry_check controls[] = {
	CHECK("pin-based: must be 1", C(PIN_CONTROLS, REQUIRED, 0)),
	CHECK("pin-based: must be 0", C(PIN_CONTROLS, FORBIDDEN, 0)),
	CHECK("primary: must be 1", C(PRIMARY_CONTROLS, REQUIRED, 0)),
	CHECK("primary: must be 0", C(PRIMARY_CONTROLS, FORBIDDEN, 0)),
	CHECK("secondary: must be 0", C(SECONDARY_CONTROLS, FORBIDDEN, 0)),
	CHECK("VM-exit: must be 1", C(EXIT_CONTROLS, REQUIRED, 0)),
	CHECK("VM-exit: must be 0", C(EXIT_CONTROLS, FORBIDDEN, 0)),
	CHECK("VM-entry: must be 1", C(ENTRY_CONTROLS, REQUIRED, 0)),
	CHECK("VM-entry: must be 0", C(ENTRY_CONTROLS, FORBIDDEN, 0)),
	CHECK("too many CR3 targets", C(CR3_TARGET_COUNT, WRITE, 0x1ff)),
	CHECK("I/O bitmap A, not aligned", C(PRIMARY_CONTROLS, ENABLE, PRIMARY_IO_BITMAPS),
	      C(IO_BITMAP_A, SET, 0x800)),
	CHECK("I/O bitmap B, above memory", C(PRIMARY_CONTROLS, ENABLE, PRIMARY_IO_BITMAPS),
	      C(IO_BITMAP_B, ABOVE, 0)),
	CHECK("MSR bitmap, not aligned", C(PRIMARY_CONTROLS, ENABLE, PRIMARY_MSR_BITMAPS),
	      C(MSR_BITMAP, SET, 1)),
	CHECK("MSR bitmap, above memory", C(PRIMARY_CONTROLS, ENABLE, PRIMARY_MSR_BITMAPS),
	      C(MSR_BITMAP, ABOVE, 0)),
	CHECK("virtual NMIs without NMI exiting", C(PIN_CONTROLS, ENABLE, PIN_VIRTUAL_NMIS),
	      C(PIN_CONTROLS, CLEAR, PIN_NMI)),
	CHECK("NMI window without virtual NMIs", C(PRIMARY_CONTROLS, ENABLE, PRIMARY_NMI_WINDOW),
	      C(PIN_CONTROLS, ENABLE, PIN_NMI)),
	CHECK("virtual-APIC page, not aligned", TPR_SHADOW, C(VIRTUAL_APIC, WRITE, 0x1008)),
	CHECK("virtual-APIC page, above memory", TPR_SHADOW, C(VIRTUAL_APIC, ABOVE, 0)),
	CHECK("TPR threshold, bits 31:4", TPR_SHADOW, C(TPR_THRESHOLD, WRITE, 0x10)),
	CHECK("TPR threshold above the TPR", TPR_SHADOW, C(TPR_THRESHOLD, WRITE, 1)),
	CHECK("x2APIC mode without TPR shadow", SECONDARY(X2APIC)),
	CHECK("APIC registers without TPR shadow", SECONDARY(APIC_REGISTERS)),
	CHECK("virtual interrupts without TPR shadow", SECONDARY(VIRTUAL_INTERRUPTS),
	      C(PIN_CONTROLS, ENABLE, PIN_EXTERNAL)),
	CHECK("virtual interrupts without external-interrupt exiting",
	      SECONDARY(VIRTUAL_INTERRUPTS), TPR_SHADOW),
	CHECK("x2APIC mode and APIC-access page", TPR_SHADOW, SECONDARY(X2APIC),
	      SECONDARY(APIC_ACCESS)),
	CHECK("APIC-access page, not aligned", SECONDARY(APIC_ACCESS),
	      C(APIC_ACCESS, WRITE, 0x10)),
	CHECK("APIC-access page, above memory", SECONDARY(APIC_ACCESS), C(APIC_ACCESS, ABOVE, 0)),
	CHECK("posted interrupts alone", C(PIN_CONTROLS, ENABLE, PIN_POSTED)),
	CHECK("VPID 0", SECONDARY(VPID), C(VPID, WRITE, 0)),
	CHECK("EPT: memory type", SECONDARY(EPT), C(EPTP, WRITE, 0x100000 | 3 << 3 | 5)),
	CHECK("EPT: length of the walk", SECONDARY(EPT), C(EPTP, WRITE, 0x100000 | 2 << 3 | 6)),
	CHECK("EPT: reserved bits", SECONDARY(EPT), C(EPTP, WRITE, 0x100800 | 3 << 3 | 6)),
	CHECK("EPT: above memory", SECONDARY(EPT), C(EPTP, WRITE, 0x100000 | 3 << 3 | 6),
	      C(EPTP, ABOVE, 0)),
	CHECK("unrestricted guest without EPT", SECONDARY(UNRESTRICTED)),
	CHECK("PML without EPT", SECONDARY(PML)),
	CHECK("PML page, not aligned", SECONDARY(PML), SECONDARY(EPT),
	      C(EPTP, WRITE, 0x100000 | 3 << 3 | 6), C(PML_ADDRESS, WRITE, 0x10)),
	CHECK("VM functions: reserved", SECONDARY(VMFUNC), C(VMFUNC_CONTROLS, WRITE, 2)),
	CHECK("EPTP switching without EPT", SECONDARY(VMFUNC), C(VMFUNC_CONTROLS, WRITE, 1)),
	CHECK("EPTP list, not aligned", SECONDARY(VMFUNC), C(VMFUNC_CONTROLS, WRITE, 1),
	      SECONDARY(EPT), C(EPTP_LIST, WRITE, 0x10)),
	CHECK("VMREAD bitmap, not aligned", SECONDARY(SHADOWING), C(VMREAD_BITMAP, WRITE, 0x10)),
	CHECK("VMWRITE bitmap, not aligned", SECONDARY(SHADOWING), C(VMWRITE_BITMAP, WRITE, 0x10)),
	CHECK("#VE page, not aligned", SECONDARY(VE), C(VE_INFO, WRITE, 0x10)),
	CHECK("timer's value saved, but no timer", C(EXIT_CONTROLS, ENABLE, EXIT_SAVE_TIMER)),
	CHECK("MSR-store list, not aligned", C(EXIT_MSR_STORE_COUNT, WRITE, 1),
	      C(EXIT_MSR_STORE, WRITE, 0x100008)),
	CHECK("MSR-store list, above memory", C(EXIT_MSR_STORE_COUNT, WRITE, 1),
	      C(EXIT_MSR_STORE, ABOVE, 0)),
	CHECK("MSR-load list of exits, not aligned", C(EXIT_MSR_LOAD_COUNT, WRITE, 1),
	      C(EXIT_MSR_LOAD, WRITE, 0x100004)),
	CHECK("MSR-load list of entries, not aligned", C(ENTRY_MSR_LOAD_COUNT, WRITE, 1),
	      C(ENTRY_MSR_LOAD, WRITE, 0x100002)),
	CHECK("MSR-load list of entries, above memory", C(ENTRY_MSR_LOAD_COUNT, WRITE, 1),
	      C(ENTRY_MSR_LOAD, ABOVE, 0)),
	EVENT_CHECK("event: reserved type", EVENT(1, 0x30)),
	EVENT_CHECK("event: reserved bits", EVENT(EVENT_HARD, VECTOR_UD) | 0x1000),
	EVENT_CHECK("event: NMI with another vector", EVENT(EVENT_NMI, 3)),
	EVENT_CHECK("event: exception above 31", EVENT(EVENT_HARD, 32)),
	EVENT_CHECK("event: type 7 with a vector", EVENT(EVENT_OTHER, 1)),
	CHECK("event: error code, bits 31:16",
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE),
	      C(ENTRY_ERROR_CODE, WRITE, BIT(16))),
	CHECK("event: length 16", C(ENTRY_EVENT, WRITE, EVENT(EVENT_SOFT, VECTOR_BP)),
	      C(ENTRY_LENGTH, WRITE, 16)),
};

/*
 * Not where IA32_VMX_BASIC says that any exception may have an error code or not; the
 * last is wrong there too, but the emulator does not see it.
 */
static const struct entry_check error_codes[] = {
	EVENT_CHECK("#GP without an error code", EVENT(EVENT_HARD, VECTOR_GP)),
	EVENT_CHECK("#UD with an error code",
		    EVENT(EVENT_HARD, VECTOR_UD) | EVENT_ERROR_CODE),
	EVENT_CHECK("interrupt with an error code",
		    EVENT(EVENT_EXTERNAL, 0x80) | EVENT_ERROR_CODE),
};

static const struct entry_check host_state[] = {
	CHECK("CR0.NE", C(HOST_CR0, CLEAR, CR0_NE)),
	CHECK("CR0.PG", C(HOST_CR0, CLEAR, CR0_PG)),
	CHECK("CR4.VMXE", C(HOST_CR4, CLEAR, CR4_VMXE)),
	CHECK("CR4, reserved", C(HOST_CR4, SET, BIT(31))),
	CHECK("IA32_PAT", C(EXIT_CONTROLS, ENABLE, EXIT_LOAD_PAT), C(HOST_PAT, WRITE, 2)),
	CHECK("IA32_EFER, reserved", C(EXIT_CONTROLS, ENABLE, EXIT_LOAD_EFER),
	      C(HOST_EFER, SET, BIT(1))),
	CHECK("CS, RPL", C(HOST_CS, SET, 3)),
	CHECK("SS, TI", C(HOST_SS, SET, 4)),
	CHECK("DS, RPL", C(HOST_DS, SET, 1)),
	CHECK("ES, TI", C(HOST_ES, SET, 4)),
	CHECK("FS, RPL", C(HOST_FS, SET, 2)),
	CHECK("GS, TI", C(HOST_GS, SET, 4)),
	CHECK("TR, RPL", C(HOST_TR, SET, 3)),
	CHECK("CS 0", C(HOST_CS, WRITE, 0)),
	CHECK("TR 0", C(HOST_TR, WRITE, 0)),
	HOST_CHECKS,
};

static const struct entry_check guest_state[] = {
	CHECK("CR0.NE", C(GUEST_CR0, CLEAR, CR0_NE)),
	CHECK("CR0.PE without unrestricted guest", C(GUEST_CR0, CLEAR, CR0_PE)),
	CHECK("CR0.PG without unrestricted guest", C(GUEST_CR0, CLEAR, CR0_PG)),
	CHECK("CR4.VMXE", C(GUEST_CR4, CLEAR, CR4_VMXE)),
	CHECK("CR4, reserved", C(GUEST_CR4, SET, BIT(31))),
	CHECK("IA32_PAT", C(ENTRY_CONTROLS, ENABLE, ENTRY_LOAD_PAT), C(GUEST_PAT, WRITE, 3 << 8)),
	CHECK("IA32_EFER, reserved", C(ENTRY_CONTROLS, ENABLE, ENTRY_LOAD_EFER),
	      C(GUEST_EFER, SET, BIT(1))),
	CHECK("RFLAGS, bit 1", C(GUEST_RFLAGS, CLEAR, 2)),
	CHECK("RFLAGS, bit 3", C(GUEST_RFLAGS, SET, 8)),
	CHECK("RFLAGS, bit 15", C(GUEST_RFLAGS, SET, BIT(15))),
	CHECK("RFLAGS, bit 22", C(GUEST_RFLAGS, SET, BIT(22))),
	CHECK("an interrupt with RFLAGS.IF = 0",
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_EXTERNAL, 0x80))),
	CHECK("TR, TI", C(GUEST_TR, SET, 4)),
	CHECK("LDTR, TI", C(GUEST_LDTR, SET, 4)),
	CHECK("SS, RPL", C(GUEST_SS, SET, 3)),
	CHECK("CS, type", C(GUEST_CS_ACCESS, WRITE, ACCESS_KCODE_BAD)),
	CHECK("CS, S", C(GUEST_CS_ACCESS, CLEAR, 0x10)),
	CHECK("CS, P", C(GUEST_CS_ACCESS, CLEAR, 0x80)),
	CHECK("CS, DPL", C(GUEST_CS_ACCESS, SET, 0x60)),
	CHECK("CS, G", C(GUEST_CS_ACCESS, CLEAR, 0x8000)),
	CHECK("CS, limit", C(GUEST_CS_LIMIT, WRITE, 0xfffff000)),
	CHECK("SS, type", C(GUEST_SS_ACCESS, WRITE, 0xc091)),
	CHECK("SS, DPL", C(GUEST_SS_ACCESS, SET, 0x60)),
	CHECK("DS, not accessed", C(GUEST_DS_ACCESS, CLEAR, 1)),
	CHECK("DS, reserved bits", C(GUEST_DS_ACCESS, SET, 0x100)),
	CHECK("ES, DPL below RPL", C(GUEST_ES, SET, 3)),
	CHECK("FS, P", C(GUEST_FS_ACCESS, CLEAR, 0x80)),
	CHECK("TR, not busy", C(GUEST_TR_ACCESS, WRITE, 0x89)),
	CHECK("TR, S", C(GUEST_TR_ACCESS, SET, 0x10)),
	CHECK("TR, unusable", C(GUEST_TR_ACCESS, SET, 0x10000)),
	CHECK("TR, limit with G", C(GUEST_TR_ACCESS, SET, 0x8000)),
	CHECK("LDTR, type", C(GUEST_LDTR_ACCESS, WRITE, 0x83)),
	CHECK("LDTR, P", C(GUEST_LDTR_ACCESS, WRITE, 0x02)),
	CHECK("GDTR limit", C(GUEST_GDTR_LIMIT, WRITE, 0x10000)),
	CHECK("IDTR limit", C(GUEST_IDTR_LIMIT, WRITE, 0x10000)),
	CHECK("activity state 4", C(GUEST_ACTIVITY, WRITE, 4)),
	CHECK("HLT with blocking by STI", C(GUEST_ACTIVITY, WRITE, ACTIVITY_HLT),
	      C(GUEST_RFLAGS, SET, RFLAGS_IF), C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_STI)),
	CHECK("HLT with an exception", C(GUEST_ACTIVITY, WRITE, ACTIVITY_HLT),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_HARD, VECTOR_UD))),
	CHECK("shutdown with an interrupt", C(GUEST_ACTIVITY, WRITE, ACTIVITY_SHUTDOWN),
	      C(GUEST_RFLAGS, SET, RFLAGS_IF), C(ENTRY_EVENT, WRITE, EVENT(EVENT_EXTERNAL, 0x80))),
	CHECK("wait-for-SIPI with an NMI", C(GUEST_ACTIVITY, WRITE, ACTIVITY_WAIT_SIPI),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_NMI, VECTOR_NMI))),
	CHECK("interruptibility, reserved", C(GUEST_INTERRUPTIBILITY, WRITE, 0x20)),
	CHECK("blocking by STI and MOV SS", C(GUEST_RFLAGS, SET, RFLAGS_IF),
	      C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_STI | BLOCKING_MOV_SS)),
	CHECK("blocking by STI with RFLAGS.IF = 0",
	      C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_STI)),
	CHECK("blocking by STI and an interrupt", C(GUEST_RFLAGS, SET, RFLAGS_IF),
	      C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_STI),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_EXTERNAL, 0x80))),
	CHECK("blocking by MOV SS and an interrupt", C(GUEST_RFLAGS, SET, RFLAGS_IF),
	      C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_MOV_SS),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_EXTERNAL, 0x80))),
	CHECK("blocking by MOV SS and an NMI", C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_MOV_SS),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_NMI, VECTOR_NMI))),
	CHECK("blocking by SMI", C(GUEST_INTERRUPTIBILITY, WRITE, 4)),
	CHECK("virtual NMIs: blocking by NMI and an NMI", C(PIN_CONTROLS, ENABLE, PIN_NMI),
	      C(PIN_CONTROLS, ENABLE, PIN_VIRTUAL_NMIS),
	      C(GUEST_INTERRUPTIBILITY, WRITE, BLOCKING_NMI),
	      C(ENTRY_EVENT, WRITE, EVENT(EVENT_NMI, VECTOR_NMI))),
	CHECK("pending debug exceptions, reserved", C(GUEST_PENDING_DEBUG, WRITE, 0x10)),
	GUEST_CHECKS,
};

static const struct entry_check link_pointer[] = {
	CHECK("not aligned", C(LINK_POINTER, WRITE, 0x100008)),
	CHECK("above memory", C(LINK_POINTER, WRITE, 0x100000), C(LINK_POINTER, ABOVE, 0)),
	CHECK("another revision", C(LINK_POINTER, WRITE, 0x100000)),
};

static u64 lowest(u64 bits)
{
	return bits & -bits;
}

/* Return: false if the CPU has not got what is needed */
static bool entry_apply(const struct entry_change *change)
{
	u32 field = change->field;
	u64 value = vmread(field), bit;

	switch (change->op) {
	case ENABLE:
		vmwrite(field, value | change->value);
		return hv_can(field, change->value);
	case SET:
		return vmwrite(field, value | change->value);
	case CLEAR:
		return vmwrite(field, value & ~change->value);
	case WRITE:
		return vmwrite(field, change->value);
	case ABOVE:
		return vmwrite(field, value | BIT(cpuid(0x80000008, 0).eax & 0xff));
	case FORBIDDEN:
		bit = lowest(~hv_controls_fixed1(field) & 0xffffffff);
		return vmwrite(field, value | bit) && bit;
	case REQUIRED:
		bit = lowest(hv_controls_fixed0(field));
		return vmwrite(field, value & ~bit) && bit;
	default:
		return true;
	}
}

/* Run the guest with something wrong, then put it right again. */
static bool entry_try(struct hv *hv, const struct entry_check *check)
{
	u64 old[ARRAY_SIZE(check->changes)];
	bool possible = true;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(old); i++) {
		old[i] = vmread(check->changes[i].field);
		possible = entry_apply(&check->changes[i]) && possible;
	}
	if (possible)
		hv_run(hv);
	for (i = ARRAY_SIZE(old); i--;)
		if (check->changes[i].op)
			vmwrite(check->changes[i].field, old[i]);
	if (!possible)
		ktap_skip("%s: not on this CPU", check->name);
	return possible;
}

/* An entry that should have failed may leave anything. */
static void entry_mend(struct hv *hv)
{
	if (hv->launched)
		hv_vmcs_reset(hv);
}

static void entry_fails(struct hv *hv, const struct entry_check *checks, u32 count, u32 error)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!entry_try(hv, &checks[i]))
			continue;
		hv_record(hv, checks[i].name);
		ktap_check(hv->exit.flags == VMFAIL_VALID && hv->exit.error == error,
			   "%s: flags %x, error %u, exit %x", checks[i].name, hv->exit.flags,
			   hv->exit.error, hv->exit.reason);
		entry_mend(hv);
	}
}

static void entry_exits(struct hv *hv, const struct entry_check *checks, u32 count,
			u64 qualification)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!entry_try(hv, &checks[i]))
			continue;
		print("# record %s: %s: reason=%x qualification=%llx\n", ktap_suite,
		      checks[i].name, hv->exit.reason, hv->exit.qualification);
		ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
			   hv->exit.qualification == qualification,
			   "%s: exit %x, qualification %llx, error %u", checks[i].name,
			   hv->exit.reason, hv->exit.qualification, hv->exit.error);
		entry_mend(hv);
	}
}

static void entry_controls(struct hv *hv)
{
	/* Where VTPR, with the TPR shadow, is 0 */
	vmwrite(F_VIRTUAL_APIC, ADDR(hv->page));
	entry_fails(hv, controls, ARRAY_SIZE(controls), VMERR_CONTROLS);
	nested_end(hv, "nothing is wrong");
}

static void entry_error_codes(struct hv *hv)
{
	if (rdmsr(MSR_VMX_BASIC) & BASIC_ANY_ERROR_CODE) {
		ktap_skip("any exception may have one");
		return;
	}
	entry_fails(hv, error_codes, ARRAY_SIZE(error_codes), VMERR_CONTROLS);
}

static void entry_host(struct hv *hv)
{
	entry_fails(hv, host_state, ARRAY_SIZE(host_state), VMERR_HOST_STATE);
	nested_end(hv, "nothing is wrong");
}

static void entry_guest(struct hv *hv)
{
	entry_exits(hv, guest_state, ARRAY_SIZE(guest_state), 0);
	nested_end(hv, "nothing is wrong");
}

static void entry_link(struct hv *hv)
{
	entry_exits(hv, link_pointer, ARRAY_SIZE(link_pointer), 4);
	vmwrite(F_LINK_POINTER, ADDR(hv->vmcs));
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   hv->exit.qualification == 4, "the current VMCS: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
	vmwrite(F_LINK_POINTER, ~0ull);
	nested_end(hv, "none");
}

/* Controls are checked before the host's state, that before the guest's. */
static void entry_order(struct hv *hv)
{
	vmwrite(F_GUEST_RFLAGS, 0);
	vmwrite(F_HOST_CS, 0);
	vmwrite(F_CR3_TARGET_COUNT, 0x1ff);
	hv_run(hv);
	/* SDM vol. 3, 27.2: controls and the host's state may be checked in any order. */
	ktap_check(hv->exit.flags == VMFAIL_VALID && hv->exit.error - VMERR_CONTROLS < 2,
		   "all wrong: error 7 or 8");
	vmwrite(F_CR3_TARGET_COUNT, 0);
	nested_fails(hv, VMERR_HOST_STATE, "the host's state and the guest's wrong");
	vmwrite(F_HOST_CS, SEL_KCODE);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE),
		   "the guest's state wrong: exit %x", hv->exit.reason);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	nested_end(hv, "nothing is wrong");
}

/* --- MSR lists */

struct msr_entry {
	u32 msr, reserved;
	u64 value;
};

/* What an entry that fails as an exit leaves as it was: event, guest's state, lists */
static void entry_failed_exit(struct hv *hv)
{
	struct msr_entry *list = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 event = EVENT(EVENT_HARD, VECTOR_UD);
	u64 star = rdmsr(MSR_STAR);

	list[0] = (struct msr_entry) { MSR_STAR, 0, 0x1111 };
	list[1] = (struct msr_entry) { MSR_STAR, 0, 0x2222 };
	list[2] = (struct msr_entry) { MSR_STAR, 0, 0x3333 };
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(&list[0]));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	vmwrite(F_EXIT_MSR_STORE, ADDR(&list[1]));
	vmwrite(F_EXIT_MSR_STORE_COUNT, 1);
	vmwrite(F_EXIT_MSR_LOAD, ADDR(&list[2]));
	vmwrite(F_EXIT_MSR_LOAD_COUNT, 1);
	vmwrite(F_GUEST_RFLAGS, 0);
	vmwrite(F_ENTRY_EVENT, event);
	vmwrite(F_GUEST_CR0, read_cr0() | CR0_TS);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE),
		   "exit %x", hv->exit.reason);
	ktap_check(vmread(F_ENTRY_EVENT) == event, "the event is still to be injected");
	ktap_check(vmread(F_GUEST_CR0) == (read_cr0() | CR0_TS) && !(read_cr0() & CR0_TS),
		   "CR0 of the host and of the guest");
	ktap_check(read_gdtr().limit == 0xffff, "the host's state is loaded");
	ktap_check(rdmsr(MSR_STAR) == 0x3333 && list[1].value == 0x2222,
		   "MSRs are loaded for the host, none is stored");
	wrmsr(MSR_STAR, star);
}

static const struct {
	const char *name;
	struct msr_entry entry;
} bad_msrs[] = {
	{ "IA32_FS_BASE", { MSR_FS_BASE, 0, 0 } },
	{ "IA32_GS_BASE", { MSR_GS_BASE, 0, 0 } },
	{ "reserved bits", { MSR_SYSENTER_CS, 1, 0 } },
	{ "an MSR that is not there", { 0x12345678, 0, 0 } },
	{ "a bad value", { MSR_SYSENTER_ESP, 0, NOT_CANONICAL } },
};

static void entry_msrs(struct hv *hv)
{
	struct msr_entry *list = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 star = rdmsr(MSR_STAR);
	u32 i;

	vmwrite(F_ENTRY_MSR_LOAD, ADDR(list));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 2);
	for (i = 0; i < ARRAY_SIZE(bad_msrs); i++) {
		list[0] = (struct msr_entry) { MSR_STAR, 0, star };
		list[1] = bad_msrs[i].entry;
		nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_MSR, 2, 0, bad_msrs[i].name);
		entry_mend(hv);
	}
	ktap_check(!hv->launched, "the VMCS is still clear");
}

INSN(entry_nop, "nop");

/* The guest's state is checked before any MSR is loaded (SDM vol. 3, 27.3 and 27.4). */
static void entry_msrs_state(struct hv *hv)
{
	struct msr_entry *list = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 pat = rdmsr(MSR_PAT), other = pat & ~0xff0000ull;
	u32 i;

	vmwrite(F_ENTRY_MSR_LOAD, ADDR(list));
	/* By VMLAUNCH, then by VMRESUME */
	for (i = 0; i < 2; i++) {
		list[0] = bad_msrs[0].entry;
		vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
		vmwrite(F_GUEST_RFLAGS, 0);
		nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0, "both");
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
		nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_MSR, 1, 0, "the list");
		list[0] = (struct msr_entry) { MSR_STAR, 0, rdmsr(MSR_STAR) };
		vmwrite(F_GUEST_RFLAGS, 0);
		nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0, "the state");
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
		hv_guest(hv, entry_nop, 0);
		nested_end(hv, "none of them");
	}
	/* An entry that fails changes no guest state. */
	list[0] = (struct msr_entry) { MSR_SYSENTER_CS, 0, 0x77 };
	vmwrite(F_GUEST_SYSENTER_CS, 0x55);
	vmwrite(F_GUEST_RFLAGS, 0);
	nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0, "a right list");
	ktap_check(vmread(F_GUEST_SYSENTER_CS) == 0x55, "guest state is as it was: %llx",
		   vmread(F_GUEST_SYSENTER_CS));
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	hv_guest(hv, entry_nop, 0);
	nested_end(hv, "it is right");
	ktap_check(vmread(F_GUEST_SYSENTER_CS) == 0x77, "guest state is the list's: %llx",
		   vmread(F_GUEST_SYSENTER_CS));
	/* The guest's state is loaded then, and an exit loads the host's. */
	list[0] = (struct msr_entry) { MSR_PAT, 0, other };
	list[1] = bad_msrs[0].entry;
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 2);
	nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_MSR, 2, 0, "the list, behind PAT");
	ktap_check(rdmsr(MSR_PAT) == other, "no exit has loaded PAT: %llx", rdmsr(MSR_PAT));
	wrmsr(MSR_PAT, pat);
	hv_set(F_EXIT_CONTROLS, EXIT_LOAD_PAT);
	vmwrite(F_HOST_PAT, pat);
	nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_MSR, 2, 0, "the same, it does");
	ktap_check(rdmsr(MSR_PAT) == pat, "the exit has loaded PAT: %llx", rdmsr(MSR_PAT));
}

static const struct nested_case cases[] = {
	CASE("controls", entry_controls),
	CASE("error codes", entry_error_codes),
	CASE("host's state", entry_host),
	CASE("guest's state", entry_guest),
	CASE("link pointer", entry_link),
	CASE("order", entry_order),
	CASE("failure", entry_failed_exit),
	CASE("MSRs", entry_msrs),
	CASE("MSRs and guest's state", entry_msrs_state, .later_exit = EXIT_LOAD_PAT),
};

void test_nested_entry(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
