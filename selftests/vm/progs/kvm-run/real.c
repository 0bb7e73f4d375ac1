// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest without paging: real mode, where INT n, INT3 and INTO go by the table at 0,
 * protected mode, and back. KVM does not emulate it if the CPU has unrestricted guest.
 */
#include <string.h>

#include "vm.h"

#define START	0x7c00

static void want_byte(struct vcpu *vcpu, char byte, const char *what)
{
	vcpu_enter(vcpu);
	check(vcpu_is_io(vcpu, KVM_EXIT_IO_OUT, 0x10, 1, 1) && *(char *)vcpu_io_data(vcpu) == byte,
	      "real mode: %s", what);
}

static void want_halt(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	vcpu_enter(vcpu);
	XIOCTL(vcpu->fd, KVM_GET_REGS, &regs);
	check(vcpu->run->exit_reason == KVM_EXIT_HLT && (regs.rax & 0xff) == 'b', "real mode: HLT");
}

static void want_text(struct vcpu *vcpu)
{
	char text[5] = "";
	int got = 0;

	/* as many bytes at a time as KVM likes */
	while (got < 4) {
		vcpu_enter(vcpu);
		if (vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != 0x12)
			break;
		for (uint32_t i = 0; i < vcpu->run->io.count && got < 4; i++)
			text[got++] = ((char *)vcpu_io_data(vcpu))[i];
	}
	check(!strcmp(text, "text"), "real mode: REP OUTSB");
}

void subject_real(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create_real(&vcpu, &vm, START);
	want_byte(&vcpu, 'r', "OUT");
	vcpu_enter(&vcpu);
	check(vcpu_is_io(&vcpu, KVM_EXIT_IO_IN, 0x11, 1, 1), "real mode: IN");
	*(uint8_t *)vcpu_io_data(&vcpu) = 'x';
	want_byte(&vcpu, 'y', "IN's byte is there");
	want_byte(&vcpu, 'i', "INT n");
	want_byte(&vcpu, '3', "INT3");
	want_byte(&vcpu, 'o', "INTO");
	want_text(&vcpu);
	vcpu_enter(&vcpu);
	check(vcpu_is_io(&vcpu, KVM_EXIT_IO_OUT, 0x14, 4, 1) &&
	      *(uint32_t *)vcpu_io_data(&vcpu) == 0x6374614c, "protected mode without paging: CPUID");
	want_byte(&vcpu, 'b', "back in real mode");
	want_halt(&vcpu);
	want_byte(&vcpu, 'h', "goes on after HLT");
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}
