#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's own kvm_intel: it loads, finds what it needs of VMX, makes a VM, and goes
# again, CYCLES times. LATCH=1: on top of Latch.
. ./lib.sh
. ./kvm-lib.sh

: "${CYCLES:=2}"

vm_works()
{
	[ "$(./hold-vm </dev/null)" = ready ]
}

load_cycles()
{
	for i in $(seq "$CYCLES"); do
		kvm_unload && kvm_load && vm_works || return
	done
}

kvm_begin kvm-load
check "it has what the CPU offers: $WANT" kvm_has_features
check "a VM with a CPU is there" vm_works
check "$CYCLES times unloaded and loaded" load_cycles
kvm_end
