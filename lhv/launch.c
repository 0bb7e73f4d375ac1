// SPDX-License-Identifier: GPL-2.0-only
/*
 * lhv as a loader of core: the same interface as the Linux module uses (see
 * include/latch/launch.h), and a check that nothing is left behind (invariant
 * I5: the CPU's state after leaving is the state before the launch).
 */
#include "lhv.h"
#include "loader.h"

#define LOG_SIZE	65536u

extern const u8 core_image[], core_image_end[];

/**
 * struct cpu_snapshot - what a launch and a leave must not change
 */
struct cpu_snapshot {
	u64 cr0, cr3, cr4, cr8, dr6, dr7, rflags;
	u64 gdt_base, gdt_limit, idt_base, idt_limit, tr, ldtr;
	u64 cs, ds, es, fs, gs, ss, tr_access;
	u64 xcr0;
	u64 msr[20];
};

static const u32 snapshot_msrs[] = {
	MSR_EFER, MSR_PAT, MSR_DEBUGCTL, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK,
	MSR_FEATURE_CONTROL, MSR_APIC_BASE, MSR_MTRR_DEF_TYPE, MSR_MISC_ENABLE,
};

static const char * const step_names[] = {
#define STEP_NAME(id, name, where) name,
	LATCH_STEPS(STEP_NAME)
};

static const u8 step_where[] = {
#define STEP_WHERE(id, name, where) where,
	LATCH_STEPS(STEP_WHERE)
};

static const char * const reason_texts[] = {
#define REASON_TEXT(id, err, text) text,
	LATCH_REASONS(REASON_TEXT)
};

/**
 * struct launch - one launch
 * @boot: what core was told and has answered; a copy, as the image's is hidden
 *	  from the first launch on
 * @entry: core's entry point
 * @fail_step: step that must fail, or LATCH_STEP_NONE
 * @fail_cpu: on which CPU, or LATCH_CPU_ANY
 * @mark: for mem_release()
 * @told: struct latch_boot in the image
 * @pages: the CPU pages
 * @result: of each CPU
 * @failed: some CPU did not get in
 * @arrived: CPUs that have a result
 * @before: state before the launch
 * @after: state after leaving, or after a launch that failed
 */
struct launch {
	struct latch_boot boot;
	u64 entry;
	u32 fail_step, fail_cpu;
	u64 mark;
	struct latch_boot *told;
	struct latch_cpu_page *pages;
	long result[MAX_CPUS];
	u32 failed;
	u32 arrived;
	struct cpu_snapshot before[MAX_CPUS], after[MAX_CPUS];
};

bool launch_active;
static struct launch launch;

static u64 read_selector(u32 which)
{
	u16 value = 0;

	switch (which) {
	case 0:
		asm volatile("str %0" : "=r" (value));
		break;
	case 1:
		asm volatile("sldt %0" : "=r" (value));
		break;
	case 2:
		asm volatile("mov %%cs, %0" : "=r" (value));
		break;
	case 3:
		asm volatile("mov %%ds, %0" : "=r" (value));
		break;
	case 4:
		asm volatile("mov %%es, %0" : "=r" (value));
		break;
	case 5:
		asm volatile("mov %%fs, %0" : "=r" (value));
		break;
	case 6:
		asm volatile("mov %%gs, %0" : "=r" (value));
		break;
	default:
		asm volatile("mov %%ss, %0" : "=r" (value));
	}
	return value;
}

static u64 read_xcr0(void)
{
	u32 low, high;

	if (!(read_cr4() & CR4_OSXSAVE))
		return 0;
	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return low | (u64)high << 32;
}

static void snapshot_take(struct cpu_snapshot *s)
{
	struct table_register gdtr = read_gdtr(), idtr = read_idtr();
	u32 access = 0;
	u32 i;

	*s = (struct cpu_snapshot) {
		.cr0 = read_cr0(), .cr3 = read_cr3(), .cr4 = read_cr4(), .cr8 = read_cr8(),
		.dr6 = read_dr6(), .dr7 = read_dr7(), .rflags = read_flags() & ~0xad5ull,
		.gdt_base = gdtr.base, .gdt_limit = gdtr.limit,
		.idt_base = idtr.base, .idt_limit = idtr.limit,
		.tr = read_selector(0), .ldtr = read_selector(1), .cs = read_selector(2),
		.ds = read_selector(3), .es = read_selector(4), .fs = read_selector(5),
		.gs = read_selector(6), .ss = read_selector(7), .xcr0 = read_xcr0(),
	};
	asm volatile("lar %1, %0" : "+r" (access) : "r" ((u32)s->tr));
	s->tr_access = access;
	for (i = 0; i < ARRAY_SIZE(snapshot_msrs); i++)
		s->msr[i] = rdmsr(snapshot_msrs[i]);
}

