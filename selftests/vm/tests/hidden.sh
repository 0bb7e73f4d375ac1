#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Core's memory, seen through the direct map and from a program: zeros, and
# writes go nowhere, one count for each.
. ./lib.sh

ktap_begin hidden
probe_load islands=8
latch_load

hidden_writes()
{
	./hvctl stats --json | json_value hidden_writes
}

check "Latch is loaded" all_cpus_are_under_latch
probe_test hidden "${COUNT:-100}"
kernel_writes=$(hidden_writes)
check "the probe's writes are in the statistics" [ "$kernel_writes" -gt 1000 ]
check "a program that maps core's memory" ./hidden-user
check "its writes are in the statistics" [ "$(hidden_writes)" -gt $((kernel_writes + 2000)) ]
check "Latch and Linux live on" all_cpus_are_under_latch
check "it unloads" latch_unload
check "it loads again" latch_load
check "and works" all_cpus_are_under_latch
latch_unload
probe_unload
ktap_end
