// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controls that make one instruction exit: with the control it exits, with the
 * information that the SDM gives for it; without it the guest executes it. Left out is
 * RDRAND of 16 bits, where the emulator gives another size of the operand.
 */
#include "nested.h"

INSN(ctl_hlt, "hlt");
INSN(ctl_invlpg, "invlpg 0x123(RDI)");
INSN(ctl_monitor, "lea -256(RSP), RAX\n\txorl %ecx, %ecx\n\txorl %edx, %edx\n\tmonitor");
INSN(ctl_mwait, "xorl %eax, %eax\n\txorl %ecx, %ecx\n\tmwait");
INSN(ctl_rdpmc, "xorl %ecx, %ecx\n\trdpmc");
INSN(ctl_rdtsc, "rdtsc");
INSN(ctl_rdtscp, "rdtscp");
INSN(ctl_pause, "pause");
INSN(ctl_wbinvd, "wbinvd");
INSN(ctl_rdseed, "rdseed %edx");
INSN(ctl_sgdt, "sgdt (RDI)");
INSN(ctl_sidt, "sidt (RDI)");
INSN(ctl_lgdt, "sgdt -16(RSP)\n\tlgdt -16(RSP)");
INSN(ctl_lidt, "sub $16, RSP\n\tsidt (RSP)\n\tlidt (RSP)\n\tadd $16, RSP");
INSN(ctl_sldt, "sldt %eax");
INSN(ctl_lldt, "movl $0x60, %eax\n\tlldt %ax");
INSN(ctl_in, "inb $0x80, %al");
INSN(ctl_out, "movl $0x80, %edx\n\tmovl $0x55, %eax\n\toutl %eax, %dx");
INSN(ctl_invpcid, "xorl %ecx, %ecx\n\tpush RCX\n\tpush RCX\n\tpush RCX\n\tpush RCX\n\t"
	"movl $2, %eax\n\tinvpcid (RSP), RAX\n\tpop RCX\n\tpop RCX\n\tpop RCX\n\tpop RCX");

/**
 * struct control - a control and an instruction
 * @field, @bit: the control
 * @insn: the instruction is so many bytes behind the start of the code
 * @length: of the instruction
 * @qualification, @info: of the exit; @mask says what of @info is defined
 * @without: exception without the control; TRAP_NONE if it is executed, 0 if it is not
 *	     to be tried, as it would wait
 */
struct control {
	const char *name;
	const char *code;
	u32 field, bit;
	u32 reason, insn, length;
	u64 qualification;
	u32 info, mask;
	u32 without;
};

#define PRIMARY(name, code, bit, reason, insn, length, qualification, without) \
	{ name, code, F_PRIMARY_CONTROLS, bit, reason, insn, length, qualification, 0, 0, without }
#define SECONDARY(name, code, bit, reason, insn, length, info, mask) \
	{ name, code, F_SECONDARY_CONTROLS, bit, reason, insn, length, 0, info, mask, TRAP_NONE }
#include <insns_controls.h>

/* Not under trap(), which reads GDTR, and that is one of the controls. */
static void control_with(struct hv *hv, const struct control *c)
{
	hv_guest(hv, c->code, TEST_VA);
	hv_set(c->field, c->bit);
	nested_exit(hv, c->reason, c->qualification, c->length, c->name);
	ktap_check(hv->exit.rip - hv->code == c->insn &&
		   (hv->exit.instruction & c->mask) == (c->info & c->mask),
		   "%s: RIP, information %x", c->name, hv->exit.instruction & c->mask);
	hv_skip(hv);
	nested_end(hv, c->name);
	hv_clear(c->field, c->bit);
}

static void control_without(struct hv *hv, const struct control *c)
{
	if (!c->without || hv_controls_fixed0(c->field) & c->bit)
		return;
	nested_try(hv, c->code, TEST_VA);
	nested_end(hv, c->name);
	ktap_check(nested_vector(hv) == c->without, "%s without the control: exception %llu",
		   c->name, nested_vector(hv));
}

static void controls_simple(struct hv *hv)
{
	u32 i;

	mem_map(TEST_VA, ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)), PTE_P | PTE_W);
	for (i = 0; i < ARRAY_SIZE(controls); i++) {
		if (!hv_can(controls[i].field, controls[i].bit)) {
			ktap_skip("%s: no such control", controls[i].name);
			continue;
		}
		control_with(hv, &controls[i]);
		control_without(hv, &controls[i]);
	}
}

