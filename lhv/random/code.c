// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of the guest's instructions. Each takes a slot of the code page: three registers
 * are loaded, a few instructions, a jump to the next slot. Whatever happens in between, the
 * hypervisor can have the guest go on with the next one.
 *
 * Left out is what shows time (RDTSC leaves nothing, RDPMC faults), what waits for
 * something from outside, and what the emulator has another way than the SDM:
 *
 *	RDRAND of 16 bits exits with another operand size (SDM vol. 3, 28.2.5)
 *	writes of IA32_DEBUGCTL (27.3.2.1)
 */
#include "random.h"

/* What the registers are loaded with */
enum arg {
	ARG_ANY, ARG_SMALL, ARG_DATA, ARG_MSR, ARG_X2APIC, ARG_PORT, ARG_CR0, ARG_CR4, ARG_FLAGS,
	ARG_SELECTOR, ARG_FIELD, ARG_0, ARG_APIC,
};

struct snippet {
	struct piece piece;
	enum arg eax, ecx, edx;
};

/* All 32 bits in any mode: in code of 16 bits the second does it. */
#define CLEAR(x)	"xorl %e" #x "x, %e" #x "x\n\txorw %" #x "x, %" #x "x"

SNIPPET(nop, "nop\n\tnop");
SNIPPET(alu, "addl %eax, %ecx\n\timull %ecx, %edx\n\txorl %edx, %eax");
SNIPPET(load, "movq (%rax), %rbx\n\tmovl 4(%rax), %edx");
SNIPPET(store, "movl %ecx, (%rax)\n\tmovq %rcx, 64(%rax)");
SNIPPET(rmw, "lock addl %ecx, (%rax)\n\txchgl %edx, 8(%rax)");
SNIPPET(across, "movq %rcx, 0xffc(%rax)");
SNIPPET(stack, "pushq %rax\n\tpushq %rcx\n\tpopq %rbx\n\tpopq %rsi");
SNIPPET(movs, "movq %rax, %rdi\n\tleaq 0x100(%rax), %rsi\n\tmovl $5, %ecx\n\tcld\n\trep movsb");
SNIPPET(cpuid, "cpuid");
SNIPPET(rdmsr, "rdmsr\n\tmovl %eax, %r8d");
SNIPPET(wrmsr, "wrmsr");
SNIPPET(rewrmsr, "rdmsr\n\twrmsr");
SNIPPET(cr0_read, "movq %cr0, %rbx");
SNIPPET(cr0_write, "movq %cr0, %rbx\n\txorq %rax, %rbx\n\tmovq %rbx, %cr0");
SNIPPET(clts, "clts");
SNIPPET(lmsw, "lmsw %ax");
SNIPPET(lmsw_memory, "movl %ecx, (%rax)\n\tlmsw (%rax)");
SNIPPET(smsw, "smsw %ebx");
SNIPPET(cr2, "movq %rax, %cr2\n\tmovq %cr2, %rbx");
SNIPPET(cr3_read, "movq %cr3, %rbx");
SNIPPET(cr3_write, "movq %cr3, %rbx\n\tmovq %rbx, %cr3");
SNIPPET(cr4_read, "movq %cr4, %rbx");
SNIPPET(cr4_write, "movq %cr4, %rbx\n\txorq %rax, %rbx\n\tmovq %rbx, %cr4");
SNIPPET(cr8_read, "movq %cr8, %rbx");
SNIPPET(cr8_write, "andl $15, %eax\n\tmovq %rax, %cr8");
SNIPPET(dr_read, "movq %db0, %rbx\n\tmovq %db7, %rsi");
SNIPPET(dr_write, "movq %rax, %db0\n\tmovq %rax, %db3");
SNIPPET(dr6_write, "movl %eax, %ebx\n\tmovq %rbx, %db6");
SNIPPET(breakpoint, "movq %rax, %db1\n\tmovl $0x000d0408, %ebx\n\tmovq %rbx, %db7\n\t"
	"movl %ecx, (%rax)\n\tmovl $0x400, %ebx\n\tmovq %rbx, %db7");
