// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image that checks what a Multiboot image is given: registers, memory, interrupts,
 * the other CPUs. All must be the same when a boot loader starts it and when lhv
 * does, with core underneath or without.
 *
 * Command line: `core` if it runs on core, `cpus=N`, `waiting` if the other CPUs wait
 * for a start-up IPI, as after lhv.
 */
#include <linux/latch.h>
#include "second.h"

#define MULTIBOOT_LOADER	0x2badb002
#define MSR_FEATURE_CONTROL	0x3a
#define MSR_VMX_BASIC		0x480
#define COOKIE			0x5ec07d

void main(void);

bool on_core, aps_waiting;
uint32_t cpus_wanted = 1;
static uint32_t vmx_region[1024] __attribute__((aligned(4096)));

/* The compiler calls it, too. */
void *memcpy(void *to, const void *from, unsigned int size)
{
	void *at = to;

	asm volatile("rep movsb" : "+D" (at), "+S" (from), "+c" (size) : : "memory");
	return to;
}

static void cpuid(uint32_t leaf, uint32_t *r)
{
	asm volatile("cpuid" : "=a" (r[0]), "=b" (r[1]), "=c" (r[2]), "=d" (r[3])
		     : "0" (leaf), "2" (0));
}

/** trap_unexpected - an exception outside of trap() */
void trap_unexpected(uint32_t vector, uint32_t eip)
{
	print("Bail out! exception %u at 0x%x, or behind its error code\n", vector, eip);
	check(false, "no exception");
	check_end();
}

static void options(const char *p)
{
	while (*p) {
		if (!__builtin_memcmp(p, "core", 4))
			on_core = true;
		if (!__builtin_memcmp(p, "waiting", 7))
			aps_waiting = true;
		if (!__builtin_memcmp(p, "cpus=", 5))
			cpus_wanted = (uint32_t)(p[5] - '0');
		while (*p && *p++ != ' ')
			;
	}
}

static void test_entry(void)
{
	const struct entry_state *s = &entry_state;
	uint32_t i;

	check(s->eax == MULTIBOOT_LOADER && s->ebx, "entry: EAX is 0x%x", s->eax);
	check(!(s->eflags & 0x200), "entry: interrupts are off");
	check((s->cr0 & ~CR0_CD_NW) == (CR0_PE | CR0_ET), "entry: CR0 is 0x%x", s->cr0);
	check(!s->cr3 && !s->cr4 && !s->efer, "entry: CR3 is 0x%x, CR4 0x%x, EFER 0x%x", s->cr3,
	      s->cr4, s->efer);
	check(s->dr6 == 0xffff0ff0 && s->dr7 == 0x400, "entry: DR6 is 0x%x, DR7 0x%x", s->dr6,
	      s->dr7);
	check(s->idt_limit <= 0xffff && !s->idt_base, "entry: the IDT is at 0x%x", s->idt_base);
	for (i = 0; i < 6; i++)
		check(s->limit[i] == 0xffffffff && s->flat[i] == 0x5ec0d &&
		      (s->access[i] & 0xc0f800) == (i ? 0xc09000 : 0xc09800),
		      "entry: segment %u has limit 0x%x, rights 0x%x", i, s->limit[i],
		      s->access[i] & 0xc0f800);
}

/* What INIT does not reset and lhv uses */
static void test_msrs(void)
{
	static const uint32_t msrs[] = {
		0xc0000081, 0xc0000082, 0xc0000083, 0xc0000102, 0x174, 0x1d9,
	};
	uint32_t i;

	for (i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		check(!rdmsr(msrs[i]), "msr: 0x%x is 0", msrs[i]);
	check(rdmsr(0x277) == 0x0007040600070406ull, "msr: PAT is as after reset");
}

static void vmcall_ping(void)
{
	uint32_t nr = LATCH_HC_PING, cookie = COOKIE, cpu = ~0u, third = 0;

	asm volatile("vmcall" : "+a" (nr), "+D" (cookie), "+S" (cpu), "+d" (third) : : "memory");
	if (nr || cookie != COOKIE || cpu >= cpus_wanted)
		trap_vector = 0;
}

/** hypercall_ping - whether core answers; without handlers for faults on core only */
bool hypercall_ping(void)
{
	trap_vector = TRAP_NONE;
	vmcall_ping();
	return trap_vector == TRAP_NONE;
}

static void vmxon(void)
{
	uint64_t region = (uint32_t)vmx_region;
	bool fail;

	vmx_region[0] = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	asm volatile("vmxon %1" : "=@ccbe" (fail) : "m" (region) : "memory");
	if (fail) {
		trap_vector = 0;
		return;
	}
	asm volatile("vmxoff" : : : "memory");
}

/** vmx_works - VMX operation begins and ends; to be called with paging on */
bool vmx_works(void)
{
	uint32_t cr0 = read_cr0(), cr4 = read_cr4(), vector, r[4];

	cpuid(1, r);
	if (!(r[2] & 0x20))
		return false;
	write_cr0(cr0 | CR0_NE);
	write_cr4(cr4 | CR4_VMXE);
	vector = trap(vmxon);
	write_cr4(cr4);
	write_cr0(cr0);
	return vector == TRAP_NONE;
}

static void test_vmx(void)
{
	uint32_t r[4], vector, cr0 = read_cr0();

	cpuid(1, r);
	if (!check(r[2] & 0x20, "vmx: CPUID shows it, features 0x%x 0x%x", r[2], r[3]))
		return;
	if (!(rdmsr(MSR_FEATURE_CONTROL) & 1))
		wrmsr(MSR_FEATURE_CONTROL, 5);
	vector = trap(vmcall_ping);
	if (on_core)
		check(vector == TRAP_NONE, "core: it answers a hypercall");
	else
		check(vector == VECTOR_UD, "bare: nobody answers a hypercall");
	/* CR0.NE and PG must be 1 for it. */
	check(trap(vmxon) == VECTOR_UD, "vmx: VMXON without CR4.VMXE gives #UD");
	write_cr4(CR4_VMXE);
	check(trap(vmxon) == 13, "vmx: VMXON without paging gives #GP");
	write_cr4(0);
	check(read_cr0() == cr0, "vmx: CR0 is as before");
}

void main(void)
{
	const uint32_t *info = (const uint32_t *)entry_state.ebx;
	uint32_t r[4];

	print("KTAP version 1\n");
	if (info[0] & 4)
		options((const char *)info[4]);
	test_entry();
	cpuid(0, r);
	check(r[0] > 1, "cpuid: %u leaves", r[0]);
	test_msrs();
	test_memory(info);
	test_vmx();
	test_interrupts();
	test_paging();
	test_smp();
	check_end();
}
