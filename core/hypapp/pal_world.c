// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel sets up and a PAL runs without: segments, descriptor tables, system
 * calls, debug registers, counters. With the tables where the PAL's page tables lead
 * nowhere, nothing is ever delivered inside of its view, and it is never at another
 * CPL than 3.
 */
#include "core.h"
#include "hypapp/pal.h"
#include "paging.h"
#include "vmx.h"

/* Flat, CPL 3, accessed (SDM vol. 3, 25.4.1) */
#define ACCESS_CODE64	0xa0fbull
#define ACCESS_CODE32	0xc0fbull
#define ACCESS_DATA	0xc0f3ull
#define LIMIT_FLAT	0xffffffffull
/* In the half of the address space that has no section. */
#define BASE_NOWHERE	0xffff800000000000ull
#define PAGING_EFER	(EFER_LMA | EFER_LME | EFER_NXE)
#define PAGING_CR4	(CR4_PAE | CR4_LA57)
#define SEG_CS		1
#define SEG_SS		2
#define NR_SEGMENTS	6

static const u32 table_base[] = {
	VMCS_GUEST_LDTR_BASE, VMCS_GUEST_TR_BASE, VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE,
};

/* ES CS SS DS FS GS follow each other in each row of the VMCS. */
static void read_segment(struct pal_segment *segment, u32 index)
{
	segment->selector = vmread(VMCS_GUEST_ES_SELECTOR + 2 * index);
	segment->base = vmread(VMCS_GUEST_ES_BASE + 2 * index);
	segment->limit = vmread(VMCS_GUEST_ES_LIMIT + 2 * index);
	segment->access = vmread(VMCS_GUEST_ES_ACCESS + 2 * index);
}

static void write_segment(const struct pal_segment *segment, u32 index)
{
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * index, segment->selector);
	vmwrite(VMCS_GUEST_ES_BASE + 2 * index, segment->base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * index, segment->limit);
	vmwrite(VMCS_GUEST_ES_ACCESS + 2 * index, segment->access);
}

/* Bases of FS and GS are the PAL's own: pal_run.c. */
static void flatten_segments(const struct pal *pal)
{
	u64 code = pal_is_32(pal) ? ACCESS_CODE32 : ACCESS_CODE64;
	u32 i;

	for (i = 0; i < NR_SEGMENTS; i++) {
		if (i < LATCH_FS)
			vmwrite(VMCS_GUEST_ES_BASE + 2 * i, 0);
		vmwrite(VMCS_GUEST_ES_LIMIT + 2 * i, LIMIT_FLAT);
		vmwrite(VMCS_GUEST_ES_ACCESS + 2 * i, i == SEG_CS ? code : ACCESS_DATA);
	}
}

/** pal_world_remember - the paging mode that its page tables are made for */
void pal_world_remember(struct pal *pal)
{
	pal->components = fpu_components();
	pal->efer = vmread(VMCS_GUEST_EFER) & PAGING_EFER;
	pal->cr4 = vmread(VMCS_GUEST_CR4) & PAGING_CR4;
}

/* A PAL of 32-bit code is called by flat 32-bit code, one of 64-bit code by such. */
static bool is_right_code(const struct pal *pal)
{
	u64 access = vmread(VMCS_GUEST_CS_ACCESS);

	if (!pal_is_32(pal))
		return access & SEGMENT_L;
	return !(access & SEGMENT_L) && access & SEGMENT_DB && !vmread(VMCS_GUEST_CS_BASE);
}

/**
 * pal_world_is_right - is the CPU as it was when the PAL was registered
 *
 * Paging in another mode would make something else of its page tables, an XCR0 with
 * fewer components leave some of its registers out, and of what CR4 bits that are not
 * known could bring nothing is put away.
 */
