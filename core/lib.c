// SPDX-License-Identifier: GPL-2.0-only
/* The three functions that the compiler may call. */
#include "types.h"

void *memcpy(void *dst, const void *src, size_t len)
{
	size_t words = len / 8, bytes = len % 8;
	void *d = dst;

	asm volatile("rep movsq" : "+D" (d), "+S" (src), "+c" (words) : : "memory");
	asm volatile("rep movsb" : "+D" (d), "+S" (src), "+c" (bytes) : : "memory");
	return dst;
}

void *memset(void *dst, int value, size_t len)
{
	size_t words = len / 8, bytes = len % 8;
	u64 word = (u8)value * 0x0101010101010101ull;
	void *d = dst;

	asm volatile("rep stosq" : "+D" (d), "+c" (words) : "a" (word) : "memory");
	asm volatile("rep stosb" : "+D" (d), "+c" (bytes) : "a" (word) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *p = a, *q = b;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != q[i])
			return p[i] < q[i] ? -1 : 1;
	return 0;
}
