/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views that the guest enters by itself, with VMFUNC (SDM vol. 3, 26.5.6): EPTP
 * switching, by a list of EPTPs that each CPU has.
 *
 * They come in pairs. The gate's view can be entered at any time, from anywhere. In it
 * there is nothing but code of core's own that makes the entry of the full view valid, in
 * the list of this CPU, and enters that.
 */
#ifndef CORE_EPT_SWITCH_H
#define CORE_EPT_SWITCH_H

#include <latch/launch.h>
#include "ept_view.h"

/*
 * Where they are in the list. The numbers are part of the gate's code, and what they
 * would be as instructions does no harm: prefixes (hypapp/pal_gate.h).
 */
#define EPT_SWITCH_COMMON	0x2eu
#define EPT_SWITCH_GATE(pair)	(0x40u + 2 * (pair))
#define EPT_SWITCH_FULL(pair)	(0x41u + 2 * (pair))

/* Low byte of an EPTP: write-back, 4 levels. Without it VMFUNC exits. */
#define EPT_SWITCH_VALID	0x1eu

/* OFF: VMFUNC is #UD. HELD: not allowed as this CPU is set up now: it exits. */
enum switching { SWITCHING_OFF, SWITCHING_HELD, SWITCHING_ON };

/**
 * struct ept_switch - a pair of views
 * @gate: callbacks of the gate's view; its EPT is not used
 * @full: the full view
 * @refuse: VMFUNC to the gate's view while the CPU is not set up for it; false: not for it
 * @gate_root: the gate's EPT, which on each CPU has that CPU's list in it
 */
struct ept_switch {
	struct ept_view *gate, *full;
	bool (*refuse)(struct percpu *cpu, const struct ept_switch *views);
	u64 *gate_root[LATCH_MAX_CPUS];
};

bool ept_switch_possible(void);
int ept_switch_prepare(struct percpu *cpu);
void ept_switch_release(void);
int ept_switch_find_free(void);
bool ept_switch_set(struct percpu *cpu, u32 pair, struct ept_switch *views);
void ept_switch_init(struct percpu *cpu);
void ept_switch_sync(struct percpu *cpu);
void ept_switch_follow(struct percpu *cpu);
void ept_switch_hold(struct percpu *cpu);
void ept_switch_stop(struct percpu *cpu);
void ept_switch_look(struct percpu *cpu);
void ept_switch_close(struct percpu *cpu, u32 pair);
void ept_switch_leave(struct percpu *cpu, u32 pair);
void ept_switch_handle(struct percpu *cpu);

#endif