/* LGDT and LIDT behind SGDT and SIDT, which exit too */
static void controls_descriptors(struct hv *hv)
{
	hv_guest(hv, ctl_lgdt, 0);
	nested_exit(hv, REASON_GDTR_IDTR, NATURAL(-16), 5, "SGDT");
	hv_skip(hv);
	nested_exit(hv, REASON_GDTR_IDTR, NATURAL(-16), 5, "LGDT");
	ktap_check((hv->exit.instruction & 0x30000000) == 0x20000000, "LGDT: information");
	hv_guest(hv, ctl_lidt, 0);
	nested_exit(hv, REASON_GDTR_IDTR, 0, 4, "SIDT");
	hv_skip(hv);
	nested_exit(hv, REASON_GDTR_IDTR, 0, 4, "LIDT");
	ktap_check((hv->exit.instruction & 0x30000000) == 0x30000000, "LIDT: information");
}

static void controls_monitor(struct hv *hv)
{
	if (!(cpuid(1, 0).ecx & BIT(3))) {
		ktap_skip("no MONITOR");
		return;
	}
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MONITOR);
	nested_try(hv, ctl_monitor, 0);
	nested_exit(hv, REASON_MONITOR, 0, 3, "MONITOR");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MONITOR);
	nested_end(hv, "MONITOR without the control");
	nested_try(hv, ctl_mwait, 0);
	nested_exit(hv, REASON_MWAIT, 0, 3, "MWAIT");
}

/* Instructions that are #UD in the guest unless a control enables them */

static bool enabled_try(struct hv *hv, u32 bit, const char *code, u32 vector, const char *name)
{
	u8 *area = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	nested_try(hv, code, ADDR(area));
	if (bit)
		hv_set(F_SECONDARY_CONTROLS, bit);
	nested_end(hv, name);
	return ktap_check(nested_vector(hv) == vector, "%s: exception %llu", name,
			  nested_vector(hv));
}

static void controls_rdtscp(struct hv *hv)
{
	enabled_try(hv, 0, ctl_rdtscp, VECTOR_UD, "RDTSCP, not enabled");
	enabled_try(hv, SECONDARY_RDTSCP, ctl_rdtscp, TRAP_NONE, "RDTSCP");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_RDTSC);
	nested_try(hv, ctl_rdtscp, 0);
	nested_exit(hv, REASON_RDTSCP, 0, 3, "RDTSCP exits");
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_RDTSCP);
	enabled_try(hv, 0, ctl_rdtscp, VECTOR_UD, "#UD before the exit");
}

static void controls_invpcid(struct hv *hv)
{
	enabled_try(hv, 0, ctl_invpcid, VECTOR_UD, "INVPCID, not enabled");
	enabled_try(hv, SECONDARY_INVPCID, ctl_invpcid, TRAP_NONE, "INVPCID");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_INVLPG);
	nested_try(hv, ctl_invpcid, 0);
	nested_exit(hv, REASON_INVPCID, 0, 6, "INVPCID exits");
	ktap_check((hv->exit.instruction & 0xffc00000) == 0x02400000, "information %x",
		   hv->exit.instruction & 0xffc00000);
	hv_clear(F_SECONDARY_CONTROLS, SECONDARY_INVPCID);
	enabled_try(hv, 0, ctl_invpcid, VECTOR_UD, "#UD before the exit");
}

static void controls_xsaves(struct hv *hv)
{
	enabled_try(hv, 0, ctl_xsaves, VECTOR_UD, "XSAVES, not enabled");
	enabled_try(hv, 0, ctl_xrstors, VECTOR_UD, "XRSTORS, not enabled");
	enabled_try(hv, SECONDARY_XSAVES, ctl_xsaves, TRAP_NONE, "XSAVES");
}

/* --- CR0, CR4: masks and shadows; CR3 targets */

INSN(cr0_store, "mov %cr0, RAX");
INSN(cr0_load, "mov RDI, %cr0");
INSN(cr0_clts, "clts");
INSN(cr0_lmsw, "lmsw %di");
INSN(cr0_lmsw_mem, "lmsw (RDI)");
INSN(cr0_smsw, "smsw RAX");
INSN(cr4_store, "mov %cr4, RAX");
INSN(cr4_load, "mov RDI, %cr4");

