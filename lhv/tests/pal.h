/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the PALs of the tests are, and their entry points. */
#ifndef LHV_TESTS_PAL_H
#define LHV_TESTS_PAL_H

#define PAL_CODE	0x81000000
#define PAL_DATA	0x81002000
#define PAL_PARAM	0x81004000	/* two pages */
#define PAL_STACK	0x81008000
#define PAL_SHARED	0x8100a000

#define PAL_ADD		0
#define PAL_DOUBLE	1
#define PAL_STORE	2
#define PAL_LOAD	3
#define PAL_SPIN	4
#define PAL_READ	5
#define PAL_WRITE	6
#define PAL_JUMP	7
#define PAL_SYSCALL	8
#define PAL_INT		9
#define PAL_UD		10
#define PAL_WIDE	11
#define PAL_FOREVER	12
#define PAL_COUNT	13
#define PAL_VMCALL	14
#define PAL_OVERFLOW	15
#define PAL_NR		16

#endif
