# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of unmodified KVM share, behind lib.sh. LATCH=1 loads Latch first,
# with the parameters LATCH_ARGS, and guard in the mode GUARD: the results must be those
# without. WANT are the parameters of kvm_intel that the CPU must have to offer.

: "${LATCH:=0}" "${LATCH_ARGS:=}" "${WANT:=ept unrestricted_guest vpid flexpriority}"
KVM_PARAMETERS=/sys/module/kvm_intel/parameters
# For a Linux in a VM: what its boot takes longest for and shows nothing.
QUICK="nokaslr mitigations=off tsc=reliable random.trust_cpu=on pci=off cryptomgr.notests \
initcall_blacklist=load_system_certificate_list,cubictcp_register,init_kprobe_trace"

kvm_latch_load()
{
	latch_load $LATCH_ARGS && all_cpus_are_under_latch
}

# Latch looks once a second whether VMX is in use still.
kvm_latch_unload()
{
	for i in 1 2 3 4 5; do
		latch_unload && return
		sleep 1
	done
	return 1
}

kvm_load()
{
	modprobe kvm_intel && [ -c /dev/kvm ]
}

kvm_unload()
{
	rmmod kvm_intel && rmmod kvm && ! lsmod | grep kvm
}

# All that KVM says of what it found is shown; what it must have found is WANT.
kvm_has_features()
{
	grep . $KVM_PARAMETERS/* | sed 's/.*parameters.//'
	for name in $WANT; do
		[ "$(cat $KVM_PARAMETERS/$name)" = Y ] || { echo "$name is missing"; return 1; }
	done
}

kvm_begin()
{
	ktap_begin "$1"
	[ "$LATCH" = 0 ] || check "Latch loads" kvm_latch_load
	[ -z "$GUARD" ] || check "guard is on" guard_is_on
	check "kvm_intel loads" kvm_load
}

kvm_end()
{
	check "kvm_intel unloads" kvm_unload
	[ -z "$GUARD" ] || check "guard has seen nothing" guard_has_seen_nothing
	if [ "$LATCH" != 0 ]; then
		check "all CPUs are still under Latch" all_cpus_are_under_latch
		check "Latch unloads" kvm_latch_unload
	fi
	ktap_end
}

# For tests that do something when a program, $part_pid, says something
part_says()
{
	:
}

# ktap_part COMMAND...: a program's own results become results of this test, as they
# come; a test in it stays one, indented. One that died in the middle has no plan.
ktap_part()
{
	part_plan=missing
	rm -f /tmp/part.fifo
	mkfifo /tmp/part.fifo
	"$@" >/tmp/part.fifo 2>&1 &
	part_pid=$!
	while IFS= read -r line; do
		name=${line#* - }
		case $line in
		"ok "*" # SKIP "*) skip "${name%% # SKIP *}" "${name##* # SKIP }" ;;
		"ok "*) result 0 "$name" ;;
		"not ok "*) result 1 "$name" ;;
		1..*) part_plan=there ;;
		"    "*) echo "$line" ;;
		*) echo "# ${line#\# }" ;;
		esac
		part_says "$line"
	done </tmp/part.fifo
	wait $part_pid
	part_status=$?
	[ $part_plan = there ] && [ $part_status -le 1 ] && return
	echo "# exit status $part_status"
	result 1 "$(basename "$1") $2 comes to its end"
}
