#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A panic with Latch loaded and a crash kernel: that one runs under Latch, and
# all that it can read of core's memory is zeros. CRASHES times, each on the next
# CPU. An odd VMRUN_BOOT is a kernel that crashes, an even one its crash kernel,
# whose arguments may be given in CRASH_ARGS.
. ./lib.sh
. ./next-kernel.sh

: "${CRASHES:=2}" "${PAGES:=1024}" "${CRASH_ARGS:=nr_cpus=1}"
crash=$(((VMRUN_BOOT + 1) / 2))
victim=$(((crash - 1) % VMRUN_CPUS))

# --- the kernel that crashes

fill_memory()
{
	./vmcore fill "$crash" "$PAGES" >/tmp/fill.out &
	wait_for 20 grep -q filled /tmp/fill.out
}

load_crash_kernel()
{
	./vmcore chunks >/t/chunks || return
	cat /t/chunks
	next_initrd /tmp/initrd kdump.sh chunks && next_load panic /tmp/initrd "$CRASH_ARGS" &&
		grep -qx 1 /sys/kernel/kexec_crash_loaded
}

crash_here()
{
	rm -f /t/chunks
	check "all CPUs are native" are_native
	check "Latch loads" latch_load
	check "all CPUs are under Latch" all_cpus_are_under_latch
	check "memory is filled" fill_memory
	check "the crash kernel is loaded" load_crash_kernel
	before_the_end
	taskset -c "$victim" sh -c 'echo c >/proc/sysrq-trigger'
	exit 1
}

# --- the crash kernel

its_cpus_came_up()
{
	wanted=$(sed -n 's/.*nr_cpus=\([0-9]*\).*/\1/p' /proc/cmdline)
	echo "$CPUS CPUs of $wanted"
	[ "$CPUS" = "$wanted" ]
}

latch_refuses()
{
	latch_load
	[ $? = 17 ] && latch_messages | tee /dev/stderr | grep -q 'the CPU is under Latch already'
}

dump_is_complete()
{
	./vmcore check "$crash" "$PAGES" $(cat /t/chunks)
}

ktap_begin "kdump, crash $crash of $CRASHES, on CPU $victim, boot $VMRUN_BOOT"
if [ $((VMRUN_BOOT % 2)) = 1 ]; then
	crash_here
fi
check "its CPUs came up" its_cpus_came_up
check "they are under Latch" ./under-latch
check "Latch refuses to be loaded here" latch_refuses
check "the dump is complete, and core's memory is zeros in it" dump_is_complete
if [ "$crash" -lt "$CRASHES" ]; then
	before_the_end
	reboot -f
	sleep 1000000
fi
ktap_end
