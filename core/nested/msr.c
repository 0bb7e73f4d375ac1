// SPDX-License-Identifier: GPL-2.0-only
/* MSRs of L2: the bitmap of VMCS02, and the lists of VMCS12 (SDM vol. 3, 25.6.9 and 27.4). */
#include "guest.h"
#include "msr.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

#define BITMAP_WORDS	(PAGE_SIZE / sizeof(u64))

/**
 * struct msr_entry - an entry of a list
 */
struct msr_entry {
	u32 index, reserved;
	u64 value;
};

/**
 * nested_msr_merge - what L1 or core intercepts
 * @cpu: this CPU
 * @track: from now on have writes of L1's to its bitmap noted. It may take a shoot-down
 */
void nested_msr_merge(struct percpu *cpu, bool track)
{
	struct nested *nested = cpu->nested;
	u64 *to = (u64 *)nested->msr_bitmap;
	u64 from = vmcs12_get(nested->vmcs12, VMCS_MSR_BITMAP);
	const u64 *own;
	u32 i;

	nested->msr_track.gpa = 0;
	if (track)
		nested_track_begin(cpu, from, &nested->msr_track);
	guest_read_physical(from, to, PAGE_SIZE);
	/* A hypapp may have changed it meanwhile, see nested_sync(). */
	own = (const u64 *)nested->msr_own;
	for (i = 0; i < BITMAP_WORDS; i++)
		to[i] |= own[i];
}

/**
 * nested_msr_is_wanted - is an exit for RDMSR or WRMSR L1's
 * @write: it is WRMSR
 */
bool nested_msr_is_wanted(const struct percpu *cpu, bool write)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u32 index;
	u8 bits;

	if (!(vmcs12_get(v, VMCS_PRIMARY_CONTROLS) & PRIMARY_MSR_BITMAPS) ||
	    !msr_bitmap_index((u32)cpu->gpr->rcx, write ? MSR_WRITE : MSR_READ, &index))
		return true;
	guest_read_physical(vmcs12_get(v, VMCS_MSR_BITMAP) + index / 8, &bits, 1);
	return bits >> index % 8 & 1;
}

/** nested_msr_is_kept - does a hypapp keep it from being written */
bool nested_msr_is_kept(const struct percpu *cpu, u32 msr)
{
	return cpu->nested->msr_own != msr_bitmap() &&
	       msr_bitmap_test(cpu->nested->msr_own, msr, MSR_WRITE) &&
	       !msr_bitmap_test(msr_bitmap(), msr, MSR_WRITE);
}

