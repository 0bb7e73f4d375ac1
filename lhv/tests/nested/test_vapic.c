// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual APIC: TPR shadow, APIC-access page, registers, x2APIC mode, virtual and
 * posted interrupts.
 */
#include "nested.h"
#include <insns_vapic.h>

#define OFF_ID		0x020
#define OFF_VERSION	0x030
#define OFF_TPR		0x080
#define OFF_EOI		0x0b0
#define OFF_ISR		0x100
#define OFF_IRR		0x200
#define OFF_ICR		0x300
#define OFF_DIVIDE	0x3e0
#define MSR_X2APIC_TPR	0x808
#define MSR_X2APIC_EOI	0x80b
#define MSR_X2APIC_ID	0x802
#define MSR_X2APIC_SELF	0x83f
#define ACCESS_WRITE	0x1000
#define ACCESS_FETCH	0x2000
#define TEST_VECTOR	0x91

INSN(vapic_read, "movl (RDI), %eax");
INSN(vapic_write, "movl %esi, (RDI)");
INSN(vapic_sti, "sti\n\tnop\n\tnop\n\tcli");
INSN(vapic_rdmsr, "movl %edi, %ecx\n\trdmsr");
INSN(vapic_wrmsr, "movl %edi, %ecx\n\tmovl %esi, %eax\n\txorl %edx, %edx\n\twrmsr\n\tnop");

static u32 *reg(u8 *page, u32 offset)
{
	return (u32 *)(page + offset);
}

/* The guest's virtual APIC is hv->page; at TEST_VA is the APIC-access page. */
static u8 *vapic_setup(struct hv *hv, bool access)
{
	u8 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	vmwrite(F_VIRTUAL_APIC, ADDR(hv->page));
	if (!access)
		return hv->page;
	mem_map(TEST_VA, ADDR(page), PTE_P | PTE_W | PTE_A | PTE_D);
	vmwrite(F_APIC_ACCESS, ADDR(page));
	return hv->page;
}

static void vapic_access(struct hv *hv, const char *code, u32 offset, u32 value)
{
	hv_guest(hv, code, TEST_VA + offset);
	hv->regs.rsi = value;
}

static void vapic_msr(struct hv *hv, u32 msr, u32 value)
{
	hv_guest(hv, vapic_wrmsr, msr);
	hv->regs.rsi = value;
}

static void vapic_page(struct hv *hv)
{
	vapic_setup(hv, true);
	vapic_access(hv, vapic_read, OFF_ID, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, OFF_ID, 0, "read");
	vapic_access(hv, vapic_write, OFF_EOI, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_WRITE | OFF_EOI, 0, "write");
	vapic_access(hv, vapic_read, OFF_TPR, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, OFF_TPR, 0, "read of TPR");
	vapic_access(hv, vapic_write, OFF_TPR, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_WRITE | OFF_TPR, 0, "write of TPR");
	hv_guest(hv, PTR(TEST_VA + OFF_TPR), 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_FETCH | OFF_TPR, 0, "fetch");
}

/* The same under EPT: the page is found by its address behind EPT. */
static void vapic_page_ept(struct hv *hv)
{
	u64 eptp = hv_ept_enable(), pa;

	vapic_setup(hv, true);
	pa = vmread(F_APIC_ACCESS);
	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W | PTE_A | PTE_D);
	ept_map(eptp, TEST_GPA, pa, 1, EPT_RWX | EPT_MEM_WB);
	vapic_access(hv, vapic_read, OFF_ID, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, OFF_ID, 0, "read");
	vapic_access(hv, vapic_write, OFF_EOI, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_WRITE | OFF_EOI, 0, "write");
	hv_guest(hv, PTR(TEST_VA + OFF_ID), 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_FETCH | OFF_ID, 0, "fetch");
	*ept_entry(eptp, TEST_GPA, 1) = 0;
	invept(INVEPT_ALL, 0, 0);
	vapic_access(hv, vapic_read, OFF_ID, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION,
		   "without the page the EPT violation comes first: exit %x", hv->exit.reason);
}

