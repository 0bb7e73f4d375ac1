#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Exits that do not happen: idle and in a fixed workload there are none but those
# that the architecture makes unconditional. And those that do happen are counted.
. ./lib.sh

# SDM vol. 3, 26.1.2; INIT, SIPI and the VMX instructions do not happen here.
UNCONDITIONAL=" cpuid xsetbv vmcall invd getsec "

ktap_begin exits
latch_load

# "CPU NAME COUNT" of each reason, from JSON printed one key a line
reasons()
{
	./hvctl stats --json | awk '
		/"total":/	{ cpu = "total" }
		/"cpu":/	{ gsub(/[^0-9]/, ""); cpu = $0 }
		/"reasons":/	{ inside = 1; next }
		/}/		{ inside = 0 }
		inside		{ gsub(/[",:]/, " "); if ($2) print cpu, $1, $2 }'
}

# The reasons that have grown from file $1 to file $2
growth()
{
	awk 'NR == FNR { old[$1 " " $2] = $3; next }
	     { n = $3 - old[$1 " " $2]; if (n) print $1, $2, n }' "$1" "$2"
}

only_unconditional_exits()
{
	grep -v '^total ' /tmp/growth >/tmp/growth.cpus
	cat /tmp/growth.cpus
	bad=0
	while read -r cpu name count; do
		case $UNCONDITIONAL in
		*" $name "*) ;;
		*) echo "CPU $cpu: $count exits by $name"; bad=1 ;;
		esac
	done </tmp/growth.cpus
	return $bad
}

# during COMMAND...: what has grown meanwhile, in /tmp/growth
during()
{
	reasons >/tmp/reasons.before
	"$@"
	during_status=$?
	reasons >/tmp/reasons.after
	growth /tmp/reasons.before /tmp/reasons.after >/tmp/growth
	return $during_status
}

workload()
{
	./work -t "${SECONDS_OF_WORK:-2}" -n 2 fork file timer signal memory futex
}

total_of()
{
	sed -n "s/^$1 $2 //p" /tmp/growth
}

few_exits_when_idle()
{
	# hvctl itself executes a few CPUIDs as it starts
	exits=$(awk '$1 == "total" { n += $3 } END { print n + 0 }' /tmp/growth)
	echo "$exits exits in 5 s and one start of hvctl"
	[ "$exits" -lt 400 ]
}

# Each counts what it costs to start hvctl, then the program's own.
counts_cpuid()
{
	cpu=$1 n=$2
	mkfifo /tmp/in /tmp/out
	./cpuid "$cpu" "$n" </tmp/in >/tmp/out &
	exec 4>/tmp/in 5</tmp/out
	read -r word <&5
	taskset_not "$cpu"
	reasons >/tmp/reasons.before
	echo go >&4
	read -r word <&5
	reasons >/tmp/reasons.after
	growth /tmp/reasons.before /tmp/reasons.after >/tmp/growth
	echo end >&4
	exec 4>&- 5<&-
	wait
	rm /tmp/in /tmp/out
	taskset -p ffffffff $$ >/dev/null
	counted=$(total_of "$cpu" cpuid)
	counted=${counted:-0}
	echo "CPU $cpu: $counted CPUIDs counted, $n executed"
	[ "$counted" = "$n" ]
}

# This shell and its children on another CPU, so that only the program counts.
taskset_not()
{
	if [ "$1" = 0 ]; then other=2; else other=1; fi
	taskset -p $other $$ >/dev/null
}

counts_pings()
{
	during ./hvctl ping --cpu 0 --count 123 >/dev/null || return
	counted=$(total_of 0 vmcall)
	echo "CPU 0: $counted VMCALLs counted, 123 made"
	[ "$counted" = 123 ]
}

check "all CPUs are under Latch" all_cpus_are_under_latch
during sleep 5
check "idle: only unconditional exits" only_unconditional_exits
check "idle: few of them" few_exits_when_idle
check "the workload runs" during workload
check "workload: only unconditional exits" only_unconditional_exits
if [ "$CPUS" -gt 1 ]; then
	check "1000 CPUIDs on CPU 0 are 1000 exits" counts_cpuid 0 1000
	check "12345 CPUIDs on CPU 1 are 12345 exits" counts_cpuid 1 12345
	check "no CPUID on CPU 1 is no exit" counts_cpuid 1 0
fi
check "123 pings are 123 exits" counts_pings
latch_unload
ktap_end
