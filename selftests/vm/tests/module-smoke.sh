#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# On any kernel and CPU: load, look, call, unload.
. ./lib.sh

ktap_begin module-smoke
probe_load
registers_save
check "it loads" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
check "hvctl status" ./hvctl status
check "hvctl ping" ./hvctl ping --count 20
check "hvctl stats" ./hvctl stats
check "hvctl log" ./hvctl log
check "programs run" ./work -t 1 fork timer vector registers clock cpuid
check "it unloads" latch_unload
check "registers of all CPUs are as before" registers_are_as_before
check "programs run natively again" ./work -t 1 fork timer vector registers
echo clean >$PROBE/control
probe_unload
ktap_end
