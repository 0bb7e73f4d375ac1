/* SPDX-License-Identifier: GPL-2.0-only */
/* Types and small macros of lhv. */
#ifndef LHV_TYPES_H
#define LHV_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define BIT(n)			(1ull << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE		4096ull
#define SIZE_2M			0x200000ull
#define SIZE_1G			0x40000000ull
#define ALIGN_UP(x, a)		(((x) + (a) - 1) & ~((a) - 1))

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()		asm volatile("" ::: "memory")

/* lhv runs identity-mapped: an address is a number and the other way round. */
#define ADDR(p)			((u64)(unsigned long)(p))
#define PTR(a)			((void *)(unsigned long)(a))
/* What of a value is as wide as a register */
#define NATURAL(x)		((unsigned long)(x))

void *memcpy(void *dst, const void *src, size_t len);
void *memset(void *dst, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

#endif