/* Names which 8-byte word differs: enough to find the register. */
static u32 snapshot_compare(u32 cpu)
{
	const u64 *before = (const u64 *)&launch.before[cpu];
	const u64 *after = (const u64 *)&launch.after[cpu];
	u32 differences = 0;
	u32 i;

	for (i = 0; i < sizeof(launch.before[0]) / 8; i++) {
		if (before[i] == after[i])
			continue;
		print("# CPU %u: state word %u was 0x%llx, is 0x%llx\n", cpu, i, before[i],
		      after[i]);
		differences++;
	}
	return differences;
}

static const struct latch_image *image_header(void)
{
	const struct latch_image *image = (const void *)core_image;
	u64 size = (u64)(core_image_end - core_image);

	if (size < sizeof(*image) || image->signature != LATCH_IMAGE_SIGNATURE ||
	    image->version != LATCH_LAUNCH_VERSION || image->size != sizeof(*image) ||
	    image->base != LATCH_CORE_BASE || ALIGN_UP(size, PAGE_SIZE) < image->file_size ||
	    image->max_cpus < nr_cpus)
		return NULL;
	return image;
}

static int loader_error(u32 cpu, u32 step, u32 reason, u64 value)
{
	print("# launch: CPU %u, step %s: %s 0x%llx\n", cpu,
	      step < LATCH_NR_STEPS ? step_names[step] : "?",
	      reason < LATCH_NR_ERROR_REASONS ? reason_texts[reason] : "?", value);
	return -1;
}

/* Steps of the loader itself fail here. */
static bool loader_step(u32 step, int *ret)
{
	if (launch.fail_step != step)
		return true;
	*ret = loader_error(0, step, LATCH_REASON_INJECTED, 0);
	return false;
}

/* A second image gets the lower memory, where it expects it. */
static void *loader_alloc(u64 size, u64 align)
{
	return option_has("second") ? mem_alloc_top(size, align) : mem_alloc(size, align);
}

/* Get memory, copy the image there, fill in its struct latch_boot. */
static int loader_memory(const struct latch_image *image)
{
	u64 chunks = latch_chunks_needed(image, nr_cpus, mem_ram_top);
	u64 public_size = LOG_SIZE + (u64)nr_cpus * LATCH_CPU_PAGE_SIZE;
	struct latch_boot *boot;
	u8 *memory, *public;
	u32 i;

	if (chunks > LATCH_MAX_CHUNKS)
		return loader_error(0, LATCH_STEP_MEMORY, LATCH_REASON_NO_MEMORY, chunks);
	memory = loader_alloc(chunks * LATCH_CHUNK_SIZE, LATCH_CHUNK_SIZE);
	public = loader_alloc(public_size, PAGE_SIZE);
	memcpy(memory, core_image, (size_t)(core_image_end - core_image));
	boot = (void *)(memory + image->boot);
	*boot = (struct latch_boot) {
		.nr_cpus = nr_cpus, .nr_chunks = (u32)chunks,
		.public_phys = ADDR(public), .public_va = ADDR(public),
		.public_size = public_size, .log_size = LOG_SIZE,
		.tramp_va = ADDR(latch_tramp_page), .tramp_exit = ADDR(latch_tramp_exit),
		.leave_rip = ADDR(latch_tramp_left),
		.ram_top = mem_ram_top, .levels = 4,
		.fail_step = launch.fail_step, .fail_cpu = launch.fail_cpu,
		.flags = LATCH_BOOT_NESTED | (option_has("icr") ? LATCH_BOOT_ICR : 0),
	};
	for (i = 0; i < chunks; i++)
		boot->chunk[i] = ADDR(memory) + (u64)i * LATCH_CHUNK_SIZE;
	launch.told = boot;
	launch.entry = image->entry;
	launch.pages = (void *)(public + LOG_SIZE);
	for (i = 0; i < nr_cpus; i++)
		latch_cpu_page_init(&launch.pages[i]);
	return 0;
}

static int loader_bootmap(struct latch_bootmap *map)
{
	*map = (struct latch_bootmap) {
		.va = mem_alloc(LATCH_BOOTMAP_PAGES * PAGE_SIZE, PAGE_SIZE),
		.pages = LATCH_BOOTMAP_PAGES, .levels = 4,
	};
	map->pa = ADDR(map->va);
	if (latch_bootmap_build(map, launch.told, ADDR(latch_tramp_page)))
		return loader_error(0, LATCH_STEP_BOOTMAP, LATCH_REASON_NO_MEMORY, map->pages);
	return 0;
}

