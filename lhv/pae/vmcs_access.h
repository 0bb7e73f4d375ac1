/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMREAD and VMWRITE outside of 64-bit mode: operands of 32 bits. A field of 64 bits
 * takes two, of its two encodings.
 */
static inline u32 vmread_32(u32 field, u32 *value)
{
	u32 flags;

	asm volatile("vmread %2, %1\n\tpushf\n\tpop %0"
		     : "=r" (flags), "+r" (*value) : "r" (field) : "cc", "memory");
	return flags & VMFAIL_FLAGS;
}

static inline u32 vmwrite_32(u32 field, u32 value)
{
	u32 flags;

	asm volatile("vmwrite %2, %1\n\tpushf\n\tpop %0"
		     : "=r" (flags) : "r" (field), "r" (value) : "cc", "memory");
	return flags & VMFAIL_FLAGS;
}

static inline bool field_has_halves(u32 field)
{
	return FIELD_WIDTH(field) == WIDTH_64 && !(field & FIELD_HIGH);
}

static inline u32 vmread_flags(u64 field, u64 *value)
{
	u32 low = (u32)*value, high = field_has_halves((u32)field) ? *value >> 32 : 0;
	u32 flags = vmread_32((u32)field, &low);

	if (!flags && field_has_halves((u32)field))
		flags = vmread_32((u32)(field | FIELD_HIGH), &high);
	*value = low | (u64)high << 32;
	return flags;
}

/* The high half last, and always: of a field written as a whole VMWRITE clears it. */
static inline u32 vmwrite_flags(u64 field, u64 value)
{
	u32 flags = vmwrite_32((u32)field, (u32)value);

	if (!flags && field_has_halves((u32)field))
		flags = vmwrite_32((u32)(field | FIELD_HIGH), (u32)(value >> 32));
	return flags;
}
