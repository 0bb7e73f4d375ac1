#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Load and unload while the machine works, traces itself and changes its own
# code: no program sees anything. CYCLES loads for each kind of company.
. ./lib.sh

: "${CYCLES:=10}"
TRACING=/sys/kernel/tracing
ktap_begin under-work

start_work()
{
	./work -n "${PROCESSES:-1}" "$@" >/tmp/work.out 2>&1 &
	worker=$!
	# the second half of each is with Latch already there
	sleep 1
}

end_work()
{
	kill $worker
	wait $worker
	work_status=$?
	cat /tmp/work.out
	[ $work_status = 0 ] && ! grep -q CORRUPT /tmp/work.out
}

# cycles COMMAND...: load, run the command, unload, run it again
cycles()
{
	for i in $(seq "$CYCLES"); do
		latch_load && "$@" && latch_unload && "$@" || return
	done
}

with_work()
{
	start_work fork timer futex clock signal file memory vector registers cpuid perf
	cycles usleep 50000
	cycles_status=$?
	end_work && [ $cycles_status = 0 ]
}

with_stepping()
{
	start_work step vector registers
	cycles usleep 50000
	cycles_status=$?
	end_work && [ $cycles_status = 0 ]
}

functions_are_traced()
{
	echo function >$TRACING/current_tracer && usleep 20000 && [ -n "$(head -n 20 $TRACING/trace)" ] &&
		echo nop >$TRACING/current_tracer
}

trace_across()
{
	echo function >$TRACING/current_tracer || return
	latch_load && usleep 20000 && latch_unload
	across_status=$?
	echo nop >$TRACING/current_tracer
	return $across_status
}

# A few hundred functions: to switch all of them takes minutes in an emulator.
with_function_tracer()
{
	echo 'do_* vfs_* hrtimer_*' >$TRACING/set_ftrace_filter || return
	start_work timer vector registers
	cycles functions_are_traced && trace_across && trace_across
	cycles_status=$?
	echo nop >$TRACING/current_tracer
	echo >$TRACING/set_ftrace_filter
	end_work && [ $cycles_status = 0 ]
}

# On functions that are called all the time, and on one at an instruction that is
# not its first.
probes_hit()
{
	echo 'p:latch_test_a do_nanosleep
r:latch_test_b do_nanosleep
p:latch_test_c do_sys_openat2' >$TRACING/kprobe_events || return
	echo 1 >$TRACING/events/kprobes/enable
	usleep 20000
	: </etc/passwd
	echo 0 >$TRACING/events/kprobes/enable
	hits=$(awk '{ n += $2 } END { print n + 0 }' $TRACING/kprobe_profile)
	echo >$TRACING/kprobe_events
	[ "$hits" -gt 2 ]
}

with_kprobes()
{
	start_work timer vector registers file
	cycles probes_hit
	cycles_status=$?
	end_work && [ $cycles_status = 0 ]
}

other_module()
{
	./load-module latch_probe.ko && rmmod latch_probe
}

with_modules()
{
	start_work fork vector registers
	cycles other_module
	cycles_status=$?
	end_work && [ $cycles_status = 0 ]
}

check "work of all kinds" with_work
check "single-stepping" with_stepping
if grep -qw function $TRACING/available_tracers; then
	check "the function tracer, on and off" with_function_tracer
else
	skip "the function tracer, on and off" "the kernel has none"
fi
if [ -e $TRACING/kprobe_events ]; then
	check "kprobes, in and out" with_kprobes
else
	skip "kprobes, in and out" "the kernel has none: boot with tracing"
fi
check "another module, in and out" with_modules
ktap_end
