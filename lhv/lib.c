// SPDX-License-Identifier: GPL-2.0-only
/* What the compiler may call, and a little more. */
#include "types.h"
#include "arch.h"

void *memcpy(void *dst, const void *src, size_t len)
{
	size_t words = len / sizeof(long);
	void *d = dst;

	/* An emulator counts each step. */
	len %= sizeof(long);
	asm volatile("rep " MOVS_LONG : "+D" (d), "+S" (src), "+c" (words) : : "memory");
	asm volatile("rep movsb" : "+D" (d), "+S" (src), "+c" (len) : : "memory");
	return dst;
}

void *memset(void *dst, int value, size_t len)
{
	void *d = dst;

	asm volatile("rep stosb" : "+D" (d), "+c" (len) : "a" (value) : "memory");
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

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}
