// SPDX-License-Identifier: GPL-2.0-only
/*
 * CET state and IA32_PKRS (SDM vol. 3, 27.3.2 and 28.3): what is loaded and saved, and what
 * L1 and its guest share; guests with shadow stacks, indirect-branch tracking and protection
 * keys of supervisor pages. L1 itself has CR4.CET and CR4.PKS off.
 */
#include "nested.h"

#define MSR_S_CET	0x6a2
#define MSR_SSP_TABLE	0x6a8
#define MSR_PKRS	0x6e1
#define VECTOR_CP	21
#define CP_NEAR_RET	1u
#define CP_ENDBRANCH	3u
#define CET_SHADOW	BIT(0)
#define CET_WRSS	BIT(1)
#define CET_ENDBRANCH	BIT(2)
#define CET_SUPPRESS	BIT(10)
#define CET_TRACKER	BIT(11)
#define PF_P		1u
#define PF_W		2u
#define PF_PK		0x20u
#define PF_SHADOW	0x40u
#define HARD_ERROR(vector) (EVENT(EVENT_HARD, vector) | EVENT_ERROR_CODE)

/* Two shadow stacks; each starts with its highest entry. */
#define SHADOW_VA(i)	(WINDOW_BASE + 0x10000 + (i) * PAGE_SIZE)
#define SHADOW_TOP(i)	(SHADOW_VA(i) + PAGE_SIZE - 8)
#define TOP		511	/* index of that entry */
#define KEY_VA		(WINDOW_BASE + 0x20000)
#define PTE_KEY1	BIT(59)
#define IST_NMI		1

struct msr_entry {
	u32 msr, reserved;
	u64 value;
};

/* Read, then write RSI */
INSN(cet_swap, "movl %edi, %ecx\n\trdmsr\n\tshlq $32, %rdx\n\torq %rdx, %rax\n\t"
	"movq %rax, %rbx\n\tmovl %esi, %eax\n\tmovq %rsi, %rdx\n\tshrq $32, %rdx\n\twrmsr");
INSN(cet_call, "call 1f\n\tjmp 2f\n1:\trdsspq %rax\n\tvmcall\n\tret\n2:");
INSN(cet_rdssp, "rdsspq %rax");
INSN(cet_mismatch, "call 1f\n\tnop\n\tret\n1:\taddq $1, (%rsp)\n\tret");
INSN(cet_wrss, "rdsspq %rdx\n\twrssq %rdi, -16(%rdx)");
INSN(cet_wrss_to, "wrssq %rax, (%rdi)");
INSN(cet_leave, ".code32\n\tmovl %cr0, %eax\n\tandl $0x7fffffff, %eax\n\tmovl %eax, %cr0\n\t"
	"movl (%edi), %ebx\n\tvmcall\n\t.code64");
INSN(cet_jump, "jmp *%rdi");
INSN(cet_target, "endbr64\n\tnop");
INSN(cet_no_target, "nop");
INSN(key_read, "movq (%rdi), %rax");
INSN(key_write, "movq %rax, (%rdi)");

static void host_clear(void)
{
	wrmsr(MSR_S_CET, 0);
	wrmsr(MSR_SSP_TABLE, 0);
}

/* --- what is loaded and saved */

/* What L1 has, the two fields, and what the guest writes */
struct cet_msr {
	const char *name;
	u32 msr, guest, host;
	u32 entry, exit;
	u64 own, load, back, write;
};

static const struct cet_msr s_cet = {
	"IA32_S_CET", MSR_S_CET, F_GUEST_S_CET, F_HOST_S_CET, ENTRY_LOAD_CET, EXIT_LOAD_CET,
	0x1, 0xffff800012345004ull, 0x24, 0x405,
};

static const struct cet_msr ssp_table = {
	"IA32_INTERRUPT_SSP_TABLE_ADDR", MSR_SSP_TABLE, F_GUEST_SSP_TABLE, F_HOST_SSP_TABLE,
	ENTRY_LOAD_CET, EXIT_LOAD_CET, 0x1000, 0xffff900000002000ull, 0x3000, 0x4008,
};

static const struct cet_msr pkrs = {
	"IA32_PKRS", MSR_PKRS, F_GUEST_PKRS, F_HOST_PKRS, ENTRY_LOAD_PKRS, EXIT_LOAD_PKRS,
	0x4, 0xc0000004, 0x30, 0xffffffff,
};

