# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of PALs share, behind lib.sh: a program that keeps a secret in its PAL,
# and what others can try to get it.

dies_of_segv()
{
	./"$1" "$2" >/tmp/attack.out 2>&1
	attack_status=$?
	cat /tmp/attack.out
	echo "exit status $attack_status"
	# In a PAL there is no SYSCALL: that is SIGILL.
	[ $attack_status = 139 ] || { [ "$2" = system-call ] && [ $attack_status = 132 ]; }
}

# start_holder PROGRAM [plain]: it keeps its secret in a PAL, or just so
start_holder()
{
	rm -f /tmp/to /tmp/from
	mkfifo /tmp/to /tmp/from
	./"$1" hold $2 </tmp/to >/tmp/from &
	holder=$!
	exec 8>/tmp/to 9</tmp/from
	read -r address <&9
	echo "process $holder, secret at $address"
	[ -n "$address" ]
}

answer_is()
{
	echo >&8
	read -r answer <&9
	echo "$answer"
	echo "$answer" | grep -qx "$1"
}

stop_holder()
{
	exec 8>&- 9<&-
	wait $holder
}

# What attackers see and do; each prints one word.
read_proc_mem()
{
	dd if="/proc/$holder/mem" bs=1 count=4 skip=$((address)) 2>/dev/null | hexdump -v -e '1/4 "%x\n"'
}

write_proc_mem()
{
	printf AAAA | dd of="/proc/$holder/mem" bs=1 seek=$((address)) conv=notrunc 2>/dev/null
}

sees()
{
	sees_want=$1
	shift
	seen=$("$@")
	echo "$*: $seen"
	[ "$seen" = "$sees_want" ]
}

restart_holder()
{
	stop_holder
	start_holder $1 $2
}
