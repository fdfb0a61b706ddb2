#!/bin/sh
# SPDX-License-Identifier: ISC
# All the suites, two runs at a time; for each one line: PASS, FAIL or SKIP, its name, its last words and how long it
# took.  All that it said is in LOGS (build), NAME.log.
#
#     all.sh
#
# A suite's later ways compare with what came of it bare in the first.  LANES: runs at a time (2); BUDGET: seconds for
# all (2400), then the rest has failed.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${LOGS:=$top_srcdir/build}" "${LANES:=2}" "${BUDGET:=2400}"
export top_srcdir LOGS

# One of them.
if [ $# = 2 ]; then
    log=$LOGS/$1-$2.log
    # Its tests make files of fixed names in /tmp.
    [ "$1" != libuv ] || { exec 9>"$BARE/libuv" && flock 9; }
    begin_s=$(date +%s)
    BUDGET=$((end_s - begin_s)) "$top_srcdir/tests/suites/$1.sh" "$2" >"$log" 2>&1
    case $? in
    0) result=PASS ;;
    77) result=SKIP ;;
    *) result=FAIL ;;
    esac
    echo "$result: $1-$2: $(tail -n 1 "$log"), $(($(date +%s) - begin_s)) s"
    exit 0
fi

# What takes longest is first, and direct before the others, since two ways of a suite at a time both try it bare.
# danted and proxyd differ in the proxy's name and addresses, and in how they end what they relay: all go through both.
runs='cpython direct
libevent direct
perl direct
libuv direct
libuv danted
cpython danted
cpython proxyd
libevent danted
perl danted
libuv proxyd
libevent proxyd
perl proxyd'
BARE=$(mktemp -d) || exit 99
trap 'rm -rf "$BARE"' EXIT
trap 'exit 99' HUP INT TERM
end_s=$(($(date +%s) + BUDGET))
export BARE end_s
echo "$runs" | xargs -P "$LANES" -n 2 "$0" | tee "$BARE/results"
[ "$(grep -c '^PASS\|^SKIP' "$BARE/results")" = "$(echo "$runs" | wc -l)" ]
