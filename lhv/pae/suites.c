// SPDX-License-Identifier: GPL-2.0-only
/* The list of tests. Their order is part of the output that is compared. */
#include "../tests/tests.h"

const struct test_suite suites[] = {
	{ "nested-caps", test_nested_caps },
};

const u32 nr_suites = ARRAY_SIZE(suites);