static void controls_cr0(struct hv *hv)
{
	u64 cr0 = read_cr0() & ~(u64)CR0_TS;

	vmwrite(F_GUEST_CR0, cr0);
	vmwrite(F_CR0_MASK, CR0_TS | CR0_AM);
	vmwrite(F_CR0_SHADOW, CR0_TS);
	hv_guest(hv, cr0_store, 0);
	nested_end(hv, "MOV from CR0");
	ktap_check(hv->regs.rax == (cr0 | CR0_TS), "bits of the mask come from the shadow");
	hv_guest(hv, cr0_smsw, 0);
	nested_end(hv, "SMSW");
	ktap_check((hv->regs.rax & 0xffff) == ((cr0 | CR0_TS) & 0xffff), "SMSW reads the shadow");
	hv_guest(hv, cr0_load, cr0 | CR0_TS);
	nested_end(hv, "MOV to CR0 with the shadow's bits");
	ktap_check(vmread(F_GUEST_CR0) == cr0, "CR0 keeps what the mask has");
	hv_guest(hv, cr0_load, (cr0 | CR0_TS) ^ CR0_WP);
	nested_end(hv, "MOV to CR0 with another bit");
	ktap_check(vmread(F_GUEST_CR0) == (cr0 ^ CR0_WP), "it is changed");
	hv_guest(hv, cr0_load, cr0);
	nested_exit(hv, REASON_CR, 0x700, 3, "MOV to CR0 against the shadow");
	hv_guest(hv, cr0_load, cr0 | CR0_TS | CR0_AM);
	nested_exit(hv, REASON_CR, 0x700, 3, "MOV to CR0, another bit of the mask");
}

static void controls_clts(struct hv *hv)
{
	u64 cr0 = read_cr0();

	vmwrite(F_CR0_MASK, CR0_TS);
	vmwrite(F_CR0_SHADOW, CR0_TS);
	hv_guest(hv, cr0_clts, 0);
	nested_exit(hv, REASON_CR, 0x20, 2, "CLTS with the shadow's TS = 1");
	vmwrite(F_GUEST_CR0, cr0 | CR0_TS);
	vmwrite(F_CR0_SHADOW, 0);
	hv_guest(hv, cr0_clts, 0);
	nested_end(hv, "CLTS with the shadow's TS = 0");
	ktap_check(vmread(F_GUEST_CR0) & CR0_TS, "and CR0.TS stays");
	vmwrite(F_CR0_MASK, 0);
	hv_guest(hv, cr0_clts, 0);
	nested_end(hv, "CLTS without the mask");
	ktap_check(!(vmread(F_GUEST_CR0) & CR0_TS), "and CR0.TS is cleared");
}

static void controls_lmsw(struct hv *hv)
{
	u16 *operand = (u16 *)hv->page;

	vmwrite(F_CR0_MASK, CR0_TS);
	vmwrite(F_CR0_SHADOW, 0);
	hv_guest(hv, cr0_lmsw, CR0_PE | CR0_MP | CR0_TS);
	nested_exit(hv, REASON_CR, 0xb0030, 3, "LMSW");
	*operand = CR0_PE | CR0_TS;
	hv_guest(hv, cr0_lmsw_mem, ADDR(operand));
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_CR && hv->exit.qualification == 0x90070 &&
		   hv->exit.linear == ADDR(operand), "LMSW from memory: qualification %llx",
		   hv->exit.qualification);
	hv_guest(hv, cr0_lmsw, CR0_PE | CR0_MP | CR0_EM);
	nested_end(hv, "LMSW of other bits");
	ktap_check(vmread(F_GUEST_CR0) & CR0_EM, "they are set");
}

static void controls_cr4(struct hv *hv)
{
	u64 cr4 = read_cr4();

	vmwrite(F_CR4_MASK, CR4_VMXE | CR4_TSD);
	vmwrite(F_CR4_SHADOW, CR4_TSD);
	hv_guest(hv, cr4_store, 0);
	nested_end(hv, "MOV from CR4");
	ktap_check(hv->regs.rax == ((cr4 & ~(u64)CR4_VMXE) | CR4_TSD), "VMXE is hidden");
	hv_guest(hv, cr4_load, (cr4 & ~(u64)CR4_VMXE) | CR4_TSD | CR4_PCE);
	nested_end(hv, "MOV to CR4");
	ktap_check(vmread(F_GUEST_CR4) == (cr4 | CR4_PCE), "VMXE stays, PCE is set");
	hv_guest(hv, cr4_load, cr4 | CR4_TSD);
	nested_exit(hv, REASON_CR, 0x704, 3, "MOV to CR4 with VMXE");
}

