// SPDX-License-Identifier: GPL-2.0-only
/*
 * Task switches (SDM vol. 3, 8.3 and 26.4.2). They always exit, and exist only
 * outside of IA-32e mode: for a 32-bit kernel that was started under Latch.
 *
 * What the CPU checks before the exit (gates, type and privilege of the new TSS)
 * is not checked again. Faults before the old state has been saved are the old
 * task's, later ones the new task's. A fault while an event is delivered through
 * a task gate is given as such, not made a double fault.
 */
#include "event.h"
#include "gpr.h"
#include "guest.h"
#include "task.h"
#include "vmx.h"

#define VECTOR_TS	10
#define VECTOR_NP	11
#define VECTOR_SS	12

#define CR0_TS		BIT(3)
#define DR6_BT		BIT(15)
#define DR7_LOCAL	0x155u	/* L0 to L3, LE */
#define FLAGS_KNOWN	0x3f7fd5u

#define DESC_TYPE	0xfu
#define DESC_BUSY	2u
#define DESC_TSS	1u	/* with 2 and 8 */
#define DESC_32BIT_TSS	8u
#define DESC_S		BIT(4)
#define DESC_PRESENT	BIT(7)
#define TYPE_ACCESSED	1u
#define TYPE_WRITE	2u	/* of data; of code: read */
#define TYPE_CONFORMING	4u
#define TYPE_CODE	8u
#define TYPE_LDT	2u
#define ACCESS_V86	0xf3u
#define ACCESS_CODE	0x9bu

#define TSS32_SIZE	0x68u
#define TSS16_SIZE	0x2cu
#define SELECTOR_TI	4u
#define SELECTOR_RPL	3u

enum source { SOURCE_CALL, SOURCE_IRET, SOURCE_JMP, SOURCE_GATE };

/* As the VMCS orders them; LDTR and TR follow. */
enum segment { ES, CS, SS, DS, FS, GS, LDTR, TR };

/**
 * struct image - what a TSS keeps of a task
 * @gpr: EAX ECX EDX EBX ESP EBP ESI EDI
 * @selector: by enum segment, up to LDTR
 */
struct image {
	u32 eip, eflags, cr3;
	u32 gpr[8];
	u16 selector[7];
	bool trap;
};

/**
 * struct task_switch - one switch
 * @paging: the guest's, for implicit accesses
 * @selector: the new TSS
 * @base: its address
 * @access: its access rights
 * @vector: the fault that ends it, with @error or @fault
 */
struct task_switch {
	struct percpu *cpu;
	struct guest_paging paging;
	enum source source;
	u16 selector, old_selector;
	u32 base, limit, access;
	struct image new;
	u8 vector;
	u32 error;
	struct guest_fault fault;
};

static bool fail(struct task_switch *t, u8 vector, u16 selector)
{
	t->vector = vector;
	t->error = selector & ~SELECTOR_RPL;
	return false;
}

static bool get(struct task_switch *t, u32 linear, void *buf, u32 size)
{
	if (guest_read(&t->paging, linear, 0, buf, size, &t->fault))
		return true;
	t->vector = VECTOR_PF;
	return false;
}

static bool put(struct task_switch *t, u32 linear, const void *buf, u32 size)
{
	if (guest_write(&t->paging, linear, 0, buf, size, &t->fault))
		return true;
	t->vector = VECTOR_PF;
	return false;
}

/* --- descriptors */

static u32 desc_base(u64 desc)
{
	return (u32)(desc >> 16 & 0xffffff) | (u32)(desc >> 56 << 24);
}

static u32 desc_limit(u64 desc)
{
	u32 limit = (u32)(desc & 0xffff) | (u32)(desc >> 32 & 0xf0000);

	return desc & BIT(55) ? limit << 12 | 0xfff : limit;
}

/* In the format of the VMCS (SDM vol. 3, table 25-2). */
static u32 desc_access(u64 desc)
{
	return (u32)(desc >> 40) & 0xf0ff;
}

static bool desc_find(struct task_switch *t, u16 selector, u32 *linear)
{
	u32 table = selector & SELECTOR_TI ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE;
	u32 limit = selector & SELECTOR_TI ? VMCS_GUEST_ES_LIMIT + 2 * LDTR :
					     VMCS_GUEST_GDTR_LIMIT;

	if (selector & SELECTOR_TI && vmread(VMCS_GUEST_ES_ACCESS + 2 * LDTR) & SEGMENT_UNUSABLE)
		return fail(t, VECTOR_TS, selector);
	if ((selector | 7u) > vmread(limit))
		return fail(t, VECTOR_TS, selector);
	*linear = (u32)vmread(table) + (selector & ~7u);
	return true;
}

