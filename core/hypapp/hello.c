// SPDX-License-Identifier: GPL-2.0-only
/*
 * hello: the smallest hypapp that does something, as an example to start from;
 * Documentation/hypapps.md goes through it line by line.
 *
 * LATCH_HC_HELLO, any CPL: RDI = linear address, RSI = size of a buffer. Core
 * writes a greeting there, with the caller's own rights, and counts greetings.
 * -> RDI = bytes written, with a NUL, RSI = greetings so far.
 */
#include "core.h"
#include "guest.h"
#include "hypapp/hypapp.h"
#include "log.h"

static const char greeting[] = "hello from core\n";
static u64 greetings;

static long hello_greet(struct percpu *cpu)
{
	u64 linear = cpu->gpr->rdi, size = cpu->gpr->rsi;

	if (!guest_argument(&linear, &size))
		return -EFAULT;
	if (size < sizeof(greeting))
		return -EINVAL;
	if (!guest_write_argument(linear, greeting, sizeof(greeting)))
		return -EFAULT;
	cpu->gpr->rdi = sizeof(greeting);
	cpu->gpr->rsi = __atomic_add_fetch(&greetings, 1, __ATOMIC_RELAXED);
	return 0;
}

static int hello_enable(struct percpu *cpu)
{
	(void)cpu;
	greetings = 0;
	return 0;
}

static int hello_disable(struct percpu *cpu)
{
	log_info(cpu, "hello: %llu greetings", greetings);
	return 0;
}

static const struct hypapp_call hello_calls[] = {
	{ .run = hello_greet, .max_cpl = 3 },
};

static const struct hypapp hello = {
	.name = "hello",
	.id = LATCH_APP_HELLO,
	.calls = hello_calls,
	.nr_calls = ARRAY_SIZE(hello_calls),
	.enable = hello_enable,
	.disable = hello_disable,
};

HYPAPP(hello);
