// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a PAL can ask of core: random numbers, its PCRs, sealed storage, quotes. All
 * are hypercalls out of the PAL; its memory is reached as the PAL itself would.
 */
#include "core.h"
#include "guest.h"
#include "hypapp/pal.h"
#include "hypapp/pal_crypto.h"
#include "pool.h"

#define PCR_IMAGE	0
#define PCR_PAL		1
#define PCR_FIRST	2	/* that a PAL may extend */
#define PCR_MASK	(BIT(LATCH_PAL_PCRS) - 1)
#define SEAL_MAGIC	0x314c5350u	/* "PSL1" */

extern const char image_start[], rodata_end[];

/* What is sealed begins with this; header and PCRs are authenticated. */
struct seal_header {
	u32 magic, pcrs;
	u8 nonce[PAL_NONCE];
	u8 tag[PAL_TAG];
};

_Static_assert(sizeof(struct seal_header) == LATCH_PAL_SEAL_MORE, "ABI");
_Static_assert(LATCH_PAL_SEAL_MAX == PAGE_SIZE, "a page of the pool is enough");

static const char quote_name[] = "latch-pal-quote";
static u8 image_digest[PAL_DIGEST];	/* made when pal is switched on */

static void select_pcrs(const struct pal *pal, u32 pcrs, u8 out[LATCH_PAL_PCRS][PAL_DIGEST])
{
	u32 i;

	memset(out, 0, LATCH_PAL_PCRS * PAL_DIGEST);
	for (i = 0; i < LATCH_PAL_PCRS; i++)
		if (pcrs & BIT(i))
			memcpy(out[i], pal->pcr[i], PAL_DIGEST);
}

/* --- each service; the PAL's vector registers are put aside */

static long do_random(struct percpu *cpu, struct pal *pal, u8 *page)
{
	u64 size = pal_is_32(pal) ? (u32)cpu->gpr->rsi : cpu->gpr->rsi;

	if (size > PAGE_SIZE)
		return -EINVAL;
	if (!pal_crypto_random(page, size))
		return -EIO;
	return guest_write_argument(cpu->gpr->rdi, page, size) ? 0 : -EFAULT;
}

static long do_pcr_read(struct percpu *cpu, struct pal *pal, u8 *page)
{
	u32 index = (u32)cpu->gpr->rdi;

	(void)page;
	if (index >= LATCH_PAL_PCRS)
		return -EINVAL;
	return guest_write_argument(cpu->gpr->rsi, pal->pcr[index], PAL_DIGEST) ? 0 : -EFAULT;
}

static long do_pcr_extend(struct percpu *cpu, struct pal *pal, u8 *page)
{
	u32 index = (u32)cpu->gpr->rdi;
	struct pal_bytes parts[2];

	if (index < PCR_FIRST || index >= LATCH_PAL_PCRS)
		return -EINVAL;
	if (!guest_read_argument(cpu->gpr->rsi, page, PAL_DIGEST))
		return -EFAULT;
	parts[0] = (struct pal_bytes) { pal->pcr[index], PAL_DIGEST };
	parts[1] = (struct pal_bytes) { page, PAL_DIGEST };
	pal_crypto_digest(parts, 2, pal->pcr[index]);
	return 0;
}

/* The tag over the header, but for itself, and the PCRs as they are now. */
static void run_seal(const struct pal *pal, const struct seal_header *header, void *data, u32 size,
		     u8 tag[PAL_TAG], bool encrypt)
{
	u8 pcr[LATCH_PAL_PCRS][PAL_DIGEST], with[PAL_DIGEST];
	const struct pal_bytes parts[] = {
		{ header, offsetof(struct seal_header, tag) }, { pcr, sizeof(pcr) },
	};
	const struct pal_bytes bound = { with, sizeof(with) };

	select_pcrs(pal, header->pcrs, pcr);
	pal_crypto_digest(parts, ARRAY_SIZE(parts), with);
	pal_crypto_seal(data, size, &bound, header->nonce, tag, encrypt);
}

