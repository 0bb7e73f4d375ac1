#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# PALs of programs in a VM of Debian's own KVM, on top of Latch. The VM runs pal-guest.sh;
# here its memory is granted, looked at and written to, and taken away while they run.
LATCH=1
. ./lib.sh
. ./kvm-lib.sh

: "${GUEST_CPUS:=2}" "${GUEST_MEM:=128}" "${LIMIT:=400}" "${VERBOSE:=}"

# vm COMMAND: a VM that runs it
vm()
{
	set -- -c $GUEST_CPUS -m $GUEST_MEM -t $LIMIT -x "$1"
	for name in *.sh latch.ko load-module pal pal32 palfast; do
		set -- "$@" -f $name
	done
	exec ./kvm-boot $VERBOSE "$@" vmlinuz "$QUICK"
}

# --- what its hypervisor can do, by the VM's physical address

read_vm()
{
	dd if=/proc/$part_pid/mem bs=1 count=4 skip=$((memory + $1)) 2>/dev/null |
		hexdump -v -e '1/4 "%x\n"'
}

write_vm()
{
	printf AAAA | dd of=/proc/$part_pid/mem bs=1 seek=$((memory + $1)) conv=notrunc 2>/dev/null
}

pals()
{
	./hvctl pal --json | grep -c '"state"'
}

pals_are()
{
	[ "$(pals)" = "$1" ]
}

# grant PID: in the background
grant()
{
	./hvctl pal grant "$1" >/tmp/grant 2>&1 &
	grant_pid=$!
	wait_for 60 grep -q granted /tmp/grant
	grant_status=$?
	cat /tmp/grant
	return $grant_status
}

# refused MESSAGE PID...
refused()
{
	refused_why=$1
	shift
	./hvctl pal grant "$@" >/tmp/refused 2>&1
	refused_status=$?
	cat /tmp/refused
	[ $refused_status = 1 ] && grep -q "$refused_why" /tmp/refused
}

# Pages of 4 KiB that are pinned, as Linux shows it for the process
pinned_pages()
{
	pinned=$(sed -n 's/^VmPin:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
	echo "$pinned kB are pinned"
	[ "$((pinned))" -ge $((GUEST_MEM * 1024)) ]
}

# How it ends by itself, or interrupted
grant_ends()
{
	wait $grant_pid
	grant_status=$?
	cat /tmp/grant
	return $grant_status
}

# looks_at KIND ADDRESS: what it sees there it says later, as the VM's test is not over
looks_at()
{
	read_vm $2 >/tmp/seen.$1
	write_vm $2 && echo "written to $2" >>/tmp/seen.$1
}

saw()
{
	cat /tmp/seen.$1
	[ "$(head -n 1 /tmp/seen.$1)" = $2 ] && grep -q written /tmp/seen.$1
}

# What the VM's test says: "secret KIND PHYSICAL-ADDRESS"
part_says()
{
	set -- $1
	case "$1 $2 $3" in
	"# memory at")
		memory=$4
		check "its memory is granted" grant $part_pid
		check "and pinned" pinned_pages $part_pid
		check "not twice" refused "granted already" $part_pid
		;;
	"secret "*)
		looks_at $2 $3
		;;
	esac
}

# --- a VM that does not end by itself: the output is in a file

vm_says()
{
	wait_for 200 grep -q "$1" /tmp/vm
	said=$?
	tail -n 5 /tmp/vm
	return $said
}

start_spinning()
{
	vm "sh pal-guest.sh spin" >/tmp/vm 2>&1 &
	part_pid=$!
	wait_for 10 grep -q "memory at" /tmp/vm && grant $part_pid && vm_says "it spins" &&
		wait_for 10 pals_are 1
}

interrupt_grant()
{
	kill $grant_pid
	grant_ends && pals_are 0 && vm_says "it ends: 139"
}

kill_vm()
{
	kill -9 $part_pid
	wait $part_pid
	grant_ends && pals_are 0
}

pages_are_back()
{
	echo "$pool_before, $(pool_free) free"
	[ "$(pool_free)" = "$pool_before" ]
}

# Linux says so of each process that dies of a #GP: that is the test.
echo 0 >/proc/sys/debug/exception-trace
kvm_begin kvm-pal
heap=$(sed -n '/\[heap\]/s/ .*//p' /proc/$$/maps)
check "pal is off: a clear error" refused "hvctl app enable pal" $$ "$heap"
check "it is switched on" ./hvctl app enable pal
check "a process that is none: a clear error" refused "no process 4000000" 4000000
check "without a VM's memory: a clear error" refused "no private anonymous memory" $$
pool_before=$(pool_free)
ktap_part vm "sh pal-guest.sh"
check "its memory is not hidden, but for PALs" saw plain 5ec2e7
check "a secret in a PAL is zeros" saw pal 0
check "a secret in a 32-bit PAL is zeros" saw pal32 0
check "with the VM the grant ends" grant_ends
check "nothing is left of its PALs" pals_are 0
check "the pool has all its pages again" pages_are_back
check "a VM's PAL spins" start_spinning
check "the grant is interrupted: the PAL ends" interrupt_grant
check "granted again" grant $part_pid
check "it spins again" eval 'vm_says "it spins again" && wait_for 10 pals_are 1'
check "the VM is killed: the PAL ends" kill_vm
check "the pool has all its pages again" pages_are_back
check "it is switched off" ./hvctl app disable pal
kvm_end
