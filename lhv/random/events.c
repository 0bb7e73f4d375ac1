// SPDX-License-Identifier: GPL-2.0-only
/* Choices of events that are injected, and of the guest's mode. */
#include "random.h"

static const u32 right[] = {
	EVENT(EVENT_HARD, VECTOR_UD), EVENT(EVENT_HARD, VECTOR_GP) | EVENT_ERROR_CODE,
	EVENT(EVENT_HARD, VECTOR_PF) | EVENT_ERROR_CODE, EVENT(EVENT_HARD, VECTOR_DB),
	EVENT(EVENT_HARD, VECTOR_DE), EVENT(EVENT_HARD, VECTOR_NM), EVENT(EVENT_HARD, VECTOR_MC),
	EVENT(EVENT_HARD, VECTOR_DF) | EVENT_ERROR_CODE,
	EVENT(EVENT_HARD, VECTOR_AC) | EVENT_ERROR_CODE,
	EVENT(EVENT_HARD, VECTOR_SS) | EVENT_ERROR_CODE, EVENT(EVENT_SOFT, VECTOR_BP),
	EVENT(EVENT_SOFT, VECTOR_OF), EVENT(EVENT_SOFT_INT, IRQ_EXIT),
	EVENT(EVENT_SOFT_INT, 0x21), EVENT(EVENT_SOFT_INT, VECTOR_GP),
	EVENT(EVENT_PRIV_SOFT, VECTOR_DB), EVENT(EVENT_EXTERNAL, 0x61),
	EVENT(EVENT_EXTERNAL, 0xff), EVENT(EVENT_NMI, VECTOR_NMI), EVENT(EVENT_OTHER, 0),
};

/*
 * On CPUs where any exception may have an error code the emulator lets other events have
 * one, too (SDM vol. 3, 27.2.1.3).
 */
static void inject(struct rnd *r, u32 event, u32 error, u32 length)
{
	if (EVENT_TYPE(event) != EVENT_HARD && hv_cap(MSR_VMX_BASIC) & BASIC_ANY_ERROR_CODE)
		event &= ~(u32)EVENT_ERROR_CODE;
	say(r, "event %x, error %x, length %u", event, error, length);
	vmwrite(F_ENTRY_EVENT, event);
	vmwrite(F_ENTRY_ERROR_CODE, error);
	vmwrite(F_ENTRY_LENGTH, length);
}

static void apply_event(struct rnd *r, const struct choice *choice)
{
	u32 event = right[choice->v[0] % ARRAY_SIZE(right)];

	if (EVENT_TYPE(event) == EVENT_EXTERNAL && choice->v[3] % 4)
		vmwrite(F_GUEST_RFLAGS, vmread(F_GUEST_RFLAGS) | RFLAGS_IF);
	inject(r, event, choice->v[1] & 0xffff, 1 + choice->v[2] % 3);
}

/* Error codes with bits 31:16 set are refused (SDM vol. 3, 27.2.1.3). */
static void apply_wrong_event(struct rnd *r, const struct choice *choice)
{
	u32 event = right[choice->v[0] % ARRAY_SIZE(right)] ^ (u32)BIT(choice->v[1] % 32);
	u32 error = (u32)choice->v[2] & 0xffff;

	if (choice->v[2] >> 32 & 1)
		error ^= (u32)BIT(choice->v[3] % 32);
	inject(r, event, error, choice->v[3] >> 32 & 31);
}

static void apply_noise(struct rnd *r, const struct choice *choice)
{
	inject(r, (u32)choice->v[0], (u32)choice->v[1], choice->v[2] & 0xff);
}

const struct kind random_events[] = {
	{ "event", 12, apply_event },
	{ "event, a bit wrong", 4, apply_wrong_event },
	{ "event, noise", 1, apply_noise },
	{ NULL, 0, NULL },
};
