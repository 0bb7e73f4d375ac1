// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests of 32 bits without EPT: PAE paging, whose four entries VM entry reads from
 * memory, paging of 32 bits, and task switches, which always exit.
 */
#include "nested.h"

#define MARKER		0x600dcafeu
#define VA_MARKER	0x40000000u	/* behind the second entry of a PAE directory */

INSN(mode_read, CODE32_BEGIN "movl 0x40000000, %ebx\n\tvmcall" CODE32_END);
INSN(mode_cr3, CODE32_BEGIN "movl %edi, %cr3\n\tmovl 0x40000000, %ebx\n\tvmcall" CODE32_END);
INSN(mode_cpuid, CODE32_BEGIN "movl $0x87654321, %eax\n\tcpuid\n\tvmcall" CODE32_END);
INSN(mode_jmp, CODE32_BEGIN "nop\n\tljmpl $0x70, $0" CODE32_END);
INSN(mode_call, CODE32_BEGIN "nop\n\tlcalll $0x70, $0" CODE32_END);
INSN(mode_int, CODE32_BEGIN "nop\n\tint $0x40" CODE32_END);

/* Protected mode of 32 bits, flat segments, tables at CR3 */
static void mode_setup(struct hv *hv, u64 cr4, u64 cr3)
{
	u32 i;

	hv_clear(F_ENTRY_CONTROLS, ENTRY_IA32E);
	vmwrite(F_GUEST_CR4, CR4_VMXE | cr4);
	vmwrite(F_GUEST_CR3, cr3);
	for (i = 0; i < 6; i++) {
		vmwrite(F_GUEST_ES + 2 * i, i == 1 ? SEL_KCODE32 : SEL_KDATA);
		vmwrite(F_GUEST_ES_BASE + 2 * i, 0);
		vmwrite(F_GUEST_ES_ACCESS + 2 * i, i == 1 ? 0xc09b : 0xc093);
	}
	hv->guest->gdt[SEL_TEST / 8] = gdt_descriptor(0, 103, 0x0089);
}

/* RAM in 2 MiB pages behind the first entry, the marker behind the second */
static u64 *pae_tables(struct hv *hv)
{
	u64 *pdpt = mem_alloc(3 * PAGE_SIZE, PAGE_SIZE);
	u64 *low = pdpt + 512, *high = pdpt + 1024, pa = ADDR(hv->page);
	u32 i;

	for (i = 0; i < 512; i++)
		low[i] = i * SIZE_2M | PTE_P | PTE_W | PTE_PS;
	high[0] = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE)) | PTE_P | PTE_W;
	*(u64 *)PTR(high[0] & PTE_ADDR) = pa | PTE_P | PTE_W;
	pdpt[0] = ADDR(low) | PTE_P;
	pdpt[1] = ADDR(high) | PTE_P;
	*(u32 *)hv->page = MARKER;
	return pdpt;
}

static void modes_pae(struct hv *hv)
{
	u64 *pdpt = pae_tables(hv), entry = pdpt[1];

	mode_setup(hv, CR4_PAE, ADDR(pdpt));
	hv_guest(hv, mode_read, 0);
	nested_exit_at(hv, REASON_VMCALL, 0, 6, "read");
	ktap_check((u32)hv->regs.rbx == MARKER, "the marker is read");
	/* Without the entry, the next VM entry finds that. */
	pdpt[1] = 0;
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	hv_guest(hv, mode_read, 0);
	nested_exit_at(hv, REASON_EXCEPTION, VA_MARKER, 0, "no second entry");
	pdpt[1] = entry;
	nested_exit_at(hv, REASON_VMCALL, 0, 6, "and with it again");
	pdpt[1] = entry | PTE_W;
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   hv->exit.qualification == 2, "reserved bits: exit %x, qualification %llx",
		   hv->exit.reason, hv->exit.qualification);
}

