/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share. */
#ifndef LHV_TESTS_H
#define LHV_TESTS_H

#include "../lhv.h"

#define DIGEST_START	2166136261u

struct msr_access {
	u32 msr;
	u64 value;
};

/*
 * INSN(name, "text"): a function in assembler for try_insn() or user_call();
 * RDI is its argument. Position-independent code only.
 */
#define INSN(name, text) \
	extern const char name[]; \
	asm(".pushsection .text\n\t.balign 16\n" #name ":\n\t" text "\n\tret\n\t.popsection")
/* The same for code at CPL 3, which ends by INT */
#define USER_INSN(name, text) \
	extern const char name[]; \
	asm(".pushsection .text\n\t.balign 16\n" #name ":\n\t" text "\n\tint $0x80\n\t.popsection")

/**
 * struct test_suite - a suite
 * @name: its name
 * @run: runs it
 */
struct test_suite {
	const char *name;
	void (*run)(void);
};
extern const struct test_suite suites[];
extern const u32 nr_suites;

u32 digest(u32 hash, const void *data, size_t len);
u32 try_rdmsr(u32 msr, u64 *value);
u32 try_wrmsr(u32 msr, u64 value);
u32 try_insn(const char *code, u64 arg);

#define ERRNO(n)	(-(u64)(n))
enum {
	EPERM = 1, ENOENT = 2, EACCES = 13, EFAULT = 14, EBUSY = 16, ENODEV = 19, EINVAL = 22,
	ENOSYS = 38
};

/* RDX, and what is in registers that a call must not touch */
#define KEPT		0xabcd000000000000ull

/**
 * struct hypercall - registers of a VMCALL
 */
struct hypercall {
	u64 rax, rdi, rsi, rdx;
	u64 others[11];		/* RBX RCX RBP R8 to R15 */
};

/* test_core.c */
bool hypercall(struct hypercall *call, u64 rax, u64 rdi, u64 rsi, u64 rdx);
u32 user_hypercall(u64 number, u64 rdi, u64 rsi);
void core_refused(u64 rax, u64 rdi, u64 rsi, u32 error, const char *name);
void core_user_refused(u64 number, const char *name);
/* test_hypapp.c */
void core_hypapps(void);
/* test_pal.c */
void core_pals(void);
/* test_guard.c */
void core_guards(void);
/* test_watch.c */
void core_learn(void);
void core_watches(void);

/* test_apic.c: a CPU that spins without its APIC, from one to the other */
void apic_off_begin(u32 index);
void apic_off_end(u32 index);

void test_cpuid(void);
void test_msr(void);
void test_mtrr(void);
void test_fault(void);
void test_xsetbv(void);
void test_cr(void);
void test_paging(void);
void test_cet(void);
void test_step(void);
void test_seg(void);
void test_syscall(void);
void test_mode(void);
void test_task(void);
void test_irq(void);
void test_apic(void);
void test_nmi(void);
void test_delivery(void);
void test_init(void);
void test_core(void);

/* nested/ */
void test_nested_caps(void);
void test_nested_instructions(void);
void test_nested_long(void);	/* in 64-bit mode only */
void test_nested_pae(void);	/* in 32-bit mode only */
void test_nested_basic(void);
void test_nested_controls(void);
void test_nested_exceptions(void);
void test_nested_events(void);
void test_nested_entry(void);
void test_nested_interrupts(void);
void test_nested_devices(void);
void test_nested_nmi(void);
void test_nested_nmi_table(void);
void test_nested_nmi_storm(void);
void test_nested_vpid(void);
void test_nested_state(void);
void test_nested_cet(void);
void test_nested_vapic(void);
void test_nested_shadow(void);
void test_nested_options(void);
void test_nested_option_table(void);
void test_nested_smp(void);
void test_nested_modes(void);
void test_nested_ept(void);
void test_nested_ept_more(void);
void test_nested_ept_tables(void);
void test_nested_pal(void);
void test_nested_watch(void);

#endif
