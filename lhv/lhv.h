/* SPDX-License-Identifier: GPL-2.0-only */
/* lhv: a small bare-metal kernel that loads core and tests the CPU. */
#ifndef LHV_H
#define LHV_H

#include "types.h"
#include "x86.h"
#include <arch.h>

#define MAX_CPUS	16
#define STACK_SIZE	16384
#define TRAP_NONE	256

/* Vectors of lhv's own interrupts */
#define IRQ_PIC		0x20	/* and up: 16 lines */
#define IRQ_EXIT	0x80	/* INT from CPL 3: end of user code */
#define IRQ_TIMER	0xe0
#define IRQ_TEST	0xe1
#define IRQ_CALL	0xf0
#define IRQ_SPURIOUS	0xff

/**
 * struct regs - what an interrupt or exception pushes and the entry code saves
 */
struct regs {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/**
 * struct trap - the exception that ended trap()
 * @regs: registers at the exception; @regs.vector is TRAP_NONE if there was none
 * @cr2: CR2 at that time
 * @dr6: DR6 at that time
 */
struct trap {
	struct regs regs;
	u64 cr2, dr6;
};

typedef void (*call_fn)(void *arg);

/**
 * struct cpu - one CPU
 * @gdt: its GDT. Comes first: GDTR tells which CPU this is, as FS and GS are
 *	 the tests' own
 * @ldt: its LDT
 * @tss: its TSS
 * @index: number from 0, the boot CPU is 0
 * @apic_id: local APIC ID
 * @online: it runs cpu_idle()
 * @call: function to run, from cpu_idle()
 * @call_arg: its argument
 * @recover: stack pointer that trap() goes back to, 0 outside of it
 * @trap: what the last trap() found
 * @nmis: NMIs handled
 * @irqs: interrupts handled, by vector
 */
struct cpu {
	u64 gdt[GDT_ENTRIES];
	u64 ldt[4];
	struct tss tss;
	u32 index;
	u32 apic_id;
	u32 online;
	call_fn call;
	void *call_arg;
	u64 recover;
	struct trap trap;
	u64 nmis;
	u64 irqs[256];
	u8 stack[STACK_SIZE] __attribute__((aligned(4096)));
	u8 stack_rsp0[STACK_SIZE];
	u8 stack_nmi[STACK_SIZE];
	u8 stack_df[STACK_SIZE];
	u8 stack_mc[STACK_SIZE];
} __attribute__((aligned(4096)));

struct spinlock {
	u32 held;
};

static inline void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		while (READ_ONCE(lock->held))
			cpu_relax();
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* start.c */
struct multiboot;
void lhv_start_console(const struct multiboot *mb);
void lhv_start_machine(void);
const char *option_all(void);
bool option_get(const char *name, char *value, size_t size);
bool option_has(const char *name);
u32 option_number(const char *name, u32 missing);
void lhv_exit(u8 status) __attribute__((noreturn));
void lhv_panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* console.c */
void console_init(void);
void console_write(const char *s);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *format, va_list args);

/* cpu.c */
extern struct cpu cpus[MAX_CPUS];
extern u32 nr_cpus;
void cpu_setup(void);
void cpu_init_tables(struct cpu *cpu);
void cpu_load_tables(struct cpu *cpu);
u64 gdt_descriptor(u32 base, u32 limit, u32 access);
static inline struct cpu *this_cpu(void)
{
	return PTR(read_gdtr().base);
}

/* tables.c: what differs in 64-bit mode (long/) and with PAE paging (pae/) */
void idt_set_gate(u32 vector, u64 type, u32 stack);
u64 mem_root(const u64 *directories);
u64 mem_root_copy(u64 va, u64 *directory);

/* idt.c, entry.S */
extern u64 idt[256 * GATE_SIZE / 8];
typedef bool (*trap_hook)(struct regs *regs);
typedef void (*irq_handler)(struct regs *regs);
void idt_init(void);
void idt_dispatch(struct regs *regs);
void idt_load(void);
void idt_set_hook(u32 vector, trap_hook hook);
void irq_set_handler(u32 vector, irq_handler handler);
u32 trap(call_fn fn, void *arg);
struct trap *trap_last(void);
void trap_enter(call_fn fn, void *arg, u64 *recover);
extern const char trap_resume[];

/* user.S, user.c */
/**
 * struct user - what user_run() starts with
 */
struct user {
	u64 rip, cs, rflags, rsp, ss;
	u64 rax, rbx, rcx, rdx, rsi, rdi;
};
u32 user_run(struct user *user);
u32 user_call(const char *code, u64 arg);
u32 user_call32(const char *code, u64 arg);
void user_enter(void *user);

