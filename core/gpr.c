// SPDX-License-Identifier: GPL-2.0-only
/* The guest's general-purpose registers, by number; RSP is in the VMCS. */
#include "gpr.h"
#include "vmx.h"

#define GPR_RSP	4

static const u8 gpr_offset[16] = {
	offsetof(struct latch_gpr, rax), offsetof(struct latch_gpr, rcx),
	offsetof(struct latch_gpr, rdx), offsetof(struct latch_gpr, rbx), 0,
	offsetof(struct latch_gpr, rbp), offsetof(struct latch_gpr, rsi),
	offsetof(struct latch_gpr, rdi), offsetof(struct latch_gpr, r8),
	offsetof(struct latch_gpr, r9), offsetof(struct latch_gpr, r10),
	offsetof(struct latch_gpr, r11), offsetof(struct latch_gpr, r12),
	offsetof(struct latch_gpr, r13), offsetof(struct latch_gpr, r14),
	offsetof(struct latch_gpr, r15)
};

/** gpr_read - all 64 bits of a register, @number as in ModRM with REX */
u64 gpr_read(const struct latch_gpr *gpr, u32 number)
{
	if (number == GPR_RSP)
		return vmread(VMCS_GUEST_RSP);
	return *(const u64 *)((const char *)gpr + gpr_offset[number & 15]);
}

/** gpr_write - change all 64 bits of a register */
void gpr_write(struct latch_gpr *gpr, u32 number, u64 value)
{
	if (number == GPR_RSP)
		vmwrite(VMCS_GUEST_RSP, value);
	else
		*(u64 *)((char *)gpr + gpr_offset[number & 15]) = value;
}
