#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's own selftests, first without Latch and then under it, in one boot:
# what they say the second time is what they said the first time. A program that
# fails without Latch must fail under it in the same way.
#
# ONLY='sig*' runs those whose names match; LATCH=0 has no Latch the second time,
# which shows what varies by itself; LIMIT is what one program may take, in seconds.
# GUARD=audit: with guard on, which must see nothing wrong.
. ./lib.sh

: "${LATCH:=1}" "${LIMIT:=30}" "${ONLY:=*}"
TESTS=./kselftests
# step_after_suspend_test	sleeps until the RTC's alarm, which does not end a
#				sleep of this machine (suspend.sh is about sleep)
# syscall_numbering_64		takes a minute, and is about numbers in the kernel only
LEFT_OUT='complete step_after_suspend_test syscall_numbering_64'
ktap_begin kselftest

programs()
{
	for path in $TESTS/*; do
		name=${path##*/}
		case " $LEFT_OUT " in
		*" $name "*) continue ;;
		esac
		# shellcheck disable=SC2254
		case $name in
		$ONLY) echo "$name" ;;
		esac
	done
}

# Everything that the VM's init starts may use all I/O ports, which ioperm must not
# have to begin with. What the kernel itself starts for a core dump may not.
without_ports()
{
	cat >/tmp/start <<-END
		#!/bin/sh
		cat >/dev/null
		cd $PWD
		PATH=$PATH sh /tmp/started >/tmp/started.out 2>&1
		echo done >/tmp/started.end
	END
	chmod +x /tmp/start
	rm -f /tmp/started.end
	pattern=$(cat /proc/sys/kernel/core_pattern)
	echo '|/tmp/start' >/proc/sys/kernel/core_pattern
	sh -c 'kill -SEGV $$' 2>/dev/null
	echo "$pattern" >/proc/sys/kernel/core_pattern
	wait_for $((LIMIT * 60)) test -e /tmp/started.end
}

# Addresses, process numbers and times differ from one run to the next; the offset
# in a page does not.
normalise()
{
	sed -E -e 's/\b(0x)*[0-9a-f]{4,13}([0-9a-f]{3})\b/ADDRESS\2/g' \
		-e "s/^pid [0-9]+'s/pid N's/" -e 's/NR = [0-9]{3,}/NR = N/' \
		-e 's/(time offsets:).*/\1 N/'
}

# Each program's output and status, as a file in /tmp/$1.
run_all()
{
	mkdir -p /tmp/$1 /tmp/status
	echo 1 >/sys/kernel/debug/clear_warn_once
	log_mark
	cat >/tmp/started <<-END
		for name in $(programs | tr '\n' ' '); do
			case \$name in
			*.sh) program="./bash $TESTS/\$name -a" ;;
			*) program=$TESTS/\$name ;;
			esac
			timeout -s KILL $LIMIT \$program </dev/null >>/tmp/$1/\$name 2>&1
			echo "exit status \$?" >/tmp/status/\$name
		done
	END
	without_ports && [ ! -s /tmp/started.out ]
	run_status=$?
	cat /tmp/started.out
	# not at once: children of a program may say more after its end
	for name in $(programs); do
		normalise </tmp/$1/$name >/tmp/normal
		cat /tmp/normal /tmp/status/$name >/tmp/$1/$name
		rm /tmp/status/$name
	done
	log_new >/tmp/$1.log
	return $run_status
}

is_as_natively()
{
	grep -E '^exit status [^0]|\[FAIL\]|^not ok' /tmp/native/$1 | sed 's/^/natively: /'
	[ -s /tmp/native/$1 ] && diff -U 5 /tmp/native/$1 /tmp/latch/$1
}

# What log_is_clean finds, without numbers: some of the programs provoke such
# messages, and the test bed has its own.
complaints()
(
	log_file=/tmp/$1.log
	log_new() { cat $log_file; }
	log_is_clean | normalise |
		sed -E 's/\[[0-9]+\]/[N]/; s/(CPU|PID): [0-9]+/\1: N/g; s/ADDRESS.../ADDRESS/g' | sort -u
)

logs_are_alike()
{
	complaints native >/tmp/complaints.native
	complaints latch >/tmp/complaints.latch
	sed 's/^/natively: /' /tmp/complaints.native
	diff -U 5 /tmp/complaints.native /tmp/complaints.latch
}

check "without Latch" run_all native
if [ "$LATCH" = 1 ]; then
	check "load" latch_load
	[ -z "$GUARD" ] || check "guard is on" guard_is_on
fi
check "under Latch" run_all latch
if [ "$LATCH" = 1 ]; then
	check "all CPUs are still under it" all_cpus_are_under_latch
fi
for program in $(programs); do
	check "$program" is_as_natively "$program"
done
check "the kernel's log is like that without Latch" logs_are_alike
log_mark
if [ "$LATCH" = 1 ]; then
	[ -z "$GUARD" ] || check "guard has seen nothing" guard_has_seen_nothing
	check "unload" latch_unload
fi
ktap_end
