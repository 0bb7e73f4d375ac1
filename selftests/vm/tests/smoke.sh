#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Is the machine what vmrun was asked for? If not, no other result counts.
#
# The functions are called by check().
# shellcheck disable=SC2317

number=0
failed=0

# check NAME COMMAND...
check()
{
	number=$((number + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		failed=1
	fi
}

cpus_are_online()
{
	online=$(grep -c '^processor' /proc/cpuinfo)
	echo "# $online CPUs online, $VMRUN_CPUS asked for"
	[ "$online" -eq "$VMRUN_CPUS" ]
}

# Emulation by QEMU has no VMX; each other backend is there because it has it.
vmx_is_there_or_not()
{
	if grep -qw vmx /proc/cpuinfo; then vmx=yes; else vmx=no; fi
	echo "# VMX: $vmx, backend $VMRUN_BACKEND, model $VMRUN_MODEL"
	case $VMRUN_BACKEND in
	qemu-tcg) [ "$vmx" = no ] ;;
	*) [ "$vmx" = yes ] ;;
	esac
}

# Bit 10 of IA32_APIC_BASE shows as "x2apic enabled" in the kernel's log.
apic_is_in_the_mode()
{
	mode=xapic
	if dmesg | grep -q 'x2apic enabled\|Switched APIC routing to.*x2apic'; then
		mode=x2apic
	fi
	echo "# APIC: $mode, asked for $VMRUN_APIC"
	[ "$mode" = "$VMRUN_APIC" ]
}

kernel_is_untroubled()
{
	! dmesg | grep -E 'BUG:|Oops|WARNING: CPU|Call Trace' | sed 's/^/# /' | grep .
}

echo "KTAP version 1"
echo "1..4"
check "all CPUs are online" cpus_are_online
check "VMX is there where it must be" vmx_is_there_or_not
check "the APIC is in the mode that was asked for" apic_is_in_the_mode
check "the kernel's log has no warning" kernel_is_untroubled
exit $failed
