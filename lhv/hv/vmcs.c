// SPDX-License-Identifier: GPL-2.0-only
/* VMX on and off, and a VMCS by what the CPU's capability MSRs allow. */
#include "hv.h"

#define FEATURE_LOCK	BIT(0)
#define FEATURE_VMXON	BIT(2)
#define ACCESS_UNUSABLE	0x10000
#define MSR_PERF_GLOBAL_CTRL 0x38f

static struct hv hvs[MAX_CPUS];

/**
 * hv_missing - can this CPU be a hypervisor
 *
 * Return: NULL, or why it cannot
 */
const char *hv_missing(void)
{
	u64 value;

	if (!(cpuid(1, 0).ecx & BIT(5)))
		return "CPUID shows no VMX";
	value = rdmsr(MSR_FEATURE_CONTROL);
	if (!(value & FEATURE_LOCK) || !(value & FEATURE_VMXON))
		return "IA32_FEATURE_CONTROL does not allow VMXON";
	return NULL;
}

static void hv_alloc(u32 index)
{
	struct hv *hv = &hvs[index];

	hv->host = &cpus[index];
	hv->guest = mem_alloc(sizeof(*hv->guest), PAGE_SIZE);
	hv->guest->index = index;
	hv->guest->apic_id = hv->host->apic_id;
	hv->vmxon = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	hv->vmcs = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	hv->msr_bitmap = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	hv->io_bitmaps = mem_alloc(2 * PAGE_SIZE, PAGE_SIZE);
	hv->page = mem_alloc(PAGE_SIZE, PAGE_SIZE);
}

/** hv_alloc_all - get memory for all CPUs, the first time; on the boot CPU */
void hv_alloc_all(void)
{
	u32 i;

	for (i = 0; i < nr_cpus && !hvs[0].vmcs; i++)
		hv_alloc(nr_cpus - 1 - i);
}

/** hv_this - the hypervisor of the running CPU; also for its guest */
struct hv *hv_this(void)
{
	return &hvs[this_cpu()->index];
}

/**
 * hv_cap - a capability MSR
 *
 * They do not change; with core underneath each RDMSR of one exits. So it is read once
 * while the CPU is in VMX operation.
 */
u64 hv_cap(u32 msr)
{
	struct hv *hv = hv_this();
	u32 i = msr - MSR_VMX_BASIC;

	if (!hv->on)
		return rdmsr(msr);
	if (!(hv->known >> i & 1))
		hv->caps[i] = rdmsr(msr);
	hv->known |= (u32)BIT(i);
	return hv->caps[i];
}