static void vapic_page_tpr(struct hv *hv)
{
	u8 *apic = vapic_setup(hv, true);

	*reg(apic, OFF_TPR) = 0x6b;
	vapic_access(hv, vapic_read, OFF_TPR, 0);
	nested_end(hv, "read of TPR");
	ktap_check((u32)hv->regs.rax == 0x6b, "VTPR is read: %llx", hv->regs.rax);
	vapic_access(hv, vapic_write, OFF_TPR, 0x7c);
	nested_end(hv, "write of TPR");
	ktap_check(*reg(apic, OFF_TPR) == 0x7c, "VTPR is written: %x", *reg(apic, OFF_TPR));
	vmwrite(F_TPR_THRESHOLD, 5);
	vapic_access(hv, vapic_write, OFF_TPR, 0x4f);
	nested_exit_at(hv, REASON_TPR_THRESHOLD, 0, 2, "below the threshold");
	*reg(apic, OFF_TPR) = 0x20;
	hv_guest(hv, vapic_read, TEST_VA + OFF_TPR);
	nested_exit_at(hv, REASON_TPR_THRESHOLD, 0, 0, "VM entry below the threshold");
	vmwrite(F_TPR_THRESHOLD, 0);
	vapic_access(hv, vapic_read, OFF_ID, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, OFF_ID, 0, "another register");
}

static void vapic_registers(struct hv *hv)
{
	u8 *apic = vapic_setup(hv, true);

	*reg(apic, OFF_ID) = 0x12000000;
	vapic_access(hv, vapic_read, OFF_ID, 0);
	nested_end(hv, "read");
	ktap_check((u32)hv->regs.rax == 0x12000000, "the ID comes from the page");
	vapic_access(hv, vapic_write, OFF_DIVIDE, 0xb);
	nested_exit_at(hv, REASON_APIC_WRITE, OFF_DIVIDE, 2, "write");
	ktap_check(*reg(apic, OFF_DIVIDE) == 0xb, "it is in the page");
	vapic_access(hv, vapic_write, OFF_VERSION, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, ACCESS_WRITE | OFF_VERSION, 0,
		       "write to a read-only register");
	vapic_access(hv, vapic_read, OFF_ID + 2, 0);
	nested_exit_at(hv, REASON_APIC_ACCESS, OFF_ID + 2, 0, "across two registers");
}

static void vapic_x2apic(struct hv *hv)
{
	u8 *apic = vapic_setup(hv, false);

	*reg(apic, OFF_TPR) = 0x30;
	hv_guest(hv, vapic_rdmsr, MSR_X2APIC_TPR);
	nested_end(hv, "RDMSR of TPR");
	ktap_check((u32)hv->regs.rax == 0x30, "VTPR is read: %llx", hv->regs.rax);
	vapic_msr(hv, MSR_X2APIC_TPR, 0x50);
	nested_end(hv, "WRMSR of TPR");
	ktap_check(*reg(apic, OFF_TPR) == 0x50, "VTPR is written: %x", *reg(apic, OFF_TPR));
	if (!hv_can(F_SECONDARY_CONTROLS, SECONDARY_APIC_REGISTERS)) {
		ktap_skip("no virtual registers");
		return;
	}
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_APIC_REGISTERS);
	*reg(apic, OFF_ID) = 0x99;
	hv_guest(hv, vapic_rdmsr, MSR_X2APIC_ID);
	nested_end(hv, "RDMSR of ID");
	ktap_check((u32)hv->regs.rax == 0x99, "the ID comes from the page");
	/* The bitmap comes first. */
	hv->msr_bitmap[MSR_X2APIC_ID / 8] |= 1 << MSR_X2APIC_ID % 8;
	hv_guest(hv, vapic_rdmsr, MSR_X2APIC_ID);
	nested_exit_at(hv, REASON_RDMSR, 0, 2, "RDMSR with its bit in the bitmap");
}

/* --- virtual interrupts */

static u32 virtual_irqs;
static bool virtual_eoi;

static void vapic_irq(struct regs *regs)
{
	(void)regs;
	virtual_irqs++;
	if (virtual_eoi)
		wrmsr(MSR_X2APIC_EOI, 0);
}

