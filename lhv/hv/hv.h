/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lhv as a hypervisor: each CPU has a struct hv, and a guest that runs code of the
 * image on the same page tables, with a GDT, a TSS and stacks of its own.
 */
#ifndef LHV_HV_H
#define LHV_HV_H

#include "../lhv.h"
#include "vmx.h"
#include <hv_arch.h>

#define MSR_VMX_PIN		0x481
#define MSR_VMX_PRIMARY		0x482
#define MSR_VMX_EXIT		0x483
#define MSR_VMX_ENTRY		0x484
#define MSR_VMX_MISC		0x485
#define MSR_VMX_CR0_FIXED0	0x486
#define MSR_VMX_CR0_FIXED1	0x487
#define MSR_VMX_CR4_FIXED0	0x488
#define MSR_VMX_CR4_FIXED1	0x489
#define MSR_VMX_VMCS_ENUM	0x48a
#define MSR_VMX_SECONDARY	0x48b
#define MSR_VMX_EPT_VPID	0x48c
#define MSR_VMX_TRUE_PIN	0x48d
#define MSR_VMX_TRUE_PRIMARY	0x48e
#define MSR_VMX_TRUE_EXIT	0x48f
#define MSR_VMX_TRUE_ENTRY	0x490
#define MSR_VMX_VMFUNC		0x491
#define VMX_CAPS		18

/* The guest's code ends with a VMCALL there, or with one of its own. */
extern const char hv_guest_end[];

/**
 * struct hv_regs - the guest's registers that are not in the VMCS
 */
struct hv_regs {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

/**
 * struct hv_exit - what is known about a VM exit, or about a VM entry that failed
 * @flags: 0, or RFLAGS' arithmetic flags if VMLAUNCH or VMRESUME failed
 * @error: VM-instruction error, if @flags say so
 *
 * The others are fields of the VMCS; those that the reason does not define are not
 * to be looked at.
 */
struct hv_exit {
	u32 flags, error;
	u32 reason, length, instruction;
	u32 event, event_error, vectoring, vectoring_error;
	u32 interruptibility, activity;
	u64 qualification, linear, physical;
	u64 rip, rsp, rflags, pending_debug;
};

/**
 * struct hv - a CPU as a hypervisor
 * @host: the CPU
 * @guest: the guest's GDT, TSS and stacks
 * @vmxon: VMXON region
 * @vmcs: the VMCS that tests use
 * @msr_bitmap: one page
 * @io_bitmaps: two pages
 * @page: one page for what a test likes
 * @regs: the guest's registers
 * @exit: the last exit
 * @code: where the guest's code starts; records show RIP from there
 * @launched: the VMCS is launched
 * @on: in VMX operation
 * @caps, @known: capability MSRs that have been read since then, and which
 */
struct hv {
	struct cpu *host;
	struct cpu *guest;
	void *vmxon, *vmcs;
	u8 *msr_bitmap, *io_bitmaps, *page;
	struct hv_regs regs;
	struct hv_exit exit;
	u64 code;
	bool launched, on;
	u64 caps[VMX_CAPS];
	u32 known;
};

/**
 * struct hv_sink - takes fields by name
 * @put: called with @arg for each
 */
struct hv_sink {
	void (*put)(void *arg, const char *name, u64 value);
	void *arg;
};

/* vmcs.c */
const char *hv_missing(void);
void hv_alloc_all(void);
struct hv *hv_this(void);
u64 hv_cap(u32 msr);
u32 hv_controls_fixed0(u32 field);
u32 hv_controls_fixed1(u32 field);
bool hv_can(u32 field, u64 bits);
void hv_set(u32 field, u64 bits);
void hv_clear(u32 field, u64 bits);
void *hv_vmcs_format(void *page);
void hv_vmcs_fill(struct hv *hv);
void hv_vmcs_reset(struct hv *hv);
bool hv_begin(struct hv *hv);
void hv_end(struct hv *hv);

/* run.c; hv_entry.S and hv_mode.c of each mode */
u64 hv_enter(struct hv_regs *regs, u64 resume);
void hv_argument(struct hv_regs *regs, u64 arg);
extern const char hv_exit_entry[];
void hv_guest(struct hv *hv, const void *code, u64 arg);
u32 hv_run(struct hv *hv);
void hv_skip(struct hv *hv);
bool hv_ended(const struct hv *hv);
bool hv_exit_has_length(u32 reason);
void hv_exit_fields(const struct hv *hv, const struct hv_sink *sink);
void hv_record(const struct hv *hv, const char *name);
void hv_unblock_nmis(void);

/* ept.c */
#define EPT_R		BIT(0)
#define EPT_W		BIT(1)
#define EPT_X		BIT(2)
#define EPT_RWX		7ull
#define EPT_MEM_UC	0ull
#define EPT_MEM_WB	(6ull << 3)
#define EPT_PS		BIT(7)
#define EPT_A		BIT(8)
#define EPT_D		BIT(9)
#define EPT_NO_VE	BIT(63)
#define EPTP_AD		BIT(6)
u64 ept_new(void);
u64 *ept_entry(u64 eptp, u64 pa, u32 level);
void ept_map(u64 eptp, u64 pa, u64 to, u32 level, u64 flags);
u64 hv_ept_enable(void);

#endif
