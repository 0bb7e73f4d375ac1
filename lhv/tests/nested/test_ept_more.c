// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT beyond rights: accessed and dirty flags, several EPTs, PML, VM functions, #VE,
 * and the guest without paging that only EPT allows. Left out is the EPTP index, which
 * the emulator does not read from the VMCS.
 */
#include "nested.h"

#define VECTOR_VE	20

INSN(more_read, "mov (RDI), RAX");
INSN(more_write, "mov RSI, (RDI)");
INSN(more_vmfunc, "movl %edi, %eax\n\tmovl %esi, %ecx\n\tvmfunc\n\tmov (RDX), RBX");

static u64 more_setup(struct hv *hv, u64 flags)
{
	u64 eptp = hv_ept_enable();

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W | PTE_A | PTE_D);
	ept_map(eptp, TEST_GPA, ADDR(hv->page), 1, flags | EPT_MEM_WB);
	return eptp;
}

static void flush(void)
{
	invept(INVEPT_ALL, 0, 0);
}

/* --- accessed and dirty flags */

static u64 ad_flags(u64 eptp, u64 pa, u32 level)
{
	return *ept_entry(eptp, pa, level) & (EPT_A | EPT_D);
}

static void more_ad(struct hv *hv)
{
	u64 eptp = more_setup(hv, EPT_RWX);
	u64 table;

	/* 4K entries from the beginning, so that looking at them splits nothing */
	table = ADDR(mem_pte(TEST_VA));
	ept_entry(eptp, table, 1);
	hv_guest(hv, more_write, TEST_VA);
	nested_end(hv, "off");
	ktap_check(!ad_flags(eptp, TEST_GPA, 1) && !ad_flags(eptp, table, 1), "off: no flags");
	vmwrite(F_EPTP, eptp | EPTP_AD);
	flush();
	hv_guest(hv, more_read, TEST_VA);
	nested_end(hv, "read");
	ktap_check(ad_flags(eptp, TEST_GPA, 1) == EPT_A, "read: accessed");
	ktap_check(ad_flags(eptp, TEST_GPA, 2) & EPT_A && ad_flags(eptp, TEST_GPA, 3) & EPT_A &&
		   ad_flags(eptp, TEST_GPA, 4) & EPT_A, "read: accessed on all levels");
	/* An access to the guest's tables counts as a write (SDM vol. 3, 29.3.5). */
	ktap_check(ad_flags(eptp, table, 1) == (EPT_A | EPT_D), "the guest's table is dirty");
	hv_guest(hv, more_write, TEST_VA);
	nested_end(hv, "write");
	ktap_check(ad_flags(eptp, TEST_GPA, 1) == (EPT_A | EPT_D), "write: dirty");
	ktap_check(!(ad_flags(eptp, TEST_GPA, 2) & EPT_D), "write: not the directory");
	/* Flags that are cleared are set again after INVEPT. */
	*ept_entry(eptp, TEST_GPA, 1) &= ~(EPT_A | EPT_D);
	flush();
	hv_guest(hv, more_write, TEST_VA);
	nested_end(hv, "write again");
	ktap_check(ad_flags(eptp, TEST_GPA, 1) == (EPT_A | EPT_D), "cleared, and set again");
}

/* With these flags, a guest's table that cannot be written is a violation. */
static void more_ad_tables(struct hv *hv)
{
	u64 eptp = more_setup(hv, EPT_RWX);
	u64 table = ADDR(mem_pte(TEST_VA));

	*ept_entry(eptp, table, 1) &= ~EPT_W;
	hv_guest(hv, more_read, TEST_VA);
	nested_end(hv, "off");
	vmwrite(F_EPTP, eptp | EPTP_AD);
	flush();
	hv_guest(hv, more_read, TEST_VA);
	hv_run(hv);
	hv_record(hv, "on");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   (hv->exit.qualification & 0x1bf) == 0xab &&
		   hv->exit.physical >> 12 == table >> 12, "on: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification & 0x1bf);
}

/* --- several EPTs */

