#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Load and unload CYCLES times: each leaves the registers of all CPUs as they
# were, and in the end no memory is missing.
. ./lib.sh

: "${CYCLES:=20}"
ktap_begin load-unload
probe_load
warm_up=$(((CYCLES + 9) / 10))
batch=$((CYCLES - warm_up))
total=$CYCLES

# In the first cycles Linux allocates what it then keeps.
cycle()
{
	latch_load && grep -q '^latch ' /proc/modules && latch_unload && registers_are_as_before
}

cycles()
{
	done=0
	while [ $done -lt "$1" ]; do
		if ! cycle; then
			echo "in cycle $done"
			return 1
		fi
		done=$((done + 1))
	done
}

# Linux itself keeps some memory now and then; what Latch loses it loses in each
# cycle. So that is shown by none of a few batches being without a loss.
no_memory_is_missing()
{
	# A page in each cycle must show.
	limit=$((2 * batch))
	[ $limit -gt 64 ] || limit=64
	for try in 1 2 3 4; do
		after=$(mem_free_kb)
		lost=$((before - after))
		echo "$lost kB less free after $batch cycles, $limit are too many"
		[ $lost -ge $limit ] || return 0
		before=$after
		[ $try = 4 ] || cycles $batch || return
		total=$((total + batch))
	done
	return 1
}

nothing_is_left()
{
	! latch_is_loaded && [ ! -e /dev/latch ] &&
		! grep -q "^latch " /proc/modules && ! ls /sys/kernel/debug/latch 2>/dev/null
}

messages_are_in_pairs()
{
	loads=$(log_new | grep -c '^latch: .*: under Latch')
	unloads=$(log_new | grep -c 'latch: all CPUs are native again')
	echo "$loads loads, $unloads unloads"
	[ "$loads" = "$total" ] && [ "$unloads" = "$total" ] &&
		[ "$(latch_messages | wc -l)" = $((2 * total)) ]
}

check "registers of all CPUs are saved" registers_save
check "the first $warm_up cycles change no register" cycles $warm_up
before=$(mem_free_kb)
check "$batch more cycles change no register" cycles $batch
check "no memory is missing" no_memory_is_missing
check "nothing is left" nothing_is_left
check "two messages a cycle" messages_are_in_pairs
echo clean >$PROBE/control
probe_unload
ktap_end
