// SPDX-License-Identifier: GPL-2.0-only
/* The exception bitmap: which exception, its error code, qualification, and lengths. */
#include "nested.h"
#include <insns_exceptions.h>

#define HARD(vector)		EVENT(EVENT_HARD, vector)
#define HARD_ERROR(vector)	(EVENT(EVENT_HARD, vector) | EVENT_ERROR_CODE)
#define PF_P		1u
#define PF_W		2u
#define PF_U		4u
#define PF_FETCH	16u

INSN(exc_ud, "nop\n\tud2");
INSN(exc_de, "xorl %edx, %edx\n\txorl %ecx, %ecx\n\tdivl %ecx");
INSN(exc_bp, "nop\n\tint3");
INSN(exc_int1, "nop\n\t.byte 0xf1");
INSN(exc_int3_long, "nop\n\t.byte 0xcd, 0x03");
INSN(exc_gp_selector, "movl $0x7ff8, %eax\n\tmovw %ax, %ds");
INSN(exc_pf, "mov (RDI), RAX");
INSN(exc_pf_write, "mov RAX, (RDI)");
INSN(exc_pf_fetch, "jmp *RDI");
INSN(exc_nm, "mov %cr0, RAX\n\torb $8, %al\n\tmov RAX, %cr0\n\tfnop");
INSN(exc_gp_cr4, "mov %cr4, RAX\n\torl $0x4000, %eax\n\tmov RAX, %cr4");
INSN(exc_np, "movl $0x70, %eax\n\tmovw %ax, %es");
INSN(exc_step, "pushf\n\torl $0x100, (RSP)\n\tpopf\n\tnop\n\tnop");
INSN(exc_break, "nop\n\tmov RDI, %dr0\n\tmovl $0x2, %eax\n\tmov RAX, %dr7\n\tnop");

static const struct {
	const char *name;
	const char *code;
	u32 event, error;
	u64 qualification;
	u32 insn, length;	/* length: only of software exceptions */
} exceptions[] = {
	{ "#UD", exc_ud, HARD(VECTOR_UD), 0, 0, 1, 0 },
	{ "#DE", exc_de, HARD(VECTOR_DE), 0, 0, 4, 0 },
	{ "INT3", exc_bp, EVENT(EVENT_SOFT, VECTOR_BP), 0, 0, 1, 1 },
	{ "INT1", exc_int1, EVENT(EVENT_PRIV_SOFT, VECTOR_DB), 0, 0, 1, 1 },
	{ "#GP", exc_gp, HARD_ERROR(VECTOR_GP), 0, 0, EXC_GP_INSN, 0 },
	{ "#GP with a selector", exc_gp_selector, HARD_ERROR(VECTOR_GP), 0x7ff8, 0, 5, 0 },
	{ "#SS", exc_ss, HARD_ERROR(VECTOR_SS), EXC_SS_ERROR, 0, EXC_SS_INSN, 0 },
	{ "#GP of CR4", exc_gp_cr4, HARD_ERROR(VECTOR_GP), 0, 0, 8, 0 },
	{ "#NP", exc_np, HARD_ERROR(VECTOR_NP), 0x70, 0, 5, 0 },
	{ "#NM", exc_nm, HARD(VECTOR_NM), 0, 0, 8, 0 },
	{ "#PF of a read", exc_pf, HARD_ERROR(VECTOR_PF), 0, TEST_VA, 0, 0 },
	{ "#PF of a write", exc_pf_write, HARD_ERROR(VECTOR_PF), PF_W, TEST_VA, 0, 0 },
	{ "#DB of a step", exc_step, HARD(VECTOR_DB), 0, BIT(14), 10, 0 },
};

static void guest_prepare(struct hv *hv)
{
	/* A data segment that is not present */
	hv->guest->gdt[SEL_TEST / 8] = gdt_descriptor(0, 0xfffff, 0xc013);
	vmwrite(F_GUEST_CR0, read_cr0());
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
}

static void exceptions_all(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++) {
		guest_prepare(hv);
		vmwrite(F_EXCEPTION_BITMAP, BIT(EVENT_VECTOR(exceptions[i].event)));
		hv_guest(hv, exceptions[i].code, TEST_VA);
		nested_exit(hv, REASON_EXCEPTION, exceptions[i].qualification,
			    exceptions[i].length, exceptions[i].name);
		ktap_check(hv->exit.event == exceptions[i].event &&
			   (!(hv->exit.event & EVENT_ERROR_CODE) ||
			    hv->exit.event_error == exceptions[i].error) &&
			   hv->exit.rip - hv->code == exceptions[i].insn,
			   "%s: event %x, error %x, RIP %llu", exceptions[i].name,
			   hv->exit.event,
			   hv->exit.event & EVENT_ERROR_CODE ? hv->exit.event_error : 0,
			   hv->exit.rip - hv->code);
	}
}

/* Without the bit in the bitmap the guest's own handler gets it. */
static void exceptions_none(struct hv *hv)
{
	u32 i;

	hv->guest->recover = 0;
	for (i = 0; i < ARRAY_SIZE(exceptions); i++) {
		u32 vector = EVENT_VECTOR(exceptions[i].event);

		guest_prepare(hv);
		vmwrite(F_EXCEPTION_BITMAP, ~BIT(vector));
		vmwrite(F_PF_MATCH, 0);
		nested_try(hv, exceptions[i].code, TEST_VA);
		nested_end(hv, exceptions[i].name);
		ktap_check(nested_vector(hv) == vector, "%s: the guest's exception %llu",
			   exceptions[i].name, nested_vector(hv));
	}
}