/* An exit saves what the guest has, whatever the controls are. */
static void swap(struct hv *hv, const struct cet_msr *m, u64 guest, u64 after, const char *what)
{
	wrmsr(m->msr, m->own);
	vmwrite(m->guest, m->load);
	vmwrite(m->host, m->back);
	hv_guest(hv, cet_swap, m->msr);
	hv->regs.rsi = m->write;
	nested_end(hv, what);
	ktap_check(hv->regs.rbx == guest, "%s: %s: the guest has %llx", m->name, what,
		   hv->regs.rbx);
	ktap_check(vmread(m->guest) == m->write, "%s: %s: saved %llx", m->name, what,
		   vmread(m->guest));
	ktap_check(rdmsr(m->msr) == after, "%s: %s: the host has %llx", m->name, what,
		   rdmsr(m->msr));
	/* This exits, with core underneath. */
	cpuid(0, 0);
	ktap_check(rdmsr(m->msr) == after, "%s: %s: and keeps it", m->name, what);
}

static void swap_all(struct hv *hv, const struct cet_msr *m)
{
	swap(hv, m, m->own, m->write, "nothing is loaded");
	hv_set(F_ENTRY_CONTROLS, m->entry);
	swap(hv, m, m->load, m->write, "by the entry");
	hv_set(F_EXIT_CONTROLS, m->exit);
	swap(hv, m, m->load, m->back, "by both");
	hv_clear(F_ENTRY_CONTROLS, m->entry);
	swap(hv, m, m->own, m->back, "by the exit");
	/* And L1's, behind such an exit, is the next guest's. */
	wrmsr(m->msr, m->write);
	hv_clear(F_EXIT_CONTROLS, m->exit);
	hv_guest(hv, cet_swap, m->msr);
	hv->regs.rsi = m->own;
	nested_end(hv, "what was loaded");
	ktap_check(hv->regs.rbx == m->write, "%s: L1 writes it: the guest has %llx", m->name,
		   hv->regs.rbx);
	wrmsr(m->msr, 0);
}

static void cet_state(struct hv *hv)
{
	swap_all(hv, &s_cet);
	swap_all(hv, &ssp_table);
}

static void cet_pkrs(struct hv *hv)
{
	swap_all(hv, &pkrs);
}

/* Lists of MSRs come behind the fields, and store what the guest has. */
static void lists(struct hv *hv, const struct cet_msr *m)
{
	struct msr_entry *list = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	list[0] = (struct msr_entry) { m->msr, 0, m->own };
	list[1] = (struct msr_entry) { m->msr, 0, 0 };
	list[2] = (struct msr_entry) { m->msr, 0, m->load };
	vmwrite(m->guest, m->load);
	vmwrite(m->host, m->back);
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(&list[0]));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	vmwrite(F_EXIT_MSR_STORE, ADDR(&list[1]));
	vmwrite(F_EXIT_MSR_STORE_COUNT, 1);
	vmwrite(F_EXIT_MSR_LOAD, ADDR(&list[2]));
	vmwrite(F_EXIT_MSR_LOAD_COUNT, 1);
	hv_guest(hv, cet_swap, m->msr);
	hv->regs.rsi = m->write;
	nested_end(hv, "lists");
	ktap_check(hv->regs.rbx == m->own && list[1].value == m->write &&
		   rdmsr(m->msr) == m->load, "%s: lists: %llx, stored %llx, the host's %llx",
		   m->name, hv->regs.rbx, list[1].value, rdmsr(m->msr));
	wrmsr(m->msr, 0);
}

static void cet_lists(struct hv *hv)
{
	lists(hv, &s_cet);
	lists(hv, &ssp_table);
	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_CET);
	hv_set(F_EXIT_CONTROLS, EXIT_LOAD_CET);
	lists(hv, &s_cet);
	lists(hv, &ssp_table);
}

static void cet_pkrs_lists(struct hv *hv)
{
	lists(hv, &pkrs);
	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_PKRS);
	hv_set(F_EXIT_CONTROLS, EXIT_LOAD_PKRS);
	lists(hv, &pkrs);
}

/* --- shadow stacks */

/* Read-only and dirty. Its first entry is for the RET that ends the guest's code. */
static u64 *shadow_new(u32 index)
{
	u64 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	mem_map(SHADOW_VA(index), ADDR(page), PTE_P | PTE_A | PTE_D | PTE_NX);
	page[TOP] = ADDR(hv_guest_end);
	return page;
}

