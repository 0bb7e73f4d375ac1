// SPDX-License-Identifier: GPL-2.0-only
/*
 * pal COMMAND: a program with a PAL, for pal.sh. 64-bit, and as pal32.
 *
 *	demo N		N rounds of random calls, each compared with the same function
 *			outside of the PAL
 *	calls N		N short calls, each compared
 *	threads N	rounds in four threads, which use one PAL
 *	times N		register, call and unregister N times
 *	hold [plain]	keep a secret; print where, and how it fares after each line of input.
 *			Plain: not in a PAL
 *	fork		a child that has a look, and one that calls
 *	random		two random numbers
 *	seal FILE	seal a number, for this program alone
 *	unseal FILE	is it the number; the exit status is the errno
 *	quote		have the PAL's PCRs signed, check the signature
 *	spin		call a function that does not return
 *	peek|poke|readv PID ADDRESS
 *			look at another process's memory, or write to it
 *	scan FILE	count the secret in a core dump
 *	core FILE ADDRESS
 *			what a core dump has at an address, of a 64-bit process
 *	ATTACK		do what is not allowed: see attacks[]
 *
 * Exit status: 0, or 1 if anything is wrong; an attack dies of SIGSEGV.
 */
#define _GNU_SOURCE
#ifdef __x86_64__
#include <bearssl.h>
#endif
#include <elf.h>
#include <errno.h>
#include <hv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS	1500	/* more than a page of them */
#define SECRET	0x7ec2e5u	/* what hold() keeps is another one: secret() */
#define STACK	16384

typedef unsigned int number;
typedef number function(number);

static char pal_param[8192] HV_PAL_PARAM;
static char pal_stack[STACK] HV_PAL_STACK;
static number pal_secret HV_PAL_DATA;
static number pal_calls HV_PAL_DATA;
static number *shared;

/* The PAL's code is this, and so is what it is compared with. */
#define DEFINE(attribute, prefix) \
static number attribute prefix##_mix(number a, number b, number c) \
{ \
	number i; \
\
	for (i = 0; i < 32; i++) \
		a = (a << 5 | a >> 27) ^ (b * 2654435761u + c); \
	return a; \
} \
static number attribute prefix##_array(number *numbers, number count, number key) \
{ \
	number sum = 0, i; \
\
	for (i = 0; i < count; i++) { \
		sum += numbers[i]; \
		numbers[i] ^= key + i; \
	} \
	return sum; \
} \
static number attribute prefix##_two(const number *from, number *to, number count) \
{ \
	number i; \
\
	for (i = 0; i < count; i++) \
		to[i] = from[count - 1 - i]; \
	return count; \
}

DEFINE(HV_PAL_CODE, pal)
DEFINE(__attribute__((noinline)), plain)

static number HV_PAL_CODE pal_keep(number secret)
{
	pal_secret = secret;
	pal_calls++;
	return 0;
}

static number HV_PAL_CODE pal_is(number secret)
{
	return pal_secret == secret;
}

static number HV_PAL_CODE pal_spin(void)
{
	for (;;)
		pal_calls++;
	return 0;
}

static number HV_PAL_CODE pal_read(const number *from)
{
	return *(const volatile number *)from;
}

static number HV_PAL_CODE pal_share(number *at)
{
	return ++*(volatile number *)at;
}

static number HV_PAL_CODE pal_system_call(void)
{
#ifdef __x86_64__
	long ret = 39;

	__asm__ volatile("syscall" : "+a" (ret) : : "rcx", "r11", "memory");
#else
	long ret = 20;

	__asm__ volatile("int $0x80" : "+a" (ret) : : "memory");
#endif
	return (number)ret;
}

/* --- services */

#define SEALED	(sizeof(number) + LATCH_PAL_SEAL_MORE)

static number HV_PAL_CODE pal_two_randoms_differ(void)
{
	volatile number a = 0, b = 0;

	if (hv_pal_random((void *)&a, sizeof(a)) || hv_pal_random((void *)&b, sizeof(b)))
		return 0;
	return a != b;
}