static void more_switch(struct hv *hv)
{
	u64 eptp[2], *page[2], i;

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W | PTE_A | PTE_D);
	for (i = 0; i < 2; i++) {
		eptp[i] = hv_ept_enable();
		page[i] = mem_alloc(PAGE_SIZE, PAGE_SIZE);
		*page[i] = 0x1000 + i;
		ept_map(eptp[i], TEST_GPA, ADDR(page[i]), 1, EPT_RWX | EPT_MEM_WB);
	}
	/* Each has its own translations: no INVEPT in between */
	for (i = 0; i < 6; i++) {
		vmwrite(F_EPTP, eptp[i & 1]);
		hv_guest(hv, more_read, TEST_VA);
		nested_end(hv, "switch");
		ktap_check(hv->regs.rax == 0x1000 + (i & 1), "EPT %llu: read %llx", i & 1,
			   hv->regs.rax);
	}
}

static void more_invept(struct hv *hv)
{
	u64 eptp = more_setup(hv, EPT_RWX), cap = rdmsr(MSR_VMX_EPT_VPID);
	u64 *other = mem_alloc(PAGE_SIZE, PAGE_SIZE), type;

	*(u64 *)hv->page = 1;
	*other = 2;
	for (type = INVEPT_SINGLE; type <= INVEPT_ALL; type++) {
		if (!(cap & (EPT_CAP_INVEPT_SINGLE << (type - 1))))
			continue;
		hv_guest(hv, more_read, TEST_VA);
		nested_end(hv, "before");
		ktap_check(hv->regs.rax == type, "type %llu: before", type);
		ept_map(eptp, TEST_GPA, ADDR(other), 1, EPT_RWX | EPT_MEM_WB);
		other = (u64 *)hv->page;
		*other = 3;
		invept(type, eptp, 0);
		hv_guest(hv, more_read, TEST_VA);
		nested_end(hv, "behind");
		ktap_check(hv->regs.rax == type + 1, "type %llu: behind", type);
	}
}

/* --- large pages */

static void more_large(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID), eptp = more_setup(hv, EPT_RWX);
	u32 level;

	for (level = 2; level <= 3; level++) {
		if (!(cap & (level == 2 ? EPT_CAP_2M : EPT_CAP_1G)))
			continue;
		mem_map(TEST_VA, 0x60000000 + 0x123000, PTE_P | PTE_W | PTE_A | PTE_D);
		ept_map(eptp, level == 2 ? 0x60000000 : SIZE_1G, 0, level, EPT_R | EPT_MEM_WB);
		flush();
		hv_guest(hv, more_read, TEST_VA);
		nested_end(hv, level == 2 ? "2 MiB, read" : "1 GiB, read");
		hv_guest(hv, more_write, TEST_VA + 8);
		hv_run(hv);
		hv_record(hv, level == 2 ? "2 MiB, write" : "1 GiB, write");
		ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
			   (hv->exit.qualification & 0x1bf) == 0x18a &&
			   hv->exit.physical == 0x60123008, "level %u: exit %x, at %llx", level,
			   hv->exit.reason, hv->exit.physical);
	}
}

/* --- page-modification log */

static void more_pml(struct hv *hv)
{
	u64 *log = mem_alloc(PAGE_SIZE, PAGE_SIZE), eptp = more_setup(hv, EPT_RWX);
	u64 index;

	vmwrite(F_EPTP, eptp | EPTP_AD);
	vmwrite(F_PML_ADDRESS, ADDR(log));
	vmwrite(F_PML_INDEX, 511);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_PML);
	hv_guest(hv, more_write, TEST_VA + 0x18);
	nested_end(hv, "log");
	for (index = vmread(F_PML_INDEX) + 1; index < 512 && log[index & 511] != TEST_GPA;)
		index++;
	ktap_check(index < 512, "the page is in the log");
	index = vmread(F_PML_INDEX);
	hv_guest(hv, more_write, TEST_VA + 0x20);
	nested_end(hv, "once more");
	ktap_check(vmread(F_PML_INDEX) == index, "a dirty page is logged once");
	/* A full log exits before the access. */
	*ept_entry(eptp, TEST_GPA, 1) &= ~(EPT_A | EPT_D);
	flush();
	vmwrite(F_PML_INDEX, 0xffff);
	hv_guest(hv, more_write, TEST_VA + 0x28);
	hv->regs.rsi = 0x77;
	nested_exit_at(hv, REASON_PML_FULL, 0, 0, "full");
	ktap_check(((u64 *)hv->page)[5] != 0x77 && vmread(F_PML_INDEX) == 0xffff,
		   "full: nothing is written");
	vmwrite(F_PML_INDEX, 511);
	nested_end(hv, "space again");
	ktap_check(((u64 *)hv->page)[5] == 0x77, "space again: it is written");
}

