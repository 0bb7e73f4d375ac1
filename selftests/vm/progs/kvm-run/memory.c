// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the guest: EPT violations at fresh pages, memory that comes, goes and
 * changes under the guest's address (INVEPT), the guest's own page tables (VPID).
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "vm.h"

#define PAGES		64
#define SIZE		(PAGES * PAGE_SIZE)
#define LARGE		0x200000ul
#define LARGE_BASE	(SLOT_BASE + LARGE)
#define ROUNDS		10

static volatile uint64_t seen, sum;

static volatile uint64_t *word(uint64_t page)
{
	return (volatile uint64_t *)(SLOT_BASE + page * PAGE_SIZE + page * 8);
}

static void guest_fresh(void)
{
	bool empty = true, same = true;

	for (int i = 0; i < PAGES; i++) {
		empty = empty && (i & 1 || !*word(i));
		*word(i) = i + 1;
	}
	for (int i = 0; i < PAGES; i++)
		same = same && *word(i) == (uint64_t)i + 1;
	guest_check(empty, "fresh memory is empty");
	guest_check(same, "fresh memory keeps what is written");
}

static void host_fresh(struct vm *vm, void *memory)
{
	struct vcpu vcpu;
	bool same = true;

	vcpu_create(&vcpu, vm, guest_fresh);
	vcpu_finish(&vcpu);
	for (int i = 0; i < PAGES; i++)
		same = same && *(uint64_t *)((char *)memory + i * PAGE_SIZE + i * 8) == (uint64_t)i + 1;
	check(same, "the VMM sees it");
	vcpu_destroy(&vcpu);
}

static void fresh(void)
{
	void *memory = anonymous(SIZE);
	struct vm vm;

	vm_create(&vm, 0);
	vm_slot(&vm, 1, SLOT_BASE, memory, SIZE, 0);
	host_fresh(&vm, memory);
	vm_destroy(&vm);
	munmap(memory, SIZE);
}

/* Reads the slot's first word after each sync, and writes to its second. */
static void guest_reader(void)
{
	for (uint32_t i = 0;; i++) {
		seen = *(volatile uint64_t *)SLOT_BASE;
		*(volatile uint64_t *)(SLOT_BASE + 8) = i;
		guest_sync(i);
	}
}

static void move_slots(struct vcpu *vcpu, uint64_t **memory)
{
	bool same = true;
	int number;

	for (int i = 0; i < ROUNDS; i++) {
		memory[i & 1][0] = 1000 + i;
		vm_slot(vcpu->vm, 1, SLOT_BASE, memory[i & 1], 0, 0);
		vm_slot(vcpu->vm, 1, SLOT_BASE, memory[i & 1], SIZE, 0);
		number = vcpu_sync(vcpu);
		same = same && GUEST(vcpu->vm, seen) == 1000u + i && memory[i & 1][1] == (uint64_t)number;
	}
	check(same, "%d times other memory at the same address", ROUNDS);
}

static void drop_pages(struct vcpu *vcpu, uint64_t *memory)
{
	bool same = true;

	for (int i = 0; i < ROUNDS; i++) {
		memory[0] = 5000 + i;
		vcpu_sync(vcpu);
		same = same && GUEST(vcpu->vm, seen) == 5000u + i;
		/* KVM takes the page away at once: the guest must not keep the old one */
		madvise(memory, SIZE, MADV_DONTNEED);
		vcpu_sync(vcpu);
		same = same && !GUEST(vcpu->vm, seen);
	}
	check(same, "%d times a page is taken away and comes back empty", ROUNDS);
}

static void protect_pages(struct vcpu *vcpu, uint64_t *memory)
{
	int number;

	memory[0] = 1;
	mprotect(memory, SIZE, PROT_READ);
	vm_slot(vcpu->vm, 1, SLOT_BASE, memory, 0, 0);
	vm_slot(vcpu->vm, 1, SLOT_BASE, memory, SIZE, KVM_MEM_READONLY);
	check(vcpu_run(vcpu) == KVM_EXIT_MMIO && vcpu->run->mmio.is_write &&
	      vcpu->run->mmio.phys_addr == SLOT_BASE + 8, "a write to memory that is only read exits");
	vcpu_sync(vcpu);
	check(GUEST(vcpu->vm, seen) == 1, "reads from it do not");
	mprotect(memory, SIZE, PROT_READ | PROT_WRITE);
	vm_slot(vcpu->vm, 1, SLOT_BASE, memory, 0, 0);
	check(vcpu_run(vcpu) == KVM_EXIT_MMIO && !vcpu->run->mmio.is_write, "without memory a read exits");
	memset(vcpu->run->mmio.data, 0x5a, 8);
	check(vcpu_run(vcpu) == KVM_EXIT_MMIO && vcpu->run->mmio.is_write, "and a write");
	vcpu_sync(vcpu);
	check(GUEST(vcpu->vm, seen) == 0x5a5a5a5a5a5a5a5a, "it reads what the VMM says");
	vm_slot(vcpu->vm, 1, SLOT_BASE, memory, SIZE, 0);
	number = vcpu_sync(vcpu);
	check(GUEST(vcpu->vm, seen) == 1 && memory[1] == (uint64_t)number, "memory again, neither exits");
}

