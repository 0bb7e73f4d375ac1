/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the PALs of the tests are, and their entry points. */
#ifndef LHV_TESTS_PAL_H
#define LHV_TESTS_PAL_H

#define PAL_CODE	0x81000000
#define PAL_DATA	0x81002000
#define PAL_PARAM	0x81004000	/* two pages */
#define PAL_STACK	0x81008000
#define PAL_SHARED	0x8100a000

#define PAL_GATE	0x8100c000	/* two pages */

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

/* Of fast PALs, in the place of two others */
#define PAL_VMFUNC	16
#define PAL_UNLOCK	17

#ifndef __ASSEMBLER__
#include <linux/latch_pal.h>

#define PAL_HIGH	0x200000000ull	/* where fast PALs see the same, see pal_high */
#define PAL_SECRET	0x5ec2e75ec2e7ull
#define PAL_NO_RESULT	0xdeadull

/* test_pal.c */
extern u64 pal_high, pal_frame[16], pal_handle, pal_irqs, pal_seen, pal_sent;
extern u32 pal_stop, pal_wrong;
extern struct latch_pal_desc pal_desc;
extern u64 pal_expected[LATCH_PAL_PAGES];
u32 pal_expect_frames(void);
void pal_prepare(u32 flags);
void pal_set_xcr0(void *low);
bool pal_switch(u64 on);
void pal_map(u64 linear, u64 flags);
long pal_make(u32 flags);
long pal_register(void);
long pal_unregister(void);
struct user pal_user(u32 entry, u64 rdi, u64 rsi);
u64 pal_call(u32 entry, u64 rdi, u64 rsi);
u64 pal_address(u32 entry);
bool pal_dies(u32 entry, u64 rdi, u32 vector);
bool pal_registers_clear(void);
void pal_timer(struct regs *regs);
void pal_timer_start(u32 period);
void pal_timer_stop(void);
void pal_send_nmis(void *arg);
void pal_call_often(void *arg);
/* test_pal_fast.c */
void pal_fast_tests(void);
void pal_fast_bench(void);
#endif

#endif
