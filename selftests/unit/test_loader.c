// SPDX-License-Identifier: GPL-2.0-only
/* loader/loader.c and the layout of loader/tramp.S. */
#include <string.h>
#include "unit.h"
#include "bootmap_ref.h"

static void boot_like_linux(struct latch_boot *boot, u32 nr_chunks)
{
	u32 i;

	memset(boot, 0, sizeof(*boot));
	boot->nr_chunks = nr_chunks;
	for (i = 0; i < nr_chunks; i++)
		boot->chunk[i] = 0x100000000 - (u64)i * 3 * LATCH_CHUNK_SIZE;
	boot->public_phys = 0x12345000;
	boot->public_va = 0xffff888012345000;
	boot->public_size = (16 + 4) * 4096;
	boot->tramp_va = 0xffffffffc0123000;
}

static void test_bootmap_linux(void **state)
{
	struct latch_boot boot;
	u32 nr_chunks, levels;

	(void)state;
	for (nr_chunks = 1; nr_chunks <= LATCH_MAX_CHUNKS; nr_chunks++)
		for (levels = 4; levels <= 5; levels++) {
			boot_like_linux(&boot, nr_chunks);
			if (levels == 5)
				boot.public_va = 0xff11000012345000;
			assert_int_equal(bootmap_ref_check(&boot, 0x5000, levels,
							   LATCH_BOOTMAP_PAGES), 0);
		}
}

/* With one page too few at any place: -ENOMEM, nothing written behind the last. */
static void test_bootmap_too_few_pages(void **state)
{
	struct latch_boot boot;
	u32 levels, pages, needed;

	(void)state;
	for (levels = 4; levels <= 5; levels++) {
		boot_like_linux(&boot, 5);
		needed = bootmap_ref_pages(&boot, levels);
		for (pages = 1; pages < needed; pages++)
			assert_int_equal(bootmap_ref_check(&boot, 0x5000, levels, pages), -12);
		assert_int_equal(bootmap_ref_check(&boot, 0x5000, levels, needed), 0);
	}
}

/* The trampoline in each slot of the PML4, and in core's own. */
static void test_bootmap_all_slots(void **state)
{
	struct latch_boot boot;
	u64 slot;

	(void)state;
	boot_like_linux(&boot, 3);
	for (slot = 0; slot < 512; slot++) {
		boot.tramp_va = slot << 39 | (slot & 256 ? 0xffff000000000000 : 0) | 0x7654000;
		boot.public_va = ((511 - slot) << 39 | (slot & 256 ? 0 : 0xffff000000000000)) +
				 0x1ff000;
		assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), 0);
	}
}

static void test_bootmap_next_to_core(void **state)
{
	struct latch_boot boot;

	(void)state;
	boot_like_linux(&boot, 3);
	boot.tramp_va = LATCH_CORE_BASE + 3ull * LATCH_CHUNK_SIZE;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), 0);
	boot.tramp_va = LATCH_CORE_BASE - 0x1000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), 0);
	boot.public_va = LATCH_PUBLIC_BASE + boot.public_size;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), 0);
	/* The same page at the same address twice is not a conflict. */
	boot.public_va = LATCH_PUBLIC_BASE;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), 0);
}

/* Two things at one address: refused, whatever the order. */
static void test_bootmap_conflicts(void **state)
{
	struct latch_boot boot;

	(void)state;
	boot_like_linux(&boot, 3);
	boot.tramp_va = LATCH_CORE_BASE + 0x5000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
	boot.tramp_va = LATCH_CORE_BASE + 2ull * LATCH_CHUNK_SIZE;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
	boot.tramp_va = boot.public_va;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
	boot.tramp_va = LATCH_PUBLIC_BASE + 0x1000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
	boot_like_linux(&boot, 3);
	boot.public_va = LATCH_CORE_BASE - 0x3000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
	boot.public_va = LATCH_PUBLIC_BASE + 0x1000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 4, LATCH_BOOTMAP_PAGES), -22);
}

/* The largest machine at the worst addresses. */
static void test_bootmap_pages_suffice(void **state)
{
	struct latch_boot boot;

	(void)state;
	boot_like_linux(&boot, LATCH_MAX_CHUNKS);
	boot.public_size = 64 * 1024 + LATCH_MAX_CPUS * 4096;
	boot.public_va = 0xff10fffffffff000;
	boot.tramp_va = 0x1000;
	assert_int_equal(bootmap_ref_check(&boot, 0x5000, 5, LATCH_BOOTMAP_PAGES), 0);
}

static void test_bootmap_random(void **state)
{
	(void)state;
	unit_for_seeds(1500, bootmap_ref_run);
}

static u64 chunks_needed(u64 mem_size, u32 base, u32 per_cpu, u32 per_gib, u32 cpus, u64 ram_top)
{
	struct latch_image image = {
		.mem_size = mem_size, .pool_base = base, .pool_per_cpu = per_cpu,
		.pool_per_gib = per_gib
	};

	return latch_chunks_needed(&image, cpus, ram_top);
}

