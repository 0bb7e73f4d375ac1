// SPDX-License-Identifier: GPL-2.0-only
/* CPUID: what the CPU says, without VMX and SMX, with the guest's CR4 and APIC. */
#include "cpuid.h"
#include "event.h"
#include "vmx.h"

#define LEAF1_ECX_VMX		BIT(5)
#define LEAF1_ECX_SMX		BIT(6)
#define LEAF1_ECX_OSXSAVE	BIT(27)
#define LEAF1_EDX_APIC		BIT(9)
#define LEAF7_ECX_OSPKE		BIT(4)

static u32 reflect_cr4(u32 value, u32 flag, u64 cr4_bit)
{
	return vmread(VMCS_GUEST_CR4) & cr4_bit ? value | flag : value & ~flag;
}

/** cpuid_handle - CPUID exit */
void cpuid_handle(struct percpu *cpu)
{
	struct latch_gpr *gpr = cpu->gpr;
	u32 leaf = (u32)gpr->rax, subleaf = (u32)gpr->rcx;
	struct cpuid_regs regs = cpuid(leaf, subleaf);

	if (leaf == 1) {
		regs.ecx &= ~(u32)(cpu->nested ? LEAF1_ECX_SMX : LEAF1_ECX_VMX | LEAF1_ECX_SMX);
		regs.ecx = reflect_cr4(regs.ecx, LEAF1_ECX_OSXSAVE, CR4_OSXSAVE);
		if (cpu->apic_off)
			regs.edx &= ~(u32)LEAF1_EDX_APIC;
	} else if (leaf == 7 && subleaf == 0) {
		regs.ecx = reflect_cr4(regs.ecx, LEAF7_ECX_OSPKE, CR4_PKE);
	}
	gpr->rax = regs.eax;
	gpr->rbx = regs.ebx;
	gpr->rcx = regs.ecx;
	gpr->rdx = regs.edx;
	event_skip_instruction();
}