bool pal_world_is_right(struct percpu *cpu, const struct pal *pal)
{
	u64 cr0 = vmread(VMCS_GUEST_CR0), cr4 = vmread(VMCS_GUEST_CR4);

	return cpu->mode == LATCH_CPU_GUEST && is_right_code(pal) &&
	       fpu_components() == pal->components &&
	       (vmread(VMCS_GUEST_EFER) & PAGING_EFER) == pal->efer &&
	       (cr4 & PAGING_CR4) == pal->cr4 && !(cr4 & ~(CR4_KNOWN | CR4_VMXE)) &&
	       cr0 & CR0_PG && cr0 & CR0_PE && pal->efer & EFER_LMA &&
	       /* With CR0.TS set what is in the registers may be L1's. */
	       !(pal->nested && cr0 & CR0_TS);
}

/**
 * pal_world_undo_system_call - a PAL whose world is not put away has executed one
 *
 * The CPU is at the kernel's entry point, which the PAL's view does not have, with the
 * kernel's segments already: what follows is not for CPL 0. The program's segments are those
 * that SYSRET would load, and interrupts are on where programs are.
 */
void pal_world_undo_system_call(void)
{
	u64 user = rdmsr(MSR_STAR) >> 48;
	struct pal_segment code = { (user + 16) | 3, 0, LIMIT_FLAT, ACCESS_CODE64 };
	struct pal_segment stack = { (user + 8) | 3, 0, LIMIT_FLAT, ACCESS_DATA };

	write_segment(&code, SEG_CS);
	write_segment(&stack, SEG_SS);
	vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_IF);
}

/** pal_world_put_away - on the way into the PAL */
void pal_world_put_away(struct percpu *cpu, struct pal *pal)
{
	struct pal_world *world = &pal->caller.world;
	u32 i;

	pal->away = true;
	for (i = 0; i < NR_SEGMENTS; i++)
		read_segment(&world->segment[i], i);
	for (i = 0; i < ARRAY_SIZE(table_base); i++) {
		world->table[i] = vmread(table_base[i]);
		vmwrite(table_base[i], BASE_NOWHERE);
	}
	flatten_segments(pal);
	if (pal->nested) {
		world->cr3 = vmread(VMCS_GUEST_CR3);
		vmwrite(VMCS_GUEST_CR3, (world->cr3 & ~PTE_ADDRESS) | pal_space_root(pal));
	}
	world->dr7 = vmread(VMCS_GUEST_DR7);
	world->debugctl = vmread(VMCS_GUEST_DEBUGCTL);
	world->efer = vmread(VMCS_GUEST_EFER);
	world->sysenter_cs = vmread(VMCS_GUEST_SYSENTER_CS);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_EFER, world->efer & ~EFER_SCE);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	if (cpu->has_perf_control) {
		world->perf_control = cpu->msr_area[1];
		cpu->msr_area[1] = 0;
	}
	if (core.has_pku)
		world->pkru = fpu_read_pkru();
}

/** pal_world_bring_back - on the way out of it; one that came by the gate is still there */
void pal_world_bring_back(struct percpu *cpu, struct pal *pal)
{
	const struct pal_world *world = &pal->caller.world;
	u32 i;

	if (!pal->away)
		return;
	pal->away = false;
	for (i = 0; i < NR_SEGMENTS; i++)
		write_segment(&world->segment[i], i);
	for (i = 0; i < ARRAY_SIZE(table_base); i++)
		vmwrite(table_base[i], world->table[i]);
	if (pal->nested)
		vmwrite(VMCS_GUEST_CR3, world->cr3);
	vmwrite(VMCS_GUEST_DR7, world->dr7);
	vmwrite(VMCS_GUEST_DEBUGCTL, world->debugctl);
	vmwrite(VMCS_GUEST_EFER, world->efer);
	vmwrite(VMCS_GUEST_SYSENTER_CS, world->sysenter_cs);
	if (cpu->has_perf_control)
		cpu->msr_area[1] = world->perf_control;
	if (core.has_pku)
		fpu_write_pkru(world->pkru);
}
