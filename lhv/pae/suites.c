// SPDX-License-Identifier: GPL-2.0-only
/* The list of tests. Their order is part of the output that is compared. */
#include "../tests/tests.h"

const struct test_suite suites[] = {
	{ "nested-caps", test_nested_caps },
	{ "nested-instructions", test_nested_instructions },
	{ "nested-pae", test_nested_pae },
	{ "nested-basic", test_nested_basic },
	{ "nested-controls", test_nested_controls },
	{ "nested-exceptions", test_nested_exceptions },
	{ "nested-events", test_nested_events },
	{ "nested-entry", test_nested_entry },
	{ "nested-interrupts", test_nested_interrupts },
	{ "nested-nmi", test_nested_nmi },
	{ "nested-vpid", test_nested_vpid },
	{ "nested-state", test_nested_state },
	{ "nested-vapic", test_nested_vapic },
	{ "nested-shadow", test_nested_shadow },
	{ "nested-options", test_nested_options },
	{ "nested-smp", test_nested_smp },
	{ "nested-modes", test_nested_modes },
	{ "nested-ept", test_nested_ept },
	{ "nested-ept-more", test_nested_ept_more },
	{ "nested-ept-tables", test_nested_ept_tables },
};

const u32 nr_suites = ARRAY_SIZE(suites);