/* INT n is no exception, whatever the vector. */
static void exceptions_int3_long(struct hv *hv)
{
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_BP));
	nested_try(hv, exc_int3_long, 0);
	nested_end(hv, "INT 3 of two bytes");
	ktap_check(nested_vector(hv) == VECTOR_BP, "INT 3 of two bytes does not exit");
}

USER_INSN(exc_user_read, "mov 0x100000, RAX");
USER_INSN(exc_user_into, CODE32_BEGIN "movb $127, %al\n\taddb $1, %al\n\tinto" CODE32_END);

static void guest_user_read(void *arg)
{
	*(u64 *)arg = user_call(exc_user_read, 0);
}

static void guest_user_into(void *arg)
{
	*(u64 *)arg = user_call32(exc_user_into, 0);
}

static void exceptions_user(struct hv *hv)
{
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF) | BIT(VECTOR_OF));
	hv_guest(hv, guest_user_read, ADDR(hv->page));
	nested_exit(hv, REASON_EXCEPTION, 0x100000, 0, "#PF at CPL 3");
	ktap_check(hv->exit.event_error == (PF_P | PF_U), "#PF at CPL 3: error %x",
		   hv->exit.event_error);
	hv_guest(hv, guest_user_into, ADDR(hv->page));
	/* The guest has been left at CPL 3. */
	hv_vmcs_reset(hv);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_OF));
	hv_guest(hv, guest_user_into, ADDR(hv->page));
	nested_exit(hv, REASON_EXCEPTION, 0, 1, "INTO");
	ktap_check(hv->exit.event == EVENT(EVENT_SOFT, VECTOR_OF), "INTO: event %x",
		   hv->exit.event);
}

static const struct {
	const char *name;
	u32 mask, match;
	bool bit;
	const char *code;
	bool exits;
} pf_rules[] = {
	{ "mask 0, match 0", 0, 0, true, exc_pf, true },
	{ "mask 0, match 0, no bit", 0, 0, false, exc_pf, false },
	{ "mask 0, match 1", 0, 1, true, exc_pf, false },
	{ "mask 0, match 1, no bit", 0, 1, false, exc_pf, true },
	{ "writes only, a read", PF_W, PF_W, true, exc_pf, false },
	{ "writes only, a write", PF_W, PF_W, true, exc_pf_write, true },
	{ "all but writes, a read", PF_W, PF_W, false, exc_pf, true },
	{ "all but writes, a write", PF_W, PF_W, false, exc_pf_write, false },
	{ "fetches only, a fetch", PF_FETCH, PF_FETCH, true, exc_pf_fetch, true },
	{ "fetches only, a read", PF_FETCH, PF_FETCH, true, exc_pf, false },
};

static void exceptions_pf(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pf_rules); i++) {
		guest_prepare(hv);
		vmwrite(F_EXCEPTION_BITMAP, pf_rules[i].bit ? BIT(VECTOR_PF) : 0);
		vmwrite(F_PF_MASK, pf_rules[i].mask);
		vmwrite(F_PF_MATCH, pf_rules[i].match);
		nested_try(hv, pf_rules[i].code, TEST_VA + 0x18);
		write_cr2(0x77);
		if (pf_rules[i].exits) {
			nested_exit(hv, REASON_EXCEPTION, TEST_VA + 0x18, 0, pf_rules[i].name);
			ktap_check(read_cr2() == 0x77, "%s: CR2 is as before",
				   pf_rules[i].name);
			continue;
		}
		nested_end(hv, pf_rules[i].name);
		ktap_check(nested_vector(hv) == VECTOR_PF && read_cr2() == TEST_VA + 0x18,
			   "%s: the guest's #PF", pf_rules[i].name);
	}
}

static void exceptions_breakpoint(struct hv *hv)
{
	u64 dr7;

	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_DB));
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_DEBUG);
	hv_guest(hv, exc_break, ADDR(exc_break) + 12);
	nested_exit(hv, REASON_EXCEPTION, BIT(0), 0, "#DB of a breakpoint");
	dr7 = vmread(F_GUEST_DR7);
	ktap_check(hv->exit.rip - hv->code == 12 && dr7 == 0x402, "RIP %llu, DR7 %llx",
		   hv->exit.rip - hv->code, dr7);
	/* Of all faults only this one leaves RF as it is (SDM vol. 3, 18.3.1.1). */
	ktap_check(!(hv->exit.rflags & RFLAGS_RF), "RFLAGS.RF");
	nested_exit(hv, REASON_EXCEPTION, BIT(0), 0, "#DB again");
	vmwrite(F_GUEST_RFLAGS, hv->exit.rflags | RFLAGS_RF);
	nested_end(hv, "goes on");
	write_dr0(0);
}

static const struct nested_case cases[] = {
	CASE("exits", exceptions_all),
	CASE("no exits", exceptions_none),
	CASE("INT 3", exceptions_int3_long),
	CASE("CPL 3", exceptions_user),
	CASE("#PF mask and match", exceptions_pf),
	CASE("breakpoint", exceptions_breakpoint, .exit = EXIT_SAVE_DEBUG,
	     .entry = ENTRY_LOAD_DEBUG),
};

void test_nested_exceptions(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
