#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# No NMI is lost and none comes twice: IPIs to a CPU that is in and out of root
# mode, and backtraces of all CPUs.
. ./lib.sh

: "${COUNT:=20000}" "${BACKTRACES:=100}"
ktap_begin nmi
if [ "$CPUS" = 1 ]; then
	skip "NMIs from another CPU" "one CPU"
	ktap_end
fi
probe_load
latch_load

backtraces_come()
{
	for i in $(seq "$1"); do
		log_mark
		echo l >/proc/sysrq-trigger
		# the CPU that asks prints its own without an NMI
		got=$(log_new | grep -c '^NMI backtrace for cpu')
		if [ "$got" -lt "$CPUS" ]; then
			echo "round $i: $got backtraces of $CPUS"
			return 1
		fi
	done
}

check "Latch is loaded" all_cpus_are_under_latch
probe_test nmi "$COUNT"
check "$BACKTRACES times a backtrace of each CPU" backtraces_come "$BACKTRACES"
log_mark
check "all CPUs are under Latch" all_cpus_are_under_latch
check "it unloads" latch_unload
probe_test nmi 500
probe_unload
ktap_end