/* Bits that VMX fixes: #GP in the guest too, if they are not in the mask */
static void controls_fixed(struct hv *hv)
{
	nested_try(hv, cr0_load, read_cr0() & ~(u64)CR0_NE);
	nested_end(hv, "CR0.NE = 0");
	ktap_check(nested_vector(hv) == VECTOR_GP, "CR0.NE = 0: exception %llu",
		   nested_vector(hv));
	nested_try(hv, cr4_load, read_cr4() & ~(u64)CR4_VMXE);
	nested_end(hv, "CR4.VMXE = 0");
	ktap_check(nested_vector(hv) == VECTOR_GP, "CR4.VMXE = 0: exception %llu",
		   nested_vector(hv));
}

INSN(cr3_load, "mov RDI, %cr3");

static void controls_cr3_targets(struct hv *hv)
{
	u32 i, count = MISC_CR3_TARGETS(rdmsr(MSR_VMX_MISC));
	u64 *tables = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	memcpy(tables, PTR(mem_cr3), PAGE_SIZE);
	if (count > 4)
		count = 4;
	if (!count) {
		ktap_skip("no CR3 targets");
		return;
	}
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_CR3_LOAD);
	for (i = 0; i < count; i++) {
		vmwrite(F_CR3_TARGET_COUNT, i);
		vmwrite(F_CR3_TARGET0 + 2 * i, ADDR(tables));
		hv_guest(hv, cr3_load, ADDR(tables));
		nested_exit(hv, REASON_CR, 0x703, 3, "MOV to CR3, not counted");
		vmwrite(F_CR3_TARGET_COUNT, i + 1);
		hv_guest(hv, cr3_load, ADDR(tables));
		nested_end(hv, "MOV to CR3 with a target");
		ktap_check(vmread(F_GUEST_CR3) == ADDR(tables), "CR3 is loaded");
		vmwrite(F_CR3_TARGET0 + 2 * i, 0);
		vmwrite(F_GUEST_CR3, mem_cr3);
	}
}

/* --- bitmaps */

INSN(io_in8, "movl %edi, %edx\n\tinb %dx, %al");
INSN(io_out16, "movl %edi, %edx\n\toutw %ax, %dx");
INSN(io_out32, "movl %edi, %edx\n\toutl %eax, %dx");
INSN(io_outs, "movl %edi, %edx\n\tcld\n\toutsb");
INSN(io_rep_ins, "movl %edi, %edx\n\tmovl $3, %ecx\n\tmov RSI, RDI\n\tcld\n\trep insw");

static const struct {
	const char *name;
	const char *code;
	u32 bit;		/* of the two bitmaps */
	u32 port;
	u64 qualification;	/* 0: no exit */
	u32 length;
} ports[] = {
	{ "IN of a port of bitmap A", io_in8, 0x80, 0x80, 0x800008, 1 },
	{ "the port before", io_in8, 0x81, 0x80, 0, 0 },
	{ "the port behind", io_in8, 0x7f, 0x80, 0, 0 },
	{ "OUT, 16 bits, first port", io_out16, 0x80, 0x80, 0x800001, 2 },
	{ "OUT, 16 bits, second port", io_out16, 0x81, 0x80, 0x800001, 2 },
	{ "OUT, 16 bits, port behind", io_out16, 0x82, 0x80, 0, 0 },
	{ "OUT, 32 bits, last port", io_out32, 0x83, 0x80, 0x800003, 1 },
	{ "IN of a port of bitmap B", io_in8, 0xf080, 0xf080, 0xf0800008, 1 },
	{ "OUT across the two bitmaps", io_out16, 0x8000, 0x7fff, 0x7fff0001, 2 },
	{ "OUT that wraps around", io_out16, 0x8, 0xffff, 0xffff0001, 2 },
};

