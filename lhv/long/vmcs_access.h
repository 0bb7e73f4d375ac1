/* SPDX-License-Identifier: GPL-2.0-only */
/* VMREAD and VMWRITE of 64-bit mode: one for each field */
static inline u32 vmread_flags(u64 field, u64 *value)
{
	unsigned long flags;

	asm volatile("vmread %2, %1\n\tpushf\n\tpop %0"
		     : "=r" (flags), "+r" (*value) : "r" (field) : "cc", "memory");
	return (u32)flags & VMFAIL_FLAGS;
}

static inline u32 vmwrite_flags(u64 field, u64 value)
{
	unsigned long flags;

	asm volatile("vmwrite %2, %1\n\tpushf\n\tpop %0"
		     : "=r" (flags) : "r" (field), "r" (value) : "cc", "memory");
	return (u32)flags & VMFAIL_FLAGS;
}