/* --- VM functions */

static void vmfunc_setup(struct hv *hv, u64 *list)
{
	u64 eptp[2], i;

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W | PTE_A | PTE_D);
	for (i = 0; i < 2; i++) {
		u64 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

		eptp[i] = hv_ept_enable();
		*page = 0x2000 + i;
		ept_map(eptp[i], TEST_GPA, ADDR(page), 1, EPT_RWX | EPT_MEM_WB);
		list[i] = eptp[i];
	}
	list[3] = eptp[0] | 7;
	vmwrite(F_EPTP, eptp[0]);
	vmwrite(F_EPTP_LIST, ADDR(list));
	vmwrite(F_VMFUNC_CONTROLS, 1);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VMFUNC);
	hv->regs.rdx = TEST_VA;
}

static void vmfunc_start(struct hv *hv, u64 function, u64 index)
{
	hv_guest(hv, more_vmfunc, function);
	hv->regs.rsi = index;
	hv->regs.rdx = TEST_VA;
}

static void more_vmfunc_switch(struct hv *hv)
{
	u64 *list = mem_alloc(PAGE_SIZE, PAGE_SIZE), i;

	vmfunc_setup(hv, list);
	for (i = 2; i--;) {
		vmfunc_start(hv, 0, i);
		nested_end(hv, "switch");
		ktap_check(hv->regs.rbx == 0x2000 + i && vmread(F_EPTP) == list[i],
			   "EPT %llu of the list: read %llx", i, hv->regs.rbx);
	}
	vmfunc_start(hv, 0, 2);
	nested_exit_at(hv, REASON_VMFUNC, 0, 4, "an EPTP of 0");
	vmfunc_start(hv, 0, 3);
	nested_exit_at(hv, REASON_VMFUNC, 0, 4, "a bad EPTP");
	vmfunc_start(hv, 0, 512);
	nested_exit_at(hv, REASON_VMFUNC, 0, 4, "index 512");
	vmfunc_start(hv, 1, 0);
	nested_exit_at(hv, REASON_VMFUNC, 0, 4, "function 1");
	nested_try(hv, more_vmfunc, 64);
	nested_end(hv, "function 64");
	ktap_check(nested_vector(hv) == VECTOR_UD, "function 64: exception %llu",
		   nested_vector(hv));
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_VMFUNC);
	nested_try(hv, more_vmfunc, 0);
	nested_end(hv, "not enabled");
	ktap_check(nested_vector(hv) == VECTOR_UD, "not enabled: exception %llu",
		   nested_vector(hv));
}

/* --- #VE */

struct ve_info {
	u32 reason, busy;
	u64 qualification, linear, physical;
};

static void more_ve(struct hv *hv)
{
	struct ve_info *info = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 eptp = hv_ept_enable();

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W | PTE_A | PTE_D);
	vmwrite(F_VE_INFO, ADDR(info));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VE);
	*ept_entry(eptp, TEST_GPA, 1) = 0;
	nested_try(hv, more_read, TEST_VA + 0x30);
	nested_end(hv, "#VE");
	ktap_check(nested_vector(hv) == VECTOR_VE, "#VE: exception %llu", nested_vector(hv));
	ktap_check(info->reason == REASON_EPT_VIOLATION && info->busy == 0xffffffff &&
		   (info->qualification & 0x1bf) == 0x181 && info->linear == TEST_VA + 0x30 &&
		   info->physical == TEST_GPA + 0x30,
		   "#VE: reason %x, qualification %llx", info->reason,
		   info->qualification & 0x1bf);
	nested_try(hv, more_read, TEST_VA + 0x30);
	hv_run(hv);
	hv_record(hv, "busy");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION, "busy: exit %x", hv->exit.reason);
	info->busy = 0;
	*ept_entry(eptp, TEST_GPA, 1) = EPT_NO_VE;
	flush();
	nested_try(hv, more_read, TEST_VA + 0x30);
	hv_run(hv);
	hv_record(hv, "suppressed");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION, "suppressed: exit %x",
		   hv->exit.reason);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	*ept_entry(eptp, TEST_GPA, 1) = 0;
	flush();
	nested_try(hv, more_read, TEST_VA + 0x30);
	hv_run(hv);
	hv_record(hv, "in the exception bitmap");
	ktap_check(hv->exit.reason == REASON_EXCEPTION &&
		   hv->exit.event == EVENT(EVENT_HARD, VECTOR_VE) &&
		   hv->exit.rflags & RFLAGS_RF,
		   "in the exception bitmap: exit %x, event %x, RFLAGS %llx", hv->exit.reason,
		   hv->exit.event, hv->exit.rflags & RFLAGS_RF);
}

