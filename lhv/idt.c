// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts and exceptions. A test runs code that may fault under trap(): the
 * exception ends the code, wherever it is and at whatever CPL, and its registers
 * are there to be looked at.
 */
#include "lhv.h"

#define GATE_INTERRUPT	0x8e00ull
#define GATE_DPL3	0x6000ull
#define IST_NMI		1
#define IST_DF		2
#define IST_MC		3

u64 idt[256 * GATE_SIZE / 8] __attribute__((aligned(4096)));
static trap_hook hooks[32];
static irq_handler handlers[256];

void idt_init(void)
{
	u32 vector;

	for (vector = 0; vector < 256; vector++)
		idt_set_gate(vector, GATE_INTERRUPT, 0);
	idt_set_gate(VECTOR_NMI, GATE_INTERRUPT, IST_NMI);
	idt_set_gate(VECTOR_DF, GATE_INTERRUPT, IST_DF);
	idt_set_gate(VECTOR_MC, GATE_INTERRUPT, IST_MC);
	idt_set_gate(VECTOR_BP, GATE_INTERRUPT | GATE_DPL3, 0);
	idt_set_gate(VECTOR_OF, GATE_INTERRUPT | GATE_DPL3, 0);
	idt_set_gate(IRQ_EXIT, GATE_INTERRUPT | GATE_DPL3, 0);
}

void idt_load(void)
{
	struct table_register idtr = { sizeof(idt) - 1, ADDR(idt) };

	write_idtr(&idtr);
}

/**
 * idt_set_hook - have exceptions handled
 * @vector: exception
 * @hook: returns true if it has handled it; NULL for none
 */
void idt_set_hook(u32 vector, trap_hook hook)
{
	hooks[vector] = hook;
}

void irq_set_handler(u32 vector, irq_handler handler)
{
	handlers[vector] = handler;
}

static void trap_panic(const struct cpu *cpu, const struct regs *regs)
{
	lhv_panic("CPU %u: exception %llu, error 0x%llx at 0x%llx (cs 0x%llx, rsp 0x%llx, "
		  "rflags 0x%llx, cr2 0x%llx, rax 0x%llx, rdi 0x%llx)", cpu->index, regs->vector,
		  regs->error, regs->rip, regs->cs, regs->rsp, regs->rflags, read_cr2(),
		  regs->rax, regs->rdi);
}

/* Back into trap_enter(), as if the code had returned. */
static void trap_unwind(struct cpu *cpu, struct regs *regs)
{
	cpu->trap.regs = *regs;
	cpu->trap.cr2 = read_cr2();
	cpu->trap.dr6 = read_dr6();
	regs->rip = ADDR(trap_resume);
	regs->cs = SEL_KCODE;
	regs->ss = SEL_KDATA;
	regs->rsp = cpu->recover;
	regs->rflags = RFLAGS_FIXED;
	cpu->recover = 0;
}

/* Called by the entry code. */
void idt_dispatch(struct regs *regs)
{
	struct cpu *cpu = this_cpu();
	u32 vector = (u32)regs->vector;

	cpu->irqs[vector]++;
	if (vector < 32 && hooks[vector] && hooks[vector](regs))
		return;
	if (vector == VECTOR_NMI) {
		cpu->nmis++;
		return;
	}
	if (handlers[vector]) {
		handlers[vector](regs);
		return;
	}
	if ((vector >= 32 && vector != IRQ_EXIT) || !cpu->recover)
		trap_panic(cpu, regs);
	trap_unwind(cpu, regs);
}

/**
 * trap - run code that may fault
 * @fn: the code
 * @arg: its argument
 *
 * Return: vector of the exception, or TRAP_NONE. trap_last() has the registers.
 */
u32 trap(call_fn fn, void *arg)
{
	struct cpu *cpu = this_cpu();
	u64 outer = cpu->recover;

	cpu->trap.regs.vector = TRAP_NONE;
	trap_enter(fn, arg, &cpu->recover);
	cpu->recover = outer;
	return (u32)cpu->trap.regs.vector;
}

struct trap *trap_last(void)
{
	return &this_cpu()->trap;
}
