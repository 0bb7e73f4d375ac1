// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT02: what L1's EPT allows of what core's EPT allows.
 *
 * Core's EPT maps each address to itself, so a leaf of EPT02 is one of EPT12's with the
 * rights that core's leaf has, as large as both are. It is filled on demand, each CPU
 * has its own, and a few of them, by EPTP. INVEPT does not drop anything: each entry is
 * compared with EPT12's when the tables are used next, and only what has changed goes.
 * All of them go when core's EPT has changed, or when no page is left for them.
 */
#include "apic.h"
#include "core.h"
#include "ept_guest.h"
#include "ept_view.h"
#include "event.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "nested/nested.h"
#include "pool.h"
#include "vmx.h"

#define MAX_TRIES		100
#define EPT12_ACCESSED		BIT(8)
#define EPT12_DIRTY		BIT(9)
#define EPT12_IGNORE_PAT	BIT(6)
#define EPT12_SUPPRESS_VE	BIT(63)
#define TABLE_RESERVED		0xf8ull		/* of an entry that refers to a table, but bit 7 */
#define QUALIFICATION_RIGHTS	3		/* shift of what the entries allow */
#define VIOLATION_KEPT		0x1f87ull	/* what the CPU says of the access itself */

/**
 * struct walk12 - how L1's EPT translates an address
 * @gpa: L1's physical address
 * @entry: the last entry that was read
 * @rights: what all levels allow
 * @level: of the leaf
 * @is_leaf: there is one; else @entry is not present, or wrong
 * @is_wrong: @entry is a misconfiguration
 * @is_full: L1's log of dirty pages is
 */
struct walk12 {
	u64 gpa, entry, rights;
	u32 level;
	bool is_leaf, is_wrong, is_full;
};

/* Reserved bits of an address: above what the CPU has, and inside of a large page. */
static u64 reserved_address(u32 level)
{
	return EPT_ADDRESS & (~core.phys_mask | ((ept_level_size(level) - 1) & PAGE_MASK));
}

static bool leaf_is_wrong(u64 entry, u32 level)
{
	u64 type = entry >> EPT_TYPE_SHIFT & 7;

	return type == 2 || type == 3 || type == 7 || entry & reserved_address(level);
}

/* SDM vol. 3, 29.3.3.1 */
static bool is_wrong(u64 entry, u32 level, bool is_leaf)
{
	u64 rights = entry & EPT_RWX;

	if (rights == EPT_WRITE || rights == (EPT_WRITE | EPT_EXEC))
		return true;
	if (rights == EPT_EXEC && !nested_offers_ept(EPT_CAP_XONLY))
		return true;
	if (is_leaf)
		return leaf_is_wrong(entry, level);
	return entry & (TABLE_RESERVED & ~(u64)EPT_LARGE) || entry & reserved_address(0) ||
	       entry & EPT_LARGE;
}

static bool can_be_leaf(u64 entry, u32 level)
{
	if (!level)
		return true;
	if (!(entry & EPT_LARGE))
		return false;
	return level == 1 || (level == 2 && nested_offers_ept(EPT_CAP_1G));
}

/* Accessed and dirty flags, if L1 has them on; false: the entry has changed meanwhile. */
static bool set_flags(u64 eptp, u64 at, u64 entry, bool dirty)
{
	u64 wanted = entry | EPT12_ACCESSED | (dirty ? EPT12_DIRTY : 0);

	if (!(eptp & EPTP_AD) || wanted == entry)
		return true;
	return walk_exchange_entry(at, sizeof(entry), entry, wanted);
}

/*
 * A dirty flag is about to be set: L1 has it in its log (SDM vol. 3, 29.3.6). Return:
 * false if the log is full, then L1 has its exit first.
 */
static bool log_dirty(struct percpu *cpu, u64 address)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 index = vmread(VMCS_GUEST_PML_INDEX);

	if (!(nested_secondary(v) & SECONDARY_PML))
		return true;
	if (index >= EPT_ENTRIES)
		return false;
	address &= PAGE_MASK;
	guest_write_physical(vmcs12_get(v, VMCS_PML_ADDRESS) + 8 * index, &address,
			     sizeof(address));
	vmwrite(VMCS_GUEST_PML_INDEX, (index - 1) & 0xffff);
	return true;
}

