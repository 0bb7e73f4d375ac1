// SPDX-License-Identifier: GPL-2.0-only
/* Code at CPL 3. It sees the image at USER_OFFSET and ends with any exception. */
#include "lhv.h"

static u8 user_stack[MAX_CPUS][4096] __attribute__((aligned(4096)));

/* Return: vector of the exception that ended it; IRQ_EXIT for INT $0x80. */
u32 user_run(struct user *user)
{
	return trap(user_enter, user);
}

static u32 user_start(const char *code, u64 arg, u32 cs)
{
	struct user user = {
		.rip = ADDR(code) + USER_OFFSET,
		.cs = cs,
		.ss = SEL_UDATA,
		.rflags = RFLAGS_FIXED | RFLAGS_IF,
		.rsp = ADDR(user_stack[this_cpu()->index] + 4096 - 64) + USER_OFFSET,
		.rdi = arg,
	};

	return user_run(&user);
}

/* Run position-independent code of the image in 64-bit mode, with RDI = @arg. */
u32 user_call(const char *code, u64 arg)
{
	return user_start(code, arg, SEL_UCODE);
}

/* The same in 32-bit compatibility mode */
u32 user_call32(const char *code, u64 arg)
{
	return user_start(code, arg, SEL_UCODE32);
}
