// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS shadowing: VMREAD and VMWRITE of the guest go to a shadow VMCS. Left out, as the
 * emulator differs: VMLAUNCH with a shadow VMCS as the current one.
 */
#include "nested.h"

INSN(shadow_read, "vmread RDI, RAX\n\tpushf\n\tpop RBX");
INSN(shadow_write, "vmwrite RSI, RDI\n\tpushf\n\tpop RBX");
/* With an operand in memory, of F_TSC_OFFSET; and of no field */
INSN(shadow_load, "movl $0x2010, %eax\n\tvmread RAX, (RDI)\n\tpushf\n\tpop RBX");
INSN(shadow_store, "movl $0x2010, %eax\n\tvmwrite (RDI), RAX\n\tpushf\n\tpop RBX");
INSN(shadow_load_fs, "movl $0x2010, %eax\n\tvmread RAX, %fs:(RDI)");
INSN(shadow_load_ss, "movl $0x2010, %eax\n\tpush RBP\n\tmov RDI, RBP\n\t"
		     "vmread RAX, (RBP)\n\tpop RBP");
INSN(shadow_load_none, "movl $0x7ffe, %eax\n\tvmread RAX, (RDI)\n\tpushf\n\tpop RBX");

#define INSN_AT		5	/* VMREAD and VMWRITE in there */
#define SHADOWED	0x1122334455667788ull
#define WRITTEN		0x99aabbccddeeff01ull
#define UNTOUCHED	0xee
#define WORD		sizeof(long)
#define PF_P		1u
#define PF_W		2u
#define VECTOR_VE	20
#define APIC_WRITE	0x1000

/* Return: the shadow VMCS; @bitmaps: a page for VMREAD, another for VMWRITE */
static u32 *shadow_setup(struct hv *hv, u8 **bitmaps)
{
	u32 *shadow = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	*bitmaps = mem_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	hv_vmcs_format(shadow);
	ktap_check(!vmclear(ADDR(shadow)), "VMCLEAR of the shadow VMCS");
	*shadow |= BIT(31);
	ktap_check(!vmptrld(ADDR(shadow)), "VMPTRLD of the shadow VMCS");
	vmwrite(F_GUEST_RIP, 0x1111);
	vmwrite(F_GUEST_CR3, 0x2222);
	vmwrite(F_TSC_OFFSET, SHADOWED);
	vmclear(ADDR(shadow));
	vmptrld(ADDR(hv->vmcs));
	vmwrite(F_VMREAD_BITMAP, ADDR(*bitmaps));
	vmwrite(F_VMWRITE_BITMAP, ADDR(*bitmaps) + PAGE_SIZE);
	vmwrite(F_LINK_POINTER, ADDR(shadow));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
	return shadow;
}

static u64 shadow_value(const struct hv *hv, u32 *shadow)
{
	u64 value;

	vmclear(ADDR(hv->vmcs));
	vmptrld(ADDR(shadow));
	value = vmread(F_TSC_OFFSET);
	vmclear(ADDR(shadow));
	vmptrld(ADDR(hv->vmcs));
	return value;
}

static void shadow_access(struct hv *hv)
{
	u8 *bitmaps;
	u32 *shadow = shadow_setup(hv, &bitmaps);

	hv_guest(hv, shadow_read, F_GUEST_RIP);
	nested_end(hv, "VMREAD");
	ktap_check(hv->regs.rax == 0x1111 && !(hv->regs.rbx & VMFAIL_FLAGS),
		   "VMREAD reads the shadow: %llx", hv->regs.rax);
	hv_guest(hv, shadow_write, F_GUEST_CR3);
	hv->regs.rsi = 0x3333;
	nested_end(hv, "VMWRITE");
	ktap_check(vmread(F_GUEST_CR3) == mem_cr3, "the current VMCS is as before");
	vmclear(ADDR(hv->vmcs));
	vmptrld(ADDR(shadow));
	ktap_check(vmread(F_GUEST_CR3) == 0x3333, "VMWRITE writes to the shadow");
	vmclear(ADDR(shadow));
	vmptrld(ADDR(hv->vmcs));
	hv->launched = false;
	hv_guest(hv, shadow_read, 0x7ffe);
	nested_end(hv, "no such field");
	ktap_check((hv->regs.rbx & VMFAIL_FLAGS) == VMFAIL_VALID, "VMREAD of no field: flags %llx",
		   hv->regs.rbx & VMFAIL_FLAGS);
}

