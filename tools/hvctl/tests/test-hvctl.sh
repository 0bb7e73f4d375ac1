#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of hvctl that need no Latch: test-hvctl.sh BUILD-FOLDER
#
# The device is played by a preloaded library (fake-latch.c), the CPU by
# fake-cpu.c. With VALGRIND=1 hvctl runs under valgrind.
set -euo pipefail

build=${1:?usage: test-hvctl.sh BUILD-FOLDER}
src=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

real=$build/hvctl	# the binary that is installed
fake=$build/tests/hvctl	# the same with the CPU of the test
preload=$build/tests/fake-latch.so
valgrind=()
if [[ ${VALGRIND:-} ]]; then
	valgrind=(valgrind -q --error-exitcode=99 --leak-check=full)
fi

export FAKE_ROOT=$tmp/root FAKE_MSRS=$tmp/msrs LC_ALL=C
mkdir -p "$FAKE_ROOT"/{proc,sys/module,sys/devices/system/cpu,dev/cpu/0}
echo 0-3 >"$FAKE_ROOT/sys/devices/system/cpu/online"

number=0
failures=0

result() { # STATUS NAME [DETAIL-FILE...]
	local status=$1 name=$2

	shift 2
	number=$((number + 1))
	if ((status == 0)); then
		echo "ok $number $name"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $number $name"
	[[ $# -eq 0 ]] || sed 's/^/# /' "$@"
}

# Run hvctl with the doubles; leave its output and status behind.
run() { # [NAME=VALUE...] ARGUMENT...
	local -a env=()

	while [[ ${1:-} == FAKE_*=* ]]; do
		env+=("$1")
		shift
	done
	rc=0
	timeout -k 5 60 env "${env[@]}" LD_PRELOAD="$preload" "${valgrind[@]}" "$fake" "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
}

# The last run ended with STATUS, printed all REGEXes, and is tidy.
expect() { # NAME STATUS [REGEX...]
	local name=$1 want=$2 regex ok=0

	shift 2
	: >"$tmp/why"
	if ((rc != want)); then
		echo "status $rc, not $want" >>"$tmp/why"
		ok=1
	fi
	for regex; do
		if ! grep -Eq -- "$regex" "$tmp/out" "$tmp/err"; then
			echo "not printed: $regex" >>"$tmp/why"
			ok=1
		fi
	done
	# what failed says so, and what did not is silent
	if ((rc == 0)) && [[ -s $tmp/err ]]; then
		echo "standard error is not empty" >>"$tmp/why"
		ok=1
	fi
	result $ok "$name" "$tmp/why" "$tmp/out" "$tmp/err"
}

# A Python expression on the JSON of the last run holds.
expect_json() { # NAME STATUS EXPRESSION
	local ok=0

	echo "status $rc, wanted $2; $3" >"$tmp/why"
	((rc == $2)) || ok=1
	python3 - "$tmp/out" "$3" 2>>"$tmp/why" <<-'PYTHON' || ok=1
		import json, sys
		text = open(sys.argv[1]).read()
		try:
		    j = json.loads(text)
		except ValueError:
		    j = [json.loads(line) for line in text.splitlines()]
		sys.exit(0 if eval('(' + sys.argv[2] + ')') else 1)
	PYTHON
	result $ok "$1" "$tmp/why" "$tmp/out" "$tmp/err"
}

expect_width() { # NAME
	local ok=0

	awk 'length($0) > 80' "$tmp/out" >"$tmp/why"
	[[ ! -s $tmp/why && -s $tmp/out ]] || ok=1
	result $ok "$1" "$tmp/why" "$tmp/out" "$tmp/err"
}

# As run, with a ^C after a second; without valgrind, which would take longer to start.
run_follow() { # [NAME=VALUE...] ARGUMENT...
	local -a env=()

	while [[ ${1:-} == FAKE_*=* ]]; do
		env+=("$1")
		shift
	done
	rc=0
	env "${env[@]}" LD_PRELOAD="$preload" timeout -k 5 --preserve-status -s INT 1 \
		"$fake" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
}

# What the device was asked by the last runs.
expect_seen() { # NAME LINE...
	local name=$1 ok=0

	shift
	printf '%s\n' "$@" >"$tmp/why"
	[[ -e $tmp/seen ]] || echo "nothing was asked" >"$tmp/seen"
	cmp -s "$tmp/why" "$tmp/seen" || ok=1
	result $ok "$name" "$tmp/why" "$tmp/seen"
	rm -f "$tmp/seen"
}

# All MSRs of a CPU that has everything; then what is given, over it.
msrs() { # [NUMBER VALUE]...
	local i

	: >"$tmp/msrs"
	while (($# >= 2)); do
		echo "$1 $2" >>"$tmp/msrs"
		shift 2
	done
	echo "3a 5" >>"$tmp/msrs"
	for ((i = 0x480; i <= 0x490; i++)); do
		printf '%x ffffffffffffffff\n' $i >>"$tmp/msrs"
	done
}

msr_device() { # present or absent
	rm -f "$FAKE_ROOT/dev/cpu/0/msr"
	[[ $1 == absent ]] || : >"$FAKE_ROOT/dev/cpu/0/msr"
}

test_usage() {
	local cmd

	run; expect "no command is wrong usage" 2 '^Usage: hvctl'
	run --help; expect "--help" 0 '^  stats '
	run help ping; expect "help COMMAND" 0 '^Usage: hvctl ping'
	run --version; expect "--version" 0 '^hvctl [0-9]+\.[0-9]+\.[0-9]+$'
	run nonsense; expect "unknown command" 2 "unknown command 'nonsense'"
	run --nonsense; expect "unknown option" 2 "unknown option '--nonsense'"
	for cmd in status check stats log ping app pal watch guard version; do
		run $cmd --help
		expect "$cmd --help" 0 "^Usage: hvctl $cmd .*--json" 'Exit status:'
		expect_width "$cmd --help fits 80 columns"
		run $cmd --nonsense
		expect "$cmd: unknown option" 2 "hvctl $cmd: .*nonsense" 'Try .hvctl'
		run $cmd operand
		expect "$cmd: unexpected operand" 2 "unexpected operand 'operand'"
	done
}

test_bad_options() {
	local list

	for list in '' x 1-0 1- -1 1,,2 '1,' 0-256 99999999999999999999 '0 1'; do
		run ping --cpu "$list"
		expect "ping --cpu '$list'" 2 'is not a list of CPUs'
		run stats --cpu "$list"
		expect "stats --cpu '$list'" 2 'is not a list of CPUs'
	done
	for list in 0 1000001 -1 x 1x '' 99999999999999999999; do
		run ping --count "$list"
		expect "ping --count '$list'" 2 'is not a number from 1 to 1000000'
	done
	for list in 0 nan x -1 1e9; do
		run stats "--watch=$list"
		expect "stats --watch=$list" 2 'is not a number of seconds'
	done
	run stats --watch 1 2; expect "stats --watch 1 2" 2 "unexpected operand '2'"
	run stats --count 1; expect "stats --count alone" 2 'goes with --watch'
	run log --level loud; expect "log --level loud" 2 'none of err, warn, info, debug'
}

test_no_device() {
	local cmd

	for cmd in status stats log ping app pal watch guard; do
		run FAKE_LATCH=absent $cmd
		expect "$cmd: Latch is not loaded" 1 '^hvctl: Latch is not loaded: no /dev/latch'
		run FAKE_LATCH=absent $cmd --json
		[[ ! -s $tmp/out ]] || rc=77
		expect "$cmd --json: not loaded, no output" 1 'Latch is not loaded'
		run FAKE_LATCH=denied $cmd
		expect "$cmd: no permission to open" 1 'no permission.*root'
		run FAKE_LATCH=denied-ioctl $cmd
		expect "$cmd: no permission to ask" 1 'no permission.*root'
		run FAKE_LATCH=abi2 $cmd
		expect "$cmd: newer module" 1 'speaks ABI version 2, this hvctl version 1'
		run FAKE_LATCH=old $cmd
		expect "$cmd: module with other ioctls" 1 'does not speak ABI version 1'
		run FAKE_LATCH=broken $cmd
		expect "$cmd: ioctl fails" 1 'LATCH_IOC_INFO: Input/output error'
	done
	mkdir "$FAKE_ROOT/sys/module/latch"
	run FAKE_LATCH=absent status
	expect "module without device" 1 'the latch module is there, but /dev/latch is not'
	mkdir "$FAKE_ROOT/sys/module/latch/parameters"
	echo N >"$FAKE_ROOT/sys/module/latch/parameters/guest"
	run FAKE_LATCH=absent status
	expect "module without device, guest=0" 1 'there, but /dev/latch is not'
	echo Y >"$FAKE_ROOT/sys/module/latch/parameters/guest"
	run FAKE_LATCH=absent status
	expect "module with guest=1" 1 'there for PALs only \(guest=1\): Latch is below this VM'
	rm -r "$FAKE_ROOT/sys/module/latch"
}

test_version() {
	run FAKE_LATCH=absent version; expect "version, not loaded" 0 '^hvctl ' 'not loaded'
	run FAKE_LATCH=absent version --json
	expect_json "version --json, not loaded" 0 \
		'j["loaded"] is False and j["abi"] == 1 and j["core"] is None'
	run version; expect "version, loaded" 0 '^module +ABI 1$' '^core +1\.2\.3$'
	run version --json
	expect_json "version --json, loaded" 0 \
		'j["loaded"] and j["module_abi"] == 1 and j["core"] == "1.2.3"'
	run FAKE_LATCH=abi2 version
	expect "version, newer module" 1 '^module +ABI 2$' 'speaks ABI version 2'
	run FAKE_LATCH=denied version; expect "version, no permission" 1 'no permission'
}

test_status() {
	run status
	expect "status" 0 'core 1\.2\.3' '4 \(0-3\)' 'hardware' '6\.0 MiB hidden' \
		'72\.0 KiB public' '900 of 1000' 'VM exits +10028$' 'Failures +none'
	expect_width "status fits 80 columns"
	run FAKE_STATES=110121 FAKE_NESTED=1 status
	expect "status, nested, some CPUs off" 0 '4 \(0-1,3,5\)' 'waiting +1 \(4\)' KVMKVMKVM
	run FAKE_STATES=1100 FAKE_CPUS=3 status
	expect "status counts CPUs that went offline" 0 'VM exits +6021$'
	run FAKE_STATES=1131 status; expect "status, failed CPU" 1 'failed on CPU 2'
	run FAKE_STATES=1411 status; expect "status, offline CPU" 0 'CPUs offline   1 \(1\)'
	run FAKE_FAILED=1 status; expect "status, failed" 1 'core failed'
	run FAKE_STATES=1131 FAKE_NESTED=1 status --json
	expect_json "status --json" 1 '
		j["loaded"] and j["abi"] == 1 and j["core"] == "1.2.3" and j["failed"]
		and j["cpus"] == {"possible": 4, "guest_count": 3, "guest": "0-1,3",
				  "offline": "", "wait_sipi": "", "failed": "2"}
		and j["nested"] and j["hypervisor"] == "KVMKVMKVM" and j["exits"] == 10028
		and j["memory"] == {"hidden_bytes": 6 << 20, "public_bytes": 72 << 10,
			"image_bytes": 100 << 10, "pool_pages": 1000, "pool_free": 900}
		and j["tsc_khz"] == 1000000'
}

test_check_loaded() {
	msrs
	run FAKE_CPU='lm' check
	expect "check, loaded: VMX hidden from CPUID, yes all the same" 0 \
		'^yes +needed +VMX ' '^Latch is loaded$'
	expect_width "check fits 80 columns"
	run FAKE_CPU='lm' check --json
	expect_json "check --json, loaded" 0 '
		j["verdict"] == "loaded" and j["source"] == "module" and not j["reasons"]
		and all(f["state"] == "yes" for f in j["features"])
		and len(j["features"]) > 40'
	run FAKE_LATCH=denied FAKE_CPU='lm' check
	expect "check, loaded, no permission" 0 '^unknown +needed +VMX ' '^unknown +needed +EPT ' \
		'run hvctl as root' \
		'^Latch is loaded$'
	run FAKE_LATCH=no-caps check
	expect "check, loaded, capabilities fail" 0 '^unknown .* EPT ' 'LATCH_IOC_CAPS'
	run FAKE_LATCH=abi2 check; expect "check, newer module" 1 'ABI version 2'
}

test_check_msr() {
	export FAKE_LATCH=absent
	msr_device present
	msrs
	run check; expect "check: can" 0 '^Latch can be loaded$'
	run check --json
	expect_json "check --json: can" 0 'j["verdict"] == "yes" and j["source"] == "msr"'
	msrs 3a 1; run check
	expect "check: switched off by the firmware" 1 '^missing .*feature control: VMX' \
		'^Latch cannot be loaded: VMX is switched off by the firmware; enable VT-x'
	msrs 3a 0; run check
	expect "check: IA32_FEATURE_CONTROL unlocked" 1 'cannot be loaded: .*unlocked'
	msrs 482 7fffffffffffffff; run check
	expect "check: no secondary controls" 1 '^missing .*secondary' '^missing .* EPT ' \
		'the CPU lacks what Latch needs: secondary controls, EPT, '
	# bit 33, EPT; then none of EPT and VPID: IA32_VMX_EPT_VPID_CAP does not exist
	msrs 48b fffffffdffffffff; run check
	expect "check: no EPT" 1 '^missing +needed +EPT ' '^yes +needed +VPID' \
		'needs: EPT$'
	msrs 48b ffffffddffffffff
	sed -i '/^48c/d' "$tmp/msrs"; run check
	expect "check: no EPT and VPID" 1 'needs: EPT, VPID, EPT 4-level walk'
	msrs 48c fffffffffffdffff; run check
	expect "check: no 1G pages is no obstacle" 0 '^missing +optional +EPT 1G' '^Latch can be'
	msrs 480 0; sed -i '/^4\(8[def]\|90\)/d' "$tmp/msrs"; run FAKE_CPU='lm vmx kvm' check
	expect "check: no true controls, nested" 1 'needs: true controls; the outer hyperv'
	msrs
	run FAKE_CPU='lm vmx' check --json
	expect_json "check --json: bits" 0 '
		{f["id"] for f in j["features"] if f["needed"]} >= {"vmx", "ept", "vpid",
		"feature_control_locked", "feature_control_vmx", "true_controls", "vmx_free",
		"long_mode", "unrestricted", "msr_bitmap"}'
}

test_check_no_vmx() {
	run FAKE_CPU='lm' check
	expect "check: no VMX" 1 '^missing +needed +VMX ' 'GenuineIntel.* has no VMX; .*VT-x'
	run FAKE_CPU='lm amd' check; expect "check: AMD" 1 'AuthenticAMD.* has no VMX'
	run FAKE_CPU='lm kvm' check; expect "check: VM without VMX" 1 'nested=1'
	run FAKE_CPU='vmx' check; expect "check: 32-bit" 1 'not a 64-bit system'
	run FAKE_CPU='lm kvm' check --json
	expect_json "check --json: no VMX" 1 '
		j["verdict"] == "no" and j["nested"] and j["hypervisor"] == "KVMKVMKVM"
		and len(j["reasons"]) == 1'
}

test_check_kvm() {
	local sys=$FAKE_ROOT/sys/module

	msrs
	mkdir -p "$sys/kvm_intel" "$sys/kvm/parameters"
	run check
	expect "check: kvm_intel loaded is a warning" 0 '^Warning: kvm_intel is loaded' \
		'^unknown .* VMX is free' '^Latch can be loaded$'
	echo Y >"$sys/kvm/parameters/enable_virt_at_load"
	run check
	expect "check: kvm_intel that switches VMX on" 1 '^missing .* VMX is free' \
		'cannot be loaded: VMX is in use by kvm_intel.*modprobe -r kvm_intel'
	rm -r "$sys/kvm_intel" "$sys/kvm"
}

cpuinfo() { # FLAGS [VMX-FLAGS]
	printf 'processor\t: 0\nflags\t\t: fpu %s sse\n' "$1" >"$FAKE_ROOT/proc/cpuinfo"
	[[ $# -lt 2 ]] || printf 'vmx flags\t: %s\n' "$2" >>"$FAKE_ROOT/proc/cpuinfo"
	printf 'bugs\t\t:\n\nprocessor\t: 1\n' >>"$FAKE_ROOT/proc/cpuinfo"
}

test_check_unknown() {
	local all='vnmi mtf ept vpid unrestricted_guest ept_1gb'

	msr_device absent
	rm -f "$FAKE_ROOT/proc/cpuinfo"
	run check
	expect "check: no msr driver, no /proc/cpuinfo" 3 'modprobe msr' '^unknown .* EPT '
	cpuinfo vmx "$all"; run check
	expect "check: /proc/cpuinfo knows some" 3 'modprobe msr' '^yes .* EPT ' \
		'^yes .* feature control: VMX' '^unknown .* MSR bitmaps' '^missing .* EPT acc'
	run check --json
	expect_json "check --json: unknown" 3 \
		'j["verdict"] == "unknown" and j["source"] == "cpuinfo" and j["reasons"]'
	cpuinfo vmx "${all/unrestricted_guest/}"; run check
	expect "check: /proc/cpuinfo without unrestricted guest" 1 'needs: unrestricted guest'
	cpuinfo vmxoff "$all"; run check
	expect "check: Linux has found VMX off" 1 'switched off by the firmware'
	cpuinfo vmx; run check
	expect "check: old kernel's /proc/cpuinfo" 3 '^unknown .* EPT '
	msr_device present
	: >"$tmp/msrs"; run check
	expect "check: MSRs fail" 3 '/dev/cpu/0/msr: Input/output error'
	echo 2-3 >"$FAKE_ROOT/sys/devices/system/cpu/online"
	run check; expect "check: CPU 0 is offline" 3 '/dev/cpu/2/msr'
	echo 0-3 >"$FAKE_ROOT/sys/devices/system/cpu/online"
	unset FAKE_LATCH
}

test_stats() {
	local many

	run stats
	expect "stats" 0 '^VM EXITS +TOTAL +CPU 0 +CPU 1 +CPU 2 +CPU 3$' \
		'^CPUID +10000 +1000 +2000 +3000 +4000$' '^VMCALL +28( +7){4}$' \
		'^All VM exits +10028 +1007' '^Hypercalls +28'
	expect_width "stats fits 80 columns"
	if grep -q HLT "$tmp/out"; then rc=77; fi
	expect "stats has no empty rows" 0
	run stats --all
	expect "stats --all" 0 '^HLT +0( +0){4}$' '^WRMSRLIST +0' '^MTRR updates +0'
	expect_width "stats --all fits 80 columns"
	run FAKE_RESERVED=1 stats; expect "stats, reserved reason" 0 '^Reserved reason 35 +4 '
	run FAKE_ZERO=1 stats; expect "stats, nothing yet" 0 '^All VM exits +0( +0){4}$'
	run stats --cpu 1,3; expect "stats --cpu" 0 'TOTAL +CPU 1 +CPU 3$' '^CPUID +6000 +2000 +4000$'
	run stats --cpu 4; expect "stats --cpu of no CPU" 1 'there is no CPU 4; .* at most 4 CPUs'
	many=$(printf '1%.0s' {1..256})
	run "FAKE_STATES=$many" stats
	expect "stats, 256 CPUs" 0 'CPU 255' '^CPUID .* 256000'
	expect_width "stats, 256 CPUs, fits 80 columns"
	run "FAKE_STATES=${many}1" stats; expect "more CPUs than hvctl knows" 1 '257 CPUs'
	run FAKE_STATES=1011 stats --json
	expect_json "stats --json" 0 '
		j["unit"] == "count" and [c["cpu"] for c in j["cpus"]] == [0, 2, 3]
		and j["cpus"][1]["reasons"] == {"cpuid": 3000, "vmcall": 7}
		and j["cpus"][1]["counters"]["exits"] == 3007
		and set(j["total"]["counters"]) == {"exits", "hypercalls", "forwarded",
			"injected", "reinjected", "nmi_root", "hidden_writes", "ept_splits",
			"ept_fills", "shootdowns", "kicks", "mtrr_updates", "icr_writes",
			"quiesces", "l2_exits", "l2_violations"}
		and j["total"]["reasons"]["cpuid"] == 8000'
	run stats --json --all
	expect_json "stats --json --all" 0 '
		j["total"]["reasons"]["control_register_access"] == 0
		and j["total"]["reasons"]["entry_failure_guest_state"] == 0
		and len(j["total"]["reasons"]) == 76'
}

test_watch() {
	run FAKE_STEP=50 stats --watch 0.2 --count 2
	expect "stats --watch, plain blocks" 0 '^PER SECOND +TOTAL' '^CPUID +[0-9]+\.[0-9] '
	if [[ $(grep -c '^PER SECOND' "$tmp/out") != 2 ]] || grep -q $'\033' "$tmp/out"; then
		rc=77
	fi
	expect "stats --watch, as many blocks as asked for" 0
	run FAKE_STEP=50 stats --json --watch=0.5 -n 2
	expect_json "stats --watch --json: a line each, rates right" 0 '
		len(j) == 2 and all(b["unit"] == "per_second" for b in j)
		and all(abs(b["total"]["reasons"]["cpuid"] * b["interval"] - 500) < 5 for b in j)
		and all(abs(b["cpus"][1]["reasons"]["cpuid"] * b["interval"] - 100) < 1 for b in j)
		and all("vmcall" not in b["total"]["reasons"] for b in j)'
	rc=0
	LD_PRELOAD=$preload timeout -k 5 --preserve-status -s INT 1 "$fake" stats --watch 0.3 \
		>"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "stats --watch ends well on ^C" 0 '^PER SECOND'
	rc=0
	LD_PRELOAD=$preload timeout -k 5 --preserve-status -s TERM 1 "$fake" stats --watch 600 \
		>"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "stats --watch ends at once on SIGTERM" 0
	rc=0
	timeout -k 5 60 script -qec "env LD_PRELOAD=$preload $fake stats --watch 0.1 -n 2" /dev/null \
		>"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
	expect "stats --watch redraws on a terminal" 0 $'\033\\[H' 'Every 0\.1 s'
}

test_log() {
	run log
	expect "log" 0 '^\[    1\.500000\] cpu 1   warn  record 1$' '^\[    4\.500000\] cpu 3   debug'
	if grep -q '[^ -~]' "$tmp/out" || ! grep -Fq 'x1b[2J"\xff' "$tmp/out"; then rc=77; fi
	expect "log shows no control characters" 0
	run log --level warn
	if grep -Eq 'info|debug' "$tmp/out"; then rc=77; fi
	expect "log --level" 0 'record 1$'
	run FAKE_LOG=20 log
	expect "log, some lost" 0 '^-- 12 records lost --$' 'record 13$' 'record 20$'
	run FAKE_LOG=0 log; expect "log, empty" 0
	run FAKE_TSC_KHZ=0 log; expect "log, TSC's frequency unknown" 0 '^\[1500000000\] cpu 1'
	run FAKE_LOG=20 log --json
	expect_json "log --json" 0 '
		j["lost"] == 12 and j["next"] == 21 and len(j["records"]) == 8
		and j["records"][0] == {"seq": 13, "tsc": 19500000000, "time": 19.5, "cpu": 1,
					"level": "warn", "text": "record 13"}'
	run log --json
	expect_json "log --json: a record that claims to be longer than it can be" 0 '
		j["records"][1]["text"] == "\\x1b[2J\"\\xff" + "x" * 98'
	rc=0
	FAKE_GROW=2 LD_PRELOAD=$preload timeout -k 5 --preserve-status -s INT 1 "$fake" log --follow \
		>"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "log --follow, until ^C" 0 'record 3$' 'record 7$'
	rc=0
	FAKE_GROW=20 LD_PRELOAD=$preload timeout -k 5 --preserve-status -s INT 1 "$fake" log -fj \
		>"$tmp/out" 2>"$tmp/err" || rc=$?
	expect_json "log --follow --json" 0 '
		{"lost": 12} in j and [r["seq"] for r in j if "seq" in r][:4] == [1, 2, 3, 16]'
}

test_pal() {
	run pal; expect "pal" 0 '^ +PAL  STATE +ENTRY +PAGES  CALLS$' '^ +3  idle +vmfunc +6  100$' '^ +7  dead +exit +8  0$' \
		'Keys are of this launch'
	run pal list; expect "pal list" 0 '^ +3  idle +vmfunc +6  100$' 'Keys are of this launch'
	run pal now; expect "pal now" 2 "unexpected operand 'now': list or grant"
	run pal list now; expect "pal list now" 2 "unexpected operand 'now'"
	run FAKE_PAL=errno pal; expect "pal, off" 1 'the hypapp pal is off; .*hvctl app enable pal'
	run pal --json; expect_json "pal --json" 0 '
j["keys"] == "launch" and j["pals"] == [
	{"pal": 3, "state": "idle", "pages": 6, "calls": 100, "entry": "vmfunc"},
	{"pal": 7, "state": "dead", "pages": 8, "calls": 0, "entry": "exit"}]'
}

# A process that is there, and memory that it could have: 3 pieces of it are a VM's.
grant_process() {
	sleep 1000 &
	vm=$!
	mkdir -p "$FAKE_ROOT/proc/$vm"
	cat >"$FAKE_ROOT/proc/$vm/maps" <<-'EOF'
		55d000000000-55d002000000 rw-p 00000000 00:00 0                          [heap]
		7f0000000000-7f0040000000 rw-p 00000000 00:00 0 
		7f0040000000-7f0080000000 rw-s 00000000 00:01 1027                       /memfd:ram (deleted)
		7f0100000000-7f0140000000 ---p 00000000 00:00 0 
		7f0140000000-7f0180000000 r--p 00000000 00:00 0 
		7f0200000000-7f0240000000 rw-p 00000000 fe:01 33                         /var/lib/disk
		7f0240000000-7f0280000000 rw-p 00000000 fe:01 0                          /var/lib/zero
		7f0290000000-7f02b0000000 rw-p 00000000 00:00 33                         /var/lib/none
		7f0280000000-7f0280fff000 rw-p 00000000 00:00 0 
		7f0300000000-7f0301000000 rwxp 00000000 00:00 0                          [anon:ram]
		7f0400000000-7f0440000000 rw-s 00000000 00:00 0 
		7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
	EOF
}

end_process() {
	kill $vm
	wait $vm 2>/dev/null || true
	rm -r "${FAKE_ROOT:?}/proc/$vm"
}

# As run, but in the background until it waits; then COMMAND is done.
run_grant() { # COMMAND [NAME=VALUE...] ARGUMENT...
	local command=$1 hvctl wait
	local -a env=()

	shift
	while [[ ${1:-} == FAKE_*=* ]]; do
		env+=("$1")
		shift
	done
	rc=0
	: >"$tmp/out"
	# The shell has its background jobs ignore ^C.
	env --default-signal=INT "${env[@]}" LD_PRELOAD="$preload" "$fake" "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	hvctl=$!
	for ((wait = 0; wait < 100; wait++)); do
		grep -Eq 'granted until|"bytes": .*[0-9]$' "$tmp/out" && break
		kill -0 $hvctl 2>/dev/null || break
		sleep 0.1
	done
	sleep 0.3
	kill -0 $hvctl 2>/dev/null || echo "hvctl has not waited" >>"$tmp/err"
	eval "$command" 2>/dev/null || true
	for ((wait = 0; wait < 100; wait++)); do
		kill -0 $hvctl 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL $hvctl 2>/dev/null || true
	wait $hvctl || rc=$?
}

test_grant() {
	export FAKE_SEEN=$tmp/seen

	grant_process
	rm -f "$tmp/seen"
	run_grant 'kill -INT $hvctl' pal grant $vm
	expect "pal grant" 0 '^0x55d000000000-0x55d002000000 +32 MiB$' \
		'^0x7f0000000000-0x7f0040000000 +1024 MiB$' '^0x7f0300000000-0x7f0301000000 +16 MiB$' \
		'^total +1072 MiB$' "^granted until process $vm ends or this command does\$"
	expect_seen "pal grant: what it asks for" "grant pid $vm 0x55d000000000 size 0x2000000" \
		"grant pid $vm 0x7f0000000000 size 0x40000000" "grant pid $vm 0x7f0300000000 size 0x1000000"
	run_grant 'kill -TERM $hvctl' pal grant --json $vm 7f0000000000-7F0000002000 \
		0x7f0000004000-0X7f0000005000
	expect_json "pal grant --json, SIGTERM" 0 "j == {'pid': $vm, 'bytes': 12288, 'ranges': [
		{'start': '0x7f0000000000', 'end': '0x7f0000002000', 'bytes': 8192},
		{'start': '0x7f0000004000', 'end': '0x7f0000005000', 'bytes': 4096}]}"
	expect_seen "pal grant START-END: what it asks for" \
		"grant pid $vm 0x7f0000000000 size 0x2000" "grant pid $vm 0x7f0000004000 size 0x1000"
	run_grant end_process pal grant $vm
	expect "pal grant ends with the process" 0 '^granted until'
	unset FAKE_SEEN
}

test_grant_errors() {
	grant_process
	export FAKE_SEEN=$tmp/seen
	rm -f "$tmp/seen"
	run pal grant; expect "pal grant of nothing" 2 'of which process'
	run pal grant qemu; expect "pal grant qemu" 2 "'qemu' is not a number from 1"
	run pal grant 0; expect "pal grant 0" 2 "'0' is not a number from 1"
	run pal grant $vm $vm; expect "pal grant of two" 2 "'$vm' is no range START-END"
	for range in 1000- -- -1000 1000-1000 2000-1000 1001-2000 1000-2001 1000-2000- 0x-1000 \
		10000000000000000-20000000000000000 1000-0x 1000-+2000; do
		run pal grant $vm -- "$range"
		expect "pal grant PID $range" 2 'is no range START-END of whole pages'
	done
	expect_seen "pal grant: wrong usage asks for nothing" "nothing was asked"
	unset FAKE_SEEN
	run FAKE_LATCH=absent pal grant $vm; expect "pal grant, no Latch" 1 'Latch is not loaded'
	run pal grant 4194304; expect "pal grant, no such process" 1 'there is no process 4194304'
	run FAKE_PAL=errno pal grant 4194304
	expect "pal grant, off" 1 'cannot grant memory: the hypapp pal is off; .*hvctl app enable pal'
	run FAKE_GRANT=38 pal grant $vm
	expect "pal grant, switched off meanwhile" 1 'cannot grant 0x55d0.*the hypapp pal is off; .*hvctl app enable pal'
	run FAKE_GRANT=12 FAKE_GRANT_FROM=1 pal grant $vm
	expect "pal grant, ENOMEM at the second" 1 '^0x55d0.* 32 MiB$' \
		"cannot grant 0x7f0000000000-0x7f0040000000 of process $vm: there is no memory for it"
	if grep -q 'total\|granted until' "$tmp/out"; then rc=77; fi
	expect "pal grant, ENOMEM: nothing is said to be granted" 1
	run FAKE_GRANT=3 pal grant $vm; expect "pal grant, ESRCH" 1 'there is no such process any more'
	run FAKE_GRANT=14 pal grant $vm; expect "pal grant, EFAULT" 1 'not all of it is mapped, and writable'
	run FAKE_GRANT=16 pal grant $vm; expect "pal grant, EBUSY" 1 'a part of it is granted already'
	run FAKE_GRANT=22 pal grant $vm; expect "pal grant, EINVAL" 1 'not all of it is private anonymous'
	run FAKE_GRANT=5 pal grant $vm --json
	[[ ! -s $tmp/out ]] || rc=77
	expect "pal grant --json, error" 1 'Input/output error'
	sed -i '/7f0000000000\|7f0300000000\|heap/d' "$FAKE_ROOT/proc/$vm/maps"
	run pal grant $vm; expect "pal grant, nothing of 16 MiB" 1 'no private anonymous memory of 16 MiB'
	rm "$FAKE_ROOT/proc/$vm/maps"
	run pal grant $vm; expect "pal grant, no maps" 1 "cannot read /proc/$vm/maps: No such file"
	end_process
}

kallsyms() { # as the kernel has it: its own are sorted, modules' come behind
	cat >"$FAKE_ROOT/proc/kallsyms" <<-'EOF'
		0000000000000000 A fixed_percpu_data
		000000000001fbc0 A cpu_info
		ffffffff81000000 T startup_64
		ffffffff81000000 T _stext
		ffffffff81000000 T _text
		ffffffff81000040 T do_thing
		ffffffff81000100 t twice
		ffffffff81000200 t alias
		ffffffff81000200 t alias
		ffffffff81000300 t twice
		ffffffff81e00000 T _etext
		ffffffff82000000 D __start_rodata
		ffffffff82400000 D __end_rodata
		ffffffff82500000 d poking_mm
		ffffffff82500008 d poking_addr
		ffffffff82600000 b idt_table
	EOF
	printf '%s\t[%s]\n' 'ffffffffc0020000 t probe' ext4 'ffffffffc0010000 t twice' usb \
		'ffffffffc0010100 d idt_table' usb >>"$FAKE_ROOT/proc/kallsyms"
}

test_watch_list() {
	kallsyms
	run watch
	expect "watch" 0 '^ ID  ADDRESS +LENGTH  ACCESS +HITS  SYMBOL$' \
		'^  1  0xffffffff82000010 +4  w +12  __start_rodata\+0x10$' \
		'^  5  0x00007f0000001000  16777216  rwx +1099511627776$'
	expect_width "watch fits 80 columns"
	[[ $(awk '{ print $1 }' "$tmp/out" | tr '\n' ' ') == "ID 1 5 " ]] || rc=77
	expect "watch has one line of titles, and one for each watchpoint" 0
	run watch list; expect "watch list" 0 '^  5  0x00007f0000001000'
	run FAKE_WATCH_NEXT=none watch; expect "watch, nothing" 0 '^Nothing is watched; see'
	run watch --json
	expect_json "watch --json" 0 'j == {"watches": [
		{"watch": 1, "address": "0xffffffff82000010", "symbol": "__start_rodata+0x10",
		 "length": 4, "access": "w", "hits": 12},
		{"watch": 5, "address": "0x7f0000001000", "symbol": None, "length": 16 << 20,
		 "access": "rwx", "hits": 1 << 40}]}'
	run FAKE_WATCH_NEXT=none watch list --json
	expect_json "watch --json, nothing" 0 'j == {"watches": []}'
	run FAKE_WATCH=38 watch; expect "watch, off" 1 'the hypapp watch is off; .*hvctl app enable watch'
	run FAKE_WATCH=38 watch --json
	[[ ! -s $tmp/out ]] || rc=77
	expect "watch --json, off: no output" 1 'the hypapp watch is off'
	run FAKE_WATCH=6 watch; expect "watch, error" 1 'cannot ask for watchpoints: No such device'
	run FAKE_WATCH_NEXT=same watch; expect "watch, an answer without sense" 1 'Protocol error'
	rm "$FAKE_ROOT/proc/kallsyms"
	run watch
	if grep -q rodata "$tmp/out"; then rc=77; fi
	expect "watch without /proc/kallsyms" 0 '^  1  0xffffffff82000010 +4  w +12$'
}

test_watch_usage() {
	local word

	kallsyms
	run watch add; expect "watch add" 2 'ADDRESS, LENGTH and ACCESS, not 0 operands'
	run watch add 0xffffffff82000010
	expect "watch add, one operand" 2 'ADDRESS, LENGTH and ACCESS, not 1 operand$'
	run watch add _text 1 r now; expect "watch add, four operands" 2 'not 4 operands'
	for word in 0 -1 x 16777217 0x1000001 0x 4k 0x0x4 18446744073709551617 ''; do
		run watch add _text -- "$word" r
		expect "watch add, length '$word'" 2 "'$word' is not a length from 1 to 16777216"
	done
	for word in rr q 'r w' rwxr R 4; do
		run watch add _text 4 "$word"
		expect "watch add, access '$word'" 2 "'$word' is no access"
	done
	run watch add _text 4 ''; expect "watch add, no access" 2 'which access'
	for word in 4096 7fff00001000 '' 0x 0x1g 0xfffffffffffffffff 0ffffffff81000000; do
		run watch add "$word" 4 r
		expect "watch add, address '$word'" 2 "'$word' is no address: write it as 0x"
	done
	for word in '' x 0x -1 4k; do
		run watch add "_text+$word" 4 r
		expect "watch add, offset '$word'" 2 "'$word' is no offset"
	done
	for word in 0 x -1 4194305 ''; do
		run watch add --pid "$word" 0x1000 4 r
		expect "watch add --pid '$word'" 2 'is not a number from 1 to 4194304'
	done
	run watch add --pid 7 _text 4 r
	expect "watch add --pid, a symbol" 2 "--pid: an address is needed, not '_text'"
	run watch --pid 7; expect "watch --pid without add" 2 '--pid goes with add'
	run watch --all; expect "watch --all without follow" 2 '--all goes with follow'
	run watch add --all _text 4 r; expect "watch add --all" 2 '--all goes with follow'
	run watch del; expect "watch del" 2 'del: which'
	for word in 0 x -1 4294967296 all ''; do
		run watch del 1 -- "$word"
		expect "watch del 1 '$word'" 2 "'$word' is not a number from 1 to 4294967295"
	done
	run watch del all 1; expect "watch del all 1" 2 "'all' is not a number"
	run watch list now; expect "watch list now" 2 "unexpected operand 'now'"
	run watch follow now; expect "watch follow now" 2 "unexpected operand 'now'"
	run watch --follow del; expect "watch --follow del" 2 "unexpected operand 'del'"
	run watch look; expect "watch look" 2 "unexpected operand 'look': list, add, del or follow"
	# wrong usage is that also without Latch
	run FAKE_LATCH=absent watch add _text 0 r; expect "watch add, wrong, no Latch" 2 'length'
}

test_watch_add() {
	export FAKE_SEEN=$tmp/seen

	kallsyms
	rm -f "$tmp/seen"
	run watch add 0xffffffff82000010 8 rw; expect "watch add ADDRESS" 0 '^6$'
	run watch add ffffffff82000010+0x10 0x1000 w; expect "watch add, 16 digits + OFFSET" 0 '^6$'
	run watch add do_thing 1 x; expect "watch add SYMBOL" 0 '^6$'
	run watch add 'do_thing+16' 16777216 xwr; expect "watch add SYMBOL+OFFSET" 0 '^6$'
	run watch add alias 1 r; expect "watch add, twice the same address" 0 '^6$'
	run watch add probe 1 r; expect "watch add, a module's symbol" 0 '^6$'
	run watch add --pid 4194304 0x7fff00001000 4096 r; expect "watch add --pid" 0 '^6$'
	expect_seen "watch add: what it asks for" \
		"add pid 0 0xffffffff82000010 size 8 access 3" \
		"add pid 0 0xffffffff82000020 size 4096 access 2" \
		"add pid 0 0xffffffff81000040 size 1 access 4" \
		"add pid 0 0xffffffff81000050 size 16777216 access 7" \
		"add pid 0 0xffffffff81000200 size 1 access 1" \
		"add pid 0 0xffffffffc0020000 size 1 access 1" \
		"add pid 4194304 0x7fff00001000 size 4096 access 1"
	run watch add do_thing 1 xw --json
	expect_json "watch add --json" 0 'j == {"watch": 6, "address": "0xffffffff81000040",
		"symbol": "do_thing", "length": 1, "access": "wx", "hits": 0}'
	run watch add 0xffffffffc0010001 1 r --json
	expect_json "watch add ADDRESS --json" 0 'j["symbol"] == "twice+0x1 [usb]"'
	unset FAKE_SEEN
}

test_watch_symbols() {
	kallsyms
	run watch add nothing 1 r; expect "watch add, no such symbol" 1 "no symbol 'nothing' in /proc/kallsyms"
	run watch add twice 1 r
	expect "watch add, an ambiguous symbol" 1 "several symbols 'twice'; say by an address" \
		'^  0xffffffff81000100$' '^  0xffffffff81000300$' '^  0xffffffffc0010000 \[usb\]$'
	run watch add ffffffff81000000x 1 r
	expect "watch add, digits and more are a symbol" 1 "no symbol 'ffffffff81000000x'"
	run watch add cpu_info 1 r
	expect "watch add, a per-CPU symbol" 1 "'cpu_info' is no place in memory, but 0x1fbc0"
	run watch add 0xffffffffffffffff+1 1 r
	expect "watch add, around the end" 1 'no address 0xffffffffffffffff \+ 0x1$'
	for ((i = 0; i < 20; i++)); do printf 'ffffffff8300%04x t many\n' $i; done \
		>>"$FAKE_ROOT/proc/kallsyms"
	run watch add many 1 r
	[[ $(grep -c '^  0x' "$tmp/err") == 16 ]] || rc=77
	expect "watch add, very ambiguous" 1 '^  0xffffffff8300000f$' '^  and 4 more$'
	sed 's/^[0-9a-f]*/0000000000000000/' -i "$FAKE_ROOT/proc/kallsyms"
	run watch add do_thing 1 r
	expect "watch add, kptr_restrict" 1 "cannot look up 'do_thing': .*sysctl kernel.kptr_restrict"
	run watch add 0xffffffff82000010 1 r; expect "watch add ADDRESS, kptr_restrict" 0 '^6$'
	run watch; expect "watch, kptr_restrict" 0 '^  1  0xffffffff82000010 +4  w +12$'
	: >"$FAKE_ROOT/proc/kallsyms"
	run watch add do_thing 1 r; expect "watch add, no symbols" 1 '/proc/kallsyms has no symbols'
	printf '%s\n' nonsense '' 'ffffffff81000001' 'ffffffff81000002 t' 'ffffffff81000003 t ' \
		$'ffffffff81000004 t last\t[' $'ffffffff81000005 t lone\tx' >"$FAKE_ROOT/proc/kallsyms"
	run watch add last 1 r; expect "watch add, half a line" 0 '^6$'
	rm "$FAKE_ROOT/proc/kallsyms"
	run watch add do_thing 1 r; expect "watch add, no /proc/kallsyms" 1 'kallsyms: No such file'
	run watch add 0xffffffff82000010 1 r --json
	expect_json "watch add --json, no /proc/kallsyms" 0 'j["symbol"] is None'
}

# As many as a kernel with all its modules has; the last of them.
test_watch_many_symbols() {
	awk 'BEGIN { for (i = 0; i < 200000; i++) {
		printf "ffffffff8%07x t symbol_%d\n", i * 64, i } }' >"$FAKE_ROOT/proc/kallsyms"
	run watch add symbol_199999+1 1 x --json
	expect_json "watch add, 200000 symbols" 0 'j["address"] == "0xffffffff80c34fc1"
		and j["symbol"] == "symbol_199999+0x1"'
	run watch add 0xffffffff80c34fbf 1 x --json
	expect_json "the last byte of one" 0 'j["symbol"] == "symbol_199998+0x3f"'
	run watch add 0xffffffff80d34fbf 1 x --json
	expect_json "near the last one" 0 'j["symbol"] == "symbol_199999+0xfffff"'
	run watch add 0xffffffff80d34fc0 1 x --json
	expect_json "not near it" 0 'j["symbol"] is None'
	run watch add 0xffffffff7fffffff 1 x --json
	expect_json "in front of the first" 0 'j["symbol"] is None'
}

