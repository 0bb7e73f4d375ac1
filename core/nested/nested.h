/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested VMX: the guest is a hypervisor (L1) with guests of its own (L2).
 *
 * VMCS01 is core's VMCS for L1, VMCS12 what L1 writes (vmcs12.h), VMCS02 the VMCS that
 * the CPU uses while L2 runs: L2's state from VMCS12, and what both L1 and core want to
 * intercept. An exit of L2 is core's own or becomes one of VMCS12's for L1.
 *
 * Data flows one way: instruction.c (VMX instructions of L1), enter.c (VMCS12 to
 * VMCS02), the CPU, exit.c (VMCS02 to VMCS12), and ept.c beside them.
 */
#ifndef CORE_NESTED_NESTED_H
#define CORE_NESTED_NESTED_H

#include "nested/vmcs12.h"
#include "percpu.h"
#include "vmx.h"

#define NESTED_NO_POINTER	(~0ull)
#define NESTED_EPT_ROOTS	8
#define NESTED_VPID_FIRST	2	/* VPID 1 is L1's */
#define NESTED_VPIDS		8
#define NESTED_TRACKED		1024u	/* slots, see track.c */
#define NESTED_TRACK_BATCH	64
#define NESTED_NO_SLOT		NESTED_TRACKED
#define NESTED_ASK		(~0u)	/* no entry of an MSR list */
/* CET state and PKRS stay in the CPU while core runs: L2 has L1's if an entry loads none. */
#define NESTED_ENTRY_LIVE	(ENTRY_LOAD_CET | ENTRY_LOAD_PKRS)

/* One variable, so that no look at it can find half of a change. */
enum nested_mode { NESTED_OFF, NESTED_ROOT, NESTED_GUEST };

/**
 * struct nested_ept_root - EPT02 for one EPTP of L1's
 * @eptp: EPTP12, without bits that do not matter for it; 0: not in use
 * @root: the PML4 table
 * @stale: L1 has executed INVEPT for it: see what has changed before it is used
 * @behind: core's EPT has changed: likewise
 * @near: 2 MiB of L2's memory where the last walk of EPT12 has ended
 * @near_table: the table of EPT12 that maps them, or 0
 * @near_rights: what the entries above it allow
 * @used: when it was last used, to replace the oldest
 * @invepts: how often it has been compared with EPT12
 * @agrees: slots of tables of EPT12 that nobody has written to since they were compared
 */
struct nested_ept_root {
	u64 eptp;
	u64 *root;
	bool stale, behind;
	u64 near, near_table, near_rights;
	u64 used;
	u32 invepts;
	u64 agrees[NESTED_TRACKED / 64];
};

/**
 * struct nested_track - a page that core has read, see track.c
 */
struct nested_track {
	u64 gpa;
	u32 slot, generation;
};

/**
 * struct nested_missed - an access for L2 that L1's EPT does not allow
 * @address: L2's physical address
 * @linear: the linear address that has led there
 * @qualification: exit qualification that L1 is to get
 * @entry: of an EPT violation: the entry of EPT12 where it ends
 * @reason: exit reason; 0: no such access in this exit
 */
struct nested_missed {
	u64 address, linear, qualification, entry;
	u32 reason;
};

/**
 * struct nested - one CPU's
 * @mode: where L1 is: VMX off, in VMX root operation, or L2 runs
 * @launched: VMCS02 has run since it was cleared
 * @vmxon: VMXON pointer
 * @pointer: current-VMCS pointer, or NESTED_NO_POINTER
 * @vmcs12: copy of the current VMCS
 * @scratch: a page for a moment
 * @vmcs02: the VMCS of L2, current on the CPU while @mode is NESTED_GUEST
 * @msr_bitmap: of VMCS02
 * @msr_own: bitmap of VMCS01
 * @msr_track: bitmap of L1's that @msr_bitmap is made of
 * @io_bitmap: all ones, in place of a bitmap that L1 may not read
 * @sink: frame for what L1 names but may not reach
 * @dirty: VMCS02's controls are not those of @vmcs12, which are to be checked
 * @cold: VMCS02 has the guest state of VMCS12_COLD
 * @listed: VMCS12 has it too, as it was before the list of this entry
 * @shadow: shadow VMCS, where the CPU has VMCS shadowing; L1 reads and writes it
 * @revalidate: something that VMCS02 refers to may have become another's
 * @launching: the entry under way is a VMLAUNCH
 * @fresh: L1 has entered L2, which has not run since
 * @loading: the next entry loads NESTED_ENTRY_LIVE, or some of it
 * @bad_msr: entry of L1's entry-load list that has failed, from 1, or NESTED_ASK: core's fails
 * @perf_bits: bits that IA32_PERF_GLOBAL_CTRL can have
 * @init_blocked: an INIT came in VMX root operation, and waits
 * @icr: L2 is executing a write to the ICR, which goes to @sink
 * @stepped: address that one instruction of L2's is let; its RIP and RCX, to know it by
 * @faulted: address of the EPT violation that L1 has had as its last exit, or
 *	NESTED_NO_POINTER
 * @missed: what nested_translate() has not found
 * @entered_rip, @entered_event: RIP at the last entry of L2, and what it has injected; if
 *	MTF exits come of it
 * @mtf_lost: an MTF exit of L2's has given way to a kick
 * @timer_end: when the preemption timer of L2 is over, TSC
 * @vpid: VPID12 for which NESTED_VPID_FIRST and so on are used; 0: for none
 * @vpid_next: the next one to be used for another
 * @root: EPT02s
 * @current_root: that of the L2 that runs; NULL if L1 does not use EPT
 * @no_table: a root that maps nothing
 * @tick: counts entries, for struct nested_ept_root
 * @looked: slots of tables that are being compared
 */
