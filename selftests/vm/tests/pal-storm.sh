#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# PALs on all CPUs under NMIs, while CPUs go offline and come online, and processes
# with PALs come and are killed.
. ./lib.sh

: "${CALLS:=25000}" "${DEMOS:=10000}" "${NMIS:=10000}" "${KILLS:=300}" "${HOTPLUGS:=20}"
ktap_begin pal-storm
if [ "$CPUS" -lt 4 ]; then
	skip "pal-storm" "needs 4 CPUs"
	ktap_end
fi
probe_load
echo "$NMIS" >$PARAMETERS/count

kill_loop()
{
	for i in $(seq "$KILLS"); do
		if [ $((i % 2)) = 0 ]; then ./pal spin & else ./pal32 spin & fi
		usleep $((i * 37 % 20 * 1000))
		kill -9 $!
		wait $! 2>/dev/null
	done
	echo "$KILLS processes killed"
}

storm()
{
	part nmi taskset 2 cat $PROBE/nmi
	for cpu in 0 1 2 3; do
		part calls$cpu taskset $((1 << cpu)) ./pal calls "$CALLS"
	done
	part demo ./pal32 demo "$DEMOS"
	part kills kill_loop
	part hotplug hotplug_loop
}

check "it loads" latch_load apps=pal
./pal demo 1 >/tmp/first 2>&1
before=$(pool_free)
storm
check "NMIs: as many handled as sent" part_ends nmi
for cpu in 0 1 2 3; do
	check "$CALLS calls by a process of CPU $cpu" part_ends calls$cpu
done
check "$DEMOS rounds of a 32-bit PAL" part_ends demo
check "$KILLS processes are killed in their PAL" part_ends kills
check "CPUs off and on" part_ends hotplug
check "all CPUs are under Latch" all_cpus_are_under_latch
check "no page of the pool is lost" eval '[ "$(pool_free)" = "$before" ]'
check "no PAL is left" ./hvctl app disable pal
check "it unloads" latch_unload
probe_unload
ktap_end