INSN(more_iret, "mov RDI, RSP\n\t" IRET);

/* Handler of the guest: exits while NMIs are as #VE has left them. */
static bool ve_hook(struct regs *regs)
{
	(void)regs;
	asm volatile("vmcall" : : : "memory");
	return true;
}

/* IRET has unblocked NMIs, as before any fault. Its frame reaches to a page that is not there. */
static void more_ve_iret(struct hv *hv)
{
	struct ve_info *info = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	void *stack = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 eptp = hv_ept_enable();

	mem_map(TEST_VA, ADDR(stack), PTE_P | PTE_W);
	mem_map(TEST_VA + PAGE_SIZE, TEST_GPA, PTE_P | PTE_W);
	vmwrite(F_VE_INFO, ADDR(info));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VE);
	*ept_entry(eptp, TEST_GPA, 1) = 0;
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	hv_guest(hv, more_iret, TEST_VA + PAGE_SIZE - 8);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EXCEPTION && !hv->exit.interruptibility &&
		   hv->exit.event == (EVENT(EVENT_HARD, VECTOR_VE) | EVENT_NMI_IRET),
		   "#VE of IRET: exit %x, event %x", hv->exit.reason, hv->exit.event);
	vmwrite(F_EXCEPTION_BITMAP, 0);
	info->busy = 0;
	idt_set_hook(VECTOR_VE, ve_hook);
	hv_guest(hv, more_iret, TEST_VA + PAGE_SIZE - 8);
	vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	nested_exit(hv, REASON_VMCALL, 0, 3, "VMCALL in the handler");
	idt_set_hook(VECTOR_VE, NULL);
	ktap_check(!hv->exit.interruptibility, "NMIs are not blocked");
}

/* --- unrestricted guest */

/* mov $0x1234, %ax (16 bits) or %eax; cpuid; hlt */
static const u8 code16[] = { 0xb8, 0x34, 0x12, 0x0f, 0xa2, 0xf4 };
static const u8 code32[] = { 0xb8, 0x34, 0x12, 0x00, 0x00, 0x0f, 0xa2, 0xf4 };

static void plain_segments(u32 code_access, u32 data_access, u32 limit)
{
	u32 i;

	for (i = 0; i < 6; i++) {
		vmwrite(F_GUEST_ES + 2 * i, i == 1 && limit != 0xffff ? 8 : 0);
		vmwrite(F_GUEST_ES_BASE + 2 * i, 0);
		vmwrite(F_GUEST_ES_LIMIT + 2 * i, limit);
		vmwrite(F_GUEST_ES_ACCESS + 2 * i, i == 1 ? code_access : data_access);
	}
	vmwrite(F_GUEST_LDTR, 0);
	vmwrite(F_GUEST_LDTR_ACCESS, 0x10000);
}

/* No paging, not IA-32e mode */
static void plain_mode(u64 cr0)
{
	vmwrite(F_GUEST_CR0, (read_cr0() & ~(u64)(CR0_PG | CR0_PE)) | cr0);
	vmwrite(F_GUEST_CR4, CR4_VMXE);
	vmwrite(F_GUEST_CR3, 0);
	hv_clear(F_ENTRY_CONTROLS, ENTRY_IA32E);
	vmwrite(F_GUEST_RSP, 0x800);
}

