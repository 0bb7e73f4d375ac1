// SPDX-License-Identifier: GPL-2.0-only
/* Fields of VMCS12; see vmcs12.h. */
#include "nested/vmcs12.h"
#include "vmx.h"

#define ENCODING_HIGH		BIT(0)
#define ENCODING_RESERVED	(~0x6ffeull & ~ENCODING_HIGH)

enum { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };

/* A CPU that has the first also has those that follow it, by index. */
#define FIELDS(first, last)	{ VMCS_##first, VMCS_##last }
#define FIELD(name)		FIELDS(name, name)

/*
 * The guest state is copied to VMCS02 as it is, and back. Not here is what has a second
 * meaning: link pointer, EFER, PAT, DEBUGCTL, DR7 and PDPTEs.
 *
 * Hypervisors read or write this part of it, and these controls, at nearly each exit.
 */
static const u16 hot_fields[][2] = {
	FIELD(GUEST_CS_ACCESS), FIELD(GUEST_SS_ACCESS),
	FIELDS(GUEST_INTERRUPT_STATUS, GUEST_PML_INDEX),
	FIELDS(GUEST_INTERRUPTIBILITY, GUEST_ACTIVITY), FIELDS(GUEST_CR0, GUEST_CR4),
	FIELDS(GUEST_RSP, GUEST_PENDING_DEBUG),
};

static const u16 hot_control_fields[][2] = {
	FIELDS(ENTRY_INTERRUPTION_INFO, TPR_THRESHOLD), FIELD(PREEMPTION_TIMER),
};

/* Not in VMCS02. Many write it before each entry, and there is nothing to be checked. */
static const u16 hot_host_fields[][2] = {
	FIELD(HOST_RSP),
};

static const u16 cold_fields[][2] = {
	FIELDS(GUEST_ES_SELECTOR, GUEST_TR_SELECTOR), FIELDS(GUEST_ES_LIMIT, GUEST_IDTR_LIMIT),
	FIELD(GUEST_ES_ACCESS), FIELDS(GUEST_DS_ACCESS, GUEST_TR_ACCESS),
	FIELD(GUEST_SYSENTER_CS), FIELDS(GUEST_ES_BASE, GUEST_IDTR_BASE),
	FIELDS(GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP), FIELD(GUEST_PKRS),
	FIELDS(GUEST_S_CET, GUEST_SSP_TABLE),
};

/* Other controls that are copied to VMCS02 as they are. */
static const u16 control_fields[][2] = {
	FIELD(POSTED_INTERRUPT_VECTOR), FIELD(TSC_OFFSET),
	FIELDS(EOI_EXIT_BITMAP0, EOI_EXIT_BITMAP3), FIELD(XSS_EXITING_BITMAP),
	FIELD(TSC_MULTIPLIER), FIELD(EXCEPTION_BITMAP), FIELD(PAGE_FAULT_MASK),
	FIELD(PAGE_FAULT_MATCH), FIELD(CR3_TARGET_COUNT), FIELD(PLE_GAP), FIELD(PLE_WINDOW),
	FIELDS(CR3_TARGET0, CR3_TARGET3),
};

/* About an exit, as it was in VMCS02. */
static const u16 exit_fields[][2] = {
	FIELD(EXIT_REASON), FIELD(EXIT_QUALIFICATION),
	FIELD(EXIT_INTERRUPTION_INFO), FIELD(EXIT_INTERRUPTION_ERROR_CODE),
	FIELD(IDT_VECTORING_INFO), FIELD(IDT_VECTORING_ERROR_CODE),
	FIELD(EXIT_INSTRUCTION_LENGTH), FIELD(EXIT_INSTRUCTION_INFO),
	FIELD(GUEST_LINEAR_ADDRESS), FIELD(GUEST_PHYSICAL_ADDRESS),
};

/* All others that there may be. */
static const u16 other_fields[][2] = {
	FIELD(VPID), FIELD(EPTP_INDEX), FIELDS(HOST_ES_SELECTOR, HOST_TR_SELECTOR),
	FIELDS(IO_BITMAP_A, PML_ADDRESS), FIELD(VIRTUAL_APIC_ADDRESS),
	FIELDS(APIC_ACCESS_ADDRESS, EPT_POINTER), FIELDS(EPTP_LIST_ADDRESS, VE_ADDRESS),
	FIELDS(LINK_POINTER, GUEST_PDPTE3), FIELDS(HOST_PAT, HOST_PKRS),
	FIELDS(PIN_CONTROLS, PRIMARY_CONTROLS), FIELDS(EXIT_CONTROLS, ENTRY_MSR_LOAD_COUNT),
	FIELD(SECONDARY_CONTROLS), FIELD(INSTRUCTION_ERROR),
	FIELDS(IO_RCX, IO_RIP), FIELD(GUEST_SMBASE), FIELD(HOST_SYSENTER_CS),
	FIELDS(CR0_MASK, CR4_SHADOW), FIELD(GUEST_DR7),
	FIELDS(HOST_CR0, HOST_SYSENTER_EIP), FIELDS(HOST_RIP, HOST_SSP_TABLE),
};

/** vmcs12_hot - guest state that is copied both ways at each entry and exit */
struct vmcs12_fields vmcs12_hot;
/** vmcs12_cold - guest state that stays in VMCS02 until it is asked for */
struct vmcs12_fields vmcs12_cold;
/** vmcs12_hot_controls - controls that are copied to VMCS02 at each entry */
struct vmcs12_fields vmcs12_hot_controls;
/** vmcs12_hot_host - host state that is written as often */
struct vmcs12_fields vmcs12_hot_host;
/** vmcs12_controls - controls that are copied to VMCS02 if one has been written */
struct vmcs12_fields vmcs12_controls;
/** vmcs12_exit - what is copied from VMCS02 when an exit is the guest hypervisor's */
struct vmcs12_fields vmcs12_exit;

