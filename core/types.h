/* SPDX-License-Identifier: GPL-2.0-only */
/* Types and small macros of core. */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define BIT(n)			(1ull << (n))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define PAGE_SHIFT		12
#define PAGE_SIZE		4096u
#define PAGE_MASK		(~(u64)(PAGE_SIZE - 1))
#define SIZE_2M			0x200000ull
#define SIZE_1G			0x40000000ull

#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()		asm volatile("" ::: "memory")

/* Errors inside core; the same numbers as Linux has. */
enum {
	EPERM = 1, ENOENT = 2, EIO = 5, ENOMEM = 12, EACCES = 13, EFAULT = 14, EBUSY = 16,
	ENODEV = 19, EINVAL = 22, ENOSPC = 28, ENOSYS = 38
};

void *memcpy(void *dst, const void *src, size_t len);
void *memset(void *dst, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#endif
