// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hypervisor in 32-bit mode with PAE paging has of its own: the four entries of
 * its page-directory-pointer table and of its guest's, VMREAD and VMWRITE of 32 bits, a
 * host without PAE, a guest that turns paging off, virtual-8086 mode. A bad entry of the
 * host's is not tried: it is a VMX abort. Left out, as the emulator differs: a guest that
 * is not unrestricted and clears CR0.PG, which is #GP.
 */
#include "../tests/nested/nested.h"

#define OTHER_VA	0x20000ull	/* below 1 MiB, unused */
#define PDPT_OFFSET	0x7e0		/* the table only has to be aligned to 32 bytes */

INSN(pae_read, "movl (%edi), %eax");
INSN(pae_cr3, "movl %edi, %cr3\n\tmovl (%esi), %eax");
INSN(pae_cpuid, "cpuid");
/* Change an entry at ECX, read; flip bits of CR4, read again */
INSN(pae_cr4, "movl %ebx, (%ecx)\n\tmovl (%esi), %edx\n\tmovl %cr4, %eax\n\t"
	"xorl %edi, %eax\n\tmovl %eax, %cr4\n\tmovl (%esi), %eax");

static u32 *marked_page(u32 value)
{
	u32 *page = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	*page = value;
	return page;
}

/* A directory for the GiB of TEST_VA, with one page there */
static u64 *marked_directory(u32 value)
{
	u64 *directory = mem_alloc(PAGE_SIZE, PAGE_SIZE), *table = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	table[0] = ADDR(marked_page(value)) | PTE_P | PTE_W;
	directory[0] = ADDR(table) | PTE_P | PTE_W;
	return directory;
}

/* Tables with that directory, in the middle of a page. Return: its first entry */
static u64 *marked_tables(u32 value)
{
	u64 *pdpt = (u64 *)((u8 *)mem_alloc(PAGE_SIZE, PAGE_SIZE) + PDPT_OFFSET);

	memcpy(pdpt, PTR(mem_cr3), 4 * sizeof(*pdpt));
	pdpt[TEST_VA >> 30] = ADDR(marked_directory(value)) | PTE_P;
	return pdpt;
}

static u64 *entry_of(u64 *pdpt)
{
	return &pdpt[TEST_VA >> 30];
}

static u32 host_sees(void)
{
	return *(volatile u32 *)PTR(TEST_VA);
}

/* What VMPTRST has written, as the CPU reads it */
static u64 operand_at(u64 va)
{
	return *(volatile u64 *)PTR(va);
}

/* --- the host's entries: read by each exit, not in between */

static void pae_host(struct hv *hv)
{
	u64 *pdpt = marked_tables(1), second = ADDR(marked_directory(2)) | PTE_P;

	vmwrite(F_HOST_CR3, ADDR(pdpt));
	nested_end(hv, "exit to other tables");
	ktap_check(read_cr3() == ADDR(pdpt) && host_sees() == 1, "the host has them");
	*entry_of(pdpt) = second;
	invlpg(TEST_VA);
	ktap_check(host_sees() == 1, "an entry that has changed in memory is not seen");
	ktap_check(!vmptrst(PTR(TEST_VA + 8)) && operand_at(TEST_VA + 8) == ADDR(hv->vmcs),
		   "nor by a VMX instruction");
	nested_end(hv, "next exit");
	ktap_check(host_sees() == 2, "but behind the next exit");
	*entry_of(pdpt) = ADDR(marked_directory(3)) | PTE_P;
	write_cr3(ADDR(pdpt));
	ktap_check(host_sees() == 3, "and by MOV to CR3");
	*entry_of(pdpt) = second;
	vmwrite(F_GUEST_RFLAGS, 0);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
		   host_sees() == 2, "and by an entry that fails as an exit: exit %x",
		   hv->exit.reason);
	*entry_of(pdpt) = ADDR(marked_directory(4)) | PTE_P;
	vmwrite(F_HOST_CS, 0);
	nested_fails(hv, VMERR_HOST_STATE, "not by one that fails as an instruction");
	invlpg(TEST_VA);
	ktap_check(host_sees() == 2, "the entries are as before");
	/* What is not present has no reserved bits. */
	*entry_of(pdpt) = ~(u64)PTE_P;
	vmwrite(F_HOST_CS, SEL_KCODE);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	nested_end(hv, "an entry that is not present");
	ktap_check(try_insn(pae_read, TEST_VA) == VECTOR_PF && !trap_last()->regs.error,
		   "#PF behind it");
	write_cr3(mem_cr3);
}