/* The guest has it by what VM entry loads. */
static u64 *shadow_begin(u64 s_cet)
{
	vmwrite(F_GUEST_CR4, read_cr4() | CR4_CET);
	vmwrite(F_GUEST_S_CET, s_cet);
	vmwrite(F_GUEST_SSP, SHADOW_TOP(0));
	return shadow_new(0);
}

static void cet_shadow(struct hv *hv)
{
	u64 *page = shadow_begin(CET_SHADOW);

	hv_guest(hv, cet_call, 0);
	nested_exit(hv, REASON_VMCALL, 0, 3, "behind CALL");
	ktap_check(hv->regs.rax == SHADOW_TOP(0) - 8 && vmread(F_GUEST_SSP) == hv->regs.rax,
		   "behind CALL: SSP %llx, saved %llx", hv->regs.rax, vmread(F_GUEST_SSP));
	ktap_check(page[TOP - 1] == hv->code + 5, "CALL has pushed %llx", page[TOP - 1]);
	hv_skip(hv);
	nested_end(hv, "behind RET");
	ktap_check(vmread(F_GUEST_SSP) == SHADOW_TOP(0) + 8, "behind RET: SSP %llx",
		   vmread(F_GUEST_SSP));
	host_clear();
}

/* SSP of L1's is seen by a guest that is given none. */
static void cet_host_ssp(struct hv *hv)
{
	shadow_begin(CET_SHADOW);
	shadow_new(1);
	vmwrite(F_HOST_S_CET, CET_SHADOW);
	vmwrite(F_HOST_SSP, SHADOW_TOP(1));
	nested_end(hv, "loads L1's");
	cpuid(0, 0);
	hv_clear(F_ENTRY_CONTROLS, ENTRY_LOAD_CET);
	hv_clear(F_EXIT_CONTROLS, EXIT_LOAD_CET);
	vmwrite(F_GUEST_SSP, 0x1000);
	hv_guest(hv, cet_rdssp, 0);
	nested_end(hv, "is loaded nothing");
	ktap_check(hv->regs.rax == SHADOW_TOP(1), "SSP of L1's: %llx", hv->regs.rax);
	ktap_check(vmread(F_GUEST_SSP) == SHADOW_TOP(1) + 8, "saved: SSP %llx",
		   vmread(F_GUEST_SSP));
	host_clear();
}

/*
 * What has been loaded is not checked again, as long as L1 does not enter: an SSP that
 * 32-bit code could not have, with an EPT violation that is not L1's behind it.
 */
static void cet_once(struct hv *hv)
{
	u64 eptp = hv_ept_enable();

	hv_set(F_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED);
	ept_map(eptp, TEST_GPA, ADDR(hv->page), 1, EPT_RWX | EPT_MEM_WB);
	vmwrite(F_GUEST_CS, SEL_KCODE32);
	vmwrite(F_GUEST_CS_ACCESS, 0xc09b);
	vmwrite(F_GUEST_SSP, BIT(40));
	*(u32 *)hv->page = 0x600dcafe;
	hv_guest(hv, cet_leave, TEST_GPA);
	nested_exit(hv, REASON_VMCALL, 0, 3, "without paging");
	ktap_check((u32)hv->regs.rbx == 0x600dcafe && vmread(F_GUEST_SSP) == BIT(40) &&
		   !(vmread(F_ENTRY_CONTROLS) & ENTRY_IA32E), "without paging: %llx, SSP %llx",
		   hv->regs.rbx, vmread(F_GUEST_SSP));
	host_clear();
}

/* CALL writes to the shadow stack, which L1's EPT does not allow at first. */
static void cet_ept(struct hv *hv)
{
	u64 eptp = hv_ept_enable(), *page = shadow_begin(CET_SHADOW);

	mem_map(SHADOW_VA(0), TEST_GPA, PTE_P | PTE_A | PTE_D | PTE_NX);
	ept_map(eptp, TEST_GPA, ADDR(page), 1, EPT_R | EPT_MEM_WB);
	hv_guest(hv, cet_call, 0);
	hv_run(hv);
	hv_record(hv, "violation");
	/* A write, to what is readable, with a linear address, by a shadow-stack access */
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   (hv->exit.qualification & ~0xe00ull) == 0x218a &&
		   hv->exit.rip == hv->code && vmread(F_GUEST_SSP) == SHADOW_TOP(0),
		   "violation: exit %x, qualification %llx, SSP %llx", hv->exit.reason,
		   hv->exit.qualification, vmread(F_GUEST_SSP));
	ept_map(eptp, TEST_GPA, ADDR(page), 1, EPT_R | EPT_W | EPT_MEM_WB);
	invept(INVEPT_ALL, 0, 0);
	nested_exit(hv, REASON_VMCALL, 0, 3, "behind CALL");
	ktap_check(page[TOP - 1] == hv->code + 5, "CALL has pushed %llx", page[TOP - 1]);
	host_clear();
}

