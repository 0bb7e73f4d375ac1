// SPDX-License-Identifier: GPL-2.0-only
/*
 * signer COMMAND: a signing key (ECDSA, P-256) that only a PAL has. The PAL makes it, tells
 * the public half, and signs. See README.md.
 *
 *	sign TEXT	make a key, sign TEXT, check the signature
 *	hold [plain]	make a key, print its address; sign each line of input, check that.
 *			Plain: with the same functions, but not in a PAL
 *
 * Exit status: 0, or 1 if anything is wrong.
 */
#include <asm/hwcap2.h>
#include <bearssl.h>
#include <hv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define DIGEST		32
#define SIGNATURE	64	/* r and s */
#define PUBLIC		65	/* a point, not compressed */
#define SEED_WORDS	9	/* of 64 bits; the last is not for the key */

/* --- the PAL */

/* Its copy of BearSSL: see the Makefile. */
extern const br_ec_impl pal_br_ec_p256_m31;
extern const br_hash_class pal_br_sha256_vtable;
extern __typeof__(br_hmac_drbg_init) pal_br_hmac_drbg_init;
extern __typeof__(br_ec_keygen) pal_br_ec_keygen;
extern __typeof__(br_ec_compute_pub) pal_br_ec_compute_pub;
extern __typeof__(br_ecdsa_i31_sign_raw) pal_br_ecdsa_i31_sign_raw;

static char pal_param[4096] HV_PAL_PARAM;
/* BearSSL needs 3 KiB. */
static char pal_stack[8192] HV_PAL_STACK;
static br_ec_private_key pal_key HV_PAL_DATA;
static uint8_t pal_key_bytes[BR_EC_KBUF_PRIV_MAX_SIZE] HV_PAL_DATA;
/* Where FS points to. BearSSL is compiled with stack protector: its value is at %fs:0x28. */
static uint64_t pal_thread[6] HV_PAL_DATA;

HV_INLINE uint64_t swap_fs(uint64_t base)
{
	uint64_t old;

	__asm__ volatile("rdfsbase %0" : "=r" (old));
	__asm__ volatile("wrfsbase %0" : : "r" (base) : "memory");
	return old;
}

HV_INLINE uint64_t use_own_fs(void)
{
	return swap_fs((uint64_t)pal_thread);
}

static int HV_PAL_CODE pal_make_key_from(const uint64_t *seed)
{
	br_hmac_drbg_context drbg;
	uint64_t fs;
	size_t size;

	pal_thread[5] = seed[SEED_WORDS - 1];
	fs = use_own_fs();
	pal_br_hmac_drbg_init(&drbg, &pal_br_sha256_vtable, seed,
			      (SEED_WORDS - 1) * sizeof(*seed));
	size = pal_br_ec_keygen(&drbg.vtable, &pal_br_ec_p256_m31, &pal_key, pal_key_bytes,
				BR_EC_secp256r1);
	swap_fs(fs);
	return size ? 0 : -1;
}

static int HV_PAL_CODE pal_make_key(void)
{
	uint64_t seed[SEED_WORDS];

	return hv_pal_random(seed, sizeof(seed)) ? -1 : pal_make_key_from(seed);
}

static int HV_PAL_CODE pal_public_key(uint8_t *public)
{
	uint64_t fs = use_own_fs();
	size_t size = pal_br_ec_compute_pub(&pal_br_ec_p256_m31, NULL, public, &pal_key);

	swap_fs(fs);
	return size == PUBLIC ? 0 : -1;
}

static int HV_PAL_CODE pal_sign(const uint8_t *digest, uint8_t *signature)
{
	uint64_t fs = use_own_fs();
	size_t size = pal_br_ecdsa_i31_sign_raw(&pal_br_ec_p256_m31, &pal_br_sha256_vtable, digest,
						&pal_key, signature);

	swap_fs(fs);
	return size == SIGNATURE ? 0 : -1;
}

/*
 * What BearSSL needs of the C library. String instructions, as GCC makes calls of memcpy()
 * and memset() of loops.
 */
void *HV_PAL_CODE pal_memcpy(void *to, const void *from, size_t size)
{
	void *ret = to;

	__asm__ volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (size) : : "memory");
	return ret;
}

void *HV_PAL_CODE pal_memmove(void *to, const void *from, size_t size)
{
	uint8_t *last_to = (uint8_t *)to + size - 1;
	const uint8_t *last_from = (const uint8_t *)from + size - 1;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return pal_memcpy(to, from, size);
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D" (last_to), "+S" (last_from), "+c" (size) : : "memory", "cc");
	return to;
}

void *HV_PAL_CODE pal_memset(void *to, int value, size_t size)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D" (to), "+c" (size) : "a" (value) : "memory");
	return ret;
}

