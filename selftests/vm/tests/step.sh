#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Debug exceptions around instructions that exit: the same traps, natively and
# under Latch.
. ./lib.sh

ktap_begin step
breakpoints=
if [ "$CPUS" = 1 ] || [ "$VMRUN_BACKEND" != bochs ]; then
	breakpoints=--breakpoints
fi

same_traps()
{
	./step $breakpoints >/tmp/latch.txt || return
	[ -s /tmp/native.txt ] && diff /tmp/native.txt /tmp/latch.txt
}

native_traps()
{
	./step $breakpoints >/tmp/native.txt
	cat /tmp/native.txt
	[ "$(grep -c '^  +' /tmp/native.txt)" -gt 60 ] && ! grep -q 'ended with' /tmp/native.txt
}

# VMCALL is 3 bytes, MOV 5: each one is followed by its trap.
vmcall_traps()
{
	./step --vmcall >/tmp/vmcall.txt
	cat /tmp/vmcall.txt
	[ "$(sed -n 's/^  +\([0-9]*\) signal 5 code 2 dr6 4000$/\1/p' /tmp/vmcall.txt | tr '\n' ' ')" = "5 8 13 16 17 " ]
}

check "the traps natively" native_traps
latch_load
check "the same traps under Latch" same_traps
check "a step over VMCALL traps behind it" vmcall_traps
check "work under a debugger" ./work -t 2 -n 2 step cpuid
latch_unload
check "the same traps natively again" same_traps
ktap_end