SNIPPET(in8, "inb %dx, %al");
SNIPPET(in32, "inl %dx, %eax");
SNIPPET(out8, "outb %al, %dx");
SNIPPET(out16, "outw %ax, %dx");
SNIPPET(outs, "movq %rax, %rsi\n\tcld\n\toutsb");
SNIPPET(rep_outs, "movq %rax, %rsi\n\tmovl $3, %ecx\n\tcld\n\trep outsl");
SNIPPET(ins, "movq %rax, %rdi\n\tmovl $2, %ecx\n\tstd\n\trep insw\n\tcld");
SNIPPET(int_n, "int $0x80");
SNIPPET(int_far, "int $0x95");
SNIPPET(int3, "int3");
SNIPPET(int1, ".byte 0xf1");
SNIPPET(into, ".byte 0xce");
SNIPPET(ud2, "ud2");
SNIPPET(div, "xorl %ecx, %ecx\n\tdivl %ecx");
SNIPPET(bound, ".byte 0x62, 0x00");
SNIPPET(hlt, "hlt");
SNIPPET(pause, "pause\n\tpause");
SNIPPET(invlpg, "invlpg 0x40(%rax)");
SNIPPET(invd, "invd");
SNIPPET(wbinvd, "wbinvd");
SNIPPET(rdtsc, "rdtsc\n\t" CLEAR(a) "\n\t" CLEAR(d));
SNIPPET(rdpmc, "movl $0x1234, %ecx\n\trdpmc");
SNIPPET(rdtscp, "rdtscp\n\t" CLEAR(a) "\n\t" CLEAR(d) "\n\t" CLEAR(c));
SNIPPET(rdrand, "rdrand %ebx\n\tmovl $0, %ebx");
SNIPPET(rdseed, "rdseed %r11\n\tmovl $0, %r11d");
SNIPPET(mov_ss, "movw %ss, %bx\n\tmovw %bx, %ss\n\tnop");
SNIPPET(mov_ss_cpuid, "movw %ss, %bx\n\tmovw %bx, %ss\n\tcpuid");
SNIPPET(mov_ss_int, "movw %ss, %bx\n\tmovw %bx, %ss\n\tint3");
SNIPPET(sti, "sti\n\tnop\n\tnop");
SNIPPET(sti_cpuid, "sti\n\tcpuid");
SNIPPET(cli, "cli");
SNIPPET(flags, "pushfq\n\txorl %eax, (%rsp)\n\tpopfq\n\tnop\n\tnop");
SNIPPET(step, "pushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\tnop\n\tcpuid\n\tnop");
SNIPPET(iret, "movq %rsp, %rbx\n\tpushq $0x10\n\tpushq %rbx\n\tpushfq\n\tpushq $8\n\t"
	"leaq 1f(%rip), %rbx\n\tpushq %rbx\n\tiretq\n1:");
SNIPPET(iret_user, "movq %rsp, %rbx\n\tpushq $0x23\n\tpushq %rbx\n\tpushfq\n\tpushq $0x2b\n\t"
	"leaq 1f+0x200000(%rip), %rbx\n\tpushq %rbx\n\tiretq\n1:");
