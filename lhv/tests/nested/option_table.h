/* SPDX-License-Identifier: GPL-2.0-only */
/* Between test_option_table.c, which runs a guest, and options_*.c, what it runs with. */
#ifndef LHV_OPTION_TABLE_H
#define LHV_OPTION_TABLE_H

#include "nested.h"

/* Bits of a mask; the numbers are those of a table that other hypervisors have, too. */
#define OPT_MSR_LISTS	0x0001u
#define OPT_NO_IF	0x0002u
#define OPT_EPT		0x0004u
#define OPT_EPT_SWITCH	0x0008u
#define OPT_VPID	0x0010u
#define OPT_NO_PAGING	0x0020u
#define OPT_HOST_USER	0x0040u
#define OPT_VMXOFF	0x0080u
#define OPT_LARGE_PAGE	0x0100u
#define OPT_NO_INTERRUPT 0x0200u
#define OPT_MSR_BITMAP	0x0400u
#define OPT_GUEST_USER	0x0800u
#define OPT_DEVICE	0x1000u
#define OPT_ALL		0x1fffu

/* What a CPUID of the guest gets */
#define TABLE_CPUID	0x5eed0000u

/* Linear addresses: a page that two EPTs have in two places, two large pages, CPUs' own */
#define VA_SWITCH	TEST_VA
#define VA_LARGE	(TEST_VA + SIZE_2M)
#define VA_OWN(cpu)	(TEST_VA + (1 + (cpu)) * PAGE_SIZE)
#define GPA_LARGE	(TEST_GPA + SIZE_2M)
/* Nowhere in the EPT */
#define GPA_NOTHING	0x12340000ull

/**
 * struct table_msr - an entry of a list
 */
struct table_msr {
	u32 msr, reserved;
	u64 value;
};

/**
 * struct work - a CPU's part
 * @mask: options
 * @round: of the guest
 * @step: of an option that asks more than once in a round
 * @eptp: two EPTs
 * @lists: entry-load, exit-store and exit-load list, 32 entries each
 * @large: two large pages, which hold 0 and 1
 * @page: two pages of its own, which hold 0 and 1
 * @fields: room for all fields of a VMCS
 * @config: which MSR accesses are to exit; @msr_exits: which have
 * @configs: how many of them there were
 * @written: what the MSRs hold; @cstar: what the host's held
 * @banks: there are banks of machine checks
 * @current: the number that the guest has to read in a page
 * @interrupts, @devices: taken, by whomever
 * @exits: by reason
 * @found: digest of what the guest has found
 * @wrong: what was not expected; @where, @line: the first
 */
struct work {
	u32 mask, round, step;
	u64 eptp[2];
	struct table_msr *lists;
	u64 page[2], large;
	u64 *fields;
	u32 config, msr_exits, configs;
	u64 written[2], cstar;
	bool banks;
	u32 current;
	u32 interrupts, devices;
	u32 exits[REASON_XRSTORS + 1];
	u32 found;
	u32 wrong, line;
	const char *where;
	bool ended;
};

/**
 * struct table_option - an option
 * @bit: in the mask
 * @name: for who reads it
 * @needs, @excludes: other bits
 * @secondary: controls that it needs
 * @ept: and features of EPT
 * @setup: before the guest starts, in root operation
 * @guest: the guest's part of a round
 * @asked: the hypervisor's part, when the guest asks for it by table_ask()
 * @end: when the guest has ended
 */
struct table_option {
	u32 bit;
	const char *name;
	u32 needs, excludes;
	u32 secondary;
	u64 ept;
	void (*setup)(struct hv *hv, struct work *work);
	void (*guest)(struct work *work);
	void (*asked)(struct hv *hv, struct work *work);
	void (*end)(struct hv *hv, struct work *work);
};

/* test_option_table.c */
struct work *table_work(u32 cpu);
void table_ask(u32 bit);
void table_found(struct work *work, u64 value);
void table_expect_at(struct work *work, bool good, const char *where, u32 line);
#define table_expect(work, good) table_expect_at(work, good, __func__, __LINE__)

/* options_memory.c */
void opt_ept_setup(struct hv *hv, struct work *work);
void opt_ept_guest(struct work *work);
bool opt_ept_exit(struct hv *hv, struct work *work);
void opt_switch_guest(struct work *work);
void opt_switch_asked(struct hv *hv, struct work *work);
void opt_vpid_setup(struct hv *hv, struct work *work);
void opt_vpid_guest(struct work *work);
void opt_vpid_asked(struct hv *hv, struct work *work);
void opt_large_guest(struct work *work);
void opt_large_asked(struct hv *hv, struct work *work);
void opt_no_paging_guest(struct work *work);
void opt_no_paging_asked(struct hv *hv, struct work *work);

/* options_cpu.c */
void opt_lists_setup(struct hv *hv, struct work *work);
void opt_lists_guest(struct work *work);
void opt_lists_asked(struct hv *hv, struct work *work);
void opt_msr_setup(struct hv *hv, struct work *work);
void opt_msr_guest(struct work *work);
void opt_msr_asked(struct hv *hv, struct work *work);
void opt_msr_end(struct hv *hv, struct work *work);
bool opt_msr_exit(struct hv *hv, struct work *work);
void opt_vmxoff_guest(struct work *work);
void opt_vmxoff_asked(struct hv *hv, struct work *work);
void opt_host_user_guest(struct work *work);
void opt_host_user_asked(struct hv *hv, struct work *work);
void opt_guest_user_guest(struct work *work);
void opt_off_and_on(struct hv *hv, struct work *work, void (*between)(struct work *work));

/* options_interrupts.c */
#define TABLE_MODES	3u	/* L2 takes them; they exit; and are acknowledged */
void opt_interrupts_setup(struct hv *hv, struct work *work);
void opt_interrupts_guest(struct work *work);
void opt_interrupts_asked(struct hv *hv, struct work *work);
bool opt_interrupts_exit(struct hv *hv, struct work *work);
void opt_interrupts_end(struct hv *hv, struct work *work);

#endif
