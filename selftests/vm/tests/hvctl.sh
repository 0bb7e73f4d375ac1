#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# hvctl against the real device, with and without it: each command, JSON, exit
# statuses, messages. VERDICT is what check must say: yes, no or tcg.
. ./lib.sh

: "${VERDICT:=yes}"
ktap_begin hvctl

# says STATUS REGEX ARG...: hvctl ends with STATUS and its output matches
says()
{
	want=$1 regex=$2
	shift 2
	./hvctl "$@" >/tmp/hvctl.out 2>/tmp/hvctl.err </dev/null
	got=$?
	if [ $got != "$want" ] || ! cat /tmp/hvctl.out /tmp/hvctl.err | grep -Eq -- "$regex"; then
		echo "hvctl $*: status $got, wanted $want and $regex"
		cat /tmp/hvctl.out /tmp/hvctl.err
		return 1
	fi
	if [ ! -s /tmp/hvctl.out ]; then
		[ $got != 0 ]
		return
	fi
	# a mistake in the JSON would not be seen by the status
	case " $* " in
	*" --json "*" --watch "* | *" --watch "*" --json "*) ./json-check -l </tmp/hvctl.out ;;
	*" --json "*) ./json-check </tmp/hvctl.out ;;
	esac
}

says_check()
{
	case $VERDICT in
	yes) says 0 'can be loaded' check && says 0 '"verdict": "yes"' check --json ;;
	no) says 1 'cannot be loaded.*' check && says 1 '"verdict": "no"' check --json ;;
	esac
	says_status=$?
	cat /tmp/hvctl.out
	return $says_status
}

names_what_is_missing()
{
	says 1 "cannot be loaded: .*$MISSING" check
}

check "help" says 0 'Usage: hvctl' --help
for command in status check stats log ping version; do
	check "help of $command" says 0 "Usage: hvctl $command" $command --help
	check "$command refuses an unknown option" says 2 . $command --nonsense
	check "$command refuses an operand" says 2 . $command operand
done
check "an unknown command" says 2 "unknown command" nonsense
check "no command" says 2 . 

# Without the module
for command in status stats log ping; do
	check "$command without Latch" says 1 'not loaded|no Latch|insmod|modprobe|/dev/latch' $command
	check "$command --json without Latch" says 1 . $command --json
done
check "version without Latch" says 0 'hvctl' version
check "version --json without Latch" says 0 'hvctl' version --json
if [ "$VERDICT" = yes ]; then
	check "check cannot tell without the MSRs" says 3 'may or may not' check
fi
modprobe msr
check "check knows, with them" says_check
if [ "$VERDICT" != yes ]; then
	check "check names what is missing" names_what_is_missing
	ktap_end
fi

# With it
latch_load
last=$((CPUS - 1))
everyone=0-$last
[ "$CPUS" != 1 ] || everyone=0

counts_cpus()
{
	says 0 '"loaded": true' status --json && [ "$(json_value guest </tmp/hvctl.out)" = "$everyone" ] &&
		[ "$(json_value guest_count </tmp/hvctl.out)" = "$CPUS" ]
}

stats_have_each_cpu()
{
	says 0 'VMCALL' stats && for cpu in $(seq 0 $last); do
		grep -q "CPU $cpu" /tmp/hvctl.out || return
	done
}

ping_each_cpu()
{
	says 0 . ping --json --count 10 && [ "$(grep -c '"cpu":' /tmp/hvctl.out)" = "$CPUS" ]
}

watch_twice()
{
	says 0 . stats --watch 0.2 --count 2 --json && [ "$(wc -l </tmp/hvctl.out)" = 2 ]
}

check "status" says 0 "CPUs under it +$CPUS \\($everyone\\)" status
check "status --json counts the CPUs" counts_cpus
check "stats has each CPU" stats_have_each_cpu
check "stats --json" says 0 '"vmcall"' stats --json
check "stats --all" says 0 'XSETBV' stats --all
check "stats of one CPU" says 0 'CPU 0' stats --cpu 0
check "stats of a CPU that there is not" says 1 . stats --cpu 200
check "stats of no CPU list" says 2 . stats --cpu x
check "stats --watch" watch_twice
check "log" says 0 "core .*: $CPUS CPUs" log
check "log --json" says 0 '"text"' log --json
check "log --level" says 0 "core .*: $CPUS CPUs" log --level info
check "ping on each CPU" ping_each_cpu
check "ping on one" says 0 . ping --cpu $last --count 7
check "ping on a CPU that there is not" says 1 . ping --cpu 200
check "ping no times" says 2 . ping --count 0
check "version has core's" says 0 'core +[0-9]+\.[0-9]+\.[0-9]+' version
check "version --json" says 0 '"core"' version --json
check "check says that it is loaded" says 0 'is loaded' check
check "check --json says so too" says 0 '"verdict": "loaded"' check --json
latch_unload
check "status after unload" says 1 'not loaded' status
ktap_end
