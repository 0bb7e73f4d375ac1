// SPDX-License-Identifier: GPL-2.0-only
/* NMIs of the host and of the guest, their blocking, virtual NMIs and their window. */
#include "nested.h"

INSN(nmi_nop, "nop\n\tnop\n\tnop");
INSN(nmi_iret, IRET_HERE "\tnop\n\tnop");
INSN(nmi_iret_from, "mov RDI, RSP\n\t" IRET);

static void nmi_send(void)
{
	lapic_ipi(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
}

/* Guest: an NMI to itself, then wait for what comes. */
static void guest_nmi(void *arg)
{
	u32 i;

	nmi_send();
	for (i = 0; i < 100; i++)
		cpu_relax();
	*(u32 *)arg = 1;
}

static void nmi_exit(struct hv *hv)
{
	u64 host = hv->host->nmis, guest = hv->guest->nmis;

	hv_guest(hv, guest_nmi, ADDR(hv->page));
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EXCEPTION &&
		   hv->exit.event == EVENT(EVENT_NMI, VECTOR_NMI) && !hv->exit.qualification,
		   "exit %x, event %x", hv->exit.reason, hv->exit.event);
	ktap_check(!hv->exit.interruptibility, "the guest's NMIs are not blocked");
	ktap_check(hv->host->nmis == host && hv->guest->nmis == guest, "nobody has handled it");
	nmi_send();
	cpu_relax();
	ktap_check(hv->host->nmis == host, "the host's NMIs are blocked");
	hv_unblock_nmis();
	ktap_check(hv->host->nmis == host + 1, "until IRET");
	nested_end(hv, "the guest goes on");
}

/* An NMI that waits for the end of blocking exits right after VM entry. */
static void nmi_pending(struct hv *hv)
{
	u64 host = hv->host->nmis;

	hv_guest(hv, guest_nmi, ADDR(hv->page));
	hv_run(hv);
	nmi_send();
	hv_guest(hv, nmi_nop, 0);
	nested_exit_at(hv, REASON_EXCEPTION, 0, 0, "NMI before the first instruction");
	ktap_check(hv->exit.event == EVENT(EVENT_NMI, VECTOR_NMI), "event %x", hv->exit.event);
	hv_unblock_nmis();
	ktap_check(hv->host->nmis == host, "none is left");
}

static void nmi_no_exit(struct hv *hv)
{
	u64 host = hv->host->nmis, guest = hv->guest->nmis;

	hv_guest(hv, guest_nmi, ADDR(hv->page));
	nested_end(hv, "NMI");
	ktap_check(hv->guest->nmis == guest + 1 && hv->host->nmis == host,
		   "the guest handles it");
}

/* Handler of the guest: exits while NMIs are blocked */
static bool nmi_hook(struct regs *regs)
{
	(void)regs;
	this_cpu()->nmis++;
	if (this_cpu() == hv_this()->guest)
		asm volatile("vmcall" : : : "memory");
	return true;
}

/* Without NMI exiting, blocking by NMI is one and the same for host and guest. */
static void nmi_blocking(struct hv *hv)
{
	u64 host = hv->host->nmis, guest = hv->guest->nmis;

	idt_set_hook(VECTOR_NMI, nmi_hook);
	hv_guest(hv, guest_nmi, ADDR(hv->page));
	nested_exit(hv, REASON_VMCALL, 0, 3, "VMCALL in the handler");
	ktap_check(hv->exit.interruptibility == BLOCKING_NMI, "blocking by NMI");
	nmi_send();
	ktap_check(hv->host->nmis == host, "the host's NMIs are blocked too");
	hv_skip(hv);
	nested_exit(hv, REASON_VMCALL, 0, 3, "the second, behind IRET");
	ktap_check(hv->guest->nmis == guest + 2 && hv->host->nmis == host,
		   "the guest handles it");
	hv_skip(hv);
	nested_end(hv, "end");
	ktap_check(!hv->exit.interruptibility, "IRET ends blocking");
	idt_set_hook(VECTOR_NMI, NULL);
}

/* VM entry sets blocking by NMI as the VMCS says. */
static void nmi_entry_blocks(struct hv *hv)
{
	u64 guest = hv->guest->nmis, host = hv->host->nmis;

	hv_guest(hv, guest_nmi, ADDR(hv->page));
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	nested_end(hv, "blocked");
	ktap_check(hv->guest->nmis == guest && hv->exit.interruptibility == BLOCKING_NMI,
		   "the NMI waits");
	hv_guest(hv, nmi_iret, 0);
	nested_end(hv, "IRET");
	ktap_check(hv->guest->nmis == guest + 1 && hv->host->nmis == host &&
		   !hv->exit.interruptibility, "IRET lets it in");
}

static u64 nmi_from;

static bool nmi_note(struct regs *regs)
{
	nmi_from = regs->rip;
	this_cpu()->nmis++;
	return true;
}

/* The frame is in a page that nothing has accessed: below, IRET may be executed twice. */
static void nmi_iret_new_page(struct hv *hv)
{
	u8 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	unsigned long *frame = (unsigned long *)(page + PAGE_SIZE / 2);
	u64 guest = hv->guest->nmis, eptp = hv_ept_enable();

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W);
	ept_map(eptp, TEST_GPA, ADDR(page), 1, EPT_RWX | EPT_MEM_WB);
	hv_guest(hv, guest_nmi, ADDR(hv->page));
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	nested_end(hv, "blocked");
	hv_guest(hv, nmi_iret_from, TEST_VA + PAGE_SIZE / 2);
	frame[0] = ADDR(hv_guest_end);
	frame[1] = vmread(F_GUEST_CS);
	frame[2] = RFLAGS_FIXED;
	frame[3] = vmread(F_GUEST_RSP);
	frame[4] = vmread(F_GUEST_SS);
	idt_set_hook(VECTOR_NMI, nmi_note);
	nested_end(hv, "IRET");
	idt_set_hook(VECTOR_NMI, NULL);
	ktap_check(hv->guest->nmis == guest + 1 && nmi_from == ADDR(hv_guest_end),
		   "the NMI comes behind IRET");
}

