// SPDX-License-Identifier: GPL-2.0-only
/* Descriptions of PALs: changes of right ones, and any bytes. */
#include "pal_desc_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	/* Bytes as they are seldom pass even the first check: few of them will do. */
	if (source_chance(&source, 90))
		pal_desc_ref_run(&source);
	else
		pal_desc_ref_run_any(&source);
	return 0;
}