static void changing(void)
{
	uint64_t *memory[2] = { anonymous(SIZE), anonymous(SIZE) };
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vm_slot(&vm, 1, SLOT_BASE, memory[1], SIZE, 0);
	vcpu_create(&vcpu, &vm, guest_reader);
	vcpu_sync(&vcpu);
	move_slots(&vcpu, memory);
	drop_pages(&vcpu, memory[(ROUNDS - 1) & 1]);
	protect_pages(&vcpu, memory[(ROUNDS - 1) & 1]);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(memory[0], SIZE);
	munmap(memory[1], SIZE);
}

/* The guest's own tables: no exit, but the CPU has to forget the old entries. */
static void guest_tables(void)
{
	volatile uint64_t *page = (volatile uint64_t *)WINDOW;
	bool by_invlpg = true, by_cr3 = true, by_cr4 = true;

	for (int i = 0; i < 16; i++)
		*(volatile uint64_t *)(WINDOW_PAGES + i * PAGE_SIZE) = i;
	for (int i = 0; i < 100; i++) {
		*window_entry(0) = (WINDOW_PAGES + i % 16 * PAGE_SIZE) | 3;
		invlpg(WINDOW);
		by_invlpg = by_invlpg && *page == (uint64_t)i % 16;
	}
	for (int i = 0; i < 100; i++) {
		*window_entry(0) = (WINDOW_PAGES + i * 3 % 16 * PAGE_SIZE) | 3;
		write_cr3(read_cr3());
		by_cr3 = by_cr3 && *page == (uint64_t)i * 3 % 16;
	}
	for (int i = 0; i < 20; i++) {
		*window_entry(0) = (WINDOW_PAGES + i * 5 % 16 * PAGE_SIZE) | 0x103;
		write_cr4(read_cr4() ^ 1 << 7);
		by_cr4 = by_cr4 && *page == (uint64_t)i * 5 % 16;
	}
	guest_check(by_invlpg, "page tables: INVLPG");
	guest_check(by_cr3, "page tables: MOV to CR3");
	guest_check(by_cr4, "page tables: CR4.PGE");
	guest_check((*window_entry(0) & 0x20) != 0, "page tables: accessed bit");
	*window_entry(1) = (WINDOW_PAGES + PAGE_SIZE) | 3;
	invlpg(WINDOW + PAGE_SIZE);
	page[512] = 1;
	guest_check((*window_entry(1) & 0x60) == 0x60, "page tables: dirty bit");
}

static void tables(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_tables);
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void guest_large(void)
{
	for (uint64_t offset = 0; offset < LARGE; offset += 8 * PAGE_SIZE) {
		*(volatile uint64_t *)(LARGE_BASE + offset) = offset;
		sum += *(volatile uint64_t *)(LARGE_BASE + offset + 8);
	}
}

/* A page of 2 MiB, if Linux has one to give. */
static void large(void)
{
	char *memory = anonymous(2 * LARGE), *aligned = (char *)(((uintptr_t)memory + LARGE - 1) & -LARGE);
	uint64_t want = 0;
	struct vcpu vcpu;
	struct vm vm;
	bool same = true;

	madvise(aligned, LARGE, MADV_HUGEPAGE);
	for (uint64_t i = 0; i < LARGE; i += 8 * PAGE_SIZE) {
		*(uint64_t *)(aligned + i + 8) = i * 3 + 1;
		want += i * 3 + 1;
	}
	vm_create(&vm, 0);
	vm_slot(&vm, 1, LARGE_BASE, aligned, LARGE, 0);
	vcpu_create(&vcpu, &vm, guest_large);
	vcpu_finish(&vcpu);
	for (uint64_t i = 0; i < LARGE; i += 8 * PAGE_SIZE)
		same = same && *(uint64_t *)(aligned + i) == i;
	check(same && GUEST(&vm, sum) == want, "a page of 2 MiB");
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(memory, 2 * LARGE);
}

void subject_memory(void)
{
	fresh();
	changing();
	tables();
	large();
}
