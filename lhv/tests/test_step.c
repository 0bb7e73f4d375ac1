// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug exceptions and shadows around instructions that exit: single steps, the
 * shadows of STI and MOV SS, breakpoints. Hypervisors get these wrong.
 */
#include "tests.h"

#define MAX_STEPS	24
#define DR6_BS		BIT(14)
#define DR6_BD		BIT(13)
#define DR6_INIT	0xffff0ff0ull
#define DR7_INIT	0x400ull

static struct {
	u64 base;
	u32 count;
	u32 offset[MAX_STEPS];
	u64 dr6[MAX_STEPS];
} steps;

static bool step_hook(struct regs *regs)
{
	if (steps.count < MAX_STEPS) {
		steps.offset[steps.count] = (u32)(regs->rip - steps.base);
		steps.dr6[steps.count] = read_dr6();
	}
	steps.count++;
	write_dr6(DR6_INIT);
	/* An instruction breakpoint would come again. */
	regs->rflags |= RFLAGS_RF;
	return true;
}

/*
 * Code between TF on and TF off. The trap comes behind each instruction, the
 * last one behind the POPF that clears TF: so three more than those of the body.
 */
#define STEP_CODE(name, body) \
	extern const char name[], name##_body[]; \
	asm(".pushsection .text\n\t.balign 16\n" #name ":\n\t" \
	    "pushq %rbx\n\tmovl $0x3a, %ecx\n\txorl %eax, %eax\n\t" \
	    "pushfq\n\torq $0x100, (%rsp)\n\tpopfq\n" \
	    #name "_body:\n\t" body "\n\t" \
	    "pushfq\n\tandq $~0x100, (%rsp)\n\tpopfq\n\tpopq %rbx\n\tret\n\t.popsection")

STEP_CODE(step_nops, "nop\n\tnop\n\tnop");
STEP_CODE(step_cpuid, "nop\n\tcpuid\n\tnop");
STEP_CODE(step_cpuid_twice, "cpuid\n\tcpuid");
STEP_CODE(step_rdmsr, "nop\n\trdmsr\n\tnop");
STEP_CODE(step_wrmsr, "movl $0x277, %ecx\n\trdmsr\n\twrmsr\n\tnop");
STEP_CODE(step_xsetbv, "xorl %ecx, %ecx\n\txgetbv\n\txsetbv\n\tnop");
STEP_CODE(step_wbinvd, "wbinvd\n\tnop");
STEP_CODE(step_cr0, "movq %cr0, %rax\n\tmovq %rax, %cr0\n\tnop");
STEP_CODE(step_cr3, "movq %cr3, %rax\n\tmovq %rax, %cr3\n\tnop");
STEP_CODE(step_cr4, "movq %cr4, %rax\n\tmovq %rax, %cr4\n\tnop");
STEP_CODE(step_rdtsc, "rdtsc\n\tnop");
STEP_CODE(step_mov_ss, "movl %ss, %edx\n\tmovw %dx, %ss\n\tnop\n\tnop");
STEP_CODE(step_mov_ss_cpuid, "movl %ss, %edx\n\tmovw %dx, %ss\n\tcpuid\n\tnop");
STEP_CODE(step_mov_ss_rdmsr, "movl %ss, %edx\n\tmovw %dx, %ss\n\trdmsr\n\tnop");
STEP_CODE(step_sti_cpuid, "sti\n\tcpuid\n\tnop");

static void step_run(const char *code, const char *body, const u32 *expected, u32 count,
		     const char *name)
{
	u32 length = expected[count - 1], i;
	bool good;

	memset(&steps, 0, sizeof(steps));
	steps.base = ADDR(body);
	write_dr6(DR6_INIT);
	idt_set_hook(VECTOR_DB, step_hook);
	good = try_insn(code, 0) == TRAP_NONE;
	idt_set_hook(VECTOR_DB, NULL);
	good = good && steps.count == count + 3 && steps.offset[count] == length + 1 &&
	       steps.offset[count + 1] == length + 9 && steps.offset[count + 2] == length + 10;
	for (i = 0; i < count && i < MAX_STEPS; i++)
		good = good && steps.offset[i] == expected[i];
	for (i = 0; i < steps.count && i < MAX_STEPS; i++)
		good = good && steps.dr6[i] == (DR6_INIT | DR6_BS);
	ktap_check(good, "single steps over %s: %u, first at %u %u %u %u, DR6 0x%llx", name,
		   steps.count, steps.offset[0], steps.offset[1], steps.offset[2],
		   steps.offset[3], steps.dr6[0]);
}