struct nested {
	u32 mode;
	bool launched;
	u64 vmxon;
	u64 pointer;
	struct vmcs12 *vmcs12;
	struct vmcs12 *scratch;
	void *vmcs02;
	u8 *msr_bitmap;
	const u8 *msr_own;
	struct nested_track msr_track;
	u8 *io_bitmap;
	void *sink;
	bool dirty;
	bool cold;
	bool listed;
	void *shadow;
	bool revalidate;
	bool launching;
	bool fresh;
	bool loading;
	u32 bad_msr;
	u64 perf_bits;
	bool init_blocked;
	bool icr;
	u64 stepped, stepped_rip, stepped_rcx;
	u64 faulted;
	struct nested_missed missed;
	u64 entered_rip;
	u32 entered_event;
	bool mtf_lost;
	u64 timer_end;
	u16 vpid[NESTED_VPIDS];
	u32 vpid_next;
	struct nested_ept_root root[NESTED_EPT_ROOTS];
	struct nested_ept_root *current_root;
	u64 *no_table;
	u64 tick;
	u64 looked[NESTED_TRACKED / 64];
};

/**
 * struct nested_left - registers of L2's that an exit need not replace
 */
struct nested_left {
	u64 cr0, efer, pat;
};

/** nested_in_guest - does L2 run on this CPU */
static inline bool nested_in_guest(const struct percpu *cpu)
{
	return cpu->nested && cpu->nested->mode == NESTED_GUEST;
}

/** nested_is_on - is L1 in VMX operation */
static inline bool nested_is_on(const struct percpu *cpu)
{
	return cpu->nested && cpu->nested->mode != NESTED_OFF;
}

/** nested_secondary - secondary processor-based controls of VMCS12, 0 if they do not count */
static inline u32 nested_secondary(const struct vmcs12 *vmcs12)
{
	return vmcs12_get(vmcs12, VMCS_PRIMARY_CONTROLS) & PRIMARY_SECONDARY ?
	       (u32)vmcs12_get(vmcs12, VMCS_SECONDARY_CONTROLS) : 0;
}

/** nested_has_ept - does L2 run, with an EPT of L1's */
static inline bool nested_has_ept(const struct percpu *cpu)
{
	return nested_in_guest(cpu) && nested_secondary(cpu->nested->vmcs12) & SECONDARY_EPT;
}

/** nested_wants_mtf - does L2 run, and has L1 the monitor trap flag set for it */
static inline bool nested_wants_mtf(const struct percpu *cpu)
{
	return nested_in_guest(cpu) &&
	       vmcs12_get(cpu->nested->vmcs12, VMCS_PRIMARY_CONTROLS) & PRIMARY_MTF;
}

/** nested_mtf_is_lost - is an MTF exit of L1's to be made up for */
static inline bool nested_mtf_is_lost(const struct percpu *cpu)
{
	return nested_in_guest(cpu) && cpu->nested->mtf_lost;
}

/* nested.c */
int nested_init(struct percpu *cpu);
void nested_start(struct percpu *cpu, u64 vmxon);
void nested_unblock_init(struct percpu *cpu);
void nested_stop(struct percpu *cpu);
void nested_get_current(struct percpu *cpu, u64 pointer);
void nested_put_current(struct percpu *cpu);
void nested_sync(struct percpu *cpu);
void nested_handle_init(struct percpu *cpu);
bool nested_perf_control_is_valid(u64 value);

