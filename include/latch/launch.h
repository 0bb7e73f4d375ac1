/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The launch interface: what a loader (module/, lhv/) and core agree on.
 *
 * In short: the loader puts core's image into 2 MiB chunks of memory, maps them
 * at LATCH_CORE_BASE in a bootstrap page table, and calls core through a
 * trampoline page: once for LATCH_OP_INIT, then on each CPU for LATCH_OP_LAUNCH.
 * The call returns like a function, with the CPU in VMX non-root operation.
 * Documentation/launch.md tells the whole sequence.
 *
 * This header is also read by the assembler (loader/tramp.S), for the offsets.
 */
#ifndef _LATCH_LAUNCH_H
#define _LATCH_LAUNCH_H

#define LATCH_LAUNCH_VERSION	1
#define LATCH_IMAGE_SIGNATURE	0x31474d494843544cull	/* "LTCHIMG1" */

/*
 * Core's address space (SDM linear addresses, root mode only). The region of
 * the kernel image in Linux: no loader has its trampoline page here, so the
 * two can share one page table while the CPU changes over.
 */
#define LATCH_CORE_BASE		0xffffffff80000000
#define LATCH_CHUNK_SIZE	0x200000
#define LATCH_MAX_CHUNKS	64
#define LATCH_MAX_CPUS_ASM	256	/* LATCH_MAX_CPUS, which is not for the assembler */
/* Memory that Linux owns and core only writes to: counters, log, CPU pages. */
#define LATCH_PUBLIC_BASE	0xffffffff90000000

/* rdi of core's entry point */
#define LATCH_OP_INIT		0
#define LATCH_OP_LAUNCH		1

/* Hypercalls of the loader alone; behind those in uapi/linux/latch.h. */
#define LATCH_HC_LEAVE		0x4c5448f0
#define LATCH_HC_JOIN		0x4c5448f1
/* Bytes of the VMCALL in front of .Lresume in loader/tramp.S. */
#define LATCH_VMCALL_BYTES	3

/* Layout of struct latch_cpu_page */
#define LATCH_CPU_GDT		0x000
#define LATCH_CPU_IDT		0x040
#define LATCH_CPU_GDTR		0x182
#define LATCH_CPU_IDTR		0x192
#define LATCH_CPU_CR3		0x1a0
#define LATCH_CPU_CR4		0x1a8
#define LATCH_CPU_ENTRY		0x1b0
#define LATCH_CPU_ARG		0x1b8
#define LATCH_CPU_NMIS		0x1c0
#define LATCH_CPU_STACK_TOP	0x400
#define LATCH_CPU_STATE		0x400
#define LATCH_CPU_STATS		0x800
#define LATCH_CPU_ERROR		0xc00
#define LATCH_CPU_PAGE_SIZE	0x1000

/* Layout of struct latch_cpu_state */
#define LATCH_STATE_RIP		0x78
#define LATCH_STATE_RFLAGS	0x88
#define LATCH_STATE_RSP		0x90
#define LATCH_STATE_DR7		0xb8
#define LATCH_STATE_FS_BASE	0xc0
#define LATCH_STATE_GS_BASE	0xc8
#define LATCH_STATE_GDTR	0xd6
#define LATCH_STATE_IDTR	0xe6
#define LATCH_STATE_SEL		0xf0	/* ES CS SS DS FS GS LDTR TR, 2 bytes each */
#define LATCH_STATE_DEBUGCTL	0x150

#ifndef __ASSEMBLER__

#include <linux/types.h>
#include <linux/latch.h>

/*
 * Steps of a launch, in order: the names for fail_at= and in error messages.
 * X(id, name, where): where is 0 in the loader, 1 in LATCH_OP_INIT (one CPU),
 * 2 in LATCH_OP_LAUNCH (every CPU).
 */
#define LATCH_STEPS(X) \
	X(IMAGE, "image", 0) \
	X(MEMORY, "memory", 0) \
	X(BOOTMAP, "bootmap", 0) \
	X(POOL, "pool", 1) \
	X(PAGING, "paging", 1) \
	X(EPT, "ept", 1) \
	X(FEATURES, "features", 2) \
	X(STATE, "state", 2) \
	X(VMXON, "vmxon", 2) \
	X(VMCLEAR, "vmclear", 2) \
	X(VMPTRLD, "vmptrld", 2) \
	X(CONTROLS, "controls", 2) \
	X(HOST, "host-state", 2) \
	X(GUEST, "guest-state", 2) \
	X(VMLAUNCH, "vmlaunch", 2)