/*
 * Return: false if it has to be done again. @access is what is to be done: flags are set
 * for an access that is allowed, as far as the walk has come.
 */
static bool walk12_once(struct percpu *cpu, u64 address, u64 access, struct walk12 *walk)
{
	u64 eptp = cpu->nested->current_root->eptp;
	u64 table = eptp & EPT_ADDRESS, at[EPT_LEVELS], entry[EPT_LEVELS];
	u32 level = EPT_LEVELS - 1, i;

	*walk = (struct walk12){ .rights = EPT_RWX };
	for (;; level--) {
		at[level] = table + 8 * ept_level_index(address, level);
		entry[level] = walk_read_entry(at[level], sizeof(u64));
		walk->entry = entry[level];
		walk->level = level;
		walk->rights &= entry[level];
		if (!(entry[level] & EPT_RWX))
			return true;
		walk->is_leaf = can_be_leaf(entry[level], level);
		walk->is_wrong = is_wrong(entry[level], level, walk->is_leaf);
		if (walk->is_wrong || walk->is_leaf)
			break;
		table = entry[level] & EPT_ADDRESS;
	}
	if (walk->is_wrong) {
		walk->is_leaf = false;
		return true;
	}
	walk->gpa = (walk->entry & EPT_ADDRESS & ~(ept_level_size(level) - 1)) |
		    (address & (ept_level_size(level) - 1));
	if (access & ~walk->rights)
		return true;
	if (eptp & EPTP_AD && access & EPT_WRITE && !(entry[level] & EPT12_DIRTY) &&
	    !log_dirty(cpu, address)) {
		walk->is_full = true;
		return true;
	}
	for (i = EPT_LEVELS; i-- > level;)
		if (!set_flags(eptp, at[i], entry[i], i == level && access & EPT_WRITE))
			return false;
	/* Without the dirty flag a later write has to come here. */
	if (eptp & EPTP_AD && !(access & EPT_WRITE) && !(entry[level] & EPT12_DIRTY))
		walk->rights &= ~EPT_WRITE;
	return true;
}

/* Where L1's tables change all the time, or take no flags, there is no page in the end. */
static void walk12(struct percpu *cpu, u64 address, u64 access, struct walk12 *walk)
{
	u32 tries;

	for (tries = 0; tries < MAX_TRIES; tries++)
		if (walk12_once(cpu, address, access, walk))
			return;
	walk->is_leaf = false;
}

/* --- tables of EPT02 */

static bool is_table(u64 entry, u32 level)
{
	return level && entry & EPT_RWX && !(entry & EPT_LARGE);
}

static void free_table(u64 *table, u32 level)
{
	u32 i;

	for (i = 0; level && i < EPT_ENTRIES; i++)
		if (is_table(table[i], level))
			free_table(ept_entry_table(table[i]), level - 1);
	pool_free(table);
}

static void *alloc_table(void)
{
	return pool_free_pages() > POOL_RESERVE ? pool_alloc() : NULL;
}

static void free_root(struct nested_ept_root *root)
{
	if (root->root)
		free_table(root->root, EPT_LEVELS - 1);
	*root = (struct nested_ept_root){ 0 };
}

/* The CPU may still have them cached, and by the address of a root that is used again. */
static void free_all(struct nested *nested)
{
	u32 i;

	for (i = 0; i < NESTED_EPT_ROOTS; i++)
		free_root(&nested->root[i]);
	nested->current_root = NULL;
	invept_all();
}

/* A leaf at @level, or lower where there is a table already. False: no page is left. */
static bool set_leaf(u64 *table, u64 address, u64 leaf, u32 level)
{
	u32 at = EPT_LEVELS - 1;
	u64 *entry, *next;

	for (;; at--) {
		entry = &table[ept_level_index(address, at)];
		if (at == level && !is_table(*entry, at))
			break;
		if (!is_table(*entry, at)) {
			next = alloc_table();
			if (!next)
				return false;
			*entry = pool_pa(next) | EPT_RWX;
		}
		if (at == level) {
			level--;
			leaf |= address & (ept_level_size(level + 1) - 1) &
				~(ept_level_size(level) - 1);
		}
		table = ept_entry_table(*entry);
	}
	*entry = leaf | (level ? EPT_LARGE : 0);
	return true;
}

