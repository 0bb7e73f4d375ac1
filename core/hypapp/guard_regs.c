// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard, the registers: on each CPU CR0.WP, CR4.SMEP, SMAP and UMIP, EFER, the MSRs of
 * SYSCALL and SYSENTER, IDTR and GDTR stay as they are.
 *
 * What writes one of them exits. Then nothing is intercepted for that one instruction,
 * the monitor trap flag ends it, and what has changed is found by comparing: the CPU
 * itself decodes, checks and faults. Nothing comes in between: see event_hold().
 *
 * A hypervisor has the MSRs of SYSCALL for its guest, and puts them back before it returns
 * to a program. So while VMX is on they may be others; but then there is no SYSCALL. And it
 * loads TR, for which Linux goes to the GDT that can be written, and back.
 */
#include "core.h"
#include "cr.h"
#include "ept_view.h"
#include "event.h"
#include "hypapp/guard.h"
#include "linux.h"
#include "log.h"
#include "msr.h"
#include "pool.h"
#include "spinlock.h"
#include "vmx.h"

#define CR4_KEPT	(CR4_SMEP | CR4_SMAP | CR4_UMIP)
#define EFER_KEPT	(EFER_SCE | EFER_LME | EFER_NXE)

enum reg {
	REG_CR0, REG_CR4, REG_EFER, REG_STAR, REG_LSTAR, REG_CSTAR, REG_FMASK,
	REG_SYSENTER_CS, REG_SYSENTER_EIP, REG_IDTR, REG_IDTR_LIMIT,
	REG_COMMON,		/* from here on they differ from CPU to CPU */
	REG_SYSENTER_ESP = REG_COMMON, REG_GDTR, REG_GDTR_LIMIT,
	REGS
};

/* @field: of the VMCS, or 0: an MSR that exits do not switch. @mask: bits that count */
static const struct {
	const char *name;
	u64 field;
	u32 msr;
	u64 mask;
} regs[REGS] = {
	[REG_CR0] = { "CR0.WP", VMCS_GUEST_CR0, 0, CR0_WP },
	[REG_CR4] = { "CR4.SMEP, SMAP, UMIP", VMCS_GUEST_CR4, 0, CR4_KEPT },
	[REG_EFER] = { "EFER", VMCS_GUEST_EFER, MSR_EFER, EFER_KEPT },
	[REG_STAR] = { "STAR", 0, MSR_STAR, ~0ull },
	[REG_LSTAR] = { "LSTAR", 0, MSR_LSTAR, ~0ull },
	[REG_CSTAR] = { "CSTAR", 0, MSR_CSTAR, ~0ull },
	[REG_FMASK] = { "FMASK", 0, MSR_FMASK, ~0ull },
	[REG_SYSENTER_CS] = { "SYSENTER_CS", VMCS_GUEST_SYSENTER_CS, MSR_SYSENTER_CS, ~0ull },
	[REG_SYSENTER_EIP] = { "SYSENTER_EIP", VMCS_GUEST_SYSENTER_EIP, MSR_SYSENTER_EIP, ~0ull },
	[REG_IDTR] = { "IDTR", VMCS_GUEST_IDTR_BASE, 0, ~0ull },
	[REG_IDTR_LIMIT] = { "IDTR's limit", VMCS_GUEST_IDTR_LIMIT, 0, ~0ull },
	[REG_SYSENTER_ESP] = { "SYSENTER_ESP", VMCS_GUEST_SYSENTER_ESP, MSR_SYSENTER_ESP, ~0ull },
	[REG_GDTR] = { "GDTR", VMCS_GUEST_GDTR_BASE, 0, ~0ull },
	[REG_GDTR_LIMIT] = { "GDTR's limit", VMCS_GUEST_GDTR_LIMIT, 0, ~0ull },
};

/**
 * struct pins - one CPU
 * @pinned: its registers are to be @value
 * @booting: its guest has been reset, and sets them up
 * @told: control registers that differ, by enum reg
 * @rip: of the instruction that is being executed
 * @value: see @pinned
 */
struct pins {
	bool pinned, booting;
	u64 told, rip;
	u64 value[REGS];
};

/* @common: those of the first CPU. @bitmap: MSRs that exit, for all CPUs. */
static struct {
	struct spinlock lock;
	struct pins *pins[LATCH_MAX_CPUS];
	u8 *bitmap;
	bool known;
	u64 common[REG_COMMON];
} guard;

static u64 reg_read(enum reg reg)
{
	return (regs[reg].field ? vmread(regs[reg].field) : rdmsr(regs[reg].msr)) & regs[reg].mask;
}