static void shadow_bitmaps(struct hv *hv)
{
	u8 *bitmaps;

	shadow_setup(hv, &bitmaps);
	bitmaps[F_GUEST_RIP / 8] = 1 << F_GUEST_RIP % 8;
	bitmaps[PAGE_SIZE + F_GUEST_CR3 / 8] = 1 << F_GUEST_CR3 % 8;
	hv_guest(hv, shadow_read, F_GUEST_RIP);
	nested_exit(hv, REASON_VMREAD, 0, 3, "VMREAD with a bit");
	hv_guest(hv, shadow_read, F_GUEST_CR3);
	nested_end(hv, "VMREAD without");
	hv_guest(hv, shadow_write, F_GUEST_CR3);
	nested_exit(hv, REASON_VMWRITE, 0, 3, "VMWRITE with a bit");
	hv_guest(hv, shadow_write, F_GUEST_RIP);
	nested_end(hv, "VMWRITE without");
	hv_guest(hv, shadow_read, BIT(15) | F_GUEST_CR3);
	nested_exit(hv, REASON_VMREAD, 0, 3, "VMREAD with bit 15");
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
	vmwrite(F_LINK_POINTER, ~0ull);
	hv_guest(hv, shadow_read, F_GUEST_CR3);
	nested_exit(hv, REASON_VMREAD, 0, 3, "VMREAD without shadowing");
}

static void shadow_no_link(struct hv *hv)
{
	u8 *bitmaps;

	shadow_setup(hv, &bitmaps);
	vmwrite(F_LINK_POINTER, ~0ull);
	hv_guest(hv, shadow_read, F_GUEST_CR3);
	nested_end(hv, "VMREAD");
	ktap_check((hv->regs.rbx & VMFAIL_FLAGS) == VMFAIL_INVALID, "VMREAD: flags %llx",
		   hv->regs.rbx & VMFAIL_FLAGS);
}

/* The link pointer's VMCS must be a shadow if, and only if, the control is on. */
static void shadow_kind(struct hv *hv)
{
	u8 *bitmaps;
	u32 *shadow = shadow_setup(hv, &bitmaps);

	*shadow &= ~(u32)BIT(31);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   hv->exit.qualification == 4, "no shadow: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
	*shadow |= BIT(31);
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   hv->exit.qualification == 4,
		   "a shadow without the control: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
}

/* --- operands in memory */

/* Two pages at TEST_VA */
static u8 *memory_setup(void)
{
	u8 *page = mem_alloc(2 * PAGE_SIZE, PAGE_SIZE);

	memset(page, UNTOUCHED, 2 * PAGE_SIZE);
	mem_map(TEST_VA, ADDR(page), PTE_P | PTE_W);
	mem_map(TEST_VA + PAGE_SIZE, ADDR(page) + PAGE_SIZE, PTE_P | PTE_W);
	return page;
}

static bool is_loaded(const u8 *at)
{
	u64 value = SHADOWED;

	return !memcmp(at, &value, WORD) && at[-1] == UNTOUCHED && at[WORD] == UNTOUCHED;
}