SNIPPET(sgdt, "sgdt (%rax)\n\tsidt 16(%rax)");
SNIPPET(lgdt, "sgdt (%rax)\n\tlgdt (%rax)");
SNIPPET(lidt, "sidt 0x10(%rax)\n\tlidt 0x10(%rax)");
SNIPPET(sldt, "sldt %ebx\n\tstr %r9d");
SNIPPET(str_memory, "str 0x20(%rax)");
SNIPPET(lldt, "movl $0x60, %ebx\n\tlldt %bx");
SNIPPET(ltr, "ltr %cx");
SNIPPET(load_ds, "movw %cx, %ds");
SNIPPET(load_fs, "movw %cx, %fs\n\tmovl %fs:(%rax), %ebx");
SNIPPET(load_gs, "movw %cx, %gs");
SNIPPET(load_ss, "movw %cx, %ss\n\tnop");
SNIPPET(swapgs, "swapgs");
SNIPPET(far_call, "pushq $8\n\tleaq 1f(%rip), %rbx\n\tpushq %rbx\n\tlretq\n1:");
SNIPPET(far_any, "pushq %rcx\n\tleaq 1f(%rip), %rbx\n\tpushq %rbx\n\tlretq\n1:");
SNIPPET(lar, "lar %ecx, %ebx\n\tlsl %ecx, %esi\n\tverr %cx");
SNIPPET(xsetbv, "xsetbv");
SNIPPET(xgetbv, "xorl %ecx, %ecx\n\txgetbv");
SNIPPET(monitor, "xorl %ecx, %ecx\n\txorl %edx, %edx\n\tmonitor");
SNIPPET(invpcid, "movq $0, (%rax)\n\tmovq $0, 8(%rax)\n\tandl $3, %ecx\n\tinvpcid (%rax), %rcx");
SNIPPET(syscall, "syscall");
SNIPPET(sysenter, "sysenter");
SNIPPET(vmcall, "vmcall");
SNIPPET(vmfunc, "andl $1, %eax\n\tandl $3, %ecx\n\tvmfunc");
SNIPPET(vmread, "vmread %rcx, %rbx");
SNIPPET(vmread_memory, "vmread %rcx, 0x18(%rax)");
SNIPPET(vmwrite, "vmwrite %rdx, %rcx");
SNIPPET(vmptrld, "vmptrld 8(%rax)");
SNIPPET(vmptrst, "vmptrst (%rsp)");
SNIPPET(vmclear, "vmclear 0x40(%rax,%rcx,2)");
SNIPPET(vmxon, "vmxon (%rax)");
SNIPPET(vmxoff, "vmxoff");
SNIPPET(vmlaunch, "vmlaunch");
SNIPPET(vmresume, "vmresume");
SNIPPET(invept, "invept (%rax), %rcx");
SNIPPET(invvpid, "invvpid 0x10(%rax), %rdx");
SNIPPET(getsec, "getsec");
SNIPPET(rsm, "rsm");
SNIPPET(xsaves, "xorl %ebx, %ebx\n\txsaves 0x40(%rax)");
SNIPPET(fpu, "fninit\n\tmovd %eax, %xmm0");

