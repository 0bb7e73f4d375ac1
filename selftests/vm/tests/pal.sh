#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# PALs of ordinary programs, 64-bit and 32-bit: they compute what they should, and
# nobody gets at what is in them.
. ./lib.sh
. ./pal-lib.sh

: "${ROUNDS:=100}"
ktap_begin pal

is_logged()
{
	./hvctl log | tail -n 3 | tee /tmp/logged
	grep -q "$1" /tmp/logged
}

look_from_kernel()
{
	echo "$holder" >$PARAMETERS/pid
	echo $((address)) >$PARAMETERS/address
	echo 100 >$PARAMETERS/count
	cat $PROBE/pal
}

make_core()
{
	ulimit -c unlimited
	echo /tmp/core >/proc/sys/kernel/core_pattern
	start_holder "$1" $2 >/dev/null
	kill -ABRT $holder
	stop_holder 2>/dev/null
}

dump_core()
{
	make_core "$1" $2
	./pal scan /tmp/core
	rm -f /tmp/core
}

dump_key()
{
	make_core signer $1
	./pal core /tmp/core "$address"
	rm -f /tmp/core
}

# The key is another one each time: all that is known is that it is not zeros.
sees_a_key()
{
	seen=$("$@")
	echo "$*: $seen"
	[ -n "$seen" ] && [ "$seen" != 0 ]
}

# Each attack on a secret that is not in a PAL, to show that it would work, and on one
# that is. $2: what is read of it; $3: what the holder says after it has been written to.
attack_holder()
{
	attack_on="$1${2:+ $2}"
	secret=$3
	check "$attack_on: a secret is kept" start_holder $1 $2
	check "$attack_on: /proc/PID/mem reads $secret" sees $secret read_proc_mem
	check "$attack_on: process_vm_readv() reads $secret" sees $secret ./$1 readv $holder $address
	check "$attack_on: a debugger reads $secret" sees $secret ./$1 peek $holder $address
	check "$attack_on: it is there" answer_is "safe, \(0x\)\{0,1\}$secret"
	check "$attack_on: a debugger writes" ./$1 poke $holder $address
	check "$attack_on: then it is $4" answer_is "$4"
	restart_holder $1 $2
	check "$attack_on: /proc/PID/mem writes" write_proc_mem
	check "$attack_on: then it is $4" answer_is "$4"
	restart_holder $1 $2
	check "$attack_on: the kernel sees $5" kernel_sees "$5"
	check "$attack_on: then it is $6" answer_is "$6"
	stop_holder
	check "$attack_on: $7 times in a core dump" sees $7 dump_core $1 $2
}

# The same on the key of examples/signer. $2: what is seen of it, $3: checks that, $4: what
# the kernel sees, $5: the signatures after it has been written to.
attack_signer()
{
	attack_on="signer${1:+ $1}"
	check "$attack_on: it makes a key" start_holder signer $1
	check "$attack_on: its signature is right" answer_is right
	check "$attack_on: /proc/PID/mem reads $2" $3 read_proc_mem
	check "$attack_on: process_vm_readv() reads $2" $3 ./pal readv $holder $address
	check "$attack_on: a debugger reads $2" $3 ./pal peek $holder $address
	check "$attack_on: then its signature is right" answer_is right
	check "$attack_on: a debugger writes" ./pal poke $holder $address
	check "$attack_on: then its signature is $5" answer_is $5
	restart_holder signer $1
	check "$attack_on: /proc/PID/mem writes" write_proc_mem
	check "$attack_on: then its signature is $5" answer_is $5
	restart_holder signer $1
	check "$attack_on: the kernel sees $2, and writes" kernel_sees "$4"
	check "$attack_on: then its signature is $5" answer_is $5
	check "$attack_on: it ends" stop_holder
	check "$attack_on: a core dump has $2" $3 dump_key $1
}

kernel_sees()
{
	look_from_kernel >/tmp/kernel
	cat /tmp/kernel
	sed 's/.*: //' /tmp/kernel | head -n 3 | tr '\n' ' ' | grep -qx "$1 "
}