/* The guest loads CR3 itself, which reads the entries; a bad one is its #GP. */
static void modes_pae_cr3(struct hv *hv)
{
	u64 *first = pae_tables(hv), *second = pae_tables(hv);

	first[1] = 0;
	mode_setup(hv, CR4_PAE, ADDR(first));
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP) | BIT(VECTOR_PF));
	hv_guest(hv, mode_cr3, ADDR(second));
	nested_exit_at(hv, REASON_VMCALL, 0, 9, "MOV to CR3");
	ktap_check((u32)hv->regs.rbx == MARKER && vmread(F_GUEST_CR3) == ADDR(second),
		   "the marker is read");
	hv_guest(hv, mode_cr3, ADDR(first));
	nested_exit_at(hv, REASON_EXCEPTION, VA_MARKER, 3, "MOV to CR3 without the entry");
	second[1] |= PTE_W;
	hv_guest(hv, mode_cr3, ADDR(second));
	nested_exit_at(hv, REASON_EXCEPTION, 0, 0, "MOV to CR3 with a bad entry");
	ktap_check(hv->exit.event == (EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE) &&
		   vmread(F_GUEST_CR3) == ADDR(first), "event %x", hv->exit.event);
	hv_guest(hv, mode_cpuid, 0);
	nested_exit_at(hv, REASON_CPUID, 0, 5, "CPUID");
	ktap_check((u32)hv->regs.rax == 0x87654321, "EAX");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_CR3_LOAD);
	hv_guest(hv, mode_cr3, ADDR(second));
	nested_exit_at(hv, REASON_CR, 0x703, 0, "MOV to CR3 exits");
}

static void modes_32(struct hv *hv)
{
	u32 *directory = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 *table = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 i;

	for (i = 0; i < 64; i++)
		directory[i] = i << 22 | PTE_P | PTE_W | PTE_PS;
	directory[VA_MARKER >> 22] = (u32)ADDR(table) | PTE_P | PTE_W;
	table[0] = (u32)ADDR(hv->page) | PTE_P | PTE_W;
	*(u32 *)hv->page = MARKER;
	mode_setup(hv, CR4_PSE, ADDR(directory));
	hv_guest(hv, mode_read, 0);
	nested_exit_at(hv, REASON_VMCALL, 0, 6, "read");
	ktap_check((u32)hv->regs.rbx == MARKER, "the marker is read");
	ktap_check(table[0] & PTE_A && !(table[0] & PTE_D), "accessed, not dirty");
	table[0] = 0;
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_PF));
	hv_guest(hv, mode_read, 0);
	nested_exit_at(hv, REASON_EXCEPTION, VA_MARKER, 0, "#PF");
}

static void modes_task(struct hv *hv)
{
	u64 *idt32 = (u64 *)hv->page + 256;

	mode_setup(hv, CR4_PAE, ADDR(pae_tables(hv)));
	hv_guest(hv, mode_jmp, 0);
	nested_exit_at(hv, REASON_TASK_SWITCH, 2u << 30 | SEL_TEST, 1, "JMP");
	ktap_check(hv->exit.length == 7, "JMP: length %u", hv->exit.length);
	hv_guest(hv, mode_call, 0);
	nested_exit_at(hv, REASON_TASK_SWITCH, SEL_TEST, 1, "CALL");
	/* A task gate: the vector is in the IDT-vectoring information. */
	idt32[0x40] = (u64)SEL_TEST << 16 | 0x8500ull << 32;
	vmwrite(F_GUEST_IDTR_BASE, ADDR(idt32));
	vmwrite(F_GUEST_IDTR_LIMIT, 0x41 * 8 - 1);
	hv_guest(hv, mode_int, 0);
	nested_exit_at(hv, REASON_TASK_SWITCH, 3u << 30 | SEL_TEST, 1, "INT n");
	ktap_check(hv->exit.vectoring == EVENT(EVENT_SOFT_INT, 0x40) && hv->exit.length == 2,
		   "INT n: vectoring %x, length %u", hv->exit.vectoring, hv->exit.length);
}

static const struct nested_case cases[] = {
	CASE("PAE paging", modes_pae),
	CASE("PAE paging, MOV to CR3", modes_pae_cr3),
	CASE("paging of 32 bits", modes_32),
	CASE("task switch", modes_task),
};

void test_nested_modes(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