test_watch_errors() {
	run FAKE_WATCH_ADD=38 watch add 0xffffffff82000010 1 r
	expect "watch add, off" 1 'cannot watch 0xffffffff82000010: .*off; try .hvctl app enable watch'
	run FAKE_WATCH_ADD=14 watch add 0xffffffff82000010 1 r
	expect "watch add, EFAULT" 1 'not all of that memory is mapped'
	run FAKE_WATCH_ADD=16 watch add 0xffffffff82000010 1 r
	expect "watch add, EBUSY" 1 'a page of a PAL, or another one is just being added'
	run FAKE_WATCH_ADD=3 watch add --pid 7 0x1000 1 r
	expect "watch add, ESRCH" 1 'there is no such process'
	run FAKE_WATCH_ADD=28 watch add 0xffffffff82000010 1 r
	expect "watch add, ENOSPC" 1 'too many watchpoints, or pages'
	run FAKE_WATCH_ADD=12 watch add 0xffffffff82000010 1 r
	expect "watch add, ENOMEM" 1 'no memory is left for it; .*pool_mib='
	run FAKE_WATCH_ADD=22 watch add 0xffffffff82000010 1 r
	expect "watch add, EINVAL" 1 'it is not RAM'
	run watch add 0x7f0000000000 1 r
	expect "watch add, a process's address without --pid" 1 'not an address of the kernel; .*--pid'
	run watch add --pid 7 0xffffffff82000010 1 r
	expect "watch add --pid, a kernel address" 1 'address of the kernel, which takes no --pid'
	run FAKE_WATCH_ADD=5 watch add 0xffffffff82000010 1 r --json
	[[ ! -s $tmp/out ]] || rc=77
	expect "watch add --json, another error" 1 'cannot watch 0xffffffff82000010: Input/output error'
}