#define S(name, eax, ecx, edx) \
	{ PIECE(name), ARG_##eax, ARG_##ecx, ARG_##edx }

static const struct snippet snippets[] = {
	S(nop, ANY, ANY, ANY), S(alu, ANY, ANY, ANY),
	S(load, DATA, ANY, ANY), S(load, APIC, ANY, ANY), S(store, DATA, ANY, ANY),
	S(store, DATA, ANY, ANY), S(store, APIC, SMALL, ANY), S(rmw, DATA, ANY, ANY),
	S(rmw, APIC, ANY, ANY), S(across, DATA, ANY, ANY), S(stack, ANY, ANY, ANY),
	S(movs, DATA, ANY, ANY), S(cpuid, SMALL, 0, ANY), S(rdmsr, ANY, MSR, ANY),
	S(rdmsr, ANY, MSR, ANY), S(rdmsr, ANY, X2APIC, ANY), S(wrmsr, ANY, MSR, 0),
	S(wrmsr, SMALL, MSR, 0), S(wrmsr, SMALL, X2APIC, 0), S(rewrmsr, ANY, MSR, ANY),
	S(cr0_read, ANY, ANY, ANY), S(cr0_write, CR0, ANY, ANY), S(cr0_write, CR0, ANY, ANY),
	S(clts, ANY, ANY, ANY), S(lmsw, SMALL, ANY, ANY), S(lmsw_memory, DATA, SMALL, ANY),
	S(smsw, ANY, ANY, ANY), S(cr2, ANY, ANY, ANY), S(cr3_read, ANY, ANY, ANY),
	S(cr3_write, ANY, ANY, ANY), S(cr4_read, ANY, ANY, ANY), S(cr4_write, CR4, ANY, ANY),
	S(cr4_write, CR4, ANY, ANY), S(cr8_read, ANY, ANY, ANY), S(cr8_write, ANY, ANY, ANY),
	S(dr_read, ANY, ANY, ANY), S(dr_write, ANY, ANY, ANY), S(dr6_write, ANY, ANY, ANY),
	S(breakpoint, DATA, ANY, ANY), S(in8, ANY, ANY, PORT), S(in32, ANY, ANY, PORT),
	S(out8, ANY, ANY, PORT), S(out16, ANY, ANY, PORT), S(outs, DATA, ANY, PORT),
	S(rep_outs, DATA, ANY, PORT), S(ins, DATA, ANY, PORT), S(int_n, ANY, ANY, ANY),
	S(int_far, ANY, ANY, ANY), S(int3, ANY, ANY, ANY), S(int1, ANY, ANY, ANY),
	S(into, ANY, ANY, ANY), S(ud2, ANY, ANY, ANY), S(div, ANY, ANY, ANY),
	S(bound, DATA, ANY, ANY), S(hlt, ANY, ANY, ANY), S(pause, ANY, ANY, ANY),
	S(invlpg, DATA, ANY, ANY), S(invd, ANY, ANY, ANY), S(wbinvd, ANY, ANY, ANY),
	S(rdtsc, ANY, ANY, ANY), S(rdpmc, ANY, ANY, ANY), S(rdtscp, ANY, ANY, ANY),
	S(rdrand, ANY, ANY, ANY), S(rdseed, ANY, ANY, ANY), S(mov_ss, ANY, ANY, ANY),
	S(mov_ss_cpuid, ANY, ANY, ANY), S(mov_ss_int, ANY, ANY, ANY), S(sti, ANY, ANY, ANY),
	S(sti_cpuid, ANY, ANY, ANY), S(cli, ANY, ANY, ANY), S(flags, FLAGS, ANY, ANY),
	S(flags, FLAGS, ANY, ANY), S(step, ANY, ANY, ANY), S(iret, ANY, ANY, ANY),
	S(iret_user, ANY, ANY, ANY), S(sgdt, DATA, ANY, ANY), S(lgdt, DATA, ANY, ANY),
	S(lidt, DATA, ANY, ANY), S(sldt, ANY, ANY, ANY), S(str_memory, DATA, ANY, ANY),
	S(lldt, ANY, ANY, ANY), S(ltr, ANY, SELECTOR, ANY), S(load_ds, ANY, SELECTOR, ANY),
	S(load_fs, DATA, SELECTOR, ANY), S(load_gs, ANY, SELECTOR, ANY),
	S(load_ss, ANY, SELECTOR, ANY), S(swapgs, ANY, ANY, ANY), S(far_call, ANY, ANY, ANY),
	S(far_any, ANY, SELECTOR, ANY), S(lar, ANY, SELECTOR, ANY), S(xsetbv, SMALL, 0, 0),
	S(xgetbv, ANY, ANY, ANY), S(monitor, DATA, ANY, ANY), S(invpcid, DATA, SMALL, ANY),
	S(syscall, ANY, ANY, ANY), S(sysenter, ANY, ANY, ANY), S(vmcall, ANY, ANY, ANY),
	S(vmfunc, SMALL, SMALL, ANY), S(vmfunc, 0, SMALL, ANY), S(vmread, ANY, FIELD, ANY),
	S(vmread_memory, DATA, FIELD, ANY), S(vmwrite, ANY, FIELD, ANY),
	S(vmptrld, DATA, ANY, ANY), S(vmptrst, ANY, ANY, ANY), S(vmclear, DATA, ANY, ANY),
	S(vmxon, DATA, ANY, ANY), S(vmxoff, ANY, ANY, ANY), S(vmlaunch, ANY, ANY, ANY),
	S(vmresume, ANY, ANY, ANY), S(invept, DATA, SMALL, ANY), S(invvpid, DATA, ANY, SMALL),
	S(getsec, ANY, ANY, ANY), S(rsm, ANY, ANY, ANY), S(xsaves, DATA, ANY, ANY),
	S(fpu, ANY, ANY, ANY),
};

static const u32 msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS,
	MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT, MSR_EFER, MSR_FS_BASE, MSR_GS_BASE,
	0x12345678, 0xc0001234, 0xbfffffff, 0x2000,
};
static const u32 x2apic[] = { 0x808, 0x80b, 0x83f, 0x802, 0x80a, 0x810 };
static const u32 ports[] = { 0x2f0, 0x2f1, 0x2f3, 0x2f4, 0x7fff, 0x7ffd, 0x8000, 0xf080 };
static const u32 cr0s[] = {
	1, 2, 4, 8, 0xa, 0x20, 0x10000, 0x40000, 0x20000000, 0x40000000, 0x60000000,
	0x80000000,
};
static const u32 flags[] = {
	0x100, 0x200, 0x4000, 0x10000, 0x40000, 0x3000, 0x400, 0x200000, 0x300,
};
static const u32 selectors[] = {
	0, 8, 0x10, 0x13, 0x1b, 0x23, 0x2b, 0x33, 0x38, 0x40, 0x48, 0x50, 0x60, 0x68,
	0x90, 0xfff8, 4,
};
static const u32 fields[] = {
	F_VPID, F_GUEST_CR3, F_EXIT_REASON, F_GUEST_RIP, F_LINK_POINTER | 1, 0x2fff,
	F_HOST_RSP,
};

