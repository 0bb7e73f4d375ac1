// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thirty experiments with NMIs, as a table: who blocks them (L1, L2, or L2's virtual ones),
 * when one comes, and what comes first. Outcomes are the SDM's (vol. 3, 26.3, 27.7 and
 * 28.5), and those of CPUs on which such tables have been tried. First one after the other,
 * then in random order, each after each.
 *
 *	experiments=N		that many in random order
 *	seed=N			another order
 */
#include "nested.h"

#define RANDOM_COUNT	2000
#define MAX_STEPS	10
#define MAX_SEEN	8
#define IRQ_KEY		(IRQ_PIC + 1)
#define WAIT_LOOPS	60

/*
 * What is done, one thing a step. L2 is told what to do by L1 when it has made a VMCALL; it
 * does that, and makes the next VMCALL.
 */
enum step {
	END,
	L1_BLOCK,	/* an NMI to L1, which leaves its handler without IRET */
	L1_NMI,		/* an NMI comes while L1 runs */
	L1_WAIT,	/* L1 runs some instructions */
	L1_IRET,
	BLOCKED,	/* the VMCS: blocking by NMI */
	WINDOW,		/* the VMCS: NMI-window exiting */
	INJECT_NMI,	/* the VMCS: an NMI, or an interrupt, at the next entry */
	INJECT_IRQ,
	STAY,		/* L2's handler of NMIs asks L1, too, what to do */
	L2_NMI,		/* an NMI comes while L2 runs */
	L2_IRET,
	L2_RETURN,	/* L2 leaves its handler */
	L2_NOTHING,
	L2_GO_ON,	/* L2 goes on with what an exit has interrupted */
};

/*
 * What is seen in a step, in this order:
 *
 *	H, G	L1's, L2's handler of NMIs begins
 *	K	L2's handler of the injected interrupt
 *	c	VMCALL of L2; capital if the exit has found blocking by NMI, also the next two
 *	x	exit by an NMI
 *	w	exit by the NMI window
 *
 * Behind it, where that was, if it is one of these places:
 *
 *	0	L2's next instruction when it was told to do something
 *	1	the first instruction of a handler of L2's
 *	i	behind L2's IRET
 *	r	where L2's handler has returned to
 *	e	the first instruction of L1 behind a VM exit
 */
struct experiment {
	u32 number;
	u32 pin;
	const char *words;
	struct {
		enum step step;
		const char *seen;
	} steps[MAX_STEPS];
};

#define NONE		0
#define EXITING		PIN_NMI
#define VIRTUAL		(PIN_NMI | PIN_VIRTUAL_NMIS)

