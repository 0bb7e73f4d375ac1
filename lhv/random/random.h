/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The random mode: cases made of a seed and a number, run on the bare CPU and with core
 * underneath. Here is nothing right or wrong but that both runs give the same digest.
 *
 * A case is a list of choices. Each is of some kind and has a few random numbers, which
 * do not depend on the other choices: a mask can leave some out.
 */
#ifndef LHV_RANDOM_H
#define LHV_RANDOM_H

#include "../hv/hv.h"

#define MAX_CHOICES	40
#define MAX_EXITS	24
#define SLOTS		16
#define SLOT_SIZE	128

/*
 * The guest's memory, an identity map. It reaches nothing else: what it runs may be any
 * bytes in any mode.
 */
#define RAM_ALIGN	(4ull << 20)
#define USER_ALIAS	SIZE_2M		/* the same pages for CPL 3, above */
enum {
	PG_CODE, PG_STUBS, PG_IDT, PG_IDT32, PG_TABLES, PG_STACK, PG_IST, PG_DATA, PG_DATA2,
	PG_APIC, PG_PML4, PG_PDPT, PG_PD, PG_PT, PG_PT_USER, PG_PD32, PG_PT32, PG_PML4_OTHER,
	PG_ZERO, PG_COUNT,
	PG_LAPIC = 28,	/* the local APIC of the CPU, if a choice maps it */
	PG_HOLE = 30,	/* in no page table, with memory behind it */
	RAM_PAGES = 64,
};
/* Pages of the hypervisor's that VMCS fields name */
enum {
	HP_MSR_BITMAP, HP_IO_A, HP_IO_B, HP_VIRTUAL_APIC, HP_PML, HP_VE, HP_EPTP_LIST,
	HP_VMREAD, HP_VMWRITE, HP_POSTED, HP_ENTRY_LOAD, HP_EXIT_STORE, HP_EXIT_LOAD,
	HP_EPT_PML4, HP_EPT_PDPT, HP_EPT_PD, HP_EPT_PT, HP_EPT2_PML4, HP_EPT2_PDPT,
	HP_EPT2_PD, HP_EPT2_PT, HP_CR3, HP_EPT_LAPIC, HP_COUNT,
};
#define STUB_SIZE	16
#define LAPIC_BASE	0xfee00000ull
#define PAE_OFFSET	32		/* PDPTEs of PAE paging, in PG_PDPT */
#define TSS_OFFSET	0x200
#define LDT_OFFSET	0x300

struct msr_entry {
	u32 msr, reserved;
	u64 value;
};

#define KEPT_MSRS	9

struct kept {
	u64 msr[KEPT_MSRS];
	u64 cr0, cr4;
};

struct rnd;
struct choice;

/**
 * struct kind - a kind of choice
 * @name: for people
 * @weight: how often
 * @apply: does it; the case's choice is @r->choice
 */
struct kind {
	const char *name;
	u32 weight;
	void (*apply)(struct rnd *r, const struct choice *choice);
};

/* When the kinds of a table are applied */
enum phase { PHASE_SETUP, PHASE_CODE, PHASE_LAST, PHASE_BETWEEN, PHASES };

/**
 * struct choice - one choice of a case
 * @at: in PHASE_BETWEEN: after so many exits
 * @v: random numbers
 */
struct choice {
	const struct kind *kind;
	enum phase phase;
	u32 at;
	u64 v[4];
};

/**
 * struct rnd - the case that runs
 * @hv: the hypervisor; its VMCS is the current one
 * @other: a second VMCS
 * @ram, @pages: the guest's memory, the hypervisor's pages
 * @state: of the generator
 * @choice, @count, @index: the choices; the one that is being applied
 * @mask: which choices are taken
 * @digest: of all that has been recorded
 * @exits: so far
 * @slots, @slot: pieces of code; where the guest is, which only grows
 * @opened: rights of the EPT that exits have given
 * @timed: pieces of code in which registers have the time, or a random number, for a moment
 * @seen: where the guest was at an exit, which only grows
 * @entered: the guest has run
 * @verbose: print choices
 * @shown: print records, see trail.c
 * @marks, @nr_marks, @nr_words: those so far; words of the page that is being recorded
 * @other_used: the second VMCS is not what it was at the start
 * @start: what @ram and then @pages have at the start of a case
 * @vmcs: a copy of the VMCS at the start of a case, NULL if it has to be written each time
 * @kept: registers of the CPU, to put back
 * @shadow, @shadow_start: a shadow VMCS; a copy of it at the start of a case
 * @shadow_used: the case has used it
 * @nmis: that the CPU has handled before the case
 * @sends_nmis: NMIs may come to the host
 */