test_watch_del() {
	export FAKE_SEEN=$tmp/seen

	rm -f "$tmp/seen"
	run watch del 1; expect "watch del 1" 0
	run watch del 5 1; expect "watch del 5 1" 0
	run watch del all; expect "watch del all" 0
	expect_seen "watch del: what it asks for" "del 1" "del 5" "del 1" "del 1" "del 5"
	run watch del 2 5; expect "watch del, no such watchpoint" 1 \
		'cannot delete watchpoint 2: there is no such watchpoint'
	expect_seen "watch del goes on behind one that there is not" "del 2" "del 5"
	run watch del 1 5 --json; expect_json "watch del --json" 0 'j == {"deleted": [1, 5]}'
	run watch del all --json; expect_json "watch del all --json" 0 'j == {"deleted": [1, 5]}'
	run watch del 9 5 --json; expect_json "watch del --json, one missing" 1 'j == {"deleted": [5]}'
	run FAKE_WATCH_NEXT=none watch del all; expect "watch del all, nothing" 0
	run FAKE_WATCH_DEL=2 watch del all; expect "watch del all, somebody was faster" 0
	run FAKE_WATCH_DEL=16 watch del all; expect "watch del all, error" 1 'watchpoint 1: ' 'watchpoint 5: '
	run FAKE_WATCH=38 watch del 1; expect "watch del, off" 1 'the hypapp watch is off'
	run FAKE_WATCH=38 watch del all; expect "watch del all, off" 1 'the hypapp watch is off'
	unset FAKE_SEEN
}

