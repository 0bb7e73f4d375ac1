// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's memory, by linear and by physical address.
 *
 * What the guest could not reach core does not reach for it: a frame of core's, or one
 * that a hypapp hides, reads as zeros and takes no write. Each access maps one frame in
 * this CPU's window, and what it reads may change at any time: callers copy, then check.
 */
#include "core.h"
#include "ept_view.h"
#include "event.h"
#include "guest.h"
#include "nested/nested.h"
#include "paging.h"
#include "pool.h"
#include "vmx.h"

/* NULL: for the guest there is nothing; see ept_view_access(). */
static volatile void *map(u64 gpa, bool write)
{
	u64 pa;

	if (!ept_view_access(gpa, write ? EPT_WRITE : EPT_READ, &pa))
		return NULL;
	return paging_window(this_cpu(), pa, write ? PTE_RW : PTE_PRESENT | PTE_NX);
}

/**
 * guest_window - look at a frame of the guest's
 *
 * Good up to the next access to the guest's memory. Return: NULL for what reads as zeros.
 */
const volatile u64 *guest_window(u64 gpa)
{
	return map(gpa & PAGE_MASK, false);
}

/** walk_read_entry - see walk.h */
u64 walk_read_entry(u64 gpa, u32 size)
{
	volatile void *entry = map(gpa, false);

	if (!entry)
		return 0;
	return size == 8 ? *(volatile u64 *)entry : *(volatile u32 *)entry;
}

