// SPDX-License-Identifier: GPL-2.0-only
/* Page walks against walk_ref.c. */
#include "walk_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	walk_ref_run(&source);
	return 0;
}
