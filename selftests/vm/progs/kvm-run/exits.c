// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of a 64-bit guest that exit, each with its result: CPUID, MSRs, I/O,
 * MMIO, control registers, the TSC, HLT.
 */
#include <string.h>

#include "guest.h"
#include "vm.h"

#define MSR_UNKNOWN	0x12345678
#define MSR_LSTAR	0xc0000082
#define MSR_KERNEL_GS	0xc0000102
#define MSR_TSC		0x10
#define MSR_PAT		0x277
#define MSR_SYSENTER_IP	0x176
#define MSR_EFER	0xc0000080
#define CANONICAL	0xffff812345678000ull
#define TSC_START	0x100000000000ull

enum { SYNC_MSRS = 1, SYNC_TSC, SYNC_MSR_READ, SYNC_RESUMED };

static volatile uint64_t mmio_got[6];

static void guest_cpuid(void)
{
	uint32_t out[4];
	bool same = true;

	cpuid(0x40000000, 0, out);
	guest_check(out[1] == 0x6374614c && out[2] == 0x54534554 && out[3] == 0x2e4d564b,
		    "CPUID: a leaf is what the VMM says");
	cpuid(1, 0, out);
	for (int i = 0; i < 100; i++) {
		uint32_t again[4];

		cpuid(1, 0, again);
		same = same && again[0] == out[0] && again[3] == out[3];
	}
	guest_check(same && out[3] & 1, "CPUID: 100 times the same");
	guest_check(out[2] >> 31, "CPUID: a hypervisor is there");
	guest_check(guest_try("xorl %%eax, %%eax\n\tcpuid", : "rax", "rbx", "rcx", "rdx") == NO_TRAP,
		    "CPUID: no exception");
}

static void guest_msrs(void)
{
	uint64_t value;

	wrmsr(MSR_LSTAR, CANONICAL);
	wrmsr(MSR_KERNEL_GS, CANONICAL + 1);
	wrmsr(MSR_SYSENTER_IP, CANONICAL + 2);
	wrmsr(MSR_PAT, 0x0606060606060606);
	guest_check(rdmsr(MSR_LSTAR) == CANONICAL && rdmsr(MSR_KERNEL_GS) == CANONICAL + 1 &&
		    rdmsr(MSR_SYSENTER_IP) == CANONICAL + 2, "MSRs: read as written");
	guest_sync(SYNC_MSRS);
	guest_check(rdmsr(MSR_LSTAR) == CANONICAL + 8, "MSRs: LSTAR is what the VMM wrote");
	guest_check(rdmsr(MSR_PAT) == 0x0606060606060606, "MSRs: PAT reads as written");
	value = rdmsr(MSR_EFER);
	wrmsr(MSR_EFER, value & ~1ull);
	guest_check(guest_try("syscall", : "rcx", "r11") == UD, "MSRs: no SYSCALL without EFER.SCE");
	wrmsr(MSR_EFER, value);
	guest_check(rdmsr(MSR_EFER) == value, "MSRs: EFER reads as written");
	guest_check(guest_try("rdmsr", "c" (0x4b564dff) : "rax", "rdx") == GP, "MSRs: #GP at one that is none");
	guest_check(guest_try("wrmsr", "c" (MSR_LSTAR), "a" (0), "d" (0x800000)) == GP,
		    "MSRs: #GP at an address that is not canonical");
}

static void guest_user_msrs(void)
{
	guest_sync(SYNC_MSR_READ);
	guest_check(rdmsr(MSR_UNKNOWN) == 0x1122334455667788, "MSRs: RDMSR that the VMM answers");
	wrmsr(MSR_UNKNOWN, 0x8877665544332211);
	guest_check(guest_try("wrmsr", "c" (MSR_UNKNOWN), "a" (0), "d" (0)) == GP,
		    "MSRs: #GP by the VMM's answer");
}

static void guest_io(void)
{
	static const char text[] = "string of bytes";
	static uint16_t words[4];
	const char *from = text;
	uint16_t *to = words;
	uint64_t count = sizeof(text);

	outb(0x20, 0x12);
	outw(0x22, 0x1234);
	outl(0x24, 0x12345678);
	guest_check(inb(0x30) == 0x98, "I/O: INB");
	guest_check(inw(0x32) == 0x9876, "I/O: INW");
	guest_check(inl(0x34) == 0x98765432, "I/O: INL");
	__asm__ volatile("rep outsb" : "+S" (from), "+c" (count) : "d" (0x40) : "memory");
	guest_check(!count && from == text + sizeof(text), "I/O: REP OUTSB, the registers");
	count = 4;
	__asm__ volatile("rep insw" : "+D" (to), "+c" (count) : "d" (0x42) : "memory");
	guest_check(!count && to == words + 4, "I/O: REP INSW, the registers");
	guest_check(words[0] == 0x100 && words[3] == 0x103, "I/O: REP INSW, the words");
}