static const struct experiment experiments[] = {
	{ 1, NONE, "NMI in L2: L2 handles it",
	  { { L2_NMI, "Gc" }, { L1_NMI, "H" } } },
	{ 2, NONE, "NMI in L2 that blocks, exit: L1 does not get it",
	  { { STAY, "" }, { L2_NMI, "GC" }, { L2_NMI, "C" }, { L1_WAIT, "" },
	    { L2_RETURN, "GrC" }, { L2_RETURN, "c" } } },
	{ 3, NONE, "NMI in L1 that blocks, entry into L2 that does not: L2 gets it",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { L2_NOTHING, "G0c" }, { L1_NMI, "H" } } },
	{ 4, NONE, "L2 blocks by the VMCS, exit: L1 blocks",
	  { { BLOCKED, "" }, { L2_NOTHING, "C" }, { L1_NMI, "" }, { L1_IRET, "H" } } },
	{ 5, EXITING, "NMI in L2: exit",
	  { { L2_NMI, "x" }, { L1_NMI, "" }, { L1_IRET, "H" }, { L2_GO_ON, "c" } } },
	{ 6, EXITING, "NMI in L2 that blocks: no exit; IRET of L1 lets it in, not IRET of L2",
	  { { BLOCKED, "" }, { L2_NMI, "C" }, { L2_IRET, "C" }, { L1_IRET, "H" } } },
	{ 7, EXITING, "NMI in L1 that blocks, entry into L2 that does not: exit",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { L2_NOTHING, "x0" }, { L1_IRET, "" },
	    { L2_GO_ON, "c" } } },
	{ 8, VIRTUAL, "NMI in L2: exit",
	  { { L2_NMI, "x" }, { L1_NMI, "" }, { L1_IRET, "H" }, { L2_GO_ON, "c" } } },
	{ 9, VIRTUAL, "NMI in L2 that blocks virtual ones: exit",
	  { { BLOCKED, "" }, { L2_NMI, "X" }, { L1_IRET, "" }, { L2_GO_ON, "C" } } },
	{ 10, VIRTUAL, "NMI in L1 that blocks, entry into L2 that does not: exit",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { L2_NOTHING, "x0" }, { L1_NMI, "" },
	    { L1_IRET, "H" } } },
	{ 11, VIRTUAL, "NMI in L1 that blocks, entry into L2 that does too: exit",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { BLOCKED, "" }, { L2_NOTHING, "X0" },
	    { L1_IRET, "" }, { L2_GO_ON, "C" } } },
	{ 12, VIRTUAL, "IRET of L2 ends its blocking",
	  { { BLOCKED, "" }, { L2_IRET, "c" }, { L1_NMI, "H" } } },
	{ 13, VIRTUAL, "L1 blocks, L2 does not, entry and exit: L1 does not block",
	  { { L1_BLOCK, "H" }, { L2_NOTHING, "c" }, { L1_NMI, "H" } } },
	{ 14, VIRTUAL, "L1 blocks, L2 does too, entry and exit: L1 does not block",
	  { { L1_BLOCK, "H" }, { BLOCKED, "" }, { L2_NOTHING, "C" }, { L1_NMI, "H" } } },
	{ 15, NONE, "NMI in L1 that blocks, entry with an interrupt: the interrupt, then the NMI",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { INJECT_IRQ, "" }, { L2_NOTHING, "G1Kc" } } },
	{ 16, EXITING, "NMI in L1 that blocks, entry with an interrupt: the interrupt, then exit",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { INJECT_IRQ, "" }, { L2_NOTHING, "x1" },
	    { L1_IRET, "" }, { L2_GO_ON, "Kc" } } },
	{ 17, VIRTUAL, "the same with virtual NMIs, blocked: IRET of the handler ends that",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { BLOCKED, "" }, { INJECT_IRQ, "" },
	    { L2_NOTHING, "X1" }, { L1_IRET, "" }, { L2_GO_ON, "Kc" } } },
	{ 18, NONE, "an injected NMI does not block NMIs",
	  { { STAY, "" }, { INJECT_NMI, "" }, { L2_NOTHING, "G0c" }, { L1_NMI, "H" },
	    { L2_RETURN, "c" } } },
	{ 19, EXITING, "an injected NMI does not block NMIs: exit",
	  { { STAY, "" }, { INJECT_NMI, "" }, { L2_NOTHING, "G0c" }, { L1_NMI, "H" },
	    { L2_NMI, "x" }, { L1_IRET, "" }, { L2_GO_ON, "c" }, { L2_RETURN, "c" } } },
	{ 20, VIRTUAL, "an injected NMI blocks virtual NMIs",
	  { { STAY, "" }, { INJECT_NMI, "" }, { L2_NOTHING, "G0C" }, { L1_NMI, "H" },
	    { L2_RETURN, "c" } } },
	{ 21, VIRTUAL, "window, L2 does not block: exit at once",
	  { { WINDOW, "" }, { L2_NOTHING, "w0" }, { L1_NMI, "H" } } },
	{ 22, VIRTUAL, "window, L2 blocks: no exit",
	  { { WINDOW, "" }, { BLOCKED, "" }, { L2_NOTHING, "C" }, { L1_NMI, "H" } } },
	{ 23, VIRTUAL, "window, L2 blocks: exit behind its IRET",
	  { { WINDOW, "" }, { BLOCKED, "" }, { L2_NOTHING, "C" }, { L2_IRET, "wi" },
	    { L1_NMI, "H" } } },
	{ 24, VIRTUAL, "NMI in L1 that blocks, window: the window, then L1 gets the NMI",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { WINDOW, "" }, { L2_NOTHING, "Hew0" },
	    { L1_WAIT, "" } } },
	{ 25, VIRTUAL, "window, an injected NMI: the NMI, and the window behind its IRET",
	  { { STAY, "" }, { WINDOW, "" }, { INJECT_NMI, "" }, { L2_NOTHING, "G0C" },
	    { L2_RETURN, "wr" } } },
	{ 26, VIRTUAL, "NMI in L1 that blocks, an injected NMI: that one, then exit",
	  { { STAY, "" }, { L1_BLOCK, "H" }, { L1_NMI, "" }, { INJECT_NMI, "" },
	    { L2_NOTHING, "X1" }, { L1_IRET, "" }, { L2_GO_ON, "G0C" }, { L2_RETURN, "c" } } },
	{ 27, NONE, "two NMIs in L1 that blocks: it gets one",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { L1_NMI, "" }, { L1_IRET, "H" },
	    { L2_NMI, "Gc" } } },
	{ 28, NONE, "two NMIs in L2 that blocks: it gets one",
	  { { STAY, "" }, { L2_NMI, "GC" }, { L2_NMI, "C" }, { L2_NMI, "C" },
	    { L2_RETURN, "GrC" }, { L2_RETURN, "c" } } },
	{ 29, EXITING, "two NMIs in L2 that blocks: L1 gets one",
	  { { BLOCKED, "" }, { L2_NMI, "C" }, { L2_NMI, "C" }, { L1_IRET, "H" },
	    { L2_NOTHING, "C" } } },
	{ 30, VIRTUAL, "two NMIs in L1 that blocks: one exit",
	  { { L1_BLOCK, "H" }, { L1_NMI, "" }, { L1_NMI, "" }, { L2_NOTHING, "x0" },
	    { L1_IRET, "" }, { L2_GO_ON, "c" } } },
};