/* The PAL ends here, and the process with SIGILL. */
void HV_PAL_CODE pal___stack_chk_fail(void)
{
	__builtin_trap();
}

void *HV_PAL_CODE pal___memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
	if (size > room)
		__builtin_trap();
	return pal_memcpy(to, from, size);
}

void *HV_PAL_CODE pal___memmove_chk(void *to, const void *from, size_t size, size_t room)
{
	if (size > room)
		__builtin_trap();
	return pal_memmove(to, from, size);
}

void *HV_PAL_CODE pal___memset_chk(void *to, int value, size_t size, size_t room)
{
	if (size > room)
		__builtin_trap();
	return pal_memset(to, value, size);
}

/* --- the program */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "signer: %s: %s\n", what, why);
	exit(1);
}

static void describe(struct latch_pal_desc *desc)
{
	const struct latch_pal_arg public[] = { { PUBLIC, LATCH_PAL_OUT } };
	const struct latch_pal_arg sign[] = {
		{ DIGEST, LATCH_PAL_IN }, { SIGNATURE, LATCH_PAL_OUT },
	};

	hv_pal_describe(desc);
	hv_pal_section(desc, LATCH_PAL_CODE, hv_pal_code_start,
		       (size_t)(hv_pal_code_end - hv_pal_code_start));
	hv_pal_section(desc, LATCH_PAL_DATA, hv_pal_data_start,
		       (size_t)(hv_pal_data_end - hv_pal_data_start));
	hv_pal_section(desc, LATCH_PAL_PARAM, pal_param, sizeof(pal_param));
	hv_pal_section(desc, LATCH_PAL_STACK, pal_stack, sizeof(pal_stack));
	hv_pal_entry(desc, pal_make_key, 0, NULL, 0);
	hv_pal_entry(desc, pal_public_key, 1, public, 0);
	hv_pal_entry(desc, pal_sign, 2, sign, 0);
}

static int register_pal(int hv)
{
	struct latch_pal_desc desc;
	int pal;

	describe(&desc);
	pal = hv_pal_register(hv, &desc);
	if (pal < 0)
		die("the PAL cannot be registered", strerror(-pal));
	return pal;
}

static void make_key(int plain)
{
	uint64_t seed[SEED_WORDS];
	int ret = -1;

	if (!plain)
		ret = pal_make_key();
	else if (getrandom(seed, sizeof(seed), 0) == sizeof(seed))
		ret = pal_make_key_from(seed);
	if (ret)
		die("no key", "there are no random numbers");
}

static void hash(const char *text, uint8_t *digest)
{
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, text, strlen(text));
	br_sha256_out(&sha, digest);
}

/* With the BearSSL that is not the PAL's: the public key is enough for that. */
static int is_signature(const uint8_t *digest, uint8_t *public, const uint8_t *signature)
{
	const br_ec_public_key key = { BR_EC_secp256r1, public, PUBLIC };

	return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, DIGEST, &key, signature,
				     SIGNATURE) == 1;
}

static int sign_and_check(const char *text, uint8_t *public, uint8_t *signature)
{
	uint8_t digest[DIGEST];

	hash(text, digest);
	return !pal_sign(digest, signature) && is_signature(digest, public, signature);
}

static void print_hex(const char *what, const uint8_t *bytes, size_t count)
{
	printf("%s ", what);
	while (count--)
		printf("%02x", *bytes++);
	printf("\n");
}

static int sign(const char *text, uint8_t *public)
{
	uint8_t signature[SIGNATURE];
	int right = sign_and_check(text, public, signature);

	print_hex("public key", public, PUBLIC);
	print_hex("signature", signature, SIGNATURE);
	printf("%s\n", right ? "right" : "WRONG");
	return !right;
}

static int hold(uint8_t *public)
{
	uint8_t signature[SIGNATURE];
	char line[256];

	printf("%#lx\n", (unsigned long)pal_key_bytes);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		printf("%s\n", sign_and_check(line, public, signature) ? "right" : "WRONG");
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	int holds = !strcmp(command, "hold"), hv = -1, pal = -1, ret;
	int plain = holds && argc > 2 && !strcmp(argv[2], "plain");
	uint8_t public[PUBLIC];

	if (!holds && (strcmp(command, "sign") || argc < 3)) {
		fprintf(stderr, "Usage: signer sign TEXT | hold [plain]\n");
		return 1;
	}
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		die("no WRFSBASE", "it takes a CPU with FSGSBASE and Linux 5.9");
	if (!plain) {
		hv = hv_open();
		if (hv < 0)
			die("no Latch", strerror(-hv));
		pal = register_pal(hv);
	}
	make_key(plain);
	if (pal_public_key(public))
		die("no public key", "the PAL does not tell it");
	ret = holds ? hold(public) : sign(argv[2], public);
	if (!plain && hv_pal_unregister(hv, pal))
		ret = 1;
	return ret;
}
