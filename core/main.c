// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's entry in C: initialization on one CPU, then a launch on each.
 */
#include "core.h"
#include "ept_guest.h"
#include "idt.h"
#include "log.h"
#include "msr.h"
#include "paging.h"
#include "percpu.h"
#include "pool.h"
#include "vcpu.h"
#include "x86.h"

extern const char image_start[], image_end[];

struct latch_boot boot __attribute__((section(".boot")));
struct core_info core;

void core_main(struct latch_cpu_page *page, u32 op, u32 index) __attribute__((noreturn));

/* CPUID leaf 0x40000000 is there only if a hypervisor says so in leaf 1. */
static void identify_outer(void)
{
	struct cpuid_regs regs;

	core.nested = cpuid(1, 0).ecx & BIT(31);
	if (!core.nested)
		return;
	regs = cpuid(0x40000000, 0);
	memcpy(core.outer, &regs.ebx, 4);
	memcpy(core.outer + 4, &regs.ecx, 4);
	memcpy(core.outer + 8, &regs.edx, 4);
	core.outer_is_kvm = !memcmp(core.outer, "KVMKVMKVM\0\0", 12);
}

static void identify_cpu(void)
{
	u32 bits = 36;

	if (cpuid(0x80000000, 0).eax >= 0x80000008)
		bits = cpuid(0x80000008, 0).eax & 0xff;
	core.phys_mask = (BIT(bits) - 1) & PAGE_MASK;
	core.has_xsave = cpuid(1, 0).ecx & BIT(26);
	identify_outer();
}

/* Capability MSRs, for the loader to show: an exception would be fatal here. */
static void read_caps(void)
{
	u32 i, last = MSR_VMX_TRUE_ENTRY - MSR_VMX_BASE;

	if (!(cpuid(1, 0).ecx & BIT(5)))
		return;
	boot.caps.feature_control = rdmsr(MSR_FEATURE_CONTROL);
	if (!(rdmsr(MSR_VMX_BASIC) & BIT(55)))
		last = MSR_VMX_CR4_FIXED1 - MSR_VMX_BASE;
	for (i = 0; i <= last; i++)
		boot.caps.vmx[i] = rdmsr(MSR_VMX_BASE + i);
}

static int init_step(struct latch_error *error, u32 step, int (*run)(void))
{
	int ret;

	error->step = step;
	if (boot.fail_step == step) {
		error->reason = LATCH_REASON_INJECTED;
		return -EIO;
	}
	ret = run();
	if (ret) {
		error->reason = ret == -ENOMEM ? LATCH_REASON_NO_MEMORY : LATCH_REASON_IMAGE;
		error->value = pool_pages();
	}
	return ret;
}

static int init_pool(void)
{
	if (boot.nr_cpus > LATCH_MAX_CPUS || boot.levels < 4 || boot.levels > 5)
		return -EINVAL;
	return pool_init(&boot, (void *)LATCH_CORE_BASE, (u64)(image_end - image_start));
}

static int init_paging(void)
{
	int ret = paging_init(&boot);

	if (ret)
		return ret;
	/* The stack and all code are at the same addresses in both. */
	write_cr3(paging_root());
	boot.cr3 = paging_root();
	return percpu_init(&boot);
}

static int init_ept(void)
{
	return ept_guest_init(&boot);
}

static int core_init(struct latch_error *error)
{
	int ret;

	boot.version = CORE_VERSION;
	identify_cpu();
	read_caps();
	idt_init();
	ret = init_step(error, LATCH_STEP_POOL, init_pool);
	if (ret)
		return ret;
	log_init(&boot);
	ret = init_step(error, LATCH_STEP_PAGING, init_paging);
	if (!ret)
		ret = init_step(error, LATCH_STEP_EPT, init_ept);
	if (ret)
		return ret;
	msr_bitmap_init();
	boot.outer = core.nested;
	boot.pool_pages = pool_pages();
	boot.pool_free = pool_free_pages();
	log_write(0, LATCH_LOG_INFO, "core %u.%u.%u: %u CPUs, %u pages, %u free%s%s",
		  LATCH_VERSION_MAJOR(CORE_VERSION), LATCH_VERSION_MINOR(CORE_VERSION),
		  LATCH_VERSION_PATCH(CORE_VERSION), boot.nr_cpus, boot.pool_pages,
		  boot.pool_free, core.nested ? ", under " : "", core.outer);
	return 0;
}

static void launch(u32 index) __attribute__((noreturn));
static void launch(u32 index)
{
	struct percpu *cpu = percpu_of(index);
	struct latch_cpu_state *state = &cpu->page->state;
	int ret;

	percpu_load(cpu);
	ret = vcpu_launch(cpu, cpu->page);
	state->gpr.rax = (u64)ret;
	vcpu_unwind(cpu, state);
}

/**
 * core_main - called by entry.S
 * @page: the CPU page, at the loader's address
 * @op: LATCH_OP_INIT or LATCH_OP_LAUNCH
 * @index: the CPU's index; the loader has checked it
 */
void core_main(struct latch_cpu_page *page, u32 op, u32 index)
{
	u64 public_page = LATCH_PUBLIC_BASE + ((u64)page - boot.public_va);
	struct latch_cpu_page *frame = (struct latch_cpu_page *)public_page;

	if (op == LATCH_OP_LAUNCH)
		launch(index);
	frame->state.gpr.rax = (u64)core_init(&frame->error);
	vcpu_return(frame, page, &frame->state);
}