static int loader_init(const struct latch_bootmap *map)
{
	struct latch_cpu_page *page = &launch.pages[0];
	long ret;

	irq_disable();
	latch_cpu_page_prepare(page, LATCH_OP_INIT, 0, map->pa, launch.entry);
	ret = latch_tramp_enter(page);
	irq_enable();
	launch.boot = *launch.told;
	if (ret)
		return loader_error(0, page->error.step, page->error.reason, page->error.value);
	return 0;
}

/* On each CPU: in, wait for the others, out again when one did not get in. */
static void loader_launch_cpu(void *arg)
{
	struct cpu *cpu = this_cpu();
	struct latch_cpu_page *page = &launch.pages[cpu->index];
	long ret;

	(void)arg;
	snapshot_take(&launch.before[cpu->index]);
	irq_disable();
	latch_cpu_page_prepare(page, LATCH_OP_LAUNCH, cpu->index, launch.boot.cr3, launch.entry);
	ret = latch_tramp_enter(page);
	launch.result[cpu->index] = ret;
	if (ret)
		__atomic_store_n(&launch.failed, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&launch.arrived, 1, __ATOMIC_ACQ_REL);
	while (READ_ONCE(launch.arrived) < nr_cpus)
		cpu_relax();
	if (READ_ONCE(launch.failed) && !ret && latch_tramp_leave())
		lhv_panic("CPU %u cannot leave after a failed launch", cpu->index);
	irq_enable();
	snapshot_take(&launch.after[cpu->index]);
}

static int loader_launch(void)
{
	int ret = 0;
	u32 i;

	launch.arrived = 0;
	launch.failed = 0;
	cpu_call_all(loader_launch_cpu, NULL);
	for (i = 0; i < nr_cpus; i++) {
		struct latch_error *error = &launch.pages[i].error;

		if (launch.result[i])
			ret = loader_error(i, error->step, error->reason, error->value);
	}
	return ret;
}

/* Return: 0 or -1, with the reason printed and all CPUs native */
static int launch_try(u32 fail_step, u32 fail_cpu)
{
	const struct latch_image *image = image_header();
	struct latch_bootmap map;
	int ret = 0;

	launch.fail_step = fail_step;
	launch.fail_cpu = fail_cpu;
	launch.mark = mem_mark();
	memset(launch.result, 0, sizeof(launch.result));
	if (!image)
		return loader_error(0, LATCH_STEP_IMAGE, LATCH_REASON_IMAGE,
				    (u64)(core_image_end - core_image));
	if (!loader_step(LATCH_STEP_IMAGE, &ret) || !loader_step(LATCH_STEP_MEMORY, &ret))
		return ret;
	ret = loader_memory(image);
	if (!ret && loader_step(LATCH_STEP_BOOTMAP, &ret))
		ret = loader_bootmap(&map);
	if (!ret)
		ret = loader_init(&map);
	if (!ret)
		ret = loader_launch();
	if (ret)
		mem_release(launch.mark);
	launch_active = !ret;
	return ret;
}

/* Launch core on all CPUs, or end with status 2. */
void launch_core(void)
{
	if (launch_try(LATCH_STEP_NONE, LATCH_CPU_ANY)) {
		print("Bail out! core does not launch\n");
		lhv_exit(2);
	}
	print("# core %u.%u.%u runs on %u CPUs, %u chunks\n",
	      LATCH_VERSION_MAJOR(launch.boot.version), LATCH_VERSION_MINOR(launch.boot.version),
	      LATCH_VERSION_PATCH(launch.boot.version), nr_cpus, launch.boot.nr_chunks);
}

static void launch_leave_cpu(void *arg)
{
	u32 index = this_cpu()->index;

	(void)arg;
	irq_disable();
	launch.result[index] = latch_tramp_leave();
	irq_enable();
	snapshot_take(&launch.after[index]);
}

static void launch_compare_all(const char *what)
{
	u32 i;

	for (i = 0; i < nr_cpus; i++) {
		bool same = !snapshot_compare(i);

		ktap_check(same && !(launch.after[i].cr4 & CR4_VMXE),
			   "%s: state of CPU %u is as before", what, i);
	}
}

static const struct latch_log *launch_log(void)
{
	return (const void *)((u8 *)launch.pages - LOG_SIZE);
}

