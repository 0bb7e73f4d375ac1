/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * libhv: the services of Latch for programs, see libhv(3).
 *
 * All functions return 0 or more, or a negative errno. None raises a signal: a
 * handle keeps Latch loaded, and without a handle no hypercall is made.
 */
#ifndef _HV_H
#define _HV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct hv_version - what is loaded
 * @abi: version of the hypercalls, LATCH_ABI_VERSION
 * @core: version of core, 8 bits each of major, minor and patch
 * @nested: there is a hypervisor below Latch
 */
struct hv_version {
	uint32_t abi;
	uint32_t core;
	int nested;
};

/**
 * hv_open - get a handle; Latch cannot be unloaded until hv_close()
 *
 * A child inherits it, exec() closes it. Return: a handle, -ENODEV if Latch is not
 * loaded, -EPROTO if it speaks another ABI version, or another negative errno.
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

#ifdef __cplusplus
}
#endif

#endif