INSN(pae_vmptrst, "vmptrst (%edi)");

/* VMX instructions' operands in pages of 4 KiB and 4 MiB of paging of 32 bits */
static void plain_operands(struct hv *hv, u32 *directory)
{
	u32 *table = PTR(directory[TEST_VA >> 22] & ~0xfffu);
	u64 operand = 0;

	ktap_check(!(table[0] & PTE_D), "the page is not dirty");
	ktap_check(!vmptrst(PTR(TEST_VA + 8)) && operand_at(TEST_VA + 8) == ADDR(hv->vmcs),
		   "VMPTRST to a page");
	ktap_check(table[0] & PTE_D, "the page is dirty");
	ktap_check(!vmptrst(&operand) && operand == ADDR(hv->vmcs), "VMPTRST to a large page");
	ktap_check(try_insn(pae_vmptrst, TEST_VA + PAGE_SIZE) == VECTOR_PF &&
		   trap_last()->regs.error == 2 && trap_last()->cr2 == TEST_VA + PAGE_SIZE,
		   "#PF behind it");
	table[0] &= ~(u32)PTE_W;
	invlpg(TEST_VA);
	ktap_check(try_insn(pae_vmptrst, TEST_VA) == VECTOR_PF && trap_last()->regs.error == 3,
		   "#PF of a page that is read-only");
	ktap_check(!vmptrld(ADDR(hv->vmcs)), "VMPTRLD of the current one");
}

/* Directories of 4 MiB pages, with as little as an exit needs */
static u32 *plain_directory(u32 value)
{
	u32 *directory = mem_alloc(PAGE_SIZE, PAGE_SIZE), *table = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u32 i;

	for (i = 0; i < 256; i++)
		directory[i] = i << 22 | PTE_P | PTE_W | PTE_PS;
	table[0] = (u32)ADDR(marked_page(value)) | PTE_P | PTE_W;
	directory[TEST_VA >> 22] = (u32)ADDR(table) | PTE_P | PTE_W;
	return directory;
}

/* CR0.PG stays 1 in root operation: only an exit brings the host out of PAE, and back. */
static void pae_host_without(struct hv *hv)
{
	u32 *directory = plain_directory(0x55);
	u64 cr4 = read_cr4(), *pdpt = marked_tables(0x66);

	vmwrite(F_HOST_CR3, ADDR(directory));
	vmwrite(F_HOST_CR4, (cr4 & ~(u64)CR4_PAE) | CR4_PSE);
	nested_end(hv, "exit to paging of 32 bits");
	ktap_check(read_cr4() == ((cr4 & ~(u64)CR4_PAE) | CR4_PSE) &&
		   read_cr3() == ADDR(directory) && host_sees() == 0x55, "the host has it");
	ktap_check(directory[0] & PTE_A, "its entries are used");
	plain_operands(hv, directory);
	nested_end(hv, "exit to it again");
	vmwrite(F_HOST_CR3, ADDR(pdpt));
	vmwrite(F_HOST_CR4, cr4);
	nested_end(hv, "exit to PAE paging");
	ktap_check(read_cr4() == cr4 && host_sees() == 0x66, "the host has that");
	write_cr3(mem_cr3);
}

/* --- the guest's entries */

static void guest_reads(struct hv *hv, u32 value, const char *what)
{
	hv_guest(hv, pae_read, TEST_VA);
	nested_end(hv, what);
	ktap_check((u32)hv->regs.rax == value, "%s: the guest reads %x", what,
		   (u32)hv->regs.rax);
}

