// SPDX-License-Identifier: GPL-2.0-only
/* Options of the table that are about memory: EPT, large pages, VPID, no paging. */
#include "option_table.h"

#define ANSWER_EPT	0xfee1c0deu
#define QUALIFICATION	0x181u	/* read, with a linear address, of the page itself */
#define QUAL_DEFINED	0x1ffu
#define VPID_TYPES	4u

INSN(opt_load, "xorl %eax, %eax\n\tmovl (%rdi), %eax");
#define LOAD_OFFSET	2
#define LOAD_LENGTH	2

/*
 * By way of compatibility mode to protected mode without paging, and back: what CR0 is
 * there, and what CPUID gives.
 */
INSN(opt_no_paging, "pushq %rbx\n\tpushq %rbp\n\tpushq %r12\n\tpushq %r13\n\t"
	"pushq %r14\n\tpushq %r15\n\tpushfq\n\tcli\n\t"
	"pushq $0x38\n\tpushq $1f\n\tlretq\n\t.code32\n1:\t"
	"movl %cr0, %ecx\n\tandl $0x7fffffff, %ecx\n\tmovl %ecx, %cr0\n\t"
	"movl %cr0, %ecx\n\tmovl %ecx, (%edi)\n\t"
	"movl $3, %eax\n\txorl %ecx, %ecx\n\tcpuid\n\tmovl %eax, 4(%edi)\n\t"
	"movl %cr0, %ecx\n\torl $0x80000000, %ecx\n\tmovl %ecx, %cr0\n\t"
	"ljmpl $0x8, $2f\n\t.code64\n2:\t"
	"movl %esp, %esp\n\tpopfq\n\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\t"
	"popq %rbp\n\tpopq %rbx");

static u32 read_page(u64 va)
{
	return READ_ONCE(*(u32 *)va);
}

/* --- EPT */

void opt_ept_setup(struct hv *hv, struct work *work)
{
	u32 i;

	(void)hv;
	for (i = 0; i < 2; i++) {
		*ept_entry(work->eptp[i], GPA_NOTHING, 1) = 0;
		ept_map(work->eptp[i], TEST_GPA, work->page[i], 1, EPT_RWX | EPT_MEM_WB);
	}
	vmwrite(F_EPTP, work->eptp[0]);
}

/* A device that the hypervisor makes up */
void opt_ept_guest(struct work *work)
{
	u32 value;

	asm volatile("call *%1" : "=a" (value) : "r" (opt_load), "D" (GPA_NOTHING) : "memory");
	table_expect(work, value == ANSWER_EPT);
	table_found(work, value);
}

bool opt_ept_exit(struct hv *hv, struct work *work)
{
	const struct hv_exit *exit = &hv->exit;

	table_expect(work, exit->physical == GPA_NOTHING && exit->linear == GPA_NOTHING);
	table_expect(work, (exit->qualification & QUAL_DEFINED) == QUALIFICATION);
	if (exit->rip != ADDR(opt_load) + LOAD_OFFSET)
		return false;
	hv->regs.rax = ANSWER_EPT;
	vmwrite(F_GUEST_RIP, exit->rip + LOAD_LENGTH);
	return true;
}

void opt_switch_guest(struct work *work)
{
	table_ask(OPT_EPT_SWITCH);
	table_expect(work, read_page(VA_SWITCH) == work->current);
	table_found(work, read_page(VA_SWITCH));
}

void opt_switch_asked(struct hv *hv, struct work *work)
{
	(void)hv;
	work->current = vmread(F_EPTP) == work->eptp[0];
	vmwrite(F_EPTP, work->eptp[work->current]);
}

/* --- two pages of 2 MiB that change places */

void opt_large_guest(struct work *work)
{
	u32 first;

	table_ask(OPT_LARGE_PAGE);
	first = read_page(VA_LARGE);
	table_expect(work, first == (work->round & 1));
	table_expect(work, read_page(VA_LARGE + SIZE_2M) == !first);
	table_found(work, first);
}