/* For this program alone: PCR 1 is what it was when it was registered. */
static number HV_PAL_CODE pal_seal(number secret, unsigned char *sealed)
{
	struct latch_pal_seal req;

	req.from = (unsigned long)&secret;
	req.to = (unsigned long)sealed;
	req.size = sizeof(secret);
	req.room = SEALED;
	req.pcrs = 3;
	req.reserved = 0;
	return (number)hv_pal_seal(&req);
}

/* Tells the secret to nobody: only whether it is this one. */
static number HV_PAL_CODE pal_unseal(number secret, const unsigned char *sealed)
{
	struct latch_pal_seal req;
	volatile number value = 0;
	int ret;

	req.from = (unsigned long)sealed;
	req.to = (unsigned long)&value;
	req.size = SEALED;
	req.room = sizeof(value);
	req.pcrs = 0;
	req.reserved = 0;
	ret = hv_pal_unseal(&req);
	return ret < 0 ? (number)-ret : value == secret ? 0 : 1;
}

static number HV_PAL_CODE pal_quote(struct latch_pal_quote *quote)
{
	return (number)hv_pal_quote(quote);
}

static number HV_PAL_CODE pal_inner(number value)
{
	return value + pal_secret;
}

static void die(const char *what, int error)
{
	fprintf(stderr, "pal: %s: %s\n", what, strerror(error));
	exit(error);
}

/* A number that is not in the program's text, which is in a core dump too. */
static number secret(void)
{
	static volatile number half = 0x5ec2e7 / 2;

	return half * 2 + 1;
}

static int open_hv(void)
{
	int hv = hv_open();

	if (hv < 0)
		die("hv_open", -hv);
	return hv;
}

static size_t between(const char *start, const char *end)
{
	return (size_t)(end - start);
}

static void describe(struct latch_pal_desc *desc)
{
	const struct latch_pal_arg array[] = {
		{ NUMBERS * sizeof(number), LATCH_PAL_IN | LATCH_PAL_OUT }, { 0, 0 }, { 0, 0 },
	};
	const struct latch_pal_arg seal[] = { { 0, 0 }, { SEALED, LATCH_PAL_OUT } };
	const struct latch_pal_arg unseal[] = { { 0, 0 }, { SEALED, LATCH_PAL_IN } };
	const struct latch_pal_arg quote[] = {
		{ sizeof(struct latch_pal_quote), LATCH_PAL_IN | LATCH_PAL_OUT },
	};
	const struct latch_pal_arg two[] = {
		{ 512 * sizeof(number), LATCH_PAL_IN }, { 512 * sizeof(number), LATCH_PAL_OUT },
		{ 0, 0 },
	};

	hv_pal_describe(desc);
	hv_pal_section(desc, LATCH_PAL_CODE, hv_pal_code_start,
		       between(hv_pal_code_start, hv_pal_code_end));
	hv_pal_section(desc, LATCH_PAL_DATA, hv_pal_data_start,
		       between(hv_pal_data_start, hv_pal_data_end));
	hv_pal_section(desc, LATCH_PAL_PARAM, pal_param, sizeof(pal_param));
	hv_pal_section(desc, LATCH_PAL_STACK, pal_stack, sizeof(pal_stack));
	hv_pal_section(desc, LATCH_PAL_SHARED, shared, 4096);
	hv_pal_entry(desc, pal_mix, 3, NULL, 0);
	hv_pal_entry(desc, pal_array, 3, array, 0);
	hv_pal_entry(desc, pal_two, 3, two, 0);
	hv_pal_entry(desc, pal_keep, 1, NULL, 0);
	hv_pal_entry(desc, pal_is, 1, NULL, 0);
	hv_pal_entry(desc, pal_spin, 0, NULL, 0);
	hv_pal_entry(desc, pal_read, 1, NULL, 0);
	hv_pal_entry(desc, pal_share, 1, NULL, 0);
	hv_pal_entry(desc, pal_system_call, 0, NULL, 0);
	hv_pal_entry(desc, pal_two_randoms_differ, 0, NULL, 0);
	hv_pal_entry(desc, pal_seal, 2, seal, 0);
	hv_pal_entry(desc, pal_unseal, 2, unseal, 0);
	hv_pal_entry(desc, pal_quote, 1, quote, 0);
}