/**
 * struct state - of the experiment that runs; L2 sees it too
 * @seen: in this step
 * @told: L2's RIP when it was told to do something
 * @interrupted: where L2's last NMI has come
 * @stay: L2's handler asks what to do
 * @leave: L1's handler does not return
 * @other: there is another CPU that can send NMIs
 * @sender: it is to
 * @asked: NMIs that it is to send, and has sent
 * @digest: of all that was seen and recorded
 * @name: of the experiment, for records; NULL if none are printed
 */
static struct {
	char seen[MAX_SEEN + 1];
	u64 told, interrupted;
	bool stay, leave, other, sender;
	const char *name;
	u32 asked, sent, stop;
	u32 digest;
} state;

INSN(table_iret, "popq %rax\n\tmovq %rsp, %rcx\n\tpushq $0x10\n\tpushq %rcx\n\tpushfq\n\t"
	"pushq $0x8\n\tleaq table_behind_iret(%rip), %rcx\n\tpushq %rcx\n\tiretq\n"
	"table_behind_iret:\n\tpushq %rax");
extern const char table_behind_iret[], isr_stubs[];

/* --- what is seen */

static bool same(const char *one, const char *other)
{
	size_t len = strlen(one);

	return len == strlen(other) && !memcmp(one, other, len);
}

static char place(u64 rip)
{
	if (!rip)
		return 0;
	if (rip == state.told)
		return '0';
	if (rip == ADDR(isr_stubs + 16 * VECTOR_NMI) || rip == ADDR(isr_stubs + 16 * IRQ_KEY))
		return '1';
	if (rip == ADDR(table_behind_iret))
		return 'i';
	if (rip == state.interrupted)
		return 'r';
	return rip == ADDR(hv_exit_entry) ? 'e' : 0;
}

static void see(char what, u64 rip)
{
	size_t len = strlen(state.seen);
	char where = place(rip);

	if (len + 2 > MAX_SEEN)
		return;
	state.seen[len] = what;
	state.seen[len + 1] = where;
}

static void see_exit(const struct hv *hv)
{
	const struct hv_exit *exit = &hv->exit;
	char blocked = exit->interruptibility & BLOCKING_NMI ? 'A' - 'a' : 0;

	if (exit->reason == REASON_VMCALL)
		see((char)('c' + blocked), 0);
	else if (exit->reason == REASON_NMI_WINDOW)
		see((char)('w' + blocked), exit->rip);
	else if (exit->reason == REASON_EXCEPTION && exit->event == EVENT(EVENT_NMI, VECTOR_NMI))
		see((char)('x' + blocked), exit->rip);
	else
		see('?', exit->rip);
}

/*
 * Where exactly an NMI comes that is sent while a CPU runs is nothing to rely on; where it
 * matters it has been seen.
 */
static void put_field(void *arg, const char *name, u64 value)
{
	(void)arg;
	if (same(name, "rip") || same(name, "below-top") || same(name, "rflags"))
		return;
	state.digest = digest(state.digest, &value, sizeof(value));
	if (state.name)
		print(" %s=%llx", name, value);
}

/* --- NMIs */

static void table_sender(void *arg)
{
	while (!READ_ONCE(state.stop)) {
		if (READ_ONCE(state.asked) != state.sent) {
			lapic_ipi((u32)ADDR(arg), ICR_NMI | ICR_ASSERT);
			WRITE_ONCE(state.sent, state.sent + 1);
		}
		cpu_relax();
	}
}

