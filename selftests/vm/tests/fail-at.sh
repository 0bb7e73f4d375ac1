#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Make each step of a launch fail, on each CPU and on whichever comes first:
# insmod says so with an errno and one line of the log, the registers of all CPUs
# are as before, and Linux goes on. STEPS may name fewer.
. ./lib.sh

: "${STEPS:=image memory bootmap pool paging ept features state vmxon vmclear vmptrld controls host-state guest-state vmlaunch}"
EIO=5
EINVAL=22
ktap_begin fail-at
probe_load
registers_save

# The first steps are not taken by each CPU: there is one CPU to fail on.
steps_of_every_cpu="features state vmxon vmclear vmptrld controls host-state guest-state vmlaunch"

is_step_of_every_cpu()
{
	case " $steps_of_every_cpu " in
	*" $1 "*) true ;;
	*) false ;;
	esac
}

# message_names STEP CPU-REGEX: exactly one line, with CPU, step and reason
message_names()
{
	latch_messages >/tmp/message
	cat /tmp/message
	[ "$(wc -l </tmp/message)" = 1 ] &&
		grep -Eq "^latch: not loaded: CPU $2: step $1: failure asked for by fail_at=" /tmp/message
}

# EIO is what LATCH_REASON_INJECTED stands for.
fails()
{
	step=$1 cpu=$2
	log_mark
	latch_load "fail_at=$step${cpu:+,$cpu}"
	load_status=$?
	if [ $load_status = 0 ]; then
		echo "it has loaded"
		latch_unload
		return 1
	fi
	[ $load_status = $EIO ] || return 1
	message_names "$step" "${cpu:-[0-9]+}" || return 1
	registers_are_as_before || return 1
	! latch_is_loaded && [ ! -e /dev/latch ]
}

linux_goes_on()
{
	./work -t 1 fork timer vector registers
}

plain_load_works()
{
	latch_load && all_cpus_are_under_latch && latch_unload && registers_are_as_before
}

for step in $STEPS; do
	check "$step fails without a CPU" fails $step ''
	if is_step_of_every_cpu $step; then
		cpu=0
		while [ $cpu -lt "$CPUS" ]; do
			check "$step fails on CPU $cpu" fails $step $cpu
			cpu=$((cpu + 1))
		done
	fi
done
log_mark
check "Linux goes on" linux_goes_on
check "a plain load works" plain_load_works

# A failure on all CPUs at once is told once, with their number.
others_are_counted()
{
	[ "$CPUS" = 1 ] && return
	fails vmxon '' && grep -q "and on $((CPUS - 1)) other CPUs" /tmp/message
}
check "failures on other CPUs are counted in the message" others_are_counted

refused()
{
	log_mark
	latch_load "fail_at=$1"
	load_status=$?
	[ $load_status = 0 ] && latch_unload
	latch_messages >/tmp/message
	cat /tmp/message
	[ $load_status = $EINVAL ] && grep -q 'latch: fail_at: ' /tmp/message &&
		[ "$(wc -l </tmp/message)" = 1 ] && registers_are_as_before
}

for value in nonsense vmxon,99 vmxon,x vmxon, vmxon,-1 vmxon,1,2 ,0 vmx; do
	check "fail_at=$value is refused" refused $value
done
unknown_parameter()
{
	latch_load no_such=1 2>/dev/null || { latch_is_loaded && latch_unload; return 0; }
	# Linux only warns of parameters that a module does not have
	log_new | grep "unknown parameter 'no_such'" && latch_unload
}
log_mark
check "a parameter that there is not changes nothing" unknown_parameter
echo clean >$PROBE/control
probe_unload
log_mark
ktap_end