killed_at_random()
{
	kill_at_random "$1" "$2"
	[ "$(./hvctl app disable pal 2>&1)" = "" ] && ./hvctl app enable pal
}

pages_come_back()
{
	before=$(pool_free)
	./pal times 20 && echo "$before free" && [ "$(pool_free)" = "$before" ]
}

# Linux says so of each process that dies of a #GP: that is the test.
echo 0 >/proc/sys/debug/exception-trace
check "without Latch: a clear error" eval './pal demo; [ $? = 19 ]'
check "signer without Latch: a clear error" eval './signer sign text; [ $? = 1 ]'
check "it loads" latch_load
check "pal is off: a clear error" eval './pal demo; [ $? = 38 ]'
check "the probe loads" probe_load
check "it is switched on" ./hvctl app enable pal
for pal in pal pal32; do
	check_work $pal "$ROUNDS" $((ROUNDS / 4))
	attack_holder $pal plain 5ec2e7 "CHANGED, 0x41414141" "5ec2e7 5ec2e7 200 times" "CHANGED, 0x4141000[01]" 1
	attack_holder $pal "" 0 "safe, 0" "0 0 0 times" "safe, 0" 0
	check "$pal: a secret is kept" start_holder $pal
	check "$pal: it is safe" answer_is "safe, 0"
	check "$pal: hvctl lists it" eval './hvctl pal | tee /tmp/pals; grep -Eq " idle +exit +[0-9]+  [0-9]+$" /tmp/pals'
	check "$pal: in the log" is_logged 'a private page at RIP'
	check "$pal: Latch cannot be unloaded" eval '! rmmod latch'
	check "$pal: the holder ends" stop_holder
	check_services $pal
	check "$pal: killed in the middle of it, 20 times" killed_at_random 20 $pal
done
# Each call by an exit is two of them; the others are for interrupts.
exits_are_few()
{
	before=$(./hvctl stats --json --all | json_value ept_violation)
	./palfast calls 20000 | tee /tmp/fast
	after=$(./hvctl stats --json --all | json_value ept_violation)
	echo "$((after - before)) exits"
	grep -q "20000 of 20000 calls as outside, by VMFUNC" /tmp/fast && [ $((after - before)) -lt 20000 ]
}

hold_fast()
{
	rm -f /tmp/to /tmp/from
	mkfifo /tmp/to /tmp/from
	./palfast hold </tmp/to >/tmp/from &
	holder=$!
	exec 8>/tmp/to 9</tmp/from
	read -r seen <&9
	./hvctl pal | tee /tmp/pals
	[ "$seen" = 0 ] && grep -Eq " idle +vmfunc +[0-9]+  1$" /tmp/pals
}

check "palfast: 20000 calls, fewer exits than that" exits_are_few
check "palfast: in four threads" ./palfast threads 5000
check "palfast: registered and unregistered $ROUNDS times" ./palfast times "$ROUNDS"
check "palfast: a secret is kept, hvctl says how it is called" hold_fast
check "palfast: the holder ends" stop_holder
check "palfast: it leaves its view open: SIGSEGV" eval './palfast open; [ $? = 139 ]'
check "palfast: killed in the middle of it, 20 times" killed_at_random 20 palfast
check "signer: a key, a signature" ./signer sign "some text"
attack_signer plain "the key" sees_a_key "\([1-9a-f][0-9a-f]*\) \1 0 times" WRONG
attack_signer "" "zeros" "sees 0" "0 0 0 times" right
check "what is sealed for another program: EACCES" eval './pal32 unseal /tmp/sealed.pal; [ $? = 13 ]'
check "after a bit has changed: EACCES" eval '
	printf A | dd of=/tmp/sealed.pal bs=1 seek=38 conv=notrunc 2>/dev/null
	./pal unseal /tmp/sealed.pal; [ $? = 13 ]'
check "the pool has all its pages again" pages_come_back
check "the probe unloads" probe_unload
check "it is switched off" ./hvctl app disable pal
check "it unloads" latch_unload
ktap_end
