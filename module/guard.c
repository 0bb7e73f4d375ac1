// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard, as far as Linux has a part in it: which pages are its text, its read-only data
 * and their page tables, which of them modules have, and how it patches its own text.
 * Core believes that once; then this file can only add, and give back what a module had.
 */
#include <asm/pgtable.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/latch_guard.h>
#include "compat.h"
#include "latch.h"

static DEFINE_MUTEX(lock);	/* of @mode, and of the pages that core has been told of */
static u32 mode;		/* as far as this module has set it */

static long call_range(u32 number, u64 gpa, u64 pages, u64 kind)
{
	return latch_call_core(number, &gpa, &pages, &kind);
}

static u64 text_to_phys(unsigned long address)
{
	/* Of the kernel's image, and of the direct map */
	return virt_to_phys((void *)address);
}

static long add_image(const u64 range[2], u32 kind)
{
	unsigned long start = range[0] & PAGE_MASK, end = PAGE_ALIGN(range[1]);

	if (start < __START_KERNEL_map || end <= start || end - start > KERNEL_IMAGE_SIZE)
		return -EINVAL;
	return call_range(LATCH_HC_GUARD_ADD, text_to_phys(start), (end - start) >> PAGE_SHIFT,
			  kind);
}

/* --- page tables */

static long add_table(const void *entry)
{
	return call_range(LATCH_HC_GUARD_ADD, text_to_phys((unsigned long)entry & PAGE_MASK), 1,
			  LATCH_GUARD_TABLES);
}

/*
 * Not the root: each process has one of its own, and the kernel adds to them. What is
 * below it, for the kernel's image, is the same table for all.
 */
static long add_tables_at(const u64 root, unsigned long address, unsigned long *size)
{
	pgd_t *pgd = (pgd_t *)__va(root) + pgd_index(address);
	p4d_t *p4d = p4d_offset(pgd, address);
	pud_t *pud = pud_offset(p4d, address);
	pmd_t *pmd;
	long ret = pgtable_l5_enabled() ? add_table(p4d) : 0;

	*size = PUD_SIZE;
	if (!ret)
		ret = add_table(pud);
	if (ret || pud_none(*pud) || latch_compat_pud_leaf(*pud))
		return ret;
	pmd = pmd_offset(pud, address);
	*size = PMD_SIZE;
	ret = add_table(pmd);
	if (ret || pmd_none(*pmd) || latch_compat_pmd_leaf(*pmd))
		return ret;
	return add_table(pte_offset_kernel(pmd, address));
}

static long add_tables(const u64 range[2])
{
	unsigned long address = range[0], size;
	u64 root = latch_compat_read_cr3();
	long ret = 0;

	for (; address < range[1] && !ret; address = (address & ~(size - 1)) + size)
		ret = add_tables_at(root, address, &size);
	return ret;
}

/* --- modules */

static long each_page(const struct module *mod, u32 number)
{
	unsigned long start, size, at;
	long ret = 0;

	latch_compat_module_text(mod, &start, &size);
	for (at = start & PAGE_MASK; at < start + size && !ret; at += PAGE_SIZE)
		ret = call_range(number, page_to_phys(vmalloc_to_page((void *)at)), 1,
				 LATCH_GUARD_MODULE |
				 (at + PAGE_SIZE < start + size ? LATCH_GUARD_MORE : 0));
	if (ret)
		pr_warn("guard: text of module %s: error %ld\n", mod->name, -ret);
	return ret;
}

/*
 * The list is the kernel's, and its head not a module; but a module is on it, and
 * knows which of the entries are in the modules' part of the address space.
 */
static long add_modules(void)
{
	struct list_head *at;
	struct module *mod;
	long ret = 0;

	preempt_disable();
	for (at = &THIS_MODULE->list; !ret; ) {
		mod = list_entry(at, struct module, list);
		if ((unsigned long)mod >= MODULES_VADDR && mod->state == MODULE_STATE_LIVE)
			ret = each_page(mod, LATCH_HC_GUARD_ADD);
		at = READ_ONCE(at->next);
		if (at == &THIS_MODULE->list)
			break;
	}
	preempt_enable();
	return ret;
}

/* Text is complete when it is LIVE, and freed behind GOING. */
static int module_event(struct notifier_block *block, unsigned long event, void *data)
{
	mutex_lock(&lock);
	if (mode != LATCH_GUARD_OFF && event == MODULE_STATE_LIVE)
		each_page(data, LATCH_HC_GUARD_ADD);
	if (mode != LATCH_GUARD_OFF && event == MODULE_STATE_GOING)
		each_page(data, LATCH_HC_GUARD_REMOVE);
	mutex_unlock(&lock);
	return NOTIFY_DONE;
}

/* Behind all others, which may still patch it. */
static struct notifier_block module_notifier = {
	.notifier_call = module_event, .priority = INT_MIN,
};

/* --- */