static bool desc_read(struct task_switch *t, u16 selector, u64 *desc)
{
	u32 linear;

	return desc_find(t, selector, &linear) && get(t, linear, desc, sizeof(*desc));
}

static bool desc_set_type(struct task_switch *t, u16 selector, u32 set, u32 clear)
{
	u32 linear;
	u8 byte;

	if (!desc_find(t, selector, &linear) || !get(t, linear + 5, &byte, 1))
		return false;
	byte = (byte | (u8)set) & (u8)~clear;
	return put(t, linear + 5, &byte, 1);
}

/* --- the two TSSs */

static bool is_32bit(u32 access)
{
	return access & DESC_32BIT_TSS;
}

/* An event in a gate other than INT n, INT3, INTO or INT1 comes between instructions. */
static u64 old_eip(const struct task_switch *t)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO), type = info & EVENT_TYPE;
	u64 rip = vmread(VMCS_GUEST_RIP);

	if (t->source != SOURCE_GATE || type == EVENT_TYPE_SOFT_INT ||
	    type == EVENT_TYPE_PRIV_SOFT || type == EVENT_TYPE_SOFT)
		rip += vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	return rip;
}

static u32 old_eflags(const struct task_switch *t)
{
	u32 flags = (u32)vmread(VMCS_GUEST_RFLAGS);

	return t->source == SOURCE_IRET ? flags & ~(u32)RFLAGS_NT : flags;
}

/* CR3 and LDTR are not saved; EIP to the last selector is one piece. */
static bool save_old(struct task_switch *t)
{
	u32 tss32[(0x60 - 0x20) / 4], base = (u32)vmread(VMCS_GUEST_TR_BASE), i;
	u16 tss16[(0x2a - 0x0e) / 2];

	tss32[0] = (u32)old_eip(t);
	tss32[1] = old_eflags(t);
	for (i = 0; i < 8; i++)
		tss32[2 + i] = (u32)gpr_read(t->cpu->gpr, i);
	for (i = 0; i < 6; i++)
		tss32[10 + i] = (u32)vmread(VMCS_GUEST_ES_SELECTOR + 2 * i);
	if (is_32bit((u32)vmread(VMCS_GUEST_ES_ACCESS + 2 * TR)))
		return put(t, base + 0x20, tss32, sizeof(tss32));
	for (i = 0; i < ARRAY_SIZE(tss16); i++)
		tss16[i] = (u16)tss32[i];
	return put(t, base + 0x0e, tss16, sizeof(tss16));
}

static bool read_new32(struct task_switch *t)
{
	u32 tss[TSS32_SIZE / 4], i;

	if (!get(t, t->base, tss, sizeof(tss)))
		return false;
	t->new.cr3 = tss[7];
	t->new.eip = tss[8];
	t->new.eflags = tss[9];
	for (i = 0; i < 8; i++)
		t->new.gpr[i] = tss[10 + i];
	for (i = 0; i < 7; i++)
		t->new.selector[i] = (u16)tss[18 + i];
	t->new.trap = tss[25] & 1;
	return true;
}

/* There is no CR3, FS, GS or T flag in it. */
static bool read_new16(struct task_switch *t)
{
	u16 tss[TSS16_SIZE / 2];
	u32 i;

	if (!get(t, t->base, tss, sizeof(tss)))
		return false;
	t->new.cr3 = (u32)vmread(VMCS_GUEST_CR3);
	t->new.eip = tss[7];
	t->new.eflags = tss[8];
	for (i = 0; i < 8; i++)
		t->new.gpr[i] = 0xffff0000 | tss[9 + i];
	for (i = 0; i < 4; i++)
		t->new.selector[i] = tss[17 + i];
	t->new.selector[LDTR] = tss[21];
	return true;
}

static bool find_new(struct task_switch *t)
{
	u64 desc;

	if (!desc_read(t, t->selector, &desc))
		return false;
	t->base = desc_base(desc);
	t->limit = desc_limit(desc);
	t->access = desc_access(desc);
	/* The CPU has looked too, but since then the guest may have changed it. */
	if (t->access & (DESC_S | TYPE_CONFORMING) || !(t->access & DESC_TSS))
		return fail(t, VECTOR_GP, t->selector);
	if (!(t->access & DESC_PRESENT))
		return fail(t, VECTOR_NP, t->selector);
	if (t->limit < (is_32bit(t->access) ? TSS32_SIZE : TSS16_SIZE) - 1)
		return fail(t, VECTOR_TS, t->selector);
	return is_32bit(t->access) ? read_new32(t) : read_new16(t);
}