/* vpid.c */
u16 nested_vpid_use(struct percpu *cpu, u16 vpid);
void nested_vpid_invalidate(struct percpu *cpu, u16 vpid);

/* caps.c */
u32 nested_revision(void);
bool nested_cap_read(u32 msr, u64 *value);
bool nested_cap_allows(u32 msr, u64 controls);
bool nested_cap_fixed(u32 fixed0, u32 fixed1, u64 value);
bool nested_is_page(u64 gpa);
bool nested_cap_offers(u32 msr, u64 bits);
bool nested_offers_ept(u64 bits);
u32 nested_msr_list_max(void);
bool nested_offers_shadow(void);

/* instruction.c */
void nested_handle_instruction(struct percpu *cpu);
void nested_vmcall(struct percpu *cpu);
bool nested_handle_shadowed(struct percpu *cpu, bool write);
void nested_fail(struct percpu *cpu, u32 error);

/* check.c */
bool nested_eptp_is_valid(u64 eptp);
bool nested_pat_is_valid(u64 pat);
bool nested_efer_is_valid(u64 efer);
bool nested_check_controls(const struct vmcs12 *vmcs12);
bool nested_check_hot_controls(const struct vmcs12 *vmcs12);
bool nested_check_host(const struct vmcs12 *vmcs12, bool is_64, bool all);

/* shadow.c */
int nested_shadow_init(struct nested *nested);
void nested_shadow_start(struct percpu *cpu, bool on);
void nested_shadow_read(struct percpu *cpu);
void nested_shadow_write(struct percpu *cpu);

/* enter.c */
void nested_enter(struct percpu *cpu, bool launch);
void nested_set_bad_msr(struct percpu *cpu, u32 bad);
void nested_ept_load(struct percpu *cpu);
void nested_resume(struct percpu *cpu, bool again);

/* exit.c */
void nested_end_load(struct percpu *cpu);
bool nested_handle_exit(struct percpu *cpu, u32 reason);
void nested_exit(struct percpu *cpu, u32 reason, u64 qualification);
bool nested_comes_before_nmi(void);
void nested_exit_nmi(struct percpu *cpu);
bool nested_exit_fault(struct percpu *cpu, u32 info, u32 error, u64 linear);
bool nested_entry_failed(struct percpu *cpu, u64 rflags);
void nested_exit_entry(struct percpu *cpu, u32 reason, u64 qualification);
void nested_abort(struct percpu *cpu, u32 indicator) __attribute__((noreturn));

/* host.c */
void nested_host_load(struct percpu *cpu, const struct nested_left *left);

/* msr.c */
void nested_msr_merge(struct percpu *cpu, bool track);
bool nested_msr_is_kept(const struct percpu *cpu, u32 msr);
bool nested_msr_is_wanted(const struct percpu *cpu, bool write);
u32 nested_msr_load(struct percpu *cpu, u32 address, u32 count);
bool nested_msr_store(struct percpu *cpu);

/* track.c */
void nested_track_begin(struct percpu *cpu, u64 gpa, struct nested_track *at);
bool nested_track_is_same(const struct nested_track *at);
void nested_track_tables(struct percpu *cpu, const u64 *gpa, u32 count);
u32 nested_track_look(struct nested *nested, u64 gpa);
bool nested_track_agrees(const struct nested_ept_root *root, u32 slot);
void nested_track_agree(struct nested *nested, struct nested_ept_root *root);
void nested_track_forget(struct nested_ept_root *root);
void nested_track_handle_write(struct percpu *cpu, u64 gpa);
void nested_track_note_write(struct percpu *cpu, u64 gpa);
void nested_track_end(struct percpu *cpu);

/* view.c */
bool nested_in_view(const struct percpu *cpu);
void nested_view_leave(struct percpu *cpu);
bool nested_view_handle_exit(struct percpu *cpu, u32 reason);

/* translate.c */
bool nested_translate(u64 *gpa, u32 access);
void nested_exit_missed(struct percpu *cpu, u64 linear);
bool nested_repeat_vmcall(struct percpu *cpu);

/* ept.c */
void nested_ept_use(struct percpu *cpu, u64 eptp);
bool nested_ept_convert(struct percpu *cpu, const struct nested_missed *missed);
void nested_ept_handle_violation(struct percpu *cpu);
void nested_ept_foresee(struct percpu *cpu);
void nested_ept_end_step(struct percpu *cpu, bool done);
void nested_ept_kicked(struct percpu *cpu);
bool nested_ept_switch(struct percpu *cpu);
void nested_ept_invalidate(struct percpu *cpu, u64 eptp);
void nested_ept_follow(struct percpu *cpu);
void nested_ept_drop(struct percpu *cpu);

#endif
