#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# CPUs go offline and come online with Latch loaded, while it is loaded, and
# while it is unloaded: once under Latch a CPU stays there, also offline.
. ./lib.sh

: "${ROUNDS:=10}"
ktap_begin hotplug
if [ "$CPUS" = 1 ]; then
	skip "hotplug" "one CPU"
	ktap_end
fi
probe_load
registers_save plain
last=$((CPUS - 1))

online_is_what_latch_has()
{
	echo "online $(cpu_list), under Latch $(latch_cpus)"
	[ "$(latch_cpus)" = "$(cpu_list)" ] && ./hvctl ping --count 2 >/dev/null
}

it_stays_under_latch()
{
	./hvctl status --json | json_value offline >/tmp/offline
	echo "offline under Latch: $(cat /tmp/offline)"
	[ "$(cat /tmp/offline)" = "$1" ]
}

# What the steps say is of interest only of the one that failed.
one_step()
{
	"$@" >/tmp/step.out 2>&1 && return
	echo "round $i, CPU $cpu: $*:"
	cat /tmp/step.out
	latch_messages | tail -n 3
	return 1
}

off_and_on()
{
	for i in $(seq "$ROUNDS"); do
		for cpu in $(seq $last); do
			one_step set_online $cpu 0 && one_step online_is_what_latch_has &&
				one_step it_stays_under_latch $cpu &&
				one_step set_online $cpu 1 && one_step online_is_what_latch_has || return
		done
	done
}

all_but_one()
{
	for cpu in $(seq $last); do
		set_online $cpu 0 || return
	done
	online_is_what_latch_has || return
	if [ $last = 1 ]; then all=1; else all=1-$last; fi
	it_stays_under_latch $all || return
	for cpu in $(seq $last); do
		set_online $cpu 1 || return
	done
	online_is_what_latch_has
}

load_with_one_offline()
{
	set_online $last 0 && latch_load && online_is_what_latch_has
}

it_joins_later()
{
	set_online $last 1 && online_is_what_latch_has && [ "$(latch_cpus)" = "0-$last" ]
}

# It is brought online to leave, and then offline again.
unload_with_one_offline()
{
	set_online $last 0 && latch_unload && [ "$(cpu_list)" != "0-$last" ] && set_online $last 1
}

# The machine has CPUs that never were under Latch.
unload_without_one()
{
	set_online $last 0 && latch_load && latch_unload && [ "$(cpu_list)" != "0-$last" ] &&
		set_online $last 1
}

under_work()
{
	./work -t 4 -n 2 fork timer vector registers clock >/tmp/work.out 2>&1 &
	worker=$!
	while kill -0 $worker 2>/dev/null; do
		set_online $last 0 && set_online $last 1 || return
	done
	wait $worker
	worker_status=$?
	cat /tmp/work.out
	return $worker_status
}

check "it loads" latch_load
check "$ROUNDS times off and on, each CPU" off_and_on
check "all but CPU 0 off, and on again" all_but_one
check "off and on under work" under_work
check "still all CPUs are under Latch" online_is_what_latch_has
check "it unloads" latch_unload
check "registers are as before" registers_are_as_before
check "it loads with a CPU offline" load_with_one_offline
check "that CPU joins when it comes online" it_joins_later
check "it unloads with a CPU offline, which comes online afterwards" unload_with_one_offline
check "it loads and unloads without a CPU that is offline" unload_without_one
check "registers are as before, again" registers_are_as_before
load_again()
{
	latch_load && online_is_what_latch_has && latch_unload
}
check "it loads again on all CPUs" load_again

# A CPU that cannot join must not come online: it would see core's memory as RAM.
failing_cpu_stays_offline()
{
	set_online $last 0 && latch_load "fail_at=vmxon,$last" || return
	log_mark
	if set_online $last 1 2>/dev/null; then
		echo "it is online"
		latch_unload
		return 1
	fi
	latch_messages
	online_is_what_latch_has && latch_unload && set_online $last 1
}
check "a CPU that cannot join stays offline" failing_cpu_stays_offline
log_mark
probe_unload
ktap_end
