// SPDX-License-Identifier: GPL-2.0-only
/*
 * An EPT of many pages, which is mostly as it was at the INVEPT before. Whatever changes
 * in between, on any CPU, is to be seen behind the next INVEPT.
 */
#include "nested.h"

/* RAM that nothing uses, behind what is allocated in between */
#define REGION		(32ull << 20)
#define TABLES		4u
#define PAGES		(TABLES * 512)
#define QUIET		36
#define CHANGES		24
#define ROUNDS		4u
#define NOT_THERE	0x5555ull

/* All pages, or some of them; the sum depends on their order. */
INSN(tables_sweep, "1:\timul $3, RBX, RBX\n\tmov (RDI), RAX\n"
	"tables_skip:\n\tadd RAX, RBX\n\tadd $4096, RDI\n\tdec RSI\n\tjnz 1b");
extern const char tables_skip[];
INSN(tables_add, "addl $0, (RDI)");
INSN(tables_clear, "andl $~7, (RDI)");

static struct tables {
	u64 eptp, seed;
	u64 *directory;		/* its entry for REGION, and those behind it */
	u64 *table[TABLES];
	u32 kind, at, to, page;
} tables;

static u32 tables_random(u32 end)
{
	tables.seed = tables.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(tables.seed >> 33) % end;
}

static void tables_make(void)
{
	u32 i, page;

	tables.eptp = hv_ept_enable();
	tables.seed = 1;
	for (i = 0; i < TABLES; i++) {
		tables.table[i] = ept_entry(tables.eptp, REGION + i * SIZE_2M, 1);
		for (page = 0; page < 512; page++)
			*(u64 *)PTR(REGION + i * SIZE_2M + page * PAGE_SIZE) = i << 9 | page;
	}
	tables.directory = ept_entry(tables.eptp, REGION, 2);
}

/* What the guest has to read there: as the tables are, entry by entry. */
static u64 tables_value(u32 number)
{
	u64 directory = tables.directory[number / 512];
	const u64 *table = PTR(directory & PTE_ADDR);
	u64 entry = table[number % 512];

	return directory & entry & EPT_R ? *(u64 *)PTR(entry & PTE_ADDR) : NOT_THERE;
}

static unsigned long tables_expected(u32 first, u32 count)
{
	unsigned long sum = 0;
	u32 i;

	for (i = first; i < first + count; i++)
		sum = sum * 3 + (unsigned long)tables_value(i);
	return sum;
}

/* Return: what the guest has found. Where nothing is it goes on with another value. */
static unsigned long tables_found(struct hv *hv, u32 first, u32 count)
{
	hv_guest(hv, tables_sweep, REGION + first * PAGE_SIZE);
	hv->regs.rbx = 0;
	hv->regs.rsi = count;
	while (hv_run(hv) == REASON_EPT_VIOLATION) {
		hv->regs.rax = NOT_THERE;
		vmwrite(F_GUEST_RIP, ADDR(tables_skip));
	}
	return hv_ended(hv) ? (unsigned long)hv->regs.rbx : 0;
}

static u64 *tables_pointer(u32 index)
{
	return &tables.directory[index];
}

/* Some CPU does it. Entries of the directory may come to lead to the same table. */
static void tables_change(void *arg)
{
	u64 *entry = &tables.table[tables.at][tables.page];

	(void)arg;
	switch (tables.kind) {
	case 0:
		*entry &= ~EPT_RWX;
		break;
	case 1:
		*entry |= EPT_RWX;
		break;
	case 2:
		*entry = (*entry & ~PTE_ADDR) | (REGION + tables.to * SIZE_2M);
		break;
	case 3:
		*tables_pointer(tables.at) = ADDR(tables.table[tables.to]) | EPT_RWX;
		break;
	case 4:
		*tables_pointer(tables.at) &= ~EPT_RWX;
		break;
	case 5:
		*tables_pointer(tables.at) |= EPT_RWX;
		break;
	case 6:
		/* What the guest reads stays, here and below. */
		*tables_pointer(tables.at) &= ~(EPT_W | EPT_X);
		break;
	default:
		*entry &= ~(EPT_W | EPT_X);
	}
}

static void tables_change_on(u32 cpu)
{
	tables.kind = tables_random(8);
	tables.at = tables_random(TABLES);
	tables.to = tables_random(TABLES);
	tables.page = tables_random(512);
	cpu_call(cpu, tables_change, NULL);
}

static void tables_flush(void)
{
	invept(tables_random(2) ? INVEPT_ALL : INVEPT_SINGLE, tables.eptp, 0);
}

static bool tables_agree(struct hv *hv)
{
	return tables_found(hv, 0, PAGES) == tables_expected(0, PAGES);
}

/* Can the guest write where the last change was, if and only if the tables say so. */
static bool tables_agree_on_write(struct hv *hv)
{
	u64 directory = tables.directory[tables.at];
	u64 entry = *(u64 *)PTR((directory & PTE_ADDR) + tables.page * sizeof(u64));
	u64 rights = directory & entry & (EPT_R | EPT_W);

	hv_guest(hv, tables_add, REGION + tables.at * SIZE_2M + tables.page * PAGE_SIZE);
	hv_run(hv);
	return hv_ended(hv) == (rights == (EPT_R | EPT_W));
}

/* As often as it takes to have core believe that nothing changes any more. */
static u32 tables_quiet(struct hv *hv, u32 rounds)
{
	u32 right = 0, i;

	for (i = 0; i < rounds; i++) {
		tables_flush();
		right += tables_found(hv, i, 8) == tables_expected(i, 8);
	}
	return right;
}

