// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's entry in C: initialization on one CPU, then a launch on each.
 */
#include <latch/features.h>
#include "core.h"
#include "ept_guest.h"
#include "idt.h"
#include "log.h"
#include "msr.h"
#include "paging.h"
#include "percpu.h"
#include "pool.h"
#include "vcpu.h"
#include "vmx.h"

extern const char image_start[], image_end[];

struct latch_boot boot __attribute__((section(".boot")));
struct core_info core;

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
	u32 extended = cpuid(0x80000000, 0).eax, bits = 36;

	if (extended >= 0x80000008)
		bits = cpuid(0x80000008, 0).eax & 0xff;
	core.phys_mask = (BIT(bits) - 1) & PAGE_MASK;
	core.has_1g = extended >= 0x80000001 && cpuid(0x80000001, 0).edx & BIT(26);
	core.has_pku = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & BIT(3);
	core.has_shadow_stacks = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & CPUID_SHADOW_STACK;
	core.has_endbranch = cpuid(0, 0).eax >= 7 && cpuid(7, 0).edx & CPUID_ENDBRANCH;
	core.has_xsave = cpuid(1, 0).ecx & BIT(26);
	identify_outer();
}

/*
 * Capability MSRs, for the loader to show. Not all exist on all CPUs, and here an
 * exception would be fatal: each is announced by another (SDM vol. 3, appendix A).
 */
static bool has_cap(u32 index)
{
	const u64 *caps = boot.caps.vmx;

	if (index <= MSR_VMX_CR4_FIXED1 - MSR_VMX_BASE)
		return true;
	if (index == LATCH_CAP_SECONDARY)
		return caps[LATCH_CAP_PRIMARY] & BIT(63);
	if (index == LATCH_CAP_EPT_VPID)
		return caps[LATCH_CAP_SECONDARY] & (BIT(33) | BIT(37));
	if (index == MSR_VMX_VMFUNC - MSR_VMX_BASE)
		return caps[LATCH_CAP_SECONDARY] & BIT(32 + 13);
	return index >= MSR_VMX_TRUE_PIN - MSR_VMX_BASE &&
	       index <= MSR_VMX_TRUE_ENTRY - MSR_VMX_BASE &&
	       caps[0] & VMX_BASIC_TRUE_CONTROLS;
}

static void read_caps(void)
{
	u32 i;

	if (!(cpuid(1, 0).ecx & BIT(5)))
		return;
	boot.caps.feature_control = rdmsr(MSR_FEATURE_CONTROL);
	for (i = 0; i < LATCH_NR_CAPS; i++)
		if (has_cap(i))
			boot.caps.vmx[i] = rdmsr(MSR_VMX_BASE + i);
	/* Version 2 of performance monitoring has the MSR (CPUID leaf 0AH). */
	core.may_have_perf_control = cpuid(0, 0).eax >= 0xa && (cpuid(0xa, 0).eax & 0xff) >= 2 &&
				     boot.caps.vmx[LATCH_CAP_EXIT] >> 32 & EXIT_LOAD_PERF_CONTROL;
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
	int ret = ept_guest_init(&boot);

	return ret ? ret : msr_bitmap_init();
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
	boot.outer = core.nested;
	boot.pool_pages = pool_pages();
	boot.pool_free = pool_free_pages();
	log_publish_pool(boot.pool_free);
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
	struct latch_error *error = &cpu->page->error, local = { 0 };
	int ret;

	cpu->loader = cpu->page->state;
	if (!vcpu_can_load_tr(cpu->loader.sel[LATCH_TR])) {
		/* Before TR is core's: there would be no way back. */
		local = (struct latch_error){ LATCH_REASON_GDT, LATCH_STEP_STATE,
					      cpu->loader.gdtr.limit };
		*error = local;
		cpu->loader.gpr.rax = (u64)-EINVAL;
		vcpu_return(cpu->page, cpu->change_over, &cpu->loader);
	}
	percpu_load(cpu);
	ret = vcpu_launch(cpu, &local);
	*error = local;
	vcpu_unwind(cpu, local.step, ret);
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