static void memory_access(struct hv *hv)
{
	u8 *bitmaps, *page = memory_setup();
	u32 *shadow = shadow_setup(hv, &bitmaps);
	u64 value = WRITTEN;

	hv_guest(hv, shadow_load, TEST_VA + 0x18);
	nested_end(hv, "VMREAD");
	ktap_check(is_loaded(page + 0x18) && !(hv->regs.rbx & VMFAIL_FLAGS),
		   "VMREAD writes a word: %llx", *(u64 *)(page + 0x18));
	ktap_check((*mem_pte(TEST_VA) & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "the page is dirty");
	hv_guest(hv, shadow_load, TEST_VA + PAGE_SIZE - 2);
	nested_end(hv, "VMREAD to two pages");
	ktap_check(is_loaded(page + PAGE_SIZE - 2), "VMREAD to two pages: %llx",
		   *(u64 *)(page + PAGE_SIZE - 2));
	memcpy(page + PAGE_SIZE - 3, &value, sizeof(value));
	hv_guest(hv, shadow_store, TEST_VA + PAGE_SIZE - 3);
	nested_end(hv, "VMWRITE");
	value = shadow_value(hv, shadow);
	ktap_check(NATURAL(value) == NATURAL(WRITTEN), "VMWRITE reads a word: %llx", value);
	hv->launched = false;
	mem_unmap(TEST_VA);
	hv_guest(hv, shadow_load_none, TEST_VA);
	nested_end(hv, "no such field");
	ktap_check((hv->regs.rbx & VMFAIL_FLAGS) == VMFAIL_VALID, "no such field: flags %llx",
		   hv->regs.rbx & VMFAIL_FLAGS);
}

static void memory_fault(struct hv *hv, const char *code, u64 va, u64 cr2, u32 error,
			 const char *what)
{
	const struct trap *trap = &hv->guest->trap;

	nested_try(hv, code, va);
	nested_end(hv, what);
	ktap_check(nested_vector(hv) == VECTOR_PF && trap->cr2 == cr2 &&
		   trap->regs.error == error, "%s: exception %llu, error %llx, CR2 %llx", what,
		   nested_vector(hv), trap->regs.error, trap->cr2);
}

static void memory_faults(struct hv *hv)
{
	u8 *bitmaps, *page = memory_setup();

	shadow_setup(hv, &bitmaps);
	mem_unmap(TEST_VA + PAGE_SIZE);
	memory_fault(hv, shadow_load, TEST_VA + PAGE_SIZE + 8, TEST_VA + PAGE_SIZE + 8, PF_W,
		     "VMREAD to nothing");
	memory_fault(hv, shadow_store, TEST_VA + PAGE_SIZE + 8, TEST_VA + PAGE_SIZE + 8, 0,
		     "VMWRITE from nothing");
	memory_fault(hv, shadow_load, TEST_VA + PAGE_SIZE - 2, TEST_VA + PAGE_SIZE, PF_W,
		     "half of it to nothing");
	ktap_check(page[PAGE_SIZE - 2] == UNTOUCHED, "nothing is written");
	mem_map(TEST_VA, ADDR(page), PTE_P);
	memory_fault(hv, shadow_load, TEST_VA + 8, TEST_VA + 8, PF_P | PF_W,
		     "VMREAD to a read-only page");
	nested_try(hv, shadow_store, TEST_VA + 8);
	nested_end(hv, "VMWRITE from it");
	ktap_check(nested_vector(hv) == TRAP_NONE, "VMWRITE from it: exception %llu",
		   nested_vector(hv));
}

/* --- whose page fault is it */

static const struct {
	const char *name;
	const char *code;
	u32 bitmap, mask, match;
	bool exits;
} interceptions[] = {
	{ "VMREAD, all", shadow_load, BIT(VECTOR_PF), 0, 0, true },
	{ "VMWRITE, all", shadow_store, BIT(VECTOR_PF), 0, 0, true },
	{ "VMREAD, writes", shadow_load, BIT(VECTOR_PF), PF_W, PF_W, true },
	{ "VMWRITE, writes", shadow_store, BIT(VECTOR_PF), PF_W, PF_W, false },
	{ "VMREAD, all but writes", shadow_load, 0, PF_W, PF_W, false },
	{ "VMWRITE, all but writes", shadow_store, 0, PF_W, PF_W, true },
	{ "VMREAD, of other vectors", shadow_load, (u32)~BIT(VECTOR_PF), 0, 0, false },
};

static void memory_intercepted(struct hv *hv)
{
	u8 *bitmaps;
	u32 i;

	shadow_setup(hv, &bitmaps);
	for (i = 0; i < ARRAY_SIZE(interceptions); i++) {
		const char *name = interceptions[i].name;
		u32 error = interceptions[i].code == shadow_load ? PF_W : 0;

		vmwrite(F_EXCEPTION_BITMAP, interceptions[i].bitmap);
		vmwrite(F_PF_MASK, interceptions[i].mask);
		vmwrite(F_PF_MATCH, interceptions[i].match);
		vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
		if (!interceptions[i].exits) {
			memory_fault(hv, interceptions[i].code, TEST_VA + 8, TEST_VA + 8, error,
				     name);
			continue;
		}
		write_cr2(0x1234);
		nested_try(hv, interceptions[i].code, TEST_VA + 8);
		nested_exit_at(hv, REASON_EXCEPTION, TEST_VA + 8, INSN_AT, name);
		ktap_check(hv->exit.event == (EVENT(EVENT_HARD, VECTOR_PF) | EVENT_ERROR_CODE) &&
			   hv->exit.event_error == error && read_cr2() == 0x1234,
			   "%s: event %x, error %x, CR2 %llx", name, hv->exit.event,
			   hv->exit.event_error, read_cr2());
	}
}

/* --- segments */

static void memory_segments(struct hv *hv)
{
	u64 wrong = WORD == 8 ? BIT(62) : PAGE_SIZE - WORD + 1;
	u8 *bitmaps, *page = memory_setup();

	shadow_setup(hv, &bitmaps);
	vmwrite(F_GUEST_FS_BASE, TEST_VA + 0x100);
	vmwrite(F_GUEST_FS_LIMIT, PAGE_SIZE - 1);
	vmwrite(F_GUEST_FS_ACCESS, 0x40f3);
	nested_try(hv, shadow_load_fs, PAGE_SIZE - WORD);
	nested_end(hv, "FS");
	ktap_check(nested_vector(hv) == TRAP_NONE && is_loaded(page + 0x100 + PAGE_SIZE - WORD),
		   "FS: exception %llu", nested_vector(hv));
	nested_try(hv, shadow_load_fs, wrong);
	nested_end(hv, "beyond FS");
	ktap_check(nested_vector(hv) == VECTOR_GP && !hv->guest->trap.regs.error,
		   "beyond FS: exception %llu", nested_vector(hv));
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	nested_try(hv, shadow_load_fs, wrong);
	nested_exit_at(hv, REASON_EXCEPTION, 0, INSN_AT, "beyond FS, intercepted");
	vmwrite(F_EXCEPTION_BITMAP, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	if (WORD == 4)
		return;
	nested_try(hv, shadow_load_ss, wrong);
	nested_end(hv, "SS");
	ktap_check(nested_vector(hv) == VECTOR_SS, "SS: exception %llu", nested_vector(hv));
}

/* --- EPT */

#define QUAL_READ	BIT(0)
#define QUAL_WRITE	BIT(1)
#define QUAL_RIGHTS	3	/* shift */
#define QUAL_LINEAR	BIT(7)
#define QUAL_FINAL	BIT(8)
#define QUAL_PAGE_W	BIT(10)
#define OPERAND		0x18

/* Of the operand itself, at TEST_VA */
static void violation(struct hv *hv, u64 access, u64 rights, const char *what)
{
	u64 page = hv_cap(MSR_VMX_EPT_VPID) & EPT_CAP_EXIT_INFO ? QUAL_PAGE_W : 0;

	nested_exit_at(hv, REASON_EPT_VIOLATION, access | rights << QUAL_RIGHTS | QUAL_LINEAR |
		       QUAL_FINAL | page, INSN_AT, what);
	ktap_check(hv->exit.physical == TEST_GPA + OPERAND && hv->exit.linear == TEST_VA + OPERAND,
		   "%s: addresses", what);
}

static u64 memory_ept_setup(struct hv *hv, u64 **entry)
{
	u64 eptp = hv_ept_enable();
	u8 *bitmaps;

	shadow_setup(hv, &bitmaps);
	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W);
	*entry = ept_entry(eptp, TEST_GPA, 1);
	return eptp;
}

static void memory_ept(struct hv *hv)
{
	u8 *page = memory_setup();
	u64 *entry;

	memory_ept_setup(hv, &entry);
	hv_guest(hv, shadow_load, TEST_VA + OPERAND);
	violation(hv, QUAL_WRITE, 0, "VMREAD to nothing");
	hv_guest(hv, shadow_store, TEST_VA + OPERAND);
	violation(hv, QUAL_READ, 0, "VMWRITE from nothing");
	*entry = ADDR(page) | EPT_R | EPT_MEM_WB;
	invept(INVEPT_ALL, 0, 0);
	nested_end(hv, "VMWRITE from a read-only page");
	hv_guest(hv, shadow_load, TEST_VA + OPERAND);
	violation(hv, QUAL_WRITE, EPT_R, "VMREAD to it");
	*entry = ADDR(page) | EPT_W | EPT_MEM_WB;
	invept(INVEPT_ALL, 0, 0);
	nested_exit_at(hv, REASON_EPT_MISCONFIG, 0, INSN_AT, "VMREAD, the entry is wrong");
	*entry = ADDR(page) | EPT_RWX | EPT_MEM_WB;
	invept(INVEPT_ALL, 0, 0);
	nested_end(hv, "VMREAD, again");
	ktap_check(*(unsigned long *)(page + OPERAND) == (unsigned long)~0ull / 255 * UNTOUCHED,
		   "it reads what VMWRITE has written");
}

static u64 flags_of(const u64 *entry)
{
	return *entry & (EPT_A | EPT_D);
}

/* The guest's page table, and with flags of EPT */
static void memory_ept_tables(struct hv *hv)
{
	u8 *page = memory_setup();
	u64 *entry, eptp = memory_ept_setup(hv, &entry);
	u64 *table = ept_entry(eptp, ADDR(mem_pte(TEST_VA)), 1), was = *table;

	*entry = ADDR(page) | EPT_RWX | EPT_MEM_WB;
	*table = 0;
	hv_guest(hv, shadow_load, TEST_VA + OPERAND);
	nested_exit_at(hv, REASON_EPT_VIOLATION, QUAL_READ | QUAL_LINEAR, INSN_AT, "no table");
	ktap_check(hv->exit.linear == TEST_VA + OPERAND &&
		   hv->exit.physical == ADDR(mem_pte(TEST_VA)), "no table: addresses");
	*table = was;
	invept(INVEPT_ALL, 0, 0);
	nested_end(hv, "a table");
	if (!(hv_cap(MSR_VMX_EPT_VPID) & EPT_CAP_AD))
		return;
	*table = was & ~(u64)EPT_W;
	vmwrite(F_EPTP, eptp | EPTP_AD);
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, shadow_load, TEST_VA + OPERAND);
	nested_exit_at(hv, REASON_EPT_VIOLATION, QUAL_READ | QUAL_WRITE | QUAL_LINEAR |
		       (EPT_R | EPT_X) << QUAL_RIGHTS, INSN_AT, "a read-only table, with flags");
	*table = was;
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, shadow_store, TEST_VA + OPERAND);
	nested_end(hv, "VMWRITE, with flags");
	ktap_check(flags_of(entry) == EPT_A && flags_of(table) == (EPT_A | EPT_D),
		   "VMWRITE: flags %llx, of the table %llx", flags_of(entry), flags_of(table));
	hv_guest(hv, shadow_load, TEST_VA + OPERAND);
	nested_end(hv, "VMREAD, with flags");
	ktap_check(flags_of(entry) == (EPT_A | EPT_D), "VMREAD: flags %llx", flags_of(entry));
}

