#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux in a VM of Debian's own KVM: the same kernel as outside (vmrun's with_kernel=1)
# or another vmlinuz, up to an init that works on each CPU: INIT, if that kernel needs one of
# its own. With one CPU also without ACPI, where the timer is the PIT and its interrupts
# come by the PIC. BOOTS: with that, with pages of 4 KiB, or numbers of CPUs. LATCH=1: on top of Latch. LIMIT: seconds of the guest for a boot.
. ./lib.sh
. ./kvm-lib.sh

: "${LIMIT:=60}" "${APPEND:=}" "${VERBOSE:=}" "${BOOTS:=pit 1 2}" "${INIT:=}"

boot()
{
	ktap_part ./kvm-boot $VERBOSE ${INIT:+-i $INIT} -t $LIMIT $1 vmlinuz "$QUICK $2 $APPEND"
}

kvm_begin kvm-boot
for kind in $BOOTS; do
	echo "# ---- $kind"
	case $kind in
	pit) boot "-c 1" acpi=off ;;
	4k) boot "-p -c 1" "" ;;
	*) boot "-c $kind" "" ;;
	esac
done
kvm_end
