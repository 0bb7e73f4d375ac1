// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMCS shadowing by the CPU (SDM vol. 3, 25.10): VMREAD and VMWRITE of the fields that
 * hypervisors use at nearly each exit do not exit. They go to a shadow VMCS, which is
 * filled behind an exit of L2, and read before an entry.
 */
#include "core.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

/* One bit for each encoding; all CPUs use the same. */
static u8 *vmread_bitmap, *vmwrite_bitmap;

static bool has_shadowing(void)
{
	return boot.caps.vmx[MSR_VMX_PROCBASED_CTLS2 - MSR_VMX_BASE] >> 32 & SECONDARY_SHADOW;
}

/**
 * nested_shadow_init - what a CPU needs for it
 *
 * Context: LATCH_OP_INIT. Return: 0 or -ENOMEM.
 */
int nested_shadow_init(struct nested *nested)
{
	if (!has_shadowing())
		return 0;
	if (!vmread_bitmap) {
		vmread_bitmap = pool_alloc();
		vmwrite_bitmap = pool_alloc();
		if (!vmwrite_bitmap)
			return -ENOMEM;
		memset(vmread_bitmap, 0xff, PAGE_SIZE);
		memset(vmwrite_bitmap, 0xff, PAGE_SIZE);
	}
	nested->shadow = pool_alloc();
	return nested->shadow ? 0 : -ENOMEM;
}

static void pass(u8 *bitmap, const struct vmcs12_fields *list)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		__atomic_fetch_and(&bitmap[list->field[i].encoding / 8],
				   (u8)~BIT(list->field[i].encoding % 8), __ATOMIC_RELAXED);
}

static void make_bitmaps(void)
{
	pass(vmread_bitmap, &vmcs12_hot);
	pass(vmread_bitmap, &vmcs12_hot_controls);
	pass(vmread_bitmap, &vmcs12_hot_host);
	pass(vmread_bitmap, &vmcs12_exit);
	pass(vmwrite_bitmap, &vmcs12_hot);
	pass(vmwrite_bitmap, &vmcs12_hot_controls);
	pass(vmwrite_bitmap, &vmcs12_hot_host);
}

static void make_shadow(const struct nested *nested)
{
	*(u32 *)nested->shadow = nested_revision() | VMCS12_SHADOW;
	vmclear(pool_pa(nested->shadow));
}

/**
 * nested_shadow_start - L1 enters or leaves VMX operation
 * @cpu: this CPU, VMCS01 current
 * @on: it enters; vmcs12_init() has been called
 */
void nested_shadow_start(struct percpu *cpu, bool on)
{
	u64 secondary = vmread(VMCS_SECONDARY_CONTROLS) & ~SECONDARY_SHADOW;
	struct nested *nested = cpu->nested;

	if (!nested->shadow)
		return;
	if (on) {
		make_bitmaps();
		make_shadow(nested);
		secondary |= SECONDARY_SHADOW;
		vmwrite(VMCS_VMREAD_BITMAP, pool_pa(vmread_bitmap));
		vmwrite(VMCS_VMWRITE_BITMAP, pool_pa(vmwrite_bitmap));
	}
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	vmwrite(VMCS_SECONDARY_CONTROLS, secondary);
}

/**
 * nested_shadow_read - what L1 has written goes to the current VMCS12
 *
 * It is cleared when it is no longer current, as the CPU then finds all of it in memory
 * when L1 gets there. Context: root mode, VMCS01 is current, before and behind.
 */
void nested_shadow_read(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;

	if (!nested->shadow || nested->pointer == NESTED_NO_POINTER)
		return;
	vmptrld(pool_pa(nested->shadow));
	vmcs12_load(nested->vmcs12, &vmcs12_hot);
	vmcs12_load(nested->vmcs12, &vmcs12_hot_controls);
	vmcs12_load(nested->vmcs12, &vmcs12_hot_host);
	vmclear(pool_pa(nested->shadow));
	vmptrld(pool_pa(cpu->vmcs));
}

/**
 * nested_shadow_write - L1 is to read the current VMCS12
 *
 * Without a current one, VMREAD and VMWRITE are VMfailInvalid. Context: root mode;
 * VMCS01 is current behind it.
 */
void nested_shadow_write(struct percpu *cpu)
{
	struct nested *nested = cpu->nested;
	bool is_current = nested->pointer != NESTED_NO_POINTER;

	if (nested->shadow && is_current) {
		vmptrld(pool_pa(nested->shadow));
		vmcs12_store(nested->vmcs12, &vmcs12_hot);
		vmcs12_store(nested->vmcs12, &vmcs12_hot_controls);
		vmcs12_store(nested->vmcs12, &vmcs12_hot_host);
		vmcs12_store(nested->vmcs12, &vmcs12_exit);
		vmclear(pool_pa(nested->shadow));
	}
	vmptrld(pool_pa(cpu->vmcs));
	if (nested->shadow)
		vmwrite(VMCS_LINK_POINTER, is_current ? pool_pa(nested->shadow) : ~0ull);
}
