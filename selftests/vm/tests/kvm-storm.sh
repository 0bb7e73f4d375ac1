#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Two guests of KVM boot Linux at once, while NMIs come, all CPUs stand still again and
# again, and CPUs go offline and come online. One guest is where the NMIs go, the other is
# driven from CPU to CPU by the hotplug. All of it goes on until both are up.
. ./lib.sh
. ./kvm-lib.sh

: "${COUNT:=300}" "${LIMIT:=300}"
# for hotplug_loop, each time
HOTPLUGS=1
LATCH=1

# rounds NAME COMMAND...: with pauses, as the guests have to go on too
rounds()
{
	rounds_name=$1 done=0
	shift
	while [ ! -e /tmp/guests-ended ]; do
		"$@" || return
		done=$((done + 1))
		usleep 300000
	done
	echo "$done rounds of $rounds_name"
	[ $done -ge 5 ]
}

# from_probe CPUS FILE: what it says only if it is bad
from_probe()
{
	taskset $1 cat $PROBE/$2 >/tmp/probe.$2 && ! grep '^not' /tmp/probe.$2
}

hotplug()
{
	hotplug_loop >/dev/null
}

guest()
{
	taskset $1 ./kvm-boot -t $LIMIT -m 128 vmlinuz "$QUICK"
}

storm()
{
	rm -f /tmp/guests-ended
	part guest_a guest 1
	part guest_b guest c
	part nmi rounds nmi from_probe 2 nmi
	part quiesce rounds quiesce from_probe 1 quiesce
	part hotplug rounds hotplug hotplug
}

kvm_begin kvm-storm
probe_load
echo "$COUNT" >$PARAMETERS/count
storm
check "a guest on the CPU that gets NMIs boots" part_ends guest_a
check "a guest that moves from CPU to CPU boots" part_ends guest_b
touch /tmp/guests-ended
check "as many NMIs handled as sent" part_ends nmi
check "quiesces" part_ends quiesce
check "CPUs off and on" part_ends hotplug
check "all CPUs are under Latch" all_cpus_are_under_latch
probe_unload
kvm_end