static void test_chunks_needed(void **state)
{
	(void)state;
	assert_int_equal(chunks_needed(4096, 511, 0, 0, 1, 0), 1);
	assert_int_equal(chunks_needed(4096, 512, 0, 0, 1, 0), 2);
	assert_int_equal(chunks_needed(1, 511, 0, 0, 1, 0), 1);
	assert_int_equal(chunks_needed(4097, 511, 0, 0, 1, 0), 2);
	assert_int_equal(chunks_needed(4096, 1, 17, 0, 30, 0), 1);
	assert_int_equal(chunks_needed(4096, 2, 17, 0, 30, 0), 2);
	/* A part of a GiB needs as much as a whole one. */
	assert_int_equal(chunks_needed(4096, 501, 0, 1, 1, 10 * (1ull << 30) - 1), 1);
	assert_int_equal(chunks_needed(4096, 501, 0, 1, 1, 10 * (1ull << 30) + 1), 2);
	/* Nothing may be cut off on the way: 4 PiB, all CPUs. */
	assert_int_equal(chunks_needed(0, 0, 0, 1024, 0, (1ull << 52) - 1), 8ull << 20);
	assert_int_equal(chunks_needed(0, 0, 0xffffffff, 0, 256, 0), (0xffffffffull * 256 + 511) / 512);
}

/* The chunks that a loader gets hold what it counted, with none to spare. */
static void random_needed(struct source *source)
{
	u64 mem_size = source_below(source, 0x200001), ram_top = source_take(source, 8) >>
		       (12 + source_below(source, 30)), pages, chunks;
	u32 base = (u32)source_below(source, 1000), per_cpu = (u32)source_below(source, 100);
	u32 per_gib = (u32)source_below(source, 10), cpus = 1 + (u32)source_below(source, 256);

	chunks = chunks_needed(mem_size, base, per_cpu, per_gib, cpus, ram_top);
	pages = (mem_size + 4095) / 4096 + base + (u64)per_cpu * cpus +
		(ram_top + (1ull << 30)) / (1ull << 30) * per_gib;
	require(chunks * 512 >= pages && (chunks - 1) * 512 < pages, "%llu chunks, %llu pages",
		chunks, pages);
}

static void test_chunks_needed_random(void **state)
{
	(void)state;
	unit_for_seeds(5000, random_needed);
}

/* Decoded as a CPU does it (SDM vol. 3, 6.14.1). */
static void check_gate(const u64 *gate, const char *handler, u32 vector)
{
	u64 addr = (gate[0] & 0xffff) | (gate[0] >> 48) << 16 | (gate[1] & 0xffffffff) << 32;

	require(addr == (u64)handler, "vector %u: %#llx", vector, addr);
	require((gate[0] >> 16 & 0xffff) == 0x10, "vector %u: selector", vector);
	require((gate[0] >> 32 & 0xffff) == 0x8e00, "vector %u: not an interrupt gate of ring 0",
		vector);
	require(!(gate[1] >> 32), "vector %u: reserved bits", vector);
}

static void test_cpu_page(void **state)
{
	static struct latch_cpu_page page;
	u64 base;
	u32 vector;

	(void)state;
	memset(&page, 0, sizeof(page));
	latch_cpu_page_init(&page);
	for (vector = 0; vector < ARRAY_SIZE(page.idt) / 2; vector++)
		check_gate(&page.idt[2 * vector], vector == 2 ? latch_tramp_nmi : latch_tramp_fault,
			   vector);
	assert_int_equal(page.idtr_limit, sizeof(page.idt) - 1);
	assert_int_equal(page.gdtr_limit, sizeof(page.gdt) - 1);
	memcpy(&base, (u8 *)&page + LATCH_CPU_GDTR + 2, 8);
	assert_int_equal(base, (u64)page.gdt);
	memcpy(&base, (u8 *)&page + LATCH_CPU_IDTR + 2, 8);
	assert_int_equal(base, (u64)page.idt);
	/* Present, ring 0, code with L and without D; data that can be written. */
	assert_int_equal(page.gdt[2] >> 40 & 0xff, 0x9b);
	assert_int_equal(page.gdt[2] >> 53 & 3, 1);
	assert_int_equal(page.gdt[3] >> 40 & 0xff, 0x93);
	assert_int_equal(page.gdt[0], 0);
}

/* Core trusts the only VMCALL that may leave by its address. */
static void test_tramp_layout(void **state)
{
	static const u8 vmcall[] = { 0x0f, 0x01, 0xc1 };

	(void)state;
	assert_int_equal((u64)latch_tramp_page % 4096, 0);
	assert_int_equal(latch_tramp_end - latch_tramp_page, 4096);
	assert_int_equal(sizeof(vmcall), LATCH_VMCALL_BYTES);
	assert_memory_equal(latch_tramp_left - sizeof(vmcall), vmcall, sizeof(vmcall));
	assert_in_range(latch_tramp_exit - latch_tramp_page, 1, 4095);
	assert_in_range(latch_tramp_left - latch_tramp_page, 1, 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bootmap_linux),
		cmocka_unit_test(test_bootmap_too_few_pages),
		cmocka_unit_test(test_bootmap_all_slots),
		cmocka_unit_test(test_bootmap_next_to_core),
		cmocka_unit_test(test_bootmap_conflicts),
		cmocka_unit_test(test_bootmap_pages_suffice),
		cmocka_unit_test(test_bootmap_random),
		cmocka_unit_test(test_chunks_needed),
		cmocka_unit_test(test_chunks_needed_random),
		cmocka_unit_test(test_cpu_page),
		cmocka_unit_test(test_tramp_layout),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
