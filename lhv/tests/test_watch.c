// SPDX-License-Identifier: GPL-2.0-only
/* watch: each access to what is watched is told, once, and happens as it would without. */
#include "watch.h"
#include "../hv/hv.h"

#define VALUE		0x1122334455667788ull
#define ROUNDS		200
#define OFFSET		0x100	/* of what is watched, in its page */

INSN(watch_load, "movq (%rdi), %rax");
INSN(watch_load4, "movl (%rdi), %eax");
INSN(watch_load1, "movb (%rdi), %al");
INSN(watch_store, "movq %rdi, (%rdi)");
INSN(watch_inc, "incq (%rdi)");
INSN(watch_xchg, "xorl %eax, %eax\n\txchgq %rax, (%rdi)");
INSN(watch_movs, "pushq %rsi\n\tmovq %rdi, %rsi\n\taddq $0x1000, %rdi\n\tmovsq\n\tpopq %rsi");
INSN(watch_rep, "movl $4, %ecx\n\txorl %eax, %eax\n\trep stosq");
INSN(watch_push, "movq %rsp, %rax\n\tmovq %rdi, %rsp\n\tpushq $5\n\tmovq %rax, %rsp");
INSN(watch_call, "call *%rdi");
INSN(watch_nothing, "nop");

static u64 frame[3];	/* behind WINDOW_BASE */
static u32 watch_id;

/** watch_switch - switch the hypapp on or off */
bool watch_switch(u64 on)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_APP_SET, LATCH_APP_WATCH, on, 0) && !call.rax;
}

static u64 at(u32 page, u32 offset)
{
	return WINDOW_BASE + page * PAGE_SIZE + offset;
}

/** watch_add - watch kernel memory; 0, or an error that is negative */
long watch_add(u64 address, u64 size, u32 access)
{
	struct latch_watch watch = { .address = address, .size = size, .access = access };
	struct hypercall call;

	if (!hypercall(&call, LATCH_HC_WATCH_ADD, ADDR(&watch), 0, 0))
		return -1000;
	watch_id = (u32)call.rdi;
	return (long)call.rax;
}

/** watch_last - id of the watchpoint that was added last */
u32 watch_last(void)
{
	return watch_id;
}

long watch_del(u32 id)
{
	struct hypercall call;

	return hypercall(&call, LATCH_HC_WATCH_DEL, id, 0, 0) ? (long)call.rax : -1000;
}

/** watch_hits - accesses that were told; ~0 if there is no such watchpoint */
u64 watch_hits(u32 id)
{
	struct latch_watch watch = { .id = 0 };
	struct hypercall call;

	if (!hypercall(&call, LATCH_HC_WATCH_NEXT, id - 1, ADDR(&watch), 0) || call.rax ||
	    watch.id != id)
		return ~0ull;
	return watch.hits;
}

/* Is @word the beginning of @text? */
static bool begins(const char *text, const char *word)
{
	return !memcmp(text, word, strlen(word));
}

static u64 hex(const char **text)
{
	u64 value = 0;
	char c;

	while (**text == ' ')
		(*text)++;
	for (; (c = **text) && c != ' '; (*text)++)
		value = value * 16 + (u64)(c <= '9' ? c - '0' : c - 'a' + 10);
	return value;
}

/**
 * struct told - an event, as the log has it
 */
struct told {
	char access[4];
	u64 linear, rip, pid, before, after;
	const char *comm;
};

static bool parse(u64 seq, struct told *told)
{
	static char text[LATCH_LOG_TEXT + 1];
	const char *at_text = text + 6;
	u32 i;

	launch_log_text(seq, text);
	if (!begins(text, "watch "))
		return false;
	hex(&at_text);
	at_text++;
	for (i = 0; i < 3 && *at_text != ' '; i++)
		told->access[i] = *at_text++;
	told->access[i] = 0;
	told->linear = hex(&at_text);
	told->rip = hex(&at_text);
	told->pid = hex(&at_text);
	told->before = hex(&at_text);
	told->after = hex(&at_text);
	told->comm = *at_text ? at_text + 1 : at_text;
	return true;
}

/*
 * Run @code; @count events are to be told, the first of them (if any) with these letters
 * and this address.
 */
static void watch_try(const char *code, u64 arg, u32 count, const char *access, u64 linear,
		      const char *name)
{
	u64 start = launch_log_next(), hits = watch_hits(watch_id);
	struct told told = { .linear = 0 };
	u32 trap = try_insn(code, arg);
	u64 told_count = launch_log_next() - start;
	bool good = trap == TRAP_NONE && told_count == count &&
		    watch_hits(watch_id) - hits == count;

	if (good && count)
		good = parse(start, &told) && told.linear == linear &&
		       begins(told.access, access) && told.rip >= ADDR(code) &&
		       told.rip < ADDR(code) + 32;
	ktap_check(good, "watch: %s: trap %u, %llu events, '%s' 0x%llx RIP +0x%llx", name, trap,
		   told_count, told.access, told.linear, told.rip - ADDR(code));
}

