#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A guest of Debian's own KVM that has VMX: the same kernel as outside (vmrun's
# with_kernel=1) runs other tests of this folder, GUEST, and they find what they find outside.
# Once for each number of CPUs in GUEST_CPUS, all of it TIMES times. LATCH=1: KVM is on
# top of Latch. LIMIT: seconds for each guest.
. ./lib.sh
. ./kvm-lib.sh

: "${GUEST:=sh run.sh module-smoke}" "${GUEST_CPUS:=1 2}" "${GUEST_MEM:=224}" "${TIMES:=1}"
: "${LIMIT:=200}" "${VERBOSE:=}" "${APPEND:=}"
# More files, for a guest that has a guest
: "${GUEST_FILES:=}"

# What there is of all that these tests use
files()
{
	for name in *.sh latch.ko latch_probe.ko hvctl load-module work under-latch kvm-run hold-vm \
		/lib/modules $GUEST_FILES; do
		[ ! -e $name ] || echo "-f $name:$name"
	done
}

guest()
{
	ktap_part ./kvm-boot $VERBOSE -n -t $LIMIT -c $1 -m $GUEST_MEM $(files) -x "$GUEST" vmlinuz "$QUICK $APPEND"
}

kvm_begin kvm-guest
for time in $(seq "$TIMES"); do
	for cpus in $GUEST_CPUS; do
		echo "# ---- $time of $TIMES, $cpus CPUs: $GUEST"
		guest $cpus
	done
done
kvm_end
