# SPDX-License-Identifier: GPL-2.0-only
#
# For tests that go from this kernel into another one: the same kernel (/t/vmlinuz,
# by with_kernel=1), with this root file system as its initramfs.

# Every byte is hashed twice, which an emulator takes its time for.
NEXT_FILES="latch.ko load-module hvctl kexec under-latch vmcore lib.sh next-kernel.sh"

# next_initrd FILE NAME...: with these files of /t and NEXT_FILES. Through a bind
# mount, since the node of the console is beneath the devtmpfs.
next_initrd()
{
	next_file=$1
	shift
	rm -f "$next_file"
	mkdir -p /mnt/root && mount --bind / /mnt/root || return
	(
		cd /mnt/root || exit
		find . -xdev -path ./t -prune -o -path ./mnt/root -prune -o -print
		echo ./t
		for next_name in $NEXT_FILES "$@"; do
			echo "./t/$next_name"
		done
	) >/tmp/names
	(cd /mnt/root && cpio -o -H newc 2>/dev/null) </tmp/names >"$next_file"
	next_status=$?
	umount /mnt/root
	ls -l "$next_file"
	return $next_status
}

# next_load load|panic FILE WORD...: load it, with this kernel's own command line
# and more. The watchdog does not know how slow an emulator is.
next_load()
{
	next_line=$(next_command_line "$3")
	echo 60 >/proc/sys/kernel/watchdog_thresh
	modprobe sha256-ssse3 2>/dev/null
	./kexec "$1" vmlinuz "$2" "$next_line"
	next_status=$?
	echo 10 >/proc/sys/kernel/watchdog_thresh
	return $next_status
}

# next_command_line WORD...: this kernel's own, and more
next_command_line()
{
	for next_word in $(cat /proc/cmdline) "$@"; do
		case $next_word in
		BOOT_IMAGE=* | initrd=* | crashkernel=*) ;;
		*) printf '%s ' "$next_word" ;;
		esac
	done
}

# What is on its way out through the serial line ends with the machine.
before_the_end()
{
	check "the kernel's log is clean" log_is_clean
	echo "1..$number"
	[ $failed = 0 ] || exit
	sleep 2
}

# All CPUs, and each has VMX.
are_native()
{
	./under-latch
	[ $? = 1 ]
}
