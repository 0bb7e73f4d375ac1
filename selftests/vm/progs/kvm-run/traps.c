// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions of a 64-bit guest, software interrupts, user mode, the triple fault. */
#include "guest.h"
#include "vm.h"

#define PTE_PRESENT	1ull
#define PTE_WRITE	2ull
#define PTE_USER	4ull
#define PTE_NX		(1ull << 63)
#define VECTOR_BACK	0x81
#define VECTOR_USER	0x80

void in_user(void);

/* Assembler names it. */
volatile uint64_t resume_kernel;

static volatile uint64_t calls, user_result;
static volatile uint64_t user_stack[512] __attribute__((aligned(16)));

/* Where INT3 and the like end; the address is that of the next instruction. */
static void guest_software(void)
{
	extern char after_int3[], after_int80[];

	guest_check(guest_try("int3\nafter_int3:", :) == BP && caught.rip == (uint64_t)after_int3,
		    "INT3: #BP behind it");
	guest_check(guest_try("int $0x80\nafter_int80:", :) == 0x80 && caught.rip == (uint64_t)after_int80,
		    "INT n: behind it");
	guest_check(guest_try("int $3", :) == BP, "INT 3 in two bytes");
	guest_check(guest_try(".byte 0xf1", :) == DB, "INT1: #DB");
	guest_check(guest_try(".byte 0xce", :) == UD, "INTO: #UD in 64-bit mode");
}

static void guest_faults(void)
{
	extern char at_div[];

	guest_check(guest_try("at_div: divl %%ecx", "a" (1), "d" (0), "c" (0)) == DE &&
		    caught.rip == (uint64_t)at_div, "#DE at the instruction");
	guest_check(guest_try("ud2", :) == UD, "#UD");
	guest_check(guest_try("movb (%0), %%al", "r" (1ull << 63) : "rax") == GP && !caught.error,
		    "#GP with 0");
	guest_check(guest_try("movl %0, %%fs", "r" (0x7f8)) == GP && caught.error == 0x7f8,
		    "#GP with a selector");
	guest_check(guest_try("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop", :) == DB &&
		    caught.dr6 & 1 << 14, "#DB: single step");
}

/* Each wrong access to a page of the window: error code and CR2. */
static void page_fault(uint64_t rights, bool write, uint64_t error, const char *text)
{
	uint64_t address = WINDOW + 5 * PAGE_SIZE + 0x123, vector;

	*window_entry(5) = (WINDOW_PAGES + 5 * PAGE_SIZE) | rights;
	invlpg(address);
	if (write)
		vector = guest_try("movb $1, (%0)", "r" (address));
	else
		vector = guest_try("movb (%0), %%al", "r" (address) : "rax");
	guest_check(vector == PF && caught.error == error && caught.cr2 == address, text);
}

static void guest_page_faults(void)
{
	uint64_t address = WINDOW + 5 * PAGE_SIZE;
	volatile uint8_t *code = (volatile uint8_t *)address;

	/* JMP *%RCX */
	code[0] = 0xff;
	code[1] = 0xe1;
	page_fault(0, false, 0, "#PF: read, not present");
	page_fault(0, true, 2, "#PF: write, not present");
	page_fault(PTE_PRESENT, true, 3, "#PF: write to what is only to be read");
	page_fault(PTE_PRESENT | 1ull << 51, false, 9, "#PF: a reserved bit");
	*window_entry(5) = (WINDOW_PAGES + 5 * PAGE_SIZE) | PTE_PRESENT | PTE_NX;
	invlpg(address);
	guest_check(guest_try("movq $9f, %%rcx\n\tjmp *%0", "r" (address) : "rcx") == PF &&
		    caught.error == 0x11, "#PF: no execution");
	*window_entry(5) = (WINDOW_PAGES + 5 * PAGE_SIZE) | PTE_PRESENT | PTE_WRITE;
	invlpg(address);
	guest_check(guest_try("movq $9f, %%rcx\n\tjmp *%0", "r" (address) : "rcx") == NO_TRAP,
		    "no #PF after INVLPG");
}

static void back_from_user(struct trap *trap)
{
	calls++;
	trap->cs = KERNEL_CS;
	trap->ss = KERNEL_DS;
	trap->rip = resume_kernel;
	trap->rsp = trap->rbx;
}

/* In user mode: CPUID works, HLT and I/O do not, INT n comes back. */
void in_user(void)
{
	uint32_t out[4];

	cpuid(0x40000000, 0, out);
	user_result = out[1] == 0x6374614c;
	if (guest_try("hlt", :) == GP)
		user_result |= 2;
	if (guest_try("outb %%al, $0x99", :) == GP)
		user_result |= 4;
	if (guest_try("int $0x80", :) == VECTOR_USER)
		user_result |= 8;
	if (guest_try("mov %%cr0, %%rax", : "rax") == GP)
		user_result |= 16;
	if (guest_try("movb (%0), %%al", "r" (HOLE + (1ull << 40)) : "rax") == PF && caught.error == 4)
		user_result |= 32;
}

static void guest_user(void)
{
	trap_handlers[VECTOR_BACK] = back_from_user;
	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "movq $1f, resume_kernel\n\t"
			 "pushq %[ss]\n\tpushq %[sp]\n\tpushfq\n\tpushq %[cs]\n\tpushq $2f\n\tiretq\n"
			 "2:\tpushq %%rbx\n\tpushq %%rbx\n\tcall in_user\n\tpopq %%rbx\n\tint $0x81\n"
			 "1:"
			 : : [ss] "i" (USER_DS), [cs] "i" (USER_CS), [sp] "r" (user_stack + 512)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
	guest_check(calls == 1, "user mode: and back by INT n");
	guest_check(user_result & 1, "user mode: CPUID");
	guest_check(user_result & 2, "user mode: #GP at HLT");
	guest_check(user_result & 4, "user mode: #GP at OUT");
	guest_check(user_result & 8, "user mode: INT n");
	guest_check(user_result & 16, "user mode: #GP at MOV from CR0");
	guest_check(user_result & 32, "user mode: #PF with the user's bit");
}

static void guest_traps(void)
{
	guest_software();
	guest_faults();
	guest_page_faults();
	guest_user();
}

/* No stack and no table: nothing is left but a shutdown. */
static void guest_triple(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = { 0, 0 };

	__asm__ volatile("lidt %0\n\tud2" : : "m" (nothing));
}

static void triple_fault(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_triple);
	check(vcpu_run(&vcpu) == KVM_EXIT_SHUTDOWN, "a triple fault is a shutdown");
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* The VMM's own exceptions: KVM_SET_VCPU_EVENTS. */
static void guest_waits(void)
{
	guest_sync(1);
	guest_check(caught.vector == GP && caught.error == 0x1234, "an exception from the VMM");
}

static void injected(void)
{
	struct kvm_vcpu_events events = { 0 };
	struct kvm_regs regs;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_waits);
	vcpu_sync(&vcpu);
	/* the OUT is done when KVM_RUN is called the next time */
	vcpu.run->immediate_exit = 1;
	vcpu_enter(&vcpu);
	vcpu.run->immediate_exit = 0;
	XIOCTL(vcpu.fd, KVM_GET_VCPU_EVENTS, &events);
	events.exception.injected = 1;
	events.exception.nr = GP;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x1234;
	XIOCTL(vcpu.fd, KVM_SET_VCPU_EVENTS, &events);
	XIOCTL(vcpu.fd, KVM_GET_REGS, &regs);
	GUEST(&vm, trap_resume) = regs.rip;
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

void subject_traps(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, guest_traps);
	vcpu_finish(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	triple_fault();
	injected();
}