static int try_register(int hv)
{
	struct latch_pal_desc desc;

	if (!shared)
		shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	describe(&desc);
	return hv_pal_register(hv, &desc);
}

static int do_register(int hv)
{
	int pal = try_register(hv);

	if (pal < 0)
		die("hv_pal_register", -pal);
	return pal;
}

/* One call of each kind with random arguments, inside and outside. */
static int round_is_good(unsigned int *seed)
{
	number a = (number)rand_r(seed), b = (number)rand_r(seed), count = 1 + a % NUMBERS, i;
	number in[NUMBERS], inside[NUMBERS], outside[NUMBERS];

	if (pal_mix(a, b, count) != plain_mix(a, b, count))
		return 0;
	for (i = 0; i < NUMBERS; i++)
		in[i] = inside[i] = outside[i] = (number)rand_r(seed);
	if (pal_array(inside, count, b) != plain_array(outside, count, b) ||
	    memcmp(inside, outside, sizeof(inside)))
		return 0;
	memset(inside, 0, sizeof(inside));
	memset(outside, 0, sizeof(outside));
	pal_two(in, inside, 1 + count % 512);
	plain_two(in, outside, 1 + count % 512);
	return !memcmp(inside, outside, sizeof(inside));
}

static unsigned int rounds;

static void *run_rounds(void *arg)
{
	unsigned int seed = (unsigned int)(size_t)arg, good = 0, i;

	for (i = 0; i < rounds; i++)
		good += (unsigned int)round_is_good(&seed);
	return (void *)(size_t)good;
}

static int calls(int hv)
{
	unsigned int seed = (unsigned int)getpid(), good = 0, i;
	number a, b;

	do_register(hv);
	for (i = 0; i < rounds; i++) {
		a = (number)rand_r(&seed);
		b = (number)rand_r(&seed);
		good += pal_mix(a, b, i) == plain_mix(a, b, i);
	}
	printf("%u of %u calls as outside\n", good, rounds);
	return good != rounds;
}

static int demo(int hv)
{
	unsigned int good;
	int pal = do_register(hv);

	good = (unsigned int)(size_t)run_rounds((void *)(size_t)getpid());
	printf("%u of %u rounds as outside\n", good, rounds);
	pal_share(shared);
	return good != rounds || *shared != 1 || hv_pal_unregister(hv, pal);
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
	printf("%u of %u rounds as outside\n", good, 4 * rounds);
	return good != 4 * rounds;
}

static int times(int hv)
{
	unsigned int i;
	int pal;

	for (i = 0; i < rounds; i++) {
		pal = do_register(hv);
		if (!pal_is(0) || pal_keep(SECRET) || !pal_is(SECRET) || hv_pal_unregister(hv, pal))
			break;
	}
	printf("%u of %u times registered, called and unregistered\n", i, rounds);
	return i != rounds;
}

static int hold(int hv, int plain)
{
	char line[80];

	if (!plain)
		do_register(hv);
	pal_keep(secret());
	printf("%#lx\n", (unsigned long)&pal_secret);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%s, %#x\n", pal_is(secret()) ? "safe" : "CHANGED", pal_secret);
		fflush(stdout);
	}
	return 0;
}

/* --- looking at others */

static int trace(pid_t pid, unsigned long address, int write)
{
	void *at = (void *)address;
	long value;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, NULL, 0) != pid)
		die("ptrace", errno);
	errno = 0;
	value = write ? ptrace(PTRACE_POKEDATA, pid, at, (void *)0x41414141) :
			ptrace(PTRACE_PEEKDATA, pid, at, NULL);
	if (errno)
		die("ptrace", errno);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	printf("%x\n", (number)value);
	return 0;
}

