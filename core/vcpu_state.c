// SPDX-License-Identifier: GPL-2.0-only
/* Between struct latch_cpu_state and the guest-state area of the VMCS. */
#include "core.h"
#include "vcpu.h"
#include "vmx.h"

static u64 segment_base(const struct latch_cpu_state *state, u32 seg)
{
	switch (seg) {
	case LATCH_FS:
		return state->fs_base;
	case LATCH_GS:
		return state->gs_base;
	case LATCH_LDTR:
		return state->ldtr_base;
	case LATCH_TR:
		return state->tr_base;
	default:
		return 0;	/* flat: the loader is 64-bit code */
	}
}

static bool write_segments(const struct latch_cpu_state *state)
{
	bool ok = true;
	u32 seg;

	for (seg = 0; seg < LATCH_NR_SEGS; seg++) {
		ok &= vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * seg, state->sel[seg]);
		ok &= vmwrite(VMCS_GUEST_ES_LIMIT + 2 * seg, state->limit[seg]);
		ok &= vmwrite(VMCS_GUEST_ES_ACCESS + 2 * seg, state->access[seg]);
		ok &= vmwrite(VMCS_GUEST_ES_BASE + 2 * seg, segment_base(state, seg));
	}
	return ok;
}

/**
 * vcpu_write_state - make the guest what the loader's CPU was
 *
 * MSRs that VM entry loads are taken from this CPU, which still has the
 * loader's. Return: false if a VMWRITE failed.
 */