#define STEP_RUN(code, name, ...) do { \
	static const u32 expected_[] = { __VA_ARGS__ }; \
	step_run(code, code##_body, expected_, ARRAY_SIZE(expected_), name); \
} while (0)

static void step_single(void)
{
	bool xsave = read_cr4() & CR4_OSXSAVE;

	STEP_RUN(step_nops, "NOP", 1, 2, 3);
	STEP_RUN(step_cpuid, "CPUID", 1, 3, 4);
	STEP_RUN(step_cpuid_twice, "CPUID twice", 2, 4);
	STEP_RUN(step_rdmsr, "RDMSR", 1, 3, 4);
	STEP_RUN(step_wrmsr, "WRMSR", 5, 7, 9, 10);
	if (xsave)
		STEP_RUN(step_xsetbv, "XSETBV", 2, 5, 8, 9);
	STEP_RUN(step_wbinvd, "WBINVD", 2, 3);
	STEP_RUN(step_cr0, "MOV to CR0", 3, 6, 7);
	STEP_RUN(step_cr3, "MOV to CR3", 3, 6, 7);
	STEP_RUN(step_cr4, "MOV to CR4", 3, 6, 7);
	STEP_RUN(step_rdtsc, "RDTSC", 2, 3);
	STEP_RUN(step_mov_ss, "MOV SS", 2, 5, 6);
	STEP_RUN(step_mov_ss_cpuid, "MOV SS and CPUID", 2, 6, 7);
	STEP_RUN(step_mov_ss_rdmsr, "MOV SS and RDMSR", 2, 6, 7);
	STEP_RUN(step_sti_cpuid, "STI and CPUID", 1, 3, 4);
}

/* --- shadows: where does an interrupt come that is pending? */

static u64 irq_rip;

static void shadow_irq(struct regs *regs)
{
	irq_rip = regs->rip;
	lapic_eoi();
}

