// SPDX-License-Identifier: GPL-2.0-only
/* core/hypapp/watch_set.c: each limit for itself, and any sequence. */
#include "unit.h"
#include "machine.h"
#include "pool.h"
#include "watch_set_ref.h"

#define PAGE(n)		(0x12345000ull + (u64)(n) * PAGE_SIZE)

static struct set_model model;

static void test_no_memory(void **state)
{
	static const u64 chunk = 0x200000;
	static struct watch_set set;
	void *page;

	(void)state;
	machine_init(&chunk, 1, 1);
	page = pool_alloc();
	assert_int_equal(watch_set_init(&set), -ENOMEM);
	assert_null(set.watch);
	pool_free(page);
	assert_int_equal(watch_set_init(&set), 0);
	assert_int_equal(pool_free_pages(), 0);
	watch_set_free(&set);
	assert_int_equal(pool_free_pages(), 1);
	assert_null(set.watch);
}

/* Nothing is found before there is something. */
static void test_empty(void **state)
{
	u64 page;
	u32 i;

	(void)state;
	set_model_init(&model, 2);
	for (i = 0; i < 600; i++)
		set_model_check_page(&model, i * PAGE_SIZE);
	assert_false(watch_set_remove(&model.set, 0, &page));
	assert_false(watch_set_remove(&model.set, 1, &page));
	set_model_free(&model);
}

static void test_numbers(void **state)
{
	static const u64 none[] = { 0, 129, 1000, BIT(32), BIT(32) + 1, BIT(63), ~0ull };
	u32 i;

	(void)state;
	set_model_init(&model, 2);
	for (i = 1; i <= SET_WATCHES; i++)
		assert_int_equal(set_model_new(&model, 1), i);
	assert_int_equal(set_model_new(&model, 1), 0);
	set_model_check_all(&model);
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		set_model_check_watch(&model, none[i]);
		assert_null(watch_set_find(&model.set, none[i]));
	}
	/* Holes, at both ends too; then they are filled. */
	set_model_drop(&model, 1);
	set_model_drop(&model, 2);
	set_model_drop(&model, 77);
	set_model_drop(&model, 128);
	set_model_check_all(&model);
	for (i = 0; i < 4; i++)
		assert_int_not_equal(set_model_new(&model, 1), 0);
	assert_int_equal(set_model_new(&model, 1), 0);
	set_model_check_all(&model);
	set_model_free(&model);
}

/* Three watchpoints in one page: what is left of them is what counts. */
static void test_one_page(void **state)
{
	u32 r, w, x;

	(void)state;
	set_model_init(&model, 2);
	r = set_model_new(&model, LATCH_WATCH_READ);
	w = set_model_new(&model, LATCH_WATCH_WRITE);
	x = set_model_new(&model, LATCH_WATCH_EXEC);
	set_model_add(&model, r, PAGE(0) + 8, 0x1008, 8);
	set_model_add(&model, w, PAGE(0) + 8, 0x2008, 8);
	set_model_add(&model, w, PAGE(0) + 8, 0x2008, 8);	/* twice the same */
	set_model_add(&model, x, PAGE(0), 0x3000, PAGE_SIZE);
	set_model_add(&model, r, PAGE(1), 0x2000, 1);
	assert_int_equal(watch_set_access(&model.set, PAGE(0)), 7);
	assert_int_equal(watch_set_access(&model.set, PAGE(1)), LATCH_WATCH_READ);
	assert_int_equal(watch_set_access(&model.set, PAGE(2)), 0);
	assert_true(set_model_remove(&model, w));
	assert_int_equal(watch_set_access(&model.set, PAGE(0)), 7);
	assert_true(set_model_remove(&model, w));
	assert_int_equal(watch_set_access(&model.set, PAGE(0)), LATCH_WATCH_READ | LATCH_WATCH_EXEC);
	assert_false(set_model_remove(&model, w));
	set_model_drop(&model, x);
	assert_int_equal(watch_set_access(&model.set, PAGE(0)), LATCH_WATCH_READ);
	set_model_drop(&model, r);
	assert_null(watch_set_first(&model.set, PAGE(0)));
	assert_null(watch_set_first(&model.set, PAGE(1)));
	set_model_free(&model);
}