/* What it would have set is not (SDM vol. 3, 27.8). */
static void nmi_entry_fails(struct hv *hv)
{
	u64 host = hv->host->nmis;

	hv_guest(hv, guest_nmi, ADDR(hv->page));
	hv_run(hv);
	vmwrite(F_GUEST_RFLAGS, 0);
	nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0, "bad RFLAGS");
	nmi_send();
	cpu_relax();
	ktap_check(hv->host->nmis == host, "the host's NMIs are still blocked");
	hv_unblock_nmis();
	ktap_check(hv->host->nmis == host + 1, "until IRET");
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	nested_exit(hv, REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE, 0, 0, "to be blocked");
	nmi_send();
	cpu_relax();
	ktap_check(hv->host->nmis == host + 2, "they are not");
}

/* --- virtual NMIs */

static void nmi_virtual(struct hv *hv)
{
	u64 guest = hv->guest->nmis, host = hv->host->nmis;

	idt_set_hook(VECTOR_NMI, nmi_hook);
	hv_guest(hv, nmi_nop, 0);
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
	nested_exit(hv, REASON_VMCALL, 0, 3, "VMCALL in the handler");
	ktap_check(hv->exit.interruptibility == BLOCKING_NMI, "virtual NMIs are blocked");
	nmi_send();
	ktap_check(hv->host->nmis == host + 1, "the host's are not");
	hv_skip(hv);
	nested_end(hv, "end");
	ktap_check(!hv->exit.interruptibility && hv->guest->nmis == guest + 1,
		   "IRET ends blocking");
	idt_set_hook(VECTOR_NMI, NULL);
}

/* A physical NMI exits even if virtual NMIs are blocked. */
static void nmi_virtual_exit(struct hv *hv)
{
	hv_guest(hv, guest_nmi, ADDR(hv->page));
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EXCEPTION &&
		   hv->exit.event == EVENT(EVENT_NMI, VECTOR_NMI), "exit %x, event %x",
		   hv->exit.reason, hv->exit.event);
	ktap_check(hv->exit.interruptibility == BLOCKING_NMI, "virtual NMIs are still blocked");
	hv_unblock_nmis();
}

static void nmi_window(struct hv *hv)
{
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	hv_guest(hv, nmi_nop, 0);
	nested_exit_at(hv, REASON_NMI_WINDOW, 0, 0, "not blocked");
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	hv_guest(hv, nmi_nop, 0);
	nested_end(hv, "blocked");
	hv_guest(hv, nmi_iret, 0);
	hv_run(hv);
	hv_record(hv, "IRET");
	ktap_check(hv->exit.reason == REASON_NMI_WINDOW && !hv->exit.interruptibility &&
		   hv->exit.rip > hv->code && hv->exit.rip != ADDR(hv_guest_end),
		   "behind IRET: exit %x", hv->exit.reason);
	hv_guest(hv, nmi_nop, 0);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	nested_exit_at(hv, REASON_NMI_WINDOW, 0, 1, "blocking by MOV SS");
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
	hv_guest(hv, nmi_nop, 0);
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	nested_exit_at(hv, REASON_NMI_WINDOW, 0, 0, "HLT");
}

/* An IRET that faults has unblocked NMIs already, and the exit says so. */
static void nmi_iret_faults(struct hv *hv)
{
	hv_ept_enable();
	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W);
	hv_guest(hv, nmi_iret_from, TEST_VA);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	hv_run(hv);
	hv_record(hv, "IRET from a page that is not there");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   hv->exit.qualification & EVENT_NMI_IRET && !hv->exit.interruptibility,
		   "exit %x, qualification %llx", hv->exit.reason,
		   hv->exit.qualification & EVENT_NMI_IRET);
	hv_guest(hv, nmi_iret_from, TEST_VA);
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   !(hv->exit.qualification & EVENT_NMI_IRET), "not blocked before: bit 12 is 0");
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	mem_unmap(TEST_VA);
	hv_guest(hv, nmi_iret_from, TEST_VA);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	hv_run(hv);
	hv_record(hv, "#PF of IRET");
	ktap_check(hv->exit.reason == REASON_EXCEPTION && hv->exit.event & EVENT_NMI_IRET &&
		   !hv->exit.interruptibility, "#PF: exit %x, event %x", hv->exit.reason,
		   hv->exit.event);
}

static const struct nested_case cases[] = {
	CASE("exit", nmi_exit, .pin = PIN_NMI),
	CASE("pending", nmi_pending, .pin = PIN_NMI),
	CASE("no exit", nmi_no_exit),
	CASE("blocking", nmi_blocking),
	CASE("blocking by VM entry", nmi_entry_blocks),
	CASE("IRET from a new page", nmi_iret_new_page, .later = SECONDARY_EPT),
	CASE("VM entry that fails", nmi_entry_fails, .pin = PIN_NMI),
	CASE("virtual NMIs", nmi_virtual, .pin = PIN_NMI | PIN_VIRTUAL_NMIS),
	CASE("NMI during virtual NMI", nmi_virtual_exit, .pin = PIN_NMI | PIN_VIRTUAL_NMIS),
	CASE("window", nmi_window, .pin = PIN_NMI | PIN_VIRTUAL_NMIS),
	CASE("IRET that faults", nmi_iret_faults, .pin = PIN_NMI | PIN_VIRTUAL_NMIS,
	     .later = SECONDARY_EPT),
};

void test_nested_nmi(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
