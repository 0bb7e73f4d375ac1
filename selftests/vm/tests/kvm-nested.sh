#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# lhv's tests of nested VMX in a guest of Debian's own KVM, with one CPU: on top of Latch they
# find what they find without, line by line, be it right or KVM's mistake. LIMIT: seconds of
# the guest for each of SUITES. Others do not come to their end in a guest of KVM, or need
# more time, or depend on how long an entry takes (options, interrupts); or, as shadow, show
# of a violation that KVM has found itself an address that was left in a field.
LATCH=0
. ./lib.sh
. ./kvm-lib.sh

: "${LIMIT:=200}"
: "${SUITES:=caps instructions long basic controls exceptions devices nmi vpid state cet vapic smp modes ept ept-more ept-tables}"

# suite NAME FILE: its results and records; the first line has the speed of the TSC
suite()
{
	./kvm-boot -n -t $LIMIT lhv.elf "only=nested-$1" >/tmp/suite
	sed -n 's/^# guest: //p' /tmp/suite | tail -n +2 >$2
	tail -n 1 $2
	tail -n 1 $2 | grep -q '^# [1-9][0-9]* checks, '
}

same()
{
	suite $1 /tmp/latch.$1 && diff /tmp/bare.$1 /tmp/latch.$1
}

kvm_begin kvm-nested
for name in $SUITES; do
	check "$name, without Latch" suite $name /tmp/bare.$name
done
check "kvm_intel unloads" kvm_unload
LATCH=1
check "Latch loads" kvm_latch_load
check "kvm_intel loads" kvm_load
for name in $SUITES; do
	check "$name, the same on Latch" same $name
done
kvm_end