# 5 events, and what only looks like one.
watch_events() {
	printf '%b\n' '2 watch 1 w ffffffff82000010 ffffffff81000044 4211 0 1f cat' \
		'2 watch 128 rw ffffffff82000014 ffffffffc0020abc 0 a b a name of 15 c' \
		'2 watch 5 r 7f0000001008 55d000001234 99 2a 2a ' \
		'2 watch 5 x 7f0000001000 7f0000001000 99 90 90 bash' \
		'1 watch 5 x 7f0000001000 7f0000001000 99 90 90 not an event' \
		'2 watch 5 x 7f0000001000 7f0000001000 99 90 zz' \
		'2 watch of the night' \
		'2 watch 3 rx 1 2 3 4 5 a\033[2Jb' >"$tmp/events"
	export FAKE_EVENTS=$tmp/events
}

test_watch_follow() {
	kallsyms
	watch_events
	run_follow FAKE_LOG=8 watch follow --all
	expect "watch follow --all" 0 \
		'^\[    1\.500000\] cpu 1   watch 1 w   0xffffffff82000010 pid 4211 \(cat\) at 0xffffffff81000044 do_thing\+0x4: 0x0 -> 0x1f$' \
		'^\[    3\.000000\] cpu 2   watch 128 rw  0xffffffff82000014 pid 0 \(a name of 15 c\) at 0xffffffffc0020abc probe\+0xabc \[ext4\]: 0xa -> 0xb$' \
		'^\[    4\.500000\] cpu 3   watch 5 r   0x7f0000001008 pid 99 \(\) at 0x55d000001234: 0x2a$' \
		'^\[    6\.000000\] cpu 0   watch 5 x   0x7f0000001000 pid 99 \(bash\) at 0x7f0000001000$' \
		'watch 3 rx  0x1 pid 3 \(a\\x1b\[2Jb\) at 0x2: 0x4$' '^-- 5 events, 0 records lost --$'
	[[ $(wc -l <"$tmp/out") == 6 ]] || rc=77
	expect "watch follow leaves out what is no event" 0
	run_follow FAKE_LOG=1 FAKE_GROW=1 watch follow
	if grep -q 'watch 1 ' "$tmp/out"; then rc=77; fi
	expect "watch follow begins with the present" 0 '^\[    3\.000000\] .*watch 128 rw' 'events, 0 r'
	run_follow FAKE_LOG=1 FAKE_GROW=7 watch --follow
	expect "watch --follow" 0 '^\[    3\.000000\] .*watch 128 rw' '^-- 4 events, 0 records lost --$'
	run_follow FAKE_LOG=1 FAKE_TSC_KHZ=0 watch follow -a
	expect "watch follow, TSC's frequency unknown" 0 '^\[1500000000\] cpu 1   watch 1 w ' \
		'^-- 1 event, 0 records lost --$'
	run_follow FAKE_LOG=12 watch follow --all
	expect "watch follow, some lost" 0 '^-- 4 records lost --$' '^-- 1 event, 4 records lost --$'
	run_follow FAKE_LOG=9 watch follow --all
	expect "watch follow, one lost" 0 '^-- 1 record lost --$' '^-- 4 events, 1 record lost --$'
	run_follow FAKE_LOG=20 watch follow
	expect "watch follow: what was lost before does not count" 0 '^-- 0 events, 0 records lost --$'
	rm "$FAKE_ROOT/proc/kallsyms"
	run_follow FAKE_LOG=1 watch follow --all
	expect "watch follow without /proc/kallsyms" 0 'at 0xffffffff81000044: 0x0 -> 0x1f$'
	run FAKE_WATCH=38 watch follow; expect "watch follow, off" 1 'the hypapp watch is off'
	run FAKE_WATCH=38 watch --follow --all; expect "watch --follow --all, off" 1 'watch is off'
	run_follow FAKE_WATCH_NEXT=none watch follow
	expect "watch follow, nothing is watched yet" 0 '^-- 0 events'
	unset FAKE_EVENTS
}