#define ONE_OF(table, v)	((table)[(v) % ARRAY_SIZE(table)])

/** random_data - a linear address in one of the pages that pieces of code access */
u32 random_data(const struct rnd *r, u64 v)
{
	static const u32 pages[] = {
		PG_DATA, PG_DATA, PG_DATA, PG_DATA, PG_DATA2, PG_HOLE, PG_APIC,
		PG_STACK,
	};
	u32 address = (u32)ram_page(r, ONE_OF(pages, v)) + (v >> 8 & 0x7f8);

	return v >> 32 & 1 ? address : address + (u32)USER_ALIAS;
}

static u32 apic_address(const struct rnd *r, u64 v)
{
	static const u32 offsets[] = { 0x80, 0x80, 0x20, 0xb0, 0x300, 0x310, 0xd0, 0x38, 0xf00 };

	return (u32)ram_page(r, PG_APIC) + ONE_OF(offsets, v);
}

static u32 arg(const struct rnd *r, enum arg kind, u64 v)
{
	switch (kind) {
	case ARG_SMALL:
		return v & 15;
	case ARG_DATA:
		return random_data(r, v);
	case ARG_APIC:
		return apic_address(r, v);
	case ARG_MSR:
		return ONE_OF(msrs, v);
	case ARG_X2APIC:
		return ONE_OF(x2apic, v);
	case ARG_PORT:
		return ONE_OF(ports, v);
	case ARG_CR0:
		return ONE_OF(cr0s, v);
	case ARG_CR4:
		return (u32)BIT(v % 23);
	case ARG_FLAGS:
		return ONE_OF(flags, v);
	case ARG_SELECTOR:
		return ONE_OF(selectors, v);
	case ARG_FIELD:
		return ONE_OF(fields, v);
	case ARG_0:
		return 0;
	default:
		return (u32)v;
	}
}

/* In code of 16 bits the high half of what is loaded is an instruction: not RDTSC. */
static u32 plain(u32 value)
{
	return value >> 16 == 0x310f ? value & 0xffff : value;
}