static void memory_ve(struct hv *hv)
{
	u64 *info = mem_alloc(PAGE_SIZE, PAGE_SIZE), *entry;

	memory_ept_setup(hv, &entry);
	vmwrite(F_VE_INFO, ADDR(info));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VE);
	nested_try(hv, shadow_load, TEST_VA + OPERAND);
	nested_end(hv, "#VE");
	ktap_check(nested_vector(hv) == VECTOR_VE && info[2] == TEST_VA + OPERAND &&
		   info[3] == TEST_GPA + OPERAND &&
		   (info[1] & 0x1ff) == (QUAL_WRITE | QUAL_LINEAR | QUAL_FINAL),
		   "exception %llu, qualification %llx", nested_vector(hv), info[1] & 0x1ff);
	nested_try(hv, shadow_load, TEST_VA + OPERAND);
	violation(hv, QUAL_WRITE, 0, "busy");
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	info[0] = 0;
	nested_try(hv, shadow_load, TEST_VA + OPERAND);
	nested_exit_at(hv, REASON_EXCEPTION, 0, INSN_AT, "#VE, intercepted");
	ktap_check(hv->exit.event == EVENT(EVENT_HARD, VECTOR_VE) && hv->exit.rflags & RFLAGS_RF,
		   "#VE, intercepted: event %x, RFLAGS %llx", hv->exit.event,
		   hv->exit.rflags & RFLAGS_RF);
}