/* The host answers reads by their address, and compares writes. */
static void guest_mmio(void)
{
	volatile uint8_t *hole = (volatile uint8_t *)HOLE;
	uint64_t moved;

	mmio_got[0] = hole[0x10];
	mmio_got[1] = *(volatile uint16_t *)(hole + 0x20);
	mmio_got[2] = *(volatile uint32_t *)(hole + 0x40);
	mmio_got[3] = *(volatile uint64_t *)(hole + 0x80);
	hole[0x10] = 0x11;
	*(volatile uint16_t *)(hole + 0x20) = 0x2222;
	*(volatile uint32_t *)(hole + 0x40) = 0x44444444;
	*(volatile uint64_t *)(hole + 0x80) = 0x8888888888888888;
	/* read, modify, write */
	__asm__ volatile("addl $1, %0" : "+m" (*(volatile uint32_t *)(hole + 0x40)));
	__asm__ volatile("movzbl %1, %k0" : "=r" (moved) : "m" (hole[0x11]));
	mmio_got[4] = moved;
	guest_check(mmio_got[0] == 0x10 && mmio_got[1] == 0x2020 && mmio_got[2] == 0x40404040 &&
		    mmio_got[3] == 0x8080808080808080, "MMIO: reads of 1, 2, 4 and 8 bytes");
	guest_check(mmio_got[4] == 0x11, "MMIO: MOVZX");
}

static void guest_control(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();

	write_cr4(cr4 | 1 << 2);
	guest_check(read_cr4() == (cr4 | 1 << 2), "CR4: TSD reads as written");
	write_cr4(cr4);
	guest_check(guest_try("mov %0, %%cr4", "r" (cr4 | 1 << 13)) == GP, "CR4: #GP for VMXE");
	guest_check(guest_try("mov %0, %%cr4", "r" (cr4 & ~0x20ull)) == GP, "CR4: #GP without PAE");
	guest_check(read_cr4() == cr4, "CR4: as before");
	write_cr0(cr0 | 8);
	guest_check(read_cr0() == (cr0 | 8), "CR0: TS reads as written");
	guest_check(guest_try("movaps %%xmm0, %%xmm0", :) == NM, "CR0: #NM with TS");
	__asm__ volatile("clts");
	guest_check(read_cr0() == cr0, "CR0: CLTS");
	guest_check(guest_try("movaps %%xmm0, %%xmm0", :) == NO_TRAP, "CR0: no #NM without TS");
	guest_check(guest_try("mov %0, %%cr0", "r" (cr0 & ~1ull)) == GP, "CR0: #GP for PG without PE");
	write_cr0(cr0 | 1 << 30);
	write_cr0(cr0);
	__asm__ volatile("smsw %0" : "=r" (cr4));
	guest_check((cr4 & 0xffff) == (cr0 & 0xffff), "CR0: SMSW");
	write_cr8(5);
	guest_check(read_cr8() == 5, "CR8: reads as written");
	write_cr8(0);
	guest_check(!read_cr8(), "CR8: lower again");
	write_cr3(read_cr3());
	guest_check(read_cr3() == TABLES, "CR3: reads as written");
	write_dr0(0x1234);
	guest_check(read_dr0() == 0x1234, "DR0: reads as written");
}

static void guest_others(void)
{
	guest_check(guest_try("wbinvd", :) == NO_TRAP, "WBINVD");
	guest_check(guest_try("invlpg 0", :) == NO_TRAP, "INVLPG");
	guest_check(guest_try("pause", :) == NO_TRAP, "PAUSE");
	guest_check(guest_try("rdpmc", "c" (0x7fff) : "rax", "rdx") == GP, "RDPMC: #GP");
	guest_check(guest_try("xgetbv", "c" (0) : "rax", "rdx") == UD, "XGETBV: #UD without CR4.OSXSAVE");
	guest_check(guest_try("vmxoff", :) == UD, "VMXOFF: #UD");
	guest_check(guest_try("vmread %%rax, %%rax", :) == UD, "VMREAD: #UD");
	guest_check(guest_try("vmptrld 0", :) == UD, "VMPTRLD: #UD");
	guest_check(guest_try("vmxon 0", :) == UD, "VMXON: #UD without CR4.VMXE");
	guest_check(guest_try("vmfunc", "a" (0), "c" (0)) == UD, "VMFUNC: #UD");
}