bool vcpu_write_state(const struct latch_cpu_state *state)
{
	bool ok = write_segments(state);

	ok &= vmwrite(VMCS_GUEST_GDTR_BASE, state->gdtr.base);
	ok &= vmwrite(VMCS_GUEST_GDTR_LIMIT, state->gdtr.limit);
	ok &= vmwrite(VMCS_GUEST_IDTR_BASE, state->idtr.base);
	ok &= vmwrite(VMCS_GUEST_IDTR_LIMIT, state->idtr.limit);
	ok &= vmwrite(VMCS_GUEST_CR0, state->cr0);
	ok &= vmwrite(VMCS_GUEST_CR3, state->cr3);
	ok &= vmwrite(VMCS_GUEST_CR4, state->cr4 | CR4_VMXE);
	ok &= vmwrite(VMCS_CR0_SHADOW, state->cr0);
	ok &= vmwrite(VMCS_CR4_SHADOW, state->cr4);
	ok &= vmwrite(VMCS_GUEST_DR7, state->dr7);
	ok &= vmwrite(VMCS_GUEST_RSP, state->rsp);
	ok &= vmwrite(VMCS_GUEST_RIP, state->rip - LATCH_VMCALL_BYTES);
	ok &= vmwrite(VMCS_GUEST_RFLAGS, state->rflags);
	ok &= vmwrite(VMCS_GUEST_DEBUGCTL, state->debugctl);
	ok &= vmwrite(VMCS_GUEST_PAT, rdmsr(MSR_PAT));
	ok &= vmwrite(VMCS_GUEST_EFER, rdmsr(MSR_EFER));
	ok &= vmwrite(VMCS_GUEST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	ok &= vmwrite(VMCS_GUEST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	ok &= vmwrite(VMCS_GUEST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	ok &= vmwrite(VMCS_LINK_POINTER, ~0ull);
	ok &= vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	ok &= vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	ok &= vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	return ok;
}

/**
 * vcpu_read_state - the guest's state, to give the CPU back with
 *
 * CR0 and CR4 are what the guest believes them to be.
 */
void vcpu_read_state(struct latch_cpu_state *state, const struct latch_gpr *gpr)
{
	u32 seg;

	state->gpr = *gpr;
	for (seg = 0; seg < LATCH_NR_SEGS; seg++) {
		state->sel[seg] = (u16)vmread(VMCS_GUEST_ES_SELECTOR + 2 * seg);
		state->access[seg] = (u32)vmread(VMCS_GUEST_ES_ACCESS + 2 * seg);
		state->limit[seg] = (u32)vmread(VMCS_GUEST_ES_LIMIT + 2 * seg);
	}
	state->cs = state->sel[LATCH_CS];
	state->ss = state->sel[LATCH_SS];
	state->fs_base = vmread(VMCS_GUEST_FS_BASE);
	state->gs_base = vmread(VMCS_GUEST_GS_BASE);
	state->ldtr_base = vmread(VMCS_GUEST_LDTR_BASE);
	state->tr_base = vmread(VMCS_GUEST_TR_BASE);
	state->gdtr.base = vmread(VMCS_GUEST_GDTR_BASE);
	state->gdtr.limit = (u16)vmread(VMCS_GUEST_GDTR_LIMIT);
	state->idtr.base = vmread(VMCS_GUEST_IDTR_BASE);
	state->idtr.limit = (u16)vmread(VMCS_GUEST_IDTR_LIMIT);
	state->cr0 = (vmread(VMCS_GUEST_CR0) & ~CR0_NE) | (vmread(VMCS_CR0_SHADOW) & CR0_NE);
	state->cr3 = vmread(VMCS_GUEST_CR3);
	state->cr4 = (vmread(VMCS_GUEST_CR4) & ~CR4_VMXE) | (vmread(VMCS_CR4_SHADOW) & CR4_VMXE);
	state->dr7 = vmread(VMCS_GUEST_DR7);
	state->debugctl = vmread(VMCS_GUEST_DEBUGCTL);
	state->rsp = vmread(VMCS_GUEST_RSP);
	state->rip = vmread(VMCS_GUEST_RIP);
	state->rflags = vmread(VMCS_GUEST_RFLAGS);
}

static void write_reset_segments(u8 vector)
{
	static const u32 access[LATCH_NR_SEGS] = {
		0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0x82, 0x8b
	};
	u32 seg;

	for (seg = 0; seg < LATCH_NR_SEGS; seg++) {
		vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * seg, seg == LATCH_CS ? vector << 8 : 0);
		vmwrite(VMCS_GUEST_ES_BASE + 2 * seg, seg == LATCH_CS ? vector << 12 : 0);
		vmwrite(VMCS_GUEST_ES_LIMIT + 2 * seg, 0xffff);
		vmwrite(VMCS_GUEST_ES_ACCESS + 2 * seg, access[seg]);
	}
}

/*
 * INIT clears CET state (SDM vol. 3, table 10-1). SSP, which nothing can write, stays: it
 * is not used before a kernel has loaded it again.
 */
static void reset_cet(void)
{
	u32 msr;

	if (!core.has_shadow_stacks && !core.has_endbranch)
		return;
	wrmsr_safe(MSR_U_CET, 0);
	wrmsr_safe(MSR_S_CET, 0);
	/* Not those of shadow stacks on a CPU that has none. */
	for (msr = MSR_PL0_SSP; msr <= MSR_SSP_TABLE; msr++)
		wrmsr_safe(msr, 0);
}

/**
 * vcpu_reset - state of a CPU after INIT and a start-up IPI
 * @gpr: the guest's registers
 * @vector: from the start-up IPI
 *
 * SDM vol. 3, table 10-1: what INIT leaves alone (CR0.CD and NW, x87 and SSE
 * state, PAT, MTRRs, TSC, most MSRs) is left alone here too.
 */
void vcpu_reset(struct latch_gpr *gpr, u8 vector)
{
	memset(gpr, 0, sizeof(*gpr));
	gpr->rdx = cpuid(1, 0).eax;
	write_reset_segments(vector);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_CR0, CR0_RESET | CR0_NE);
	vmwrite(VMCS_CR0_SHADOW, CR0_RESET);
	vmwrite(VMCS_GUEST_CR3, 0);
	vmwrite(VMCS_GUEST_CR4, CR4_VMXE);
	vmwrite(VMCS_CR4_SHADOW, 0);
	vmwrite(VMCS_GUEST_EFER, 0);
	vmwrite(VMCS_ENTRY_CONTROLS, vmread(VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RIP, 0);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	reset_cet();
	write_cr2(0);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(DR6_RESET);
}
