// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: CPUs, each in a thread, and the ports that they use. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot.h"

#define MAX_CPUID		128
#define CPUID_VMX		(1u << 5)
#define CPUID_DEADLINE		(1u << 24)
#define CPUID_HYPERVISOR	(1u << 31)
#define CPUID_HTT		(1u << 28)
#define MSR_FEATURE_CONTROL	0x3a
#define FEATURE_LOCKED		(1u << 0)
#define FEATURE_VMX		(1u << 2)
#define MSR_MTRR_DEFAULT	0x2ff
#define MTRR_ENABLED		(1u << 11)
#define MTRR_WB			6

#define CR0_PROTECTED		0x11		/* ET, PE */
#define CR0_PG			(1ul << 31)
#define CR4_PAE			0x20
#define EFER_LONG		0x500		/* LMA, LME */

struct cpu {
	struct machine *machine;
	int number, fd;
	struct kvm_run *run;
	unsigned long exits;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t ended;
static int answer = -1;
/* a test in a test, as KTAP has it */
static struct lines text = { .prefix = "    " };

/* Each CPU is a package of its own, which needs the fewest leaves. */
static void change_leaf(struct kvm_cpuid_entry2 *entry, struct cpu *cpu)
{
	switch (entry->function) {
	case 1:
		entry->ebx = (entry->ebx & 0xffff) | 1 << 16 | cpu->number << 24;
		entry->ecx |= CPUID_HYPERVISOR | CPUID_DEADLINE;
		if (!cpu->machine->has_vmx)
			entry->ecx &= ~CPUID_VMX;
		entry->edx &= ~CPUID_HTT;
		break;
	case 4:
		entry->eax &= 0x3fff;
		break;
	case 0xb:
	case 0x1f:
		entry->eax = entry->ebx = entry->ecx = 0;
		entry->edx = cpu->number;
		break;
	}
}

static void set_cpuid(struct cpu *cpu, int kvm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MAX_CPUID];
	} table;

	memset(&table, 0, sizeof(table));
	table.head.nent = MAX_CPUID;
	XIOCTL(kvm, KVM_GET_SUPPORTED_CPUID, &table);
	for (unsigned int i = 0; i < table.head.nent; i++)
		change_leaf(&table.entries[i], cpu);
	XIOCTL(cpu->fd, KVM_SET_CPUID2, &table);
}

/* As firmware does. */
static void set_up_vmx(struct cpu *cpu)
{
	set_msr(cpu->fd, MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX);
	set_msr(cpu->fd, MSR_MTRR_DEFAULT, MTRR_ENABLED | MTRR_WB);
}

static void enter_kernel(struct cpu *cpu)
{
	struct kvm_sregs sregs;

	XIOCTL(cpu->fd, KVM_GET_SREGS, &sregs);
	set_segment(&sregs.cs, 0x10, 11, cpu->machine->is_long);
	set_segment(&sregs.ds, 0x18, 3, false);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 31;
	sregs.cr0 = CR0_PROTECTED;
	if (cpu->machine->is_long) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = TABLES;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LONG;
	}
	XIOCTL(cpu->fd, KVM_SET_SREGS, &sregs);
	XIOCTL(cpu->fd, KVM_SET_REGS, &cpu->machine->regs);
}

static void make_cpu(struct cpu *cpu, struct machine *machine, int number)
{
	int kvm = open("/dev/kvm", O_RDWR);

	cpu->machine = machine;
	cpu->number = number;
	cpu->fd = XIOCTL(machine->vm, KVM_CREATE_VCPU, number);
	cpu->run = mmap(NULL, XIOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
			MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		die("mmap of a CPU: %s", strerror(errno));
	set_cpuid(cpu, kvm);
	if (machine->has_vmx)
		set_up_vmx(cpu);
	close(kvm);
	if (!number)
		enter_kernel(cpu);
}

static void put_text(const uint8_t *data, int size)
{
	for (int i = 0; i < size; i++)
		if (data[i])
			put(&text, data[i]);
}

/* What no device answers reads as ones. Return: false at the machine's end. */
static bool do_io(struct cpu *cpu)
{
	uint8_t *data = (uint8_t *)cpu->run + cpu->run->io.data_offset;
	int port = cpu->run->io.port, size = cpu->run->io.size, reg = port - SERIAL;
	bool out = cpu->run->io.direction == KVM_EXIT_IO_OUT;

	for (uint32_t i = 0; i < cpu->run->io.count; i++, data += size) {
		if (out && (port == PORT_END || port == PORT_LHV_END)) {
			answer = *data;
			return false;
		} else if (out && port == PORT_TEXT) {
			put_text(data, size);
		} else if (reg >= 0 && reg < 8) {
			if (out)
				serial_out(reg, *data);
			else
				*data = serial_in(reg);
		} else if (!out) {
			memset(data, 0xff, size);
		}
	}
	return true;
}

static void describe(struct cpu *cpu)
{
	struct kvm_regs regs;

	XIOCTL(cpu->fd, KVM_GET_REGS, &regs);
	printf("# CPU %d ends with exit %u (%#llx) at %#llx\n", cpu->number, cpu->run->exit_reason,
	       (unsigned long long)cpu->run->hw.hardware_exit_reason, regs.rip);
}

/* Return: false if the CPU is not to go on */
static bool handle_exit(struct cpu *cpu)
{
	bool goes_on;

	switch (cpu->run->exit_reason) {
	case KVM_EXIT_IO:
		pthread_mutex_lock(&lock);
		goes_on = do_io(cpu);
		pthread_mutex_unlock(&lock);
		return goes_on;
	case KVM_EXIT_MMIO:
		memset(cpu->run->mmio.data, 0xff, sizeof(cpu->run->mmio.data));
		return true;
	}
	describe(cpu);
	return false;
}

static void *run_cpu(void *argument)
{
	struct cpu *cpu = argument;

	do {
		/* EAGAIN: it has got its start-up IPI */
		while (ioctl(cpu->fd, KVM_RUN, 0))
			if (errno != EINTR && errno != EAGAIN)
				die("KVM_RUN: %s", strerror(errno));
		cpu->exits++;
	} while (handle_exit(cpu));
	sem_post(&ended);
	return NULL;
}

int run_machine(struct machine *machine)
{
	static struct cpu cpus[MAX_CPUS];
	pthread_t thread;

	sem_init(&ended, 0, 0);
	for (int i = 0; i < machine->cpus; i++)
		make_cpu(&cpus[i], machine, i);
	for (int i = 0; i < machine->cpus; i++)
		if (pthread_create(&thread, NULL, run_cpu, &cpus[i]))
			die("no thread");
	while (sem_wait(&ended))
		;
	/* the threads end with the program */
	for (int i = 0; i < machine->cpus; i++)
		printf("# CPU %d: %lu exits to user space\n", i, cpus[i].exits);
	return answer;
}