/* Removed from the middle of a bucket, from both ends of it, and all. */
static void test_one_bucket(void **state)
{
	u32 id[5], i, round;
	u64 frame;

	(void)state;
	set_model_init(&model, 3);
	for (i = 0; i < 5; i++)
		id[i] = set_model_new(&model, 1 + i);
	for (round = 0; round < 5; round++) {
		/* frame ^ frame >> 9 is 7 in the low bits of all of them. */
		for (i = 0; i < 25; i++) {
			frame = (u64)i << 9 | (i ^ 7);
			set_model_add(&model, id[i % 5], frame * PAGE_SIZE + i, i, 1 + i);
		}
		set_model_check_all(&model);
		for (i = 0; i < 5; i++) {
			while (set_model_remove(&model, id[(round + i) % 5]))
				;
			set_model_check_all(&model);
		}
	}
	/* All five times with the same memory. */
	assert_int_equal(pool_free_pages(), 1);
	set_model_free(&model);
}

/* -ENOMEM, and nothing has changed; what is removed can be used again. */
static void test_out_of_memory(void **state)
{
	u32 id, i;

	(void)state;
	set_model_init(&model, 3);
	id = set_model_new(&model, 1);
	for (i = 0; i < 2 * SET_RANGES; i++)
		assert_true(set_model_add(&model, id, PAGE(i), i, 1));
	assert_int_equal(pool_free_pages(), 0);
	assert_false(set_model_add(&model, id, PAGE(i), i, 1));
	assert_int_equal(watch_set_add(&model.set, id, PAGE(0), 0, 1), -ENOMEM);
	set_model_check_all(&model);
	for (i = 0; i < 10; i++)
		assert_true(set_model_remove(&model, id));
	for (i = 0; i < 10; i++)
		assert_true(set_model_add(&model, id, PAGE(1000 + i), i, 1));
	assert_false(set_model_add(&model, id, PAGE(0), 0, 1));
	set_model_check_all(&model);
	set_model_free(&model);
	assert_int_equal(pool_free_pages(), 3);
}

/* As many as there may be: memory is left then. */
static void test_too_many(void **state)
{
	static const u64 chunk = 0x200000;
	static struct watch_set set;
	struct latch_watch *watch;
	u32 most = WATCH_BLOCKS * SET_RANGES, i;
	u64 page;

	(void)state;
	/* A watchpoint of the largest size, three times. */
	assert_true(most > 3 * (LATCH_WATCH_SIZE / PAGE_SIZE + 1));
	machine_init(&chunk, 1, WATCH_BLOCKS + 10);
	assert_int_equal(watch_set_init(&set), 0);
	watch = watch_set_new(&set);
	assert_non_null(watch);
	watch->access = 2;
	for (i = 0; i < most; i++)
		assert_int_equal(watch_set_add(&set, 1, PAGE(i), i, 1), 0);
	assert_int_equal(pool_free_pages(), 9);
	assert_int_equal(watch_set_add(&set, 1, PAGE(i), i, 1), -ENOSPC);
	assert_int_equal(watch_set_access(&set, PAGE(i)), 0);
	assert_int_equal(pool_free_pages(), 9);
	for (i = 0; i < most; i++) {
		assert_non_null(watch_set_first(&set, PAGE(i)));
		assert_int_equal(watch_set_first(&set, PAGE(i))->linear, i);
		assert_null(watch_set_next(&set, watch_set_first(&set, PAGE(i))));
	}
	assert_true(watch_set_remove(&set, 1, &page));
	assert_int_equal(watch_set_add(&set, 1, PAGE(i), i, 1), 0);
	assert_int_equal(watch_set_add(&set, 1, page, i, 1), -ENOSPC);
	watch_set_free(&set);
	assert_int_equal(pool_free_pages(), WATCH_BLOCKS + 10);
}

static void test_random(void **state)
{
	(void)state;
	unit_for_seeds(250, watch_set_ref_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_one_page),
		cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("watch_set", tests, NULL, NULL);
}
