#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Load and unload while NMIs come from outside, each PERIOD ticks to all CPUs: they
# hit every instruction of the change between the two worlds sooner or later. The same
# in a loop of hypercalls.
. ./lib.sh

: "${CYCLES:=40}" "${HYPERCALLS:=100000}" "${PERIODS:=5003 7919 12007}"
ktap_begin nmi-storm
if [ "$VMRUN_BACKEND" != bochs ]; then
	skip "NMIs from outside" "only Bochs sends them"
	ktap_end
fi
probe_load

cycles_under_storm()
{
	echo claim-nmis >$PROBE/control || return
	vmio outl 0x8904 "$1"
	for i in $(seq "$CYCLES"); do
		latch_load && latch_unload || break
	done
	vmio outl 0x8904 0
	echo release-nmis >$PROBE/control && [ "$i" = "$CYCLES" ] && ! latch_is_loaded
}

hypercalls_under_storm()
{
	latch_load && echo claim-nmis >$PROBE/control || return
	vmio outl 0x8904 "$1"
	./hvctl ping --count "$HYPERCALLS" --cpu 0 && ./hvctl ping --count "$HYPERCALLS" --cpu $((CPUS - 1))
	pings_status=$?
	vmio outl 0x8904 0
	./hvctl stats | grep -i 'nmi'
	echo release-nmis >$PROBE/control && latch_unload && [ $pings_status = 0 ]
}

check "$HYPERCALLS hypercalls on two CPUs, an NMI each 5003 ticks" hypercalls_under_storm 5003
for period in $PERIODS; do
	check "$CYCLES loads and unloads, an NMI each $period ticks" cycles_under_storm "$period"
done
probe_unload
ktap_end
