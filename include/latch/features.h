/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CPU features that Latch needs or uses: one table for core (which refuses
 * to launch), the module (which says why) and `hvctl check`.
 */
#ifndef _LATCH_FEATURES_H
#define _LATCH_FEATURES_H

/*
 * LATCH_FEATURES(X): X(id, index, bit, need, name, what)
 *
 * @index: capability MSR, as 0x480 + index; a control is there when its
 *         "allowed 1" bit is set
 * @bit:   bit of the 64-bit MSR
 * @need:  LATCH_NEED: launch is refused without it; LATCH_WANT: used when there
 * @name:  short name, as the SDM has it
 * @what:  what Latch does with it
 *
 * The allowed-1 settings of the 32-bit controls are in the high halves (SDM
 * vol. 3, appendix A), those of EPT and VPID in IA32_VMX_EPT_VPID_CAP (0x48c).
 * For the pin-based, primary, exit and entry controls the TRUE MSRs (0x48d to
 * 0x490) have the same allowed-1 bits; so the old ones are enough here.
 */
#define LATCH_WANT 0
#define LATCH_NEED 1

#define LATCH_CAP_PRIMARY	0x02
#define LATCH_CAP_EXIT		0x03
#define LATCH_CAP_ENTRY		0x04
#define LATCH_CAP_SECONDARY	0x0b
#define LATCH_CAP_EPT_VPID	0x0c

#define LATCH_FEATURES(X) \
	X(SECONDARY, LATCH_CAP_PRIMARY, 63, LATCH_NEED, \
	  "secondary controls", "EPT, VPID and the rest") \
	X(MSR_BITMAP, LATCH_CAP_PRIMARY, 60, LATCH_NEED, \
	  "MSR bitmaps", "MSR accesses without an exit") \
	X(MTF, LATCH_CAP_PRIMARY, 59, LATCH_NEED, \
	  "monitor trap flag", "one guest instruction at a time") \
	X(EPT, LATCH_CAP_SECONDARY, 33, LATCH_NEED, \
	  "EPT", "hiding core's memory") \
	X(VPID, LATCH_CAP_SECONDARY, 37, LATCH_NEED, \
	  "VPID", "exits that keep the TLB") \
	X(UNRESTRICTED, LATCH_CAP_SECONDARY, 39, LATCH_NEED, \
	  "unrestricted guest", "CR0 without exits, CPU start-up") \
	X(EPT_WALK4, LATCH_CAP_EPT_VPID, 6, LATCH_NEED, \
	  "EPT 4-level walk", "the EPT's shape") \
	X(EPT_WB, LATCH_CAP_EPT_VPID, 14, LATCH_NEED, \
	  "EPT write-back walk", "cached EPT walks") \
	X(EPT_2M, LATCH_CAP_EPT_VPID, 16, LATCH_NEED, \
	  "EPT 2M pages", "large leaves") \
	X(INVEPT, LATCH_CAP_EPT_VPID, 20, LATCH_NEED, \
	  "INVEPT", "EPT changes") \
	X(INVEPT_ALL, LATCH_CAP_EPT_VPID, 26, LATCH_NEED, \
	  "INVEPT all-context", "EPT changes") \
	X(INVVPID, LATCH_CAP_EPT_VPID, 32, LATCH_NEED, \
	  "INVVPID", "a clean start on each CPU") \
	X(INVVPID_ALL, LATCH_CAP_EPT_VPID, 42, LATCH_NEED, \
	  "INVVPID all-context", "a clean start on each CPU") \
	X(EXIT_HOST64, LATCH_CAP_EXIT, 41, LATCH_NEED, \
	  "64-bit host", "core is 64-bit code") \
	X(EXIT_SAVE_DEBUG, LATCH_CAP_EXIT, 34, LATCH_NEED, \
	  "save debug controls", "DR7 and DEBUGCTL") \
	X(EXIT_SAVE_PAT, LATCH_CAP_EXIT, 50, LATCH_NEED, \
	  "save PAT", "PAT of guest and host") \
	X(EXIT_LOAD_PAT, LATCH_CAP_EXIT, 51, LATCH_NEED, \
	  "load PAT", "PAT of guest and host") \
	X(EXIT_SAVE_EFER, LATCH_CAP_EXIT, 52, LATCH_NEED, \
	  "save EFER", "EFER of guest and host") \
	X(EXIT_LOAD_EFER, LATCH_CAP_EXIT, 53, LATCH_NEED, \
	  "load EFER", "EFER of guest and host") \
	X(ENTRY_LOAD_DEBUG, LATCH_CAP_ENTRY, 34, LATCH_NEED, \
	  "entry: debug controls", "DR7 and DEBUGCTL") \
	X(ENTRY_LOAD_PAT, LATCH_CAP_ENTRY, 46, LATCH_NEED, \
	  "entry: load PAT", "PAT of guest and host") \
	X(ENTRY_LOAD_EFER, LATCH_CAP_ENTRY, 47, LATCH_NEED, \
	  "entry: load EFER", "EFER of guest and host") \
	X(EPT_1G, LATCH_CAP_EPT_VPID, 17, LATCH_WANT, \
	  "EPT 1G pages", "fewer EPT tables") \
	X(EPT_XONLY, LATCH_CAP_EPT_VPID, 0, LATCH_WANT, \
	  "EPT execute-only", "code pages that cannot be read") \
	X(EPT_AD, LATCH_CAP_EPT_VPID, 21, LATCH_WANT, \
	  "EPT accessed/dirty", "nested EPT") \
	X(RDTSCP, LATCH_CAP_SECONDARY, 35, LATCH_WANT, \
	  "RDTSCP", "kept usable for the guest") \
	X(INVPCID, LATCH_CAP_SECONDARY, 44, LATCH_WANT, \
	  "INVPCID", "kept usable for the guest") \
	X(XSAVES, LATCH_CAP_SECONDARY, 52, LATCH_WANT, \
	  "XSAVES/XRSTORS", "kept usable for the guest") \
	X(WAITPKG, LATCH_CAP_SECONDARY, 58, LATCH_WANT, \
	  "user wait and pause", "TPAUSE, UMWAIT for the guest") \
	X(PCONFIG, LATCH_CAP_SECONDARY, 59, LATCH_WANT, \
	  "PCONFIG", "kept usable for the guest") \
	X(VMFUNC, LATCH_CAP_SECONDARY, 45, LATCH_WANT, \
	  "VM functions", "EPTP switching without an exit") \
	X(SHADOW_VMCS, LATCH_CAP_SECONDARY, 46, LATCH_WANT, \
	  "VMCS shadowing", "fast nested VMX") \
	X(PML, LATCH_CAP_SECONDARY, 49, LATCH_WANT, \
	  "page-modification log", "nested VMX") \
	X(MBEC, LATCH_CAP_SECONDARY, 54, LATCH_WANT, \
	  "mode-based execute", "kernel integrity") \
	X(TSC_SCALING, LATCH_CAP_SECONDARY, 57, LATCH_WANT, \
	  "TSC scaling", "nested VMX")

#define LATCH_FEATURE_ENUM(id, index, bit, need, name, what) LATCH_FEATURE_##id,
enum latch_feature { LATCH_FEATURES(LATCH_FEATURE_ENUM) LATCH_NR_FEATURES };

#endif /* _LATCH_FEATURES_H */