/** walk_exchange_entry - see walk.h */
bool walk_exchange_entry(u64 gpa, u32 size, u64 from, u64 to)
{
	volatile void *entry = map(gpa, true);
	u32 from32 = (u32)from;

	/* It reads as zeros, so the walk does not come here; or it has just been hidden. */
	if (!entry)
		return false;
	if (size == 8)
		return __atomic_compare_exchange_n((volatile u64 *)entry, &from, to, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((volatile u32 *)entry, &from32, (u32)to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/** guest_cpl - the guest's privilege level: DPL of SS (SDM vol. 3, 26.3.1.2) */
u32 guest_cpl(void)
{
	return SEGMENT_DPL(vmread(VMCS_GUEST_SS_ACCESS));
}

static u32 read_pkru(void)
{
	u32 eax, edx;

	asm volatile("rdpkru" : "=a" (eax), "=d" (edx) : "c" (0));
	return eax;
}

/** guest_read_mode - the part of it that says where pages are, for walk_address() */
void guest_read_mode(struct guest_paging *paging)
{
	u32 i;

	paging->cr0 = vmread(VMCS_GUEST_CR0);
	paging->cr3 = vmread(VMCS_GUEST_CR3);
	paging->cr4 = vmread(VMCS_GUEST_CR4);
	paging->efer = vmread(VMCS_GUEST_EFER);
	paging->phys_mask = core.phys_mask;
	paging->has_1g = core.has_1g;
	paging->has_shadow_stacks = core.has_shadow_stacks;
	paging->translate = NULL;
	for (i = 0; i < ARRAY_SIZE(paging->pdpte) && !(paging->efer & EFER_LMA); i++)
		paging->pdpte[i] = vmread(VMCS_GUEST_PDPTE0 + 2 * i);
}

/**
 * guest_read_paging - how this CPU's guest translates, for explicit accesses
 *
 * PKRU and PKRS are not switched by VM exits: they are the guest's in root mode
 * too.
 */
void guest_read_paging(struct guest_paging *paging)
{
	struct percpu *cpu = this_cpu();
	u64 pkrs = 0;

	guest_read_mode(paging);
	/* In a view the addresses are those of the view. */
	if (nested_in_guest(cpu) && !cpu->view)
		paging->translate = nested_translate;
	paging->ac = vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC;
	paging->pkru = paging->cr4 & CR4_PKE ? read_pkru() : 0;
	if (paging->cr4 & CR4_PKS)
		rdmsr_safe(MSR_PKRS, &pkrs);
	paging->pkrs = (u32)pkrs;
}

/* Up to the end of the page. */
static u32 part_of(u64 address, u32 size)
{
	u32 rest = PAGE_SIZE - address % PAGE_SIZE;

	return size < rest ? size : rest;
}

/** guest_is_canonical - can a linear address have this value in 64-bit code */
bool guest_is_canonical(u64 linear)
{
	u32 unused = vmread(VMCS_GUEST_CR4) & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((long)(linear << unused) >> unused) == linear;
}

/**
 * guest_argument - a range of memory that the caller of a hypercall names
 * @linear: in: a register; out: linear address
 * @size: in: a register; out: bytes
 *
 * Of a caller that is not in 64-bit code the low halves count. Return: false if
 * there is no such range: it is not canonical, or goes around.
 */
bool guest_argument(u64 *linear, u64 *size)
{
	u64 last;

	if (!(vmread(VMCS_GUEST_CS_ACCESS) & SEGMENT_L)) {
		*linear = (u32)*linear;
		*size = (u32)*size;
		return *linear + *size <= BIT(32);
	}
	last = *linear + (*size ? *size - 1 : 0);
	return guest_is_canonical(*linear) && guest_is_canonical(last) && last >= *linear &&
	       *linear >> 63 == last >> 63;
}

/**
 * guest_read_physical - copy from guest-physical memory
 * @gpa: address; core's own memory and hidden pages read as zeros
 * @buf: where to
 * @size: bytes, over any number of pages
 *
 * Context: root mode.
 */
void guest_read_physical(u64 gpa, void *buf, u32 size)
{
	volatile void *from;
	u32 part;

	for (; size; gpa += part, buf = (char *)buf + part, size -= part) {
		part = part_of(gpa, size);
		from = map(gpa, false);
		if (from)
			memcpy(buf, (const void *)from, part);
		else
			memset(buf, 0, part);
	}
}

/**
 * guest_write_physical - copy to guest-physical memory
 * @gpa: address; writes to core's own memory and to hidden pages go nowhere
 * @buf: where from
 * @size: bytes, over any number of pages
 *
 * Context: root mode.
 */
void guest_write_physical(u64 gpa, const void *buf, u32 size)
{
	volatile void *to;
	u32 part;

	for (; size; gpa += part, buf = (const char *)buf + part, size -= part) {
		part = part_of(gpa, size);
		nested_track_note_write(this_cpu(), gpa);
		to = map(gpa, true);
		if (to)
			memcpy((void *)to, buf, part);
	}
}

/* All pages are translated first, so that a fault leaves nothing half done. */
static bool translate(const struct guest_paging *paging, u64 linear, u32 access, u32 size,
		      u64 gpa[2], struct guest_fault *fault)
{
	u32 part = part_of(linear, size);

	fault->linear = linear;
	if (!walk(paging, linear, access, &gpa[0], &fault->error))
		return false;
	if (part == size)
		return true;
	fault->linear = linear + part;
	return walk(paging, linear + part, access, &gpa[1], &fault->error);
}

/**
 * guest_read - read as an instruction of the guest would
 * @paging: the guest's paging
 * @linear: linear address, canonical
 * @access: PF_USER, PF_FETCH or 0
 * @buf: where to
 * @size: bytes, at most a page
 * @fault: the page fault that the guest is to get
 *
 * Context: root mode. Return: false for a page fault.
 */
bool guest_read(const struct guest_paging *paging, u64 linear, u32 access, void *buf, u32 size,
		struct guest_fault *fault)
{
	u32 part = part_of(linear, size);
	u64 gpa[2];

	if (!translate(paging, linear, access, size, gpa, fault))
		return false;
	guest_read_physical(gpa[0], buf, part);
	if (part < size)
		guest_read_physical(gpa[1], (char *)buf + part, size - part);
	return true;
}

/**
 * guest_write - write as an instruction of the guest would
 *
 * As guest_read(); nothing is written if any of it would fault.
 */
bool guest_write(const struct guest_paging *paging, u64 linear, u32 access, const void *buf,
		 u32 size, struct guest_fault *fault)
{
	u32 part = part_of(linear, size);
	u64 gpa[2];

	if (!translate(paging, linear, access | PF_WRITE, size, gpa, fault))
		return false;
	guest_write_physical(gpa[0], buf, part);
	if (part < size)
		guest_write_physical(gpa[1], (const char *)buf + part, size - part);
	return true;
}

/* How the caller of a hypercall reaches what it names: with its own rights. */
static bool read_caller(u64 *linear, u64 *size, struct guest_paging *paging, u32 *access)
{
	if (!guest_argument(linear, size))
		return false;
	guest_read_paging(paging);
	*access = guest_cpl() == 3 ? PF_USER : 0;
	return true;
}

/**
 * guest_read_argument - read what the caller of a hypercall names
 * @linear: a register, see guest_argument()
 * @buf: where to
 * @size: bytes, at most a page
 *
 * Return: false if there is no such range, or the caller may not read it.
 */
bool guest_read_argument(u64 linear, void *buf, u64 size)
{
	struct guest_paging paging;
	struct guest_fault fault;
	u32 access;

	return read_caller(&linear, &size, &paging, &access) &&
	       guest_read(&paging, linear, access, buf, (u32)size, &fault);
}

/** guest_write_argument - and write there; as guest_read_argument() */
bool guest_write_argument(u64 linear, const void *buf, u64 size)
{
	struct guest_paging paging;
	struct guest_fault fault;
	u32 access;

	return read_caller(&linear, &size, &paging, &access) &&
	       guest_write(&paging, linear, access, buf, (u32)size, &fault);
}

/** guest_inject_page_fault - give the guest the #PF of an access made for it, or L1 its exit */
void guest_inject_page_fault(struct percpu *cpu, const struct guest_fault *fault)
{
	if (fault->error & PF_BEYOND)
		nested_exit_missed(cpu, fault->linear);
	else
		event_inject_page_fault(cpu, fault->linear, fault->error);
}