static long do_seal(struct percpu *cpu, struct pal *pal, u8 *page)
{
	struct seal_header *header = (struct seal_header *)page;
	struct latch_pal_seal req;

	if (!guest_read_argument(cpu->gpr->rdi, &req, sizeof(req)))
		return -EFAULT;
	if (req.reserved || req.pcrs & ~PCR_MASK || req.size > PAGE_SIZE - sizeof(*header) ||
	    req.room < req.size + sizeof(*header))
		return -EINVAL;
	if (!guest_read_argument(req.from, header + 1, req.size))
		return -EFAULT;
	header->magic = SEAL_MAGIC;
	header->pcrs = req.pcrs;
	if (!pal_crypto_random(header->nonce, sizeof(header->nonce)))
		return -EIO;
	run_seal(pal, header, header + 1, req.size, header->tag, true);
	if (!guest_write_argument(req.to, page, req.size + sizeof(*header)))
		return -EFAULT;
	cpu->gpr->rdi = req.size + sizeof(*header);
	return 0;
}

static long do_unseal(struct percpu *cpu, struct pal *pal, u8 *page)
{
	struct seal_header *header = (struct seal_header *)page;
	struct latch_pal_seal req;
	u8 tag[PAL_TAG];
	u32 size;

	if (!guest_read_argument(cpu->gpr->rdi, &req, sizeof(req)))
		return -EFAULT;
	if (req.reserved || req.size > PAGE_SIZE || req.size < sizeof(*header) ||
	    req.room < req.size - sizeof(*header))
		return -EINVAL;
	if (!guest_read_argument(req.from, page, req.size))
		return -EFAULT;
	size = req.size - (u32)sizeof(*header);
	if (header->magic != SEAL_MAGIC || header->pcrs & ~PCR_MASK)
		return -EACCES;
	run_seal(pal, header, header + 1, size, tag, false);
	if (!pal_crypto_equal(tag, header->tag, PAL_TAG))
		return -EACCES;
	if (!guest_write_argument(req.to, header + 1, size))
		return -EFAULT;
	cpu->gpr->rdi = size;
	return 0;
}

static long do_quote(struct percpu *cpu, struct pal *pal, u8 *page)
{
	struct latch_pal_quote *quote = (struct latch_pal_quote *)page;
	u8 digest[PAL_DIGEST];

	if (!guest_read_argument(cpu->gpr->rdi, quote, sizeof(*quote)))
		return -EFAULT;
	if (quote->reserved || quote->pcrs & ~PCR_MASK)
		return -EINVAL;
	select_pcrs(pal, quote->pcrs, quote->pcr);
	pal_crypto_digest((const struct pal_bytes []) {
		{ quote_name, sizeof(quote_name) }, { quote->nonce, sizeof(quote->nonce) },
		{ &quote->pcrs, sizeof(quote->pcrs) }, { quote->pcr, sizeof(quote->pcr) },
	}, 4, digest);
	pal_crypto_sign(digest, quote->signature);
	return guest_write_argument(cpu->gpr->rdi, quote, sizeof(*quote)) ? 0 : -EFAULT;
}

/* --- */

typedef long service_fn(struct percpu *cpu, struct pal *pal, u8 *page);

/* By number, from LATCH_HC_PAL_RANDOM on */
static service_fn *const services[] = {
	do_random, do_pcr_read, do_pcr_extend, do_seal, do_unseal, do_quote,
};

_Static_assert(ARRAY_SIZE(services) == LATCH_HC_PAL_QUOTE - LATCH_HC_PAL_RANDOM + 1, "ABI");

/**
 * pal_service - LATCH_HC_PAL_RANDOM to LATCH_HC_PAL_QUOTE
 *
 * For the PAL that this CPU is in. The page is what the service copies: it holds secrets.
 */
long pal_service(struct percpu *cpu)
{
	service_fn *service = services[(u32)cpu->gpr->rax - LATCH_HC_PAL_RANDOM];
	struct pal *pal;
	void *page;
	long ret;

	pal_fast_convert(cpu);
	pal = pal_run_current(cpu);
	if (!pal)
		return -EPERM;
	if (!pal_crypto_ready())
		return -ENODEV;
	page = pool_alloc();
	if (!page)
		return -ENOMEM;
	/* It is free while the PAL runs. */
	fpu_save(pal->fpu);
	ret = service(cpu, pal, page);
	fpu_reload(pal->fpu);
	memset(page, 0, PAGE_SIZE);
	pool_free(page);
	return ret;
}