static int read_other(pid_t pid, unsigned long address)
{
	number value = 0;
	struct iovec to = { &value, sizeof(value) }, from = { (void *)address, sizeof(value) };

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != sizeof(value))
		die("process_vm_readv", errno);
	printf("%x\n", value);
	return 0;
}

static int scan(const char *name)
{
	FILE *file = fopen(name, "r");
	unsigned int found = 0;
	number value;

	if (!file)
		die(name, errno);
	while (fread(&value, sizeof(value), 1, file) == 1)
		found += value == secret();
	printf("%u\n", found);
	return 0;
}

static int read_core(const char *name, uint64_t address)
{
	FILE *file = fopen(name, "r");
	Elf64_Ehdr header;
	Elf64_Phdr part;
	number value, i;

	if (!file || fread(&header, sizeof(header), 1, file) != 1)
		die(name, errno);
	for (i = 0; i < header.e_phnum; i++) {
		fseek(file, (long)(header.e_phoff + i * sizeof(part)), SEEK_SET);
		if (fread(&part, sizeof(part), 1, file) != 1 || part.p_type != PT_LOAD ||
		    address < part.p_vaddr || address - part.p_vaddr >= part.p_filesz)
			continue;
		fseek(file, (long)(part.p_offset + address - part.p_vaddr), SEEK_SET);
		if (fread(&value, sizeof(value), 1, file) != 1)
			break;
		printf("%x\n", value);
		return 0;
	}
	die("the address is not in the core dump", ENOENT);
	return 1;
}

static int look(int argc, char **argv)
{
	pid_t pid = argc > 3 ? atoi(argv[2]) : 0;
	unsigned long address = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	if (!strcmp(argv[1], "scan") && argc > 2)
		return scan(argv[2]);
	if (!strcmp(argv[1], "core") && argc > 3)
		return read_core(argv[2], strtoull(argv[3], NULL, 0));
	if (!strcmp(argv[1], "readv") && pid)
		return read_other(pid, address);
	if ((!strcmp(argv[1], "peek") || !strcmp(argv[1], "poke")) && pid)
		return trace(pid, address, argv[1][1] == 'o');
	return -1;
}

/* The child has copies of the pages, and copies are zeros. */
static int in_child(int (*run)(void), int want)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(run());
	if (waitpid(pid, &status, 0) != pid)
		return 0;
	return WIFSIGNALED(status) ? WTERMSIG(status) == want : WEXITSTATUS(status) == want;
}

static int child_looks(void)
{
	return *(volatile number *)&pal_secret ? 1 : 42;
}

static int child_calls(void)
{
	return pal_is(SECRET) ? 1 : 43;
}

static int fork_is_safe(int hv)
{
	int good;

	do_register(hv);
	pal_keep(SECRET);
	good = in_child(child_looks, 42) && in_child(child_calls, 11) && pal_is(SECRET);
	printf("fork: %s\n", good ? "the child has nothing of it" : "WRONG");
	return !good;
}

/* --- services, from outside */

static int seal_to(int hv, const char *name)
{
	unsigned char sealed[SEALED];
	FILE *file = fopen(name, "w");
	number size;

	do_register(hv);
	size = pal_seal(secret(), sealed);
	if (!file || size != SEALED || fwrite(sealed, SEALED, 1, file) != 1 || fclose(file))
		die("seal", size > SEALED ? -(int)size : EIO);
	printf("%u bytes\n", size);
	return 0;
}

static int unseal_from(int hv, const char *name)
{
	unsigned char sealed[SEALED];
	FILE *file = fopen(name, "r");
	number ret;

	if (!file || fread(sealed, SEALED, 1, file) != 1)
		die(name, errno);
	do_register(hv);
	ret = pal_unseal(secret(), sealed);
	printf("%s\n", ret ? strerror((int)ret) : "it is the secret");
	return (int)ret;
}