#define LATCH_STEP_ENUM(id, name, where) LATCH_STEP_##id,
enum latch_step { LATCH_STEPS(LATCH_STEP_ENUM) LATCH_NR_STEPS };
#define LATCH_STEP_NONE		0xffffffffu
#define LATCH_CPU_ANY		0xffffffffu

/*
 * Why a launch was refused: X(id, errno, text). @text is printed with the
 * value of struct latch_error behind it and says what to do.
 */
#define LATCH_REASONS(X) \
	X(NONE, 0, "no error") \
	X(INJECTED, 5, "failure asked for by fail_at=") \
	X(IMAGE, 22, "core's image does not fit this module; rebuild both") \
	X(NO_MEMORY, 12, "no memory for core; pages") \
	X(NO_VMX, 19, \
	  "the CPU has no VMX (CPUID.1:ECX.5 is 0); Latch needs an Intel CPU with " \
	  "VT-x, in a VM: nested virtualization") \
	X(UNDER_LATCH, 17, \
	  "the CPU is under Latch already, of the kernel before this one, up to the next " \
	  "reset") \
	X(FC_LOCKED, 1, \
	  "VMX is switched off by the firmware; enable VT-x there; " \
	  "IA32_FEATURE_CONTROL is") \
	X(FC_UNLOCKED, 1, \
	  "the firmware left IA32_FEATURE_CONTROL unlocked and the kernel did not " \
	  "lock it; value") \
	X(FEATURE, 19, "the CPU lacks a VMX feature that Latch needs, see `hvctl check`; feature") \
	X(VMX_ACTIVE, 16, \
	  "VMX is in use by another hypervisor; stop its VMs and unload it (modprobe " \
	  "-r kvm_intel); CR4 is") \
	X(CR0_BITS, 95, "CR0 has bits that VMX operation does not allow") \
	X(CR4_BITS, 95, "CR4 has bits that Latch does not know") \
	X(MODE, 95, "the CPU is not in 64-bit mode with paging; EFER is") \
	X(GDT, 95, "the GDT is too large or a system segment is outside of it; limit") \
	X(VMXON, 5, "VMXON failed; RFLAGS is") \
	X(VMCLEAR, 5, "VMCLEAR failed; RFLAGS is") \
	X(VMPTRLD, 5, "VMPTRLD failed; RFLAGS is") \
	X(VMWRITE, 5, "VMWRITE failed; field") \
	X(CONTROLS, 95, "a VM-execution control that Latch needs cannot be set; MSR") \
	X(VMLAUNCH, 5, "VMLAUNCH failed; VM-instruction error") \
	X(ENTRY, 5, "VM entry failed; exit reason")

#define LATCH_REASON_ENUM(id, err, text) LATCH_REASON_##id,
enum latch_reason { LATCH_REASONS(LATCH_REASON_ENUM) LATCH_NR_ERROR_REASONS };

/**
 * struct latch_error - how a launch failed on one CPU
 * @reason: enum latch_reason; LATCH_REASON_NONE where it did not
 * @step: enum latch_step
 * @value: what the reason's text ends with
 */
struct latch_error {
	__u32 reason;
	__u32 step;
	__u64 value;
};

/**
 * struct latch_gpr - general-purpose registers, in the order of POP
 */
struct latch_gpr {
	__u64 r15, r14, r13, r12, r11, r10, r9, r8;
	__u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
};

enum latch_seg {
	LATCH_ES, LATCH_CS, LATCH_SS, LATCH_DS, LATCH_FS, LATCH_GS,
	LATCH_LDTR, LATCH_TR, LATCH_NR_SEGS
};

/**
 * struct latch_table - GDTR or IDTR, so that @limit is the operand of LGDT
 */
struct latch_table {
	__u16 pad[3];
	__u16 limit;
	__u64 base;
};

/**
 * struct latch_cpu_state - a CPU as the loader knows it
 * @gpr: general-purpose registers
 * @rip: where the CPU goes on; with the next four the frame of an IRETQ. In
 *       front of it is a VMCALL, with which a launched CPU begins (join)
 * @sel: selectors, by enum latch_seg
 * @access: access rights in the format of the VMCS (SDM vol. 3, 25.4.1)
 *
 * The loader fills it in before a launch. When the launch fails, and when a
 * CPU leaves VMX operation, core fills it in with the state to go on with, and
 * the trampoline loads that.
 */