static void watch_prepare(void)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		if (!frame[i])
			frame[i] = ADDR(mem_alloc(PAGE_SIZE, PAGE_SIZE));
		memset(PTR(frame[i]), 0, PAGE_SIZE);
		mem_map(at(i, 0), frame[i], PTE_P | PTE_W);
		invlpg(at(i, 0));
	}
}

static void watch_refusals(void)
{
	struct latch_watch watch = { .address = at(0, 0), .size = 8, .access = 0 };
	struct hypercall call;

	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: no access");
	watch.access = 8;
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: an unknown access");
	watch.access = LATCH_WATCH_WRITE;
	watch.size = 0;
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: no bytes");
	watch.size = LATCH_WATCH_SIZE + 1;
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: too many bytes");
	watch.size = 4 * PAGE_SIZE;
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EFAULT, "watch: not all is mapped");
	watch.address = 1ull << 63;
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: not canonical");
	watch.address = at(0, 0);
	watch.size = 8;
	mem_map(at(0, 0), launch_chunk(0), PTE_P | PTE_W);
	invlpg(at(0, 0));
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), 0, EINVAL, "watch: core's memory");
	mem_map(at(0, 0), frame[0], PTE_P | PTE_W);
	invlpg(at(0, 0));
	core_refused(LATCH_HC_WATCH_ADD, ADDR(&watch), at(5, 0), EFAULT, "watch: no list");
	core_refused(LATCH_HC_WATCH_DEL, 1, 0, ENOENT, "watch: none to delete");
	core_refused(LATCH_HC_WATCH_NEXT, 0, ADDR(&watch), ENOENT, "watch: none to list");
	ktap_check(hypercall(&call, LATCH_HC_WATCH_NEXT, ~0ull, ADDR(&watch), 0) &&
		   call.rax == ERRNO(ENOENT), "watch: none behind the last number");
	core_user_refused(LATCH_HC_WATCH_ADD, "WATCH_ADD");
	core_user_refused(LATCH_HC_WATCH_DEL, "WATCH_DEL");
	core_user_refused(LATCH_HC_WATCH_NEXT, "WATCH_NEXT");
}

static void watch_writes(void)
{
	struct told told = { .comm = "" };
	u64 address = at(0, OFFSET), start;

	ktap_check(!watch_add(address, 8, LATCH_WATCH_WRITE), "watch: writes of 8 bytes");
	watch_try(watch_load, address, 0, "", 0, "a read is not told");
	start = launch_log_next();
	watch_try(watch_store, address, 1, "w", address, "a write is");
	ktap_check(parse(start, &told) && !told.before && told.after == address &&
		   *(u64 *)PTR(frame[0] + OFFSET) == address,
		   "watch: what was there and what is: 0x%llx 0x%llx", told.before, told.after);
	ktap_check(told.pid == 0x1234 && !memcmp(told.comm, "l?v a name of 1", 16),
		   "watch: who it was: %llx %s", told.pid, told.comm);
	watch_try(watch_store, address + 8, 0, "", 0, "a write behind it is not");
	watch_try(watch_store, address - 8, 0, "", 0, "one in front of it is not");
	watch_try(watch_store, address - 4, 1, "w", address, "one that begins in front is");
	watch_try(watch_inc, address, 1, "w", address, "INC is one event");
	watch_try(watch_xchg, address, 1, "w", address, "XCHG is one event");
	watch_try(watch_push, address + 8, 1, "w", address, "PUSH");
	watch_try(watch_rep, address - 16, 1, "w", address, "one repetition of STOS");
	ktap_check(!watch_del(watch_id) && watch_del(watch_id) == -ENOENT, "watch: deleted");
	*(u64 *)PTR(address) = VALUE;
	ktap_check(*(u64 *)PTR(address) == VALUE && launch_log_next() > start,
		   "watch: nothing is told then");
}

static void watch_reads(void)
{
	u64 address = at(0, OFFSET);

	ktap_check(!watch_add(address, 4, LATCH_WATCH_READ), "watch: reads of 4 bytes");
	watch_try(watch_load, address, 1, "r", address, "a read is told");
	watch_try(watch_load4, address - 4, 0, "", 0, "4 bytes in front are not");
	watch_try(watch_load1, address + 3, 1, "r", address + 3, "the last byte is");
	watch_try(watch_load1, address + 4, 0, "", 0, "the one behind is not");
	watch_try(watch_store, address, 0, "", 0, "a write is not");
	watch_try(watch_inc, address, 1, "r", address, "INC reads");
	watch_try(watch_movs, address, 1, "r", address, "MOVS reads");
	ktap_check(*(u64 *)PTR(frame[1] + OFFSET) == *(u64 *)PTR(frame[0] + OFFSET),
		   "watch: and has copied");
	ktap_check(!watch_del(watch_id), "watch: deleted");
}

