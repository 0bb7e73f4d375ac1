// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that the decoder must know, and any bytes. */
#include "decode_ref.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	if (source_take(&source, 1) & 1)
		decode_ref_run(&source);
	else
		decode_ref_run_any(&source);
	return 0;
}
