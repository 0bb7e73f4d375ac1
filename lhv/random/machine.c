// SPDX-License-Identifier: GPL-2.0-only
/* What each case starts from: the guest's memory, its VMCS, and the CPU afterwards. */
#include "random.h"

#define TIMER_TICKS	40000u
#define TIMER_TICKS_SMP	100000u	/* for each of several CPUs */
#define TIMER_LONGER	16u
#define SELF_VECTOR	0x60
#define SELF_VECTORS	16
#define GATE		0x8e00ull

#define MSR_S_CET	0x6a2u
#define MSR_SSP_TABLE	0x6a8u
#define MSR_PKRS	0x6e1u

static const u32 kept_msrs[KEPT_MSRS] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
	MSR_PAT, MSR_FS_BASE, MSR_GS_BASE,
};

static u64 *template_page(const struct rnd *r, u32 page)
{
	return (u64 *)(r->start + page * PAGE_SIZE);
}

/* --- the guest's memory */

static void make_page_tables(const struct rnd *r)
{
	u64 ram = ADDR(r->ram), flags = PTE_P | PTE_W | PTE_U;
	u32 pd = ram >> 21 & 511, i;

	template_page(r, PG_PML4)[0] = ram_page(r, PG_PDPT) | flags;
	template_page(r, PG_PML4_OTHER)[0] = ram_page(r, PG_PDPT) | flags;
	/* The second is for PAE paging, where W and U are reserved. */
	template_page(r, PG_PDPT)[0] = ram_page(r, PG_PD) | flags;
	template_page(r, PG_PDPT)[PAE_OFFSET / 8] = ram_page(r, PG_PD) | PTE_P;
	template_page(r, PG_PD)[pd] = ram_page(r, PG_PT) | flags;
	template_page(r, PG_PD)[pd + 1] = ram_page(r, PG_PT_USER) | flags;
	((u32 *)template_page(r, PG_PD32))[ram >> 22] = (u32)(ram_page(r, PG_PT32) | flags);
	for (i = 0; i < PG_COUNT; i++) {
		template_page(r, PG_PT)[i] = ram_page(r, i) | PTE_P | PTE_W;
		template_page(r, PG_PT_USER)[i] = ram_page(r, i) | flags;
		((u32 *)template_page(r, PG_PT32))[i] = (u32)(ram_page(r, i) | PTE_P | PTE_W);
		((u32 *)template_page(r, PG_PT32))[512 + i] = (u32)(ram_page(r, i) | flags);
	}
	/* A page that may only be read, for CPL 3 too. */
	template_page(r, PG_PT_USER)[PG_DATA2] &= ~PTE_W;
}

static void make_idt(const struct rnd *r)
{
	static const u64 dpl3 = BIT(VECTOR_BP) | BIT(VECTOR_OF);
	u64 *idt64 = template_page(r, PG_IDT), *idt32 = template_page(r, PG_IDT32), stub, type;
	u32 i;

	for (i = 0; i < 256; i++) {
		stub = ram_page(r, PG_STUBS) + i * STUB_SIZE;
		type = GATE | (i == VECTOR_NMI ? 1 : i == VECTOR_DF ? 2 : i == VECTOR_MC ? 3 : 0);
		type |= i == IRQ_EXIT || (i < 32 && dpl3 >> i & 1) ? 0x6000 : 0;
		idt64[2 * i] = (stub & 0xffff) | (u64)SEL_KCODE << 16 | type << 32 |
			       (stub >> 16 & 0xffff) << 48;
		idt32[i] = (stub & 0xffff) | (u64)SEL_KCODE32 << 16 | (type & ~7ull) << 32 |
			   (stub >> 16 & 0xffff) << 48;
		/* VMCALL, then once more: the handler does not come back here. */
		memcpy((u8 *)template_page(r, PG_STUBS) + i * STUB_SIZE,
		       "\x0f\x01\xc1\xeb\xfb\x90\x90\x90", 8);
	}
}

