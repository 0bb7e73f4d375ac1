/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of nested VMX share. They run on the bare CPU, where all of them must
 * pass, and with core underneath, which has to give the same results and records.
 */
#ifndef LHV_NESTED_H
#define LHV_NESTED_H

#include "../tests.h"
#include "../../hv/hv.h"

/* Guest-physical and linear addresses where nothing is */
#define TEST_GPA	0x50000000ull
#define TEST_VA		WINDOW_BASE

/**
 * struct nested_case - one test
 * @name: its name; also what it is skipped by
 * @run: called in VMX root operation, with a VMCS that is filled and clear, interrupts
 *	 off; memory that it allocates and maps is taken back
 * @pin: controls that it needs, one member for each field of them; they are set
 * @later: secondary controls that it needs, and sets itself
 * @later_pin, @later_primary, @later_exit, @later_entry: the others of that kind
 * @ept: what it needs of IA32_VMX_EPT_VPID_CAP
 */
struct nested_case {
	const char *name;
	void (*run)(struct hv *hv);
	u32 pin, primary, secondary, exit, entry;
	u32 later, later_pin, later_primary, later_exit, later_entry;
	u64 ept;
};
#define CASE(title, fn, ...) { .name = title, .run = fn, __VA_ARGS__ }

void nested_run_on(u32 cpu, const struct nested_case *cases, u32 count);
void nested_run(const struct nested_case *cases, u32 count);
bool nested_exit(struct hv *hv, u32 reason, u64 qualification, u32 length, const char *what);
bool nested_exit_at(struct hv *hv, u32 reason, u64 qualification, u64 offset, const char *what);
bool nested_end(struct hv *hv, const char *what);
bool nested_fails(struct hv *hv, u32 error, const char *what);
void nested_try(struct hv *hv, const char *code, u64 arg);
u64 nested_vector(const struct hv *hv);

#endif