static void pae_guest(struct hv *hv)
{
	u64 *pdpt = marked_tables(0x11), *other = marked_tables(0x33);
	u64 first = *entry_of(pdpt), second = ADDR(marked_directory(0x22)) | PTE_P;

	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	vmwrite(F_GUEST_PDPTE0 + 2 * (TEST_VA >> 30), second);
	guest_reads(hv, 0x11, "from memory, not from the field");
	*entry_of(pdpt) = second;
	guest_reads(hv, 0x22, "read by the next entry");
	*entry_of(pdpt) = first;
	hv_guest(hv, pae_cpuid, 0);
	nested_exit(hv, REASON_CPUID, 0, 2, "CPUID");
	hv_guest(hv, pae_cr3, ADDR(other));
	hv->regs.rsi = TEST_VA;
	nested_end(hv, "MOV to CR3");
	ktap_check((u32)hv->regs.rax == 0x33 && vmread(F_GUEST_CR3) == ADDR(other),
		   "the guest has loaded its own");
	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	hv_guest(hv, pae_cr4, CR4_PGE);
	hv->regs.rbx = (u32)second;
	hv->regs.rcx = ADDR(entry_of(pdpt));
	hv->regs.rsi = TEST_VA;
	nested_end(hv, "MOV to CR4");
	ktap_check((u32)hv->regs.rdx == 0x11 && (u32)hv->regs.rax == 0x22,
		   "MOV to CR4 reads memory: the guest reads %x, then %x", (u32)hv->regs.rdx,
		   (u32)hv->regs.rax);
}

static void pae_guest_ept(struct hv *hv)
{
	u32 field = F_GUEST_PDPTE0 + 2 * (TEST_VA >> 30);
	u64 *pdpt = marked_tables(0x11), *other = marked_tables(0x33);
	u64 second = ADDR(marked_directory(0x22)) | PTE_P;

	hv_ept_enable();
	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	vmwrite(field, second);
	guest_reads(hv, 0x22, "from the field, not from memory");
	ktap_check(vmread(field) == second, "the exit saves it");
	hv_guest(hv, pae_cr3, ADDR(other));
	hv->regs.rsi = TEST_VA;
	nested_end(hv, "MOV to CR3");
	ktap_check((u32)hv->regs.rax == 0x33 && vmread(field) == *entry_of(other),
		   "it reads memory, and the exit saves what it has read");
	*entry_of(other) = second;
	guest_reads(hv, 0x33, "an entry that has changed in memory is not seen");
	ktap_check(vmread(field | FIELD_HIGH) == vmread(field) >> 32, "high half");
}

/* --- what VM entry refuses of them */

static u64 above_memory(void)
{
	return BIT(cpuid(0x80000008, 0).eax & 0xff);
}

static void bad_entries(struct hv *hv, u64 *entry, u32 field)
{
	u64 good = *entry, bits[] = {
		BIT(1), BIT(2), BIT(5), BIT(6), BIT(7), BIT(8), above_memory(), BIT(63),
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		*entry = good | bits[i];
		vmwrite(field, *entry);
		hv_run(hv);
		ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE) &&
			   hv->exit.qualification == 2,
			   "reserved bit %u: exit %x, qualification %llx", i,
			   hv->exit.reason, hv->exit.qualification);
		*entry &= ~(u64)PTE_P;
		vmwrite(field, *entry);
		hv_guest(hv, pae_cpuid, 0);
		nested_exit(hv, REASON_CPUID, 0, 2, "reserved bits, not present");
	}
	*entry = good | PTE_PCD | BIT(3) | 0xe00;
	vmwrite(field, *entry);
	hv_guest(hv, pae_cpuid, 0);
	nested_exit(hv, REASON_CPUID, 0, 2, "PCD, PWT and what is ignored");
}

static void pae_bad(struct hv *hv)
{
	u64 *pdpt = marked_tables(0);

	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	bad_entries(hv, entry_of(pdpt), F_GUEST_PDPTE0);
}

static void pae_bad_ept(struct hv *hv)
{
	u64 *pdpt = marked_tables(0);

	hv_ept_enable();
	bad_entries(hv, entry_of(pdpt), F_GUEST_PDPTE0 + 2 * (TEST_VA >> 30));
}