static void cet_write(struct hv *hv)
{
	u64 *page = shadow_begin(CET_SHADOW | CET_WRSS);

	hv_guest(hv, cet_wrss, 0x123456789abcdefull);
	nested_end(hv, "WRSS");
	ktap_check(page[TOP - 2] == 0x123456789abcdefull, "WRSS writes %llx", page[TOP - 2]);
	shadow_begin(CET_SHADOW | CET_WRSS);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	hv_guest(hv, cet_wrss_to, ADDR(hv->page));
	hv_run(hv);
	ktap_check(hv->exit.event == HARD_ERROR(VECTOR_PF) &&
		   hv->exit.event_error == (PF_P | PF_W | PF_SHADOW),
		   "WRSS to another page: event %x, error %x", hv->exit.event,
		   hv->exit.event_error);
	hv_guest(hv, key_write, SHADOW_VA(0));
	nested_exit(hv, REASON_EXCEPTION, SHADOW_VA(0), 0, "MOV to the shadow stack");
	ktap_check(hv->exit.event_error == (PF_P | PF_W), "MOV to the shadow stack: error %x",
		   hv->exit.event_error);
	host_clear();
}

/* Mends what cet_mismatch did to its return address. */
static bool cp_hook(struct regs *regs)
{
	*(u64 *)PTR(regs->rsp) -= 1;
	return regs->error == CP_NEAR_RET;
}

static void cet_ret(struct hv *hv)
{
	u64 *page = shadow_begin(CET_SHADOW), handled = hv->guest->irqs[VECTOR_CP];

	idt_set_hook(VECTOR_CP, cp_hook);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_CP));
	hv_guest(hv, cet_mismatch, 0);
	nested_exit(hv, REASON_EXCEPTION, 0, 0, "#CP");
	ktap_check(hv->exit.event == HARD_ERROR(VECTOR_CP) &&
		   hv->exit.event_error == CP_NEAR_RET && hv->exit.rip == hv->code + 12,
		   "#CP of RET: event %x, error %x", hv->exit.event, hv->exit.event_error);
	ktap_check(vmread(F_GUEST_SSP) == SHADOW_TOP(0) - 8, "#CP: SSP %llx", vmread(F_GUEST_SSP));
	vmwrite(F_ENTRY_EVENT, hv->exit.event);
	vmwrite(F_ENTRY_ERROR_CODE, hv->exit.event_error);
	nested_end(hv, "#CP injected");
	ktap_check(hv->guest->irqs[VECTOR_CP] == handled + 1, "the guest has handled it");
	ktap_check(page[TOP - 2] == SEL_KCODE && page[TOP - 3] == hv->code + 12 &&
		   page[TOP - 4] == SHADOW_TOP(0) - 8, "on the shadow stack: %llx, %llx, %llx",
		   page[TOP - 2], page[TOP - 3], page[TOP - 4]);
	shadow_begin(CET_SHADOW);
	vmwrite(F_EXCEPTION_BITMAP, 0);
	hv_guest(hv, cet_mismatch, 0);
	nested_end(hv, "#CP not intercepted");
	ktap_check(hv->guest->irqs[VECTOR_CP] == handled + 2, "the guest has handled that too");
	idt_set_hook(VECTOR_CP, NULL);
	host_clear();
}

static bool nmi_hook(struct regs *regs)
{
	(void)regs;
	if (this_cpu() == hv_this()->guest)
		asm volatile("vmcall" : : : "memory");
	return true;
}