static void wait_some(void)
{
	u32 i;

	for (i = 0; i < WAIT_LOOPS; i++)
		cpu_relax();
}

/* Also called by L2 */
static void table_nmi(void)
{
	if (state.sender) {
		WRITE_ONCE(state.asked, state.asked + 1);
		while (READ_ONCE(state.sent) != READ_ONCE(state.asked))
			cpu_relax();
	} else {
		lapic_ipi(this_cpu()->apic_id, ICR_NMI | ICR_ASSERT);
	}
	wait_some();
}

static void table_block(void *arg)
{
	(void)arg;
	table_nmi();
}

/* --- L2 */

static void guest_obey(void)
{
	u64 what;

	for (;;) {
		asm volatile("vmcall" : "=a" (what) : : "memory");
		if (what == L2_NMI)
			table_nmi();
		else if (what == L2_IRET)
			((void (*)(void))(unsigned long)table_iret)();
		else if (what == L2_RETURN)
			return;
	}
}

static void table_guest(void *arg)
{
	(void)arg;
	for (;;)
		guest_obey();
}

static void table_key(struct regs *regs)
{
	(void)regs;
	see('K', 0);
}

/* L1's and L2's. Without IRET means back into trap(), as it would go on behind IRET. */
static bool table_hook(struct regs *regs)
{
	struct cpu *cpu = this_cpu();

	cpu->nmis++;
	if (cpu == hv_this()->guest) {
		see('G', regs->rip);
		state.interrupted = regs->rip;
		if (state.stay)
			guest_obey();
		return true;
	}
	see('H', regs->rip == ADDR(hv_exit_entry) ? regs->rip : 0);
	if (state.leave)
		asm volatile("movq %0, %%rsp\n\tjmp trap_resume" : : "r" (cpu->recover) : "memory");
	return true;
}

/* --- L1 */

static void table_run(struct hv *hv)
{
	static const struct hv_sink sink = { put_field, NULL };

	hv_run(hv);
	see_exit(hv);
	if (hv->exit.reason == REASON_VMCALL)
		hv_skip(hv);
	if (state.name)
		print("# record %s: %s:", ktap_suite, state.name);
	hv_exit_fields(hv, &sink);
	if (state.name)
		print("\n");
}

static void table_inject(u32 event)
{
	vmwrite(F_ENTRY_EVENT, event);
	if (EVENT_TYPE(event) == EVENT_EXTERNAL)
		vmwrite(F_GUEST_RFLAGS, vmread(F_GUEST_RFLAGS) | RFLAGS_IF);
}

static void table_go(struct hv *hv, enum step step)
{
	if (step != L2_GO_ON) {
		state.told = vmread(F_GUEST_RIP);
		hv->regs.rax = step;
	}
	table_run(hv);
}