#define SHADOW_CODE(name, body) \
	extern const char name[], name##_body[]; \
	asm(".pushsection .text\n\t.balign 16\n" #name ":\n\t" \
	    "pushq %rbx\n\txorl %eax, %eax\n\txorl %ecx, %ecx\n\tmovl %ss, %edx\n" \
	    #name "_body:\n\t" body "\n\tnop\n\tnop\n\tcli\n\tpopq %rbx\n\tret\n\t.popsection")

SHADOW_CODE(shadow_nop, "sti\n\tnop");
SHADOW_CODE(shadow_cpuid, "sti\n\tcpuid");
SHADOW_CODE(shadow_rdmsr, "movl $0x3a, %ecx\n\tsti\n\trdmsr");
SHADOW_CODE(shadow_xsetbv, "xgetbv\n\tsti\n\txsetbv");
SHADOW_CODE(shadow_cr0, "movq %cr0, %rax\n\tsti\n\tmovq %rax, %cr0");
SHADOW_CODE(shadow_wbinvd, "sti\n\twbinvd");
SHADOW_CODE(shadow_popf, "pushfq\n\torq $0x200, (%rsp)\n\tpopfq");
SHADOW_CODE(shadow_hlt, "sti\n\thlt");

static void shadow_run(const char *code, const char *body, u32 expected, const char *name)
{
	irq_disable();
	irq_rip = 0;
	irq_set_handler(IRQ_TEST, shadow_irq);
	lapic_ipi(this_cpu()->apic_id, ICR_ASSERT | IRQ_TEST);
	try_insn(code, 0);
	irq_enable();
	ktap_check(irq_rip - ADDR(body) == expected, "pending interrupt with %s: at %llu", name,
		   irq_rip - ADDR(body));
}

static void step_shadows(void)
{
	shadow_run(shadow_nop, shadow_nop_body, 2, "STI and NOP");
	shadow_run(shadow_cpuid, shadow_cpuid_body, 3, "STI and CPUID");
	shadow_run(shadow_rdmsr, shadow_rdmsr_body, 8, "STI and RDMSR");
	if (read_cr4() & CR4_OSXSAVE)
		shadow_run(shadow_xsetbv, shadow_xsetbv_body, 7, "STI and XSETBV");
	shadow_run(shadow_cr0, shadow_cr0_body, 7, "STI and MOV to CR0");
	shadow_run(shadow_wbinvd, shadow_wbinvd_body, 3, "STI and WBINVD");
	shadow_run(shadow_popf, shadow_popf_body, 10, "POPF");
	shadow_run(shadow_hlt, shadow_hlt_body, 2, "STI and HLT");
}

/* --- breakpoints */

static u64 watched;

SHADOW_CODE(break_nop, "nop\n\tnop\n\tnop");
SHADOW_CODE(break_cpuid, "nop\n\tcpuid\n\tnop");
INSN(break_data, "nop\n\tmovq %rax, (%rdi)\n\tnop");
/* POPQ (%rdi) in the shadow of MOV SS; CPUID is next: the trap comes before it. */
INSN(break_data_cpuid, "pushq %rbx\n\tmovq %rax, (%rdi)\n\tcpuid\n\tpopq %rbx");
INSN(break_ss_cpuid, "pushq %rbx\n\tmovl %ss, %ecx\n\tmovl %ecx, (%rdi)\n\tnop\n\t"
	"movw (%rdi), %ss\n\tcpuid\n\tnop\n\tpopq %rbx");
INSN(insn_read_dr0, "movq %dr0, %rax");

static void break_run(const char *code, u64 arg, u64 base, u64 dr0, u64 dr7, u32 count, u32 offset,
		      u64 dr6, const char *name)
{
	u32 vector;

	memset(&steps, 0, sizeof(steps));
	steps.base = base;
	write_dr6(DR6_INIT);
	asm volatile("movq %0, %%dr0" : : "r" (dr0));
	idt_set_hook(VECTOR_DB, step_hook);
	write_dr7(DR7_INIT | dr7);
	vector = try_insn(code, arg);
	write_dr7(DR7_INIT);
	idt_set_hook(VECTOR_DB, NULL);
	ktap_check(vector == TRAP_NONE && steps.count == count && steps.offset[0] == offset &&
		   steps.dr6[0] == dr6, "breakpoint %s: %u at %u, DR6 0x%llx", name, steps.count,
		   steps.offset[0], steps.dr6[0]);
}

static bool dr_hook(struct regs *regs)
{
	steps.count++;
	steps.dr6[0] = read_dr6();
	steps.dr6[1] = read_dr7();
	steps.base = regs->rip;
	write_dr6(DR6_INIT);
	return true;
}

static void break_general_detect(void)
{
	memset(&steps, 0, sizeof(steps));
	write_dr6(DR6_INIT);
	idt_set_hook(VECTOR_DB, dr_hook);
	write_dr7(DR7_INIT | BIT(13));
	/* The handler runs with GD clear, so the access succeeds the second time. */
	try_insn(insn_read_dr0, 0);
	write_dr7(DR7_INIT);
	idt_set_hook(VECTOR_DB, NULL);
	ktap_check(steps.count == 1 && steps.dr6[0] == (DR6_INIT | DR6_BD) &&
		   steps.dr6[1] == DR7_INIT && steps.base == ADDR(insn_read_dr0),
		   "DR7.GD: #DB before MOV from DR0");
}

/* Bochs 3.0 loops at a code breakpoint when it has more than one CPU. */
static void step_code_breakpoints(void)
{
	u64 body = ADDR(break_cpuid_body);

	break_run(break_nop, 0, ADDR(break_nop_body), ADDR(break_nop_body) + 1, 2, 1, 1,
		  DR6_INIT | 1, "at NOP");
	break_run(break_cpuid, 0, body, body + 1, 2, 1, 1, DR6_INIT | 1, "at CPUID");
	break_run(break_cpuid, 0, body, body + 3, 2, 1, 3, DR6_INIT | 1, "behind CPUID");
}

static void step_breakpoints(void)
{
	u64 data = ADDR(&watched);

	if (nr_cpus == 1)
		step_code_breakpoints();
	else
		ktap_skip("several CPUs");
	break_run(break_data, data, ADDR(break_data), data, 2 | 0xd0000, 1, 4, DR6_INIT | 1,
		  "for a store");
	break_run(break_data_cpuid, data, ADDR(break_data_cpuid), data, 2 | 0xd0000, 1, 4,
		  DR6_INIT | 1, "for a store before CPUID");
	/* On read and write, 4 bytes: once for the store, once for the load of SS. */
	break_run(break_ss_cpuid, data, ADDR(break_ss_cpuid), data, 2 | 0xf0000, 2, 5, DR6_INIT | 1,
		  "for a load of SS before CPUID");
	ktap_check(steps.offset[1] == 10,
		   "the load of SS: #DB behind CPUID, at %u", steps.offset[1]);
	break_general_detect();
}

void test_step(void)
{
	step_single();
	step_shadows();
	step_breakpoints();
}