static u8 *emit(u8 *to, u8 opcode, u32 value)
{
	*to++ = opcode;
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

/** random_piece - put a piece of code in the next slot, if there is one */
void random_piece(struct rnd *r, const struct piece *piece, u32 eax, u32 ecx, u32 edx)
{
	u8 *start = r->ram + PG_CODE * PAGE_SIZE + r->slots * SLOT_SIZE, *to = start;

	if (r->slots == SLOTS)
		return;
	say(r, "%u: %s, eax %x, ecx %x, edx %x", r->slots, piece->name, eax, ecx, edx);
	to = emit(to, 0xb8, plain(eax));
	to = emit(to, 0xb9, plain(ecx));
	to = emit(to, 0xba, plain(edx));
	memcpy(to, piece->code, (size_t)(piece->end - piece->code));
	to += piece->end - piece->code;
	emit(to, 0xe9, (u32)(start + SLOT_SIZE - to - 5));
	r->slots++;
}

static void apply_snippet(struct rnd *r, const struct choice *choice)
{
	const struct snippet *s = &snippets[choice->v[0] % ARRAY_SIZE(snippets)];
	const char *code = s->piece.code;

	if (r->slots < SLOTS && (code == snip_rdtsc || code == snip_rdtscp ||
				 code == snip_rdrand || code == snip_rdseed))
		r->timed |= (u32)BIT(r->slots);
	random_piece(r, &s->piece, arg(r, s->eax, choice->v[1]), arg(r, s->ecx, choice->v[2]),
		     arg(r, s->edx, choice->v[3]));
}

/* --- the guest's mode, which is part of what its code means */

static void segment(u32 field, u32 selector, u32 access)
{
	vmwrite(field, selector);
	vmwrite(field + (F_GUEST_ES_ACCESS - F_GUEST_ES), access);
}

static void mode_user(struct rnd *r)
{
	segment(F_GUEST_CS, SEL_UCODE, 0xa0fb);
	segment(F_GUEST_SS, SEL_UDATA, 0xc0f3);
	segment(F_GUEST_DS, SEL_UDATA, 0xc0f3);
	segment(F_GUEST_ES, SEL_UDATA, 0xc0f3);
	vmwrite(F_GUEST_RIP, ram_page(r, PG_CODE) + USER_ALIAS);
	vmwrite(F_GUEST_RSP, ram_page(r, PG_STACK) + USER_ALIAS + 0xc00);
}

static void mode_compat(struct rnd *r)
{
	(void)r;
	segment(F_GUEST_CS, SEL_KCODE32, 0xc09b);
}

/* 32 bits: no IA-32e mode, tables and gates of that kind */
static void mode_32(struct rnd *r)
{
	mode_compat(r);
	hv_clear(F_ENTRY_CONTROLS, ENTRY_IA32E);
	vmwrite(F_GUEST_EFER, EFER_NXE | EFER_SCE);
	vmwrite(F_GUEST_CR4, vmread(F_GUEST_CR4) & ~(u64)CR4_PAE);
	vmwrite(F_GUEST_CR3, ram_page(r, PG_PD32));
	vmwrite(F_GUEST_IDTR_BASE, ram_page(r, PG_IDT32));
	vmwrite(F_GUEST_FS_BASE, 0);
	vmwrite(F_GUEST_GS_BASE, 0);
}

static void mode_pae(struct rnd *r)
{
	mode_32(r);
	vmwrite(F_GUEST_CR4, vmread(F_GUEST_CR4) | CR4_PAE);
	vmwrite(F_GUEST_CR3, ram_page(r, PG_PDPT) + PAE_OFFSET);
}

static bool unrestricted(void)
{
	u32 needs = SECONDARY_UNRESTRICTED | SECONDARY_EPT;

	if (!hv_can(F_SECONDARY_CONTROLS, needs))
		return false;
	hv_set(F_SECONDARY_CONTROLS, needs);
	return true;
}

static void mode_no_paging(struct rnd *r)
{
	if (!unrestricted())
		return;
	mode_32(r);
	vmwrite(F_GUEST_CR0, vmread(F_GUEST_CR0) & ~(u64)CR0_PG);
}

static void mode_real(struct rnd *r)
{
	static const u32 bases[] = { PG_DATA, PG_CODE, PG_STACK, PG_DATA, PG_DATA, PG_DATA };
	u32 i;

	if (!unrestricted())
		return;
	mode_32(r);
	vmwrite(F_GUEST_CR0, vmread(F_GUEST_CR0) & ~(u64)(CR0_PG | CR0_PE));
	for (i = 0; i < 6; i++) {
		segment(F_GUEST_ES + 2 * i, 0x1000, i == 1 ? 0x9b : 0x93);
		vmwrite(F_GUEST_ES_BASE + 2 * i, ram_page(r, bases[i]));
		vmwrite(F_GUEST_ES_LIMIT + 2 * i, 0xffff);
	}
	vmwrite(F_GUEST_RIP, 0);
	vmwrite(F_GUEST_RSP, 0xc00);
}

static const struct {
	const char *name;
	void (*set)(struct rnd *r);
} modes[] = {
	{ "CPL 3", mode_user }, { "CPL 3", mode_user }, { "compatibility", mode_compat },
	{ "32 bits", mode_32 }, { "PAE", mode_pae }, { "no paging", mode_no_paging },
	{ "real", mode_real },
};

static void apply_mode(struct rnd *r, const struct choice *choice)
{
	u32 i = (u32)(choice->v[0] % ARRAY_SIZE(modes));

	say(r, "%s", modes[i].name);
	modes[i].set(r);
}

const struct kind random_code[] = {
	{ "code", 40, apply_snippet },
	{ "mode", 1, apply_mode },
	{ NULL, 0, NULL },
};