static void clear_leaf(u64 *table, u64 address)
{
	u32 at = EPT_LEVELS - 1;
	u64 *entry;

	for (;; at--) {
		entry = &table[ept_level_index(address, at)];
		if (!is_table(*entry, at))
			break;
		table = ept_entry_table(*entry);
	}
	*entry = 0;
}

/* --- one address */

/* L1's physical address, as core's EPT has it; what is not mapped yet is. */
static u64 lookup01(struct percpu *cpu, u64 gpa, u32 *level)
{
	u64 entry = ept_guest_lookup(gpa, level);

	if (entry & EPT_USED || pool_owns(gpa))
		return entry;
	return ept_guest_fill(cpu, gpa) ? ept_guest_lookup(gpa, level) : 0;
}

/* What is core's, or hidden, reads as zeros, and writes to it are lost. */
static u64 hidden_leaf(struct nested *nested, bool write)
{
	u64 pa = pool_pa(write ? nested->sink : ept_guest.zeros);

	return pa | (write ? EPT_RWX : EPT_READ | EPT_EXEC) | (u64)MTRR_TYPE_WB << EPT_TYPE_SHIFT;
}

/* Return: 0 if the access is not allowed by core's EPT, and hypapps are to be asked. */
static u64 make_leaf(struct percpu *cpu, const struct walk12 *walk, u64 access, u32 *level)
{
	u32 level01 = 0;
	u64 entry = lookup01(cpu, walk->gpa, &level01), rights;

	if (pool_owns(walk->gpa) || entry & EPT_PRIVATE) {
		*level = 0;
		return hidden_leaf(cpu->nested, access & EPT_WRITE);
	}
	if (entry & EPT_DENY_NESTED && access & EPT_WRITE) {
		nested_track_handle_write(cpu, walk->gpa);
		entry = lookup01(cpu, walk->gpa, &level01);
	}
	rights = walk->rights & entry;
	if (access & ~rights)
		return 0;
	*level = walk->level < level01 ? walk->level : level01;
	return (walk->gpa & ~(ept_level_size(*level) - 1)) | rights |
	       (walk->entry & (EPT_TYPE | EPT12_IGNORE_PAT));
}

static bool fill(struct percpu *cpu, u64 address, u64 leaf, u32 level)
{
	struct nested *nested = cpu->nested;
	u64 eptp = nested->current_root->eptp;

	if (nested->current_root->root &&
	    set_leaf(nested->current_root->root, address, leaf, level))
		return true;
	/* Begin again with no more than this one. */
	free_all(nested);
	nested_ept_use(cpu, eptp);
	return nested->current_root->root &&
	       set_leaf(nested->current_root->root, address, leaf, level);
}

/* --- exits */

/**
 * struct ve_information - what L2 reads of a virtualization exception (SDM vol. 3, 25.5.7.2)
 */
struct ve_information {
	u32 reason, busy;
	u64 qualification, linear, physical;
	u16 eptp_index;
} __attribute__((packed));

/* "Suppress #VE" is in the last entry, as far as the walk came. */
static bool is_convertible(const struct vmcs12 *v, const struct walk12 *walk)
{
	return nested_secondary(v) & SECONDARY_VE && !(walk->entry & EPT12_SUPPRESS_VE) &&
	       vmread(VMCS_GUEST_CR0) & CR0_PE &&
	       !(vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID);
}

/* An exception like any other: L1 may want to have it. */
static void raise_ve(struct percpu *cpu)
{
	struct vmcs12 *v = cpu->nested->vmcs12;

	if (!(vmcs12_get(v, VMCS_EXCEPTION_BITMAP) & BIT(VECTOR_VE))) {
		event_inject_exception(cpu, VECTOR_VE);
		return;
	}
	nested_exit(cpu, EXIT_EXCEPTION, 0);
	vmcs12_set(v, VMCS_EXIT_INTERRUPTION_INFO, VECTOR_VE | EVENT_TYPE_HARD | EVENT_VALID);
	nested_shadow_write(cpu);
}

