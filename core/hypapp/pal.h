/* SPDX-License-Identifier: GPL-2.0-only */
/* PALs, inside core; what programs see of them is in <linux/latch_pal.h>. */
#ifndef CORE_HYPAPP_PAL_H
#define CORE_HYPAPP_PAL_H

#include "ept_view.h"
#include "fpu.h"
#include "hypapp/pal_desc.h"
#include "percpu.h"

#define PAL_TABLES	40	/* page tables of a PAL, at most */
#define RFLAGS_IOPL	(BIT(12) | BIT(13))

struct pal_fast;

/**
 * struct pal_pages - the frames of a PAL, in a page of their own
 * @gpa: guest-physical address of each, in the order of the sections
 * @hidden: of those that are private
 */
struct pal_pages {
	u64 gpa[LATCH_PAL_PAGES];
	u64 hidden[LATCH_PAL_PAGES];
};

/**
 * struct pal_context - registers of a CPU at CPL 3
 */
struct pal_context {
	struct latch_gpr gpr;
	u64 rip, rsp, rflags, fs_base, gs_base;
	u32 pkru;
};

/**
 * struct pal_segment - a segment register
 */
struct pal_segment {
	u64 selector, base, limit, access;
};

/**
 * struct pal_world - what the rest of the machine has set up, and no PAL sees
 * @segment: ES CS SS DS FS GS
 * @table: bases of LDTR, TR, GDTR and IDTR
 * @dr7: DR7
 * @debugctl: IA32_DEBUGCTL
 * @efer: IA32_EFER
 * @sysenter_cs: IA32_SYSENTER_CS
 * @perf_control: IA32_PERF_GLOBAL_CTRL
 * @cr3: CR3, of a nested guest's
 * @pkru: PKRU
 */
struct pal_world {
	struct pal_segment segment[6];
	u64 table[4];
	u64 dr7, debugctl, efer, sysenter_cs, perf_control, cr3;
	u32 pkru;
};

/**
 * struct pal_caller - what the caller gets back
 * @at: its registers at the entry point
 * @world: and what is not in them, as it was at the last entry or resumption
 * @fpu: control words
 * @back: where it goes on: the return address
 * @arg: its arguments
 */
struct pal_caller {
	struct pal_context at;
	struct pal_world world;
	struct fpu_control fpu;
	u64 back;
	u64 arg[LATCH_PAL_ARGS];
};

/**
 * struct pal - a registered PAL; a page
 * @view: the EPT in which it runs. Comes first
 * @desc: its description, checked
 * @handle: its number
 * @state: enum latch_pal_state, changed under the lock of pal.c
 * @cpu: index of the CPU that executes it
 * @closing: it is being unregistered
 * @nested: its process is a nested guest's
 * @root: page tables of its process, at CPL 3; a nested guest's physical address
 * @nr_pages: of @pages
 * @nr_hidden: private ones of them
 * @pages: its frames
 * @table: its own page tables; the first is the root
 * @nr_tables: how many
 * @fpu: its FPU and vector registers while it is preempted
 * @zeros: a page of zeros: their initial values
 * @components: what XCR0 has to be: else a kernel could have some of them left out
 * @efer: what IA32_EFER has to be, of the bits that the page tables depend on
 * @cr4: and CR4
 * @inside: its other registers then
 * @caller: see struct pal_caller
 * @entry: where it was entered
 * @fast: what it takes to be called without an exit, or NULL
 * @by_gate: a call has begun so
 * @away: @caller's world is put away
 * @calls: calls that have come back
 * @pcr: what it is and has been told, see LATCH_HC_PAL_PCR_EXTEND
 * @logged: lines that it has caused in the log
 */
struct pal {
	struct ept_view view;
	struct latch_pal_desc desc;
	u32 handle;
	u32 state;
	u32 cpu;
	bool closing;
	bool nested;
	u64 root;
	u32 nr_pages, nr_hidden;
	struct pal_pages *pages;
	u64 *table[PAL_TABLES];
	u32 nr_tables;
	void *fpu, *zeros;
	u64 components;
	u64 efer, cr4;
	struct pal_context inside;
	struct pal_caller caller;
	const struct latch_pal_entry *entry;
	struct pal_fast *fast;
	bool by_gate, away;
	u64 calls;
	u32 logged;
	u8 pcr[LATCH_PAL_PCRS][LATCH_PAL_PCR_SIZE];
};

_Static_assert(offsetof(struct pal, view) == 0, "the view is the PAL");
_Static_assert(sizeof(struct pal) <= PAGE_SIZE, "a page");
_Static_assert(sizeof(struct pal_pages) == PAGE_SIZE, "a page");

static inline bool pal_is_32(const struct pal *pal)
{
	return pal->desc.flags & LATCH_PAL_32;
}

/* pal.c */
bool pal_claim(struct percpu *cpu, struct pal *pal);
void pal_release(struct percpu *cpu, struct pal *pal, u32 state);
bool pal_may_log(struct pal *pal);

/* pal_grant.c */
bool pal_grant_any(void);
bool pal_grant_has(u64 gpa);
int pal_grant_add(const u64 *gpa, u32 count);
void pal_grant_remove(const u64 *gpa, u32 count);
void pal_grant_end(void);

/* pal_space.c */
int pal_space_make(struct pal *pal, u64 frames);
void pal_space_free(struct pal *pal);
int pal_space_map(struct pal *pal, u64 linear, u64 gpa, u32 type);
u64 pal_space_gpa(const struct pal *pal, u64 linear);
u64 pal_space_root(const struct pal *pal);
void pal_space_copy(struct percpu *cpu, const struct pal *pal, u64 linear, void *buf, u32 size,
		    bool write);
void pal_space_clear(struct percpu *cpu, const struct pal *pal, u64 linear, u32 size);
void pal_space_wipe(struct percpu *cpu, const struct pal *pal);

/* pal_world.c */
void pal_world_undo_system_call(void);
void pal_world_remember(struct pal *pal);
bool pal_world_is_right(struct percpu *cpu, const struct pal *pal);
void pal_world_put_away(struct percpu *cpu, struct pal *pal);
void pal_world_bring_back(struct percpu *cpu, struct pal *pal);

/* pal_args.c */
bool pal_args_take(struct percpu *cpu, struct pal *pal, struct pal_context *to);
bool pal_args_give(struct percpu *cpu, struct pal *pal);

/* pal_run.c */
void pal_run_enter(struct percpu *cpu, struct pal *pal, const struct latch_pal_entry *entry);
void pal_run_resume(struct percpu *cpu, struct pal *pal);
void pal_run_init_view(struct pal *pal);
struct pal *pal_run_current(struct percpu *cpu);

/* pal_fast.c */
int pal_fast_make(struct percpu *cpu, struct pal *pal);
void pal_fast_publish(struct percpu *cpu, struct pal *pal);
bool pal_fast_withdraw(struct percpu *cpu, struct pal *pal);
void pal_fast_free(struct pal *pal);
bool pal_fast_lock(struct percpu *cpu, const struct pal *pal);
void pal_fast_unlock(struct percpu *cpu, const struct pal *pal);
u64 pal_fast_calls(struct percpu *cpu, const struct pal *pal);
void pal_fast_convert(struct percpu *cpu);
bool pal_fast_end(struct percpu *cpu, struct pal *pal);

/* pal_service.c */
int pal_service_enable(void);
int pal_service_measure(struct percpu *cpu, struct pal *pal);
long pal_service(struct percpu *cpu);
long pal_service_public_key(struct percpu *cpu);

#endif
