// SPDX-License-Identifier: GPL-2.0-only
/* Memory operands of instructions: encoded ones, and any bytes. */
#include "watch_size_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	if (source_chance(&source, 50))
		watch_size_ref_run(&source);
	else
		watch_size_ref_run_any(&source);
	return 0;
}
