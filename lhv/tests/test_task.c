// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware task switches, in 32-bit paging: by JMP, CALL and IRET, by a task gate
 * with and without an error code, to 32-bit and 16-bit tasks, and their faults.
 */
#include "modes.h"
#include "tests.h"

#define SEL_A		(SEL_TEST + 0x00)	/* the task that mode32_call() becomes */
#define SEL_B		(SEL_TEST + 0x08)
#define SEL_B16		(SEL_TEST + 0x10)
#define GATE		30
#define LOW_CODE	0x9e00
#define MARK		0x1234567u
#define TSS_AVAILABLE	0x89
#define TSS16_AVAILABLE	0x81
#define TSS_BUSY	2
#define EFLAGS_NT	0x4000
#define DR6_BT		BIT(15)
#define NR_STACK	1024
#define VECTOR_DB	1
#define VECTOR_TS	10
#define VECTOR_NP	11

extern u64 mode32_idt[32];

/* What the tasks tell; the code below has these offsets. */
struct task_notes {
	u32 mark, tr, eflags, error, tss_a, cr0;
};

struct tss32 {
	u32 link, stacks[6], cr3, eip, eflags, gpr[8], sel[6], ldt;
	u16 trap, iomap;
};

#define CODE32(name, text) \
	extern const char name[]; \
	asm(".pushsection .text\n\t.balign 16\n\t.code32\n" #name ":\n\t" text \
	    "\n\tret\n\t.code64\n\t.popsection")

/* Task A. EAX: TR behind the switch, EBX: EFLAGS, ECX: CR0, EDX and ESI: kept? */
#define TASK_A(name, text) \
	CODE32(name, "movl $0x70, %eax\n\tltr %ax\n\tmovl $0x1111, %edx\n\tmovl $0x2222, %esi\n\t" \
	       text "\n\txorl %eax, %eax\n\tstr %ax\n\tpushfl\n\tpopl %ebx\n\t" \
	       "movl %cr0, %ecx\n\tclts")
TASK_A(code_jmp, "ljmpl $0x78, $0");
TASK_A(code_jmp16, "ljmpl $0x80, $0");
TASK_A(code_call, "lcall $0x78, $0");
TASK_A(code_int, "int $30");
TASK_A(code_fault, "movl $0xfff8, %eax\n\tmovw %ax, %fs");

/* Task B: note what it finds, and back. */
#define TASK_B(name, text) \
	CODE32(name, "movl $0x1234567, (%edi)\n\tstr 4(%edi)\n\tpushfl\n\tpopl 8(%edi)\n\t" \
	       "movl %cr0, %eax\n\tmovl %eax, 20(%edi)\n\tmovl $0xbad, %edx\n\t" text)
TASK_B(task_jmp, "ljmpl $0x70, $0");
TASK_B(task_iret, "iretl");
TASK_B(task_error, "popl 12(%edi)\n\tmovl 16(%edi), %eax\n\taddl $2, 0x20(%eax)\n\tiretl");

static struct task {
	struct task_notes notes;
	struct tss32 a, b;
	u16 b16[24];
	u32 stack[NR_STACK];
	u32 *directory;
} *task;

static u64 *desc(u32 selector)
{
	return (u64 *)PTR(read_gdtr().base) + selector / 8;
}

static u8 desc_type(u32 selector)
{
	return (u8)(*desc(selector) >> 40);
}

static void task_prepare(const char *code)
{
	u32 i;

	memset(&task->notes, 0, sizeof(task->notes));
	memset(&task->a, 0, sizeof(task->a));
	task->notes.tss_a = (u32)ADDR(&task->a);
	task->a.cr3 = (u32)ADDR(task->directory);
	task->b = (struct tss32) {
		.cr3 = (u32)ADDR(task->directory), .eip = (u32)ADDR(code), .eflags = 2,
		.iomap = sizeof(struct tss32),
	};
	for (i = 0; i < 6; i++)
		task->b.sel[i] = SEL_KDATA;
	task->b.sel[1] = SEL_KCODE32;
	task->b.gpr[4] = (u32)ADDR(task->stack + NR_STACK);
	task->b.gpr[7] = (u32)ADDR(&task->notes);
	*desc(SEL_A) = gdt_descriptor((u32)ADDR(&task->a), sizeof(task->a) - 1, TSS_AVAILABLE);
	*desc(SEL_B) = gdt_descriptor((u32)ADDR(&task->b), sizeof(task->b) - 1, TSS_AVAILABLE);
	*desc(SEL_B16) = gdt_descriptor((u32)ADDR(task->b16), 0x2b, TSS16_AVAILABLE);
}

/* TR is a task of the test's then: the way back needs the CPU's own. */
static struct mode32 task_run(const char *code)
{
	struct mode32 mode = {
		.cr3 = (u32)ADDR(task->directory), .cr4 = CR4_PSE | CR4_OSFXSR,
		.fn = (u32)ADDR(code), .arg = (u32)ADDR(&task->notes),
	};

	u64 fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);

	irq_disable();
	mode32_call(&mode);
	asm volatile("mov %w0, %%fs\n\tmov %w0, %%gs" : : "r" (SEL_UDATA));
	wrmsr(MSR_FS_BASE, fs);
	wrmsr(MSR_GS_BASE, gs);
	write_cr0(read_cr0() & ~(u64)CR0_TS);
	*desc(SEL_TSS) &= ~((u64)TSS_BUSY << 40);
	asm volatile("ltr %w0" : : "r" (SEL_TSS));
	asm volatile("lldt %w0" : : "r" (SEL_LDT));
	irq_enable();
	return mode;
}

