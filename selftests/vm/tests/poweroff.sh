#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Power-off with Latch loaded: the end of the run is the result, so whatever fails
# before ends it in another way.
. ./lib.sh

ktap_begin poweroff
check "Latch loads" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
[ $failed = 0 ] || exit
# For the console: what the notifier says comes when nobody can look any more.
dmesg -n 7
poweroff -f
sleep 1000000
