// SPDX-License-Identifier: GPL-2.0-only
/* core/pool.c */
#include <pthread.h>
#include <string.h>
#include "unit.h"
#include "machine.h"
#include "pool.h"

#define CHUNK	((u64)LATCH_CHUNK_SIZE)

static const u64 chunks[] = { 0x40000000, 0x200000, 0x12345600000, 0x40200000 };

static int init(u32 nr_chunks, const u64 *chunk, u64 image_size)
{
	struct latch_boot boot;
	u32 i;

	memset(&boot, 0, sizeof(boot));
	boot.nr_chunks = nr_chunks;
	for (i = 0; chunk && i < nr_chunks && i < LATCH_MAX_CHUNKS; i++)
		boot.chunk[i] = chunk[i];
	return pool_init(&boot, machine_memory(), image_size);
}

static void test_init_refusals(void **state)
{
	static const u64 twice[] = { 0x200000, 0x400000, 0x200000 };
	static const u64 odd[] = { 0x200000, 0x400000 + 0x100000 };
	static const u64 page[] = { 0x1000 };
	u64 many[LATCH_MAX_CHUNKS + 1];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = i * CHUNK;
	assert_int_equal(init(0, NULL, 0), -EINVAL);
	assert_int_equal(init(LATCH_MAX_CHUNKS + 1, many, 0), -EINVAL);
	assert_int_equal(init(~0u, many, 0), -EINVAL);
	assert_int_equal(init(3, twice, 0x1000), -EINVAL);
	assert_int_equal(init(2, odd, 0x1000), -EINVAL);
	assert_int_equal(init(1, page, 0x1000), -EINVAL);
	/* An image that leaves nothing. */
	assert_int_equal(init(1, many, CHUNK), -EINVAL);
	assert_int_equal(init(1, many, CHUNK - 1), -EINVAL);
	assert_int_equal(init(2, many, 5 * CHUNK), -EINVAL);
	assert_int_equal(init(1, many, CHUNK - PAGE_SIZE), 0);
	assert_int_equal(pool_pages(), 1);
	assert_int_equal(init(LATCH_MAX_CHUNKS, many, 1), 0);
	assert_int_equal(pool_pages(), LATCH_MAX_CHUNKS * 512 - 1);
}

static bool all_zero(const u8 *page)
{
	u32 i;

	for (i = 0; i < PAGE_SIZE; i++)
		if (page[i])
			return false;
	return true;
}

/* Every page once, cleared, none of the image's; then NULL. */
static void test_alloc_all(void **state)
{
	static u8 seen[MACHINE_PAGES];
	u32 i, at;
	u8 *page;

	(void)state;
	memset(seen, 0, sizeof(seen));
	machine_init(chunks, 4, 2000);
	for (i = 0; i < 2000; i++) {
		assert_int_equal(pool_free_pages(), 2000 - i);
		page = pool_alloc();
		assert_non_null(page);
		assert_true(all_zero(page));
		assert_int_equal((size_t)page % PAGE_SIZE, 0);
		at = (u32)((page - machine_memory()) / PAGE_SIZE);
		assert_in_range(at, 4 * 512 - 2000, 4 * 512 - 1);
		assert_int_equal(seen[at]++, 0);
		memset(page, 0x5a, PAGE_SIZE);
	}
	assert_null(pool_alloc());
	assert_null(pool_alloc());
	assert_int_equal(pool_free_pages(), 0);
	assert_int_equal(pool_pages(), 2000);
}

static void test_free_again(void **state)
{
	u8 *page[20];
	u32 i, j;

	(void)state;
	machine_init(chunks, 1, 20);
	for (i = 0; i < 20; i++)
		page[i] = pool_alloc();
	for (i = 0; i < 20; i += 3) {
		memset(page[i], 0x77, PAGE_SIZE);
		pool_free(page[i]);
	}
	assert_int_equal(pool_free_pages(), 7);
	for (i = 0; i < 20; i += 3) {
		page[i] = pool_alloc();
		assert_non_null(page[i]);
		assert_true(all_zero(page[i]));
	}
	assert_null(pool_alloc());
	for (i = 0; i < 20; i++)
		for (j = 0; j < i; j++)
			assert_ptr_not_equal(page[i], page[j]);
}

