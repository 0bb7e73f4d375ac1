#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A Linux in a VM of Debian's own KVM: the same kernel as outside (vmrun's with_kernel=1)
# or another vmlinuz, up to an init that works on each CPU: INIT, if that kernel needs one of
# its own. With one CPU also without ACPI, where the timer is the PIT and its interrupts
# come by the PIC. BOOTS: with that, with pages of 4 KiB, or numbers of CPUs. LATCH=1: on top of Latch. LIMIT: seconds of the guest for a boot.
# COUNTED=counted, with LATCH=1: and what it takes of Latch
. ./lib.sh
. ./kvm-lib.sh

: "${LIMIT:=60}" "${APPEND:=}" "${VERBOSE:=}" "${BOOTS:=pit 1 2}" "${INIT:=}" "${COUNTED:=}"

# latch_stat NAME: of all CPUs together
latch_stat()
{
	./hvctl stats --json --all | sed -n '/"total"/,$p' | json_value $1
}

# The least that is free of core's pool, as long as this is let go on
watch_pool()
{
	least=$(pool_free)
	while [ -e /tmp/watched ]; do
		free=$(pool_free)
		[ "$free" -ge "$least" ] || least=$free
		echo "$least" >/tmp/least
		usleep 200000
	done
}

# counted COMMAND...: what it takes of Latch
counted()
{
	before_pool=$(pool_free)
	before_exits=$(latch_stat l2_exits)
	before_violations=$(latch_stat l2_violations)
	touch /tmp/watched
	watch_pool &
	"$@"
	rm /tmp/watched
	wait
	echo "# count l2_exits $(($(latch_stat l2_exits) - before_exits))"
	echo "# count l2_violations $(($(latch_stat l2_violations) - before_violations))"
	echo "# count pool_pages $((before_pool - $(cat /tmp/least)))"
}

boot()
{
	$COUNTED ktap_part ./kvm-boot $VERBOSE ${INIT:+-i $INIT} -t $LIMIT $1 vmlinuz "$QUICK $2 $APPEND"
}

kvm_begin kvm-boot
for kind in $BOOTS; do
	echo "# ---- $kind"
	case $kind in
	pit) boot "-c 1" acpi=off ;;
	4k) boot "-p -c 1" "" ;;
	*) boot "-c $kind" "" ;;
	esac
done
kvm_end