/* MOV to CR3 that finds the table outside of EPT, or entries that are bad */
static void pae_bad_cr3(struct hv *hv)
{
	u64 *pdpt = marked_tables(0), eptp;

	eptp = hv_ept_enable();
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	hv_guest(hv, pae_cr3, TEST_GPA + PDPT_OFFSET);
	hv_run(hv);
	hv_record(hv, "no table");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   hv->exit.physical >> 12 == TEST_GPA >> 12 && hv->exit.rip == hv->code,
		   "no table: exit %x", hv->exit.reason);
	ept_map(eptp, TEST_GPA, ADDR(pdpt) & ~(PAGE_SIZE - 1), 1, EPT_RWX | EPT_MEM_WB);
	*entry_of(pdpt) |= PTE_W;
	hv_guest(hv, pae_cr3, TEST_GPA + PDPT_OFFSET);
	nested_exit_at(hv, REASON_EXCEPTION, 0, 0, "a bad entry");
	ktap_check(hv->exit.event == (EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE) &&
		   vmread(F_GUEST_CR3) == mem_cr3, "event %x", hv->exit.event);
	*entry_of(pdpt) ^= PTE_W;
	hv_guest(hv, pae_cr3, TEST_GPA + PDPT_OFFSET);
	hv->regs.rsi = TEST_VA;
	nested_end(hv, "a good one");
}

/* --- VMREAD and VMWRITE */

INSN(pae_vmread_mem, "movl %edi, %eax\n\tmovl (%eax), %edi\n\tvmread %edi, 4(%eax)");
INSN(pae_vmwrite_mem, "movl %edi, %eax\n\tmovl (%eax), %edi\n\tvmwrite 4(%eax), %edi");

/* Of two words, the first is written */
static void mem_reads(u32 field, u32 value, const char *what)
{
	u32 memory[4] = { field, 0xdddddddd, 0xdddddddd, 0xdddddddd };

	try_insn(pae_vmread_mem, ADDR(memory));
	ktap_check(memory[1] == value && memory[2] == 0xdddddddd, "VMREAD to memory: %s", what);
}

static void pae_halves(struct hv *hv)
{
	u32 memory[3] = { F_TSC_OFFSET, 0x9abcdef0, ~0u }, value = 0;

	(void)hv;
	vmwrite(F_TSC_OFFSET, 0x1122334455667788ull);
	ktap_check(!vmread_32(F_TSC_OFFSET, &value) && value == 0x55667788, "VMREAD of a field");
	ktap_check(!vmread_32(F_TSC_OFFSET | FIELD_HIGH, &value) && value == 0x11223344,
		   "VMREAD of its high half");
	mem_reads(F_TSC_OFFSET, 0x55667788, "a field");
	mem_reads(F_TSC_OFFSET | FIELD_HIGH, 0x11223344, "its high half");
	mem_reads(F_GUEST_CS, SEL_KCODE, "16 bits");
	mem_reads(F_GUEST_CS_LIMIT, ~0u, "32 bits");
	mem_reads(F_GUEST_CR3, (u32)mem_cr3, "natural width");
	/* SDM vol. 3, 25.11.2: outside of 64-bit mode the upper half becomes 0. */
	ktap_check(!vmwrite_32(F_TSC_OFFSET, 0x12345678) && vmread(F_TSC_OFFSET) == 0x12345678,
		   "VMWRITE of a field clears its high half");
	ktap_check(!vmwrite_32(F_TSC_OFFSET | FIELD_HIGH, 0x87654321) &&
		   vmread(F_TSC_OFFSET) == 0x8765432112345678ull,
		   "VMWRITE of the high half leaves the low one");
	try_insn(pae_vmwrite_mem, ADDR(memory));
	ktap_check(vmread(F_TSC_OFFSET) == 0x9abcdef0, "VMWRITE from memory takes 4 bytes");
	if (!(rdmsr(MSR_VMX_MISC) & MISC_WRITES_ALL)) {
		ktap_skip("read-only fields cannot be written");
		return;
	}
	ktap_check(!vmwrite_32(F_GUEST_PHYSICAL, 0x11111111) &&
		   !vmwrite_32(F_GUEST_PHYSICAL | FIELD_HIGH, 0x22222222) &&
		   vmread(F_GUEST_PHYSICAL) == 0x2222222211111111ull,
		   "VMWRITE of the halves of a read-only field");
	ktap_check(!vmwrite_32(F_GUEST_PHYSICAL, 0x33333333) &&
		   vmread(F_GUEST_PHYSICAL) == 0x33333333, "and of the field");
}

/* --- guest-physical addresses that do not fit into 32 bits */

#define HIGH_GPA	0x912345000ull

