// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's EPT: identity for all that is not core's, filled on demand above
 * RAM; core's chunks read as zeros.
 */
#include "apic.h"
#include "core.h"
#include "ept.h"
#include "ept_guest.h"
#include "ept_view.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "log.h"
#include "pool.h"
#include "vmx.h"

#define EAGER_END		0x100000000ull
/* A 4-level EPT ends here: what is above (on CPUs that have it) gives #GP. */
#define EPT_END			BIT(48)

struct ept_guest ept_guest;

/**
 * ept_guest_fill_table - a page table whose entries all lead to one frame of core's
 */
void ept_guest_fill_table(u64 *table, const void *frame, u64 rights)
{
	u32 i;

	for (i = 0; i < EPT_ENTRIES; i++)
		table[i] = pool_pa(frame) | rights | (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT;
}

/* Every chunk reads as zeros: one frame of zeros, one table, for all of them. */
static int hide_chunks(void)
{
	u32 i;
	int ret = 0;

	ept_guest.zeros = pool_alloc();
	ept_guest.zero_table = pool_alloc();
	if (!ept_guest.zeros || !ept_guest.zero_table)
		return -ENOMEM;
	ept_guest_fill_table(ept_guest.zero_table, ept_guest.zeros, EPT_READ | EPT_EXEC);
	for (i = 0; i < pool_nr_chunks() && !ret; i++)
		ret = ept_hide_chunk(&ept_guest.ept, pool_chunk(i), ept_guest.zero_table);
	return ret;
}

/**
 * ept_guest_init - make the EPT
 *
 * RAM and the first 4 GiB are mapped at once, so that nothing ordinary exits.
 * Context: LATCH_OP_INIT. Return: 0 or -ENOMEM.
 */
int ept_guest_init(const struct latch_boot *boot)
{
	u64 end = (boot->ram_top + SIZE_1G - 1) & ~(SIZE_1G - 1);
	struct mtrr_state mtrr;
	int ret;

	if (end < EAGER_END)
		end = EAGER_END;
	mtrr_read(&mtrr, core.phys_mask | (PAGE_SIZE - 1));
	ret = ept_init(&ept_guest.ept, &mtrr,
		       boot->caps.vmx[MSR_VMX_EPT_VPID_CAP - MSR_VMX_BASE] & EPT_CAP_1G);
	if (!ret)
		ret = ept_map_identity(&ept_guest.ept, 0, end);
	if (!ret)
		ret = hide_chunks();
	ept_guest.generation = 1;
	return ret;
}

/** ept_guest_pointer - EPTP for the VMCS */
u64 ept_guest_pointer(void)
{
	return ept_pointer(ept_guest.ept.root);
}

/** ept_guest_generation - number of the last change that needs an INVEPT */
u64 ept_guest_generation(void)
{
	return __atomic_load_n(&ept_guest.generation, __ATOMIC_ACQUIRE);
}

/**
 * ept_guest_sync - drop what this CPU has cached of older generations
 *
 * The generation is read before INVEPT: a change in between is seen next time.
 */
void ept_guest_sync(struct percpu *cpu)
{
	u64 generation = ept_guest_generation();

	if (cpu->ept_seen == generation)
		return;
	/* The copied tables are older: the instruction starts again. */
	if (cpu->step.active)
		ept_guest_end_step(cpu);
	invept_all();
	/* Pairs with the acquire in kick_all(): the translations are gone by now. */
	__atomic_store_n(&cpu->ept_seen, generation, __ATOMIC_RELEASE);
}

/**
 * ept_guest_shoot_down - make all CPUs forget
 *
 * Context: root mode, no lock held. On return no CPU uses the old entries.
 */
void ept_guest_shoot_down(struct percpu *cpu)
{
	u64 generation = __atomic_add_fetch(&ept_guest.generation, 1, __ATOMIC_SEQ_CST);

	ept_guest_sync(cpu);
	kick_all(cpu, generation);
}

static bool mtrrs_differ(const struct mtrr_state *a, const struct mtrr_state *b)
{
	return memcmp(a, b, sizeof(*a));
}

/**
 * ept_guest_follow_mtrrs - this CPU has written an MTRR
 *
 * While MTRRs are off the CPU's caches are too, and all of them are about to
 * change: wait until they are on again. MTRRs are the same on all CPUs (SDM
 * vol. 3, 12.11.8), so the first CPU that has the new ones changes the EPT.
 */
void ept_guest_follow_mtrrs(struct percpu *cpu)
{
	struct mtrr_state mtrr;
	bool changed;
	int ret = 0;

	mtrr_read(&mtrr, core.phys_mask | (PAGE_SIZE - 1));
	if (!(mtrr.def_type & MTRR_DEF_ENABLE))
		return;
	spin_lock(&ept_guest.lock);
	changed = mtrrs_differ(&mtrr, &ept_guest.ept.mtrr);
	if (changed)
		ret = ept_retype(&ept_guest.ept, &mtrr);
	spin_unlock(&ept_guest.lock);
	if (!changed)
		return;
	log_publish_pool(pool_free_pages());
	ept_guest_shoot_down(cpu);
	percpu_count(cpu, LATCH_STAT_MTRR_UPDATES);
	if (ret)
		log_err(cpu, "no page left to follow the MTRRs: some memory keeps its old type");
}

/**
 * ept_guest_protect - change what the guest may do with one page, on all CPUs
 * @cpu: this CPU
 * @page: guest-physical address; it is mapped if it was not
 * @rights: EPT_READ, EPT_WRITE, EPT_EXEC
 *
 * Context: root mode, no lock held. On return no CPU uses the old rights.
 * Return: 0, -EINVAL for an address that no EPT reaches, -EBUSY for a hidden page, or
 * -ENOMEM.
 */
int ept_guest_protect(struct percpu *cpu, u64 page, u64 rights)
{
	bool change = false;
	int ret = 0;
	u32 level;

	spin_lock(&ept_guest.lock);
	if (!(ept_lookup(&ept_guest.ept, page, &level) & EPT_RWX))
		ret = ept_map_identity(&ept_guest.ept, page, page + PAGE_SIZE);
	if (!ret && ept_lookup(&ept_guest.ept, page, &level) & EPT_PRIVATE)
		ret = -EBUSY;
	if (!ret && (ept_lookup(&ept_guest.ept, page, &level) & EPT_RWX) != rights) {
		ret = ept_protect(&ept_guest.ept, page, page + PAGE_SIZE, rights);
		change = true;
	}
	spin_unlock(&ept_guest.lock);
	log_publish_pool(pool_free_pages());
	if (change)
		ept_guest_shoot_down(cpu);
	if (ret)
		log_err(cpu, "cannot protect guest-physical %llx: %d", page, ret);
	return ret;
}

/* Physical addresses above RAM, when somebody uses them for the first time. */
static void fill(struct percpu *cpu, u64 gpa)
{
	u64 start = gpa & ~(SIZE_1G - 1);
	u64 splits = ept_guest.ept.splits;
	int ret = -ENOMEM;

	if (!(gpa & ~(core.phys_mask | (PAGE_SIZE - 1))) && start < EPT_END) {
		spin_lock(&ept_guest.lock);
		ret = ept_map_identity(&ept_guest.ept, start, start + SIZE_1G);
		spin_unlock(&ept_guest.lock);
	}
	if (ret) {
		log_err(cpu, "no page left to map guest-physical %llx: #GP", gpa);
		event_inject_fault(cpu, VECTOR_GP, 0);
		return;
	}
	log_publish_pool(pool_free_pages());
	percpu_count(cpu, LATCH_STAT_EPT_FILLS);
	if (splits != ept_guest.ept.splits)
		percpu_count(cpu, LATCH_STAT_EPT_SPLITS);
}

static void refuse(struct percpu *cpu, u64 gpa, u64 qualification)
{
	if (hypapp_ept_violation(cpu, gpa, qualification))
		return;
	log_err(cpu, "access %llx to guest-physical %llx is not allowed: #GP",
		qualification & EPT_RWX, gpa);
	event_inject_fault(cpu, VECTOR_GP, 0);
}

/** ept_guest_handle_violation - EPT violation exit */
void ept_guest_handle_violation(struct percpu *cpu)
{
	u64 gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	bool delivery = vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID;
	bool step = cpu->step.active;
	u64 entry;
	u32 level;

	if (!delivery && qualification & EPT_VIOLATION_NMI_IRET)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	if (cpu->view) {
		cpu->view->violation(cpu, gpa, qualification);
		return;
	}
	if (delivery)
		event_reinject(cpu);
	if (!step && qualification & EPT_VIOLATION_WRITE &&
	    apic_handle_violation(cpu, gpa, delivery))
		return;
	if (pool_owns(gpa)) {
		if (qualification & EPT_VIOLATION_WRITE)
			ept_guest_step(cpu, gpa);
		return;
	}
	/* The copied tables lack what was filled in since: start again without. */
	if (step)
		ept_guest_end_step(cpu);
	/* Tables may be merged (ept_view.c). */
	spin_lock(&ept_guest.lock);
	entry = ept_lookup(&ept_guest.ept, gpa, &level);
	spin_unlock(&ept_guest.lock);
	if (!(entry & (EPT_RWX | EPT_PRIVATE)))
		fill(cpu, gpa);
	else if ((qualification & EPT_RWX & ~entry) == 0)
		/* Mapped by another CPU just now, or this TLB was older: again. */
		invept_all();
	else if (step && qualification & EPT_VIOLATION_WRITE)
		/* Two hidden pages at once, and far apart: nobody does that. */
		event_inject_fault(cpu, VECTOR_GP, 0);
	else
		refuse(cpu, gpa, qualification);
}
