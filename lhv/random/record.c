// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is recorded of a case: it goes into a digest, and is printed if that is asked for.
 * What the SDM leaves undefined does not belong here.
 */
#include "random.h"

#define PRIME		0x100000001b3ull	/* FNV */
#define UNUSABLE	BIT(16)

static void digest_add(struct rnd *r, u64 value)
{
	r->digest = (r->digest ^ value) * PRIME;
	r->digest ^= r->digest >> 29;
}

/** record_begin - begin a record: a group of values of which a run prints one line */
void record_begin(struct rnd *r, const char *name, u32 number)
{
	random_trail_begin(r, name, number);
}

void record_value(struct rnd *r, const char *name, u64 value)
{
	digest_add(r, value);
	random_trail_value(r, name, value);
}

void record_end(struct rnd *r)
{
	digest_add(r, r->exits);
}

static void put(void *arg, const char *name, u64 value)
{
	record_value(arg, name, value);
}

/*
 * May RAX, RCX, RDX, RBX and R11 have the time, or a random number: the guest is between
 * RDTSC, say, and what clears them, or in a handler of what came there.
 */
static bool has_time(struct rnd *r)
{
	u64 at = (r->hv->exit.rip - random_slot(r, 0)) / SLOT_SIZE;

	if (at >= SLOTS)
		return r->timed >> r->seen;
	r->seen = (u32)at > r->seen ? (u32)at : r->seen;
	return r->timed >> at & 1;
}

static void record_registers(struct rnd *r)
{
	static const char * const names[] = {
		"rax", "rcx", "rdx", "rbx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
		"r13", "r14", "r15",
	};
	const u64 *regs = &r->hv->regs.rax;
	u32 skipped = has_time(r) ? 0x40f : 0, i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!(skipped >> i & 1))
			record_value(r, names[i], regs[i]);
}

/* SDM vol. 3, 28.2.1 and 28.2.5: what INS, OUTS and LMSW have besides */
static void record_operand(struct rnd *r)
{
	const struct hv_exit *exit = &r->hv->exit;

	if (exit->reason == REASON_IO && exit->qualification & BIT(4)) {
		record_value(r, "linear", exit->linear);
		if (hv_cap(MSR_VMX_BASIC) & BASIC_INS_OUTS)
			record_value(r, "io", exit->instruction &
				     (exit->qualification & BIT(3) ? 0x380 : 0x38380));
	}
	if (exit->reason == REASON_CR && (exit->qualification & 0x70) == 0x70)
		record_value(r, "linear", exit->linear);
}

/* What is found first if several things are wrong is not defined (SDM vol. 3, 27.3.1.5). */
static bool is_vague(const struct rnd *r)
{
	u32 reason = r->hv->exit.reason;

	if (!(reason & REASON_ENTRY_FAILED))
		return false;
	return vmread(F_LINK_POINTER) != ~0ull;
}

/** record_exit - the last exit, and the guest's registers */
void record_exit(struct rnd *r)
{
	struct hv_sink sink = { put, r };

	record_begin(r, "exit", r->exits);
	/* When that is, is not the same with core. */
	if (r->hv->exit.reason == REASON_TIMER || is_vague(r)) {
		record_value(r, "end", r->hv->exit.reason == REASON_TIMER);
		record_end(r);
		return;
	}
	hv_exit_fields(r->hv, &sink);
	record_operand(r);
	if (!r->hv->exit.flags)
		record_registers(r);
	record_end(r);
}

/* --- the end */

struct named {
	const char *name;
	u32 field;
};
#define NAMED(name)	{ #name, F_##name }