static void pae_high(struct hv *hv)
{
	u64 eptp = hv_ept_enable();

	mem_map(TEST_VA, HIGH_GPA, PTE_P | PTE_W);
	hv_guest(hv, pae_read, TEST_VA + 0x10);
	hv_run(hv);
	hv_record(hv, "above 4 GiB");
	ktap_check(hv->exit.reason == REASON_EPT_VIOLATION &&
		   hv->exit.physical == HIGH_GPA + 0x10 && hv->exit.linear == TEST_VA + 0x10,
		   "exit %x, at %llx", hv->exit.reason, hv->exit.physical);
	ept_map(eptp, HIGH_GPA, ADDR(hv->page), 1, EPT_RWX | EPT_MEM_WB);
	*(u32 *)(hv->page + 0x10) = 0x1234;
	hv_guest(hv, pae_read, TEST_VA + 0x10);
	nested_end(hv, "mapped");
	ktap_check((u32)hv->regs.rax == 0x1234, "the guest reads %x", (u32)hv->regs.rax);
}

/* --- tables: bits 62:52 of an entry are reserved in PAE paging, and ignored in 64-bit mode */

static void pae_reserved(struct hv *hv)
{
	u32 bit;

	for (bit = 52; bit < 63; bit += 10) {
		mem_map(TEST_VA, ADDR(hv->page) | BIT(bit), PTE_P | PTE_W);
		ktap_check(try_insn(pae_read, TEST_VA) == VECTOR_PF && trap_last()->regs.error == 9,
			   "bit %u: #PF of a read", bit);
		ktap_check(try_insn(pae_vmptrst, TEST_VA) == VECTOR_PF &&
			   trap_last()->regs.error == 0xb, "bit %u: #PF of VMPTRST", bit);
		ktap_check(!(*mem_pte(TEST_VA) & (PTE_A | PTE_D)), "bit %u: not accessed", bit);
	}
}

/* --- operands in segments that are not flat: the CPU's checks, on the way to memory */

INSN(seg_vmptrst, "vmptrst %fs:(%edi)");
INSN(seg_vmptrld, "vmptrld %fs:(%edi)");
/* F_GUEST_TR_LIMIT, which no hypervisor below leaves to the CPU */
INSN(seg_vmread, "movl $0x480e, %eax\n\tvmread %eax, %fs:(%edi)");
INSN(seg_vmwrite, "movl $0x480e, %eax\n\tvmwrite %fs:(%edi), %eax");
INSN(seg_wrap, "movl $0xffffff00, %eax\n\tvmptrst %fs:0x110(%eax,%edi)");
INSN(seg_16, "movl $0xfff8, %ebx\n\tleal 8(%edi), %esi\n\tvmptrst %fs:(%bx,%si)");
INSN(seg_stack, "movl $0x70, %eax\n\tmovw %ax, %ss\n\tvmptrst %ss:(%edi)");
INSN(seg_ebp, "movl $0x70, %eax\n\tmovl %edi, %ebp\n\tmovw %ax, %ss\n\tvmptrst (%ebp)");

#define SEG_DATA	0x4093u
#define SEG_READ_ONLY	0x4091u
#define SEG_DOWN	0x4097u
#define SEG_DOWN_16	0x0097u
#define SEG_CODE	0x409bu
#define SEG_NONE	0u