static void make_gdt(const struct rnd *r)
{
	u64 *gdt = template_page(r, PG_TABLES), base = ram_page(r, PG_TABLES);
	struct tss *tss = (struct tss *)((u8 *)gdt + TSS_OFFSET);
	u32 i;

	memcpy(gdt, r->hv->guest->gdt, sizeof(r->hv->guest->gdt));
	gdt[SEL_TSS / 8] = gdt_descriptor((u32)base + TSS_OFFSET, sizeof(*tss) - 1, 0x8b);
	gdt[SEL_TSS / 8 + 1] = 0;
	gdt[SEL_LDT / 8] = gdt_descriptor((u32)base + LDT_OFFSET, 31, 0x82);
	gdt[SEL_LDT / 8 + 1] = 0;
	tss->rsp[0] = ram_page(r, PG_STACK) + 0x800;
	for (i = 0; i < 3; i++)
		tss->ist[i] = ram_page(r, PG_IST) + 0x400 * (i + 1);
	tss->iomap = sizeof(*tss);
}

/* --- the hypervisor's pages */

static void make_ept(const struct rnd *r, u32 first)
{
	u64 *table = template_page(r, RAM_PAGES + first), ram = ADDR(r->ram);
	u64 *pt = template_page(r, RAM_PAGES + first + 3);
	u32 i;

	table[0] = host_page(r, first + 1) | EPT_RWX;
	table[512] = host_page(r, first + 2) | EPT_RWX;
	table[1024 + (ram >> 21 & 511)] = host_page(r, first + 3) | EPT_RWX;
	table[1024 + (ram >> 21 & 511) + 1] = (ram + SIZE_2M) | EPT_RWX | EPT_MEM_WB | EPT_PS;
	for (i = 0; i < RAM_PAGES; i++)
		pt[i] = ram_page(r, i) | EPT_RWX | EPT_MEM_WB;
	table[512 + (LAPIC_BASE >> 30)] = host_page(r, HP_EPT_LAPIC) | EPT_RWX;
}

u64 random_eptp(const struct rnd *r)
{
	return host_page(r, HP_EPT_PML4) | 6 | 3 << 3;
}

/*
 * Ports of devices exit, as code that is decoded in another mode than it was made for comes
 * to some by chance: what they give depends on time, or on what another case has written.
 * Open are eight ports at each place that cases name; nothing is there.
 */
static void make_io_bitmaps(const struct rnd *r)
{
	static const u16 open[] = { 0x2f0, 0x7ff8, 0x8000, 0xf080 };
	u8 *bitmaps = (u8 *)template_page(r, RAM_PAGES + HP_IO_A);
	u32 i;

	memset(bitmaps, 0xff, 2 * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(open); i++)
		bitmaps[open[i] / 8] = 0;
}

static void make_pages(const struct rnd *r)
{
	u64 *list = template_page(r, RAM_PAGES + HP_EPTP_LIST);

	make_ept(r, HP_EPT_PML4);
	make_ept(r, HP_EPT2_PML4);
	template_page(r, RAM_PAGES + HP_EPT_LAPIC)[LAPIC_BASE >> 21 & 511] =
		(LAPIC_BASE & ~(SIZE_2M - 1)) | EPT_R | EPT_W | EPT_PS;
	list[0] = random_eptp(r);
	list[1] = host_page(r, HP_EPT2_PML4) | 6 | 3 << 3;
	list[2] = list[1] | 7;
	make_io_bitmaps(r);
	memset(template_page(r, RAM_PAGES + HP_VMREAD), 0xff, 2 * PAGE_SIZE);
	memcpy(template_page(r, RAM_PAGES + HP_CR3), PTR(mem_cr3), PAGE_SIZE);
}

/*
 * An exit may leave lhv with the guest's EFER, so without NXE: its own tables do without
 * the bit that is reserved then.
 */
static void drop_nx(u64 *table, u32 level)
{
	u32 i;

	for (i = 0; i < 512; i++) {
		table[i] &= ~PTE_NX;
		if (level > 1 && table[i] & PTE_P && !(table[i] & PTE_PS))
			drop_nx(PTR(table[i] & PTE_ADDR), level - 1);
	}
}

static void self_interrupt(struct regs *regs)
{
	(void)regs;
	lapic_eoi();
}

/**
 * random_alloc - get the memory, before core takes some
 *
 * All of it has the same addresses with and without core: they need not be left out of
 * what is recorded.
 */