static void tables_changes(struct hv *hv)
{
	u32 quiet = 0, wanted = QUIET, right = 0, i, rounds;

	tables_make();
	ktap_check(tables_agree(hv), "all pages are found");
	quiet += tables_quiet(hv, QUIET);
	for (i = 0; i < CHANGES; i++) {
		tables_change_on(i % nr_cpus);
		tables_flush();
		right += tables_agree(hv) && tables_agree_on_write(hv);
		rounds = tables_random(20);
		quiet += tables_quiet(hv, rounds);
		wanted += rounds;
	}
	ktap_check(right == CHANGES, "changes of which all is seen: %u of %u", right, CHANGES);
	ktap_check(quiet == wanted, "nothing has changed, nothing is seen: %u of %u", quiet,
		   wanted);
}

/* The table stays as it is, but for a while it allows less. */
static void tables_above(struct hv *hv)
{
	u32 right = 0;

	tables_make();
	tables_agree(hv);
	tables.at = 1;
	for (tables.page = 0; tables.page < ROUNDS; tables.page++) {
		tables_quiet(hv, QUIET);
		*tables_pointer(1) ^= EPT_W;
		tables_flush();
		right += tables_agree_on_write(hv);
	}
	ktap_check(right == ROUNDS, "what is above counts: %u of %u", right, ROUNDS);
}

/*
 * For a moment an entry leads to another table, without INVEPT. What the guest meets then
 * is not defined, but it is over behind the INVEPT that comes with the old table.
 */
static void tables_moment(struct hv *hv)
{
	u64 old;
	u32 right = 0, i;

	tables_make();
	tables_agree(hv);
	for (i = 0; i < ROUNDS; i++) {
		/* Not there, so not cached: the guest comes to ask for it. */
		tables.table[1][i] &= ~EPT_RWX;
		tables_quiet(hv, QUIET);
		old = *tables_pointer(1);
		*tables_pointer(1) = *tables_pointer(2);
		tables_found(hv, 512 + i, 1);
		*tables_pointer(1) = old;
		tables_flush();
		right += tables_agree(hv);
	}
	ktap_check(right == ROUNDS, "nothing of it is left: %u of %u", right, ROUNDS);
}

/* A table of pages that is memory of the guest's as well: the guest changes it. */
static void tables_by_guest(struct hv *hv)
{
	u32 right = 0, i;

	tables_make();
	tables_agree(hv);
	for (i = 0; i < ROUNDS; i++) {
		tables_quiet(hv, QUIET);
		hv_guest(hv, tables_clear, ADDR(&tables.table[3][i]));
		nested_end(hv, "write");
		tables_flush();
		right += !(tables.table[3][i] & EPT_RWX) && tables_agree(hv);
	}
	ktap_check(right == ROUNDS, "what the guest writes there counts: %u of %u", right, ROUNDS);
}

/* VMREAD writes to such a table, of a field that no shadow VMCS has: core does it. */
static void tables_by_vmread(struct hv *hv)
{
	u64 old = vmread(F_GUEST_SYSENTER_ESP);
	unsigned long field = F_GUEST_SYSENTER_ESP;
	u32 right = 0, i;

	tables_make();
	tables_agree(hv);
	for (i = 0; i < ROUNDS; i++) {
		tables_quiet(hv, QUIET);
		vmwrite(F_GUEST_SYSENTER_ESP, tables.table[3][i] & ~EPT_RWX);
		asm volatile("vmread %1, %0"
			     : "=m" (*(unsigned long *)&tables.table[3][i]) : "r" (field));
		vmwrite(F_GUEST_SYSENTER_ESP, old);
		tables_flush();
		right += !(tables.table[3][i] & EPT_RWX) && tables_agree(hv);
	}
	ktap_check(right == ROUNDS, "what VMREAD writes there counts: %u of %u", right, ROUNDS);
}

/* Return: the EPT pointer of another EPT, with the same tables below the first. */
static u64 tables_other(void)
{
	void *root = mem_alloc(PAGE_SIZE, PAGE_SIZE);

	memcpy(root, PTR(tables.eptp & PTE_ADDR), PAGE_SIZE);
	return ADDR(root) | (tables.eptp & (PAGE_SIZE - 1));
}

static void tables_use(u64 eptp)
{
	vmwrite(F_EPTP, eptp);
	invept(INVEPT_SINGLE, eptp, 0);
}

/*
 * Two EPTs share their tables, of which one is in two places. A change is long past in one
 * of them when the other gets its INVEPT.
 */
static void tables_shared(struct hv *hv)
{
	u32 right = 0, round, i;
	u64 other;

	tables_make();
	*tables_pointer(1) = *tables_pointer(0);
	other = tables_other();
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < QUIET; i++) {
			tables_use(i & 1 ? other : tables.eptp);
			tables_found(hv, 0, 1024);
		}
		tables.table[0][round] &= ~EPT_RWX;
		for (i = 0; i < QUIET; i++) {
			tables_use(tables.eptp);
			tables_found(hv, 0, 8);
		}
		tables_use(other);
		right += tables_agree(hv);
	}
	ktap_check(right == ROUNDS, "the other EPT has all changes: %u of %u", right, ROUNDS);
}

static const struct nested_case cases[] = {
	CASE("changes", tables_changes, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("above", tables_above, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("for a moment", tables_moment, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("by the guest", tables_by_guest, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("by VMREAD", tables_by_vmread, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT),
	CASE("shared", tables_shared, .later = SECONDARY_EPT, .ept = EPT_CAP_INVEPT_SINGLE),
};

void test_nested_ept_tables(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
