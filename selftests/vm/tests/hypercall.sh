#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# VMCALL with all numbers and random arguments, at CPL 3 and at CPL 0.
. ./lib.sh

: "${COUNT:=100000}"
probe_load
latch_load
./vmcall
status=$?
ktap_begin hypercall
check "all tests of the program have passed" [ $status = 0 ]
probe_test vmcall "$COUNT"
check "all CPUs are under Latch" all_cpus_are_under_latch
check "no CPU has left or failed" [ "$(./hvctl status --json | json_value failed | tail -n 1)" != true ]
latch_unload
probe_unload
ktap_end
