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
	for cmd in status check stats log ping app pal version; do
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

	for cmd in status stats log ping app pal; do
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
	rmdir "$FAKE_ROOT/sys/module/latch"
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
			"quiesces"}
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
	run pal; expect "pal" 0 '^ +PAL  STATE +PAGES  CALLS$' '^ +3  idle +6  100$' '^ +7  dead +8  0$' \
		'Keys are of this launch'
	run pal now; expect "pal now" 2 "unexpected operand 'now'"
	run FAKE_PAL=errno pal; expect "pal, off" 1 'the hypapp pal is off; .*hvctl app enable pal'
	run pal --json; expect_json "pal --json" 0 '
j["keys"] == "launch" and j["pals"] == [
	{"pal": 3, "state": "idle", "pages": 6, "calls": 100},
	{"pal": 7, "state": "dead", "pages": 8, "calls": 0}]'
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

	for cmd in status check stats log ping app pal version; do
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
	for cmd in 'stats --watch 0.1' 'log --follow'; do
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
	for word in $(for cmd in status check stats log ping app pal version; do
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
test_output
test_real
test_documents
test_completion
echo "1..$number"
echo "# $failures of $number failed"
((failures == 0))
