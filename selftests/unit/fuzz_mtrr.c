// SPDX-License-Identifier: GPL-2.0-only
/* MTRRs with any contents, and a range, against brute force. */
#include "mtrr_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* All bits as the input has them, also those that the CPU would not let be. */
static void any_registers(struct mtrr_state *mtrr, u32 phys_bits, struct source *source)
{
	u32 i;

	mtrr_set_none(mtrr, phys_bits, 0);
	mtrr->def_type = source_take(source, 2);
	mtrr->has_fixed = (u32)source_below(source, 2);
	for (i = 0; mtrr->has_fixed && i < MTRR_FIXED_REGS; i++)
		mtrr->fixed[i] = source_take(source, 8);
	mtrr->nr_variable = (u32)source_below(source, 5);
	for (i = 0; i < mtrr->nr_variable; i++) {
		mtrr->base[i] = source_take(source, 8);
		mtrr->mask[i] = source_take(source, 8);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);
	u32 phys_bits = 32 + (u32)source_below(&source, 21);
	struct mtrr_state mtrr;
	bool uniform, ref_uniform;
	u8 type = 99, ref = 99;
	u64 start, length;

	if (source_chance(&source, 50))
		any_registers(&mtrr, phys_bits, &source);
	else
		mtrr_set_random(&mtrr, phys_bits, &source);
	/* Also beyond the last physical address, where core has no business. */
	start = source_take(&source, 7);
	length = 1 + source_below(&source, 1ull << source_below(&source, 25));
	uniform = mtrr_range_type(&mtrr, start, length, &type);
	ref_uniform = mtrr_ref_range(&mtrr, start, length, &ref);
	require(uniform == ref_uniform && type == ref,
		"%#llx + %#llx: uniform %d, type %u; by brute force %d, %u", start, length,
		uniform, type, ref_uniform, ref);
	return 0;
}
