#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# stress-ng, first without Latch and then under it, in one boot: each stressor does
# a fixed number of operations, checks what comes out, and says the same both times.
. ./lib.sh

: "${LIMIT:=2}"
# NAME:OPERATIONS. Few, and LIMIT seconds at most: an emulator is slow, and what counts is
# what a stressor says, not how often.
STRESSORS='cpu:2 vm:10 fork:10 clone:5 pthread:10 signal:50 sigsegv:20 sigtrap:20
sigfpe:10 sigq:50 timer:50 itimer:50 hrtimers:50 switch:100 futex:50 affinity:20 mmap:1
mprotect:20 fault:100 icache:20 ioport:20 x86syscall:20 tsc:20 vecmath:2 context:5 msg:50
cpu-online:4'
ktap_begin stress

# What a stressor came to, without times and process numbers; 77 is "not here".
run_one()
{
	./stress-ng --"$1" 2 --"$1"-ops "$2" --vm-bytes 8M --fault-ops "$2" --verify \
		--timeout "$LIMIT" --temp-path /tmp >/tmp/stress.out 2>&1
	echo "exit status $?"
	sed -n -E 's/^stress-ng: (fail|error|warn): +\[[0-9]+\] (.*)/\1: \2/p
		s/^stress-ng: info: +\[[0-9]+\] +((skipped|passed|failed|metrics untrustworthy): [0-9]+.*)/\1/p' \
		/tmp/stress.out | sed 's/0x[0-9a-f]*/ADDRESS/g'
}

run_all()
{
	mkdir -p /tmp/$1
	for stressor in $STRESSORS; do
		run_one "${stressor%:*}" "${stressor#*:}" >/tmp/$1/"${stressor%:*}"
	done
}

is_as_natively()
{
	cat /tmp/native/$1
	diff -U 3 /tmp/native/$1 /tmp/latch/$1
}

# A run that only says "no such option" would be the same both times.
most_run()
{
	passed=$(grep -l '^exit status 0' /tmp/native/* | wc -l)
	all=$(ls /tmp/native | wc -l)
	echo "$passed of $all end with status 0"
	grep -L '^exit status 0' /tmp/native/*
	[ "$passed" -ge $((all * 3 / 4)) ]
}

run_all native
check "load" latch_load
run_all latch
check "all CPUs are still under it" all_cpus_are_under_latch
check "most run on this machine" most_run
for stressor in $STRESSORS; do
	check "${stressor%:*}" is_as_natively "${stressor%:*}"
done
check "unload" latch_unload
ktap_end