/** launch_log_next - number of core's next log record */
u64 launch_log_next(void)
{
	return launch_log()->next;
}

/** launch_log_text - text of a log record, terminated; empty if there is none */
void launch_log_text(u64 seq, char *text)
{
	const struct latch_log *log = launch_log();
	const struct latch_log_record *record = &log->record[seq & (log->count - 1)];
	u32 len = seq < log->next ? record->len : 0;

	memcpy(text, record->text, len);
	text[len] = 0;
}

/* What core had to say, but for the usual. */
static void launch_print_log(void)
{
	const struct latch_log *log = launch_log();
	u64 seq = log->next > log->count ? log->next - log->count : 1;
	u32 i;

	for (; seq < log->next; seq++) {
		const struct latch_log_record *record = &log->record[seq & (log->count - 1)];

		if (record->level > LATCH_LOG_WARN)
			continue;
		print("# core's log, CPU %u: ", record->cpu);
		for (i = 0; i < record->len; i++)
			print("%c", record->text[i]);
		print("\n");
	}
}

/**
 * launch_leave - take all CPUs out of VMX operation
 *
 * Return: 0; what went wrong is in the KTAP.
 */
int launch_leave(void)
{
	u32 i;

	ktap_suite = "core";
	cpu_call_all(launch_leave_cpu, NULL);
	for (i = 0; i < nr_cpus; i++)
		ktap_check(!launch.result[i], "CPU %u leaves", i);
	launch_compare_all("leave");
	launch_print_log();
	launch_active = false;
	return 0;
}

/* A launch that must fail at @step on @cpu. */
static void launch_fail_one(u32 step, u32 cpu)
{
	bool asked, native = true;
	struct latch_error *error = NULL;
	int ret;
	u32 i;

	snapshot_take(&launch.before[0]);
	ret = launch_try(step, cpu);
	if (step_where[step] < 2)
		snapshot_take(&launch.after[0]);

	if (!ret) {
		ktap_check(false, "fail at %s on CPU %u: launched", step_names[step], cpu);
		cpu_call_all(launch_leave_cpu, NULL);
		launch_active = false;
		mem_release(launch.mark);
		return;
	}
	if (step_where[step])
		error = &launch.pages[step_where[step] == 2 ? cpu : 0].error;
	asked = !error || (error->step == step && error->reason == LATCH_REASON_INJECTED);
	for (i = 0; i < (step_where[step] == 2 ? nr_cpus : 1); i++)
		native = native && !snapshot_compare(i) && !(launch.after[i].cr4 & CR4_VMXE) &&
			 (step_where[step] == 2 && i == cpu) == !!launch.result[i];
	ktap_check(asked && native, "fail at %s on CPU %u: all CPUs go on natively",
		   step_names[step], cpu);
}

static u32 step_by_name(const char *name)
{
	u32 step;

	for (step = 0; step < LATCH_NR_STEPS; step++)
		if (strlen(name) == strlen(step_names[step]) &&
		    !memcmp(name, step_names[step], strlen(name)))
			return step;
	lhv_panic("fail=%s: no such step", name);
}

static void launch_fail_option(char *value)
{
	u32 cpu = 0, i;

	for (i = 0; value[i] && value[i] != ','; i++)
		;
	if (value[i]) {
		cpu = (u32)(value[i + 1] - '0');
		value[i] = 0;
	}
	if (cpu >= nr_cpus)
		lhv_panic("fail=: there is no CPU %u", cpu);
	launch_fail_one(step_by_name(value), cpu);
}

/**
 * launch_fail_all - launches that must fail: fail=STEP[,CPU], or all
 *
 * In the end one must succeed: a failed launch leaves nothing behind.
 *
 * Return: 0; what went wrong is in the KTAP.
 */
int launch_fail_all(void)
{
	char value[32];
	u32 step, cpu;

	ktap_suite = "core";
	if (option_get("fail", value, sizeof(value))) {
		launch_fail_option(value);
		return 0;
	}
	for (step = 0; step < LATCH_NR_STEPS; step++)
		for (cpu = 0; cpu < (step_where[step] == 2 ? nr_cpus : 1); cpu++)
			launch_fail_one(step, cpu);
	if (ktap_check(!launch_try(LATCH_STEP_NONE, LATCH_CPU_ANY), "launch after the failures"))
		launch_leave();
	return 0;
}

u32 launch_nr_chunks(void)
{
	return launch.boot.nr_chunks;
}

u64 launch_chunk(u32 index)
{
	return launch.boot.chunk[index];
}
