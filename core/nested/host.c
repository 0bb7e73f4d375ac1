// SPDX-License-Identifier: GPL-2.0-only
/* L1's state behind an exit of L2's, from VMCS12's host-state area (SDM vol. 3, 28.5). */
#include "core.h"
#include "cr.h"
#include "ept_switch.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "nested/nested.h"
#include "vmx.h"

/* CR0 bits that an exit leaves alone: ET, CD, NW, and those that are reserved */
#define CR0_KEPT	0xffffffff7ffaffd0ull
/* Flat, accessed, CPL 0 */
#define ACCESS_CODE64	0xa09bu
#define ACCESS_CODE32	0xc09bu
#define ACCESS_DATA	0xc093u
#define ACCESS_TSS	0x8bu
#define TSS_LIMIT	0x67
#define ABORT_PDPTE	2

enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

static void write_segment(u32 seg, u64 selector, u64 base, u32 limit, u32 access)
{
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * seg, selector);
	vmwrite(VMCS_GUEST_ES_BASE + 2 * seg, base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * seg, limit);
	vmwrite(VMCS_GUEST_ES_ACCESS + 2 * seg, access);
}

static void load_segments(const struct vmcs12 *v, bool is_64)
{
	u64 base[] = { [SEG_FS] = vmcs12_get(v, VMCS_HOST_FS_BASE),
		       [SEG_GS] = vmcs12_get(v, VMCS_HOST_GS_BASE) };
	u64 selector;
	u32 seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++) {
		selector = vmcs12_get(v, VMCS_HOST_ES_SELECTOR + 2 * seg);
		write_segment(seg, selector, base[seg], 0xffffffff,
			      selector ? ACCESS_DATA : SEGMENT_UNUSABLE | ACCESS_DATA);
	}
	vmwrite(VMCS_GUEST_CS_ACCESS, is_64 ? ACCESS_CODE64 : ACCESS_CODE32);
	write_segment(SEG_LDTR, 0, 0, 0, SEGMENT_UNUSABLE);
	write_segment(SEG_TR, vmcs12_get(v, VMCS_HOST_TR_SELECTOR),
		      vmcs12_get(v, VMCS_HOST_TR_BASE), TSS_LIMIT, ACCESS_TSS);
	vmwrite(VMCS_GUEST_GDTR_BASE, vmcs12_get(v, VMCS_HOST_GDTR_BASE));
	vmwrite(VMCS_GUEST_IDTR_BASE, vmcs12_get(v, VMCS_HOST_IDTR_BASE));
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

static void load_control_registers(const struct vmcs12 *v, u64 old, bool is_64)
{
	u64 cr0 = vmcs12_get(v, VMCS_HOST_CR0), cr4 = vmcs12_get(v, VMCS_HOST_CR4);

	cr0 = (cr0 & ~CR0_KEPT) | (old & CR0_KEPT);
	if (is_64)
		cr4 |= CR4_PAE;
	else
		cr4 &= ~CR4_PCIDE;
	vmwrite(VMCS_GUEST_CR0, cr0 | CR0_NE);
	vmwrite(VMCS_CR0_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR3, vmcs12_get(v, VMCS_HOST_CR3));
	vmwrite(VMCS_GUEST_CR4, cr4 | CR4_VMXE);
	vmwrite(VMCS_CR4_SHADOW, cr4);
}

/* In PAE paging: with core's EPT the CPU does not read them. */
static void load_pdptes(struct percpu *cpu, const struct vmcs12 *v)
{
	u64 pdpte[4];
	u32 i;

	if (!(vmcs12_get(v, VMCS_HOST_CR4) & CR4_PAE))
		return;
	guest_read_physical(vmcs12_get(v, VMCS_HOST_CR3) & 0xffffffe0, pdpte, sizeof(pdpte));
	for (i = 0; i < ARRAY_SIZE(pdpte); i++) {
		if (pdpte[i] & BIT(0) && pdpte[i] & (~core.phys_mask & ~0xe19ull))
			nested_abort(cpu, ABORT_PDPTE);
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
	}
}

static void load_msrs(struct percpu *cpu, const struct vmcs12 *v, const struct nested_left *left)
{
	u64 exit = vmcs12_get(v, VMCS_EXIT_CONTROLS), lma = EFER_LMA | EFER_LME, efer;

	efer = exit & EXIT_HOST64 ? left->efer | lma : left->efer & ~lma;
	vmwrite(VMCS_GUEST_EFER, exit & EXIT_LOAD_EFER ? vmcs12_get(v, VMCS_HOST_EFER) : efer);
	vmwrite(VMCS_GUEST_PAT, exit & EXIT_LOAD_PAT ? vmcs12_get(v, VMCS_HOST_PAT) :
						       left->pat);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_SYSENTER_CS, vmcs12_get(v, VMCS_HOST_SYSENTER_CS));
	vmwrite(VMCS_GUEST_SYSENTER_ESP, vmcs12_get(v, VMCS_HOST_SYSENTER_ESP));
	vmwrite(VMCS_GUEST_SYSENTER_EIP, vmcs12_get(v, VMCS_HOST_SYSENTER_EIP));
	if (exit & EXIT_LOAD_PERF_CONTROL)
		cpu->msr_area[1] = vmcs12_get(v, VMCS_HOST_PERF_GLOBAL_CTRL);
}

/* What VMCS12 does not load L1 has of L2's: it is in the CPU. Return: for VM entry */
static u64 load_live(const struct vmcs12 *v)
{
	u64 exit = vmcs12_get(v, VMCS_EXIT_CONTROLS), entry = 0;

	if (exit & EXIT_LOAD_CET) {
		vmwrite(VMCS_GUEST_S_CET, vmcs12_get(v, VMCS_HOST_S_CET));
		vmwrite(VMCS_GUEST_SSP, vmcs12_get(v, VMCS_HOST_SSP));
		vmwrite(VMCS_GUEST_SSP_TABLE, vmcs12_get(v, VMCS_HOST_SSP_TABLE));
		entry = ENTRY_LOAD_CET;
	}
	if (exit & EXIT_LOAD_PKRS) {
		vmwrite(VMCS_GUEST_PKRS, vmcs12_get(v, VMCS_HOST_PKRS));
		entry |= ENTRY_LOAD_PKRS;
	}
	return entry;
}

/**
 * nested_host_load - make the guest L1 again
 * @cpu: this CPU, VMCS01 current
 * @left: registers as L2 had them, which VMCS12 may leave alone
 */
void nested_host_load(struct percpu *cpu, const struct nested_left *left)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	bool is_64 = vmcs12_get(v, VMCS_EXIT_CONTROLS) & EXIT_HOST64;
	u64 entry = vmread(VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E, load = load_live(v);

	cpu->nested->loading = load;
	vmwrite(VMCS_ENTRY_CONTROLS, entry | load | (is_64 ? ENTRY_IA32E : 0));
	load_control_registers(v, left->cr0, is_64);
	load_segments(v, is_64);
	load_msrs(cpu, v, left);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_RSP, vmcs12_get(v, VMCS_HOST_RSP));
	vmwrite(VMCS_GUEST_RIP, vmcs12_get(v, VMCS_HOST_RIP));
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	if (!is_64)
		load_pdptes(cpu, v);
	/* The tables and modes that L1 comes back with may be others. */
	ept_switch_follow(cpu);
	if (cpu->keep[KEEPER_GUARD].tables)
		hypapp_registers_loaded(cpu);
}