#ifdef __x86_64__
static int quote_is_signed(const struct latch_pal_quote *quote, unsigned char *key)
{
	static const char name[] = "latch-pal-quote";
	const br_ec_public_key public = { BR_EC_secp256r1, key, LATCH_PAL_PUBLIC_SIZE };
	unsigned char digest[32];
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, name, sizeof(name));
	br_sha256_update(&sha, quote->nonce, sizeof(quote->nonce));
	br_sha256_update(&sha, &quote->pcrs, sizeof(quote->pcrs));
	br_sha256_update(&sha, quote->pcr, sizeof(quote->pcr));
	br_sha256_out(&sha, digest);
	return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, sizeof(digest), &public,
				     quote->signature, sizeof(quote->signature)) == 1;
}

static int quote(int hv)
{
	struct latch_pal_quote quote = { .nonce = "a question", .pcrs = 3 };
	unsigned char key[LATCH_PAL_PUBLIC_SIZE];
	int good;

	do_register(hv);
	if (pal_quote(&quote) || hv_pal_public_key(hv, key))
		return 1;
	good = quote_is_signed(&quote, key);
	quote.nonce[0] ^= 1;
	printf("its signature is %s, that of another nonce %s\n", good ? "right" : "WRONG",
	       quote_is_signed(&quote, key) ? "TOO" : "is not");
	return !good || quote_is_signed(&quote, key);
}
#else
static int quote(int hv)
{
	struct latch_pal_quote quote = { .nonce = "a question", .pcrs = 3 };

	do_register(hv);
	return (int)pal_quote(&quote);
}
#endif

/* --- attacks: each returns only if it fails to fail */

static void attack_beside(void)
{
	function *beside = (function *)((size_t)pal_is + 1);

	beside(SECRET);
}

static void attack_inner(void)
{
	function *volatile inner = pal_inner;

	printf("%x\n", inner(0));
}

static void attack_outside(void)
{
	number outside = 1;

	pal_read(&outside);
}

static void attack_system_call(void)
{
	pal_system_call();
}

static void attack_code(void)
{
	pal_share((number *)(size_t)pal_is);
}

/* A return address inside: the PAL's RET would be a jump to anywhere in it. */
static void attack_return(void)
{
	void *inner = (void *)(size_t)pal_inner, *entry = (void *)(size_t)pal_is;

#ifdef __x86_64__
	__asm__ volatile("push %0\n\tjmp *%1" : : "r" (inner), "r" (entry));
#else
	__asm__ volatile("push %0\n\tpush %0\n\tjmp *%1" : : "r" (inner), "r" (entry));
#endif
}

static const struct {
	const char *name;
	void (*run)(void);
} attacks[] = {
	{ "beside", attack_beside },
	{ "inner", attack_inner },
	{ "outside", attack_outside },
	{ "system-call", attack_system_call },
	{ "code", attack_code },
	{ "return", attack_return },
};

static int attack(int hv, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strcmp(name, attacks[i].name))
			continue;
		do_register(hv);
		pal_keep(SECRET);
		attacks[i].run();
		printf("%s: it worked\n", name);
		return 0;
	}
	fprintf(stderr, "pal: unknown command '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "demo";
	int ret = argc > 1 ? look(argc, argv) : -1, hv;

	if (ret >= 0)
		return ret;
	hv = open_hv();
	rounds = argc > 2 ? (unsigned int)atoi(argv[2]) : 100;
	if (!strcmp(command, "demo"))
		return demo(hv);
	if (!strcmp(command, "calls"))
		return calls(hv);
	if (!strcmp(command, "threads"))
		return threads(hv);
	if (!strcmp(command, "times"))
		return times(hv);
	if (!strcmp(command, "hold"))
		return hold(hv, argc > 2);
	if (!strcmp(command, "fork"))
		return fork_is_safe(hv);
	if (!strcmp(command, "random")) {
		do_register(hv);
		return !pal_two_randoms_differ();
	}
	if (!strcmp(command, "seal") && argc > 2)
		return seal_to(hv, argv[2]);
	if (!strcmp(command, "unseal") && argc > 2)
		return unseal_from(hv, argv[2]);
	if (!strcmp(command, "quote"))
		return quote(hv);
	if (!strcmp(command, "spin")) {
		do_register(hv);
		return (int)pal_spin();
	}
	return attack(hv, command);
}