struct rnd {
	struct hv *hv;
	void *other;
	u8 *ram, *pages;
	u64 seed, number, state;
	struct choice choice[MAX_CHOICES];
	u32 count, index;
	u64 mask;
	u64 digest;
	u32 exits, slots, slot, opened, steps, timed, seen;
	u64 code_base;
	bool verbose, shown, entered, other_used;
	struct mark *marks;
	u32 nr_marks, nr_words;
	u8 *start, *vmcs;
	struct kept kept;
	u32 *shadow, *shadow_start;
	bool shadow_used, sends_nmis;
	u64 nmis;
};

static inline u64 ram_page(const struct rnd *r, u32 page)
{
	return ADDR(r->ram) + page * PAGE_SIZE;
}

static inline u64 host_page(const struct rnd *r, u32 page)
{
	return ADDR(r->pages) + page * PAGE_SIZE;
}

/* random.c */
void random_line(bool begin);

/* trail.c */
void random_trail_alloc(struct rnd *r);
void random_trail_begin(struct rnd *r, const char *name, u32 number);
void random_trail_value(struct rnd *r, const char *name, u64 value);
void random_trail_word(struct rnd *r, u32 at, u64 value);
void random_trail_print(struct rnd *r);

/**
 * struct piece - instructions of the guest, for a slot of its code page
 * @name: for people
 * @code, @end: the text, which is only copied
 */
struct piece {
	const char *name;
	const char *code, *end;
};

/* The text of a piece. It gets values in EAX, ECX and EDX, each of 32 bits. */
#define SNIPPET(name, text) \
	extern const char snip_##name[], snip_##name##_end[]; \
	asm(".pushsection .rodata\nsnip_" #name ":\n\t" text "\nsnip_" #name "_end:\n.popsection")
#define PIECE(name)	{ #name, snip_##name, snip_##name##_end }

/* code.c */
void random_piece(struct rnd *r, const struct piece *piece, u32 eax, u32 ecx, u32 edx);
u32 random_data(const struct rnd *r, u64 v);

/* between.c */
void random_result(struct rnd *r, const char *name, u32 flags, u64 value);

/* choices.c */
u64 random_mix(u64 value);
void random_choose(struct rnd *r);
void random_apply(struct rnd *r, enum phase now, u32 at);
void say(struct rnd *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* kinds of choices, each list ends with one of weight 0 */
extern const struct kind random_controls[], random_fields[], random_events[], random_lists[];
extern const struct kind random_epts[], random_code[], random_between[], random_last[];
extern const struct kind random_shadow[], random_shadow_code[], random_shadow_between[];
extern const struct kind random_nmis[], random_nmi_code[], random_nmi_between[];

/* machine.c */
void random_alloc(struct rnd *r);
void random_begin(struct rnd *r);
void random_reset(struct rnd *r, bool longer);
void random_mend(struct rnd *r);
u64 random_eptp(const struct rnd *r);

/* record.c */
void record_begin(struct rnd *r, const char *name, u32 number);
void record_value(struct rnd *r, const char *name, u64 value);
void record_end(struct rnd *r);
void record_exit(struct rnd *r);
void record_final(struct rnd *r);
bool random_is_pae(void);
bool random_has_cet(void);

/* shadow.c */
void random_shadow_begin(struct rnd *r);
void random_shadow_reset(struct rnd *r);
void random_shadow_record(struct rnd *r);

/* nmi.c */
bool random_reflect_nmi(struct rnd *r);
void random_redo_iret(const struct rnd *r);
void random_nmi_settle(const struct rnd *r);
void random_nmi_end(struct rnd *r);

/* exit.c */
void random_guest(struct rnd *r);
u64 random_slot(const struct rnd *r, u32 slot);

#endif
