// SPDX-License-Identifier: GPL-2.0-only
/* kvm-run, the host's side: making and running VMs. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "vm.h"

#define CR0_LONG	0x80010033ul	/* PG, WP, NE, ET, MP, PE */
#define CR4_LONG	0x620ul		/* OSXMMEXCPT, OSFXSR, PAE */
#define EFER_LONG	0xd01ul		/* NXE, LMA, LME, SCE */
#define PTE_TABLE	0x7ul
#define PTE_LARGE	0x87ul
#define MAX_CPUID	128
#define CPUID_VMX		(1u << 5)
#define CPUID_DEADLINE		(1u << 24)
#define CPUID_HYPERVISOR	(1u << 31)

extern const char trampoline[], trampoline_end[], real_start[], real_end[];
extern const Elf64_Ehdr __ehdr_start;

void *anonymous(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return memory;
}

static void copy_image(uint8_t *ram)
{
	const Elf64_Phdr *segment = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		if (segment[i].p_type != PT_LOAD)
			continue;
		if (segment[i].p_vaddr + segment[i].p_memsz > RAM_SIZE)
			die("the program does not fit into the guest's memory");
		memcpy(ram + segment[i].p_vaddr, (void *)segment[i].p_vaddr, segment[i].p_memsz);
	}
	memcpy(ram + TRAMPOLINE, trampoline, trampoline_end - trampoline);
}

static void make_page_tables(uint8_t *ram)
{
	uint64_t *pml4 = (uint64_t *)(ram + TABLES), *pdpt = pml4 + 512, *pd = pdpt + 512;
	uint64_t *window = (uint64_t *)(ram + WINDOW_TABLE);

	pml4[0] = (TABLES + PAGE_SIZE) | PTE_TABLE;
	for (int i = 0; i < 4; i++)
		pdpt[i] = (TABLES + (2 + i) * PAGE_SIZE) | PTE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_LARGE;
	pd[WINDOW >> 21] = WINDOW_TABLE | PTE_TABLE;
	for (int i = 0; i < 16; i++)
		window[i] = (WINDOW_PAGES + i * PAGE_SIZE) | PTE_TABLE;
}

void vm_slot(struct vm *vm, int slot, uint64_t gpa, void *memory, size_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	XIOCTL(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

void vm_create(struct vm *vm, unsigned int flags)
{
	struct kvm_pit_config pit = { 0 };

	memset(vm, 0, sizeof(*vm));
	vm->fd = XIOCTL(kvm_fd, KVM_CREATE_VM, 0);
	XIOCTL(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	if (flags & VM_IRQCHIP) {
		XIOCTL(vm->fd, KVM_CREATE_IRQCHIP, 0);
		XIOCTL(vm->fd, KVM_CREATE_PIT2, &pit);
	}
	vm->ram = anonymous(RAM_SIZE);
	copy_image(vm->ram);
	make_page_tables(vm->ram);
	vm_slot(vm, 0, 0, vm->ram, RAM_SIZE, 0);
}

void vm_destroy(struct vm *vm)
{
	close(vm->fd);
	munmap(vm->ram, RAM_SIZE);
}

void *vm_address(struct vm *vm, const volatile void *address)
{
	return vm->ram + (uintptr_t)address;
}

/* What KVM supports, with a leaf of our own. */
static void set_cpuid(struct vcpu *vcpu)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MAX_CPUID];
	} table;
	struct kvm_cpuid_entry2 *entry;

	table.head.nent = MAX_CPUID;
	XIOCTL(kvm_fd, KVM_GET_SUPPORTED_CPUID, &table);
	for (unsigned int i = 0; i < table.head.nent; i++) {
		entry = &table.entries[i];
		/* no VMX for the guest, and what KVM leaves to the VMM */
		if (entry->function == 1) {
			entry->ecx = (entry->ecx & ~CPUID_VMX) | CPUID_HYPERVISOR;
			if (XIOCTL(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER))
				entry->ecx |= CPUID_DEADLINE;
		}
		if (entry->function == 0x40000000) {
			entry->ebx = 0x6374614c;
			entry->ecx = 0x54534554;
			entry->edx = 0x2e4d564b;
		}
	}
	XIOCTL(vcpu->fd, KVM_SET_CPUID2, &table);
}