/* Busy bits and link; from here on the new task is the one that runs. */
static bool exchange(struct task_switch *t)
{
	bool nested = t->source == SOURCE_CALL || t->source == SOURCE_GATE;

	if (!save_old(t))
		return false;
	if (!nested && !desc_set_type(t, t->old_selector, 0, DESC_BUSY))
		return false;
	if (nested && !put(t, t->base, &t->old_selector, sizeof(t->old_selector)))
		return false;
	if (nested)
		t->new.eflags |= RFLAGS_NT;
	return t->source == SOURCE_IRET || desc_set_type(t, t->selector, DESC_BUSY, 0);
}

/* --- loading the new state */

static void set_segment(enum segment seg, u64 base, u32 limit, u32 access)
{
	vmwrite(VMCS_GUEST_ES_BASE + 2 * seg, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * seg, limit);
	vmwrite(VMCS_GUEST_ES_ACCESS + 2 * seg, access);
}

static bool load_cr3(struct task_switch *t)
{
	u64 pdpte[4], bad = (0x1e6 | ~(t->paging.phys_mask | (PAGE_SIZE - 1)));
	u32 i;

	if (!(t->paging.cr0 & CR0_PG) || !is_32bit(t->access))
		return true;
	if (t->paging.cr4 & CR4_PAE) {
		guest_read_physical(t->new.cr3 & ~31u, pdpte, sizeof(pdpte));
		for (i = 0; i < 4; i++) {
			if (pdpte[i] & 1 && pdpte[i] & bad)
				return fail(t, VECTOR_GP, 0);
			vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
			t->paging.pdpte[i] = pdpte[i];
		}
	}
	vmwrite(VMCS_GUEST_CR3, t->new.cr3);
	t->paging.cr3 = t->new.cr3;
	invvpid_all();
	return true;
}

/*
 * What the segments are until they are loaded: such that VM entry takes them,
 * whatever fails, and nothing can be executed or pushed.
 */
static void clear_segments(const struct task_switch *t)
{
	bool v86 = t->new.eflags & RFLAGS_VM;
	u32 cpl = t->new.selector[CS] & SELECTOR_RPL, i;

	set_segment(LDTR, 0, 0, SEGMENT_UNUSABLE);
	for (i = ES; i <= GS; i++) {
		vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * i, t->new.selector[i]);
		if (v86)
			set_segment(i, (u64)t->new.selector[i] << 4, 0xffff, ACCESS_V86);
		else if (i == CS)
			set_segment(i, 0, 0, ACCESS_CODE | cpl << 5);
		else
			set_segment(i, 0, 0, SEGMENT_UNUSABLE | cpl << 5);
	}
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * LDTR, t->new.selector[LDTR]);
}

static void load_registers(struct task_switch *t)
{
	u32 i;

	vmwrite(VMCS_GUEST_TR_SELECTOR, t->selector);
	set_segment(TR, t->base, t->limit, t->access | DESC_BUSY);
	vmwrite(VMCS_GUEST_CR0, vmread(VMCS_GUEST_CR0) | CR0_TS);
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~(u64)DR7_LOCAL);
	vmwrite(VMCS_GUEST_RIP, t->new.eip);
	/* Bits that do not exist would make VM entry fail. */
	vmwrite(VMCS_GUEST_RFLAGS, (t->new.eflags & FLAGS_KNOWN) | RFLAGS_FIXED);
	for (i = 0; i < 8; i++)
		gpr_write(t->cpu->gpr, i, t->new.gpr[i]);
	clear_segments(t);
}

static bool load_ldtr(struct task_switch *t)
{
	u16 selector = t->new.selector[LDTR];
	u64 desc;

	if (!(selector & ~SELECTOR_RPL))
		return true;
	if (selector & SELECTOR_TI)
		return fail(t, VECTOR_TS, selector);
	if (!desc_read(t, selector, &desc))
		return false;
	if ((desc_access(desc) & (DESC_TYPE | DESC_S | DESC_PRESENT)) != (TYPE_LDT | DESC_PRESENT))
		return fail(t, VECTOR_TS, selector);
	set_segment(LDTR, desc_base(desc), desc_limit(desc), desc_access(desc));
	return true;
}

