/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * libhv: the services of Latch for programs, see libhv(3).
 *
 * All functions return 0 or more, or a negative errno. None raises a signal: a
 * handle keeps Latch loaded, and without a handle no hypercall is made. In a VM whose
 * Latch is below it (module parameter guest=1) there are hv_version() and PALs only: other
 * hypercalls are the hypervisor's there, which may answer with a signal.
 */
#ifndef _HV_H
#define _HV_H

#include <stddef.h>
#include <stdint.h>
#include <linux/latch_pal.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct hv_version - what is loaded
 * @abi: version of the hypercalls, LATCH_ABI_VERSION
 * @core: version of core, 8 bits each of major, minor and patch
 * @nested: there is a hypervisor below Latch
 * @guest: the caller is in a VM of a hypervisor on top of Latch
 */
struct hv_version {
	uint32_t abi;
	uint32_t core;
	int nested;
	int guest;
};

/**
 * hv_open - get a handle; Latch cannot be unloaded until hv_close()
 *
 * A child inherits it, exec() closes it. Return: a handle, -ENODEV if Latch is not
 * loaded, or is below this VM and none of its memory is granted, -EPROTO if it speaks
 * another ABI version, or another negative errno.
 */
int hv_open(void);

/** hv_close - give a handle back */
void hv_close(int hv);

/**
 * hv_call - make a hypercall
 * @hv: handle
 * @number: LATCH_HC_* of <linux/latch.h>
 * @a: RDI, in and out
 * @b: RSI, in and out
 * @c: RDX, in and out
 *
 * A 32-bit program passes and gets the low halves. Return: what the call returns,
 * or -EBADF for a handle that is none.
 */
long hv_call(int hv, uint32_t number, uint64_t *a, uint64_t *b, uint64_t *c);

/** hv_version - ask what is loaded */
int hv_version(int hv, struct hv_version *version);

/**
 * hv_ping - a hypercall and back
 * @hv: handle
 * @cookie: any value
 * @cpu: the CPU that has answered, or NULL
 *
 * Return: 0, or -EIO if another cookie comes back.
 */
int hv_ping(int hv, uint64_t cookie, unsigned int *cpu);

/**
 * hv_hello - have core write a greeting (the hypapp "hello")
 * @hv: handle
 * @buf: where to
 * @size: bytes of it
 * @count: greetings so far, or NULL
 *
 * Return: bytes written, -ENOSYS if the hypapp is off, -EINVAL for a small buffer,
 * -EFAULT for a bad one.
 */
long hv_hello(int hv, char *buf, size_t size, uint64_t *count);

/*
 * PALs: functions that run isolated from the rest of the machine. What is marked with
 * these belongs to the PAL, if the program is linked with libhv-pal.lds: the linker
 * then puts it on pages of its own.
 *
 * A function of a PAL only uses functions and data of the PAL: no library, no system
 * call, no string literal. Compile it with -fno-stack-protector, and 32-bit code without
 * -fpic.
 */
#ifdef __clang__
#define HV_PAL_CODE	__attribute__((section(".pal_code"), noinline, used))
#else
/* noipa: that the function leaves a register alone is not true from outside. */
#define HV_PAL_CODE	__attribute__((section(".pal_code"), noipa, used))
#endif
#define HV_PAL_DATA	__attribute__((section(".pal_data")))
#define HV_PAL_PARAM	__attribute__((section(".pal_param"), aligned(4096)))
#define HV_PAL_STACK	__attribute__((section(".pal_stack"), aligned(4096)))

extern char hv_pal_code_start[], hv_pal_code_end[];
extern char hv_pal_data_start[], hv_pal_data_end[];

/** hv_pal_describe - an empty description, for code of this program's word size */
void hv_pal_describe(struct latch_pal_desc *desc);

/**
 * hv_pal_section - add a section
 * @desc: the description
 * @type: LATCH_PAL_CODE and so on
 * @start: of whole pages
 * @size: bytes
 *
 * Return: 0 or -ENOSPC. What is wrong else is found by hv_pal_register().
 */
int hv_pal_section(struct latch_pal_desc *desc, enum latch_pal_type type, void *start, size_t size);

/**
 * hv_pal_entry - add a function that can be called
 * @desc: the description
 * @function: in a section of code; takes integers and pointers
 * @nr_args: how many, at most LATCH_PAL_ARGS
 * @args: for each, or NULL if all are integers
 * @flags: LATCH_PAL_WIDE
 *
 * Return: 0, -ENOSPC or -EINVAL.
 */
int hv_pal_entry(struct latch_pal_desc *desc, void *function, unsigned int nr_args,
		 const struct latch_pal_arg *args, unsigned int flags);