static void open_vcpu(struct vcpu *vcpu, struct vm *vm)
{
	int size = XIOCTL(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (vm->nr_vcpus == MAX_VCPUS)
		die("too many CPUs");
	vcpu->vm = vm;
	vcpu->fd = XIOCTL(vm->fd, KVM_CREATE_VCPU, vm->nr_vcpus++);
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		die("mmap of a CPU: %s", strerror(errno));
	set_cpuid(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, XIOCTL(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(vcpu->fd);
}

static void enter_long_mode(struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	XIOCTL(vcpu->fd, KVM_GET_SREGS, &sregs);
	set_segment(&sregs.cs, KERNEL_CS, 11, true);
	set_segment(&sregs.ds, KERNEL_DS, 3, false);
	sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
	sregs.cr0 = CR0_LONG;
	sregs.cr3 = TABLES;
	sregs.cr4 = CR4_LONG;
	sregs.efer = EFER_LONG;
	XIOCTL(vcpu->fd, KVM_SET_SREGS, &sregs);
}

void vcpu_create(struct vcpu *vcpu, struct vm *vm, void (*entry)(void))
{
	struct kvm_regs regs = { .rflags = 2, .rip = (uintptr_t)guest_main, .rdi = (uintptr_t)entry };

	open_vcpu(vcpu, vm);
	/* a second CPU in a machine with APICs waits for its start-up IPI */
	regs.rsp = STACKS + vm->nr_vcpus * STACK_SIZE - 8;
	if (entry) {
		enter_long_mode(vcpu);
		XIOCTL(vcpu->fd, KVM_SET_REGS, &regs);
	}
}

void vcpu_create_real(struct vcpu *vcpu, struct vm *vm, uint16_t address)
{
	struct kvm_regs regs = { .rflags = 2, .rip = address };
	struct kvm_sregs sregs;

	open_vcpu(vcpu, vm);
	memcpy(vm->ram + address, real_start, real_end - real_start);
	XIOCTL(vcpu->fd, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	XIOCTL(vcpu->fd, KVM_SET_SREGS, &sregs);
	XIOCTL(vcpu->fd, KVM_SET_REGS, &regs);
}

int vcpu_enter(struct vcpu *vcpu)
{
	while (ioctl(vcpu->fd, KVM_RUN, 0)) {
		if (errno == EINTR)
			return -EINTR;
		/* a CPU has got its start-up IPI: KVM wants to be called again */
		if (errno != EAGAIN)
			die("KVM_RUN: %s", strerror(errno));
	}
	return vcpu->run->exit_reason;
}

bool vcpu_is_io(struct vcpu *vcpu, int direction, int port, int size, int count)
{
	struct kvm_run *run = vcpu->run;

	return run->exit_reason == KVM_EXIT_IO && run->io.direction == direction &&
	       run->io.port == port && run->io.size == size && (int)run->io.count == count;
}

void *vcpu_io_data(struct vcpu *vcpu)
{
	return (char *)vcpu->run + vcpu->run->io.data_offset;
}

static bool is_out(struct vcpu *vcpu, int port)
{
	return vcpu_is_io(vcpu, KVM_EXIT_IO_OUT, port, 4, 1);
}

static void *out_pointer(struct vcpu *vcpu)
{
	return vcpu->vm->ram + *(uint32_t *)vcpu_io_data(vcpu);
}

int vcpu_run(struct vcpu *vcpu)
{
	struct check *result;
	struct trap *trap;
	int reason;

	for (;;) {
		reason = vcpu_enter(vcpu);
		if (is_out(vcpu, PORT_TRAP)) {
			trap = out_pointer(vcpu);
			die("guest: vector %llu, error %#llx at %#llx", (unsigned long long)trap->vector,
			    (unsigned long long)trap->error, (unsigned long long)trap->rip);
		}
		if (reason < 0 || !is_out(vcpu, PORT_CHECK))
			return reason;
		result = out_pointer(vcpu);
		check(result->ok, "%s", result->text);
	}
}

/* For a failure: where the guest is. */
void vcpu_describe(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs regs;

	XIOCTL(vcpu->fd, KVM_GET_REGS, &regs);
	note("exit %u at %#llx, RAX %#llx, flags %#llx", run->exit_reason, regs.rip, regs.rax, regs.rflags);
	if (run->exit_reason == KVM_EXIT_IO)
		note("I/O: port %#x, direction %u, size %u", run->io.port, run->io.direction, run->io.size);
	else if (run->exit_reason == KVM_EXIT_MMIO)
		note("MMIO: %#llx, write %u, %u bytes", run->mmio.phys_addr, run->mmio.is_write, run->mmio.len);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		note("internal error %u, %#llx", run->internal.suberror, run->internal.data[0]);
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		note("failed entry: %#llx", run->fail_entry.hardware_entry_failure_reason);
}

int vcpu_sync(struct vcpu *vcpu)
{
	vcpu_run(vcpu);
	if (!is_out(vcpu, PORT_SYNC)) {
		vcpu_describe(vcpu);
		die("the guest was to say how far it is");
	}
	return *(int *)vcpu_io_data(vcpu);
}

void vcpu_finish(struct vcpu *vcpu)
{
	vcpu_run(vcpu);
	if (!is_out(vcpu, PORT_DONE)) {
		vcpu_describe(vcpu);
		die("the guest was to end");
	}
}

uint64_t vcpu_get_msr(struct vcpu *vcpu, uint32_t index)
{
	return get_msr(vcpu->fd, index);
}

void vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	set_msr(vcpu->fd, index, value);
}

int online_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

void pin(int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d: %s", number, strerror(errno));
}

void sleep_ms(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&time, NULL);
}