void opt_large_asked(struct hv *hv, struct work *work)
{
	bool single = rdmsr(MSR_VMX_EPT_VPID) & EPT_CAP_INVEPT_SINGLE;
	u32 i, j;

	(void)hv;
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 2; j++)
			*ept_entry(work->eptp[i], GPA_LARGE + j * SIZE_2M, 2) =
				(work->large + ((work->round ^ j) & 1) * SIZE_2M) | EPT_RWX |
				EPT_MEM_WB | EPT_PS;
		table_expect(work, !invept(single ? INVEPT_SINGLE : INVEPT_ALL,
					   single ? work->eptp[i] : 0, 0));
	}
}

/* --- VPID */

static void own_page(struct work *work, u32 which)
{
	*mem_pte(VA_OWN(this_cpu()->index)) = work->page[which] | PTE_P | PTE_W | PTE_A | PTE_D;
}

void opt_vpid_setup(struct hv *hv, struct work *work)
{
	(void)work;
	vmwrite(F_VPID, 0x100 * (hv->host->index + 1));
}

void opt_vpid_guest(struct work *work)
{
	u32 value;

	table_ask(OPT_VPID);
	value = read_page(VA_OWN(this_cpu()->index));
	table_expect(work, value == (work->round & 1));
	table_found(work, value);
}

static bool invvpid_fails(u32 type, u64 vpid, u64 address)
{
	return invvpid(type, vpid, address) == VMFAIL_VALID &&
	       vmread(F_INSTRUCTION_ERROR) == VMERR_INVALIDATE;
}

/* SDM vol. 3, 31.3: what each type refuses */
static void vpid_failures(struct work *work, u64 cap, u32 type, u64 vpid)
{
	bool there = cap & VPID_CAP_TYPE(type);

	if (!there) {
		table_expect(work, invvpid_fails(type, vpid, 0));
		return;
	}
	table_expect(work, invvpid_fails(type, BIT(16) | vpid, 0));
	table_expect(work, invvpid_fails(type, BIT(63) | vpid, 0));
	if (type == INVVPID_ALL)
		table_expect(work, !invvpid(type, 0, 0));
	else
		table_expect(work, invvpid_fails(type, 0, 0));
	if (type == INVVPID_ADDRESS)
		table_expect(work, invvpid_fails(type, vpid, BIT(47)));
}

/* In four rounds only INVVPID tells of the change; in the others the VPID is another one. */
void opt_vpid_asked(struct hv *hv, struct work *work)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID), vpid = vmread(F_VPID);
	u32 type;

	for (type = 0; type < VPID_TYPES; type++)
		vpid_failures(work, cap, type, vpid);
	table_expect(work, invvpid_fails(VPID_TYPES, vpid, 0));
	own_page(work, work->round & 1);
	if (work->round >= VPID_TYPES) {
		vmwrite(F_VPID, vpid + 1);
		return;
	}
	type = cap & VPID_CAP_TYPE(work->round) ? work->round : INVVPID_ALL;
	table_expect(work, !invvpid(type, vpid, VA_OWN(hv->host->index)));
}

/* --- no paging */

void opt_no_paging_guest(struct work *work)
{
	u32 found[2];

	table_ask(OPT_NO_PAGING);
	((void (*)(u32 *))(unsigned long)opt_no_paging)(found);
	table_expect(work, !(found[0] & CR0_PG) && found[1] == TABLE_CPUID + 3);
	table_expect(work, read_cr0() & CR0_PG);
	table_found(work, found[1]);
}

static void host_no_paging(struct work *work)
{
	u32 found[2];

	((void (*)(u32 *))(unsigned long)opt_no_paging)(found);
	table_expect(work, !(found[0] & CR0_PG) && found[1] == cpuid(3, 0).eax);
}

/* In VMX operation the host's paging is always on: it leaves, and comes back. */
void opt_no_paging_asked(struct hv *hv, struct work *work)
{
	opt_off_and_on(hv, work, host_no_paging);
}