static u32 known[VMCS12_GROUPS];
static u8 class_of[VMCS12_GROUPS * VMCS12_INDEXES];
static u32 last_index;

static bool cpu_has(u16 encoding)
{
	u64 value;
	bool fail;

	asm volatile("vmread %2, %1" : "=@ccbe" (fail), "=r" (value) : "r" ((u64)encoding));
	return !fail;
}

static void add(struct vmcs12_fields *list, u32 i, u32 encoding)
{
	list->field[i].encoding = (u16)encoding;
	list->field[i].slot = (u16)vmcs12_slot(encoding);
}

static void learn(struct vmcs12_fields *list, enum vmcs12_class class, const u16 (*ranges)[2],
		  u32 count)
{
	u32 i, encoding, index, found = 0;

	for (i = 0; i < count; i++)
		for (encoding = ranges[i][0]; encoding <= ranges[i][1]; encoding += 2) {
			if (!cpu_has((u16)encoding))
				continue;
			index = encoding >> 1 & (VMCS12_INDEXES - 1);
			known[vmcs12_group(encoding)] |= 1u << index;
			class_of[vmcs12_slot(encoding)] = (u8)class;
			last_index = index > last_index ? index : last_index;
			if (list)
				add(list, found++, encoding);
		}
	if (list)
		list->count = found;
}

/**
 * vmcs12_init - find out which fields this CPU has
 *
 * Nothing is offered that the CPU has not got. Context: root mode, a VMCS is current.
 * The first CPUs may do this at the same time, and all come to the same.
 */
void vmcs12_init(void)
{
	static bool known_all;

	if (__atomic_load_n(&known_all, __ATOMIC_ACQUIRE))
		return;
	learn(&vmcs12_hot, VMCS12_HOT, hot_fields, ARRAY_SIZE(hot_fields));
	learn(&vmcs12_hot_controls, VMCS12_HOT, hot_control_fields,
	      ARRAY_SIZE(hot_control_fields));
	learn(&vmcs12_hot_host, VMCS12_HOT, hot_host_fields, ARRAY_SIZE(hot_host_fields));
	learn(&vmcs12_cold, VMCS12_COLD, cold_fields, ARRAY_SIZE(cold_fields));
	learn(&vmcs12_controls, VMCS12_OTHER, control_fields, ARRAY_SIZE(control_fields));
	learn(&vmcs12_exit, VMCS12_EXIT, exit_fields, ARRAY_SIZE(exit_fields));
	learn(NULL, VMCS12_OTHER, other_fields, ARRAY_SIZE(other_fields));
	__atomic_store_n(&known_all, true, __ATOMIC_RELEASE);
}

/** vmcs12_load - fields from the VMCS that is current on the CPU */
void vmcs12_load(struct vmcs12 *vmcs12, const struct vmcs12_fields *list)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		vmcs12->slot[list->field[i].slot] = vmread(list->field[i].encoding);
}

/** vmcs12_store - fields to the VMCS that is current on the CPU */
void vmcs12_store(const struct vmcs12 *vmcs12, const struct vmcs12_fields *list)
{
	u32 i;

	for (i = 0; i < list->count; i++)
		vmwrite(list->field[i].encoding, vmcs12->slot[list->field[i].slot]);
}

/** vmcs12_last_index - the highest index of a field, for IA32_VMX_VMCS_ENUM */
u64 vmcs12_last_index(void)
{
	return last_index;
}

static u32 width_of(u64 encoding)
{
	return encoding >> 13 & 3;
}

/** vmcs12_has - is there a field of this encoding */
bool vmcs12_has(u64 encoding)
{
	u64 index = encoding >> 1 & 0x1ff;

	if (encoding & ENCODING_RESERVED || index >= VMCS12_INDEXES)
		return false;
	if (encoding & ENCODING_HIGH && width_of(encoding) != WIDTH_64)
		return false;
	return known[vmcs12_group((u32)encoding)] >> index & 1;
}

/** vmcs12_class - how a field that vmcs12_has() is kept */
enum vmcs12_class vmcs12_class(u64 encoding)
{
	return class_of[vmcs12_slot((u32)encoding)];
}

/** vmcs12_read - VMREAD of a field that vmcs12_has() */
u64 vmcs12_read(const struct vmcs12 *vmcs12, u64 encoding)
{
	u64 value = vmcs12_get(vmcs12, (u32)encoding);

	return encoding & ENCODING_HIGH ? value >> 32 : value;
}

/**
 * vmcs12_write - VMWRITE of a field that vmcs12_has()
 * @vmcs12: the VMCS
 * @encoding: the field
 * @value: the operand
 * @is_64: by 64-bit code; otherwise the operand has 32 bits (SDM vol. 3, 25.11.2)
 */
void vmcs12_write(struct vmcs12 *vmcs12, u64 encoding, u64 value, bool is_64)
{
	static const u64 mask[] = {
		[WIDTH_16] = 0xffff, [WIDTH_64] = ~0ull, [WIDTH_32] = 0xffffffff,
		[WIDTH_NATURAL] = ~0ull,
	};

	if (!is_64)
		value &= 0xffffffff;
	if (encoding & ENCODING_HIGH)
		value = value << 32 | (vmcs12_get(vmcs12, (u32)encoding) & 0xffffffff);
	vmcs12_set(vmcs12, (u32)encoding, value & mask[width_of(encoding)]);
}
