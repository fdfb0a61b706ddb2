#!/bin/sh
# SPDX-License-Identifier: ISC
# The object for 32-bit programs does what the other one does: some of the tests of that one once more, with a probe of
# 32 bits, and those of event loops with one whose times have 64.
set -u

: "${srcdir:=.}"

[ -n "${OBJECT32:-}" ] || {
    echo 'skipped: configure found no compiler for 32-bit programs' >&2
    exit 77
}
OBJECT=$OBJECT32
PROBE=./probe32
LOOP=./loop32
export OBJECT PROBE LOOP

failed=0
for test in preload_connect preload_identity preload_kinds preload_fds preload_differential preload_udp preload_loop; do
    echo "== $test"
    sh "$srcdir/$test.sh" </dev/null || failed=1
done
exit $failed
