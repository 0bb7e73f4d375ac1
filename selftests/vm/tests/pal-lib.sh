# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of PALs share, behind lib.sh: that PALs do their work, a program that keeps
# a secret in its PAL, and what others can try to get it.

# check_work PROGRAM ROUNDS ROUNDS_OF_A_THREAD
check_work()
{
	check "$1: $2 rounds as outside of it" ./$1 demo "$2"
	check "$1: in four threads" ./$1 threads "$3"
	check "$1: registered and unregistered $2 times" ./$1 times "$2"
	check "$1: a child has nothing of it" ./$1 fork
	for attack in beside inner outside system-call code return; do
		check "$1: $attack: SIGSEGV" dies_of_segv $1 $attack
	done
}

check_services()
{
	check "$1: random numbers" ./$1 random
	check "$1: a quote" ./$1 quote
	check "$1: something is sealed" ./$1 seal /tmp/sealed.$1
	check "$1: and unsealed by another process" ./$1 unseal /tmp/sealed.$1
}

# kill_at_random COUNT PROGRAM
kill_at_random()
{
	for i in $(seq "$1"); do
		./"$2" spin &
		victim=$!
		usleep $((i * 37 % 20 * 10000))
		kill -9 $victim
		wait $victim
	done
}

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