static const struct {
	const char *name;
	const char *code;
	u32 access, limit, offset;
	u32 vector;
} segment_checks[] = {
	{ "base", seg_vmptrst, SEG_DATA, 0xfff, 0x10, TRAP_NONE },
	{ "last byte", seg_vmptrst, SEG_DATA, 0xfff, 0xff8, TRAP_NONE },
	{ "one byte too far", seg_vmptrst, SEG_DATA, 0xfff, 0xff9, VECTOR_GP },
	{ "beyond the limit", seg_vmptrld, SEG_DATA, 0xfff, 0x1000, VECTOR_GP },
	{ "VMREAD of the last 4 bytes", seg_vmread, SEG_DATA, 0xfff, 0xffc, TRAP_NONE },
	{ "VMREAD, one too far", seg_vmread, SEG_DATA, 0xfff, 0xffd, VECTOR_GP },
	{ "VMWRITE, one too far", seg_vmwrite, SEG_DATA, 0xfff, 0xffd, VECTOR_GP },
	{ "write to read-only data", seg_vmptrst, SEG_READ_ONLY, 0xfff, 0x10, VECTOR_GP },
	{ "VMREAD to read-only data", seg_vmread, SEG_READ_ONLY, 0xfff, 0x10, VECTOR_GP },
	{ "read of read-only data", seg_vmptrld, SEG_READ_ONLY, 0xfff, 0x20, TRAP_NONE },
	{ "write to code", seg_vmptrst, SEG_CODE, 0xfff, 0x10, VECTOR_GP },
	{ "read of code", seg_vmptrld, SEG_CODE, 0xfff, 0x20, TRAP_NONE },
	{ "expand-down", seg_vmptrst, SEG_DOWN, 0xf, 0x10, TRAP_NONE },
	{ "expand-down, below", seg_vmptrst, SEG_DOWN, 0xf, 0xf, VECTOR_GP },
	{ "expand-down, 64 KiB", seg_vmptrst, SEG_DOWN_16, 0xf, 0xfffc, VECTOR_GP },
	{ "no segment", seg_vmptrst, SEG_NONE, 0, 0x10, VECTOR_GP },
	{ "offset that wraps around", seg_wrap, SEG_DATA, 0xfff, 0, TRAP_NONE },
	{ "address of 16 bits", seg_16, SEG_DATA, 0xfff, 0x10, TRAP_NONE },
};

static void load_fs(u32 selector)
{
	asm volatile("movw %w0, %%fs" : : "r" (selector) : "memory");
}

static void segment_check(struct hv *hv, u32 i)
{
	u64 *descriptor = &hv->host->gdt[SEL_TEST / 8], fs_base = rdmsr(MSR_FS_BASE);
	u64 pointer = ADDR(hv->vmcs);
	u32 vector;

	memset(hv->page, 0, PAGE_SIZE);
	memcpy(hv->page + 0x20, &pointer, sizeof(pointer));
	vmwrite(F_GUEST_TR_LIMIT, 0x77);
	*descriptor = gdt_descriptor((u32)ADDR(hv->page), segment_checks[i].limit,
				     segment_checks[i].access);
	load_fs(segment_checks[i].access ? SEL_TEST : 0);
	vector = try_insn(segment_checks[i].code, segment_checks[i].offset);
	load_fs(SEL_UDATA);
	wrmsr(MSR_FS_BASE, fs_base);
	*descriptor = 0;
	ktap_check(vector == segment_checks[i].vector &&
		   (vector == TRAP_NONE || !trap_last()->regs.error), "%s: exception %u",
		   segment_checks[i].name, vector);
	if (vector != TRAP_NONE)
		return;
	if (segment_checks[i].code == seg_vmread)
		pointer = 0x77;
	ktap_check(!memcmp(hv->page + (segment_checks[i].offset ? segment_checks[i].offset : 0x10),
			   &pointer, segment_checks[i].code == seg_vmread ? 4 : 8),
		   "%s: memory", segment_checks[i].name);
}

static void pae_segments(struct hv *hv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(segment_checks); i++)
		segment_check(hv, i);
	mem_map(TEST_VA, ADDR(hv->page), PTE_P | PTE_W);
	hv->host->gdt[SEL_TEST / 8] = gdt_descriptor(0, 0x7ffff, 0xc093);
	ktap_check(try_insn(seg_stack, TEST_VA) == VECTOR_SS && !trap_last()->regs.error,
		   "#SS beyond the stack segment");
	ktap_check(try_insn(seg_ebp, TEST_VA) == VECTOR_SS && !trap_last()->regs.error,
		   "#SS by EBP");
	ktap_check(try_insn(seg_ebp, ADDR(hv->page)) == TRAP_NONE, "and within it");
	hv->host->gdt[SEL_TEST / 8] = 0;
}

/* --- a guest that turns paging off and on */

INSN(pae_paging, "movl %cr0, %edx\n\tmovl %edx, %ecx\n\tandl $0x7fffffff, %edx\n\t"
	"movl %edx, %cr0\n"
	"pae_paging_off:\tvmcall\n\tmovl %ecx, %cr0\npae_paging_on:\tvmcall\n\tmovl (%edi), %eax");
extern const char pae_paging_off[], pae_paging_on[];