/* An event with an IST gets its shadow stack from the table, and marks it as busy. */
static void cet_ist(struct hv *hv)
{
	u64 *page = shadow_new(1), *table = (u64 *)hv->page;

	shadow_begin(CET_SHADOW);
	page[TOP] = SHADOW_TOP(1);
	table[IST_NMI] = SHADOW_TOP(1);
	vmwrite(F_GUEST_SSP_TABLE, ADDR(table));
	idt_set_hook(VECTOR_NMI, nmi_hook);
	hv_guest(hv, cet_rdssp, 0);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
	nested_exit(hv, REASON_VMCALL, 0, 3, "in the handler");
	ktap_check(vmread(F_GUEST_SSP) - SHADOW_VA(1) < PAGE_SIZE, "in the handler: SSP %llx",
		   vmread(F_GUEST_SSP));
	ktap_check(page[TOP] == (SHADOW_TOP(1) | 1) && page[TOP - 1] == SEL_KCODE &&
		   page[TOP - 2] == hv->code && page[TOP - 3] == SHADOW_TOP(0),
		   "on the shadow stack: %llx, %llx, %llx, %llx", page[TOP], page[TOP - 1],
		   page[TOP - 2], page[TOP - 3]);
	hv_skip(hv);
	nested_end(hv, "behind IRET");
	ktap_check(page[TOP] == SHADOW_TOP(1) && hv->regs.rax == SHADOW_TOP(0),
		   "behind IRET: token %llx, SSP %llx", page[TOP], hv->regs.rax);
	idt_set_hook(VECTOR_NMI, NULL);
	host_clear();
}

/* --- indirect branches */

static void branch_begin(struct hv *hv, u64 s_cet, const char *code, const char *target)
{
	vmwrite(F_GUEST_CR4, read_cr4() | CR4_CET);
	vmwrite(F_GUEST_S_CET, s_cet);
	hv_guest(hv, code, ADDR(target));
}

static void branch_faults(struct hv *hv, const char *at, const char *what)
{
	nested_exit(hv, REASON_EXCEPTION, 0, 0, what);
	ktap_check(hv->exit.event == HARD_ERROR(VECTOR_CP) &&
		   hv->exit.event_error == CP_ENDBRANCH && hv->exit.rip == ADDR(at),
		   "%s: event %x, error %x", what, hv->exit.event, hv->exit.event_error);
	ktap_check(vmread(F_GUEST_S_CET) == (CET_ENDBRANCH | CET_TRACKER), "%s: IA32_S_CET %llx",
		   what, vmread(F_GUEST_S_CET));
}

static void branch_ends(struct hv *hv, u64 s_cet, const char *what)
{
	nested_end(hv, what);
	ktap_check(vmread(F_GUEST_S_CET) == s_cet, "%s: IA32_S_CET %llx", what,
		   vmread(F_GUEST_S_CET));
}

static void cet_endbranch(struct hv *hv)
{
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_CP));
	branch_begin(hv, CET_ENDBRANCH, cet_jump, cet_target);
	branch_ends(hv, CET_ENDBRANCH, "to ENDBR64");
	branch_begin(hv, CET_ENDBRANCH, cet_jump, cet_no_target);
	branch_faults(hv, cet_no_target, "to another instruction");
	branch_begin(hv, CET_ENDBRANCH | CET_SUPPRESS, cet_jump, cet_no_target);
	branch_ends(hv, CET_ENDBRANCH | CET_SUPPRESS, "suppressed");
	branch_begin(hv, CET_ENDBRANCH | CET_TRACKER, cet_target, NULL);
	branch_ends(hv, CET_ENDBRANCH, "the entry waits for ENDBR64");
	branch_begin(hv, CET_ENDBRANCH | CET_TRACKER, cet_no_target, NULL);
	branch_faults(hv, cet_no_target, "the entry waits in vain");
	host_clear();
}

/* An exit between the jump and its target */
static void cet_tracker(struct hv *hv)
{
	branch_begin(hv, CET_ENDBRANCH, cet_jump, cet_target);
	nested_exit(hv, REASON_MTF, 0, 0, "behind JMP");
	ktap_check(hv->exit.rip == ADDR(cet_target) &&
		   vmread(F_GUEST_S_CET) == (CET_ENDBRANCH | CET_TRACKER), "IA32_S_CET %llx",
		   vmread(F_GUEST_S_CET));
	nested_exit(hv, REASON_MTF, 0, 0, "behind ENDBR64");
	ktap_check(vmread(F_GUEST_S_CET) == CET_ENDBRANCH, "behind ENDBR64: IA32_S_CET %llx",
		   vmread(F_GUEST_S_CET));
	host_clear();
}

/* --- protection keys */

