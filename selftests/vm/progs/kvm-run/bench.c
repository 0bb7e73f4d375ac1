// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit and the way back takes, in ticks of the TSC as the guest sees them:
 * lines "# ticks NAME N", the least and the mean of many. On an emulator that counts
 * instructions a tick is one.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "vm.h"

#define COUNT		100
#define MSR_PLATFORM	0xce
#define MSR_TSC_ADJUST	0x3b

enum {
	NOTHING, CPUID, RDMSR, WRMSR, VMCALL, IO_KERNEL, MMIO_KERNEL, IO_USER, MMIO_USER, EPT_VIOLATION,
	HALT, SELF_IPI, NR_KINDS
};

static const char *const names[] = {
	"nothing", "cpuid", "rdmsr", "wrmsr", "vmcall", "io-kernel", "mmio-kernel", "io-user", "mmio-user",
	"ept-violation", "halt", "self-ipi",
};

struct ticks {
	uint64_t least, sum;
};

static volatile struct ticks ticks[NR_KINDS];
static volatile uint64_t count;

static void handle(struct trap *trap)
{
	(void)trap;
	count++;
	apic_write(APIC_EOI, 0);
}

static inline __attribute__((always_inline)) void once(int kind, int number)
{
	uint32_t out[4];
	int64_t result;

	switch (kind) {
	case CPUID:
		cpuid(0, 0, out);
		break;
	case RDMSR:
		rdmsr(MSR_PLATFORM);
		break;
	case WRMSR:
		wrmsr(MSR_TSC_ADJUST, 0);
		break;
	case VMCALL:
		__asm__ volatile("vmcall" : "=a" (result) : "a" (99), "b" (0), "c" (0), "d" (0), "S" (0)
				 : "memory");
		break;
	case IO_KERNEL:
		inb(0x21);
		break;
	case MMIO_KERNEL:
		(void)*(volatile uint32_t *)0xfec00000;
		break;
	case IO_USER:
		outb(0x80, 0);
		break;
	case MMIO_USER:
		*(volatile uint32_t *)HOLE = 1;
		break;
	case EPT_VIOLATION:
		(void)*(volatile uint8_t *)(SLOT_BASE + number * PAGE_SIZE);
		break;
	case HALT:
		/* with an interrupt that is there already, and not taken */
		apic_icr(0, ICR_SELF | ICR_ASSERT | 0x40);
		irq_on_and_halt();
		irq_off();
		break;
	case SELF_IPI:
		apic_icr(0, ICR_SELF | ICR_ASSERT | 0x40);
		irq_on();
		relax();
		irq_off();
		break;
	}
}

static inline __attribute__((always_inline)) void measure(int kind)
{
	uint64_t before, now, least = -1ull, sum = 0;

	for (int i = 0; i < COUNT; i++) {
		before = rdtsc();
		once(kind, i);
		now = rdtsc() - before;
		least = now < least ? now : least;
		sum += now;
	}
	ticks[kind].least = least;
	ticks[kind].sum = sum;
}

static void guest_bench(void)
{
	trap_handlers[0x40] = handle;
	apic_enable();
	measure(NOTHING);
	measure(CPUID);
	measure(RDMSR);
	measure(WRMSR);
	measure(VMCALL);
	measure(IO_KERNEL);
	measure(MMIO_KERNEL);
	measure(IO_USER);
	measure(MMIO_USER);
	measure(EPT_VIOLATION);
	measure(HALT);
	measure(SELF_IPI);
	guest_sync(1);
}

static bool run_to_sync(struct vcpu *vcpu)
{
	do {
		vcpu_run(vcpu);
	} while (vcpu->run->exit_reason == KVM_EXIT_MMIO || vcpu_is_io(vcpu, KVM_EXIT_IO_OUT, 0x80, 1, 1));
	return vcpu_is_io(vcpu, KVM_EXIT_IO_OUT, PORT_SYNC, 4, 1);
}

void subject_bench(void)
{
	void *memory = anonymous(COUNT * PAGE_SIZE);
	const volatile struct ticks *result;
	struct vcpu vcpu;
	struct vm vm;

	madvise(memory, COUNT * PAGE_SIZE, MADV_NOHUGEPAGE);
	memset(memory, 1, COUNT * PAGE_SIZE);
	vm_create(&vm, VM_IRQCHIP);
	vm_slot(&vm, 1, SLOT_BASE, memory, COUNT * PAGE_SIZE, 0);
	vcpu_create(&vcpu, &vm, guest_bench);
	check(run_to_sync(&vcpu), "all is measured");
	for (int i = 0; i < NR_KINDS; i++) {
		result = &GUEST(&vm, ticks[i]);
		note("ticks %s %llu least, %llu mean", names[i], (unsigned long long)result->least,
		     (unsigned long long)result->sum / COUNT);
	}
	check(GUEST(&vm, count) == 2 * COUNT, "each interrupt came");
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(memory, COUNT * PAGE_SIZE);
}
