#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# KVM's own selftests, of the kernel that runs. LATCH=1: on top of Latch, with the same
# verdicts. ONLY='vmx_*' runs those whose names match; LIMIT is what one may take, in
# seconds of the guest. "--list": their names.
#
# Each line of the list is a program and its arguments. Left out are those for AMD,
# Hyper-V and Xen, those that measure, and
# dirty_log_test		fills 1 GiB
# emulator_error_test		wants a smaller MAXPHYADDR
# mmio_warning_test		is for CPUs without unrestricted guest
# set_memory_region_test	makes 32764 slots, which takes minutes
# vmx_pmu_caps_test		wants a PMU
# vmx_preemption_timer_test	waits for 3.2 billion ticks of the TSC
programs()
{
	cat <<-END
		cpuid_test
		cr4_cpuid_sync_test
		debug_regs
		fix_hypercall_test
		get_msr_index_features
		kvm_binary_stats_test
		kvm_clock_test
		kvm_page_table_test -b 32M
		kvm_pv_test
		max_vcpuid_cap_test
		monitor_mwait_test
		nested_exceptions_test
		platform_info_test
		set_boot_cpu_id
		set_sregs_test
		smm_test
		state_test
		steal_time
		sync_regs_test
		system_counter_offset_test
		triple_fault_event_test
		tsc_msrs_test
		tsc_scaling_sync
		ucna_injection_test
		userspace_io_test
		userspace_msr_exit_test
		vmx_apic_access_test
		vmx_close_while_nested_test
		vmx_dirty_log_test
		vmx_exception_with_invalid_guest_state
		vmx_invalid_nested_guest_state
		vmx_msrs_test
		vmx_nested_tsc_scaling_test
		vmx_set_nested_state_test
		vmx_tsc_adjust_test
		xapic_ipi_test
		xapic_state_test
		xss_msr_test
	END
}

if [ "${1-}" = --list ]; then
	programs | awk '{ print $1 }'
	exit
fi

. ./lib.sh
. ./kvm-lib.sh

: "${LIMIT:=20}" "${ONLY:=*}"
SKIPPED=4

uptime()
{
	cut -d ' ' -f 1 /proc/uptime
}

# run_program NAME ARGUMENT...
run_program()
{
	begin=$(uptime)
	timeout -s KILL $LIMIT ./kvm-selftests/"$@" </dev/null >/tmp/program.out 2>&1
	program_status=$?
	echo "# $1: status $program_status, $(echo "$(uptime) - $begin" | bc) s"
	if [ $program_status = $SKIPPED ]; then
		skip "$1" "$(tail -n 1 /tmp/program.out)"
	else
		[ $program_status = 0 ] || sed 's/^/# /' /tmp/program.out | tail -n 15
		result $program_status "$1"
	fi
}

kvm_begin kvm-selftests
programs >/tmp/programs
while read -r name arguments <&3; do
	# shellcheck disable=SC2254
	case $name in
	$ONLY) run_program $name $arguments ;;
	esac
done 3</tmp/programs
kvm_end