static bool is_x2apic(u32 msr)
{
	return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

/* MSRs that are in the VMCS; the last three are not loaded as the others are. */
static u32 field_of(u32 msr)
{
	static const u32 field[][2] = {
		{ MSR_PAT, VMCS_GUEST_PAT }, { MSR_DEBUGCTL, VMCS_GUEST_DEBUGCTL },
		{ MSR_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
		{ MSR_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
		{ MSR_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP }, { MSR_EFER, VMCS_GUEST_EFER },
		{ MSR_FS_BASE, VMCS_GUEST_FS_BASE }, { MSR_GS_BASE, VMCS_GUEST_GS_BASE },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(field); i++)
		if (field[i][0] == msr)
			return field[i][1];
	return 0;
}

/* MSRs that the CPU has in the VMCS too, to be loaded at an entry or not. */
static u32 live_field(u32 msr)
{
	u32 field = msr == MSR_S_CET ? VMCS_GUEST_S_CET :
		    msr == MSR_SSP_TABLE ? VMCS_GUEST_SSP_TABLE :
		    msr == MSR_PKRS ? VMCS_GUEST_PKRS : 0;

	return field && vmcs12_has(field) ? field : 0;
}

/*
 * The CPU checks the guest state before it loads any MSR. Core has to load before: what is
 * wrong stays as it is, and the CPU finds it.
 */
static bool load_efer(u64 value)
{
	u64 old = vmread(VMCS_GUEST_EFER);
	bool paging = vmread(VMCS_GUEST_CR0) & CR0_PG;

	if (!nested_efer_is_valid(old) || (paging && !(old & EFER_LME) != !(old & EFER_LMA)))
		return true;
	if (!nested_efer_is_valid(value) || ((value ^ old) & EFER_LME && paging))
		return false;
	return vmwrite(VMCS_GUEST_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
}

/* What WRMSR would refuse; the CPU would find it in VMCS02, as bad guest state. */
static bool is_value(u32 field, u64 value)
{
	switch (field) {
	case VMCS_GUEST_PAT:
		return nested_pat_is_valid(value);
	case VMCS_GUEST_DEBUGCTL:
		return !(value & ~DEBUGCTL_KNOWN);
	case VMCS_GUEST_SYSENTER_ESP:
	case VMCS_GUEST_SYSENTER_EIP:
		return guest_is_canonical(value);
	default:
		return true;
	}
}

/* Wrong ones stay, as in load_efer(); but of IA32_DEBUGCTL core does not know all that is right. */
static bool load_field(u32 field, u64 value)
{
	if (field != VMCS_GUEST_DEBUGCTL && !is_value(field, vmread(field)))
		return true;
	return is_value(field, value) && vmwrite(field, value);
}

/* As WRMSR at CPL 0 would write it, after the guest state was loaded. */
static bool load_one(struct percpu *cpu, const struct msr_entry *entry)
{
	u32 field = field_of(entry->index);

	/* What an entry or exit loads by other means, SMM's, and microcode. */
	if (entry->reserved || entry->index == MSR_FS_BASE || entry->index == MSR_GS_BASE ||
	    is_x2apic(entry->index) || entry->index == MSR_SMM_MONITOR_CTL ||
	    entry->index == MSR_BIOS_UPDT_TRIG)
		return false;
	/* They would need what an exit for them does (msr_handle_write()). */
	if (entry->index == MSR_APIC_BASE || nested_msr_is_kept(cpu, entry->index))
		return false;
	if (entry->index == MSR_EFER)
		return load_efer(entry->value);
	if (entry->index == MSR_PERF_GLOBAL_CTRL && cpu->has_perf_control) {
		if (!nested_perf_control_is_valid(entry->value))
			return false;
		cpu->msr_area[1] = entry->value;
		return true;
	}
	if (field)
		return load_field(field, entry->value);
	if (!msr_write(cpu, entry->index, entry->value))
		return false;
	if (live_field(entry->index))
		vmwrite(live_field(entry->index), entry->value);
	return true;
}

/**
 * nested_msr_load - the entry-load or the exit-load list
 * @cpu: this CPU; the VMCS of the one who gets them is current
 * @address: field with the list's address
 * @count: field with its length
 *
 * Return: 0, or the number of the entry that failed, from 1.
 */
u32 nested_msr_load(struct percpu *cpu, u32 address, u32 count)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 gpa = vmcs12_get(v, address), entries = vmcs12_get(v, count), i;
	struct msr_entry entry;

	if (entries > nested_msr_list_max())
		return (u32)nested_msr_list_max() + 1;
	for (i = 0; i < entries; i++, gpa += sizeof(entry)) {
		guest_read_physical(gpa, &entry, sizeof(entry));
		if (!load_one(cpu, &entry))
			return (u32)i + 1;
	}
	return 0;
}

static bool read_one(struct percpu *cpu, u32 msr, u64 *value)
{
	u32 field = field_of(msr);

	if (!field)
		field = live_field(msr);
	if (is_x2apic(msr) || msr == MSR_SMBASE)
		return false;
	if (msr == MSR_PERF_GLOBAL_CTRL && cpu->has_perf_control) {
		*value = cpu->msr_area[1];
		return true;
	}
	if (!field)
		return msr_read(cpu, msr, value);
	*value = vmread(field);
	return true;
}

/** nested_msr_store - the exit-store list; false: VMX abort 1 */
bool nested_msr_store(struct percpu *cpu)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 gpa = vmcs12_get(v, VMCS_EXIT_MSR_STORE_ADDRESS), i;
	u64 entries = vmcs12_get(v, VMCS_EXIT_MSR_STORE_COUNT);
	struct msr_entry entry;

	if (entries > nested_msr_list_max())
		return false;
	for (i = 0; i < entries; i++, gpa += sizeof(entry)) {
		guest_read_physical(gpa, &entry, sizeof(entry));
		if (entry.reserved || !read_one(cpu, entry.index, &entry.value))
			return false;
		guest_write_physical(gpa + offsetof(struct msr_entry, value), &entry.value,
				     sizeof(entry.value));
	}
	return true;
}