static void more_unrestricted(struct hv *hv)
{
	u64 eptp = hv_ept_enable();

	hv_set(F_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_HLT);
	ept_map(eptp, 0, ADDR(hv->page), 1, EPT_RWX | EPT_MEM_WB);
	memcpy(hv->page + 0x100, code16, sizeof(code16));
	memcpy(hv->page + 0x200, code32, sizeof(code32));
	hv->code = 0x100;
	plain_mode(0);
	plain_segments(0x9b, 0x93, 0xffff);
	vmwrite(F_GUEST_RIP, 0x100);
	nested_exit_at(hv, REASON_CPUID, 0, 3, "real mode, CPUID");
	ktap_check((u16)hv->regs.rax == 0x1234, "real mode, AX");
	hv_skip(hv);
	nested_exit_at(hv, REASON_HLT, 0, 5, "real mode, HLT");
	hv->code = 0x200;
	plain_mode(CR0_PE);
	plain_segments(0xc09b, 0xc093, 0xffffffff);
	vmwrite(F_GUEST_RIP, 0x200);
	hv->regs.rax = ~0ull;
	nested_exit_at(hv, REASON_CPUID, 0, 5, "no paging, CPUID");
	ktap_check((u32)hv->regs.rax == 0x1234, "no paging, EAX");
	hv_skip(hv);
	nested_exit_at(hv, REASON_HLT, 0, 7, "no paging, HLT");
	ktap_check(!(vmread(F_ENTRY_CONTROLS) & ENTRY_IA32E), "not IA-32e mode");
}

/* PAE paging: with EPT the four entries come from the VMCS, not from memory. */
static void more_pae(struct hv *hv)
{
	u64 eptp = hv_ept_enable();
	u64 *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE), *pd = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	hv_set(F_PRIMARY_CONTROLS, PRIMARY_HLT);
	ept_map(eptp, 0, ADDR(hv->page), 1, EPT_RWX | EPT_MEM_WB);
	memcpy(hv->page + 0x200, code32, sizeof(code32));
	pd[0] = PTE_P | PTE_W | PTE_PS;
	hv->code = 0x200;
	plain_mode(CR0_PE | CR0_PG);
	plain_segments(0xc09b, 0xc093, 0xffffffff);
	vmwrite(F_GUEST_CR4, CR4_VMXE | CR4_PAE);
	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	vmwrite(F_GUEST_PDPTE0, ADDR(pd) | PTE_P);
	vmwrite(F_GUEST_PDPTE1, 0x5000 | PTE_P);
	vmwrite(F_GUEST_RIP, 0x200);
	nested_exit_at(hv, REASON_CPUID, 0, 5, "CPUID");
	ktap_check(vmread(F_GUEST_PDPTE0) == (ADDR(pd) | PTE_P) &&
		   vmread(F_GUEST_PDPTE1) == (0x5000 | PTE_P), "the entries are saved");
	hv_skip(hv);
	nested_exit_at(hv, REASON_HLT, 0, 7, "HLT");
	vmwrite(F_GUEST_PDPTE1, 0x5000 | PTE_P | PTE_W);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   hv->exit.qualification == 2, "reserved bits: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
}

static const struct nested_case cases[] = {
	CASE("accessed and dirty", more_ad, .later = SECONDARY_EPT, .ept = EPT_CAP_AD),
	CASE("the guest's tables", more_ad_tables, .later = SECONDARY_EPT, .ept = EPT_CAP_AD),
	CASE("several EPTs", more_switch, .later = SECONDARY_EPT),
	CASE("INVEPT", more_invept, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("large pages", more_large, .later = SECONDARY_EPT),
	CASE("PML", more_pml, .later = SECONDARY_EPT | SECONDARY_PML, .ept = EPT_CAP_AD),
	CASE("VMFUNC", more_vmfunc_switch, .later = SECONDARY_EPT | SECONDARY_VMFUNC),
	CASE("#VE", more_ve, .later = SECONDARY_EPT | SECONDARY_VE),
	CASE("#VE of IRET", more_ve_iret, .later = SECONDARY_EPT | SECONDARY_VE),
	CASE("PAE guest", more_pae, .later = SECONDARY_EPT),
	CASE("unrestricted guest", more_unrestricted,
	     .later = SECONDARY_EPT | SECONDARY_UNRESTRICTED),
};

void test_nested_ept_more(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
