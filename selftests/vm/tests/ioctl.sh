#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Hostile ioctls, and a module that is in use.
. ./lib.sh

stay_loaded()
{
	exec 3<>/dev/latch || return
	if latch_unload 2>/tmp/rmmod.err; then
		exec 3>&-
		return 1
	fi
	exec 3>&-
	cat /tmp/rmmod.err
	all_cpus_are_under_latch
}

latch_load
./ioctl
status=$?
ktap_begin ioctl
check "all tests of the program have passed" [ $status = 0 ]
check "it is not unloaded while somebody has the device open" stay_loaded
check "all CPUs are under Latch" all_cpus_are_under_latch
check "it unloads" latch_unload
ktap_end
