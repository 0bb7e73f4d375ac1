// SPDX-License-Identifier: GPL-2.0-only
/* EPT: sizes of pages, violations, misconfigurations. */
#include "nested.h"

INSN(ept_read, "mov (RDI), RAX");
INSN(ept_write, "mov RSI, (RDI)");
INSN(ept_rmw, "lock addl $1, (RDI)");
INSN(ept_call, "jmp *RDI");

#define QUAL_READ	BIT(0)
#define QUAL_WRITE	BIT(1)
#define QUAL_FETCH	BIT(2)
#define QUAL_EXECUTABLE	BIT(5)
#define QUAL_LINEAR	BIT(7)
#define QUAL_FINAL	BIT(8)
#define QUAL_PAGE_W	BIT(10)

/* One page of the guest at TEST_VA, guest-physical TEST_GPA */
static u64 ept_setup(void)
{
	u64 eptp = hv_ept_enable();

	mem_map(TEST_VA, TEST_GPA, PTE_P | PTE_W);
	return eptp;
}

static void ept_identity(struct hv *hv)
{
	u64 *value = (u64 *)hv->page;

	hv_ept_enable();
	*value = 0x1122334455667788ull;
	hv_guest(hv, ept_read, ADDR(value));
	nested_end(hv, "identity");
	ktap_check(hv->regs.rax == NATURAL(*value), "the guest reads what the host has written");
}

static void ept_sizes(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID), eptp = ept_setup();
	u64 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	ept_map(eptp, TEST_GPA, ADDR(page), 1, EPT_RWX | EPT_MEM_WB);
	hv_guest(hv, ept_write, TEST_VA + 8);
	hv->regs.rsi = 0x4444;
	nested_end(hv, "4 KiB");
	ktap_check(page[1] == 0x4444, "4 KiB: the host reads what the guest has written");
	if (cap & EPT_CAP_2M) {
		ept_map(eptp, TEST_GPA, ADDR(page) & ~(SIZE_2M - 1), 2, EPT_RWX | EPT_MEM_WB);
		mem_map(TEST_VA, TEST_GPA + (ADDR(page) & (SIZE_2M - 1)), PTE_P | PTE_W);
		invept(INVEPT_ALL, 0, 0);
		hv_guest(hv, ept_read, TEST_VA + 8);
		nested_end(hv, "2 MiB");
		ktap_check(hv->regs.rax == 0x4444, "2 MiB: the guest reads it");
	}
	if (cap & EPT_CAP_1G) {
		ept_map(eptp, SIZE_1G, 0, 3, EPT_RWX | EPT_MEM_WB);
		mem_map(TEST_VA, SIZE_1G + ADDR(page), PTE_P | PTE_W);
		invept(INVEPT_ALL, 0, 0);
		hv_guest(hv, ept_read, TEST_VA + 8);
		nested_end(hv, "1 GiB");
		ktap_check(hv->regs.rax == 0x4444, "1 GiB: the guest reads it");
	}
}

static const struct {
	const char *name;
	const char *code;
	u64 access;
	u64 flags;
	u64 denied;		/* access bits that violate; 0 if it is allowed */
} rights[] = {
	{ "read of nothing", ept_read, QUAL_READ, 0, QUAL_READ },
	{ "write to nothing", ept_write, QUAL_WRITE, 0, QUAL_WRITE },
	{ "fetch from nothing", ept_call, QUAL_FETCH, 0, QUAL_FETCH },
	{ "write to a read-only page", ept_write, QUAL_WRITE, EPT_R, QUAL_WRITE },
	{ "fetch from a read-only page", ept_call, QUAL_FETCH, EPT_R, QUAL_FETCH },
	{ "fetch from a data page", ept_call, QUAL_FETCH, EPT_R | EPT_W, QUAL_FETCH },
	{ "write to a code page", ept_write, QUAL_WRITE, EPT_R | EPT_X, QUAL_WRITE },
	{ "read of a read-only page", ept_read, QUAL_READ, EPT_R, 0 },
	{ "write to a data page", ept_write, QUAL_WRITE, EPT_R | EPT_W, 0 },
	{ "fetch from a code page", ept_call, QUAL_FETCH, EPT_R | EPT_X, 0 },
};

/* A violation of an access to TEST_VA: a page of supervisor that can be written */
static bool violation(struct hv *hv, u64 qualification, const char *what)
{
	if (rdmsr(MSR_VMX_EPT_VPID) & EPT_CAP_EXIT_INFO)
		qualification |= QUAL_PAGE_W;
	return nested_exit(hv, REASON_EPT_VIOLATION, qualification | QUAL_LINEAR | QUAL_FINAL, 0,
			   what);
}

static void ept_right(struct hv *hv, u64 eptp, u64 page, u32 i)
{
	u64 found = rights[i].flags << 3;	/* what the entry allows, bits 5:3 */

	*ept_entry(eptp, TEST_GPA, 1) = rights[i].flags ?
		page | rights[i].flags | EPT_MEM_WB : 0;
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, rights[i].code, TEST_VA + 0x10);
	if (!rights[i].denied) {
		nested_end(hv, rights[i].name);
		return;
	}
	violation(hv, rights[i].access | found, rights[i].name);
	ktap_check(hv->exit.physical == TEST_GPA + 0x10 && hv->exit.linear == TEST_VA + 0x10,
		   "%s: addresses", rights[i].name);
}