void random_alloc(struct rnd *r)
{
	u32 i;

	r->hv = hv_this();
	r->other = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	r->ram = mem_alloc(RAM_ALIGN, RAM_ALIGN);
	r->pages = mem_alloc(HP_COUNT * PAGE_SIZE, PAGE_SIZE);
	r->start = mem_alloc((RAM_PAGES + HP_COUNT) * PAGE_SIZE, PAGE_SIZE);
	r->vmcs = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	r->shadow = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	r->shadow_start = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	cpu_init_tables(r->hv->guest);
	drop_nx(PTR(mem_cr3), 4);
	write_cr3(mem_cr3);
	make_page_tables(r);
	make_idt(r);
	make_gdt(r);
	make_pages(r);
	for (i = 0; i < SELF_VECTORS; i++)
		irq_set_handler(SELF_VECTOR + i, self_interrupt);
	for (i = 0; i < KEPT_MSRS; i++)
		r->kept.msr[i] = rdmsr(kept_msrs[i]);
	r->kept.cr0 = read_cr0();
	r->kept.cr4 = read_cr4();
}

/* --- the VMCS */

/*
 * The preemption timer ends what does not end itself. When it does is not the same with
 * core, so nothing else may come of it. In an emulator the time of all CPUs passes while one
 * copies memory.
 */
static void fill_timer(bool longer)
{
	u32 ticks = nr_cpus == 1 ? TIMER_TICKS : nr_cpus * TIMER_TICKS_SMP;

	vmwrite(F_PREEMPTION_TIMER, longer ? TIMER_LONGER * ticks : ticks);
}

static void fill_addresses(const struct rnd *r)
{
	static const struct {
		u16 field, page;
	} addresses[] = {
		{ F_MSR_BITMAP, HP_MSR_BITMAP }, { F_IO_BITMAP_A, HP_IO_A },
		{ F_IO_BITMAP_B, HP_IO_B }, { F_VIRTUAL_APIC, HP_VIRTUAL_APIC },
		{ F_PML_ADDRESS, HP_PML }, { F_VE_INFO, HP_VE }, { F_EPTP_LIST, HP_EPTP_LIST },
		{ F_VMREAD_BITMAP, HP_VMREAD }, { F_VMWRITE_BITMAP, HP_VMWRITE },
		{ F_POSTED_DESCRIPTOR, HP_POSTED }, { F_ENTRY_MSR_LOAD, HP_ENTRY_LOAD },
		{ F_EXIT_MSR_STORE, HP_EXIT_STORE }, { F_EXIT_MSR_LOAD, HP_EXIT_LOAD },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		vmwrite(addresses[i].field, host_page(r, addresses[i].page));
	vmwrite(F_APIC_ACCESS, ram_page(r, PG_APIC));
	vmwrite(F_EPTP, random_eptp(r));
}

static void fill_guest(const struct rnd *r)
{
	u64 tables = ram_page(r, PG_TABLES);

	vmwrite(F_GUEST_CR3, ram_page(r, PG_PML4));
	vmwrite(F_GUEST_IDTR_BASE, ram_page(r, PG_IDT));
	vmwrite(F_GUEST_IDTR_LIMIT, PAGE_SIZE - 1);
	vmwrite(F_GUEST_GDTR_BASE, tables);
	vmwrite(F_GUEST_GDTR_LIMIT, GDT_ENTRIES * 8 - 1);
	vmwrite(F_GUEST_TR_BASE, tables + TSS_OFFSET);
	vmwrite(F_GUEST_LDTR_BASE, tables + LDT_OFFSET);
	vmwrite(F_GUEST_LDTR_LIMIT, 31);
	vmwrite(F_GUEST_RSP, ram_page(r, PG_STACK) + 0xc00);
	vmwrite(F_GUEST_RIP, ram_page(r, PG_CODE));
}

/* Give the VMCS what cases start from. All that a control may need is there. */
static void fill(struct rnd *r)
{
	hv_vmcs_fill(r->hv);
	fill_addresses(r);
	fill_guest(r);
	vmwrite(F_VPID, 1);
	vmwrite(F_PML_INDEX, 511);
	vmwrite(F_POSTED_VECTOR, 0xf1);
	vmwrite(F_TSC_MULTIPLIER, BIT(48));
	vmwrite(F_PLE_WINDOW, ~0u);
	hv_set(F_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_IO_BITMAPS);
	fill_timer(false);
}

static u64 fields_digest(void)
{
#define FIELD_ENTRY(name, encoding) encoding,
	static const u16 fields[] = { HV_FIELDS(FIELD_ENTRY) };
	u64 digest = 1, value;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		value = 0;
		digest += vmread_flags(fields[i], &value);
		digest = (digest ^ value) * 0x100000001b3ull;
	}
	return digest;
}

