#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `make demo` shows, inside of the VM.
set -u

if [ -t 1 ] || [ -n "${VMRUN_COLOR-}" ]; then
	bold=$'\e[1m' plain=$'\e[0m'
else
	bold='' plain=''
fi

# title TEXT
title()
{
	printf '\n%s== %s%s\n' "$bold" "$1" "$plain"
}

# show COMMAND...: as a person would type it
show()
{
	printf '%s# %s%s\n' "$bold" "$*" "$plain"
	"$@"
	local status=$?
	[ $status -eq 0 ] || failures=$((failures + 1))
}

workload()
{
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		/bin/true
		head -c 100000 /dev/urandom | sha256sum >/dev/null
	done
}

failures=0
. /etc/os-release
title "A running system: $PRETTY_NAME, Linux $(uname -r), $(nproc) CPUs"
show uptime
show modprobe msr
printf '%s# hvctl check | tail -n 1%s\n' "$bold" "$plain"
hvctl check | tail -n 1

title "Load Latch: each CPU goes under the hypervisor, in place"
show insmod latch.ko
dmesg | grep 'latch: .*under Latch' | tail -n 1
show hvctl status

title "A hypercall and back, CPU by CPU"
show hvctl ping

title "VM exits, before and after a small workload"
show hvctl stats
echo "... 20 processes, 1 MB of random numbers hashed ..."
workload
show hvctl stats
echo "CPUID and VMCALL exit because the architecture says so. Interrupts, timers,"
echo "system calls, page faults and I/O did not."

title "What core wrote to its log"
show hvctl log

title "Unload: the CPUs are native again"
show rmmod latch
dmesg | grep 'latch: all CPUs' | tail -n 1
printf '%s# hvctl status%s\n' "$bold" "$plain"
hvctl status
[ $? -eq 1 ] || failures=$((failures + 1))
show uptime
if dmesg | grep -qE 'BUG:|Oops|WARNING:'; then
	echo "The kernel has complained:"
	dmesg | grep -E -A5 'BUG:|Oops|WARNING:'
	failures=$((failures + 1))
fi
[ $failures -eq 0 ] && title "Done" || title "$failures commands failed"
exit $((failures > 0))
