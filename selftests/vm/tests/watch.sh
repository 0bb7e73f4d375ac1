#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# watch: accesses to the kernel's and to a process's memory are told, with who and what.
. ./lib.sh
. ./pal-lib.sh

: "${ROUNDS:=200}"
ktap_begin watch

refused_with()
{
	refused_why=$1
	shift
	./hvctl watch "$@" 2>/tmp/err && return 1
	cat /tmp/err
	grep -q "$refused_why" /tmp/err
}

events()
{
	./hvctl log | grep -c ' watch '
}

hits()
{
	./hvctl watch list --json | json_value hits
}

# A file that a shell writes: the kernel's handler stores what it says
one_write()
{
	before=$(cat /proc/sys/kernel/panic)
	echo 77 >/proc/sys/kernel/panic
	rm -f /tmp/events
	./hvctl watch follow --all --json >/tmp/events &
	follower=$!
	# Before the first event it reads all symbols.
	for i in $(seq 60); do
		[ -s /tmp/events ] && break
		sleep 1
	done
	kill -TERM $follower
	wait $follower
	echo "$before" >/proc/sys/kernel/panic
	cat /tmp/events
	grep '"access": *"w"' /tmp/events | grep '"after": *"0x4d"' | grep '"comm": *"sh' | grep -q '"symbol": *"'
}

count_writes()
{
	start=$(hits)
	for i in $(seq "$ROUNDS"); do
		echo 5 >/proc/sys/kernel/panic
	done
	echo "$(($(hits) - start)) hits for $ROUNDS writes"
	[ $(($(hits) - start)) = "$ROUNDS" ]
}

# Another process reads it, by a way that no debug register of its CPU sees
process_read()
{
	start=$(hits)
	dd if="/proc/$holder/mem" bs=4 count=1 skip=$((address / 4)) 2>/dev/null | hexdump
	./hvctl log | tail -n 3
	[ "$(hits)" -gt "$start" ] && ./hvctl log | tail -n 1 | grep ' dd$'
}

check "it loads" latch_load
check "the hypapp is off" refused_with "hvctl app enable watch" add panic_timeout 4 w
check "it is switched on" ./hvctl app enable watch
check "nothing is watched" eval '! ./hvctl watch list --json | grep \"id\"'
check "no such symbol" refused_with no_such_symbol add no_such_symbol 4 w
check "no such access" eval './hvctl watch add panic_timeout 4 q; [ $? = 2 ]'
check "an address that is not mapped" refused_with "mapped" add 0xffff800000000000 4 w
check "a process's address without the process" refused_with "pid" add 0x400000 4 w
check "no such process" refused_with "process" add --pid 99999 0x400000 4 w
check "a variable of the kernel is watched" ./hvctl watch add panic_timeout 4 w
check "it is in the list" eval './hvctl watch list | tee /dev/stderr | grep panic_timeout'
check "a write is told: who, where, what" one_write
check "$ROUNDS writes are $ROUNDS hits" count_writes
check "the hypapp is in use" eval '! ./hvctl app disable watch'
check "it is deleted" ./hvctl watch del all
check "nothing is told any more" eval 'n=$(events); echo 5 >/proc/sys/kernel/panic; [ "$(events)" = "$n" ]'
check "a process" start_holder pal plain
check "its memory is watched" ./hvctl watch add --pid $holder $address 4 r
check "another process's read of it is told" process_read
check "deleted" ./hvctl watch del all
check "the process ends" stop_holder
check "the kernel's text is watched" ./hvctl watch add panic_timeout 4 rwx
check "it unloads in the middle of that" latch_unload
check "and the variable is as it was" eval '[ "$(cat /proc/sys/kernel/panic)" = 5 ]'
ktap_end