static void test_addresses(void **state)
{
	u8 *memory;
	u64 offset, pa;
	u32 i;

	(void)state;
	machine_init(chunks, 4, 10);
	memory = machine_memory();
	assert_int_equal(pool_nr_chunks(), 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(pool_chunk(i), chunks[i]);
	for (offset = 0; offset < 4 * CHUNK; offset += 509) {
		pa = chunks[offset / CHUNK] + offset % CHUNK;
		assert_int_equal(pool_pa(memory + offset), pa);
		assert_ptr_equal(pool_va(pa), memory + offset);
		assert_true(pool_owns(pa));
	}
	for (i = 0; i < 4; i++) {
		assert_ptr_equal(pool_va(chunks[i]), memory + i * CHUNK);
		assert_ptr_equal(pool_va(chunks[i] + CHUNK - 1), memory + (i + 1) * CHUNK - 1);
	}
	assert_null(pool_va(0));
	assert_null(pool_va(0x1fffff));
	assert_null(pool_va(0x400000));
	assert_null(pool_va(0x3fffffff));
	assert_null(pool_va(0x40400000));
	assert_null(pool_va(~0ull));
	assert_false(pool_owns(0x12345800000));
}

/* Against the chunks, page by page. */
static void owns_any(struct source *source)
{
	u64 near = chunks[source_below(source, 4)];
	u64 start = near + CHUNK * (source_below(source, 5) - 2), size, pa;
	bool any = false;

	start += source_below(source, 512) * PAGE_SIZE;
	size = (1 + source_below(source, 1200)) * PAGE_SIZE;
	for (pa = start; pa < start + size; pa += PAGE_SIZE)
		any |= !!machine_va(pa);
	require(pool_owns_any(start, size) == any, "%#llx + %#llx", start, size);
}

static void test_owns_any(void **state)
{
	(void)state;
	machine_init(chunks, 4, 10);
	unit_for_seeds(3000, owns_any);
	assert_true(pool_owns_any(0, BIT(52)));
	assert_true(pool_owns_any(0x3fffff, 1));
	assert_false(pool_owns_any(0x400000, 0x3fc00000));
	assert_true(pool_owns_any(0x400000, 0x3fc00001));
}

/* Two CPUs at once: no page is given out twice, none is lost. */
static void *alloc_and_free(void *arg)
{
	u64 *page[8];
	u32 i, j;

	for (i = 0; i < 4000; i++) {
		for (j = 0; j < 8; j++) {
			page[j] = pool_alloc();
			if (page[j])
				__atomic_store_n(page[j], (u64)arg, __ATOMIC_RELAXED);
		}
		for (j = 0; j < 8; j++) {
			if (!page[j])
				continue;
			if (__atomic_load_n(page[j], __ATOMIC_RELAXED) != (u64)arg)
				return (void *)1;
			pool_free(page[j]);
		}
	}
	return NULL;
}

static void test_two_cpus(void **state)
{
	pthread_t thread[2];
	void *result;
	u64 i;

	(void)state;
	machine_init(chunks, 1, 12);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, alloc_and_free, (void *)(i + 1)),
				 0);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &result);
		assert_null(result);
	}
	assert_int_equal(pool_free_pages(), 12);
	for (i = 0; i < 12; i++)
		assert_non_null(pool_alloc());
	assert_null(pool_alloc());
}

static int setup(void **state)
{
	(void)state;
	machine_init(chunks, 1, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refusals),
		cmocka_unit_test(test_alloc_all),
		cmocka_unit_test(test_free_again),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_owns_any),
		cmocka_unit_test(test_two_cpus),
	};

	return cmocka_run_group_tests_name("pool", tests, setup, NULL);
}