static u8 *virtual_setup(struct hv *hv)
{
	u8 *apic = vapic_setup(hv, false);

	virtual_irqs = 0;
	virtual_eoi = true;
	irq_set_handler(TEST_VECTOR, vapic_irq);
	return apic;
}

/* As a hypervisor requests it: VIRR and RVI */
static void virtual_request(u8 *apic, u32 vector)
{
	*reg(apic, OFF_IRR + vector / 32 * 16) |= 1u << vector % 32;
	vmwrite(F_GUEST_INTERRUPT_STATUS, (vmread(F_GUEST_INTERRUPT_STATUS) & 0xff00) | vector);
}

static bool virtual_bit(u8 *apic, u32 base, u32 vector)
{
	return *reg(apic, base + vector / 32 * 16) & 1u << vector % 32;
}

static void vapic_deliver(struct hv *hv)
{
	u8 *apic = virtual_setup(hv);

	virtual_request(apic, TEST_VECTOR);
	hv_guest(hv, vapic_set_tpr, 0);
	nested_end(hv, "RFLAGS.IF = 0");
	ktap_check(!virtual_irqs && vmread(F_GUEST_INTERRUPT_STATUS) == TEST_VECTOR,
		   "it waits");
	hv_guest(hv, vapic_sti, 0);
	nested_end(hv, "STI");
	ktap_check(virtual_irqs == 1 && !vmread(F_GUEST_INTERRUPT_STATUS) &&
		   !virtual_bit(apic, OFF_IRR, TEST_VECTOR) &&
		   !virtual_bit(apic, OFF_ISR, TEST_VECTOR), "it is delivered, and EOI ends it");
}

