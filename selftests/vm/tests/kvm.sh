#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# KVM and Latch on one machine: Latch is refused while KVM uses VMX, KVM runs on top of
# it, and Latch does not go while it does.
. ./lib.sh

EBUSY=16
ktap_begin kvm

hold_vm()
{
	mkfifo /tmp/in /tmp/out
	./hold-vm </tmp/in >/tmp/out &
	exec 4>/tmp/in 5</tmp/out
	read -r word <&5
	[ "$word" = ready ]
}

release_vm()
{
	exec 4>&- 5<&-
	wait
	rm -f /tmp/in /tmp/out
}

# refused_as_busy: VMX is in use, and the message says by whom it may be
refused_as_busy()
{
	log_mark
	latch_load
	load_status=$?
	latch_messages >/tmp/message
	cat /tmp/message
	[ $load_status = $EBUSY ] && [ "$(wc -l </tmp/message)" = 1 ] &&
		grep -Eq 'step state: VMX is in use by another hypervisor.*kvm_intel.*CR4 is 0x' /tmp/message
}

vm_works()
{
	hold_vm
	vm_status=$?
	release_vm
	return $vm_status
}

loads_and_works()
{
	latch_load && all_cpus_are_under_latch
}

# The module looks for it once a second.
stays_for_vm()
{
	sleep 3
	if rmmod latch; then
		return 1
	fi
	all_cpus_are_under_latch
}

unloads_after_vm()
{
	sleep 3
	latch_unload
}

check "kvm_intel loads" modprobe kvm_intel
check "a VM is there" hold_vm
check "Latch is refused: VMX is in use" refused_as_busy
release_vm
# From 6.12 on KVM has VMX switched on as long as it is loaded.
if [ "$(cat /sys/module/kvm/parameters/enable_virt_at_load 2>/dev/null)" = Y ]; then
	check "Latch is refused while KVM has VMX on" refused_as_busy
else
	check "with KVM idle it loads" loads_and_works
	check "a VM of a KVM that was there before works" vm_works
	sleep 3
	latch_unload
	check "a VM works again after Latch" vm_works
fi
check "kvm_intel unloads" rmmod kvm_intel
check "Latch loads" loads_and_works
check "kvm_intel loads on top of it" modprobe kvm_intel
check "a VM is there" hold_vm
check "Latch stays while it is" stays_for_vm
release_vm
check "without it Latch unloads" unloads_after_vm
check "kvm_intel unloads" rmmod kvm_intel
check "kvm_intel loads again" modprobe kvm_intel
check "and runs a VM" vm_works
log_mark
ktap_end
