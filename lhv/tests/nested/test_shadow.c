// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS shadowing: VMREAD and VMWRITE of the guest go to a shadow VMCS. Left out, as the
 * emulator differs: VMLAUNCH with a shadow VMCS as the current one.
 */
#include "nested.h"

INSN(shadow_read, "vmread RDI, RAX\n\tpushf\n\tpop RBX");
INSN(shadow_write, "vmwrite RSI, RDI\n\tpushf\n\tpop RBX");

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
	vmclear(ADDR(shadow));
	vmptrld(ADDR(hv->vmcs));
	vmwrite(F_VMREAD_BITMAP, ADDR(*bitmaps));
	vmwrite(F_VMWRITE_BITMAP, ADDR(*bitmaps) + PAGE_SIZE);
	vmwrite(F_LINK_POINTER, ADDR(shadow));
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_SHADOWING);
	return shadow;
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

static const struct nested_case cases[] = {
	CASE("access", shadow_access, .later = SECONDARY_SHADOWING),
	CASE("bitmaps", shadow_bitmaps, .later = SECONDARY_SHADOWING),
	CASE("no link pointer", shadow_no_link, .later = SECONDARY_SHADOWING),
	CASE("link pointer", shadow_kind, .later = SECONDARY_SHADOWING),
};

void test_nested_shadow(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