/* mem.c */
#define USER_OFFSET	0x40000000ull	/* the image, for CPL 3 */
#define WINDOW_BASE	0x80000000ull	/* 1 GiB for tests to map what they like */
#define LOW_MAP		(8ull << 20)	/* mapped with 4K pages */
#define PTE_P		BIT(0)
#define PTE_W		BIT(1)
#define PTE_U		BIT(2)
#define PTE_PCD		BIT(4)
#define PTE_A		BIT(5)
#define PTE_D		BIT(6)
#define PTE_PS		BIT(7)
#define PTE_G		BIT(8)
#define PTE_NX		BIT(63)
#define PTE_ADDR	0x000ffffffffff000ull
extern u64 mem_cr3, mem_ram_top;
void mem_init(const struct multiboot *mb);
void *mem_alloc(u64 size, u64 align);
void mem_map(u64 va, u64 pa, u64 flags);
void mem_map_2m(u64 va, u64 pa, u64 flags);
void mem_unmap(u64 va);
u64 *mem_pte(u64 va);
void *mem_alloc_top(u64 size, u64 align);
u64 mem_top(void);
u64 mem_mark(void);
void mem_release(u64 mark);

/* pic.c, pit.c */
void pic_init(void);
void pic_unmask(u32 irq);
void pic_mask(u32 irq);
void pic_eoi(u32 irq);
void pit_periodic(u32 hz);
void pit_stop(void);
void delay_us(u32 us);
extern u64 tsc_khz;
void tsc_calibrate(void);

/* lapic.c */
#define LAPIC_ID	0x02
#define LAPIC_VERSION	0x03
#define LAPIC_TPR	0x08
#define LAPIC_EOI	0x0b
#define LAPIC_SVR	0x0f
#define LAPIC_ISR	0x10
#define LAPIC_IRR	0x20
#define LAPIC_ESR	0x28
#define LAPIC_ICR	0x30
#define LAPIC_ICR_HIGH	0x31
#define LAPIC_TIMER	0x32
#define LAPIC_LINT0	0x35
#define LAPIC_LINT1	0x36
#define LAPIC_ERROR	0x37
#define LAPIC_INITIAL	0x38
#define LAPIC_CURRENT	0x39
#define LAPIC_DIVIDE	0x3e
#define ICR_NMI		0x00400
#define ICR_INIT	0x00500
#define ICR_STARTUP	0x00600
#define ICR_ASSERT	0x04000
#define ICR_SELF	0x40000
#define ICR_ALL		0x80000
#define ICR_OTHERS	0xc0000
#define TIMER_MASKED	0x10000
#define TIMER_PERIODIC	0x20000
#define TIMER_DEADLINE	0x40000
extern bool lapic_x2apic;
void lapic_init(void);
u32 lapic_read(u32 reg);
void lapic_write(u32 reg, u32 value);
u32 lapic_id(void);
void lapic_eoi(void);
void lapic_moved(void);
void lapic_ipi(u32 apic_id, u32 icr);

/* acpi.c */
u32 acpi_find_cpus(u32 *apic_ids, u32 max);
u16 acpi_pm1a_control(void);

/* smp.c, smpboot.S */
/**
 * struct reset_state - what a CPU finds after a start-up IPI
 */
struct reset_state {
	u32 eax, ebx, ecx, edx, esi, edi, ebp, esp;
	u32 eflags, cr0, cr2, cr3, cr4, dr6, dr7;
	u16 cs, ds, es, fs, gs, ss;
	u16 gdt_limit, idt_limit;
	u32 gdt_base, idt_base;
	u32 efer;
};
void smp_init(void);
bool smp_start(struct cpu *cpu);
const struct reset_state *smp_reset_state(void);
__attribute__((noreturn)) void cpu_idle(void);
void cpu_call_start(u32 index, call_fn fn, void *arg);
bool cpu_call_finished(u32 index);
void cpu_call(u32 index, call_fn fn, void *arg);
void cpu_call_all(call_fn fn, void *arg);

/* launch.c */
int launch_main(void);
void launch_core(void);
int launch_leave(void);
int launch_fail_all(void);
extern bool launch_active;
u64 launch_log_next(void);
void launch_log_text(u64 seq, char *text);
u32 launch_nr_chunks(void);
u64 launch_chunk(u32 index);

/* second.c */
void second_init(const struct multiboot *mb);
void second_save(void);
__attribute__((noreturn)) void second_start(void);

/* ktap.c */
extern const char *ktap_suite;
bool ktap_check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ktap_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
u32 ktap_end(void);

/* random/ */
void random_prepare(void);
void random_run(void);

/* tests/ */
void tests_run(void);
void pal_bench(void);
void watch_bench(void);
void nested_bench(void);
void bench_run(void);

#endif
