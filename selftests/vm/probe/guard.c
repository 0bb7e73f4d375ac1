// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel that is no longer itself would do to its own code and registers. Each
 * line tells what has been seen, "done" or "refused": a test runs it with and without
 * guard. What is written is what was there, or it is put back at once.
 */
#include <asm/desc.h>
#include <asm/extable.h>
#include <asm/processor.h>
#include <linux/ctype.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>
#include "probe.h"

/* One instruction that may fault */
#define ATTEMPT(text, ...) ({ \
	bool fault_ = true; \
	asm volatile("1: " text "\n\tmovb $0, %[fault]\n2:\n\t" _ASM_EXTABLE(1b, 2b) \
		     : [fault] "+m" (fault_) : __VA_ARGS__ : "memory"); \
	!fault_; })

static bool write_byte(void *at)
{
	u8 value = *(volatile u8 *)at;

	return ATTEMPT("movb %[value], (%[at])", [value] "q" (value), [at] "r" (at));
}

static struct page *page_of(void *address)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)address, &level);
	unsigned long pfn = level == PG_LEVEL_4K ? pte_pfn(*pte) :
			    pmd_pfn(*(pmd_t *)pte) + (((unsigned long)address & ~PMD_MASK) >> PAGE_SHIFT);

	return pfn_to_page(pfn);
}

/* Through another mapping of its page, which Linux lets be written. */
static bool write_alias(void *address)
{
	struct page *page = page_of(address);
	void *alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	bool done = alias && write_byte(alias + offset_in_page(address));

	vunmap(alias);
	return done;
}

static bool attack_text(void)
{
	return write_alias((void *)&kstrtoull);
}

static bool attack_rodata(void)
{
	return write_alias((void *)_ctype);
}

static bool attack_module(void)
{
	struct latch *latch = probe_latch_get();
	bool done = write_alias((void *)(unsigned long)latch->boot.tramp_exit);

	probe_latch_put();
	return done;
}

static bool attack_table(void)
{
	unsigned int level;

	return write_byte(lookup_address((unsigned long)_ctype, &level));
}

static bool attack_idt(void)
{
	struct desc_ptr idtr;

	store_idt(&idtr);
	return write_alias((void *)idtr.address);
}

static unsigned long read_cr0_raw(void)
{
	unsigned long value;

	asm volatile("mov %%cr0, %0" : "=r" (value));
	return value;
}

static unsigned long read_cr4_raw(void)
{
	unsigned long value;

	asm volatile("mov %%cr4, %0" : "=r" (value));
	return value;
}

static bool attack_cr0(void)
{
	unsigned long value = read_cr0_raw();
	bool done = ATTEMPT("mov %[value], %%cr0", [value] "r" (value & ~X86_CR0_WP));

	done = done && !(read_cr0_raw() & X86_CR0_WP);
	if (done)
		asm volatile("mov %0, %%cr0" : : "r" (value) : "memory");
	return done;
}

static bool attack_cr4(unsigned long bit)
{
	unsigned long value = read_cr4_raw();
	bool done = ATTEMPT("mov %[value], %%cr4", [value] "r" (value & ~bit));

	done = done && !(read_cr4_raw() & bit);
	if (done)
		asm volatile("mov %0, %%cr4" : : "r" (value) : "memory");
	return done;
}

static bool attack_smep(void)
{
	return attack_cr4(X86_CR4_SMEP);
}

static bool attack_smap(void)
{
	return attack_cr4(X86_CR4_SMAP);
}

static bool attack_msr(u32 msr, u64 flip)
{
	u64 value = probe_rdmsr(msr), other = value ^ flip;
	bool done = ATTEMPT("wrmsr", "c" (msr), "a" ((u32)other), "d" ((u32)(other >> 32)));

	done = done && probe_rdmsr(msr) == other;
	if (done)
		probe_wrmsr(msr, value);
	return done;
}

static bool attack_lstar(void)
{
	return attack_msr(MSR_LSTAR, 16);
}

static bool attack_cstar(void)
{
	return attack_msr(MSR_CSTAR, 16);
}

static bool attack_sysenter(void)
{
	return attack_msr(MSR_IA32_SYSENTER_EIP, 16);
}

static bool attack_efer(void)
{
	return attack_msr(MSR_EFER, EFER_SCE);
}

static bool attack_idtr(void)
{
	struct desc_ptr idtr, other, now;
	bool done;

	store_idt(&idtr);
	other = idtr;
	other.address = (unsigned long)page_address(page_of((void *)idtr.address));
	done = ATTEMPT("lidt %[other]", [other] "m" (other));
	store_idt(&now);
	if (done)
		asm volatile("lidt %0" : : "m" (idtr));
	return done && now.address == other.address;
}

static bool attack_gdtr(void)
{
	struct desc_ptr gdtr, other, now;
	bool done;

	native_store_gdt(&gdtr);
	other = gdtr;
	other.size -= 8;
	done = ATTEMPT("lgdt %[other]", [other] "m" (other));
	native_store_gdt(&now);
	if (done)
		asm volatile("lgdt %0" : : "m" (gdtr));
	return done && now.size == other.size;
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool irqs;	/* it needs them */
} attacks[] = {
	{ "text", attack_text, true },
	{ "rodata", attack_rodata, true },
	{ "module-text", attack_module, true },
	{ "page-table", attack_table, false },
	{ "idt", attack_idt, true },
	{ "cr0-wp", attack_cr0, false },
	{ "cr4-smep", attack_smep, false },
	{ "cr4-smap", attack_smap, false },
	{ "lstar", attack_lstar, false },
	{ "cstar", attack_cstar, false },
	{ "sysenter", attack_sysenter, false },
	{ "efer", attack_efer, false },
	{ "idtr", attack_idtr, false },
	{ "gdtr", attack_gdtr, false },
};

/** probe_guard_show - try all of them; "NAME done" or "NAME refused" */
int probe_guard_show(struct seq_file *out, void *unused)
{
	unsigned long flags = 0;
	bool done;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(attacks); i++) {
		if ((attacks[i].run == attack_smep && !(read_cr4_raw() & X86_CR4_SMEP)) ||
		    (attacks[i].run == attack_smap && !(read_cr4_raw() & X86_CR4_SMAP)))
			continue;
		if (!attacks[i].irqs)
			local_irq_save(flags);
		done = attacks[i].run();
		if (!attacks[i].irqs)
			local_irq_restore(flags);
		seq_printf(out, "%s %s\n", attacks[i].name, done ? "done" : "refused");
	}
	return 0;
}