test_watch_follow_json() {
	kallsyms
	watch_events
	run_follow FAKE_LOG=3 watch follow --all --json
	expect_json "watch follow --json" 0 'len(j) == 3 and j[1] == {"seq": 2, "time": 3.0, "cpu": 2,
		"watch": 128, "access": "rw", "address": "0xffffffff82000014",
		"rip": "0xffffffffc0020abc", "symbol": "probe+0xabc [ext4]", "pid": 0,
		"comm": "a name of 15 c", "before": "0xa", "after": "0xb"}
		and j[2]["symbol"] is None and j[2]["comm"] == ""'
	run_follow FAKE_LOG=1 FAKE_TSC_KHZ=0 watch follow -aj
	expect_json "watch follow --json, TSC's frequency unknown" 0 'j["time"] is None'
	run_follow FAKE_LOG=12 watch follow -aj
	expect_json "watch follow --json, some lost" 0 'j[0] == {"lost": 4} and j[1]["seq"] == 8
		and len(j) == 2'
	unset FAKE_EVENTS
}

test_guard_status() {
	run guard
	expect "guard" 0 '^Mode +audit$' '^CPUs pinned +4$' '^Pages kept +4929$' \
		'^  kernel text +3584$' '^  read-only data +1024$' '^  page tables +20$' \
		'^  IDT +1$' '^  module text +300$' '^Writes seen +7$' '^Register changes +8$' \
		'^Pokes let go +9000$' '^Writable, executable +2$'
	run FAKE_GUARD_MODE=0 guard status; expect "guard status, off" 0 '^Mode +off$'
	run FAKE_GUARD_MODE=2 guard; expect "guard, enforce" 0 '^Mode +enforce$'
	run FAKE_GUARD_MODE=3 guard; expect "guard, locked" 0 '^Mode +locked$'
	run FAKE_GUARD_MODE=4 guard; expect "guard, a newer mode" 0 '^Mode +unknown$'
	run guard --json
	expect_json "guard --json" 0 'j == {"mode": "audit", "cpus": 4, "pages": {"text": 3584,
		"rodata": 1024, "tables": 20, "idt": 1, "module": 300}, "writes": 7,
		"registers": 8, "pokes": 9000, "wx": 2}'
	run FAKE_GUARD=38 guard; expect "guard, off" 1 'the hypapp guard is off; .*hvctl app enable guard'
	run FAKE_GUARD=5 guard --json
	[[ ! -s $tmp/out ]] || rc=77
	expect "guard --json, error" 1 'cannot ask guard: Input/output error'
}

