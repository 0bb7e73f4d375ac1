// SPDX-License-Identifier: GPL-2.0-only
/*
 * What BearSSL's objects need beside core/lib.c: Debian compiles them with stack
 * protector and _FORTIFY_SOURCE. The protector's value is at %fs:0x28, which is
 * percpu.canary.
 */
#include "crash.h"
#include "percpu.h"
#include "vmx.h"

void *memmove(void *dst, const void *src, size_t len);
size_t strlen(const char *s);
void *__memcpy_chk(void *dst, const void *src, size_t len, size_t room);
void *__memmove_chk(void *dst, const void *src, size_t len, size_t room);
void *__memset_chk(void *dst, int value, size_t len, size_t room);
void __stack_chk_fail(void);

void *memmove(void *dst, const void *src, size_t len)
{
	const u8 *from = src;
	u8 *to = dst;

	if (to <= from || to >= from + len)
		return memcpy(dst, src, len);
	while (len--)
		to[len] = from[len];
	return dst;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}

static void check_room(size_t len, size_t room)
{
	if (len > room)
		crash_exit(this_cpu(), EXIT_VMCALL);
}

void *__memcpy_chk(void *dst, const void *src, size_t len, size_t room)
{
	check_room(len, room);
	return memcpy(dst, src, len);
}

void *__memmove_chk(void *dst, const void *src, size_t len, size_t room)
{
	check_room(len, room);
	return memmove(dst, src, len);
}

void *__memset_chk(void *dst, int value, size_t len, size_t room)
{
	check_room(len, room);
	return memset(dst, value, len);
}

void __stack_chk_fail(void)
{
	crash_exit(this_cpu(), EXIT_VMCALL);
}
