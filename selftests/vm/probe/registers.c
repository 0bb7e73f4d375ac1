// SPDX-License-Identifier: GPL-2.0-only
/*
 * All registers of all CPUs that a launch could leave changed.
 *
 * Left out are those that differ from one moment to the next without Latch:
 * general-purpose registers, CR2, CR3, the TSC and what counts with it.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/msr.h>
#include <asm/msr-index.h>
#include "probe.h"

#define MAX_REGISTERS	256
#define MSR_XSS		0xda0

struct registers {
	unsigned int count;
	struct {
		char name[24];
		u64 value;
		bool there;
	} reg[MAX_REGISTERS];
};

static struct registers *saved, *current_registers;

static void add(struct registers *regs, const char *name, u64 value, bool there)
{
	if (WARN_ON_ONCE(regs->count == MAX_REGISTERS))
		return;
	strscpy(regs->reg[regs->count].name, name, sizeof(regs->reg[0].name));
	regs->reg[regs->count].value = value;
	regs->reg[regs->count].there = there;
	regs->count++;
}

static void add_msr(struct registers *regs, const char *name, u32 msr)
{
	u32 low = 0, high = 0;
	bool there = !rdmsr_safe(msr, &low, &high);

	add(regs, name, low | (u64)high << 32, there);
}

static void add_msr_range(struct registers *regs, const char *name, u32 first, u32 last)
{
	char text[24];
	u32 msr;

	for (msr = first; msr <= last; msr++) {
		snprintf(text, sizeof(text), "%s_%x", name, msr);
		add_msr(regs, text, msr);
	}
}

#define add_register(regs, name, insn) do { \
	unsigned long value_; \
	asm volatile(insn ", %0" : "=r" (value_)); \
	add(regs, name, value_, true); \
} while (0)

static void add_control(struct registers *regs)
{
	u32 low, high;

	add_register(regs, "cr0", "mov %%cr0");
	add_register(regs, "cr4", "mov %%cr4");
	add_register(regs, "cr8", "mov %%cr8");
	add_register(regs, "dr0", "mov %%db0");
	add_register(regs, "dr1", "mov %%db1");
	add_register(regs, "dr2", "mov %%db2");
	add_register(regs, "dr3", "mov %%db3");
	add_register(regs, "dr6", "mov %%db6");
	add_register(regs, "dr7", "mov %%db7");
	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		return;
	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	add(regs, "xcr0", low | (u64)high << 32, true);
}

/* What LAR and LSL say is what the CPU would load into the hidden parts. */
static void add_segment(struct registers *regs, const char *name, u16 selector)
{
	char text[24];
	u32 value = 0;

	add(regs, name, selector, true);
	asm volatile("lar %1, %0" : "+r" (value) : "r" ((u32)selector) : "cc");
	snprintf(text, sizeof(text), "%s_access", name);
	add(regs, text, value, true);
	value = 0;
	asm volatile("lsl %1, %0" : "+r" (value) : "r" ((u32)selector) : "cc");
	snprintf(text, sizeof(text), "%s_limit", name);
	add(regs, text, value, true);
}

/*
 * Linux runs with its data segment or with none in SS, by how it came in: an
 * interrupt of user mode loads a null selector, SYSCALL does not, and a context
 * switch leaves it. So either is the same.
 */
static u16 settled(const char *name, u16 selector)
{
	return !strcmp(name, "ss") && !selector ? __KERNEL_DS : selector;
}

#define add_selector(regs, name, insn) do { \
	u16 selector_; \
	asm volatile(insn " %0" : "=r" (selector_)); \
	add_segment(regs, name, settled(name, selector_)); \
} while (0)

static void add_segments(struct registers *regs)
{
	add_selector(regs, "cs", "mov %%cs,");
	add_selector(regs, "ss", "mov %%ss,");
	add_selector(regs, "ds", "mov %%ds,");
	add_selector(regs, "es", "mov %%es,");
	add_selector(regs, "fs", "mov %%fs,");
	add_selector(regs, "gs", "mov %%gs,");
	add_selector(regs, "ldtr", "sldt");
	add_selector(regs, "tr", "str");
}

struct table {
	u16 limit;
	u64 base;
} __packed;