/* Over pages, several of them, and two watchpoints at once. */
static void watch_pages(void)
{
	u64 edge = at(1, 0) - 4;
	u32 first, second;

	ktap_check(!watch_add(at(0, 0), 2 * PAGE_SIZE, LATCH_WATCH_READ | LATCH_WATCH_WRITE),
		   "watch: two pages");
	watch_try(watch_inc, at(0, OFFSET), 1, "rw", at(0, OFFSET), "INC reads and writes");
	watch_try(watch_store, edge, 2, "w", edge, "a write over the edge is two events");
	ktap_check(*(u64 *)PTR(edge) == edge, "watch: and is done");
	watch_try(watch_movs, at(0, OFFSET), 2, "r", at(0, OFFSET), "MOVS between them");
	first = watch_id;
	ktap_check(!watch_add(at(0, OFFSET), 1, LATCH_WATCH_WRITE) && watch_id != first,
		   "watch: another one in it");
	second = watch_id;
	watch_id = first;
	watch_try(watch_load1, at(0, OFFSET), 1, "r", at(0, OFFSET), "a read is the first's");
	watch_id = second;
	ktap_check(!watch_del(first), "watch: the first is deleted");
	watch_try(watch_load1, at(0, OFFSET), 0, "", 0, "a read is nobody's");
	watch_try(watch_store, at(0, OFFSET), 1, "w", at(0, OFFSET), "a write is the other's");
	ktap_check(!watch_del(watch_id), "watch: deleted");
}

/* Code: MOV, an instruction that exits, RET; each is told. */
static void watch_code(void)
{
	static const u8 code[] = { 0x0f, 0xa2, 0x90, 0xc3 };	/* CPUID NOP RET */
	u64 start;

	memcpy(PTR(frame[2] + OFFSET), code, sizeof(code));
	ktap_check(!watch_add(at(2, OFFSET), sizeof(code), LATCH_WATCH_EXEC), "watch: code");
	start = launch_log_next();
	asm volatile("call *%0" : : "r" (at(2, OFFSET)) : "rax", "rbx", "rcx", "rdx", "memory");
	ktap_check(launch_log_next() - start == 3 && watch_hits(watch_id) == 3,
		   "watch: 3 instructions, one of which exits: %llu events",
		   launch_log_next() - start);
	ktap_check(!watch_del(watch_id), "watch: deleted");
}

/* NMIs and interrupts that come meanwhile: nothing is told twice, nothing lost. */
static void watch_nmi(void *arg)
{
	u32 i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++) {
		lapic_ipi(cpus[0].apic_id, ICR_NMI);
		delay_us(5);
	}
}

static void watch_storm(void)
{
	volatile u64 *counter = PTR(at(0, OFFSET));
	u64 hits, i;

	if (nr_cpus < 2)
		return;
	*counter = 0;
	ktap_check(!watch_add(ADDR(counter), 8, LATCH_WATCH_WRITE), "watch: a counter");
	cpu_call_start(1, watch_nmi, NULL);
	for (i = 0; !cpu_call_finished(1) || i < ROUNDS; i++)
		asm volatile("incq %0" : "+m" (*counter));
	hits = watch_hits(watch_id);
	ktap_check(*counter == i && hits == i,
		   "watch: with NMIs from another CPU: each of its changes is told once");
	ktap_check(!watch_del(watch_id), "watch: deleted");
}

/*
 * From what is watched to an MSR bitmap, of which core wants to know writes: one instruction
 * that two of core's units have to let go.
 */
static void watch_bitmap(void)
{
	struct hv *hv = hv_this();
	u64 address = at(0, OFFSET);

	if (hv_missing())
		return;
	hv_alloc_all();
	if (!hv_begin(hv))
		lhv_panic("watch: VMXON fails");
	hv_vmcs_reset(hv);
	vmwrite(F_MSR_BITMAP, frame[1]);
	hv_set(F_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS);
	hv_guest(hv, watch_nothing, 0);
	hv_run(hv);
	ktap_check(hv_ended(hv) && !watch_add(address, 8, LATCH_WATCH_READ),
		   "watch: beside a bitmap that is in use");
	watch_try(watch_movs, address, 1, "r", address, "MOVS to the bitmap");
	ktap_check(*(u64 *)PTR(frame[1] + OFFSET) == *(u64 *)PTR(frame[0] + OFFSET),
		   "watch: and has copied");
	ktap_check(!watch_del(watch_id), "watch: deleted");
	hv_end(hv);
}

