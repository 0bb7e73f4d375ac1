#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# lhv, as a hypervisor in a guest of Debian's own KVM, with OPTIONS and one CPU: what it
# says comes as comments. LATCH=1: KVM is on top of Latch. LIMIT: seconds of the guest.
. ./lib.sh
. ./kvm-lib.sh

: "${LIMIT:=60}" "${OPTIONS:=bench}"

kvm_begin kvm-lhv
ktap_part ./kvm-boot -n -t $LIMIT lhv.elf "$OPTIONS"
kvm_end