static const struct named guest_fields[] = {
	NAMED(GUEST_CR0), NAMED(GUEST_CR3), NAMED(GUEST_CR4), NAMED(GUEST_DR7), NAMED(GUEST_RSP),
	NAMED(GUEST_RIP), NAMED(GUEST_RFLAGS), NAMED(GUEST_GDTR_BASE), NAMED(GUEST_IDTR_BASE),
	NAMED(GUEST_GDTR_LIMIT), NAMED(GUEST_IDTR_LIMIT), NAMED(GUEST_SYSENTER_CS),
	NAMED(GUEST_SYSENTER_ESP), NAMED(GUEST_SYSENTER_EIP), NAMED(GUEST_PAT),
	NAMED(GUEST_EFER), NAMED(GUEST_INTERRUPTIBILITY), NAMED(GUEST_ACTIVITY),
	NAMED(GUEST_PENDING_DEBUG), NAMED(LINK_POINTER), NAMED(ENTRY_CONTROLS),
	NAMED(ENTRY_EVENT), NAMED(PML_INDEX), NAMED(GUEST_INTERRUPT_STATUS),
	NAMED(PRIMARY_CONTROLS), NAMED(CR0_SHADOW), NAMED(CR4_SHADOW),
	NAMED(GUEST_S_CET), NAMED(GUEST_SSP), NAMED(GUEST_SSP_TABLE), NAMED(GUEST_PKRS),
};

static const char * const segments[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

/* SDM vol. 3, 28.3.2: of a segment that is unusable not all is defined. */
static void record_segment(struct rnd *r, u32 i)
{
	u32 at = 2 * i, access = (u32)vmread(F_GUEST_ES_ACCESS + at);
	bool usable = !(access & UNUSABLE), base = usable || (i >= 4 && i <= 5);

	record_begin(r, segments[i], r->exits);
	record_value(r, "selector", vmread(F_GUEST_ES + at));
	record_value(r, "access", usable ? access : access & UNUSABLE);
	if (base)
		record_value(r, "base", vmread(F_GUEST_ES_BASE + at));
	if (usable)
		record_value(r, "limit", vmread(F_GUEST_ES_LIMIT + at));
	record_end(r);
}

/** random_has_cet - has the CPU shadow stacks */
bool random_has_cet(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & BIT(7);
}

/** random_is_pae - does the guest have PDPTEs in the VMCS */
bool random_is_pae(void)
{
	/* The first is what nearly all guests end with: each VMREAD may be an exit to core. */
	return !(vmread(F_ENTRY_CONTROLS) & ENTRY_IA32E) &&
	       vmread(F_SECONDARY_CONTROLS) & SECONDARY_EPT &&
	       vmread(F_PRIMARY_CONTROLS) & PRIMARY_SECONDARY &&
	       vmread(F_GUEST_CR4) & CR4_PAE && vmread(F_GUEST_CR0) & CR0_PG;
}

static void record_vmcs(struct rnd *r)
{
	u32 i;

	record_begin(r, "guest state", r->exits);
	for (i = 0; i < ARRAY_SIZE(guest_fields); i++)
		record_value(r, guest_fields[i].name, vmread(guest_fields[i].field));
	for (i = 0; i < 4 && random_is_pae(); i++)
		record_value(r, "PDPTE", vmread(F_GUEST_PDPTE0 + 2 * i));
	record_end(r);
	for (i = 0; i < ARRAY_SIZE(segments); i++)
		record_segment(r, i);
}

static const struct named cpu_msrs[] = {
	{ "STAR", MSR_STAR }, { "LSTAR", MSR_LSTAR }, { "CSTAR", MSR_CSTAR },
	{ "FMASK", MSR_FMASK },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE }, { "FS_BASE", MSR_FS_BASE },
	{ "GS_BASE", MSR_GS_BASE }, { "SYSENTER_CS", MSR_SYSENTER_CS },
	{ "SYSENTER_ESP", MSR_SYSENTER_ESP }, { "SYSENTER_EIP", MSR_SYSENTER_EIP },
	{ "PAT", MSR_PAT }, { "EFER", MSR_EFER }, { "DEBUGCTL", MSR_DEBUGCTL },
};

static u64 selectors(void)
{
	u16 ds, es, fs, gs;

	asm volatile("movw %%ds, %0\n\tmovw %%es, %1\n\tmovw %%fs, %2\n\tmovw %%gs, %3"
		     : "=r" (ds), "=r" (es), "=r" (fs), "=r" (gs));
	return ds | (u64)es << 16 | (u64)fs << 32 | (u64)gs << 48;
}