static void ept_rights(struct hv *hv)
{
	u64 eptp = ept_setup();
	u8 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 i;

	page[0x10] = 0xc3;	/* RET */
	for (i = 0; i < ARRAY_SIZE(rights); i++) {
		page[0x10] = 0xc3;
		ept_right(hv, eptp, ADDR(page), i);
	}
}

/* A read that is part of a write may be reported as both or as the write. */
static void ept_read_write(struct hv *hv)
{
	u64 eptp = ept_setup();

	ept_map(eptp, TEST_GPA, ADDR(hv->page), 1, EPT_R | EPT_MEM_WB);
	hv_guest(hv, ept_rmw, TEST_VA);
	hv_run(hv);
	hv_record(hv, "LOCK ADD");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION && hv->exit.qualification & QUAL_WRITE,
		   "LOCK ADD to a read-only page: exit %x", hv->exit.reason);
	*ept_entry(eptp, TEST_GPA, 1) |= EPT_W;
	invept(INVEPT_ALL, 0, 0);
	nested_end(hv, "LOCK ADD again");
	ktap_check(*(u64 *)hv->page == 1, "it is done once");
}

static void ept_execute_only(struct hv *hv)
{
	u64 eptp = ept_setup();

	hv->page[0] = 0xc3;
	ept_map(eptp, TEST_GPA, ADDR(hv->page), 1, EPT_X | EPT_MEM_WB);
	hv_guest(hv, ept_call, TEST_VA);
	nested_end(hv, "fetch");
	hv_guest(hv, ept_read, TEST_VA);
	violation(hv, QUAL_READ | QUAL_EXECUTABLE, "read");
	hv_guest(hv, ept_write, TEST_VA);
	violation(hv, QUAL_WRITE | QUAL_EXECUTABLE, "write");
}

/* The tables of the guest are not there: bit 8 is 0. */
static void ept_walk(struct hv *hv)
{
	u64 eptp = hv_ept_enable();
	u64 *entry;

	mem_map(TEST_VA, ADDR(hv->page), PTE_P | PTE_W);
	entry = ept_entry(eptp, ADDR(mem_pte(TEST_VA)), 1);
	*entry &= ~EPT_RWX;
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, ept_read, TEST_VA);
	hv_run(hv);
	hv_record(hv, "walk");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   (hv->exit.qualification & (QUAL_LINEAR | QUAL_FINAL)) == QUAL_LINEAR &&
		   hv->exit.physical >> 12 == ADDR(mem_pte(TEST_VA)) >> 12 &&
		   hv->exit.linear == TEST_VA, "a page table that is not there: exit %x",
		   hv->exit.reason);
	*entry |= EPT_RWX;
	invept(INVEPT_ALL, 0, 0);
	nested_end(hv, "walk again");
}

static const struct {
	const char *name;
	u64 entry;
} misconfigs[] = {
	{ "write-only", EPT_W | EPT_MEM_WB },
	{ "write and execute", EPT_W | EPT_X | EPT_MEM_WB },
	{ "memory type 2", EPT_RWX | 2 << 3 },
	{ "memory type 3", EPT_RWX | 3 << 3 },
	{ "memory type 7", EPT_RWX | 7 << 3 },
};

static void ept_misconfig(struct hv *hv)
{
	u64 eptp = ept_setup(), width = cpuid(0x80000008, 0).eax & 0xff;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(misconfigs); i++) {
		*ept_entry(eptp, TEST_GPA, 1) = ADDR(hv->page) | misconfigs[i].entry;
		invept(INVEPT_ALL, 0, 0);
		hv_guest(hv, ept_read, TEST_VA + 0x20);
		hv_run(hv);
		hv_record(hv, misconfigs[i].name);
		ktap_check(hv->exit.reason == REASON_EPT_MISCONFIG &&
			   hv->exit.physical == TEST_GPA + 0x20, "%s: exit %x",
			   misconfigs[i].name, hv->exit.reason);
	}
	*ept_entry(eptp, TEST_GPA, 1) = ADDR(hv->page) | EPT_RWX | EPT_MEM_WB | BIT(width);
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, ept_read, TEST_VA);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EPT_MISCONFIG, "address above memory: exit %x",
		   hv->exit.reason);
	*ept_entry(eptp, TEST_GPA, 2) = ADDR(hv->page) | EPT_RWX | BIT(4);
	invept(INVEPT_ALL, 0, 0);
	hv_guest(hv, ept_read, TEST_VA);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_EPT_MISCONFIG,
		   "reserved bits in a directory: exit %x", hv->exit.reason);
}

static const struct nested_case cases[] = {
	CASE("identity", ept_identity, .later = SECONDARY_EPT),
	CASE("sizes", ept_sizes, .later = SECONDARY_EPT),
	CASE("rights", ept_rights, .later = SECONDARY_EPT),
	CASE("read and write", ept_read_write, .later = SECONDARY_EPT),
	CASE("execute-only", ept_execute_only, .later = SECONDARY_EPT,
	     .ept = EPT_CAP_EXECUTE_ONLY),
	CASE("walk", ept_walk, .later = SECONDARY_EPT),
	CASE("misconfiguration", ept_misconfig, .later = SECONDARY_EPT),
};

void test_nested_ept(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
