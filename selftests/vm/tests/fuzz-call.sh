#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# COUNT hypercalls with hostile arguments, from CPL 3 by nobody and from CPL 0, at the
# same time on all CPUs: first with all hypapps off, then on. SEED gives other ones.
. ./lib.sh

: "${COUNT:=1000000}" "${SEED:=1}" "${ROUNDS:=300}"
APPS="hello pal watch guard"
ktap_begin "fuzz-call, seed $SEED"

switch_all()
{
	for app in $APPS; do
		./hvctl app "$1" $app || return
	done
}

# tenths N: that much of COUNT
tenths()
{
	echo $((COUNT * $1 / 10))
}

# from_kernel N APPS: may it switch them on
from_kernel()
{
	echo "$2" >$PARAMETERS/apps
	echo "$SEED" >$PARAMETERS/seed
	probe_test fuzz $(($(tenths "$1") / CPUS))
}

status_is_sane()
{
	./hvctl status
	[ "$(./hvctl status --json | json_value failed | tail -n 1)" != true ] && all_cpus_are_under_latch
}

# What is refused and told fills the ring again and again: so it is read all the time.
follow_log()
{
	./hvctl log --follow --level err >/tmp/errors 2>&1 &
	follower=$!
}

no_error_in_log()
{
	kill $follower
	wait $follower
	./hvctl log --level err >>/tmp/errors
	! grep -v 'records\{0,1\} lost' /tmp/errors
}

check "it loads" latch_load
probe_load
check "hypapps: on and off" eval 'switch_all enable && switch_all disable'
before=$(pool_free)
follow_log

part user ./fuzz-call "$(tenths 2)" "$SEED" off
from_kernel 1 0
check "hypapps off: from CPL 3 at the same time" part_ends user

check "hypapps on" switch_all enable
check "hypapps on: from CPL 3" ./fuzz-call "$(tenths 3)" "$SEED" on
part user ./fuzz-call "$(tenths 2)" "$((SEED + 1))" any
from_kernel 2 1
check "hypapps on and off: from CPL 3 at the same time" part_ends user

check "no CPU has left or failed" status_is_sane
check "core has logged no error" no_error_in_log
probe_test quiesce 10
check "hypapps off" switch_all disable
probe_test hypapps "$ROUNDS"
check "no page of the pool is lost" eval 'echo "$(pool_free) of $before"; [ "$(pool_free)" = "$before" ]'
check "it unloads" latch_unload
probe_unload
ktap_end