/* The GDT's contents too: in it is the TSS descriptor with its busy bit. */
static void add_tables(struct registers *regs)
{
	struct table gdtr, idtr;
	u64 hash = 0xcbf29ce484222325ull;
	char text[24];
	unsigned int i;

	asm volatile("sgdt %0" : "=m" (gdtr));
	asm volatile("sidt %0" : "=m" (idtr));
	add(regs, "gdtr_base", gdtr.base, true);
	add(regs, "gdtr_limit", gdtr.limit, true);
	add(regs, "idtr_base", idtr.base, true);
	add(regs, "idtr_limit", idtr.limit, true);
	for (i = 0; i < (gdtr.limit + 1) / 8 && i < 32; i++) {
		snprintf(text, sizeof(text), "gdt_%02x", 8 * i);
		add(regs, text, ((u64 *)gdtr.base)[i], true);
	}
	for (i = 0; i <= idtr.limit; i++)
		hash = (hash ^ ((u8 *)idtr.base)[i]) * 0x100000001b3ull;
	add(regs, "idt_hash", hash, true);
}

static void add_msrs(struct registers *regs)
{
	static const struct {
		const char *name;
		u32 msr;
	} msrs[] = {
		{ "apic_base", 0x1b }, { "feature_control", 0x3a }, { "tsc_adjust", 0x3b },
		{ "spec_ctrl", 0x48 }, { "umwait_control", 0xe1 }, { "mtrr_cap", 0xfe },
		{ "arch_capabilities", 0x10a }, { "tsx_ctrl", 0x122 },
		{ "sysenter_cs", 0x174 }, { "sysenter_esp", 0x175 }, { "sysenter_eip", 0x176 },
		{ "misc_enable", 0x1a0 }, { "debugctl", 0x1d9 }, { "pat", 0x277 },
		{ "mtrr_fix64k", 0x250 }, { "mtrr_fix16k_0", 0x258 }, { "mtrr_fix16k_1", 0x259 },
		{ "mtrr_def_type", 0x2ff }, { "perf_global_ctrl", 0x38f },
		{ "u_cet", 0x6a0 }, { "s_cet", 0x6a2 }, { "pl0_ssp", 0x6a4 }, { "pl3_ssp", 0x6a7 },
		{ "ssp_table", 0x6a8 }, { "pkrs", 0x6e1 }, { "bndcfgs", 0xd90 }, { "xss", MSR_XSS },
		{ "efer", 0xc0000080 }, { "star", 0xc0000081 }, { "lstar", 0xc0000082 },
		{ "cstar", 0xc0000083 }, { "fmask", 0xc0000084 }, { "fs_base", 0xc0000100 },
		{ "gs_base", 0xc0000101 }, { "kernel_gs_base", 0xc0000102 },
		{ "tsc_aux", 0xc0000103 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		add_msr(regs, msrs[i].name, msrs[i].msr);
	add_msr_range(regs, "mtrr_var", 0x200, 0x213);
	add_msr_range(regs, "mtrr_fix4k", 0x268, 0x26f);
	add_msr_range(regs, "vmx", 0x480, 0x493);
}

static void capture(unsigned int cpu, void *data)
{
	struct registers *regs = (struct registers *)data + cpu;
	unsigned long flags;

	regs->count = 0;
	local_irq_save(flags);
	add_control(regs);
	add_segments(regs);
	add_tables(regs);
	add_msrs(regs);
	local_irq_restore(flags);
}

static int capture_all(struct registers **to)
{
	if (!*to)
		*to = kvcalloc(nr_cpu_ids, sizeof(**to), GFP_KERNEL);
	if (!*to)
		return -ENOMEM;
	memset(*to, 0, nr_cpu_ids * sizeof(**to));
	return probe_on_each_cpu(capture, *to);
}

/** probe_registers_save - keep what the registers are now */
int probe_registers_save(void)
{
	return capture_all(&saved);
}

static void print(struct seq_file *out, bool there, u64 value)
{
	if (there)
		seq_printf(out, "%016llx", value);
	else
		seq_puts(out, "#GP");
}

/** probe_registers_show - all registers, "cpu N NAME VALUE" */
int probe_registers_show(struct seq_file *out, void *unused)
{
	int ret = capture_all(&current_registers);
	struct registers *regs;
	unsigned int cpu, i;

	for (cpu = 0; !ret && cpu < nr_cpu_ids; cpu++) {
		regs = &current_registers[cpu];
		for (i = 0; i < regs->count; i++) {
			seq_printf(out, "cpu %u %s ", cpu, regs->reg[i].name);
			print(out, regs->reg[i].there, regs->reg[i].value);
			seq_putc(out, '\n');
		}
	}
	return ret;
}

static void show_change(struct seq_file *out, unsigned int cpu, unsigned int i)
{
	struct registers *old = &saved[cpu], *new = &current_registers[cpu];

	if (old->reg[i].there == new->reg[i].there && old->reg[i].value == new->reg[i].value)
		return;
	seq_printf(out, "cpu %u %s ", cpu, new->reg[i].name);
	print(out, old->reg[i].there, old->reg[i].value);
	seq_puts(out, " -> ");
	print(out, new->reg[i].there, new->reg[i].value);
	seq_putc(out, '\n');
}

/** probe_changes_show - the registers that are not as they were saved */
int probe_changes_show(struct seq_file *out, void *unused)
{
	unsigned int cpu, i;
	int ret;

	if (!saved)
		return -ENODATA;
	ret = capture_all(&current_registers);
	for (cpu = 0; !ret && cpu < nr_cpu_ids; cpu++) {
		if (saved[cpu].count != current_registers[cpu].count) {
			seq_printf(out, "cpu %u: %u registers, %u before\n", cpu,
				   current_registers[cpu].count, saved[cpu].count);
			continue;
		}
		for (i = 0; i < saved[cpu].count; i++)
			show_change(out, cpu, i);
	}
	return ret;
}

/*
 * Registers that are zero or alike on all CPUs hide a mistake. These get values
 * of their own while Linux does not use them: no 32-bit program runs, no task
 * has a breakpoint, and the one that is set here is on a word that nobody writes.
 */
static u64 watched;
static struct {
	u64 sysenter_esp, cstar, debugctl;
} original[LATCH_MAX_CPUS];

#define DR7_WATCH_DR0	0x90402ull	/* G0; 8 bytes, writes */
#define DEBUGCTL_BTF	2		/* no meaning without RFLAGS.TF */

static void make_dirty(unsigned int cpu, void *data)
{
	unsigned long base = 0xffff800000001000ul + 0x100000ul * cpu;

	original[cpu].sysenter_esp = probe_rdmsr(MSR_IA32_SYSENTER_ESP);
	original[cpu].cstar = probe_rdmsr(MSR_CSTAR);
	original[cpu].debugctl = probe_rdmsr(MSR_IA32_DEBUGCTLMSR);
	asm volatile("mov %0, %%db0" : : "r" (&watched));
	asm volatile("mov %0, %%db1" : : "r" (base + 1));
	asm volatile("mov %0, %%db2" : : "r" (base + 2));
	asm volatile("mov %0, %%db3" : : "r" (base + 3));
	asm volatile("mov %0, %%db7" : : "r" (DR7_WATCH_DR0));
	probe_wrmsr(MSR_IA32_SYSENTER_ESP, base + 4);
	probe_wrmsr(MSR_CSTAR, base + 5);
	probe_wrmsr(MSR_IA32_DEBUGCTLMSR, DEBUGCTL_BTF);
}

static void make_clean(unsigned int cpu, void *data)
{
	asm volatile("mov %0, %%db7" : : "r" (0x400ul));
	asm volatile("mov %0, %%db0" : : "r" (0ul));
	asm volatile("mov %0, %%db1" : : "r" (0ul));
	asm volatile("mov %0, %%db2" : : "r" (0ul));
	asm volatile("mov %0, %%db3" : : "r" (0ul));
	probe_wrmsr(MSR_IA32_SYSENTER_ESP, original[cpu].sysenter_esp);
	probe_wrmsr(MSR_CSTAR, original[cpu].cstar);
	probe_wrmsr(MSR_IA32_DEBUGCTLMSR, original[cpu].debugctl);
}

/** probe_registers_dirty - unusual values for registers that Linux leaves alone */
int probe_registers_dirty(void)
{
	return probe_on_each_cpu(make_dirty, NULL);
}

/** probe_registers_clean - take them back */
int probe_registers_clean(void)
{
	return probe_on_each_cpu(make_clean, NULL);
}

/** probe_registers_exit - free what is kept */
void probe_registers_exit(void)
{
	kvfree(saved);
	kvfree(current_registers);
}
