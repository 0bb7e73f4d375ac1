// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core's memory mapped into a program, as somebody with /dev/mem could: zeros to
 * read, writes go nowhere, from many threads and in other ways than the kernel's.
 * Needs Latch and latch_probe.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>
#include "kselftest_harness.h"

#define SIZE	0x200000
#define PAGE	4096
#define THREADS	4

FIXTURE(hidden) {
	uint8_t *map;
};

FIXTURE_SETUP(hidden)
{
	int fd = open("/dev/latch_probe", O_RDWR);

	ASSERT_LE(0, fd);
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	close(fd);
}

FIXTURE_TEARDOWN(hidden)
{
	munmap(self->map, SIZE);
}

static bool is_zero(const uint8_t *map)
{
	const uint64_t *word = (const uint64_t *)map;

	for (size_t i = 0; i < SIZE / 8; i++)
		if (*(volatile const uint64_t *)&word[i])
			return false;
	return true;
}

TEST_F(hidden, reads_as_zeros)
{
	EXPECT_TRUE(is_zero(self->map));
}

TEST_F(hidden, single_writes_are_dropped)
{
	volatile uint64_t *word = (uint64_t *)self->map;
	_Atomic uint64_t *atom = (_Atomic uint64_t *)(self->map + PAGE);
	uint64_t zero = 0;

	word[0] = ~0ull;
	EXPECT_EQ(0, word[0]);
	word[SIZE / 8 - 1] = ~0ull;
	EXPECT_EQ(0, word[SIZE / 8 - 1]);
	EXPECT_EQ(0, atomic_exchange(atom, 5));
	EXPECT_EQ(0, atomic_fetch_add(atom, 5));
	EXPECT_EQ(0, atomic_fetch_or(atom, 5));
	EXPECT_TRUE(atomic_compare_exchange_strong(atom, &zero, 7));
	EXPECT_EQ(0, *atom);
	EXPECT_TRUE(is_zero(self->map));
}

TEST_F(hidden, string_writes_are_dropped)
{
	uint8_t *to = self->map + 3 * PAGE - 20, *from = self->map + 8 * PAGE;
	unsigned long count = 40;

	__asm__ volatile("rep stosb" : "+D" (to), "+c" (count) : "a" (0xff) : "memory");
	EXPECT_EQ(0, count);
	to = self->map + 5 * PAGE - 16;
	count = 4;
	__asm__ volatile("rep movsq" : "+D" (to), "+S" (from), "+c" (count) : : "memory");
	EXPECT_EQ(0, count);
	EXPECT_TRUE(is_zero(self->map));
}

TEST_F(hidden, vector_writes_are_dropped)
{
	uint8_t *to = self->map + 2 * PAGE - 8;

	__asm__ volatile("pcmpeqd %%xmm1, %%xmm1\n\tmovups %%xmm1, (%0)\n\t"
			 "fninit\n\tfnsave 256(%0)\n\tfxsave64 (%1)"
			 : : "r" (to), "r" (self->map + 4 * PAGE - 256) : "memory", "xmm1");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vpcmpeqd %%xmm1, %%xmm1, %%xmm1\n\t"
				 "vinsertf128 $1, %%xmm1, %%ymm1, %%ymm1\n\tvmovups %%ymm1, (%0)\n\t"
				 "vzeroupper" : : "r" (to - 3) : "memory", "xmm1");
	EXPECT_TRUE(is_zero(self->map));
}

/* The kernel writes there for us. */
TEST_F(hidden, writes_of_the_kernel_are_dropped)
{
	char buffer[64];
	int pipes[2];

	memset(buffer, 0xee, sizeof(buffer));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)sizeof(buffer), write(pipes[1], buffer, sizeof(buffer)));
	EXPECT_EQ((ssize_t)sizeof(buffer), read(pipes[0], self->map + PAGE - 30, sizeof(buffer)));
	EXPECT_TRUE(is_zero(self->map));
	ASSERT_EQ((ssize_t)sizeof(buffer), write(pipes[1], self->map, sizeof(buffer)));
	ASSERT_EQ((ssize_t)sizeof(buffer), read(pipes[0], buffer, sizeof(buffer)));
	for (unsigned int i = 0; i < sizeof(buffer); i++) {
		EXPECT_EQ(0, buffer[i]);
	}
}

/* A stack there: what is pushed is lost, so nothing may be popped but zeros. */
TEST_F(hidden, stack_there_reads_as_zeros)
{
	uint64_t popped = 1;

	__asm__ volatile("movq %%rsp, %%rbx\n\tmovq %1, %%rsp\n\tpushq $-1\n\tpopq %0\n\t"
			 "movq %%rbx, %%rsp"
			 : "=&r" (popped) : "r" (self->map + 16 * PAGE) : "rbx", "memory");
	EXPECT_EQ(0, popped);
	EXPECT_TRUE(is_zero(self->map));
}


static void *write_much(void *arg)
{
	volatile uint64_t *word = arg;

	for (int i = 0; i < 500; i++) {
		word[i * 61 % (SIZE / 8)] = ~0ull;
		if (word[i * 61 % (SIZE / 8)])
			return arg;
	}
	return NULL;
}

TEST_F(hidden, many_threads_at_once)
{
	pthread_t threads[THREADS];
	void *bad;

	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, write_much, self->map));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
	EXPECT_TRUE(is_zero(self->map));
}

TEST_HARNESS_MAIN
