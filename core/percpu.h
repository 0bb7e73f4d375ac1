/* SPDX-License-Identifier: GPL-2.0-only */
/* What core keeps for each CPU. */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include "fetch.h"
#include "layout.h"
#include "types.h"

#define LEAVE_GDT_ENTRIES	512
#define HISTORY_SIZE	16	/* a power of two */
#define EPT_SWITCHES	8	/* pairs of views that the guest can enter by VMFUNC */

/**
 * struct exit_record - one VM exit, for the dump after a failure
 */
struct exit_record {
	u32 reason;
	u64 rip;
};

/**
 * struct step_view - this CPU's own EPT for the one instruction that may write
 * @pml4: private copies of the tables that lead to the written chunk
 * @pdpt: "
 * @pd: "
 * @pt: 512 entries, all the frame @sink; or a copy with the written page writable
 * @sink: takes the write; cleared behind each step
 * @active: a step is under way
 * @hidden: it is for a write to core's memory, which goes nowhere
 */
struct step_view {
	u64 *pml4, *pdpt, *pd, *pt;
	void *sink;
	bool active;
	bool hidden;
};

enum keeper { KEEPER_GUARD, KEEPER_SWITCH, KEEPER_NESTED, KEEPERS };

/**
 * struct keep - changes of the guest's that exit: see cr_keep()
 * @cr0: bits of CR0
 * @cr4: bits of CR4
 * @tables: GDTR, IDTR, LDTR and TR; then the instructions that read them exit too
 */
struct keep {
	u64 cr0, cr4;
	bool tables;
};

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
} __attribute__((packed));

enum { IST_NMI = 1, IST_DF, IST_MC };

/**
 * struct percpu - one CPU
 * @self: address of this, for a load through GS
 * @nmi_pending: an NMI came in root mode and is the guest's; set by the NMI
 *               handler, cleared when it is injected
 * @vmlaunch: the current VMCS has not run since it was cleared
 * @index: number of the CPU, as the loader counts
 * @apic_id: its local APIC's id
 * @mode: enum latch_cpu_mode
 * @gpr: the guest's registers while an exit is handled
 * @canary: for BearSSL's code, which is compiled with stack protector
 * @page: the CPU page's frame, written for Linux to read
 * @change_over: the CPU page's private copy, at the loader's address
 * @window: page table entry of its window on the guest's memory
 * @vmxon: VMXON region
 * @vmcs: the VMCS, current on this CPU while it is launched
 * @msr_area: IA32_PERF_GLOBAL_CTRL of the guest, stored by exits, loaded by entries
 * @has_perf_control: @msr_area is in use
 * @guest_exits: the guest's state is in the VMCS, so the CPU can be given back
 * @leaving: NMIs have been blocked for the VMCALL that leaves
 * @loader: the state that the loader came with, and goes on with if a launch fails
 * @ept_seen: generation of the EPT that this CPU's TLB agrees with
 * @kicked: an INIT that comes is a kick, not the guest's
 * @init_wanted: the guest sends this CPU an INIT; the kick beside it says so
 * @held: this CPU stands still for another (quiesce.c)
 * @apic_ldr: the APIC's logical destination, in xAPIC mode, if ICR writes exit
 * @apic_dfr: its format
 * @apic_base: IA32_APIC_BASE, as the guest has written it
 * @apic_off: the guest has disabled its APIC
 * @mtf: reasons to have the monitor trap flag on (MTF_*)
 * @step: see struct step_view
 * @view: the EPT that this CPU is in; NULL: the common one (ept_view.c)
 * @eptp: EPT_POINTER as core has last seen it
 * @eptp_list: what the guest can put there itself, see ept_switch.c; or NULL
 * @switches: which views these are
 * @switches_seen: generation of the views that this CPU's list agrees with
 * @switching: enum switching
 * @keep: by whom, see cr_keep()
 * @efer_off: bits of EFER that the guest has set and that are off, see guard_regs.c
 * @nmi_blocked: NMIs were blocked before the instruction that MTF_REGS is for
 * @nested: nested VMX; NULL if the guest has none
 * @open: see ept_open.c; there while some hypapp needs it
 * @count: counters; copied to @page as they change
 * @history: the last exits
 * @history_next: exits so far
 * @fetched: instructions that have been decoded
 * @gdt: core's GDT
 * @leave_gdt: GDT to load the loader's TR from when leaving
 * @tss: core's TSS
 */
struct percpu {
	struct percpu *self;
	u32 nmi_pending;
	u32 vmlaunch;
	u32 apic_id;
	u32 mode;
	struct latch_gpr *gpr;
	struct latch_cpu_page *page;
	u64 canary;
	u32 index;
	struct latch_cpu_page *change_over;
	u64 *window;
	void *vmxon;
	void *vmcs;
	u64 *msr_area;
	u64 ept_seen;
	u32 kicked;
	u32 init_wanted;
	u32 held;
	u32 apic_ldr, apic_dfr;
	u64 apic_base;
	bool apic_off;
	bool guest_exits;
	bool leaving;
	bool has_perf_control;
	bool nmi_blocked;
	u8 mtf;
	struct step_view step;
	struct ept_view *view;
	struct ept_open *open;
	struct nested *nested;
	u64 eptp;
	u64 *eptp_list;
	struct ept_switch *switches[EPT_SWITCHES];
	u64 switches_seen;
	u8 switching;
	struct keep keep[KEEPERS];
	u64 efer_off;
	u64 count[LATCH_NR_STATS];
	struct exit_record history[HISTORY_SIZE];
	u32 history_next;
	struct fetch_slot fetched[FETCH_SLOTS];
	u64 gdt[6];
	u64 leave_gdt[LEAVE_GDT_ENTRIES];
	struct tss tss;
	struct latch_cpu_state loader;
};

#define MTF_STEP	1	/* a write to core's memory goes to the sink */
#define MTF_NMI		2	/* an NMI waits for the event before it */
#define MTF_REGS	8	/* one may change registers that a hypapp keeps */
#define MTF_OPEN	4	/* one instruction may do what hypapps deny */
#define MTF_L2		16	/* and one of L2 */

_Static_assert(sizeof(struct percpu) <= PERCPU_DATA_PAGES * PAGE_SIZE, "percpu slot");
_Static_assert(offsetof(struct percpu, self) == PERCPU_SELF, "offset");
_Static_assert(offsetof(struct percpu, canary) == PERCPU_CANARY, "offset");
_Static_assert(offsetof(struct percpu, nmi_pending) == PERCPU_NMI_PENDING, "offset");
_Static_assert(offsetof(struct percpu, vmlaunch) == PERCPU_VMLAUNCH, "offset");

static inline u64 percpu_slot(u32 cpu)
{
	return PERCPU_BASE + (u64)cpu * PERCPU_SLOT_SIZE;
}

static inline struct percpu *percpu_of(u32 cpu)
{
	return (struct percpu *)(percpu_slot(cpu) + PERCPU_DATA);
}

/** this_cpu - the CPU that runs this; valid once GS is core's */
static inline struct percpu *this_cpu(void)
{
	struct percpu *cpu;

	asm("mov %%gs:%c1, %0" : "=r" (cpu) : "i" (PERCPU_SELF));
	return cpu;
}

static inline void percpu_count(struct percpu *cpu, u32 stat)
{
	cpu->page->stats.count[stat] = ++cpu->count[stat];
}

u64 percpu_stat(const struct percpu *cpu, u32 stat);
int percpu_init(const struct latch_boot *boot);
void percpu_load(struct percpu *cpu);
void percpu_set_mode(struct percpu *cpu, u32 mode);

#endif
