#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In the VM: the workload natively and under Latch, turn by turn; exits while it
# runs and while the system is idle. Lines "bench NAME VALUE" for run.
set -eu

IDLE=5

work()
{
	./workload | sed "s/^workload \([0-9]*\) .*/bench workload_$1 \1/"
}

stats()
{
	printf 'stats_%s %s\n' "$1" "$(./hvctl stats --json --all | tr -d '\n')"
}

# timed COMMAND...: in ticks, the start of the command included
timed()
{
	start=$(./workload ticks)
	"$@"
	echo "bench ${1}_ticks $(($(./workload ticks) - start))"
}

work warm_up >/dev/null
for turn in 1 2 3; do
	work native
	timed insmod latch.ko
	work latch
	timed rmmod latch
done
insmod latch.ko
stats before_work
work again >/dev/null
stats after_work
sleep 1
stats before_idle
sleep $IDLE
stats after_idle
echo "bench idle_seconds $IDLE"
printf 'status %s\n' "$(./hvctl status --json | tr -d '\n')"
rmmod latch
