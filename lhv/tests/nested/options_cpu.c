// SPDX-License-Identifier: GPL-2.0-only
/* Options of the table that are about the CPU: MSRs, VMXOFF, CPL 3. */
#include "option_table.h"

#define MSR_MCG_CAP		0x179
#define MSR_MC0_CTL		0x400
/* Variable MTRRs that are not in use; the one for the host is a mask without a valid bit. */
#define MSR_STORED		(MSR_MTRR_PHYSBASE0 + 10)
#define MSR_HOST		(MSR_MTRR_PHYSBASE0 + 11)
#define MSR_LOADED		(MSR_MTRR_PHYSBASE0 + 12)
#define MSR_NOWHERE		0x40000000u	/* in no bitmap */
#define CPUID_MCA		BIT(14)
#define LIST			32		/* entries of each list */
#define PAT_LIST		0x0007010600070406ull
#define ANSWER_MSR		0x600d0000u

INSN(opt_vmptrst, "vmptrst (%rdi)");
USER_INSN(opt_user_cpuid, "movl $5, %eax\n\txorl %ecx, %ecx\n\tcpuid\n\tmovl %eax, %r8d");
USER_INSN(opt_user_vmread, "movl $0x4402, %eax\n\tvmread %rax, %rcx");
USER_INSN(opt_user_hlt, "hlt");

/* --- MSR lists */

static bool has_banks(void)
{
	u64 value = 0;

	return cpuid(1, 0).edx & CPUID_MCA && try_rdmsr(MSR_MCG_CAP, &value) == TRAP_NONE &&
	       value & 0xff && try_rdmsr(MSR_MC0_CTL, &value) == TRAP_NONE;
}

static void list_fill(const struct work *work, struct table_msr *list, u32 first, u64 value,
		      u32 second)
{
	list[0] = (struct table_msr) { first, 0, value << 12 };
	list[1] = (struct table_msr) { second, 0, rdmsr(second) };
	if (work->banks)
		list[2] = (struct table_msr) { MSR_MC0_CTL, 0, rdmsr(MSR_MC0_CTL) };
}

static void list_lengths(u32 count)
{
	vmwrite(F_ENTRY_MSR_LOAD_COUNT, count);
	vmwrite(F_EXIT_MSR_STORE_COUNT, count);
	vmwrite(F_EXIT_MSR_LOAD_COUNT, count);
}

void opt_lists_setup(struct hv *hv, struct work *work)
{
	(void)hv;
	work->banks = has_banks();
	vmwrite(F_ENTRY_MSR_LOAD, ADDR(work->lists));
	vmwrite(F_EXIT_MSR_STORE, ADDR(work->lists + LIST));
	vmwrite(F_EXIT_MSR_LOAD, ADDR(work->lists + 2 * LIST));
}

/* Between the two questions the lists are in force. */
void opt_lists_guest(struct work *work)
{
	table_ask(OPT_MSR_LISTS);
	table_expect(work, rdmsr(MSR_LOADED) == (u64)(work->round + 1) << 12);
	table_expect(work, rdmsr(MSR_PAT) == PAT_LIST);
	table_found(work, rdmsr(MSR_LOADED));
	wrmsr(MSR_STORED, (u64)(work->round + 5) << 12);
	table_ask(OPT_MSR_LISTS);
}

static void lists_check(struct work *work)
{
	const struct table_msr *store = work->lists + LIST, *host = store + LIST;

	table_expect(work, store[0].value == (u64)(work->round + 5) << 12);
	table_expect(work, store[1].value == rdmsr(MSR_EFER));
	table_expect(work, rdmsr(host[0].msr) == host[0].value);
	table_expect(work, rdmsr(host[1].msr) == host[1].value);
	if (work->banks)
		table_expect(work, store[2].value == rdmsr(MSR_MC0_CTL));
}

void opt_lists_asked(struct hv *hv, struct work *work)
{
	struct table_msr *load = work->lists, *store = load + LIST, *host = store + LIST;

	(void)hv;
	work->step ^= 1;
	if (work->step) {
		list_fill(work, load, MSR_LOADED, work->round + 1, MSR_PAT);
		load[1].value = PAT_LIST;
		list_fill(work, store, MSR_STORED, 0, MSR_EFER);
		store[1].value = 0;
		list_fill(work, host, MSR_HOST, work->round + 3, MSR_STAR);
		list_lengths(work->banks ? 3 : 2);
		return;
	}
	lists_check(work);
	list_lengths(0);
	/* No exit brings them back. */
	wrmsr(MSR_PAT, vmread(F_HOST_PAT));
	wrmsr(MSR_LOADED, 0);
	wrmsr(MSR_STORED, 0);
	wrmsr(MSR_HOST, 0);
}

/* --- MSR bitmap: each of two MSRs, read and written, exits or not; one always exits */

#define CONFIGS		17u	/* the last one is without a bitmap */
#define CONFIGS_A_ROUND	3	/* all of them in six rounds */

static const u32 matrix[] = { MSR_SYSENTER_CS, MSR_CSTAR, MSR_NOWHERE };

static void msr_access(struct work *work, u32 i)
{
	bool all = i == 2 || work->config == CONFIGS - 1;
	bool reads = all || work->config >> 2 * i & 1, writes = all || work->config >> 2 * i & 2;
	u64 value = 0x100 * work->config + i, read = 0;

	table_expect(work, try_wrmsr(matrix[i], value) == TRAP_NONE);
	if (!writes)
		work->written[i] = value;
	table_expect(work, try_rdmsr(matrix[i], &read) == TRAP_NONE);
	table_expect(work, read == (reads ? ANSWER_MSR + i : work->written[i]));
	table_found(work, read);
}

