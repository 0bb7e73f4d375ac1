/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm-run, the host's side: virtual machines whose guests are functions of this
 * very program. Its image is copied into the guest's memory at the addresses that
 * it has here, and the guest's page tables map each address to itself. So a guest
 * is ordinary C, and what it wrote to a variable is read in the copy.
 */
#ifndef KVM_RUN_VM_H
#define KVM_RUN_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE	4096ul
#define MAX_VCPUS	2

/* The guest's physical addresses. */
#define RAM_SIZE	0x800000ul
#define TABLES		0x1000ul	/* PML4, PDPT, four PDs for 4 GiB */
#define WINDOW_TABLE	0x7000ul	/* the page table of the window */
#define TRAMPOLINE	0x8000ul	/* where a start-up IPI leads */
#define WINDOW_PAGES	0x10000ul	/* what the window shows at first */
#define STACKS		0x200000ul
#define STACK_SIZE	0x10000ul
#define HOLE		0xd0000000ul	/* no memory: MMIO */
#define SLOT_BASE	0x10000000ul	/* the tests' own memory */

/* Virtual: 2 MiB of small pages, all else is large ones. */
#define WINDOW		0x80000000ul

struct vm {
	int fd;
	int nr_vcpus;
	uint8_t *ram;
};

struct vcpu {
	struct vm *vm;
	int fd;
	struct kvm_run *run;
};

struct subject {
	const char *name;
	void (*run)(void);
};

extern int kvm_fd;

/* KTAP */
void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *why, const char *what);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define VM_IRQCHIP	1
void vm_create(struct vm *vm, unsigned int flags);
void vm_destroy(struct vm *vm);
void vm_slot(struct vm *vm, int slot, uint64_t gpa, void *memory, size_t size, uint32_t flags);
void *anonymous(size_t size);

/* A CPU that calls ENTRY in long mode, or starts at CS:IP 0:ADDRESS in real mode. */
void vcpu_create(struct vcpu *vcpu, struct vm *vm, void (*entry)(void));
void vcpu_create_real(struct vcpu *vcpu, struct vm *vm, uint16_t address);
void vcpu_destroy(struct vcpu *vcpu);

/*
 * vcpu_enter() is one KVM_RUN: the exit's reason, or -EINTR. vcpu_run() goes on
 * after the guest's own results; vcpu_sync() wants guest_sync() and gives its number.
 */
int vcpu_enter(struct vcpu *vcpu);
int vcpu_run(struct vcpu *vcpu);
int vcpu_sync(struct vcpu *vcpu);
void vcpu_finish(struct vcpu *vcpu);
void vcpu_describe(struct vcpu *vcpu);
bool vcpu_is_io(struct vcpu *vcpu, int direction, int port, int size, int count);
void *vcpu_io_data(struct vcpu *vcpu);

uint64_t vcpu_get_msr(struct vcpu *vcpu, uint32_t index);
void vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value);

/* The guest's copy of a variable. */
void *vm_address(struct vm *vm, const volatile void *address);
#define GUEST(vm, variable)	(*(__typeof__(variable) *)vm_address(vm, &(variable)))

/* Pin the thread to the Nth CPU that it may use; how many there are. */
int online_cpus(void);
void pin(int number);
void sleep_ms(int ms);

void subject_real(void);
void subject_exits(void);
void subject_traps(void);
void subject_debug(void);
void subject_memory(void);
void subject_dirty(void);
void subject_irq(void);
void subject_window(void);
void subject_smp(void);
void subject_run(void);
void subject_bench(void);

#endif
