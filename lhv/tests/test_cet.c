// SPDX-License-Identifier: GPL-2.0-only
/*
 * CET: lhv itself with a shadow stack and with indirect-branch tracking. With core underneath
 * some of what it does here exits, and a #GP is one that core injects.
 */
#include "tests.h"

#define MSR_PL0_SSP	0x6a4
#define CET_ENDBRANCH	BIT(2)
#define APIC_BASE_BAD	BIT(63)
#define SHADOW_VA	WINDOW_BASE
#define TOP		511	/* index of the token */

/* void cet_shadow_call(call_fn fn, void *arg): with the shadow stack of IA32_PL0_SSP */
INSN(cet_shadow_call, "pushq %rbx\n\tmovq %rdi, %rbx\n\t"
	"movl $0x6a2, %ecx\n\tmovl $1, %eax\n\txorl %edx, %edx\n\twrmsr\n\t"
	"setssbsy\n\tmovq %rsi, %rdi\n\tcall *%rbx\n\t"
	"movl $0x6a2, %ecx\n\txorl %eax, %eax\n\txorl %edx, %edx\n\twrmsr\n\t"
	"popq %rbx");

/* Exits behind the landing; stores IA32_S_CET as it is there, and puts it off again */
INSN(cet_landing, "pushq %rbx\n\tmovl $4, %eax\n\txorl %edx, %edx\n\tmovl $0x6a2, %ecx\n\twrmsr\n\t"
	"leaq 1f(%rip), %rax\n\tjmp *%rax\n1:\tendbr64\n\txorl %eax, %eax\n\tcpuid\n\t"
	"movl $0x6a2, %ecx\n\trdmsr\n\tmovl %eax, (%rdi)\n\txorl %eax, %eax\n\twrmsr\n\tpopq %rbx");

struct shadow {
	u64 before, after, handled, base;
};

static struct shadow shadow;

static u64 read_ssp(void)
{
	u64 ssp = 0;

	asm volatile("rdsspq %0" : "+r" (ssp));
	return ssp;
}

/* WRMSR is executed again, with what is right. */
static bool gp_hook(struct regs *regs)
{
	regs->rax = (u32)shadow.base;
	regs->rdx = shadow.base >> 32;
	shadow.handled++;
	return true;
}

static void with_shadow(void *arg)
{
	(void)arg;
	shadow.before = read_ssp();
	cpuid(0, 0);
	wrmsr(MSR_APIC_BASE, shadow.base);
	wrmsr(MSR_APIC_BASE, shadow.base | APIC_BASE_BAD);
	cpuid(0, 0);
	shadow.after = read_ssp();
}

static void cet_shadow_stack(void)
{
	u64 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE), top = SHADOW_VA + TOP * sizeof(u64);
	void (*call)(call_fn fn, void *arg) = (void *)cet_shadow_call;

	mem_map(SHADOW_VA, ADDR(page), PTE_P | PTE_A | PTE_D | PTE_NX);
	page[TOP] = top;
	wrmsr(MSR_PL0_SSP, top);
	shadow = (struct shadow) { .base = rdmsr(MSR_APIC_BASE) };
	idt_set_hook(VECTOR_GP, gp_hook);
	call(with_shadow, NULL);
	idt_set_hook(VECTOR_GP, NULL);
	ktap_check(shadow.before == top - 8 && shadow.after == top - 8, "SSP %llx, and then %llx",
		   shadow.before, shadow.after);
	ktap_check(shadow.handled == 1 && rdmsr(MSR_APIC_BASE) == shadow.base,
		   "#GP on a shadow stack: %llu", shadow.handled);
	ktap_check(page[TOP] == (top | 1), "the token is busy");
	wrmsr(MSR_PL0_SSP, 0);
	mem_unmap(SHADOW_VA);
}

static void cet_endbranch(void)
{
	u32 s_cet = 0;

	ktap_check(try_insn(cet_landing, ADDR(&s_cet)) == TRAP_NONE && s_cet == CET_ENDBRANCH,
		   "ENDBR64: IA32_S_CET %x", s_cet);
}

void test_cet(void)
{
	u64 cr4 = read_cr4();

	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ecx & BIT(7)) || !(cpuid(7, 0).edx & BIT(20))) {
		ktap_skip("no CET");
		return;
	}
	irq_disable();
	write_cr4(cr4 | CR4_CET);
	cet_shadow_stack();
	cet_endbranch();
	write_cr4(cr4);
	irq_enable();
}
