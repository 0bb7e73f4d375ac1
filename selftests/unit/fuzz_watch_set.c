// SPDX-License-Identifier: GPL-2.0-only
/* Sequences of operations on the watchpoints, against arrays. */
#include "watch_set_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	watch_set_ref_run(&source);
	return 0;
}