test_guard_set() {
	local keep="text ffffffff81000000 ffffffff81e00000 rodata ffffffff82000000 ffffffff82400000"

	keep+=" idt ffffffff82600000 poking ffffffff82500000 ffffffff82500008"
	export FAKE_SEEN=$tmp/seen
	kallsyms
	rm -f "$tmp/seen"
	run guard audit; expect "guard audit" 0
	run guard enforce; expect "guard enforce" 0
	run guard lock --yes; expect "guard lock --yes" 0
	run guard off; expect "guard off" 0
	expect_seen "guard: what it asks for" "guard 1 $keep" "guard 2 $keep" "guard 3 $keep" \
		"guard 0 text 0 0 rodata 0 0 idt 0 poking 0 0"
	sed 's/poking_mm/text_poke_mm/; s/poking_addr/text_poke_mm_addr/' \
		-i "$FAKE_ROOT/proc/kallsyms"
	run guard enforce --json; expect_json "guard enforce --json" 0 'j["mode"] == "enforce"'
	expect_seen "guard: names of newer kernels" "guard 2 $keep"
	run guard lock; expect "guard lock without --yes" 2 'cannot be undone before the machine is reset' \
		'unloading Latch, suspend and kexec are refused'
	run guard enforce --yes; expect "guard enforce --yes" 2 '--yes goes with lock'
	run guard --yes; expect "guard --yes" 2 '--yes goes with lock'
	run guard on; expect "guard on" 2 "unexpected operand 'on': status, off, audit, enforce or lock"
	run guard off now; expect "guard off now" 2 "unexpected operand 'now'"
	run FAKE_LATCH=absent guard lock; expect "guard lock without --yes, no Latch" 2 'cannot be undone'
	expect_seen "guard: wrong usage asks for nothing" "nothing was asked"
	unset FAKE_SEEN
}