/* May a task with this CPL have it there? Presence is another question. */
static bool segment_fits(enum segment seg, u16 selector, u32 access, u32 cpl)
{
	u32 dpl = SEGMENT_DPL(access), rpl = selector & SELECTOR_RPL;
	bool code = access & TYPE_CODE;

	if (!(access & DESC_S))
		return false;
	if (seg == CS)
		return code && (access & TYPE_CONFORMING ? dpl <= cpl : dpl == cpl);
	if (seg == SS)
		return !code && access & TYPE_WRITE && dpl == cpl && rpl == cpl;
	if (code && !(access & TYPE_WRITE))
		return false;
	return (code && access & TYPE_CONFORMING) || (dpl >= cpl && dpl >= rpl);
}

static bool load_segment(struct task_switch *t, enum segment seg)
{
	u16 selector = t->new.selector[seg];
	u32 cpl = t->new.selector[CS] & SELECTOR_RPL, access;
	u64 desc;

	if (!(selector & ~SELECTOR_RPL))
		return seg == CS || seg == SS ? fail(t, VECTOR_TS, selector) : true;
	if (!desc_read(t, selector, &desc))
		return false;
	access = desc_access(desc);
	if (!segment_fits(seg, selector, access, cpl))
		return fail(t, VECTOR_TS, selector);
	if (!(access & DESC_PRESENT))
		return fail(t, seg == SS ? VECTOR_SS : VECTOR_NP, selector);
	if (!(access & TYPE_ACCESSED) && !desc_set_type(t, selector, TYPE_ACCESSED, 0))
		return false;
	set_segment(seg, desc_base(desc), desc_limit(desc), access | TYPE_ACCESSED);
	return true;
}

static bool load_segments(struct task_switch *t)
{
	static const enum segment order[] = { CS, SS, ES, DS, FS, GS };
	u32 i;

	if (t->new.eflags & RFLAGS_VM)
		return true;
	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (!load_segment(t, order[i]))
			return false;
	return true;
}

/* On the new task's stack, as wide as its TSS. */
static bool push_error(struct task_switch *t)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO);
	u32 ss = (u32)vmread(VMCS_GUEST_ES_ACCESS + 2 * SS);
	u32 size = is_32bit(t->access) ? 4 : 2, sp, mask = ss & SEGMENT_DB ? ~0u : 0xffff;
	u32 error = (u32)vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	u32 access = guest_cpl() == 3 ? PF_USER : 0;

	if (t->source != SOURCE_GATE || !(info & EVENT_VALID) || !(info & EVENT_ERROR_CODE))
		return true;
	sp = (t->new.gpr[4] - size) & mask;
	if (!guest_write(&t->paging, (u32)vmread(VMCS_GUEST_ES_BASE + 2 * SS) + sp, access, &error,
			 size, &t->fault)) {
		t->vector = VECTOR_PF;
		return false;
	}
	gpr_write(t->cpu->gpr, 4, (t->new.gpr[4] & ~mask) | sp);
	return true;
}

static bool load_new(struct task_switch *t)
{
	load_registers(t);
	return load_cr3(t) && load_ldtr(t) && load_segments(t) && push_error(t);
}

/* An NMI that comes through a task gate blocks NMIs, an IRET ends that. */
static void set_blocking(const struct task_switch *t)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO);
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS);

	if (t->source == SOURCE_IRET)
		blocking &= ~BLOCKING_NMI;
	if (t->source == SOURCE_GATE && info & EVENT_VALID && (info & EVENT_TYPE) == EVENT_TYPE_NMI)
		blocking |= BLOCKING_NMI;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
}

/** task_handle_switch - task-switch exit */
void task_handle_switch(struct percpu *cpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	struct task_switch t = {
		.cpu = cpu, .selector = (u16)qualification,
		.source = (enum source)(qualification >> 30 & 3),
		.old_selector = (u16)vmread(VMCS_GUEST_TR_SELECTOR),
	};
	bool done;

	guest_read_paging(&t.paging);
	t.paging.ac = false;
	done = find_new(&t) && exchange(&t);
	if (done) {
		set_blocking(&t);
		done = load_new(&t);
	}
	if (done && t.new.trap) {
		asm volatile("mov %0, %%db6" : : "r" (read_dr6() | DR6_BT));
		event_inject_exception(cpu, VECTOR_DB);
	} else if (!done && t.vector == VECTOR_PF) {
		guest_inject_page_fault(cpu, &t.fault);
	} else if (!done) {
		event_inject_fault(cpu, t.vector, t.error);
	}
}