static void watch_guest(void *arg)
{
	u32 i;

	for (i = 1; i <= 4; i++)
		asm volatile("call *%0" : : "r" (arg), "a" (0), "c" (i & 1) : "memory");
}

/* Code of a guest's guest that changes its EPT: it is told in each of them, each time. */
static void watch_vmfunc(struct hv *hv)
{
	static const u8 code[] = { 0x0f, 0x01, 0xd4, 0xc3 };	/* VMFUNC RET */
	u64 *list = mem_alloc(PAGE_SIZE, PAGE_SIZE), start;

	list[0] = hv_ept_enable();
	list[1] = hv_ept_enable();
	vmwrite(F_EPTP, list[0]);
	vmwrite(F_EPTP_LIST, ADDR(list));
	vmwrite(F_VMFUNC_CONTROLS, 1);
	hv_set(F_SECONDARY_CONTROLS, SECONDARY_VMFUNC);
	memcpy(PTR(frame[2] + OFFSET), code, sizeof(code));
	hv_guest(hv, watch_guest, at(2, OFFSET));
	ktap_check(!watch_add(at(2, OFFSET), sizeof(code), LATCH_WATCH_EXEC),
		   "watch: code of a guest's guest");
	start = launch_log_next();
	hv_run(hv);
	ktap_check(hv_ended(hv) && launch_log_next() - start == 8 && watch_hits(watch_id) == 8,
		   "watch: VMFUNC and RET 4 times: exit %x, %llu events", hv->exit.reason,
		   launch_log_next() - start);
	ktap_check(!watch_del(watch_id), "watch: deleted");
}

static void watch_eptps(void)
{
	struct hv *hv = hv_this();

	if (hv_missing() || !hv_can(F_SECONDARY_CONTROLS, SECONDARY_EPT | SECONDARY_VMFUNC))
		return;
	if (!hv_begin(hv))
		lhv_panic("watch: VMXON fails");
	hv_vmcs_reset(hv);
	watch_vmfunc(hv);
	hv_end(hv);
}

static const struct {
	u32 pid;
	char comm[16];
} watch_task = { 1234, "l\x01v a name of 15" };

static u64 watch_current;

/** core_learn - tell core of tasks, once; before anybody else does */
void core_learn(void)
{
	static struct latch_linux linux_is = {
		.direct_map = BIT(40), .image_map = ~0ull, .pid = 0, .comm = 4, .nr_cpus = MAX_CPUS,
	};
	struct hypercall call;
	u32 i;

	watch_current = ADDR(&watch_task) + BIT(40);
	for (i = 0; i < MAX_CPUS; i++)
		linux_is.current_task[i] = ADDR(&watch_current);
	core_refused(LATCH_HC_LINUX, WINDOW_BASE + (512ull << 20), 0, EFAULT, "nothing to learn");
	ktap_check(hypercall(&call, LATCH_HC_LINUX, ADDR(&linux_is), 0, 0) && !call.rax,
		   "core learns where the tasks are");
	core_refused(LATCH_HC_LINUX, ADDR(&linux_is), 0, EBUSY, "core has learnt that");
	core_user_refused(LATCH_HC_LINUX, "LINUX");
}

/** core_watches - the hypapp watch */
void core_watches(void)
{
	struct hypercall call;

	ktap_check(watch_switch(1), "watch is switched on");
	watch_prepare();
	watch_refusals();
	watch_writes();
	watch_reads();
	watch_pages();
	watch_code();
	watch_bitmap();
	watch_eptps();
	watch_storm();
	ktap_check(!watch_add(at(0, 0), 1, LATCH_WATCH_READ) &&
		   hypercall(&call, LATCH_HC_APP_SET, LATCH_APP_WATCH, 0, 0) &&
		   call.rax == ERRNO(EBUSY), "watch is in use");
	ktap_check(!watch_del(watch_id) && watch_switch(0), "watch is switched off");
}

static u64 watch_ticks(u64 address)
{
	u64 start, i;

	*(volatile u64 *)PTR(address) = 0;
	start = rdtsc();
	for (i = 0; i < ROUNDS; i++)
		*(volatile u64 *)PTR(address) = i;
	return (rdtsc() - start) / ROUNDS;
}

/** watch_bench - one event, and one access beside what is watched; ticks are instructions */
void watch_bench(void)
{
	watch_switch(1);
	watch_prepare();
	if (watch_add(at(0, 0), 8, LATCH_WATCH_WRITE))
		return;
	print("bench watch_event %llu\nbench watch_beside %llu\n", watch_ticks(at(0, 0)),
	      watch_ticks(at(0, 512)));
	watch_del(watch_id);
	watch_switch(0);
}