static void reg_write(enum reg reg, u64 value)
{
	if (!regs[reg].field)
		wrmsr(regs[reg].msr, value);
	else
		vmwrite(regs[reg].field, (vmread(regs[reg].field) & ~regs[reg].mask) | value);
}

static bool is_of_syscall(enum reg reg)
{
	return reg >= REG_STAR && reg <= REG_FMASK;
}

/* May a hypervisor have it, for its guest or for a moment. */
static bool can_be_lent(const struct percpu *cpu, enum reg reg)
{
	return cpu->page->vmx && (is_of_syscall(reg) || reg == REG_GDTR || reg == REG_GDTR_LIMIT);
}

/* The guest reads EFER without SCE, and otherwise has it as it was. */
static void lend(struct percpu *cpu, const struct pins *pins, bool lent)
{
	u64 efer = vmread(VMCS_GUEST_EFER) | cpu->efer_off;

	cpu->efer_off = lent ? pins->value[REG_EFER] & EFER_SCE : 0;
	vmwrite(VMCS_GUEST_EFER, efer & ~cpu->efer_off);
}

static void intercept(struct percpu *cpu, const struct pins *pins, bool on)
{
	struct keep keep = { };

	if (on)
		keep = (struct keep) { pins->value[REG_CR0], pins->value[REG_CR4], true };
	cr_keep(cpu, KEEPER_GUARD, &keep);
	vmwrite(VMCS_MSR_BITMAP, on ? pool_pa(guard.bitmap) : msr_bitmap_pa());
}

/* Of control registers: bits may be set, but not cleared. */
static bool is_control(enum reg reg)
{
	return reg == REG_CR0 || reg == REG_CR4;
}

static bool reg_is(enum reg reg, u64 value, u64 pin)
{
	return is_control(reg) ? (value & pin) == pin : value == pin;
}

static void report(struct percpu *cpu, enum reg reg, u64 value, u64 rip)
{
	struct linux_task task;

	linux_current(cpu, &task);
	guard_count_register();
	log_warn(cpu, "guard: %s = %llx by RIP %llx, %s[%u]%s", regs[reg].name, value, rip,
		 task.comm, task.pid, guard_mode() == LATCH_GUARD_AUDIT ? "" : ": refused");
}

/* What differs is told; and put back, if that is wanted. */
static bool compare(struct percpu *cpu, struct pins *pins, bool put_back)
{
	bool same = true, lent = false;
	enum reg reg;
	u64 value;

	for (reg = 0; reg < REGS; reg++) {
		value = reg_read(reg) | (reg == REG_EFER ? cpu->efer_off : 0);
		if (reg_is(reg, value, pins->value[reg])) {
			pins->told &= ~BIT(reg);
			continue;
		}
		if (can_be_lent(cpu, reg)) {
			lent |= is_of_syscall(reg);
			continue;
		}
		same = false;
		if (!(pins->told & BIT(reg)))
			report(cpu, reg, value, pins->rip);
		if (put_back)
			reg_write(reg, pins->value[reg] | (is_control(reg) ? value : 0));
		else if (is_control(reg))
			pins->told |= BIT(reg);
		else
			pins->value[reg] = value;
	}
	lend(cpu, pins, lent);
	return same;
}

static void capture(struct percpu *cpu, struct pins *pins)
{
	enum reg reg;

	for (reg = 0; reg < REGS; reg++)
		pins->value[reg] = reg_read(reg);
	spin_lock(&guard.lock);
	if (!guard.known)
		memcpy(guard.common, pins->value, sizeof(guard.common));
	guard.known = true;
	for (reg = 0; reg < REG_COMMON; reg++)
		if (can_be_lent(cpu, reg))
			pins->value[reg] = guard.common[reg];
	spin_unlock(&guard.lock);
	pins->pinned = true;
	intercept(cpu, pins, true);
	compare(cpu, pins, false);
}

/**
 * guard_regs_pin - this CPU has come online, and its registers are to stay
 *
 * They are to be those of the other CPUs. Return: 0; -EPERM if they are not, and then
 * they are once guard is enforced.
 */
int guard_regs_pin(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];
	bool same, enforce = guard_mode() >= LATCH_GUARD_ENFORCE;

	pins->booting = false;
	if (pins->pinned || !guard.known || guard_mode() == LATCH_GUARD_OFF)
		return 0;
	capture(cpu, pins);
	pins->rip = vmread(VMCS_GUEST_RIP);
	memcpy(pins->value, guard.common, sizeof(guard.common));
	same = compare(cpu, pins, enforce);
	intercept(cpu, pins, true);
	return same ? 0 : -EPERM;
}

static void release(struct percpu *cpu, struct pins *pins)
{
	lend(cpu, pins, false);
	pins->pinned = false;
	intercept(cpu, pins, false);
}

