// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions while an exception or interrupt is being delivered */
#include "tests.h"

#define IST_TEST	4
#define IDT_SPLIT	16	/* gates on the first page of the moved IDT */

INSN(insn_ud2, "ud2");
INSN(insn_load, "movq (%rdi), %rax");
INSN(insn_int, "int $0x80");
INSN(insn_ds, "movw %di, %ds");
INSN(insn_gp, "movw %di, %ds");
INSN(insn_pop, "movq %rsp, %rax\n\tmovq %rdi, %rsp\n\tpopq %rcx\n\tmovq %rax, %rsp");
INSN(insn_self_ipi, "sti\n\tnop\n\tnop\n\tcli");
USER_INSN(user_ud2, "ud2");
USER_INSN(user_int, "int $0x80");

/* Gate @vector uses IST 4, which is at @stack. */
static u64 gate_set_ist(u32 vector, u64 stack)
{
	u64 old = idt[2 * vector];

	this_cpu()->tss.ist[IST_TEST - 1] = stack;
	idt[2 * vector] = (old & ~(7ull << 32)) | (u64)IST_TEST << 32;
	return old;
}

static void delivery_check(u32 found, u32 vector, u64 error, const char *name)
{
	ktap_check(found == vector && trap_last()->regs.error == error,
		   "%s: exception %u, error 0x%llx", name, found, trap_last()->regs.error);
}

static void delivery_bad_stack(void)
{
	u64 old = gate_set_ist(VECTOR_UD, WINDOW_BASE + 4096);
	u32 vector = try_insn(insn_ud2, 0);

	delivery_check(vector, VECTOR_PF, 2, "#PF in the stack push of #UD");
	ktap_check(trap_last()->cr2 == WINDOW_BASE + 4096 - 8 &&
		   trap_last()->regs.rip == ADDR(insn_ud2),
		   "CR2 is the stack, RIP the instruction");
	vector = user_call(user_ud2, 0);
	delivery_check(vector, VECTOR_PF, 2, "the same from CPL 3");
	idt[2 * VECTOR_UD] = old;
	old = gate_set_ist(VECTOR_PF, WINDOW_BASE + 4096);
	vector = try_insn(insn_load, WINDOW_BASE);
	delivery_check(vector, VECTOR_DF, 0, "#PF in the stack push of #PF");
	idt[2 * VECTOR_PF] = old;
	old = gate_set_ist(VECTOR_GP, WINDOW_BASE + 4096);
	vector = try_insn(insn_gp, 0xfff8);
	delivery_check(vector, VECTOR_PF, 2, "#PF in the stack push of #GP");
	idt[2 * VECTOR_GP] = old;
	old = gate_set_ist(VECTOR_UD, BIT(63));
	vector = try_insn(insn_ud2, 0);
	ktap_check(vector == VECTOR_SS, "#SS in the stack push of #UD: error 0x%llx",
		   trap_last()->regs.error);
	idt[2 * VECTOR_UD] = old;
	vector = try_insn(insn_pop, BIT(63));
	delivery_check(vector, VECTOR_DF, 0, "#SS on the stack that gave #SS");
}

static void delivery_bad_gate(void)
{
	u64 old = idt[2 * VECTOR_UD];
	u32 vector;

	idt[2 * VECTOR_UD] = old & ~(1ull << 47);
	vector = try_insn(insn_ud2, 0);
	ktap_check(vector == VECTOR_NP,
		   "gate of #UD not present: exception %u, error 0x%llx", vector,
		   trap_last()->regs.error);
	idt[2 * VECTOR_UD] = old & ~(0x1full << 40);
	vector = try_insn(insn_ud2, 0);
	ktap_check(vector == VECTOR_GP, "gate of #UD of type 0: exception %u, error 0x%llx", vector,
		   trap_last()->regs.error);
	idt[2 * VECTOR_UD] = (old & ~0xffff0000ull) | (u64)SEL_KDATA << 16;
	vector = try_insn(insn_ud2, 0);
	ktap_check(vector == VECTOR_GP, "gate of #UD to a data segment: exception %u, error 0x%llx",
		   vector, trap_last()->regs.error);
	idt[2 * VECTOR_UD] = old;
	old = idt[2 * VECTOR_GP];
	idt[2 * VECTOR_GP] = (old & ~0xffff0000ull) | (u64)SEL_KDATA << 16;
	vector = try_insn(insn_gp, 0xfff8);
	delivery_check(vector, VECTOR_DF, 0, "#GP in the delivery of #GP");
	idt[2 * VECTOR_GP] = old;
}