/* Return: false if it is an exit after all. */
static bool convert(struct percpu *cpu, u64 qualification)
{
	const struct vmcs12 *v = cpu->nested->vmcs12;
	u64 gpa = vmcs12_get(v, VMCS_VE_ADDRESS);
	struct ve_information ve = {
		.reason = EXIT_EPT_VIOLATION, .busy = 0xffffffff, .qualification = qualification,
		.linear = vmread(VMCS_GUEST_LINEAR_ADDRESS),
		.physical = vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
		.eptp_index = (u16)vmcs12_get(v, VMCS_EPTP_INDEX),
	};
	u32 busy;

	guest_read_physical(gpa + offsetof(struct ve_information, busy), &busy, sizeof(busy));
	if (busy)
		return false;
	guest_write_physical(gpa, &ve, sizeof(ve));
	event_redo_iret(qualification);
	raise_ve(cpu);
	return true;
}

static void reflect_violation(struct percpu *cpu, u64 qualification, const struct walk12 *walk)
{
	u64 rights = walk->is_leaf ? walk->rights : 0;

	qualification = (qualification & VIOLATION_KEPT) | rights << QUALIFICATION_RIGHTS;
	if (!is_convertible(cpu->nested->vmcs12, walk) || !convert(cpu, qualification))
		nested_exit(cpu, EXIT_EPT_VIOLATION, qualification);
}

/* An event that was being delivered is delivered when L2 goes on. */
static void go_on(struct percpu *cpu, u64 qualification)
{
	if (vmread(VMCS_IDT_VECTORING_INFO) & EVENT_VALID)
		event_reinject(cpu);
	else
		event_redo_iret(qualification);
}

static bool step(struct percpu *cpu, u64 address, u64 leaf)
{
	/* Dropped meanwhile: the instruction starts again. */
	if (!cpu->nested->current_root)
		return true;
	if (!fill(cpu, address, leaf, 0))
		return false;
	cpu->nested->stepped = address;
	event_hold_interrupts();
	event_set_mtf(cpu, MTF_L2);
	return true;
}

/*
 * A write to an APIC's page, of which core is to see those to the ICR: such a one goes to
 * the sink, and to the register when the instruction is over.
 */
static bool step_apic(struct percpu *cpu, u64 address, const struct walk12 *walk, u64 leaf)
{
	struct nested *nested = cpu->nested;

	nested->icr = apic_is_own(cpu, walk->gpa & PAGE_MASK) &&
		      walk->gpa % PAGE_SIZE == APIC_ICR_LOW;
	return step(cpu, address, nested->icr ? hidden_leaf(nested, true) : leaf);
}

/*
 * Core's EPT does not allow it. If a hypapp lets the instruction go, it may do with the
 * page what L1 lets it, and behind it that leaf of EPT02 goes.
 */