static void controls_io_bitmaps(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		memset(hv->io_bitmaps, 0, 2 * PAGE_SIZE);
		hv->io_bitmaps[ports[i].bit / 8] = 1 << ports[i].bit % 8;
		hv_guest(hv, ports[i].code, ports[i].port);
		if (ports[i].qualification)
			nested_exit(hv, REASON_IO, ports[i].qualification, ports[i].length,
				    ports[i].name);
		else
			nested_end(hv, ports[i].name);
	}
	memset(hv->io_bitmaps, 0xff, 2 * PAGE_SIZE);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_IO);
	memset(hv->io_bitmaps, 0, 2 * PAGE_SIZE);
	hv_guest(hv, io_in8, 0x80);
	nested_end(hv, "bitmaps go before the control for all ports");
}

static void controls_string_io(struct hv *hv)
{
	u8 *buffer = hv->page;

	hv_set(F_PRIMARY_CONTROLS, PRIMARY_IO);
	hv_guest(hv, io_outs, 0x80);
	hv->regs.rsi = ADDR(buffer);
	nested_exit(hv, REASON_IO, 0x800010, 1, "OUTS");
	ktap_check(hv->exit.linear == ADDR(buffer), "OUTS: linear address");
	if (rdmsr(MSR_VMX_BASIC) & BASIC_INS_OUTS)
		ktap_check((hv->exit.instruction & 0x38380) == (0x18000 | INFO_ADDRESS_SIZE),
			   "OUTS: information %x", hv->exit.instruction & 0x38380);
	hv_guest(hv, io_rep_ins, 0x80);
	hv->regs.rsi = ADDR(buffer);
	nested_exit(hv, REASON_IO, 0x800039, 3, "REP INS");
	ktap_check(hv->exit.linear == ADDR(buffer) && hv->regs.rcx == 3,
		   "REP INS: linear address, count");
}

INSN(msr_read, "movl %edi, %ecx\n\trdmsr");
INSN(msr_write, "movl %edi, %ecx\n\trdmsr\n\twrmsr");

static const struct {
	const char *name;
	const char *code;
	u32 msr;
	u32 bit;		/* in the page */
	u32 reason, insn;
} msrs[] = {
	{ "RDMSR, low", msr_read, MSR_SYSENTER_CS, MSR_SYSENTER_CS, REASON_RDMSR, 2 },
	{ "RDMSR, high", msr_read, MSR_STAR, 0x2000 + 0x81, REASON_RDMSR, 2 },
	{ "WRMSR, low", msr_write, MSR_SYSENTER_CS, 0x4000 + MSR_SYSENTER_CS, REASON_WRMSR, 4 },
	{ "WRMSR, high", msr_write, MSR_STAR, 0x6000 + 0x81, REASON_WRMSR, 4 },
};

static void controls_msr_bitmap(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		memset(hv->msr_bitmap, 0, PAGE_SIZE);
		hv->msr_bitmap[msrs[i].bit / 8] = 1 << msrs[i].bit % 8;
		hv_guest(hv, msrs[i].code, msrs[i].msr);
		nested_exit_at(hv, msrs[i].reason, 0, msrs[i].insn, msrs[i].name);
		memset(hv->msr_bitmap, 0xff, PAGE_SIZE);
		hv->msr_bitmap[msrs[i].bit / 8] = (u8)~(1 << msrs[i].bit % 8);
		if (msrs[i].reason == REASON_WRMSR)
			memset(hv->msr_bitmap, 0, PAGE_SIZE / 2);
		hv_guest(hv, msrs[i].code, msrs[i].msr);
		nested_end(hv, msrs[i].name);
	}
	memset(hv->msr_bitmap, 0, PAGE_SIZE);
	hv_guest(hv, msr_read, 0x2000);
	nested_exit_at(hv, REASON_RDMSR, 0, 2, "RDMSR above the low range");
	hv_guest(hv, msr_read, 0xbfffffff);
	nested_exit_at(hv, REASON_RDMSR, 0, 2, "RDMSR below the high range");
	hv_guest(hv, msr_read, 0xc0002000);
	nested_exit_at(hv, REASON_RDMSR, 0, 2, "RDMSR above the high range");
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
	hv_guest(hv, msr_read, MSR_SYSENTER_CS);
	nested_exit_at(hv, REASON_RDMSR, 0, 2, "RDMSR without bitmaps");
}

/* --- TSC */

INSN(tsc_read, "rdtsc\n\tmovl %eax, %ebx\n\tmovl %edx, %esi\n\tmovl $0x10, %ecx\n\trdmsr");

