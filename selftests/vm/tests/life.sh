#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Suspend to RAM and, at the end, a restart, all with Latch loaded. Without
# REBOOT=1 there is no restart.
. ./lib.sh

: "${SUSPENDS:=3}"

suspend_and_wake()
{
	for i in $(seq "$1"); do
		log_mark
		echo mem >/sys/power/state || return
		latch_messages >/tmp/message
		cat /tmp/message
		grep -q 'native for suspend' /tmp/message && grep -q 'under Latch again' /tmp/message &&
			all_cpus_are_under_latch || return
	done
}

work_across()
{
	./work -n 1 timer vector registers memory >/tmp/work.out 2>&1 &
	worker=$!
	sleep 1
	suspend_and_wake 1
	across_status=$?
	kill $worker
	wait $worker
	worker_status=$?
	cat /tmp/work.out
	[ $across_status = 0 ] && [ $worker_status = 0 ]
}


ktap_begin "life, boot $VMRUN_BOOT"
check "it loads" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
if [ "$VMRUN_BOOT" = 1 ] && grep -qw deep /sys/power/mem_sleep 2>/dev/null && [ "$SUSPENDS" != 0 ]; then
	# Bochs resets the TSC of the first CPU only: with several the kernel's clocks
	# disagree from then on, natively too, and what sleeps may not wake.
	if [ "$CPUS" = 1 ]; then
		check "suspend to RAM under work" work_across
	fi
	check "$SUSPENDS times suspend to RAM, and all CPUs are under Latch again" suspend_and_wake "$SUSPENDS"
	check "it unloads and loads again" latch_unload
	check "after that" latch_load
fi
if [ "$VMRUN_BOOT" = 1 ] && [ "${REBOOT:-0}" = 1 ]; then
	check "the kernel's log is clean" log_is_clean
	echo "1..$number"
	[ $failed = 0 ] || exit
	# What is on its way out through the serial line ends with the machine.
	sleep 2
	reboot -f
	sleep 1000000
fi
check "it unloads" latch_unload
ktap_end