/** pal_service_public_key - from anywhere, with the caller's rights */
long pal_service_public_key(struct percpu *cpu)
{
	if (!pal_crypto_ready())
		return -ENODEV;
	return guest_write_argument(cpu->gpr->rdi, pal_crypto_public(), PAL_PUBLIC) ? 0 : -EFAULT;
}

/**
 * pal_service_enable - measure core, and make the keys of this launch if there are none
 *
 * Without RDRAND there are PALs, but no services. Return: 0 or -ENOMEM.
 */
int pal_service_enable(void)
{
	void *page = pool_alloc();

	if (!page)
		return -ENOMEM;
	fpu_save(page);
	pal_crypto_init();
	pal_crypto_digest(&(struct pal_bytes) { image_start, (size_t)(rodata_end - image_start) },
			  1, image_digest);
	fpu_reload(page);
	pool_free(page);
	return 0;
}

/* The pages of a section are not contiguous: a digest of digests. */
static void measure_section(struct percpu *cpu, const struct pal *pal,
			    const struct latch_pal_section *section, u8 *page, u8 out[PAL_DIGEST])
{
	u64 at;

	pal_crypto_digest(&(struct pal_bytes) { section, sizeof(*section) }, 1, out);
	/* The first page is the program's. */
	if (section->type == LATCH_PAL_GATE) {
		pal_space_clear(cpu, pal, section->start + PAGE_SIZE, PAGE_SIZE);
		return;
	}
	/* Quicker than to measure them. */
	if (section->type == LATCH_PAL_PARAM || section->type == LATCH_PAL_STACK) {
		pal_space_clear(cpu, pal, section->start, (u32)section->size);
		return;
	}
	for (at = 0; at < section->size; at += PAGE_SIZE) {
		pal_space_copy(cpu, pal, section->start + at, page, PAGE_SIZE, false);
		pal_crypto_digest((const struct pal_bytes []) {
			{ out, PAL_DIGEST }, { page, PAGE_SIZE },
		}, 2, out);
	}
}

/**
 * pal_service_measure - PCRs 0 and 1 of a new PAL
 * @cpu: this CPU
 * @pal: its frames are hidden already
 *
 * PCR 1 is of its flags and entry points, and of each section but SHARED: address, size
 * and type, and for CODE and DATA the contents. PARAM and STACK are zeros from here on.
 * Return: 0 or -ENOMEM.
 */
int pal_service_measure(struct percpu *cpu, struct pal *pal)
{
	const struct latch_pal_section *section = pal->desc.section;
	u8 *page = pool_alloc(), digest[PAL_DIGEST];
	u32 i;

	if (!page)
		return -ENOMEM;
	fpu_save(pal->fpu);
	memcpy(pal->pcr[PCR_IMAGE], image_digest, PAL_DIGEST);
	pal_crypto_digest((const struct pal_bytes []) {
		{ &pal->desc.flags, sizeof(pal->desc.flags) },
		{ pal->desc.entry, pal->desc.nr_entries * sizeof(pal->desc.entry[0]) },
	}, 2, pal->pcr[PCR_PAL]);
	for (i = 0; i < pal->desc.nr_sections; i++, section++) {
		if (section->type == LATCH_PAL_SHARED)
			continue;
		measure_section(cpu, pal, section, page, digest);
		pal_crypto_digest((const struct pal_bytes []) {
			{ pal->pcr[PCR_PAL], PAL_DIGEST }, { digest, PAL_DIGEST },
		}, 2, pal->pcr[PCR_PAL]);
	}
	fpu_reload(pal->fpu);
	memset(pal->fpu, 0, PAGE_SIZE);
	memset(page, 0, PAGE_SIZE);
	pool_free(page);
	return 0;
}
