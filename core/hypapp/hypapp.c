// SPDX-License-Identifier: GPL-2.0-only
/* The hypapps that are linked in, and which of them are on; see hypapp.h. */
#include "core.h"
#include "ept_guest.h"
#include "ept_switch.h"
#include "event.h"
#include "hypapp/hypapp.h"
#include "log.h"
#include "nested/nested.h"
#include "pool.h"
#include "quiesce.h"

#define NAME_WORDS	2	/* of a name in registers */

extern const struct hypapp *const hypapps_start[], *const hypapps_end[];

/* By LATCH_APP_*. Changed while all other CPUs stand still. */
static u32 enabled;

static const struct hypapp *find(u64 id)
{
	const struct hypapp *const *entry;

	for (entry = hypapps_start; entry < hypapps_end; entry++)
		if ((*entry)->id == id)
			return *entry;
	return NULL;
}

static bool is_enabled(const struct hypapp *app)
{
	return READ_ONCE(enabled) & BIT(app->id);
}

static long run_quiesced(struct percpu *cpu, long (*run)(struct percpu *cpu))
{
	long ret = quiesce_begin(cpu);

	if (ret < 0)
		return ret;
	ret = run(cpu);
	quiesce_end(cpu);
	return ret;
}

static bool takes_nested(struct percpu *cpu, const struct hypapp *app)
{
	return is_enabled(app) && app->takes_nested && app->takes_nested(cpu);
}

static bool any_takes_nested(struct percpu *cpu)
{
	const struct hypapp *const *entry;

	for (entry = hypapps_start; entry < hypapps_end; entry++)
		if (takes_nested(cpu, *entry))
			return true;
	return false;
}

/**
 * hypapp_takes_nested - is a VMCALL of a nested guest for a hypapp
 * @cpu: this CPU
 * @rax: the caller's RAX
 *
 * LATCH_HC_VERSION is no hypapp's, but it is how the others are found.
 */
bool hypapp_takes_nested(struct percpu *cpu, u64 rax)
{
	u32 number = (u32)rax - LATCH_HC_BASE;
	const struct hypapp *app = find(number / LATCH_APP_CALLS);

	if ((u32)rax == LATCH_HC_VERSION)
		return any_takes_nested(cpu);
	number %= LATCH_APP_CALLS;
	return app && number < app->nr_calls && app->calls[number].nested &&
	       takes_nested(cpu, app);
}

/**
 * hypapp_call - a hypercall in the numbers of hypapps
 * @cpu: this CPU
 * @number: from LATCH_HC_BASE
 * @cpl: the caller's
 *
 * Return: what the call returns, -ENOSYS if there is none or its hypapp is off,
 * -EPERM if the caller may not use it.
 */
long hypapp_call(struct percpu *cpu, u32 number, u32 cpl)
{
	const struct hypapp *app = find(number / LATCH_APP_CALLS);
	const struct hypapp_call *call;

	number %= LATCH_APP_CALLS;
	if (!app || !is_enabled(app) || number >= app->nr_calls)
		return -ENOSYS;
	call = &app->calls[number];
	if (cpl > call->max_cpl)
		return -EPERM;
	return call->quiesce ? run_quiesced(cpu, call->run) : call->run(cpu);
}

static void name_to_words(const char *name, u64 words[NAME_WORDS])
{
	u32 i;

	words[0] = 0;
	words[1] = 0;
	for (i = 0; name[i] && i < NAME_WORDS * 8 - 1; i++)
		words[i / 8] |= (u64)(u8)name[i] << i % 8 * 8;
}

/** hypapp_info - LATCH_HC_APP_INFO: is there one with the id in RDI, is it on? */
long hypapp_info(struct percpu *cpu)
{
	const struct hypapp *app = find(cpu->gpr->rdi);
	u64 words[NAME_WORDS];

	if (!app)
		return -ENOENT;
	name_to_words(app->name, words);
	cpu->gpr->rdi = is_enabled(app) ? LATCH_APP_ON : 0;
	cpu->gpr->rsi = words[0];
	cpu->gpr->rdx = words[1];
	return 0;
}