static void load(const struct hv *hv)
{
	if (vmptrld(ADDR(hv->vmcs)))
		lhv_panic("random: VMPTRLD fails");
}

/**
 * random_begin - make the VMCS that cases start from; in VMX operation
 *
 * To write all fields takes longer than a case. That a copy of the region is as good is
 * not promised (SDM vol. 3, 25.11.1), so it is tried out.
 */
void random_begin(struct rnd *r)
{
	struct hv *hv = r->hv;
	u64 digest;

	hv_vmcs_format(r->other);
	hv_vmcs_reset(hv);
	fill(r);
	digest = fields_digest();
	vmclear(ADDR(hv->vmcs));
	memcpy(r->vmcs, hv->vmcs, PAGE_SIZE);
	hv_vmcs_reset(hv);
	vmclear(ADDR(hv->vmcs));
	memcpy(hv->vmcs, r->vmcs, PAGE_SIZE);
	load(hv);
	if (fields_digest() != digest)
		r->vmcs = NULL;
	random_shadow_begin(r);
}

/* What the CPU has cached of the case before */
static void drop_cached(void)
{
	u64 cap = hv_cap(MSR_VMX_EPT_VPID);

	if (cap & EPT_CAP_INVEPT)
		invept(INVEPT_ALL, 0, 0);
	if (cap & VPID_CAP_INVVPID)
		invvpid(INVVPID_ALL, 0, 0);
}

/**
 * random_reset - memory and VMCS for a new case
 * @longer: the guest gets more time
 */
void random_reset(struct rnd *r, bool longer)
{
	struct hv *hv = r->hv;

	memcpy(r->ram, r->start, RAM_PAGES * PAGE_SIZE);
	memcpy(r->pages, r->start + RAM_PAGES * PAGE_SIZE, HP_COUNT * PAGE_SIZE);
	drop_cached();
	if (r->other_used) {
		vmclear(ADDR(r->other));
		hv_vmcs_format(r->other);
		r->other_used = false;
	}
	random_shadow_reset(r);
	vmclear(ADDR(hv->vmcs));
	if (r->vmcs) {
		memcpy(hv->vmcs, r->vmcs, PAGE_SIZE);
		load(hv);
		memset(&hv->regs, 0, sizeof(hv->regs));
		hv->launched = false;
	} else {
		hv_vmcs_reset(hv);
		fill(r);
	}
	if (longer)
		fill_timer(true);
}

/* --- the CPU */

/* Interrupts that the case has sent and the guest has not taken, or has not ended */
static void mend_apic(void)
{
	u32 i;

	write_cr8(0);
	for (i = 0; i < SELF_VECTORS; i++)
		lapic_eoi();
	asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

static void mend_tables(const struct hv *hv)
{
	struct table_register gdtr = { sizeof(hv->host->gdt) - 1, ADDR(hv->host->gdt) };

	write_gdtr(&gdtr);
	idt_load();
	asm volatile("lldt %w0\n\t"
		     "movw %w1, %%fs\n\t"
		     "movw %w1, %%gs\n\t"
		     "movw %w2, %%ss\n\t"
		     "movw %w2, %%ds\n\t"
		     "movw %w2, %%es"
		     : : "r" (SEL_LDT), "r" (SEL_UDATA), "r" (SEL_KDATA) : "memory");
}

/** random_mend - put right on the CPU what guest and exits have changed */
void random_mend(struct rnd *r)
{
	u32 i;

	mend_tables(r->hv);
	write_cr3(mem_cr3);
	write_cr0(r->kept.cr0);
	write_cr4(r->kept.cr4 | CR4_VMXE);
	wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	for (i = 0; i < KEPT_MSRS; i++)
		wrmsr(kept_msrs[i], r->kept.msr[i]);
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
	for (i = MSR_S_CET; i <= MSR_SSP_TABLE && random_has_cet(); i += 6)
		wrmsr(i, 0);
	if (hv_can(F_ENTRY_CONTROLS, ENTRY_LOAD_PKRS))
		wrmsr(MSR_PKRS, 0);
	write_dr0(0);
	asm volatile("movq %0, %%dr1\n\tmovq %0, %%dr2\n\tmovq %0, %%dr3" : : "r" (0ull));
	write_dr6(0xffff0ff0);
	write_dr7(0x400);
	write_cr2(0);
	mend_apic();
}