/* The MSR that describes a field of controls: allowed 0 in its low half, 1 in the high */
static u64 controls_msr(u32 field)
{
	bool exact = hv_cap(MSR_VMX_BASIC) & BASIC_TRUE_CONTROLS;

	switch (field) {
	case F_PIN_CONTROLS:
		return hv_cap(exact ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN);
	case F_PRIMARY_CONTROLS:
		return hv_cap(exact ? MSR_VMX_TRUE_PRIMARY : MSR_VMX_PRIMARY);
	case F_EXIT_CONTROLS:
		return hv_cap(exact ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
	case F_ENTRY_CONTROLS:
		return hv_cap(exact ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
	case F_SECONDARY_CONTROLS:
		if (hv_cap(MSR_VMX_PRIMARY) >> 32 & PRIMARY_SECONDARY)
			return hv_cap(MSR_VMX_SECONDARY);
		return 0;
	default:
		return 0;
	}
}

/** hv_controls_fixed0 - controls of this field that must be 1 */
u32 hv_controls_fixed0(u32 field)
{
	return (u32)controls_msr(field);
}

/** hv_controls_fixed1 - controls of this field that may be 1 */
u32 hv_controls_fixed1(u32 field)
{
	return controls_msr(field) >> 32;
}

bool hv_can(u32 field, u64 bits)
{
	return (hv_controls_fixed1(field) & bits) == bits;
}

void hv_set(u32 field, u64 bits)
{
	vmwrite(field, vmread(field) | bits);
}

void hv_clear(u32 field, u64 bits)
{
	vmwrite(field, vmread(field) & ~bits);
}

/** hv_vmcs_format - make a page a VMCS or VMXON region that was never used */
void *hv_vmcs_format(void *page)
{
	memset(page, 0, PAGE_SIZE);
	*(u32 *)page = BASIC_REVISION(hv_cap(MSR_VMX_BASIC));
	return page;
}

static void fill_zero(void)
{
	static const u16 fields[] = {
#define FIELD_LIST(name, encoding) encoding,
		HV_FIELDS(FIELD_LIST)
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (FIELD_TYPE(fields[i]) != FIELD_READ_ONLY)
			vmwrite(fields[i], 0);
}

static void fill_controls(const struct hv *hv)
{
	u32 secondary = PRIMARY_SECONDARY;

	vmwrite(F_PIN_CONTROLS, hv_controls_fixed0(F_PIN_CONTROLS));
	if (!hv_can(F_PRIMARY_CONTROLS, secondary))
		secondary = 0;
	vmwrite(F_PRIMARY_CONTROLS, hv_controls_fixed0(F_PRIMARY_CONTROLS) | secondary);
	vmwrite(F_SECONDARY_CONTROLS, hv_controls_fixed0(F_SECONDARY_CONTROLS));
	vmwrite(F_EXIT_CONTROLS, hv_controls_fixed0(F_EXIT_CONTROLS) | HV_EXIT_MODE);
	vmwrite(F_ENTRY_CONTROLS, hv_controls_fixed0(F_ENTRY_CONTROLS) | HV_ENTRY_MODE);
	if (hv_can(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS)) {
		hv_set(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
		vmwrite(F_MSR_BITMAP, ADDR(hv->msr_bitmap));
	}
	vmwrite(F_IO_BITMAP_A, ADDR(hv->io_bitmaps));
	vmwrite(F_IO_BITMAP_B, ADDR(hv->io_bitmaps) + PAGE_SIZE);
	vmwrite(F_LINK_POINTER, ~0ull);
}

static void fill_host(const struct hv *hv)
{
	vmwrite(F_HOST_CR0, read_cr0());
	vmwrite(F_HOST_CR3, read_cr3());
	vmwrite(F_HOST_CR4, read_cr4());
	vmwrite(F_HOST_CS, SEL_KCODE);
	vmwrite(F_HOST_SS, SEL_KDATA);
	vmwrite(F_HOST_DS, SEL_KDATA);
	vmwrite(F_HOST_ES, SEL_KDATA);
	vmwrite(F_HOST_FS, HV_HOST_FS);
	vmwrite(F_HOST_GS, HV_HOST_FS);
	vmwrite(F_HOST_TR, SEL_TSS);
	vmwrite(F_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(F_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	vmwrite(F_HOST_TR_BASE, ADDR(&hv->host->tss));
	vmwrite(F_HOST_GDTR_BASE, ADDR(hv->host->gdt));
	vmwrite(F_HOST_IDTR_BASE, ADDR(idt));
	vmwrite(F_HOST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	vmwrite(F_HOST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	vmwrite(F_HOST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	vmwrite(F_HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(F_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(F_HOST_RIP, ADDR(hv_exit_entry));
}

/* @which: 0 ES, 1 CS, 2 SS, 3 DS, 4 FS, 5 GS, 6 LDTR, 7 TR */
static void fill_segment(u32 which, u32 selector, u64 base, u32 limit, u32 access)
{
	vmwrite(F_GUEST_ES + 2 * which, selector);
	vmwrite(F_GUEST_ES_BASE + 2 * which, base);
	vmwrite(F_GUEST_ES_LIMIT + 2 * which, limit);
	vmwrite(F_GUEST_ES_ACCESS + 2 * which, access);
}

static void fill_guest_tables(struct hv *hv)
{
	struct cpu *guest = hv->guest;

	fill_segment(0, SEL_KDATA, 0, ~0u, 0xc093);
	fill_segment(1, SEL_KCODE, 0, ~0u, ACCESS_KCODE);
	fill_segment(2, SEL_KDATA, 0, ~0u, 0xc093);
	fill_segment(3, SEL_KDATA, 0, ~0u, 0xc093);
	fill_segment(4, SEL_UDATA, rdmsr(MSR_FS_BASE), ~0u, 0xc0f3);
	fill_segment(5, SEL_UDATA, rdmsr(MSR_GS_BASE), ~0u, 0xc0f3);
	fill_segment(6, SEL_LDT, ADDR(guest->ldt), sizeof(guest->ldt) - 1, 0x82);
	fill_segment(7, SEL_TSS, ADDR(&guest->tss), sizeof(guest->tss) - 1, 0x8b);
	vmwrite(F_GUEST_GDTR_BASE, ADDR(guest->gdt));
	vmwrite(F_GUEST_GDTR_LIMIT, sizeof(guest->gdt) - 1);
	vmwrite(F_GUEST_IDTR_BASE, ADDR(idt));
	vmwrite(F_GUEST_IDTR_LIMIT, sizeof(idt) - 1);
}

/* Of a guest with PAE paging and EPT; without EPT the CPU reads them from memory. */
static void fill_pdptes(void)
{
	const u64 *pdpt = PTR(read_cr3());
	u32 i;

	for (i = 0; i < 4 && !HV_ENTRY_MODE; i++)
		vmwrite(F_GUEST_PDPTE0 + 2 * i, pdpt[i]);
}

static void fill_guest(struct hv *hv)
{
	cpu_init_tables(hv->guest);
	fill_guest_tables(hv);
	vmwrite(F_GUEST_CR0, read_cr0());
	vmwrite(F_GUEST_CR3, read_cr3());
	vmwrite(F_GUEST_CR4, read_cr4());
	fill_pdptes();
	vmwrite(F_GUEST_DR7, 0x400);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(F_GUEST_RSP, ADDR(hv->guest->stack + STACK_SIZE - sizeof(long)));
	vmwrite(F_GUEST_RIP, ADDR(hv_guest_end));
	vmwrite(F_GUEST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	vmwrite(F_GUEST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	vmwrite(F_GUEST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	vmwrite(F_GUEST_PAT, rdmsr(MSR_PAT));
	vmwrite(F_GUEST_EFER, rdmsr(MSR_EFER));
}

/** hv_vmcs_fill - give all fields of the current VMCS the values that tests start from */
void hv_vmcs_fill(struct hv *hv)
{
	memset(hv->msr_bitmap, 0, PAGE_SIZE);
	memset(hv->io_bitmaps, 0, 2 * PAGE_SIZE);
	memset(hv->page, 0, PAGE_SIZE);
	memset(&hv->regs, 0, sizeof(hv->regs));
	fill_zero();
	fill_controls(hv);
	fill_host(hv);
	fill_guest(hv);
	hv->launched = false;
}

/** hv_vmcs_reset - make @hv's VMCS current, clear and filled, whatever was before */
void hv_vmcs_reset(struct hv *hv)
{
	if (vmclear(ADDR(hv->vmcs)))
		lhv_panic("VMCLEAR fails");
	hv_vmcs_format(hv->vmcs);
	if (vmptrld(ADDR(hv->vmcs)))
		lhv_panic("VMPTRLD fails");
	hv_vmcs_fill(hv);
}

/**
 * hv_begin - enter VMX root operation on this CPU
 *
 * Return: false if VMXON fails
 */
bool hv_begin(struct hv *hv)
{
	write_cr4(read_cr4() | CR4_VMXE);
	hv->known = 0;
	hv->on = !vmxon(ADDR(hv_vmcs_format(hv->vmxon)));
	return hv->on;
}

/** hv_end - leave VMX operation, and mend what exits have changed */
void hv_end(struct hv *hv)
{
	struct table_register gdtr = { sizeof(hv->host->gdt) - 1, ADDR(hv->host->gdt) };
	u64 fs_base = rdmsr(MSR_FS_BASE), gs_base = rdmsr(MSR_GS_BASE);

	vmclear(ADDR(hv->vmcs));
	if (vmxoff())
		lhv_panic("VMXOFF fails");
	hv->on = false;
	write_cr4(read_cr4() & ~(u64)CR4_VMXE);
	write_gdtr(&gdtr);
	idt_load();
	asm volatile("lldt %w0\n\t"
		     "movw %w1, %%fs\n\t"
		     "movw %w1, %%gs"
		     : : "r" (SEL_LDT), "r" (SEL_UDATA) : "memory");
	wrmsr(MSR_FS_BASE, fs_base);
	wrmsr(MSR_GS_BASE, gs_base);
}
