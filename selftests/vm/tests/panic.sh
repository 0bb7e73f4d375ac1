#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Ends without notice, with Latch loaded and no crash kernel: a panic that restarts
# the machine after a second, on each CPU, then sysrq-b. After each the machine
# starts anew, native.
. ./lib.sh
. ./next-kernel.sh

ktap_begin "panic, boot $VMRUN_BOOT"
check "all CPUs are native" are_native
check "Latch loads" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
if [ "$VMRUN_BOOT" -le "$VMRUN_CPUS" ]; then
	echo 1 >/proc/sys/kernel/panic
	before_the_end
	taskset -c "$((VMRUN_BOOT - 1))" sh -c 'echo c >/proc/sysrq-trigger'
	exit 1
fi
if [ "$VMRUN_BOOT" = $((VMRUN_CPUS + 1)) ]; then
	before_the_end
	echo b >/proc/sysrq-trigger
	exit 1
fi
check "it unloads" latch_unload
ktap_end
