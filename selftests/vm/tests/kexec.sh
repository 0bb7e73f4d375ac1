#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# KEXECS times into the same kernel, with Latch loaded: each one finds a machine
# that is native, with all of its CPUs. VMRUN_BOOT counts the kernels.
. ./lib.sh
. ./next-kernel.sh

: "${KEXECS:=1}"
ktap_begin "kexec, kernel $VMRUN_BOOT of $((KEXECS + 1))"

all_cpus_came_up()
{
	echo "$CPUS CPUs of $VMRUN_CPUS"
	[ "$CPUS" = "$VMRUN_CPUS" ]
}

load_next()
{
	again=
	[ "$VMRUN_BOOT" = "$KEXECS" ] || again=vmlinuz
	next_initrd /tmp/initrd kexec.sh $again && next_load load /tmp/initrd
}

check "all CPUs came up" all_cpus_came_up
check "all CPUs are native, and have VMX" are_native
check "Latch loads" latch_load
check "all CPUs are under Latch" all_cpus_are_under_latch
check "they say so" ./under-latch
if [ "$VMRUN_BOOT" -le "$KEXECS" ]; then
	check "the next kernel is loaded" load_next
	before_the_end
	./kexec exec
	exit 1
fi
check "it unloads" latch_unload
check "all CPUs are native again" are_native
ktap_end
