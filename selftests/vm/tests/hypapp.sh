#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Hypapps from Linux: the list, on and off while programs call, the parameter.
. ./lib.sh

: "${ROUNDS:=100}"
ktap_begin hypapp

state_of()
{
	./hvctl app list | awk -v name="$1" '$1 == name { print $3 }'
}

is()
{
	echo "$1 is $(state_of "$1")"
	[ "$(state_of "$1")" = "$2" ]
}

refused_with()
{
	./hvctl app "$2" "$3" 2>/tmp/err && return 1
	cat /tmp/err
	grep -q "$1" /tmp/err
}

on_and_off()
{
	./hello loop >/tmp/hello.out &
	caller=$!
	for i in $(seq "$ROUNDS"); do
		./hvctl app enable hello && ./hvctl app disable hello || return
	done
	kill $caller
	wait $caller
	caller_status=$?
	cat /tmp/hello.out
	[ $caller_status = 0 ]
}

unknown_is_refused()
{
	latch_load apps=hello,nobody
	[ $? = 22 ] && latch_messages | grep 'there is no hypapp nobody' && ! latch_is_loaded
}

check "without Latch: a clear error" eval './hello once; [ $? = 19 ]'
check "it loads" latch_load
check "hello is off" is hello off
check "a call of a hypapp that is off" eval './hello once; [ $? = 38 ]'
check "it is switched on" eval './hvctl app enable hello && is hello on'
check "a program is greeted" ./hello once
check "a 32-bit program is greeted" ./hello32 once
check "one that does not exist is refused" refused_with "no hypapp 'nobody'" enable nobody
check "it is switched off" eval './hvctl app disable hello && is hello off'
check "$ROUNDS times on and off while a program calls" on_and_off
check "it unloads" latch_unload
check "it loads with apps=hello" latch_load apps=hello
check "hello is on" is hello on
check "it unloads with a hypapp on" latch_unload
log_mark
check "an unknown name in apps= is refused" unknown_is_refused
ktap_end