static void table_step(struct hv *hv, enum step step)
{
	switch (step) {
	case L1_BLOCK:
		state.leave = true;
		trap(table_block, NULL);
		state.leave = false;
		break;
	case L1_NMI:
		table_nmi();
		break;
	case L1_WAIT:
		wait_some();
		break;
	case L1_IRET:
		hv_unblock_nmis();
		break;
	case BLOCKED:
		vmwrite(F_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
		break;
	case WINDOW:
		hv_set(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
		break;
	case INJECT_NMI:
		table_inject(EVENT(EVENT_NMI, VECTOR_NMI));
		break;
	case INJECT_IRQ:
		table_inject(EVENT(EVENT_EXTERNAL, IRQ_KEY));
		break;
	case STAY:
		state.stay = true;
		break;
	default:
		table_go(hv, step);
	}
}

/* As the experiment before has left it, but for what it has set. */
static void table_setup(struct hv *hv, const struct experiment *experiment)
{
	state.stay = false;
	state.told = 0;
	state.interrupted = 0;
	memset(state.seen, 0, sizeof(state.seen));
	hv_clear(F_PIN_CONTROLS, VIRTUAL);
	hv_set(F_PIN_CONTROLS, experiment->pin);
	hv_clear(F_PRIMARY_CONTROLS, PRIMARY_NMI_WINDOW);
	vmwrite(F_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(F_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(F_ENTRY_EVENT, 0);
	hv_guest(hv, table_guest, 0);
}

static bool step_good(const char *seen)
{
	state.digest = digest(state.digest, state.seen, strlen(state.seen));
	return same(state.seen, seen);
}

/* Return: number of steps with another outcome; @text is what was seen */
static u32 table_experiment(struct hv *hv, const struct experiment *experiment, char *text)
{
	u32 i, wrong;

	table_setup(hv, experiment);
	table_run(hv);
	wrong = !step_good("c");
	for (i = 0; i < MAX_STEPS && experiment->steps[i].step; i++) {
		memset(state.seen, 0, sizeof(state.seen));
		table_step(hv, experiment->steps[i].step);
		wrong += !step_good(experiment->steps[i].seen);
		memcpy(text, state.seen, strlen(state.seen));
		text += strlen(state.seen);
		*text++ = ' ';
	}
	*text = 0;
	/* Nothing is left for the next one. */
	memset(state.seen, 0, sizeof(state.seen));
	hv_unblock_nmis();
	wait_some();
	return wrong + !step_good("");
}

/* --- all of them */

/* Only the boot CPU calls others. */
static void sender_start(void)
{
	state.other = nr_cpus > 1 && !this_cpu()->index;
	state.stop = 0;
	if (state.other)
		cpu_call_start(1, table_sender, PTR(this_cpu()->apic_id));
}

static void sender_stop(void)
{
	WRITE_ONCE(state.stop, 1);
	while (state.other && !cpu_call_finished(1))
		cpu_relax();
	state.other = false;
	state.sender = false;
}

static void table_begin(void)
{
	idt_set_hook(VECTOR_NMI, table_hook);
	irq_set_handler(IRQ_KEY, table_key);
	state.digest = DIGEST_START;
	state.name = NULL;
}

static void table_end(void)
{
	idt_set_hook(VECTOR_NMI, NULL);
	irq_set_handler(IRQ_KEY, NULL);
}

static void table_sequence(struct hv *hv)
{
	char text[MAX_STEPS * (MAX_SEEN + 1) + 1];
	const struct experiment *experiment;
	u32 i, wrong;

	table_begin();
	for (i = 0; i < ARRAY_SIZE(experiments); i++) {
		experiment = &experiments[i];
		state.name = experiment->words;
		wrong = table_experiment(hv, experiment, text);
		ktap_check(!wrong, "%u (%u,%u): %s: %s", experiment->number,
			   !!(experiment->pin & PIN_NMI),
			   !!(experiment->pin & PIN_VIRTUAL_NMIS), experiment->words, text);
	}
	table_end();
}

static void table_other_cpu(struct hv *hv)
{
	sender_start();
	state.sender = state.other;
	if (state.other)
		table_sequence(hv);
	else
		ktap_skip("no other CPU");
	sender_stop();
}

/*
 * Now and then the VMCS is cleared, so that the next entry is VMLAUNCH. Half of the NMIs
 * come from another CPU if there is one.
 */
static void table_shuffle(struct hv *hv, u32 random)
{
	state.sender = state.other && random & BIT(12);
	if (random >> 8 & 15)
		return;
	vmclear(ADDR(hv->vmcs));
	vmptrld(ADDR(hv->vmcs));
	hv->launched = false;
}

static void table_random(struct hv *hv)
{
	u32 count = option_number("experiments", RANDOM_COUNT);
	u32 seed = option_number("seed", 1), round, wrong = 0;
	char text[MAX_STEPS * (MAX_SEEN + 1) + 1];
	const struct experiment *experiment;

	sender_start();
	table_begin();
	for (round = 0; round < count; round++) {
		seed = seed * 1664525 + 1013904223;
		experiment = &experiments[(seed >> 16) % ARRAY_SIZE(experiments)];
		table_shuffle(hv, seed);
		if (table_experiment(hv, experiment, text) && !wrong++)
			print("# the first that is wrong: %u as number %u: %s\n",
			      experiment->number, round, text);
	}
	table_end();
	sender_stop();
	print("# record %s: digest: count=%x digest=%x\n", ktap_suite, count, state.digest);
	ktap_check(!wrong, "%u of %u experiments are wrong", wrong, count);
}

static const struct nested_case cases[] = {
	CASE("sequence", table_sequence, .later_pin = VIRTUAL),
	CASE("NMIs of another CPU", table_other_cpu, .later_pin = VIRTUAL),
	CASE("random order", table_random, .later_pin = VIRTUAL),
};

void test_nested_nmi_table(void)
{
	nested_run(cases, ARRAY_SIZE(cases));
}
