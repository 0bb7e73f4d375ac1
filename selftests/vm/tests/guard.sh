#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# guard: attacks on the kernel's text, tables and registers succeed without it, are told
# in audit mode, and fail when it is enforced; honest work goes on; lock is for good.
. ./lib.sh

: "${ROUNDS:=10}"
MEMORY="text rodata module-text page-table idt"
REGISTERS="cr0-wp cr4-smep cr4-smap lstar cstar sysenter efer idtr gdtr"
ktap_begin guard

# all_are WORD: each attack ends like that
all_are()
{
	cat $PROBE/guard >/tmp/attacks
	cat /tmp/attacks
	[ "$(wc -l </tmp/attacks)" -ge 12 ] && ! grep -qv " $1$" /tmp/attacks
}

counter()
{
	./hvctl guard status --json | json_value "$1"
}

# told: each attack has been counted, and each name is in the log
told()
{
	writes=$(counter writes)
	registers=$(counter registers)
	all_are "$1" || return
	memory_attacks=$(for name in $MEMORY; do grep "^$name " /tmp/attacks; done | wc -l)
	register_attacks=$(for name in $REGISTERS; do grep "^$name " /tmp/attacks; done | wc -l)
	echo "$(($(counter writes) - writes)) writes, $(($(counter registers) - registers)) registers"
	[ $(($(counter writes) - writes)) = "$memory_attacks" ] &&
		[ $(($(counter registers) - registers)) -ge "$register_attacks" ] &&
		for what in 'write to' CR0.WP LSTAR CSTAR SYSENTER_EIP EFER IDTR GDTR; do
			./hvctl log | grep "guard: $what" | grep "cat\[" || return
		done
}

nothing_false()
{
	writes=$(counter writes)
	registers=$(counter registers)
	"$@"
	work_status=$?
	echo "$(($(counter writes) - writes)) writes, $(($(counter registers) - registers)) registers"
	./hvctl log --level warn | tail -n 5
	[ $work_status = 0 ] && [ "$(counter writes)" = "$writes" ] &&
		[ "$(counter registers)" = "$registers" ]
}

# Static keys, of the kernel and of modules
patch_text()
{
	pokes=$(counter pokes)
	for i in $(seq "$ROUNDS"); do
		echo 1 >/proc/sys/kernel/sched_schedstats
		echo 0 >/proc/sys/kernel/sched_schedstats
	done
	echo "$(($(counter pokes) - pokes)) writes to text by the kernel"
	[ "$(counter pokes)" -gt "$pokes" ]
}

reload_module()
{
	for i in $(seq "$ROUNDS"); do
		rmmod latch_probe && insmod latch_probe.ko || return
	done
}

module_pages_follow()
{
	pages=$(counter module)
	rmmod latch_probe
	fewer=$(counter module)
	insmod latch_probe.ko
	echo "$pages pages of modules, $fewer without the probe, $(counter module)"
	[ "$fewer" -lt "$pages" ] && [ "$(counter module)" = "$pages" ]
}

cycle_cpu()
{
	[ "$CPUS" = 1 ] && return 0
	for i in $(seq "$ROUNDS"); do
		echo 0 >/sys/devices/system/cpu/cpu1/online && echo 1 >/sys/devices/system/cpu/cpu1/online || return
	done
	[ "$(counter cpus)" = "$CPUS" ]
}

refused()
{
	"$@" && return 1
	return 0
}

mode_is()
{
	counter mode
	[ "$(counter mode)" = "$1" ]
}

check "it loads" latch_load
check "the probe loads" insmod latch_probe.ko
check "guard is a hypapp that is off" eval './hvctl guard 2>&1 | grep "hvctl app enable guard"'
check "without it each attack is done" all_are "done"
check "it is switched on" eval './hvctl app enable guard && mode_is off'
check "with guard off each attack is done" all_are "done"
check "audit" eval './hvctl guard audit && mode_is audit'
check "each CPU is pinned" eval '[ "$(counter cpus)" = "$CPUS" ]'
check "text is patched" nothing_false patch_text
check "modules come and go" nothing_false reload_module
check "a CPU goes and comes" nothing_false cycle_cpu
check "audit: each attack is done, and told" told "done"
check "enforce" eval './hvctl guard enforce && mode_is enforce'
check "each attack is refused, and told" told refused
check "text is patched all the same" nothing_false patch_text
check "modules come and go" nothing_false reload_module
check "a module's pages are guarded while it is there" module_pages_follow
check "a CPU goes and comes" nothing_false cycle_cpu
check "each attack is refused on the CPU that came back" told refused
check "it cannot be switched off as a hypapp" refused ./hvctl app disable guard
check "off" eval './hvctl guard off && mode_is off'
check "each attack is done again" all_are "done"
check "the hypapp is switched off" ./hvctl app disable guard
check "it unloads" latch_unload
check "and loads with apps=guard" latch_load apps=guard
check "lock needs a word more" eval './hvctl guard lock; [ $? = 2 ]'
check "lock" eval './hvctl guard lock --yes && mode_is locked'
check "each attack is refused" told refused
check "off is refused" eval '! ./hvctl guard off 2>/tmp/err && cat /tmp/err && grep locked /tmp/err'
check "audit is refused" refused ./hvctl guard audit
check "it does not unload" refused rmmod latch
check "nor suspend" eval '! echo mem >/sys/power/state'
check "text is patched all the same" nothing_false patch_text
check "a CPU goes and comes" nothing_false cycle_cpu
check "it is locked still" mode_is locked
ktap_end