static void key_fails(struct hv *hv, const char *code, u32 error, const char *what)
{
	hv_guest(hv, code, KEY_VA);
	nested_exit(hv, REASON_EXCEPTION, KEY_VA, 0, what);
	ktap_check(hv->exit.event == HARD_ERROR(VECTOR_PF) && hv->exit.event_error == error,
		   "%s: event %x, error %x", what, hv->exit.event, hv->exit.event_error);
}

static void cet_keys(struct hv *hv)
{
	mem_map(KEY_VA, ADDR(hv->page), PTE_P | PTE_W | PTE_NX | PTE_KEY1);
	vmwrite(F_GUEST_CR4, read_cr4() | CR4_PKS);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	vmwrite(F_GUEST_PKRS, BIT(2));
	key_fails(hv, key_read, PF_P | PF_PK, "no access: read");
	key_fails(hv, key_write, PF_P | PF_W | PF_PK, "no access: write");
	vmwrite(F_GUEST_PKRS, BIT(3));
	hv_guest(hv, key_read, KEY_VA);
	nested_end(hv, "read-only: read");
	key_fails(hv, key_write, PF_P | PF_W | PF_PK, "read-only: write");
	vmwrite(F_GUEST_PKRS, 0);
	hv_guest(hv, key_write, KEY_VA);
	nested_end(hv, "all rights: write");
	wrmsr(MSR_PKRS, 0);
}

/* --- error codes */

static const u32 events[] = {
	HARD_ERROR(VECTOR_CP), EVENT(EVENT_HARD, VECTOR_CP), HARD_ERROR(VECTOR_UD),
	EVENT(EVENT_HARD, VECTOR_GP), HARD_ERROR(VECTOR_GP), EVENT(EVENT_HARD, VECTOR_UD),
};

/* Any exception may have one or not, and has it in what an exit of its delivery says. */
static void cet_error_codes(struct hv *hv)
{
	u32 i;

	if (!(rdmsr(MSR_VMX_BASIC) & BASIC_ANY_ERROR_CODE)) {
		ktap_skip("the vector decides");
		return;
	}
	vmwrite(F_GUEST_IDTR_LIMIT, 0);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP) | BIT(VECTOR_DF));
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		hv_guest(hv, cet_no_target, 0);
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
		vmwrite(F_ENTRY_EVENT, events[i]);
		vmwrite(F_ENTRY_ERROR_CODE, 0x1230 + i);
		nested_exit(hv, REASON_EXCEPTION, 0, 0, "during delivery");
		ktap_check(hv->exit.vectoring == events[i] &&
			   (!(events[i] & EVENT_ERROR_CODE) ||
			    hv->exit.vectoring_error == 0x1230 + i),
			   "event %x: vectoring %x, error %x", events[i], hv->exit.vectoring,
			   events[i] & EVENT_ERROR_CODE ? hv->exit.vectoring_error : 0);
	}
}

#define CET_CASE(title, fn, ...) \
	CASE(title, fn, .entry = ENTRY_LOAD_CET, .later_exit = EXIT_LOAD_CET, __VA_ARGS__)

static const struct nested_case cases[] = {
	CASE("CET state", cet_state, .later_entry = ENTRY_LOAD_CET, .later_exit = EXIT_LOAD_CET),
	CASE("CET state, lists", cet_lists, .later_entry = ENTRY_LOAD_CET,
	     .later_exit = EXIT_LOAD_CET),
	CASE("PKRS", cet_pkrs, .later_entry = ENTRY_LOAD_PKRS, .later_exit = EXIT_LOAD_PKRS),
	CASE("PKRS, lists", cet_pkrs_lists, .later_entry = ENTRY_LOAD_PKRS,
	     .later_exit = EXIT_LOAD_PKRS),
	CET_CASE("shadow stack", cet_shadow),
	CASE("SSP of L1", cet_host_ssp, .entry = ENTRY_LOAD_CET, .exit = EXIT_LOAD_CET),
	CET_CASE("loaded once", cet_once, .later = SECONDARY_EPT | SECONDARY_UNRESTRICTED),
	CET_CASE("EPT", cet_ept, .later = SECONDARY_EPT),
	CET_CASE("WRSS", cet_write),
	CET_CASE("RET", cet_ret),
	CET_CASE("interrupt stack table", cet_ist),
	CET_CASE("ENDBR64", cet_endbranch),
	CET_CASE("tracker", cet_tracker, .primary = PRIMARY_MTF),
	CASE("protection keys", cet_keys, .entry = ENTRY_LOAD_PKRS),
	CASE("error codes", cet_error_codes),
};

void test_nested_cet(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
