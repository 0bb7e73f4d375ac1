// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPID: after INVVPID, and without VPID after any entry, the guest sees its new tables.
 * That translations are kept otherwise is nothing to rely on, and not looked at.
 */
#include "nested.h"

INSN(vpid_read, "mov (RDI), RAX");
INSN(vpid_invlpg, "invlpg (RDI)\n\tmov (RDI), RAX");

static u64 vpid_page(u64 value)
{
	u64 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	*page = value;
	return ADDR(page);
}

/* Change the guest's table without an INVLPG; the host has its own way to see it. */
static void vpid_map(u64 page, u64 flags)
{
	*mem_pte(TEST_VA) = page | PTE_P | PTE_W | PTE_A | PTE_D | flags;
}

static u64 vpid_value(struct hv *hv, const char *code, const char *what)
{
	hv_guest(hv, code, TEST_VA);
	nested_end(hv, what);
	return hv->regs.rax;
}

static void vpid_types(struct hv *hv)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID), page[2] = { vpid_page(0), vpid_page(1) };
	u32 type, i;

	vmwrite(F_VPID, 7);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VPID);
	mem_map(TEST_VA, page[0], PTE_P | PTE_W);
	for (type = INVVPID_ADDRESS; type <= INVVPID_KEEP_GLOBAL; type++) {
		if (!(cap & VPID_CAP_TYPE(type)))
			continue;
		for (i = 0; i < 2; i++) {
			vpid_map(page[i], type == INVVPID_KEEP_GLOBAL ? 0 : PTE_G);
			ktap_check(!invvpid(type, 7, TEST_VA), "type %u", type);
			ktap_check(vpid_value(hv, vpid_read, "read") == i,
				   "type %u: the guest reads %u", type, i);
		}
	}
}

static void vpid_guest_flushes(struct hv *hv)
{
	u64 page[2] = { vpid_page(0), vpid_page(1) };

	vmwrite(F_VPID, 8);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VPID);
	mem_map(TEST_VA, page[0], PTE_P | PTE_W);
	ktap_check(vpid_value(hv, vpid_read, "read") == 0, "before");
	vpid_map(page[1], 0);
	ktap_check(vpid_value(hv, vpid_invlpg, "INVLPG") == 1, "behind the guest's INVLPG");
}

/* Two guests with tables of their own for one address */
static void vpid_several(struct hv *hv)
{
	u64 page[2] = { vpid_page(0), vpid_page(1) }, *directory, cr3;
	u32 i;

	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VPID);
	mem_map(TEST_VA, page[0], PTE_P | PTE_W);
	directory = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	cr3 = mem_root_copy(TEST_VA, directory);
	directory[0] = vpid_page(0) | PTE_P | PTE_W | PTE_U;
	*(u64 *)PTR(directory[0] & PTE_ADDR) = page[1] | PTE_P | PTE_W;
	for (i = 0; i < 4; i++) {
		vmwrite(F_VPID, 9 + (i & 1));
		vmwrite(F_GUEST_CR3, i & 1 ? cr3 : mem_cr3);
		ktap_check(vpid_value(hv, vpid_read, "read") == (i & 1),
			   "VPID %u: the guest reads %u", 9 + (i & 1), i & 1);
	}
}

static void vpid_none(struct hv *hv)
{
	u64 page[2] = { vpid_page(0), vpid_page(1) };
	u32 i;

	mem_map(TEST_VA, page[0], PTE_P | PTE_W);
	for (i = 0; i < 4; i++) {
		vpid_map(page[i & 1], PTE_G);
		ktap_check(vpid_value(hv, vpid_read, "read") == (i & 1),
			   "VM entry flushes: the guest reads %u", i & 1);
	}
	/* And so does VM exit for the host. */
	invlpg(TEST_VA);
	ktap_check(*(u64 *)PTR(TEST_VA) == 1, "the host reads it too");
}

static const struct nested_case cases[] = {
	CASE("INVVPID", vpid_types, .later = SECONDARY_VPID, .ept = VPID_CAP_INVVPID),
	CASE("INVLPG", vpid_guest_flushes, .later = SECONDARY_VPID),
	CASE("several VPIDs", vpid_several, .later = SECONDARY_VPID),
	CASE("no VPID", vpid_none),
};

void test_nested_vpid(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
