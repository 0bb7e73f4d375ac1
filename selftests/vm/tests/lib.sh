# SPDX-License-Identifier: GPL-2.0-only
#
# What all test scripts in the guest use: KTAP, Latch, the probe, the kernel's
# log. For busybox' sh; everything is in the current folder.

PROBE=/sys/kernel/debug/latch_probe
PARAMETERS=/sys/module/latch_probe/parameters
CPUS=$(grep -c '^processor' /proc/cpuinfo)
number=0
failed=0
skipped=0

ktap_begin()
{
	echo "KTAP version 1"
	echo "# $1: $CPUS CPUs, Linux $(uname -r), $VMRUN_MODEL, $VMRUN_APIC"
	log_mark
}

# The plan comes last: a test that stops half-way has none.
ktap_end()
{
	check "the kernel's log is clean" log_is_clean
	echo "1..$number"
	[ $failed = 0 ]
	exit
}

result()
{
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=1
	fi
}

skip()
{
	number=$((number + 1))
	skipped=$((skipped + 1))
	echo "ok $number - $1 # SKIP $2"
}

# check NAME COMMAND...: what the command says is shown, as a comment
check()
{
	check_name=$1
	shift
	"$@" >/tmp/check.out 2>&1
	check_status=$?
	sed 's/^/# /' /tmp/check.out | head -n 60
	result $check_status "$check_name"
}

# --- the kernel's log, from the last mark on

log_mark()
{
	mark_number=$((${mark_number:-0} + 1))
	mark="latch-test-mark-$$-$mark_number"
	echo "$mark" >/dev/kmsg
}

log_new()
{
	dmesg | sed "1,/$mark/d" | sed 's/^\[ *[0-9.]*\] //'
}

# Latch's own messages, without what Linux says of modules that it did not build
latch_messages()
{
	log_new | grep '^latch: ' | grep -v 'taint'
}

log_is_clean()
{
	! log_new | grep -E 'BUG|Oops|WARNING|Call Trace|general protection|unable to handle|stall|lockup|Bad page|unchecked MSR|Uhhuh|Dazed|NMI handler .* took|clocksource: .*unstable|irq .*: nobody cared|corrupt|refcount_t|hung|INFO: task'
}

# --- Latch

# One system call, whatever comes of it: busybox' insmod tries twice. The exit
# status is the errno.
latch_load()
{
	./load-module latch.ko "$@"
}

latch_unload()
{
	rmmod latch
}

latch_is_loaded()
{
	[ -e /sys/module/latch ]
}

# Exit status of hvctl, its output in /tmp/hvctl.out
hvctl()
{
	./hvctl "$@" >/tmp/hvctl.out 2>/tmp/hvctl.err
}

# json_value KEY: the first value behind a key, of hvctl's JSON on stdin
json_value()
{
	sed -n -e "s/^ *\"$1\": *\"\([^\"]*\)\",\{0,1\}\$/\1/p" \
		-e "s/^ *\"$1\": *\([^\",]*\),\{0,1\}\$/\1/p" | head -n 1
}

latch_cpus()
{
	./hvctl status --json | json_value guest
}

cpu_list()
{
	cat /sys/devices/system/cpu/online
}

# Pages of core's pool
pool_free()
{
	./hvctl status --json | json_value pool_free
}

all_cpus_are_under_latch()
{
	./hvctl status >/dev/null && [ "$(latch_cpus)" = "$(cpu_list)" ] && ./hvctl ping --count 3 >/dev/null
}

# --- the probe

probe_load()
{
	[ -e $PROBE ] || ./load-module latch_probe.ko "$@"
}

probe_unload()
{
	rmmod latch_probe
}

# With "plain" without the unusual values, which a CPU that goes offline loses.
registers_save()
{
	[ "${1-}" != plain ] || { echo save >$PROBE/control; return; }
	echo dirty >$PROBE/control && echo save >$PROBE/control
}

# Prints what is not as it was.
registers_are_as_before()
{
	cat $PROBE/changes >/tmp/changes || return
	cat /tmp/changes
	[ ! -s /tmp/changes ]
}

# probe_test FILE COUNT: run one of the probe's tests; each line is a result
probe_test()
{
	echo "$2" >$PARAMETERS/count
	if ! cat $PROBE/$1 >/tmp/probe.out 2>/tmp/probe.err; then
		sed 's/^/# /' /tmp/probe.err
		result 1 "probe $1"
		return
	fi
	while read -r line; do
		name=${line#not }
		name=${name#ok }
		case $line in
		ok*) echo "# $name"; result 0 "${name%% | *}" ;;
		not*) echo "# $name"; result 1 "${name%% | *}" ;;
		skip*) name=${line#skip }; skip "${name%% | *}" "${name#* | }" ;;
		esac
	done </tmp/probe.out
}

# --- other things

# part NAME COMMAND...: in the background; what it prints and its status stay
part()
{
	part_name=$1
	shift
	( "$@" >/tmp/part.$part_name 2>&1; echo $? >/tmp/status.$part_name ) &
	eval "pid_$part_name=$!"
}

part_ends()
{
	eval "wait \$pid_$1"
	cat /tmp/part.$1
	[ "$(cat /tmp/status.$1)" = 0 ] && ! grep -q '^not ok' /tmp/part.$1
}

# Without icr=1 an INIT that meets a kick in the same moment is taken for it, and the next
# try works: Documentation/limits.md.
set_online_again()
{
	set_online $1 1 && return
	again=$((again + 1))
	set_online $1 1
}

# HOTPLUGS times. CPUs 0 and 1 stay online: they send, get and count the NMIs.
hotplug_loop()
{
	again=0
	for i in $(seq "$HOTPLUGS"); do
		for cpu in $(seq 2 $((CPUS - 1))); do
			set_online $cpu 0 && set_online_again $cpu || return
		done
	done
	hotplugs=$((HOTPLUGS * (CPUS - 2)))
	echo "$hotplugs times offline and online, $again of them at the second try"
	[ $again -le $((1 + hotplugs / 100)) ]
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for()
{
	wait_left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		wait_left=$((wait_left - 1))
		[ $wait_left -gt 0 ] || return 1
		usleep 50000
	done
}

# With the pages that wait in the CPUs' lists, among them 2 MiB ones: these are
# free, but MemFree does not count them.
# Free memory, with what each CPU keeps for itself: that can be a block of 2 MiB.
mem_free_kb()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	kept=$(awk '$1 == "count:" { pages += $2 } END { print pages * 4 }' /proc/zoneinfo)
	echo $(($(sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo) + kept))
}

set_online()
{
	echo "$2" >/sys/devices/system/cpu/cpu$1/online
}

: "${GUARD:=}"

# For tests in which nobody does what guard is there for: it is on, in the mode GUARD.
guard_is_on()
{
	./hvctl app enable guard && ./hvctl guard "$GUARD" && ./hvctl guard status
}

guard_has_seen_nothing()
{
	for name in writes registers; do
		seen=$(./hvctl guard status --json | json_value $name)
		[ "$seen" = 0 ] || { echo "$name: $seen"; ./hvctl log; return 1; }
	done
	./hvctl guard off
}