static void pae_unrestricted(struct hv *hv)
{
	u64 *pdpt = marked_tables(0x77);
	u32 field = F_GUEST_PDPTE0 + 2 * (TEST_VA >> 30), i;

	hv_ept_enable();
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED);
	vmwrite(F_GUEST_CR3, ADDR(pdpt));
	for (i = 0; i < 2; i++) {
		hv_guest(hv, pae_paging, TEST_VA);
		nested_exit_at(hv, REASON_VMCALL, 0, (u64)(pae_paging_off - pae_paging), "off");
		ktap_check(!(vmread(F_GUEST_CR0) & CR0_PG) && vmread(F_GUEST_CR0) & CR0_PE &&
			   vmread(F_GUEST_CR4) & CR4_PAE, "the guest has no paging");
		/* MOV to CR0 reads the entries, whatever the fields have meanwhile. */
		vmwrite(field, 0);
		hv_skip(hv);
		nested_exit_at(hv, REASON_VMCALL, 0, (u64)(pae_paging_on - pae_paging), "on");
		ktap_check(vmread(field) == *entry_of(pdpt) && vmread(F_GUEST_CR0) & CR0_PG,
			   "the guest has paging, and has read the entries");
		hv_skip(hv);
		nested_end(hv, "end");
		ktap_check((u32)hv->regs.rax == 0x77, "the guest reads %x", (u32)hv->regs.rax);
		*entry_of(pdpt) = ADDR(marked_directory(0x77)) | PTE_P;
	}
}

/* --- a guest that turns to IA-32e mode: exits to 32 bits, and no way back */

#define LONG_ON "movl $0xc0000080, %ecx\n\trdmsr\n\torl $0x100, %eax\n\twrmsr\n\t" \
	"movl %edi, %cr3\n\tmovl %cr0, %eax\n\torl $0x80000000, %eax\n\tmovl %eax, %cr0\n"

INSN(pae_compatible, LONG_ON "pae_compatible_on:\tvmcall");
INSN(pae_long, LONG_ON "\tljmpl $0x70, $1f\n\t.code64\n"
	"1:\tmovabsq $0x123456789abcdef0, %rbx\n\tmovq %rbx, %r9\npae_long_on:\tvmcall\n\t.code32");
extern const char pae_compatible_on[], pae_long_on[];

/* The directories are the same ones. */
static u64 long_tables(void)
{
	u64 *pml4 = mem_alloc(PAGE_SIZE, PAGE_SIZE), *pdpt = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	const u64 *own = PTR(mem_cr3);
	u32 i;

	for (i = 0; i < 4; i++)
		pdpt[i] = own[i] | PTE_W;
	pml4[0] = ADDR(pdpt) | PTE_P | PTE_W;
	return ADDR(pml4);
}

static void long_run(struct hv *hv, const char *code, const char *at, const char *what)
{
	hv_ept_enable();
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED);
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_EFER);
	hv->guest->gdt[SEL_TEST / 8] = gdt_descriptor(0, 0xfffff, 0xa09b);
	vmwrite(F_GUEST_CR0, vmread(F_GUEST_CR0) & ~(u64)CR0_PG);
	hv_guest(hv, code, long_tables());
	nested_exit_at(hv, REASON_VMCALL, 0, (u64)(at - code), what);
	ktap_check((vmread(F_GUEST_EFER) & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA) &&
		   vmread(F_ENTRY_CONTROLS) & ENTRY_IA32E, "%s: the guest is in IA-32e mode", what);
	ktap_check(!(rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA)) && read_cr3() == mem_cr3,
		   "%s: the host is not", what);
	nested_fails(hv, VMERR_HOST_STATE, what);
	hv_clear(F_ENTRY_CONTROLS, ENTRY_IA32E);
}

static void pae_to_long(struct hv *hv)
{
	long_run(hv, pae_compatible, pae_compatible_on, "compatibility mode");
	ktap_check(vmread(F_GUEST_CS_ACCESS) == ACCESS_KCODE, "CS of 32 bits");
	hv_vmcs_reset(hv);
	long_run(hv, pae_long, pae_long_on, "64-bit mode");
	ktap_check(vmread(F_GUEST_CS_ACCESS) == 0xa09b && vmread(F_GUEST_CS) == SEL_TEST &&
		   (u32)hv->regs.rbx == 0x9abcdef0, "CS of 64 bits, EBX");
	hv_vmcs_reset(hv);
	nested_end(hv, "a guest of 32 bits");
}

/* --- virtual-8086 mode */