static void vapic_priority(struct hv *hv)
{
	u8 *apic = virtual_setup(hv);

	virtual_eoi = false;
	virtual_request(apic, TEST_VECTOR);
	hv_guest(hv, vapic_sti, 0);
	nested_end(hv, "without EOI");
	ktap_check(virtual_irqs == 1 && virtual_bit(apic, OFF_ISR, TEST_VECTOR) &&
		   vmread(F_GUEST_INTERRUPT_STATUS) == TEST_VECTOR << 8, "it is in service");
	virtual_request(apic, TEST_VECTOR);
	hv_guest(hv, vapic_sti, 0);
	nested_end(hv, "the same priority");
	ktap_check(virtual_irqs == 1, "waits for EOI");
	hv_guest(hv, vapic_set_tpr, 0xa);
	nested_end(hv, "TPR");
	virtual_eoi = true;
	vapic_msr(hv, MSR_X2APIC_EOI, 0);
	nested_end(hv, "EOI");
	hv_guest(hv, vapic_sti, 0);
	nested_end(hv, "TPR above it");
	ktap_check(virtual_irqs == 1, "waits for the TPR");
	hv_guest(hv, vapic_set_tpr, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	nested_end(hv, "TPR below it");
	ktap_check(virtual_irqs == 2, "it is delivered");
}

static void vapic_eoi_exit(struct hv *hv)
{
	u8 *apic = virtual_setup(hv);

	vmwrite(F_EOI_EXIT0 + 2 * (TEST_VECTOR / 64), BIT(TEST_VECTOR % 64));
	virtual_request(apic, TEST_VECTOR);
	hv_guest(hv, vapic_sti, 0);
	hv_run(hv);
	hv_record(hv, "EOI");
	ktap_check(hv->exit.reason == REASON_EOI && hv->exit.qualification == TEST_VECTOR &&
		   !virtual_bit(apic, OFF_ISR, TEST_VECTOR), "exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
	nested_end(hv, "behind EOI");
}

static void vapic_self_ipi(struct hv *hv)
{
	virtual_setup(hv);
	vapic_msr(hv, MSR_X2APIC_SELF, TEST_VECTOR);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	nested_end(hv, "self IPI");
	ktap_check(virtual_irqs == 1, "it is delivered");
	vapic_msr(hv, MSR_X2APIC_SELF, 15);
	nested_exit(hv, REASON_APIC_WRITE, 0x3f0, 0, "self IPI with vector 15");
}

struct posted {
	u32 requests[8];
	u32 control, reserved[7];
};

static void vapic_posted(struct hv *hv)
{
	struct posted *posted = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u8 *apic = virtual_setup(hv);

	vmwrite(F_POSTED_VECTOR, IRQ_TEST);
	vmwrite(F_POSTED_DESCRIPTOR, ADDR(posted));
	hv_set(F_PIN_CONTROLS, PIN_POSTED);
	posted->requests[TEST_VECTOR / 32] = 1u << TEST_VECTOR % 32;
	posted->control = 1;
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_TEST);
	hv_guest(hv, vapic_set_tpr, 0);
	nested_end(hv, "notification, RFLAGS.IF = 0");
	ktap_check(!posted->requests[TEST_VECTOR / 32] && !posted->control &&
		   virtual_bit(apic, OFF_IRR, TEST_VECTOR) &&
		   vmread(F_GUEST_INTERRUPT_STATUS) == TEST_VECTOR, "the request is taken over");
	ktap_check(!(lapic_read(LAPIC_ISR + IRQ_TEST / 32) & BIT(IRQ_TEST % 32)),
		   "the notification has its EOI");
	hv_guest(hv, vapic_sti, 0);
	nested_end(hv, "STI");
	ktap_check(virtual_irqs == 1, "it is delivered");
	lapic_ipi(0, ICR_SELF | ICR_ASSERT | IRQ_CALL);
	hv_guest(hv, vapic_set_tpr, 0);
	nested_exit_at(hv, REASON_EXTERNAL, 0, 0, "another vector");
	ktap_check(hv->exit.event == EVENT(EVENT_EXTERNAL, IRQ_CALL), "event %x",
		   hv->exit.event);
	lapic_eoi();
}

#define VIRTUAL_PIN	PIN_EXTERNAL
#define VIRTUAL_SECONDARY (SECONDARY_X2APIC | SECONDARY_VIRTUAL_INTERRUPTS)

static const struct nested_case cases[] = {
	CASE("APIC-access page", vapic_page, .secondary = SECONDARY_APIC_ACCESS),
	CASE("APIC-access page and EPT", vapic_page_ept, .secondary = SECONDARY_APIC_ACCESS,
	     .later = SECONDARY_EPT),
	CASE("APIC-access page and TPR", vapic_page_tpr, .primary = PRIMARY_TPR_SHADOW,
	     .secondary = SECONDARY_APIC_ACCESS),
	CASE("registers", vapic_registers, .primary = PRIMARY_TPR_SHADOW,
	     .secondary = SECONDARY_APIC_ACCESS | SECONDARY_APIC_REGISTERS),
	CASE("x2APIC mode", vapic_x2apic, .secondary = SECONDARY_X2APIC,
	     .primary = PRIMARY_TPR_SHADOW | PRIMARY_MSR_BITMAPS),
	CASE("virtual interrupts", vapic_deliver, .pin = VIRTUAL_PIN,
	     .primary = PRIMARY_TPR_SHADOW, .secondary = VIRTUAL_SECONDARY),
	CASE("priorities", vapic_priority, .pin = VIRTUAL_PIN,
	     .primary = PRIMARY_TPR_SHADOW, .secondary = VIRTUAL_SECONDARY),
	CASE("EOI exit", vapic_eoi_exit, .pin = VIRTUAL_PIN,
	     .primary = PRIMARY_TPR_SHADOW, .secondary = VIRTUAL_SECONDARY),
	CASE("self IPI", vapic_self_ipi, .pin = VIRTUAL_PIN,
	     .primary = PRIMARY_TPR_SHADOW, .secondary = VIRTUAL_SECONDARY),
	CASE("posted interrupts", vapic_posted, .pin = VIRTUAL_PIN, .later_pin = PIN_POSTED,
	     .primary = PRIMARY_TPR_SHADOW, .secondary = VIRTUAL_SECONDARY,
	     .exit = EXIT_ACKNOWLEDGE),
};

void test_nested_vapic(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