static u64 tables(void)
{
	u16 ss, tr, ldtr;

	asm volatile("movw %%ss, %0\n\tstr %1\n\tsldt %2" : "=r" (ss), "=r" (tr), "=r" (ldtr));
	return ss | (u64)tr << 16 | (u64)ldtr << 32 | (u64)read_gdtr().limit << 48;
}

/*
 * Core executes the entry-load list before the CPU checks the guest state: where that
 * fails, these MSRs have been loaded already (nested.md, limits).
 */
static bool has_msrs(const struct rnd *r)
{
	return r->hv->exit.reason != (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) ||
	       !vmread(F_ENTRY_MSR_LOAD_COUNT);
}

static void record_cpu(struct rnd *r)
{
	bool msrs = has_msrs(r);
	u32 i;

	record_begin(r, "CPU", r->exits);
	record_value(r, "cr0", read_cr0());
	record_value(r, "cr2", read_cr2());
	record_value(r, "cr3", read_cr3());
	record_value(r, "cr4", read_cr4());
	record_value(r, "cr8", read_cr8());
	record_value(r, "dr0", read_dr0());
	record_value(r, "dr6", read_dr6());
	record_value(r, "dr7", read_dr7());
	record_value(r, "ds-es-fs-gs", selectors());
	record_value(r, "ss-tr-ldtr-gdt", tables());
	record_value(r, "idt", read_idtr().limit ^ read_idtr().base);
	for (i = 0; i < ARRAY_SIZE(cpu_msrs) && msrs; i++)
		record_value(r, cpu_msrs[i].name, rdmsr(cpu_msrs[i].field));
	record_end(r);
}

#define WORDS	512u

/* Return: the first word from @i on that is not the same, WORDS if all are */
static u32 next_different(const u64 *page, const u64 *before, u32 i)
{
	u64 count = WORDS - i;
	bool differs;

	if (!count)
		return WORDS;
	page += i;
	before += i;
	asm("repe cmpsq"
	    : "+S" (page), "+D" (before), "+c" (count), "=@ccne" (differs) : : "memory");
	return differs ? WORDS - 1 - (u32)count : WORDS;
}

/* A page that is what it was adds nothing: nearly all are. */
static void digest_page(struct rnd *r, u32 number, const u64 *page, const u64 *before)
{
	u32 i = next_different(page, before, 0);

	for (; i < WORDS; i = next_different(page, before, i + 1)) {
		digest_add(r, number << 16 | i);
		digest_add(r, page[i]);
		random_trail_word(r, 8 * i, page[i]);
	}
}

static void record_page(struct rnd *r, const char *name, u32 number, u64 page, u32 at)
{
	const u64 *before = (const u64 *)(r->start + at * PAGE_SIZE);

	record_begin(r, name, number);
	digest_page(r, at, PTR(page), before);
}

static void record_host_page(struct rnd *r, const char *name, u32 number, u32 page)
{
	record_page(r, name, number, host_page(r, page), RAM_PAGES + page);
}

static void record_memory(struct rnd *r)
{
	static const u8 host_pages[] = { HP_VIRTUAL_APIC, HP_PML, HP_VE, HP_EXIT_STORE };
	u32 i;

	for (i = 0; i < PG_COUNT; i++)
		record_page(r, "page", i, ram_page(r, i), i);
	record_page(r, "page", PG_HOLE, ram_page(r, PG_HOLE), PG_HOLE);
	for (i = 0; i < ARRAY_SIZE(host_pages); i++)
		record_host_page(r, "page of the hypervisor", host_pages[i], host_pages[i]);
	for (i = HP_EPT_PML4; i <= HP_EPT2_PT; i++)
		record_host_page(r, "page of the EPT", i - HP_EPT_PML4, i);
}

/** record_final - all that can be seen when the case has ended */
void record_final(struct rnd *r)
{
	bool timer = r->hv->exit.reason == REASON_TIMER;

	/* Then the guest has been stopped anywhere. */
	if (timer)
		return;
	record_cpu(r);
	if (r->entered)
		record_vmcs(r);
	record_memory(r);
	random_shadow_record(r);
}
