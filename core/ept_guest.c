// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's EPT: identity for all that is not core's, filled on demand above
 * RAM; core's chunks read as zeros. Who follows its changes, and who must not reach what
 * they hide, is in selftests/model/pages.pml, step by step.
 */
#include "apic.h"
#include "core.h"
#include "ept.h"
#include "ept_guest.h"
#include "ept_open.h"
#include "ept_switch.h"
#include "ept_view.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "kick.h"
#include "log.h"
#include "nested/nested.h"
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
 * The generation is read before INVEPT: a change in between is seen next time. Hypapps
 * follow here too: whoever waits for this CPU waits for both, and a CPU that has followed
 * before it was kicked gets no kick.
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
	nested_sync(cpu);
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
 * ept_guest_lookup - ept_lookup() in the common EPT
 *
 * With the lock, as tables may be merged. Context: root mode, no lock held. Return: the
 * leaf, which may change at any time.
 */
u64 ept_guest_lookup(u64 gpa, u32 *level)
{
	u64 entry;

	spin_lock(&ept_guest.lock);
	entry = ept_lookup(&ept_guest.ept, gpa, level);
	spin_unlock(&ept_guest.lock);
	return entry;
}

/**
 * ept_guest_deny - take rights away from pages, or give them back
 * @cpu: this CPU
 * @gpa: guest-physical address of the first one; they are mapped if they were not
 * @pages: how many
 * @mask: as for ept_deny()
 * @bits: as for ept_deny()
 *
 * Other CPUs use the old rights up to the next ept_guest_shoot_down(), which is the
 * caller's to do. Context: root mode, no lock held. Return: 0; or -EINVAL for what no
 * EPT reaches or is core's, -EBUSY if @bits are to be set and a page is hidden, or -ENOMEM;
 * with each of these nothing has changed.
 */
int ept_guest_deny(struct percpu *cpu, u64 gpa, u64 pages, u64 mask, u64 bits)
{
	u64 end = gpa + pages * PAGE_SIZE;
	int ret = 0;

	spin_lock(&ept_guest.lock);
	if (bits)
		ret = ept_map_identity(&ept_guest.ept, gpa, end);
	if (!ret)
		ret = ept_deny(&ept_guest.ept, gpa, end, mask, bits);
	spin_unlock(&ept_guest.lock);
	log_publish_pool(pool_free_pages());
	if (ret)
		log_err(cpu, "cannot protect guest-physical %llx: %d", gpa, ret);
	return ret;
}

/**
 * ept_guest_merge - undo the split of a large leaf that is no longer needed
 * @cpu: this CPU
 * @merge: what is collected; to begin with, zeros
 * @gpa: an address whose page has been given back
 *
 * Or each 2 MiB that once had such a page would cost a page for ever. Context: root mode,
 * no lock held. At the end comes ept_guest_merge_end().
 */
void ept_guest_merge(struct percpu *cpu, struct ept_merge *merge, u64 gpa)
{
	spin_lock(&ept_guest.lock);
	merge->table[merge->count] = ept_merge(&ept_guest.ept, gpa);
	spin_unlock(&ept_guest.lock);
	merge->count += !!merge->table[merge->count];
	if (merge->count == ARRAY_SIZE(merge->table))
		ept_guest_merge_end(cpu, merge);
}

/**
 * ept_guest_merge_end - free the tables
 *
 * Without any there is no shoot-down: who has fewer rights in his TLB than there are
 * exits, and tries again.
 */
void ept_guest_merge_end(struct percpu *cpu, struct ept_merge *merge)
{
	if (!merge->count)
		return;
	ept_guest_shoot_down(cpu);
	while (merge->count)
		pool_free(merge->table[--merge->count]);
	log_publish_pool(pool_free_pages());
}

/**
 * ept_guest_fill - physical addresses above RAM, used for the first time
 *
 * Return: false if they cannot be mapped; the guest gets a #GP.
 */
bool ept_guest_fill(struct percpu *cpu, u64 gpa)
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
		return false;
	}
	log_publish_pool(pool_free_pages());
	percpu_count(cpu, LATCH_STAT_EPT_FILLS);
	if (splits != ept_guest.ept.splits)
		percpu_count(cpu, LATCH_STAT_EPT_SPLITS);
	return true;
}

static void refuse(struct percpu *cpu, u64 gpa, u64 entry, u64 qualification)
{
	enum hypapp_verdict verdict = hypapp_ept_violation(cpu, gpa, qualification);

	if (verdict == HYPAPP_STEP)
		ept_open_step(cpu, gpa, qualification);
	/* Nobody's any more, but it was when @entry was read: again. */
	if (verdict != HYPAPP_NOT_MINE || entry & (EPT_PRIVATE | EPT_DENIED))
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

	if (!delivery)
		event_redo_iret(qualification);
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
	entry = ept_guest_lookup(gpa, &level);
	if (!(entry & EPT_USED))
		ept_guest_fill(cpu, gpa);
	else if (entry & EPT_DENY_NESTED && qualification & EPT_VIOLATION_WRITE)
		nested_track_handle_write(cpu, gpa);
	else if ((qualification & EPT_RWX & ~entry) == 0)
		/* Mapped by another CPU just now, or this TLB was older: again. */
		invept_all();
	else if (step && entry & EPT_PRIVATE && qualification & EPT_VIOLATION_WRITE)
		/* Two hidden pages at once, and far apart: nobody does that. */
		event_inject_fault(cpu, VECTOR_GP, 0);
	else
		refuse(cpu, gpa, entry, qualification);
}