/* @tsc times a multiplier with 48 bits behind the point, whose lowest 32 are 0 */
static u64 tsc_times(u64 tsc, u64 multiplier)
{
	u64 high = (tsc >> 32) * (multiplier >> 32), low = (u32)tsc * (multiplier >> 32);

	return (high << 16) + (low >> 16);
}

/* Does the guest's TSC lie between two of the host's, each changed the same way */
static void tsc_between(struct hv *hv, u64 multiplier, u64 offset, const char *what)
{
	u64 before, low, range, found[2];

	hv_guest(hv, tsc_read, 0);
	before = rdtsc();
	hv_run(hv);
	range = tsc_times(rdtsc(), multiplier) + offset;
	low = tsc_times(before, multiplier) + offset;
	range -= low;
	found[0] = hv->regs.rsi << 32 | (u32)hv->regs.rbx;
	found[1] = hv->regs.rdx << 32 | (u32)hv->regs.rax;
	ktap_check(hv_ended(hv) && found[0] - low <= range, "%s: RDTSC", what);
	ktap_check(found[1] - low <= range, "%s: RDMSR", what);
}

static void controls_tsc_offset(struct hv *hv)
{
	tsc_between(hv, BIT(48), 0, "no offset");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_TSC_OFFSET);
	vmwrite(F_TSC_OFFSET, BIT(40));
	tsc_between(hv, BIT(48), BIT(40), "offset");
	vmwrite(F_TSC_OFFSET, -BIT(50));
	tsc_between(hv, BIT(48), -BIT(50), "negative offset");
}

static void controls_tsc_scaling(struct hv *hv)
{
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_TSC_OFFSET);
	vmwrite(F_TSC_MULTIPLIER, 3 * BIT(47));
	tsc_between(hv, 3 * BIT(47), 0, "times 1.5");
	vmwrite(F_TSC_OFFSET, BIT(42));
	tsc_between(hv, 3 * BIT(47), BIT(42), "times 1.5, and an offset");
}

INSN(ctl_pauses, "movl $100000, %ecx\n1:\tpause\n\tloop 1b");

/* Only a loop of PAUSEs exits, and only if it takes longer than the window. */
static void controls_ple(struct hv *hv)
{
	vmwrite(F_PLE_GAP, 0x1000);
	vmwrite(F_PLE_WINDOW, 0x800);
	hv_guest(hv, ctl_pause, 0);
	nested_end(hv, "one PAUSE");
	hv_guest(hv, ctl_pauses, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == REASON_PAUSE && hv->exit.rip - hv->code == 5 &&
		   hv->exit.length == 2, "a loop: exit %x", hv->exit.reason);
	vmwrite(F_PLE_WINDOW, ~0u);
	hv_guest(hv, ctl_pauses, 0);
	nested_end(hv, "a long window");
}

static const struct nested_case cases[] = {
	CASE("instructions", controls_simple),
	CASE("LGDT and LIDT", controls_descriptors, .secondary = SECONDARY_DESCRIPTORS),
	CASE("PAUSE loop", controls_ple, .secondary = SECONDARY_PLE),
	CASE("MONITOR and MWAIT", controls_monitor, .primary = PRIMARY_MWAIT),
	CASE("RDTSCP", controls_rdtscp, .later = SECONDARY_RDTSCP),
	CASE("INVPCID", controls_invpcid, .later = SECONDARY_INVPCID),
	CASE("XSAVES", controls_xsaves, .later = SECONDARY_XSAVES),
	CASE("CR0", controls_cr0),
	CASE("CLTS", controls_clts),
	CASE("LMSW", controls_lmsw),
	CASE("CR4", controls_cr4),
	CASE("fixed bits", controls_fixed),
	CASE("CR3 targets", controls_cr3_targets),
	CASE("I/O bitmaps", controls_io_bitmaps, .primary = PRIMARY_IO_BITMAPS),
	CASE("string I/O", controls_string_io),
	CASE("MSR bitmap", controls_msr_bitmap, .primary = PRIMARY_MSR_BITMAPS),
	CASE("TSC offset", controls_tsc_offset),
	CASE("TSC scaling", controls_tsc_scaling, .secondary = SECONDARY_TSC_SCALING),
};

void test_nested_controls(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