/**
 * hv_pal_fast - it may be called without an exit
 *
 * That is a hundred instructions instead of thousands, and it is isolated a bit less:
 * Documentation/pal.md says how. Its code and data are above 4 GiB (that of a position-independent program
 * is), and no argument has a size. In 32-bit programs nothing is done; in a VM
 * whose Latch is below it hv_pal_register() makes an ordinary PAL of it, and so with another
 * PCR 1. Before hv_pal_register(). Return: 0, -ENOMEM, -ENOSPC or -EINVAL.
 */
int hv_pal_fast(struct latch_pal_desc *desc);

/** hv_pal_fast_end - give back what hv_pal_fast() has allocated; it is unregistered */
void hv_pal_fast_end(struct latch_pal_desc *desc);

/**
 * hv_pal_function - what to call instead of an entry point
 * @desc: as it has been registered
 * @function: a function of the PAL
 *
 * It takes the same arguments and does the same, without an exit if the PAL, the CPU and
 * Latch can do that. Otherwise it is @function itself, which always works too.
 */
void *hv_pal_function(const struct latch_pal_desc *desc, void *function);

/**
 * hv_pal_register - from now on the PAL's pages are private, and it can be called
 *
 * Return: its number, -ENOSYS if the hypapp "pal" is off, -EINVAL for a wrong description
 * (`hvctl log` has what is wrong) or pages that are not anonymous memory, -EFAULT for
 * memory that is not there, -EBUSY if a page is in another PAL, -ENOMEM, -ENOSPC. In a VM
 * whose Latch is below it: -EACCES if a page of it is not granted, -ENXIO if no memory is
 * granted any more.
 */
int hv_pal_register(int hv, const struct latch_pal_desc *desc);

/** hv_pal_unregister - its private pages are zeros then, and the program's again */
int hv_pal_unregister(int hv, int pal);

/**
 * hv_pal_public_key - the key that the quotes of this launch are checked with
 * @hv: handle
 * @key: a point on P-256, not compressed
 */
int hv_pal_public_key(int hv, uint8_t key[LATCH_PAL_PUBLIC_SIZE]);

/*
 * Services, for the code of a PAL itself: so they are inline. All return a negative
 * errno on failure; <linux/latch_pal.h> tells which.
 */
#define HV_INLINE	static inline __attribute__((always_inline))

HV_INLINE long hv_pal_service(uint32_t number, unsigned long a, unsigned long b)
{
	long ret = (long)number;
	unsigned long c = 0;

	__asm__ volatile("vmcall" : "+a" (ret), "+D" (a), "+S" (b), "+d" (c) : : "memory");
	if (ret == 0 && (number == LATCH_HC_PAL_SEAL || number == LATCH_HC_PAL_UNSEAL))
		return (long)a;
	return ret;
}

/** hv_pal_random - @size random bytes, at most 4096 */
HV_INLINE int hv_pal_random(void *buf, size_t size)
{
	return (int)hv_pal_service(LATCH_HC_PAL_RANDOM, (unsigned long)buf, size);
}

/** hv_pal_pcr_read - the value of a PCR, 0 to 7 */
HV_INLINE int hv_pal_pcr_read(unsigned int pcr, uint8_t value[LATCH_PAL_PCR_SIZE])
{
	return (int)hv_pal_service(LATCH_HC_PAL_PCR_READ, pcr, (unsigned long)value);
}

/** hv_pal_pcr_extend - a PCR, 2 to 7, becomes the SHA-256 of itself and @value */
HV_INLINE int hv_pal_pcr_extend(unsigned int pcr, const uint8_t value[LATCH_PAL_PCR_SIZE])
{
	return (int)hv_pal_service(LATCH_HC_PAL_PCR_EXTEND, pcr, (unsigned long)value);
}

/**
 * hv_pal_seal - encrypt, so that only a PAL with the same PCRs can decrypt it
 * @req: what, where to, and for which PCRs
 *
 * Return: bytes written: LATCH_PAL_SEAL_MORE more than it was.
 */
HV_INLINE int hv_pal_seal(const struct latch_pal_seal *req)
{
	return (int)hv_pal_service(LATCH_HC_PAL_SEAL, (unsigned long)req, 0);
}

/** hv_pal_unseal - decrypt. Return: bytes written, -EACCES if it is not for this PAL */
HV_INLINE int hv_pal_unseal(const struct latch_pal_seal *req)
{
	return (int)hv_pal_service(LATCH_HC_PAL_UNSEAL, (unsigned long)req, 0);
}

/** hv_pal_quote - sign the values of PCRs, and a nonce */
HV_INLINE int hv_pal_quote(struct latch_pal_quote *quote)
{
	return (int)hv_pal_service(LATCH_HC_PAL_QUOTE, (unsigned long)quote, 0);
}

#ifdef __cplusplus
}
#endif

#endif
