#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# With icr=1 core sees all writes of the local APIC's interrupt command register:
# the system runs as before, and CPUs go offline and online.
. ./lib.sh

: "${ROUNDS:=3}"
ktap_begin icr

icr_writes()
{
	./hvctl stats --json --all | json_value icr_writes
}

exits_of()
{
	./hvctl stats --json --all | json_value "$1"
}

ipis_are_seen()
{
	before=$(icr_writes)
	./work -t 2 -n 1 fork futex timer signal >/tmp/work.out || { cat /tmp/work.out; return 1; }
	after=$(icr_writes)
	echo "$((after - before)) writes of the ICR"
	[ $after -gt $before ]
}

off_and_on()
{
	for i in $(seq "$ROUNDS"); do
		for cpu in $(seq $((CPUS - 1))); do
			set_online $cpu 0 && set_online $cpu 1 || return
		done
	done
}

nothing_is_stepped()
{
	echo "$(exits_of monitor_trap_flag) single steps"
	[ "$(exits_of monitor_trap_flag)" -lt 10 ]
}

check "it loads with icr=1" latch_load icr=1
check "all CPUs are under Latch" all_cpus_are_under_latch
if [ "$CPUS" -gt 1 ]; then
	check "IPIs are seen" ipis_are_seen
	check "$ROUNDS times off and on, each CPU" off_and_on
	check "all CPUs are under Latch still" all_cpus_are_under_latch
fi
check "the decoder knows what Linux does" nothing_is_stepped
check "it unloads" latch_unload
check "it refuses a value that is none" eval '! latch_load icr=maybe'
ktap_end