static void guest_vmcall(void)
{
	int64_t result = 0x7777;

	__asm__ volatile("vmcall" : "+a" (result) : "b" (0), "c" (0), "d" (0), "S" (0) : "memory");
	guest_check(result == -1000, "VMCALL: KVM knows no such call");
}

static void guest_xsetbv(void)
{
	uint32_t out[4];
	uint64_t cr4 = read_cr4();

	cpuid(1, 0, out);
	if (!(out[2] >> 26 & 1))
		return;
	write_cr4(cr4 | 1 << 18);
	cpuid(1, 0, out);
	guest_check(out[2] >> 27 & 1, "XSETBV: CPUID tells of CR4.OSXSAVE");
	guest_check(guest_try("xsetbv", "c" (0), "a" (3), "d" (0)) == NO_TRAP, "XSETBV: x87 and SSE");
	guest_check(guest_try("xsetbv", "c" (0), "a" (2), "d" (0)) == GP, "XSETBV: #GP without x87");
	__asm__ volatile("xgetbv" : "=a" (out[0]), "=d" (out[3]) : "c" (0));
	guest_check(out[0] == 3 && !out[3], "XGETBV");
	write_cr4(cr4);
}

static void guest_tsc(void)
{
	uint32_t out[4];
	uint64_t before, now;
	bool forward = true;

	guest_sync(SYNC_TSC);
	before = rdtsc();
	guest_check(before >= TSC_START && before < TSC_START + (1ull << 36), "TSC: from what the VMM set");
	for (int i = 0; i < 50; i++) {
		cpuid(0, 0, out);
		now = rdtsc();
		forward = forward && now > before;
		before = now;
	}
	guest_check(forward, "TSC: goes forward across exits");
	wrmsr(MSR_TSC, 2 * TSC_START);
	now = rdmsr(MSR_TSC);
	guest_check(now >= 2 * TSC_START && now < 2 * TSC_START + (1ull << 36), "TSC: as the guest sets it");
}

static void guest_halt(void)
{
	halt();
	guest_sync(SYNC_RESUMED);
}

static void guest_exits(void)
{
	guest_cpuid();
	guest_msrs();
	guest_user_msrs();
	guest_io();
	guest_mmio();
	guest_control();
	guest_others();
	guest_vmcall();
	guest_xsetbv();
	guest_tsc();
	guest_halt();
}

static void host_msrs(struct vcpu *vcpu)
{
	check(vcpu_sync(vcpu) == SYNC_MSRS && vcpu_get_msr(vcpu, MSR_LSTAR) == CANONICAL &&
	      vcpu_get_msr(vcpu, MSR_KERNEL_GS) == CANONICAL + 1 &&
	      vcpu_get_msr(vcpu, MSR_SYSENTER_IP) == CANONICAL + 2 &&
	      vcpu_get_msr(vcpu, MSR_PAT) == 0x0606060606060606, "MSRs: the VMM sees them");
	vcpu_set_msr(vcpu, MSR_LSTAR, CANONICAL + 8);
}

static void host_user_msrs(struct vcpu *vcpu)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_UNKNOWN },
	};
	struct kvm_run *run = vcpu->run;

	vcpu_sync(vcpu);
	XIOCTL(vcpu->vm->fd, KVM_ENABLE_CAP, &cap);
	check(vcpu_run(vcpu) == KVM_EXIT_X86_RDMSR && run->msr.index == MSR_UNKNOWN, "MSRs: RDMSR for the VMM");
	run->msr.data = 0x1122334455667788;
	run->msr.error = 0;
	check(vcpu_run(vcpu) == KVM_EXIT_X86_WRMSR && run->msr.index == MSR_UNKNOWN &&
	      run->msr.data == 0x8877665544332211, "MSRs: WRMSR for the VMM");
	run->msr.error = 0;
	check(vcpu_run(vcpu) == KVM_EXIT_X86_WRMSR && !run->msr.data, "MSRs: another WRMSR for the VMM");
	run->msr.error = 1;
}

