// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that controls load and save: IA32_PAT, IA32_EFER, IA32_PERF_GLOBAL_CTRL, DR7,
 * lists of MSRs, EFER.LMA. IA32_DEBUGCTL is left out: the emulator does not load it.
 */
#include "nested.h"

#define MSR_PERF_GLOBAL_CTRL	0x38f

struct msr_entry {
	u32 msr, reserved;
	u64 value;
};

INSN(state_rdmsr, "movl %edi, %ecx\n\trdmsr");
/* Exchange the MSR with EBX:ESI */
INSN(state_swap, "movl %edi, %ecx\n\trdmsr\n\txchgl %eax, %esi\n\txchgl %edx, %ebx\n\twrmsr");

/* The guest reads the MSR, see swapped(), and writes a value. */
static void swap(struct hv *hv, u32 msr, u64 value, const char *what)
{
	hv_guest(hv, state_swap, msr);
	hv->regs.rsi = (u32)value;
	hv->regs.rbx = value >> 32;
	nested_end(hv, what);
}

static u64 swapped(const struct hv *hv)
{
	return hv->regs.rbx << 32 | (u32)hv->regs.rsi;
}

/* What state_rdmsr has read */
static u64 value_read(const struct hv *hv)
{
	return hv->regs.rdx << 32 | (u32)hv->regs.rax;
}

#define PAT_GUEST	0x0007010600070106ull
#define PAT_OTHER	0x0007040600070606ull

static void state_pat(struct hv *hv)
{
	u64 pat = rdmsr(MSR_PAT);

	vmwrite(F_GUEST_PAT, PAT_GUEST);
	vmwrite(F_HOST_PAT, PAT_OTHER);
	swap(hv, MSR_PAT, pat, "nothing is loaded");
	ktap_check(swapped(hv) == pat && rdmsr(MSR_PAT) == pat, "nothing is loaded: PAT %llx",
		   swapped(hv));
	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_PAT);
	swap(hv, MSR_PAT, PAT_OTHER, "load");
	ktap_check(swapped(hv) == PAT_GUEST && rdmsr(MSR_PAT) == PAT_OTHER,
		   "load: the guest's PAT %llx, the host's %llx", swapped(hv), rdmsr(MSR_PAT));
	ktap_check(vmread(F_GUEST_PAT) == PAT_GUEST, "not saved");
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_PAT | EXIT_LOAD_PAT);
	vmwrite(F_HOST_PAT, pat);
	swap(hv, MSR_PAT, PAT_OTHER, "load and save");
	ktap_check(swapped(hv) == PAT_GUEST && rdmsr(MSR_PAT) == pat &&
		   vmread(F_GUEST_PAT) == PAT_OTHER, "load and save: %llx", vmread(F_GUEST_PAT));
	wrmsr(MSR_PAT, pat);
}

static void state_efer(struct hv *hv)
{
	u64 efer = rdmsr(MSR_EFER);

	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_EFER);
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	vmwrite(F_GUEST_EFER, efer & ~(u64)EFER_SCE);
	swap(hv, MSR_EFER, efer, "EFER");
	ktap_check(swapped(hv) == (efer & ~(u64)EFER_SCE), "load: %llx", swapped(hv));
	ktap_check(vmread(F_GUEST_EFER) == efer && rdmsr(MSR_EFER) == efer, "save: %llx",
		   vmread(F_GUEST_EFER));
	swap(hv, MSR_EFER, efer & ~(u64)EFER_SCE, "EFER again");
	ktap_check(swapped(hv) == efer && rdmsr(MSR_EFER) == efer &&
		   vmread(F_GUEST_EFER) == (efer & ~(u64)EFER_SCE),
		   "the host's is loaded: %llx", rdmsr(MSR_EFER));
	hv_clear(F_EXIT_CONTROLS, EXIT_SAVE_EFER | EXIT_LOAD_EFER);
	swap(hv, MSR_EFER, efer & ~(u64)EFER_SCE, "not loaded");
	ktap_check(rdmsr(MSR_EFER) == (efer & ~(u64)EFER_SCE), "not loaded: %llx",
		   rdmsr(MSR_EFER));
	wrmsr(MSR_EFER, efer);
}

static void state_perf(struct hv *hv)
{
	u64 value = 0;

	if (try_rdmsr(MSR_PERF_GLOBAL_CTRL, &value) != TRAP_NONE) {
		ktap_skip("no IA32_PERF_GLOBAL_CTRL");
		return;
	}
	vmwrite(F_GUEST_PERF_GLOBAL_CTRL, 1);
	vmwrite(F_HOST_PERF_GLOBAL_CTRL, value);
	hv_guest(hv, state_rdmsr, MSR_PERF_GLOBAL_CTRL);
	nested_end(hv, "load");
	ktap_check(value_read(hv) == 1 && rdmsr(MSR_PERF_GLOBAL_CTRL) == value, "load: %llx",
		   value_read(hv));
}