/** guard_regs_sync - the mode has changed */
void guard_regs_sync(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];
	bool want = guard_mode() != LATCH_GUARD_OFF && !pins->booting;

	if (want == pins->pinned)
		return;
	/* Some of what counts is put away while a view's owner runs. */
	if (cpu->view && !cpu->view->common)
		cpu->view->interrupt(cpu);
	if (want) {
		capture(cpu, pins);
		return;
	}
	guard.known = false;
	release(cpu, pins);
}

/** guard_regs_join - this CPU is new here, and has been set up */
void guard_regs_join(struct percpu *cpu)
{
	guard.pins[cpu->index]->booting = false;
	guard.pins[cpu->index]->pinned = false;
	cpu->efer_off = 0;
	guard_regs_sync(cpu);
}

/** guard_regs_reset - its guest sets this CPU up, and says so by guard_regs_pin() */
void guard_regs_reset(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];

	pins->booting = true;
	cpu->efer_off = 0;
	release(cpu, pins);
}

/** guard_regs_begin - an instruction that may write one of them */
void guard_regs_begin(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];

	pins->rip = vmread(VMCS_GUEST_RIP);
	intercept(cpu, pins, false);
}

/** guard_regs_end - has it? */
void guard_regs_end(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];
	bool enforce = guard_mode() >= LATCH_GUARD_ENFORCE;

	if (!pins->pinned)
		return;
	if (!compare(cpu, pins, enforce) && enforce) {
		vmwrite(VMCS_GUEST_RIP, pins->rip);
		event_inject_fault(cpu, VECTOR_GP, 0);
		/* Made with other values of what decides about translations. */
		invvpid_all();
	}
	intercept(cpu, pins, true);
}

/**
 * guard_regs_loaded - a VM exit of a nested guest has loaded them, or VMX is off again
 *
 * The limits are 64 KiB behind any exit, which is nobody's will.
 */
void guard_regs_loaded(struct percpu *cpu)
{
	struct pins *pins = guard.pins[cpu->index];

	if (!pins->pinned)
		return;
	reg_write(REG_IDTR_LIMIT, pins->value[REG_IDTR_LIMIT]);
	reg_write(REG_GDTR_LIMIT, pins->value[REG_GDTR_LIMIT]);
	pins->rip = vmread(VMCS_GUEST_RIP);
	compare(cpu, pins, guard_mode() >= LATCH_GUARD_ENFORCE);
	intercept(cpu, pins, true);
}

/** guard_regs_pinned - CPUs whose registers are */
u32 guard_regs_pinned(void)
{
	u32 i, count = 0;

	for (i = 0; i < boot.nr_cpus; i++)
		count += guard.pins[i]->pinned &&
			 READ_ONCE(percpu_of(i)->mode) == LATCH_CPU_GUEST;
	return count;
}

static void make_bitmap(void)
{
	enum reg reg;

	msr_bitmap_copy(guard.bitmap);
	for (reg = 0; reg < REGS; reg++)
		if (regs[reg].msr)
			msr_bitmap_set(guard.bitmap, regs[reg].msr, MSR_WRITE);
}

/** guard_regs_alloc - memory for all CPUs; 0, -ENOMEM, or -ENODEV */
int guard_regs_alloc(void)
{
	u32 per_page = PAGE_SIZE / sizeof(struct pins), i;
	struct pins *page = NULL;

	if (!(rdmsr(MSR_VMX_PROCBASED_CTLS2) >> 32 & SECONDARY_DESCRIPTORS))
		return -ENODEV;
	guard.bitmap = pool_alloc();
	for (i = 0; i < boot.nr_cpus && guard.bitmap; i++) {
		if (i % per_page == 0)
			page = pool_alloc();
		if (!page)
			break;
		guard.pins[i] = page + i % per_page;
		/* Its start-up IPI comes when guard is on. */
		guard.pins[i]->booting = READ_ONCE(percpu_of(i)->mode) == LATCH_CPU_WAIT_SIPI;
	}
	if (!guard.bitmap || i < boot.nr_cpus) {
		guard_regs_free();
		return -ENOMEM;
	}
	guard.known = false;
	make_bitmap();
	return 0;
}

/** guard_regs_free - and give it back; no CPU is pinned */
void guard_regs_free(void)
{
	u32 per_page = PAGE_SIZE / sizeof(struct pins), i;

	for (i = 0; i < boot.nr_cpus; i += per_page)
		if (guard.pins[i])
			pool_free(guard.pins[i]);
	memset(guard.pins, 0, sizeof(guard.pins));
	if (guard.bitmap)
		pool_free(guard.bitmap);
	guard.bitmap = NULL;
}