static void task_check(const struct mode32 *m, const char *name)
{
	ktap_check(m->vector == TRAP_NONE && task->notes.mark == MARK &&
		   m->result[0] == SEL_A && m->result[3] == 0x1111 && m->result[4] == 0x2222,
		   "%s: there and back", name);
	ktap_check(task->notes.tr == SEL_B && task->notes.cr0 & CR0_TS && m->result[2] & CR0_TS,
		   "%s: TR 0x%x, CR0.TS is set", name, task->notes.tr);
	ktap_check(desc_type(SEL_A) == (TSS_AVAILABLE | TSS_BUSY) &&
		   desc_type(SEL_B) == TSS_AVAILABLE, "%s: busy bits", name);
}

static void task_nested(const struct mode32 *m, const char *name)
{
	task_check(m, name);
	ktap_check(task->b.link == SEL_A && task->notes.eflags & EFLAGS_NT &&
		   !(task->b.eflags & EFLAGS_NT) && !(m->result[1] & EFLAGS_NT),
		   "%s: link and NT", name);
	ktap_check(task->b.gpr[2] == 0xbad && task->b.sel[1] == SEL_KCODE32 &&
		   task->a.gpr[2] == 0x1111 && task->a.sel[2] == SEL_KDATA,
		   "%s: both TSSs have their registers", name);
}

static void task_gates(void)
{
	u64 gp = mode32_idt[13], gate = (u64)SEL_B << 16 | 0x85ull << 40;
	struct mode32 m;

	mode32_idt[GATE] = gate;
	task_prepare(task_iret);
	m = task_run(code_int);
	task_nested(&m, "task gate, INT");
	mode32_idt[13] = gate;
	task_prepare(task_error);
	m = task_run(code_fault);
	mode32_idt[13] = gp;
	task_nested(&m, "task gate, #GP");
	ktap_check(task->notes.error == 0xfff8, "task gate, #GP: error code 0x%x",
		   task->notes.error);
}

/* movl $MARK, notes.mark; ljmp SEL_A: below 64 KiB, as IP has 16 bits */
static void task_16bit(void)
{
	u8 code[] = { 0xc7, 0x05, 0, 0, 0, 0, 0x67, 0x45, 0x23, 0x01, 0xea, 0, 0, 0, 0,
		      SEL_A, 0 };
	u32 mark = (u32)ADDR(&task->notes.mark), i;
	struct mode32 m;

	memcpy(code + 2, &mark, 4);
	memcpy(PTR(LOW_CODE), code, sizeof(code));
	task_prepare(task_jmp);
	memset(task->b16, 0, sizeof(task->b16));
	task->b16[7] = LOW_CODE;
	task->b16[8] = 2;
	for (i = 0; i < 4; i++)
		task->b16[17 + i] = i == 1 ? SEL_KCODE32 : SEL_KDATA;
	m = task_run(code_jmp16);
	ktap_check(m.vector == TRAP_NONE && task->notes.mark == MARK && m.result[0] == SEL_A &&
		   m.result[3] == 0x1111, "16-bit TSS: there and back");
	ktap_check(desc_type(SEL_B16) == TSS16_AVAILABLE && task->b16[7] == LOW_CODE + sizeof(code),
		   "16-bit TSS: its IP is kept");
}

static void task_fault(u32 vector, u32 error, const char *name)
{
	struct mode32 m = task_run(code_jmp);

	ktap_check(m.vector == vector && m.error == error && !task->notes.mark,
		   "%s: vector %u, error 0x%x", name, m.vector, m.error);
}

static void task_faults(void)
{
	task_prepare(task_jmp);
	*desc(SEL_B) &= ~(0x80ull << 40);
	task_fault(VECTOR_NP, SEL_B, "TSS not present");
	task_prepare(task_jmp);
	*desc(SEL_B) |= (u64)TSS_BUSY << 40;
	task_fault(VECTOR_GP, SEL_B, "JMP to a busy task");
	task_prepare(task_jmp);
	*desc(SEL_B) = gdt_descriptor((u32)ADDR(&task->b), 0x66, TSS_AVAILABLE);
	task_fault(VECTOR_TS, SEL_B, "TSS too small");
	task_prepare(task_jmp);
	task->b.sel[3] = 0xfff8;
	task_fault(VECTOR_TS, 0xfff8, "DS is outside of the GDT");
	task_prepare(task_jmp);
	task->b.sel[0] = SEL_TSS;
	task_fault(VECTOR_TS, SEL_TSS, "ES is a system segment");
}

static void task_trap(void)
{
	struct mode32 m;
	u64 dr6;

	task_prepare(task_jmp);
	task->b.trap = 1;
	write_dr6(0xffff0ff0);
	m = task_run(code_jmp);
	dr6 = read_dr6();
	write_dr6(0xffff0ff0);
	ktap_check(m.vector == VECTOR_DB && dr6 & DR6_BT && !task->notes.mark,
		   "T flag: #DB before the first instruction, DR6 0x%llx", dr6);
}

void test_task(void)
{
	u64 mark = mem_mark();
	struct mode32 m;
	u32 i;

	mode32_init();
	task = mem_alloc(sizeof(*task), PAGE_SIZE);
	task->directory = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < 64; i++)
		task->directory[i] = i << 22 | PTE_P | PTE_W | PTE_PS;
	task_prepare(task_jmp);
	m = task_run(code_jmp);
	task_check(&m, "JMP");
	task_prepare(task_iret);
	m = task_run(code_call);
	task_nested(&m, "CALL, IRET");
	task_gates();
	task_16bit();
	task_faults();
	task_trap();
	for (i = SEL_A; i <= SEL_B16; i += 8)
		*desc(i) = 0;
	mem_release(mark);
}
