// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cryptography for PALs; see pal_crypto.h. SHA-256, HMAC-DRBG, ChaCha20-Poly1305 and
 * ECDSA on P-256 are BearSSL's constant-time code. Keys are made when the hypapp is
 * switched on for the first time, and live as long as this launch.
 */
#include <bearssl_aead.h>
#include <bearssl_ec.h>
#include <bearssl_rand.h>
#include "core.h"
#include "hypapp/pal_crypto.h"
#include "spinlock.h"
#include "x86.h"

#define SEED_WORDS	8
#define RDRAND_TRIES	10	/* the SDM's number (vol. 1, 7.3.17.1) */
#define CPUID_RDRAND	BIT(30)

static struct {
	struct spinlock lock;	/* of the generator */
	br_hmac_drbg_context drbg;
	u8 seal_key[PAL_KEY];
	br_ec_private_key sign_key;
	u8 sign_key_bytes[BR_EC_KBUF_PRIV_MAX_SIZE];
	u8 public[BR_EC_KBUF_PUB_MAX_SIZE];
	bool ready;
} crypto;

static const br_ec_impl *const curve = &br_ec_p256_m31;

static bool rdrand(u64 *value)
{
	bool ok = false;
	u32 i;

	for (i = 0; i < RDRAND_TRIES && !ok; i++)
		asm volatile("rdrand %0" : "=r" (*value), "=@ccc" (ok));
	return ok;
}

static bool read_seed(u64 seed[SEED_WORDS])
{
	u32 i;

	for (i = 0; i < SEED_WORDS; i++)
		if (!rdrand(&seed[i]))
			return false;
	return true;
}

/**
 * pal_crypto_init - make the keys of this launch
 *
 * Context: root mode, all other CPUs stand still. If the CPU gives no random numbers
 * there are none: see pal_crypto_ready().
 */
void pal_crypto_init(void)
{
	br_ec_public_key public;
	u64 seed[SEED_WORDS];

	if (crypto.ready || !(cpuid(1, 0).ecx & CPUID_RDRAND) || !read_seed(seed))
		return;
	br_hmac_drbg_init(&crypto.drbg, &br_sha256_vtable, seed, sizeof(seed));
	br_hmac_drbg_generate(&crypto.drbg, crypto.seal_key, sizeof(crypto.seal_key));
	if (!br_ec_keygen(&crypto.drbg.vtable, curve, &crypto.sign_key, crypto.sign_key_bytes,
			  BR_EC_secp256r1) ||
	    br_ec_compute_pub(curve, &public, crypto.public, &crypto.sign_key) != PAL_PUBLIC)
		return;
	memset(seed, 0, sizeof(seed));
	crypto.ready = true;
}

/** pal_crypto_ready - are there keys */
bool pal_crypto_ready(void)
{
	return crypto.ready;
}

/** pal_crypto_digest - SHA-256 of some parts, one behind the other */
void pal_crypto_digest(const struct pal_bytes *parts, u32 count, u8 out[PAL_DIGEST])
{
	br_sha256_context context;

	br_sha256_init(&context);
	for (; count; count--, parts++)
		br_sha256_update(&context, parts->data, parts->size);
	br_sha256_out(&context, out);
}

/**
 * pal_crypto_random - random bytes
 *
 * Of the generator, with fresh ones of the CPU mixed in each time. Return: false if the
 * CPU gives none.
 */
bool pal_crypto_random(void *buf, size_t size)
{
	u64 seed[SEED_WORDS];

	if (!read_seed(seed))
		return false;
	spin_lock(&crypto.lock);
	br_hmac_drbg_update(&crypto.drbg, seed, sizeof(seed));
	br_hmac_drbg_generate(&crypto.drbg, buf, size);
	spin_unlock(&crypto.lock);
	return true;
}

/**
 * pal_crypto_seal - ChaCha20-Poly1305 (RFC 8439) with the key of this launch
 * @data: encrypted or decrypted in place
 * @size: bytes
 * @with: what is authenticated besides
 * @nonce: not used twice
 * @tag: out
 * @encrypt: or decrypt
 */
void pal_crypto_seal(void *data, size_t size, const struct pal_bytes *with,
		     const u8 nonce[PAL_NONCE], u8 tag[PAL_TAG], bool encrypt)
{
	br_poly1305_ctmulq_run(crypto.seal_key, nonce, data, size, with->data, with->size, tag,
			       br_chacha20_ct_run, encrypt);
}

/** pal_crypto_equal - compare in constant time */
bool pal_crypto_equal(const void *a, const void *b, size_t size)
{
	const u8 *p = a, *q = b;
	u8 differ = 0;

	while (size--)
		differ |= *p++ ^ *q++;
	return !differ;
}

/** pal_crypto_sign - ECDSA (RFC 6979) with the key of this launch */
void pal_crypto_sign(const u8 digest[PAL_DIGEST], u8 signature[PAL_SIGNATURE])
{
	br_ecdsa_i31_sign_raw(curve, &br_sha256_vtable, digest, &crypto.sign_key, signature);
}

/** pal_crypto_public - the key that signatures are checked with, PAL_PUBLIC bytes */
const u8 *pal_crypto_public(void)
{
	return crypto.public;
}