INSN(state_dr7, "mov %dr7, RAX\n\tmovl $0x700, %ecx\n\tmov RCX, %dr7");

static void state_debug(struct hv *hv)
{
	hv_set(F_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG);
	vmwrite(F_GUEST_DR7, 0x500);
	hv_guest(hv, state_dr7, 0);
	nested_end(hv, "load");
	ktap_check(hv->regs.rax == 0x500 && read_dr7() == 0x400, "load: DR7 %llx",
		   hv->regs.rax);
	hv_set(F_EXIT_CONTROLS, EXIT_SAVE_DEBUG);
	hv_guest(hv, state_dr7, 0);
	nested_end(hv, "save");
	ktap_check(vmread(F_GUEST_DR7) == 0x700, "save: DR7 %llx", vmread(F_GUEST_DR7));
	if (hv_controls_fixed0(F_ENTRY_CONTROLS) & ENTRY_LOAD_DEBUG)
		return;
	hv_clear(F_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG);
	write_dr7(0x600);
	hv_guest(hv, state_dr7, 0);
	nested_end(hv, "not loaded");
	ktap_check(hv->regs.rax == 0x600 && read_dr7() == 0x400,
		   "not loaded: DR7 %llx, the host's %llx", hv->regs.rax, read_dr7());
}

/* As wide as the mode can write them */
#define HOST_FS		NATURAL(0xffff900000001000ull)
#define HOST_GS		NATURAL(0x7fff00002000ull)
#define HOST_ESP	NATURAL(0xffffa00000003000ull)

/* The host's state is what the VMCS says, not what it was before the entry. */
static void state_host(struct hv *hv)
{
	u64 *tables = mem_alloc(PAGE_SIZE, PAGE_SIZE), cr0 = read_cr0(), cr4 = read_cr4();
	u64 fs = rdmsr(MSR_FS_BASE), gs = rdmsr(MSR_GS_BASE);
	u32 ss;

	memcpy(tables, PTR(mem_cr3), PAGE_SIZE);
	vmwrite(F_HOST_CR0, cr0 ^ CR0_TS);
	vmwrite(F_HOST_CR3, ADDR(tables));
	vmwrite(F_HOST_CR4, cr4 ^ CR4_PCE);
	vmwrite(F_HOST_FS_BASE, HOST_FS);
	vmwrite(F_HOST_GS_BASE, HOST_GS);
	vmwrite(F_HOST_SYSENTER_CS, 0x1234);
	vmwrite(F_HOST_SYSENTER_ESP, HOST_ESP);
	vmwrite(F_HOST_SYSENTER_EIP, 0x4000);
	vmwrite(F_HOST_SS, HV_OTHER_SS);
	nested_end(hv, "host");
	asm volatile("movl %%ss, %0" : "=r" (ss));
	ktap_check(read_cr0() == (cr0 ^ CR0_TS) && read_cr4() == (cr4 ^ CR4_PCE) &&
		   read_cr3() == ADDR(tables), "CR0, CR3, CR4");
	ktap_check(rdmsr(MSR_FS_BASE) == HOST_FS && rdmsr(MSR_GS_BASE) == HOST_GS, "bases");
	ktap_check(rdmsr(MSR_SYSENTER_CS) == 0x1234 && rdmsr(MSR_SYSENTER_EIP) == 0x4000 &&
		   rdmsr(MSR_SYSENTER_ESP) == HOST_ESP, "IA32_SYSENTER");
	ktap_check((ss & 0xffff) == HV_OTHER_SS, "SS");
	ktap_check(vmread(F_GUEST_CR0) == cr0 && vmread(F_GUEST_CR3) == mem_cr3 &&
		   vmread(F_GUEST_CR4) == cr4, "the guest has its own");
	asm volatile("movl %0, %%ss" : : "r" (SEL_KDATA));
	write_cr3(mem_cr3);
	write_cr0(cr0);
	write_cr4(cr4);
	wrmsr(MSR_FS_BASE, fs);
	wrmsr(MSR_GS_BASE, gs);
	wrmsr(MSR_SYSENTER_CS, 0);
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
}

/* --- lists */

#define COUNT	4

static const u32 list_msrs[COUNT] = {
	MSR_STAR, MSR_LSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE,
};