static long set(struct percpu *cpu)
{
	const struct hypapp *app = find(cpu->gpr->rdi);
	bool on = cpu->gpr->rsi;
	int (*change)(struct percpu *cpu) = on ? app->enable : app->disable;
	int ret;

	if (on == is_enabled(app))
		return 0;
	ret = change ? change(cpu) : 0;
	if (ret)
		return ret;
	WRITE_ONCE(enabled, enabled ^ (u32)BIT(app->id));
	log_publish_pool(pool_free_pages());
	log_info(cpu, "hypapp %s is %s", app->name, on ? "on" : "off");
	return 0;
}

/**
 * hypapp_set - LATCH_HC_APP_SET: switch the one with the id in RDI on (RSI = 1) or off (0)
 *
 * All other CPUs stand still: so none is inside of the hypapp, and all that it
 * changes is seen by all of them at once.
 */
long hypapp_set(struct percpu *cpu)
{
	if (cpu->gpr->rsi > 1)
		return -EINVAL;
	return find(cpu->gpr->rdi) ? run_quiesced(cpu, set) : -ENOENT;
}

/** hypapp_ept_violation - an access that the EPT denies: what do hypapps say */
enum hypapp_verdict hypapp_ept_violation(struct percpu *cpu, u64 gpa, u64 qualification)
{
	enum hypapp_verdict verdict = HYPAPP_NOT_MINE, one;
	const struct hypapp *const *entry;

	for (entry = hypapps_start; entry < hypapps_end && verdict != HYPAPP_DONE; entry++) {
		if (!is_enabled(*entry) || !(*entry)->ept_violation)
			continue;
		one = (*entry)->ept_violation(cpu, gpa, qualification);
		if (one > verdict)
			verdict = one;
	}
	return verdict;
}

/* Call the callback at this offset, of all hypapps that are on and have it. */
static void call_all(struct percpu *cpu, size_t offset)
{
	const struct hypapp *const *entry;
	void (*callback)(struct percpu *cpu);

	for (entry = hypapps_start; entry < hypapps_end; entry++) {
		callback = *(void (*const *)(struct percpu *cpu))((const char *)*entry + offset);
		if (is_enabled(*entry) && callback)
			callback(cpu);
	}
}

/** hypapp_shutdown - this CPU is about to leave, and perhaps all others too */
void hypapp_shutdown(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, shutdown));
}

/** hypapp_stepped - an instruction that they have let go has been executed */
void hypapp_stepped(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, stepped));
}

/**
 * hypapp_changed - have all CPUs call hypapp_sync()
 *
 * Context: root mode, no lock held, others do not stand still. On return all have; one
 * that waits for its start-up IPI does so behind that.
 */
void hypapp_changed(struct percpu *cpu)
{
	/* See ept_guest_sync(). */
	ept_guest_shoot_down(cpu);
}

/** hypapp_sync - this CPU follows what hypapps have changed */
void hypapp_sync(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, sync));
}

/** hypapp_join - this CPU has been launched */
void hypapp_join(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, join));
}

/** hypapp_reset - this CPU's guest begins anew */
void hypapp_reset(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, reset));
}

/** hypapp_stays - is it forbidden to give this CPU back */
bool hypapp_stays(struct percpu *cpu)
{
	const struct hypapp *const *entry;

	for (entry = hypapps_start; entry < hypapps_end; entry++)
		if (is_enabled(*entry) && (*entry)->stays && (*entry)->stays(cpu))
			return true;
	return false;
}

/**
 * hypapp_registers_begin - the guest changes a register that a hypapp has intercepted
 *
 * The end of that does not depend on the hypapp: it may be switched off in between.
 */
void hypapp_registers_begin(struct percpu *cpu)
{
	cpu->nmi_blocked = event_hold();
	event_set_mtf(cpu, MTF_REGS);
	ept_switch_hold(cpu);
	call_all(cpu, offsetof(struct hypapp, registers_begin));
}

/** hypapp_registers_loaded - by a VM exit of a nested guest, with no instruction */
void hypapp_registers_loaded(struct percpu *cpu)
{
	call_all(cpu, offsetof(struct hypapp, registers_loaded));
}

/** hypapp_registers_end - and has executed that instruction */
void hypapp_registers_end(struct percpu *cpu)
{
	event_clear_mtf(cpu, MTF_REGS);
	event_release(cpu->nmi_blocked);
	ept_switch_follow(cpu);
	call_all(cpu, offsetof(struct hypapp, registers_end));
}
