#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# PALs of ordinary programs, 64-bit and 32-bit: they compute what they should, and
# nobody gets at what is in them.
. ./lib.sh

: "${ROUNDS:=100}"
ktap_begin pal

dies_of_segv()
{
	./"$1" "$2" >/tmp/attack.out 2>&1
	attack_status=$?
	cat /tmp/attack.out
	echo "exit status $attack_status"
	[ $attack_status = 139 ]
}

is_logged()
{
	./hvctl log | tail -n 3 | tee /tmp/logged
	grep -q "$1" /tmp/logged
}

start_holder()
{
	rm -f /tmp/to /tmp/from
	mkfifo /tmp/to /tmp/from
	./"$1" hold </tmp/to >/tmp/from &
	holder=$!
	exec 8>/tmp/to 9</tmp/from
	read -r address <&9
	echo "process $holder, secret at $address"
	[ -n "$address" ]
}

holder_is_safe()
{
	echo >&8
	read -r answer <&9
	echo "$answer"
	[ "$answer" = "safe, 0" ]
}

stop_holder()
{
	exec 8>&- 9<&-
	wait $holder
}

mem_at()
{
	dd if="/proc/$holder/mem" bs=1 count=4 skip=$((address)) 2>/dev/null | hexdump -v -e '1/4 "%08x"'
}

proc_mem_reads_zeros()
{
	seen=$(mem_at)
	echo "/proc/$holder/mem: $seen"
	[ "$seen" = 00000000 ]
}

proc_mem_writes_nothing()
{
	printf ABCD | dd of="/proc/$holder/mem" bs=1 seek=$((address)) conv=notrunc 2>/dev/null
	holder_is_safe
}

killed_at_random()
{
	for i in $(seq "$1"); do
		./"$2" spin &
		victim=$!
		usleep $((i * 37 % 20 * 10000))
		kill -9 $victim
		wait $victim
	done
	[ "$(./hvctl app disable pal 2>&1)" = "" ] && ./hvctl app enable pal
}

pool_free()
{
	./hvctl status --json | json_value pool_free
}

pages_come_back()
{
	before=$(pool_free)
	./pal times 20 && echo "$before free" && [ "$(pool_free)" = "$before" ]
}

# Linux says so of each process that dies of a #GP: that is the test.
echo 0 >/proc/sys/debug/exception-trace
check "without Latch: a clear error" eval './pal demo; [ $? = 19 ]'
check "it loads" latch_load
check "pal is off: a clear error" eval './pal demo; [ $? = 38 ]'
check "it is switched on" ./hvctl app enable pal
for pal in pal pal32; do
	check "$pal: $ROUNDS rounds as outside of it" ./$pal demo "$ROUNDS"
	check "$pal: in four threads" ./$pal threads "$((ROUNDS / 4))"
	check "$pal: registered and unregistered $ROUNDS times" ./$pal times "$ROUNDS"
	check "$pal: a child has nothing of it" ./$pal fork
	for attack in beside inner outside system-call code return; do
		check "$pal: $attack: SIGSEGV" dies_of_segv $pal $attack
	done
	check "$pal: a secret is kept" start_holder $pal
	check "$pal: it is safe" holder_is_safe
	check "$pal: /proc/PID/mem reads zeros" proc_mem_reads_zeros
	check "$pal: /proc/PID/mem writes nothing" proc_mem_writes_nothing
	check "$pal: in the log" is_logged 'a private page at RIP'
	check "$pal: Latch cannot be unloaded" eval '! rmmod latch'
	check "$pal: the holder ends" stop_holder
	check "$pal: killed in the middle of it, 20 times" killed_at_random 20 $pal
done
check "the pool has all its pages again" pages_come_back
check "it is switched off" ./hvctl app disable pal
check "it unloads" latch_unload
ktap_end