/* In which address space, and where in it, does the kernel write its text. */
static long tell_poke(const struct latch_guard_req *req)
{
	const struct mm_struct *mm = *(struct mm_struct **)req->poking_mm;
	u64 a = virt_to_phys(mm->pgd), b = *(unsigned long *)req->poking_addr, c = 0;

	return latch_call_core(LATCH_HC_GUARD_POKE, &a, &b, &c);
}

static bool is_image(u64 address)
{
	return address >= __START_KERNEL_map &&
	       address < __START_KERNEL_map + KERNEL_IMAGE_SIZE &&
	       lookup_address(address, &(unsigned int) { 0 });
}

static long add_all(const struct latch_guard_req *req)
{
	u64 idt[2] = { req->idt, req->idt + PAGE_SIZE };
	long ret;

	if (!is_image(req->text[0]) || !is_image(req->rodata[0]) || !is_image(req->idt) ||
	    !is_image(req->poking_mm) || !is_image(req->poking_addr))
		return -EINVAL;
	ret = tell_poke(req);
	if (!ret)
		ret = add_image(req->text, LATCH_GUARD_TEXT);
	if (!ret)
		ret = add_image(req->rodata, LATCH_GUARD_RODATA);
	if (!ret)
		ret = add_tables(req->text);
	if (!ret)
		ret = add_tables(req->rodata);
	if (!ret)
		ret = add_image(idt, LATCH_GUARD_IDT);
	return ret ? ret : add_modules();
}

static long call_set(u32 to)
{
	u64 a = to, b = 0, c = 0;

	return latch_call_core(LATCH_HC_GUARD_SET, &a, &b, &c);
}

/* Pages are told of in audit mode, in which core still takes all of them. */
static long begin(const struct latch_guard_req *req)
{
	long ret = call_set(LATCH_GUARD_AUDIT);

	if (!ret)
		ret = add_all(req);
	if (ret)
		call_set(LATCH_GUARD_OFF);
	return ret;
}

static long set(const struct latch_guard_req *req)
{
	long ret = 0;

	if (req->mode > LATCH_GUARD_LOCK)
		return -EINVAL;
	if (mode == LATCH_GUARD_OFF && req->mode != LATCH_GUARD_OFF)
		ret = begin(req);
	if (!ret)
		ret = call_set(req->mode);
	if (ret)
		return ret;
	/* From now on nobody unloads it. */
	if (req->mode == LATCH_GUARD_LOCK && mode != LATCH_GUARD_LOCK)
		__module_get(THIS_MODULE);
	mode = req->mode;
	return 0;
}

static bool is_wx(unsigned long address, unsigned long *size)
{
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	/* There is no table with an entry for it: so neither is there for its neighbours. */
	*size = pte ? page_level_size(level) : PMD_SIZE;
	return pte && pte_flags(*pte) & _PAGE_PRESENT && pte_flags(*pte) & _PAGE_RW &&
	       !(pte_flags(*pte) & _PAGE_NX);
}

/* Pages that the kernel could write and execute: of its image and of modules. */
static u64 count_wx(void)
{
	unsigned long address = __START_KERNEL_map, size;
	u64 count = 0;

	while (address < MODULES_END && address >= __START_KERNEL_map) {
		if (is_wx(address, &size))
			count += size >> PAGE_SHIFT;
		address = (address & ~(size - 1)) + size;
		cond_resched();
	}
	return count;
}

/**
 * latch_guard_request - LATCH_IOC_GUARD
 * @req: see <linux/latch_guard.h>
 *
 * Return: 0, -EPERM if guard is locked, -EINVAL, or what core returns.
 */
int latch_guard_request(struct latch_guard_req *req)
{
	u64 a = (unsigned long)&req->stat, b = 0, c = 0;
	long ret = 0;

	if (req->set > 1)
		return -EINVAL;
	mutex_lock(&lock);
	if (req->set)
		ret = set(req);
	if (!ret)
		ret = latch_call_core(LATCH_HC_GUARD_STAT, &a, &b, &c);
	mutex_unlock(&lock);
	if (!ret)
		req->wx = count_wx();
	return ret;
}

/** latch_guard_online - this CPU has been started, and its registers are what they will be */
void latch_guard_online(void)
{
	u64 a = 0, b = 0, c = 0;

	/* -ENOSYS: guard is off */
	if (latch_call_core(LATCH_HC_GUARD_PIN, &a, &b, &c) == -EPERM)
		pr_warn("guard: CPU %u came online with other registers\n",
			raw_smp_processor_id());
}

/** latch_guard_locked - must Latch stay on all CPUs */
bool latch_guard_locked(void)
{
	return READ_ONCE(mode) == LATCH_GUARD_LOCK;
}

/** latch_guard_init - follow modules as they come and go */
int latch_guard_init(void)
{
	return register_module_notifier(&module_notifier);
}

/** latch_guard_exit - and stop */
void latch_guard_exit(void)
{
	unregister_module_notifier(&module_notifier);
}