test_guard_errors() {
	local name

	run FAKE_GUARD_SET=1 guard off; expect "guard off, locked" 1 'cannot set guard to off: guard is locked'
	run FAKE_GUARD=38 guard off; expect "guard off, which is off" 1 'the hypapp guard is off'
	rm -f "$FAKE_ROOT/proc/kallsyms"
	run FAKE_GUARD=38 guard audit; expect "guard audit, hypapp off" 1 'the hypapp guard is off'
	run guard audit; expect "guard audit, no /proc/kallsyms" 1 'cannot look up what is to be kept: .*No such'
	run guard off; expect "guard off, no /proc/kallsyms" 0
	kallsyms
	run FAKE_GUARD_SET=12 guard audit; expect "guard audit, ENOMEM" 1 'no memory is left for it; .*pool_mib='
	run FAKE_GUARD_SET=16 guard audit; expect "guard audit, EBUSY" 1 'a page of it is one of a PAL'
	run FAKE_GUARD_SET=5 guard audit; expect "guard audit, error" 1 'to audit: Input/output error'
	for name in _text _etext __start_rodata __end_rodata idt_table; do
		kallsyms
		sed "/ $name\$/d" -i "$FAKE_ROOT/proc/kallsyms"
		run guard enforce; expect "guard, no $name" 1 "there is no symbol '$name'"
	done
	for name in poking_mm poking_addr; do
		kallsyms
		sed "/ $name\$/d" -i "$FAKE_ROOT/proc/kallsyms"
		run guard enforce; expect "guard, no $name" 1 "neither a symbol '$name' nor 'text_poke_mm"
	done
	kallsyms
	sed 's/^[0-9a-f]*/0000000000000000/' -i "$FAKE_ROOT/proc/kallsyms"
	run guard enforce; expect "guard, kptr_restrict" 1 'sysctl kernel.kptr_restrict'
}

