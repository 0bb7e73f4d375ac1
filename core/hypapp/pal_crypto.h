/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cryptography for PALs, from BearSSL. Its code uses vector registers: callers of all
 * but pal_crypto_ready() have put the guest's aside (pal_service.c).
 */
#ifndef CORE_HYPAPP_PAL_CRYPTO_H
#define CORE_HYPAPP_PAL_CRYPTO_H

#include "types.h"

#define PAL_DIGEST	32	/* SHA-256 */
#define PAL_KEY		32
#define PAL_NONCE	12
#define PAL_TAG		16
#define PAL_SIGNATURE	64	/* ECDSA on P-256: r, s */
#define PAL_PUBLIC	65	/* a point, not compressed */

/**
 * struct pal_bytes - a part of what is hashed
 */
struct pal_bytes {
	const void *data;
	size_t size;
};

void pal_crypto_init(void);
bool pal_crypto_ready(void);
void pal_crypto_digest(const struct pal_bytes *parts, u32 count, u8 out[PAL_DIGEST]);
bool pal_crypto_random(void *buf, size_t size);
void pal_crypto_seal(void *data, size_t size, const struct pal_bytes *with,
		     const u8 nonce[PAL_NONCE], u8 tag[PAL_TAG], bool encrypt);
bool pal_crypto_equal(const void *a, const void *b, size_t size);
void pal_crypto_sign(const u8 digest[PAL_DIGEST], u8 signature[PAL_SIGNATURE]);
const u8 *pal_crypto_public(void);

#endif
