#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The system sleeps with Latch loaded: suspend to RAM down to each of the kernel's
# test levels, CYCLES times in all, and in earnest; suspend to idle; hibernation,
# whose image is restored at once. Before each of them all CPUs leave, and after
# it all are under Latch again.
. ./lib.sh

: "${CYCLES:=50}" "${SLEEPS:=3}" "${IDLES:=3}" "${HIBERNATIONS:=2}"
LEVELS="freezer devices platform processors core"
SLEEP_LEVEL=/sys/power/pm_test

left_and_back()
{
	latch_messages >/tmp/message
	if grep -q 'native for suspend' /tmp/message && grep -q 'under Latch again' /tmp/message &&
	   all_cpus_are_under_latch && log_is_clean; then
		return
	fi
	cat /tmp/message
	./hvctl status
	return 1
}

# sleep_once FILE WORD
sleep_once()
{
	log_mark
	echo "$2" >"$1" && left_and_back
}

# sleep_often COUNT FILE WORD
sleep_often()
{
	for cycle in $(seq "$1"); do
		if ! sleep_once "$2" "$3"; then
			echo "cycle $cycle of $1"
			return 1
		fi
	done
	echo "$1 of $1"
}

# under_work COMMAND...
under_work()
{
	./work -n 1 timer vector registers memory >/tmp/work.out 2>&1 &
	worker=$!
	sleep 1
	"$@"
	across_status=$?
	kill $worker
	wait $worker
	worker_status=$?
	cat /tmp/work.out
	[ $across_status = 0 ] && [ $worker_status = 0 ]
}

# --- the kernel's test levels

test_levels()
{
	if [ ! -e $SLEEP_LEVEL ]; then
		skip "test levels of suspend" "this kernel has no pm_test"
		return
	fi
	# The test would wait for 5 seconds, before it goes back.
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	for level in $LEVELS; do
		echo "$level" >$SLEEP_LEVEL
		check "suspend down to $level, $((CYCLES / 5)) times" \
			sleep_often $((CYCLES / 5)) /sys/power/state mem
	done
	echo platform >$SLEEP_LEVEL
	check "suspend to idle down to platform, $IDLES times" sleep_often "$IDLES" /sys/power/state freeze
	echo core >$SLEEP_LEVEL
	check "suspend down to core, under work" under_work sleep_once /sys/power/state mem
	echo none >$SLEEP_LEVEL
}

# --- in earnest

suspend_to_ram()
{
	if ! grep -qw deep /sys/power/mem_sleep; then
		skip "suspend to RAM" "the machine has none"
	elif [ "$CPUS" != 1 ] && [ "$VMRUN_BACKEND" = bochs ]; then
		# It resets the TSC of the first CPU only: the clocks disagree from
		# then on, natively too, and what sleeps may not wake.
		skip "suspend to RAM" "the emulator breaks the clocks of several CPUs"
	else
		echo deep >/sys/power/mem_sleep
		check "suspend to RAM, $SLEEPS times" sleep_often "$SLEEPS" /sys/power/state mem
		check "suspend to RAM under work" under_work sleep_once /sys/power/state mem
	fi
}

# An alarm in two seconds wakes it.
idle_once()
{
	log_mark
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo +2 >/sys/class/rtc/rtc0/wakealarm && echo freeze >/sys/power/state && left_and_back
}

idle_often()
{
	for cycle in $(seq "$IDLES"); do
		idle_once || return
	done
}

suspend_to_idle()
{
	if ! grep -qw freeze /sys/power/state; then
		skip "suspend to idle" "this kernel has none"
	elif [ "$VMRUN_BACKEND" = bochs ]; then
		# Not by the alarm of the clock: its interrupt does not come.
		skip "suspend to idle" "nothing wakes the emulated machine, without Latch neither"
	elif [ ! -e /sys/class/rtc/rtc0/wakealarm ]; then
		skip "suspend to idle" "there is no alarm that would wake it"
	else
		check "suspend to idle, $IDLES times" idle_often
	fi
}

# --- hibernation: the image goes to a swap device in memory, and is read at once

make_swap()
{
	modprobe lzo-rle 2>/dev/null
	modprobe zram || return
	echo "$((VMRUN_MEM * 3 / 4))M" >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0
}

kernel_is_at_least()
{
	uname -r | tr .- '  ' | {
		read -r major minor rest
		[ "$major" -gt "$1" ] || { [ "$major" = "$1" ] && [ "$minor" -ge "$2" ]; }
	}
}

hibernate()
{
	if ! grep -qw disk /sys/power/state || ! grep -qw test_resume /sys/power/disk; then
		skip "hibernation" "this kernel has none"
		return
	fi
	if ! kernel_is_at_least 6 4; then
		skip "hibernation" "before Linux 6.4 test_resume cannot open the device that it has written to"
		return
	fi
	check "a device to hibernate to" make_swap
	# The image, its copy and the device share the memory.
	echo 0 >/sys/power/image_size
	echo test_resume >/sys/power/disk
	check "hibernation, $HIBERNATIONS times" sleep_often "$HIBERNATIONS" /sys/power/state disk
	check "hibernation under work" under_work sleep_once /sys/power/state disk
}

ktap_begin suspend
check "Latch loads" latch_load
[ "$CYCLES" = 0 ] || test_levels
[ "$SLEEPS" = 0 ] || suspend_to_ram
[ "$IDLES" = 0 ] || suspend_to_idle
[ "$HIBERNATIONS" = 0 ] || hibernate
check "it unloads" latch_unload
check "it loads again" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
check "and unloads" latch_unload
ktap_end