test_app() {
	run app; expect "app" 0 '^hello +1  off$' '^busy +3  on$'
	run app list; expect "app list" 0 '^HYPAPP +ID  STATE$'
	run app enable hello; expect "app enable" 0
	run app disable hello; expect "app disable, which is off" 0
	run app disable busy; expect "app disable, busy" 1 'cannot switch busy off: it is in use'
	run app enable nobody; expect "app enable nobody" 1 "no hypapp 'nobody'"
	run app enable; expect "app enable, no name" 2 'which hypapp'
	run app start hello; expect "app start" 2 "unexpected operand 'start': list, enable or disable"
	run app list hello; expect "app list hello" 2 "unexpected operand 'hello'"
	run app enable hello now; expect "app enable hello now" 2 "unexpected operand 'now'"
	run FAKE_APP=errno app; expect "app, error" 1 'cannot ask for hypapp 1: No such device'
	run app enable hello --json; expect_json "app enable --json" 0 '
		j["name"] == "hello" and j["id"] == 1 and j["on"] is True'
	run app --json; expect_json "app --json" 0 '
		[a["name"] for a in j["apps"]] == ["hello", "busy"] and
		[a["on"] for a in j["apps"]] == [False, True]'
}

test_ping() {
	run ping
	expect "ping" 0 '^ +3 +100 +1003 +1503\.0 +1\.503$'
	expect_width "ping fits 80 columns"
	run ping --cpu 2 --count 7; expect "ping --cpu --count" 0 '^ +2 +7 +1002 +1502'
	run FAKE_PING=cookie ping
	expect "ping, wrong cookie" 1 'CPU 1: .*another cookie' '^ +2 +100'
	run FAKE_PING=cpu ping; expect "ping, wrong CPU" 1 'CPU 1: another CPU'
	run FAKE_PING=errno ping; expect "ping, error" 1 'CPU 1: Input/output error'
	run FAKE_STATES=1131 ping
	expect "ping, failed CPU" 1 'CPU 2: it does not run under Latch' '^ +3 +100'
	run FAKE_STATES=1012 ping; expect "ping leaves out CPUs that are not there" 0 '^ +2 +100'
	run FAKE_STATES=0000 ping; expect "ping, no CPU" 1 'no CPU runs under Latch'
	run ping --cpu 9; expect "ping --cpu of no CPU" 1 'there is no CPU 9'
	run FAKE_PING=cpu ping --json
	expect_json "ping --json" 1 '
		j["count"] == 100 and j["tsc_khz"] == 1000000 and len(j["cpus"]) == 4
		and j["cpus"][0] == {"cpu": 0, "ok": True, "error": None, "ticks_min": 1000,
				     "ticks_avg": 1500.0}
		and not j["cpus"][1]["ok"] and j["cpus"][1]["error"]'
}

test_output() {
	local cmd

	for cmd in status check stats log ping app pal watch guard version; do
		rc=0
		LD_PRELOAD=$preload "$fake" $cmd >/dev/full 2>"$tmp/err" || rc=$?
		: >"$tmp/out"
		expect "$cmd: full disk" 1 'cannot write the output: No space left'
		rc=0
		LD_PRELOAD=$preload "$fake" $cmd >&- 2>"$tmp/err" || rc=$?
		expect "$cmd: closed output" 1 'cannot write the output'
	done
	# the device must not get the number of the closed output
	rc=0
	LD_PRELOAD=$preload timeout -k 5 10 "$fake" stats --watch 0.1 -n 1000 >&- 2>"$tmp/err" || rc=$?
	expect "stats --watch: closed output" 1 'cannot write the output'
	watch_events
	for cmd in 'stats --watch 0.1' 'log --follow' 'watch --follow --all'; do
		: >"$tmp/out"
		{
			rc=0
			# shellcheck disable=SC2086 # words of a command line
			FAKE_GROW=1 LD_PRELOAD=$preload timeout -k 5 10 "$fake" $cmd 2>"$tmp/err" || rc=$?
			echo $rc >"$tmp/rc"
		} | head -n 1 >/dev/null
		rc=$(<"$tmp/rc")
		expect "$cmd: closed pipe" 1 'cannot write the output: Broken pipe'
	done
	unset FAKE_EVENTS
}

# The binary as it is installed, on this machine as it is.
test_real() {
	rc=0
	timeout -k 5 60 "$real" check >"$tmp/out" 2>"$tmp/err" || rc=$?
	((rc == 0 || rc == 1 || rc == 3)) && rc=0
	expect "check on this machine" 0 '^Latch (is|can|cannot|may)'
	if [[ -e /dev/latch ]]; then
		result 0 "without Latch # SKIP Latch is loaded here"
		return
	fi
	rc=0
	timeout -k 5 60 "$real" status >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "status on this machine" 1 'Latch is not loaded'
}

test_documents() {
	local word

	rc=0
	: >"$tmp/out"
	if ! command -v man >/dev/null; then
		result 0 "the manual page is well-formed # SKIP no man"
	else
		MANWIDTH=80 man --warnings -l "$src/hvctl.8" >"$tmp/out" 2>"$tmp/err" || rc=$?
		expect "the manual page is well-formed" 0 'EXIT STATUS' 'EXAMPLES'
	fi
	# every option is in the manual page and in the completion
	for word in $(for cmd in status check stats log ping app pal watch guard version; do
		"$real" $cmd --help; done | grep -oE -- '--[a-z]+' | sort -u); do
		rc=0
		grep -q -- "Fl -${word#--}" "$src/hvctl.8" || rc=1
		grep -q -- "$word" "$src/hvctl.bash-completion" || rc=2
		result $rc "$word is in the manual page and the completion"
	done
}

complete_words() { # WORD...: what bash would offer for the last one
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
		_hvctl hvctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' - "$src/hvctl.bash-completion" "$@"
}

test_completion() {
	rc=0
	complete_words hvctl st >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of commands" 0 '^status stats$'
	complete_words hvctl stats --w >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of options" 0 '^--watch$'
	complete_words hvctl log --level w >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of levels" 0 '^warn$'
	complete_words hvctl watch f >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of what watch does" 0 '^follow$'
	complete_words hvctl watch del >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of del" 0 '^del$'
	complete_words hvctl guard en >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of guard's modes" 0 '^enforce$'
	complete_words hvctl guard --y >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of --yes" 0 '^--yes$'
	complete_words hvctl pal g >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of what pal does" 0 '^grant$'
	complete_words hvctl watch del a >"$tmp/out" 2>"$tmp/err" || rc=$?
	expect "completion of watchpoints" 0 '^all$'
}

echo "TAP version 13"
test_usage
test_bad_options
test_no_device
test_version
test_status
test_check_loaded
test_check_msr
test_check_no_vmx
test_check_kvm
test_check_unknown
test_stats
test_watch
test_log
test_ping
test_app
test_pal
test_grant
test_grant_errors
test_watch_list
test_watch_usage
test_watch_add
test_watch_symbols
test_watch_many_symbols
test_watch_errors
test_watch_del
test_watch_follow
test_watch_follow_json
test_guard_status
test_guard_set
test_guard_errors
test_output
test_real
test_documents
test_completion
echo "1..$number"
echo "# $failures of $number failed"
((failures == 0))