static void delivery_limit(void)
{
	struct table_register old = read_idtr(), small = old;
	u32 vector;

	small.limit = 16 * 32 - 1;
	irq_disable();
	write_idtr(&small);
	vector = try_insn(insn_int, 0);
	write_idtr(&old);
	irq_enable();
	delivery_check(vector, VECTOR_GP, IRQ_EXIT * 8 + 2, "INT beyond the IDT's limit");
}

/*
 * The IDT across two pages, the second one not present: vectors from IDT_SPLIT
 * on give #PF.
 */
static void delivery_moved_idt(u64 page)
{
	struct table_register old = read_idtr(), moved = old;
	u64 base = WINDOW_BASE + PAGE_SIZE - 16 * IDT_SPLIT;
	u32 vector;

	memcpy(PTR(page + PAGE_SIZE - 16 * IDT_SPLIT), idt, 16 * IDT_SPLIT);
	mem_map(WINDOW_BASE, page, PTE_P | PTE_W | PTE_NX);
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
	moved.base = base;
	irq_disable();
	write_idtr(&moved);
	vector = try_insn(insn_int, 0);
	delivery_check(vector, VECTOR_PF, 0, "INT through a page that is not present");
	ktap_check(trap_last()->cr2 == base + 16 * IRQ_EXIT &&
		   trap_last()->regs.rip == ADDR(insn_int), "CR2 is the gate, RIP the INT");
	vector = user_call(user_int, 0);
	delivery_check(vector, VECTOR_PF, 0, "the same from CPL 3");
	lapic_ipi(this_cpu()->apic_id, ICR_ASSERT | IRQ_TEST);
	vector = try_insn(insn_self_ipi, 0);
	irq_disable();
	delivery_check(vector, VECTOR_PF, 0, "an interrupt through that page");
	ktap_check(trap_last()->cr2 == base + 16 * IRQ_TEST &&
		   lapic_read(LAPIC_ISR + IRQ_TEST / 32) & BIT(IRQ_TEST % 32), "it is in service");
	lapic_eoi();
	write_idtr(&old);
	irq_enable();
	mem_unmap(WINDOW_BASE);
}

/* The GDT moved likewise: a selector behind the first page gives #PF. */
static void delivery_moved_gdt(void)
{
	struct table_register old = read_gdtr(), moved = old;
	u64 gate;
	u32 vector;

	irq_disable();
	mem_map(WINDOW_BASE, old.base, PTE_P | PTE_W | PTE_NX);
	mem_unmap(WINDOW_BASE + PAGE_SIZE);
	moved.base = WINDOW_BASE;
	moved.limit = 0x1fff;
	write_gdtr(&moved);
	vector = try_insn(insn_ds, 0x1008);
	delivery_check(vector, VECTOR_PF, 0, "load of DS from a page that is not present");
	ktap_check(trap_last()->cr2 == WINDOW_BASE + 0x1008, "CR2 is the descriptor");
	gate = idt[2 * VECTOR_UD];
	idt[2 * VECTOR_UD] = (gate & ~0xffff0000ull) | 0x1008ull << 16;
	vector = try_insn(insn_ud2, 0);
	delivery_check(vector, VECTOR_PF, 0, "#UD to a code segment from there");
	idt[2 * VECTOR_UD] = gate;
	write_gdtr(&old);
	mem_unmap(WINDOW_BASE);
	irq_enable();
}

void test_delivery(void)
{
	u64 mark = mem_mark();
	u64 page = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));

	mem_map(WINDOW_BASE, page, 0);
	delivery_bad_stack();
	delivery_bad_gate();
	delivery_limit();
	delivery_moved_idt(page);
	delivery_moved_gdt();
	mem_release(mark);
}