static void want_out(struct vcpu *vcpu, int port, int size, uint32_t value)
{
	uint32_t got = 0;

	vcpu_run(vcpu);
	memcpy(&got, vcpu_io_data(vcpu), size);
	check(vcpu_is_io(vcpu, KVM_EXIT_IO_OUT, port, size, 1) && got == value, "I/O: OUT of %d bytes", size);
}

static void want_in(struct vcpu *vcpu, int port, int size, uint32_t value)
{
	vcpu_run(vcpu);
	check(vcpu_is_io(vcpu, KVM_EXIT_IO_IN, port, size, 1), "I/O: IN of %d bytes", size);
	memcpy(vcpu_io_data(vcpu), &value, size);
}

static void host_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char text[32] = "";
	uint32_t got = 0;

	want_out(vcpu, 0x20, 1, 0x12);
	want_out(vcpu, 0x22, 2, 0x1234);
	want_out(vcpu, 0x24, 4, 0x12345678);
	want_in(vcpu, 0x30, 1, 0x98);
	want_in(vcpu, 0x32, 2, 0x9876);
	want_in(vcpu, 0x34, 4, 0x98765432);
	while (got < sizeof("string of bytes") && vcpu_run(vcpu) == KVM_EXIT_IO && run->io.port == 0x40) {
		memcpy(text + got, vcpu_io_data(vcpu), run->io.count);
		got += run->io.count;
	}
	check(!strcmp(text, "string of bytes"), "I/O: REP OUTSB, the bytes");
	for (got = 0; got < 4; got += run->io.count) {
		if (vcpu_run(vcpu) != KVM_EXIT_IO || run->io.port != 0x42)
			die("REP INSW ends early");
		for (uint32_t i = 0; i < run->io.count; i++)
			((uint16_t *)vcpu_io_data(vcpu))[i] = 0x100 + got + i;
	}
}

static void want_mmio(struct vcpu *vcpu, int offset, int size, bool is_write, uint64_t value)
{
	struct kvm_run *run = vcpu->run;
	uint64_t got = 0;

	vcpu_run(vcpu);
	if (run->exit_reason != KVM_EXIT_MMIO) {
		vcpu_describe(vcpu);
		die("not MMIO");
	}
	memcpy(&got, run->mmio.data, size);
	check(run->mmio.phys_addr == HOLE + offset && (int)run->mmio.len == size &&
	      run->mmio.is_write == is_write && (!is_write || got == value),
	      "MMIO: %s of %d bytes", is_write ? "write" : "read", size);
	if (!is_write)
		memcpy(run->mmio.data, &value, size);
}

static void host_mmio(struct vcpu *vcpu)
{
	want_mmio(vcpu, 0x10, 1, false, 0x10);
	want_mmio(vcpu, 0x20, 2, false, 0x2020);
	want_mmio(vcpu, 0x40, 4, false, 0x40404040);
	want_mmio(vcpu, 0x80, 8, false, 0x8080808080808080);
	want_mmio(vcpu, 0x10, 1, true, 0x11);
	want_mmio(vcpu, 0x20, 2, true, 0x2222);
	want_mmio(vcpu, 0x40, 4, true, 0x44444444);
	want_mmio(vcpu, 0x80, 8, true, 0x8888888888888888);
	want_mmio(vcpu, 0x40, 4, false, 99);
	want_mmio(vcpu, 0x40, 4, true, 100);
	want_mmio(vcpu, 0x11, 1, false, 0x11);
}

/* Without an APIC in KVM the VMM wants to know what waits for a lower priority. */
static void host_control(struct vcpu *vcpu)
{
	check(vcpu_run(vcpu) == KVM_EXIT_SET_TPR && !vcpu->run->cr8, "CR8: a lower value exits");
}

static void host_end(struct vcpu *vcpu)
{
	check(vcpu_sync(vcpu) == SYNC_TSC, "TSC: set by the VMM");
	vcpu_set_msr(vcpu, MSR_TSC, TSC_START);
	check(vcpu_run(vcpu) == KVM_EXIT_HLT, "HLT exits");
	check(vcpu_sync(vcpu) == SYNC_RESUMED, "HLT: goes on behind it");
	vcpu_finish(vcpu);
}

void subject_exits(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_exits);
	host_msrs(&vcpu);
	host_user_msrs(&vcpu);
	host_io(&vcpu);
	host_mmio(&vcpu);
	host_control(&vcpu);
	host_end(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}