struct latch_cpu_state {
	struct latch_gpr gpr;
	__u64 rip, cs, rflags, rsp, ss;
	__u64 cr0, cr3, cr4, dr7;
	__u64 fs_base, gs_base;
	struct latch_table gdtr, idtr;
	__u16 sel[LATCH_NR_SEGS];
	__u32 access[LATCH_NR_SEGS];
	__u32 limit[LATCH_NR_SEGS];
	__u64 ldtr_base, tr_base;
	__u64 debugctl;
};

/**
 * struct latch_cpu_page - one page a CPU, owned by the loader
 * @gdt: GDT of the change-over, with 64-bit code at 0x10 and data at 0x18
 * @idt: IDT of the change-over: an NMI is counted in @nmis, the rest is fatal
 * @gdtr: descriptor of @gdt
 * @idtr: descriptor of @idt
 * @cr3: CR3 to enter core with
 * @cr4: CR4 to enter core with: no PGE, PCIDE, CET
 * @entry: core's entry point
 * @arg: operation (LATCH_OP_*), shifted by 32, and the CPU's index
 * @nmis: NMIs that came during the change-over
 * @stack: stack of the change-over, grows down from LATCH_CPU_STACK_TOP
 * @state: the CPU's state, see there
 * @stats: counters, written by core
 * @error: result of the launch, written by core
 * @mode: enum latch_cpu_mode, written by core
 * @vmx: the guest is in VMX operation itself, written by core
 *
 * Core maps the frame itself (to write @state, @stats, @error, @mode, @vmx) and, at
 * the loader's own address, a private copy of it, so that a CPU can change
 * CR3 while it executes in the trampoline page: tables and stack are at the
 * same place before and after.
 */
struct latch_cpu_page {
	__u64 gdt[8];
	__u64 idt[40];
	__u16 pad0;
	__u16 gdtr_limit;
	__u64 gdtr_base __attribute__((packed, aligned(4)));
	__u8 pad1[6];
	__u16 idtr_limit;
	__u64 idtr_base __attribute__((packed, aligned(4)));
	__u8 pad2[4];
	__u64 cr3;
	__u64 cr4;
	__u64 entry;
	__u64 arg;
	__u64 nmis;
	__u8 stack[LATCH_CPU_STACK_TOP - 0x1c8];
	struct latch_cpu_state state;
	__u8 pad3[LATCH_CPU_STATS - LATCH_CPU_STATE - sizeof(struct latch_cpu_state)];
	struct latch_cpu_stats stats;
	__u8 pad4[LATCH_CPU_ERROR - LATCH_CPU_STATS - sizeof(struct latch_cpu_stats)];
	struct latch_error error;
	__u32 mode;
	__u32 vmx;
	__u8 pad5[LATCH_CPU_PAGE_SIZE - LATCH_CPU_ERROR - sizeof(struct latch_error) - 8];
};

/**
 * struct latch_log - core's log ring, in public memory
 * @next: sequence number that the next record gets
 * @count: records in @record, a power of two
 * @pool_free: pages of core's pool that are free
 * @record: record with sequence number s is at s % @count
 *
 * Core writes, Linux reads; core never reads it back.
 */
struct latch_log {
	__u64 next;
	__u32 count;
	__u32 pool_free;
	__u32 pad[12];
	struct latch_log_record record[];
};

/* struct latch_boot.flags */
#define LATCH_BOOT_ICR		1	/* writes of the APIC's ICR exit */
#define LATCH_BOOT_NESTED	2	/* the guest has VMX */

/**
 * struct latch_boot - what the loader tells core, inside the image
 * @nr_cpus: CPUs that there may be; indexes are below
 * @nr_chunks: chunks of LATCH_CHUNK_SIZE that core gets
 * @chunk: their physical addresses
 * @public_phys: physical address of the public memory, contiguous
 * @public_va: its address in the loader
 * @public_size: bytes: @log_size for the log, then a page for each CPU
 * @log_size: bytes of struct latch_log
 * @tramp_va: trampoline page, in the loader and in core
 * @tramp_exit: address in it to leave by
 * @leave_rip: address behind the only VMCALL that may leave
 * @ram_top: end of the memory map's last RAM range, physical
 * @levels: levels of the loader's page tables, 4 or 5
 * @fail_step: step to fail at, or LATCH_STEP_NONE
 * @fail_cpu: on which CPU, or LATCH_CPU_ANY
 * @flags: LATCH_BOOT_*
 * @cr3: out: root of core's own page tables
 * @version: out: LATCH_VERSION() of core
 * @pool_pages: out
 * @pool_free: out
 * @outer: out: there is an outer hypervisor
 * @caps: out: raw capability MSRs
 */
