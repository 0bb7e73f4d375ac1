// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fetch and decode the instruction that the guest is at.
 *
 * The same few instructions exit again and again. What was decoded before counts
 * again if all page table entries on the way to it and its bytes are what they
 * were: nothing is assumed that has not been looked at.
 */
#include "core.h"
#include "ept_view.h"
#include "fetch.h"
#include "guest.h"
#include "paging.h"
#include "pool.h"
#include "vmx.h"

static enum code_size code_size(u64 efer, u32 access)
{
	if (efer & EFER_LMA && access & SEGMENT_L)
		return CODE_64;
	return access & SEGMENT_DB ? CODE_32 : CODE_16;
}

static const volatile u64 *look(const struct percpu *cpu, u64 gpa)
{
	return paging_window(cpu, gpa, PTE_PRESENT | PTE_NX);
}

/* None of its frames is core's: a slot that is in use was filled by walk_address(). */
static bool slot_is_true(const struct percpu *cpu, const struct fetch_slot *slot)
{
	const volatile u64 *bytes;
	u32 i;

	for (i = 0; i < slot->path.depth; i++)
		if (*look(cpu, slot->path.gpa[i]) != slot->path.entry[i])
			return false;
	if (ept_view_hides() && ept_view_is_hidden(slot->gpa))
		return false;
	bytes = look(cpu, slot->gpa);
	return bytes[0] == slot->bytes[0] && bytes[1] == slot->bytes[1];
}

static u32 fetch_part(const struct percpu *cpu, const struct guest_paging *paging, u64 linear,
		      u8 *bytes, u32 size, struct fetch_slot *slot)
{
	u64 pa;

	if (!walk_address(paging, linear, &slot->gpa, &slot->path) ||
	    !ept_view_access(slot->gpa, EPT_READ, &pa) || pa != slot->gpa)
		return 0;
	memcpy(bytes, (const void *)look(cpu, slot->gpa), size);
	return size;
}

/* What is behind the end of a page is fetched too, but not remembered. */
static u32 fill_bytes(const struct percpu *cpu, const struct guest_paging *paging,
		      struct fetch_slot *slot)
{
	u32 part = PAGE_SIZE - slot->linear % PAGE_SIZE, size;
	u8 *bytes = (u8 *)slot->bytes;

	if (part > FETCH_SIZE)
		part = FETCH_SIZE;
	size = fetch_part(cpu, paging, slot->linear, bytes, part, slot);
	if (size && part < FETCH_SIZE)
		size += fetch_part(cpu, paging, slot->linear + part, bytes + part,
				   FETCH_SIZE - part, slot);
	/* In legacy PAE mode a path begins at PDPTEs, which are not looked at again. */
	if (part < FETCH_SIZE || !(paging->efer & EFER_LMA))
		slot->linear = ~0ull;
	return size;
}

static void locate(struct fetch_slot *slot)
{
	slot->linear = vmread(VMCS_GUEST_RIP);
	slot->cr3 = vmread(VMCS_GUEST_CR3);
	slot->code = code_size(vmread(VMCS_GUEST_EFER), (u32)vmread(VMCS_GUEST_CS_ACCESS));
	if (slot->code != CODE_64)
		slot->linear = (u32)(slot->linear + vmread(VMCS_GUEST_CS_BASE));
}

/**
 * fetch_bytes - the bytes of the instruction that the guest is at
 * @cpu: this CPU
 * @bytes: out
 * @code: out: how they are to be decoded
 *
 * Return: how many there are.
 */
u32 fetch_bytes(const struct percpu *cpu, u8 bytes[FETCH_SIZE], enum code_size *code)
{
	struct guest_paging paging;
	struct fetch_slot slot;
	u32 size;

	locate(&slot);
	guest_read_mode(&paging);
	size = fill_bytes(cpu, &paging, &slot);
	memcpy(bytes, slot.bytes, size);
	*code = slot.code;
	return size;
}

/**
 * fetch_instruction - decode the instruction that the guest is at
 * @cpu: this CPU
 *
 * The CPU has just fetched it itself, so rights need no check. Context: root mode.
 * Return: it, until the next call; NULL if the decoder does not know it, or it is not
 * there any more.
 */
const struct insn *fetch_instruction(struct percpu *cpu)
{
	struct guest_paging paging;
	struct fetch_slot at, *slot;
	u32 size;

	locate(&at);
	slot = &cpu->fetched[(at.linear ^ at.linear >> 4) % FETCH_SLOTS];
	if (slot->linear == at.linear && slot->cr3 == at.cr3 && slot->code == at.code &&
	    slot->insn.length && slot_is_true(cpu, slot))
		return &slot->insn;
	slot->linear = at.linear;
	slot->cr3 = at.cr3;
	slot->code = at.code;
	guest_read_mode(&paging);
	size = fill_bytes(cpu, &paging, slot);
	if (decode(&slot->insn, (u8 *)slot->bytes, size, slot->code))
		return &slot->insn;
	slot->insn.length = 0;
	return NULL;
}
