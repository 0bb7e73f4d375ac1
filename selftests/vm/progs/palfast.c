// SPDX-License-Identifier: GPL-2.0-only
/*
 * palfast COMMAND: a program with a fast PAL, for pal.sh. Position-independent.
 *
 *	calls N		N calls, each compared with the same function outside of the PAL;
 *			prints how it is called
 *	threads N	the same in four threads, which use one PAL
 *	times N		register, call and unregister N times
 *	hold		keep a secret up to the end of input
 *	spin		call a function that does not return
 *	open		let it leave its view open, and jump into it
 *
 * Exit status: 0, or 1 if anything is wrong.
 */
#define _GNU_SOURCE
#include <hv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT	0x7ec2e5u

typedef unsigned int number;

static char pal_stack[8192] HV_PAL_STACK;
static number pal_secret HV_PAL_DATA;
static unsigned int rounds;

#define DEFINE(attribute, name) \
static number attribute name(number a, number b, number c, number d) \
{ \
	number i; \
\
	for (i = 0; i < 8; i++) \
		a = (a << 5 | a >> 27) ^ (b * 2654435761u + c - d); \
	return a; \
}

DEFINE(HV_PAL_CODE, pal_mix)
DEFINE(__attribute__((noinline)), plain_mix)

static number HV_PAL_CODE pal_keep(number secret)
{
	pal_secret = secret;
	return 0;
}

static number HV_PAL_CODE pal_is(number secret)
{
	return pal_secret == secret;
}

static number HV_PAL_CODE pal_spin(void)
{
	for (;;)
		pal_secret++;
	return 0;
}

/* To the common view. Where it goes on there, in its own code, is no code for others. */
static number HV_PAL_CODE pal_leave(void)
{
	__asm__ volatile("vmfunc" : : "a" (0), "c" (0x2e) : "memory");
	return 0;
}

static struct latch_pal_desc desc;

typedef number of_four(number a, number b, number c, number d);
typedef number of_one(number secret);
typedef number of_none(void);

static of_four *mix;
static of_one *keep, *is;
static of_none *spin, *leave;

static void die(const char *what, int error)
{
	fprintf(stderr, "palfast: %s: %s\n", what, strerror(error));
	exit(1);
}

static size_t between(const char *start, const char *end)
{
	return (size_t)(end - start);
}

static int do_register(int hv)
{
	int pal, ret;

	hv_pal_describe(&desc);
	hv_pal_section(&desc, LATCH_PAL_CODE, hv_pal_code_start,
		       between(hv_pal_code_start, hv_pal_code_end));
	hv_pal_section(&desc, LATCH_PAL_DATA, hv_pal_data_start,
		       between(hv_pal_data_start, hv_pal_data_end));
	hv_pal_section(&desc, LATCH_PAL_STACK, pal_stack, sizeof(pal_stack));
	hv_pal_entry(&desc, pal_mix, 4, NULL, 0);
	hv_pal_entry(&desc, pal_keep, 1, NULL, 0);
	hv_pal_entry(&desc, pal_is, 1, NULL, 0);
	hv_pal_entry(&desc, pal_spin, 0, NULL, 0);
	hv_pal_entry(&desc, pal_leave, 0, NULL, 0);
	ret = hv_pal_fast(&desc);
	if (ret)
		die("hv_pal_fast", -ret);
	pal = hv_pal_register(hv, &desc);
	if (pal < 0)
		die("hv_pal_register", -pal);
	mix = hv_pal_function(&desc, pal_mix);
	keep = hv_pal_function(&desc, pal_keep);
	is = hv_pal_function(&desc, pal_is);
	spin = hv_pal_function(&desc, pal_spin);
	leave = hv_pal_function(&desc, pal_leave);
	return pal;
}

static void *run_rounds(void *arg)
{
	unsigned int seed = (unsigned int)(size_t)arg, good = 0, i;
	number a, b;

	for (i = 0; i < rounds; i++) {
		a = (number)rand_r(&seed);
		b = (number)rand_r(&seed);
		good += mix(a, b, i, 7) == plain_mix(a, b, i, 7);
	}
	return (void *)(size_t)good;
}

static int calls(int hv)
{
	unsigned int good;

	do_register(hv);
	good = (unsigned int)(size_t)run_rounds((void *)(size_t)getpid());
	printf("%u of %u calls as outside, by %s\n", good, rounds,
	       (void *)mix == (void *)pal_mix ? "exit" : "VMFUNC");
	return good != rounds;
}

static int threads(int hv)
{
	unsigned int good = 0;
	pthread_t thread[4];
	size_t i;
	void *ret;

	do_register(hv);
	for (i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, run_rounds, (void *)i))
			return 1;
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], &ret);
		good += (unsigned int)(size_t)ret;
	}
	printf("%u of %u calls as outside\n", good, 4 * rounds);
	return good != 4 * rounds;
}

static int times(int hv)
{
	unsigned int i;
	int pal;

	for (i = 0; i < rounds; i++) {
		pal = do_register(hv);
		if (!is(0) || keep(KEPT) || !is(KEPT) || !pal_is(KEPT) ||
		    hv_pal_unregister(hv, pal))
			break;
		hv_pal_fast_end(&desc);
	}
	printf("%u of %u times registered, called and unregistered\n", i, rounds);
	return i != rounds;
}

static int hold(int hv)
{
	do_register(hv);
	keep(KEPT);
	printf("%#x\n", pal_secret);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return !is(KEPT) || pal_secret;
}

int main(int argc, char **argv)
{
	int hv = hv_open();

	if (hv < 0)
		die("hv_open", -hv);
	rounds = argc > 2 ? (unsigned int)atoi(argv[2]) : 100;
	if (argc > 1 && !strcmp(argv[1], "calls"))
		return calls(hv);
	if (argc > 1 && !strcmp(argv[1], "threads"))
		return threads(hv);
	if (argc > 1 && !strcmp(argv[1], "times"))
		return times(hv);
	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold(hv);
	do_register(hv);
	if (argc > 1 && !strcmp(argv[1], "spin"))
		return (int)spin();
	if (argc > 1 && !strcmp(argv[1], "open"))
		return (int)leave();
	fprintf(stderr, "palfast: unknown command\n");
	return 1;
}
