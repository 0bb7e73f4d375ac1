#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Small guests of Debian's own KVM, of which each result is verified; SUBJECTS are those
# of kvm-run. LATCH=1: on top of Latch, with the same results.
. ./lib.sh
. ./kvm-lib.sh

: "${SUBJECTS:=real exits traps debug memory dirty irq window smp run}"

kvm_begin kvm-run
for subject in $SUBJECTS; do
	echo "# ---- $subject"
	ktap_part ./kvm-run $subject
done
kvm_end