void opt_msr_guest(struct work *work)
{
	u32 i, j;

	for (i = 0; i < CONFIGS_A_ROUND; i++) {
		table_ask(OPT_MSR_BITMAP);
		for (j = 0; j < ARRAY_SIZE(matrix); j++)
			msr_access(work, j);
	}
}

static u32 matrix_index(u32 msr)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(matrix) && matrix[i] != msr; i++)
		;
	return i;
}

/* Others are the APIC's in x2APIC mode, when there is no bitmap. */
bool opt_msr_exit(struct hv *hv, struct work *work)
{
	u32 msr = (u32)hv->regs.rcx, i = matrix_index(msr);
	bool write = hv->exit.reason == REASON_WRMSR;

	if (i < ARRAY_SIZE(matrix)) {
		work->msr_exits |= 1u << (2 * i + write);
		work->exits[hv->exit.reason]++;
		if (!write)
			hv->regs.rax = ANSWER_MSR + i;
		hv->regs.rdx = write ? hv->regs.rdx : 0;
	} else if (write) {
		wrmsr(msr, (u32)hv->regs.rax | hv->regs.rdx << 32);
	} else {
		hv->regs.rax = (u32)rdmsr(msr);
		hv->regs.rdx = rdmsr(msr) >> 32;
	}
	hv_skip(hv);
	return true;
}

static void msr_intercept(struct hv *hv, u32 i, u32 which)
{
	u32 at = (i ? 1024 : 0) + (matrix[i] & 0x1fff) / 8, bit = matrix[i] & 7;
	u32 write;

	for (write = 0; write < 2; write++) {
		hv->msr_bitmap[at + 2048 * write] &= ~(1 << bit);
		hv->msr_bitmap[at + 2048 * write] |= (which >> write & 1) << bit;
	}
}

static void msr_exits_check(struct work *work)
{
	u32 expected = work->config == CONFIGS - 1 ? 0x3f : 0x30 | work->config;

	table_expect(work, work->msr_exits == expected);
}

void opt_msr_setup(struct hv *hv, struct work *work)
{
	(void)hv;
	work->cstar = rdmsr(MSR_CSTAR);
}

void opt_msr_asked(struct hv *hv, struct work *work)
{
	if (work->configs)
		msr_exits_check(work);
	work->msr_exits = 0;
	work->config = work->configs++ % CONFIGS;
	if (work->config == CONFIGS - 1) {
		hv_clear(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
		return;
	}
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
	msr_intercept(hv, 0, work->config);
	msr_intercept(hv, 1, work->config >> 2);
}

void opt_msr_end(struct hv *hv, struct work *work)
{
	(void)hv;
	msr_exits_check(work);
	wrmsr(MSR_CSTAR, work->cstar);
}

/* --- VMXOFF */

static const u16 all_fields[] = {
#define FIELD_LIST(name, encoding) encoding,
	HV_FIELDS(FIELD_LIST)
};

static void fields_read(u64 *values)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(all_fields); i++) {
		values[i] = 0;
		if (vmread_flags(all_fields[i], &values[i]))
			values[i] = ~0ull;
	}
}

/**
 * opt_off_and_on - leave VMX operation, and come back: the VMCS is as it was
 * @between: called in between
 */
void opt_off_and_on(struct hv *hv, struct work *work, void (*between)(struct work *work))
{
	u64 pa = ADDR(hv->vmcs), pointer = 0, *after = work->fields + ARRAY_SIZE(all_fields);

	fields_read(work->fields);
	table_expect(work, !vmptrst(&pointer) && pointer == pa);
	table_expect(work, !vmclear(pa));
	table_expect(work, !vmptrst(&pointer) && pointer == ~0ull);
	if (between) {
		table_expect(work, !vmxoff());
		between(work);
		table_expect(work, !vmxon(ADDR(hv->vmxon)));
	}
	table_expect(work, !vmptrld(pa));
	fields_read(after);
	table_expect(work, !memcmp(work->fields, after, sizeof(u64) * ARRAY_SIZE(all_fields)));
	hv->launched = false;
}

void opt_vmxoff_guest(struct work *work)
{
	(void)work;
	table_ask(OPT_VMXOFF);
}

static void vmxoff_undefined(struct work *work)
{
	u64 pointer;

	table_expect(work, try_insn(opt_vmptrst, ADDR(&pointer)) == VECTOR_UD);
}

void opt_vmxoff_asked(struct hv *hv, struct work *work)
{
	opt_off_and_on(hv, work, work->round % 3 ? NULL : vmxoff_undefined);
}

/* --- CPL 3 */

static void user_part(struct work *work, u32 answer, u32 vector)
{
	table_expect(work, user_call(opt_user_cpuid, 0) == IRQ_EXIT);
	table_expect(work, (u32)trap_last()->regs.r8 == answer);
	table_expect(work, user_call(opt_user_hlt, 0) == VECTOR_GP);
	table_expect(work, user_call(opt_user_vmread, 0) == vector);
}

void opt_host_user_guest(struct work *work)
{
	(void)work;
	table_ask(OPT_HOST_USER);
}

/* VMREAD at CPL 3: a fault in root operation, an exit in the guest. */
void opt_host_user_asked(struct hv *hv, struct work *work)
{
	(void)hv;
	user_part(work, cpuid(5, 0).eax, VECTOR_GP);
}

void opt_guest_user_guest(struct work *work)
{
	user_part(work, TABLE_CPUID + 5, IRQ_EXIT);
	table_found(work, trap_last()->regs.vector);
}