static void memory_apic(struct hv *hv)
{
	u8 *bitmaps, *page = memory_setup();

	shadow_setup(hv, &bitmaps);
	vmwrite(F_APIC_ACCESS, ADDR(page));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_APIC_ACCESS);
	hv_guest(hv, shadow_load, TEST_VA + 0x20);
	nested_exit_at(hv, REASON_APIC_ACCESS, APIC_WRITE | 0x20, INSN_AT, "VMREAD to the APIC");
	hv_guest(hv, shadow_store, TEST_VA + 0x20);
	nested_exit_at(hv, REASON_APIC_ACCESS, 0x20, INSN_AT, "VMWRITE from the APIC");
	ktap_check(page[0x20] == UNTOUCHED, "nothing is written");
}

#define WITH_EPT	(SECONDARY_SHADOWING | SECONDARY_EPT)

static const struct nested_case cases[] = {
	CASE("access", shadow_access, .later = SECONDARY_SHADOWING),
	CASE("bitmaps", shadow_bitmaps, .later = SECONDARY_SHADOWING),
	CASE("no link pointer", shadow_no_link, .later = SECONDARY_SHADOWING),
	CASE("link pointer", shadow_kind, .later = SECONDARY_SHADOWING),
	CASE("memory", memory_access, .later = SECONDARY_SHADOWING),
	CASE("memory, faults", memory_faults, .later = SECONDARY_SHADOWING),
	CASE("memory, intercepted", memory_intercepted, .later = SECONDARY_SHADOWING),
	CASE("memory, segments", memory_segments, .later = SECONDARY_SHADOWING),
	CASE("memory, EPT", memory_ept, .later = WITH_EPT),
	CASE("memory, tables", memory_ept_tables, .later = WITH_EPT),
	CASE("memory, #VE", memory_ve, .later = WITH_EPT | SECONDARY_VE),
	CASE("memory, APIC", memory_apic, .later = SECONDARY_SHADOWING | SECONDARY_APIC_ACCESS),
};

void test_nested_shadow(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
