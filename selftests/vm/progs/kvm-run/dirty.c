// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty logging: exactly the pages that the guest wrote. With PML, more pages than its
 * buffer of 512 holds; without, by dirty bits or write protection.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "vm.h"

#define PAGES	1536
#define SIZE	(PAGES * PAGE_SIZE)

static uint64_t bitmap[PAGES / 64], first[PAGES / 64];
static volatile uint64_t read_sum;

/* The guest's rounds. What is written is the round's number. */
static bool is_written(int round, int page)
{
	switch (round) {
	case 0: return true;
	case 1: return page % 3 == 0;
	case 2: return false;
	case 3: return page % 64 == 5;
	case 4: return page >= 1000;
	default: return page == PAGES - 1;
	}
}

#define ROUNDS	6

static void guest_dirty(void)
{
	volatile uint64_t *page;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < PAGES; i++) {
			page = (volatile uint64_t *)(SLOT_BASE + i * PAGE_SIZE);
			if (is_written(round, i))
				*page = round + 1;
			else
				read_sum += *page;
		}
		guest_sync(round);
	}
}

static int wrong_pages(const uint64_t *log, int round)
{
	int wrong = 0;

	for (int i = 0; i < PAGES; i++)
		wrong += (log[i / 64] >> i % 64 & 1) != is_written(round, i);
	return wrong;
}

static void get_log(struct vm *vm, uint64_t *log)
{
	struct kvm_dirty_log get = { .slot = 1, .dirty_bitmap = log };

	memset(log, 0, sizeof(bitmap));
	XIOCTL(vm->fd, KVM_GET_DIRTY_LOG, &get);
}

static void clear_log(struct vm *vm, uint64_t *log)
{
	struct kvm_clear_dirty_log clear = { .slot = 1, .num_pages = PAGES, .dirty_bitmap = log };

	XIOCTL(vm->fd, KVM_CLEAR_DIRTY_LOG, &clear);
}

static void rounds(struct vcpu *vcpu, bool manual, const char *what)
{
	int wrong;

	for (int round = 0; round < ROUNDS; round++) {
		if (vcpu_sync(vcpu) != round)
			die("another round");
		get_log(vcpu->vm, bitmap);
		wrong = wrong_pages(bitmap, round);
		check(!wrong, "%s: round %d", what, round);
		if (wrong)
			note("%d pages are wrong", wrong);
		if (manual) {
			get_log(vcpu->vm, first);
			check(!memcmp(first, bitmap, sizeof(first)), "%s: kept until it is cleared", what);
			clear_log(vcpu->vm, bitmap);
		}
	}
	vcpu_finish(vcpu);
}

static void dirty(bool manual, bool large, const char *what)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 } };
	char *memory = anonymous(2 * SIZE), *aligned = (char *)(((uintptr_t)memory + 0x1fffff) & -0x200000ul);
	struct vcpu vcpu;
	struct vm vm;

	madvise(aligned, SIZE, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(aligned, 0, SIZE);
	vm_create(&vm, 0);
	if (manual)
		XIOCTL(vm.fd, KVM_ENABLE_CAP, &cap);
	vm_slot(&vm, 1, SLOT_BASE, aligned, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	vcpu_create(&vcpu, &vm, guest_dirty);
	rounds(&vcpu, manual, what);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(memory, 2 * SIZE);
}

/* Logging that begins when the guest has large pages, which are split then. */
static void guest_late(void)
{
	for (int i = 0; i < PAGES; i += 512)
		*(volatile uint64_t *)(SLOT_BASE + i * PAGE_SIZE) = 77;
	guest_sync(100);
	guest_dirty();
}

static void late(void)
{
	char *memory = anonymous(2 * SIZE), *aligned = (char *)(((uintptr_t)memory + 0x1fffff) & -0x200000ul);
	struct vcpu vcpu;
	struct vm vm;

	madvise(aligned, SIZE, MADV_HUGEPAGE);
	memset(aligned, 0, SIZE);
	vm_create(&vm, 0);
	vm_slot(&vm, 1, SLOT_BASE, aligned, SIZE, 0);
	vcpu_create(&vcpu, &vm, guest_late);
	vcpu_sync(&vcpu);
	vm_slot(&vm, 1, SLOT_BASE, aligned, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	rounds(&vcpu, false, "logging that begins late");
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	munmap(memory, 2 * SIZE);
}

void subject_dirty(void)
{
	dirty(false, false, "dirty log");
	dirty(true, true, "dirty log, cleared by hand");
	late();
}