struct latch_boot {
	__u32 nr_cpus;
	__u32 nr_chunks;
	__u64 chunk[LATCH_MAX_CHUNKS];
	__u64 public_phys;
	__u64 public_va;
	__u64 public_size;
	__u64 log_size;
	__u64 tramp_va;
	__u64 tramp_exit;
	__u64 leave_rip;
	__u64 ram_top;
	__u32 levels;
	__u32 fail_step;
	__u32 fail_cpu;
	__u32 flags;
	__u64 cr3;
	__u32 version;
	__u32 pool_pages;
	__u32 pool_free;
	__u32 outer;
	struct latch_caps caps;
};

/**
 * struct latch_image - header at the start of core's image
 * @signature: LATCH_IMAGE_SIGNATURE
 * @version: LATCH_LAUNCH_VERSION
 * @size: bytes of this header
 * @base: address that the image is linked at: LATCH_CORE_BASE
 * @entry: address of the entry point
 * @file_size: bytes of the image file
 * @mem_size: bytes in memory; the loader clears what is behind the file
 * @boot: offset of struct latch_boot, for the loader to fill in
 * @max_cpus: CPUs that this image can drive
 * @pool_base: pages that the pool needs in any case
 * @pool_per_cpu: pages for each CPU
 * @pool_per_gib: pages for each GiB below ram_top
 */
struct latch_image {
	__u64 signature;
	__u32 version;
	__u32 size;
	__u64 base;
	__u64 entry;
	__u64 file_size;
	__u64 mem_size;
	__u64 boot;
	__u32 max_cpus;
	__u32 pool_base;
	__u32 pool_per_cpu;
	__u32 pool_per_gib;
};

_Static_assert(LATCH_MAX_CPUS == LATCH_MAX_CPUS_ASM, "CPUs");
_Static_assert(sizeof(struct latch_image) == 72, "image header");
#define LATCH_CHECK_OFFSET(type, field, off) \
	_Static_assert(__builtin_offsetof(struct type, field) == (off), #field)
LATCH_CHECK_OFFSET(latch_cpu_page, gdt, LATCH_CPU_GDT);
LATCH_CHECK_OFFSET(latch_cpu_page, idt, LATCH_CPU_IDT);
LATCH_CHECK_OFFSET(latch_cpu_page, gdtr_limit, LATCH_CPU_GDTR);
LATCH_CHECK_OFFSET(latch_cpu_page, idtr_limit, LATCH_CPU_IDTR);
LATCH_CHECK_OFFSET(latch_cpu_page, cr3, LATCH_CPU_CR3);
LATCH_CHECK_OFFSET(latch_cpu_page, cr4, LATCH_CPU_CR4);
LATCH_CHECK_OFFSET(latch_cpu_page, entry, LATCH_CPU_ENTRY);
LATCH_CHECK_OFFSET(latch_cpu_page, arg, LATCH_CPU_ARG);
LATCH_CHECK_OFFSET(latch_cpu_page, nmis, LATCH_CPU_NMIS);
LATCH_CHECK_OFFSET(latch_cpu_page, state, LATCH_CPU_STATE);
LATCH_CHECK_OFFSET(latch_cpu_page, stats, LATCH_CPU_STATS);
LATCH_CHECK_OFFSET(latch_cpu_page, error, LATCH_CPU_ERROR);
_Static_assert(sizeof(struct latch_cpu_page) == LATCH_CPU_PAGE_SIZE, "CPU page");
LATCH_CHECK_OFFSET(latch_cpu_state, rip, LATCH_STATE_RIP);
LATCH_CHECK_OFFSET(latch_cpu_state, rflags, LATCH_STATE_RFLAGS);
LATCH_CHECK_OFFSET(latch_cpu_state, rsp, LATCH_STATE_RSP);
LATCH_CHECK_OFFSET(latch_cpu_state, dr7, LATCH_STATE_DR7);
LATCH_CHECK_OFFSET(latch_cpu_state, fs_base, LATCH_STATE_FS_BASE);
LATCH_CHECK_OFFSET(latch_cpu_state, gs_base, LATCH_STATE_GS_BASE);
LATCH_CHECK_OFFSET(latch_cpu_state, gdtr.limit, LATCH_STATE_GDTR);
LATCH_CHECK_OFFSET(latch_cpu_state, idtr.limit, LATCH_STATE_IDTR);
LATCH_CHECK_OFFSET(latch_cpu_state, sel, LATCH_STATE_SEL);
LATCH_CHECK_OFFSET(latch_cpu_state, debugctl, LATCH_STATE_DEBUGCTL);

#endif /* !__ASSEMBLER__ */
#endif /* _LATCH_LAUNCH_H */
