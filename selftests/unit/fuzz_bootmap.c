// SPDX-License-Identifier: GPL-2.0-only
/* Addresses and sizes for the bootstrap page tables. */
#include "bootmap_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	bootmap_ref_run(&source);
	return 0;
}
