// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest runs, and its exits are handled: each in one way, which depends on nothing but
 * what is recorded. Whatever the guest has done, it can go on with its next slot.
 */
#include "random.h"

#define STOP	false
#define GO_ON	true

/* Linear, or an offset where the code segment has a base */
u64 random_slot(const struct rnd *r, u32 slot)
{
	u64 address = ram_page(r, PG_CODE) + (u64)slot * SLOT_SIZE;

	if ((vmread(F_GUEST_SS_ACCESS) >> 5 & 3) == 3)
		address += USER_ALIAS;
	if (vmread(F_ENTRY_CONTROLS) & ENTRY_IA32E && vmread(F_GUEST_CS_ACCESS) & BIT(13))
		return address;
	return (u32)(address - vmread(F_GUEST_CS_BASE));
}

static bool next_slot(struct rnd *r)
{
	u64 rip = r->hv->exit.rip, code = random_slot(r, 0);
	u32 slot = (u32)((rip - code) / SLOT_SIZE);

	if (rip - code < (SLOTS + 1) * SLOT_SIZE && slot > r->slot)
		r->slot = slot;
	r->slot++;
	if (r->slot > r->slots)
		return STOP;
	vmwrite(F_GUEST_RIP, random_slot(r, r->slot));
	vmwrite(F_GUEST_INTERRUPTIBILITY,
		r->hv->exit.interruptibility & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	vmwrite(F_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	return GO_ON;
}

/* The VMCALL of an interrupt handler: what it has found on its stack is in memory. */
static bool handle_vmcall(struct rnd *r)
{
	u64 stubs = ram_page(r, PG_STUBS), rip = r->hv->exit.rip;

	if (rip - stubs >= PAGE_SIZE && rip - stubs - USER_ALIAS >= PAGE_SIZE) {
		hv_skip(r->hv);
		return rip != random_slot(r, r->slots);
	}
	/* Some return to where they were, if they get there. */
	if (r->hv->regs.rbp & 1 && r->steps++ < 4) {
		hv_skip(r->hv);
		return GO_ON;
	}
	return next_slot(r);
}

/* Give the guest what it would have had without the exit. */
static void inject(u32 event, u32 error, u32 length)
{
	vmwrite(F_ENTRY_EVENT, event & ~EVENT_NMI_IRET);
	vmwrite(F_ENTRY_ERROR_CODE, error);
	vmwrite(F_ENTRY_LENGTH, length);
}

static bool handle_exception(struct rnd *r)
{
	const struct hv_exit *exit = &r->hv->exit;
	u32 type = EVENT_TYPE(exit->event);

	if (type == EVENT_NMI && random_reflect_nmi(r))
		return GO_ON;
	/* An interrupt in the field is one that was acknowledged; an NMI is not the guest's. */
	if (r->steps++ > 3 || type == EVENT_EXTERNAL || type == EVENT_NMI)
		return next_slot(r);
	inject(exit->event, exit->event_error, exit->length);
	return GO_ON;
}

/* Once for each page the right is given, or the entry made right. */
static bool handle_ept(struct rnd *r)
{
	const struct hv_exit *exit = &r->hv->exit;
	u64 page = (exit->physical - ADDR(r->ram)) >> 12;
	u64 *table = PTR(host_page(r, HP_EPT_PT));

	if (page >= 32 || r->opened >> page & 1)
		return next_slot(r);
	r->opened |= (u32)BIT(page);
	table[page] = ram_page(r, (u32)page) | EPT_RWX | EPT_MEM_WB;
	if (hv_cap(MSR_VMX_EPT_VPID) & EPT_CAP_INVEPT)
		invept(INVEPT_ALL, 0, 0);
	random_redo_iret(r);
	if (exit->vectoring & EVENT_VALID)
		inject(exit->vectoring, exit->vectoring_error, exit->length);
	return GO_ON;
}

static bool handle_window(struct rnd *r, u64 control)
{
	(void)r;
	hv_clear(F_PRIMARY_CONTROLS, control);
	return GO_ON;
}

static bool handle_mtf(struct rnd *r)
{
	if (r->steps++ > 4)
		hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MTF);
	return GO_ON;
}

static bool handle_instruction(struct rnd *r)
{
	struct hv_regs *regs = &r->hv->regs;

	if (r->hv->exit.reason == REASON_CPUID || r->hv->exit.reason == REASON_RDMSR) {
		regs->rax = 0x11110000;
		regs->rdx = 0x2222;
	}
	hv_skip(r->hv);
	return GO_ON;
}

static bool handle(struct rnd *r)
{
	switch (r->hv->exit.reason) {
	case REASON_EXCEPTION:
		return handle_exception(r);
	case REASON_EPT_VIOLATION:
	case REASON_EPT_MISCONFIG:
		return handle_ept(r);
	case REASON_INTERRUPT_WINDOW:
		return handle_window(r, PRIMARY_INTERRUPT_WINDOW);
	case REASON_NMI_WINDOW:
		return handle_window(r, PRIMARY_NMI_WINDOW);
	case REASON_MTF:
		return handle_mtf(r);
	case REASON_TPR_THRESHOLD:
		vmwrite(F_TPR_THRESHOLD, 0);
		return GO_ON;
	case REASON_VMCALL:
		return handle_vmcall(r);
	case REASON_TRIPLE_FAULT:
	case REASON_TIMER:
		return STOP;
	case REASON_TASK_SWITCH:
		return next_slot(r);
	default:
		return hv_exit_has_length(r->hv->exit.reason) ? handle_instruction(r) :
								next_slot(r);
	}
}

/* The last slot ends the guest. */
static void end_code(struct rnd *r)
{
	u8 *end = r->ram + PG_CODE * PAGE_SIZE + r->slots * SLOT_SIZE;

	memcpy(end, "\x0f\x01\xc1\xeb\xfb", 5);
}

static void settle_cet(void)
{
	u32 event = (u32)vmread(F_ENTRY_EVENT);

	vmwrite(F_EPTP, vmread(F_EPTP) & ~BIT(7));
	if (EVENT_TYPE(event) != EVENT_HARD || !(vmread(F_GUEST_CR0) & CR0_PE))
		vmwrite(F_ENTRY_EVENT, event & ~(u32)EVENT_ERROR_CODE);
}

/*
 * Right before an entry, whatever the choices were:
 *
 * - Posted interrupts need virtual-interrupt delivery (27.2.1.1); the emulator does not check.
 * - Some I/O instructions exit: ports of devices are not the guest's.
 * - The PDPTEs are what the guest's table has: an exit that does not come of PAE paging has
 *   saved anything (28.3.4).
 * - In wait-for-SIPI not even the timer exits (26.5.1).
 * - On CPUs with CET the emulator takes an error code with any event (27.2.1.3), and EPTPs
 *   with supervisor shadow stacks, which core does not offer.
 */
static void settle(const struct rnd *r)
{
	u32 pin = (u32)vmread(F_PIN_CONTROLS);
	const u64 *pdptes = PTR(ram_page(r, PG_PDPT) + PAE_OFFSET);
	u32 i;

	if (pin & PIN_POSTED && !(vmread(F_PRIMARY_CONTROLS) & PRIMARY_SECONDARY &&
				  vmread(F_SECONDARY_CONTROLS) & SECONDARY_VIRTUAL_INTERRUPTS))
		vmwrite(F_PIN_CONTROLS, pin & ~PIN_POSTED);
	if (!(vmread(F_PRIMARY_CONTROLS) & (PRIMARY_IO | PRIMARY_IO_BITMAPS)))
		hv_set(F_PRIMARY_CONTROLS, PRIMARY_IO_BITMAPS);
	for (i = 0; i < 4 && random_is_pae(); i++)
		vmwrite(F_GUEST_PDPTE0 + 2 * i, pdptes[i]);
	if (vmread(F_GUEST_ACTIVITY) == ACTIVITY_WAIT_SIPI)
		vmwrite(F_GUEST_ACTIVITY, ACTIVITY_HLT);
	if (random_has_cet())
		settle_cet();
	random_nmi_settle(r);
}

/** random_guest - run the guest of the case until it ends */
void random_guest(struct rnd *r)
{
	end_code(r);
	r->hv->code = ram_page(r, PG_CODE);
	for (r->exits = 0; r->exits < MAX_EXITS;) {
		random_apply(r, PHASE_BETWEEN, r->exits);
		settle(r);
		hv_run(r->hv);
		record_exit(r);
		r->exits++;
		if (r->hv->exit.flags || r->hv->exit.reason & REASON_ENTRY_FAILED)
			break;
		r->entered = true;
		if (handle(r) == STOP)
			break;
	}
}
