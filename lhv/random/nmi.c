// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choices of NMIs and of what blocks them: controls and interruptibility at an entry, IRET of
 * the guest with any stack, NMIs that guest and hypervisor send to themselves. Those of
 * another CPU come at any time, so they are not for here (see nested-nmi-storm).
 */
#include "random.h"

#define ICR_SELF_NMI	(ICR_NMI | ICR_ASSERT)

static void block(bool blocked)
{
	u64 state = vmread(F_GUEST_INTERRUPTIBILITY) & ~(u64)BLOCKING_NMI;

	vmwrite(F_GUEST_INTERRUPTIBILITY, blocked ? state | BLOCKING_NMI : state);
}

static void inject(void)
{
	vmwrite(F_ENTRY_EVENT, EVENT(EVENT_NMI, VECTOR_NMI));
	vmwrite(F_ENTRY_ERROR_CODE, 0);
}

static void apply_controls(struct rnd *r, const struct choice *choice)
{
	u64 way = choice->v[0] % 8;
	bool blocked = choice->v[1] % 3, event = choice->v[2] % (blocked ? 8 : 3) == 0;

	say(r, "%s%s%s%s%s", way ? "NMI exiting" : "none", way > 2 ? ", virtual NMIs" : "",
	    way > 4 ? ", NMI window" : "", blocked ? ", blocked" : "",
	    event ? ", one is injected" : "");
	hv_clear(F_PIN_CONTROLS, PIN_NMI | PIN_VIRTUAL_NMIS);
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	if (way)
		hv_set(F_PIN_CONTROLS, PIN_NMI);
	if (way > 2)
		hv_set(F_PIN_CONTROLS, PIN_VIRTUAL_NMIS);
	if (way > 4)
		hv_set(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	block(blocked);
	if (event)
		inject();
}

const struct kind random_nmis[] = {
	{ "NMIs", 1, apply_controls },
	{ NULL, 0, NULL },
};

/* --- the guest's part */

SNIPPET(iret_64, "movq %rax, %rsp\n\tiretq");
SNIPPET(iret_32, "movq %rax, %rsp\n\tiretl");
SNIPPET(iret_16, "movq %rax, %rsp\n\tiretw");
SNIPPET(iret_break, "movq %rax, %db1\n\tmovl $0x000f0408, %ebx\n\tmovq %rbx, %db7\n\t"
	"movq %rax, %rsp\n\tiretq");
SNIPPET(iret_mov_ss, "movw %ss, %bx\n\tmovq %rax, %rsp\n\tmovw %bx, %ss\n\tiretq");
SNIPPET(nmi_write, "movl %ecx, 0x310(%rdx)\n\tmovl %eax, 0x300(%rdx)\n\tnop\n\tnop");
SNIPPET(nmi_wrmsr, "wrmsr\n\tnop\n\tnop");
SNIPPET(nmi_cpuid, "movl %ecx, 0x310(%rdx)\n\tmovl %eax, 0x300(%rdx)\n\tcpuid\n\tnop");
SNIPPET(nmi_twice, "movl %ecx, 0x310(%rdx)\n\tmovl %eax, 0x300(%rdx)\n\t"
	"movl %eax, 0x300(%rdx)\n\tnop");
SNIPPET(nmi_hlt, "movl %ecx, 0x310(%rdx)\n\tmovl %eax, 0x300(%rdx)\n\thlt");

static const struct piece irets[] = {
	PIECE(iret_64), PIECE(iret_64), PIECE(iret_64), PIECE(iret_32), PIECE(iret_32),
	PIECE(iret_16), PIECE(iret_break), PIECE(iret_mov_ss),
};
static const struct piece sends[] = {
	PIECE(nmi_write), PIECE(nmi_write), PIECE(nmi_cpuid), PIECE(nmi_twice), PIECE(nmi_hlt),
};

static const u32 frame_cs[] = {
	SEL_KCODE, SEL_KCODE, SEL_KCODE, SEL_KCODE, SEL_UCODE, SEL_UCODE, SEL_KCODE32, SEL_UCODE32,
	SEL_CODE16, SEL_KDATA, 0, 0xb, 0x68, 0xfff8,
};
static const u32 frame_ss[] = {
	SEL_KDATA, SEL_KDATA, SEL_KDATA, SEL_UDATA, SEL_UDATA, SEL_DATA16, 0, 0x13, SEL_KCODE, 0x68,
};
static const u32 frame_flags[] = {
	2, 2, 2, 0x202, 0x202, 0x102, 0x302, 0x4002, 0x3002, 0x10002, 0x20002, 0x200002, 0xffffffff,
};

#define ONE_OF(table, v)	((table)[(v) % ARRAY_SIZE(table)])

/* What IRET takes from the stack: most go on behind it. */
static void frame_values(const struct rnd *r, u64 *values, const u64 *v)
{
	u64 way = v[1] >> 48;
	u32 cs = ONE_OF(frame_cs, v[2]), user = cs % 4 == 3 ? (u32)USER_ALIAS : 0;

	values[0] = ram_page(r, PG_CODE) + (r->slots + 1) * SLOT_SIZE + user;
	values[1] = cs;
	values[2] = ONE_OF(frame_flags, v[2] >> 16);
	values[3] = ram_page(r, PG_STACK) + 0xc00 + user;
	values[4] = user && v[3] & 7 ? SEL_UDATA : ONE_OF(frame_ss, v[3] >> 16);
	if (way % 8 == 0)
		values[0] ^= BIT(47);
	if (way % 8 == 1)
		values[way >> 8 & 3] ^= BIT(v[3] >> 32 & 63);
	/* To the same level the emulator takes any SS (SDM vol. 2, IRET: #GP, #SS). */
	if (values[1] % 4 == 0 && values[4])
		values[4] = SEL_KDATA;
}

/* @size: bytes of each value */
static void write_frame(struct rnd *r, u64 address, const u64 *values, u32 size)
{
	u8 *to = r->ram + ((address - ADDR(r->ram)) & (USER_ALIAS - 1));
	u32 i;

	for (i = 0; i < 5; i++)
		memcpy(to + i * size, &values[i], size);
}

static u32 frame_size(const struct piece *piece, u64 v)
{
	if (v % 8 == 0)
		return 8;
	return piece->code == snip_iret_32 ? 4 : piece->code == snip_iret_16 ? 2 : 8;
}

static void apply_iret(struct rnd *r, const struct choice *choice)
{
	const struct piece *piece = &ONE_OF(irets, choice->v[0]);
	u32 address = random_data(r, choice->v[1]);
	u64 values[5];

	if (r->slots == SLOTS)
		return;
	/* Some reach from one page to the next. */
	if (choice->v[0] >> 32 & 1)
		address |= 0xfe8;
	frame_values(r, values, choice->v);
	say(r, "frame: %llx:%llx, flags %llx, stack %llx:%llx", values[1], values[0], values[2],
	    values[4], values[3]);
	write_frame(r, address, values, frame_size(piece, choice->v[0] >> 40));
	random_piece(r, piece, address, (u32)choice->v[2], (u32)choice->v[3]);
}

/*
 * The linear address is of no other use, and not in EAX: a guest that runs through memory adds
 * to what that points to.
 */
static void map_lapic(const struct rnd *r)
{
	static const u32 tables[] = { PG_PT, PG_PT_USER };
	u32 *pt32 = PTR(ram_page(r, PG_PT32)), i;

	for (i = 0; i < 2; i++) {
		((u64 *)PTR(ram_page(r, tables[i])))[PG_LAPIC] = LAPIC_BASE | PTE_P | PTE_W | PTE_U;
		pt32[512 * i + PG_LAPIC] = (u32)(LAPIC_BASE | PTE_P | PTE_W | PTE_U);
	}
}

static void apply_send(struct rnd *r, const struct choice *choice)
{
	static const struct piece wrmsr_piece = PIECE(nmi_wrmsr);
	u32 id = r->hv->host->apic_id, address = (u32)ram_page(r, PG_LAPIC);

	r->sends_nmis = true;
	if (lapic_x2apic) {
		random_piece(r, &wrmsr_piece, ICR_SELF_NMI, MSR_X2APIC + LAPIC_ICR, id);
		return;
	}
	map_lapic(r);
	random_piece(r, &ONE_OF(sends, choice->v[0]), ICR_SELF_NMI, id << 24,
		     choice->v[1] & 1 ? address : address + (u32)USER_ALIAS);
}

/* What the guest's handler does: by itself it is a VMCALL, and none comes back. */
static void apply_handler(struct rnd *r, const struct choice *choice)
{
	static const struct {
		const char *name;
		u8 code[8];
	} handlers[] = {
		{ "IRET", { 0x48, 0xcf } },
		{ "VMCALL, IRET", { 0x0f, 0x01, 0xc1, 0x48, 0xcf } },
		{ "CPUID, IRET", { 0x0f, 0xa2, 0x48, 0xcf } },
		{ "INT3, IRET", { 0xcc, 0x48, 0xcf } },
		{ "UD2, IRET", { 0x0f, 0x0b, 0x48, 0xcf } },
		{ "HLT, IRET", { 0xf4, 0x48, 0xcf } },
		{ "INT1, IRET", { 0xf1, 0x48, 0xcf } },
		{ "IRET of 32 bits", { 0xcf } },
	};
	u64 way = choice->v[0] & 1 ? 0 : choice->v[1] % ARRAY_SIZE(handlers);

	say(r, "%s", handlers[way].name);
	memcpy(PTR(ram_page(r, PG_STUBS) + VECTOR_NMI * STUB_SIZE), handlers[way].code,
	       sizeof(handlers[way].code));
}

const struct kind random_nmi_code[] = {
	{ "IRET", 5, apply_iret },
	{ "NMI to itself", 4, apply_send },
	{ "NMI handler", 3, apply_handler },
	{ NULL, 0, NULL },
};

/* --- exits */

/**
 * random_reflect_nmi - the guest gets the NMI that has made it exit, if it can
 *
 * Return: false if not.
 */
bool random_reflect_nmi(struct rnd *r)
{
	if (!(vmread(F_PIN_CONTROLS) & PIN_VIRTUAL_NMIS) || r->hv->exit.interruptibility ||
	    r->exits & 1 || r->steps++ > 3)
		return false;
	inject();
	return true;
}

/** random_redo_iret - an IRET that unblocked NMIs is executed again (SDM vol. 3, 28.2.3) */
void random_redo_iret(const struct rnd *r)
{
	const struct hv_exit *exit = &r->hv->exit;

	if (exit->reason == REASON_EPT_VIOLATION && exit->qualification & EVENT_NMI_IRET)
		block(true);
}

/* --- between two entries */

static void record_nmis(struct rnd *r)
{
	record_begin(r, "NMIs", r->exits);
	record_value(r, "handled", r->hv->host->nmis - r->nmis);
	record_end(r);
}

/* What the host's handler returns to has to be there: an exit loads SS as the field says. */
static void load_ss(void)
{
	asm volatile("movw %w0, %%ss" : : "r" (SEL_KDATA));
}

/** random_nmi_settle - the host can take an NMI right behind the exit */
void random_nmi_settle(const struct rnd *r)
{
	if (r->sends_nmis)
		vmwrite(F_HOST_SS, SEL_KDATA);
}

/* Blocked or not: then it is the guest's, or there is an exit. */
static void apply_nmi(struct rnd *r, const struct choice *choice)
{
	bool unblock = choice->v[0] % 4 == 0;

	say(r, "to itself%s", unblock ? ", and IRET" : "");
	r->sends_nmis = true;
	load_ss();
	lapic_ipi(r->hv->host->apic_id, ICR_SELF_NMI);
	cpu_relax();
	if (unblock)
		hv_unblock_nmis();
	record_nmis(r);
}

static void apply_unblock(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	say(r, "IRET of the hypervisor");
	hv_unblock_nmis();
	record_nmis(r);
}

static void apply_block(struct rnd *r, const struct choice *choice)
{
	bool blocked = choice->v[0] & 1;

	say(r, "%sblocked", blocked ? "" : "not ");
	block(blocked);
}

static void apply_inject(struct rnd *r, const struct choice *choice)
{
	say(r, "one is injected");
	inject();
	if (choice->v[0] % 4)
		block(false);
}

static void apply_window(struct rnd *r, const struct choice *choice)
{
	(void)choice;
	if (!(vmread(F_PIN_CONTROLS) & PIN_VIRTUAL_NMIS))
		return;
	say(r, "the window");
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
}

const struct kind random_nmi_between[] = {
	{ "NMI", 4, apply_nmi },
	{ "NMI", 1, apply_unblock },
	{ "NMI", 3, apply_block },
	{ "NMI", 2, apply_inject },
	{ "NMI", 2, apply_window },
	{ "NMIs", 1, apply_controls },
	{ NULL, 0, NULL },
};

/**
 * random_nmi_end - nothing blocks NMIs any more
 *
 * One that has waited until now comes. Which did not if the guest was stopped anywhere, is not
 * the same with core.
 */
void random_nmi_end(struct rnd *r)
{
	hv_unblock_nmis();
	if (r->hv->exit.reason != REASON_TIMER)
		record_nmis(r);
}