static const u8 v86_cpuid[] = { 0x0f, 0xa2 };
static const u8 v86_hlt[] = { 0xf4 };
static const u8 v86_int3[] = { 0xcc };
static const u8 v86_vmcall[] = { 0x0f, 0x01, 0xc1 };
static const u8 v86_vmxoff[] = { 0x0f, 0x01, 0xc4 };

static const struct {
	const char *name;
	const u8 *code;
	u32 size;
	u32 reason, length, event;
} v86[] = {
	{ "CPUID", v86_cpuid, sizeof(v86_cpuid), REASON_CPUID, 2, 0 },
	{ "HLT", v86_hlt, sizeof(v86_hlt), REASON_EXCEPTION, 0,
	  EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE },
	{ "INT3", v86_int3, sizeof(v86_int3), REASON_EXCEPTION, 1,
	  EVENT(EVENT_SOFT, VECTOR_BP) },
	{ "VMCALL", v86_vmcall, sizeof(v86_vmcall), REASON_VMCALL, 3, 0 },
	{ "VMXOFF", v86_vmxoff, sizeof(v86_vmxoff), REASON_EXCEPTION, 0,
	  EVENT(EVENT_HARD, VECTOR_UD) },
};

static void v86_state(void)
{
	u32 i;

	for (i = 0; i < 6; i++) {
		vmwrite(F_GUEST_ES + 2 * i, OTHER_VA >> 4);
		vmwrite(F_GUEST_ES_BASE + 2 * i, OTHER_VA);
		vmwrite(F_GUEST_ES_LIMIT + 2 * i, 0xffff);
		vmwrite(F_GUEST_ES_ACCESS + 2 * i, 0xf3);
	}
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED | BIT(17) | 3 << 12);
	vmwrite(F_EXCEPTION_BITMAP, BIT(VECTOR_GP) | BIT(VECTOR_UD) | BIT(VECTOR_BP));
}

static void pae_v86(struct hv *hv)
{
	u32 i;

	mem_map(OTHER_VA, ADDR(hv->page), PTE_P | PTE_W | PTE_U);
	for (i = 0; i < ARRAY_SIZE(v86); i++) {
		v86_state();
		memcpy(hv->page, v86[i].code, v86[i].size);
		hv->code = 0;
		vmwrite(F_GUEST_RIP, 0);
		vmwrite(F_GUEST_RSP, 0x800);
		nested_exit_at(hv, v86[i].reason, 0, 0, v86[i].name);
		ktap_check((!v86[i].length || hv->exit.length == v86[i].length) &&
			   (!v86[i].event || hv->exit.event == v86[i].event) &&
			   hv->exit.rflags & BIT(17), "%s: event", v86[i].name);
	}
	v86_state();
	vmwrite(F_GUEST_DS_BASE, OTHER_VA + 0x10);
	hv_run(hv);
	ktap_check(hv->exit.reason == (REASON_ENTRY_FAILED | REASON_ENTRY_GUEST_STATE),
		   "a base that is not the selector's: exit %x", hv->exit.reason);
	mem_map(OTHER_VA, OTHER_VA, PTE_P | PTE_W | PTE_NX);
}

static const struct nested_case cases[] = {
	CASE("the host's entries", pae_host),
	CASE("a host without PAE", pae_host_without),
	CASE("the guest's entries", pae_guest),
	CASE("the guest's entries, EPT", pae_guest_ept, .later = SECONDARY_EPT),
	CASE("bad entries", pae_bad),
	CASE("bad entries, EPT", pae_bad_ept, .later = SECONDARY_EPT),
	CASE("MOV to CR3, EPT", pae_bad_cr3, .later = SECONDARY_EPT),
	CASE("halves", pae_halves),
	CASE("addresses above 4 GiB", pae_high, .later = SECONDARY_EPT),
	CASE("reserved bits of tables", pae_reserved),
	CASE("segments", pae_segments),
	CASE("paging off and on", pae_unrestricted,
	     .later = SECONDARY_EPT | SECONDARY_UNRESTRICTED),
	CASE("IA-32e mode", pae_to_long, .later = SECONDARY_EPT | SECONDARY_UNRESTRICTED,
	     .later_exit = EXIT_SAVE_EFER),
	CASE("virtual-8086 mode", pae_v86),
};

void test_nested_pae(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
