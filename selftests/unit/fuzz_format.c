// SPDX-License-Identifier: GPL-2.0-only
/* Formats of the supported subset against snprintf(), any others for the bounds. */
#include "format_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	if (source_take(&source, 1) & 1)
		format_ref_run(&source);
	else
		format_ref_run_any(&source);
	return 0;
}
