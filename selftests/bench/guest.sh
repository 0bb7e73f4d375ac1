#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the VM: the workload and single operations natively and under Latch, turn by
# turn; exits while they run and while the system is idle. With "hotplug" instead,
# a CPU that goes offline and comes online. Lines "bench NAME VALUE" for run.
#
#	guest.sh costs | hotplug
set -eu

IDLE=5
COSTS="syscall switch fault signal mmap fork exec"
REPEAT=100
CPU1=/sys/devices/system/cpu/cpu1/online

work()
{
	./workload | sed "s/^workload \([0-9]*\) .*/bench workload_$1 \1/"
}

# No pipe: tr executes CPUIDs as it starts, before or after hvctl looks.
stats()
{
	./hvctl stats --json --all >/tmp/stats
	printf 'stats_%s %s\n' "$1" "$(tr -d '\n' </tmp/stats)"
}

# timed COMMAND...: in ticks, the start of the command included
timed()
{
	start=$(./workload ticks)
	"$@"
	echo "bench ${1}_ticks $(($(./workload ticks) - start))"
}

costs()
{
	# shellcheck disable=SC2086
	./costs "$1" $COSTS
}

# Each starts one program, and "none" has only the exits of that.
exits_of_costs()
{
	stats before_none
	./costs repeat nothing $REPEAT
	stats after_none
	for name in $COSTS; do
		stats "before_$name"
		./costs repeat "$name" $REPEAT
		stats "after_$name"
	done
	echo "bench repeat $REPEAT"
}

# The shell itself writes: nothing is started in between but hvctl.
exits_of_hotplug()
{
	stats before_none
	stats after_none
	stats before_offline
	echo 0 >$CPU1
	stats after_offline
	stats before_online
	echo 1 >$CPU1
	stats after_online
	echo "bench repeat 1"
}

hotplug()
{
	./costs warm_up offline online >/dev/null
	for turn in 1 2 3; do
		./costs native offline online
		insmod latch.ko
		./costs latch offline online
		if [ $turn = 3 ]; then
			exits_of_hotplug
		fi
		rmmod latch
	done
}

# With guard enforced: the workload, and a module that comes and goes
guarded()
{
	module plain
	./hvctl app enable guard
	./hvctl guard enforce
	work guarded
	module guarded
	./hvctl guard off
	./hvctl app disable guard
}

# Best of a few: loading waits for other CPUs and for RCU
module()
{
	for i in 1 2 3; do
		start=$(./workload ticks)
		insmod latch_probe.ko
		rmmod latch_probe
		echo "bench module_$1 $(($(./workload ticks) - start))"
	done
}

if [ "$1" = hotplug ]; then
	hotplug
	exit
fi

work warm_up >/dev/null
costs warm_up >/dev/null
for turn in 1 2 3; do
	work native
	costs native
	timed insmod latch.ko
	work latch
	costs latch
	guarded
	timed rmmod latch
done
insmod latch.ko
stats before_work
work again >/dev/null
stats after_work
exits_of_costs
sleep 1
stats before_idle
sleep $IDLE
stats after_idle
echo "bench idle_seconds $IDLE"
printf 'status %s\n' "$(./hvctl status --json | tr -d '\n')"
rmmod latch
