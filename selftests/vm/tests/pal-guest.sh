#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# In a VM on top of Latch, see kvm-pal.sh: its programs have PALs, of the Latch below. Its
# kernel and its hypervisor's get nothing of them. With "spin" only one that never ends.
. ./lib.sh
. ./pal-lib.sh

: "${ROUNDS:=20}"
# What a write to a private page was stays there for a while, for the VM, but not for the PAL.
UNSEEN="safe, \(0\|0x41414141\)"

loads_as_guest()
{
	latch_load guest=1 && [ -c /dev/latch-call ] && [ ! -e /dev/latch ]
}

# Where the holder's secret is, for who looks from outside
physical()
{
	dd if=/proc/$holder/pagemap bs=8 skip=$((address / 4096)) count=1 2>/dev/null |
		hexdump -v -e '1/4 "0x%08x "' >/tmp/pagemap
	read -r low high </tmp/pagemap
	echo $((((high & 0x7fffff) << 32 | low) * 4096 + address % 4096))
}

# shown KIND ANSWER: its hypervisor has time to look, and to write
shown()
{
	echo "secret $1 $(physical)"
	sleep 3
	check "$1: then it is $2" answer_is "$2"
}

killed_at_random()
{
	kill_at_random "$1" "$2"
	./$2 times 1
}

spin()
{
	wait_for 60 loads_as_guest
	./pal spin &
	sleep 1
	echo "it spins"
	wait $!
	echo "it ends: $?"
	until ./pal times 1; do
		sleep 1
	done
	./pal spin &
	sleep 1
	echo "it spins again"
	wait
}

echo 0 >/proc/sys/debug/exception-trace
if [ "$1" = spin ]; then
	spin
	exit
fi
ktap_begin pal-guest
check "without the module: a clear error" eval './pal demo; [ $? = 19 ]'
check "the module loads, for a guest" wait_for 60 loads_as_guest
for pal in pal pal32; do
	check_work $pal "$ROUNDS" "$ROUNDS"
	check "$pal: a secret is kept" start_holder $pal
	check "$pal: /proc/PID/mem reads zeros" sees 0 read_proc_mem
	check "$pal: a debugger reads zeros" sees 0 ./$pal peek $holder $address
	check "$pal: it is written to" write_proc_mem
	check "$pal: it is safe" answer_is "$UNSEEN"
	check "$pal: the module cannot be unloaded" eval '! rmmod latch'
	shown $pal "$UNSEEN"
	stop_holder
	check_services $pal
	check "$pal: killed in the middle of it, 10 times" killed_at_random 10 $pal
done
# It says so, and is registered as an ordinary one: those calls are by exits.
check "palfast: calls, by exits" eval './palfast calls 200 | tee /tmp/fast; grep -q "200 of 200 .*by exit" /tmp/fast'
check "palfast: in four threads" ./palfast threads 50
check "a secret that is not in a PAL" start_holder pal plain
shown plain "CHANGED, 0x41414141"
stop_holder
check "the module unloads" latch_unload
check "it loads again" loads_as_guest
check "a PAL is there when the machine is switched off" start_holder pal
ktap_end
