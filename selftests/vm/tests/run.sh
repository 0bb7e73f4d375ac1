#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh TEST...: run several tests in one VM, one after the other. "A:B=C" sets
# B to C for test A.

status=0
for test; do
	name=${test%%:*}
	settings=$(echo "${test#"$name"}" | tr ':' ' ')
	echo "# ---- $test"
	env $settings sh "./$name.sh" || status=1
done
exit $status
