/* SPDX-License-Identifier: GPL-2.0-only */
/* State of core as a whole, and what the loader told it. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <latch/launch.h>
#include "types.h"

#define CORE_VERSION	LATCH_VERSION(0, 1, 0)

extern struct latch_boot boot;

/**
 * struct core_info - set at LATCH_OP_INIT, constant afterwards
 * @phys_mask: valid bits of a physical address
 * @outer: signature of the outer hypervisor, not empty when there is one
 * @outer_is_kvm: it is KVM: its hypercall rules are known
 * @nested: there is an outer hypervisor
 * @has_1g: the CPU's own paging has pages of 1 GiB
 * @has_shadow_stacks, @has_endbranch: the halves of CET that the CPU has
 * @has_pku: the CPU has protection keys for user pages
 * @has_xsave: the CPU has XSAVE
 * @may_have_perf_control: CPUID announces IA32_PERF_GLOBAL_CTRL, exits can clear it
 */
struct core_info {
	u64 phys_mask;
	char outer[13];
	bool nested;
	bool outer_is_kvm;
	bool has_1g;
	bool has_shadow_stacks;
	bool has_endbranch;
	bool has_pku;
	bool has_xsave;
	bool may_have_perf_control;
};

extern struct core_info core;

void core_main(struct latch_cpu_page *page, u32 op, u32 index) __attribute__((noreturn));

#endif
