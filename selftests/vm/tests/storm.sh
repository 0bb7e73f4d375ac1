#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything at once: NMIs one after the other, quiesces from two CPUs,
# hypercalls on all, changes of the EPT's memory types, and CPUs that go offline and
# come online, with work on top. Each of them counts what it has done.
. ./lib.sh

: "${COUNT:=10000}" "${HOTPLUGS:=100}" "${MTRRS:=100}"
ktap_begin storm
if [ "$CPUS" -lt 4 ]; then
	skip "storm" "needs 4 CPUs"
	ktap_end
fi
probe_load
echo "$COUNT" >$PARAMETERS/count

# A range far above the RAM: its type changes, nothing else does.
mtrr_loop()
{
	for i in $(seq "$MTRRS"); do
		echo 'base=0xd0000000 size=0x100000 type=write-combining' >/proc/mtrr || return
		register=$(sed -n 's/^reg0*\([0-9]*\): base=0x0*d0000000 .*/\1/p' /proc/mtrr)
		echo "disable=$register" >/proc/mtrr || return
	done
	echo "$((MTRRS * 2)) changes of the MTRRs"
}

hypercall_loop()
{
	./hvctl ping --count "$COUNT" --cpu 0 && ./hvctl ping --count "$COUNT" --cpu 1
}

counter()
{
	./hvctl stats --json --all | json_value "$1"
}

storm()
{
	part nmi taskset 2 cat $PROBE/nmi
	part quiesce_a taskset 1 cat $PROBE/quiesce
	part quiesce_b taskset 2 cat $PROBE/quiesce
	part hypercall hypercall_loop
	part mtrr mtrr_loop
	part hotplug hotplug_loop
	part work ./work -t 10 -n 2 fork timer futex vector registers clock
}

check "it loads" latch_load
storm
check "NMIs: as many handled as sent" part_ends nmi
check "quiesces from CPU 0" part_ends quiesce_a
check "quiesces from CPU 1" part_ends quiesce_b
check "hypercalls" part_ends hypercall
if grep -q . /proc/mtrr 2>/dev/null; then
	check "MTRRs are changed" part_ends mtrr
	check "the EPT has followed the MTRRs" eval '[ "$(counter mtrr_updates)" -ge "$MTRRS" ]'
else
	skip "MTRRs are changed" "the CPU has none"
fi
check "CPUs off and on" part_ends hotplug
check "work" part_ends work
check "all CPUs are under Latch" all_cpus_are_under_latch
check "they stood still as often as asked" eval '[ "$(counter quiesces)" -ge $((COUNT * 2)) ]'
check "it unloads" latch_unload
log_mark
probe_unload
ktap_end
