#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# On a machine that lacks what Latch needs, it refuses to load: errno ERRNO, one
# line of the log that matches REASON, and nothing has changed.
. ./lib.sh

ktap_begin refuse

is_refused()
{
	log_mark
	latch_load
	load_status=$?
	latch_messages >/tmp/message
	cat /tmp/message
	[ $load_status = 0 ] && latch_unload
	[ $load_status = "$ERRNO" ] && [ "$(wc -l </tmp/message)" = 1 ] &&
		grep -Eq "^latch: not loaded: CPU [0-9]+: step features: $REASON" /tmp/message
}

all_is_as_before()
{
	registers_are_as_before && ! latch_is_loaded && [ ! -e /dev/latch ]
}

probe_load
registers_save plain
check "it is refused, with the reason" is_refused
check "and again" is_refused
check "all is as before" all_is_as_before
check "Linux goes on" ./work -t 1 fork timer
probe_unload
log_mark
ktap_end