static void state_lists(struct hv *hv)
{
	struct msr_entry *load = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	struct msr_entry *store = load + 32, *host = load + 64;
	u32 i;

	for (i = 0; i < COUNT; i++) {
		load[i] = (struct msr_entry) { list_msrs[i], 0, 0x10000 + i };
		store[i] = (struct msr_entry) { list_msrs[i], 0, 0 };
		host[i] = (struct msr_entry) { list_msrs[i], 0, rdmsr(list_msrs[i]) };
	}
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(load));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, COUNT);
	vmwrite(F_EXIT_MSR_STORE, ADDR(store));
	vmwrite(F_EXIT_MSR_STORE_COUNT, COUNT);
	vmwrite(F_EXIT_MSR_LOAD, ADDR(host));
	vmwrite(F_EXIT_MSR_LOAD_COUNT, COUNT);
	for (i = 0; i < COUNT; i++) {
		swap(hv, list_msrs[i], 0x20000 + i, "lists");
		ktap_check(swapped(hv) == 0x10000 + i, "MSR %x: loaded for the guest",
			   list_msrs[i]);
		ktap_check(store[i].value == 0x20000 + i, "MSR %x: stored", list_msrs[i]);
		ktap_check(store[!i].value == 0x10000 + !i, "MSR %x: and another one",
			   list_msrs[i]);
		ktap_check(rdmsr(list_msrs[i]) == host[i].value, "MSR %x: loaded for the host",
			   list_msrs[i]);
	}
}

/* Each list alone, and the last entry wins */
static void state_list_order(struct hv *hv)
{
	struct msr_entry *load = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 star = rdmsr(MSR_STAR);

	load[0] = (struct msr_entry) { MSR_STAR, 0, 1 };
	load[1] = (struct msr_entry) { MSR_STAR, 0, 2 };
	load[2] = (struct msr_entry) { MSR_STAR, 0, 3 };
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(load));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 2);
	hv_guest(hv, state_rdmsr, MSR_STAR);
	nested_end(hv, "load");
	ktap_check(value_read(hv) == 2, "the second of two wins: %llu", value_read(hv));
	ktap_check(rdmsr(MSR_STAR) == 2, "the exit does not bring back the host's");
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 0);
	wrmsr(MSR_STAR, star);
	hv_guest(hv, state_rdmsr, MSR_STAR);
	nested_end(hv, "none");
	ktap_check(value_read(hv) == star, "none is loaded");
}

/* An MSR that a control loads too: the list comes later (SDM vol. 3, 27.4). */
static void state_list_late(struct hv *hv)
{
	struct msr_entry *load = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 pat = rdmsr(MSR_PAT);

	load[0] = (struct msr_entry) { MSR_PAT, 0, PAT_OTHER };
	vmwrite(F_GUEST_PAT, PAT_GUEST);
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(load));
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, 1);
	vmwrite(F_HOST_PAT, pat);
	hv_guest(hv, state_rdmsr, MSR_PAT);
	nested_end(hv, "PAT");
	ktap_check(value_read(hv) == PAT_OTHER, "the list comes behind the field: %llx",
		   value_read(hv));
	wrmsr(MSR_PAT, pat);
}

/* The TSC is stored as the host would read it. */
static void state_list_tsc(struct hv *hv)
{
	struct msr_entry *store = mem_alloc(PAGE_SIZE, PAGE_SIZE);
	u64 before, after;

	store[0] = (struct msr_entry) { MSR_TSC, 0, 0 };
	vmwrite(F_EXIT_MSR_STORE, ADDR(store));
	vmwrite(F_EXIT_MSR_STORE_COUNT, 1);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_TSC_OFFSET);
	vmwrite(F_TSC_OFFSET, BIT(40));
	hv_guest(hv, state_rdmsr, MSR_TSC);
	before = rdtsc();
	nested_end(hv, "TSC");
	after = rdtsc();
	ktap_check(store[0].value - before <= after - before, "without the guest's offset");
	ktap_check(value_read(hv) - BIT(40) - before <= after - before, "the guest has its offset");
}

static const struct nested_case cases[] = {
	CASE("IA32_PAT", state_pat, .later_exit = EXIT_SAVE_PAT | EXIT_LOAD_PAT,
	     .later_entry = ENTRY_LOAD_PAT),
	CASE("IA32_EFER", state_efer, .later_exit = EXIT_SAVE_EFER | EXIT_LOAD_EFER,
	     .later_entry = ENTRY_LOAD_EFER),
	CASE("IA32_PERF_GLOBAL_CTRL", state_perf, .exit = EXIT_LOAD_PERF,
	     .entry = ENTRY_LOAD_PERF),
	CASE("DR7", state_debug),
	CASE("host", state_host),
	CASE("lists", state_lists),
	CASE("order", state_list_order),
	CASE("list and field", state_list_late, .exit = EXIT_LOAD_PAT,
	     .entry = ENTRY_LOAD_PAT),
	CASE("TSC", state_list_tsc),
};

void test_nested_state(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
