// SPDX-License-Identifier: GPL-2.0-only
/* Sequences of operations on the EPT, against the reference. */
#include "ept_model.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct source source = source_bytes(data, size);

	ept_ops_run(&source, model_windows_narrow, 30);
	return 0;
}
