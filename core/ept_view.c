// SPDX-License-Identifier: GPL-2.0-only
/* Views; see ept_view.h. */
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "ept_view.h"
#include "log.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

/* With the lock. On return the tables that are not needed any more are in @gpa. */
static void show_all(u64 *gpa, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		ept_show_page(&ept_guest.ept, gpa[i]);
	ept_guest.hidden -= count;
	/* Or each 2 MiB that once had such a page would cost one for ever. */
	for (i = 0; i < count; i++)
		gpa[i] = (u64)ept_merge(&ept_guest.ept, gpa[i]);
}

static void free_tables(const u64 *table, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (table[i])
			pool_free((void *)table[i]);
}

/**
 * ept_view_hide - take pages away from all CPUs that are in the common EPT
 * @cpu: this CPU
 * @gpa: guest-physical addresses of the pages; something else if it fails
 * @count: how many
 *
 * One shoot-down, however many they are; on return nobody reaches them. Context:
 * root mode, no lock held. Return: 0; or an error of ept_hide_page(), then all are
 * as they were.
 */
int ept_view_hide(struct percpu *cpu, u64 *gpa, u32 count)
{
	int ret = 0;
	u32 i;

	spin_lock(&ept_guest.lock);
	for (i = 0; i < count && !ret; i++)
		ret = ept_hide_page(&ept_guest.ept, gpa[i]);
	i -= !!ret;
	ept_guest.hidden += i;
	if (ret)
		show_all(gpa, i);
	spin_unlock(&ept_guest.lock);
	ept_guest_shoot_down(cpu);
	if (ret)
		free_tables(gpa, i);
	log_publish_pool(pool_free_pages());
	return ret;
}

/**
 * ept_view_show - give hidden pages back
 * @cpu: this CPU
 * @gpa: as for ept_view_hide(); something else on return
 * @count: how many
 *
 * It cannot fail. Their contents are the caller's business, and so is that no CPU is in
 * a view with them. On return no CPU has anything cached, of any view.
 */
void ept_view_show(struct percpu *cpu, u64 *gpa, u32 count)
{
	spin_lock(&ept_guest.lock);
	show_all(gpa, count);
	spin_unlock(&ept_guest.lock);
	ept_guest_shoot_down(cpu);
	free_tables(gpa, count);
}

/** ept_view_zero - a hidden page reads as zeros from now on, without an exit */
void ept_view_zero(u64 gpa)
{
	spin_lock(&ept_guest.lock);
	ept_zero_page(&ept_guest.ept, gpa, pool_pa(ept_guest.zeros));
	spin_unlock(&ept_guest.lock);
}

static u64 lookup(u64 gpa)
{
	u32 level;

	return ept_guest_lookup(gpa, &level);
}

/** ept_view_is_hidden - is a page hidden; may change at any time */
bool ept_view_is_hidden(u64 gpa)
{
	return lookup(gpa) & EPT_PRIVATE;
}

/** ept_view_hides - is any page hidden */
bool ept_view_hides(void)
{
	return READ_ONCE(ept_guest.hidden);
}

/** ept_view_is_ordinary - is it RAM that the guest may do everything with */
bool ept_view_is_ordinary(u64 gpa)
{
	u64 entry = lookup(gpa);

	return (entry & (EPT_RWX | EPT_PRIVATE)) == EPT_RWX && !pool_owns(gpa) &&
	       (entry & EPT_TYPE) >> EPT_TYPE_SHIFT == MTRR_TYPE_WB;
}

/** ept_view_is_ram - is it RAM, whatever the guest may do with it; not hidden */
bool ept_view_is_ram(u64 gpa)
{
	u64 entry = lookup(gpa);

	return gpa < boot.ram_top && entry & EPT_USED && !(entry & EPT_PRIVATE) &&
	       !pool_owns(gpa) && (entry & EPT_TYPE) >> EPT_TYPE_SHIFT == MTRR_TYPE_WB;
}

/** ept_view_denied - which of EPT_DENIED a page has; may change at any time */
u64 ept_view_denied(u64 gpa)
{
	return lookup(gpa) & EPT_DENIED;
}

/**
 * ept_view_load - have this CPU use an EPT
 * @cpu: this CPU
 * @pointer: its EPTP
 *
 * All changes of EPT_POINTER that core makes are by this one. In no EPT but the common
 * one, and those that it has come to by VMFUNC, can the guest change it further.
 */
void ept_view_load(struct percpu *cpu, u64 pointer)
{
	cpu->eptp = pointer;
	vmwrite(VMCS_EPT_POINTER, pointer);
	/* While L2 runs, VMFUNC is its hypervisor's. */
	if (cpu->switching == SWITCHING_ON && !nested_in_guest(cpu))
		vmwrite(VMCS_VM_FUNCTION_CONTROLS,
			pointer == ept_guest_pointer() ? FUNCTION_EPTP_SWITCHING : 0);
}

/**
 * ept_view_enter - put this CPU into a view
 *
 * Context: root mode, in the common EPT, no step under way.
 */
void ept_view_enter(struct percpu *cpu, struct ept_view *view)
{
	cpu->view = view;
	ept_view_load(cpu, ept_pointer(view->ept.root));
}

/** ept_view_leave - and back to the common EPT, or to what L2 has */
void ept_view_leave(struct percpu *cpu)
{
	cpu->view = NULL;
	cpu->eptp = ept_guest_pointer();
	if (nested_in_guest(cpu))
		nested_ept_load(cpu);
	else
		ept_view_load(cpu, ept_guest_pointer());
}

/* What a kernel may not write it cannot have core write. */
static bool is_guarded(u64 entry)
{
	return READ_ONCE(ept_guest.guarded) && entry & (EPT_DENY_GUARD | EPT_DENY_MODULE);
}

/** ept_view_is_free - neither core's own, nor hidden, nor kept: may an APIC be there */
bool ept_view_is_free(u64 gpa)
{
	u64 entry = lookup(gpa);

	return !pool_owns(gpa) && !(entry & EPT_PRIVATE) && !is_guarded(entry);
}

/**
 * ept_view_access - what is behind a guest-physical address, for this CPU's guest
 * @gpa: the address
 * @right: EPT_READ or EPT_WRITE
 * @pa: out: physical address
 *
 * An address that the guest's page tables have made up may have more bits than there
 * are. Return: false if the guest has no access by the EPT that it is in. Then it would
 * read zeros, and what it writes would be lost.
 */
bool ept_view_access(u64 gpa, u64 right, u64 *pa)
{
	const struct ept_view *view = this_cpu()->view;
	u64 entry;
	u32 level;

	if (view && view->common)
		view = NULL;
	*pa = gpa;
	if (gpa & ~(core.phys_mask | (PAGE_SIZE - 1)))
		return false;
	/* Nearly always; and then a page that is not mapped yet will be. */
	if (!view && !ept_view_hides() && !READ_ONCE(ept_guest.guarded))
		return !pool_owns(gpa);
	entry = view ? ept_lookup(&view->ept, gpa, &level) : lookup(gpa);
	if (!view && !(entry & EPT_PRIVATE))
		return !pool_owns(gpa) && !(right == EPT_WRITE && is_guarded(entry));
	*pa = (entry & EPT_ADDRESS) | gpa % PAGE_SIZE;
	return entry & right;
}