static void refuse(struct percpu *cpu, u64 address, const struct walk12 *walk, u64 qualification)
{
	u64 leaf = (walk->gpa & PAGE_MASK) | walk->rights |
		   (walk->entry & (EPT_TYPE | EPT12_IGNORE_PAT));
	enum hypapp_verdict verdict = hypapp_ept_violation(cpu, walk->gpa, qualification);
	u32 level;

	if (verdict == HYPAPP_NOT_MINE && lookup01(cpu, walk->gpa, &level) & EPT_DENY_APIC &&
	    step_apic(cpu, address, walk, leaf))
		return;
	if (verdict == HYPAPP_STEP && step(cpu, address, leaf))
		return;
	if (verdict != HYPAPP_DONE)
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * nested_ept_end_step - no longer does L2 have what one of its instructions was let
 * @done: the instruction is over; else it begins again
 */
void nested_ept_end_step(struct percpu *cpu, bool done)
{
	struct nested *nested = cpu->nested;
	u32 *icr = (u32 *)nested->sink + APIC_ICR_LOW / sizeof(u32);

	event_clear_mtf(cpu, MTF_L2);
	if (nested->current_root && nested->current_root->root)
		clear_leaf(nested->current_root->root, nested->stepped);
	invept_all();
	if (nested->icr && done)
		apic_write_register(cpu, APIC_ICR_LOW, *icr);
	else if (done)
		hypapp_stepped(cpu);
	nested->icr = false;
}

/**
 * nested_ept_handle_violation - EPT violation of L2, whose L1 uses EPT
 * @cpu: this CPU, VMCS02 current
 *
 * On return L2 goes on, or L1 has its exit.
 */
void nested_ept_handle_violation(struct percpu *cpu)
{
	u64 address = vmread(VMCS_GUEST_PHYSICAL_ADDRESS), leaf;
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	u64 access = qualification & EPT_RWX;
	struct walk12 walk;
	u32 level;

	walk12(cpu, address, access, &walk);
	if (walk.is_wrong) {
		nested_exit(cpu, EXIT_EPT_MISCONFIG, 0);
		return;
	}
	if (walk.is_full) {
		nested_exit(cpu, EXIT_PML_FULL, qualification & EPT_VIOLATION_NMI_IRET);
		return;
	}
	if (!walk.is_leaf || access & ~walk.rights) {
		reflect_violation(cpu, qualification, &walk);
		return;
	}
	go_on(cpu, qualification);
	leaf = make_leaf(cpu, &walk, access, &level);
	/* Core's EPT has changed, and with it this one: it is made again, see nested_resume(). */
	if (!cpu->nested->current_root)
		return;
	if (!leaf)
		refuse(cpu, address, &walk, qualification);
	else if (!fill(cpu, address, leaf, level))
		event_inject_fault(cpu, VECTOR_GP, 0);
}

/**
 * nested_ept_switch - VMFUNC 0 of L2: another EPTP of L1's list (SDM vol. 3, 25.5.6.3)
 * @cpu: this CPU, VMCS02 current
 *
 * Return: false if it is an exit of L1's.
 */
bool nested_ept_switch(struct percpu *cpu)
{
	struct vmcs12 *v = cpu->nested->vmcs12;
	u32 function = (u32)cpu->gpr->rax, index = (u32)cpu->gpr->rcx;
	u64 eptp;

	if (function || index >= EPT_ENTRIES ||
	    !(vmcs12_get(v, VMCS_VM_FUNCTION_CONTROLS) & FUNCTION_EPTP_SWITCHING))
		return false;
	guest_read_physical(vmcs12_get(v, VMCS_EPTP_LIST_ADDRESS) + 8 * index, &eptp, sizeof(eptp));
	if (!nested_eptp_is_valid(eptp))
		return false;
	vmcs12_set(v, VMCS_EPT_POINTER, eptp);
	if (nested_secondary(v) & SECONDARY_VE)
		vmcs12_set(v, VMCS_EPTP_INDEX, index);
	nested_ept_use(cpu, eptp);
	event_skip_instruction();
	return true;
}

/* --- INVEPT */

/* Has it been used, as far as L1 knows: if not, that is to be seen again. */
static bool is_accessed(u64 eptp, u64 entry12)
{
	return !(eptp & EPTP_AD) || entry12 & EPT12_ACCESSED;
}

/* Is what EPT02 has still so: as if it were asked for now. */
static bool leaf_agrees(u64 eptp, u64 leaf, u64 entry12, u64 rights12, u32 level)
{
	u64 address = EPT_ADDRESS & ~(ept_level_size(level) - 1);

	if (!(entry12 & EPT_RWX) || is_wrong(entry12, level, true))
		return false;
	if ((leaf ^ entry12) & (EPT_TYPE | EPT12_IGNORE_PAT | address))
		return false;
	if (leaf & EPT_RWX & ~rights12 || !is_accessed(eptp, entry12))
		return false;
	return !(eptp & EPTP_AD) || !(leaf & EPT_WRITE) || entry12 & EPT12_DIRTY;
}

/**
 * struct compare - tables of both that are compared
 * @eptp: EPTP12
 * @table: EPT02's
 * @gpa12: address of EPT12's, or 0 if a large page of L1's is above
 * @leaf12: that large page, from where @table begins
 * @rights12: what is allowed above
 * @changed: out: something has gone
 */
struct compare {
	u64 eptp, *table, gpa12, leaf12, rights12;
	u32 level;
	bool changed;
};

static void compare_table(struct compare *c);

static void drop(struct compare *c, u32 i)
{
	u64 entry = c->table[i];

	c->table[i] = 0;
	c->changed = true;
	if (is_table(entry, c->level))
		free_table(ept_entry_table(entry), c->level - 1);
}

static void compare_entry(struct compare *c, u32 i)
{
	u64 entry = c->table[i];
	u64 entry12 = c->gpa12 ? walk_read_entry(c->gpa12 + 8 * i, sizeof(u64)) :
				 c->leaf12 + i * ept_level_size(c->level);
	bool leaf12 = !c->gpa12 || can_be_leaf(entry12, c->level);
	struct compare below = { .eptp = c->eptp, .rights12 = c->rights12 & entry12,
				 .level = c->level - 1 };

	if (!is_table(entry, c->level)) {
		if (!leaf12 || !leaf_agrees(c->eptp, entry, entry12, below.rights12, c->level))
			drop(c, i);
		return;
	}
	if (!(entry12 & EPT_RWX) || is_wrong(entry12, c->level, leaf12) ||
	    !is_accessed(c->eptp, entry12)) {
		drop(c, i);
		return;
	}
	below.table = ept_entry_table(entry);
	below.gpa12 = leaf12 ? 0 : entry12 & EPT_ADDRESS;
	below.leaf12 = entry12;
	compare_table(&below);
	c->changed |= below.changed;
}

static void compare_table(struct compare *c)
{
	u32 i;

	for (i = 0; i < EPT_ENTRIES; i++)
		if (c->table[i] & EPT_RWX)
			compare_entry(c, i);
}

static void revalidate(struct nested_ept_root *root)
{
	struct compare c = { .eptp = root->eptp, .table = root->root,
			     .gpa12 = root->eptp & EPT_ADDRESS, .rights12 = EPT_RWX,
			     .level = EPT_LEVELS - 1 };

	root->stale = false;
	compare_table(&c);
	if (c.changed)
		invept_all();
}

/* --- roots */

static struct nested_ept_root *find_root(struct nested *nested, u64 eptp)
{
	struct nested_ept_root *root = nested->root, *oldest = root;

	for (; root < nested->root + NESTED_EPT_ROOTS; root++) {
		if (root->root && root->eptp == eptp)
			return root;
		if (root->used < oldest->used)
			oldest = root;
	}
	if (oldest->root) {
		free_root(oldest);
		invept_all();
	}
	oldest->eptp = eptp;
	oldest->root = alloc_table();
	return oldest;
}

/**
 * nested_ept_use - have L2 run with an EPT of L1's
 * @cpu: this CPU, VMCS02 current
 * @eptp: EPTP12, valid
 */
void nested_ept_use(struct percpu *cpu, u64 eptp)
{
	struct nested *nested = cpu->nested;
	struct nested_ept_root *root = find_root(nested, eptp);
	u64 *table;

	if (!root->root) {
		free_all(nested);
		root = find_root(nested, eptp);
	}
	root->used = ++nested->tick;
	if (root->stale && root->root)
		revalidate(root);
	nested->current_root = root;
	/* Without a page for it nothing is mapped, and L2 gets a #GP at its first access. */
	table = root->root ? root->root : nested->no_table;
	/* With accessed and dirty flags, walks of L2's page tables count as writes. */
	vmwrite(VMCS_EPT_POINTER, ept_pointer(table) | (eptp & EPTP_AD));
}

/**
 * nested_ept_invalidate - INVEPT by L1
 * @eptp: for this EPTP12; 0: for all
 */
void nested_ept_invalidate(struct percpu *cpu, u64 eptp)
{
	struct nested *nested = cpu->nested;
	u32 i;

	for (i = 0; i < NESTED_EPT_ROOTS; i++)
		if (!eptp || !((nested->root[i].eptp ^ eptp) & EPT_ADDRESS))
			nested->root[i].stale = true;
}

/** nested_ept_drop - have none; VMCS02's EPT pointer is to be written before it is used */
void nested_ept_drop(struct percpu *cpu)
{
	free_all(cpu->nested);
}
